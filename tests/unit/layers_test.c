/* Layers: what they hold, what they refuse, how they print; the numbers are in tests/parity. */
#include "test.h"

#include <math.h>

static void assert_text(graft_ctx *g, graft_module *m, const char *expected)
{
    assert_non_null(m);
    char *text = graft_module_text(m);
    assert_string_equal(text, expected);
    graft_text_free(g, text);
    graft_module_free(m);
}

static void test_texts(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    assert_text(g, graft_linear(g, 784, 512, true),
                "Linear(in_features=784, out_features=512, bias=True)");
    assert_text(g, graft_linear(g, 1, 2, false),
                "Linear(in_features=1, out_features=2, bias=False)");
    assert_text(g, graft_relu_layer(g), "ReLU()");
    assert_text(g, graft_tanh_layer(g), "Tanh()");
    assert_text(g, graft_sigmoid_layer(g), "Sigmoid()");
    assert_text(g, graft_softmax_layer(g, -1), "Softmax(dim=-1)");
    assert_text(g, graft_log_softmax_layer(g, 1), "LogSoftmax(dim=1)");
    assert_text(g, graft_dropout_layer(g, 0.25), "Dropout(p=0.25, inplace=False)");
    assert_text(g, graft_dropout_layer(g, 1), "Dropout(p=1.0, inplace=False)");
    assert_text(g, graft_dropout_layer(g, 1.0 / 3), "Dropout(p=0.3333333333333333, inplace=False)");
    assert_text(g, graft_dropout_layer(g, 1e-7), "Dropout(p=1e-07, inplace=False)");
    assert_text(g, graft_flatten_layer(g, 0, 2), "Flatten(start_dim=0, end_dim=2)");
    assert_text(g, graft_identity(g), "Identity()");
    assert_text(g, graft_sequential(g), "Sequential()");
    graft_close(g);
}

static void test_linear(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *m = graft_linear_dtype(g, 3, 2, true, GRAFT_F64);
    assert_no_error(g);
    graft_tensor *weight = graft_get_parameter(m, "weight"), *bias = graft_get_parameter(m, "bias");
    assert_int_equal(graft_tensor_dtype(weight), GRAFT_F64);
    const double w[] = {1, 2, 3, 4, 5, 6}, b[] = {10, 20};
    memcpy(graft_data_mut(weight), w, sizeof w);
    memcpy(graft_data_mut(bias), b, sizeof b);
    graft_tensor *x = graft_ones(g, graft_shape3(1, 2, 3), GRAFT_F64);
    graft_tensor *y = graft_forward(m, x);
    assert_elements(y, (double[]){16, 35, 16, 35}, 4);
    assert_int_equal(graft_ndim(y), 3);
    assert_true(graft_requires_grad(y));
    graft_close(g);
}

static void test_linear_without_elements(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *m = graft_linear(g, 0, 2, true);
    assert_no_error(g);
    assert_elements(graft_get_parameter(m, "bias"), (double[]){0, 0}, 2);
    assert_elements(graft_forward(m, graft_zeros(g, graft_shape2(1, 0), GRAFT_F32)),
                    (double[]){0, 0}, 2);
    graft_close(g);
}

static void test_linear_refuses(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    assert_null(graft_linear(NULL, 1, 1, true));
    assert_null(graft_linear(g, -1, 2, true));
    assert_error(g, GRAFT_ERR_ARGUMENT,
                 "linear: in_features -1, out_features 2: expected 0 or more");
    assert_null(graft_linear(g, INT64_MAX, INT64_MAX, true));
    assert_int_equal(graft_error_status(g), GRAFT_ERR_SHAPE);
    graft_clear_error(g);
    assert_null(graft_linear_dtype(g, 1, 2, true, GRAFT_I64));
    assert_error(g, GRAFT_ERR_DTYPE,
                 "parameter 'weight' of Linear: expected a floating dtype, not int64");
    /* A pending error does not keep a layer from being made. */
    graft_dropout_layer(g, NAN);
    assert_non_null(graft_linear(g, 1, 1, false));
    assert_non_null(graft_linear(g, 1, 1, true));
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "dropout: p is ");
    graft_close(g);
}

static void test_dropout_follows_the_mode(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *m = graft_dropout_layer(g, 1);
    graft_tensor *x = graft_ones(g, graft_shape1(3), GRAFT_F32);
    assert_elements(graft_forward(m, x), (double[]){0, 0, 0}, 3);
    graft_eval(m);
    assert_ptr_equal(graft_forward(m, x), x);
    assert_null(graft_dropout_layer(g, -0.5));
    assert_error(g, GRAFT_ERR_ARGUMENT, "dropout: p is -0.5: expected a probability, 0 to 1");
    graft_close(g);
}

static void test_containers(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *m = graft_sequential(g);
    graft_tensor *x = graft_full(g, graft_shape2(2, 3), -2, GRAFT_F32);
    assert_ptr_equal(graft_forward(m, x), x);
    assert_ptr_equal(graft_forward(graft_identity(g), x), x);
    assert_int_equal(graft_sequential_add(m, graft_flatten_layer(g, 0, -1)), GRAFT_OK);
    assert_int_equal(graft_sequential_add(m, graft_relu_layer(g)), GRAFT_OK);
    assert_string_equal(graft_module_child_name(m, 1), "1");
    assert_elements(graft_forward(m, x), (double[]){0, 0, 0, 0, 0, 0}, 6);
    assert_int_equal(graft_sequential_add(graft_identity(g), graft_identity(g)),
                     GRAFT_ERR_ARGUMENT);
    assert_error(g, GRAFT_ERR_ARGUMENT, "sequential_add: expected a Sequential, not a Identity");
    assert_int_equal(graft_sequential_add(m, graft_dropout_layer(g, 3)), GRAFT_ERR_ARGUMENT);
    assert_error(g, GRAFT_ERR_ARGUMENT, "dropout: p is 3: expected a probability, 0 to 1");
    assert_int_equal(graft_module_len(m), 2);
    graft_close(g);
}

static void test_init(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *t = graft_zeros(g, graft_shape2(2, 2), GRAFT_F32);
    graft_set_requires_grad(t, true);
    assert_int_equal(graft_init_constant(t, 2.5), GRAFT_OK);
    assert_elements(t, (double[]){2.5, 2.5, 2.5, 2.5}, 4);
    assert_true(graft_is_leaf(t));
    assert_true(graft_grad_enabled(g));
    assert_int_equal(graft_init_uniform(NULL, 0, 1), GRAFT_ERR_ARGUMENT);
    assert_int_equal(graft_init_uniform(graft_mul_scalar(t, 2), 0, 1), GRAFT_ERR_STATE);
    assert_error(g, GRAFT_ERR_STATE, "init_uniform: the tensor has a history: expected a leaf");
    graft_tensor *flat = graft_zeros(g, graft_shape1(4), GRAFT_F32);
    assert_int_equal(graft_init_kaiming_uniform(flat, 1), GRAFT_ERR_SHAPE);
    assert_error(g, GRAFT_ERR_SHAPE,
                 "init_kaiming_uniform: expected a tensor of 2 or more dimensions, not of shape "
                 "[4]");
    assert_int_equal(graft_init_xavier_uniform(flat, 1), GRAFT_ERR_SHAPE);
    graft_clear_error(g);
    graft_tensor *empty = graft_zeros(g, graft_shape2(3, 0), GRAFT_F32);
    assert_int_equal(graft_init_kaiming_uniform(empty, 1), GRAFT_OK);
    assert_int_equal(graft_init_xavier_uniform(empty, 1), GRAFT_OK);
    graft_tensor *whole = graft_zeros(g, graft_shape2(2, 2), GRAFT_I64);
    assert_int_not_equal(graft_init_normal(whole, 0, 1), GRAFT_OK);
    assert_true(graft_grad_enabled(g));
    graft_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_linear),
        cmocka_unit_test(test_linear_without_elements),
        cmocka_unit_test(test_linear_refuses),
        cmocka_unit_test(test_dropout_follows_the_mode),
        cmocka_unit_test(test_containers),
        cmocka_unit_test(test_init),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
