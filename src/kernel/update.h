/* One step of an optimizer over one parameter: everything that is read and written, in one pass. */
#ifndef GRAFT__KERNEL_UPDATE_H
#define GRAFT__KERNEL_UPDATE_H

#include "base/pool.h"
#include "kernel/array.h"

/* Elements that are read, and where their new values go: the same memory, or one that does not
 * overlap it. */
typedef struct graft__old_new {
    const void *from;
    void *to;
} graft__old_new;

enum { GRAFT__UPDATE_STATES = 3 };

/* n contiguous elements of each. f32 and f64 are computed as they are, f16 and bf16 in f32. */
typedef struct graft__update {
    graft_dtype dtype;
    int64_t n;
    graft__old_new param;
    const void *grad;
    graft__old_new state[GRAFT__UPDATE_STATES]; /* as each rule says */
} graft__update;

/* grad' = +-grad + weight_decay * param; without momentum: param -= lr * grad'. With it:
 * buffer = momentum * buffer + (1 - dampening) * grad' (first: buffer = grad'), and param -= lr *
 * buffer, or with nesterov lr * (grad' + momentum * buffer). state[0] is the buffer. */
typedef struct graft__sgd_rule {
    double lr, momentum, dampening, weight_decay;
    bool nesterov, maximize;
    bool first; /* the buffer holds nothing yet */
} graft__sgd_rule;

/* Kingma and Ba 2015: grad' = +-grad + weight_decay * param, param *= keep (AdamW),
 * m = beta1 * m + (1 - beta1) * grad', v = beta2 * v + (1 - beta2) * grad'^2 and
 * param -= size * m / (sqrt(v) + eps), with amsgrad the largest v so far in the place of v. state
 * is m, v and that largest v. For step t, with c = sqrt(1 - beta2^t): size = lr * c / (1 - beta1^t)
 * and eps = the option's * c, which is the textbook's m' / (sqrt(v') + eps) with one division less.
 */
typedef struct graft__adam_rule {
    double keep, weight_decay, beta1, beta2, size, eps;
    bool amsgrad, maximize;
} graft__adam_rule;

void graft__update_sgd(graft__pool *pool, const graft__update *u, const graft__sgd_rule *rule);
void graft__update_adam(graft__pool *pool, const graft__update *u, const graft__adam_rule *rule);

#endif
