/* Matrix products on raw pointers, row-major. */
#ifndef GRAFT__KERNEL_GEMM_H
#define GRAFT__KERNEL_GEMM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/pool.h"

/* One product: C[m,n] = alpha * op(A)[m,k] op(B)[k,n] + beta * C, all row-major. op is the
 * transpose where trans_a / trans_b say so (A is then stored [k,m], B [n,k]). lda, ldb, ldc: the
 * distance between rows as stored, in elements. beta == 0 never reads C (NaN there is harmless).
 * alpha always multiplies: unlike BLAS, alpha == 0 does not skip A and B, so that their NaN and
 * infinities come through as IEEE arithmetic has it. m, n or k may be 0 (k == 0: C = beta * C). */
typedef struct graft__gemm {
    bool trans_a, trans_b;
    int64_t m, n, k;
    int64_t lda, ldb, ldc;
    double alpha, beta;
} graft__gemm;

/* The fastest path for the size and the processor, on the threads of the pool (NULL: one thread).
 * The same bits for the same sizes, strides and processor, whatever the number of threads. Never
 * fails: without memory to pack into it takes longer. */
void graft__gemm_f32(graft__pool *pool, const graft__gemm *p, const float *a, const float *b,
                     float *c);
void graft__gemm_f64(graft__pool *pool, const graft__gemm *p, const double *a, const double *b,
                     double *c);

/* The plain loops, which the fast paths are tested against. */
void graft__gemm_reference_f32(const graft__gemm *p, const float *a, const float *b, float *c);
void graft__gemm_reference_f64(const graft__gemm *p, const double *a, const double *b, double *c);

#endif
