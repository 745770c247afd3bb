#include "kernel/softmax_kernels.h"

#include <math.h>
#include <string.h>

#include "kernel/target.h"

#define TYPE float
#define INTEGER int32_t
#define EXP exp_f32
#define LOG log_f32
#define NAME(x) x##_f32_portable
#define TARGET
#define VECTOR 16
#include "kernel/softmax_body.h"

#define TYPE double
#define INTEGER int64_t
#define EXP exp_f64
#define LOG log_f64
#define NAME(x) x##_f64_portable
#define TARGET
#define VECTOR 16
#include "kernel/softmax_body.h"

#if GRAFT__X86
#define TYPE float
#define INTEGER int32_t
#define EXP exp_f32
#define LOG log_f32
#define NAME(x) x##_f32_avx2
#define TARGET GRAFT__TARGET_AVX2
#define VECTOR 32
#include "kernel/softmax_body.h"

#define TYPE double
#define INTEGER int64_t
#define EXP exp_f64
#define LOG log_f64
#define NAME(x) x##_f64_avx2
#define TARGET GRAFT__TARGET_AVX2
#define VECTOR 32
#include "kernel/softmax_body.h"

#define TYPE float
#define INTEGER int32_t
#define EXP exp_f32
#define LOG log_f32
#define NAME(x) x##_f32_avx512
#define TARGET GRAFT__TARGET_AVX512
#define VECTOR 64
#include "kernel/softmax_body.h"

#define TYPE double
#define INTEGER int64_t
#define EXP exp_f64
#define LOG log_f64
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
