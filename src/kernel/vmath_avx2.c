#include "kernel/vmath_sleef.h"

#ifdef GRAFT__VMATH_SLEEF

#include <immintrin.h>
#include <sleef.h>

#if !defined(__AVX2__) || !defined(__FMA__)
#error "this file wants -mavx2 -mfma"
#endif

#define VMATH graft__vmath_avx2
#define VF __m256
#define VD __m256d
#define SLEEF_F(name) Sleef_##name##f8_u10avx2
#define SLEEF_D(name) Sleef_##name##d4_u10avx2
#define F(name) _mm256_##name##_ps
#define D(name) _mm256_##name##_pd
#include "kernel/vmath_body.h"

#endif
