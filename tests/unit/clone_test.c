/* The column graft_clone of docs/copying.md, and that of assignment: a test for every cell. */
#include "copy_model.h"
#include "tensor/tensor.h"
#include "test.h"

static void fill(graft_tensor *t, float value)
{
    float *p = graft_data_mut(t);
    assert_non_null(p);
    for (int64_t i = 0; i < graft_numel(t); i++)
        p[i] = value;
}

/* That b is a copy of a: another tensor over another storage, with the same elements. */
static void assert_copy(graft_tensor *a, graft_tensor *b)
{
    assert_ptr_not_equal(a, b);
    assert_false(graft_shares_storage(a, b));
    assert_true(graft_equal(a, b));
}

/* That writing either leaves the other as it was. */
static void assert_independent(graft_tensor *a, graft_tensor *b)
{
    graft_tensor *was = graft_tensor_clone(a, NULL);
    fill(b, 42);
    assert_true(graft_equal(a, was));
    fill(a, 43);
    assert_false(graft_equal(a, b));
    graft_tensor_free(was);
}

static void assignment_is_one_model_with_two_names(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = net_new(g), *same = a;
    graft_tensor *x = graft_rand(g, graft_shape2(5, 4), GRAFT_F32);
    graft_optimizer *opt = graft_sgd(graft_parameters(a), NULL);
    model_bytes before = model_bytes_of(a);
    graft_eval(same);
    net_step(same, opt, x);
    model_bytes one = model_bytes_of(a), two = model_bytes_of(same);
    assert_same_bytes(one, two);
    assert_false(one.size == before.size && memcmp(one.data, before.data, one.size) == 0);
    free(before.data);
    free(one.data);
    free(two.data);
    assert_no_error(g);
    graft_close(g);
}

static void clone_copies_parameters(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = net_new(g), *b = graft_clone(a, NULL, NULL);
    const char *path[] = {"scale", "fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"};
    for (size_t i = 0; i < sizeof path / sizeof *path; i++) {
        graft_tensor *p = graft_get_parameter(a, path[i]), *q = graft_get_parameter(b, path[i]);
        assert_copy(p, q);
        assert_true(graft_is_leaf(q));
        assert_independent(p, q);
    }
    assert_no_error(g);
    graft_close(g);
}

static void clone_copies_buffers_also_non_persistent_ones(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = net_new(g), *b = graft_clone(a, NULL, NULL);
    const net *m = (net *)a, *n = (net *)b;
    assert_copy(m->mean, n->mean);
    assert_copy(m->seen, n->seen);
    assert_copy(m->mask, n->mask);
    assert_independent(m->mean, n->mean);
    assert_independent(m->mask, n->mask);
    /* What is persistent stays so. */
    assert_true(graft_dict_find(graft_state_dict(b), "mean") >= 0);
    assert_int_equal(graft_dict_find(graft_state_dict(b), "mask"), -1);
    assert_int_equal(graft_dict_len(graft_buffers(b)), 3);
    assert_no_error(g);
    graft_close(g);
}

static void clone_copies_gradients(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = net_new(g);
    graft_tensor *x = graft_rand(g, graft_shape2(5, 4), GRAFT_F32);
    net_step(a, NULL, x);
    graft_module *b = graft_clone(a, NULL, NULL);
    graft_tensor *p = graft_get_parameter(a, "fc2.weight");
    graft_tensor *q = graft_get_parameter(b, "fc2.weight");
    assert_copy(graft_grad(p), graft_grad(q));
    model_bytes before = model_bytes_of(a);
    net_step(b, NULL, x); /* adds to the copy's gradients */
    assert_false(graft_equal(graft_grad(p), graft_grad(q)));
    assert_untouched(a, before);
    before = model_bytes_of(b);
    net_step(a, NULL, x);
    assert_untouched(b, before);
    assert_no_error(g);
    graft_close(g);
}

static void clone_drops_gradients_if_asked(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = net_new(g);
    net_step(a, NULL, graft_rand(g, graft_shape2(5, 4), GRAFT_F32));
    graft_clone_options o = graft_clone_defaults();
    assert_false(o.drop_gradients);
    assert_null(o.into);
    o.drop_gradients = true;
    graft_module *b = graft_clone(a, &o, NULL);
    assert_non_null(graft_grad(graft_get_parameter(a, "fc2.weight")));
    assert_null(graft_grad(graft_get_parameter(b, "fc2.weight")));
    assert_null(graft_grad(graft_get_parameter(b, "scale")));
    assert_no_error(g);
    graft_close(g);
}

static void clone_of_gradients_that_were_zeroed_has_none(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = net_new(g);
    net_step(a, NULL, graft_rand(g, graft_shape2(5, 4), GRAFT_F32));
    graft_module_zero_grad(a);
    graft_module *b = graft_clone(a, NULL, NULL);
    assert_null(graft_grad(graft_get_parameter(b, "fc2.weight")));
    assert_no_error(g);
    graft_close(g);
}

static void clone_copies_requires_grad_and_modes(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = net_new(g);
    graft_module_requires_grad(((net *)a)->fc1, false);
    graft_eval(((net *)a)->drop);
    graft_module *b = graft_clone(a, NULL, NULL);
    const net *n = (net *)b;
    assert_false(graft_requires_grad(graft_get_parameter(n->fc1, "weight")));
    assert_true(graft_requires_grad(graft_get_parameter(n->fc2, "weight")));
    assert_false(graft_requires_grad(n->mean));
    assert_true(graft_is_training(b));
    assert_false(graft_is_training(n->drop));
    graft_train(b);
    graft_module_requires_grad(b, true);
    assert_false(graft_is_training(((net *)a)->drop));
    assert_false(graft_requires_grad(graft_get_parameter(a, "fc1.weight")));
    assert_no_error(g);
    graft_close(g);
}

static void clone_copies_hyperparameters_and_plain_fields(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = net_new(g), *b = graft_clone(a, NULL, NULL);
    const net *m = (net *)a;
    net *n = (net *)b;
    char *text_a = graft_module_text(a), *text_b = graft_module_text(b);
    assert_string_equal(text_a, text_b); /* Dropout(p=0.25), features of Linear, ... */
    graft_text_free(g, text_a);
    graft_text_free(g, text_b);
    assert_int_equal(n->steps, 12);
    assert_true(n->rate == 0.75);
    assert_string_equal(n->label, "source");
    n->steps = 13;
    strcpy(n->label, "copy");
    assert_int_equal(m->steps, 12);
    assert_string_equal(m->label, "source");
    assert_no_error(g);
    graft_close(g);
}

static void clone_points_registered_fields_at_the_copies(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = net_new(g), *b = graft_clone(a, NULL, NULL);
    const net *m = (net *)a, *n = (net *)b;
    assert_ptr_equal(n->base.type, m->base.type);
    assert_ptr_equal(n->fc1, graft_get_module(b, "fc1"));
    assert_ptr_equal(n->fc2, graft_get_module(b, "fc2"));
    assert_ptr_equal(n->scale, graft_get_parameter(b, "scale"));
    assert_ptr_equal(n->mask, graft_get_parameter(b, "mask"));
    assert_ptr_not_equal(n->fc1, m->fc1);
    assert_ptr_not_equal(n->mask, m->mask);
    assert_no_error(g);
    graft_close(g);
}

static void clone_keeps_absent_parameters_absent(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = graft_linear(g, 3, 2, false), *b = graft_clone(a, NULL, NULL);
    assert_int_equal(graft_dict_len(graft_state_dict(b)), 1);
    graft_tensor *x = graft_rand(g, graft_shape2(1, 3), GRAFT_F32);
    assert_true(graft_equal(graft_forward(a, x), graft_forward(b, x)));
    assert_no_error(g);
    graft_close(g);
}

static void clone_ties_weights_in_the_same_way(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = tied_new(g), *b = graft_clone(a, NULL, NULL);
    graft_tensor *in = graft_get_parameter(b, "in.weight");
    assert_ptr_equal(in, graft_get_parameter(b, "out.weight"));
    assert_copy(graft_get_parameter(a, "in.weight"), in);
    assert_int_equal(graft_dict_len(graft_parameters(b)), 3);
    assert_no_error(g);
    graft_close(g);
}

static void clone_shares_modules_in_the_same_way(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = tied_new(g), *b = graft_clone(a, NULL, NULL);
    const tied *m = (tied *)a, *n = (tied *)b;
    assert_ptr_equal(n->a, n->b);
    assert_ptr_not_equal(n->a, m->a);
    model_bytes bytes = model_bytes_of(a);
    assert_untouched(b, bytes);
    assert_no_error(g);
    graft_close(g);
}

static void clone_makes_views_of_one_new_storage(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = views_new(g), *b = graft_clone(a, NULL, NULL);
    const views *m = (views *)a, *n = (views *)b;
    assert_true(graft_shares_storage(n->top, n->bottom));
    assert_false(graft_shares_storage(n->top, m->top));
    assert_false(graft_shares_storage(n->top, n->turned));
    assert_int_equal(graft_storage_offset(n->bottom), 6);
    assert_int_equal(graft_stride(n->turned, 0), 1);
    assert_int_equal(graft_stride(n->turned, 1), 3);
    assert_copy(m->top, n->top);
    assert_copy(m->turned, n->turned);
    model_bytes before = model_bytes_of(a);
    fill(n->bottom, 5); /* separates the storage under both */
    assert_true(graft_shares_storage(n->top, n->bottom));
    assert_true(graft_equal(m->top, n->top));
    assert_untouched(a, before);
    assert_no_error(g);
    graft_close(g);
}

typedef struct with_history {
    graft_module base;
    graft_module *child;
} with_history;

static const graft_module_class with_history_class = {
    .name = "WithHistory",
    .size = sizeof(with_history),
};

static void clone_refuses_history_by_its_path(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = graft_sequential(g);
    graft_sequential_add(a, graft_linear(g, 2, 2, true));
    with_history *h = graft_module_new(g, &with_history_class);
    graft_tensor *weight = graft_get_parameter(a, "0.weight");
    graft_tensor *made = graft_mul_scalar(weight, 2), *other = graft_exp(weight);
    graft_buffer(&h->base, "cache", NULL, made, true);
    graft_buffer(&h->base, "twice", NULL, other, false);
    graft_sequential_add(a, &h->base);
    assert_no_error(g);
    model_bytes before = model_bytes_of(a);
    graft_copy_map *map = (graft_copy_map *)a;
    assert_null(graft_clone(a, NULL, &map));
    assert_null(map);
    assert_int_equal(graft_error_status(g), GRAFT_ERR_STATE);
    assert_non_null(strstr(graft_error(g), "buffer \"1.cache\" (made by mul"));
    assert_error_has(g, GRAFT_ERR_STATE, "buffer \"1.twice\" (made by exp)");
    assert_untouched(a, before);
    graft_set_parameter(a, "1.cache", graft_detach(made));
    graft_set_parameter(a, "1.twice", graft_detach(other));
    assert_non_null(graft_clone(a, NULL, &map));
    assert_no_error(g);
    graft_close(g);
}

static void clone_refuses_a_gradient_with_history(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = graft_linear(g, 2, 2, true);
    graft_tensor *bias = graft_get_parameter(a, "bias");
    bias->grad = graft__tensor_ref(graft_mul_scalar(graft_get_parameter(a, "weight"), 3));
    bias->grad_is_set = true;
    assert_null(graft_clone(a, NULL, NULL));
    assert_error_has(g, GRAFT_ERR_STATE, "the gradient of \"bias\" (made by mul");
    graft_clone_options o = graft_clone_defaults();
    o.drop_gradients = true; /* what is not copied may have any history */
    assert_non_null(graft_clone(a, &o, NULL));
    assert_no_error(g);
    graft_set_grad(bias, NULL);
    graft_close(g);
}

static void clone_of_a_child_alone(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = net_new(g);
    graft_module *b = graft_clone(((net *)a)->fc1, NULL, NULL);
    assert_true(
        graft_equal(graft_get_parameter(b, "weight"), graft_get_parameter(a, "fc1.weight")));
    graft_module_free(b); /* it is the caller's, unlike its source */
    graft_module_free(a);
    assert_no_error(g);
    graft_close(g);
}

static void clone_of_a_clone_of_a_clone(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = net_new(g);
    model_bytes bytes = model_bytes_of(a);
    for (int i = 0; i < 5; i++) {
        graft_module *b = graft_clone(a, NULL, NULL);
        graft_module_free(a);
        a = b;
    }
    assert_untouched(a, bytes);
    assert_no_error(g);
    graft_close(g);
}

static void clone_lives_on_when_the_source_has_gone(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = tied_new(g), *b = graft_clone(a, NULL, NULL);
    model_bytes bytes = model_bytes_of(a);
    graft_module_free(a);
    assert_untouched(b, bytes);
    net_step(b, NULL, graft_rand(g, graft_shape2(2, 4), GRAFT_F32));
    assert_no_error(g);
    graft_close(g);
}

static void clone_of_null_is_null(void **state)
{
    (void)state;
    graft_copy_map *map = (graft_copy_map *)&map;
    assert_null(graft_clone(NULL, NULL, &map));
    assert_null(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(assignment_is_one_model_with_two_names),
        cmocka_unit_test(clone_copies_parameters),
        cmocka_unit_test(clone_copies_buffers_also_non_persistent_ones),
        cmocka_unit_test(clone_copies_gradients),
        cmocka_unit_test(clone_drops_gradients_if_asked),
        cmocka_unit_test(clone_of_gradients_that_were_zeroed_has_none),
        cmocka_unit_test(clone_copies_requires_grad_and_modes),
        cmocka_unit_test(clone_copies_hyperparameters_and_plain_fields),
        cmocka_unit_test(clone_points_registered_fields_at_the_copies),
        cmocka_unit_test(clone_keeps_absent_parameters_absent),
        cmocka_unit_test(clone_ties_weights_in_the_same_way),
        cmocka_unit_test(clone_shares_modules_in_the_same_way),
        cmocka_unit_test(clone_makes_views_of_one_new_storage),
        cmocka_unit_test(clone_refuses_history_by_its_path),
        cmocka_unit_test(clone_refuses_a_gradient_with_history),
        cmocka_unit_test(clone_of_a_child_alone),
        cmocka_unit_test(clone_of_a_clone_of_a_clone),
        cmocka_unit_test(clone_lives_on_when_the_source_has_gone),
        cmocka_unit_test(clone_of_null_is_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
