/* Operations element by element: values, dtypes, shapes, errors, gradients, threads. */
#include <math.h>

#include "test.h"

static graft_tensor *floats(graft_ctx *g, graft_shape shape, const float *values)
{
    return graft_from_data(g, values, shape, GRAFT_F32);
}

static graft_tensor *leaf(graft_tensor *t)
{
    return graft_set_requires_grad(t, true);
}

static void values_of_two(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *a = test_floats(g, (const float[]){1, -2, 3, 0.5F}, 4);
    graft_tensor *b = test_floats(g, (const float[]){4, -2, 2, 2}, 4);
    assert_elements(graft_add(a, b), (const double[]){5, -4, 5, 2.5}, 4);
    assert_elements(graft_sub(a, b), (const double[]){-3, 0, 1, -1.5}, 4);
    assert_elements(graft_mul(a, b), (const double[]){4, 4, 6, 1}, 4);
    assert_elements(graft_div(a, b), (const double[]){0.25, 1, 1.5, 0.25}, 4);
    assert_elements(graft_pow(a, b), (const double[]){1, 0.25, 9, 0.25}, 4);
    assert_elements(graft_maximum(a, b), (const double[]){4, -2, 3, 2}, 4);
    assert_elements(graft_minimum(a, b), (const double[]){1, -2, 2, 0.5}, 4);
    assert_no_error(g);
    graft_close(g);
}

static void values_of_one(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *x = test_floats(g, (const float[]){0, -4, 4}, 3);
    assert_elements(graft_neg(x), (const double[]){0, 4, -4}, 3);
    assert_elements(graft_abs(x), (const double[]){0, 4, 4}, 3);
    assert_elements(graft_relu(x), (const double[]){0, 0, 4}, 3);
    assert_elements(graft_sqrt(graft_abs(x)), (const double[]){0, 2, 2}, 3);
    assert_elements(graft_exp(graft_mul_scalar(x, 0)), (const double[]){1, 1, 1}, 3);
    assert_elements(graft_log(graft_add_scalar(graft_mul_scalar(x, 0), 1)),
                    (const double[]){0, 0, 0}, 3);
    assert_elements(graft_tanh(graft_mul_scalar(x, 100)), (const double[]){0, -1, 1}, 3);
    assert_elements(graft_sigmoid(graft_mul_scalar(x, 100)), (const double[]){0.5, 0, 1}, 3);
    assert_elements(graft_add_scalar(x, 1.5), (const double[]){1.5, -2.5, 5.5}, 3);
    assert_elements(graft_sub_scalar(x, 1.5), (const double[]){-1.5, -5.5, 2.5}, 3);
    assert_elements(graft_div_scalar(x, 8), (const double[]){0, -0.5, 0.5}, 3);
    assert_elements(graft_pow_scalar(x, 3), (const double[]){0, -64, 64}, 3);
    assert_elements(graft_pow_scalar(x, 0), (const double[]){1, 1, 1}, 3);
    assert_no_error(g);
    graft_close(g);
}

static void nan_is_not_lost(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *x = test_floats(g, (const float[]){NAN, 1, NAN}, 3);
    graft_tensor *y = test_floats(g, (const float[]){1, NAN, -INFINITY}, 3);
    const double all[] = {NAN, NAN, NAN};
    assert_elements(graft_maximum(x, y), all, 3);
    assert_elements(graft_minimum(x, y), all, 3);
    assert_elements(graft_relu(x), (const double[]){NAN, 1, NAN}, 3);
    assert_elements(graft_relu(y), (const double[]){1, NAN, 0}, 3);
    graft_close(g);
}

static void shapes_broadcast(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *row = test_floats(g, (const float[]){1, 2, 3}, 3);
    graft_tensor *column = floats(g, graft_shape2(2, 1), (const float[]){10, 20});
    graft_tensor *sum = graft_add(column, row);
    assert_int_equal(graft_ndim(sum), 2);
    assert_elements(sum, (const double[]){11, 12, 13, 21, 22, 23}, 6);
    graft_tensor *scalar = graft_scalar(g, 2, GRAFT_F32);
    assert_elements(graft_mul(scalar, sum), (const double[]){22, 24, 26, 42, 44, 46}, 6);
    assert_int_equal(graft_ndim(graft_add(scalar, scalar)), 0);
    graft_tensor *empty = graft_zeros(g, graft_shape2(0, 3), GRAFT_F32);
    graft_tensor *none = graft_add(empty, row);
    assert_int_equal(graft_size(none, 0), 0);
    assert_int_equal(graft_size(none, 1), 3);
    assert_int_equal(graft_numel(graft_exp(empty)), 0);
    assert_no_error(g);
    graft_close(g);
}

static void eight_dimensions(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    const int64_t a_size[] = {2, 1, 2, 1, 2, 1, 2, 1}, b_size[] = {1, 2, 1, 2, 1, 2, 1, 2};
    graft_tensor *a =
        graft_reshape(graft_arange(g, 0, 16, 1, GRAFT_F32), graft_shape_of(8, a_size));
    graft_tensor *b =
        graft_reshape(graft_arange(g, 0, 16, 1, GRAFT_F32), graft_shape_of(8, b_size));
    graft_tensor *y = graft_add(graft_mul_scalar(a, 100), b);
    assert_int_equal(graft_numel(y), 256);
    const float *got = graft_data(y);
    for (int i = 0; i < 256; i++) {
        int from_a = 0, from_b = 0;
        for (int d = 0; d < 8; d++) {
            const int bit = i >> (7 - d) & 1;
            if (d % 2 == 0)
                from_a = 2 * from_a + bit;
            else
                from_b = 2 * from_b + bit;
        }
        assert_true(got[i] == (float)(100 * from_a + from_b));
    }
    graft_close(g);
}

static void dtypes_are_promoted(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *f = graft_ones(g, graft_shape1(2), GRAFT_F32);
    graft_tensor *d = graft_ones(g, graft_shape1(2), GRAFT_F64);
    graft_tensor *h = graft_ones(g, graft_shape1(2), GRAFT_F16);
    graft_tensor *b = graft_ones(g, graft_shape1(2), GRAFT_BF16);
    graft_tensor *i = graft_ones(g, graft_shape1(2), GRAFT_I64);
    assert_int_equal(graft_tensor_dtype(graft_add(f, d)), GRAFT_F64);
    assert_int_equal(graft_tensor_dtype(graft_add(f, h)), GRAFT_F32);
    assert_int_equal(graft_tensor_dtype(graft_add(h, h)), GRAFT_F16);
    assert_int_equal(graft_tensor_dtype(graft_add(h, b)), GRAFT_F32);
    assert_int_equal(graft_tensor_dtype(graft_add(i, b)), GRAFT_BF16);
    assert_int_equal(graft_tensor_dtype(graft_add(i, graft_scalar(g, 1, GRAFT_F64))), GRAFT_F64);
    assert_int_equal(graft_tensor_dtype(graft_add(f, graft_scalar(g, 1, GRAFT_F64))), GRAFT_F32);
    assert_int_equal(graft_tensor_dtype(graft_exp(b)), GRAFT_BF16);
    assert_elements(graft_add(i, h), (const double[]){2, 2}, 2);
    assert_no_error(g);
    graft_close(g);
}

static void halves_are_rounded_once(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    /* 1 + 2^-11 lies halfway between two halves; the f32 in between is exact. */
    graft_tensor *x = graft_to(graft_scalar(g, 1, GRAFT_F32), GRAFT_F16);
    graft_tensor *y = graft_mul_scalar(graft_add_scalar(x, 0.00048828125), 1);
    assert_true(graft_item(y) == 1);
    assert_true(graft_item(graft_add_scalar(x, 0.00048828125 * 1.01)) == 1.0009765625);
    graft_tensor *p = leaf(graft_to(graft_scalar(g, 3, GRAFT_F32), GRAFT_F16));
    assert_int_equal(graft_backward(graft_mul(p, p)), GRAFT_OK);
    assert_int_equal(graft_tensor_dtype(graft_grad(p)), GRAFT_F16);
    assert_true(graft_item(graft_grad(p)) == 6);
    graft_close(g);
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    graft_ctx *g = test_open(), *other = test_open();
    graft_tensor *i = graft_ones(g, graft_shape1(2), GRAFT_I64);
    graft_tensor *f = graft_ones(g, graft_shape2(2, 3), GRAFT_F32);
    assert_null(graft_add(i, i));
    assert_error(g, GRAFT_ERR_DTYPE,
                 "add: computes in float32 and float64 (in float32 for float16 and bfloat16), got "
                 "int64 and int64: convert with graft_to");
    assert_null(graft_exp(i));
    assert_error(g, GRAFT_ERR_DTYPE,
                 "exp: computes in float32 and float64 (in float32 for float16 and bfloat16), got "
                 "int64: convert with graft_to");
    assert_null(graft_mul_scalar(i, 2));
    assert_error_has(g, GRAFT_ERR_DTYPE, "mul_scalar: computes in float32");
    assert_null(graft_mul(f, graft_ones(g, graft_shape1(2), GRAFT_F32)));
    assert_error_has(g, GRAFT_ERR_SHAPE, "mul: shapes [2, 3] and [2] do not broadcast");
    assert_null(graft_lt(f, graft_ones(g, graft_shape1(2), GRAFT_F32)));
    assert_error_has(g, GRAFT_ERR_SHAPE, "lt: shapes [2, 3] and [2] do not broadcast");
    assert_null(graft_add(f, graft_ones(other, graft_shape1(3), GRAFT_F32)));
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "add: the tensors belong to two contexts");
    assert_null(graft_eq(f, graft_ones(other, graft_shape1(3), GRAFT_F32)));
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "eq: the tensors belong to two contexts");
    graft_close(g);
    graft_close(other);
}

static void null_gives_null(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *f = graft_ones(g, graft_shape1(2), GRAFT_F32);
    graft_tensor *i = graft_ones(g, graft_shape1(2), GRAFT_I64);
    assert_null(graft_relu(graft_add(graft_mul(graft_exp(i), f), f)));
    assert_error_has(g, GRAFT_ERR_DTYPE, "exp:"); /* the first error is the one that is kept */
    assert_null(graft_add(f, NULL));
    assert_null(graft_add(NULL, f));
    assert_null(graft_add(NULL, NULL));
    assert_null(graft_tanh(NULL));
    assert_null(graft_add_scalar(NULL, 1));
    assert_null(graft_eq(NULL, f));
    assert_null(graft_copy(NULL));
    assert_no_error(g);
    graft_close(g);
}

static void comparisons_are_exact(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    const int64_t big = INT64_C(9007199254740993); /* 2^53 + 1: no double */
    graft_tensor *a =
        graft_from_data(g, (const int64_t[]){big, big, 0}, graft_shape1(3), GRAFT_I64);
    graft_tensor *b =
        graft_from_data(g, (const int64_t[]){big - 1, big, 1}, graft_shape1(3), GRAFT_I64);
    assert_elements(graft_eq(a, b), (const double[]){0, 1, 0}, 3);
    assert_elements(graft_ne(a, b), (const double[]){1, 0, 1}, 3);
    assert_elements(graft_lt(a, b), (const double[]){0, 0, 1}, 3);
    assert_elements(graft_le(a, b), (const double[]){0, 1, 1}, 3);
    assert_elements(graft_gt(a, b), (const double[]){1, 0, 0}, 3);
    assert_elements(graft_ge(a, b), (const double[]){1, 1, 0}, 3);
    assert_int_equal(graft_tensor_dtype(graft_eq(a, b)), GRAFT_BOOL);
    graft_tensor *nan = test_floats(g, (const float[]){NAN}, 1);
    assert_elements(graft_eq(nan, nan), (const double[]){0}, 1);
    assert_elements(graft_ne(nan, nan), (const double[]){1}, 1);
    assert_elements(graft_le(nan, nan), (const double[]){0}, 1);
    graft_tensor *p = leaf(graft_ones(g, graft_shape1(3), GRAFT_F32));
    assert_false(graft_requires_grad(graft_gt(p, a)));
    assert_no_error(g);
    graft_close(g);
}

/* ---- Gradients ---- */

typedef graft_tensor *two(graft_tensor *a, graft_tensor *b);
typedef graft_tensor *one(graft_tensor *x);

static graft_tensor *call_two(void *user, graft_tensor **in, int n)
{
    (void)n;
    return (*(two *const *)user)(in[0], in[1]);
}

static graft_tensor *call_one(void *user, graft_tensor **in, int n)
{
    (void)n;
    return (*(one *const *)user)(in[0]);
}

static graft_tensor *random_leaf(graft_ctx *g, graft_shape shape)
{
    graft_tensor *t = graft_rand(g, shape, GRAFT_F64);
    return leaf(graft_add_scalar_(t, 0.5)); /* away from kinks and poles */
}

static void gradients_of_two(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    two *const all[] = {graft_add, graft_sub,     graft_mul,    graft_div,
                        graft_pow, graft_maximum, graft_minimum};
    const graft_shape shapes[][2] = {
        {graft_shape2(3, 2), graft_shape2(3, 2)}, {graft_shape2(3, 2), graft_shape1(2)},
        {graft_shape0(), graft_shape2(2, 2)},     {graft_shape2(2, 1), graft_shape2(1, 3)},
        {graft_shape1(0), graft_shape1(1)},       {graft_shape3(2, 1, 2), graft_shape2(3, 1)}};
    for (size_t f = 0; f < sizeof all / sizeof all[0]; f++) {
        for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
            graft_scope_begin(g);
            two *function = all[f];
            graft_tensor *in[] = {random_leaf(g, shapes[s][0]), random_leaf(g, shapes[s][1])};
            graft_gradcheck(call_two, &function, in, 2, NULL);
            assert_no_error(g);
            graft_scope_end(g);
        }
    }
    graft_close(g);
}

static graft_tensor *power(graft_tensor *x)
{
    return graft_pow_scalar(x, -1.5);
}

static graft_tensor *all_scalars(graft_tensor *x)
{
    return graft_div_scalar(graft_mul_scalar(graft_sub_scalar(graft_add_scalar(x, 3), 1), 7), -2);
}

static graft_tensor *round_trip(graft_tensor *x)
{
    return graft_mul(graft_copy(x), graft_contiguous(graft_transpose(x, 0, 1)));
}

static void gradients_of_one(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    one *const all[] = {graft_neg, graft_abs,  graft_relu, graft_tanh,  graft_sigmoid, graft_exp,
                        graft_log, graft_sqrt, power,      all_scalars, round_trip};
    for (size_t f = 0; f < sizeof all / sizeof all[0]; f++) {
        one *function = all[f];
        graft_tensor *in[] = {random_leaf(g, graft_shape2(3, 3))};
        graft_gradcheck(call_one, &function, in, 1, NULL);
        assert_no_error(g);
    }
    graft_close(g);
}

static void gradients_at_edges(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *x = leaf(test_floats(g, (const float[]){0, -1, 2}, 3));
    graft_backward(graft_sum(graft_abs(x)));
    assert_elements(graft_grad(x), (const double[]){0, -1, 1}, 3);
    graft_set_grad(x, NULL);
    graft_backward(graft_sum(graft_relu(x)));
    assert_elements(graft_grad(x), (const double[]){0, 0, 1}, 3);
    graft_set_grad(x, NULL);
    graft_backward(graft_sum(graft_pow_scalar(x, 0)));
    assert_elements(graft_grad(x), (const double[]){0, 0, 0}, 3);

    graft_tensor *base = leaf(test_floats(g, (const float[]){0, 0, 3}, 3));
    graft_tensor *exponent = leaf(test_floats(g, (const float[]){0, 2, 0}, 3));
    graft_backward(graft_sum(graft_pow(base, exponent)));
    assert_elements(graft_grad(base), (const double[]){0, 0, 0}, 3);
    const float *by_exponent = graft_data(graft_grad(exponent));
    assert_true(by_exponent[0] == 0 && by_exponent[1] == 0);
    assert_true(fabsf(by_exponent[2] - logf(3)) < 1e-6F);

    graft_tensor *a = leaf(test_floats(g, (const float[]){1, 2, 3}, 3));
    graft_tensor *b = leaf(test_floats(g, (const float[]){1, 3, 2}, 3));
    graft_backward(graft_sum(graft_maximum(a, b)));
    assert_elements(graft_grad(a), (const double[]){0.5, 0, 1}, 3);
    assert_elements(graft_grad(b), (const double[]){0.5, 1, 0}, 3);
    assert_no_error(g);
    graft_close(g);
}

static void only_what_a_gradient_needs_is_saved(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *a = leaf(test_floats(g, (const float[]){1, 2}, 2));
    graft_tensor *c = test_floats(g, (const float[]){3, 4}, 2);
    /* a's gradient needs c alone: a may change ... */
    graft_tensor *y = graft_mul(a, c);
    graft_no_grad_begin(g);
    graft_zero_(a);
    graft_no_grad_end(g);
    assert_int_equal(graft_backward(graft_sum(y)), GRAFT_OK);
    assert_elements(graft_grad(a), (const double[]){3, 4}, 2);
    /* ... but c may not. */
    y = graft_mul(a, c);
    graft_zero_(c);
    assert_int_equal(graft_backward(graft_sum(y)), GRAFT_ERR_STATE);
    assert_error_has(g, GRAFT_ERR_STATE,
                     "backward: a tensor of shape [2] that mul needs for its gradient was changed "
                     "in place");
    graft_close(g);
}

static void a_result_that_was_saved_must_not_change(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *a = leaf(test_floats(g, (const float[]){1, 2}, 2));
    graft_tensor *y = graft_exp(a);
    graft_no_grad_begin(g);
    graft_add_scalar_(y, 1);
    graft_no_grad_end(g);
    assert_int_equal(graft_backward(graft_sum(y)), GRAFT_ERR_STATE);
    assert_error_has(g, GRAFT_ERR_STATE, "that exp needs for its gradient was changed in place");
    graft_close(g);
}

static void without_a_need_nothing_is_recorded(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *c = graft_ones(g, graft_shape1(2), GRAFT_F32);
    assert_true(graft_is_leaf(graft_add(c, c)));
    graft_tensor *p = leaf(graft_ones(g, graft_shape1(2), GRAFT_F32));
    graft_no_grad_begin(g);
    assert_false(graft_requires_grad(graft_exp(graft_mul(p, p))));
    graft_no_grad_end(g);
    assert_true(graft_requires_grad(graft_exp(graft_mul(p, c))));
    graft_close(g);
}

/* ---- The same bits ---- */

static graft_tensor *much(graft_ctx *g, int threads)
{
    graft_set_num_threads(g, threads);
    graft_manual_seed(g, 1);
    graft_tensor *x = graft_randn(g, graft_shape2(701, 307), GRAFT_F32);
    graft_tensor *y = graft_randn(g, graft_shape2(307, 701), GRAFT_F32);
    graft_tensor *row = graft_randn(g, graft_shape1(307), GRAFT_F32);
    graft_tensor *t = graft_tanh(graft_mul(x, graft_transpose(y, 0, 1)));
    t = graft_sigmoid(graft_add(graft_exp(t), row));
    return graft_pow(t, graft_abs(x));
}

static void threads_do_not_change_bits(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *expected = much(g, 1);
    for (int threads = 2; threads <= 5; threads++)
        assert_true(graft_equal(much(g, threads), expected));
    assert_no_error(g);
    graft_close(g);
}

/* One element gives the same bits alone, in a tail, and in a strided tensor. */
static void layouts_do_not_change_bits(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    one *const all[] = {graft_exp, graft_tanh, graft_sigmoid, graft_log, graft_sqrt, power};
    graft_tensor *x = graft_add_scalar(graft_rand(g, graft_shape2(19, 23), GRAFT_F32), 0.1);
    for (size_t f = 0; f < sizeof all / sizeof all[0]; f++) {
        graft_tensor *whole = all[f](x);
        graft_tensor *transposed = all[f](graft_transpose(x, 0, 1));
        assert_true(graft_equal(graft_transpose(transposed, 0, 1), whole));
        graft_tensor *part = all[f](graft_narrow(x, 1, 3, 13));
        assert_true(graft_equal(part, graft_narrow(whole, 1, 3, 13)));
        for (int i = 0; i < 19; i++) {
            graft_tensor *single = all[f](graft_select(graft_select(x, 0, i), 0, i));
            assert_true(graft_equal(single, graft_select(graft_select(whole, 0, i), 0, i)));
        }
    }
    assert_no_error(g);
    graft_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_two),
        cmocka_unit_test(values_of_one),
        cmocka_unit_test(nan_is_not_lost),
        cmocka_unit_test(shapes_broadcast),
        cmocka_unit_test(eight_dimensions),
        cmocka_unit_test(dtypes_are_promoted),
        cmocka_unit_test(halves_are_rounded_once),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(null_gives_null),
        cmocka_unit_test(comparisons_are_exact),
        cmocka_unit_test(gradients_of_two),
        cmocka_unit_test(gradients_of_one),
        cmocka_unit_test(gradients_at_edges),
        cmocka_unit_test(only_what_a_gradient_needs_is_saved),
        cmocka_unit_test(a_result_that_was_saved_must_not_change),
        cmocka_unit_test(without_a_need_nothing_is_recorded),
        cmocka_unit_test(threads_do_not_change_bits),
        cmocka_unit_test(layouts_do_not_change_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
