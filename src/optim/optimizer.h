/* The optimizer's insides: one table of kinds, each with its update. */
#ifndef GRAFT__OPTIM_OPTIMIZER_H
#define GRAFT__OPTIM_OPTIMIZER_H

#include "base/object.h"
#include "graft/optim.h"
#include "kernel/update.h"
#include "tensor/dict.h"
#include "tensor/tensor.h"

enum { GRAFT__OPTIM_STATES = 4 }; /* tensors of state per parameter, at most */

/* One parameter and what the optimizer remembers of it. State tensors have the parameter's shape
 * and dtype and belong to the optimizer; NULL until the first step that needs them. */
typedef struct graft__optim_param {
    char *name;
    graft_tensor *tensor; /* holds a reference */
    int64_t step;
    graft_tensor *state[GRAFT__OPTIM_STATES];

    /* While a step is under way (step.c), else 0: bit 0 stands for the parameter, bit 1 + k for
     * state[k]. */
    unsigned ready;                              /* own memory, written next */
    unsigned fresh;                              /* made by this step: all 0 */
    graft__buffer *old[1 + GRAFT__OPTIM_STATES]; /* where the elements are, if not in the tensor */
    graft_tensor *packed;                        /* for a parameter that is not contiguous */
} graft__optim_param;

typedef union graft__optim_options {
    graft_sgd_options sgd;
    graft_adam_options adam;
} graft__optim_options;

typedef struct graft__optim_group {
    graft__optim_options options;
    graft__optim_param *param;
    size_t count, capacity;
} graft__optim_group;

typedef struct graft__optim_kind {
    const char *name;                            /* "Adam" */
    const char *state_name[GRAFT__OPTIM_STATES]; /* "exp_avg", ...; NULL behind the last */
    unsigned needed; /* which of them a parameter's state in a state dict must have: bits */
    bool has_step;   /* whether "step" is in the state dict */
    /* GRAFT_OK, or ARGUMENT with an error that names the option. */
    graft_status (*check)(graft_ctx *g, const graft__optim_options *o);
    /* Which state tensors a step with these options uses: a bit for each. */
    unsigned (*states)(const graft__optim_options *o);
    /* Updates the parameters of the group that are ready; all memory is there, nothing can fail. */
    void (*update)(graft_ctx *g, graft__optim_group *group);
    /* The group's options to and from its dict. load leaves *o half done if it fails. */
    graft_status (*save)(const graft__optim_options *o, graft_dict *group);
    graft_status (*load)(graft_ctx *g, graft__optim_options *o, const graft_dict *group);
} graft__optim_kind;

struct graft_optimizer {
    graft__object object;
    const graft__optim_kind *kind;
    graft__optim_group **group; /* each its own block, so that option pointers stay valid */
    size_t groups, group_capacity;
};

extern const graft__optim_kind graft__optim_sgd, graft__optim_adam, graft__optim_adamw;

/* An optimizer without groups, with one reference, the caller's; NULL with the error set. */
graft_optimizer *graft__optimizer_new(graft_ctx *g, const graft__optim_kind *kind);

/* Appends an empty group; NULL with the error set. */
graft__optim_group *graft__optimizer_add_group(graft_optimizer *opt,
                                               const graft__optim_options *options);

/* Appends a parameter without state; NULL with the error set. Takes a reference of tensor. */
graft__optim_param *graft__optim_group_add(graft_optimizer *opt, graft__optim_group *group,
                                           const char *name, graft_tensor *tensor);

/* ---- For the updates of the kinds ---- */

/* Whether the parameter takes part in the step: it has a gradient. */
static inline bool graft__optim_is_ready(const graft__optim_param *p)
{
    return p->ready & 1;
}

/* Takes the parameter into its next step, if it takes part in this one; else false. *out is what
 * the kernel updates: the parameter, its gradient and its first `states` tensors of state (those
 * that are ready; the others' places stay as they are). After the kernel: graft__optim_written. */
bool graft__optim_begin(graft_ctx *g, graft__optim_param *p, int states, graft__update *out);
void graft__optim_written(graft_ctx *g, graft__optim_param *p);

/* Entry i of a dict, if it is a number, a bool or a tensor of one element. */
bool graft__optim_read_number(const graft_dict *d, int64_t i, double *out);

/* The same of a group's dict, by its key. If it is not there: *out
 * stays as it is if `optional`, else GRAFT_ERR_NAME. */
graft_status graft__optim_number(graft_ctx *g, const graft_dict *group, const char *key,
                                 bool optional, double *out);

#endif
