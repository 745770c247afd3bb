/* Conversions of 16-bit floats against a slow reference that compares exact numbers: every value,
 * every midpoint between neighbours, what lies right beside those, and random bits. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "kernel/half.h"

typedef struct format {
    int mantissa_bits, bias;
    float (*to_f32)(uint16_t);
    uint16_t (*from_f32)(float);
    uint16_t (*from_f64)(double);
    uint16_t (*from_i64)(int64_t);
    void (*to_f32_n)(int64_t, const uint16_t *, float *);
    void (*from_f32_n)(int64_t, const float *, uint16_t *);
} format;

static const format f16 = {10,
                           15,
                           graft__f16_to_f32,
                           graft__f16_from_f32,
                           graft__f16_from_f64,
                           graft__f16_from_i64,
                           graft__f16_to_f32_n,
                           graft__f16_from_f32_n};
static const format bf16 = {7,
                            127,
                            graft__bf16_to_f32,
                            graft__bf16_from_f32,
                            graft__bf16_from_f64,
                            graft__bf16_from_i64,
                            graft__bf16_to_f32_n,
                            graft__bf16_from_f32_n};
static const format *const formats[] = {&f16, &bf16};

static unsigned infinity_of(const format *f)
{
    return 0x7fffU >> f->mantissa_bits << f->mantissa_bits;
}

/* The magnitude that bits without a sign stand for. The bits of infinity count on as if they were
 * finite: that is where rounding to it begins. */
static double magnitude_of(const format *f, unsigned bits)
{
    const unsigned exponent = bits >> f->mantissa_bits;
    const unsigned mantissa = bits & ((1U << f->mantissa_bits) - 1);
    const unsigned whole = exponent == 0 ? mantissa : mantissa | 1U << f->mantissa_bits;
    return ldexp(whole, (exponent == 0 ? 1 : (int)exponent) - f->bias - f->mantissa_bits);
}

/* A number that may need more bits than a double has: what is not in near is at most half of
 * near's last bit, and rest has its sign. */
typedef struct exact {
    double near;
    int rest;
} exact;

/* The sign of |x| - y, for y >= 0. */
static int compare(exact x, double y)
{
    if (fabs(x.near) != y)
        return fabs(x.near) < y ? -1 : 1;
    return signbit(x.near) ? -x.rest : x.rest;
}

static uint16_t rounded(const format *f, exact x)
{
    const unsigned sign = signbit(x.near) ? 0x8000U : 0U;
    unsigned low = 0, high = infinity_of(f);
    if (compare(x, magnitude_of(f, high)) >= 0)
        return (uint16_t)(sign | high);
    while (high - low > 1) { /* value(low) <= |x| < value(high) */
        const unsigned middle = (low + high) / 2;
        if (compare(x, magnitude_of(f, middle)) >= 0)
            low = middle;
        else
            high = middle;
    }
    const double half_way = (magnitude_of(f, low) + magnitude_of(f, high)) / 2;
    const int side = compare(x, half_way);
    const int up = side > 0 || (side == 0 && (low & 1U));
    return (uint16_t)(sign | (up ? high : low));
}

static exact exact_of_i64(int64_t x)
{
    exact e = {(double)x, 0};
    if (e.near >= 0x1p63)
        e.rest = -1; /* INT64_MAX and its like come up to what is no int64 */
    else
        e.rest = (x > (int64_t)e.near) - (x < (int64_t)e.near);
    return e;
}

static void check_f32(const format *f, float x)
{
    const uint16_t got = f->from_f32(x), want = rounded(f, (exact){x, 0});
    if (got != want)
        fail_msg("f32 %a: %#x, expected %#x", (double)x, got, want);
}

static void check_f64(const format *f, double x)
{
    const uint16_t got = f->from_f64(x), want = rounded(f, (exact){x, 0});
    if (got != want)
        fail_msg("f64 %a: %#x, expected %#x", x, got, want);
}

static void check_i64(const format *f, int64_t x)
{
    const uint16_t got = f->from_i64(x), want = rounded(f, exact_of_i64(x));
    if (got != want)
        fail_msg("i64 %lld: %#x, expected %#x", (long long)x, got, want);
}

static void test_every_value(void **state)
{
    (void)state;
    for (int k = 0; k < 2; k++) {
        const format *f = formats[k];
        for (unsigned bits = 0; bits <= 0xffffU; bits++) {
            const unsigned magnitude = bits & 0x7fffU;
            const float x = f->to_f32((uint16_t)bits);
            assert_int_equal(!!signbit(x), bits >> 15);
            if (magnitude > infinity_of(f)) {
                assert_true(isnan(x));
                /* back again it is the same, but quiet */
                const unsigned quiet = bits | 1U << (f->mantissa_bits - 1);
                assert_int_equal(f->from_f32(x), quiet);
                assert_int_equal(f->from_f64(x), quiet);
                continue;
            }
            if (magnitude == infinity_of(f))
                assert_true(isinf(x));
            else
                assert_true(fabsf(x) == magnitude_of(f, magnitude));
            assert_int_equal(f->from_f32(x), bits);
            assert_int_equal(f->from_f64(x), bits);
        }
    }
}

static void test_midpoints_and_what_is_beside_them(void **state)
{
    (void)state;
    for (int k = 0; k < 2; k++) {
        const format *f = formats[k];
        for (unsigned bits = 0; bits < infinity_of(f); bits++) {
            const double half_way = (magnitude_of(f, bits) + magnitude_of(f, bits + 1)) / 2;
            for (int sign = -1; sign <= 1; sign += 2) {
                const double x = sign * half_way;
                check_f32(f, (float)x);
                check_f32(f, nextafterf((float)x, 0.0F));
                check_f32(f, nextafterf((float)x, sign * INFINITY));
                check_f64(f, x);
                /* These two are the midpoint again once they are rounded to f32. */
                check_f64(f, nextafter(x, 0.0));
                check_f64(f, nextafter(x, sign * (double)INFINITY));
            }
        }
    }
}

static void test_integers(void **state)
{
    (void)state;
    volatile long double one = 1.0L;
    if (one + LDBL_EPSILON == one)
        skip(); /* valgrind computes long double in double, which the reference cannot do with */
    for (int k = 0; k < 2; k++) {
        const format *f = formats[k];
        for (int64_t x = -70000; x <= 70000; x++)
            check_i64(f, x);
        check_i64(f, INT64_MAX);
        check_i64(f, INT64_MIN);
        for (unsigned bits = 0; bits < infinity_of(f); bits++) {
            const double half_way = (magnitude_of(f, bits) + magnitude_of(f, bits + 1)) / 2;
            if (half_way < 4.0 || half_way > 0x1p62)
                continue;
            for (int64_t beside = -1; beside <= 1; beside++) {
                check_i64(f, (int64_t)half_way + beside);
                check_i64(f, -(int64_t)half_way + beside);
            }
        }
    }
}

static void test_random_bits(void **state)
{
    (void)state;
    graft__random r;
    graft__random_seed(&r, 17);
    for (int k = 0; k < 2; k++) {
        const format *f = formats[k];
        for (int i = 0; i < 200000; i++) {
            const uint64_t bits = graft__random_u64(&r);
            const float x = graft__f32_of_bits((uint32_t)bits);
            if (!isnan(x))
                check_f32(f, x);
            /* doubles near the range of the format, most of whose bits do not fit */
            const double scale = ldexp(1.0, (int)(bits >> 40) % 300 - 150);
            check_f64(f, (double)(int64_t)bits * 0x1p-63 * scale);
            check_i64(f, (int64_t)bits >> (bits & 63));
        }
        check_f64(f, DBL_MAX);
        check_f64(f, -DBL_MAX);
        check_f64(f, DBL_TRUE_MIN);
        check_f64(f, -DBL_TRUE_MIN);
        check_f64(f, (double)INFINITY);
        check_f64(f, -0.0);
    }
}

/* Bit for bit what the single ones give, at every offset and tail; all NaNs included. */
static void test_bulk(void **state)
{
    (void)state;
    enum { N = 65536 };
    uint16_t *half = malloc((N + 1) * sizeof *half);
    float *x = malloc((N + 1) * sizeof *x);
    assert_non_null(half);
    assert_non_null(x);
    graft__random r;
    graft__random_seed(&r, 18);
    for (int k = 0; k < 2; k++) {
        const format *f = formats[k];
        for (unsigned i = 0; i < N; i++)
            half[i] = (uint16_t)i;
        f->to_f32_n(N, half, x);
        for (unsigned i = 0; i < N; i++)
            assert_int_equal(graft__f32_bits(x[i]), graft__f32_bits(f->to_f32((uint16_t)i)));
        for (int round = 0; round < 20; round++) {
            for (int i = 0; i < N; i++)
                x[i] = graft__f32_of_bits(graft__random_u32(&r));
            f->from_f32_n(N, x, half);
            for (int i = 0; i < N; i++)
                assert_int_equal(half[i], f->from_f32(x[i]));
        }
        for (int n = 0; n < 40; n++) {
            half[n] = 0x1234;
            f->from_f32_n(n, x + 1, half);
            for (int i = 0; i < n; i++)
                assert_int_equal(half[i], f->from_f32(x[i + 1]));
            assert_int_equal(half[n], 0x1234);
        }
    }
    free(half);
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_value),
        cmocka_unit_test(test_midpoints_and_what_is_beside_them),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_random_bits),
        cmocka_unit_test(test_bulk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
