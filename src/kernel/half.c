#include "kernel/half.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define WIDE __attribute__((target("avx2,f16c")))
#endif

static void f16_to_f32_plain(int64_t n, const uint16_t *restrict in, float *restrict out)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = graft__f16_to_f32(in[i]);
}

static void f16_from_f32_plain(int64_t n, const float *restrict in, uint16_t *restrict out)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = graft__f16_from_f32(in[i]);
}

static void bf16_from_f32_plain(int64_t n, const float *restrict in, uint16_t *restrict out)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = graft__bf16_from_f32(in[i]);
}

#ifdef WIDE

/* Every processor with AVX2 has F16C, which clang 14 cannot ask for by name. */
static int has_wide(void)
{
    return __builtin_cpu_supports("avx2");
}

/* The instructions give the bits that the plain functions give, NaNs included. */
WIDE static void f16_to_f32_wide(int64_t n, const uint16_t *restrict in, float *restrict out)
{
    int64_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m128i halves = _mm_loadu_si128((const __m128i *)(const void *)(in + i));
        _mm256_storeu_ps(out + i, _mm256_cvtph_ps(halves));
    }
    for (; i < n; i++)
        out[i] = graft__f16_to_f32(in[i]);
}

WIDE static void f16_from_f32_wide(int64_t n, const float *restrict in, uint16_t *restrict out)
{
    int64_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m256 x = _mm256_loadu_ps(in + i);
        _mm_storeu_si128((__m128i *)(void *)(out + i),
                         _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
    }
    for (; i < n; i++)
        out[i] = graft__f16_from_f32(in[i]);
}

WIDE static void bf16_from_f32_wide(int64_t n, const float *restrict in, uint16_t *restrict out)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = graft__bf16_from_f32(in[i]);
}

#endif

void graft__f16_to_f32_n(int64_t n, const uint16_t *in, float *out)
{
#ifdef WIDE
    if (has_wide()) {
        f16_to_f32_wide(n, in, out);
        return;
    }
#endif
    f16_to_f32_plain(n, in, out);
}

void graft__f16_from_f32_n(int64_t n, const float *in, uint16_t *out)
{
#ifdef WIDE
    if (has_wide()) {
        f16_from_f32_wide(n, in, out);
        return;
    }
#endif
    f16_from_f32_plain(n, in, out);
}

void graft__bf16_to_f32_n(int64_t n, const uint16_t *restrict in, float *restrict out)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = graft__bf16_to_f32(in[i]);
}

void graft__bf16_from_f32_n(int64_t n, const float *in, uint16_t *out)
{
#ifdef WIDE
    if (has_wide()) {
        bf16_from_f32_wide(n, in, out);
        return;
    }
#endif
    bf16_from_f32_plain(n, in, out);
}
