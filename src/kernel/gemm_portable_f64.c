#include "kernel/gemm_kernels.h"

#include <string.h>

#if defined(__aarch64__)
#include <arm_neon.h>
#endif

#define TYPE double
#define KERNELS graft__gemm_kernels_f64
#define BLOCK graft__gemm_block_f64
#define TABLE graft__gemm_portable_f64
#define TARGET
#define LANES 2
#define MASK_ALWAYS 0
/* What the registers hold: 16 of them, or 32. */
#if defined(__aarch64__)
#define ROWS 12
#else
#define ROWS 6
#endif

typedef double vec __attribute__((vector_size(LANES * sizeof(double))));
typedef int mask;

static inline vec vec_all(double x)
{
    return (vec){x, x};
}

static inline vec vec_zero(void)
{
    return vec_all(0);
}

static inline vec vec_load(const double *from)
{
    vec x;
    memcpy(&x, from, sizeof x);
    return x;
}

static inline void vec_store(double *to, vec x)
{
    memcpy(to, &x, sizeof x);
}

static inline vec vec_add(vec a, vec b)
{
    return a + b;
}

static inline vec vec_mul(vec a, vec b)
{
    return a * b;
}

static inline vec vec_fma(vec a, vec b, vec c)
{
#if defined(__aarch64__)
    return (vec)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
#else
    return a * b + c;
#endif
}

static inline double vec_sum(vec x)
{
    return x[0] + x[1];
}

static inline mask vec_first(int n)
{
    return n;
}

static inline vec vec_load_first(const double *from, mask first)
{
    vec x = vec_zero();
    for (int i = 0; i < first; i++)
        x[i] = from[i];
    return x;
}

static inline void vec_store_first(double *to, mask first, vec x)
{
    for (int i = 0; i < first; i++)
        to[i] = x[i];
}

static inline void transpose_4x4(const double *a, const double *b, const double *c, const double *d,
                                 double *to, int64_t ld)
{
    for (int p = 0; p < 4; p++, to += ld) {
        to[0] = a[p];
        to[1] = b[p];
        to[2] = c[p];
        to[3] = d[p];
    }
}

#include "kernel/gemm_body.h"
