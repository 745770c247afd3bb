/* Rules that change shapes and dtypes, as nodes. */
#include <inttypes.h>

#include "base/error.h"
#include "copy/item.h"

bool graft__rule_is_for_later(const graft__rule *rule, const graft__item *item)
{
    switch (rule->kind) {
    case GRAFT__RULE_RESIZE:
        return rule->to_target || rule->fill == GRAFT__FILL_INITIAL || item->adapts > 0;
    case GRAFT__RULE_RESAMPLE:
    case GRAFT__RULE_CAST:
        return rule->to_target || item->adapts > 0;
    default:
        return false;
    }
}

graft_status graft__item_check_now(graft_ctx *g, const graft__item *item)
{
    return item->adapts == 0 ? GRAFT_OK
                             : graft__fail(g, GRAFT_ERR_ARGUMENT,
                                           "%s: a rule before this one waits for the target's "
                                           "shape or dtype: such rules come last",
                                           item->name);
}

static graft_shape shape_of(const int64_t *size, int ndim)
{
    return graft_shape_of(ndim, size);
}

/* What a constructor made of `in`, which is the caller's no longer. */
static graft__node *behind(graft__node *in, graft__node *made)
{
    graft__node_unref(in);
    return made;
}

static graft__node *transpose(const graft__rule *r, const char *name, graft__node *in)
{
    const int ndim = in->shape.ndim;
    int64_t order[GRAFT_MAX_DIMS];
    int64_t a = r->numbers ? r->number[0] : -2, b = r->numbers ? r->number[1] : -1;
    a += a < 0 ? ndim : 0;
    b += b < 0 ? ndim : 0;
    if (a < 0 || b < 0 || a >= ndim || b >= ndim) {
        char text[GRAFT__SHAPE_TEXT];
        graft__fail(in->ctx, GRAFT_ERR_SHAPE,
                    "%s: transpose: shape %s does not have both dimensions", name,
                    graft__shape_text(ndim, in->shape.size, text));
        return NULL;
    }
    for (int i = 0; i < ndim; i++)
        order[i] = i;
    order[a] = b;
    order[b] = a;
    return graft__node_permute(in, name, shape_of(order, ndim));
}

/* ---- Reduce ---- */

/* Without dimension d, whose size is 1. */
static graft__node *drop_dim(graft__node *in, const char *name, int d)
{
    graft_shape shape = in->shape;
    shape.ndim--;
    for (int i = d; i < shape.ndim; i++)
        shape.size[i] = shape.size[i + 1];
    return behind(in, graft__node_reshape(in, name, shape));
}

static graft__node *reduce_whole(const graft__rule *r, const char *name, graft__node *in, int dim)
{
    return r->reduction == GRAFT__REDUCE_FIRST
               ? graft__node_slice(in, name, dim, 0, 1)
               : graft__node_reduce(in, name, dim, r->reduction == GRAFT__REDUCE_MEAN);
}

/* The `times` parts of dimension d, one behind the other, to one. */
static graft__node *reduce_parts(const graft__rule *r, const char *name, graft__node *in, int d)
{
    const int64_t times = r->number[0];
    graft_shape shape = in->shape;
    char text[GRAFT__SHAPE_TEXT];
    if (shape.size[d] % times != 0 || shape.ndim == GRAFT_MAX_DIMS) {
        graft__fail(in->ctx, GRAFT_ERR_SHAPE,
                    "%s: reduce: shape %s does not come in %" PRId64
                    " parts along dim %d, or has %d dimensions",
                    name, graft__shape_text(shape.ndim, shape.size, text), times, d,
                    GRAFT_MAX_DIMS);
        return NULL;
    }
    if (r->reduction == GRAFT__REDUCE_FIRST)
        return graft__node_slice(in, name, d, 0, shape.size[d] / times);
    for (int i = shape.ndim++; i > d; i--)
        shape.size[i] = shape.size[i - 1];
    shape.size[d] = times;
    shape.size[d + 1] /= times;
    graft__node *n = graft__node_reshape(in, name, shape);
    if (n)
        n = behind(n, reduce_whole(r, name, n, d));
    return n ? drop_dim(n, name, d) : NULL;
}

static graft__node *reduce(const graft__rule *r, const char *name, graft__node *in)
{
    const int ndim = in->shape.ndim, d = r->dim < 0 ? r->dim + ndim : r->dim;
    const bool in_range = d >= 0 && d < ndim; /* else the step says so */
    if (in_range && r->number[0] > 0)
        return reduce_parts(r, name, in, d);
    graft__node *n = reduce_whole(r, name, in, r->dim);
    return n && r->drop && in_range ? drop_dim(n, name, d) : n;
}

/* ---- All ---- */

graft__node *graft__rule_shape(const graft__rule *r, const char *name, graft__node *in)
{
    const int64_t *number = r->number;
    switch (r->kind) {
    case GRAFT__RULE_PERMUTE:
        return graft__node_permute(in, name, shape_of(number, r->numbers));
    case GRAFT__RULE_TRANSPOSE:
        return transpose(r, name, in);
    case GRAFT__RULE_RESHAPE:
        return graft__node_reshape(in, name, shape_of(number, r->numbers));
    case GRAFT__RULE_SLICE:
        return graft__node_slice(in, name, r->dim, number[0], number[1]);
    case GRAFT__RULE_PAD:
        return graft__node_pad(in, name, r->dim, number[0], number[1], r->value);
    case GRAFT__RULE_REPEAT:
        return graft__node_repeat(in, name, r->dim, number[0], r->divide);
    case GRAFT__RULE_INFLATE:
        return graft__node_inflate(in, name, r->dim, number[0], r->divide);
    case GRAFT__RULE_REDUCE:
        return reduce(r, name, in);
    case GRAFT__RULE_DEQUANTISE:
        return graft__node_dequantise(in, name);
    default:
        return graft__rule_adapt(r, name, in, NULL, r->dtype, NULL);
    }
}
