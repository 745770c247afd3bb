/* Resizing: rows are cut off, or new ones come behind. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "copy/node_make.h"
#include "kernel/copy.h"
#include "kernel/elementwise.h"
#include "kernel/gemm.h"
#include "kernel/weigh.h"

/* Elements of f64 that are held at once beside the values themselves: 16 MB. */
static const int64_t HELD = 2 << 20;

/* A new contiguous f64 tensor with rows of the elements of one index of dim. */
static graft_tensor *f64_rows(const graft__node *n, graft_ctx *g, int64_t rows)
{
    graft_shape shape = n->shape;
    shape.size[n->dim] = rows;
    return graft__tensor_new(g, n->step->verb, shape.ndim, shape.size, GRAFT_F64);
}

/* The mean of src along dim, size 1 there. */
static graft_tensor *mean_of(const graft__node *n, graft_ctx *g, const graft__array *src)
{
    graft_tensor *mean = f64_rows(n, g, 1);
    if (mean) {
        const graft__array sum = graft__fresh(mean);
        const graft__taps all = {.first = 0, .count = src->size[n->dim], .weight = NULL};
        graft__weigh(g->pool, &sum, src, n->dim, &all);
        graft__map(g->pool, GRAFT__DIV_S, (double)all.count, &sum, &sum, NULL, NULL);
    }
    return mean;
}

/* The same mean for each of `rows` places. */
static graft__array spread(const graft__array *mean, int dim, int64_t rows)
{
    graft__array a = *mean;
    a.size[dim] = rows;
    a.stride[dim] = 0;
    return a;
}

/* Memory of rows that lie one behind the other whatever dim is: dim is their distance. */
static graft__array row_major(double *data, const graft__array *like, int dim, int64_t rows)
{
    graft__array a = *like;
    a.data = data;
    a.dtype = GRAFT_F64;
    a.size[dim] = 1;
    graft__contiguous_strides(a.ndim, a.size, a.stride);
    a.stride[dim] = 1;
    for (int d = 0; d < a.ndim; d++)
        if (d != dim)
            a.stride[dim] *= a.size[d];
    a.size[dim] = rows;
    return a;
}

/* What fill_normal works in. */
typedef struct normal {
    int64_t old_rows, width; /* width: elements of a row */
    int64_t block, batch;    /* old and new rows at a time */
    double *centred;         /* [block, width] */
    double *z;               /* [batch, old_rows] */
    double *sum;             /* [batch, width] */
} normal;

/* batch new rows: to = mean + scale * z centred. */
static void draw_rows(graft_ctx *g, const graft__node *n, const normal *w, const graft__array *src,
                      const graft__array *mean, const graft__array *to)
{
    const int64_t rows = to->size[n->dim];
    const double scale = sqrt(1e-9 / (double)w->old_rows);
    for (int64_t at = 0; at < w->old_rows; at += w->block) {
        const int64_t count = w->old_rows - at < w->block ? w->old_rows - at : w->block;
        const graft__array old = graft__array_part(src, n->dim, at, count);
        const graft__array centred = row_major(w->centred, src, n->dim, count);
        const graft__array means = spread(mean, n->dim, count);
        graft__copy(g->pool, &centred, &old);
        graft__map(g->pool, GRAFT__SUB, 0, &centred, &centred, &means, NULL);
        const graft__gemm product = {.m = rows,
                                     .n = w->width,
                                     .k = count,
                                     .lda = w->old_rows,
                                     .ldb = w->width,
                                     .ldc = w->width,
                                     .alpha = scale,
                                     .beta = at > 0};
        graft__gemm_f64(g->pool, &product, w->z + at, w->centred, w->sum);
    }
    const graft__array sum = row_major(w->sum, src, n->dim, rows);
    const graft__array means = spread(mean, n->dim, rows);
    graft__map(g->pool, GRAFT__ADD, 0, &sum, &sum, &means, NULL);
    graft__copy(g->pool, to, &sum);
}

/* Rows of a normal distribution with the mean of the old rows and 1e-9 times their covariance C, as
 * resize_token_embeddings of Hugging Face draws them. With z of independent standard normals,
 * mean + sqrt(1e-9 / N) sum_j z_j (x_j - mean) over the N old rows is normal with that mean, and
 * its covariance is 1e-9 / N sum_j (x_j - mean)(x_j - mean)^T = 1e-9 C: no factor of C is needed.
 * The numbers are those of a generator of our own with the seed, N for each new row. */
static bool fill_normal(const graft__node *n, graft_ctx *g, const graft__array *src,
                        const graft__array *mean, const graft__array *fresh)
{
    graft__random random;
    graft__random_seed(&random, n->seed);
    normal w = {.old_rows = src->size[n->dim], .width = 1};
    for (int d = 0; d < src->ndim; d++)
        w.width *= d == n->dim ? 1 : src->size[d];
    const int64_t rows = fresh->size[n->dim];
    w.block = w.width > 0 ? HELD / 2 / w.width + 1 : 1;
    w.block = w.block < w.old_rows ? w.block : w.old_rows;
    w.batch = HELD / w.old_rows + 1;
    w.batch = w.batch < rows ? w.batch : rows;
    const int64_t sizes[] = {w.block * w.width, w.batch * w.old_rows, w.batch * w.width};
    double **const places[] = {&w.centred, &w.z, &w.sum};
    graft_tensor *memory[3] = {0};
    bool ok = true;
    for (int i = 0; i < 3 && ok; i++) {
        memory[i] = graft__tensor_new(g, n->step->verb, 1, &sizes[i], GRAFT_F64);
        ok = memory[i] != NULL;
        if (ok)
            *places[i] = graft__fresh(memory[i]).data;
    }
    for (int64_t at = 0; at < rows && ok; at += w.batch) {
        const int64_t count = rows - at < w.batch ? rows - at : w.batch;
        const graft__array to = graft__array_part(fresh, n->dim, at, count);
        for (int64_t i = 0; i < count; i++)
            graft__random_normal_f64(&random, w.old_rows, w.z + i * w.old_rows, 0, 1);
        draw_rows(g, n, &w, src, mean, &to);
    }
    for (int i = 0; i < 3; i++)
        graft__tensor_unref(memory[i]);
    return ok;
}

static bool fill_new(const graft__node *n, graft_ctx *g, graft_tensor *const *input,
                     const graft__array *fresh)
{
    const graft__filling fill = n->moment ? GRAFT__FILL_ZEROS : n->fill;
    const graft__array src = graft__read(input[0]);
    if (fill == GRAFT__FILL_ZEROS) {
        graft__array_zero(g, fresh);
        return true;
    }
    if (fill == GRAFT__FILL_INITIAL) {
        const graft__array initial = graft__read(input[1]);
        const graft__array own =
            graft__array_part(&initial, n->dim, src.size[n->dim], fresh->size[n->dim]);
        graft__copy(g->pool, fresh, &own);
        return true;
    }
    graft_tensor *mean = mean_of(n, g, &src);
    bool ok = mean != NULL;
    if (ok) {
        const graft__array one = graft__fresh(mean);
        const graft__array means = spread(&one, n->dim, fresh->size[n->dim]);
        if (fill == GRAFT__FILL_MEAN)
            graft__copy(g->pool, fresh, &means);
        else
            ok = fill_normal(n, g, &src, &one, fresh);
    }
    graft__tensor_unref(mean);
    return ok;
}

static graft_tensor *run_resize(const graft__node *n, graft_ctx *g, graft_tensor *const *input)
{
    graft_tensor *t = graft__node_result(n, g, n->dtype);
    if (!t)
        return NULL;
    const graft__array src = graft__read(input[0]), dst = graft__fresh(t);
    const int64_t have = src.size[n->dim];
    const graft__array kept = graft__array_part(&dst, n->dim, 0, have);
    const graft__array fresh = graft__array_part(&dst, n->dim, have, dst.size[n->dim] - have);
    graft__copy(g->pool, &kept, &src);
    if (t->numel == 0 || fill_new(n, g, input, &fresh))
        return t;
    graft__tensor_unref(t);
    return NULL;
}

static void describe_resize(const graft__node *n, graft__text *out)
{
    static const char *const fills[] = {
        [GRAFT__FILL_ZEROS] = "new ones 0",
        [GRAFT__FILL_MEAN] = "new ones the mean of the old",
        [GRAFT__FILL_NORMAL] = "new ones around the mean of the old",
        [GRAFT__FILL_INITIAL] = "new ones at their initial values",
    };
    graft__text_addf(out, "dim %d from %" PRId64 " to %" PRId64 ", %s", n->dim,
                     n->input[0]->shape.size[n->dim], n->shape.size[n->dim], fills[n->fill]);
}

/* Takes the target's own value along; false, with n gone, if it does not fit. */
static bool take_initial(graft__node *n, const char *name, graft_tensor *initial)
{
    char want[GRAFT__SHAPE_TEXT], have[GRAFT__SHAPE_TEXT];
    if (!initial) {
        graft__node_refuse(n, name, GRAFT_ERR_ARGUMENT,
                           "the target has no initial values for what is new");
        return false;
    }
    bool fits = initial->ndim == n->shape.ndim &&
                (initial->dtype == n->dtype ||
                 (graft_dtype_computes(initial->dtype) && graft_dtype_computes(n->dtype)));
    for (int d = 0; fits && d < initial->ndim; d++)
        fits = initial->size[d] == n->shape.size[d];
    if (!fits) {
        graft__node_refuse(
            n, name, GRAFT_ERR_SHAPE, "initial values of shape %s, %s: expected shape %s, %s",
            graft__tensor_shape_text(initial, have), graft_dtype_name(initial->dtype),
            graft__shape_text(n->shape.ndim, n->shape.size, want), graft_dtype_name(n->dtype));
        return false;
    }
    graft__node *own = graft__node_constant(initial);
    if (!own) {
        graft__node_unref(n);
        return false;
    }
    const bool added = graft__node_add(n, name, own);
    graft__node_unref(own);
    return added;
}

static graft__node *grow(graft__node *n, const char *name, int64_t size, graft__filling fill,
                         uint64_t seed, graft_tensor *initial)
{
    const int64_t have = n->shape.size[n->dim];
    n->shape.size[n->dim] = size;
    n->fill = fill;
    n->seed = seed;
    const bool sums = fill == GRAFT__FILL_MEAN || fill == GRAFT__FILL_NORMAL;
    if (sums && !graft__node_sums(n, name))
        return NULL;
    if (sums && have == 0)
        return graft__node_refuse(n, name, GRAFT_ERR_SHAPE, "there are none to take the mean of");
    if (fill == GRAFT__FILL_ZEROS && n->dtype == GRAFT_F8_E8M0FNU)
        return graft__node_refuse(n, name, GRAFT_ERR_DTYPE, "%s has no 0",
                                  graft_dtype_name(n->dtype));
    if (fill == GRAFT__FILL_INITIAL && !take_initial(n, name, initial))
        return NULL;
    return graft__node_made(n, name);
}

graft__node *graft__node_resize(graft__node *in, const char *name, int dim, int64_t size,
                                graft__filling fill, uint64_t seed, graft_tensor *initial)
{
    static const graft__step step = {"resize", run_resize, describe_resize, .takes_moments = true};
    graft__node *n = graft__node_on(in, name, &step, GRAFT__TAKES_BLOCKS);
    const int d = n ? graft__node_dim(n, name, dim, 0) : -1;
    if (d < 0)
        return NULL;
    n->dim = d;
    if (size < 0)
        return graft__node_refuse(n, name, GRAFT_ERR_SHAPE, "to %" PRId64 ": expected 0 or more",
                                  size);
    const int64_t have = in->shape.size[d];
    if (size > have && graft_dtype_size(in->dtype) == 0)
        return graft__node_refuse(n, name, GRAFT_ERR_DTYPE,
                                  "%s comes in blocks of several elements: dequantise it first",
                                  graft_dtype_name(in->dtype));
    if (size > have)
        return grow(n, name, size, fill, seed, initial);
    graft__node_unref(n);
    return size == have ? graft__node_ref(in) : graft__node_slice(in, name, d, 0, size);
}
