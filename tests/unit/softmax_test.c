#include <math.h>

#include "test.h"

static graft_tensor *leaf(graft_tensor *t)
{
    graft_tensor *own = graft_set_requires_grad(graft_copy(t), true);
    assert_non_null(own);
    return own;
}

static void assert_near(graft_tensor *t, const double *expected, int64_t n, double tolerance)
{
    assert_non_null(t);
    graft_tensor *flat = graft_reshape(t, graft_shape1(-1));
    assert_int_equal(graft_numel(flat), n);
    for (int64_t i = 0; i < n; i++) {
        const double got = graft_item(graft_select(flat, 0, i));
        if (!(fabs(got - expected[i]) <= tolerance))
            fail_msg("element %lld is %.17g, expected %.17g", (long long)i, got, expected[i]);
    }
}

static void softmax_values(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    const double x[] = {0, log(2), log(5), 1, 1, 1};
    graft_tensor *t = graft_from_data(g, x, graft_shape2(2, 3), GRAFT_F64);
    assert_near(graft_softmax(t, 1),
                (const double[]){1 / 8., 2 / 8., 5 / 8., 1 / 3., 1 / 3., 1 / 3.}, 6, 1e-15);
    assert_near(graft_softmax(graft_transpose(t, 0, 1), 0),
                (const double[]){1 / 8., 1 / 3., 2 / 8., 1 / 3., 5 / 8., 1 / 3.}, 6, 1e-15);
    assert_near(graft_log_softmax(t, -1),
                (const double[]){log(1 / 8.), log(2 / 8.), log(5 / 8.), log(1 / 3.), log(1 / 3.),
                                 log(1 / 3.)},
                6, 1e-15);
    assert_elements(graft_softmax(graft_scalar(g, 9, GRAFT_F32), 0), (const double[]){1}, 1);
    assert_int_equal(graft_numel(graft_softmax(graft_ones(g, graft_shape2(0, 3), GRAFT_F32), 0)),
                     0);
    assert_no_error(g);
    graft_close(g);
}

/* Large numbers must not overflow, nor lose the digits of their differences. */
static void large_numbers(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *t = test_floats(g, (const float[]){10000, 10001, -10000}, 3);
    const double p = 1 / (1 + exp(1));
    assert_near(graft_softmax(t, 0), (const double[]){p, 1 - p, 0}, 3, 1e-7);
    assert_near(graft_log_softmax(t, 0), (const double[]){log(p), log(1 - p), -20001.3132617}, 3,
                2e-3);
    graft_tensor *inf = test_floats(g, (const float[]){1, INFINITY}, 2);
    assert_true(isnan(graft_item(graft_select(graft_softmax(inf, 0), 0, 1))));
    graft_tensor *nan = test_floats(g, (const float[]){1, NAN, 2}, 3);
    assert_true(isnan(graft_item(graft_select(graft_softmax(nan, 0), 0, 0))));
    graft_tensor *none = test_floats(g, (const float[]){-INFINITY, 3}, 2);
    assert_elements(graft_softmax(none, 0), (const double[]){0, 1}, 2);
    graft_close(g);
}

static graft_tensor *softmax_of(void *user, graft_tensor **inputs, int n)
{
    (void)n;
    return graft_softmax(inputs[0], *(int *)user);
}

static graft_tensor *log_softmax_of(void *user, graft_tensor **inputs, int n)
{
    (void)n;
    return graft_log_softmax(graft_transpose(inputs[0], 0, 2), *(int *)user);
}

static void gradients_by_finite_differences(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *x = leaf(graft_randn(g, graft_shape3(3, 4, 5), GRAFT_F64));
    for (int dim = 0; dim < 3; dim++) {
        assert_int_equal(graft_gradcheck(softmax_of, &dim, &x, 1, NULL), GRAFT_OK);
        assert_int_equal(graft_gradcheck(log_softmax_of, &dim, &x, 1, NULL), GRAFT_OK);
    }
    assert_no_error(g);
    graft_close(g);
}

/* Every way through the kernels: rows that fit the buffer and that do not, lanes side by side, one
 * thread and three. Softmax's parts sum to 1, and log_softmax is its logarithm. */
static void all_shapes_and_threads(void **state)
{
    (void)state;
    const graft_shape shapes[] = {{3, {7, 2, 1}},     {3, {1, 3, 700}},  {3, {3, 5000, 1}},
                                  {3, {2, 40, 300}},  {3, {900, 30, 1}}, {3, {40, 9, 77}},
                                  {3, {1, 20000, 2}}, {3, {20, 1500, 5}}};
    for (int threads = 1; threads <= 3; threads += 2) {
        graft_options o = graft_options_defaults();
        o.threads = threads;
        graft_ctx *g = graft_open(&o);
        assert_non_null(g);
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
            for (int k = 0; k < 2; k++) {
                const double tolerance = k ? 1e-12 : 2e-5;
                graft_tensor *x = leaf(graft_randn(g, shapes[i], k ? GRAFT_F64 : GRAFT_F32));
                graft_tensor *p = graft_softmax(x, 1), *l = graft_log_softmax(x, 1);
                graft_tensor *sums = graft_sum_dims(p, graft_shape1(1), false);
                graft_tensor *one = graft_scalar(g, 1, k ? GRAFT_F64 : GRAFT_F32);
                assert_true(graft_allclose(sums, one, tolerance, 0, false));
                assert_true(graft_allclose(graft_log(p), l, tolerance, tolerance, false));
                /* d softmax = p (dy - sum(p dy)) against log_softmax's by the chain rule. */
                graft_tensor *w = graft_randn(g, shapes[i], k ? GRAFT_F64 : GRAFT_F32);
                graft_backward(graft_sum(graft_mul(p, w)));
                graft_tensor *first = graft_keep(graft_copy(graft_grad(x)));
                graft_set_grad(x, NULL);
                graft_backward(graft_sum(graft_mul(graft_exp(l), w)));
                assert_true(graft_allclose(first, graft_grad(x), 10 * tolerance, tolerance, false));
            }
        }
        assert_no_error(g);
        graft_close(g);
    }
}

static void refusals(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *t = graft_ones(g, graft_shape2(2, 3), GRAFT_F32);
    assert_null(graft_softmax(t, 2));
    assert_error(g, GRAFT_ERR_ARGUMENT,
                 "softmax: dim 2 is out of range for shape [2, 3]: expected -2 to 1");
    assert_null(graft_log_softmax(graft_ones(g, graft_shape1(3), GRAFT_I32), 0));
    assert_error(g, GRAFT_ERR_DTYPE,
                 "log_softmax: computes in float32 and float64 (in float32 for float16 and "
                 "bfloat16), got int32: convert with graft_to");
    assert_null(graft_softmax(NULL, 0));
    graft_tensor *x = leaf(t), *y = graft_softmax(x, 1);
    graft_tensor *loss = graft_sum(graft_mul(y, y));
    graft_no_grad_begin(g);
    graft_zero_(y);
    graft_no_grad_end(g);
    assert_int_equal(graft_backward(loss), GRAFT_ERR_STATE);
    graft_clear_error(g);
    graft_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(softmax_values),
        cmocka_unit_test(large_numbers),
        cmocka_unit_test(gradients_by_finite_differences),
        cmocka_unit_test(all_shapes_and_threads),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
