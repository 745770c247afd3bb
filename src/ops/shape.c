/* Views of one tensor: other sizes, other strides, the same storage. */
#include "graft/ops.h"
#include "ops/common.h"
#include "ops/view.h"

#include <string.h>

/* node->attr: the input's shape. */
typedef struct shape_attr {
    int ndim;
    int64_t size[GRAFT_MAX_DIMS];
} shape_attr;

typedef struct permute_attr {
    int ndim;
    int from[GRAFT_MAX_DIMS]; /* dimension i of the result is dimension from[i] of the input */
} permute_attr;

static bool record_shape(const graft__op *op, graft_tensor *y, graft_tensor *t)
{
    graft__taped *node = graft__record(op, y, &t, 1, 0, sizeof(shape_attr));
    if (!node)
        return false;
    shape_attr *attr = node->attr;
    attr->ndim = t->ndim;
    memcpy(attr->size, t->size, (size_t)t->ndim * sizeof t->size[0]);
    return true;
}

/* ---- view, reshape and their kin ---- */

static graft_status backward_view(graft__taped *node, graft_tensor *grad)
{
    if (!graft__wants(node, 0))
        return GRAFT_OK;
    const shape_attr *attr = node->attr;
    return graft__give(node, 0, graft_reshape(grad, graft_shape_of(attr->ndim, attr->size)));
}

/* The strides with which t's elements have another shape of as many, or false. Each run of
 * dimensions that lie behind each other is divided up anew. */
static bool view_strides(const graft_tensor *t, int ndim, const int64_t *size, int64_t *stride)
{
    if (t->contiguous) {
        graft__contiguous_strides(ndim, size, stride);
        return true;
    }
    int at = ndim - 1; /* the next dimension of the view, from the end */
    int64_t old = 1, new = 1, step = t->ndim > 0 ? t->stride[t->ndim - 1] : 1;
    for (int d = t->ndim - 1; d >= 0; d--) {
        old *= t->size[d];
        const bool goes_on = d > 0 && (t->size[d - 1] == 1 || t->stride[d - 1] == old * step);
        if (goes_on)
            continue;
        while (at >= 0 && (new < old || size[at] == 1)) {
            stride[at] = new *step;
            new *= size[at--];
        }
        if (new != old)
            return false;
        old = new = 1;
        step = d > 0 ? t->stride[d - 1] : 1;
    }
    return at < 0;
}

static bool fail_sizes(const char *op, const graft_tensor *t, const graft_shape *shape,
                       const char *why)
{
    char want[GRAFT__SHAPE_TEXT], have[GRAFT__SHAPE_TEXT];
    graft__fail(t->object.ctx, GRAFT_ERR_SHAPE, "%s: shape %s for a tensor of shape %s: %s", op,
                graft__shape_text(shape->ndim, shape->size, want),
                graft__tensor_shape_text(t, have), why);
    return false;
}

/* Puts the inferred size in the place of -1 and checks that the elements are as many. */
static bool infer_sizes(const char *op, const graft_tensor *t, graft_shape *shape)
{
    if (shape->ndim < 0 || shape->ndim > GRAFT_MAX_DIMS) {
        graft__fail(t->object.ctx, GRAFT_ERR_SHAPE, "%s: %d dimensions: expected 0 to %d", op,
                    shape->ndim, GRAFT_MAX_DIMS);
        return false;
    }
    const graft_shape asked = *shape;
    int unknown = -1;
    for (int i = 0; i < shape->ndim; i++) {
        if (shape->size[i] != -1)
            continue;
        if (unknown >= 0)
            return fail_sizes(op, t, &asked, "expected at most one -1");
        unknown = i;
        shape->size[i] = 1;
    }
    const int64_t known = graft__shape_numel(shape->ndim, shape->size);
    if (known < 0)
        return fail_sizes(op, t, &asked, "expected sizes of 0 or more, or one -1");
    if (unknown >= 0) {
        if (known == 0)
            return fail_sizes(op, t, &asked, "-1 may be anything beside a size of 0: state it");
        if (t->numel % known != 0)
            return fail_sizes(op, t, &asked, "the elements are no multiple of the known sizes");
        shape->size[unknown] = t->numel / known;
        return true;
    }
    return known == t->numel || fail_sizes(op, t, &asked, "expected as many elements");
}

graft_tensor *graft__view_as(const graft__op *op, graft_tensor *t, int ndim, const int64_t *size,
                             const int64_t *stride)
{
    graft_tensor *y = graft__tensor_view(t, op->name, ndim, size, stride, t->offset);
    if (!y)
        return NULL;
    return graft__finish(y, !graft__should_record(&t, 1) || record_shape(op, y, t));
}

static graft_tensor *reshape(const graft__op *op, graft_tensor *t, graft_shape shape, bool may_copy)
{
    int64_t stride[GRAFT_MAX_DIMS];
    if (!t || !infer_sizes(op->name, t, &shape))
        return NULL;
    if (view_strides(t, shape.ndim, shape.size, stride))
        return graft__view_as(op, t, shape.ndim, shape.size, stride);
    if (!may_copy) {
        fail_sizes(op->name, t, &shape, "its strides do not allow a view: use graft_reshape");
        return NULL;
    }
    t = graft_copy(t);
    return t ? graft__view_as(op, t, shape.ndim, shape.size, NULL) : NULL;
}

graft_tensor *graft_view(graft_tensor *t, graft_shape shape)
{
    static const graft__op view = {"view", backward_view};
    return reshape(&view, t, shape, false);
}

graft_tensor *graft_reshape(graft_tensor *t, graft_shape shape)
{
    static const graft__op op = {"reshape", backward_view};
    return reshape(&op, t, shape, true);
}

graft_tensor *graft_flatten(graft_tensor *t, int start_dim, int end_dim)
{
    static const graft__op flatten = {"flatten", backward_view};
    if (!t)
        return NULL;
    const int start = graft__check_dim(t, "flatten", start_dim);
    const int end = start < 0 ? -1 : graft__check_dim(t, "flatten", end_dim);
    if (end < 0)
        return NULL;
    if (start > end) {
        graft__fail(t->object.ctx, GRAFT_ERR_ARGUMENT,
                    "flatten: start_dim %d lies behind end_dim %d", start_dim, end_dim);
        return NULL;
    }
    if (t->ndim == 0)
        return reshape(&flatten, t, graft_shape1(1), true);
    graft_shape shape = {.ndim = t->ndim - (end - start)};
    for (int i = 0; i < shape.ndim; i++)
        shape.size[i] = t->size[i <= start ? i : i + end - start];
    for (int d = start + 1; d <= end; d++)
        shape.size[start] *= t->size[d];
    return reshape(&flatten, t, shape, true);
}

/* ---- squeeze and unsqueeze ---- */

static graft_tensor *squeeze(graft_tensor *t, const bool *dropped)
{
    static const graft__op op = {"squeeze", backward_view};
    int64_t size[GRAFT_MAX_DIMS], stride[GRAFT_MAX_DIMS];
    int ndim = 0;
    for (int d = 0; d < t->ndim; d++) {
        if (dropped[d] && t->size[d] == 1)
            continue;
        size[ndim] = t->size[d];
        stride[ndim++] = t->stride[d];
    }
    return graft__view_as(&op, t, ndim, size, stride);
}

graft_tensor *graft_squeeze(graft_tensor *t, int dim)
{
    bool dropped[GRAFT_MAX_DIMS] = {false};
    const int d = t ? graft__check_dim(t, "squeeze", dim) : -1;
    if (d < 0)
        return NULL;
    dropped[d] = true;
    return squeeze(t, dropped);
}

graft_tensor *graft_squeeze_all(graft_tensor *t)
{
    bool dropped[GRAFT_MAX_DIMS];
    memset(dropped, true, sizeof dropped);
    return t ? squeeze(t, dropped) : NULL;
}

graft_tensor *graft_unsqueeze(graft_tensor *t, int dim)
{
    static const graft__op op = {"unsqueeze", backward_view};
    if (!t)
        return NULL;
    char text[GRAFT__SHAPE_TEXT];
    const int at = dim < 0 ? dim + t->ndim + 1 : dim;
    if (at < 0 || at > t->ndim) {
        graft__fail(t->object.ctx, GRAFT_ERR_ARGUMENT,
                    "unsqueeze: dim %d is out of range for shape %s: expected %d to %d", dim,
                    graft__tensor_shape_text(t, text), -t->ndim - 1, t->ndim);
        return NULL;
    }
    if (t->ndim == GRAFT_MAX_DIMS) {
        graft__fail(t->object.ctx, GRAFT_ERR_SHAPE,
                    "unsqueeze: shape %s has %d dimensions already: expected fewer",
                    graft__tensor_shape_text(t, text), GRAFT_MAX_DIMS);
        return NULL;
    }
    int64_t size[GRAFT_MAX_DIMS], stride[GRAFT_MAX_DIMS];
    for (int i = 0; i <= t->ndim; i++) {
        const int d = i < at ? i : i - 1;
        size[i] = i == at ? 1 : t->size[d];
        stride[i] = i != at ? t->stride[d] : (at < t->ndim ? t->size[at] * t->stride[at] : 1);
    }
    return graft__view_as(&op, t, t->ndim + 1, size, stride);
}

/* ---- permute and transpose ---- */

static graft_status backward_permute(graft__taped *node, graft_tensor *grad)
{
    if (!graft__wants(node, 0))
        return GRAFT_OK;
    const permute_attr *attr = node->attr;
    int64_t size[GRAFT_MAX_DIMS], stride[GRAFT_MAX_DIMS];
    for (int i = 0; i < attr->ndim; i++) {
        size[attr->from[i]] = grad->size[i];
        stride[attr->from[i]] = grad->stride[i];
    }
    return graft__give(
        node, 0, graft__result(graft__tensor_alias(grad, attr->ndim, size, stride, grad->offset)));
}

static graft_tensor *permute(const graft__op *op, graft_tensor *t, const int *from)
{
    int64_t size[GRAFT_MAX_DIMS], stride[GRAFT_MAX_DIMS];
    for (int i = 0; i < t->ndim; i++) {
        size[i] = t->size[from[i]];
        stride[i] = t->stride[from[i]];
    }
    graft_tensor *y = graft__tensor_view(t, op->name, t->ndim, size, stride, t->offset);
    if (!y || !graft__should_record(&t, 1))
        return graft__result(y);
    graft__taped *node = graft__record(op, y, &t, 1, 0, sizeof(permute_attr));
    if (node) {
        permute_attr *attr = node->attr;
        attr->ndim = t->ndim;
        memcpy(attr->from, from, (size_t)t->ndim * sizeof from[0]);
    }
    return graft__finish(y, node != NULL);
}

graft_tensor *graft_permute(graft_tensor *t, graft_shape dims)
{
    static const graft__op op = {"permute", backward_permute};
    int from[GRAFT_MAX_DIMS];
    bool seen[GRAFT_MAX_DIMS] = {false};
    if (!t)
        return NULL;
    bool fits = dims.ndim == t->ndim;
    for (int i = 0; fits && i < dims.ndim; i++) {
        const int64_t d = dims.size[i] < 0 ? dims.size[i] + t->ndim : dims.size[i];
        fits = d >= 0 && d < t->ndim && !seen[d];
        if (fits) {
            seen[d] = true;
            from[i] = (int)d;
        }
    }
    if (fits)
        return permute(&op, t, from);
    char order[GRAFT__SHAPE_TEXT], text[GRAFT__SHAPE_TEXT];
    graft__fail(t->object.ctx, GRAFT_ERR_ARGUMENT,
                "permute: dims %s for shape %s: expected each of its dimensions once",
                graft__shape_text(dims.ndim, dims.size, order), graft__tensor_shape_text(t, text));
    return NULL;
}

graft_tensor *graft_transpose(graft_tensor *t, int dim0, int dim1)
{
    static const graft__op op = {"transpose", backward_permute};
    const int a = t ? graft__check_dim(t, "transpose", dim0) : -1;
    const int b = a < 0 ? -1 : graft__check_dim(t, "transpose", dim1);
    if (b < 0)
        return NULL;
    int from[GRAFT_MAX_DIMS] = {0, 1, 2, 3, 4, 5, 6, 7};
    from[a] = b;
    from[b] = a;
    return permute(&op, t, from);
}

/* ---- expand ---- */

static graft_status backward_expand(graft__taped *node, graft_tensor *grad)
{
    const shape_attr *attr = node->attr;
    return graft__wants(node, 0) ? graft__give_summed(node, 0, grad, attr->ndim, attr->size)
                                 : GRAFT_OK;
}

graft_tensor *graft_expand(graft_tensor *t, graft_shape shape)
{
    static const graft__op op = {"expand", backward_expand};
    if (!t)
        return NULL;
    int64_t size[GRAFT_MAX_DIMS], stride[GRAFT_MAX_DIMS];
    bool fits = shape.ndim >= t->ndim && shape.ndim <= GRAFT_MAX_DIMS;
    for (int i = 0; fits && i < shape.ndim; i++) {
        const int from = i - (shape.ndim - t->ndim);
        const int64_t old = from >= 0 ? t->size[from] : 1;
        size[i] = shape.size[i] == -1 && from >= 0 ? old : shape.size[i];
        stride[i] = from >= 0 && old == size[i] ? t->stride[from] : 0;
        fits = size[i] == old || (old == 1 && size[i] >= 0);
    }
    if (fits && graft__shape_numel(shape.ndim, size) >= 0)
        return graft__view_as(&op, t, shape.ndim, size, stride);
    fail_sizes("expand", t, &shape,
               "expected its sizes, -1 to keep one, any size for a 1 and for new leading ones");
    return NULL;
}
