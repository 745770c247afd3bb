/* Softmax along the middle dimension of contiguous [outer, n, inner] elements, f32 or f64. A lane
 * is the n elements that go together; there are outer * inner of them, counted in that order. */
#ifndef GRAFT__KERNEL_SOFTMAX_H
#define GRAFT__KERNEL_SOFTMAX_H

#include "base/pool.h"
#include "kernel/array.h"

typedef struct graft__lanes {
    graft_dtype dtype;
    int64_t outer, n, inner;
} graft__lanes;

/* y = exp(x) / sum(exp(x)), and its logarithm. y may be x. */
void graft__softmax(graft__pool *pool, const graft__lanes *l, const void *x, void *y);
void graft__log_softmax(graft__pool *pool, const graft__lanes *l, const void *x, void *y);

/* dx = beta * dx + the gradient of x, given the result y and its gradient dy; beta is 0 or 1. */
void graft__softmax_backward(graft__pool *pool, const graft__lanes *l, const void *y,
                             const void *dy, void *dx, double beta);
void graft__log_softmax_backward(graft__pool *pool, const graft__lanes *l, const void *y,
                                 const void *dy, void *dx, double beta);

#endif
