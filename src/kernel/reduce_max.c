#include <math.h>
#include <string.h>

#include "kernel/copy.h"
#include "kernel/iterate.h"
#include "kernel/reduce.h"
#include "kernel/reduce_plan.h"
#include "kernel/target.h"

typedef struct kernels {
    /* The largest of the n >= 1 elements of each of `rows` rows. */
    void (*rows)(const void *x, int64_t rows, int64_t apart, int64_t n, int64_t stride,
                 graft__reduce_slot *slots);
    /* largest[i] = the larger of itself and the elements of column i. */
    void (*columns)(const void *x, int64_t cols, int64_t rows, int64_t stride, void *largest);
    /* Whether b takes the place of a: NaN is larger than all, and the first NaN stays. */
    bool (*beats)(const void *b, const void *a);
    int64_t (*find)(const void *x, int64_t n, int64_t stride);
    void (*find_columns)(const void *x, int64_t cols, int64_t r0, int64_t r1, int64_t stride,
                         graft__reduce_slot *slots);
} kernels;

#define TYPE float
#define INTEGER int32_t
#define NAME(x) x##_f32_portable
#define MEMBER f32
#define TARGET
#define IS_NAN(x) ((x) != (x))
#define A_NAN (TYPE) NAN
#define VECTOR 16
#include "kernel/reduce_max_body.h"

#define TYPE double
#define INTEGER int64_t
#define NAME(x) x##_f64_portable
#define MEMBER f64
#define TARGET
#define IS_NAN(x) ((x) != (x))
#define A_NAN (TYPE) NAN
#define VECTOR 16
#include "kernel/reduce_max_body.h"

#if GRAFT__X86
#define TYPE float
#define INTEGER int32_t
#define NAME(x) x##_f32_avx2
#define MEMBER f32
#define TARGET GRAFT__TARGET_AVX2
#define IS_NAN(x) ((x) != (x))
#define A_NAN (TYPE) NAN
#define VECTOR 32
#include "kernel/reduce_max_body.h"

#define TYPE double
#define INTEGER int64_t
#define NAME(x) x##_f64_avx2
#define MEMBER f64
#define TARGET GRAFT__TARGET_AVX2
#define IS_NAN(x) ((x) != (x))
#define A_NAN (TYPE) NAN
#define VECTOR 32
#include "kernel/reduce_max_body.h"

#define TYPE float
#define INTEGER int32_t
#define NAME(x) x##_f32_avx512
#define MEMBER f32
#define TARGET GRAFT__TARGET_AVX512
#define IS_NAN(x) ((x) != (x))
#define A_NAN (TYPE) NAN
#define VECTOR 64
#include "kernel/reduce_max_body.h"

#define TYPE double
#define INTEGER int64_t
#define NAME(x) x##_f64_avx512
#define MEMBER f64
#define TARGET GRAFT__TARGET_AVX512
#define IS_NAN(x) ((x) != (x))
#define A_NAN (TYPE) NAN
#define VECTOR 64
#include "kernel/reduce_max_body.h"
#endif

#define TYPE int64_t
#define INTEGER int64_t
#define NAME(x) x##_i64
#define MEMBER i64
#define TARGET
#define IS_NAN(x) ((x) != (x))
#define A_NAN 0
#define VECTOR 16
#include "kernel/reduce_max_body.h"

#define TYPE int32_t
#define INTEGER int32_t
#define NAME(x) x##_i32
#define MEMBER i32
#define TARGET
#define IS_NAN(x) ((x) != (x))
#define A_NAN 0
#define VECTOR 16
#include "kernel/reduce_max_body.h"

#define TYPE int16_t
#define INTEGER int16_t
#define NAME(x) x##_i16
#define MEMBER i16
#define TARGET
#define IS_NAN(x) ((x) != (x))
#define A_NAN 0
#define VECTOR 16
#include "kernel/reduce_max_body.h"

#define TYPE int8_t
#define INTEGER int8_t
#define NAME(x) x##_i8
#define MEMBER i8
#define TARGET
#define IS_NAN(x) ((x) != (x))
#define A_NAN 0
#define VECTOR 16
#include "kernel/reduce_max_body.h"

#define TYPE uint8_t
#define INTEGER int8_t
#define NAME(x) x##_u8
#define MEMBER u8
#define TARGET
#define IS_NAN(x) ((x) != (x))
#define A_NAN 0
#define VECTOR 16
#include "kernel/reduce_max_body.h"

static const kernels *kernels_of(graft_dtype dtype)
{
    static const kernels *const floats[GRAFT__KINDS][2] = {
        [GRAFT__PORTABLE] = {&kernels_f32_portable, &kernels_f64_portable},
#if GRAFT__X86
        [GRAFT__AVX2] = {&kernels_f32_avx2, &kernels_f64_avx2},
        [GRAFT__AVX512] = {&kernels_f32_avx512, &kernels_f64_avx512},
#endif
    };
    static const kernels *const others[] = {
        [GRAFT_I64] = &kernels_i64, [GRAFT_I32] = &kernels_i32, [GRAFT_I16] = &kernels_i16,
        [GRAFT_I8] = &kernels_i8,   [GRAFT_U8] = &kernels_u8,   [GRAFT_BOOL] = &kernels_u8,
    };
    if (dtype == GRAFT_F32 || dtype == GRAFT_F64)
        return floats[graft__processor()][dtype == GRAFT_F64];
    return others[dtype];
}

static int64_t width_of(const graft__reduce_plan *p)
{
    return (int64_t)graft__width(p->dtype);
}

/* Of a row of more than one run. */
static void row_max(const graft__reduce_plan *p, const char *base, int64_t r0, int64_t r1,
                    graft__reduce_slot *slot)
{
    const kernels *k = p->kernels;
    const graft__walk *w = &p->reduced;
    const int64_t width = width_of(p);
    graft__walker at;
    graft__walker_start(w, r0, &at);
    for (bool first = true; r0 < r1; first = false) {
        const int64_t n = graft__min_i64(graft__walker_left(w, &at), r1 - r0);
        graft__reduce_slot next;
        k->rows(base + at.src * width, 1, 0, n, w->src[w->ndim - 1], &next);
        if (first || k->beats(&next, slot))
            *slot = next;
        graft__walker_advance(w, &at, n);
        r0 += n;
    }
}

static void max_by_rows(const graft__reduce_plan *p, int64_t begin, int64_t end, int64_t r0,
                        int64_t r1, graft__reduce_slot *slots)
{
    const kernels *k = p->kernels;
    const graft__walk *kept = &p->kept, *w = &p->reduced;
    const bool one_run = w->ndim <= 1;
    const int64_t width = width_of(p), stride = w->ndim ? w->src[0] : 1;
    const int64_t apart = kept->ndim ? kept->src[kept->ndim - 1] : 0;
    graft__walker at;
    graft__walker_start(kept, begin, &at);
    for (int64_t n; begin < end; begin += n, slots += n) {
        const char *x = (const char *)p->src + at.src * width;
        n = one_run ? graft__min_i64(graft__walker_left(kept, &at), end - begin) : 1;
        if (one_run)
            k->rows(x + r0 * stride * width, n, apart, r1 - r0, stride, slots);
        else
            row_max(p, x, r0, r1, slots);
        graft__walker_advance(kept, &at, n);
    }
}

/* Of neighbours that the slots have room for. */
static void columns_max(const graft__reduce_plan *p, const char *base, int64_t cols, int64_t r0,
                        int64_t r1, graft__reduce_slot *slots)
{
    const kernels *k = p->kernels;
    const graft__walk *w = &p->reduced;
    const int64_t width = width_of(p), stride = w->ndim ? w->src[w->ndim - 1] : 0;
    char *largest = (char *)slots; /* one after the other, for now */
    graft__walker at;
    graft__walker_start(w, r0, &at);
    memcpy(largest, base + at.src * width, (size_t)(cols * width));
    graft__walker_advance(w, &at, 1);
    r0++;
    while (r0 < r1) {
        const int64_t n = graft__min_i64(graft__walker_left(w, &at), r1 - r0);
        k->columns(base + at.src * width, cols, n, stride, largest);
        graft__walker_advance(w, &at, n);
        r0 += n;
    }
    const int64_t slot = sizeof *slots;
    if (width < slot)
        graft__move(cols - 1, &slots[cols - 1], -slot, largest + (cols - 1) * width, -width, width);
}

static void max_by_columns(const graft__reduce_plan *p, int64_t begin, int64_t end, int64_t r0,
                           int64_t r1, graft__reduce_slot *slots)
{
    const int64_t width = width_of(p);
    graft__walker at;
    graft__walker_start(&p->kept, begin, &at);
    while (begin < end) {
        const int64_t n = graft__min_i64(graft__walker_left(&p->kept, &at), end - begin);
        columns_max(p, (const char *)p->src + at.src * width, n, r0, r1, slots);
        graft__walker_advance(&p->kept, &at, n);
        slots += n;
        begin += n;
    }
}

static void max_combine(const graft__reduce_plan *p, int64_t n, graft__reduce_slot *into,
                        const graft__reduce_slot *from)
{
    const kernels *k = p->kernels;
    for (int64_t i = 0; i < n; i++)
        if (k->beats(&from[i], &into[i]))
            into[i] = from[i];
}

static void max_store(const graft__reduce_plan *p, int64_t begin, int64_t n,
                      const graft__reduce_slot *slots)
{
    graft__reduce_store_slots(p, begin, n, slots, width_of(p));
}

void graft__amax(graft__pool *pool, const graft__array *dst, const graft__array *src)
{
    graft__reduce_plan p;
    graft__reduce_prepare(&p, dst, src);
    p.kernels = kernels_of(src->dtype);
    p.range = graft__reduce_by_columns(&p) ? max_by_columns : max_by_rows;
    p.combine = max_combine;
    p.store = max_store;
    graft__reduce_run(pool, &p);
}

/* ---- Where ---- */

static void find_range(const graft__reduce_plan *p, int64_t begin, int64_t end, int64_t r0,
                       int64_t r1, graft__reduce_slot *slots)
{
    const kernels *k = p->kernels;
    const int64_t width = width_of(p);
    const int64_t stride = p->reduced.ndim ? p->reduced.src[0] : 1;
    graft__walker at;
    graft__walker_start(&p->kept, begin, &at);
    for (int64_t i = 0; i < end - begin; i++) {
        const char *x = (const char *)p->src + (at.src + r0 * stride) * width;
        slots[i].i64 = r0 + k->find(x, r1 - r0, stride);
        graft__walker_advance(&p->kept, &at, 1);
    }
}

static void find_by_columns(const graft__reduce_plan *p, int64_t begin, int64_t end, int64_t r0,
                            int64_t r1, graft__reduce_slot *slots)
{
    const kernels *k = p->kernels;
    const int64_t width = width_of(p);
    const int64_t stride = p->reduced.ndim ? p->reduced.src[0] : 0;
    graft__walker at;
    graft__walker_start(&p->kept, begin, &at);
    while (begin < end) {
        const int64_t left = graft__min_i64(graft__walker_left(&p->kept, &at), end - begin);
        const int64_t n = graft__min_i64(left, GRAFT__REDUCE_BLOCK);
        const char *x = (const char *)p->src + (at.src + r0 * stride) * width;
        k->find_columns(x, n, r0, r1, stride, slots);
        graft__walker_advance(&p->kept, &at, n);
        slots += n;
        begin += n;
    }
}

/* from lies behind into, and so loses where both are equal. */
static void find_combine(const graft__reduce_plan *p, int64_t n, graft__reduce_slot *into,
                         const graft__reduce_slot *from)
{
    const kernels *k = p->kernels;
    const int64_t stride = p->reduced.ndim ? p->reduced.src[0] : 1, width = width_of(p);
    graft__walker at;
    graft__walker_start(&p->kept, 0, &at);
    for (int64_t i = 0; i < n; i++) {
        const char *x = (const char *)p->src + at.src * width;
        if (k->beats(x + from[i].i64 * stride * width, x + into[i].i64 * stride * width))
            into[i] = from[i];
        graft__walker_advance(&p->kept, &at, 1);
    }
}

static void find_store(const graft__reduce_plan *p, int64_t begin, int64_t n,
                       const graft__reduce_slot *slots)
{
    graft__reduce_store_slots(p, begin, n, slots, sizeof slots->i64);
}

void graft__argmax(graft__pool *pool, const graft__array *dst, const graft__array *src)
{
    graft__reduce_plan p;
    graft__reduce_prepare(&p, dst, src);
    p.kernels = kernels_of(src->dtype);
    p.range = graft__reduce_by_columns(&p) ? find_by_columns : find_range;
    p.combine = find_combine;
    p.store = find_store;
    graft__reduce_run(pool, &p);
}

/* ---- Backward ---- */

#define DEFINE_BACKWARD(suffix, type)                                                              \
    static void count_ties_##suffix(int64_t n, char *const *p, const int64_t *step,                \
                                    const void *arg)                                               \
    {                                                                                              \
        (void)arg;                                                                                 \
        char *ties = p[0], *x = p[1], *y = p[2];                                                   \
        for (; n > 0; n--, ties += step[0], x += step[1], y += step[2])                            \
            *(double *)ties += *(const type *)x == *(const type *)y;                               \
    }                                                                                              \
                                                                                                   \
    static void share_##suffix(int64_t n, char *const *p, const int64_t *step, const void *arg)    \
    {                                                                                              \
        (void)arg;                                                                                 \
        char *ties = p[0], *dy = p[1];                                                             \
        for (; n > 0; n--, ties += step[0], dy += step[1])                                         \
            *(double *)ties = *(const double *)ties == 0                                           \
                                  ? NAN                                                            \
                                  : (double)*(const type *)dy / *(const double *)ties;             \
    }                                                                                              \
                                                                                                   \
    static void hand_out_##suffix(int64_t n, char *const *p, const int64_t *step, const void *arg) \
    {                                                                                              \
        const double beta = *(const double *)arg;                                                  \
        char *dx = p[0], *x = p[1], *y = p[2], *share = p[3];                                      \
        for (; n > 0; n--, dx += step[0], x += step[1], y += step[2], share += step[3]) {          \
            const type most = *(const type *)y;                                                    \
            const bool gets = *(const type *)x == most || most != most;                            \
            const double got = gets ? *(const double *)share : 0;                                  \
            *(type *)dx = (type)(beta == 0 ? got : (double)*(const type *)dx + got);               \
        }                                                                                          \
    }

DEFINE_BACKWARD(f32, float)
DEFINE_BACKWARD(f64, double)

/* The array without the dimensions along which it repeats. */
static graft__array once(const graft__array *a, const graft__array *reduced)
{
    graft__array b = *a;
    for (int d = 0; d < a->ndim; d++)
        if (reduced->stride[d] == 0)
            b.size[d] = 1;
    return b;
}

void graft__amax_backward(graft__pool *pool, const graft__array *dx, const graft__array *x,
                          const graft__array *y, const graft__array *dy, const graft__array *ties,
                          double beta)
{
    const bool wide = x->dtype == GRAFT_F64;
    const graft__array ties_once = once(ties, ties), dy_once = once(dy, ties);
    graft__fill(pool, &ties_once, 0);
    const graft__array *counted[] = {ties, x, y};
    graft__iterate(NULL, 3, counted, 1, wide ? count_ties_f64 : count_ties_f32, NULL);
    const graft__array *shared[] = {&ties_once, &dy_once};
    graft__iterate(pool, 2, shared, 1, wide ? share_f64 : share_f32, NULL);
    const graft__array *handed[] = {dx, x, y, ties};
    graft__iterate(pool, 4, handed, 1, wide ? hand_out_f64 : hand_out_f32, &beta);
}
