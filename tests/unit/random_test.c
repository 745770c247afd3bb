/* The constants of the stream tests were printed by PyTorch 1.13.1 (CPU, AVX2, Debian 12), the
 * calls being those that the comments name, in one go after torch.manual_seed(0). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"

#define COUNT(array) ((int64_t)(sizeof(array) / sizeof *(array)))

static void assert_same_f32(const float *got, const float *want, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (got[i] != want[i])
            fail_msg("[%d]: %a, expected %a", (int)i, (double)got[i], (double)want[i]);
}

static void assert_same_f64(const double *got, const double *want, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (got[i] != want[i])
            fail_msg("[%d]: %a, expected %a", (int)i, got[i], want[i]);
}

static void assert_near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance * (1.0 + fabs(want))))
        fail_msg("%.17g, expected %.17g", got, want);
}

static void assert_same_ints(const int64_t *got, const int64_t *want, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        assert_int_equal(got[i], want[i]);
}

/* ISO C++ states the 10,000th number of mt19937 with its default seed. */
static void test_mersenne_twister(void **state)
{
    (void)state;
    graft__random r;
    graft__random_seed(&r, 5489);
    for (int i = 0; i < 9999; i++)
        graft__random_u32(&r);
    assert_int_equal(graft__random_u32(&r), 4123659995U);
}

static void test_seed(void **state)
{
    (void)state;
    graft__random a, b;
    graft__random_seed(&a, 7);
    graft__random_seed(&b, 7 + (UINT64_C(1) << 32));
    assert_int_equal(b.seed, 7 + (UINT64_C(1) << 32));
    assert_int_equal(graft__random_u32(&a), 327741615); /* torch.randint(0, 2**32 - 1, (2,)) */
    assert_int_equal(graft__random_u32(&a), 976413892);
    assert_int_equal(graft__random_u32(&b), 327741615);
    assert_int_equal(graft__random_u32(&b), 976413892);

    /* PyTorch's default seed; torch.rand(1) */
    float x;
    graft__random_seed(&a, 67280421310721);
    graft__random_uniform_f32(&a, 1, &x, 0.0, 1.0);
    assert_true(x == 0x1.11b5d8p-2F);
}

/* A normal left in the cache must not leak into the next seed's stream. */
static void test_seed_forgets_the_cached_normal(void **state)
{
    (void)state;
    graft__random a, b;
    double from_a, from_b;
    graft__random_seed(&a, 1);
    graft__random_normal_f64(&a, 1, &from_a, 0.0, 1.0);
    assert_true(a.has_normal);
    graft__random_seed(&a, 2);
    graft__random_seed(&b, 2);
    graft__random_normal_f64(&a, 1, &from_a, 0.0, 1.0);
    graft__random_normal_f64(&b, 1, &from_b, 0.0, 1.0);
    assert_true(from_a == from_b);
}

/* Bulk and single draws mix freely, whatever their size is to that of the state. */
static void test_fill_is_repeated_draws(void **state)
{
    (void)state;
    static const int64_t sizes[] = {0, 1, 2, 623, 624, 625, 3, 1247, 1248, 1249, 5000, 1};
    static uint32_t got[5000];
    static uint64_t wide[5000];
    graft__random a, b;
    graft__random_seed(&a, 99);
    graft__random_seed(&b, 99);
    for (int64_t k = 0; k < COUNT(sizes); k++) {
        graft__random_fill_u32(&a, sizes[k], got);
        for (int64_t i = 0; i < sizes[k]; i++)
            assert_int_equal(got[i], graft__random_u32(&b));
        graft__random_fill_u64(&a, sizes[k], wide);
        for (int64_t i = 0; i < sizes[k]; i++)
            assert_int_equal(wide[i], graft__random_u64(&b));
        assert_int_equal(graft__random_u32(&a), graft__random_u32(&b));
        assert_int_equal(a.left, b.left);
        assert_int_equal(a.next, b.next);
    }
}

/* One stream through every distribution: a number drawn too many or too few shows in all the rest,
 * and so does the cache of normals. */
static void test_stream_of_pytorch(void **state)
{
    (void)state;
    graft__random r;
    graft__random_seed(&r, 0);

    float f[18];
    double d[17];
    int64_t n[10];

    graft__random_uniform_f32(&r, 4, f, 0.0, 1.0); /* torch.rand(4) */
    assert_same_f32(f, (const float[]){0x1.fc2abp-2F, 0x1.89545ep-1F, 0x1.6a675p-4F, 0x1.0e66p-3F},
                    4);

    graft__random_normal_f32(&r, 3, f, 0.0, 1.0); /* torch.randn(3), leaves one in the cache */
    const float three[] = {-0x1.16e292p+1F, 0x1.23096cp-1F, -0x1.15a342p+0F};
    for (int i = 0; i < 3; i++)
        assert_near(f[i], three[i], 1e-6);

    graft__random_normal_f64(&r, 2, d, 0.0, 1.0); /* torch.randn(2, dtype=torch.float64) */
    assert_near(d[0], -0x1.660a590b74404p+0, 1e-14);
    assert_near(d[1], 0x1.9d06f4be0cd62p-2, 1e-14);

    graft__random_normal_f32(&r, 18, f, 0.0, 1.0); /* torch.randn(18), the last 16 twice */
    static const float eighteen[] = {
        -0x1.5a4784p+0F, -0x1.b2288cp+0F, -0x1.f8805p-2F, 0x1.fcc0ep-3F,   0x1.c23fap-2F,
        0x1.cc6facp-4F,  0x1.4815fp-1F,   0x1.c3be78p-2F, -0x1.ba1684p-3F, -0x1.7c2f46p-1F,
        -0x1.289ea6p-2F, 0x1.ae242ep-5F,  0x1.0bb45ep-1F, 0x1.26aeaap+1F,  -0x1.78096ep+0F,
        -0x1.96313cp+0F, 0x1.340678p+0F,  0x1.5a410ep-4F};
    for (int i = 0; i < 18; i++)
        assert_near(f[i], eighteen[i], 1e-6);

    graft__random_normal_f32(&r, 1, f, 0.0, 1.0); /* torch.randn(1), from the cache */
    assert_near(f[0], 0x1.ad11cap-1F, 1e-6);

    graft__random_bernoulli_f32(&r, 12, f, 0.3); /* torch.empty(12).bernoulli_(0.3) */
    assert_same_f32(f, (const float[]){0, 0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 0}, 12);
    graft__random_bernoulli_f64(&r, 8, d, 0.3);
    assert_same_f64(d, (const double[]){0, 0, 0, 1, 1, 0, 0, 0}, 8);

    graft__random_int(&r, 8, n, -5, 7); /* torch.randint(-5, 7, (8,)) */
    assert_same_ints(n, (const int64_t[]){2, 2, 5, 5, 2, 3, 5, 2}, 8);
    const int64_t far = INT64_C(1) << 62; /* torch.randint(-2**62, 2**62, (3,)) */
    graft__random_int(&r, 3, n, -far, far);
    assert_same_ints(
        n, (const int64_t[]){2097593536918997900, -3316784057469747286, 3479083852203280587}, 3);

    graft__random_permutation(&r, 10, n); /* torch.randperm(10) */
    assert_same_ints(n, (const int64_t[]){4, 7, 6, 8, 9, 3, 0, 5, 1, 2}, 10);

    graft__random_uniform_f64(&r, 3, d, -0.3, 1.1); /* torch.empty(3, ...).uniform_(-0.3, 1.1) */
    assert_same_f64(
        d, (const double[]){0x1.299c9279467dfp-1, 0x1.27bd440b9ccc9p-1, -0x1.8396db990df51p-5}, 3);
    graft__random_uniform_f32(&r, 3, f, -0.3, 1.1);
    assert_same_f32(f, (const float[]){0x1.21cda4p-1F, 0x1.597242p-1F, 0x1.c48956p-2F}, 3);

    graft__random_normal_f64(&r, 17, d, 2.0, 3.0); /* torch.empty(17, ...).normal_(2, 3) */
    assert_near(d[0], 0x1.2c2379b51296fp+1, 1e-14);
    assert_near(d[1], -0x1.591b5a93139dfp-1, 1e-14);
    assert_near(d[8], 0x1.613ef09e37100p+2, 1e-14);
    assert_near(d[16], 0x1.6df4c44d079f2p+1, 1e-14);

    assert_int_equal(graft__random_u32(&r), 1242989696); /* torch.randint(0, 2**32 - 1, (1,)) */
}

static void test_bernoulli_at_its_ends(void **state)
{
    (void)state;
    graft__random r;
    graft__random_seed(&r, 3);
    float f[1000];
    graft__random_bernoulli_f32(&r, 1000, f, 0.0);
    for (int i = 0; i < 1000; i++)
        assert_true(f[i] == 0.0F);
    graft__random_bernoulli_f32(&r, 1000, f, 1.0);
    for (int i = 0; i < 1000; i++)
        assert_true(f[i] == 1.0F);
}

static void test_integers_stay_in_their_range(void **state)
{
    (void)state;
    graft__random r;
    graft__random_seed(&r, 3);
    static const int64_t ranges[][2] = {{0, 1},
                                        {-3, 4},
                                        {INT64_MIN, INT64_MAX},
                                        {INT64_MIN, INT64_MIN + 1},
                                        {INT64_MAX - 1, INT64_MAX},
                                        {-(INT64_C(1) << 31), INT64_C(1) << 31},
                                        {0, UINT32_MAX}};
    int64_t n[700];
    for (int64_t k = 0; k < COUNT(ranges); k++) {
        graft__random_int(&r, COUNT(n), n, ranges[k][0], ranges[k][1]);
        for (int64_t i = 0; i < COUNT(n); i++)
            assert_true(n[i] >= ranges[k][0] && n[i] < ranges[k][1]);
    }
}

static void test_permutations_hold_each_number_once(void **state)
{
    (void)state;
    graft__random r;
    graft__random_seed(&r, 3);
    static const int64_t sizes[] = {0, 1, 2, 512, 513, 514, 1024, 1025, 1026};
    static int64_t n[1026];
    for (int64_t k = 0; k < COUNT(sizes); k++) {
        bool seen[1026] = {false};
        graft__random_permutation(&r, sizes[k], n);
        for (int64_t i = 0; i < sizes[k]; i++) {
            assert_true(n[i] >= 0 && n[i] < sizes[k]);
            assert_false(seen[n[i]]);
            seen[n[i]] = true;
        }
    }
}

/* The groups of 16 are computed with polynomials of our own: against libm, on a million numbers. */
static void test_normals_against_libm(void **state)
{
    (void)state;
    enum { N = 4096 };
    static float u[N], x[N];
    graft__random a, b;
    graft__random_seed(&a, 11);
    graft__random_seed(&b, 11);
    for (int round = 0; round < 256; round++) {
        graft__random_uniform_f32(&a, N, u, 0.0, 1.0);
        graft__random_normal_f32(&b, N, x, 0.5, 2.0);
        for (int i = 0; i < N; i += 16)
            for (int j = i; j < i + 8; j++) {
                const double radius = 2.0 * sqrt(-2.0 * log(1.0 - (double)u[j]));
                const float angle = 6.28318530718F * u[j + 8];
                assert_near(x[j], 0.5 + radius * cos(angle), 6e-7);
                assert_near(x[j + 8], 0.5 + radius * sin(angle), 6e-7);
            }
    }
}

/* The largest radius (u = 1 - 2^-24 before its logarithm is taken) is finite. */
static void test_normals_are_finite(void **state)
{
    (void)state;
    enum { N = 1 << 16 };
    static float x[N];
    graft__random r;
    graft__random_seed(&r, 5);
    float most = 0.0F;
    for (int round = 0; round < 64; round++) {
        graft__random_normal_f32(&r, N, x, 0.0, 1.0);
        for (int i = 0; i < N; i++) {
            assert_true(isfinite(x[i]));
            most = fmaxf(most, fabsf(x[i]));
        }
    }
    assert_true(most > 4.5F && most < 5.77F); /* sqrt(-2 ln 2^-24) = 5.768 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mersenne_twister),
        cmocka_unit_test(test_seed),
        cmocka_unit_test(test_seed_forgets_the_cached_normal),
        cmocka_unit_test(test_fill_is_repeated_draws),
        cmocka_unit_test(test_stream_of_pytorch),
        cmocka_unit_test(test_bernoulli_at_its_ends),
        cmocka_unit_test(test_integers_stay_in_their_range),
        cmocka_unit_test(test_permutations_hold_each_number_once),
        cmocka_unit_test(test_normals_against_libm),
        cmocka_unit_test(test_normals_are_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
