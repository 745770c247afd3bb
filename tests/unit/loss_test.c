#include <math.h>

#include "test.h"

static graft_tensor *leaf(graft_tensor *t)
{
    graft_tensor *own = graft_set_requires_grad(graft_copy(t), true);
    assert_non_null(own);
    return own;
}

static graft_tensor *classes(graft_ctx *g, const int64_t *values, int64_t n)
{
    return graft_from_data(g, values, graft_shape1(n), GRAFT_I64);
}

static void assert_near(const graft_tensor *t, const double *expected, int64_t n, double tolerance)
{
    assert_non_null(t);
    double *got = malloc((size_t)n * sizeof *got);
    assert_non_null(got);
    assert_int_equal(graft_copy_out(t, got, (size_t)n * sizeof *got, GRAFT_F64), GRAFT_OK);
    for (int64_t i = 0; i < n; i++)
        if (!(fabs(got[i] - expected[i]) <= tolerance))
            fail_msg("element %lld is %.17g, expected %.17g", (long long)i, got[i], expected[i]);
    free(got);
}

static void cross_entropy_values(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    /* p = 1/4, 3/4 and 1/2, 1/2 */
    const double x[] = {0, log(3), 1, 1};
    graft_tensor *logits = leaf(graft_from_data(g, x, graft_shape2(2, 2), GRAFT_F64));
    graft_tensor *target = classes(g, (const int64_t[]){1, 0}, 2);
    graft_tensor *loss = graft_cross_entropy(logits, target);
    assert_int_equal(graft_ndim(loss), 0);
    assert_near(loss, (const double[]){-(log(.75) + log(.5)) / 2}, 1, 1e-15);
    graft_backward(loss);
    assert_near(graft_grad(logits), (const double[]){.125, -.125, -.25, .25}, 4, 1e-15);
    graft_loss_options o = graft_loss_defaults();
    o.reduction = GRAFT_REDUCTION_SUM;
    assert_near(graft_cross_entropy_with(logits, target, &o),
                (const double[]){-(log(.75) + log(.5))}, 1, 1e-15);
    o.reduction = GRAFT_REDUCTION_NONE;
    assert_near(graft_cross_entropy_with(logits, target, &o), (const double[]){-log(.75), -log(.5)},
                2, 1e-15);
    o.reduction = GRAFT_REDUCTION_MEAN;
    o.weight = graft_from_data(g, (const double[]){3, 1}, graft_shape1(2), GRAFT_F64);
    assert_near(graft_cross_entropy_with(logits, target, &o),
                (const double[]){-(log(.75) + 3 * log(.5)) / 4}, 1, 1e-15);
    o.weight = NULL;
    o.label_smoothing = .2;
    assert_near(graft_cross_entropy_with(logits, target, &o),
                (const double[]){-(.8 * log(.75) + .1 * (log(.75) + log(.25)) + log(.5)) / 2}, 1,
                1e-15);
    assert_near(graft_cross_entropy(graft_select(logits, 0, 0), graft_select(target, 0, 0)),
                (const double[]){-log(.75)}, 1, 1e-15);
    assert_no_error(g);
    graft_close(g);
}

static void ignored_targets_count_for_nothing(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    const double x[] = {0, log(3), 5, 7, 1, 1};
    graft_tensor *logits = leaf(graft_from_data(g, x, graft_shape2(3, 2), GRAFT_F64));
    graft_tensor *target = classes(g, (const int64_t[]){1, -100, 0}, 3);
    graft_tensor *loss = graft_cross_entropy(logits, target);
    assert_near(loss, (const double[]){-(log(.75) + log(.5)) / 2}, 1, 1e-15);
    graft_backward(loss);
    assert_near(graft_grad(logits), (const double[]){.125, -.125, 0, 0, -.25, .25}, 6, 1e-15);
    /* a class may be the one that is ignored */
    graft_loss_options o = graft_loss_defaults();
    o.ignore_index = 1;
    assert_near(graft_cross_entropy_with(logits, classes(g, (const int64_t[]){1, 1, 0}, 3), &o),
                (const double[]){-log(.5)}, 1, 1e-15);
    /* nothing counts: 0 / 0, with no gradient */
    graft_set_grad(logits, NULL);
    loss = graft_cross_entropy(logits, classes(g, (const int64_t[]){-100, -100, -100}, 3));
    assert_elements(loss, (const double[]){NAN}, 1);
    graft_backward(loss);
    assert_elements(graft_grad(logits), (const double[]){0, 0, 0, 0, 0, 0}, 6);
    graft_tensor *none = graft_zeros(g, graft_shape2(0, 2), GRAFT_F32);
    assert_elements(graft_cross_entropy(none, classes(g, NULL, 0)), (const double[]){NAN}, 1);
    assert_no_error(g);
    graft_close(g);
}

static void targets_of_any_integers_and_strides(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *logits = graft_randn(g, graft_shape3(6, 4, 5), GRAFT_F32);
    graft_tensor *target = graft_randint(g, 0, 4, graft_shape2(6, 5), GRAFT_I64);
    const double want = graft_item(graft_cross_entropy(logits, target));
    const graft_dtype dtypes[] = {GRAFT_I32, GRAFT_I16, GRAFT_I8, GRAFT_U8};
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
        assert_true(graft_item(graft_cross_entropy(logits, graft_to(target, dtypes[i]))) == want);
    graft_tensor *turned = graft_transpose(graft_contiguous(graft_transpose(target, 0, 1)), 0, 1);
    assert_false(graft_is_contiguous(turned));
    assert_true(graft_item(graft_cross_entropy(logits, turned)) == want);
    graft_tensor *apart = graft_contiguous(graft_transpose(logits, 0, 2));
    assert_true(graft_item(graft_cross_entropy(graft_transpose(apart, 0, 2), target)) == want);
    assert_no_error(g);
    graft_close(g);
}

/* What the fused operation computes is log_softmax and nll_loss, one after the other. */
static void one_operation_or_two(void **state)
{
    (void)state;
    const graft_shape shapes[] = {{2, {32, 2}},   {2, {500, 17}},      {2, {3, 9000}},
                                  {3, {9, 4, 7}}, {4, {5, 6, 30, 20}}, {2, {40, 1000}}};
    for (int threads = 1; threads <= 3; threads += 2) {
        graft_options options = graft_options_defaults();
        options.threads = threads;
        graft_ctx *g = graft_open(&options);
        assert_non_null(g);
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
            for (int reduction = 0; reduction < 3; reduction++) {
                const graft_shape s = shapes[i];
                graft_shape of_target = {.ndim = s.ndim - 1, .size = {s.size[0]}};
                for (int d = 2; d < s.ndim; d++)
                    of_target.size[d - 1] = s.size[d];
                graft_tensor *x = leaf(graft_randn(g, s, GRAFT_F64));
                graft_tensor *t = graft_randint(g, 0, s.size[1], of_target, GRAFT_I64);
                graft_loss_options o = graft_loss_defaults();
                o.reduction = (graft_reduction)reduction;
                o.weight = graft_rand(g, graft_shape1(s.size[1]), GRAFT_F64);
                o.ignore_index = 1;
                graft_tensor *one = graft_cross_entropy_with(x, t, &o);
                graft_tensor *two = graft_nll_loss(graft_log_softmax(x, 1), t, &o);
                assert_true(graft_allclose(one, two, 1e-12, 1e-12, false));
                graft_backward(graft_mean(graft_mul(one, one)));
                graft_tensor *first = graft_copy(graft_grad(x));
                graft_set_grad(x, NULL);
                graft_backward(graft_mean(graft_mul(two, two)));
                assert_true(graft_allclose(first, graft_grad(x), 1e-10, 1e-12, false));
            }
        assert_no_error(g);
        graft_close(g);
    }
}

static graft_tensor *target_of_check;

static graft_tensor *loss_of(void *user, graft_tensor **inputs, int n)
{
    (void)n;
    return graft_cross_entropy_with(inputs[0], target_of_check, user);
}

static graft_tensor *nll_of(void *user, graft_tensor **inputs, int n)
{
    (void)n;
    return graft_nll_loss(inputs[0], target_of_check, user);
}

static graft_tensor *mse_of(void *user, graft_tensor **inputs, int n)
{
    (void)n;
    return graft_mse_loss(graft_transpose(inputs[0], 0, 1), inputs[1], *(graft_reduction *)user);
}

static void gradients_by_finite_differences(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *x = leaf(graft_randn(g, graft_shape3(3, 4, 5), GRAFT_F64));
    target_of_check = graft_randint(g, 0, 4, graft_shape2(3, 5), GRAFT_I64);
    graft_tensor *weight = graft_rand(g, graft_shape1(4), GRAFT_F64);
    graft_tensor *pair[] = {leaf(graft_randn(g, graft_shape2(3, 4), GRAFT_F64)),
                            leaf(graft_randn(g, graft_shape2(4, 3), GRAFT_F64))};
    for (int reduction = 0; reduction < 3; reduction++) {
        graft_loss_options o = graft_loss_defaults();
        o.reduction = (graft_reduction)reduction;
        assert_int_equal(graft_gradcheck(loss_of, &o, &x, 1, NULL), GRAFT_OK);
        assert_int_equal(graft_gradcheck(mse_of, &o.reduction, pair, 2, NULL), GRAFT_OK);
        o.weight = weight;
        o.ignore_index = 2;
        assert_int_equal(graft_gradcheck(nll_of, &o, &x, 1, NULL), GRAFT_OK);
        o.label_smoothing = 0.3;
        assert_int_equal(graft_gradcheck(loss_of, &o, &x, 1, NULL), GRAFT_OK);
    }
    assert_no_error(g);
    graft_close(g);
}

static void gradients_accumulate(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *x = leaf(graft_randn(g, graft_shape2(6, 3), GRAFT_F64));
    graft_tensor *t = graft_randint(g, 0, 3, graft_shape1(6), GRAFT_I64);
    graft_backward(graft_cross_entropy(x, t));
    graft_tensor *once = graft_mul_scalar(graft_detach(graft_grad(x)), 3);
    graft_backward(graft_cross_entropy(x, t));
    graft_backward(graft_nll_loss(graft_log_softmax(x, 1), t, NULL));
    assert_true(graft_allclose(graft_grad(x), once, 1e-12, 1e-12, false));
    graft_tensor *a = leaf(test_floats(g, (const float[]){1, 2}, 2));
    graft_tensor *b = leaf(test_floats(g, (const float[]){4, 0}, 2));
    for (int i = 0; i < 2; i++)
        graft_backward(graft_mse_loss(a, b, GRAFT_REDUCTION_MEAN));
    assert_elements(graft_grad(a), (const double[]){-6, 4}, 2);
    assert_elements(graft_grad(b), (const double[]){6, -4}, 2);
    assert_no_error(g);
    graft_close(g);
}

static void mse_values(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *a = test_floats(g, (const float[]){1, 2, 4}, 3);
    graft_tensor *b = test_floats(g, (const float[]){0, 4, 4}, 3);
    assert_near(graft_mse_loss(a, b, GRAFT_REDUCTION_MEAN), (const double[]){5 / 3.}, 1, 1e-7);
    assert_elements(graft_mse_loss(a, b, GRAFT_REDUCTION_SUM), (const double[]){5}, 1);
    assert_elements(graft_mse_loss(a, b, GRAFT_REDUCTION_NONE), (const double[]){1, 4, 0}, 3);
    graft_tensor *none = graft_ones(g, graft_shape1(0), GRAFT_F32);
    assert_elements(graft_mse_loss(none, none, GRAFT_REDUCTION_MEAN), (const double[]){NAN}, 1);
    /* ten million squares of 1 in f32 */
    graft_tensor *many = graft_ones(g, graft_shape1(10000019), GRAFT_F32);
    assert_elements(graft_mse_loss(many, graft_zeros(g, graft_shape1(10000019), GRAFT_F32),
                                   GRAFT_REDUCTION_SUM),
                    (const double[]){10000019}, 1);
    graft_close(g);
}

static void wrong_classes_are_named(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *x = leaf(graft_randn(g, graft_shape2(3, 2), GRAFT_F32));
    assert_null(graft_cross_entropy(x, classes(g, (const int64_t[]){0, 2, -1}, 3)));
    assert_error(g, GRAFT_ERR_ARGUMENT,
                 "cross_entropy: target 2 at [1]: expected a class, 0 to 1, or ignore_index, -100");
    assert_null(graft_nll_loss(x, classes(g, (const int64_t[]){0, 1, -1}, 3), NULL));
    assert_error(g, GRAFT_ERR_ARGUMENT,
                 "nll_loss: target -1 at [2]: expected a class, 0 to 1, or ignore_index, -100");
    const uint8_t many[] = {0, 1, 0, 0, 200, 1};
    graft_tensor *picture = graft_from_data(g, many, graft_shape2(2, 3), GRAFT_U8);
    assert_null(graft_cross_entropy(graft_zeros(g, graft_shape3(2, 2, 3), GRAFT_F32), picture));
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "target 200 at [1, 1]");
    /* the first, also where threads look in several places */
    graft_set_num_threads(g, 3);
    graft_tensor *large = graft_zeros(g, graft_shape2(50000, 3), GRAFT_F32);
    graft_tensor *t = graft_zeros(g, graft_shape1(50000), GRAFT_I64);
    graft_fill_(graft_narrow(t, 0, 31000, 10), 7);
    graft_fill_(graft_narrow(t, 0, 49000, 10), 8);
    assert_null(graft_cross_entropy(large, t));
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "target 7 at [31000]");
    graft_close(g);
}

static void refusals(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *x = graft_zeros(g, graft_shape2(3, 2), GRAFT_F32);
    graft_tensor *t = graft_zeros(g, graft_shape1(3), GRAFT_I64);
    assert_null(graft_cross_entropy(x, graft_zeros(g, graft_shape1(2), GRAFT_I64)));
    assert_error(g, GRAFT_ERR_SHAPE,
                 "cross_entropy: input [3, 2] and target [2]: expected [C] and [], [N, C] and [N], "
                 "or [N, C, d1, ...] and [N, d1, ...]");
    assert_null(graft_cross_entropy(x, graft_zeros(g, graft_shape2(3, 2), GRAFT_F32)));
    assert_error(g, GRAFT_ERR_DTYPE,
                 "cross_entropy: target is float32: expected class indices of an integer dtype");
    assert_null(graft_cross_entropy(t, t));
    assert_error_has(g, GRAFT_ERR_DTYPE, "cross_entropy: computes in float32");
    graft_loss_options o = graft_loss_defaults();
    o.label_smoothing = 1.5;
    assert_null(graft_cross_entropy_with(x, t, &o));
    assert_error(g, GRAFT_ERR_ARGUMENT, "cross_entropy: label_smoothing is 1.5: expected 0 to 1");
    o.label_smoothing = 0.5;
    assert_null(graft_nll_loss(x, t, &o));
    assert_error(g, GRAFT_ERR_ARGUMENT,
                 "nll_loss: label_smoothing is 0.5: expected 0 (cross_entropy smooths labels)");
    o = graft_loss_defaults();
    o.reduction = (graft_reduction)7;
    assert_null(graft_cross_entropy_with(x, t, &o));
    assert_error(g, GRAFT_ERR_ARGUMENT, "cross_entropy: 7 is no reduction");
    o = graft_loss_defaults();
    o.weight = t;
    assert_null(graft_cross_entropy_with(x, t, &o));
    assert_error(g, GRAFT_ERR_SHAPE,
                 "cross_entropy: weight [3]: expected one for each of the 2 classes");
    o.weight = leaf(graft_ones(g, graft_shape1(2), GRAFT_F32));
    assert_null(graft_cross_entropy_with(x, t, &o));
    assert_error(g, GRAFT_ERR_STATE,
                 "cross_entropy: weight requires grad, but no gradient is computed for it: detach "
                 "it");
    assert_null(graft_mse_loss(x, t, GRAFT_REDUCTION_MEAN));
    assert_error(g, GRAFT_ERR_SHAPE, "mse_loss: x [3, 2], target [3]: expected equal shapes");
    assert_null(graft_mse_loss(x, x, (graft_reduction)-1));
    assert_error(g, GRAFT_ERR_ARGUMENT, "mse_loss: -1 is no reduction");
    assert_null(graft_cross_entropy(NULL, t));
    assert_null(graft_cross_entropy(x, NULL));
    assert_null(graft_nll_loss(NULL, t, NULL));
    assert_null(graft_mse_loss(x, NULL, GRAFT_REDUCTION_SUM));
    assert_no_error(g);
    graft_close(g);
}

static void changing_what_was_saved_is_noticed(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *x = leaf(graft_randn(g, graft_shape2(3, 2), GRAFT_F32));
    graft_tensor *t = graft_zeros(g, graft_shape1(3), GRAFT_I64);
    graft_tensor *loss = graft_cross_entropy(x, t);
    graft_fill_(t, 1000); /* must not be read as a class */
    assert_int_equal(graft_backward(loss), GRAFT_ERR_STATE);
    assert_error_has(g, GRAFT_ERR_STATE, "that cross_entropy needs");
    graft_close(g);
}

static void a_loss_of_halves_is_rounded_once(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *x = leaf(graft_to(graft_randn(g, graft_shape2(9, 4), GRAFT_F32), GRAFT_BF16));
    graft_tensor *t = graft_randint(g, 0, 4, graft_shape1(9), GRAFT_I64);
    graft_tensor *loss = graft_cross_entropy(x, t);
    assert_int_equal(graft_tensor_dtype(loss), GRAFT_BF16);
    graft_tensor *wide = graft_cross_entropy(graft_to(graft_detach(x), GRAFT_F32), t);
    assert_true(graft_equal(loss, graft_to(wide, GRAFT_BF16)));
    assert_int_equal(graft_backward(loss), GRAFT_OK);
    assert_int_equal(graft_tensor_dtype(graft_grad(x)), GRAFT_BF16);
    graft_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cross_entropy_values),
        cmocka_unit_test(ignored_targets_count_for_nothing),
        cmocka_unit_test(targets_of_any_integers_and_strides),
        cmocka_unit_test(one_operation_or_two),
        cmocka_unit_test(gradients_by_finite_differences),
        cmocka_unit_test(gradients_accumulate),
        cmocka_unit_test(mse_values),
        cmocka_unit_test(wrong_classes_are_named),
        cmocka_unit_test(refusals),
        cmocka_unit_test(changing_what_was_saved_is_noticed),
        cmocka_unit_test(a_loss_of_halves_is_rounded_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
