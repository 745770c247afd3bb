#include "kernel/equal.h"
#include "kernel/same_bits.h"
#include "tensor/dtype.h"
#include "tensor/tensor.h"

bool graft_equal(const graft_tensor *a, const graft_tensor *b)
{
    if (!a || !b || !graft__same_shape(a, b))
        return false;
    const graft__array x = graft__read(a), y = graft__read(b);
    if (!graft_dtype_computes(a->dtype) || !graft_dtype_computes(b->dtype))
        return a->dtype == b->dtype && (a->numel == 0 || graft__same_bits(&x, &y));
    return graft__all_equal(a->object.ctx->pool, &x, &y, graft__promote(a->dtype, b->dtype));
}

bool graft_allclose(const graft_tensor *a, const graft_tensor *b, double rtol, double atol,
                    bool equal_nan)
{
    if (!a || !b)
        return false;
    if (!(rtol >= 0 && atol >= 0)) {
        graft__fail(a->object.ctx, GRAFT_ERR_ARGUMENT,
                    "allclose: rtol %g and atol %g: expected 0 or more", rtol, atol);
        return false;
    }
    int ndim;
    int64_t size[GRAFT_MAX_DIMS];
    if (!graft__check_computes(a->object.ctx, "allclose", a->dtype) ||
        !graft__check_computes(a->object.ctx, "allclose", b->dtype) ||
        !graft__broadcast("allclose", a, b, &ndim, size))
        return false;
    graft__array x = graft__read(a), y = graft__read(b);
    x = graft__broadcast_array(&x, ndim, size);
    y = graft__broadcast_array(&y, ndim, size);
    const graft__tolerance tolerance = {rtol, atol, equal_nan};
    return graft__all_close(a->object.ctx->pool, &x, &y, &tolerance);
}
