/* Weighted sums along a dimension: means, sums and resampling. */
#ifndef GRAFT__KERNEL_WEIGH_H
#define GRAFT__KERNEL_WEIGH_H

#include "base/pool.h"
#include "kernel/array.h"

/* Which elements make one, and how much of each; weight NULL: 1 of each. */
typedef struct graft__taps {
    int64_t first, count;
    const double *weight;
} graft__taps;

/* dst[..., i, ...] = sum over k < taps[i].count of taps[i].weight[k] src[..., taps[i].first + k,
 * ...] along dim. dst is contiguous f64, src of a floating dtype and with any strides; their sizes
 * are equal but along dim. Each element is summed in f64 in the order of k: the same bits for every
 * number of threads. */
void graft__weigh(graft__pool *pool, const graft__array *dst, const graft__array *src, int dim,
                  const graft__taps *taps);

#endif
