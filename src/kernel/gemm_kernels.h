/* What the processor's own kernels multiply, for the files of gemm only. */
#ifndef GRAFT__KERNEL_GEMM_KERNELS_H
#define GRAFT__KERNEL_GEMM_KERNELS_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/gemm.h"
#include "kernel/target.h"

/* block: D[m,n] = alpha * L[m,k] R[k,n] + beta * D, without a look at D if beta == 0. The elements
 * of L are broadcast one by one, those of R lie in vectors along n.
 * - L: where l_panel is 0, (i, p) is l[i * l_row + p * l_step] and one of the two distances is 1.
 *   Otherwise it is packed tile by tile: of ceil(m / rows) tiles number t begins with row
 *   m * t / tiles, lies from l + t * l_panel on, and l_row is 1.
 * - R: (p, j) is r[j / cols * r_panel + p * r_step + j % cols]; with r_panel == cols that is a
 *   matrix as anyone stores it.
 * - D is row-major or, where d_transposed says so, column-major; d_row is the distance between its
 *   rows or columns.
 * An element is summed over k in the same order wherever it lies: how a product is cut along m and
 * n does not show in its bits.
 *
 * pack: to[p * width + i] = from[i * row + p * step], i < rows, p < k, where row or step is 1. In
 * each row of `to` up to 3 elements more, and after the last up to 2 * lanes, become anything.
 *
 * dots: y[j * y_step] = alpha * sum(x[p] w[j * ld + p]) + beta * y[j * y_step], j < n; sums: the
 * same of w[p * ld + j]. Again one order for each, wherever it lies. */
#define GRAFT__GEMM_DEFINE_KERNELS(suffix, type)                                                   \
    typedef struct graft__gemm_block_##suffix {                                                    \
        int64_t m, n, k;                                                                           \
        const type *l;                                                                             \
        int64_t l_row, l_step, l_panel;                                                            \
        const type *r;                                                                             \
        int64_t r_step, r_panel;                                                                   \
        type *d;                                                                                   \
        int64_t d_row;                                                                             \
        bool d_transposed;                                                                         \
        type alpha, beta;                                                                          \
    } graft__gemm_block_##suffix;                                                                  \
                                                                                                   \
    typedef struct graft__gemm_kernels_##suffix {                                                  \
        int rows, cols; /* of a tile */                                                            \
        int lanes;      /* of a vector: cols is a multiple */                                      \
        void (*block)(const graft__gemm_block_##suffix *b);                                        \
        void (*pack)(int64_t rows, int64_t k, const type *from, int64_t row, int64_t step,         \
                     type *to, int64_t width);                                                     \
        void (*dots)(int64_t n, int64_t k, const type *x, const type *w, int64_t ld, type alpha,   \
                     type beta, type *y, int64_t y_step);                                          \
        void (*sums)(int64_t n, int64_t k, const type *x, const type *w, int64_t ld, type alpha,   \
                     type beta, type *y, int64_t y_step);                                          \
    } graft__gemm_kernels_##suffix;

GRAFT__GEMM_DEFINE_KERNELS(f32, float)
GRAFT__GEMM_DEFINE_KERNELS(f64, double)

/* A block's k is at most this many bytes of elements. */
enum { GRAFT__GEMM_K_BYTES = 2048 };

extern const graft__gemm_kernels_f32 graft__gemm_portable_f32;
extern const graft__gemm_kernels_f64 graft__gemm_portable_f64;
#if defined(__x86_64__)
extern const graft__gemm_kernels_f32 graft__gemm_avx2_f32, graft__gemm_avx512_f32;
extern const graft__gemm_kernels_f64 graft__gemm_avx2_f64, graft__gemm_avx512_f64;
#endif

/* The best of these for the processor at hand. */
const graft__gemm_kernels_f32 *graft__gemm_kernels_best_f32(void);
const graft__gemm_kernels_f64 *graft__gemm_kernels_best_f64(void);

/* The product with these kernels, for m, n and k of at least 1. blocked takes any; thin and small
 * say whether they took it, which depends on the sizes and the transposes alone. */
void graft__gemm_blocked_f32(const graft__gemm_kernels_f32 *kernels, graft__pool *pool,
                             const graft__gemm *p, const float *a, const float *b, float *c);
void graft__gemm_blocked_f64(const graft__gemm_kernels_f64 *kernels, graft__pool *pool,
                             const graft__gemm *p, const double *a, const double *b, double *c);
bool graft__gemm_thin_f32(const graft__gemm_kernels_f32 *kernels, graft__pool *pool,
                          const graft__gemm *p, const float *a, const float *b, float *c);
bool graft__gemm_thin_f64(const graft__gemm_kernels_f64 *kernels, graft__pool *pool,
                          const graft__gemm *p, const double *a, const double *b, double *c);
bool graft__gemm_small_f32(const graft__gemm_kernels_f32 *kernels, const graft__gemm *p,
                           const float *a, const float *b, float *c);
bool graft__gemm_small_f64(const graft__gemm_kernels_f64 *kernels, const graft__gemm *p,
                           const double *a, const double *b, double *c);

#if defined(GRAFT__SANITIZE)
#define GRAFT__UNROLL
#elif defined(__clang__)
#define GRAFT__UNROLL _Pragma("clang loop unroll(full)")
#else
#define GRAFT__UNROLL _Pragma("GCC unroll 16")
#endif

#endif
