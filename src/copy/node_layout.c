/* Steps that move whole elements, of any dtype, and the sums that go with them. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "copy/node_make.h"
#include "kernel/convert.h"
#include "kernel/copy.h"
#include "kernel/elementwise.h"
#include "kernel/weigh.h"

static void add_dims(graft__text *out, const int64_t *number, int count)
{
    for (int i = 0; i < count; i++)
        graft__text_addf(out, "%s%" PRId64, i ? ", " : "", number[i]);
}

/* A result with the elements of src, converted as copies are. */
static graft_tensor *copy_of(const graft__node *n, graft_ctx *g, const graft__array *src)
{
    graft_tensor *t = graft__node_result(n, g, src->dtype);
    if (t) {
        const graft__array dst = graft__fresh(t);
        graft__copy(g->pool, &dst, src);
    }
    return t;
}

/* ---- Permute: number[i] is where dimension i comes from ---- */

static graft_tensor *run_permute(const graft__node *n, graft_ctx *g, graft_tensor *const *input)
{
    const graft__array whole = graft__read(input[0]);
    graft__array turned = whole;
    for (int i = 0; i < n->shape.ndim; i++) {
        turned.size[i] = whole.size[n->number[i]];
        turned.stride[i] = whole.stride[n->number[i]];
    }
    return copy_of(n, g, &turned);
}

static void describe_permute(const graft__node *n, graft__text *out)
{
    graft__text_add(out, "dims ");
    add_dims(out, n->number, n->shape.ndim);
}

graft__node *graft__node_permute(graft__node *in, const char *name, graft_shape dims)
{
    static const graft__step step = {"permute", run_permute, describe_permute,
                                     .takes_moments = true, .of_source = true};
    graft__node *n = graft__node_on(in, name, &step, 0);
    if (!n)
        return NULL;
    char text[GRAFT__SHAPE_TEXT], order[GRAFT__SHAPE_TEXT];
    unsigned seen = 0;
    bool fits = dims.ndim == in->shape.ndim;
    for (int i = 0; fits && i < dims.ndim; i++) {
        const int64_t d = dims.size[i] < 0 ? dims.size[i] + dims.ndim : dims.size[i];
        fits = d >= 0 && d < dims.ndim && !(seen & 1U << d);
        if (!fits)
            break;
        seen |= 1U << d;
        n->number[i] = d;
        n->shape.size[i] = in->shape.size[d];
    }
    if (fits)
        return n;
    if (dims.ndim < 0 || dims.ndim > GRAFT_MAX_DIMS)
        dims.ndim = 0;
    return graft__node_refuse(n, name, GRAFT_ERR_SHAPE,
                              "dims %s for shape %s: expected each of its dimensions once",
                              graft__shape_text(dims.ndim, dims.size, order),
                              graft__shape_text(in->shape.ndim, in->shape.size, text));
}

/* ---- Reshape ---- */

static graft_tensor *run_reshape(const graft__node *n, graft_ctx *g, graft_tensor *const *input)
{
    if (input[0]->contiguous) { /* the same bytes, copy-on-write */
        graft_tensor *copy = graft__tensor_snapshot(input[0], g);
        graft_tensor *t =
            copy ? graft__tensor_alias(copy, n->shape.ndim, n->shape.size, NULL, copy->offset)
                 : NULL;
        graft__tensor_unref(copy);
        return t;
    }
    graft_tensor *t = graft__node_result(n, g, n->dtype);
    if (t) {
        const graft__array src = graft__read(input[0]);
        graft__array dst = src;
        dst.data = graft__fresh(t).data;
        graft__contiguous_strides(src.ndim, src.size, dst.stride);
        graft__copy(g->pool, &dst, &src);
    }
    return t;
}

static void describe_reshape(const graft__node *n, graft__text *out)
{
    char text[GRAFT__SHAPE_TEXT];
    graft__text_addf(out, "as shape %s", graft__shape_text(n->shape.ndim, n->shape.size, text));
}

const graft__step graft__reshape_step = {"reshape", run_reshape, describe_reshape,
                                         .takes_moments = true};

graft__node *graft__node_reshape(graft__node *in, const char *name, graft_shape shape)
{
    if (in && in->step == &graft__cast_step)
        return graft__node_cast_after(graft__node_reshape(in->input[0], name, shape), name, in);
    graft__node *n = graft__node_on(in, name, &graft__reshape_step, 0);
    if (!n)
        return NULL;
    char have[GRAFT__SHAPE_TEXT], want[GRAFT__SHAPE_TEXT];
    graft__shape_text(in->shape.ndim, in->shape.size, have);
    if (shape.ndim < 0 || shape.ndim > GRAFT_MAX_DIMS)
        return graft__node_refuse(n, name, GRAFT_ERR_SHAPE, "%d dimensions: expected 0 to %d",
                                  shape.ndim, GRAFT_MAX_DIMS);
    graft__shape_text(shape.ndim, shape.size, want);
    int unknown = -1, unknowns = 0;
    for (int i = 0; i < shape.ndim; i++)
        if (shape.size[i] == -1) {
            unknown = i;
            unknowns++;
            shape.size[i] = 1;
        }
    const int64_t numel = graft__shape_numel(in->shape.ndim, in->shape.size);
    const int64_t known = graft__shape_numel(shape.ndim, shape.size);
    if (unknowns > 1 || known < 0 || (unknowns ? known == 0 || numel % known != 0 : known != numel))
        return graft__node_refuse(n, name, GRAFT_ERR_SHAPE,
                                  "shape %s for one of %s: expected as many elements, and at most "
                                  "one -1",
                                  want, have);
    if (unknowns)
        shape.size[unknown] = numel / known;
    n->shape = shape;
    return graft__node_made(n, name);
}

/* ---- Slice: number[0] to number[1] - 1 ---- */

/* Rows of a dtype in blocks are whole blocks, so that they can be moved as bytes. */
static size_t row_bytes(const graft__node *n)
{
    int64_t block = 1, row = 1;
    size_t bytes = 0;
    graft_dtype_block(n->dtype, &block, &bytes);
    for (int i = 1; i < n->shape.ndim; i++)
        row *= n->shape.size[i];
    return (size_t)(row / block) * bytes;
}

static graft_tensor *run_slice(const graft__node *n, graft_ctx *g, graft_tensor *const *input)
{
    const graft__array whole = graft__read(input[0]);
    const int64_t start = n->number[0], length = n->number[1] - n->number[0];
    if (graft__width(whole.dtype) > 0) {
        const graft__array part = graft__array_part(&whole, n->dim, start, length);
        return copy_of(n, g, &part);
    }
    graft_tensor *t = graft__node_result(n, g, whole.dtype);
    if (t)
        graft__copy_bytes(g->pool, graft__fresh(t).data,
                          (const char *)whole.data + (size_t)start * row_bytes(n),
                          (size_t)length * row_bytes(n));
    return t;
}

void graft__describe_range(graft__text *out, int dim, int64_t start, int64_t end)
{
    if (dim == 0)
        graft__text_add(out, "rows ");
    else
        graft__text_addf(out, "dim %d from ", dim);
    if (end > start)
        graft__text_addf(out, "%" PRId64 " to %" PRId64, start, end - 1);
    else
        graft__text_addf(out, "%" PRId64 ", none", start);
}

static void describe_slice(const graft__node *n, graft__text *out)
{
    graft__describe_range(out, n->dim, n->number[0], n->number[1]);
}

bool graft__rows_are_blocks(graft__node *n, const char *name)
{
    int64_t block = 1, row = 1;
    graft_dtype_block(n->dtype, &block, NULL);
    for (int i = 1; i < n->shape.ndim; i++)
        row *= n->shape.size[i];
    if (block == 1 || (n->dim == 0 && n->groups == 1 && n->shape.ndim > 0 && row % block == 0))
        return true;
    char text[GRAFT__SHAPE_TEXT];
    graft__node_refuse(n, name, GRAFT_ERR_DTYPE,
                       "%s of shape %s comes in blocks of %" PRId64 " elements: expected dim 0 and "
                       "whole blocks, or dequantise it first",
                       graft_dtype_name(n->dtype),
                       graft__shape_text(n->shape.ndim, n->shape.size, text), block);
    return false;
}

const graft__step graft__slice_step = {"slice", run_slice, describe_slice, .takes_moments = true,
                                       .of_source = true};

graft__node *graft__node_slice(graft__node *in, const char *name, int dim, int64_t start,
                               int64_t end)
{
    if (in && in->step == &graft__cast_step)
        return graft__node_cast_after(graft__node_slice(in->input[0], name, dim, start, end), name,
                                      in);
    graft__node *n = graft__node_on(in, name, &graft__slice_step, GRAFT__TAKES_BLOCKS);
    const int d = n ? graft__node_dim(n, name, dim, 0) : -1;
    if (d < 0)
        return NULL;
    n->dim = d;
    if (!graft__rows_are_blocks(n, name))
        return NULL;
    const int64_t size = in->shape.size[d];
    const int64_t from = start < 0 ? start + size : start;
    const int64_t to = end == INT64_MAX ? size : end < 0 ? end + size : end;
    if (from < 0 || to > size || from > to) {
        char text[GRAFT__SHAPE_TEXT], until[24];
        snprintf(until, sizeof until, "%" PRId64, end);
        return graft__node_refuse(n, name, GRAFT_ERR_SHAPE,
                                  "%" PRId64 " to %s of dim %d of shape %s: expected 0 <= start <= "
                                  "end <= %" PRId64,
                                  start, end == INT64_MAX ? "end" : until, d,
                                  graft__shape_text(in->shape.ndim, in->shape.size, text), size);
    }
    n->number[0] = from;
    n->number[1] = to;
    n->shape.size[d] = to - from;
    return n;
}

/* ---- Pad: number[0] before and number[1] behind ---- */

static void fill(const graft__node *n, graft_ctx *g, const graft__array *a)
{
    if (n->value == 0 || n->moment)
        graft__array_zero(g, a);
    else
        graft__fill(g->pool, a, n->value);
}

static graft_tensor *run_pad(const graft__node *n, graft_ctx *g, graft_tensor *const *input)
{
    graft_tensor *t = graft__node_result(n, g, n->dtype);
    if (!t)
        return NULL;
    const graft__array dst = graft__fresh(t), src = graft__read(input[0]);
    const int64_t before = n->number[0], size = src.size[n->dim];
    const graft__array front = graft__array_part(&dst, n->dim, 0, before);
    const graft__array middle = graft__array_part(&dst, n->dim, before, size);
    const graft__array back = graft__array_part(&dst, n->dim, before + size, n->number[1]);
    fill(n, g, &front);
    graft__copy(g->pool, &middle, &src);
    fill(n, g, &back);
    return t;
}

static void describe_pad(const graft__node *n, graft__text *out)
{
    graft__text_addf(out, "dim %d padded by %" PRId64 " and %" PRId64, n->dim, n->number[0],
                     n->number[1]);
    if (n->value != 0)
        graft__text_addf(out, " of %g", n->value);
}

/* Whether the number is one of the dtype; of a dtype that is only carried, 0 alone, where it has
 * one. */
static bool holds(graft_dtype dtype, double value)
{
    if (!graft_dtype_computes(dtype))
        return value == 0 && dtype != GRAFT_F8_E8M0FNU;
    if (graft_dtype_is_floating(dtype))
        return true;
    char element[8];
    double back;
    graft__convert(1, &value, GRAFT_F64, element, dtype);
    graft__convert(1, element, dtype, &back, GRAFT_F64);
    return back == value;
}

graft__node *graft__node_pad(graft__node *in, const char *name, int dim, int64_t before,
                             int64_t after, double value)
{
    static const graft__step step = {"pad", run_pad, describe_pad, .takes_moments = true};
    graft__node *n = graft__node_on(in, name, &step, 0);
    const int d = n ? graft__node_dim(n, name, dim, 0) : -1;
    if (d < 0)
        return NULL;
    n->dim = d;
    n->value = value;
    n->number[0] = before;
    n->number[1] = after;
    int64_t *const size = &n->shape.size[d];
    if (before < 0 || after < 0 || __builtin_add_overflow(*size, before, size) ||
        __builtin_add_overflow(*size, after, size))
        return graft__node_refuse(n, name, GRAFT_ERR_SHAPE,
                                  "by %" PRId64 " and %" PRId64 ": expected 0 or more that fit",
                                  before, after);
    if (!holds(n->dtype, value))
        return graft__node_refuse(n, name, GRAFT_ERR_DTYPE, "%g is no number that %s can hold here",
                                  value, graft_dtype_name(n->dtype));
    return graft__node_made(n, name);
}

/* ---- Repeat, and inflate along a new dimension: number[0] times; mode 1: divided by it ---- */

static graft_tensor *divided(const graft__node *n, graft_ctx *g, graft_tensor *t)
{
    const double times = (double)n->number[0];
    graft_tensor *f64 = graft__tensor_like(t, GRAFT_F64);
    graft_tensor *result = f64 ? graft__tensor_like(t, t->dtype) : NULL;
    if (result) {
        const graft__array src = graft__read(t), wide = graft__fresh(f64);
        const graft__array dst = graft__fresh(result);
        graft__copy(g->pool, &wide, &src);
        graft__map(g->pool, GRAFT__DIV_S, n->moment == 2 ? times * times : times, &wide, &wide,
                   NULL, NULL);
        graft__copy(g->pool, &dst, &wide);
    }
    graft__tensor_unref(f64);
    return result;
}

/* dst[..., i, ...] = src for each of `times` places along a dimension of dst that src sees as one
 * of its own, repeated. */
static graft_tensor *repeated(const graft__node *n, graft_ctx *g, graft_tensor *in, bool new_dim)
{
    graft_tensor *t = graft__node_result(n, g, in->dtype);
    if (!t)
        return NULL;
    const graft__array src = graft__read(in), dst = graft__fresh(t);
    const int64_t size = new_dim ? 1 : src.size[n->dim];
    for (int64_t i = 0; i < n->number[0] && t->numel > 0; i++) {
        graft__array part = graft__array_part(&dst, n->dim, i * size, size);
        if (new_dim) {
            for (int d = n->dim; d + 1 < part.ndim; d++)
                part.stride[d] = dst.stride[d + 1];
            memcpy(part.size, src.size, sizeof part.size);
            part.ndim--;
        }
        graft__copy(g->pool, &part, &src);
    }
    return t;
}

static graft_tensor *run_repeats(const graft__node *n, graft_ctx *g, graft_tensor *in, bool new_dim)
{
    if (n->mode == 0)
        return repeated(n, g, in, new_dim);
    graft_tensor *less = divided(n, g, in);
    graft_tensor *t = less ? repeated(n, g, less, new_dim) : NULL;
    graft__tensor_unref(less);
    return t;
}

static graft_tensor *run_repeat(const graft__node *n, graft_ctx *g, graft_tensor *const *input)
{
    return run_repeats(n, g, input[0], false);
}

static graft_tensor *run_inflate(const graft__node *n, graft_ctx *g, graft_tensor *const *input)
{
    return run_repeats(n, g, input[0], true);
}

static void describe_repeat(const graft__node *n, graft__text *out)
{
    graft__text_addf(out, "%s%d %" PRId64 " times%s",
                     n->shape.ndim > n->input[0]->shape.ndim ? "along a new dim " : "dim ", n->dim,
                     n->number[0], n->mode ? ", divided by as many" : "");
}

static graft__node *repeats(graft__node *in, const char *name, const graft__step *step, int dim,
                            int64_t times, bool divide, int extra)
{
    graft__node *n = graft__node_on(in, name, step, 0);
    const int d = n ? graft__node_dim(n, name, dim, extra) : -1;
    if (d < 0 || (divide && !graft__node_sums(n, name)))
        return NULL;
    n->dim = d;
    n->number[0] = times;
    n->mode = divide;
    graft_shape *const shape = &n->shape;
    if (shape->ndim + extra > GRAFT_MAX_DIMS)
        return graft__node_refuse(n, name, GRAFT_ERR_SHAPE, "a tensor has at most %d dimensions",
                                  GRAFT_MAX_DIMS);
    if (extra) {
        memmove(shape->size + d + 1, shape->size + d,
                (size_t)(shape->ndim - d) * sizeof *shape->size);
        shape->size[d] = 1;
        shape->ndim++;
    }
    if (times < 1 || __builtin_mul_overflow(shape->size[d], times, &shape->size[d]))
        return graft__node_refuse(n, name, GRAFT_ERR_SHAPE,
                                  "%" PRId64 " times: expected 1 or more that fit", times);
    return graft__node_made(n, name);
}

graft__node *graft__node_repeat(graft__node *in, const char *name, int dim, int64_t times,
                                bool divide)
{
    static const graft__step step = {"repeat", run_repeat, describe_repeat, .takes_moments = true};
    return repeats(in, name, &step, dim, times, divide, 0);
}

graft__node *graft__node_inflate(graft__node *in, const char *name, int dim, int64_t times,
                                 bool divide)
{
    static const graft__step step = {"inflate", run_inflate, describe_repeat,
                                     .takes_moments = true};
    return repeats(in, name, &step, dim, times, divide, 1);
}

/* ---- Reduce: the sum or (mode 1) mean of a dimension ---- */

static graft_tensor *run_reduce(const graft__node *n, graft_ctx *g, graft_tensor *const *input)
{
    graft_tensor *sum =
        graft__tensor_new(g, n->step->verb, n->shape.ndim, n->shape.size, GRAFT_F64);
    graft_tensor *t = sum ? graft__node_result(n, g, input[0]->dtype) : NULL;
    if (t) {
        const graft__array src = graft__read(input[0]), wide = graft__fresh(sum);
        const graft__array dst = graft__fresh(t);
        const int64_t count = src.size[n->dim];
        const graft__taps all = {.first = 0, .count = count, .weight = NULL};
        graft__weigh(g->pool, &wide, &src, n->dim, &all);
        if (n->mode)
            graft__map(g->pool, GRAFT__DIV_S, (double)count, &wide, &wide, NULL, NULL);
        graft__copy(g->pool, &dst, &wide);
    }
    graft__tensor_unref(sum);
    return t;
}

static void describe_reduce(const graft__node *n, graft__text *out)
{
    graft__text_addf(out, "%s of dim %d", n->mode ? "mean" : "sum", n->dim);
}

graft__node *graft__node_reduce(graft__node *in, const char *name, int dim, bool mean)
{
    /* A gradient of the sum is not the sum of the gradients: moments have no way through. */
    static const graft__step step = {"reduce", run_reduce, describe_reduce, .of_source = true};
    graft__node *n = graft__node_on(in, name, &step, 0);
    const int d = n ? graft__node_dim(n, name, dim, 0) : -1;
    if (d < 0 || !graft__node_sums(n, name))
        return NULL;
    n->dim = d;
    n->mode = mean;
    n->shape.size[d] = 1;
    return graft__node_made(n, name);
}
