/* Changing tensors in place: values, what is refused, and what the graph makes of it. */
#include <math.h>

#include "test.h"

static graft_tensor *leaf(graft_ctx *g, const float *values, int64_t n)
{
    return graft_set_requires_grad(test_floats(g, values, n), true);
}

static void values(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *t = test_floats(g, (const float[]){1, 2, 3}, 3);
    graft_tensor *u = test_floats(g, (const float[]){2, 2, 4}, 3);
    assert_ptr_equal(graft_add_(t, u), t);
    assert_elements(t, (const double[]){3, 4, 7}, 3);
    assert_elements(graft_sub_(t, u), (const double[]){1, 2, 3}, 3);
    assert_elements(graft_mul_(t, u), (const double[]){2, 4, 12}, 3);
    assert_elements(graft_div_(t, u), (const double[]){1, 2, 3}, 3);
    assert_elements(graft_add_scalar_(t, 1), (const double[]){2, 3, 4}, 3);
    assert_elements(graft_mul_scalar_(t, -2), (const double[]){-4, -6, -8}, 3);
    assert_elements(graft_copy_(t, u), (const double[]){2, 2, 4}, 3);
    assert_elements(graft_fill_(t, 0.5), (const double[]){0.5, 0.5, 0.5}, 3);
    assert_elements(graft_zero_(t), (const double[]){0, 0, 0}, 3);
    assert_elements(u, (const double[]){2, 2, 4}, 3);
    assert_no_error(g);
    graft_close(g);
}

static void operands_are_broadcast_and_converted(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *t = graft_zeros(g, graft_shape2(2, 2), GRAFT_F32);
    graft_add_(t, graft_from_data(g, (const int64_t[]){1, 2}, graft_shape1(2), GRAFT_I64));
    graft_add_(t, graft_from_data(g, (const double[]){10, 20}, graft_shape2(2, 1), GRAFT_F64));
    graft_add_(t, graft_scalar(g, 100, GRAFT_F16));
    assert_elements(t, (const double[]){111, 112, 121, 122}, 4);
    assert_int_equal(graft_tensor_dtype(t), GRAFT_F32);
    graft_copy_(t, graft_scalar(g, 3, GRAFT_BOOL));
    assert_elements(t, (const double[]){1, 1, 1, 1}, 4);
    graft_tensor *h = graft_ones(g, graft_shape1(2), GRAFT_BF16);
    graft_add_(graft_mul_scalar_(h, 3), graft_scalar(g, 0.5, GRAFT_F32));
    assert_elements(h, (const double[]){3.5, 3.5}, 2);
    graft_tensor *i = graft_zeros(g, graft_shape1(2), GRAFT_I64);
    graft_copy_(i, test_floats(g, (const float[]){1.9F, -1.9F}, 2));
    assert_elements(i, (const double[]){1, -1}, 2);
    assert_elements(graft_fill_(i, 7), (const double[]){7, 7}, 2);
    assert_no_error(g);
    graft_close(g);
}

static void a_view_writes_into_its_base(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *t = graft_zeros(g, graft_shape2(2, 3), GRAFT_F32);
    graft_add_scalar_(graft_select(t, 1, 1), 5);
    graft_fill_(graft_narrow(t, 1, 2, 1), 7);
    graft_copy_(graft_select(graft_transpose(t, 0, 1), 0, 0), graft_arange(g, 1, 3, 1, GRAFT_F32));
    assert_elements(t, (const double[]){1, 5, 7, 2, 5, 7}, 6);
    assert_no_error(g);
    graft_close(g);
}

/* An operand that overlaps what is written is read as it was before. */
static void overlapping_operands_are_read_first(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *t = test_floats(g, (const float[]){1, 2, 3, 4}, 4);
    graft_add_(graft_narrow(t, 0, 1, 3), graft_narrow(t, 0, 0, 3));
    assert_elements(t, (const double[]){1, 3, 5, 7}, 4);
    graft_copy_(graft_narrow(t, 0, 1, 3), graft_narrow(t, 0, 0, 3));
    assert_elements(t, (const double[]){1, 1, 3, 5}, 4);
    graft_mul_(t, graft_select(t, 0, 3));
    assert_elements(t, (const double[]){5, 5, 15, 25}, 4);
    graft_sub_(t, t);
    assert_elements(t, (const double[]){0, 0, 0, 0}, 4);
    graft_tensor *m = graft_view(graft_arange(g, 0, 4, 1, GRAFT_F32), graft_shape2(2, 2));
    graft_add_(m, graft_transpose(m, 0, 1));
    assert_elements(m, (const double[]){0, 3, 3, 6}, 4);
    assert_no_error(g);
    graft_close(g);
}

static void clones_are_left_alone(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *t = test_floats(g, (const float[]){1, 2}, 2);
    graft_tensor *clone = graft_tensor_clone(t, NULL), *copy = graft_copy(t);
    assert_true(graft_shares_memory(t, clone));
    graft_add_(t, clone);
    graft_mul_scalar_(copy, 10);
    assert_elements(t, (const double[]){2, 4}, 2);
    assert_elements(clone, (const double[]){1, 2}, 2);
    assert_elements(copy, (const double[]){10, 20}, 2);
    assert_false(graft_shares_memory(t, clone));
    graft_tensor_free(clone);
    graft_close(g);
}

static void what_can_not_be_changed_is_refused(void **state)
{
    (void)state;
    graft_ctx *g = test_open(), *other = test_open();
    graft_tensor *p = leaf(g, (const float[]){1, 2}, 2);
    graft_tensor *t = graft_ones(g, graft_shape1(2), GRAFT_F32);
    assert_null(graft_add_(p, t));
    assert_error(g, GRAFT_ERR_STATE,
                 "add_: a leaf that requires grad can't be changed while operations are recorded: "
                 "do it between graft_no_grad_begin and graft_no_grad_end");
    graft_tensor *(*const scalar[])(graft_tensor *, double) = {graft_add_scalar_, graft_mul_scalar_,
                                                               graft_fill_};
    for (int i = 0; i < 3; i++) {
        assert_null(scalar[i](p, 1));
        assert_error_has(g, GRAFT_ERR_STATE, "a leaf that requires grad can't be changed");
    }
    assert_null(graft_zero_(p));
    assert_error_has(g, GRAFT_ERR_STATE, "zero_: a leaf that requires grad");
    assert_null(graft_copy_(p, t));
    assert_error_has(g, GRAFT_ERR_STATE, "copy_: a leaf that requires grad");
    assert_null(graft_uniform_(p, 0, 1));
    assert_error_has(g, GRAFT_ERR_STATE, "uniform_: a leaf that requires grad");
    assert_null(graft_normal_(p, 0, 1));
    assert_error_has(g, GRAFT_ERR_STATE, "normal_: a leaf that requires grad");
    assert_elements(p, (const double[]){1, 2}, 2);

    assert_null(graft_add_(t, graft_ones(g, graft_shape2(1, 2), GRAFT_F32)));
    assert_error(g, GRAFT_ERR_SHAPE,
                 "add_: shape [1, 2] does not broadcast to [2], that of the tensor to change");
    assert_null(graft_copy_(t, graft_ones(g, graft_shape1(3), GRAFT_F32)));
    assert_error_has(g, GRAFT_ERR_SHAPE, "copy_: shape [3] does not broadcast to [2]");
    assert_null(graft_mul_(graft_ones(g, graft_shape1(2), GRAFT_I64), t));
    assert_error_has(g, GRAFT_ERR_DTYPE, "mul_: computes in float32 and float64");
    assert_null(graft_normal_(graft_ones(g, graft_shape1(2), GRAFT_I64), 0, 1));
    assert_error_has(g, GRAFT_ERR_DTYPE, "normal_: computes in float32 and float64");
    assert_null(graft_fill_(graft_expand(t, graft_shape2(3, 2)), 1));
    assert_error(g, GRAFT_ERR_STATE,
                 "fill_: elements of the expanded tensor of shape [3, 2] share memory: change a "
                 "contiguous copy");
    assert_null(graft_add_(t, graft_ones(other, graft_shape1(2), GRAFT_F32)));
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "add_: the tensors belong to two contexts");
    assert_null(graft_normal_(t, 0, -1));
    assert_error(g, GRAFT_ERR_ARGUMENT, "normal_: std -1: expected 0 or more");
    assert_null(graft_uniform_(t, 1, 0));
    assert_error(g, GRAFT_ERR_ARGUMENT,
                 "uniform_: from 1 to 0: expected finite bounds in this order");
    assert_elements(t, (const double[]){1, 1}, 2);
    graft_close(g);
    graft_close(other);
}

static void null_gives_null(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *t = graft_ones(g, graft_shape1(2), GRAFT_F32);
    assert_null(graft_add_(t, NULL));
    assert_null(graft_add_(NULL, t));
    assert_null(graft_copy_(t, NULL));
    assert_null(graft_copy_(NULL, t));
    assert_null(graft_add_scalar_(NULL, 1));
    assert_null(graft_fill_(NULL, 1));
    assert_null(graft_zero_(NULL));
    assert_null(graft_uniform_(NULL, 0, 1));
    assert_null(graft_normal_(NULL, 0, 1));
    assert_no_error(g);
    assert_elements(t, (const double[]){1, 1}, 2);
    graft_close(g);
}

/* ---- The graph ---- */

static void leaves_change_without_recording(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *p = leaf(g, (const float[]){1, 2}, 2);
    graft_no_grad_begin(g);
    assert_ptr_equal(graft_add_scalar_(p, 1), p);
    graft_mul_(p, p);
    graft_no_grad_end(g);
    assert_elements(p, (const double[]){4, 9}, 2);
    assert_true(graft_is_leaf(p));
    assert_true(graft_requires_grad(p));
    graft_close(g);
}

static void changes_of_results_are_recorded(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *a = leaf(g, (const float[]){1, 2}, 2), *b = leaf(g, (const float[]){5, 7}, 2);
    graft_tensor *y = graft_mul_scalar(a, 3);
    assert_ptr_equal(graft_mul_(y, b), y);        /* 3 a b */
    assert_ptr_equal(graft_mul_scalar_(y, 2), y); /* 6 a b */
    assert_ptr_equal(graft_add_(y, a), y);        /* 6 a b + a */
    assert_ptr_equal(graft_sub_(y, b), y);        /* 6 a b + a - b */
    assert_ptr_equal(graft_add_scalar_(y, 100), y);
    assert_elements(y, (const double[]){126, 179}, 2);
    assert_int_equal(graft_backward(graft_sum(y)), GRAFT_OK);
    assert_elements(graft_grad(a), (const double[]){31, 43}, 2);
    assert_elements(graft_grad(b), (const double[]){5, 11}, 2);
    assert_no_error(g);
    graft_close(g);
}

static void a_constant_joins_the_graph(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *a = leaf(g, (const float[]){1, 2}, 2);
    graft_tensor *t = test_floats(g, (const float[]){3, 4}, 2);
    graft_add_(graft_mul_(t, a), graft_scalar(g, 1, GRAFT_F32));
    assert_true(graft_requires_grad(t));
    assert_false(graft_is_leaf(t));
    graft_backward(graft_sum(t));
    assert_elements(graft_grad(a), (const double[]){3, 4}, 2);
    graft_tensor *h = graft_ones(g, graft_shape1(2), GRAFT_F16);
    graft_mul_(h, a);
    graft_set_grad(a, NULL);
    graft_backward(graft_sum(h));
    assert_elements(h, (const double[]){1, 2}, 2);
    assert_elements(graft_grad(a), (const double[]){1, 1}, 2);
    assert_no_error(g);
    graft_close(g);
}

static void copies_carry_the_gradient(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *a = leaf(g, (const float[]){1, 2}, 2), *b = leaf(g, (const float[]){3}, 1);
    graft_tensor *y = graft_mul_scalar(a, 3);
    graft_copy_(y, graft_mul_scalar(b, 2)); /* nothing of a is left */
    assert_elements(y, (const double[]){6, 6}, 2);
    graft_backward(graft_sum(y));
    assert_null(graft_grad(a));
    assert_elements(graft_grad(b), (const double[]){4}, 1);

    y = graft_mul_scalar(a, 3);
    graft_copy_(y, graft_add(y, graft_exp(a))); /* 3 a + exp(a), of y's own past */
    assert_int_equal(graft_backward(graft_sum(graft_mul(y, graft_detach(a)))), GRAFT_OK);
    const float *got = graft_data(graft_grad(a));
    assert_true(fabsf(got[0] - (3 + expf(1))) < 1e-5F);
    assert_true(fabsf(got[1] - 2 * (3 + expf(2))) < 1e-5F);
    assert_no_error(g);
    graft_close(g);
}

static void new_elements_owe_nothing_to_old_ones(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *a = leaf(g, (const float[]){1, 2}, 2);
    graft_tensor *y = graft_mul_scalar(a, 3);
    graft_fill_(y, 5);
    graft_backward(graft_sum(graft_add(y, a)));
    assert_elements(graft_grad(a), (const double[]){1, 1}, 2);
    assert_no_error(g);
    graft_close(g);
}

static void a_shared_storage_gets_no_history(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *a = leaf(g, (const float[]){1, 2}, 2);
    graft_tensor *y = graft_mul_scalar(a, 3), *view = graft_view(y, graft_shape2(1, 2));
    graft_tensor *both[] = {y, view};
    for (int i = 0; i < 2; i++) {
        assert_null(graft_add_scalar_(both[i], 1));
        assert_error_has(g, GRAFT_ERR_STATE,
                         "add_scalar_: the change must be recorded, but the tensor shares its "
                         "storage with another");
        assert_null(graft_zero_(both[i]));
        assert_error_has(g, GRAFT_ERR_STATE, "zero_: the change must be recorded");
    }
    graft_tensor *c = graft_ones(g, graft_shape2(2, 2), GRAFT_F32);
    assert_null(graft_copy_(graft_select(c, 0, 0), a));
    assert_error_has(g, GRAFT_ERR_STATE, "copy_: the change must be recorded");
    assert_elements(y, (const double[]){3, 6}, 2);
    assert_elements(c, (const double[]){1, 1, 1, 1}, 4);
    graft_close(g);
}

static void what_was_saved_is_not_used_changed(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *a = leaf(g, (const float[]){1, 2}, 2);
    graft_tensor *h = graft_mul_scalar(a, 3);
    graft_tensor *y = graft_mul(h, h); /* saves h */
    graft_add_scalar_(h, 1);
    assert_int_equal(graft_backward(graft_sum(y)), GRAFT_ERR_STATE);
    assert_error_has(g, GRAFT_ERR_STATE,
                     "backward: a tensor that mul needs for its gradient was changed in place "
                     "after the forward pass, by an operation that was recorded");
    assert_null(graft_grad(a));
    graft_close(g);
}

static void random_elements(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_manual_seed(g, 3);
    graft_tensor *expected = graft_rand(g, graft_shape2(20, 3), GRAFT_F32);
    graft_tensor *normal = graft_randn(g, graft_shape2(20, 3), GRAFT_F64);
    graft_manual_seed(g, 3);
    graft_tensor *t = graft_zeros(g, graft_shape2(20, 3), GRAFT_F32);
    assert_true(graft_equal(graft_uniform_(t, 0, 1), expected));
    graft_tensor *d = graft_zeros(g, graft_shape2(20, 3), GRAFT_F64);
    assert_true(graft_equal(graft_normal_(d, 0, 1), normal));
    graft_tensor *turned = graft_transpose(graft_zeros(g, graft_shape2(3, 20), GRAFT_F32), 0, 1);
    graft_tensor *half = graft_zeros(g, graft_shape1(500), GRAFT_F16);
    assert_ptr_equal(graft_uniform_(turned, 2, 3), turned);
    assert_ptr_equal(graft_normal_(half, 0, 1), half);
    for (int i = 0; i < 60; i++) {
        const double x = graft_item(graft_select(graft_select(turned, 0, i / 3), 0, i % 3));
        assert_true(x >= 2 && x < 3);
    }
    assert_true(fabs(graft_item(graft_mean(graft_to(half, GRAFT_F32)))) < 0.2);
    assert_no_error(g);
    graft_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(operands_are_broadcast_and_converted),
        cmocka_unit_test(a_view_writes_into_its_base),
        cmocka_unit_test(overlapping_operands_are_read_first),
        cmocka_unit_test(clones_are_left_alone),
        cmocka_unit_test(what_can_not_be_changed_is_refused),
        cmocka_unit_test(null_gives_null),
        cmocka_unit_test(leaves_change_without_recording),
        cmocka_unit_test(changes_of_results_are_recorded),
        cmocka_unit_test(a_constant_joins_the_graph),
        cmocka_unit_test(copies_carry_the_gradient),
        cmocka_unit_test(new_elements_owe_nothing_to_old_ones),
        cmocka_unit_test(a_shared_storage_gets_no_history),
        cmocka_unit_test(what_was_saved_is_not_used_changed),
        cmocka_unit_test(random_elements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
