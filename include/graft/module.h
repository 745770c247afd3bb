/* graft/module.h: modules: trees of named parameters, buffers and children. */
#ifndef GRAFT_MODULE_H
#define GRAFT_MODULE_H

#include "graft/dict.h"
#include "graft/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct graft_module graft_module;
typedef struct graft_module_class graft_module_class;

/* The first member of every model: `typedef struct { graft_module base; ... } my_model;`. The
 * fields are the library's: read `type` and `ctx` if you like, write none. */
struct graft_module {
    const graft_module_class *type;
    graft_ctx *ctx;
    struct graft__module_state *state;
};

/* What a kind of module is. The class must outlive its modules; it is usually a static const. */
struct graft_module_class {
    const char *name; /* as printed: "Linear" */
    size_t size;      /* sizeof the struct whose first member is the graft_module */

    /* x to the output, both owned by the scope; NULL and an error on failure. */
    graft_tensor *(*forward)(graft_module *self, graft_tensor *x);

    /* Optional: called for a copy after its bytes were copied from `source` and each registered
     * field was pointed at its own copy; makes anew what is not registered (memory, files, ...) and
     * overwrites the pointers to the source's. If it fails, `free` is not called for the copy. */
    graft_status (*clone)(graft_module *copy, const graft_module *source);

    /* Optional: frees what is not registered, before the module goes. A class with a free needs a
     * clone, or graft_clone refuses it: both modules would free the same. */
    void (*free)(graft_module *self);

    /* Optional: writes what PyTorch's extra_repr says into out, at most size bytes with the 0, as
     * snprintf does. */
    void (*extra_repr)(const graft_module *self, char *out, size_t size);
};

/* ---- Making ---- */

/* A module of the class, its struct zeroed but for the base: cast it to your struct. Freed by
 * graft_module_free, by the parent it is given to, or by graft_close. NULL and an error if the
 * class has no name or a size below sizeof(graft_module). */
GRAFT_API void *graft_module_new(graft_ctx *g, const graft_module_class *type);

/* Frees a module and, with it, the children and parameters that nothing else holds. One that still
 * has a parent only gives up the caller's claim. NULL is ignored. */
GRAFT_API void graft_module_free(graft_module *m);

/* Registers child under name and points *field at it. field must lie inside of the struct of
 * parent, or be NULL (then graft_module_child finds it). parent takes the child over; the same
 * child may be registered again elsewhere or under a second name: it is then one shared module. A
 * NULL child (its maker failed) registers nothing and returns the context's error. Names must not
 * be empty, hold a dot or be taken (GRAFT_ERR_NAME); cycles are GRAFT_ERR_ARGUMENT. */
GRAFT_API graft_status graft_child(graft_module *parent, const char *name, graft_module **field,
                                   graft_module *child);

/* Registers tensor as a parameter: a leaf, which from now on requires grad and belongs to the
 * module (it is taken out of its scope). The same tensor under several names, here or in other
 * modules, is one tied parameter. field as for graft_child. A NULL tensor with no error pending
 * registers an absent parameter, as Linear without bias has it. */
GRAFT_API graft_status graft_parameter(graft_module *m, const char *name, graft_tensor **field,
                                       graft_tensor *tensor);

/* Registers a buffer: part of the state, but not trained. Persistent ones are in the state dict. */
GRAFT_API graft_status graft_buffer(graft_module *m, const char *name, graft_tensor **field,
                                    graft_tensor *tensor, bool persistent);

/* Replaces a registered parameter or buffer, found by its dotted path, by another tensor of the
 * same shape and dtype; the field follows. With a tensor that is a parameter elsewhere this ties
 * the two: graft_set_parameter(decoder, "weight", graft_get_parameter(encoder, "weight")). A tensor
 * that had no name before requires grad as the parameter did that it replaces. */
GRAFT_API graft_status graft_set_parameter(graft_module *m, const char *path, graft_tensor *tensor);

/* ---- Using ---- */

/* The class's forward. NULL in gives NULL out; an error names the modules it passed through. */
GRAFT_API graft_tensor *graft_forward(graft_module *m, graft_tensor *x);

/* Train or eval mode, for m and everything below it. */
GRAFT_API graft_status graft_train(graft_module *m);
GRAFT_API graft_status graft_eval(graft_module *m);
GRAFT_API bool graft_is_training(const graft_module *m);

/* requires_grad of every parameter of the subtree: false freezes it. */
GRAFT_API graft_status graft_module_requires_grad(graft_module *m, bool requires_grad);

/* Drops the gradients of every parameter of the subtree. */
GRAFT_API graft_status graft_module_zero_grad(graft_module *m);

/* Elements of all parameters, each counted once; only those that require grad if trainable_only. -1
 * if m is NULL. */
GRAFT_API int64_t graft_parameter_count(const graft_module *m, bool trainable_only);

/* ---- Looking. Dicts belong to the scope. Names are PyTorch's dotted keys in PyTorch's order. ----
 */

/* named_parameters and named_buffers: each tensor once, under its first name. */
GRAFT_API graft_dict *graft_parameters(const graft_module *m);
GRAFT_API graft_dict *graft_buffers(const graft_module *m);

/* state_dict: parameters and persistent buffers under all their names. The tensors are the model's
 * own storages, without history: writing one writes the model, and training the model is seen here.
 * For a snapshot: graft_dict_clone. As PyTorch's it is a collections.OrderedDict that has the
 * versions of the modules' classes as the attribute _metadata. */
GRAFT_API graft_dict *graft_state_dict(const graft_module *m);

/* Calls visit for every module of the tree, parents first, each once, as named_modules: with its
 * dotted path ("" for m itself). Stops at the first visit that does not return GRAFT_OK and returns
 * that. The tree must not be changed meanwhile. */
GRAFT_API graft_status graft_named_modules(graft_module *m,
                                           graft_status (*visit)(void *user, const char *path,
                                                                 graft_module *module),
                                           void *user);

/* The module, parameter or buffer at a dotted path; NULL and an error that lists what is there. */
GRAFT_API graft_module *graft_get_module(graft_module *m, const char *path);
GRAFT_API graft_tensor *graft_get_parameter(graft_module *m, const char *path);

/* Direct children, in order: how many, the i-th and its name. NULL beyond the end. */
GRAFT_API int64_t graft_module_len(const graft_module *m);
GRAFT_API graft_module *graft_module_child(const graft_module *m, int64_t i);
GRAFT_API const char *graft_module_child_name(const graft_module *m, int64_t i);

/* The tree as PyTorch prints it. Free the text with graft_text_free. */
GRAFT_API char *graft_module_text(const graft_module *m);
GRAFT_API graft_status graft_module_print(const graft_module *m, FILE *stream);

#ifdef __cplusplus
}
#endif

#endif
