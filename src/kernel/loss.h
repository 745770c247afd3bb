/* Losses over contiguous memory, f32 or f64. */
#ifndef GRAFT__KERNEL_LOSS_H
#define GRAFT__KERNEL_LOSS_H

#include "kernel/softmax.h"

/* How the losses of the lanes become one: their weighted mean, their sum, or not at all. */
typedef enum graft__loss_reduction {
    GRAFT__LOSS_MEAN,
    GRAFT__LOSS_SUM,
    GRAFT__LOSS_EACH
} graft__loss_reduction;

/* x: [outer, n, inner], n classes; one target for each lane. */
typedef struct graft__class_loss {
    graft__lanes lanes;
    const void *x;
    const void *target; /* class indices, contiguous */
    graft_dtype target_dtype;
    const void *weight; /* n elements of x's dtype, or NULL: all 1 */
    int64_t ignore_index;
    double smoothing;
    graft__loss_reduction reduction;
} graft__class_loss;

/* What forward finds out and backward wants to know. */
typedef struct graft__class_totals {
    double weight;    /* of the targets that count */
    double count;     /* of them */
    bool is_gradient; /* whether the memory holds the gradient itself already */
} graft__class_totals;

/* *loss (or loss[lane]) = the cross entropy of x, by
 *     (1 - smoothing) * -w_t log p_t + smoothing / n * -sum(w_c log p_c),   p = softmax(x),
 * 0 for ignored targets; the mean divides the first part by the sum of the w_t, the second by that
 * too or, without weights, by the number of targets that count. memory gets what backward needs,
 * graft__cross_entropy_memory elements of the dtype; NULL where there will be none. Returns the
 * first lane whose target is no class, or -1. */
int64_t graft__cross_entropy(graft__pool *pool, const graft__class_loss *c, void *loss,
                             void *memory, graft__class_totals *totals);
int64_t graft__cross_entropy_memory(const graft__lanes *l);

/* dx = beta * dx + its gradient, beta 0 or 1; dy: the gradient of the loss or of each lane's. */
void graft__cross_entropy_backward(graft__pool *pool, const graft__class_loss *c,
                                   const void *memory, const graft__class_totals *totals,
                                   const void *dy, void *dx, double beta);

/* The same for x that is log p already; without smoothing. */
int64_t graft__nll(graft__pool *pool, const graft__class_loss *c, void *loss,
                   graft__class_totals *totals);
void graft__nll_backward(graft__pool *pool, const graft__class_loss *c,
                         const graft__class_totals *totals, const void *dy, void *dx, double beta);

/* The target of a lane. */
int64_t graft__class_target(const graft__class_loss *c, int64_t lane);

/* *loss (or loss[i]) = the mean (or sum) of (x - t)^2 over n elements. */
void graft__mse(graft__pool *pool, graft_dtype dtype, int64_t n, const void *x, const void *t,
                graft__loss_reduction reduction, void *loss);

/* dx = beta * dx + scale * (x - t) * dy, beta 0 or 1; dy has one element, or n if each. */
void graft__mse_backward(graft__pool *pool, graft_dtype dtype, int64_t n, const void *x,
                         const void *t, const void *dy, bool each, double scale, void *dx,
                         double beta);

#endif
