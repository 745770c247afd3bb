#include "kernel/reduce.h"

#include "kernel/reduce_plan.h"
#include "kernel/target.h"

#if GRAFT__X86
#include <immintrin.h>
#endif

/* f32 is summed in double, so that no order of its elements is felt. Double itself is summed in
 * chunks whose sums are added in pairs of like size: the error grows with the logarithm of n. */
enum { RUN_CHUNK = 1024, ROW_CHUNK = 128, LEVELS = 40 };

typedef struct kernels {
    double (*run)(const void *x, int64_t n); /* of n neighbours */
    /* out[i] = the sum of column i */
    void (*columns)(const void *x, int64_t rows, int64_t stride, int64_t cols, double *out);
} kernels;

typedef float floats __attribute__((vector_size(16), aligned(4), may_alias));

#define TYPE float
#define NAME(x) x##_f32_portable
#define TARGET
#define LANES 4
#define LOAD(p) __builtin_convertvector(*(const floats *)(p), vd_f32_portable)
#include "kernel/reduce_sum_body.h"

#define TYPE double
#define NAME(x) x##_f64_portable
#define TARGET
#define LANES 4
#define LOAD(p) (*(const vd_f64_portable *)(p))
#include "kernel/reduce_sum_body.h"

#if GRAFT__X86
/* By intrinsics: gcc makes four instructions of a conversion of vectors. */
#define TYPE float
#define NAME(x) x##_f32_avx2
#define TARGET GRAFT__TARGET_AVX2
#define LANES 4
#define LOAD(p) (vd_f32_avx2) _mm256_cvtps_pd(_mm_loadu_ps(p))
#include "kernel/reduce_sum_body.h"

#define TYPE double
#define NAME(x) x##_f64_avx2
#define TARGET GRAFT__TARGET_AVX2
#define LANES 4
#define LOAD(p) (*(const vd_f64_avx2 *)(p))
#include "kernel/reduce_sum_body.h"

#define TYPE float
#define NAME(x) x##_f32_avx512
#define TARGET GRAFT__TARGET_AVX512
#define LANES 8
#define LOAD(p) (vd_f32_avx512) _mm512_cvtps_pd(_mm256_loadu_ps(p))
#include "kernel/reduce_sum_body.h"

#define TYPE double
#define NAME(x) x##_f64_avx512
#define TARGET GRAFT__TARGET_AVX512
#define LANES 8
#define LOAD(p) (*(const vd_f64_avx512 *)(p))
#include "kernel/reduce_sum_body.h"
#endif

#define KERNELS(kind)                                                                              \
    {                                                                                              \
        {run_f32_##kind, columns_f32_##kind},                                                      \
        {                                                                                          \
            run_f64_##kind, columns_f64_##kind                                                     \
        }                                                                                          \
    }

static const kernels *kernels_of(graft_dtype dtype)
{
    static const kernels table[GRAFT__KINDS][2] = {
        [GRAFT__PORTABLE] = KERNELS(portable),
#if GRAFT__X86
        [GRAFT__AVX2] = KERNELS(avx2),
        [GRAFT__AVX512] = KERNELS(avx512),
#endif
    };
    return &table[graft__processor()][dtype == GRAFT_F64];
}

/* ---- Pairwise addition: level i holds the sum of 2^i chunks, or is stale ---- */

typedef struct cascade {
    uint64_t chunks;
    double level[LEVELS];
} cascade;

static void cascade_add(cascade *c, double sum)
{
    int level = 0;
    for (uint64_t n = c->chunks; n & 1; n >>= 1)
        sum += c->level[level++];
    c->level[level] = sum;
    c->chunks++;
}

static double cascade_sum(const cascade *c)
{
    double sum = 0;
    int level = 0;
    for (uint64_t n = c->chunks; n; n >>= 1, level++)
        if (n & 1)
            sum += c->level[level];
    return sum;
}

/* The same for a row of sums. */
typedef struct row_cascade {
    uint64_t chunks;
    double level[LEVELS][GRAFT__REDUCE_BLOCK];
} row_cascade;

static void row_cascade_add(row_cascade *c, double *sums, int64_t n)
{
    int level = 0;
    for (uint64_t left = c->chunks; left & 1; left >>= 1, level++)
        for (int64_t i = 0; i < n; i++)
            sums[i] += c->level[level][i];
    for (int64_t i = 0; i < n; i++)
        c->level[level][i] = sums[i];
    c->chunks++;
}

static void row_cascade_sum(const row_cascade *c, int64_t n, double *sums)
{
    for (int64_t i = 0; i < n; i++)
        sums[i] = 0;
    int level = 0;
    for (uint64_t left = c->chunks; left; left >>= 1, level++)
        if (left & 1)
            for (int64_t i = 0; i < n; i++)
                sums[i] += c->level[level][i];
}

/* ---- Rows: each output by itself ---- */

static const char *element(const void *base, int64_t offset, size_t size)
{
    return (const char *)base + offset * (int64_t)size;
}

#define DEFINE_STRIDED(name, type)                                                                 \
    static double name(const void *data, int64_t n, int64_t stride)                                \
    {                                                                                              \
        const type *x = data;                                                                      \
        double a = 0, b = 0, c = 0, d = 0;                                                         \
        for (; n >= 4; n -= 4, x += 4 * stride) {                                                  \
            a += (double)x[0];                                                                     \
            b += (double)x[stride];                                                                \
            c += (double)x[2 * stride];                                                            \
            d += (double)x[3 * stride];                                                            \
        }                                                                                          \
        for (; n > 0; n--, x += stride)                                                            \
            a += (double)x[0];                                                                     \
        return (a + b) + (c + d);                                                                  \
    }

DEFINE_STRIDED(strided_f32, float)
DEFINE_STRIDED(strided_f64, double)

static double run_strided(const void *data, int64_t n, int64_t stride, graft_dtype dtype)
{
    return dtype == GRAFT_F32 ? strided_f32(data, n, stride) : strided_f64(data, n, stride);
}

static double sum_row(const graft__reduce_plan *p, const char *base, int64_t r0, int64_t r1)
{
    const kernels *k = p->kernels;
    const graft__walk *w = &p->reduced;
    const size_t size = graft__width(p->dtype);
    const int64_t stride = w->ndim ? w->src[w->ndim - 1] : 1;
    const int64_t chunk = stride == 1 ? RUN_CHUNK : ROW_CHUNK;
    cascade c;
    c.chunks = 0;
    graft__walker at;
    graft__walker_start(w, r0, &at);
    while (r0 < r1) {
        const int64_t n =
            graft__min_i64(graft__min_i64(graft__walker_left(w, &at), r1 - r0), chunk);
        const char *x = element(base, at.src, size);
        const double sum = stride == 1 ? k->run(x, n) : run_strided(x, n, stride, p->dtype);
        r0 += n;
        if (r0 == r1 && c.chunks == 0)
            return sum;
        cascade_add(&c, sum);
        graft__walker_advance(w, &at, n);
    }
    return cascade_sum(&c);
}

static void sum_by_rows(const graft__reduce_plan *p, int64_t begin, int64_t end, int64_t r0,
                        int64_t r1, graft__reduce_slot *slots)
{
    const kernels *k = p->kernels;
    const graft__walk *w = &p->reduced;
    const size_t size = graft__width(p->dtype);
    const bool short_runs = w->ndim == 1 && w->src[0] == 1 && r1 - r0 <= RUN_CHUNK;
    graft__walker at;
    graft__walker_start(&p->kept, begin, &at);
    for (int64_t i = 0; i < end - begin; i++) {
        if (short_runs)
            slots[i].f64 = k->run(element(p->src, at.src + r0, size), r1 - r0);
        else
            slots[i].f64 = sum_row(p, element(p->src, at.src, size), r0, r1);
        graft__walker_advance(&p->kept, &at, 1);
    }
}

/* ---- Columns: neighbouring outputs together ---- */

static void sum_columns(const graft__reduce_plan *p, const char *base, int64_t cols, int64_t r0,
                        int64_t r1, double *sums)
{
    const kernels *k = p->kernels;
    const graft__walk *w = &p->reduced;
    const size_t size = graft__width(p->dtype);
    const int64_t stride = w->ndim ? w->src[w->ndim - 1] : 0;
    row_cascade c;
    c.chunks = 0;
    graft__walker at;
    graft__walker_start(w, r0, &at);
    while (r0 < r1) {
        const int64_t n =
            graft__min_i64(graft__min_i64(graft__walker_left(w, &at), r1 - r0), ROW_CHUNK);
        k->columns(element(base, at.src, size), n, stride, cols, sums);
        r0 += n;
        if (r0 == r1 && c.chunks == 0)
            return;
        row_cascade_add(&c, sums, cols);
        graft__walker_advance(w, &at, n);
    }
    row_cascade_sum(&c, cols, sums);
}

static void sum_by_columns(const graft__reduce_plan *p, int64_t begin, int64_t end, int64_t r0,
                           int64_t r1, graft__reduce_slot *slots)
{
    const size_t size = graft__width(p->dtype);
    double sums[GRAFT__REDUCE_BLOCK];
    graft__walker at;
    graft__walker_start(&p->kept, begin, &at);
    while (begin < end) {
        const int64_t left = graft__min_i64(graft__walker_left(&p->kept, &at), end - begin);
        const int64_t n = graft__min_i64(left, GRAFT__REDUCE_BLOCK);
        sum_columns(p, element(p->src, at.src, size), n, r0, r1, sums);
        for (int64_t i = 0; i < n; i++)
            (slots++)->f64 = sums[i];
        graft__walker_advance(&p->kept, &at, n);
        begin += n;
    }
}

/* ---- Together ---- */

static void sum_combine(const graft__reduce_plan *p, int64_t n, graft__reduce_slot *into,
                        const graft__reduce_slot *from)
{
    (void)p;
    for (int64_t i = 0; i < n; i++)
        into[i].f64 += from[i].f64;
}

static void sum_store(const graft__reduce_plan *p, int64_t begin, int64_t n,
                      const graft__reduce_slot *slots)
{
    graft__walker at;
    graft__walker_start(&p->kept, begin, &at);
    for (int64_t i = 0; i < n; i++) {
        const double sum = slots[i].f64 / p->divisor;
        if (p->dtype == GRAFT_F32) {
            float *out = (float *)p->dst + at.dst;
            *out = (float)(p->beta == 0 ? sum : sum + p->beta * (double)*out);
        } else {
            double *out = (double *)p->dst + at.dst;
            *out = p->beta == 0 ? sum : sum + p->beta * *out;
        }
        graft__walker_advance(&p->kept, &at, 1);
    }
}

void graft__sum(graft__pool *pool, const graft__array *dst, const graft__array *src, double divisor,
                double beta)
{
    graft__reduce_plan p;
    graft__reduce_prepare(&p, dst, src);
    p.divisor = divisor;
    p.beta = beta;
    p.kernels = kernels_of(src->dtype);
    p.range = graft__reduce_by_columns(&p) ? sum_by_columns : sum_by_rows;
    p.combine = sum_combine;
    p.store = sum_store;
    graft__reduce_run(pool, &p);
}

void graft__sum_rows(graft__pool *pool, graft_dtype dtype, int64_t rows, int64_t cols,
                     const void *src, int64_t ld, void *dst, double beta)
{
    if (rows > ROW_CHUNK || cols > GRAFT__REDUCE_BLOCK) {
        const graft__array from = {(void *)(uintptr_t)src, dtype, 2, {rows, cols}, {ld, 1}};
        const graft__array to = {dst, dtype, 2, {rows, cols}, {0, 1}};
        graft__sum(pool, &to, &from, 1, beta);
        return;
    }
    double sums[GRAFT__REDUCE_BLOCK];
    kernels_of(dtype)->columns(src, rows, ld, cols, sums);
    if (dtype == GRAFT_F32) {
        float *out = dst;
        for (int64_t i = 0; i < cols; i++)
            out[i] = (float)(beta == 0 ? sums[i] : sums[i] + beta * (double)out[i]);
    } else {
        double *out = dst;
        for (int64_t i = 0; i < cols; i++)
            out[i] = beta == 0 ? sums[i] : sums[i] + beta * out[i];
    }
}

/* ---- Integers ---- */

#define DEFINE_RUN(name, type, value)                                                              \
    static uint64_t run_##name(const void *data, int64_t n, int64_t stride)                        \
    {                                                                                              \
        const type *x = data;                                                                      \
        uint64_t sum = 0;                                                                          \
        if (stride == 1) {                                                                         \
            for (int64_t i = 0; i < n; i++, x++)                                                   \
                sum += value;                                                                      \
        } else {                                                                                   \
            for (int64_t i = 0; i < n; i++, x += stride)                                           \
                sum += value;                                                                      \
        }                                                                                          \
        return sum;                                                                                \
    }

DEFINE_RUN(i64, int64_t, (uint64_t)*x)
DEFINE_RUN(i32, int32_t, (uint64_t)*x)
DEFINE_RUN(i16, int16_t, (uint64_t)*x)
DEFINE_RUN(i8, int8_t, (uint64_t)*x)
DEFINE_RUN(u8, uint8_t, *x)
DEFINE_RUN(bool, uint8_t, *x != 0)

typedef uint64_t integer_run(const void *data, int64_t n, int64_t stride);

static void integer_range(const graft__reduce_plan *p, int64_t begin, int64_t end, int64_t r0,
                          int64_t r1, graft__reduce_slot *slots)
{
    static integer_run *const runs[] = {
        [GRAFT_I64] = run_i64, [GRAFT_I32] = run_i32, [GRAFT_I16] = run_i16,
        [GRAFT_I8] = run_i8,   [GRAFT_U8] = run_u8,   [GRAFT_BOOL] = run_bool,
    };
    const size_t size = graft__width(p->dtype);
    const graft__walk *w = &p->reduced;
    const int64_t stride = w->ndim ? w->src[w->ndim - 1] : 1;
    graft__walker out, at;
    graft__walker_start(&p->kept, begin, &out);
    for (int64_t i = 0; i < end - begin; i++) {
        uint64_t sum = 0;
        graft__walker_start(w, r0, &at);
        for (int64_t r = r0; r < r1;) {
            const int64_t n = graft__min_i64(graft__walker_left(w, &at), r1 - r);
            sum += runs[p->dtype](element(p->src, out.src + at.src, size), n, stride);
            graft__walker_advance(w, &at, n);
            r += n;
        }
        slots[i].i64 = (int64_t)sum;
        graft__walker_advance(&p->kept, &out, 1);
    }
}

static void integer_combine(const graft__reduce_plan *p, int64_t n, graft__reduce_slot *into,
                            const graft__reduce_slot *from)
{
    (void)p;
    for (int64_t i = 0; i < n; i++)
        into[i].i64 = (int64_t)((uint64_t)into[i].i64 + (uint64_t)from[i].i64);
}

static void integer_store(const graft__reduce_plan *p, int64_t begin, int64_t n,
                          const graft__reduce_slot *slots)
{
    graft__reduce_store_slots(p, begin, n, slots, sizeof slots->i64);
}

void graft__sum_integers(graft__pool *pool, const graft__array *dst, const graft__array *src)
{
    graft__reduce_plan p;
    graft__reduce_prepare(&p, dst, src);
    p.range = integer_range;
    p.combine = integer_combine;
    p.store = integer_store;
    graft__reduce_run(pool, &p);
}
