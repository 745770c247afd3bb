/* The vector functions: within their bounds of libm's, right at the edges, and the same bits
 * wherever an element lies. */
#include <float.h>
#include <math.h>

#include "test.h"

#include "kernel/vmath.h"
#include "kernel/vmath_sleef.h"

enum { N = 4099 };

typedef void one_f32(int64_t n, const float *x, float *y);
typedef void one_f64(int64_t n, const double *x, double *y);

/* Calls check with each set of functions that this machine can run. */
static void with_each(void (*check)(const graft__vmath *m))
{
    check(&graft__vmath_libm);
    check(graft__vmath_here());
#ifdef GRAFT__VMATH_SLEEF
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        check(&graft__vmath_avx2);
    if (__builtin_cpu_supports("avx512f"))
        check(&graft__vmath_avx512);
#endif
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

/* The distance in units in the last place of a float with the value `exact`. */
static double ulps_f32(float got, double exact)
{
    if (isnan(exact))
        return isnan(got) ? 0 : INFINITY;
    if (isinf(got) && fabs(exact) > FLT_MAX)
        return 0;
    int e;
    frexp(exact, &e);
    const double ulp = ldexp(1, (e < -125 ? -125 : e) - 24);
    return fabs((double)got - exact) / ulp;
}

static double ulps_f64(double got, double exact)
{
    if (isnan(exact) || isinf(exact))
        return isnan(got) == isnan(exact) && (isnan(exact) || got == exact) ? 0 : INFINITY;
    int e;
    frexp(exact, &e);
    return fabs(got - exact) / ldexp(1, (e < -1021 ? -1021 : e) - 53);
}

static void check_one(const char *name, one_f32 *f32, one_f64 *f64, double (*exact)(double),
                      double from, double to, double bound)
{
    static float x[N], y[N];
    static double dx[N], dy[N];
    for (int i = 0; i < N; i++) {
        dx[i] = from + (to - from) * i / (N - 1);
        x[i] = (float)dx[i];
    }
    f32(N, x, y);
    f64(N, dx, dy);
    for (int i = 0; i < N; i++) {
        if (!(ulps_f32(y[i], exact((double)x[i])) <= bound))
            fail_msg("%s(%.9g) is %.9g in f32, expected %.9g", name, (double)x[i], (double)y[i],
                     exact((double)x[i]));
        if (!(ulps_f64(dy[i], exact(dx[i])) <= bound + 1))
            fail_msg("%s(%.17g) is %.17g, expected %.17g", name, dx[i], dy[i], exact(dx[i]));
    }
}

static void check_values(const graft__vmath *m)
{
    check_one("exp", m->exp_f32, m->exp_f64, exp, -90, 90, 1.01);
    check_one("exp", m->exp_f32, m->exp_f64, exp, -1, 1, 1.01);
    check_one("log", m->log_f32, m->log_f64, log, 1e-6, 4, 1.01);
    check_one("log", m->log_f32, m->log_f64, log, 1, 1e9, 1.01);
    check_one("tanh", m->tanh_f32, m->tanh_f64, tanh, -12, 12, 2.2);
    check_one("tanh", m->tanh_f32, m->tanh_f64, tanh, -1e-3, 1e-3, 2.2);
    check_one("sigmoid", m->sigmoid_f32, m->sigmoid_f64, sigmoid, -80, 80, 2.5);
}

static void values(void **state)
{
    (void)state;
    with_each(check_values);
}

static void check_pow(const graft__vmath *m)
{
    static float x[N], e[N], y[N];
    static double dx[N], de[N], dy[N];
    for (int i = 0; i < N; i++) {
        dx[i] = 0.01 + i * 0.003;
        de[i] = -6 + 12.0 * (i * 7 % N) / N;
        x[i] = (float)dx[i];
        e[i] = (float)de[i];
    }
    m->pow_f32(N, x, e, y);
    m->pow_f64(N, dx, de, dy);
    for (int i = 0; i < N; i++) {
        assert_true(ulps_f32(y[i], pow((double)x[i], (double)e[i])) <= 1.01);
        assert_true(ulps_f64(dy[i], pow(dx[i], de[i])) <= 2);
    }
    const double edges[][3] = {
        {0, 0, 1},   {0, 2, 0},          {0, -1, INFINITY},       {-2, 3, -8},
        {-2, 2, 4},  {1, INFINITY, 1},   {2, INFINITY, INFINITY}, {NAN, 0, 1},
        {1, NAN, 1}, {-8, 1.0 / 3, NAN}, {2, 2000, INFINITY}};
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        const float fx = (float)edges[i][0], fe = (float)edges[i][1];
        float fy;
        double d;
        m->pow_f32(1, &fx, &fe, &fy);
        m->pow_f64(1, &edges[i][0], &edges[i][1], &d);
        assert_true(isnan(edges[i][2]) ? isnan(d) && isnan(fy)
                                       : d == edges[i][2] && (double)fy == edges[i][2]);
    }
}

static void powers(void **state)
{
    (void)state;
    with_each(check_pow);
}

/* Equal with the sign of 0, or both NaN. */
static bool same(double a, double b)
{
    return isnan(b) ? isnan(a) : a == b && !signbit(a) == !signbit(b);
}

static void check_edge(one_f32 *f32, one_f64 *f64, double x, double expected)
{
    const float x32 = (float)x;
    float y32;
    double y;
    f32(1, &x32, &y32);
    f64(1, &x, &y);
    if (!same(y, expected) || !same((double)y32, expected))
        fail_msg("f(%g) is %g and, in f32, %g: expected %g", x, y, (double)y32, expected);
}

static void check_edges(const graft__vmath *m)
{
    check_edge(m->exp_f32, m->exp_f64, 0, 1);
    check_edge(m->exp_f32, m->exp_f64, INFINITY, INFINITY);
    check_edge(m->exp_f32, m->exp_f64, -INFINITY, 0);
    check_edge(m->exp_f32, m->exp_f64, 800, INFINITY);
    check_edge(m->exp_f32, m->exp_f64, -800, 0);
    check_edge(m->exp_f32, m->exp_f64, NAN, NAN);
    check_edge(m->log_f32, m->log_f64, 0, -INFINITY);
    check_edge(m->log_f32, m->log_f64, 1, 0);
    check_edge(m->log_f32, m->log_f64, -1, NAN);
    check_edge(m->log_f32, m->log_f64, INFINITY, INFINITY);
    check_edge(m->log_f32, m->log_f64, NAN, NAN);
    check_edge(m->tanh_f32, m->tanh_f64, 0, 0);
    check_edge(m->tanh_f32, m->tanh_f64, -0.0, -0.0);
    check_edge(m->tanh_f32, m->tanh_f64, INFINITY, 1);
    check_edge(m->tanh_f32, m->tanh_f64, -INFINITY, -1);
    check_edge(m->tanh_f32, m->tanh_f64, NAN, NAN);
    check_edge(m->sigmoid_f32, m->sigmoid_f64, 0, 0.5);
    check_edge(m->sigmoid_f32, m->sigmoid_f64, INFINITY, 1);
    check_edge(m->sigmoid_f32, m->sigmoid_f64, -INFINITY, 0);
    check_edge(m->sigmoid_f32, m->sigmoid_f64, NAN, NAN);
}

static void edges(void **state)
{
    (void)state;
    with_each(check_edges);
}

/* The same 70 elements in runs of every length and from every offset. */
static void check_places(const graft__vmath *m)
{
    enum { COUNT = 70 };
    one_f32 *const f32[] = {m->exp_f32, m->log_f32, m->tanh_f32, m->sigmoid_f32};
    one_f64 *const f64[] = {m->exp_f64, m->log_f64, m->tanh_f64, m->sigmoid_f64};
    float x[COUNT], whole[COUNT], y[COUNT];
    double dx[COUNT], dwhole[COUNT], dy[COUNT];
    for (int i = 0; i < COUNT; i++) {
        dx[i] = 0.01 + i * 0.17;
        x[i] = (float)dx[i];
    }
    for (int f = 0; f < 4; f++) {
        f32[f](COUNT, x, whole);
        f64[f](COUNT, dx, dwhole);
        for (int from = 0; from < 20; from++) {
            for (int n = 1; from + n <= COUNT; n++) {
                f32[f](n, x + from, y);
                f64[f](n, dx + from, dy);
                assert_memory_equal(y, whole + from, (size_t)n * sizeof *y);
                assert_memory_equal(dy, dwhole + from, (size_t)n * sizeof *dy);
            }
        }
    }
}

static void places_do_not_matter(void **state)
{
    (void)state;
    with_each(check_places);
}

static void check_in_place(const graft__vmath *m)
{
    float x[37], y[37];
    for (int i = 0; i < 37; i++)
        x[i] = (float)i / 9;
    m->tanh_f32(37, x, y);
    m->tanh_f32(37, x, x);
    assert_memory_equal(x, y, sizeof x);
}

static void results_may_replace_inputs(void **state)
{
    (void)state;
    with_each(check_in_place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(powers),
        cmocka_unit_test(edges),
        cmocka_unit_test(places_do_not_matter),
        cmocka_unit_test(results_may_replace_inputs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
