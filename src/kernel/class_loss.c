#include <math.h>
#include <string.h>

#include "kernel/loss.h"
#include "kernel/softmax_kernels.h"

enum {
    PARTS_MAX = 256,
    SMALL = 4096 /* elements */
};

/* What a part of the lanes adds up to. */
typedef struct partial {
    double loss, smooth, weight, count;
    int64_t bad; /* the first lane whose target is no class, or -1 */
    bool plain;  /* the lanes at hand: see is_plain */
} partial;

typedef struct job {
    const graft__class_loss *c;
    const graft__softmax_kernels *kernels;
    const graft__vmath *vmath;
    int parts;
    bool plain;       /* see is_plain; in backward, also that no target is ignored */
    partial *partial; /* of each part */
    void *each;       /* the losses of the lanes, or NULL */
    bool from_logits;
    void *max, *sum; /* of each lane, or NULL */

    /* Backward */
    double target_scale, smooth_scale; /* from dy to the two parts of the loss of a lane */
    double weights;                    /* of all classes */
    const void *dy;
    void *dx;
    double beta;
} job;

/* For the lanes that are worked on at a time. */
typedef union numbers {
    float f32[GRAFT__LANES_MAX];
    double f64[GRAFT__LANES_MAX];
} numbers;

int64_t graft__class_target(const graft__class_loss *c, int64_t lane)
{
    switch (c->target_dtype) {
    case GRAFT_I64:
        return ((const int64_t *)c->target)[lane];
    case GRAFT_I32:
        return ((const int32_t *)c->target)[lane];
    case GRAFT_I16:
        return ((const int16_t *)c->target)[lane];
    case GRAFT_I8:
        return ((const int8_t *)c->target)[lane];
    default:
        return ((const uint8_t *)c->target)[lane];
    }
}

/* Where element k of a lane is. */
static int64_t place_of(const graft__lanes *l, int64_t lane, int64_t k)
{
    if (l->inner == 1)
        return lane * l->n + k;
    return (lane / l->inner * l->n + k) * l->inner + lane % l->inner;
}

static bool is_class(const graft__class_loss *c, int64_t target)
{
    return target >= 0 && target < c->lanes.n;
}

/* Whether neither weights nor options make one lane differ from another, as in most trainings: all
 * that is left to look at are targets that are no classes. */
static bool is_plain(const graft__class_loss *c)
{
    return !c->weight && c->smoothing == 0 && c->reduction != GRAFT__LOSS_EACH &&
           c->target_dtype == GRAFT_I64 && c->lanes.inner == 1 && !is_class(c, c->ignore_index);
}

/* Whether all targets, of i64, are classes. */
static bool all_are_classes(const graft__class_loss *c, int64_t begin, int64_t count)
{
    const uint64_t *target = (const uint64_t *)c->target + begin, last = (uint64_t)c->lanes.n - 1;
    uint64_t signs = 0; /* that of one that is negative, or of what lies beyond the last */
    for (int64_t i = 0; i < count; i++)
        signs |= target[i] | (last - target[i]);
    return c->lanes.n > 0 && (int64_t)signs >= 0;
}

#define TYPE float
#define NAME(x) x##_f32
#include "kernel/class_loss_body.h"

#define TYPE double
#define NAME(x) x##_f64
#include "kernel/class_loss_body.h"

/* The lane among `count` from `begin` that has no class for a target, or -1. */
static int64_t find_bad(const graft__class_loss *c, int64_t begin, int64_t count)
{
    for (int64_t lane = begin; lane < begin + count; lane++) {
        const int64_t t = graft__class_target(c, lane);
        if (!is_class(c, t) && t != c->ignore_index)
            return lane;
    }
    return -1;
}

static void *element(void *data, graft_dtype dtype, int64_t i)
{
    return (char *)data + i * (int64_t)(dtype == GRAFT_F32 ? sizeof(float) : sizeof(double));
}

/* ---- Forward ---- */

static void add_losses(const job *j, int64_t begin, int64_t count, const void *max,
                       const void *log_sum, partial *p)
{
    if (j->c->lanes.dtype == GRAFT_F32)
        losses_f32(j, begin, count, max, log_sum, p);
    else
        losses_f64(j, begin, count, max, log_sum, p);
}

static void add_cross_entropies(const job *j, int64_t begin, int64_t count, partial *p)
{
    const graft__lanes *l = &j->c->lanes;
    numbers own_max, own_sum, log_sum;
    void *max = j->max ? element(j->max, l->dtype, begin) : &own_max;
    void *sum = j->max ? element(j->sum, l->dtype, begin) : &own_sum;
    j->kernels->exps(j->vmath, l, begin, count, j->c->x, NULL, max, sum);
    if (l->dtype == GRAFT_F32)
        j->vmath->log_f32(count, sum, log_sum.f32);
    else
        j->vmath->log_f64(count, sum, log_sum.f64);
    add_losses(j, begin, count, max, &log_sum, p);
}

static void forward_part(void *arg, int part)
{
    const job *j = arg;
    const graft__lanes *l = &j->c->lanes;
    const int64_t end = graft__lanes_begin(l, j->parts, part + 1);
    const int64_t at_once = graft__lanes_at_once(l);
    partial p = {.bad = -1};
    for (int64_t at = graft__lanes_begin(l, j->parts, part); at < end; at += at_once) {
        const int64_t count = end - at < at_once ? end - at : at_once;
        p.plain = j->plain && all_are_classes(j->c, at, count);
        p.bad = p.plain ? -1 : find_bad(j->c, at, count);
        if (p.bad >= 0)
            break;
        if (j->from_logits)
            add_cross_entropies(j, at, count, &p);
        else
            add_losses(j, at, count, NULL, NULL, &p);
    }
    j->partial[part] = p;
}

static double reduced(const graft__class_loss *c, const partial *p)
{
    const bool mean = c->reduction == GRAFT__LOSS_MEAN;
    const double loss = mean ? p->loss / p->weight : p->loss;
    if (c->smoothing == 0)
        return loss;
    const double smooth = mean ? p->smooth / (c->weight ? p->weight : p->count) : p->smooth;
    return (1 - c->smoothing) * loss + c->smoothing / (double)c->lanes.n * smooth;
}

static void set_loss(const graft__class_loss *c, void *loss, double value)
{
    if (c->lanes.dtype == GRAFT_F32)
        *(float *)loss = (float)value;
    else
        *(double *)loss = value;
}

static int64_t forward(graft__pool *pool, job *j, void *loss, graft__class_totals *totals)
{
    const graft__class_loss *c = j->c;
    partial parts[PARTS_MAX];
    j->plain = is_plain(c);
    j->partial = parts;
    j->parts = graft__lanes_parts(pool, &c->lanes);
    j->each = c->reduction == GRAFT__LOSS_EACH ? loss : NULL;
    graft__pool_run(pool, j->parts, forward_part, j);
    partial all = parts[0];
    for (int i = 1; i < j->parts && all.bad < 0; i++) {
        all.loss += parts[i].loss;
        all.smooth += parts[i].smooth;
        all.weight += parts[i].weight;
        all.count += parts[i].count;
        all.bad = parts[i].bad;
    }
    if (all.bad >= 0)
        return all.bad;
    *totals = (graft__class_totals){.weight = all.weight, .count = all.count};
    if (!j->each)
        set_loss(c, loss, reduced(c, &all));
    return -1;
}

/* Whether the gradient is best made with the loss: so few numbers that keeping them costs nothing.
 */
static bool is_small(const graft__lanes *l)
{
    return graft__lanes_narrow(l) && l->outer * l->n <= SMALL;
}

int64_t graft__cross_entropy_memory(const graft__lanes *l)
{
    const int64_t lanes = l->outer * l->inner;
    return is_small(l) && l->n > 2 ? lanes * l->n : 2 * lanes;
}

static void small_cross_entropy(const job *j, void *loss, void *gradient,
                                graft__class_totals *totals)
{
    const graft__class_loss *c = j->c;
    const double rows = (double)c->lanes.outer;
    const double share = c->reduction == GRAFT__LOSS_MEAN ? 1 / rows : 1;
    const double sum =
        j->kernels->losses(j->vmath, c->lanes.n, c->lanes.outer, c->x, c->target, share, gradient);
    set_loss(c, loss, c->reduction == GRAFT__LOSS_MEAN ? sum / rows : sum);
    *totals = (graft__class_totals){.weight = rows, .count = rows, .is_gradient = true};
}

int64_t graft__cross_entropy(graft__pool *pool, const graft__class_loss *c, void *loss,
                             void *memory, graft__class_totals *totals)
{
    const graft__lanes *l = &c->lanes;
    job j = {.c = c,
             .kernels = graft__softmax_kernels_here(l->dtype),
             .vmath = graft__vmath_here(),
             .from_logits = true,
             .max = memory,
             .sum = memory ? element(memory, l->dtype, l->outer * l->inner) : NULL};
    if (!is_small(l) || !is_plain(c) || !all_are_classes(c, 0, l->outer))
        return forward(pool, &j, loss, totals);
    small_cross_entropy(&j, loss, memory, totals);
    return -1;
}

int64_t graft__nll(graft__pool *pool, const graft__class_loss *c, void *loss,
                   graft__class_totals *totals)
{
    job j = {.c = c};
    return forward(pool, &j, loss, totals);
}

/* ---- Backward ---- */

static void backward_part(void *arg, int part)
{
    const job *j = arg;
    const graft__lanes *l = &j->c->lanes;
    const bool wide = l->dtype == GRAFT_F64;
    const int64_t end = graft__lanes_begin(l, j->parts, part + 1);
    const int64_t at_once = graft__lanes_at_once(l);
    for (int64_t at = graft__lanes_begin(l, j->parts, part); at < end; at += at_once) {
        const int64_t count = end - at < at_once ? end - at : at_once;
        if (j->from_logits)
            (wide ? cross_entropy_backward_f64 : cross_entropy_backward_f32)(j, at, count);
        else
            (wide ? nll_backward_f64 : nll_backward_f32)(j, at, count);
    }
}

static double weight_of(const graft__class_loss *c, int64_t k)
{
    return c->lanes.dtype == GRAFT_F32 ? (double)((const float *)c->weight)[k]
                                       : ((const double *)c->weight)[k];
}

static void backward(graft__pool *pool, job *j, const graft__class_totals *totals)
{
    const graft__class_loss *c = j->c;
    const bool mean = c->reduction == GRAFT__LOSS_MEAN;
    j->target_scale = (1 - c->smoothing) / (mean ? totals->weight : 1);
    if (c->smoothing != 0) {
        const double by = !mean ? 1 : c->weight ? totals->weight : totals->count;
        j->smooth_scale = c->smoothing / (double)c->lanes.n / by;
        j->weights = c->weight ? 0 : (double)c->lanes.n;
        for (int64_t k = 0; c->weight && k < c->lanes.n; k++)
            j->weights += weight_of(c, k);
    }
    j->plain = is_plain(c) && totals->count == (double)c->lanes.outer;
    j->parts = graft__lanes_parts(pool, &c->lanes);
    graft__pool_run(pool, j->parts, backward_part, j);
}

void graft__cross_entropy_backward(graft__pool *pool, const graft__class_loss *c,
                                   const void *memory, const graft__class_totals *totals,
                                   const void *dy, void *dx, double beta)
{
    const graft__lanes *l = &c->lanes;
    void *max = (void *)(uintptr_t)memory;
    job j = {.c = c,
             .kernels = graft__softmax_kernels_here(l->dtype),
             .vmath = graft__vmath_here(),
             .from_logits = true,
             .max = max,
             .sum = element(max, l->dtype, l->outer * l->inner),
             .dy = dy,
             .dx = dx,
             .beta = beta};
    if (!totals->is_gradient)
        backward(pool, &j, totals);
    else if (l->dtype == GRAFT_F32)
        add_scaled_f32(l->outer * l->n, memory, *(const float *)dy, dx, beta != 0);
    else
        add_scaled_f64(l->outer * l->n, memory, *(const double *)dy, dx, beta != 0);
}

void graft__nll_backward(graft__pool *pool, const graft__class_loss *c,
                         const graft__class_totals *totals, const void *dy, void *dx, double beta)
{
    const graft__lanes *l = &c->lanes;
    job j = {.c = c, .dy = dy, .dx = dx};
    if (beta == 0)
        memset(dx, 0, (size_t)(l->outer * l->n * l->inner) * graft_dtype_size(l->dtype));
    backward(pool, &j, totals);
}
