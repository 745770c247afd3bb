#include <math.h>

#include "test.h"

static void elements_go_or_are_scaled(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *x = graft_ones(g, graft_shape2(100, 100), GRAFT_F64);
    graft_tensor *y = graft_dropout(x, 0.2, true);
    graft_tensor *kept = graft_eq(y, graft_scalar(g, 1 / (1 - 0.2), GRAFT_F64));
    graft_tensor *gone = graft_eq(y, graft_scalar(g, 0, GRAFT_F64));
    const int64_t stayed = graft_item_i64(graft_sum(kept)), left = graft_item_i64(graft_sum(gone));
    assert_int_equal(stayed + left, 10000);
    assert_in_range(left, 1800, 2200); /* five deviations */
    assert_no_error(g);
    graft_close(g);
}

static void the_gradient_passes_where_the_element_did(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *x = graft_set_requires_grad(graft_ones(g, graft_shape2(40, 50), GRAFT_F32), true);
    graft_tensor *y = graft_dropout(graft_transpose(x, 0, 1), 0.5, true);
    graft_backward(graft_sum(y));
    assert_true(graft_equal(graft_transpose(graft_grad(x), 0, 1), y));
    graft_close(g);
}

static void nothing_happens_in_eval_and_at_zero(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *x = graft_ones(g, graft_shape1(5), GRAFT_F32);
    graft_manual_seed(g, 3);
    assert_ptr_equal(graft_dropout(x, 0.5, false), x);
    assert_ptr_equal(graft_dropout(x, 0, true), x);
    graft_tensor *none = graft_ones(g, graft_shape1(0), GRAFT_F32);
    assert_ptr_equal(graft_dropout(none, 0.5, true), none);
    graft_tensor *all = graft_dropout(x, 1, true);
    assert_elements(all, (const double[]){0, 0, 0, 0, 0}, 5);
    graft_tensor *nan = graft_dropout(test_floats(g, (const float[]){NAN, 1}, 2), 1, true);
    assert_elements(nan, (const double[]){NAN, 0}, 2);
    /* none of these drew a number */
    graft_tensor *drawn = graft_rand(g, graft_shape1(3), GRAFT_F32);
    graft_manual_seed(g, 3);
    assert_true(graft_equal(drawn, graft_rand(g, graft_shape1(3), GRAFT_F32)));
    assert_no_error(g);
    graft_close(g);
}

static void refusals(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *x = graft_ones(g, graft_shape1(5), GRAFT_F32);
    assert_null(graft_dropout(x, 1.5, true));
    assert_error(g, GRAFT_ERR_ARGUMENT, "dropout: p is 1.5: expected 0 to 1");
    assert_null(graft_dropout(x, NAN, false));
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "dropout: p is");
    assert_null(graft_dropout(graft_ones(g, graft_shape1(5), GRAFT_I64), 0.5, true));
    assert_error_has(g, GRAFT_ERR_DTYPE, "dropout: computes in float32 and float64");
    assert_null(graft_dropout(NULL, 0.5, true));
    assert_no_error(g);
    graft_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_go_or_are_scaled),
        cmocka_unit_test(the_gradient_passes_where_the_element_did),
        cmocka_unit_test(nothing_happens_in_eval_and_at_zero),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
