/* graft/ops.h: operations on tensors. Each takes part in the graph where an input requires grad.
 *
 * Floating dtypes: f32 and f64 are computed as they are; f16 and bf16 are computed in f32 and
 * rounded once at the end. Mixed dtypes are promoted as in PyTorch; an integer or bool tensor
 * beside a floating one takes that one's dtype. Shapes broadcast as in PyTorch. All results belong
 * to the current scope. Failure: NULL, and the context's error names the operation, the shapes and
 * what was expected. */
#ifndef GRAFT_OPS_H
#define GRAFT_OPS_H

#include "graft/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Elementwise, two tensors ---- */
GRAFT_API graft_tensor *graft_add(graft_tensor *a, graft_tensor *b);
GRAFT_API graft_tensor *graft_sub(graft_tensor *a, graft_tensor *b);
GRAFT_API graft_tensor *graft_mul(graft_tensor *a, graft_tensor *b);
GRAFT_API graft_tensor *graft_div(graft_tensor *a, graft_tensor *b);
GRAFT_API graft_tensor *graft_pow(graft_tensor *a, graft_tensor *b);
GRAFT_API graft_tensor *graft_maximum(graft_tensor *a, graft_tensor *b); /* a tie shares the grad */
GRAFT_API graft_tensor *graft_minimum(graft_tensor *a, graft_tensor *b);

/* ---- Elementwise, a tensor and a number ---- */
GRAFT_API graft_tensor *graft_add_scalar(graft_tensor *a, double b);
GRAFT_API graft_tensor *graft_sub_scalar(graft_tensor *a, double b);
GRAFT_API graft_tensor *graft_mul_scalar(graft_tensor *a, double b);
GRAFT_API graft_tensor *graft_div_scalar(graft_tensor *a, double b);
GRAFT_API graft_tensor *graft_pow_scalar(graft_tensor *a, double exponent);

/* ---- Elementwise, one tensor ---- */
GRAFT_API graft_tensor *graft_neg(graft_tensor *x);
GRAFT_API graft_tensor *graft_abs(graft_tensor *x); /* gradient 0 at 0 */
GRAFT_API graft_tensor *graft_relu(graft_tensor *x);
GRAFT_API graft_tensor *graft_tanh(graft_tensor *x);
GRAFT_API graft_tensor *graft_sigmoid(graft_tensor *x);
GRAFT_API graft_tensor *graft_exp(graft_tensor *x);
GRAFT_API graft_tensor *graft_log(graft_tensor *x);
GRAFT_API graft_tensor *graft_sqrt(graft_tensor *x);

/* A copy of x that stays in the graph (torch.clone): contiguous, its own storage. */
GRAFT_API graft_tensor *graft_copy(graft_tensor *x);

/* ---- Comparisons: bool results, any dtypes, no gradient ---- */
GRAFT_API graft_tensor *graft_eq(graft_tensor *a, graft_tensor *b);
GRAFT_API graft_tensor *graft_ne(graft_tensor *a, graft_tensor *b);
GRAFT_API graft_tensor *graft_lt(graft_tensor *a, graft_tensor *b);
GRAFT_API graft_tensor *graft_le(graft_tensor *a, graft_tensor *b);
GRAFT_API graft_tensor *graft_gt(graft_tensor *a, graft_tensor *b);
GRAFT_API graft_tensor *graft_ge(graft_tensor *a, graft_tensor *b);

/* ---- Products ---- */

/* torch.matmul: [n] x [n] -> [], [m, n] x [n] -> [m], [n] x [n, p] -> [p], [m, n] x [n, p] ->
 * [m, p], and batches [..., m, n] x [..., n, p] -> [..., m, p] with broadcast batch dimensions. */
GRAFT_API graft_tensor *graft_matmul(graft_tensor *a, graft_tensor *b);

/* x W^T + b: x [..., in], weight [out, in], bias [out] or NULL -> [..., out]. */
GRAFT_API graft_tensor *graft_f_linear(graft_tensor *x, graft_tensor *weight, graft_tensor *bias);

/* ---- Reductions ---- */

/* Over all elements: a 0-d result. sum of integers and bools is i64; mean wants floats. */
GRAFT_API graft_tensor *graft_sum(graft_tensor *x);
GRAFT_API graft_tensor *graft_mean(graft_tensor *x);
GRAFT_API graft_tensor *graft_max(graft_tensor *x); /* ties share the gradient evenly (amax) */

/* Over the dimensions named in dims (negative ones count from the end; an empty list: all). keepdim
 * leaves them with size 1. max (torch.amax) refuses to reduce an empty dimension; NaN wins. */
GRAFT_API graft_tensor *graft_sum_dims(graft_tensor *x, graft_shape dims, bool keepdim);
GRAFT_API graft_tensor *graft_mean_dims(graft_tensor *x, graft_shape dims, bool keepdim);
GRAFT_API graft_tensor *graft_max_dims(graft_tensor *x, graft_shape dims, bool keepdim);

/* Where the largest element along dim is (the first of equals; NaN wins): i64, no gradient. */
GRAFT_API graft_tensor *graft_argmax(graft_tensor *x, int dim, bool keepdim);

/* ---- Softmax and losses ---- */

/* exp(x) / sum(exp(x)) along dim, and its logarithm. */
GRAFT_API graft_tensor *graft_softmax(graft_tensor *x, int dim);
GRAFT_API graft_tensor *graft_log_softmax(graft_tensor *x, int dim);

typedef enum graft_reduction {
    GRAFT_REDUCTION_MEAN = 0,
    GRAFT_REDUCTION_SUM,
    GRAFT_REDUCTION_NONE
} graft_reduction;

typedef struct graft_loss_options {
    graft_reduction reduction;
    graft_tensor *weight;   /* [C]: a weight per class, or NULL; cross entropy and nll */
    int64_t ignore_index;   /* a target that counts for nothing; cross entropy and nll */
    double label_smoothing; /* in [0, 1]; cross entropy */
} graft_loss_options;

/* PyTorch's: mean, no weight, ignore_index -100, no smoothing. */
GRAFT_API graft_loss_options graft_loss_defaults(void);

/* torch.nn.functional.cross_entropy with class indices: logits [N, C] (or [C], or [N, C, d1, ...])
 * and target [N] (or [], or [N, d1, ...]) of an integer dtype. A target outside of 0..C-1 that is
 * not ignore_index is GRAFT_ERR_ARGUMENT and named with its place. */
GRAFT_API graft_tensor *graft_cross_entropy(graft_tensor *logits, graft_tensor *target);
GRAFT_API graft_tensor *graft_cross_entropy_with(graft_tensor *logits, graft_tensor *target,
                                                 const graft_loss_options *options);

/* torch.nn.functional.nll_loss: log probabilities in the place of logits. NULL: the defaults. */
GRAFT_API graft_tensor *graft_nll_loss(graft_tensor *log_probs, graft_tensor *target,
                                       const graft_loss_options *options);

/* The mean (or sum, or each) of (x - target)^2; the shapes must be equal. */
GRAFT_API graft_tensor *graft_mse_loss(graft_tensor *x, graft_tensor *target,
                                       graft_reduction reduction);

/* With probability p an element becomes 0, else it is scaled by 1 / (1 - p); x itself if training
 * is false or p is 0. p in [0, 1]. The mask is PyTorch's for the same seed. */
GRAFT_API graft_tensor *graft_dropout(graft_tensor *x, double p, bool training);

/* ---- In place: change the elements of t and return t. A leaf that requires grad is refused
 * outside of graft_no_grad_begin; so is a history for a tensor that shares its storage with
 * another. The operand is broadcast to t and converted to its dtype. ---- */
GRAFT_API graft_tensor *graft_add_(graft_tensor *t, graft_tensor *other);
GRAFT_API graft_tensor *graft_sub_(graft_tensor *t, graft_tensor *other);
GRAFT_API graft_tensor *graft_mul_(graft_tensor *t, graft_tensor *other);
GRAFT_API graft_tensor *graft_div_(graft_tensor *t, graft_tensor *other);
GRAFT_API graft_tensor *graft_add_scalar_(graft_tensor *t, double value);
GRAFT_API graft_tensor *graft_mul_scalar_(graft_tensor *t, double value);
GRAFT_API graft_tensor *graft_copy_(graft_tensor *t, graft_tensor *source);
GRAFT_API graft_tensor *graft_fill_(graft_tensor *t, double value);
GRAFT_API graft_tensor *graft_zero_(graft_tensor *t);

/* Random in place, as torch.Tensor.uniform_ and normal_. Floating dtypes. */
GRAFT_API graft_tensor *graft_uniform_(graft_tensor *t, double from, double to);
GRAFT_API graft_tensor *graft_normal_(graft_tensor *t, double mean, double std);

#ifdef __cplusplus
}
#endif

#endif
