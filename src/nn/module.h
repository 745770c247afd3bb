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
 * slots and children of a module met before are visited again only if `all_names`. path is the
 * dotted name. */
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

/* Registers as graft_parameter and graft_buffer do, for a copy: the slot or child goes to the end,
 * with the field offset given, and the field is pointed at it. Takes a reference. */
graft_status graft__module_add_slot(graft_module *m, const graft__slot *like, graft_tensor *tensor);
graft_status graft__module_add_child(graft_module *m, const graft__child *like,
                                     graft_module *child);

/* A module whose struct is a byte copy of source's, with no slots and no children; owned by the
 * context g. Fields are as in source until the adds above redirect them. */
graft_module *graft__module_shell(graft_ctx *g, const graft_module *source);

/* Points the slot at another tensor (references counted), and the field too. */
void graft__slot_set(graft_module *owner, graft__slot *slot, graft_tensor *tensor);

#endif
