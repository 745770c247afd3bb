/* The column graft_load_state_dict of docs/copying.md: a test for every cell, and the memory. */
#include "copy_model.h"
#include "failing_allocator.h"
#include "test.h"
#include <math.h>

/* A model of the same class with other numbers, trained a little, so that it has gradients. */
static graft_module *other_net(graft_ctx *g)
{
    graft_module *m = net_new(g);
    net_step(m, NULL, graft_rand(g, graft_shape2(5, 4), GRAFT_F32));
    graft_set_requires_grad(((net *)m)->scale, false);
    graft_eval(((net *)m)->drop);
    return m;
}

static void assert_loads(graft_module *m, const graft_dict *d)
{
    graft_status st = graft_load_state_dict(m, d, NULL, NULL);
    assert_no_error(m->ctx);
    assert_int_equal(st, GRAFT_OK);
}

static void load_copies_parameters(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = net_new(g), *b = other_net(g);
    graft_tensor *handle = graft_get_parameter(b, "fc1.weight");
    assert_loads(b, graft_state_dict(a));
    assert_ptr_equal(graft_get_parameter(b, "fc1.weight"), handle); /* the tensors stay */
    const char *path[] = {"scale", "fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"};
    for (size_t i = 0; i < sizeof path / sizeof *path; i++) {
        graft_tensor *p = graft_get_parameter(a, path[i]), *q = graft_get_parameter(b, path[i]);
        assert_true(graft_equal(p, q));
        assert_false(graft_shares_storage(p, q));
    }
    model_bytes before = model_bytes_of(a);
    graft_optimizer *opt = graft_sgd(graft_parameters(b), NULL);
    net_step(b, opt, graft_rand(g, graft_shape2(5, 4), GRAFT_F32));
    assert_untouched(a, before);
    assert_false(graft_equal(handle, graft_get_parameter(a, "fc1.weight")));
    assert_no_error(g);
    graft_close(g);
}

static void load_copies_persistent_buffers(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = net_new(g), *b = net_new(g);
    *(int64_t *)graft_data_mut(((net *)b)->seen) = 99;
    assert_loads(b, graft_state_dict(a));
    assert_true(graft_equal(((net *)a)->mean, ((net *)b)->mean));
    assert_int_equal(graft_item_i64(((net *)b)->seen), 7);
    assert_no_error(g);
    graft_close(g);
}

static void load_keeps_non_persistent_buffers(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = net_new(g), *b = net_new(g);
    float *mask = graft_data_mut(((net *)b)->mask);
    mask[0] = 17;
    assert_loads(b, graft_state_dict(a));
    assert_true(((const float *)graft_data(((net *)b)->mask))[0] == 17);
    assert_no_error(g);
    graft_close(g);
}

static void load_keeps_gradients(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = net_new(g), *b = other_net(g);
    graft_tensor *grad = graft_grad(graft_get_parameter(b, "fc2.weight"));
    graft_tensor *was = graft_tensor_clone(grad, NULL);
    assert_loads(b, graft_state_dict(a));
    assert_ptr_equal(graft_grad(graft_get_parameter(b, "fc2.weight")), grad);
    assert_true(graft_equal(grad, was));
    assert_null(graft_grad(graft_get_parameter(a, "fc2.weight")));
    assert_no_error(g);
    graft_close(g);
}

static void load_keeps_requires_grad_modes_and_hyperparameters(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = net_new(g), *b = other_net(g);
    ((net *)b)->rate = 3;
    graft_eval(a);
    assert_loads(b, graft_state_dict(a));
    assert_false(graft_requires_grad(((net *)b)->scale));
    assert_true(graft_requires_grad(graft_get_parameter(b, "fc1.weight")));
    assert_true(graft_is_training(b));
    assert_false(graft_is_training(((net *)b)->drop));
    assert_true(((net *)b)->rate == 3);
    assert_no_error(g);
    graft_close(g);
}

static void load_into_ties_takes_equal_values(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = tied_new(g), *b = tied_new(g);
    assert_loads(b, graft_state_dict(a));
    assert_ptr_equal(graft_get_parameter(b, "in.weight"), graft_get_parameter(b, "out.weight"));
    assert_true(
        graft_equal(graft_get_parameter(a, "in.weight"), graft_get_parameter(b, "out.weight")));
    /* Equal bits under both names in two memories, NaN among them. */
    float value[16] = {0};
    value[3] = NAN;
    graft_dict *d = graft_dict_clone(graft_state_dict(a), NULL);
    graft_dict_set_tensor(d, "in.weight", graft_from_data(g, value, graft_shape2(4, 4), GRAFT_F32));
    graft_dict_set_tensor(d, "out.weight",
                          graft_from_data(g, value, graft_shape2(4, 4), GRAFT_F32));
    assert_loads(b, d);
    const float *now = graft_data(graft_get_parameter(b, "out.weight"));
    assert_true(now[0] == 0 && now[3] != now[3]);
    assert_no_error(g);
    graft_close(g);
}

static void load_into_ties_refuses_two_values(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = tied_new(g), *b = tied_new(g);
    graft_dict *d = graft_dict_clone(graft_state_dict(a), NULL);
    graft_dict_set_tensor(d, "out.weight", graft_rand(g, graft_shape2(4, 4), GRAFT_F32));
    graft_dict_set_tensor(d, "b.bias", graft_rand(g, graft_shape1(4), GRAFT_F32));
    model_bytes before = model_bytes_of(b);
    graft_load_report *report;
    assert_int_equal(graft_load_state_dict(b, d, NULL, &report), GRAFT_ERR_ARGUMENT);
    assert_int_equal(graft_load_report_count(report, GRAFT_LOAD_TIE), 2);
    assert_false(graft_load_report_ok(report));
    assert_error(g, GRAFT_ERR_ARGUMENT,
                 "load_state_dict into Tied: nothing was loaded, 2 problems:\n"
                 "  tie of \"a.bias\" and \"b.bias\": one tensor in the model, but they differ in "
                 "the dict\n"
                 "  tie of \"in.weight\" and \"out.weight\": one tensor in the model, but they "
                 "differ in the dict");
    assert_untouched(b, before);
    graft_close(g);
}

static void load_into_ties_needs_one_of_the_names(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = tied_new(g), *b = tied_new(g);
    graft_dict *d = graft_dict_clone(graft_state_dict(a), NULL);
    graft_dict_drop(d, "in.weight");
    graft_dict_drop(d, "b.weight");
    graft_load_report *report;
    assert_int_equal(graft_load_state_dict(b, d, NULL, &report), GRAFT_OK);
    assert_int_equal(graft_load_report_count(report, GRAFT_LOAD_COPIED), 6);
    assert_non_null(strstr(graft_load_report_text(report),
                           "copied: \"in.weight\" [4, 4] float32, tied to \"out.weight\""));
    assert_true(
        graft_equal(graft_get_parameter(a, "in.weight"), graft_get_parameter(b, "in.weight")));
    /* With neither it is missing under both. */
    graft_dict_drop(d, "out.weight");
    assert_int_equal(graft_load_state_dict(b, d, NULL, &report), GRAFT_ERR_NAME);
    assert_int_equal(graft_load_report_count(report, GRAFT_LOAD_MISSING), 2);
    graft_clear_error(g);
    graft_close(g);
}

static void load_into_views_writes_their_elements(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = views_new(g), *b = views_new(g);
    const views *n = (views *)b;
    assert_loads(b, graft_state_dict(a));
    assert_true(graft_shares_storage(n->top, n->bottom));
    assert_true(graft_equal(((views *)a)->top, n->top));
    assert_true(graft_equal(((views *)a)->bottom, n->bottom));
    assert_true(graft_equal(((views *)a)->turned, n->turned));
    assert_int_equal(graft_stride(n->turned, 0), 1);
    /* One of two views: what the other sees stays. */
    graft_dict *d = graft_dict_new(g);
    graft_dict_set_tensor(d, "bottom", graft_ones(g, graft_shape1(3), GRAFT_F32));
    graft_load_options o = graft_load_defaults();
    o.strict = false;
    assert_int_equal(graft_load_state_dict(b, d, &o, NULL), GRAFT_OK);
    assert_elements(n->bottom, (double[]){1, 1, 1}, 3);
    assert_true(graft_equal(((views *)a)->top, n->top));
    assert_no_error(g);
    graft_close(g);
}

static void views_of_a_parameter_see_the_load(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = net_new(g), *b = net_new(g);
    graft_tensor *row = graft_select(graft_detach(graft_get_parameter(b, "fc1.weight")), 0, 1);
    assert_loads(b, graft_state_dict(a));
    assert_true(graft_equal(row, graft_select(graft_get_parameter(a, "fc1.weight"), 0, 1)));
    assert_no_error(g);
    graft_close(g);
}

typedef struct overlap {
    graft_module base;
    graft_tensor *left, *right;
} overlap;

static void load_into_overlapping_views_refuses_two_values(void **state)
{
    (void)state;
    static const graft_module_class overlap_class = {.name = "Overlap", .size = sizeof(overlap)};
    graft_ctx *g = test_open();
    overlap *m = graft_module_new(g, &overlap_class);
    graft_tensor *five = graft_rand(g, graft_shape1(5), GRAFT_F32);
    graft_parameter(&m->base, "left", &m->left, graft_narrow(five, 0, 0, 3));
    graft_parameter(&m->base, "right", &m->right, graft_narrow(five, 0, 2, 3));
    graft_buffer(&m->base, "wide", NULL,
                 graft_expand(graft_scalar(g, 1, GRAFT_F32), graft_shape1(2)), true);
    const float first[] = {1, 2, 3}, fits[] = {3, 4, 5}, not [] = {9, 4, 5}, wide[] = {6, 7};
    graft_dict *d = graft_dict_new(g);
    graft_dict_set_tensor(d, "left", test_floats(g, first, 3));
    graft_dict_set_tensor(d, "right", test_floats(g, fits, 3));
    graft_dict_set_tensor(d, "wide", test_floats(g, (float[]){6, 6}, 2));
    assert_loads(&m->base, d);
    assert_elements(five, (double[]){1, 2, 3, 4, 5}, 5);
    model_bytes before = model_bytes_of(&m->base);
    graft_dict_set_tensor(d, "right", test_floats(g, not, 3));
    graft_dict_set_tensor(d, "wide", test_floats(g, wide, 2));
    assert_int_equal(graft_load_state_dict(&m->base, d, NULL, NULL), GRAFT_ERR_ARGUMENT);
    assert_non_null(strstr(graft_error(g), "tie of \"right\" and \"left\": their memory overlaps"));
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "tie of \"wide\": its elements share memory");
    assert_untouched(&m->base, before);
    graft_close(g);
}

static void load_makes_no_history(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = net_new(g), *b = net_new(g);
    graft_dict *d = graft_dict_clone(graft_state_dict(a), NULL);
    graft_tensor *made = graft_mul_scalar(graft_get_parameter(a, "fc1.weight"), 2);
    graft_dict_set_tensor(d, "fc1.weight", made); /* with history itself */
    assert_loads(b, d);
    graft_tensor *w = graft_get_parameter(b, "fc1.weight");
    assert_true(graft_is_leaf(w));
    assert_true(graft_equal(w, made));
    assert_no_error(g);
    graft_close(g);
}

static void a_graph_from_before_the_load_is_refused(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = net_new(g), *b = net_new(g);
    graft_tensor *x = graft_set_requires_grad(graft_rand(g, graft_shape2(5, 4), GRAFT_F32), true);
    graft_tensor *loss = graft_sum(graft_forward(b, x)); /* its backward needs the weights */
    assert_loads(b, graft_state_dict(a));
    assert_int_not_equal(graft_backward(loss), GRAFT_OK);
    assert_int_equal(graft_error_status(g), GRAFT_ERR_STATE);
    graft_clear_error(g);
    graft_close(g);
}

/* ---- Aliases ---- */

static void a_models_own_state_dict_changes_nothing(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *(*make[])(graft_ctx *) = {net_new, tied_new, views_new};
    for (int i = 0; i < 3; i++) {
        graft_module *m = make[i](g);
        model_bytes before = model_bytes_of(m);
        assert_loads(m, graft_state_dict(m));
        assert_untouched(m, before);
    }
    graft_close(g);
}

static void a_dict_of_the_models_own_tensors_swapped_is_read_before_it_is_written(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *m = graft_sequential(g);
    for (int i = 0; i < 3; i++)
        graft_sequential_add(m, graft_linear(g, 3, 3, false));
    graft_tensor *w[3], *was[3];
    const char *name[] = {"0.weight", "1.weight", "2.weight"};
    for (int i = 0; i < 3; i++) {
        w[i] = graft_get_parameter(m, name[i]);
        was[i] = graft_tensor_clone(w[i], NULL);
    }
    graft_dict *d = graft_dict_new(g); /* 0 gets 1, 1 gets 2 transposed, 2 gets 0 */
    graft_dict_set_tensor(d, "0.weight", graft_detach(w[1]));
    graft_dict_set_tensor(d, "1.weight", graft_transpose(graft_detach(w[2]), 0, 1));
    graft_dict_set_tensor(d, "2.weight", w[0]);
    assert_loads(m, d);
    assert_true(graft_equal(w[0], was[1]));
    assert_true(graft_equal(w[1], graft_transpose(was[2], 0, 1)));
    assert_true(graft_equal(w[2], was[0]));
    assert_no_error(g);
    graft_close(g);
}

static void a_view_of_the_destination_is_read_before_it_is_written(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *m = views_new(g);
    views *v = (views *)m;
    graft_tensor *top = graft_tensor_clone(graft_detach(v->top), NULL);
    graft_dict *d = graft_dict_clone(graft_state_dict(m), NULL);
    graft_dict_set_tensor(d, "bottom", graft_select(graft_detach(v->top), 0, 1));
    graft_dict_set_tensor(d, "top", graft_ones(g, graft_shape2(2, 3), GRAFT_F32));
    assert_loads(m, d);
    assert_true(graft_equal(v->bottom, graft_select(top, 0, 1)));
    assert_elements(v->top, (double[]){1, 1, 1, 1, 1, 1}, 6);
    assert_no_error(g);
    graft_close(g);
}

/* ---- Memory ---- */

static graft_module *wide_new(graft_ctx *g)
{
    graft_module *m = graft_sequential(g);
    graft_sequential_add(m, graft_linear(g, 1024, 1024, true));
    return m;
}

static void load_takes_no_memory_for_elements(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = wide_new(g), *b = wide_new(g);
    size_t layer = sizeof(float) * 1024 * 1024, before = test_in_use(g);
    assert_loads(b, graft_state_dict(a));
    assert_true(before - test_in_use(g) > layer / 2); /* less than before: b's own has gone */
    assert_true(graft_shares_memory(graft_get_parameter(a, "0.weight"),
                                    graft_get_parameter(b, "0.weight")));
    model_bytes bytes = model_bytes_of(a);
    *(float *)graft_data_mut(graft_get_parameter(b, "0.weight")) = 5;
    assert_untouched(a, bytes);
    bytes = model_bytes_of(b);
    *(float *)graft_data_mut(graft_get_parameter(a, "0.bias")) = 5;
    assert_untouched(b, bytes);
    assert_no_error(g);
    graft_close(g);
}

static void load_takes_a_dict_of_another_context(void **state)
{
    (void)state;
    graft_ctx *g = test_open(), *h = test_open();
    graft_module *a = net_new(g), *b = net_new(h), *v = views_new(g), *w = views_new(h);
    assert_loads(b, graft_state_dict(a));
    assert_loads(w, graft_state_dict(v));
    graft_tensor *p = graft_get_parameter(b, "fc1.weight");
    assert_ptr_equal(graft_tensor_ctx(p), h);
    assert_true(graft_equal(((views *)v)->turned, ((views *)w)->turned));
    float first = *(const float *)graft_data(graft_get_parameter(a, "fc1.weight"));
    graft_close(g);
    assert_true(*(const float *)graft_data(p) == first);
    assert_no_error(h);
    graft_close(h);
}

static void count_release(void *user, void *data)
{
    (void)data;
    ++*(int *)user;
}

static void load_copies_what_is_only_lent(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *m = graft_linear(g, 2, 2, true);
    float lent[] = {1, 2, 3, 4}, given[] = {5, 6};
    int released = 0;
    graft_dict *d = graft_dict_new(g);
    graft_scope_begin(g);
    graft_dict_set_tensor(d, "weight",
                          graft_from_borrowed(g, lent, graft_shape2(2, 2), GRAFT_F32, NULL, NULL));
    graft_dict_set_tensor(
        d, "bias",
        graft_from_borrowed(g, given, graft_shape1(2), GRAFT_F32, count_release, &released));
    graft_scope_end(g);
    assert_loads(m, d);
    graft_dict_free(d);
    memset(lent, 0, sizeof lent); /* nobody was told when it is free, so this must not be seen */
    assert_elements(graft_get_parameter(m, "weight"), (double[]){1, 2, 3, 4}, 4);
    assert_int_equal(released, 0); /* what says when it may go is shared like any memory */
    assert_true(graft_data(graft_get_parameter(m, "bias")) == given);
    graft_module_free(m);
    assert_int_equal(released, 1);
    assert_no_error(g);
    graft_close(g);
}

static void load_writes_into_memory_that_the_model_borrows(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *m = graft_linear(g, 2, 2, false), *other = graft_linear(g, 2, 2, false);
    float own[4] = {0};
    graft_set_parameter(m, "weight",
                        graft_from_borrowed(g, own, graft_shape2(2, 2), GRAFT_F32, NULL, NULL));
    assert_loads(m, graft_state_dict(other));
    assert_memory_equal(own, graft_data(graft_get_parameter(other, "weight")), sizeof own);
    assert_true(graft_data(graft_get_parameter(m, "weight")) == own);
    assert_no_error(g);
    graft_close(g);
}

static void borrowed_memory_that_overlaps_is_read_before_it_is_written(void **state)
{
    (void)state;
    enum { N = 1000 };
    graft_ctx *g = test_open();
    graft_module *m = graft_linear(g, N, 1, false);
    float own[N + 1];
    int released = 0;
    for (int i = 0; i <= N; i++)
        own[i] = (float)i;
    graft_shape row = graft_shape2(1, N);
    graft_set_parameter(m, "weight", graft_from_borrowed(g, own + 1, row, GRAFT_F32, NULL, NULL));
    graft_dict *d = graft_dict_new(g);
    graft_dict_set_tensor(d, "weight",
                          graft_from_borrowed(g, own, row, GRAFT_F32, count_release, &released));
    assert_loads(m, d);
    for (int i = 1; i <= N; i++)
        assert_true(own[i] == (float)(i - 1));
    assert_no_error(g);
    graft_close(g);
    assert_int_equal(released, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(load_copies_parameters),
        cmocka_unit_test(load_copies_persistent_buffers),
        cmocka_unit_test(load_keeps_non_persistent_buffers),
        cmocka_unit_test(load_keeps_gradients),
        cmocka_unit_test(load_keeps_requires_grad_modes_and_hyperparameters),
        cmocka_unit_test(load_into_ties_takes_equal_values),
        cmocka_unit_test(load_into_ties_refuses_two_values),
        cmocka_unit_test(load_into_ties_needs_one_of_the_names),
        cmocka_unit_test(load_into_views_writes_their_elements),
        cmocka_unit_test(views_of_a_parameter_see_the_load),
        cmocka_unit_test(load_into_overlapping_views_refuses_two_values),
        cmocka_unit_test(load_makes_no_history),
        cmocka_unit_test(a_graph_from_before_the_load_is_refused),
        cmocka_unit_test(a_models_own_state_dict_changes_nothing),
        cmocka_unit_test(a_dict_of_the_models_own_tensors_swapped_is_read_before_it_is_written),
        cmocka_unit_test(a_view_of_the_destination_is_read_before_it_is_written),
        cmocka_unit_test(load_takes_no_memory_for_elements),
        cmocka_unit_test(load_takes_a_dict_of_another_context),
        cmocka_unit_test(load_copies_what_is_only_lent),
        cmocka_unit_test(load_writes_into_memory_that_the_model_borrows),
        cmocka_unit_test(borrowed_memory_that_overlaps_is_read_before_it_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
