/* Quantised elements as floats. */
#ifndef GRAFT__KERNEL_DEQUANTISE_H
#define GRAFT__KERNEL_DEQUANTISE_H

#include "base/pool.h"
#include "kernel/array.h"

/* Whether the dtype is one of ggml's blocks whose elements are a scale times a small number (and an
 * offset). */
bool graft__is_linear_block(graft_dtype dtype);

/* n elements, whole blocks of such a dtype, from bytes of any alignment: each is computed in double
 * and rounded once. */
void graft__dequantise_blocks(graft__pool *pool, graft_dtype dtype, int64_t n, const void *in,
                              float *out);

/* (x - zero) * scale in double, of one row of n integers (i8, u8 or i32), rounded once. */
void graft__dequantise_affine(graft_dtype dtype, int64_t n, const void *in, double zero,
                              double scale, float *out);

/* n elements of `bits` (2 or 4) each, lowest bits first, one to a byte: bits divides 8. */
void graft__unpack_bits(int bits, int64_t n, const uint8_t *in, uint8_t *out);

#endif
