#include "kernel/vmath_sleef.h"

#ifdef GRAFT__VMATH_SLEEF

#include <immintrin.h>

#define VMATH graft__vmath_avx512
#define TARGET __attribute__((target("avx512f")))
#define VF __m512
#define VD __m512d
#define SLEEF_F(name) Sleef_##name##f16_u10avx512f
#define SLEEF_D(name) Sleef_##name##d8_u10avx512f
#define F(name) _mm512_##name##_ps
#define D(name) _mm512_##name##_pd
#include "kernel/vmath_body.h"

#endif
