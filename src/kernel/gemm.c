#include "kernel/gemm.h"

#include "kernel/gemm_kernels.h"

#if defined(__x86_64__)
static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
}
#endif

const graft__gemm_kernels_f32 *graft__gemm_kernels_best_f32(void)
{
#if defined(__x86_64__)
    if (has_avx512())
        return &graft__gemm_avx512_f32;
    if (has_avx2())
        return &graft__gemm_avx2_f32;
#endif
    return &graft__gemm_portable_f32;
}

const graft__gemm_kernels_f64 *graft__gemm_kernels_best_f64(void)
{
#if defined(__x86_64__)
    if (has_avx512())
        return &graft__gemm_avx512_f64;
    if (has_avx2())
        return &graft__gemm_avx2_f64;
#endif
    return &graft__gemm_portable_f64;
}

void graft__gemm_f32(graft__pool *pool, const graft__gemm *p, const float *a, const float *b,
                     float *c)
{
    if (p->m <= 0 || p->n <= 0)
        return;
    if (p->k <= 0) {
        graft__gemm_reference_f32(p, a, b, c);
        return;
    }
    const graft__gemm_kernels_f32 *kernels = graft__gemm_kernels_best_f32();
    if (graft__gemm_small_f32(kernels, p, a, b, c) ||
        graft__gemm_thin_f32(kernels, pool, p, a, b, c))
        return;
    graft__gemm_blocked_f32(kernels, pool, p, a, b, c);
}

void graft__gemm_f64(graft__pool *pool, const graft__gemm *p, const double *a, const double *b,
                     double *c)
{
    if (p->m <= 0 || p->n <= 0)
        return;
    if (p->k <= 0) {
        graft__gemm_reference_f64(p, a, b, c);
        return;
    }
    const graft__gemm_kernels_f64 *kernels = graft__gemm_kernels_best_f64();
    if (graft__gemm_small_f64(kernels, p, a, b, c) ||
        graft__gemm_thin_f64(kernels, pool, p, a, b, c))
        return;
    graft__gemm_blocked_f64(kernels, pool, p, a, b, c);
}
