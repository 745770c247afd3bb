#include "kernel/equal.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "kernel/convert.h"
#include "kernel/iterate.h"

enum { BLOCK = 256 };

typedef bool test_fn(int64_t n, const void *a, const void *b, const graft__tolerance *tolerance);

typedef struct test_job {
    graft_dtype a, b;
    graft_dtype common; /* what both are converted to, */
    graft_dtype as;     /* and then what they are compared in */
    test_fn *test;
    const graft__tolerance *tolerance;
    atomic_bool *failed; /* by any thread: the others stop */
} test_job;

static bool equal_f32(int64_t n, const void *a, const void *b, const graft__tolerance *tolerance)
{
    (void)tolerance;
    const float *const x = a, *const y = b;
    bool equal = true;
    for (int64_t i = 0; i < n; i++)
        equal &= x[i] == y[i];
    return equal;
}

static bool equal_f64(int64_t n, const void *a, const void *b, const graft__tolerance *tolerance)
{
    (void)tolerance;
    const double *const x = a, *const y = b;
    bool equal = true;
    for (int64_t i = 0; i < n; i++)
        equal &= x[i] == y[i];
    return equal;
}

static bool equal_i64(int64_t n, const void *a, const void *b, const graft__tolerance *tolerance)
{
    (void)tolerance;
    return memcmp(a, b, (size_t)n * sizeof(int64_t)) == 0;
}

static bool close_f64(int64_t n, const void *a, const void *b, const graft__tolerance *tolerance)
{
    const double *const x = a, *const y = b;
    for (int64_t i = 0; i < n; i++) {
        const double distance = fabs(x[i] - y[i]);
        const bool close =
            x[i] == y[i] ||
            (isfinite(distance) && distance <= tolerance->atol + tolerance->rtol * fabs(y[i])) ||
            (tolerance->equal_nan && isnan(x[i]) && isnan(y[i]));
        if (!close)
            return false;
    }
    return true;
}

static bool close_i64(int64_t n, const void *a, const void *b, const graft__tolerance *tolerance)
{
    const int64_t *const x = a, *const y = b;
    for (int64_t i = 0; i < n; i++) {
        const uint64_t distance =
            x[i] > y[i] ? (uint64_t)x[i] - (uint64_t)y[i] : (uint64_t)y[i] - (uint64_t)x[i];
        if (distance != 0 &&
            !((double)distance <= tolerance->atol + tolerance->rtol * fabs((double)y[i])))
            return false;
    }
    return true;
}

static void load(const test_job *job, int64_t n, const char *in, int64_t step, graft_dtype from,
                 void *out)
{
    if (job->common == job->as) {
        graft__convert_steps(n, in, step, from, out, job->as);
        return;
    }
    uint64_t block[BLOCK];
    graft__convert_steps(n, in, step, from, block, job->common);
    graft__convert(n, block, job->common, out, job->as);
}

static void test_loop(int64_t n, char *const *p, const int64_t *step, const void *arg)
{
    const test_job *const job = arg;
    const char *a = p[0], *b = p[1];
    uint64_t block[2][BLOCK];
    for (int64_t count; n > 0; n -= count) {
        if (atomic_load_explicit(job->failed, memory_order_relaxed))
            return;
        count = n < BLOCK ? n : BLOCK;
        load(job, count, a, step[0], job->a, block[0]);
        load(job, count, b, step[1], job->b, block[1]);
        if (!job->test(count, block[0], block[1], job->tolerance))
            atomic_store_explicit(job->failed, true, memory_order_relaxed);
        a += count * step[0];
        b += count * step[1];
    }
}

static bool test_all(graft__pool *pool, const graft__array *a, const graft__array *b, test_job *job)
{
    const graft__array *const arrays[] = {a, b};
    atomic_bool failed = false;
    job->a = a->dtype;
    job->b = b->dtype;
    job->failed = &failed;
    graft__iterate(pool, 2, arrays, 1, test_loop, job);
    return !failed;
}

bool graft__all_equal(graft__pool *pool, const graft__array *a, const graft__array *b,
                      graft_dtype dtype)
{
    test_job job = {.common = dtype, .as = GRAFT_I64, .test = equal_i64};
    if (dtype == GRAFT_F64) {
        job.as = GRAFT_F64;
        job.test = equal_f64;
    } else if (graft__element_is_floating(dtype)) {
        job.as = GRAFT_F32;
        job.test = equal_f32;
    }
    return test_all(pool, a, b, &job);
}

bool graft__all_close(graft__pool *pool, const graft__array *a, const graft__array *b,
                      const graft__tolerance *tolerance)
{
    test_job job = {
        .common = GRAFT_F64, .as = GRAFT_F64, .test = close_f64, .tolerance = tolerance};
    if (!graft__element_is_floating(a->dtype) && !graft__element_is_floating(b->dtype)) {
        job.common = job.as = GRAFT_I64;
        job.test = close_i64;
    }
    return test_all(pool, a, b, &job);
}
