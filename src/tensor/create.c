#include <math.h>
#include <string.h>

#include "kernel/copy.h"
#include "tensor/tensor.h"

static graft_tensor *fresh(graft_ctx *g, const char *op, graft_shape shape, graft_dtype dtype)
{
    return graft__tensor_new(g, op, shape.ndim, shape.size, dtype);
}

static graft_tensor *filled(graft_ctx *g, const char *op, graft_shape shape, double value,
                            graft_dtype dtype)
{
    graft_tensor *t = fresh(g, op, shape, dtype);
    if (t) {
        const graft__array a = graft__fresh(t);
        graft__fill(g->pool, &a, value);
    }
    return graft__result(t);
}

graft_tensor *graft_empty(graft_ctx *g, graft_shape shape, graft_dtype dtype)
{
    return graft__result(graft__tensor_carried(g, "empty", shape.ndim, shape.size, dtype));
}

graft_tensor *graft_zeros(graft_ctx *g, graft_shape shape, graft_dtype dtype)
{
    return filled(g, "zeros", shape, 0, dtype);
}

graft_tensor *graft_ones(graft_ctx *g, graft_shape shape, graft_dtype dtype)
{
    return filled(g, "ones", shape, 1, dtype);
}

graft_tensor *graft_full(graft_ctx *g, graft_shape shape, double value, graft_dtype dtype)
{
    return filled(g, "full", shape, value, dtype);
}

graft_tensor *graft_scalar(graft_ctx *g, double value, graft_dtype dtype)
{
    return filled(g, "scalar", graft_shape0(), value, dtype);
}

graft_tensor *graft_eye(graft_ctx *g, int64_t n, int64_t m, graft_dtype dtype)
{
    graft_tensor *t = fresh(g, "eye", graft_shape2(n, m), dtype);
    if (t) {
        graft__array a = graft__fresh(t);
        graft__fill(g->pool, &a, 0);
        a.ndim = 1;
        a.size[0] = n < m ? n : m;
        a.stride[0] = m + 1;
        graft__fill(g->pool, &a, 1);
    }
    return graft__result(t);
}

/* ---- Ranges ---- */

static bool fits_i64(double x)
{
    return x >= -0x1p63 && x < 0x1p63;
}

/* How many elements there are, as PyTorch counts them: an int64 range is counted in integers, every
 * other in double, also where start, end and step then lose their fractions. -1 with the error set
 * if there is no such range. */
static int64_t range_length(graft_ctx *g, double start, double end, double step, graft_dtype dtype)
{
    const bool floating = graft_dtype_is_floating(dtype);
    if (floating ? !isfinite(start) || !isfinite(end) || isnan(step)
                 : !fits_i64(start) || !fits_i64(end) || !fits_i64(step)) {
        graft__fail(g, GRAFT_ERR_ARGUMENT, "arange: from %g to %g by %g: expected %s", start, end,
                    step, floating ? "finite numbers" : "numbers that fit an int64");
        return -1;
    }
    const double by = floating ? step : trunc(step);
    const double from = floating ? start : trunc(start), to = floating ? end : trunc(end);
    if (by == 0) {
        graft__fail(g, GRAFT_ERR_ARGUMENT, "arange: step is %g: expected one that is not 0%s", step,
                    floating ? "" : " without its fraction");
        return -1;
    }
    if (by > 0 ? to < from : to > from) {
        graft__fail(g, GRAFT_ERR_ARGUMENT,
                    "arange: step %g does not lead from %g to %g: expected the other sign", step,
                    start, end);
        return -1;
    }
    /* int64s up to 2^64 apart: only their distance is rounded. */
    const double distance = dtype != GRAFT_I64 ? end - start
                            : by > 0 ? (double)((uint64_t)(int64_t)to - (uint64_t)(int64_t)from)
                                     : -(double)((uint64_t)(int64_t)from - (uint64_t)(int64_t)to);
    const double length = ceil(distance / (dtype == GRAFT_I64 ? by : step));
    if (!fits_i64(length)) {
        graft__fail(g, GRAFT_ERR_SHAPE, "arange: from %g to %g by %g: too many elements", start,
                    end, step);
        return -1;
    }
    return (int64_t)length;
}

graft_tensor *graft_arange(graft_ctx *g, double start, double end, double step, graft_dtype dtype)
{
    if (!g)
        return NULL;
    if (dtype == GRAFT_BOOL) {
        graft__fail(g, GRAFT_ERR_DTYPE, "arange: bool is no dtype of a range");
        return NULL;
    }
    const int64_t length = range_length(g, start, end, step, dtype);
    graft_tensor *t = length < 0 ? NULL : fresh(g, "arange", graft_shape1(length), dtype);
    if (t) {
        const graft__array a = graft__fresh(t);
        graft__fill_range(&a, start, step);
    }
    return graft__result(t);
}

/* ---- The caller's elements ---- */

graft_tensor *graft_from_data(graft_ctx *g, const void *data, graft_shape shape, graft_dtype dtype)
{
    graft_tensor *t = graft__tensor_carried(g, "from_data", shape.ndim, shape.size, dtype);
    if (!t || t->numel == 0)
        return graft__result(t);
    if (!data) {
        char text[GRAFT__SHAPE_TEXT];
        graft__fail(g, GRAFT_ERR_ARGUMENT, "from_data: data is NULL for shape %s",
                    graft__tensor_shape_text(t, text));
        graft__tensor_unref(t);
        return NULL;
    }
    const graft__array a = graft__fresh(t);
    if (dtype == GRAFT_BOOL) { /* C's truth is any number but 0 */
        graft__array bytes = a;
        bytes.dtype = GRAFT_U8;
        bytes.data = (void *)(uintptr_t)data;
        graft__copy(g->pool, &a, &bytes);
    } else {
        graft__copy_bytes(g->pool, a.data, data, graft__tensor_bytes(t));
    }
    return graft__result(t);
}

graft_tensor *graft_from_borrowed(graft_ctx *g, void *data, graft_shape shape, graft_dtype dtype,
                                  void (*release)(void *user, void *data), void *user)
{
    size_t bytes = 0;
    const int64_t numel =
        g ? graft__check_carried(g, "from_borrowed", shape.ndim, shape.size, dtype, &bytes) : -1;
    if (numel < 0)
        return NULL;
    const size_t size = graft_dtype_size(dtype);
    const size_t width = size == 0 ? 1 : size < 8 ? size : 8;
    if ((!data && numel > 0) || (uintptr_t)data % width != 0) {
        graft__fail(g, GRAFT_ERR_ARGUMENT,
                    "from_borrowed: data is %p: expected memory aligned to the %zu bytes of a %s",
                    data, width, graft_dtype_name(dtype));
        return NULL;
    }
    /* A failure must not release the memory, so that is set up last. */
    graft__storage *s = graft__storage_borrow(g, data, bytes, NULL, NULL);
    graft_tensor *t = graft__result(graft__tensor_over(s, dtype, shape.ndim, shape.size, NULL, 0));
    if (t) {
        t->storage->buffer->release = release;
        t->storage->buffer->release_user = user;
    }
    return t;
}
