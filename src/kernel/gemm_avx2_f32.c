#include "kernel/gemm_kernels.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define TYPE float
#define KERNELS graft__gemm_kernels_f32
#define BLOCK graft__gemm_block_f32
#define TABLE graft__gemm_avx2_f32
#define TARGET __attribute__((target("avx2,fma")))
#define ROWS 6
#define LANES 8
#define MASKED BOTH

typedef __m256 vec;

#define vec_zero _mm256_setzero_ps
#define vec_all _mm256_set1_ps
#define vec_load _mm256_loadu_ps
#define vec_store _mm256_storeu_ps
#define vec_add _mm256_add_ps
#define vec_mul _mm256_mul_ps
#define vec_fma _mm256_fmadd_ps

typedef struct mask {
    __m256i lanes;
    int count;
} mask;

TARGET static inline mask vec_first(int n)
{
    static const int32_t lanes[2 * LANES] = {-1, -1, -1, -1, -1, -1, -1, -1,
                                             0,  0,  0,  0,  0,  0,  0,  0};
    return (mask){_mm256_loadu_si256((const __m256i *)(lanes + LANES - n)), n};
}

TARGET static inline vec vec_load_first(const float *from, mask first)
{
    return _mm256_maskload_ps(from, first.lanes);
}

/* Not by vmaskmov: AMD's processors take dozens of cycles for a masked store. */
TARGET static inline void vec_store_first(float *to, mask first, vec x)
{
    __m128 left = _mm256_castps256_ps128(x);
    if (first.count == 8) {
        _mm256_storeu_ps(to, x);
        return;
    }
    if (first.count & 4) {
        _mm_storeu_ps(to, left);
        left = _mm256_extractf128_ps(x, 1);
        to += 4;
    }
    if (first.count & 2) {
        _mm_storel_pi((__m64 *)to, left);
        left = _mm_movehl_ps(left, left);
        to += 2;
    }
    if (first.count & 1)
        _mm_store_ss(to, left);
}

TARGET static inline float vec_sum(vec x)
{
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

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
typedef int graft__gemm_avx2_f32_is_for_x86_64;
#endif
