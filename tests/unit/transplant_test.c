/* The column graft_transplant of docs/copying.md: a test for every cell. */
#include "copy_model.h"
#include "test.h"

/* A model of the same class with other numbers, trained a little, so that it has gradients. */
static graft_module *other_net(graft_ctx *g)
{
    graft_module *m = net_new(g);
    net_step(m, NULL, graft_rand(g, graft_shape2(5, 4), GRAFT_F32));
    graft_set_requires_grad(((net *)m)->scale, false);
    graft_eval(((net *)m)->drop);
    return m;
}

/* With a rule that names some. */
static void assert_transplants(graft_module *m, const graft_dict *d, const char *lines)
{
    graft_ctx *g = m->ctx;
    graft_rules *rules = graft_rules_parse(g, lines);
    const graft_status st = graft_transplant(m, d, rules, NULL, NULL);
    assert_no_error(g);
    assert_int_equal(st, GRAFT_OK);
    graft_rules_free(rules);
}

static void parameters_that_the_plan_names(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = net_new(g), *b = other_net(g);
    graft_tensor *handle = graft_get_parameter(b, "fc1.weight");
    graft_tensor *was = graft_tensor_clone(graft_detach(graft_get_parameter(b, "fc2.bias")), NULL);
    assert_transplants(b, graft_state_dict(a), "take fc1.*");
    assert_ptr_equal(graft_get_parameter(b, "fc1.weight"), handle);
    assert_true(graft_equal(handle, graft_get_parameter(a, "fc1.weight")));
    assert_false(graft_shares_storage(handle, graft_get_parameter(a, "fc1.weight")));
    assert_true(graft_equal(graft_get_parameter(b, "fc2.bias"), was));
    /* Neither sees what is written to the other. */
    model_bytes before = model_bytes_of(a);
    ((float *)graft_data_mut(handle))[0] = 99;
    assert_untouched(a, before);
    assert_no_error(g);
    graft_close(g);
}

static void buffers_that_the_plan_names(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = net_new(g), *b = net_new(g);
    *(int64_t *)graft_data_mut(((net *)b)->seen) = 99;
    ((float *)graft_data_mut(((net *)b)->mask))[0] = 17;
    ((float *)graft_data_mut(((net *)b)->mean))[0] = 18;
    graft_dict *d = graft_dict_clone(graft_state_dict(a), NULL);
    graft_dict_set_tensor(d, "mask", graft_zeros(g, graft_shape1(3), GRAFT_F32));
    assert_transplants(b, d, "skip mean");
    assert_int_equal(graft_item_i64(((net *)b)->seen), 7);
    assert_true(((const float *)graft_data(((net *)b)->mask))[0] == 17); /* not persistent */
    assert_true(((const float *)graft_data(((net *)b)->mean))[0] == 18);
    graft_close(g);
}

static void gradients_stay(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = net_new(g), *b = other_net(g);
    graft_tensor *grad = graft_grad(graft_get_parameter(b, "fc2.weight"));
    graft_tensor *was = graft_tensor_clone(grad, NULL);
    assert_transplants(b, graft_state_dict(a), "");
    assert_ptr_equal(graft_grad(graft_get_parameter(b, "fc2.weight")), grad);
    assert_true(graft_equal(grad, was));
    assert_null(graft_grad(graft_get_parameter(a, "fc2.weight")));
    graft_close(g);
}

static void flags_modes_and_hyperparameters_stay(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = net_new(g), *b = other_net(g);
    ((net *)b)->rate = 3;
    graft_eval(a);
    assert_transplants(b, graft_state_dict(a), "");
    assert_false(graft_requires_grad(((net *)b)->scale));
    assert_true(graft_requires_grad(graft_get_parameter(b, "fc1.weight")));
    assert_true(graft_is_training(b));
    assert_false(graft_is_training(((net *)b)->drop));
    assert_true(((net *)b)->rate == 3);
    graft_close(g);
}

static void ties_are_checked(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = tied_new(g), *b = tied_new(g);
    assert_transplants(b, graft_state_dict(a), "");
    assert_ptr_equal(graft_get_parameter(b, "in.weight"), graft_get_parameter(b, "out.weight"));
    assert_true(
        graft_equal(graft_get_parameter(a, "in.weight"), graft_get_parameter(b, "out.weight")));
    graft_dict *d = graft_dict_clone(graft_state_dict(a), NULL);
    graft_dict_set_tensor(d, "out.weight", graft_rand(g, graft_shape2(4, 4), GRAFT_F32));
    model_bytes before = model_bytes_of(b);
    assert_int_equal(graft_transplant(b, d, NULL, NULL, NULL), GRAFT_ERR_ARGUMENT);
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "the source has two values: \"in.weight\" and \"out");
    assert_untouched(b, before);
    graft_close(g);
}

static void views_stay_views(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = views_new(g), *b = views_new(g);
    const views *n = (views *)b;
    assert_transplants(b, graft_state_dict(a), "skip bottom");
    assert_true(graft_shares_storage(n->top, n->bottom));
    assert_true(graft_equal(((views *)a)->top, n->top));
    assert_true(graft_equal(((views *)a)->turned, n->turned));
    assert_int_equal(graft_stride(n->turned, 0), 1);
    graft_module *c = net_new(g);
    graft_tensor *row = graft_select(graft_detach(graft_get_parameter(c, "fc1.weight")), 0, 1);
    graft_module *d = net_new(g);
    assert_transplants(c, graft_state_dict(d), "");
    assert_true(graft_equal(row, graft_select(graft_get_parameter(d, "fc1.weight"), 0, 1)));
    graft_close(g);
}

static void history(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = net_new(g), *b = net_new(g);
    graft_tensor *x = graft_set_requires_grad(graft_rand(g, graft_shape2(5, 4), GRAFT_F32), true);
    graft_tensor *loss = graft_sum(graft_forward(b, x)); /* its backward needs the weights */
    assert_transplants(b, graft_state_dict(a), "transpose fc1.weight\ntranspose fc1.weight");
    assert_true(graft_is_leaf(graft_get_parameter(b, "fc1.weight")));
    assert_int_not_equal(graft_backward(loss), GRAFT_OK);
    assert_error_has(g, GRAFT_ERR_STATE, "");
    graft_dict *d = graft_dict_clone(graft_state_dict(a), NULL);
    graft_dict_set_tensor(d, "fc1.weight",
                          graft_mul_scalar(graft_get_parameter(a, "fc1.weight"), 2));
    model_bytes before = model_bytes_of(b);
    assert_int_equal(graft_transplant(b, d, NULL, NULL, NULL), GRAFT_ERR_STATE);
    assert_error_has(g, GRAFT_ERR_STATE, "\"fc1.weight\"");
    assert_untouched(b, before);
    graft_close(g);
}

static void optimizers_and_random_numbers_are_not_touched(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = net_new(g), *b = net_new(g);
    graft_optimizer *adam = graft_adam(graft_parameters(b), NULL);
    net_step(b, adam, graft_rand(g, graft_shape2(5, 4), GRAFT_F32));
    graft_dict *before = graft_dict_clone(graft_optimizer_state_dict(adam), NULL);
    graft_dict *d = graft_dict_clone(graft_state_dict(a), NULL);
    graft_dict_set_tensor(d, "fc2.weight", graft_rand(g, graft_shape2(1, 3), GRAFT_F32));
    graft_manual_seed(g, 5);
    const double next = graft_item(graft_rand(g, graft_shape0(), GRAFT_F32));
    graft_manual_seed(g, 5);
    assert_transplants(b, d, "resize fc2.weight new=normal seed=3");
    assert_true(graft_item(graft_rand(g, graft_shape0(), GRAFT_F32)) == next);
    const graft_dict *after = graft_dict_flatten(graft_optimizer_state_dict(adam));
    assert_true(graft_dict_len(after) > 0);
    for (int64_t i = 0; i < graft_dict_len(after); i++)
        assert_true(graft_equal(graft_dict_tensor_at(after, i),
                                graft_dict_tensor(before, graft_dict_key(after, i))));
    assert_no_error(g);
    graft_close(g);
}

static void what_casts_lose_is_said(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *m = net_new(g);
    const double value[] = {1.0 / 3, 1e300, 2};
    graft_dict *d = graft_dict_clone(graft_state_dict(m), NULL);
    graft_dict_set_tensor(d, "scale", graft_from_data(g, value, graft_shape1(3), GRAFT_F64));
    char *text;
    assert_int_equal(graft_transplant(m, d, NULL, NULL, &text), GRAFT_OK);
    assert_non_null(strstr(text, "\n  overflow: \"scale\": 1 elements that were finite are not\n"
                                 "  largest error of the casts: 9.93e-09, in \"scale\""));
    graft_text_free(g, text);
    assert_no_error(g);
    graft_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_that_the_plan_names),
        cmocka_unit_test(buffers_that_the_plan_names),
        cmocka_unit_test(gradients_stay),
        cmocka_unit_test(flags_modes_and_hyperparameters_stay),
        cmocka_unit_test(ties_are_checked),
        cmocka_unit_test(views_stay_views),
        cmocka_unit_test(history),
        cmocka_unit_test(what_casts_lose_is_said),
        cmocka_unit_test(optimizers_and_random_numbers_are_not_touched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
