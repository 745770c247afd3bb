#include "kernel/gemm_kernels.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define TYPE double
#define KERNELS graft__gemm_kernels_f64
#define BLOCK graft__gemm_block_f64
#define TABLE graft__gemm_avx512_f64
#define TARGET __attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")))
#define ROWS 12
#define LANES 8
#define MASKED ALWAYS

typedef __m512d vec;

#define vec_zero _mm512_setzero_pd
#define vec_all _mm512_set1_pd
#define vec_load _mm512_loadu_pd
#define vec_store _mm512_storeu_pd
#define vec_add _mm512_add_pd
#define vec_mul _mm512_mul_pd
#define vec_fma _mm512_fmadd_pd

typedef __mmask8 mask;

TARGET static inline mask vec_first(int n)
{
    return (mask)(0xffU >> (LANES - n));
}

#define vec_load_first(from, first) _mm512_maskz_loadu_pd(first, from)
#define vec_store_first(to, first, x) _mm512_mask_storeu_pd(to, first, x)
#define vec_sum _mm512_reduce_add_pd

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
typedef int graft__gemm_avx512_f64_is_for_x86_64;
#endif
