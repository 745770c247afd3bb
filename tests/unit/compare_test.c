#include "test.h"

#include <math.h>

static void equal_needs_shape_and_elements(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *a = graft_arange(g, 0, 6, 1, GRAFT_F32);
    graft_tensor *b = graft_arange(g, 0, 6, 1, GRAFT_I16);
    assert_true(graft_equal(a, b));
    assert_false(graft_equal(a, graft_view(b, graft_shape2(2, 3))));
    assert_false(graft_equal(a, NULL));
    assert_false(graft_equal(NULL, NULL));
    assert_true(graft_equal(graft_zeros(g, graft_shape2(0, 3), GRAFT_F32),
                            graft_ones(g, graft_shape2(0, 3), GRAFT_BOOL)));
    assert_no_error(g);
    graft_close(g);
}

static void nan_is_equal_to_nothing(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *nan = graft_scalar(g, NAN, GRAFT_F16);
    assert_false(graft_equal(nan, nan));
    assert_false(graft_allclose(nan, nan, 1, 1, false));
    assert_true(graft_allclose(nan, nan, 0, 0, true));
    assert_false(graft_allclose(nan, graft_scalar(g, 1, GRAFT_F16), 0, 1e9, true));
    assert_true(graft_equal(graft_scalar(g, 0.0, GRAFT_F32), graft_scalar(g, -0.0, GRAFT_F32)));
    graft_close(g);
}

static void integers_are_compared_exactly(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    const int64_t x[] = {INT64_MAX, (INT64_C(1) << 53) + 1};
    const int64_t y[] = {INT64_MAX, (INT64_C(1) << 53)};
    graft_tensor *a = graft_from_data(g, x, graft_shape1(2), GRAFT_I64);
    graft_tensor *b = graft_from_data(g, y, graft_shape1(2), GRAFT_I64);
    assert_false(graft_equal(a, b));
    assert_false(graft_allclose(a, b, 0, 0.5, false));
    assert_true(graft_allclose(a, b, 0, 1, false));
    /* Promoted to f64, as PyTorch promotes, the two are one number. */
    assert_true(graft_equal(graft_to(a, GRAFT_F64), b));
    graft_close(g);
}

/* A half beside an integer is compared as a half. */
static void halves_are_compared_as_halves(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    assert_true(graft_equal(graft_scalar(g, 2048, GRAFT_F16), graft_scalar(g, 2049, GRAFT_I32)));
    assert_false(graft_equal(graft_scalar(g, 2048, GRAFT_F16), graft_scalar(g, 2050, GRAFT_I32)));
    assert_false(graft_equal(graft_scalar(g, 2048, GRAFT_F32), graft_scalar(g, 2049, GRAFT_I32)));
    graft_close(g);
}

static void close_broadcasts(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *a = graft_full(g, graft_shape2(3, 4), 1.0, GRAFT_F64);
    graft_tensor *row = graft_full(g, graft_shape1(4), 1.001, GRAFT_F64);
    assert_true(graft_allclose(a, row, 1e-2, 0, false));
    assert_false(graft_allclose(a, row, 1e-4, 0, false));
    assert_true(graft_allclose(a, graft_scalar(g, 1, GRAFT_F32), 0, 0, false));
    assert_no_error(g);
    assert_false(graft_allclose(a, graft_ones(g, graft_shape1(3), GRAFT_F64), 1, 1, false));
    assert_error_has(g, GRAFT_ERR_SHAPE, "allclose: shapes [3, 4] and [3] do not broadcast");
    assert_false(graft_allclose(a, a, -1, 0, false));
    assert_error(g, GRAFT_ERR_ARGUMENT, "allclose: rtol -1 and atol 0: expected 0 or more");
    assert_false(graft_allclose(a, a, 0, NAN, false));
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "allclose: rtol 0 and atol ");
    assert_false(graft_allclose(a, NULL, 1, 1, true));
    assert_no_error(g);
    graft_close(g);
}

static void infinities_are_close_to_themselves(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *inf = graft_scalar(g, INFINITY, GRAFT_F32);
    assert_true(graft_allclose(inf, inf, 0, 0, false));
    assert_false(graft_allclose(inf, graft_scalar(g, -INFINITY, GRAFT_F32), 1, 1, false));
    assert_false(graft_allclose(graft_scalar(g, 1, GRAFT_F32), inf, 1, 1, false));
    graft_close(g);
}

/* The first difference ends it on all threads; a difference anywhere is found. */
static void one_difference_among_many(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    const int64_t n = 300007;
    graft_tensor *a = graft_zeros(g, graft_shape1(n), GRAFT_U8);
    graft_tensor *b = graft_zeros(g, graft_shape1(n), GRAFT_U8);
    unsigned char *data = graft_data_mut(b);
    assert_true(graft_equal(a, b));
    for (int64_t at = 0; at < n; at += 30000) {
        data[at] = 1;
        assert_false(graft_equal(a, b));
        assert_false(graft_allclose(a, b, 0, 0, false));
        data[at] = 0;
    }
    assert_true(graft_equal(a, b));
    graft_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_needs_shape_and_elements),
        cmocka_unit_test(nan_is_equal_to_nothing),
        cmocka_unit_test(integers_are_compared_exactly),
        cmocka_unit_test(halves_are_compared_as_halves),
        cmocka_unit_test(close_broadcasts),
        cmocka_unit_test(infinities_are_close_to_themselves),
        cmocka_unit_test(one_difference_among_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
