/* graft/autograd.h: the graph and its gradients. */
#ifndef GRAFT_AUTOGRAD_H
#define GRAFT_AUTOGRAD_H

#include "graft/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whether operations on t are recorded. */
GRAFT_API bool graft_requires_grad(const graft_tensor *t);

/* Makes a leaf require grad or not. Returns t; NULL and an error for a tensor with history, and for
 * one that is not floating. */
GRAFT_API graft_tensor *graft_set_requires_grad(graft_tensor *t, bool requires_grad);

/* Whether t was not made by a recorded operation. True for NULL. */
GRAFT_API bool graft_is_leaf(const graft_tensor *t);

/* The gradient that backward has accumulated in a leaf; NULL if there is none. It belongs to t. */
GRAFT_API graft_tensor *graft_grad(const graft_tensor *t);

/* Replaces the gradient by a copy of grad (same shape; converted to t's dtype), or drops it (NULL).
 */
GRAFT_API graft_status graft_set_grad(graft_tensor *t, graft_tensor *grad);

/* The same elements without history; shares the storage. */
GRAFT_API graft_tensor *graft_detach(graft_tensor *t);

/* Adds d loss / d leaf to the gradient of every leaf that loss depends on. loss has one element.
 * The graph is freed: a second backward through it is GRAFT_ERR_STATE. */
GRAFT_API graft_status graft_backward(graft_tensor *loss);

/* The same with a given gradient of t (t's shape; NULL: 1, for one element), and with the graph
 * kept for another backward if retain_graph. */
GRAFT_API graft_status graft_backward_with(graft_tensor *t, graft_tensor *grad, bool retain_graph);

/* Between the two, nothing is recorded. Regions nest. */
GRAFT_API graft_status graft_no_grad_begin(graft_ctx *g);
GRAFT_API graft_status graft_no_grad_end(graft_ctx *g);

/* Whether operations are recorded now. */
GRAFT_API bool graft_grad_enabled(const graft_ctx *g);

typedef struct graft_gradcheck_options {
    double eps;  /* the step of the finite difference */
    double atol; /* |analytic - numeric| <= atol + rtol * |numeric| */
    double rtol;
} graft_gradcheck_options;

/* As torch.autograd.gradcheck: eps 1e-6, atol 1e-5, rtol 1e-3. */
GRAFT_API graft_gradcheck_options graft_gradcheck_defaults(void);

/* Compares the gradients of fn(user, inputs, n) with central differences, for every input that
 * requires grad (f64 leaves) and a random gradient of the result. GRAFT_OK if all agree; else
 * GRAFT_ERR_STATE, and the error names input, element and both numbers. fn must give the same
 * result every time. options may be NULL. */
GRAFT_API graft_status graft_gradcheck(graft_tensor *(*fn)(void *user, graft_tensor **inputs,
                                                           int n),
                                       void *user, graft_tensor **inputs, int n,
                                       const graft_gradcheck_options *options);

#ifdef __cplusplus
}
#endif

#endif
