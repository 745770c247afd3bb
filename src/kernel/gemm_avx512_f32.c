#include "kernel/gemm_kernels.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define TYPE float
#define KERNELS graft__gemm_kernels_f32
#define BLOCK graft__gemm_block_f32
#define TABLE graft__gemm_avx512_f32
#define TARGET __attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")))
#define ROWS 12
#define LANES 16
#define MASKED ALWAYS

typedef __m512 vec;

#define vec_zero _mm512_setzero_ps
#define vec_all _mm512_set1_ps
#define vec_load _mm512_loadu_ps
#define vec_store _mm512_storeu_ps
#define vec_add _mm512_add_ps
#define vec_mul _mm512_mul_ps
#define vec_fma _mm512_fmadd_ps

typedef __mmask16 mask;

TARGET static inline mask vec_first(int n)
{
    return (mask)(0xffffU >> (LANES - n));
}

#define vec_load_first(from, first) _mm512_maskz_loadu_ps(first, from)
#define vec_store_first(to, first, x) _mm512_mask_storeu_ps(to, first, x)
#define vec_sum _mm512_reduce_add_ps

TARGET static inline void transpose_4x4(const float *a, const float *b, const float *c,
                                        const float *d, float *to, int64_t ld)
{
    __m128 w = _mm_loadu_ps(a), x = _mm_loadu_ps(b), y = _mm_loadu_ps(c), z = _mm_loadu_ps(d);
    _MM_TRANSPOSE4_PS(w, x, y, z);
    _mm_storeu_ps(to, w);
    _mm_storeu_ps(to + ld, x);
    _mm_storeu_ps(to + 2 * ld, y);
    _mm_storeu_ps(to + 3 * ld, z);
}

#include "kernel/gemm_body.h"

#else
typedef int graft__gemm_avx512_f32_is_for_x86_64;
#endif
