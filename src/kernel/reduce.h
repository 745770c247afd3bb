/* Reductions over any dimensions of arrays with any strides.
 *
 * dst and src have the same sizes; dst has stride 0 along the dimensions that are reduced (those of
 * size 1 may have any), and lies contiguous otherwise. All give the same bits for the same arrays
 * and the same number of threads. */
#ifndef GRAFT__KERNEL_REDUCE_H
#define GRAFT__KERNEL_REDUCE_H

#include "base/pool.h"
#include "kernel/array.h"

/* dst = beta * dst + sum(src) / divisor; beta == 0 never reads dst. f32 or f64, summed in double
 * and, where that could be felt, pairwise. A sum of nothing is 0. */
void graft__sum(graft__pool *pool, const graft__array *dst, const graft__array *src, double divisor,
                double beta);

/* dst = sum(src), modulo 2^64: src of any integer dtype or bool, dst i64. */
void graft__sum_integers(graft__pool *pool, const graft__array *dst, const graft__array *src);

/* The same as graft__sum down the rows of a matrix whose rows lie ld elements apart: dst[cols],
 * contiguous. For small matrices, where preparing graft__sum would cost more than the sum. */
void graft__sum_rows(graft__pool *pool, graft_dtype dtype, int64_t rows, int64_t cols,
                     const void *src, int64_t ld, void *dst, double beta);

/* dst = the largest element, NaN if there is one; every dtype but f16 and bf16, dst the same. No
 * reduced dimension may be empty. */
void graft__amax(graft__pool *pool, const graft__array *dst, const graft__array *src);

/* dst (i64) = where the largest element is first found; NaN is larger than all. At most one
 * dimension is reduced, which is not empty. Not for f16 and bf16. */
void graft__argmax(graft__pool *pool, const graft__array *dst, const graft__array *src);

/* dx = beta * dx + (x == y ? dy / ties : 0), beta 0 or 1, where ties is how many of the elements
 * that were reduced to y equal it; NaN where y is (it equals none). All have the sizes of x; f32 or
 * f64, but ties, which is memory for the counts, is f64. y, dy and ties have stride 0 along what
 * was reduced. */
void graft__amax_backward(graft__pool *pool, const graft__array *dx, const graft__array *x,
                          const graft__array *y, const graft__array *dy, const graft__array *ties,
                          double beta);

#endif
