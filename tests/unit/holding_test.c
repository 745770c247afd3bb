/* Who holds what: gradients that are given, results that change while something holds them, what
 * failures leave behind. */
#include "test.h"

static graft_tensor *leaf(graft_ctx *g, double value)
{
    graft_tensor *t = graft_keep(graft_full(g, graft_shape1(3), value, GRAFT_F64));
    return graft_set_requires_grad(t, true);
}

static void assert_all(const graft_tensor *t, double value)
{
    const double expected[] = {value, value, value};
    assert_elements(t, expected, 3);
}

static size_t in_use(graft_ctx *g)
{
    graft_memory m;
    assert_int_equal(graft_memory_stats(g, &m), GRAFT_OK);
    return m.in_use;
}

static void a_gradient_that_is_given_is_copied(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *p = leaf(g, 1), *q = leaf(g, 1);
    for (int round = 0; round < 2; round++) {
        /* The second time there is memory for the gradient. */
        assert_int_equal(graft_scope_begin(g), GRAFT_OK);
        graft_tensor *grad = graft_full(g, graft_shape1(3), 5, GRAFT_F64);
        assert_int_equal(graft_set_grad(p, grad), GRAFT_OK);
        assert_int_equal(graft_set_grad(q, grad), GRAFT_OK);
        assert_true(graft_grad(p) != grad && graft_grad(q) != grad);
        graft_fill_(grad, 7);
        assert_all(graft_grad(p), 5);
        assert_int_equal(graft_scope_end(g), GRAFT_OK);
        assert_all(graft_grad(p), 5);
        assert_all(graft_grad(q), 5);
    }
    graft_close(g);
}

static void a_gradient_of_its_own_or_another_dtype(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *p = leaf(g, 3);
    assert_int_equal(graft_set_grad(p, p), GRAFT_OK);
    assert_int_equal(graft_set_grad(p, graft_grad(p)), GRAFT_OK);
    assert_all(graft_grad(p), 3);
    assert_int_equal(graft_set_grad(p, graft_ones(g, graft_shape1(3), GRAFT_I32)), GRAFT_OK);
    assert_int_equal(graft_tensor_dtype(graft_grad(p)), GRAFT_F64);
    assert_all(graft_grad(p), 1);
    graft_close(g);
}

/* An operation that has saved a gradient must not compute with the next one. */
static void a_saved_gradient_that_is_replaced(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *p = leaf(g, 1), *w = leaf(g, 1);
    for (int given = 0; given < 4; given++) {
        graft_set_grad(p, graft_full(g, graft_shape1(3), 2, GRAFT_F64));
        for (int i = 0; i < given; i++)
            graft_fill_(graft_grad(p), 2);
        graft_tensor *y = graft_sum(graft_mul(w, graft_grad(p)));
        graft_set_grad(p, graft_full(g, graft_shape1(3), 30, GRAFT_F64));
        assert_int_equal(graft_backward(y), GRAFT_ERR_STATE);
        assert_error_has(g, GRAFT_ERR_STATE, "mul needs for its gradient was changed");
    }
    graft_close(g);
}

/* y += f(y), where f saved y for its gradient: f is in the history of what it holds then. */
static void a_change_of_what_an_operation_saved(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *p = leaf(g, 2);
    graft_set_grad(p, p);
    size_t between = 0;
    for (int round = 0; round < 3; round++) {
        graft_scope_begin(g);
        graft_tensor *y = graft_mul_scalar(p, 1), *constant = graft_detach(p);
        constant = graft_add_scalar(constant, 0);
        graft_tensor *z = graft_mul(y, p), *product = graft_mul(constant, p);
        assert_ptr_equal(graft_add_(y, z), y);
        assert_all(y, 6);
        assert_ptr_equal(graft_copy_(constant, product), constant);
        assert_int_equal(graft_backward(graft_sum(y)), GRAFT_ERR_STATE);
        assert_error_has(g, GRAFT_ERR_STATE, "mul needs for its gradient was changed in place");
        assert_int_equal(graft_backward(graft_sum(constant)), GRAFT_ERR_STATE);
        assert_error_has(g, GRAFT_ERR_STATE, "mul needs for its gradient was changed in place");
        graft_scope_end(g);
        if (round > 0) /* nothing of the rounds is left */
            assert_int_equal(in_use(g), between);
        between = in_use(g);
    }
    graft_close(g);
}

/* A gradient with a history in which its leaf is would never be freed, nor the leaf. */
static void a_gradient_gets_no_history(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *p = leaf(g, 2);
    graft_set_grad(p, p);
    assert_null(graft_add_(graft_grad(p), p));
    assert_error(g, GRAFT_ERR_STATE,
                 "add_: the change must be recorded, but the tensor is a gradient: do it between "
                 "graft_no_grad_begin and graft_no_grad_end");
    assert_null(graft_copy_(graft_grad(p), graft_mul_scalar(p, 2)));
    assert_error_has(g, GRAFT_ERR_STATE, "copy_: the change must be recorded");
    assert_ptr_equal(graft_add_(graft_grad(p), graft_detach(p)), graft_grad(p));
    graft_no_grad_begin(g);
    assert_ptr_equal(graft_add_(graft_grad(p), p), graft_grad(p));
    graft_no_grad_end(g);
    assert_all(graft_grad(p), 6);
    graft_close(g);
}

/* Weights of classes are saved without being an input of the loss. */
static void weights_that_change_after_the_loss(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *logits = graft_ones(g, graft_shape2(2, 3), GRAFT_F64), *p = leaf(g, 2);
    graft_set_requires_grad(logits, true);
    const int64_t classes[] = {0, 2};
    graft_tensor *target = graft_from_data(g, classes, graft_shape1(2), GRAFT_I64);
    for (int recorded = 0; recorded < 2; recorded++) {
        graft_loss_options o = graft_loss_defaults();
        o.weight = graft_ones(g, graft_shape1(3), GRAFT_F64);
        graft_tensor *losses[] = {graft_cross_entropy_with(logits, target, &o),
                                  graft_nll_loss(logits, target, &o)};
        assert_non_null(graft_mul_(o.weight, recorded ? p : o.weight));
        for (int i = 0; i < 2; i++) {
            assert_int_equal(graft_backward(losses[i]), GRAFT_ERR_STATE);
            assert_error_has(g, GRAFT_ERR_STATE, "changed in place");
        }
    }
    assert_null(graft_grad(logits));
    graft_close(g);
}

/* t * t, where t is both what changes and what it changes by. */
static void a_change_by_itself(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *p = leaf(g, 3);
    size_t between = 0;
    for (int round = 0; round < 3; round++) {
        graft_scope_begin(g);
        graft_tensor *y = graft_mul_(graft_mul_scalar(p, 1), graft_scalar(g, 1, GRAFT_F64));
        assert_ptr_equal(graft_mul_(y, y), y);
        assert_all(y, 9);
        assert_ptr_equal(graft_add_(y, y), y);
        assert_all(y, 18);
        assert_int_equal(graft_backward(graft_sum(y)), GRAFT_OK);
        assert_all(graft_grad(p), 12);
        assert_ptr_equal(graft_div_(y, y), y);
        graft_set_grad(p, NULL);
        graft_scope_end(g);
        if (round > 0) /* nothing of the rounds is left */
            assert_int_equal(in_use(g), between);
        between = in_use(g);
    }
    assert_no_error(g);
    graft_close(g);
}

static void rows_that_are_not_there_leave_nothing(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *x = graft_ones(g, graft_shape2(4, 100), GRAFT_F64);
    const int64_t wanted[] = {1, 4};
    graft_tensor *rows = graft_from_data(g, wanted, graft_shape1(2), GRAFT_I64);
    const size_t before = in_use(g);
    assert_null(graft_take_rows(x, rows));
    assert_error(g, GRAFT_ERR_ARGUMENT, "take_rows: row 4: expected 0 to 3");
    assert_int_equal(in_use(g), before);
    graft_close(g);
}

static graft_tensor *ends_a_scope(void *user, graft_tensor **inputs, int n)
{
    (void)user, (void)n;
    graft_scope_end(graft_tensor_ctx(inputs[0]));
    return graft_keep(graft_sum(inputs[0]));
}

static void a_callback_that_ends_scopes_of_others(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *x = leaf(g, 1);
    graft_gradcheck(ends_a_scope, NULL, &x, 1, NULL);
    graft_clear_error(g);
    assert_int_equal(graft_scope_begin(g), GRAFT_OK);
    assert_int_equal(graft_scope_end(g), GRAFT_OK);
    assert_int_equal(graft_scope_end(g), GRAFT_ERR_STATE);
    graft_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_gradient_that_is_given_is_copied),
        cmocka_unit_test(a_gradient_of_its_own_or_another_dtype),
        cmocka_unit_test(a_saved_gradient_that_is_replaced),
        cmocka_unit_test(a_change_of_what_an_operation_saved),
        cmocka_unit_test(a_gradient_gets_no_history),
        cmocka_unit_test(weights_that_change_after_the_loss),
        cmocka_unit_test(a_change_by_itself),
        cmocka_unit_test(rows_that_are_not_there_leave_nothing),
        cmocka_unit_test(a_callback_that_ends_scopes_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
