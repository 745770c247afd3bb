/* What softmax and cross entropy are made of, for the files of these only. */
#ifndef GRAFT__KERNEL_SOFTMAX_KERNELS_H
#define GRAFT__KERNEL_SOFTMAX_KERNELS_H

#include "kernel/softmax.h"
#include "kernel/vmath.h"

/* Lanes that a caller of the kernels takes at a time, at most; see graft__lanes_at_once. */
enum { GRAFT__LANES_MAX = 256 };

/* n up to which the rows of [outer, n, 1] are worked on several at a time. */
enum { GRAFT__NARROW_LANE = 32 };

/* For count lanes from lane `begin`; max, sum, factor and shift have an element for each, of the
 * dtype; x, y, dst point at the first element of all.
 *
 * exps: max = the largest element (NaN does not count), sum = the sum of exp(x - max), which is NaN
 *     if one is. y, if it is not NULL, gets exp(x - max); it is NULL for narrow rows.
 * scale: y *= factor
 * shift: y = (x - max) - shift
 * add_exps: dst = beta * dst + factor * exp(x - max)
 * softmax_backward, log_softmax_backward: as their callers.
 * softmax_narrow, log_softmax_narrow: all of it, for rows of n <= GRAFT__NARROW_LANE elements; y
 * may be x. losses: for rows of n <= GRAFT__NARROW_LANE elements, the sum of their cross entropies
 * with targets that are classes; gradient, if it is not NULL, gets share times the gradient of that
 * sum.
 */
typedef struct graft__softmax_kernels {
    double (*losses)(const graft__vmath *v, int64_t n, int64_t rows, const void *x,
                     const int64_t *target, double share, void *gradient);
    void (*softmax_narrow)(const graft__vmath *v, int64_t n, int64_t rows, const void *x, void *y);
    void (*log_softmax_narrow)(const graft__vmath *v, int64_t n, int64_t rows, const void *x,
                               void *y);
    void (*exps)(const graft__vmath *v, const graft__lanes *l, int64_t begin, int64_t count,
                 const void *x, void *y, void *max, void *sum);
    void (*scale)(const graft__lanes *l, int64_t begin, int64_t count, void *y, const void *factor);
    void (*shift)(const graft__lanes *l, int64_t begin, int64_t count, const void *x, void *y,
                  const void *max, const void *shift);
    void (*add_exps)(const graft__vmath *v, const graft__lanes *l, int64_t begin, int64_t count,
                     const void *x, const void *max, const void *factor, void *dst, double beta);
    void (*softmax_backward)(const graft__lanes *l, int64_t begin, int64_t count, const void *y,
                             const void *dy, void *dx, double beta);
    void (*log_softmax_backward)(const graft__vmath *v, const graft__lanes *l, int64_t begin,
                                 int64_t count, const void *y, const void *dy, void *dx,
                                 double beta);
} graft__softmax_kernels;

static inline bool graft__lanes_narrow(const graft__lanes *l)
{
    return l->inner == 1 && l->n <= GRAFT__NARROW_LANE;
}

const graft__softmax_kernels *graft__softmax_kernels_here(graft_dtype dtype);

/* As many lanes as fit a near cache, at least 1. */
int64_t graft__lanes_at_once(const graft__lanes *l);

/* How many parts the work on all lanes is cut into: 1 where threads do not pay. */
int graft__lanes_parts(graft__pool *pool, const graft__lanes *l);

/* The first lane of a part. */
static inline int64_t graft__lanes_begin(const graft__lanes *l, int parts, int part)
{
    const int64_t all = l->outer * l->inner;
    if (parts == 1)
        return part ? all : 0;
    const int64_t each = all / parts, rest = all % parts;
    return each * part + (part < rest ? part : rest);
}

#endif
