/* Products of batches of matrices that lie as tensors lie. */
#ifndef GRAFT__KERNEL_MATMUL_H
#define GRAFT__KERNEL_MATMUL_H

#include <stdbool.h>

#include "base/pool.h"
#include "kernel/array.h"

/* dst[..., m, n] = beta * dst + a[..., m, k] b[..., k, n], f32 or f64. The arrays have the same
 * number of dimensions, at least 2, and the same batch sizes. Batch strides of 0 repeat a matrix of
 * a or b; in dst they add the products of that dimension up. beta is 0 (dst is not read) or 1. The
 * matrices of a and b must be such that graft__matmul_takes them; rows of dst are contiguous and
 * do not overlap. The same bits for the same arrays and thread count. */
void graft__matmul(graft__pool *pool, const graft__array *dst, const graft__array *a,
                   const graft__array *b, double beta);

/* Whether the matrices (the last two dimensions) have contiguous rows or contiguous columns. */
bool graft__matmul_takes(const graft__array *a);

/* Every row of dst[rows, cols] (contiguous) = row[cols] (contiguous); f32 or f64. */
void graft__fill_rows(graft__pool *pool, graft_dtype dtype, int64_t rows, int64_t cols, void *dst,
                      const void *row);

#endif
