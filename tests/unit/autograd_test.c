#include "test.h"

static graft_tensor *leaf(graft_ctx *g, const float *values, int64_t n)
{
    return graft_set_requires_grad(test_floats(g, values, n), true);
}

static void gradients_reach_the_leaves(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *a = leaf(g, (const float[]){1, 2, 3}, 3);
    graft_tensor *b = leaf(g, (const float[]){4, 5, 6}, 3);
    graft_tensor *unused = leaf(g, (const float[]){0}, 1);
    graft_tensor *loss = graft_sum(graft_mul(a, b));
    assert_true(graft_requires_grad(loss));
    assert_false(graft_is_leaf(loss));
    assert_int_equal(graft_backward(loss), GRAFT_OK);
    assert_elements(graft_grad(a), (const double[]){4, 5, 6}, 3);
    assert_elements(graft_grad(b), (const double[]){1, 2, 3}, 3);
    assert_null(graft_grad(unused));
    graft_close(g);
}

static void gradients_accumulate_in_place(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *a = leaf(g, (const float[]){1, 2}, 2);
    graft_backward(graft_sum(graft_mul_scalar(a, 3)));
    graft_tensor *grad = graft_grad(a);
    graft_backward(graft_sum(graft_mul_scalar(a, 4)));
    assert_ptr_equal(graft_grad(a), grad);
    assert_elements(grad, (const double[]){7, 7}, 2);
    assert_int_equal(graft_set_grad(a, NULL), GRAFT_OK);
    assert_null(graft_grad(a));
    graft_backward(graft_sum(a));
    assert_ptr_equal(graft_grad(a), grad); /* a handle stays good over zero_grad */
    assert_elements(grad, (const double[]){1, 1}, 2);
    graft_close(g);
}

static void a_tensor_used_twice_gets_both_gradients(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *a = leaf(g, (const float[]){2, 3}, 2);
    graft_backward(graft_sum(graft_mul(a, a)));
    assert_elements(graft_grad(a), (const double[]){4, 6}, 2);
    graft_tensor *b = leaf(g, (const float[]){2, 3}, 2);
    graft_backward(graft_sum(graft_add(b, b)));
    assert_elements(graft_grad(b), (const double[]){2, 2}, 2);
    graft_close(g);
}

/* As in PyTorch: whether a leaf gets a gradient is seen when it comes. */
static void a_leaf_that_was_frozen_meanwhile(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *a = leaf(g, (const float[]){2, 3}, 2), *b = leaf(g, (const float[]){4, 5}, 2);
    graft_tensor *losses[] = {graft_sum(a), graft_sum(graft_softmax(a, 0)),
                              graft_sum(graft_add(a, b)), graft_sum(graft_mul(a, b)),
                              graft_matmul(a, b)};
    const int n = sizeof losses / sizeof *losses;
    graft_set_requires_grad(a, false);
    for (int i = 0; i < n; i++)
        assert_int_equal(graft_backward_with(losses[i], NULL, true), GRAFT_OK);
    assert_null(graft_grad(a));
    assert_elements(graft_grad(b), (const double[]){5, 7}, 2);
    graft_set_requires_grad(a, true);
    for (int i = 2; i < n; i++)
        assert_int_equal(graft_backward(losses[i]), GRAFT_OK);
    assert_elements(graft_grad(a), (const double[]){9, 11}, 2);
    graft_close(g);
}

static void a_diamond_is_walked_once(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *a = leaf(g, (const float[]){2}, 1);
    graft_tensor *x = graft_mul(a, a); /* a^2 */
    graft_tensor *left = graft_mul_scalar(x, 3), *right = graft_mul(x, x);
    graft_backward(graft_sum(graft_add(graft_add(left, right), x))); /* 4 a^2 + a^4 */
    assert_elements(graft_grad(a), (const double[]){8 * 2 + 4 * 8}, 1);
    graft_close(g);
}

static void gradients_of_two_leaves_do_not_alias(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *a = leaf(g, (const float[]){1, 2}, 2), *b = leaf(g, (const float[]){3, 4}, 2);
    graft_backward(graft_sum(graft_add(a, b)));
    graft_fill_(graft_grad(a), 9);
    assert_elements(graft_grad(b), (const double[]){1, 1}, 2);
    graft_close(g);
}

static void backward_twice_is_refused_unless_retained(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *a = leaf(g, (const float[]){2}, 1);
    graft_tensor *loss = graft_sum(graft_exp(a));
    assert_int_equal(graft_backward_with(loss, NULL, true), GRAFT_OK);
    assert_int_equal(graft_backward(loss), GRAFT_OK);
    double once = graft_item(graft_grad(a)) / 2;
    assert_int_equal(graft_backward(loss), GRAFT_ERR_STATE);
    assert_error_has(g, GRAFT_ERR_STATE, "freed by an earlier backward");
    assert_true(graft_item(graft_grad(a)) == 2 * once);
    graft_close(g);
}

static void a_change_in_place_is_noticed(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *a = leaf(g, (const float[]){2, 3}, 2);
    graft_tensor *x = graft_mul_scalar(a, 1);
    graft_tensor *loss = graft_sum(graft_mul(x, x));
    graft_add_scalar_(graft_detach(x), 1);
    assert_int_equal(graft_backward(loss), GRAFT_ERR_STATE);
    assert_error(
        g, GRAFT_ERR_STATE,
        "backward: a tensor of shape [2] that mul needs for its gradient was changed in place "
        "after the forward pass (it is at version 1, expected version 0)");
    assert_null(graft_grad(a));
    graft_close(g);
}

static void nothing_is_recorded_in_a_no_grad_region(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *a = leaf(g, (const float[]){2}, 1);
    assert_true(graft_grad_enabled(g));
    graft_no_grad_begin(g);
    graft_no_grad_begin(g);
    assert_false(graft_requires_grad(graft_mul(a, a)));
    graft_no_grad_end(g);
    assert_false(graft_grad_enabled(g));
    assert_int_equal(graft_no_grad_end(g), GRAFT_OK);
    assert_true(graft_requires_grad(graft_mul(a, a)));
    assert_int_equal(graft_no_grad_end(g), GRAFT_ERR_STATE);
    assert_error(g, GRAFT_ERR_STATE, "no_grad_end: no no_grad region is open");
    graft_close(g);
}

static void what_backward_can_not_start_from_is_refused(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *a = leaf(g, (const float[]){1, 2}, 2);
    assert_int_equal(graft_backward(graft_mul(a, a)), GRAFT_ERR_SHAPE);
    assert_error_has(g, GRAFT_ERR_SHAPE, "shape [2] has no single gradient to start from");
    assert_int_equal(graft_backward(test_floats(g, (const float[]){1}, 1)), GRAFT_ERR_STATE);
    assert_error_has(g, GRAFT_ERR_STATE, "does not require grad");
    graft_tensor *wrong = graft_ones(g, graft_shape1(3), GRAFT_F32);
    assert_int_equal(graft_backward_with(graft_mul(a, a), wrong, false), GRAFT_ERR_SHAPE);
    assert_error_has(g, GRAFT_ERR_SHAPE, "a gradient of shape [3] for a tensor of shape [2]");
    assert_int_equal(graft_backward(NULL), GRAFT_ERR_ARGUMENT);
    graft_close(g);
}

static void backward_takes_a_given_gradient(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *a = leaf(g, (const float[]){1, 2}, 2);
    graft_tensor *given = test_floats(g, (const float[]){10, 100}, 2);
    assert_int_equal(graft_backward_with(graft_mul(a, a), given, false), GRAFT_OK);
    assert_elements(graft_grad(a), (const double[]){20, 400}, 2);
    assert_elements(given, (const double[]){10, 100}, 2);
    graft_tensor *b = leaf(g, (const float[]){5}, 1); /* a leaf is a graph too */
    assert_int_equal(graft_backward(b), GRAFT_OK);
    assert_elements(graft_grad(b), (const double[]){1}, 1);
    graft_close(g);
}

static void only_floating_leaves_require_grad(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *i = graft_ones(g, graft_shape1(2), GRAFT_I64);
    assert_null(graft_set_requires_grad(i, true));
    assert_error_has(g, GRAFT_ERR_DTYPE, "int64 has no gradient");
    graft_tensor *a = leaf(g, (const float[]){1}, 1);
    assert_null(graft_set_requires_grad(graft_exp(a), false));
    assert_error_has(g, GRAFT_ERR_STATE, "the result of exp: expected a leaf");
    assert_null(graft_set_requires_grad(NULL, true));
    graft_close(g);
}

static void detaching_cuts_the_graph(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *a = leaf(g, (const float[]){3}, 1);
    graft_tensor *d = graft_detach(graft_mul(a, a));
    assert_false(graft_requires_grad(d));
    graft_backward(graft_sum(graft_mul(a, d)));
    assert_elements(graft_grad(a), (const double[]){9}, 1);
    graft_close(g);
}

static void a_graph_outlives_its_scope(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *a = leaf(g, (const float[]){3}, 1);
    graft_scope_begin(g);
    graft_tensor *x = graft_keep(graft_mul(a, a));
    graft_scope_end(g);
    graft_scope_begin(g);
    assert_int_equal(graft_backward(graft_sum(graft_mul(x, x))), GRAFT_OK);
    graft_scope_end(g);
    assert_elements(graft_grad(a), (const double[]){4 * 27}, 1);
    graft_close(g);
}

static void a_hundred_thousand_operations_deep(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *a = leaf(g, (const float[]){1}, 1);
    graft_tensor *x = graft_keep(graft_add_scalar(a, 0));
    for (int i = 0; i < 100000; i++) {
        graft_scope_begin(g);
        graft_tensor *next = graft_keep(graft_add_scalar(x, 1));
        graft_tensor_free(x);
        x = next;
        graft_scope_end(g);
    }
    assert_int_equal(graft_backward_with(x, NULL, true), GRAFT_OK);
    assert_elements(graft_grad(a), (const double[]){1}, 1);
    graft_tensor_free(x); /* the chain goes without recursion */
    assert_no_error(g);
    graft_close(g);
}

static graft_tensor *right(void *user, graft_tensor **in, int n)
{
    (void)user;
    (void)n;
    return graft_mul(graft_exp(in[0]), in[1]);
}

/* Its gradient lacks a part: what is detached. */
static graft_tensor *wrong(void *user, graft_tensor **in, int n)
{
    (void)user;
    (void)n;
    return graft_mul(in[0], graft_detach(in[0]));
}

static void the_checker_tells_right_from_wrong(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *in[2];
    for (int i = 0; i < 2; i++)
        in[i] = graft_set_requires_grad(graft_randn(g, graft_shape2(2, 3), GRAFT_F64), true);
    assert_int_equal(graft_gradcheck(right, NULL, in, 2, NULL), GRAFT_OK);
    assert_no_error(g);
    assert_int_equal(graft_gradcheck(wrong, NULL, in, 1, NULL), GRAFT_ERR_STATE);
    assert_error_has(g, GRAFT_ERR_STATE, "gradcheck: input 0, element 0: backward gives");
    graft_tensor *f32 = leaf(g, (const float[]){1}, 1);
    assert_int_equal(graft_gradcheck(wrong, NULL, &f32, 1, NULL), GRAFT_ERR_DTYPE);
    assert_error_has(g, GRAFT_ERR_DTYPE, "expected a contiguous float64 leaf");
    assert_int_equal(graft_gradcheck(wrong, NULL, NULL, 1, NULL), GRAFT_ERR_ARGUMENT);
    graft_close(g);
}

static void tensors_of_two_contexts_do_not_mix(void **state)
{
    (void)state;
    graft_ctx *g = test_open(), *h = test_open();
    graft_tensor *a = leaf(g, (const float[]){1}, 1), *b = leaf(h, (const float[]){1}, 1);
    assert_null(graft_add(a, b));
    assert_error(g, GRAFT_ERR_ARGUMENT,
                 "add: the tensors belong to two contexts: clone one into the other's");
    graft_close(g);
    graft_close(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_reach_the_leaves),
        cmocka_unit_test(gradients_accumulate_in_place),
        cmocka_unit_test(a_tensor_used_twice_gets_both_gradients),
        cmocka_unit_test(a_leaf_that_was_frozen_meanwhile),
        cmocka_unit_test(a_diamond_is_walked_once),
        cmocka_unit_test(gradients_of_two_leaves_do_not_alias),
        cmocka_unit_test(backward_twice_is_refused_unless_retained),
        cmocka_unit_test(a_change_in_place_is_noticed),
        cmocka_unit_test(nothing_is_recorded_in_a_no_grad_region),
        cmocka_unit_test(what_backward_can_not_start_from_is_refused),
        cmocka_unit_test(backward_takes_a_given_gradient),
        cmocka_unit_test(only_floating_leaves_require_grad),
        cmocka_unit_test(detaching_cuts_the_graph),
        cmocka_unit_test(a_graph_outlives_its_scope),
        cmocka_unit_test(a_hundred_thousand_operations_deep),
        cmocka_unit_test(the_checker_tells_right_from_wrong),
        cmocka_unit_test(tensors_of_two_contexts_do_not_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
