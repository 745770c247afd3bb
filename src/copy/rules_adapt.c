/* resize, resample and cast: to what the rule says, or to what the target is. */
#include <inttypes.h>
#include <math.h>

#include "base/error.h"
#include "copy/item.h"

/* ---- Resize ---- */

/* The first rows of the target's value, of that shape, for rows that stay as they are in it; the
 * caller's reference. NULL with the error set. */
static graft_tensor *initial_rows(graft_tensor *initial, const graft_shape *shape)
{
    bool fits = initial && initial->ndim == shape->ndim;
    for (int i = 0; fits && i < shape->ndim; i++)
        fits = shape->size[i] <= initial->size[i];
    if (fits)
        return graft__tensor_view(initial, "resize", shape->ndim, shape->size, initial->stride,
                                  initial->offset);
    return NULL;
}

static graft__node *resize(const graft__rule *r, const char *name, graft__node *in,
                           const graft_shape *target, graft_tensor *initial)
{
    graft_ctx *g = in->ctx;
    graft_shape shape = in->shape;
    char have[GRAFT__SHAPE_TEXT], want[GRAFT__SHAPE_TEXT];
    const int d = r->dim < 0 ? r->dim + shape.ndim : r->dim;
    const bool in_range = d >= 0 && d < shape.ndim;
    if (target && (target->ndim != shape.ndim || !in_range)) {
        graft__fail(g, GRAFT_ERR_SHAPE,
                    "%s: resize: shape %s cannot come to be %s along dim %d: expected as many "
                    "dimensions",
                    name, graft__shape_text(shape.ndim, shape.size, have),
                    graft__shape_text(target->ndim, target->size, want), r->dim);
        return NULL;
    }
    const int64_t size = r->to_target && target ? target->size[d] : r->number[0];
    const bool grows = in_range && size > shape.size[d];
    if (in_range)
        shape.size[d] = size;
    graft_tensor *rows = NULL;
    if (r->fill == GRAFT__FILL_INITIAL && grows) {
        rows = initial_rows(initial, &shape);
        if (!rows) {
            graft__fail(g, GRAFT_ERR_SHAPE,
                        "%s: resize: new=initial, but the target has no rows of its own for shape "
                        "%s",
                        name, graft__shape_text(shape.ndim, shape.size, have));
            return NULL;
        }
    }
    graft__node *n = graft__node_resize(in, name, r->dim, size, grows ? r->fill : GRAFT__FILL_ZEROS,
                                        r->seed, rows);
    graft__tensor_unref(rows);
    return n;
}

/* ---- Resample ---- */

/* The root of a square; 0: it is none. */
static int64_t root_of(int64_t number)
{
    if (number <= 0)
        return 0;
    const int64_t root = (int64_t)llround(sqrt((double)number));
    return root <= INT32_MAX && root * root == number ? root : 0;
}

/* How many tokens are in front of the grid: what the rule says, what the size of the grid leaves,
 * or a class token if that makes a square. */
static int64_t prefix_of(const graft__rule *r, int64_t tokens, const int64_t grid[2])
{
    int64_t size;
    if (r->prefix >= 0)
        return r->prefix;
    if (grid[0] > 0 && !__builtin_mul_overflow(grid[0], grid[1], &size) && size <= tokens)
        return tokens - size;
    return tokens > 1 && root_of(tokens - 1) > 0 ? 1 : 0;
}

static graft__node *resample(const graft__rule *r, const char *name, graft__node *in,
                             const graft_shape *target)
{
    const graft_shape *shape = &in->shape;
    char have[GRAFT__SHAPE_TEXT], want[GRAFT__SHAPE_TEXT];
    const int d = shape->ndim - 2; /* where the tokens are: [1, N, D] or [N, D] */
    int64_t to[2] = {r->to[0], r->to[1]};
    const int64_t prefix = d >= 0 ? prefix_of(r, shape->size[d], r->from) : 0;
    if (r->to_target && target) {
        to[0] = to[1] =
            d >= 0 && target->ndim == shape->ndim ? root_of(target->size[d] - prefix) : 0;
        if (to[0] == 0) {
            graft__fail(in->ctx, GRAFT_ERR_SHAPE,
                        "%s: resample: shape %s to %s: expected a square grid behind %" PRId64
                        " tokens of the target, or to=HxW",
                        name, graft__shape_text(shape->ndim, shape->size, have),
                        graft__shape_text(target->ndim, target->size, want), prefix);
            return NULL;
        }
    }
    return graft__node_resample(in, name, prefix, r->from[0], r->from[1], to[0], to[1], r->mode,
                                r->antialias);
}

/* ---- All ---- */

graft__node *graft__rule_adapt(const graft__rule *r, const char *name, graft__node *in,
                               const graft_shape *shape, graft_dtype dtype, graft_tensor *initial)
{
    switch (r->kind) {
    case GRAFT__RULE_RESIZE:
        return resize(r, name, in, shape, initial);
    case GRAFT__RULE_RESAMPLE:
        return resample(r, name, in, shape);
    default:
        return graft__node_cast(in, name, r->to_target ? dtype : r->dtype);
    }
}

graft__node *graft__item_adapt(const graft_rules *rules, const graft__item *item,
                               const graft_shape *shape, graft_dtype dtype, graft_tensor *initial)
{
    graft__node *node = graft__node_ref(item->node);
    for (int i = 0; i < item->adapts && node; i++) {
        const graft__rule *rule = &rules->rule[item->adapt[i]];
        graft__node *next = NULL;
        if (shape || !(rule->to_target || rule->fill == GRAFT__FILL_INITIAL))
            next = graft__rule_adapt(rule, item->name, node, shape, dtype, initial);
        else
            graft__fail(node->ctx, GRAFT_ERR_ARGUMENT, "%s: %s needs a target", item->name,
                        graft__rule_verbs[rule->kind].verb);
        if (!next)
            graft__error_append(node->ctx, " (by the rule: %s)", rule->line);
        graft__node_unref(node);
        node = next;
    }
    return node;
}
