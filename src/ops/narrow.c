/* Views of a part of a tensor. */
#include <string.h>

#include "graft/ops.h"
#include "kernel/copy.h"
#include "ops/common.h"

/* node->attr: the input's shape and which part of it the result is. */
typedef struct part {
    int ndim, dim;
    int64_t size[GRAFT_MAX_DIMS];
    int64_t start, length;
} part;

/* The part of a contiguous array of the whole shape, with the dimension that select drops. */
static graft__array part_of(const graft__array *whole, const part *p)
{
    graft__array a = *whole;
    a.data = (char *)a.data +
             (size_t)(p->start * whole->stride[p->dim]) * graft_dtype_size(whole->dtype);
    a.size[p->dim] = p->length;
    return a;
}

/* The gradient with the dimension back that select dropped. */
static graft__array grad_array(const graft_tensor *grad, const part *p)
{
    graft__array g = graft__read(grad);
    if (g.ndim == p->ndim)
        return g;
    for (int d = g.ndim; d > p->dim; d--) {
        g.size[d] = g.size[d - 1];
        g.stride[d] = g.stride[d - 1];
    }
    g.size[p->dim] = 1;
    g.stride[p->dim] = 0;
    g.ndim++;
    return g;
}

/* Adding to halves in place wants them all: zeros around the part. */
static graft_status give_padded(graft__taped *node, const part *p, const graft__array *g)
{
    graft_tensor *t =
        graft__result(graft__tensor_new(node->ctx, node->op->name, p->ndim, p->size, g->dtype));
    if (!t)
        return graft_error_status(node->ctx);
    const graft__array whole = graft__fresh(t), dst = part_of(&whole, p);
    graft__fill(node->ctx->pool, &whole, 0);
    graft__copy(node->ctx->pool, &dst, g);
    return graft__give(node, 0, t);
}

static graft_status backward(graft__taped *node, graft_tensor *grad)
{
    const part *p = node->attr;
    if (!graft__wants(node, 0))
        return GRAFT_OK;
    const graft__array g = grad_array(grad, p);
    if (!graft__computes(g.dtype))
        return give_padded(node, p, &g);
    double beta;
    graft__array whole;
    graft_status st = graft__give_into(node, 0, p->ndim, p->size, g.dtype, &beta, &whole);
    if (st != GRAFT_OK)
        return st;
    const graft__array dst = part_of(&whole, p);
    if (beta != 0) {
        graft__map(node->ctx->pool, GRAFT__ADD, 0, &dst, &dst, &g, NULL);
        return GRAFT_OK;
    }
    graft__fill(node->ctx->pool, &whole, 0);
    graft__copy(node->ctx->pool, &dst, &g);
    return GRAFT_OK;
}

static bool record(const graft__op *op, graft_tensor *y, graft_tensor *t, int dim, int64_t start,
                   int64_t length)
{
    graft__taped *node = graft__record(op, y, &t, 1, 0, sizeof(part));
    if (!node)
        return false;
    part *p = node->attr;
    p->ndim = t->ndim;
    p->dim = dim;
    p->start = start;
    p->length = length;
    memcpy(p->size, t->size, (size_t)t->ndim * sizeof t->size[0]);
    return true;
}

graft_tensor *graft_narrow(graft_tensor *t, int dim, int64_t start, int64_t length)
{
    static const graft__op op = {"narrow", backward};
    if (!t)
        return NULL;
    graft_ctx *g = t->object.ctx;
    if (t->ndim == 0) {
        graft__fail(g, GRAFT_ERR_SHAPE, "narrow: a 0-d tensor has no dimension to narrow");
        return NULL;
    }
    const int d = graft__check_dim(t, "narrow", dim);
    if (d < 0)
        return NULL;
    const int64_t begin = start < 0 ? start + t->size[d] : start;
    if (begin < 0 || begin > t->size[d] || length < 0 || length > t->size[d] - begin) {
        char text[GRAFT__SHAPE_TEXT];
        graft__fail(g, GRAFT_ERR_ARGUMENT,
                    "narrow: start %lld and length %lld reach out of dimension %d of shape %s",
                    (long long)start, (long long)length, d, graft__tensor_shape_text(t, text));
        return NULL;
    }
    int64_t size[GRAFT_MAX_DIMS];
    memcpy(size, t->size, sizeof size);
    size[d] = length;
    graft_tensor *y =
        graft__tensor_view(t, op.name, t->ndim, size, t->stride, t->offset + begin * t->stride[d]);
    if (!y)
        return NULL;
    return graft__finish(y, !graft__should_record(&t, 1) || record(&op, y, t, d, begin, length));
}

graft_tensor *graft_select(graft_tensor *t, int dim, int64_t index)
{
    static const graft__op op = {"select", backward};
    if (!t)
        return NULL;
    graft_ctx *g = t->object.ctx;
    if (t->ndim == 0) {
        graft__fail(g, GRAFT_ERR_SHAPE, "select: a 0-d tensor has no dimension to select from");
        return NULL;
    }
    const int d = graft__check_dim(t, "select", dim);
    if (d < 0)
        return NULL;
    const int64_t at = index < 0 ? index + t->size[d] : index;
    if (at < 0 || at >= t->size[d]) {
        char text[GRAFT__SHAPE_TEXT];
        graft__fail(g, GRAFT_ERR_ARGUMENT,
                    "select: index %lld is out of range for dimension %d of shape %s",
                    (long long)index, d, graft__tensor_shape_text(t, text));
        return NULL;
    }
    int64_t size[GRAFT_MAX_DIMS], stride[GRAFT_MAX_DIMS];
    for (int i = 0; i < t->ndim - 1; i++) {
        size[i] = t->size[i < d ? i : i + 1];
        stride[i] = t->stride[i < d ? i : i + 1];
    }
    graft_tensor *y =
        graft__tensor_view(t, op.name, t->ndim - 1, size, stride, t->offset + at * t->stride[d]);
    if (!y)
        return NULL;
    return graft__finish(y, !graft__should_record(&t, 1) || record(&op, y, t, d, at, 1));
}
