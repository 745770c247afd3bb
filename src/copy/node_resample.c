/* Position embeddings of another grid.
 *
 * The numbers are those of torch.nn.functional.interpolate(align_corners=False) over a grid of
 * vectors, a dimension at a time. Without antialias an output takes 2 (bilinear) or 4 (bicubic,
 * a = -0.75; Keys 1981) inputs around it, of which those beyond the edge are the edge. With it the
 * filter (a = -0.5) is as wide as the step where the grid shrinks, and is cut off at the edge. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "copy/node_make.h"
#include "kernel/copy.h"
#include "kernel/weigh.h"

enum { PREFIX, FROM_H, FROM_W, TO_H, TO_W }; /* in number[] */

/* ---- Weights ---- */

static double cubic(double x, double a)
{
    x = fabs(x);
    if (x < 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

static double triangle(double x)
{
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

/* Output i of `out`, of `in` inputs; weights has room for all of them. */
static void take_neighbours(graft__taps *tap, double *weight, int mode, int64_t i, int64_t in,
                            int64_t out)
{
    double at = (double)in / (double)out * ((double)i + 0.5) - 0.5;
    if (mode == GRAFT__BILINEAR && at < 0)
        at = 0;
    const double below = floor(at);
    const int reach = mode == GRAFT__BILINEAR ? 1 : 2; /* on either side */
    const int64_t begin = (int64_t)below + 1 - reach;
    tap->first = begin < 0 ? 0 : begin > in - 1 ? in - 1 : begin;
    tap->count = 0;
    for (int64_t k = 0; k < 2 * reach; k++) {
        const double distance = at - (below + 1 - reach + (double)k);
        const double w = mode == GRAFT__BILINEAR ? triangle(distance) : cubic(distance, -0.75);
        int64_t source = begin + k;
        source = source < 0 ? 0 : source > in - 1 ? in - 1 : source;
        if (source - tap->first == tap->count)
            weight[tap->count++] = w;
        else
            weight[source - tap->first] += w;
    }
}

static void take_filtered(graft__taps *tap, double *weight, int mode, int64_t i, int64_t in,
                          int64_t out)
{
    const double scale = (double)in / (double)out;
    const double wide = scale > 1 ? scale : 1;
    const double support = (mode == GRAFT__BILINEAR ? 1 : 2) * wide;
    const double centre = scale * ((double)i + 0.5);
    int64_t begin = (int64_t)(centre - support + 0.5), end = (int64_t)(centre + support + 0.5);
    begin = begin < 0 ? 0 : begin;
    end = end > in ? in : end;
    tap->first = begin;
    tap->count = end - begin;
    double sum = 0;
    for (int64_t k = 0; k < tap->count; k++) {
        const double x = ((double)(begin + k) - centre + 0.5) / wide;
        weight[k] = mode == GRAFT__BILINEAR ? triangle(x) : cubic(x, -0.5);
        sum += weight[k];
    }
    for (int64_t k = 0; k < tap->count; k++)
        weight[k] /= sum;
}

/* Taps of `out` outputs over `in` inputs, in one block of *size bytes. NULL with the error set. */
static graft__taps *taps_new(const graft__node *n, graft_ctx *g, int64_t in, int64_t out,
                             size_t *size)
{
    const double scale = (double)in / (double)out;
    const double wide = n->antialias && scale > 1 ? 4 * scale + 3 : 7;
    const size_t most = wide < (double)in + 4 ? (size_t)wide : (size_t)in + 4;
    size_t each;
    graft__taps *taps = NULL;
    if (graft__mul_size(most, sizeof(double), &each) &&
        graft__add_size(each, sizeof *taps, &each) && graft__mul_size((size_t)out, each, size))
        taps = graft__alloc(g, *size);
    if (!taps) {
        graft__fail_memory(g, (size_t)out, "resample");
        return NULL;
    }
    double *weight = (double *)(void *)(taps + out);
    for (int64_t i = 0; i < out; i++, weight += most) {
        (n->antialias ? take_filtered : take_neighbours)(&taps[i], weight, n->mode, i, in, out);
        taps[i].weight = weight;
    }
    return taps;
}

/* ---- The grid ---- */

/* [h, w, D] of rows of [..., rows, D]. */
static graft__array as_grid(const graft__array *rows, int dim, int64_t h, int64_t w)
{
    graft__array a = {.data = rows->data, .dtype = rows->dtype, .ndim = 3};
    a.size[0] = h;
    a.size[1] = w;
    a.size[2] = rows->size[dim + 1];
    a.stride[0] = w * rows->stride[dim];
    a.stride[1] = rows->stride[dim];
    a.stride[2] = rows->stride[dim + 1];
    return a;
}

/* src with dimension dim of `out` places, as f64. */
static graft_tensor *resampled(const graft__node *n, graft_ctx *g, const graft__array *src, int dim,
                               int64_t out)
{
    int64_t size[3] = {src->size[0], src->size[1], src->size[2]};
    const int64_t in = size[dim];
    size[dim] = out;
    size_t block = 0;
    graft__taps *taps = taps_new(n, g, in, out, &block);
    graft_tensor *t = taps ? graft__tensor_new(g, n->step->verb, 3, size, GRAFT_F64) : NULL;
    if (t) {
        const graft__array dst = graft__fresh(t);
        graft__weigh(g->pool, &dst, src, dim, taps);
    }
    graft__free(g, taps, block);
    return t;
}

static graft_tensor *run_resample(const graft__node *n, graft_ctx *g, graft_tensor *const *input)
{
    graft_tensor *t = graft__node_result(n, g, n->dtype);
    if (!t)
        return NULL;
    const graft__array src = graft__read(input[0]), dst = graft__fresh(t);
    const int dim = n->dim;
    const int64_t prefix = n->number[PREFIX], h = n->number[TO_H], w = n->number[TO_W];
    const graft__array tokens = graft__array_part(&src, dim, 0, prefix);
    const graft__array same = graft__array_part(&dst, dim, 0, prefix);
    const graft__array old = graft__array_part(&src, dim, prefix, src.size[dim] - prefix);
    const graft__array new = graft__array_part(&dst, dim, prefix, h * w);
    const graft__array from = as_grid(&old, dim, n->number[FROM_H], n->number[FROM_W]);
    const graft__array to = as_grid(&new, dim, h, w);
    graft__copy(g->pool, &same, &tokens);
    graft_tensor *wide = resampled(n, g, &from, 1, w), *full = NULL;
    if (wide) {
        const graft__array half = graft__read(wide);
        full = resampled(n, g, &half, 0, h);
    }
    if (full) {
        const graft__array result = graft__read(full);
        graft__copy(g->pool, &to, &result);
    }
    graft__tensor_unref(wide);
    if (!full) {
        graft__tensor_unref(t);
        return NULL;
    }
    graft__tensor_unref(full);
    return t;
}

static void describe_resample(const graft__node *n, graft__text *out)
{
    const int64_t *const x = n->number;
    graft__text_addf(out,
                     "grid of %" PRId64 "x%" PRId64 " to %" PRId64 "x%" PRId64
                     " (%s%s) behind %" PRId64 " tokens",
                     x[FROM_H], x[FROM_W], x[TO_H], x[TO_W],
                     n->mode == GRAFT__BILINEAR ? "bilinear" : "bicubic",
                     n->antialias ? ", antialias" : "", x[PREFIX]);
}

/* The side of a square of that many places, or 0. */
static int64_t side_of(int64_t places)
{
    int64_t side = (int64_t)sqrt((double)places);
    while (side > 0 && side > places / side)
        side--;
    while ((side + 1) <= places / (side + 1))
        side++;
    return side * side == places ? side : 0;
}

graft__node *graft__node_resample(graft__node *in, const char *name, int64_t prefix, int64_t from_h,
                                  int64_t from_w, int64_t height, int64_t width, int mode,
                                  bool antialias)
{
    static const graft__step step = {"resample", run_resample, describe_resample,
                                     .takes_moments = false};
    graft__node *n = graft__node_on(in, name, &step, 0);
    if (!n || !graft__node_sums(n, name))
        return NULL;
    char text[GRAFT__SHAPE_TEXT];
    graft_shape *const shape = &n->shape;
    graft__shape_text(shape->ndim, shape->size, text);
    if (shape->ndim < 2 || shape->ndim > 3 || (shape->ndim == 3 && shape->size[0] != 1))
        return graft__node_refuse(n, name, GRAFT_ERR_SHAPE,
                                  "shape %s: expected [1, positions, width] or [positions, width]",
                                  text);
    n->dim = shape->ndim - 2;
    n->mode = mode;
    n->antialias = antialias;
    const int64_t places = prefix < 0 ? -1 : shape->size[n->dim] - prefix;
    if (from_h == 0 && places > 0)
        from_h = from_w = side_of(places);
    if (places < 1 || from_h < 1 || from_w < 1 || from_h > places || places / from_h != from_w ||
        places % from_h != 0)
        return graft__node_refuse(n, name, GRAFT_ERR_SHAPE,
                                  "shape %s as %" PRId64 " tokens and a grid of %" PRId64
                                  "x%" PRId64 ": expected them to add up, or a square",
                                  text, prefix, from_h, from_w);
    if (height < 1 || width < 1 || __builtin_mul_overflow(height, width, &shape->size[n->dim]) ||
        __builtin_add_overflow(shape->size[n->dim], prefix, &shape->size[n->dim]))
        return graft__node_refuse(
            n, name, GRAFT_ERR_SHAPE,
            "to a grid of %" PRId64 "x%" PRId64 ": expected 1 or more that fit", height, width);
    const int64_t numbers[] = {prefix, from_h, from_w, height, width};
    memcpy(n->number, numbers, sizeof numbers);
    if (from_h != height || from_w != width)
        return graft__node_made(n, name);
    graft__node_unref(n);
    return graft__node_ref(in);
}
