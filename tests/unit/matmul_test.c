#include <math.h>

#include "test.h"

static graft_tensor *numbers(graft_ctx *g, graft_shape shape, graft_dtype dtype)
{
    int64_t n = 1;
    for (int i = 0; i < shape.ndim; i++)
        n *= shape.size[i];
    graft_tensor *t = graft_arange(g, 0, (double)n, 1, dtype);
    t = graft_reshape(graft_add_scalar(t, -1), shape);
    assert_non_null(t);
    return t;
}

static graft_tensor *leaf(graft_tensor *t)
{
    graft_tensor *own = graft_set_requires_grad(graft_copy(t), true);
    assert_non_null(own);
    return own;
}

static void vectors_and_matrices(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *v = test_floats(g, (const float[]){1, 2, 3}, 3);
    graft_tensor *m =
        graft_from_data(g, (const float[]){1, 2, 3, 4, 5, 6}, graft_shape2(2, 3), GRAFT_F32);
    assert_elements(graft_matmul(v, v), (const double[]){14}, 1);
    assert_int_equal(graft_ndim(graft_matmul(v, v)), 0);
    assert_elements(graft_matmul(m, v), (const double[]){14, 32}, 2);
    assert_elements(graft_matmul(graft_narrow(v, 0, 0, 2), m), (const double[]){9, 12, 15}, 3);
    assert_elements(graft_matmul(m, graft_transpose(m, 0, 1)), (const double[]){14, 32, 32, 77}, 4);
    assert_no_error(g);
    graft_close(g);
}

static void batches_broadcast(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *a = numbers(g, graft_shape4(2, 1, 2, 3), GRAFT_F64);
    graft_tensor *b = numbers(g, graft_shape3(2, 3, 1), GRAFT_F64);
    graft_tensor *c = graft_matmul(a, b);
    graft_shape shape = graft_tensor_shape(c);
    assert_int_equal(shape.ndim, 4);
    const int64_t expected[] = {2, 2, 2, 1};
    for (int i = 0; i < 4; i++)
        assert_int_equal(shape.size[i], expected[i]);
    for (int64_t i = 0; i < 2; i++)
        for (int64_t j = 0; j < 2; j++) {
            graft_tensor *one = graft_select(graft_select(c, 0, i), 0, j);
            graft_tensor *want =
                graft_matmul(graft_select(graft_select(a, 0, i), 0, 0), graft_select(b, 0, j));
            assert_true(graft_equal(one, want));
        }
    assert_no_error(g);
    graft_close(g);
}

static void sums_of_nothing_are_zero(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    /* The memory of a new tensor is whatever was there before. */
    graft_tensor_free(graft_full(g, graft_shape2(2, 3), NAN, GRAFT_F32));
    graft_tensor *c = graft_matmul(graft_zeros(g, graft_shape2(2, 0), GRAFT_F32),
                                   graft_zeros(g, graft_shape2(0, 3), GRAFT_F32));
    assert_elements(c, (const double[]){0, 0, 0, 0, 0, 0}, 6);
    graft_tensor *a = leaf(graft_zeros(g, graft_shape2(2, 3), GRAFT_F32));
    graft_tensor *none = graft_matmul(a, graft_zeros(g, graft_shape3(0, 3, 4), GRAFT_F32));
    assert_int_equal(graft_backward(graft_sum(none)), GRAFT_OK);
    assert_elements(graft_grad(a), (const double[]){0, 0, 0, 0, 0, 0}, 6);
    assert_no_error(g);
    graft_close(g);
}

static void nothing_hides_a_nan(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *a =
        graft_from_data(g, (const float[]){0, 0, 1, 1}, graft_shape2(2, 2), GRAFT_F32);
    graft_tensor *b =
        graft_from_data(g, (const float[]){NAN, 1, INFINITY, 2}, graft_shape2(2, 2), GRAFT_F32);
    assert_elements(graft_matmul(a, b), (const double[]){NAN, 0, NAN, 3}, 4);
    graft_close(g);
}

static void any_strides(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *a = numbers(g, graft_shape4(3, 4, 3, 4), GRAFT_F64);
    graft_tensor *b = numbers(g, graft_shape3(3, 4, 4), GRAFT_F64);
    const int order[][4] = {{0, 1, 2, 3}, {0, 3, 2, 1}, {2, 1, 0, 3}, {1, 2, 3, 0}, {3, 1, 0, 2}};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        graft_shape dims = {.ndim = 4};
        for (int d = 0; d < 4; d++)
            dims.size[d] = order[i][d];
        graft_tensor *p = graft_narrow(graft_permute(a, dims), 3, 0, 3);
        graft_tensor *q = graft_narrow(graft_transpose(b, 1, 2), 1, 1, 3);
        graft_tensor *x = graft_narrow(p, 1, 0, 3);
        assert_true(graft_equal(graft_matmul(x, q),
                                graft_matmul(graft_contiguous(x), graft_contiguous(q))));
    }
    graft_tensor *row = graft_expand(numbers(g, graft_shape1(4), GRAFT_F64), graft_shape2(3, 4));
    graft_tensor *square = graft_matmul(row, graft_transpose(row, 0, 1));
    assert_elements(square, (const double[]){6, 6, 6, 6, 6, 6, 6, 6, 6}, 9);
    assert_no_error(g);
    graft_close(g);
}

static void gradients_accumulate(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *a = leaf(numbers(g, graft_shape2(2, 3), GRAFT_F64));
    graft_tensor *b = leaf(numbers(g, graft_shape2(3, 2), GRAFT_F64));
    for (int i = 0; i < 2; i++)
        assert_int_equal(graft_backward(graft_sum(graft_matmul(a, b))), GRAFT_OK);
    /* d a[i, k] = the sum of row k of b, twice. */
    assert_elements(graft_grad(a), (const double[]){-2, 6, 14, -2, 6, 14}, 6);
    assert_elements(graft_grad(b), (const double[]){2, 2, 6, 6, 10, 10}, 6);
    assert_no_error(g);
    graft_close(g);
}

static graft_tensor *matmul_of(void *user, graft_tensor **inputs, int n)
{
    (void)user;
    (void)n;
    return graft_matmul(inputs[0], inputs[1]);
}

static graft_tensor *matmul_of_views(void *user, graft_tensor **inputs, int n)
{
    (void)user;
    (void)n;
    return graft_matmul(graft_transpose(inputs[0], 0, 1), graft_transpose(inputs[1], -1, -2));
}

static graft_tensor *linear_of(void *user, graft_tensor **inputs, int n)
{
    (void)user;
    return graft_f_linear(inputs[0], inputs[1], n == 3 ? inputs[2] : NULL);
}

static void gradients_by_finite_differences(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *a = leaf(graft_randn(g, graft_shape3(2, 3, 4), GRAFT_F64));
    graft_tensor *b = leaf(graft_randn(g, graft_shape4(3, 1, 4, 2), GRAFT_F64));
    graft_tensor *v = leaf(graft_randn(g, graft_shape1(4), GRAFT_F64));
    graft_tensor *t = leaf(graft_randn(g, graft_shape3(3, 2, 4), GRAFT_F64));
    graft_tensor *w = leaf(graft_randn(g, graft_shape2(5, 4), GRAFT_F64));
    graft_tensor *bias = leaf(graft_randn(g, graft_shape1(5), GRAFT_F64));
    graft_tensor *ab[] = {a, b}, *av[] = {a, v}, *vb[] = {v, b}, *vv[] = {v, v}, *views[] = {t, a};
    graft_tensor *layer[] = {a, w, bias};
    assert_int_equal(graft_gradcheck(matmul_of, NULL, ab, 2, NULL), GRAFT_OK);
    assert_int_equal(graft_gradcheck(matmul_of, NULL, av, 2, NULL), GRAFT_OK);
    assert_int_equal(graft_gradcheck(matmul_of, NULL, vb, 2, NULL), GRAFT_OK);
    assert_int_equal(graft_gradcheck(matmul_of, NULL, vv, 1, NULL), GRAFT_OK);
    assert_int_equal(graft_gradcheck(matmul_of_views, NULL, views, 2, NULL), GRAFT_OK);
    assert_int_equal(graft_gradcheck(linear_of, NULL, layer, 3, NULL), GRAFT_OK);
    assert_int_equal(graft_gradcheck(linear_of, NULL, layer, 2, NULL), GRAFT_OK);
    assert_no_error(g);
    graft_close(g);
}

/* More products than threads, small and large ones, and rows to fill in parts. */
static void threads_give_the_same_products(void **state)
{
    (void)state;
    graft_options o = graft_options_defaults();
    o.threads = 3;
    graft_ctx *g = graft_open(&o);
    assert_non_null(g);
    graft_tensor *a = graft_randn(g, graft_shape3(50, 20, 30), GRAFT_F64);
    graft_tensor *b = graft_randn(g, graft_shape3(50, 30, 10), GRAFT_F64);
    graft_tensor *c = graft_matmul(a, b);
    for (int64_t i = 0; i < 50; i += 7)
        assert_true(graft_allclose(graft_select(c, 0, i),
                                   graft_matmul(graft_select(a, 0, i), graft_select(b, 0, i)),
                                   1e-12, 1e-12, false));
    graft_tensor *x = graft_randn(g, graft_shape2(3000, 2), GRAFT_F64);
    graft_tensor *w = graft_randn(g, graft_shape2(70, 2), GRAFT_F64);
    graft_tensor *bias = graft_randn(g, graft_shape1(70), GRAFT_F64);
    graft_tensor *y = graft_f_linear(x, w, bias);
    graft_tensor *want = graft_add(graft_matmul(x, graft_transpose(w, 0, 1)), bias);
    assert_true(graft_allclose(y, want, 1e-12, 1e-12, false));
    assert_no_error(g);
    graft_close(g);
}

static void linear_values(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *x =
        leaf(graft_from_data(g, (const float[]){1, 2, 3, 4}, graft_shape2(2, 2), GRAFT_F32));
    graft_tensor *w =
        leaf(graft_from_data(g, (const float[]){1, 0, 0, 1, 1, -1}, graft_shape2(3, 2), GRAFT_F32));
    graft_tensor *b = leaf(test_floats(g, (const float[]){10, 20, 30}, 3));
    graft_tensor *y = graft_f_linear(x, w, b);
    assert_elements(y, (const double[]){11, 22, 29, 13, 24, 29}, 6);
    assert_elements(graft_f_linear(x, w, NULL), (const double[]){1, 2, -1, 3, 4, -1}, 6);
    assert_elements(graft_f_linear(graft_select(x, 0, 1), w, b), (const double[]){13, 24, 29}, 3);
    assert_int_equal(graft_backward(graft_sum(y)), GRAFT_OK);
    assert_elements(graft_grad(x), (const double[]){2, 0, 2, 0}, 4);
    assert_elements(graft_grad(w), (const double[]){4, 6, 4, 6, 4, 6}, 6);
    assert_elements(graft_grad(b), (const double[]){2, 2, 2}, 3);
    /* into what is there */
    assert_int_equal(graft_backward(graft_sum(graft_f_linear(x, w, b))), GRAFT_OK);
    assert_elements(graft_grad(b), (const double[]){4, 4, 4}, 3);
    assert_elements(graft_grad(w), (const double[]){8, 12, 8, 12, 8, 12}, 6);
    assert_no_error(g);
    graft_close(g);
}

static void halves_are_multiplied_in_f32(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    /* 2048 + 1 + 1 is 2048 in f16, step by step, and 2050 rounded once. */
    graft_tensor *a = graft_to(test_floats(g, (const float[]){2048, 1, 1}, 3), GRAFT_F16);
    graft_tensor *c = graft_matmul(a, graft_ones(g, graft_shape1(3), GRAFT_F16));
    assert_int_equal(graft_tensor_dtype(c), GRAFT_F16);
    assert_elements(c, (const double[]){2050}, 1);
    graft_tensor *mixed = graft_matmul(a, graft_ones(g, graft_shape1(3), GRAFT_F64));
    assert_int_equal(graft_tensor_dtype(mixed), GRAFT_F64);
    graft_close(g);
}

static void changing_a_factor_is_noticed(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *a = graft_ones(g, graft_shape2(2, 2), GRAFT_F32);
    graft_tensor *b = leaf(graft_ones(g, graft_shape2(2, 2), GRAFT_F32));
    graft_tensor *y = graft_matmul(a, b), *z = graft_f_linear(a, b, NULL);
    graft_fill_(a, 3);
    assert_int_equal(graft_backward(graft_sum(y)), GRAFT_ERR_STATE);
    assert_error_has(g, GRAFT_ERR_STATE, "a tensor of shape [2, 2] that matmul needs");
    assert_int_equal(graft_backward(graft_sum(z)), GRAFT_ERR_STATE);
    assert_error_has(g, GRAFT_ERR_STATE, "a tensor of shape [2, 2] that linear needs");
    graft_close(g);
}

static void refusals(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *a = graft_ones(g, graft_shape2(2, 3), GRAFT_F32);
    graft_tensor *b = graft_ones(g, graft_shape2(4, 5), GRAFT_F32);
    graft_tensor *s = graft_scalar(g, 1, GRAFT_F32);
    assert_null(graft_matmul(a, b));
    assert_error(g, GRAFT_ERR_SHAPE,
                 "matmul: [2, 3] x [4, 5]: what is summed over has size 3 on the left and 4 on the "
                 "right");
    assert_null(graft_matmul(a, s));
    assert_error(g, GRAFT_ERR_SHAPE, "matmul: [2, 3] x []: expected at least one dimension each");
    assert_null(graft_matmul(graft_ones(g, graft_shape3(2, 2, 3), GRAFT_F32),
                             graft_ones(g, graft_shape3(3, 3, 2), GRAFT_F32)));
    assert_error(g, GRAFT_ERR_SHAPE,
                 "matmul: [2, 2, 3] x [3, 3, 2]: the batch dimensions (all but the last two) do "
                 "not broadcast");
    graft_tensor *i = graft_ones(g, graft_shape2(3, 3), GRAFT_I64);
    assert_null(graft_matmul(i, i));
    assert_error(g, GRAFT_ERR_DTYPE,
                 "matmul: computes in float32 and float64 (in float32 for float16 and bfloat16), "
                 "got int64 and int64: convert with graft_to");
    assert_null(graft_f_linear(a, b, NULL));
    assert_error(g, GRAFT_ERR_SHAPE,
                 "linear: x [2, 3], weight [4, 5], bias none: expected [..., in], [out, in] and "
                 "[out]");
    assert_null(graft_f_linear(a, graft_ones(g, graft_shape2(4, 3), GRAFT_F32), s));
    assert_error(g, GRAFT_ERR_SHAPE,
                 "linear: x [2, 3], weight [4, 3], bias []: expected [..., in], [out, in] and "
                 "[out]");
    assert_null(graft_f_linear(s, a, NULL));
    assert_error_has(g, GRAFT_ERR_SHAPE, "linear: x [], weight [2, 3]");
    assert_null(graft_matmul(NULL, a));
    assert_null(graft_matmul(a, NULL));
    assert_null(graft_f_linear(NULL, a, NULL));
    assert_null(graft_f_linear(a, NULL, NULL));
    assert_no_error(g);
    graft_ctx *other = test_open();
    assert_null(graft_matmul(a, graft_ones(other, graft_shape2(3, 3), GRAFT_F32)));
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "matmul: the tensors belong to two contexts");
    graft_close(other);
    graft_close(g);
}

static void a_step_allocates_nothing(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *x = graft_ones(g, graft_shape3(4, 3, 5), GRAFT_F32);
    graft_tensor *w = leaf(graft_ones(g, graft_shape2(2, 5), GRAFT_F32));
    graft_memory before = {0}, after = {0};
    for (int i = 0; i < 3; i++) {
        if (i == 2)
            graft_memory_stats(g, &before);
        graft_scope_begin(g);
        graft_tensor *y = graft_f_linear(graft_transpose(x, 0, 1), w, NULL);
        graft_backward(graft_sum(graft_matmul(y, graft_transpose(y, 1, 2))));
        graft_scope_end(g);
    }
    graft_memory_stats(g, &after);
    assert_no_error(g);
    if (!getenv("GRAFT_TEST_NO_CACHE"))
        assert_int_equal(after.in_use, before.in_use);
    graft_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_and_matrices),
        cmocka_unit_test(batches_broadcast),
        cmocka_unit_test(sums_of_nothing_are_zero),
        cmocka_unit_test(nothing_hides_a_nan),
        cmocka_unit_test(any_strides),
        cmocka_unit_test(gradients_accumulate),
        cmocka_unit_test(gradients_by_finite_differences),
        cmocka_unit_test(threads_give_the_same_products),
        cmocka_unit_test(linear_values),
        cmocka_unit_test(halves_are_multiplied_in_f32),
        cmocka_unit_test(changing_a_factor_is_noticed),
        cmocka_unit_test(refusals),
        cmocka_unit_test(a_step_allocates_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
