#include "graft/ops.h"
#include "ops/common.h"
#include "ops/dense.h"

/* 0 with probability p, else 1 / (1 - p): a contiguous tensor of x's shape, in the scope. PyTorch
 * draws in this order, too, whatever x's strides are. */
static graft_tensor *noise_like(const graft_tensor *x, double p)
{
    graft_ctx *g = x->object.ctx;
    graft_tensor *noise = graft__tensor_like(x, x->dtype);
    if (!noise)
        return NULL;
    const graft__array a = graft__fresh(noise);
    if (x->dtype == GRAFT_F32)
        graft__random_bernoulli_f32(&g->random, x->numel, graft__first(noise), 1 - p);
    else
        graft__random_bernoulli_f64(&g->random, x->numel, graft__first(noise), 1 - p);
    graft__map(g->pool, GRAFT__DIV_S, 1 - p, &a, &a, NULL, NULL);
    return graft__result(noise);
}

graft_tensor *graft_dropout(graft_tensor *x, double p, bool training)
{
    if (!x)
        return NULL;
    if (!(p >= 0 && p <= 1)) {
        graft__fail(x->object.ctx, GRAFT_ERR_ARGUMENT, "dropout: p is %g: expected 0 to 1", p);
        return NULL;
    }
    if (!training || p == 0 || x->numel == 0)
        return x;
    graft_dtype dtype;
    if (!graft__enter("dropout", &x, 1, &dtype))
        return NULL;
    /* Not zeros: what is no number stays none, as in PyTorch. */
    graft_tensor *y = p == 1 ? graft_mul_scalar(x, 0) : graft_mul(x, noise_like(x, p));
    return graft__leave(y, dtype);
}
