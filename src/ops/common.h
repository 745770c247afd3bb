/* What operations do alike: taking in their inputs, and giving gradients to broadcast ones. */
#ifndef GRAFT__OPS_COMMON_H
#define GRAFT__OPS_COMMON_H

#include "kernel/elementwise.h"
#include "ops/tape.h"

/* Readies the n inputs of an operation that computes in f32 and f64. On true all are of one of
 * these dtypes: f16 and bf16 were converted to f32, an integer or bool beside a float to its dtype,
 * mixed floats to the wider (all by graft_to, so that gradients come back converted). *result is
 * what graft__leave owes the caller. false: an input is NULL (its error is there already), of
 * another context, or none is floating ("add: computes in float32 and float64 ..."). */
bool graft__enter(const char *op, graft_tensor **input, int n, graft_dtype *result);

/* y converted to the dtype that graft__enter promised. NULL for NULL. */
graft_tensor *graft__leave(graft_tensor *y, graft_dtype result);

/* Gives input i, of that shape, its share of the gradient of a broadcast result: grad summed over
 * the dimensions that were repeated. */
graft_status graft__give_summed(graft__taped *node, int i, graft_tensor *grad, int ndim,
                                const int64_t *size);

/* Gives input i, of the shape and dtype of a, the gradient f(a, b, c; s). */
graft_status graft__give_map(graft__taped *node, int i, graft__function f, double s,
                             const graft__array *a, const graft__array *b, const graft__array *c);

/* f32 or f64: what kernels compute in. */
static inline bool graft__computes(graft_dtype dtype)
{
    return dtype == GRAFT_F32 || dtype == GRAFT_F64;
}

#endif
