#include "kernel/softmax.h"

#include "kernel/softmax_kernels.h"

typedef struct job {
    const graft__lanes *lanes;
    const graft__softmax_kernels *kernels;
    const graft__vmath *vmath;
    int parts;
    void (*run)(const struct job *j, int64_t begin, int64_t count);
    const void *x, *dy;
    void *y;
    double beta;
} job;

/* For the lanes that are worked on at a time. */
typedef union numbers {
    float f32[GRAFT__LANES_MAX];
    double f64[GRAFT__LANES_MAX];
} numbers;

static void invert(graft_dtype dtype, int64_t n, numbers *x)
{
    if (dtype == GRAFT_F32)
        for (int64_t i = 0; i < n; i++)
            x->f32[i] = 1 / x->f32[i];
    else
        for (int64_t i = 0; i < n; i++)
            x->f64[i] = 1 / x->f64[i];
}

static void take_log(const graft__vmath *v, graft_dtype dtype, int64_t n, numbers *x)
{
    if (dtype == GRAFT_F32)
        v->log_f32(n, x->f32, x->f32);
    else
        v->log_f64(n, x->f64, x->f64);
}

static size_t row_offset(const graft__lanes *l, int64_t begin)
{
    return (size_t)(begin * l->n) * graft_dtype_size(l->dtype);
}

static void run_softmax(const job *j, int64_t begin, int64_t count)
{
    if (graft__lanes_narrow(j->lanes)) {
        const size_t at = row_offset(j->lanes, begin);
        j->kernels->softmax_narrow(j->vmath, j->lanes->n, count, (const char *)j->x + at,
                                   (char *)j->y + at);
        return;
    }
    numbers max, sum;
    j->kernels->exps(j->vmath, j->lanes, begin, count, j->x, j->y, &max, &sum);
    invert(j->lanes->dtype, count, &sum);
    j->kernels->scale(j->lanes, begin, count, j->y, &sum);
}

static void run_log_softmax(const job *j, int64_t begin, int64_t count)
{
    if (graft__lanes_narrow(j->lanes)) {
        const size_t at = row_offset(j->lanes, begin);
        j->kernels->log_softmax_narrow(j->vmath, j->lanes->n, count, (const char *)j->x + at,
                                       (char *)j->y + at);
        return;
    }
    numbers max, sum;
    j->kernels->exps(j->vmath, j->lanes, begin, count, j->x, NULL, &max, &sum);
    take_log(j->vmath, j->lanes->dtype, count, &sum);
    j->kernels->shift(j->lanes, begin, count, j->x, j->y, &max, &sum);
}

static void run_softmax_backward(const job *j, int64_t begin, int64_t count)
{
    j->kernels->softmax_backward(j->lanes, begin, count, j->x, j->dy, j->y, j->beta);
}

static void run_log_softmax_backward(const job *j, int64_t begin, int64_t count)
{
    j->kernels->log_softmax_backward(j->vmath, j->lanes, begin, count, j->x, j->dy, j->y, j->beta);
}

static void run_part(void *arg, int part)
{
    const job *j = arg;
    const int64_t end = graft__lanes_begin(j->lanes, j->parts, part + 1);
    const int64_t at_once = graft__lanes_at_once(j->lanes);
    for (int64_t at = graft__lanes_begin(j->lanes, j->parts, part); at < end; at += at_once)
        j->run(j, at, end - at < at_once ? end - at : at_once);
}

static void run(graft__pool *pool, job *j)
{
    j->kernels = graft__softmax_kernels_here(j->lanes->dtype);
    j->vmath = graft__vmath_here();
    j->parts = graft__lanes_parts(pool, j->lanes);
    graft__pool_run(pool, j->parts, run_part, j);
}

void graft__softmax(graft__pool *pool, const graft__lanes *l, const void *x, void *y)
{
    run(pool, &(job){.lanes = l, .run = run_softmax, .x = x, .y = y});
}

void graft__log_softmax(graft__pool *pool, const graft__lanes *l, const void *x, void *y)
{
    run(pool, &(job){.lanes = l, .run = run_log_softmax, .x = x, .y = y});
}

void graft__softmax_backward(graft__pool *pool, const graft__lanes *l, const void *y,
                             const void *dy, void *dx, double beta)
{
    run(pool,
        &(job){.lanes = l, .run = run_softmax_backward, .x = y, .dy = dy, .y = dx, .beta = beta});
}

void graft__log_softmax_backward(graft__pool *pool, const graft__lanes *l, const void *y,
                                 const void *dy, void *dx, double beta)
{
    run(pool,
        &(job){
            .lanes = l, .run = run_log_softmax_backward, .x = y, .dy = dy, .y = dx, .beta = beta});
}
