#include "kernel/vmath_sleef.h"

#ifdef GRAFT__VMATH_SLEEF

#include <immintrin.h>
#include <sleef.h>

#if !defined(__AVX512F__) || !defined(__FMA__)
#error "this file wants -mavx512f -mfma"
#endif

#define VMATH graft__vmath_avx512
#define VF __m512
#define VD __m512d
#define SLEEF_F(name) Sleef_##name##f16_u10avx512f
#define SLEEF_D(name) Sleef_##name##d8_u10avx512f
#define F(name) _mm512_##name##_ps
#define D(name) _mm512_##name##_pd
#include "kernel/vmath_body.h"

#endif
