#include "kernel/losses.h"

#include <math.h>

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

static void of_floats(int64_t n, const double *x, const double *y, losses *l)
{
    for (int64_t i = 0; i < n; i++) {
        const double error = fabs(x[i] - y[i]);
        if (isfinite(x[i]) && !isfinite(y[i]))
            l->overflows++;
        else if (isfinite(error))
            l->error = fmax(l->error, error);
    }
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

void graft__count_losses(int64_t n, const void *in, graft_dtype from, const void *out,
                         graft_dtype to, int64_t *overflows, double *error)
{
    const char *next = in, *made = out;
    losses l = {0, 0};
    for (int64_t count; n > 0; n -= count) {
        count = n < BLOCK ? n : BLOCK;
        count_block(count, next, from, made, to, &l);
        next += (size_t)count * graft__element_size(from);
        made += (size_t)count * graft__element_size(to);
    }
    *overflows += l.overflows;
    *error = fmax(*error, l.error);
}
