#include "base/error.h"
#include "graft/data.h"
#include "kernel/copy.h"
#include "tensor/tensor.h"

static bool check(const graft_tensor *x, const graft_tensor *index)
{
    graft_ctx *g = x->object.ctx;
    char a[GRAFT__SHAPE_TEXT], b[GRAFT__SHAPE_TEXT];
    if (x->ndim < 1 || index->ndim != 1) {
        graft__fail(
            g, GRAFT_ERR_SHAPE,
            "take_rows: rows %s of a tensor of shape %s: expected a list of rows and at least one "
            "dimension",
            graft__tensor_shape_text(index, a), graft__tensor_shape_text(x, b));
        return false;
    }
    if (index->dtype != GRAFT_I64) {
        graft__fail(g, GRAFT_ERR_DTYPE, "take_rows: the rows are %s: expected int64",
                    graft_dtype_name(index->dtype));
        return false;
    }
    return true;
}

/* Row i of x as an array, its first dimension gone. */
static graft__array row(const graft__array *x, int64_t i)
{
    graft__array r = {.dtype = x->dtype, .ndim = x->ndim - 1};
    r.data = (char *)x->data + i * x->stride[0] * (int64_t)graft_dtype_size(x->dtype);
    for (int d = 0; d < r.ndim; d++) {
        r.size[d] = x->size[d + 1];
        r.stride[d] = x->stride[d + 1];
    }
    return r;
}

graft_tensor *graft_take_rows(const graft_tensor *x, const graft_tensor *index)
{
    if (!graft__same_context("take_rows", x, index) || !check(x, index))
        return NULL;
    graft_ctx *g = x->object.ctx;
    int64_t size[GRAFT_MAX_DIMS], n = index->numel;
    size[0] = n;
    for (int d = 1; d < x->ndim; d++)
        size[d] = x->size[d];
    graft_tensor *y = graft__tensor_new(g, "take_rows", x->ndim, size, x->dtype);
    if (!y)
        return NULL;
    graft__array from = graft__read(x), to = graft__fresh(y), rows = graft__read(index);
    for (int64_t i = 0; i < n; i++) {
        int64_t at = graft__get_i64((const char *)rows.data + i * rows.stride[0] * 8, GRAFT_I64);
        if (at < 0 || at >= x->size[0]) {
            graft__fail(g, GRAFT_ERR_ARGUMENT, "take_rows: row %lld: expected 0 to %lld",
                        (long long)at, (long long)x->size[0] - 1);
            graft__tensor_unref(y);
            return NULL;
        }
        graft__array src = row(&from, at), dst = row(&to, i);
        graft__copy(NULL, &dst, &src);
    }
    return graft__result(y);
}
