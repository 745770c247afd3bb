#include <stdio.h>
#include <string.h>

#include "tensor/dtype.h"
#include "tensor/tensor.h"

graft_shape graft_shape0(void)
{
    return (graft_shape){.ndim = 0};
}

graft_shape graft_shape1(int64_t a)
{
    return (graft_shape){.ndim = 1, .size = {a}};
}

graft_shape graft_shape2(int64_t a, int64_t b)
{
    return (graft_shape){.ndim = 2, .size = {a, b}};
}

graft_shape graft_shape3(int64_t a, int64_t b, int64_t c)
{
    return (graft_shape){.ndim = 3, .size = {a, b, c}};
}

graft_shape graft_shape4(int64_t a, int64_t b, int64_t c, int64_t d)
{
    return (graft_shape){.ndim = 4, .size = {a, b, c, d}};
}

graft_shape graft_shape_of(int ndim, const int64_t *sizes)
{
    graft_shape shape = {.ndim = -1};
    if (ndim < 0 || ndim > GRAFT_MAX_DIMS || (ndim > 0 && !sizes))
        return shape;
    shape.ndim = ndim;
    for (int i = 0; i < ndim; i++)
        shape.size[i] = sizes[i];
    return shape;
}

size_t graft__tensor_bytes(const graft_tensor *t)
{
    const size_t width = graft__width(t->dtype);
    uint64_t bytes = (uint64_t)t->numel * width;
    if (width == 0)
        graft__dtype_bytes(t->dtype, t->numel, &bytes);
    return (size_t)bytes;
}

bool graft__covers_storage(const graft_tensor *t)
{
    return t->contiguous && t->offset == 0 && graft__tensor_bytes(t) == t->storage->buffer->size;
}

bool graft__equal_shapes(const graft_shape *a, const graft_shape *b)
{
    bool same = a->ndim == b->ndim;
    for (int i = 0; i < a->ndim && same; i++)
        same = a->size[i] == b->size[i];
    return same;
}

bool graft__same_shape(const graft_tensor *a, const graft_tensor *b)
{
    if (a->ndim != b->ndim)
        return false;
    for (int i = 0; i < a->ndim; i++)
        if (a->size[i] != b->size[i])
            return false;
    return true;
}

void graft__contiguous_strides(int ndim, const int64_t *size, int64_t *stride)
{
    int64_t step = 1; /* as PyTorch: a size of 0 counts as 1 */
    for (int i = ndim - 1; i >= 0; i--) {
        stride[i] = step;
        step *= size[i] > 1 ? size[i] : 1;
    }
}

int64_t graft__shape_numel(int ndim, const int64_t *size)
{
    /* The product without the zeros must fit too: strides are made of it. */
    int64_t numel = 1, strides = 1;
    for (int i = 0; i < ndim; i++) {
        if (size[i] < 0)
            return -1;
        if (__builtin_mul_overflow(strides, size[i] > 1 ? size[i] : 1, &strides))
            return -1;
        numel *= size[i] ? (numel ? size[i] : 0) : 0;
    }
    return strides > PTRDIFF_MAX / 8 ? -1 : numel;
}

int graft__check_dim(const graft_tensor *t, const char *op, int dim)
{
    int n = t->ndim > 0 ? t->ndim : 1;
    if (dim >= -n && dim < n)
        return dim < 0 ? dim + n : dim;
    char text[GRAFT__SHAPE_TEXT];
    graft__fail(t->object.ctx, GRAFT_ERR_ARGUMENT,
                "%s: dim %d is out of range for shape %s: expected %d to %d", op, dim,
                graft__tensor_shape_text(t, text), -n, n - 1);
    return -1;
}

const char *graft__shape_text(int ndim, const int64_t *size, char out[GRAFT__SHAPE_TEXT])
{
    size_t at = 0;
    out[at++] = '[';
    for (int i = 0; i < ndim && i < GRAFT_MAX_DIMS; i++)
        at += (size_t)snprintf(out + at, GRAFT__SHAPE_TEXT - at, "%s%lld", i ? ", " : "",
                               (long long)size[i]);
    out[at++] = ']';
    out[at] = 0;
    return out;
}

const char *graft__tensor_shape_text(const graft_tensor *t, char out[GRAFT__SHAPE_TEXT])
{
    return graft__shape_text(t->ndim, t->size, out);
}

bool graft__broadcast(const char *op, const graft_tensor *a, const graft_tensor *b, int *ndim,
                      int64_t *size)
{
    int n = a->ndim > b->ndim ? a->ndim : b->ndim;
    for (int i = 1; i <= n; i++) {
        int64_t x = i <= a->ndim ? a->size[a->ndim - i] : 1;
        int64_t y = i <= b->ndim ? b->size[b->ndim - i] : 1;
        if (x != y && x != 1 && y != 1) {
            char ta[GRAFT__SHAPE_TEXT], tb[GRAFT__SHAPE_TEXT];
            graft__fail(
                a->object.ctx, GRAFT_ERR_SHAPE,
                "%s: shapes %s and %s do not broadcast: expected sizes that are equal or 1, "
                "counted from the end, but got %lld and %lld in dimension -%d",
                op, graft__tensor_shape_text(a, ta), graft__tensor_shape_text(b, tb), (long long)x,
                (long long)y, i);
            return false;
        }
        size[n - i] = x == 1 ? y : x;
    }
    *ndim = n;
    if (graft__shape_numel(n, size) >= 0)
        return true;
    char text[GRAFT__SHAPE_TEXT];
    graft__fail(a->object.ctx, GRAFT_ERR_SHAPE, "%s: the broadcast shape %s is too large", op,
                graft__shape_text(n, size, text));
    return false;
}

graft__array graft__broadcast_array(const graft__array *a, int ndim, const int64_t *size)
{
    graft__array wide = {.data = a->data, .dtype = a->dtype, .ndim = ndim};
    for (int i = 0; i < ndim; i++) {
        int from = i - (ndim - a->ndim);
        wide.size[i] = size[i];
        wide.stride[i] = from >= 0 && a->size[from] == size[i] ? a->stride[from] : 0;
    }
    return wide;
}

/* 0: bool, 1: integer, 2: floating. */
static int category(graft_dtype d)
{
    return d == GRAFT_BOOL ? 0 : graft_dtype_is_floating(d) ? 2 : 1;
}

/* Both of the same category. */
static graft_dtype wider(graft_dtype a, graft_dtype b)
{
    if (a == b)
        return a;
    if (category(a) == 2) {
        if (a == GRAFT_F64 || b == GRAFT_F64)
            return GRAFT_F64;
        return GRAFT_F32; /* f32 with a half, or the two halves */
    }
    if (a == GRAFT_U8 || b == GRAFT_U8) {
        graft_dtype other = a == GRAFT_U8 ? b : a;
        return other == GRAFT_I8 ? GRAFT_I16 : other;
    }
    return graft_dtype_size(a) > graft_dtype_size(b) ? a : b;
}

graft_dtype graft__promote(graft_dtype a, graft_dtype b)
{
    if (category(a) != category(b))
        return category(a) > category(b) ? a : b;
    return wider(a, b);
}

graft_dtype graft__result_dtype(const graft_tensor *a, const graft_tensor *b)
{
    if ((a->ndim == 0) != (b->ndim == 0)) {
        const graft_tensor *whole = a->ndim ? a : b, *scalar = a->ndim ? b : a;
        return category(scalar->dtype) <= category(whole->dtype) ? whole->dtype : scalar->dtype;
    }
    return graft__promote(a->dtype, b->dtype);
}

bool graft__same_context(const char *op, const graft_tensor *a, const graft_tensor *b)
{
    if (!a || !b)
        return false;
    if (a->object.ctx == b->object.ctx)
        return true;
    graft__fail(a->object.ctx, GRAFT_ERR_ARGUMENT,
                "%s: the tensors belong to two contexts: clone one into the other's", op);
    return false;
}
