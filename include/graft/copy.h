/* graft/copy.h: copying models, their state and their optimizers. docs/copying.md is the table of
 * what each verb does to each thing. */
#ifndef GRAFT_COPY_H
#define GRAFT_COPY_H

#include "graft/module.h"
#include "graft/optim.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- clone ---- */

typedef struct graft_clone_options {
    graft_ctx *into;     /* the context of the copy; NULL: the source's */
    bool drop_gradients; /* leave the gradients behind */
} graft_clone_options;

GRAFT_API graft_clone_options graft_clone_defaults(void);

/* What became of what: the modules, parameters and buffers of a model and their copies. Freed by
 * graft_copy_map_free. It holds the copies of tensors alive and, where they are of the same
 * context, their sources; modules, and sources of another context, are only known by their handles.
 */
typedef struct graft_copy_map graft_copy_map;

/* A deep copy of a module tree: parameters, buffers (also non-persistent ones), gradients,
 * requires_grad, modes and the fields of users' structs; ties, shared modules and views into one
 * storage come out as they were. Memory is copy-on-write. A parameter, buffer or gradient with
 * history is refused by its path (GRAFT_ERR_STATE), and so is a class that has a free hook but no
 * clone hook. If anything fails nothing is left of the copy, and an error is found in both
 * contexts. options may be NULL. If map is not NULL, *map is the copy map (NULL on failure). Freed
 * as graft_module_new says. */
GRAFT_API graft_module *graft_clone(const graft_module *m, const graft_clone_options *options,
                                    graft_copy_map **map);

/* The copy of a tensor or module; NULL, without an error, if the map does not have it. */
GRAFT_API graft_tensor *graft_copy_map_tensor(const graft_copy_map *map,
                                              const graft_tensor *source);
GRAFT_API graft_module *graft_copy_map_module(const graft_copy_map *map,
                                              const graft_module *source);

/* The context of the copies; the number of tensors; the path of the i-th, its source and copy (NULL
 * beyond the end). */
GRAFT_API graft_ctx *graft_copy_map_ctx(const graft_copy_map *map);
GRAFT_API int64_t graft_copy_map_len(const graft_copy_map *map);
GRAFT_API const char *graft_copy_map_path(const graft_copy_map *map, int64_t i);
GRAFT_API const graft_tensor *graft_copy_map_source(const graft_copy_map *map, int64_t i);
GRAFT_API graft_tensor *graft_copy_map_copy(const graft_copy_map *map, int64_t i);

/* Takes one tensor out of the map, by any of its paths, as if it had not been copied.
 * GRAFT_ERR_NAME if it is not there. */
GRAFT_API graft_status graft_copy_map_drop(graft_copy_map *map, const char *path);

GRAFT_API void graft_copy_map_free(graft_copy_map *map);

/* ---- the optimizer follows ---- */

/* An optimizer of the same kind over the copies that the map names, in their context: groups,
 * options, step counts and moments come along (copy-on-write). NULL if the map lacks a parameter:
 * the error names every one. Freed by graft_optimizer_free. */
GRAFT_API graft_optimizer *graft_follow(const graft_optimizer *opt, const graft_copy_map *map);

/* ---- load ---- */

typedef struct graft_load_options {
    bool strict; /* missing and unexpected names fail the load (the default) */
    bool
        cast; /* a floating tensor of another floating dtype is converted; else refused (default) */
} graft_load_options;

GRAFT_API graft_load_options graft_load_defaults(void);

typedef enum graft_load_action {
    GRAFT_LOAD_COPIED = 0,
    GRAFT_LOAD_CAST,       /* copied, converted to the model's dtype */
    GRAFT_LOAD_MISSING,    /* the model has it, the dict lacks it: kept as it was */
    GRAFT_LOAD_UNEXPECTED, /* the dict has it, the model does not */
    GRAFT_LOAD_SHAPE,      /* shapes differ */
    GRAFT_LOAD_DTYPE,      /* dtypes differ (and cast does not apply) */
    GRAFT_LOAD_TIE,        /* one tied parameter, two different values in the dict */
    GRAFT_LOAD_KIND        /* the dict's value is not a tensor */
} graft_load_action;

/* What a load did, or would have done, with every tensor. Freed by graft_load_report_free. */
typedef struct graft_load_report graft_load_report;

/* Copies the tensors of state into the model's parameters and persistent buffers by name: a
 * transaction. Everything is checked first (names, kinds, shapes, dtypes, ties); all that is wrong
 * is in the report and in one error message with full paths; then everything is taken, or not one
 * byte of the model is changed. Gradients, requires_grad and modes stay, and so do the tensors and
 * storages: views of them see the new values. Memory is copy-on-write where a tensor is all of its
 * storage on both sides. A tied parameter needs one of its names. The dict may hold the model's own
 * tensors and may be of another context. The status is that of the first problem in the order of
 * the actions: GRAFT_ERR_NAME, _SHAPE, _DTYPE, or _ARGUMENT for ties and kinds. options may be
 * NULL. If report is not NULL, *report is made in either case (NULL if there was no memory for it:
 * then nothing was taken). */
GRAFT_API graft_status graft_load_state_dict(graft_module *m, const graft_dict *state,
                                             const graft_load_options *options,
                                             graft_load_report **report);

/* Entries in the model's order, then the unexpected ones in the dict's. */
GRAFT_API int64_t graft_load_report_len(const graft_load_report *report);
GRAFT_API const char *graft_load_report_name(const graft_load_report *report, int64_t i);
GRAFT_API graft_load_action graft_load_report_action(const graft_load_report *report, int64_t i);

/* How many entries met that action. */
GRAFT_API int64_t graft_load_report_count(const graft_load_report *report,
                                          graft_load_action action);

/* "copied", "cast", "missing", ...; never NULL. */
GRAFT_API const char *graft_load_action_name(graft_load_action action);

/* Whether the load was committed. */
GRAFT_API bool graft_load_report_ok(const graft_load_report *report);

/* The report as text: what was done, or all that is wrong. Valid while the report lives. */
GRAFT_API const char *graft_load_report_text(const graft_load_report *report);

GRAFT_API void graft_load_report_free(graft_load_report *report);

#ifdef __cplusplus
}
#endif

#endif
