/* How a reduction walks its arrays, for the files of reduce only. */
#ifndef GRAFT__KERNEL_REDUCE_PLAN_H
#define GRAFT__KERNEL_REDUCE_PLAN_H

#include "base/pool.h"
#include "kernel/array.h"

/* Dimensions that are walked in step, the slowest first: joined where their strides allow it, none
 * of size 1. count: the product of the sizes (1 if there is no dimension). */
typedef struct graft__walk {
    int ndim;
    int64_t count;
    int64_t size[GRAFT_MAX_DIMS];
    int64_t src[GRAFT_MAX_DIMS], dst[GRAFT_MAX_DIMS]; /* strides */
} graft__walk;

/* A partial result of one output element. */
typedef union graft__reduce_slot {
    double f64;
    float f32;
    int64_t i64;
    int32_t i32;
    int16_t i16;
    int8_t i8;
    uint8_t u8;
} graft__reduce_slot;

typedef struct graft__reduce_plan graft__reduce_plan;

/* Outputs that are made at a time. */
enum { GRAFT__REDUCE_BLOCK = 256 };

/* slots[i] = the reduction of output element begin + i over the reduced positions r0..r1-1, for
 * begin..end-1; both count along the walks below. r0 < r1 unless an empty sum is asked for. */
typedef void graft__reduce_range(const graft__reduce_plan *p, int64_t begin, int64_t end,
                                 int64_t r0, int64_t r1, graft__reduce_slot *slots);

/* into[i] = the reduction of into[i] and from[i]. */
typedef void graft__reduce_combine(const graft__reduce_plan *p, int64_t n, graft__reduce_slot *into,
                                   const graft__reduce_slot *from);

/* Writes the results of the output elements begin..begin+n-1 to dst. */
typedef void graft__reduce_store(const graft__reduce_plan *p, int64_t begin, int64_t n,
                                 const graft__reduce_slot *slots);

struct graft__reduce_plan {
    graft__walk kept, reduced;
    graft_dtype dtype; /* of src */
    const void *src;
    void *dst;
    double divisor, beta;
    const void *kernels; /* what range calls, for the processor at hand */
    graft__reduce_range *range;
    graft__reduce_combine *combine;
    graft__reduce_store *store;
};

/* Fills in the walks and the arrays. */
void graft__reduce_prepare(graft__reduce_plan *p, const graft__array *dst, const graft__array *src);

/* Runs it, in parts where that pays. */
void graft__reduce_run(graft__pool *pool, const graft__reduce_plan *p);

/* Whether neighbouring outputs come from neighbouring elements, so that they are best made
 * together, row by row. */
bool graft__reduce_by_columns(const graft__reduce_plan *p);

/* n elements of width bytes one by one, to and from places that lie so many bytes apart. */
void graft__move(int64_t n, void *dst, int64_t to_step, const void *src, int64_t from_step,
                 int64_t width);

/* A graft__reduce_store of what lies in the slots as it is, elements of width bytes. */
void graft__reduce_store_slots(const graft__reduce_plan *p, int64_t begin, int64_t n,
                               const graft__reduce_slot *slots, int64_t width);

/* A place on a walk. */
typedef struct graft__walker {
    int64_t src, dst; /* offsets */
    int64_t index[GRAFT_MAX_DIMS];
} graft__walker;

void graft__walker_start(const graft__walk *w, int64_t position, graft__walker *at);

/* n places on, which must not lead past the end of the innermost dimension. */
static inline void graft__walker_advance(const graft__walk *w, graft__walker *at, int64_t n)
{
    int d = w->ndim - 1;
    if (d < 0)
        return;
    at->index[d] += n;
    at->src += n * w->src[d];
    at->dst += n * w->dst[d];
    while (at->index[d] == w->size[d] && d > 0) {
        at->src += w->src[d - 1] - w->size[d] * w->src[d];
        at->dst += w->dst[d - 1] - w->size[d] * w->dst[d];
        at->index[d] = 0;
        at->index[--d]++;
    }
}

/* How many places are left in the innermost dimension. */
static inline int64_t graft__walker_left(const graft__walk *w, const graft__walker *at)
{
    return w->ndim ? w->size[w->ndim - 1] - at->index[w->ndim - 1] : 1;
}

static inline int64_t graft__min_i64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

#endif
