#include "kernel/losses.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>

#include "kernel/convert.h"

enum { BLOCK = 256 };

typedef struct losses {
    int64_t overflows;
    double error;
} losses;

/* Both are whole: what differs did not fit. */
static void of_integers(int64_t n, const int64_t *x, const int64_t *y, losses *l)
{
    for (int64_t i = 0; i < n; i++)
        l->overflows += x[i] != y[i];
}

/* From i64 to a floating dtype: a double of x would be rounded itself, but what became of it is
 * whole. */
static void of_large(int64_t n, const int64_t *x, const double *y, losses *l)
{
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(y[i])) {
            l->overflows++;
            continue;
        }
        /* modulo 2^64, where one of the two differences is the distance */
        const uint64_t from = (uint64_t)x[i];
        const uint64_t to = y[i] >= 0x1p63 ? UINT64_C(1) << 63 : (uint64_t)(int64_t)y[i];
        const uint64_t distance = to - from < from - to ? to - from : from - to;
        l->error = fmax(l->error, (double)distance);
    }
}

/* Without branches, and without fmax, which is a call. */
static void of_floats(int64_t n, const double *x, const double *y, losses *l)
{
    double largest = l->error;
    int64_t overflows = 0;
    for (int64_t i = 0; i < n; i++) {
        const double error = fabs(x[i] - y[i]);
        const bool finite = error <= DBL_MAX;
        overflows += (fabs(x[i]) <= DBL_MAX) & !(fabs(y[i]) <= DBL_MAX);
        largest = finite && error > largest ? error : largest;
    }
    l->error = largest;
    l->overflows += overflows;
}

/* What has no fractions has neither infinities nor NaN. */
static void of_truncated(int64_t n, const double *x, const double *y, losses *l)
{
    for (int64_t i = 0; i < n; i++) {
        const double error = fabs(x[i] - y[i]);
        if (error < 1)
            l->error = fmax(l->error, error);
        else
            l->overflows++;
    }
}

static void count_block(int64_t n, const void *in, graft_dtype from, const void *out,
                        graft_dtype to, losses *l)
{
    const bool from_floating = graft__element_is_floating(from);
    const bool to_floating = graft__element_is_floating(to);
    int64_t x64[BLOCK], y64[BLOCK];
    double x[BLOCK], y[BLOCK];
    if (!from_floating && !to_floating) {
        graft__convert(n, in, from, x64, GRAFT_I64);
        graft__convert(n, out, to, y64, GRAFT_I64);
        of_integers(n, x64, y64, l);
        return;
    }
    graft__convert(n, out, to, y, GRAFT_F64);
    if (from == GRAFT_I64) {
        of_large(n, in, y, l);
        return;
    }
    graft__convert(n, in, from, x, GRAFT_F64);
    if (to_floating)
        of_floats(n, x, y, l);
    else
        of_truncated(n, x, y, l);
}

/* ---- Which conversions lose nothing ---- */

/* Bits of whole numbers that a dtype holds, and whether they may be negative. */
static int whole_bits(graft_dtype dtype)
{
    static const signed char bits[] = {
        [GRAFT_F32] = 24, [GRAFT_F64] = 53, [GRAFT_F16] = 11, [GRAFT_BF16] = 8, [GRAFT_I64] = 63,
        [GRAFT_I32] = 31, [GRAFT_I16] = 15, [GRAFT_I8] = 7,   [GRAFT_U8] = 8,   [GRAFT_BOOL] = 1,
    };
    return bits[dtype];
}

static bool is_signed(graft_dtype dtype)
{
    return dtype != GRAFT_U8 && dtype != GRAFT_BOOL;
}

bool graft__is_exact(graft_dtype from, graft_dtype to)
{
    if (from == to)
        return true;
    if (graft__element_is_floating(from)) /* neither half holds all numbers of the other */
        return to == GRAFT_F64 || (to == GRAFT_F32 && from != GRAFT_F64);
    return whole_bits(from) <= whole_bits(to) && (is_signed(to) || !is_signed(from));
}

/* ---- All of it, in parts ---- */

enum { PARTS = 64 };

typedef struct job {
    const char *in;
    char *out;
    graft_dtype from, to;
    int64_t n, share, counted;
    losses part[PARTS];
} job;

static int64_t min_i64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* In blocks that stay in the first cache between converting and counting. */
static void work(void *arg, int part)
{
    job *const j = arg;
    const int64_t from_size = (int64_t)graft__element_size(j->from);
    const int64_t to_size = (int64_t)graft__element_size(j->to);
    const int64_t end = min_i64(j->n, (part + 1) * j->share);
    losses l = {0, 0};
    for (int64_t at = part * j->share, count; at < end; at += count) {
        const char *const in = j->in + at * from_size;
        char *const out = j->out + at * to_size;
        count = min_i64(BLOCK, end - at);
        graft__convert(count, in, j->from, out, j->to);
        const int64_t skip = j->counted <= at ? 0 : min_i64(count, j->counted - at);
        if (skip < count)
            count_block(count - skip, in + skip * from_size, j->from, out + skip * to_size, j->to,
                        &l);
    }
    j->part[part] = l;
}

void graft__convert_counting(graft__pool *pool, int64_t n, const void *in, graft_dtype from,
                             void *out, graft_dtype to, int64_t counted, int64_t *overflows,
                             double *error)
{
    const int64_t least = 1 << 16; /* what is worth a part */
    int64_t parts = (n + least - 1) / least;
    parts = parts < PARTS ? parts : PARTS;
    if (n == 0)
        return;
    job j = {.in = in, .out = out, .from = from, .to = to, .n = n, .counted = counted};
    j.share = (n + parts - 1) / parts;
    graft__pool_run(pool, (int)parts, work, &j);
    for (int64_t i = 0; i < parts; i++) {
        *overflows += j.part[i].overflows;
        *error = fmax(*error, j.part[i].error);
    }
}
