#include "kernel/gemm_kernels.h"

#include <string.h>

#if defined(__aarch64__)
#include <arm_neon.h>
#endif

#define TYPE float
#define KERNELS graft__gemm_kernels_f32
#define BLOCK graft__gemm_block_f32
#define TABLE graft__gemm_portable_f32
#define TARGET
#define LANES 4
#define MASK_ALWAYS 0
/* What the registers hold: 16 of them, or 32. */
#if defined(__aarch64__)
#define ROWS 12
#else
#define ROWS 6
#endif

typedef float vec __attribute__((vector_size(LANES * sizeof(float))));
typedef int mask;

static inline vec vec_all(float x)
{
    return (vec){x, x, x, x};
}

static inline vec vec_zero(void)
{
    return vec_all(0);
}

static inline vec vec_load(const float *from)
{
    vec x;
    memcpy(&x, from, sizeof x);
    return x;
}

static inline void vec_store(float *to, vec x)
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
    return (vec)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
    return a * b + c;
#endif
}

static inline float vec_sum(vec x)
{
    return (x[0] + x[2]) + (x[1] + x[3]);
}

static inline mask vec_first(int n)
{
    return n;
}

static inline vec vec_load_first(const float *from, mask first)
{
    vec x = vec_zero();
    for (int i = 0; i < first; i++)
        x[i] = from[i];
    return x;
}

static inline void vec_store_first(float *to, mask first, vec x)
{
    for (int i = 0; i < first; i++)
        to[i] = x[i];
}

static inline void transpose_4x4(const float *a, const float *b, const float *c, const float *d,
                                 float *to, int64_t ld)
{
    for (int p = 0; p < 4; p++, to += ld) {
        to[0] = a[p];
        to[1] = b[p];
        to[2] = c[p];
        to[3] = d[p];
    }
}

#include "kernel/gemm_body.h"
