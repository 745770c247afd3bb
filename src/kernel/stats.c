#include "kernel/stats.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "kernel/widen.h"

enum {
    BLOCK = 1024, /* elements, as doubles in the first cache */
    LANES = 8,    /* sums side by side, so that compilers use vectors */
    PART = 8192,  /* elements that a thread takes at once */
    PARTS = 64,   /* of one run */
    BINS = 64
};

/* Bytes of one element: none is in blocks. */
static size_t size_of(graft_dtype dtype)
{
    return graft_dtype_size(dtype);
}

/* ---- One block ---- */

typedef struct found {
    int64_t zeros, nans, infinities;
    double min, max;
    graft__moments moments;
} found;

/* Moves the finite ones to the front; returns how many they are. */
static int64_t drop_others(double *x, int64_t n, found *f)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < n; i++) {
        if (isnan(x[i]))
            f->nans++;
        else if (isinf(x[i]))
            f->infinities++;
        else
            x[kept++] = x[i];
    }
    return kept;
}

static bool all_finite(const double *x, int64_t n)
{
    int64_t others = 0;
    for (int64_t i = 0; i < n; i++)
        others += !(fabs(x[i]) <= DBL_MAX);
    return others == 0;
}

static double total(const double *lane)
{
    return ((lane[0] + lane[1]) + (lane[2] + lane[3])) +
           ((lane[4] + lane[5]) + (lane[6] + lane[7]));
}

/* The sum of x - from, or of its square. */
static double sum_from(const double *x, int64_t n, double from, bool square)
{
    double lane[LANES] = {0};
    int64_t i = 0;
    if (square) {
        for (; i + LANES <= n; i += LANES)
            for (int k = 0; k < LANES; k++)
                lane[k] += (x[i + k] - from) * (x[i + k] - from);
        for (; i < n; i++)
            lane[i % LANES] += (x[i] - from) * (x[i] - from);
    } else {
        for (; i + LANES <= n; i += LANES)
            for (int k = 0; k < LANES; k++)
                lane[k] += x[i + k] - from;
        for (; i < n; i++)
            lane[i % LANES] += x[i] - from;
    }
    return total(lane);
}

static void find_limits(const double *x, int64_t n, found *f)
{
    double low[LANES], high[LANES];
    int64_t zeros = 0, i = 0;
    for (int k = 0; k < LANES; k++) {
        low[k] = INFINITY;
        high[k] = -INFINITY;
    }
    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++) {
            low[k] = x[i + k] < low[k] ? x[i + k] : low[k];
            high[k] = x[i + k] > high[k] ? x[i + k] : high[k];
        }
    for (; i < n; i++) {
        low[0] = x[i] < low[0] ? x[i] : low[0];
        high[0] = x[i] > high[0] ? x[i] : high[0];
    }
    for (i = 0; i < n; i++)
        zeros += x[i] == 0;
    for (int k = 0; k < LANES; k++) {
        f->min = low[k] < f->min ? low[k] : f->min;
        f->max = high[k] > f->max ? high[k] : f->max;
    }
    f->zeros += zeros;
}

/* Two passes over the block, so that a mean far from zero costs no digits. */
static graft__moments moments_of(const double *x, int64_t n)
{
    if (n == 0)
        return (graft__moments){0};
    const double count = (double)n, first = x[0];
    const double mean = first + sum_from(x, n, first, false) / count;
    return (graft__moments){count, mean, sum_from(x, n, mean, true)};
}

/* Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample
 * variances" (1979). */
static graft__moments merge(graft__moments a, graft__moments b)
{
    if (a.count == 0)
        return b;
    if (b.count == 0)
        return a;
    const double count = a.count + b.count, apart = b.mean - a.mean;
    return (graft__moments){
        .count = count,
        .mean = a.mean + apart * (b.count / count),
        .spread = a.spread + b.spread + apart * apart * (a.count * b.count / count),
    };
}

/* ---- Parts ---- */

typedef struct job {
    const char *in;
    int64_t n;
    graft_dtype dtype;
    found *found;           /* one a part; or else: */
    int64_t (*count)[BINS]; /* one a part */
    double min, max, scale;
    double edge[BINS + 1];
    int bins;
} job;

static void look_at_part(void *arg, int part)
{
    const job *j = arg;
    found *f = &j->found[part];
    *f = (found){.min = INFINITY, .max = -INFINITY};
    const int64_t begin = (int64_t)part * PART;
    const int64_t end = j->n - begin < PART ? j->n : begin + PART;
    double x[BLOCK];
    for (int64_t i = begin; i < end; i += BLOCK) {
        int64_t n = end - i < BLOCK ? end - i : BLOCK;
        graft__widen(n, j->in + (size_t)i * size_of(j->dtype), j->dtype, x);
        if (!all_finite(x, n))
            n = drop_others(x, n, f);
        find_limits(x, n, f);
        f->moments = merge(f->moments, moments_of(x, n));
    }
}

static void carry(graft__stats *s, graft__moments m)
{
    int i = 0;
    for (; i + 1 < (int)(sizeof s->level / sizeof *s->level) && (s->blocks >> i & 1); i++)
        m = merge(s->level[i], m);
    s->level[i] = m;
    s->blocks = (s->blocks >> i | 1) << i;
}

void graft__stats_begin(graft__stats *s)
{
    memset(s, 0, sizeof *s);
    s->min = INFINITY;
    s->max = -INFINITY;
}

void graft__stats_add(graft__pool *pool, graft__stats *s, int64_t n, const void *in,
                      graft_dtype dtype)
{
    found f[PARTS];
    const int64_t most = (int64_t)PART * PARTS;
    for (int64_t at = 0; at < n; at += most) {
        const int64_t count = n - at < most ? n - at : most;
        job j = {.in = (const char *)in + (size_t)at * size_of(dtype),
                 .n = count,
                 .dtype = dtype,
                 .found = f};
        const int parts = (int)((count + PART - 1) / PART);
        graft__pool_run(pool, parts, look_at_part, &j);
        for (int i = 0; i < parts; i++) {
            s->zeros += f[i].zeros;
            s->nans += f[i].nans;
            s->infinities += f[i].infinities;
            s->min = f[i].min < s->min ? f[i].min : s->min;
            s->max = f[i].max > s->max ? f[i].max : s->max;
            carry(s, f[i].moments);
        }
    }
}

graft__moments graft__stats_moments(const graft__stats *s)
{
    graft__moments m = {0};
    for (int i = 0; i < (int)(sizeof s->level / sizeof *s->level); i++)
        if (s->blocks >> i & 1)
            m = merge(s->level[i], m);
    return m;
}

/* ---- Bins ---- */

/* By the edges, so that rounding in the division changes nothing. */
static void count_part(void *arg, int part)
{
    const job *j = arg;
    int64_t *count = j->count[part];
    memset(count, 0, BINS * sizeof *count);
    const int64_t begin = (int64_t)part * PART;
    const int64_t end = j->n - begin < PART ? j->n : begin + PART;
    double x[BLOCK];
    for (int64_t i = begin; i < end; i += BLOCK) {
        const int64_t n = end - i < BLOCK ? end - i : BLOCK;
        graft__widen(n, j->in + (size_t)i * size_of(j->dtype), j->dtype, x);
        for (int64_t k = 0; k < n; k++) {
            if (!(x[k] >= j->min && x[k] <= j->max))
                continue;
            int bin = (int)((x[k] * 0.5 - j->min * 0.5) * j->scale);
            bin = bin >= j->bins ? j->bins - 1 : bin;
            while (bin > 0 && x[k] < j->edge[bin])
                bin--;
            while (bin + 1 < j->bins && x[k] >= j->edge[bin + 1])
                bin++;
            count[bin]++;
        }
    }
}

void graft__stats_count(graft__pool *pool, int64_t n, const void *in, graft_dtype dtype, double min,
                        double max, int bins, int64_t *count)
{
    int64_t each[PARTS][BINS];
    /* Halves, as max - min may be too large for a double. */
    const double half = max * 0.5 - min * 0.5;
    job j = {.dtype = dtype, .count = each, .min = min, .max = max, .bins = bins};
    j.scale = half > 0 ? bins / half : 0;
    if (!isfinite(j.scale)) /* of subnormal numbers */
        j.scale = 0;
    const double width = max - min;
    for (int i = 0; i < bins; i++) {
        const double share = (double)i / bins;
        j.edge[i] = isinf(width) ? min + half * share + half * share : min + width * share;
    }
    j.edge[bins] = max;
    const int64_t most = (int64_t)PART * PARTS;
    for (int64_t at = 0; at < n; at += most) {
        j.n = n - at < most ? n - at : most;
        j.in = (const char *)in + (size_t)at * size_of(dtype);
        const int parts = (int)((j.n + PART - 1) / PART);
        graft__pool_run(pool, parts, count_part, &j);
        for (int i = 0; i < parts; i++)
            for (int k = 0; k < bins; k++)
                count[k] += each[i][k];
    }
}
