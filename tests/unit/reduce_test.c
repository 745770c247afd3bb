#include <math.h>

#include "test.h"

static graft_tensor *leaf(graft_tensor *t)
{
    graft_tensor *own = graft_set_requires_grad(graft_copy(t), true);
    assert_non_null(own);
    return own;
}

static graft_tensor *matrix(graft_ctx *g, graft_dtype dtype)
{
    return graft_reshape(graft_arange(g, 1, 7, 1, dtype), graft_shape2(2, 3));
}

static void values_of_every_dtype(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    const graft_dtype dtypes[] = {GRAFT_F32, GRAFT_F64, GRAFT_F16, GRAFT_BF16, GRAFT_I64,
                                  GRAFT_I32, GRAFT_I16, GRAFT_I8,  GRAFT_U8};
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        graft_tensor *t = matrix(g, dtypes[i]);
        const bool floating = graft_dtype_is_floating(dtypes[i]);
        graft_tensor *sum = graft_sum(t);
        assert_int_equal(graft_ndim(sum), 0);
        assert_int_equal(graft_tensor_dtype(sum), floating ? dtypes[i] : GRAFT_I64);
        assert_elements(sum, (const double[]){21}, 1);
        assert_elements(graft_sum_dims(t, graft_shape1(0), false), (const double[]){5, 7, 9}, 3);
        assert_elements(graft_sum_dims(t, graft_shape1(-1), false), (const double[]){6, 15}, 2);
        assert_elements(graft_max(t), (const double[]){6}, 1);
        assert_int_equal(graft_tensor_dtype(graft_max(t)), dtypes[i]);
        assert_elements(graft_max_dims(t, graft_shape1(1), false), (const double[]){3, 6}, 2);
        assert_elements(graft_argmax(t, 0, false), (const double[]){1, 1, 1}, 3);
        assert_int_equal(graft_tensor_dtype(graft_argmax(t, 1, false)), GRAFT_I64);
        if (floating)
            assert_elements(graft_mean_dims(t, graft_shape1(1), false), (const double[]){2, 5}, 2);
    }
    graft_tensor *b = graft_gt(matrix(g, GRAFT_F32), graft_scalar(g, 2, GRAFT_F32));
    assert_elements(graft_sum(b), (const double[]){4}, 1);
    assert_elements(graft_max_dims(b, graft_shape1(0), false), (const double[]){1, 1, 1}, 3);
    assert_no_error(g);
    graft_close(g);
}

static void keepdim_keeps_sizes_of_one(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *t = graft_ones(g, graft_shape4(2, 3, 4, 5), GRAFT_F32);
    graft_shape s = graft_tensor_shape(graft_sum_dims(t, graft_shape2(1, -1), true));
    assert_int_equal(s.ndim, 4);
    assert_int_equal(s.size[0], 2);
    assert_int_equal(s.size[1], 1);
    assert_int_equal(s.size[2], 4);
    assert_int_equal(s.size[3], 1);
    s = graft_tensor_shape(graft_max_dims(t, graft_shape0(), true));
    assert_int_equal(s.ndim, 4);
    s = graft_tensor_shape(graft_argmax(t, 1, true));
    assert_int_equal(s.ndim, 4);
    assert_int_equal(s.size[1], 1);
    assert_elements(graft_sum_dims(graft_scalar(g, 3, GRAFT_F32), graft_shape1(-1), true),
                    (const double[]){3}, 1);
    graft_close(g);
}

static void sums_of_nothing(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *t = graft_ones(g, graft_shape2(0, 3), GRAFT_F64);
    assert_elements(graft_sum(t), (const double[]){0}, 1);
    assert_elements(graft_mean(t), (const double[]){NAN}, 1);
    assert_elements(graft_sum_dims(t, graft_shape1(0), false), (const double[]){0, 0, 0}, 3);
    assert_int_equal(graft_numel(graft_sum_dims(t, graft_shape1(1), false)), 0);
    assert_elements(graft_sum(graft_ones(g, graft_shape1(0), GRAFT_I32)), (const double[]){0}, 1);
    assert_int_equal(graft_numel(graft_max_dims(t, graft_shape1(1), false)), 0);
    assert_int_equal(graft_numel(graft_argmax(t, 1, false)), 0);
    assert_no_error(g);
    graft_close(g);
}

/* f32: as if summed exactly and rounded once; PyTorch's cascade is off by more. */
static void large_sums_are_exact(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *t = graft_ones(g, graft_shape1(10000019), GRAFT_F32);
    assert_elements(graft_sum(t), (const double[]){10000019}, 1);
    graft_fill_(graft_narrow(t, 0, 0, 1), 1e8);
    assert_elements(graft_sum(t), (const double[]){(float)(1e8 + 10000018)}, 1);
    graft_tensor *tenths = graft_full(g, graft_shape2(1000003, 3), 0.1, GRAFT_F32);
    const double exact = (double)0.1F * 1000003;
    const double three[] = {(float)exact, (float)exact, (float)exact};
    assert_elements(graft_sum_dims(tenths, graft_shape1(0), false), three, 3);
    assert_elements(graft_sum_dims(graft_transpose(tenths, 0, 1), graft_shape1(1), false), three,
                    3);
    graft_close(g);
}

/* Summed one after the other, the error of ten million tenths is near 1e-4; pairwise 1e-9. */
static void large_sums_of_doubles_are_pairwise(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    const int64_t n = 10000000;
    const double exact = 1e6; /* and 6e-11 */
    graft_tensor *t = graft_full(g, graft_shape1(n), 0.1, GRAFT_F64);
    assert_true(fabs(graft_item(graft_sum(t)) - exact) < 2e-9);
    graft_tensor *columns =
        graft_sum_dims(graft_view(t, graft_shape2(n / 2, 2)), graft_shape1(0), false);
    assert_true(fabs(graft_item(graft_select(columns, 0, 1)) - exact / 2) < 1e-9);
    graft_tensor *stepped = graft_select(graft_view(t, graft_shape2(n / 2, 2)), 1, 1);
    assert_true(fabs(graft_item(graft_sum(stepped)) - exact / 2) < 1e-9);
    graft_close(g);
}

static void integers_wrap_and_do_not_round(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    const int64_t big[] = {INT64_C(9007199254740993), 2, -1};
    graft_tensor *t = graft_from_data(g, big, graft_shape1(3), GRAFT_I64);
    assert_true(graft_item_i64(graft_sum(t)) == INT64_C(9007199254740994));
    graft_tensor *small = graft_full(g, graft_shape1(1000), 100, GRAFT_I8);
    assert_true(graft_item_i64(graft_sum(small)) == 100000);
    const int64_t most[] = {INT64_MAX, 1};
    t = graft_from_data(g, most, graft_shape1(2), GRAFT_I64);
    assert_true(graft_item_i64(graft_sum(t)) == INT64_MIN);
    graft_close(g);
}

/* Each layout against the same elements in C order. */
static void any_strides(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *t = graft_randint(g, -50, 50, graft_shape4(6, 5, 7, 9), GRAFT_F64);
    graft_shape orders[] = {{4, {3, 2, 1, 0}}, {4, {1, 0, 3, 2}}, {4, {2, 3, 0, 1}}};
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        graft_tensor *view = graft_narrow(graft_permute(t, orders[i]), 2, 1, 4);
        view = graft_expand(graft_unsqueeze(view, 2), (graft_shape){5, {-1, -1, 2, -1, -1}});
        graft_tensor *flat = graft_contiguous(view);
        for (unsigned mask = 1; mask < 32; mask++) {
            graft_shape dims = {.ndim = 0};
            for (int d = 0; d < 5; d++)
                if (mask >> d & 1)
                    dims.size[dims.ndim++] = d;
            assert_true(
                graft_equal(graft_sum_dims(view, dims, false), graft_sum_dims(flat, dims, false)));
            assert_true(
                graft_equal(graft_max_dims(view, dims, true), graft_max_dims(flat, dims, true)));
            assert_true(graft_equal(graft_sum_dims(graft_to(view, GRAFT_I32), dims, false),
                                    graft_sum_dims(flat, dims, false)));
        }
        for (int d = 0; d < 5; d++)
            assert_true(graft_equal(graft_argmax(view, d, false), graft_argmax(flat, d, false)));
    }
    assert_no_error(g);
    graft_close(g);
}

/* Large enough to be cut into parts, along what is kept and along what is reduced. */
static void threads_give_the_same_results(void **state)
{
    (void)state;
    graft_options o = graft_options_defaults();
    o.threads = 3;
    graft_ctx *g = graft_open(&o);
    assert_non_null(g);
    const int64_t rows[] = {3, 200, 100000}, cols[] = {100000, 400, 2};
    for (int i = 0; i < 3; i++) {
        graft_tensor *t = graft_randint(g, -100, 100, graft_shape2(rows[i], cols[i]), GRAFT_F32);
        graft_tensor *whole = graft_to(t, GRAFT_I64);
        for (int d = 0; d < 2; d++) {
            assert_true(graft_equal(graft_sum_dims(t, graft_shape1(d), false),
                                    graft_sum_dims(whole, graft_shape1(d), false)));
            assert_true(graft_equal(graft_max_dims(t, graft_shape1(d), false),
                                    graft_max_dims(whole, graft_shape1(d), false)));
            assert_true(graft_equal(graft_argmax(t, d, false), graft_argmax(whole, d, false)));
        }
        assert_true(graft_equal(graft_sum(t), graft_sum(whole)));
        assert_true(graft_equal(graft_max(t), graft_max(whole)));
        graft_tensor *again = graft_rand(g, graft_shape2(rows[i], cols[i]), GRAFT_F32);
        assert_true(graft_equal(graft_sum(again), graft_sum(again)));
    }
    /* The first of equals, wherever the parts are cut; the largest in the last part. */
    graft_tensor *flat = graft_zeros(g, graft_shape1(300000), GRAFT_F32);
    assert_true(graft_item_i64(graft_argmax(flat, 0, false)) == 0);
    graft_fill_(graft_narrow(flat, 0, 299990, 5), 1);
    assert_true(graft_item_i64(graft_argmax(flat, 0, false)) == 299990);
    graft_fill_(graft_narrow(flat, 0, 150000, 1), NAN);
    assert_true(graft_item_i64(graft_argmax(flat, 0, false)) == 150000);
    assert_true(isnan(graft_item(graft_max(flat))));
    assert_no_error(g);
    graft_close(g);
}

static void nan_wins_and_the_first_of_equals(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    const float rows[4][5] = {{1, 3, 3, 2, 0},
                              {1, NAN, 9, NAN, 0},
                              {-INFINITY, -INFINITY, -INFINITY, -INFINITY, -INFINITY},
                              {-1, INFINITY, 2, INFINITY, NAN}};
    graft_tensor *t = graft_from_data(g, rows, graft_shape2(4, 5), GRAFT_F32);
    assert_elements(graft_argmax(t, 1, false), (const double[]){1, 1, 0, 4}, 4);
    assert_elements(graft_max_dims(t, graft_shape1(1), false),
                    (const double[]){3, NAN, -INFINITY, NAN}, 4);
    assert_elements(graft_max_dims(t, graft_shape1(0), false),
                    (const double[]){1, NAN, 9, NAN, NAN}, 5);
    graft_tensor *long_row = graft_zeros(g, graft_shape1(100), GRAFT_F64);
    graft_fill_(graft_narrow(long_row, 0, 37, 2), NAN);
    assert_true(isnan(graft_item(graft_max(long_row))));
    assert_true(graft_item_i64(graft_argmax(long_row, -1, false)) == 37);
    graft_close(g);
}

static void gradients(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *x = leaf(matrix(g, GRAFT_F32));
    graft_backward(graft_sum(x));
    assert_elements(graft_grad(x), (const double[]){1, 1, 1, 1, 1, 1}, 6);
    graft_backward(graft_mean(x));
    assert_elements(graft_grad(x),
                    (const double[]){1 + 1 / 6.0F, 1 + 1 / 6.0F, 1 + 1 / 6.0F, 1 + 1 / 6.0F,
                                     1 + 1 / 6.0F, 1 + 1 / 6.0F},
                    6);
    graft_set_grad(x, NULL);
    graft_tensor *w = test_floats(g, (const float[]){1, 2, 3}, 3);
    graft_backward(graft_sum(graft_mul(graft_sum_dims(x, graft_shape1(0), false), w)));
    assert_elements(graft_grad(x), (const double[]){1, 2, 3, 1, 2, 3}, 6);
    graft_set_grad(x, NULL);
    graft_backward(graft_max(x));
    assert_elements(graft_grad(x), (const double[]){0, 0, 0, 0, 0, 1}, 6);
    graft_tensor *ties =
        leaf(graft_from_data(g, (const float[]){5, 1, 5, 2, 5, 5}, graft_shape2(2, 3), GRAFT_F32));
    graft_backward(graft_sum(graft_max_dims(ties, graft_shape1(1), false)));
    assert_elements(graft_grad(ties), (const double[]){.5, 0, .5, 0, .5, .5}, 6);
    graft_backward(graft_max(ties));
    assert_elements(graft_grad(ties), (const double[]){.75, 0, .75, 0, .75, .75}, 6);
    /* What equals no element has no share to hand out: NaN, as 0 / 0. */
    graft_tensor *none = leaf(test_floats(g, (const float[]){1, NAN}, 2));
    graft_backward(graft_max(none));
    assert_elements(graft_grad(none), (const double[]){NAN, NAN}, 2);
    assert_false(graft_requires_grad(graft_argmax(x, 0, false)));
    assert_no_error(g);
    graft_close(g);
}

static graft_tensor *mean_of(void *user, graft_tensor **inputs, int n)
{
    (void)n;
    return graft_mean_dims(graft_permute(inputs[0], (graft_shape){3, {2, 0, 1}}),
                           *(graft_shape *)user, true);
}

static graft_tensor *max_of(void *user, graft_tensor **inputs, int n)
{
    (void)n;
    return graft_max_dims(inputs[0], *(graft_shape *)user, false);
}

static void gradients_by_finite_differences(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *x = leaf(graft_rand(g, graft_shape3(3, 4, 5), GRAFT_F64));
    graft_shape dims[] = {{0, {0}}, {1, {1}}, {2, {-1, 0}}, {3, {0, 1, 2}}};
    for (size_t i = 0; i < sizeof dims / sizeof *dims; i++) {
        assert_int_equal(graft_gradcheck(mean_of, &dims[i], &x, 1, NULL), GRAFT_OK);
        assert_int_equal(graft_gradcheck(max_of, &dims[i], &x, 1, NULL), GRAFT_OK);
    }
    assert_no_error(g);
    graft_close(g);
}

static void refusals(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *t = graft_ones(g, graft_shape2(2, 3), GRAFT_F32);
    assert_null(graft_sum_dims(t, graft_shape1(2), false));
    assert_error(g, GRAFT_ERR_ARGUMENT,
                 "sum: dim 2 is out of range for shape [2, 3]: expected -2 to 1");
    assert_null(graft_mean_dims(t, graft_shape2(1, -1), false));
    assert_error(g, GRAFT_ERR_ARGUMENT,
                 "mean: dimension 1 of shape [2, 3] stands more than once in [1, -1]");
    assert_null(graft_sum_dims(t, graft_shape_of(-1, NULL), false));
    assert_error(g, GRAFT_ERR_ARGUMENT, "sum: a list of -1 dimensions: expected 0 to 8");
    assert_null(graft_sum_dims(t, graft_shape1(INT64_C(1) << 32), false));
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "is out of range for shape [2, 3]");
    assert_null(graft_mean(graft_ones(g, graft_shape1(3), GRAFT_I64)));
    assert_error(g, GRAFT_ERR_DTYPE,
                 "mean: computes in float32 and float64 (in float32 for float16 and bfloat16), got "
                 "int64: convert with graft_to");
    graft_tensor *empty = graft_ones(g, graft_shape2(0, 3), GRAFT_F32);
    assert_null(graft_max(empty));
    assert_error(g, GRAFT_ERR_SHAPE,
                 "max: the largest of no elements: shape [0, 3] is empty along what is reduced");
    assert_null(graft_max_dims(empty, graft_shape1(0), true));
    assert_error_has(g, GRAFT_ERR_SHAPE, "max: the largest of no elements");
    assert_null(graft_argmax(empty, 0, false));
    assert_error_has(g, GRAFT_ERR_SHAPE, "argmax: the largest of no elements");
    assert_null(graft_argmax(t, -3, false));
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "argmax: dim -3 is out of range");
    assert_null(graft_sum(NULL));
    assert_null(graft_mean(NULL));
    assert_null(graft_max(NULL));
    assert_null(graft_argmax(NULL, 0, false));
    assert_no_error(g);
    graft_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_every_dtype),
        cmocka_unit_test(keepdim_keeps_sizes_of_one),
        cmocka_unit_test(sums_of_nothing),
        cmocka_unit_test(large_sums_are_exact),
        cmocka_unit_test(large_sums_of_doubles_are_pairwise),
        cmocka_unit_test(integers_wrap_and_do_not_round),
        cmocka_unit_test(any_strides),
        cmocka_unit_test(threads_give_the_same_results),
        cmocka_unit_test(nan_wins_and_the_first_of_equals),
        cmocka_unit_test(gradients),
        cmocka_unit_test(gradients_by_finite_differences),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
