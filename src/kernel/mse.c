#include "kernel/loss.h"
#include "kernel/target.h"

enum {
    CHUNK = 4096,         /* elements whose squares are added up before they join the rest */
    SERIAL = 65536,       /* elements below which threads do not pay */
    PART = 16384,         /* elements that a part has at least */
    PARTS_PER_THREAD = 4, /* so that a late worker does not hold up the rest */
    PARTS_MAX = 256
};

typedef struct job {
    graft_dtype dtype;
    int64_t n;
    const void *x, *t;
    void *each;      /* the losses, or NULL: their sum is wanted */
    double *partial; /* of each part */
    const void *dy;
    bool dy_each;
    double scale;
    void *dx;
    bool add;
    int parts;
} job;

#define TYPE float
#define NAME(x) x##_f32
#define TARGET
#include "kernel/mse_body.h"

#define TYPE double
#define NAME(x) x##_f64
#define TARGET
#include "kernel/mse_body.h"

static int64_t part_begin(const job *j, int part)
{
    const int64_t each = j->n / j->parts, rest = j->n % j->parts;
    return each * part + (part < rest ? part : rest);
}

static int parts_of(graft__pool *pool, int64_t n)
{
    const int threads = graft__pool_threads(pool);
    if (threads == 1 || n < SERIAL)
        return 1;
    return (int)(n / PART < PARTS_PER_THREAD * threads ? n / PART : PARTS_PER_THREAD * threads);
}

static void forward_part(void *arg, int part)
{
    const job *j = arg;
    const int64_t begin = part_begin(j, part), end = part_begin(j, part + 1);
    if (j->each)
        (j->dtype == GRAFT_F32 ? squares_f32 : squares_f64)(j, begin, end);
    else
        j->partial[part] = (j->dtype == GRAFT_F32 ? sum_f32 : sum_f64)(j, begin, end);
}

static void backward_part(void *arg, int part)
{
    const job *j = arg;
    const int64_t begin = part_begin(j, part), end = part_begin(j, part + 1);
    (j->dtype == GRAFT_F32 ? backward_f32 : backward_f64)(j, begin, end);
}

void graft__mse(graft__pool *pool, graft_dtype dtype, int64_t n, const void *x, const void *t,
                graft__loss_reduction reduction, void *loss)
{
    double partial[PARTS_MAX], sum = 0;
    job j = {.dtype = dtype, .n = n, .x = x, .t = t, .partial = partial};
    j.each = reduction == GRAFT__LOSS_EACH ? loss : NULL;
    j.parts = parts_of(pool, n);
    graft__pool_run(pool, j.parts, forward_part, &j);
    if (j.each)
        return;
    for (int i = 0; i < j.parts; i++)
        sum += partial[i];
    if (reduction == GRAFT__LOSS_MEAN)
        sum /= (double)n;
    if (dtype == GRAFT_F32)
        *(float *)loss = (float)sum;
    else
        *(double *)loss = sum;
}

void graft__mse_backward(graft__pool *pool, graft_dtype dtype, int64_t n, const void *x,
                         const void *t, const void *dy, bool each, double scale, void *dx,
                         double beta)
{
    job j = {.dtype = dtype,
             .n = n,
             .x = x,
             .t = t,
             .dy = dy,
             .dy_each = each,
             .scale = scale,
             .dx = dx,
             .add = beta != 0};
    j.parts = parts_of(pool, n);
    graft__pool_run(pool, j.parts, backward_part, &j);
}
