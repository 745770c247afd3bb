#include "graft/ops.h"
#include "ops/common.h"
#include "ops/dense.h"

/* Whether dimension a of t is walked before (inside of) dimension b: -1, after: 1, or 0 if strides
 * do not tell. */
static int order(const graft_tensor *t, int a, int b)
{
    if (t->stride[a] == 0 || t->stride[b] == 0)
        return 0;
    if (t->stride[a] != t->stride[b])
        return t->stride[a] < t->stride[b] ? -1 : 1;
    return t->size[a] > t->size[b] ? 1 : 0;
}

/* The strides without gaps that keep the order of t's dimensions in memory. PyTorch draws its mask
 * in this order, by the same sort: dimensions that repeat stay where they are among the others. */
static void strides_like(const graft_tensor *t, int64_t *stride)
{
    int fastest_first[GRAFT_MAX_DIMS];
    for (int i = 0; i < t->ndim; i++)
        fastest_first[i] = t->ndim - 1 - i;
    for (int i = 1; i < t->ndim; i++) {
        int at = i;
        for (int before = i - 1; before >= 0; before--) {
            const int other = fastest_first[before], own = fastest_first[at];
            const int o = order(t, other, own);
            if (o < 0)
                break;
            if (o > 0) {
                fastest_first[before] = own;
                fastest_first[at] = other;
                at = before;
            }
        }
    }
    int64_t step = 1;
    for (int i = 0; i < t->ndim; i++) {
        stride[fastest_first[i]] = step;
        step *= t->size[fastest_first[i]];
    }
}

/* 0 with probability p, else 1 / (1 - p): a tensor of x's shape, in the scope. */
static graft_tensor *noise_like(const graft_tensor *x, double p)
{
    graft_ctx *g = x->object.ctx;
    int64_t stride[GRAFT_MAX_DIMS];
    graft_tensor *drawn = graft__tensor_new(g, "dropout", 1, &x->numel, x->dtype);
    if (!drawn)
        return NULL;
    const graft__array a = graft__fresh(drawn);
    if (x->dtype == GRAFT_F32)
        graft__random_bernoulli_f32(&g->random, x->numel, graft__first(drawn), 1 - p);
    else
        graft__random_bernoulli_f64(&g->random, x->numel, graft__first(drawn), 1 - p);
    graft__map(g->pool, GRAFT__DIV_S, 1 - p, &a, &a, NULL, NULL);
    strides_like(x, stride);
    graft_tensor *noise = graft__tensor_alias(drawn, x->ndim, x->size, stride, 0);
    graft__tensor_unref(drawn);
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
