/* graft/optim.h: optimizers over named parameters. */
#ifndef GRAFT_OPTIM_H
#define GRAFT_OPTIM_H

#include "graft/dict.h"
#include "graft/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Holds its parameters alive and knows their names. Freed by graft_optimizer_free or graft_close.
 */
typedef struct graft_optimizer graft_optimizer;

/* torch.optim.SGD. */
typedef struct graft_sgd_options {
    double lr;           /* >= 0 */
    double momentum;     /* >= 0 */
    double dampening;    /* any; must be 0 with nesterov */
    double weight_decay; /* >= 0 */
    bool nesterov;       /* needs momentum > 0 */
    bool maximize;
} graft_sgd_options;

/* torch.optim.Adam and AdamW. */
typedef struct graft_adam_options {
    double lr;           /* >= 0 */
    double beta1, beta2; /* in [0, 1) */
    double eps;          /* >= 0 */
    double weight_decay; /* >= 0: added to the gradient by Adam, decoupled in AdamW */
    bool amsgrad;
    bool maximize;
} graft_adam_options;

/* PyTorch's defaults: SGD lr 0.001 (as PyTorch 2; 1.13 asks for one), the rest 0; Adam lr 0.001,
 * betas 0.9 and 0.999, eps 1e-8, weight_decay 0 (AdamW: 0.01). */
GRAFT_API graft_sgd_options graft_sgd_defaults(void);
GRAFT_API graft_adam_options graft_adam_defaults(void);
GRAFT_API graft_adam_options graft_adamw_defaults(void);

/* An optimizer over params (as graft_parameters gives them: name to leaf), in one group. A tensor
 * that stands under two names is taken once, under the first. NULL options: the defaults. An empty
 * dict, a tensor with history, a dtype that is not floating, or options out of range are refused.
 * f32, f64, f16 and bf16 parameters; the state has the parameter's dtype. */
GRAFT_API graft_optimizer *graft_sgd(graft_dict *params, const graft_sgd_options *options);
GRAFT_API graft_optimizer *graft_adam(graft_dict *params, const graft_adam_options *options);
GRAFT_API graft_optimizer *graft_adamw(graft_dict *params, const graft_adam_options *options);

/* Adds a group with options of its own. A parameter that is in a group already is refused, by name
 * (GRAFT_ERR_NAME), and nothing is added. For the optimizer that the options belong to. */
GRAFT_API graft_status graft_sgd_add_group(graft_optimizer *opt, graft_dict *params,
                                           const graft_sgd_options *options);
GRAFT_API graft_status graft_adam_add_group(graft_optimizer *opt, graft_dict *params,
                                            const graft_adam_options *options);

/* The options of a group, to read and to change between steps (a schedule sets ->lr); values out of
 * range are refused by the next step. NULL and an error for another kind of optimizer or no such
 * group. Valid while the optimizer lives. */
GRAFT_API graft_sgd_options *graft_sgd_group(graft_optimizer *opt, int64_t group);
GRAFT_API graft_adam_options *graft_adam_group(graft_optimizer *opt, int64_t group);

/* How many groups there are; 0 if opt is NULL. */
GRAFT_API int64_t graft_group_count(const graft_optimizer *opt);

/* "SGD", "Adam" or "AdamW"; NULL if opt is NULL. */
GRAFT_API const char *graft_optimizer_name(const graft_optimizer *opt);

GRAFT_API void graft_optimizer_free(graft_optimizer *opt);

/* Drops the gradients of all parameters (their memory is kept for the next backward). */
GRAFT_API graft_status graft_zero_grad(graft_optimizer *opt);

/* One update of every parameter that has a gradient. Checks everything first: if it fails, nothing
 * was changed. */
GRAFT_API graft_status graft_step(graft_optimizer *opt);

/* PyTorch's optimizer.state_dict(): {"state": {position: {"step": ..., "exp_avg": ..., ...}},
 * "param_groups": [{"lr": ..., "params": [positions], "param_names": [names]}]}. Tensors alias the
 * optimizer's (graft_dict_clone for a snapshot); the dict belongs to the scope. */
GRAFT_API graft_dict *graft_optimizer_state_dict(const graft_optimizer *opt);

/* Loads such a dict as a transaction: all is checked (groups, counts, names where the dict has
 * them, shapes, options), then all is taken, or nothing is changed. Where the dict carries names,
 * state is matched by name, so that a reordered model gets its own moments; else by position.
 * Tensors are copied (copy-on-write) and converted to the parameter's dtype. */
GRAFT_API graft_status graft_optimizer_load_state_dict(graft_optimizer *opt,
                                                       const graft_dict *state);

#ifdef __cplusplus
}
#endif

#endif
