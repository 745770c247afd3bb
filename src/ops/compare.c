/* Comparisons of any dtypes. */
#include "graft/ops.h"
#include "ops/common.h"
#include "tensor/dtype.h"

/* The dtype in which all values that PyTorch would compare are exact. */
static graft_dtype exact_dtype(graft_dtype common)
{
    if (!graft_dtype_is_floating(common))
        return GRAFT_I64;
    return common == GRAFT_F64 ? GRAFT_F64 : GRAFT_F32;
}

static graft_tensor *compute(const char *op, graft__comparison c, graft_tensor *a, graft_tensor *b)
{
    int ndim;
    int64_t size[GRAFT_MAX_DIMS];
    if (!a || !b || !graft__broadcast(op, a, b, &ndim, size))
        return NULL;
    graft_tensor *y = graft__tensor_new(a->object.ctx, op, ndim, size, GRAFT_BOOL);
    if (!y)
        return NULL;
    graft__array x1, x2, out;
    graft__read_into(a, &x1);
    graft__read_into(b, &x2);
    graft__read_into(y, &out);
    if (!graft__same_shape(a, y))
        x1 = graft__broadcast_array(&x1, ndim, size);
    if (!graft__same_shape(b, y))
        x2 = graft__broadcast_array(&x2, ndim, size);
    graft__compare(a->object.ctx->pool, c, &out, &x1, &x2);
    return graft__result(y);
}

static graft_tensor *apply(const char *op, graft__comparison c, graft_tensor *a, graft_tensor *b)
{
    if (!graft__same_context(op, a, b) || !graft__check_computes(a->object.ctx, op, a->dtype) ||
        !graft__check_computes(a->object.ctx, op, b->dtype))
        return NULL;
    const graft_dtype common = graft__result_dtype(a, b), exact = exact_dtype(common);
    a->object.ctx->no_grad++;
    graft_tensor *x1 = graft_to(graft_to(a, common), exact);
    graft_tensor *x2 = graft_to(graft_to(b, common), exact);
    a->object.ctx->no_grad--;
    return compute(op, c, x1, x2);
}

graft_tensor *graft_eq(graft_tensor *a, graft_tensor *b)
{
    return apply("eq", GRAFT__EQ, a, b);
}

graft_tensor *graft_ne(graft_tensor *a, graft_tensor *b)
{
    return apply("ne", GRAFT__NE, a, b);
}

graft_tensor *graft_lt(graft_tensor *a, graft_tensor *b)
{
    return apply("lt", GRAFT__LT, a, b);
}

graft_tensor *graft_le(graft_tensor *a, graft_tensor *b)
{
    return apply("le", GRAFT__LE, a, b);
}

graft_tensor *graft_gt(graft_tensor *a, graft_tensor *b)
{
    return apply("gt", GRAFT__GT, a, b);
}

graft_tensor *graft_ge(graft_tensor *a, graft_tensor *b)
{
    return apply("ge", GRAFT__GE, a, b);
}
