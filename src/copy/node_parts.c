/* Steps that make one tensor of several, and one of the several of it. With groups, a dimension is
 * [groups, parts, ...]: what belongs to one group of each part lies together. */
#include <inttypes.h>
#include <string.h>

#include "copy/node_make.h"
#include "kernel/copy.h"

/* Copies a part between its own tensor and its place: for each group, elements `at` on of the
 * group in the whole. */
static void copy_groups(graft_ctx *g, const graft__node *n, const graft__array *whole, int64_t at,
                        const graft__array *part, bool into_whole)
{
    const int64_t length = part->size[n->dim] / n->groups;
    const int64_t total = whole->size[n->dim] / n->groups;
    for (int64_t i = 0; i < n->groups && !graft__array_is_empty(part); i++) {
        const graft__array in =
            graft__array_part(whole, n->dim, i * total + at / n->groups, length);
        const graft__array out = graft__array_part(part, n->dim, i * length, length);
        graft__copy(g->pool, into_whole ? &in : &out, into_whole ? &out : &in);
    }
}

static void describe_groups(const graft__node *n, graft__text *out)
{
    if (n->groups > 1)
        graft__text_addf(out, ", interleaved in %" PRId64 " groups", n->groups);
}

/* ---- Fuse ---- */

static graft_tensor *run_fuse(const graft__node *n, graft_ctx *g, graft_tensor *const *input)
{
    graft_tensor *t = graft__node_result(n, g, input[0]->dtype);
    if (!t)
        return NULL;
    const graft__array whole = graft__fresh(t);
    char *end = whole.data;
    int64_t at = 0;
    for (int i = 0; i < n->inputs; i++) {
        const graft__array part = graft__read(input[i]);
        if (graft__width(part.dtype) > 0) {
            copy_groups(g, n, &whole, at, &part, true);
        } else {
            const size_t bytes = graft__tensor_bytes(input[i]);
            graft__copy_bytes(g->pool, end, part.data, bytes);
            end += bytes;
        }
        at += part.size[n->dim];
    }
    return t;
}

static void describe_fuse(const graft__node *n, graft__text *out)
{
    graft__text_addf(out, "joined along dim %d", n->dim);
    describe_groups(n, out);
}

static bool same_but_dim(const graft__node *a, const graft__node *b, int dim)
{
    if (a->dtype != b->dtype || a->shape.ndim != b->shape.ndim)
        return false;
    for (int d = 0; d < a->shape.ndim; d++)
        if (d != dim && a->shape.size[d] != b->shape.size[d])
            return false;
    return true;
}

/* n is nobody's to free any more if it does not fit. */
static bool join(graft__node *n, const char *name, graft__node *in)
{
    char first[GRAFT__SHAPE_TEXT], other[GRAFT__SHAPE_TEXT];
    const graft__node *const begin = n->input[0];
    if (in->quantised || !same_but_dim(begin, in, n->dim)) {
        graft__node_refuse(
            n, name, GRAFT_ERR_SHAPE,
            "%s of shape %s and %s of shape %s along dim %d: expected one dtype, and "
            "shapes that differ there alone",
            graft_dtype_name(begin->dtype),
            graft__shape_text(begin->shape.ndim, begin->shape.size, first),
            in->quantised ? "quantized" : graft_dtype_name(in->dtype),
            graft__shape_text(in->shape.ndim, in->shape.size, other), n->dim);
        return false;
    }
    if (!graft__node_add(n, name, in))
        return false;
    int64_t *const size = &n->shape.size[n->dim];
    if (!__builtin_add_overflow(*size, in->shape.size[n->dim], size))
        return true;
    graft__node_refuse(n, name, GRAFT_ERR_SHAPE, "more rows than a tensor can have");
    return false;
}

/* Whether dim of the node falls into the groups; else n is gone. */
static bool check_groups(graft__node *n, const char *name, int64_t size)
{
    if (n->groups >= 1 && size % n->groups == 0)
        return true;
    graft__node_refuse(n, name, GRAFT_ERR_SHAPE,
                       "%" PRId64 " groups of a part of %" PRId64 " along dim %d: expected a "
                       "divisor of it",
                       n->groups, size, n->dim);
    return false;
}

const graft__step graft__fuse_step = {"fuse", run_fuse, describe_fuse, .takes_moments = true};

graft__node *graft__node_fuse(graft__node *const *in, int count, const char *name, int dim,
                              int64_t groups)
{
    for (int i = 0; i < count; i++)
        if (!in[i])
            return NULL;
    graft__node *n =
        count > 0 ? graft__node_on(in[0], name, &graft__fuse_step, GRAFT__TAKES_BLOCKS) : NULL;
    const int d = n ? graft__node_dim(n, name, dim, 0) : -1;
    if (d < 0)
        return NULL;
    n->dim = d;
    n->groups = groups;
    if (!graft__rows_are_blocks(n, name) || !check_groups(n, name, in[0]->shape.size[d]))
        return NULL;
    for (int i = 1; i < count; i++)
        if (!join(n, name, in[i]) || !check_groups(n, name, in[i]->shape.size[d]))
            return NULL;
    return graft__node_made(n, name);
}

/* ---- Part: number[0] to number[1] - 1 of the parts one behind the other ---- */

static graft_tensor *run_part(const graft__node *n, graft_ctx *g, graft_tensor *const *input)
{
    graft_tensor *t = graft__node_result(n, g, input[0]->dtype);
    if (!t)
        return NULL;
    const graft__array whole = graft__read(input[0]), part = graft__fresh(t);
    if (graft__width(part.dtype) > 0) {
        copy_groups(g, n, &whole, n->number[0], &part, false);
        return t;
    }
    const size_t bytes = graft__tensor_bytes(t);
    const int64_t rows = n->number[1] - n->number[0];
    if (rows > 0)
        graft__copy_bytes(g->pool, part.data,
                          (const char *)whole.data + (size_t)n->number[0] * (bytes / (size_t)rows),
                          bytes);
    return t;
}

static void describe_part(const graft__node *n, graft__text *out)
{
    if (n->groups > 1)
        graft__text_add(out, "of each group ");
    graft__describe_range(out, n->dim, n->number[0] / n->groups, n->number[1] / n->groups);
}

/* Where the part lies; false, with n gone, if the sizes don't fit. */
static bool place_part(graft__node *n, const char *name, int which, int count, const int64_t *sizes)
{
    char text[GRAFT__SHAPE_TEXT];
    const int64_t whole = n->shape.size[n->dim];
    graft__shape_text(n->shape.ndim, n->shape.size, text);
    if (count < 1 || which < 0 || which >= count || (!sizes && whole % count != 0)) {
        graft__node_refuse(n, name, GRAFT_ERR_SHAPE,
                           "dim %d of shape %s in %d equal parts: expected a divisor of it", n->dim,
                           text, count);
        return false;
    }
    int64_t sum = 0;
    bool fits = true;
    for (int i = 0; i < count && fits; i++) {
        const int64_t size = sizes ? sizes[i] : whole / count;
        if (i == which)
            n->number[0] = sum;
        fits = size >= 0 && !__builtin_add_overflow(sum, size, &sum);
        if (i == which)
            n->number[1] = sum;
        if (fits && !check_groups(n, name, size))
            return false;
    }
    if (fits && sum == whole)
        return true;
    graft__node_refuse(n, name, GRAFT_ERR_SHAPE,
                       "dim %d of shape %s: expected sizes that add up to it", n->dim, text);
    return false;
}

const graft__step graft__part_step = {"split", run_part, describe_part, .takes_moments = true,
                                      .of_source = true};

graft__node *graft__node_part(graft__node *in, const char *name, int dim, int which, int count,
                              const int64_t *sizes, int64_t groups)
{
    if (in && in->step == &graft__cast_step)
        return graft__node_cast_after(
            graft__node_part(in->input[0], name, dim, which, count, sizes, groups), name, in);
    graft__node *n = graft__node_on(in, name, &graft__part_step, GRAFT__TAKES_BLOCKS);
    const int d = n ? graft__node_dim(n, name, dim, 0) : -1;
    if (d < 0)
        return NULL;
    n->dim = d;
    n->groups = groups;
    if (!graft__rows_are_blocks(n, name) || !place_part(n, name, which, count, sizes))
        return NULL;
    n->shape.size[d] = n->number[1] - n->number[0];
    return n;
}
