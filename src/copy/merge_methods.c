/* The methods: what each needs, and what it makes of a block. docs/merging.md has the formulas. */
#include <math.h>
#include <string.h>

#include "base/ctx.h"
#include "copy/merge.h"
#include "kernel/convert.h"

static const void *source(const graft__merge_block *b, int64_t i)
{
    return graft__merge_source_of(b, i, GRAFT__MERGE_X);
}

static const void *base_of(const graft__merge_block *b)
{
    return graft__merge_source_of(b, b->job->n, GRAFT__MERGE_BASE);
}

static void *out_of(const graft__merge_block *b)
{
    return graft__merge_array(b, GRAFT__MERGE_OUT);
}

static void clear(const graft__merge_block *b)
{
    memset(out_of(b), 0, (size_t)b->count * (b->job->f64 ? sizeof(double) : sizeof(float)));
}

/* ---- Sums of the sources ---- */

static void compute_sum(const graft__merge_block *b)
{
    const graft__merge_job *job = b->job;
    graft__merge_scale(job->f64, b->count, job->weight[0], source(b, 0), out_of(b));
    for (int64_t i = 1; i < job->n; i++)
        graft__merge_add(job->f64, b->count, job->weight[i], source(b, i), out_of(b));
}

static void compute_mean(const graft__merge_block *b)
{
    compute_sum(b);
    graft__merge_divide(b->job->f64, b->count, (double)b->job->n, out_of(b));
}

static void compute_weighted(const graft__merge_block *b)
{
    double sum = 0;
    for (int64_t i = 0; i < b->job->n; i++)
        sum += b->job->weight[i];
    compute_sum(b);
    if (b->job->normalise)
        graft__merge_divide(b->job->f64, b->count, sum, out_of(b));
}

static void compute_ema(const graft__merge_block *b)
{
    const graft__merge_job *job = b->job;
    graft__merge_scale(job->f64, b->count, 1, source(b, 0), out_of(b));
    for (int64_t i = 1; i < job->n; i++) {
        graft__merge_scale_in_place(job->f64, b->count, job->decay, out_of(b));
        graft__merge_add(job->f64, b->count, 1 - job->decay, source(b, i), out_of(b));
    }
}

/* ---- SLERP ---- */

/* Blocks of a piece at a time, each its own sums, added in their order: threads change nothing. */
enum { SUMS = 64 };

typedef struct products {
    int64_t first;
    double sum[SUMS][3];
} products;

static void add_products(void *user, const graft__merge_block *b)
{
    products *p = user;
    graft__merge_products(b->job->f64, b->count, source(b, 0),
                          graft__merge_source_of(b, 1, GRAFT__MERGE_BASE),
                          p->sum[(b->first - p->first) / GRAFT__MERGE_BLOCK]);
}

/* x.y, x.x and y.y. */
static bool sum_products(const graft__merge_job *job, graft_ctx *g, double out[3])
{
    products p = {.first = 0};
    const int64_t most = (int64_t)SUMS * GRAFT__MERGE_BLOCK;
    while (p.first < job->numel) {
        const int64_t left = job->numel - p.first, count = left < most ? left : most;
        if (!graft__merge_walk(job, g, p.first, count, add_products, &p))
            return false;
        for (int64_t i = 0; i * GRAFT__MERGE_BLOCK < count; i++)
            for (int k = 0; k < 3; k++)
                out[k] += p.sum[i][k];
        p.first += count;
    }
    return true;
}

static bool prepare_slerp(graft__merge_job *job, graft_ctx *g)
{
    double sum[3] = {0};
    if (!sum_products(job, g, sum))
        return false;
    const double cosine = sum[0] / (sqrt(sum[1]) * sqrt(sum[2]));
    job->weight[0] = 1 - job->t;
    job->weight[1] = job->t;
    if (fabs(cosine) <= 0.9995) { /* not so if a norm is 0 or not finite */
        const double angle = acos(cosine);
        job->weight[0] = sin((1 - job->t) * angle) / sin(angle);
        job->weight[1] = sin(job->t * angle) / sin(angle);
    }
    return true;
}

/* ---- Deltas from a base ---- */

static void compute_task(const graft__merge_block *b)
{
    const graft__merge_job *job = b->job;
    const void *base = base_of(b);
    clear(b);
    for (int64_t i = 0; i < job->n; i++)
        graft__merge_add_delta(job->f64, b->count, job->weight[i], source(b, i), base, out_of(b));
    graft__merge_apply(job->f64, b->count, job->scale, base, out_of(b));
}

static void compute_ties(const graft__merge_block *b)
{
    const graft__merge_job *job = b->job;
    const void *base = base_of(b);
    const graft__elected e = {
        .all = out_of(b),
        .positive = graft__merge_array(b, GRAFT__MERGE_SUMS),
        .negative = graft__merge_array(b, GRAFT__MERGE_SUMS + 1),
        .positive_weight = graft__merge_array(b, GRAFT__MERGE_SUMS + 2),
        .negative_weight = graft__merge_array(b, GRAFT__MERGE_SUMS + 3),
    };
    graft__elect_begin(job->f64, b->count, &e);
    for (int64_t i = 0; i < job->n; i++)
        graft__elect_add(job->f64, b->count, job->weight[i], job->threshold[i], source(b, i), base,
                         &e);
    graft__elect_end(job->f64, b->count, job->normalise, &e);
    graft__merge_apply(job->f64, b->count, job->scale, base, out_of(b));
}

static void compute_dare(const graft__merge_block *b)
{
    const graft__merge_job *job = b->job;
    const void *base = base_of(b);
    const uint64_t below = (uint64_t)ceil(job->density * 0x1p32);
    clear(b);
    for (int64_t i = 0; i < job->n && below > 0; i++)
        graft__merge_add_dropped(job->f64, b->count, job->weight[i] / job->density, job->seed,
                                 job->stream ^ (uint64_t)i << 32, below, b->first, source(b, i),
                                 base, out_of(b));
    graft__merge_apply(job->f64, b->count, job->scale, base, out_of(b));
}

/* ---- Integers ---- */

static void compute_largest(const graft__merge_block *b)
{
    const graft_dtype dtype = b->job->dtype;
    const size_t width = graft_dtype_size(dtype);
    for (int64_t i = 0; i < b->job->n; i++) {
        const char *raw = (const char *)b->raw[i] + (size_t)b->skip * width;
        if (i == 0)
            memcpy(out_of(b), raw, (size_t)b->count * width);
        else
            graft__merge_max(dtype, b->count, raw, out_of(b));
    }
}

const graft__merge_method graft__merge_largest = {
    .name = "max", .in_dtype = true, .compute = compute_largest};

/* ---- The table ---- */

static const graft__merge_method methods[] = {
    [GRAFT_MERGE_MEAN] = {.name = "mean", .compute = compute_mean},
    [GRAFT_MERGE_WEIGHTED] = {.name = "weighted", .weights = true, .compute = compute_weighted},
    [GRAFT_MERGE_EMA] = {.name = "ema", .compute = compute_ema},
    [GRAFT_MERGE_SLERP] = {.name = "slerp",
                           .t = true,
                           .sources = 2,
                           .prepare = prepare_slerp,
                           .compute = compute_sum},
    [GRAFT_MERGE_TASK] =
        {.name = "task", .base = true, .weights = true, .scale = true, .compute = compute_task},
    [GRAFT_MERGE_TIES] = {.name = "ties",
                          .base = true,
                          .weights = true,
                          .scale = true,
                          .density = true,
                          .prepare = graft__merge_select,
                          .compute = compute_ties},
    [GRAFT_MERGE_DARE] = {.name = "dare",
                          .base = true,
                          .weights = true,
                          .scale = true,
                          .density = true,
                          .compute = compute_dare},
};

const graft__merge_method *graft__merge_method_of(graft_merge_method method)
{
    const size_t i = (size_t)method;
    return i < sizeof methods / sizeof *methods ? &methods[i] : NULL;
}

const char *graft_merge_method_name(graft_merge_method method)
{
    const graft__merge_method *m = graft__merge_method_of(method);
    return m ? m->name : "?";
}
