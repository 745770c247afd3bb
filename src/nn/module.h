/* The module's insides and the one ordered visitor over a tree of modules. */
#ifndef GRAFT__NN_MODULE_H
#define GRAFT__NN_MODULE_H

#include "base/object.h"
#include "base/text.h"
#include "graft/module.h"
#include "tensor/dict.h"
#include "tensor/tensor.h"

/* A registered parameter or buffer. Holds a reference to its tensor. */
typedef struct graft__slot {
    char *name;
    graft_tensor *tensor; /* NULL: absent, as the bias of a Linear without */
    size_t field;         /* offset of the pointer in the module's struct, or GRAFT__NO_FIELD */
    bool is_buffer;
    bool persistent;
} graft__slot;

typedef struct graft__child {
    char *name;
    graft_module *module; /* holds a reference */
    size_t field;
} graft__child;

#define GRAFT__NO_FIELD ((size_t)-1)

/* Behind graft_module.state. The module's struct itself is a block of type->size bytes. */
typedef struct graft__module_state {
    graft__object object; /* the handle: refs, owner */
    graft_module *module;
    bool training;
    bool frees; /* the class's free is called when the module goes: not for a shell, see below */
    size_t failed_at;  /* see forward.c */
    graft__slot *slot; /* in the order of registration, parameters and buffers mixed */
    size_t slots, slot_capacity;
    graft__child *child;
    size_t children, child_capacity;
} graft__module_state;

graft_module *graft__module_ref(graft_module *m);
void graft__module_unref(graft_module *m); /* NULL is ignored */

/* What the visitor meets: modules before their slots, parameters before buffers, slots before
 * children, all in the order of registration; everything under every one of its names. Any callback
 * may be NULL. first is false where the module or the tensor was met before under another name; the
 * slots and children of a module met before are visited again only if `all_names`. An absent slot
 * (no tensor) is first where its module is. path is the dotted name, valid during the call. */
typedef struct graft__visitor {
    bool all_names;
    void *user;
    graft_status (*module)(void *user, const char *path, graft_module *m, bool first);
    graft_status (*slot)(void *user, const char *path, graft_module *owner, graft__slot *slot,
                         bool first);
} graft__visitor;

/* Iterative: a tree of any depth. Stops at the first callback that fails, and returns its status.
 */
graft_status graft__visit(const graft_module *m, const graft__visitor *visitor);

/* Registers as graft_parameter, graft_buffer and graft_child do, for a copy: the slot or child goes
 * to the end, with the name and the field offset of `like`, and the field is pointed at it. Takes
 * over the reference of the scope or context that owns it, or adds one if nothing does. Nothing is
 * checked, and requires_grad stays as it is. If it fails, nothing was changed. */
graft_status graft__module_add_slot(graft_module *m, const graft__slot *like, graft_tensor *tensor);
graft_status graft__module_add_child(graft_module *m, const graft__child *like,
                                     graft_module *child);

/* A module whose struct is a byte copy of source's, in the same mode, with no slots and no
 * children; owned by the context g. Fields are as in source until the adds above redirect them.
 * state->frees is false: whoever completes the copy sets it after the class's clone hook succeeded,
 * so that free never sees what still belongs to the source. */
graft_module *graft__module_shell(graft_ctx *g, const graft_module *source);

/* The parameter or buffer at a dotted path, and the module that has it. GRAFT_ERR_NAME, with an
 * error of `op` that lists what is there, if there is none or if it is absent. */
graft_status graft__find_slot(graft_module *m, const char *op, const char *path,
                              graft_module **owner, graft__slot **slot);

/* Points the slot at another tensor (references counted), and the field too. */
void graft__slot_set(graft_module *owner, graft__slot *slot, graft_tensor *tensor);

#endif
