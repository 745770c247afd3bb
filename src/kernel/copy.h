/* Copying and converting elements. */
#ifndef GRAFT__KERNEL_COPY_H
#define GRAFT__KERNEL_COPY_H

#include "base/pool.h"
#include "kernel/array.h"

/* dst[i] = convert(src[i]); shapes are equal (broadcast with stride 0). dst must not overlap src
 * unless it is the very same layout. Any pair of dtypes: floats round to nearest even, floats to
 * integers truncate (what does not fit, and NaN, gives an unspecified value, without undefined
 * behaviour), to bool is != 0, also for NaN. A dtype that is only carried goes into itself alone.
 */
void graft__copy(graft__pool *pool, const graft__array *dst, const graft__array *src);

/* Plain bytes, on the threads of the pool where that pays. */
void graft__copy_bytes(graft__pool *pool, void *dst, const void *src, size_t n);

/* Every element is value, converted from double (fill_i64: from an integer, exactly). */
void graft__fill(graft__pool *pool, const graft__array *dst, double value);
void graft__fill_i64(graft__pool *pool, const graft__array *dst, int64_t value);

/* start, start + step, ...: the numbers of torch.arange on one thread, bit for bit. Integer dtypes
 * take start and step, which fit an i64, without their fractions. dst has one dimension. */
void graft__fill_range(const graft__array *dst, double start, double step);

/* One element as a double or an integer. */
double graft__get_f64(const void *element, graft_dtype dtype);
int64_t graft__get_i64(const void *element, graft_dtype dtype);

#endif
