/* What a tensor is, and its elements one by one or all at once. */
#include <math.h>
#include <string.h>

#include "kernel/copy.h"
#include "tensor/dtype.h"
#include "tensor/tensor.h"

graft_dtype graft_tensor_dtype(const graft_tensor *t)
{
    return t ? t->dtype : (graft_dtype)-1;
}

graft_shape graft_tensor_shape(const graft_tensor *t)
{
    return t ? graft_shape_of(t->ndim, t->size) : (graft_shape){.ndim = -1};
}

int graft_ndim(const graft_tensor *t)
{
    return t ? t->ndim : -1;
}

int64_t graft_numel(const graft_tensor *t)
{
    return t ? t->numel : -1;
}

/* dim counted from the front, or -1. */
static int find_dim(const graft_tensor *t, int dim)
{
    if (!t || dim < -t->ndim || dim >= t->ndim)
        return -1;
    return dim < 0 ? dim + t->ndim : dim;
}

int64_t graft_size(const graft_tensor *t, int dim)
{
    const int d = find_dim(t, dim);
    return d < 0 ? -1 : t->size[d];
}

int64_t graft_stride(const graft_tensor *t, int dim)
{
    const int d = find_dim(t, dim);
    return d < 0 ? 0 : t->stride[d];
}

int64_t graft_storage_offset(const graft_tensor *t)
{
    return t ? t->offset : -1;
}

bool graft_is_contiguous(const graft_tensor *t)
{
    return t && t->contiguous;
}

bool graft_shares_storage(const graft_tensor *a, const graft_tensor *b)
{
    return a && b && a->storage == b->storage;
}

bool graft_shares_memory(const graft_tensor *a, const graft_tensor *b)
{
    return a && b && a->storage->buffer == b->storage->buffer;
}

/* ---- Elements ---- */

const void *graft_data(const graft_tensor *t)
{
    return t ? graft__read(t).data : NULL;
}

void *graft_data_mut(graft_tensor *t)
{
    graft__array a;
    return t && graft__write(t, &a) ? a.data : NULL;
}

static bool has_one_element(const graft_tensor *t, const char *op)
{
    if (!t)
        return false;
    if (t->numel == 1)
        return graft__check_computes(t->object.ctx, op, t->dtype);
    char shape[GRAFT__SHAPE_TEXT];
    graft__fail(t->object.ctx, GRAFT_ERR_SHAPE, "%s: shape %s has %lld elements: expected one", op,
                graft__tensor_shape_text(t, shape), (long long)t->numel);
    return false;
}

double graft_item(const graft_tensor *t)
{
    return has_one_element(t, "item") ? graft__get_f64(graft__read(t).data, t->dtype) : NAN;
}

int64_t graft_item_i64(const graft_tensor *t)
{
    if (!has_one_element(t, "item_i64"))
        return 0;
    const void *const element = graft__read(t).data;
    if (graft_dtype_is_floating(t->dtype)) {
        const double x = graft__get_f64(element, t->dtype);
        if (!(x >= -0x1p63 && x < 0x1p63)) {
            graft__fail(t->object.ctx, GRAFT_ERR_ARGUMENT, "item_i64: %g does not fit an int64", x);
            return 0;
        }
    }
    return graft__get_i64(element, t->dtype);
}

/* Converted elements to memory that is not aligned for them. */
static graft_status copy_out_bytes(const graft_tensor *t, void *out, size_t bytes,
                                   graft_dtype dtype)
{
    graft_tensor *aligned = graft__tensor_like(t, dtype);
    if (!aligned)
        return GRAFT_ERR_MEMORY;
    graft__array dst = graft__fresh(aligned), src = graft__read(t);
    graft__copy(t->object.ctx->pool, &dst, &src);
    memcpy(out, dst.data, bytes);
    graft__tensor_unref(aligned);
    return GRAFT_OK;
}

graft_status graft_copy_out(const graft_tensor *t, void *out, size_t out_bytes, graft_dtype dtype)
{
    if (!t)
        return GRAFT_ERR_ARGUMENT;
    graft_ctx *g = t->object.ctx;
    if (dtype != t->dtype && (!graft__check_computes(g, "copy_out", dtype) ||
                              !graft__check_computes(g, "copy_out", t->dtype)))
        return GRAFT_ERR_DTYPE;
    const size_t width = graft__width(dtype);
    const size_t bytes = dtype == t->dtype ? graft__tensor_bytes(t) : (size_t)t->numel * width;
    if (out_bytes != bytes)
        return graft__fail(g, GRAFT_ERR_ARGUMENT,
                           "copy_out: %zu bytes for %lld elements of %s: expected %zu", out_bytes,
                           (long long)t->numel, graft_dtype_name(dtype), bytes);
    if (bytes == 0)
        return GRAFT_OK;
    if (!out)
        return graft__fail(g, GRAFT_ERR_ARGUMENT, "copy_out: out is NULL: expected %zu bytes",
                           bytes);
    if (width > 1 && (uintptr_t)out % width != 0)
        return copy_out_bytes(t, out, bytes, dtype);
    graft__array dst = {.data = out, .dtype = dtype, .ndim = t->ndim};
    memcpy(dst.size, t->size, sizeof dst.size);
    graft__contiguous_strides(t->ndim, t->size, dst.stride);
    const graft__array src = graft__read(t);
    graft__copy(g->pool, &dst, &src);
    return GRAFT_OK;
}
