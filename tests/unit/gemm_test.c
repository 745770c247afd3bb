#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/gemm.h"
#include "kernel/gemm_kernels.h"

/* Sizes about those of tiles (6, 12 rows; 4 to 32 columns) and of the blocks of k. */
static const int64_t edges[] = {1,  2,  3,  5,  6,  7,  8,  11, 12, 13,
                                15, 16, 17, 31, 32, 33, 47, 64, 65};
#define EDGES ((int)(sizeof edges / sizeof *edges))

static uint32_t next(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

static double number(uint32_t *seed)
{
    return (double)next(seed) / (1 << 23) - 1;
}

typedef struct operand {
    int64_t rows, cols, ld;
    float *f;
    double *d;
} operand;

/* A matrix as stored; what lies between its rows is NaN, which must not come through. */
static operand operand_new(uint32_t *seed, int64_t rows, int64_t cols, int64_t gap)
{
    operand o = {rows, cols, cols + gap, NULL, NULL};
    const size_t count = (size_t)(rows * o.ld);
    o.f = malloc((count + 1) * sizeof *o.f);
    o.d = malloc((count + 1) * sizeof *o.d);
    assert_non_null(o.f);
    assert_non_null(o.d);
    for (size_t i = 0; i < count; i++) {
        const double x = (int64_t)i % o.ld < cols ? (double)(float)number(seed) : NAN;
        o.f[i] = (float)x;
        o.d[i] = x;
    }
    return o;
}

static operand operand_copy(const operand *o)
{
    operand c = *o;
    const size_t count = (size_t)(o->rows * o->ld);
    c.f = malloc((count + 1) * sizeof *c.f);
    c.d = malloc((count + 1) * sizeof *c.d);
    assert_non_null(c.f);
    assert_non_null(c.d);
    memcpy(c.f, o->f, count * sizeof *c.f);
    memcpy(c.d, o->d, count * sizeof *c.d);
    return c;
}

static void operand_free(operand *o)
{
    free(o->f);
    free(o->d);
}

/* Elements within `bound`, and the gaps between rows untouched. */
static void check(const operand *got, const operand *want, double bound_f, double bound_d,
                  const graft__gemm *p)
{
    for (int64_t i = 0; i < want->rows; i++)
        for (int64_t j = 0; j < want->ld; j++) {
            const int64_t at = i * want->ld + j;
            const bool gap = j >= want->cols;
            const double f = (double)got->f[at], d = got->d[at];
            if (gap ? isnan(f) && isnan(d)
                    : fabs(f - (double)want->f[at]) <= bound_f && fabs(d - want->d[at]) <= bound_d)
                continue;
            fail_msg("%dx%dx%d trans %d %d ld %d %d %d alpha %g beta %g: [%d, %d] is %.9g, %.17g, "
                     "expected %.9g, %.17g",
                     (int)p->m, (int)p->n, (int)p->k, p->trans_a, p->trans_b, (int)p->lda,
                     (int)p->ldb, (int)p->ldc, p->alpha, p->beta, (int)i, (int)j, f, d,
                     (double)want->f[at], want->d[at]);
        }
}

typedef void product(void *how, const graft__gemm *p, const operand *a, const operand *b,
                     operand *c);

static void compare(product *run, void *how, graft__gemm p, uint32_t *seed, int64_t gap)
{
    operand a = operand_new(seed, p.trans_a ? p.k : p.m, p.trans_a ? p.m : p.k, gap);
    operand b = operand_new(seed, p.trans_b ? p.n : p.k, p.trans_b ? p.k : p.n, gap ? gap + 1 : 0);
    operand c = operand_new(seed, p.m, p.n, gap ? gap + 2 : 0);
    p.lda = a.ld;
    p.ldb = b.ld;
    p.ldc = c.ld;
    operand want = operand_copy(&c);
    graft__gemm_reference_f32(&p, a.f, b.f, want.f);
    graft__gemm_reference_f64(&p, a.d, b.d, want.d);
    run(how, &p, &a, &b, &c);
    const double terms = fabs(p.alpha) * (double)(p.k + 2) + fabs(p.beta) * 2;
    check(&c, &want, terms * 0x1p-23, terms * 0x1p-52, &p);
    operand_free(&a);
    operand_free(&b);
    operand_free(&c);
    operand_free(&want);
}

typedef struct kernels {
    const graft__gemm_kernels_f32 *f;
    const graft__gemm_kernels_f64 *d;
    graft__pool *pool;
} kernels;

static void run_blocked(void *how, const graft__gemm *p, const operand *a, const operand *b,
                        operand *c)
{
    const kernels *k = how;
    graft__gemm_blocked_f32(k->f, k->pool, p, a->f, b->f, c->f);
    graft__gemm_blocked_f64(k->d, k->pool, p, a->d, b->d, c->d);
}

/* As graft__gemm_f32 and _f64 choose, but with these kernels. */
static void run_chosen(void *how, const graft__gemm *p, const operand *a, const operand *b,
                       operand *c)
{
    const kernels *k = how;
    if (!graft__gemm_small_f32(k->f, p, a->f, b->f, c->f) &&
        !graft__gemm_thin_f32(k->f, k->pool, p, a->f, b->f, c->f))
        graft__gemm_blocked_f32(k->f, k->pool, p, a->f, b->f, c->f);
    if (!graft__gemm_small_f64(k->d, p, a->d, b->d, c->d) &&
        !graft__gemm_thin_f64(k->d, k->pool, p, a->d, b->d, c->d))
        graft__gemm_blocked_f64(k->d, k->pool, p, a->d, b->d, c->d);
}

static void run_best(void *how, const graft__gemm *p, const operand *a, const operand *b,
                     operand *c)
{
    graft__gemm_f32(how, p, a->f, b->f, c->f);
    graft__gemm_f64(how, p, a->d, b->d, c->d);
}

static graft__gemm problem(int64_t m, int64_t n, int64_t k, int transposed)
{
    return (graft__gemm){
        .trans_a = transposed & 1, .trans_b = transposed >> 1, .m = m, .n = n, .k = k, .alpha = 1};
}

/* Whether to take a part of the cases only: set for valgrind, which is slow. */
static bool quick(void)
{
    return getenv("GRAFT_TEST_QUICK") != NULL;
}

static void sweep(product *run, void *how, int step)
{
    uint32_t seed = 1;
    if (quick())
        step *= 37;
    for (int i = 0, at = 0; i < EDGES; i++)
        for (int j = 0; j < EDGES; j++)
            for (int l = 0; l < EDGES; l++)
                for (int transposed = 0; transposed < 4; transposed++) {
                    if (++at % step)
                        continue;
                    graft__gemm p = problem(edges[i], edges[j], edges[l], transposed);
                    p.alpha = at % 3 == 0 ? -0.5 : 1;
                    p.beta = at % 5 == 0 ? 1 : at % 7 == 0 ? 0.25 : 0;
                    compare(run, how, p, &seed, at % 2 ? at % 9 : 0);
                }
}

/* Longer than a block of k, more than a panel, rows a page apart; and many of one against few. */
static void sweep_large(product *run, void *how)
{
    static const int64_t sizes[][3] = {
        {24, 128, 784}, {30, 70, 512},  {64, 10, 512},  {64, 200, 10},  {300, 131, 40},
        {10, 200, 64},  {1, 90, 1100},  {90, 1, 1100},  {1, 1, 3000},   {2, 70, 513},
        {70, 2, 513},   {40, 26, 1024}, {13, 1024, 40}, {131, 67, 121}, {1, 2049, 65},
    };
    uint32_t seed = 2;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int transposed = 0; transposed < 4; transposed++) {
            if (quick() && transposed != (int)i % 4)
                continue;
            graft__gemm p = problem(sizes[i][0], sizes[i][1], sizes[i][2], transposed);
            p.beta = (int)i % 2;
            compare(run, how, p, &seed, transposed ? 0 : 3);
        }
}

static void test_portable(void **state)
{
    (void)state;
    kernels k = {&graft__gemm_portable_f32, &graft__gemm_portable_f64, NULL};
    sweep(run_blocked, &k, 23);
    sweep(run_chosen, &k, 31);
    sweep_large(run_chosen, &k);
}

#if defined(__x86_64__)
static void test_avx2(void **state)
{
    (void)state;
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        skip();
    kernels k = {&graft__gemm_avx2_f32, &graft__gemm_avx2_f64, NULL};
    sweep(run_blocked, &k, 23);
    sweep(run_chosen, &k, 31);
    sweep_large(run_chosen, &k);
}

static void test_avx512(void **state)
{
    (void)state;
    if (graft__gemm_kernels_best_f32() != &graft__gemm_avx512_f32)
        skip();
    kernels k = {&graft__gemm_avx512_f32, &graft__gemm_avx512_f64, NULL};
    sweep(run_blocked, &k, 23);
    sweep(run_chosen, &k, 31);
    sweep_large(run_chosen, &k);
}
#endif

static void test_best(void **state)
{
    (void)state;
    sweep(run_best, NULL, 29);
    sweep_large(run_best, NULL);
}

static void test_threads(void **state)
{
    (void)state;
    graft__pool *pool = graft__pool_new(NULL, 4);
    assert_non_null(pool);
    sweep(run_best, pool, 211);
    sweep_large(run_best, pool);
    graft__pool_free(pool);
}

/* The reference itself, against sums done by hand. */
static void test_reference(void **state)
{
    (void)state;
    const double a[] = {1, 2, 3, 4, 5, 6}, b[] = {7, 8, 9, 10, 11, 12};
    double c[] = {1, 1, 1, 1};
    graft__gemm p = {.m = 2, .n = 2, .k = 3, .lda = 3, .ldb = 2, .ldc = 2, .alpha = 1, .beta = 0};
    graft__gemm_reference_f64(&p, a, b, c);
    const double plain[] = {58, 64, 139, 154};
    assert_memory_equal(c, plain, sizeof plain);
    p.trans_b = true;
    p.ldb = 3;
    p.alpha = 2;
    p.beta = -1;
    graft__gemm_reference_f64(&p, a, b, c);
    const double transposed[] = {2 * 50 - 58, 2 * 68 - 64, 2 * 122 - 139, 2 * 167 - 154};
    assert_memory_equal(c, transposed, sizeof transposed);
    p.trans_a = true;
    p.lda = 2;
    p.beta = 0;
    p.alpha = 1;
    graft__gemm_reference_f64(&p, a, b, c);
    const double both[] = {1 * 7 + 3 * 8 + 5 * 9, 1 * 10 + 3 * 11 + 5 * 12, 2 * 7 + 4 * 8 + 6 * 9,
                           2 * 10 + 4 * 11 + 6 * 12};
    assert_memory_equal(c, both, sizeof both);
}

static void test_empty(void **state)
{
    (void)state;
    const float a[4] = {NAN, NAN, NAN, NAN};
    float c[4] = {1, 2, NAN, INFINITY};
    graft__gemm p = {.m = 0, .n = 2, .k = 2, .lda = 2, .ldb = 2, .ldc = 2, .alpha = 1, .beta = 0};
    graft__gemm_f32(NULL, &p, a, a, c);
    assert_true(c[0] == 1 && c[1] == 2);
    p.m = 2;
    p.n = 0;
    graft__gemm_f32(NULL, &p, a, a, c);
    assert_true(c[0] == 1 && c[1] == 2);
    p.n = 2;
    p.k = 0;
    p.beta = 3;
    p.alpha = NAN;
    graft__gemm_f32(NULL, &p, NULL, NULL, c);
    assert_true(c[0] == 3 && c[1] == 6 && isnan(c[2]) && isinf(c[3]));
    p.beta = 0;
    graft__gemm_f32(NULL, &p, NULL, NULL, c);
    for (int i = 0; i < 4; i++)
        assert_true(c[i] == 0);
    double d[4] = {1, 2, NAN, 4};
    graft__gemm_f64(NULL, &p, NULL, NULL, d);
    for (int i = 0; i < 4; i++)
        assert_true(d[i] == 0);
}

/* NaN, infinities and the smallest numbers come through in the places where they belong, on every
 * path: alpha == 0 skips nothing, beta == 0 reads nothing. */
static void test_special_values(void **state)
{
    (void)state;
    static const int64_t sizes[][3] = {{3, 5, 7}, {1, 40, 600}, {40, 1, 600}, {70, 70, 600}};
    graft__pool *pool = graft__pool_new(NULL, 2);
    assert_non_null(pool);
    for (int which = 0; which < 16; which += quick() ? 5 : 1) {
        graft__gemm p =
            problem(sizes[which / 4][0], sizes[which / 4][1], sizes[which / 4][2], which % 4);
        const int64_t m = p.m, n = p.n, k = p.k;
        p.lda = p.trans_a ? m : k;
        p.ldb = p.trans_b ? k : n;
        p.ldc = n;
        float *a = calloc((size_t)(m * k), sizeof *a), *b = calloc((size_t)(k * n), sizeof *b);
        float *c = malloc((size_t)(m * n) * sizeof *c);
        assert_non_null(a);
        assert_non_null(b);
        assert_non_null(c);
        for (int64_t i = 0; i < k * n; i++)
            b[i] = 1;
        for (int64_t i = 0; i < m * n; i++)
            c[i] = NAN;
        /* The last row of A: a denormal; its first: an infinity in the last place. */
        a[p.trans_a ? m - 1 : (m - 1) * k] = 0x1p-149F;
        graft__gemm_f32(pool, &p, a, b, c);
        for (int64_t i = 0; i < m * n; i++)
            assert_true(c[i] == (i / n == m - 1 ? 0x1p-149F : 0));
        a[p.trans_a ? (k - 1) * m : k - 1] = INFINITY;
        p.alpha = 0;
        graft__gemm_f32(pool, &p, a, b, c);
        for (int64_t i = 0; i < m * n; i++)
            assert_true(i < n ? isnan(c[i]) : c[i] == 0);
        free(a);
        free(b);
        free(c);
    }
    graft__pool_free(pool);
}

static void *no_memory(void *user, size_t size, size_t align)
{
    bool *fail = user;
    return *fail ? NULL : aligned_alloc(align, (size + align - 1) / align * align);
}

static void give_back(void *user, void *ptr, size_t size)
{
    (void)user;
    (void)size;
    free(ptr);
}

/* The same bits run for run and, as nothing is cut along k, for every number of threads; also where
 * there is no memory to pack into. */
static void check_bits(const graft__gemm *p, const operand *a, const operand *b,
                       const operand *expected, int threads, bool no_scratch)
{
    bool fail = false;
    const graft_allocator allocator = {no_memory, give_back, &fail};
    graft__pool *pool = graft__pool_new(&allocator, threads);
    assert_non_null(pool);
    fail = no_scratch;
    operand c = operand_copy(expected);
    for (int again = 0; again < (threads == 2 ? 2 : 1); again++) {
        run_best(pool, p, a, b, &c);
        assert_memory_equal(c.f, expected->f, (size_t)(p->m * p->n) * sizeof *c.f);
        assert_memory_equal(c.d, expected->d, (size_t)(p->m * p->n) * sizeof *c.d);
    }
    operand_free(&c);
    graft__pool_free(pool);
}

/* The last has a side that is too long to be packed whole. */
static void test_same_bits(void **state)
{
    (void)state;
    static const int64_t sizes[][3] = {
        {40, 130, 300}, {100, 120, 100}, {140, 120, 64}, {1, 900, 300}, {13, 32, 40000}};
    for (int which = 0; which < 20; which += quick() ? 5 : 1) {
        if (which / 4 == 4 && which % 4 != 2)
            continue;
        graft__gemm p =
            problem(sizes[which / 4][0], sizes[which / 4][1], sizes[which / 4][2], which % 4);
        uint32_t seed = 3;
        operand a = operand_new(&seed, p.trans_a ? p.k : p.m, p.trans_a ? p.m : p.k, 0);
        operand b = operand_new(&seed, p.trans_b ? p.n : p.k, p.trans_b ? p.k : p.n, 0);
        operand expected = operand_new(&seed, p.m, p.n, 0);
        p.lda = a.ld;
        p.ldb = b.ld;
        p.ldc = p.n;
        run_best(NULL, &p, &a, &b, &expected);
        check_bits(&p, &a, &b, &expected, 1, false);
        check_bits(&p, &a, &b, &expected, 2, false);
        check_bits(&p, &a, &b, &expected, 3, true);
        check_bits(&p, &a, &b, &expected, 12, false);
        operand_free(&a);
        operand_free(&b);
        operand_free(&expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference),
        cmocka_unit_test(test_portable),
#if defined(__x86_64__)
        cmocka_unit_test(test_avx2),
        cmocka_unit_test(test_avx512),
#endif
        cmocka_unit_test(test_best),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_special_values),
        cmocka_unit_test(test_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
