#include "tensor/tensor.h"

#include <string.h>

#include "kernel/copy.h"
#include "tensor/dtype.h"
#include "tensor/history.h"

static void tensor_destroy(graft__object *o)
{
    graft_tensor *t = (graft_tensor *)o;
    graft_ctx *g = o->ctx;
    struct graft__taped *history = t->history;
    graft_tensor *grad = t->grad;
    graft__storage_unref(t->storage);
    graft__free(g, t, sizeof *t);
    graft__tensor_unref(grad); /* has no gradient itself */
    if (history)
        graft__history_drop(history);
}

static const graft__kind tensor_kind = {.name = "tensor", .destroy = tensor_destroy};

graft_tensor *graft__tensor_over(graft__storage *s, graft_dtype dtype, int ndim,
                                 const int64_t *size, const int64_t *stride, int64_t offset)
{
    if (!s)
        return NULL;
    graft_ctx *g = s->ctx;
    graft_tensor *t = graft__alloc(g, sizeof *t);
    if (!t) {
        graft__fail_memory(g, sizeof *t, "tensor");
        graft__storage_unref(s);
        return NULL;
    }
    graft__object_init(&t->object, g, &tensor_kind);
    t->storage = s;
    t->offset = offset;
    t->dtype = dtype;
    t->ndim = (int8_t)ndim;
    t->requires_grad = t->grad_is_set = t->is_gradient = t->parameter = false;
    t->registrations = 0;
    t->history = NULL;
    t->grad = NULL;
    t->contiguous = true;
    int64_t numel = 1;
    for (int i = ndim - 1; i >= 0; i--) {
        int64_t s_i = stride ? stride[i] : numel;
        t->size[i] = size[i];
        t->stride[i] = s_i;
        if (s_i != numel && size[i] != 1)
            t->contiguous = false;
        numel *= size[i] > 0 || !stride ? size[i] : 0;
    }
    t->numel = numel;
    if (!stride)
        graft__contiguous_strides(ndim, size, t->stride);
    if (numel == 0)
        t->contiguous = true;
    return t;
}

static int64_t check_shape(graft_ctx *g, const char *op, int ndim, const int64_t *size)
{
    if (ndim < 0 || ndim > GRAFT_MAX_DIMS) {
        graft__fail(g, GRAFT_ERR_SHAPE, "%s: %d dimensions: expected 0 to %d", op, ndim,
                    GRAFT_MAX_DIMS);
        return -1;
    }
    int64_t numel = graft__shape_numel(ndim, size);
    if (numel < 0) {
        char text[GRAFT__SHAPE_TEXT];
        graft__fail(g, GRAFT_ERR_SHAPE,
                    "%s: shape %s: expected sizes of 0 or more whose bytes fit "
                    "the address space",
                    op, graft__shape_text(ndim, size, text));
    }
    return numel;
}

int64_t graft__check_new(graft_ctx *g, const char *op, int ndim, const int64_t *size,
                         graft_dtype dtype)
{
    return graft__check_computes(g, op, dtype) ? check_shape(g, op, ndim, size) : -1;
}

int64_t graft__check_carried(graft_ctx *g, const char *op, int ndim, const int64_t *size,
                             graft_dtype dtype, size_t *bytes)
{
    int64_t elements = 1;
    size_t block = 0;
    if (!graft_dtype_block(dtype, &elements, &block)) {
        graft__fail(g, GRAFT_ERR_DTYPE, "%s: %d is no dtype", op, (int)dtype);
        return -1;
    }
    const int64_t numel = check_shape(g, op, ndim, size);
    uint64_t needed = 0;
    if (numel < 0 || (graft__dtype_bytes(dtype, numel, &needed) && needed <= PTRDIFF_MAX)) {
        *bytes = (size_t)needed;
        return numel;
    }
    graft__fail(g, GRAFT_ERR_SHAPE,
                "%s: %lld elements of %s: expected a multiple of %lld whose bytes fit the address "
                "space",
                op, (long long)numel, graft_dtype_name(dtype), (long long)elements);
    return -1;
}

graft_tensor *graft__tensor_new(graft_ctx *g, const char *op, int ndim, const int64_t *size,
                                graft_dtype dtype)
{
    int64_t numel = g ? graft__check_new(g, op, ndim, size, dtype) : -1;
    if (numel < 0)
        return NULL;
    size_t bytes = (size_t)numel * graft_dtype_size(dtype);
    return graft__tensor_over(graft__storage_new(g, bytes), dtype, ndim, size, NULL, 0);
}

graft_tensor *graft__tensor_carried(graft_ctx *g, const char *op, int ndim, const int64_t *size,
                                    graft_dtype dtype)
{
    size_t bytes = 0;
    if (!g || graft__check_carried(g, op, ndim, size, dtype, &bytes) < 0)
        return NULL;
    return graft__tensor_over(graft__storage_new(g, bytes), dtype, ndim, size, NULL, 0);
}

graft_tensor *graft__tensor_like(const graft_tensor *t, graft_dtype dtype)
{
    size_t bytes = (size_t)t->numel * graft__width(dtype);
    return graft__tensor_over(graft__storage_new(t->object.ctx, bytes), dtype, t->ndim, t->size,
                              NULL, 0);
}

graft_tensor *graft__tensor_alias(const graft_tensor *t, int ndim, const int64_t *size,
                                  const int64_t *stride, int64_t offset)
{
    return graft__tensor_over(graft__storage_ref(t->storage), t->dtype, ndim, size, stride, offset);
}

graft_tensor *graft__tensor_view(const graft_tensor *t, const char *op, int ndim,
                                 const int64_t *size, const int64_t *stride, int64_t offset)
{
    if (graft__width(t->dtype) > 0)
        return graft__tensor_alias(t, ndim, size, stride, offset);
    graft__fail(t->object.ctx, GRAFT_ERR_DTYPE,
                "%s: %s comes in blocks of several elements, which can't be viewed", op,
                graft_dtype_name(t->dtype));
    return NULL;
}

graft_tensor *graft__result(graft_tensor *t)
{
    return t && graft__own(&t->object) ? t : NULL;
}

graft_tensor *graft__tensor_ref(graft_tensor *t)
{
    t->object.refs++;
    return t;
}

void graft__tensor_unref(graft_tensor *t)
{
    if (t)
        graft__unref(&t->object);
}

/* ---- Ownership ---- */

graft_ctx *graft_tensor_ctx(const graft_tensor *t)
{
    return t ? t->object.ctx : NULL;
}

graft_tensor *graft_keep(graft_tensor *t)
{
    if (t && t->object.owner >= 0) {
        graft__disown(&t->object);
        graft__own_by_context(&t->object);
    }
    return t;
}

graft_status graft_tensor_free(graft_tensor *t)
{
    if (!t)
        return GRAFT_OK;
    graft_ctx *g = t->object.ctx;
    if (t->object.owner == GRAFT__OWNER_NONE) {
        const char *whose =
            t->is_gradient ? "a gradient belongs to its tensor"
            : t->registrations
                ? "a parameter or buffer belongs to its module"
                : "the tensor belongs to what holds it (a dict, a map, an optimizer)";
        return graft__fail(g, GRAFT_ERR_STATE, "tensor_free: %s and is freed with it", whose);
    }
    graft__disown(&t->object);
    graft__tensor_unref(t);
    return GRAFT_OK;
}

/* ---- Elements ---- */

graft__array graft__read(const graft_tensor *t)
{
    graft__array a;
    graft__read_into(t, &a);
    return a;
}

graft__array graft__fresh(graft_tensor *t)
{
    return graft__read(t);
}

bool graft__write(graft_tensor *t, graft__array *out)
{
    if (!graft__storage_separate(t->storage, true))
        return false;
    graft__read_into(t, out);
    return true;
}

bool graft__overwrite(graft_tensor *t, graft__array *out)
{
    if (!graft__storage_separate(t->storage, !graft__covers_storage(t)))
        return false;
    graft__read_into(t, out);
    return true;
}

graft_tensor *graft__tensor_snapshot(const graft_tensor *t, graft_ctx *into)
{
    if (graft__covers_storage(t))
        return graft__tensor_over(graft__storage_share(t->storage, into), t->dtype, t->ndim,
                                  t->size, NULL, 0);
    graft_tensor *copy = graft__tensor_carried(into, "clone", t->ndim, t->size, t->dtype);
    if (!copy)
        return NULL;
    graft__array dst = graft__fresh(copy), src = graft__read(t);
    graft__copy(into->pool, &dst, &src);
    return copy;
}

graft_status graft__tensor_assign(graft_tensor *dst, const graft_tensor *src)
{
    graft__array to, from = graft__read(src);
    if (!graft__overwrite(dst, &to))
        return GRAFT_ERR_MEMORY;
    from = graft__broadcast_array(&from, dst->ndim, dst->size);
    graft__copy(dst->object.ctx->pool, &to, &from);
    return GRAFT_OK;
}
