/* Copies: contiguous ones, and ones of another dtype. */
#include "graft/ops.h"
#include "kernel/copy.h"
#include "ops/common.h"
#include "tensor/dtype.h"

/* node->attr: the input's dtype. */
static graft_status backward_to(graft__taped *node, graft_tensor *grad)
{
    const graft_dtype dtype = *(const graft_dtype *)node->attr;
    return graft__wants(node, 0) ? graft__give(node, 0, graft_to(grad, dtype)) : GRAFT_OK;
}

static graft_status backward_copy(graft__taped *node, graft_tensor *grad)
{
    return graft__wants(node, 0) ? graft__give(node, 0, grad) : GRAFT_OK;
}

static bool record_to(graft_tensor *y, graft_tensor *t)
{
    static const graft__op to = {"to", backward_to};
    graft__taped *node = graft__record(&to, y, &t, 1, 0, sizeof(graft_dtype));
    if (!node)
        return false;
    *(graft_dtype *)node->attr = t->dtype;
    return true;
}

graft_tensor *graft_to(graft_tensor *t, graft_dtype dtype)
{
    if (!t || t->dtype == dtype)
        return t;
    graft_ctx *g = t->object.ctx;
    if (!graft__check_computes(g, "to", dtype) || !graft__check_computes(g, "to", t->dtype))
        return NULL;
    graft_tensor *y = graft__tensor_like(t, dtype);
    if (!y)
        return NULL;
    const graft__array src = graft__read(t), dst = graft__fresh(y);
    graft__copy(t->object.ctx->pool, &dst, &src);
    const bool recorded = graft_dtype_is_floating(dtype) && graft__should_record(&t, 1);
    return graft__finish(y, !recorded || record_to(y, t));
}

/* A copy-on-write copy where t is all of its storage. */
static graft_tensor *copy(const graft__op *op, graft_tensor *t)
{
    graft_tensor *y = graft__tensor_snapshot(t, t->object.ctx);
    if (!y)
        return NULL;
    return graft__finish(y, !graft__should_record(&t, 1) || graft__record(op, y, &t, 1, 0, 0));
}

graft_tensor *graft_copy(graft_tensor *x)
{
    static const graft__op op = {"copy", backward_copy};
    return x ? copy(&op, x) : NULL;
}

graft_tensor *graft_contiguous(graft_tensor *t)
{
    static const graft__op op = {"contiguous", backward_copy};
    return !t || t->contiguous ? t : copy(&op, t);
}
