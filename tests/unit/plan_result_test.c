/* What a plan makes as a new dict: values, ties, flags, metadata, files. */
#include <stdio.h>

#include "copy_model.h"
#include "folder.h"
#include "test.h"

static graft_dict *result_of(graft_plan *plan)
{
    assert_non_null(plan);
    graft_dict *d = graft_plan_result(plan);
    assert_non_null(d);
    return d;
}

static void of_a_model(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = net_new(g), *b = net_new(g);
    graft_dict *d = graft_dict_clone(graft_state_dict(a), NULL);
    graft_dict_drop(d, "fc1.bias");
    graft_dict_set_tensor(d, "scale", graft_full(g, graft_shape1(3), 0.5, GRAFT_F64));
    model_bytes before = model_bytes_of(b);
    graft_plan *plan = graft_plan_into_module(b, d, NULL, NULL);
    graft_dict *result = result_of(plan), *again = result_of(plan);
    graft_plan_free(plan);
    assert_untouched(b, before);
    assert_string_equal(graft_dict_class(result), "collections.OrderedDict");
    const graft_dict *like = graft_state_dict(b);
    assert_int_equal(graft_dict_len(result), graft_dict_len(like));
    for (int64_t i = 0; i < graft_dict_len(like); i++)
        assert_string_equal(graft_dict_key(result, i), graft_dict_key(like, i));
    const graft_dict *metadata = graft_dict_dict(graft_dict_attributes(result), "_metadata");
    assert_int_equal(graft_dict_len(metadata),
                     graft_dict_len(graft_dict_dict(graft_dict_attributes(like), "_metadata")));
    assert_true(
        graft_equal(graft_dict_tensor(result, "fc1.weight"), graft_get_parameter(a, "fc1.weight")));
    assert_true(
        graft_equal(graft_dict_tensor(result, "fc1.bias"), graft_get_parameter(b, "fc1.bias")));
    assert_elements(graft_dict_tensor(result, "scale"), (double[]){0.5, 0.5, 0.5}, 3);
    assert_int_equal(graft_tensor_dtype(graft_dict_tensor(result, "scale")), GRAFT_F32);
    assert_false(graft_requires_grad(graft_dict_tensor(result, "fc1.weight")));

    /* Nobody else sees what is written to it. */
    const char *name[] = {"fc1.weight", "fc1.bias", "scale"};
    model_bytes source = model_bytes_of(a);
    before = model_bytes_of(b);
    for (int i = 0; i < 3; i++) {
        graft_tensor *other = graft_tensor_clone(graft_dict_tensor(again, name[i]), NULL);
        ((float *)graft_data_mut(graft_dict_tensor(result, name[i])))[0] = 99;
        assert_true(graft_equal(graft_dict_tensor(again, name[i]), other));
    }
    assert_untouched(a, source);
    assert_untouched(b, before);
    /* And it does not see what is written to others. */
    graft_tensor *was = graft_tensor_clone(graft_dict_tensor(again, "fc2.weight"), NULL);
    ((float *)graft_data_mut(graft_dict_tensor(d, "fc2.weight")))[0] = 98;
    assert_true(graft_equal(graft_dict_tensor(again, "fc2.weight"), was));
    assert_no_error(g);
    graft_dict_free(result);
    graft_close(g);
}

static void ties_are_kept(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = tied_new(g), *b = tied_new(g);
    graft_dict *d = graft_dict_clone(graft_state_dict(a), NULL);
    graft_dict_drop(d, "in.weight"); /* the name that comes first in the model */
    graft_dict *result = result_of(graft_plan_into_module(b, d, NULL, NULL));
    assert_true(graft_shares_storage(graft_dict_tensor(result, "in.weight"),
                                     graft_dict_tensor(result, "out.weight")));
    assert_true(graft_shares_storage(graft_dict_tensor(result, "a.bias"),
                                     graft_dict_tensor(result, "b.bias")));
    assert_true(
        graft_equal(graft_dict_tensor(result, "in.weight"), graft_get_parameter(a, "out.weight")));
    /* Without a target those of the source. */
    result = result_of(graft_plan_into_dict(NULL, graft_state_dict(a), NULL, NULL));
    assert_int_equal(graft_dict_len(result), 6);
    assert_true(graft_shares_storage(graft_dict_tensor(result, "in.weight"),
                                     graft_dict_tensor(result, "out.weight")));
    assert_false(graft_shares_storage(graft_dict_tensor(result, "in.weight"),
                                      graft_dict_tensor(result, "a.weight")));
    assert_non_null(graft_dict_dict(graft_dict_attributes(result), "_metadata"));
    assert_no_error(g);
    graft_close(g);
}

static void views_of_a_source_stay_views(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = views_new(g);
    const views *v = (views *)a;
    graft_dict *result = result_of(graft_plan_into_dict(NULL, graft_state_dict(a), NULL, NULL));
    assert_true(graft_equal(graft_dict_tensor(result, "top"), v->top));
    assert_true(graft_equal(graft_dict_tensor(result, "turned"), v->turned));
    assert_true(graft_shares_storage(graft_dict_tensor(result, "top"),
                                     graft_dict_tensor(result, "bottom")));
    assert_false(graft_shares_storage(graft_dict_tensor(result, "top"), v->top));
    /* With `ties break`, and where a target says what shares memory, they come apart. */
    graft_rules *rules = graft_rules_parse(g, "ties break");
    graft_plan *plan[] = {
        graft_plan_into_dict(NULL, graft_state_dict(a), rules, NULL),
        graft_plan_into_module(views_new(g), graft_state_dict(a), NULL, NULL),
    };
    for (int i = 0; i < 2; i++) {
        result = result_of(plan[i]);
        assert_true(graft_equal(graft_dict_tensor(result, "bottom"), v->bottom));
        assert_false(graft_shares_storage(graft_dict_tensor(result, "top"),
                                          graft_dict_tensor(result, "bottom")));
        graft_tensor_info info;
        assert_true(graft_dict_tensor_info(result, 1, &info));
        assert_int_equal(info.storage_bytes, info.bytes);
    }
    assert_no_error(g);
    graft_close(g);
}

static void flags_are_the_targets_or_the_sources(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *source = graft_dict_new(g), *target = graft_dict_new(g);
    graft_tensor *t = graft_set_requires_grad(graft_ones(g, graft_shape1(2), GRAFT_F32), true);
    graft_dict_set_tensor(source, "w", t);
    graft_dict *result = result_of(graft_plan_into_dict(NULL, source, NULL, NULL));
    assert_true(graft_requires_grad(graft_dict_tensor(result, "w")));
    graft_dict_set_tensor(target, "w", graft_ones(g, graft_shape1(2), GRAFT_F32));
    result = result_of(graft_plan_into_dict(target, source, NULL, NULL));
    assert_false(graft_requires_grad(graft_dict_tensor(result, "w")));
    graft_close(g);
}

/* A file into another, with what is read of it only when it is written. */
static void of_a_file(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    char *folder = folder_make(), from[300], to[300];
    snprintf(from, sizeof from, "%s/a.pt", folder);
    snprintf(to, sizeof to, "%s/b.pt", folder);
    graft_module *a = tied_new(g);
    assert_int_equal(graft_save(g, from, graft_state_dict(a)), GRAFT_OK);
    graft_checkpoint *c = graft_checkpoint_open(g, from, NULL);
    graft_plan *plan = graft_plan_into_dict(NULL, graft_checkpoint_root(c), NULL, NULL);
    graft_dict *result = result_of(plan);
    graft_plan_free(plan);
    graft_checkpoint_free(c);
    assert_int_equal(graft_save(g, to, result), GRAFT_OK);
    graft_dict_free(result);
    graft_dict *read = graft_load(g, to, NULL);
    assert_no_error(g);
    assert_int_equal(graft_load_state_dict(tied_new(g), read, NULL, NULL), GRAFT_OK);
    assert_true(
        graft_equal(graft_dict_tensor(read, "out.weight"), graft_get_parameter(a, "in.weight")));
    assert_true(graft_shares_storage(graft_dict_tensor(read, "out.weight"),
                                     graft_dict_tensor(read, "in.weight")));
    assert_no_error(g);
    graft_close(g);
    folder_remove(folder);
}

static void conflicts_have_no_result(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *m = net_new(g);
    graft_dict *d = graft_dict_clone(graft_state_dict(m), NULL);
    graft_dict_set_tensor(d, "scale", graft_ones(g, graft_shape1(9), GRAFT_F32));
    assert_null(graft_plan_result(graft_plan_into_module(m, d, NULL, NULL)));
    assert_error_has(g, GRAFT_ERR_SHAPE, "\"scale\": shape [3] in the target, [9] in the source");
    graft_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_a_model),
        cmocka_unit_test(ties_are_kept),
        cmocka_unit_test(views_of_a_source_stay_views),
        cmocka_unit_test(flags_are_the_targets_or_the_sources),
        cmocka_unit_test(of_a_file),
        cmocka_unit_test(conflicts_have_no_result),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
