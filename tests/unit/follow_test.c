/* The column graft_follow of docs/copying.md: a test for every cell. */
#include "copy_model.h"
#include "failing_allocator.h"
#include "test.h"

static graft_optimizer *adam(graft_module *m)
{
    graft_adam_options o = graft_adam_defaults();
    o.lr = 0.05;
    o.weight_decay = 0.01;
    o.amsgrad = true;
    return graft_adam(graft_parameters(m), &o);
}

static graft_optimizer *momentum(graft_module *m)
{
    graft_sgd_options o = graft_sgd_defaults();
    o.lr = 0.05;
    o.momentum = 0.9;
    return graft_sgd(graft_parameters(m), &o);
}

static graft_optimizer *adamw(graft_module *m)
{
    return graft_adamw(graft_parameters(m), NULL);
}

/* Steps without dropout's random numbers, so that two runs can be compared. */
static void steps(graft_module *m, graft_optimizer *opt, graft_tensor *x, int n)
{
    graft_eval(m);
    for (int i = 0; i < n; i++)
        net_step(m, opt, x);
    assert_no_error(m->ctx);
}

static void follow_copies_moments_and_step_counts(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_optimizer *(*make[])(graft_module *) = {adam, momentum, adamw};
    for (int i = 0; i < 3; i++) {
        graft_module *a = net_new(g);
        graft_tensor *x = graft_rand(g, graft_shape2(5, 4), GRAFT_F32);
        graft_optimizer *opt_a = make[i](a);
        steps(a, opt_a, x, 3);
        graft_copy_map *map;
        graft_module *b = graft_clone(a, NULL, &map);
        graft_optimizer *opt_b = graft_follow(opt_a, map);
        assert_string_equal(graft_optimizer_name(opt_a), graft_optimizer_name(opt_b));
        graft_dict *s = graft_optimizer_state_dict(opt_a), *t = graft_optimizer_state_dict(opt_b);
        const char *moment = i == 1 ? "state.1.momentum_buffer" : "state.1.exp_avg";
        assert_non_null(graft_dict_tensor(s, moment));
        assert_true(graft_equal(graft_dict_tensor(s, moment), graft_dict_tensor(t, moment)));
        assert_false(
            graft_shares_storage(graft_dict_tensor(s, moment), graft_dict_tensor(t, moment)));
        if (i != 1)
            assert_true(graft_item(graft_dict_tensor(t, "state.1.step")) == 3);
        /* The copy goes where the original goes, bit for bit, though one first and then the other.
         */
        model_bytes before = model_bytes_of(b);
        graft_dict *was = graft_dict_clone(t, NULL);
        steps(a, opt_a, x, 4);
        assert_untouched(b, before);
        assert_true(graft_equal(graft_dict_tensor(was, moment), graft_dict_tensor(t, moment)));
        before = model_bytes_of(a);
        steps(b, opt_b, x, 4);
        assert_untouched(a, before);
        model_bytes ends = model_bytes_of(a);
        assert_untouched(b, ends);
    }
    graft_close(g);
}

static void follow_rebinds_to_the_copies(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = net_new(g);
    graft_optimizer *opt_a = momentum(a);
    graft_copy_map *map;
    graft_module *b = graft_clone(a, NULL, &map);
    graft_optimizer *opt_b = graft_follow(opt_a, map);
    graft_module_free(a);
    graft_optimizer_free(opt_a);
    graft_copy_map_free(map);
    model_bytes before = model_bytes_of(b);
    steps(b, opt_b, graft_rand(g, graft_shape2(5, 4), GRAFT_F32), 1);
    model_bytes after = model_bytes_of(b);
    assert_false(before.size == after.size && memcmp(before.data, after.data, after.size) == 0);
    graft_zero_grad(opt_b);
    assert_null(graft_grad(graft_get_parameter(b, "fc2.weight")));
    free(before.data);
    free(after.data);
    assert_no_error(g);
    graft_close(g);
}

static void follow_copies_groups_and_options(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = net_new(g);
    graft_sgd_options o = graft_sgd_defaults();
    o.lr = 0.5;
    o.momentum = 0.25;
    graft_optimizer *opt_a = graft_sgd(graft_parameters(((net *)a)->fc1), &o);
    o.lr = 0.125;
    o.nesterov = true;
    graft_sgd_add_group(opt_a, graft_parameters(((net *)a)->fc2), &o);
    graft_copy_map *map;
    graft_module *b = graft_clone(a, NULL, &map);
    graft_optimizer *opt_b = graft_follow(opt_a, map);
    assert_int_equal(graft_group_count(opt_b), 2);
    assert_true(graft_sgd_group(opt_b, 0)->lr == 0.5);
    assert_false(graft_sgd_group(opt_b, 0)->nesterov);
    assert_true(graft_sgd_group(opt_b, 1)->lr == 0.125);
    assert_true(graft_sgd_group(opt_b, 1)->momentum == 0.25);
    assert_true(graft_sgd_group(opt_b, 1)->nesterov);
    graft_sgd_group(opt_b, 1)->lr = 9;
    assert_true(graft_sgd_group(opt_a, 1)->lr == 0.125);
    /* Names come along, so that a checkpoint of either loads into the other. */
    assert_int_equal(graft_optimizer_load_state_dict(opt_b, graft_optimizer_state_dict(opt_a)),
                     GRAFT_OK);
    assert_true(graft_sgd_group(opt_b, 1)->lr == 0.125);
    (void)b;
    assert_no_error(g);
    graft_close(g);
}

static void follow_keeps_ties(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = tied_new(g);
    graft_tensor *x = graft_rand(g, graft_shape2(5, 4), GRAFT_F32);
    graft_optimizer *opt_a = adam(a);
    steps(a, opt_a, x, 2);
    graft_copy_map *map;
    graft_module *b = graft_clone(a, NULL, &map);
    graft_optimizer *opt_b = graft_follow(opt_a, map);
    graft_dict *s = graft_optimizer_state_dict(opt_b);
    assert_int_equal(graft_dict_len(graft_dict_dict(s, "state")), 3); /* each tensor once */
    steps(a, opt_a, x, 2);
    steps(b, opt_b, x, 2);
    model_bytes ends = model_bytes_of(a);
    assert_untouched(b, ends);
    assert_ptr_equal(graft_get_parameter(b, "in.weight"), graft_get_parameter(b, "out.weight"));
    graft_close(g);
}

static void follow_takes_no_memory_for_elements(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = graft_linear(g, 1024, 512, true);
    graft_optimizer *opt_a = adam(a);
    steps(a, opt_a, graft_rand(g, graft_shape2(1, 1024), GRAFT_F32), 1);
    graft_copy_map *map;
    graft_clone(a, NULL, &map);
    size_t before = test_in_use(g);
    graft_optimizer *opt_b = graft_follow(opt_a, map);
    assert_true(test_in_use(g) - before < 8192);
    graft_optimizer_free(opt_b);
    assert_int_equal(test_in_use(g), before);
    assert_no_error(g);
    graft_close(g);
}

static void follow_into_another_context(void **state)
{
    (void)state;
    graft_ctx *g = test_open(), *h = test_open();
    graft_module *a = net_new(g);
    const float value[20] = {1, -2, 3, 4, 5, -6, 7, 8, 9, -1};
    graft_tensor *x = graft_from_data(g, value, graft_shape2(5, 4), GRAFT_F32);
    graft_tensor *y = graft_from_data(h, value, graft_shape2(5, 4), GRAFT_F32);
    graft_optimizer *opt_a = adam(a);
    steps(a, opt_a, x, 2);
    graft_clone_options o = graft_clone_defaults();
    o.into = h;
    graft_copy_map *map;
    graft_module *b = graft_clone(a, &o, &map);
    graft_optimizer *opt_b = graft_follow(opt_a, map);
    steps(a, opt_a, x, 3);
    model_bytes ends = model_bytes_of(a);
    graft_close(g);
    steps(b, opt_b, y, 3);
    assert_untouched(b, ends);
    graft_close(h);
}

static void follow_names_every_parameter_that_the_map_lacks(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = net_new(g);
    graft_optimizer *opt = adam(a);
    graft_copy_map *map;
    graft_clone(a, NULL, &map);
    graft_copy_map_drop(map, "fc1.bias");
    graft_copy_map_drop(map, "scale");
    assert_null(graft_follow(opt, map));
    assert_error(g, GRAFT_ERR_NAME,
                 "follow: the copy map lacks 2 of the 5 parameters of Adam: \"scale\", "
                 "\"fc1.bias\"");
    graft_copy_map *other;
    graft_clone(net_new(g), NULL, &other); /* the map of another model lacks all */
    assert_null(graft_follow(opt, other));
    assert_error_has(g, GRAFT_ERR_NAME, "lacks 5 of the 5");
    assert_null(graft_follow(NULL, map));
    assert_null(graft_follow(opt, NULL));
    assert_no_error(g);
    graft_close(g);
}

static void follow_without_memory(void *user, failing_allocator *f)
{
    graft_optimizer *(*make)(graft_module *) = *(graft_optimizer * (**)(graft_module *)) user;
    graft_ctx *g = test_open();
    graft_module *a = net_new(g);
    graft_optimizer *opt = make(a);
    steps(a, opt, graft_rand(g, graft_shape2(5, 4), GRAFT_F32), 1);
    uint64_t fail_at = f->fail_at;
    f->fail_at = 0;
    graft_clone_options o = graft_clone_defaults();
    o.into = failing_allocator_open(f);
    graft_copy_map *map;
    graft_clone(a, &o, &map);
    f->fail_at = f->calls + fail_at;
    graft_optimizer *copy = graft_follow(opt, map);
    f->fail_at = 0;
    assert_int_equal(copy == NULL, f->failed);
    assert_int_equal(graft_error_status(o.into), f->failed ? GRAFT_ERR_MEMORY : GRAFT_OK);
    assert_int_equal(graft_error_status(g), f->failed ? GRAFT_ERR_MEMORY : GRAFT_OK);
    graft_close(o.into);
    graft_close(g);
}

static void follow_that_runs_out_of_memory_leaves_nothing(void **state)
{
    (void)state;
    graft_optimizer *(*make[])(graft_module *) = {adam, momentum};
    for (int i = 0; i < 2; i++)
        failing_allocator_sweep(follow_without_memory, &make[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follow_copies_moments_and_step_counts),
        cmocka_unit_test(follow_rebinds_to_the_copies),
        cmocka_unit_test(follow_copies_groups_and_options),
        cmocka_unit_test(follow_keeps_ties),
        cmocka_unit_test(follow_takes_no_memory_for_elements),
        cmocka_unit_test(follow_into_another_context),
        cmocka_unit_test(follow_names_every_parameter_that_the_map_lacks),
        cmocka_unit_test(follow_that_runs_out_of_memory_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
