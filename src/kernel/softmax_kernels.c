#include "kernel/softmax_kernels.h"

#include <math.h>
#include <string.h>

#include "kernel/target.h"

#if GRAFT__X86
#include <emmintrin.h>

static inline void tile_f32(const float *from, int64_t from_ld, float *to, int64_t to_ld)
{
    __m128 a = _mm_loadu_ps(from), b = _mm_loadu_ps(from + from_ld);
    __m128 c = _mm_loadu_ps(from + 2 * from_ld), d = _mm_loadu_ps(from + 3 * from_ld);
    _MM_TRANSPOSE4_PS(a, b, c, d);
    _mm_storeu_ps(to, a);
    _mm_storeu_ps(to + to_ld, b);
    _mm_storeu_ps(to + 2 * to_ld, c);
    _mm_storeu_ps(to + 3 * to_ld, d);
}

static inline void tile_f64(const double *from, int64_t from_ld, double *to, int64_t to_ld)
{
    const __m128d a = _mm_loadu_pd(from), b = _mm_loadu_pd(from + from_ld);
    _mm_storeu_pd(to, _mm_unpacklo_pd(a, b));
    _mm_storeu_pd(to + to_ld, _mm_unpackhi_pd(a, b));
}
#else
static inline void tile_f32(const float *from, int64_t from_ld, float *to, int64_t to_ld)
{
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            to[j * to_ld + i] = from[i * from_ld + j];
}

static inline void tile_f64(const double *from, int64_t from_ld, double *to, int64_t to_ld)
{
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            to[j * to_ld + i] = from[i * from_ld + j];
}
#endif

#define TYPE float
#define TURN(x) turn_##x##_f32
#define SIDE 4
#define TILE tile_f32
#include "kernel/softmax_turn_body.h"

#define TYPE double
#define TURN(x) turn_##x##_f64
#define SIDE 2
#define TILE tile_f64
#include "kernel/softmax_turn_body.h"

#define TYPE float
#define INTEGER int32_t
#define OF(x) x##_f32
#define NAME(x) x##_f32_portable
#define TARGET
#define VECTOR 16
#include "kernel/softmax_body.h"

#define TYPE double
#define INTEGER int64_t
#define OF(x) x##_f64
#define NAME(x) x##_f64_portable
#define TARGET
#define VECTOR 16
#include "kernel/softmax_body.h"

#if GRAFT__X86
#define TYPE float
#define INTEGER int32_t
#define OF(x) x##_f32
#define NAME(x) x##_f32_avx2
#define TARGET GRAFT__TARGET_AVX2
#define VECTOR 32
#include "kernel/softmax_body.h"

#define TYPE double
#define INTEGER int64_t
#define OF(x) x##_f64
#define NAME(x) x##_f64_avx2
#define TARGET GRAFT__TARGET_AVX2
#define VECTOR 32
#include "kernel/softmax_body.h"

#define TYPE float
#define INTEGER int32_t
#define OF(x) x##_f32
#define NAME(x) x##_f32_avx512
#define TARGET GRAFT__TARGET_AVX512
#define VECTOR 64
#include "kernel/softmax_body.h"

#define TYPE double
#define INTEGER int64_t
#define OF(x) x##_f64
#define NAME(x) x##_f64_avx512
#define TARGET GRAFT__TARGET_AVX512
#define VECTOR 64
#include "kernel/softmax_body.h"
#endif

enum {
    NEAR = 8192,         /* elements that are worked on while they are near */
    SERIAL = 16384,      /* elements below which threads do not pay */
    PART = 4096,         /* elements that a part has at least */
    PARTS_PER_THREAD = 4 /* so that a late worker does not hold up the rest */
};

const graft__softmax_kernels *graft__softmax_kernels_here(graft_dtype dtype)
{
    static const graft__softmax_kernels *const table[GRAFT__KINDS][2] = {
        [GRAFT__PORTABLE] = {&kernels_f32_portable, &kernels_f64_portable},
#if GRAFT__X86
        [GRAFT__AVX2] = {&kernels_f32_avx2, &kernels_f64_avx2},
        [GRAFT__AVX512] = {&kernels_f32_avx512, &kernels_f64_avx512},
#endif
    };
    return table[graft__processor()][dtype == GRAFT_F64];
}

int64_t graft__lanes_at_once(const graft__lanes *l)
{
    const int64_t fit = l->n > 0 ? NEAR / l->n : GRAFT__LANES_MAX;
    /* Side by side they share cache lines: fewer would read each line more than once. */
    const int64_t least = l->inner == 1 ? 1 : 64;
    return fit < least ? least : fit > GRAFT__LANES_MAX ? GRAFT__LANES_MAX : fit;
}

int graft__lanes_parts(graft__pool *pool, const graft__lanes *l)
{
    const int threads = graft__pool_threads(pool);
    const int64_t lanes = l->outer * l->inner, elements = lanes * l->n;
    if (threads == 1 || elements < SERIAL)
        return 1;
    int64_t parts = elements / PART;
    if (parts > PARTS_PER_THREAD * threads)
        parts = PARTS_PER_THREAD * threads;
    return (int)(parts < lanes ? parts : lanes);
}
