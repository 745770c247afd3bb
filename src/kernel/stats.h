/* Numbers on many elements, in double precision and in one pass. */
#ifndef GRAFT__KERNEL_STATS_H
#define GRAFT__KERNEL_STATS_H

#include "base/pool.h"
#include "graft/tensor.h"

/* Of finite elements: how many, their mean, and the sum of their squared distances from it. */
typedef struct graft__moments {
    double count, mean, spread;
} graft__moments;

/* What is known of the elements so far. Moments of equally many blocks are merged in pairs, as
 * carries are in a binary counter: the error grows with the logarithm of their number. */
typedef struct graft__stats {
    int64_t zeros, nans, infinities;
    double min, max; /* infinite, the wrong way round, where there is no finite element */
    graft__moments level[48];
    uint64_t blocks; /* bit i: level[i] is in use */
} graft__stats;

void graft__stats_begin(graft__stats *s);

/* n more contiguous elements, of a dtype of numbers (kernel/widen.h). The result depends on how the
 * elements are divided among calls, and on nothing else. */
void graft__stats_add(graft__pool *pool, graft__stats *s, int64_t n, const void *in,
                      graft_dtype dtype);

/* Of all. */
graft__moments graft__stats_moments(const graft__stats *s);

/* Counts the finite elements by the bin they lie in: `bins` (at most 64) equal steps from min to
 * max (which must be larger), the last with its end, as numpy.histogram has them. */
void graft__stats_count(graft__pool *pool, int64_t n, const void *in, graft_dtype dtype, double min,
                        double max, int bins, int64_t *count);

#endif
