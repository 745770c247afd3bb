#include "kernel/gemm_kernels.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define TYPE double
#define KERNELS graft__gemm_kernels_f64
#define BLOCK graft__gemm_block_f64
#define TABLE graft__gemm_avx2_f64
#define TARGET __attribute__((target("avx2,fma")))
#define ROWS 6
#define LANES 4
#define MASKED BOTH

typedef __m256d vec;

#define vec_zero _mm256_setzero_pd
#define vec_all _mm256_set1_pd
#define vec_load _mm256_loadu_pd
#define vec_store _mm256_storeu_pd
#define vec_add _mm256_add_pd
#define vec_mul _mm256_mul_pd
#define vec_fma _mm256_fmadd_pd

typedef struct mask {
    __m256i lanes;
    int count;
} mask;

TARGET static inline mask vec_first(int n)
{
    static const int64_t lanes[2 * LANES] = {-1, -1, -1, -1, 0, 0, 0, 0};
    return (mask){_mm256_loadu_si256((const __m256i *)(lanes + LANES - n)), n};
}

TARGET static inline vec vec_load_first(const double *from, mask first)
{
    return _mm256_maskload_pd(from, first.lanes);
}

/* Not by vmaskmov: AMD's processors take dozens of cycles for a masked store. */
TARGET static inline void vec_store_first(double *to, mask first, vec x)
{
    __m128d left = _mm256_castpd256_pd128(x);
    if (first.count == 4) {
        _mm256_storeu_pd(to, x);
        return;
    }
    if (first.count & 2) {
        _mm_storeu_pd(to, left);
        left = _mm256_extractf128_pd(x, 1);
        to += 2;
    }
    if (first.count & 1)
        _mm_store_sd(to, left);
}

TARGET static inline double vec_sum(vec x)
{
    const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(x), _mm256_extractf128_pd(x, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

TARGET static inline void transpose_4x4(const double *a, const double *b, const double *c,
                                        const double *d, double *to, int64_t ld)
{
    const __m256d w = _mm256_loadu_pd(a), x = _mm256_loadu_pd(b);
    const __m256d y = _mm256_loadu_pd(c), z = _mm256_loadu_pd(d);
    const __m256d wx_even = _mm256_unpacklo_pd(w, x), wx_odd = _mm256_unpackhi_pd(w, x);
    const __m256d yz_even = _mm256_unpacklo_pd(y, z), yz_odd = _mm256_unpackhi_pd(y, z);
    _mm256_storeu_pd(to, _mm256_permute2f128_pd(wx_even, yz_even, 0x20));
    _mm256_storeu_pd(to + ld, _mm256_permute2f128_pd(wx_odd, yz_odd, 0x20));
    _mm256_storeu_pd(to + 2 * ld, _mm256_permute2f128_pd(wx_even, yz_even, 0x31));
    _mm256_storeu_pd(to + 3 * ld, _mm256_permute2f128_pd(wx_odd, yz_odd, 0x31));
}

#include "kernel/gemm_body.h"

#else
typedef int graft__gemm_avx2_f64_is_for_x86_64;
#endif
