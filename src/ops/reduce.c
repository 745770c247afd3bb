#include "kernel/reduce.h"

#include "graft/ops.h"
#include "ops/common.h"
#include "tensor/dtype.h"

/* ---- Dimensions ---- */

/* What an operation of that name reduces: a bit for each dimension of x. */
typedef struct reduction {
    unsigned mask;
    int64_t count; /* elements that go into one */
    int ndim;      /* of the result */
    int64_t size[GRAFT_MAX_DIMS];
} reduction;

static bool find_mask(const char *op, const graft_tensor *x, graft_shape dims, unsigned *mask)
{
    graft_ctx *g = x->object.ctx;
    if (dims.ndim < 0 || dims.ndim > GRAFT_MAX_DIMS) {
        graft__fail(g, GRAFT_ERR_ARGUMENT, "%s: a list of %d dimensions: expected 0 to %d", op,
                    dims.ndim, GRAFT_MAX_DIMS);
        return false;
    }
    *mask = dims.ndim == 0 ? ~0U : 0;
    for (int i = 0; i < dims.ndim; i++) {
        const int64_t dim = dims.size[i];
        const int d =
            graft__check_dim(x, op, dim < INT8_MIN || dim > INT8_MAX ? INT8_MAX : (int)dim);
        if (d < 0)
            return false;
        if (*mask >> d & 1) {
            char list[GRAFT__SHAPE_TEXT], shape[GRAFT__SHAPE_TEXT];
            graft__fail(g, GRAFT_ERR_ARGUMENT,
                        "%s: dimension %d of shape %s stands more than once in %s", op, d,
                        graft__tensor_shape_text(x, shape),
                        graft__shape_text(dims.ndim, dims.size, list));
            return false;
        }
        *mask |= 1U << d;
    }
    return true;
}

static bool find_reduction(const char *op, const graft_tensor *x, graft_shape dims, bool keepdim,
                           reduction *r)
{
    if (!find_mask(op, x, dims, &r->mask))
        return false;
    r->count = 1;
    r->ndim = 0;
    for (int d = 0; d < x->ndim; d++) {
        const bool goes = r->mask >> d & 1;
        r->count *= goes ? x->size[d] : 1;
        if (!goes || keepdim)
            r->size[r->ndim++] = goes ? 1 : x->size[d];
    }
    return true;
}

/* The strides of t, a result of the reduction, as if it still had x's shape: 0 where it was
 * reduced. */
static void widen(const graft_tensor *t, int ndim, unsigned mask, int64_t *stride)
{
    const bool kept = t->ndim == ndim; /* also where no dimension was reduced */
    int at = 0;
    for (int d = 0; d < ndim; d++) {
        const bool gone = mask >> d & 1;
        stride[d] = gone ? 0 : t->stride[at];
        at += kept || !gone;
    }
}

static graft__array widened(const graft_tensor *t, const graft__array *x, unsigned mask)
{
    graft__array a = graft__read(t);
    a.ndim = x->ndim;
    for (int d = 0; d < x->ndim; d++)
        a.size[d] = x->size[d];
    widen(t, x->ndim, mask, a.stride);
    return a;
}

static bool computes(const char *op, const graft_tensor *x)
{
    return graft__check_computes(x->object.ctx, op, x->dtype);
}

static graft_tensor *new_result(const char *op, const graft_tensor *x, const reduction *r,
                                graft_dtype dtype)
{
    return graft__tensor_new(x->object.ctx, op, r->ndim, r->size, dtype);
}

/* ---- Sum and mean ---- */

typedef struct attr {
    graft_shape x;
    unsigned mask;
    double divisor;
} attr;

/* Repeats the gradient, without copying it, along what was summed over. */
static graft_status sum_backward(graft__taped *node, graft_tensor *grad)
{
    const attr *at = node->attr;
    int64_t stride[GRAFT_MAX_DIMS];
    if (at->divisor != 1)
        grad = graft_div_scalar(grad, at->divisor);
    if (!grad)
        return GRAFT_ERR_MEMORY;
    widen(grad, at->x.ndim, at->mask, stride);
    return graft__give(
        node, 0,
        graft__result(graft__tensor_alias(grad, at->x.ndim, at->x.size, stride, grad->offset)));
}

static const graft__op sum_op = {.name = "sum", .backward = sum_backward};
static const graft__op mean_op = {.name = "mean", .backward = sum_backward};

static graft_tensor *sum_integers(graft_tensor *x, const reduction *r)
{
    graft_tensor *y = new_result("sum", x, r, GRAFT_I64);
    if (!y)
        return NULL;
    const graft__array from = graft__read(x), to = widened(y, &from, r->mask);
    graft__sum_integers(x->object.ctx->pool, &to, &from);
    return graft__result(y);
}

static graft_tensor *sum_floats(const graft__op *op, graft_tensor *x, const reduction *r,
                                double divisor)
{
    graft_dtype dtype;
    if (!graft__enter(op->name, &x, 1, &dtype))
        return NULL;
    graft_tensor *y = new_result(op->name, x, r, x->dtype);
    if (!y)
        return NULL;
    const graft__array from = graft__read(x), to = widened(y, &from, r->mask);
    graft__sum(x->object.ctx->pool, &to, &from, divisor, 0);
    bool ok = true;
    if (graft__should_record(&x, 1)) {
        graft__taped *node = graft__record(op, y, &x, 1, 0, sizeof(attr));
        ok = node != NULL;
        if (ok)
            *(attr *)node->attr =
                (attr){.x = graft_tensor_shape(x), .mask = r->mask, .divisor = divisor};
    }
    return graft__leave(graft__finish(y, ok), dtype);
}

graft_tensor *graft_sum_dims(graft_tensor *x, graft_shape dims, bool keepdim)
{
    reduction r;
    if (!x || !computes("sum", x) || !find_reduction("sum", x, dims, keepdim, &r))
        return NULL;
    return graft_dtype_is_floating(x->dtype) ? sum_floats(&sum_op, x, &r, 1) : sum_integers(x, &r);
}

graft_tensor *graft_mean_dims(graft_tensor *x, graft_shape dims, bool keepdim)
{
    reduction r;
    if (!x || !find_reduction("mean", x, dims, keepdim, &r))
        return NULL;
    return sum_floats(&mean_op, x, &r, (double)r.count);
}

graft_tensor *graft_sum(graft_tensor *x)
{
    return graft_sum_dims(x, graft_shape0(), false);
}

graft_tensor *graft_mean(graft_tensor *x)
{
    return graft_mean_dims(x, graft_shape0(), false);
}

/* ---- Max ---- */

static graft_status max_backward(graft__taped *node, graft_tensor *grad)
{
    const attr *at = node->attr;
    const graft_tensor *x = graft__load(node, 0), *y = x ? graft__load(node, 1) : NULL;
    double beta;
    graft__array dx;
    if (!y)
        return GRAFT_ERR_STATE;
    graft_tensor *ties = graft__result(graft__tensor_like(y, GRAFT_F64));
    if (!ties)
        return GRAFT_ERR_MEMORY;
    graft_status st = graft__give_into(node, 0, x->ndim, x->size, x->dtype, &beta, &dx);
    if (st != GRAFT_OK)
        return st;
    const graft__array ax = graft__read(x), ay = widened(y, &ax, at->mask);
    const graft__array ady = widened(grad, &ax, at->mask), aties = widened(ties, &ax, at->mask);
    graft__amax_backward(node->ctx->pool, &dx, &ax, &ay, &ady, &aties, beta);
    return GRAFT_OK;
}

static const graft__op max_op = {.name = "max", .backward = max_backward};

static bool record_max(graft_tensor *y, graft_tensor *x, unsigned mask)
{
    if (!graft__should_record(&x, 1))
        return true;
    graft__taped *node = graft__record(&max_op, y, &x, 1, 2, sizeof(attr));
    if (!node)
        return false;
    *(attr *)node->attr = (attr){.x = graft_tensor_shape(x), .mask = mask};
    return graft__save(node, 0, x) && graft__save(node, 1, y);
}

static bool is_half(graft_dtype dtype)
{
    return dtype == GRAFT_F16 || dtype == GRAFT_BF16;
}

/* Whether there is something to find the largest of, for each element of the result. */
static bool check_not_empty(const char *op, const graft_tensor *x, const reduction *r)
{
    char text[GRAFT__SHAPE_TEXT];
    if (r->count > 0)
        return true;
    graft__fail(x->object.ctx, GRAFT_ERR_SHAPE,
                "%s: the largest of no elements: shape %s is empty along what is reduced", op,
                graft__tensor_shape_text(x, text));
    return false;
}

graft_tensor *graft_max_dims(graft_tensor *x, graft_shape dims, bool keepdim)
{
    reduction r;
    if (!x || !find_reduction("max", x, dims, keepdim, &r) || !check_not_empty("max", x, &r))
        return NULL;
    graft_dtype dtype = x->dtype;
    if (is_half(dtype) && !graft__enter("max", &x, 1, &dtype))
        return NULL;
    graft_tensor *y = new_result("max", x, &r, x->dtype);
    if (!y)
        return NULL;
    const graft__array from = graft__read(x), to = widened(y, &from, r.mask);
    graft__amax(x->object.ctx->pool, &to, &from);
    return graft__leave(graft__finish(y, record_max(y, x, r.mask)), dtype);
}

graft_tensor *graft_max(graft_tensor *x)
{
    return graft_max_dims(x, graft_shape0(), false);
}

graft_tensor *graft_argmax(graft_tensor *x, int dim, bool keepdim)
{
    reduction r;
    if (!x || !computes("argmax", x) ||
        !find_reduction("argmax", x, graft_shape1(dim), keepdim, &r) ||
        !check_not_empty("argmax", x, &r))
        return NULL;
    if (is_half(x->dtype))
        x = graft_to(x, GRAFT_F32);
    graft_tensor *y = x ? new_result("argmax", x, &r, GRAFT_I64) : NULL;
    if (!y)
        return NULL;
    const graft__array from = graft__read(x), to = widened(y, &from, r.mask);
    graft__argmax(x->object.ctx->pool, &to, &from);
    return graft__result(y);
}
