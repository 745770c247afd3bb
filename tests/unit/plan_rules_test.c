/* Plans with rules: what they say, what rules leave out, ties, and what needs the target. */
#include <math.h>
#include <stdio.h>

#include "copy_model.h"
#include "failing_allocator.h"
#include "test.h"

static graft_plan *plan_dict(graft_dict *target, const graft_dict *source, const char *lines)
{
    graft_ctx *g = graft_dict_ctx(source);
    graft_rules *rules = graft_rules_parse(g, lines);
    assert_no_error(g);
    graft_plan *plan = graft_plan_into_dict(target, source, rules, NULL);
    graft_rules_free(rules); /* the plan holds it */
    return plan;
}

static int64_t index_of(const graft_plan *plan, const char *name)
{
    for (int64_t i = 0; i < graft_plan_len(plan); i++)
        if (strcmp(graft_plan_name(plan, i), name) == 0)
            return i;
    fail_msg("the plan has no target %s", name);
    return -1;
}

static void assert_target(const graft_plan *plan, const char *name, graft_plan_action action,
                          const char *how)
{
    assert_non_null(plan);
    const int64_t i = index_of(plan, name);
    assert_string_equal(graft_plan_action_name(graft_plan_action_of(plan, i)),
                        graft_plan_action_name(action));
    assert_string_equal(graft_plan_how(plan, i), how);
}

static void put(graft_dict *d, const char *name, graft_shape shape)
{
    graft_ctx *g = graft_dict_ctx(d);
    graft_dict_set_tensor(d, name, graft_rand(g, shape, GRAFT_F32));
}

static void what_is_done_is_said(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *d = graft_dict_new(g);
    put(d, "q", graft_shape2(2, 3));
    put(d, "k", graft_shape2(2, 3));
    put(d, "v", graft_shape2(2, 3));
    put(d, "gates", graft_shape1(4));
    put(d, "fc", graft_shape2(10, 3));
    put(d, "unused", graft_shape1(1));
    graft_plan *plan = plan_dict(NULL, d,
                                 "fuse qkv 0 q k v\n"
                                 "split gates 0 in out\n"
                                 "slice fc 0 0 4\n"
                                 "cast fc float16\n"
                                 "skip unused\n"
                                 "skip nothing.*\n");
    assert_no_error(g);
    assert_int_equal(graft_plan_len(plan), 4);
    assert_target(plan, "qkv", GRAFT_PLAN_FUSED, "q, k and v joined along dim 0");
    assert_target(plan, "in", GRAFT_PLAN_SPLIT, "rows 0 to 1 of gates");
    assert_target(plan, "fc", GRAFT_PLAN_CHANGED, "rows 0 to 3 of fc, float32 to float16");
    assert_string_equal(graft_plan_from(plan, index_of(plan, "out")), "gates");
    assert_int_equal(graft_plan_source_count(plan, GRAFT_PLAN_USED), 5);
    assert_int_equal(graft_plan_source_count(plan, GRAFT_PLAN_SKIPPED), 1);
    assert_int_equal(graft_plan_rule_matches(plan, 4), 1);
    assert_int_equal(graft_plan_rule_matches(plan, 5), 0);
    assert_int_equal(graft_plan_rule_matches(plan, 6), 0);
    assert_non_null(strstr(graft_plan_text(plan), "\n  rule that met nothing: skip nothing.*"));
    graft_dict *result = graft_plan_result(plan);
    graft_plan_free(plan);
    assert_int_equal(graft_dict_len(result), 4);
    assert_true(graft_equal(graft_narrow(graft_dict_tensor(result, "qkv"), 0, 2, 2),
                            graft_dict_tensor(d, "k")));
    assert_true(graft_equal(graft_dict_tensor(result, "out"),
                            graft_narrow(graft_dict_tensor(d, "gates"), 0, 2, 2)));
    assert_int_equal(graft_tensor_dtype(graft_dict_tensor(result, "fc")), GRAFT_F16);
    assert_no_error(g);
    graft_close(g);
}

static void rules_that_must_meet_something(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *m = net_new(g);
    graft_rules *rules = graft_rules_parse(g, "strip module.\nskip fc9.*\nskip fc1.bias\n");
    graft_plan_options o = graft_plan_defaults();
    o.max_unmatched = 1;
    model_bytes before = model_bytes_of(m);
    assert_int_equal(graft_transplant(m, graft_state_dict(net_new(g)), rules, &o, NULL),
                     GRAFT_ERR_ARGUMENT);
    assert_error(g, GRAFT_ERR_ARGUMENT,
                 "plan into Net: 1 problem:\n"
                 "  2 of the rules met nothing, and at most 1 may:\n"
                 "    strip module.\n"
                 "    skip fc9.*");
    assert_untouched(m, before);
    graft_close(g);
}

static void rules_that_cannot_be_applied(void **state)
{
    (void)state;
    graft_ctx *g = test_open(), *h = test_open();
    graft_module *m = net_new(g);
    graft_rules *rules = graft_rules_parse(h, "map fc1.* fc2.*\n");
    assert_null(graft_plan_into_module(m, graft_state_dict(m), rules, NULL));
    assert_error_has(g, GRAFT_ERR_NAME, "(by the rule: map fc1.* fc2.*)");
    assert_int_equal(graft_error_status(h), GRAFT_ERR_NAME);
    graft_close(g);
    graft_close(h);
}

/* ---- Keeping ---- */

static void kept_tensors(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = net_new(g), *b = net_new(g);
    graft_rules *rules = graft_rules_parse(g, "keep fc2.* fc1.bias\n");
    graft_dict *d = graft_dict_clone(graft_state_dict(a), NULL);
    graft_dict_drop(d, "fc1.bias");
    graft_plan_options o = graft_plan_defaults();
    o.max_initial = o.max_left = o.max_unmatched = 0;
    graft_plan *plan = graft_plan_into_module(b, d, rules, &o);
    assert_target(plan, "fc2.bias", GRAFT_PLAN_KEPT, "a rule keeps it");
    assert_target(plan, "fc1.bias", GRAFT_PLAN_KEPT, "a rule keeps it");
    assert_int_equal(graft_plan_source_count(plan, GRAFT_PLAN_SKIPPED), 2);
    graft_tensor *was = graft_tensor_clone(graft_get_parameter(b, "fc2.weight"), NULL);
    assert_int_equal(graft_plan_commit(plan), GRAFT_OK);
    assert_true(graft_equal(graft_get_parameter(b, "fc2.weight"), was));
    assert_true(
        graft_equal(graft_get_parameter(a, "fc1.weight"), graft_get_parameter(b, "fc1.weight")));
    /* Tied names are kept together or not at all. */
    rules = graft_rules_parse(g, "keep in.weight\n");
    graft_module *t = tied_new(g);
    plan = graft_plan_into_module(t, graft_state_dict(tied_new(g)), rules, NULL);
    assert_target(plan, "in.weight", GRAFT_PLAN_CONFLICT,
                  "a rule keeps it, but it is tied with \"out.weight\", which gets a value");
    d = graft_dict_clone(graft_state_dict(t), NULL);
    graft_dict_drop(d, "out.weight");
    plan = graft_plan_into_module(t, d, rules, NULL);
    assert_target(plan, "out.weight", GRAFT_PLAN_KEPT, "a rule keeps it");
    assert_int_equal(graft_plan_check(plan), GRAFT_OK);
    graft_close(g);
}

/* ---- What needs the target ---- */

static void sizes_of_the_target(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *target = graft_dict_new(g), *source = graft_dict_new(g);
    put(target, "embedding", graft_shape2(5, 2));
    put(target, "head", graft_shape2(3, 2));
    put(target, "other", graft_shape3(1, 2, 2));
    put(source, "embedding", graft_shape2(3, 2));
    put(source, "head", graft_shape2(7, 2));
    put(source, "other", graft_shape2(2, 2));
    graft_tensor *was = graft_tensor_clone(graft_dict_tensor(target, "embedding"), NULL);
    graft_plan *plan = plan_dict(target, source, "resize * new=initial\n");
    assert_no_error(g);
    assert_int_equal(graft_plan_action_of(plan, 0), GRAFT_PLAN_CHANGED);
    assert_int_equal(graft_plan_action_of(plan, 1), GRAFT_PLAN_CHANGED);
    assert_int_equal(graft_plan_action_of(plan, 2), GRAFT_PLAN_CONFLICT);
    assert_non_null(strstr(graft_plan_how(plan, 2), "(by the rule: resize * new=initial"));
    assert_int_equal(graft_plan_commit(plan), GRAFT_ERR_ARGUMENT);
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "\"other\": other: resize:");
    graft_plan_free(plan);

    plan = plan_dict(target, source, "skip other\nresize * new=initial\n");
    /* The target's own rows are those of the plan's moment. */
    ((float *)graft_data_mut(graft_dict_tensor(target, "embedding")))[9] = 99;
    assert_int_equal(graft_plan_commit(plan), GRAFT_OK);
    const graft_tensor *now = graft_dict_tensor(target, "embedding");
    assert_true(graft_equal(graft_narrow((graft_tensor *)now, 0, 0, 3),
                            graft_dict_tensor(source, "embedding")));
    assert_true(
        graft_equal(graft_narrow((graft_tensor *)now, 0, 3, 2), graft_narrow(was, 0, 3, 2)));
    assert_true(graft_equal(graft_dict_tensor(target, "head"),
                            graft_narrow(graft_dict_tensor(source, "head"), 0, 0, 3)));
    /* Without a target there is no size to take. */
    plan = plan_dict(NULL, source, "resize head\n");
    assert_target(plan, "head", GRAFT_PLAN_CONFLICT, "a rule needs a target, and there is none");
    assert_no_error(g);
    graft_close(g);
}

/* ---- Ties ---- */

static void ties_are_checked(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *apart = graft_dict_new(g), *joined = graft_dict_new(g);
    graft_tensor *t = graft_ones(g, graft_shape1(2), GRAFT_F32);
    graft_dict_set_tensor(joined, "a", t);
    graft_dict_set_tensor(joined, "b", graft_view(t, graft_shape1(2)));
    graft_dict_set_tensor(apart, "a", graft_ones(g, graft_shape1(2), GRAFT_F32));
    graft_dict_set_tensor(apart, "b", graft_ones(g, graft_shape1(2), GRAFT_F32));
    graft_plan *plan = plan_dict(joined, apart, "ties check\n");
    assert_target(plan, "b", GRAFT_PLAN_CONFLICT, "tied with \"a\" in the target only");
    plan = plan_dict(apart, joined, "ties check\n");
    assert_target(plan, "b", GRAFT_PLAN_CONFLICT, "tied with \"a\" in the source only");
    plan = plan_dict(joined, joined, "ties check\n");
    assert_target(plan, "b", GRAFT_PLAN_TIED, "tied with \"a\"");
    plan = plan_dict(joined, apart, "ties keep\n");
    assert_target(plan, "b", GRAFT_PLAN_TIED, "tied with \"a\"");
    assert_int_equal(graft_plan_commit(plan), GRAFT_OK);
    graft_close(g);
}

static void ties_are_broken(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *m = tied_new(g);
    graft_plan *plan = plan_dict(NULL, graft_state_dict(m), "ties break\n");
    assert_target(plan, "out.weight", GRAFT_PLAN_COPIED, "");
    graft_dict *result = graft_plan_result(plan);
    assert_false(graft_shares_storage(graft_dict_tensor(result, "in.weight"),
                                      graft_dict_tensor(result, "out.weight")));
    assert_true(graft_equal(graft_dict_tensor(result, "in.weight"),
                            graft_dict_tensor(result, "out.weight")));
    /* In a model they can't be, but in a dict of what it would be. */
    graft_rules *rules = graft_rules_parse(g, "ties break\n");
    plan = graft_plan_into_module(m, graft_state_dict(m), rules, NULL);
    result = graft_plan_result(plan);
    assert_false(graft_shares_storage(graft_dict_tensor(result, "in.weight"),
                                      graft_dict_tensor(result, "out.weight")));
    assert_int_equal(graft_plan_commit(plan), GRAFT_OK);
    assert_ptr_equal(graft_get_parameter(m, "in.weight"), graft_get_parameter(m, "out.weight"));
    assert_no_error(g);
    graft_close(g);
}

/* The same steps of one tensor need not be computed to be seen as one value. */
static void tied_values_that_are_computed(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *source = graft_dict_new(g);
    graft_tensor *t = graft_rand(g, graft_shape2(4, 4), GRAFT_F32);
    graft_dict_set_tensor(source, "in.weight", t);
    graft_dict_set_tensor(source, "out.weight", t);
    graft_rules *rules = graft_rules_parse(g, "transpose *\n");
    graft_module *m = tied_new(g);
    graft_plan *plan = graft_plan_into_module(m, source, rules, NULL);
    assert_int_equal(graft_plan_count(plan, GRAFT_PLAN_CHANGED), 1);
    assert_int_equal(graft_plan_count(plan, GRAFT_PLAN_TIED), 1);
    rules = graft_rules_parse(g, "transpose in.weight\n");
    plan = graft_plan_into_module(m, source, rules, NULL);
    assert_int_equal(graft_plan_count(plan, GRAFT_PLAN_CONFLICT), 1);
    assert_non_null(
        strstr(graft_plan_how(plan, index_of(plan, "out.weight")), "first at [0, 1]: "));
    graft_close(g);
}

/* Source and target are one: all is read before anything is written. */
static void into_itself(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *d = graft_dict_new(g);
    put(d, "a", graft_shape2(3, 3));
    put(d, "b", graft_shape2(3, 3));
    graft_tensor *a = graft_dict_tensor(d, "a"), *b = graft_dict_tensor(d, "b");
    graft_tensor *was_a = graft_tensor_clone(a, NULL), *was_b = graft_tensor_clone(b, NULL);
    graft_plan *plan = plan_dict(d, d, "map a c\nmap b a\nmap c b\ntranspose b\n");
    assert_target(plan, "a", GRAFT_PLAN_COPIED, "");
    assert_int_equal(graft_plan_commit(plan), GRAFT_OK);
    assert_ptr_equal(graft_dict_tensor(d, "a"), a);
    assert_true(graft_equal(a, was_b));
    assert_true(graft_equal(b, graft_transpose(was_a, 0, 1)));
    assert_no_error(g);
    graft_close(g);
}

/* In a new dict names stay tied that were, if the same is done to them. */
static void ties_of_a_new_dict(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *source = graft_dict_new(g);
    graft_tensor *t = graft_rand(g, graft_shape2(4, 4), GRAFT_F32);
    const char *name[] = {"a", "b", "c", "d", "e"};
    for (int i = 0; i < 5; i++)
        graft_dict_set_tensor(source, name[i], t);
    graft_plan *plan = plan_dict(NULL, source,
                                 "resize {a,b,c} size=6\n"
                                 "cast {c,d} float16\n"
                                 "keep a\n");
    assert_target(plan, "a", GRAFT_PLAN_CHANGED, "dim 0 from 4 to 6, new ones 0");
    assert_target(plan, "b", GRAFT_PLAN_TIED, "tied with \"a\"");
    assert_int_equal(graft_plan_action_of(plan, 2), GRAFT_PLAN_CHANGED);
    assert_int_equal(graft_plan_action_of(plan, 3), GRAFT_PLAN_CAST);
    assert_int_equal(graft_plan_action_of(plan, 4), GRAFT_PLAN_COPIED);
    assert_int_equal(graft_plan_rule_matches(plan, 2), 0); /* there is nothing to keep */
    graft_dict *result = graft_plan_result(plan);
    assert_no_error(g);
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < i; k++)
            assert_int_equal(graft_shares_storage(graft_dict_tensor(result, name[i]),
                                                  graft_dict_tensor(result, name[k])),
                             i == 1 && k == 0);
    graft_close(g);
}

/* ---- No memory ---- */

static void plan_without_memory(void *user, failing_allocator *f)
{
    (void)user;
    const uint64_t fail_at = f->fail_at;
    f->fail_at = 0;
    graft_ctx *g = test_open(), *h = failing_allocator_open(f);
    graft_module *m = net_new(h);
    graft_dict *d = graft_dict_clone(graft_state_dict(net_new(g)), NULL);
    graft_dict_set_tensor(d, "fc2.weight", graft_ones(g, graft_shape2(5, 3), GRAFT_F32));
    graft_dict_rename_prefix(d, "", "module.", NULL);
    graft_rules *rules = graft_rules_parse(h, "strip module.\n"
                                              "keep mean\n"
                                              "split fc1.weight 0 x y z\n"
                                              "fuse fc1.weight 0 x y z\n"
                                              "resize fc2.weight new=initial\n");
    assert_no_error(h);
    model_bytes before = model_bytes_of(m);
    f->fail_at = f->calls + fail_at;
    char *text = NULL;
    const graft_status st = graft_transplant(m, d, rules, NULL, &text);
    f->fail_at = 0;
    f->keeps_on = false;
    assert_true(st == GRAFT_OK || (f->failed && st == GRAFT_ERR_MEMORY));
    assert_int_equal(graft_error_status(h), st);
    graft_text_free(h, text);
    if (st == GRAFT_OK)
        free(before.data);
    else
        assert_untouched(m, before);
    graft_close(h);
    graft_close(g);
}

static void without_memory_nothing_changes(void **state)
{
    (void)state;
    failing_allocator_sweep(plan_without_memory, NULL);
}

/* A plan is of the rules as they were. */
static void rules_that_come_later(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *d = graft_dict_new(g);
    put(d, "a", graft_shape1(1));
    put(d, "b", graft_shape1(1));
    graft_rules *rules = graft_rules_parse(g, "add x.\n");
    graft_plan_options o = graft_plan_defaults();
    o.max_unmatched = 0;
    graft_plan *plan = graft_plan_into_dict(NULL, d, rules, &o);
    for (int i = 0; i < 100; i++)
        assert_int_equal(graft_rules_add(rules, "ties break"), GRAFT_OK);
    assert_int_equal(graft_plan_rule_matches(plan, 0), 2);
    for (int i = 1; i < 101; i++)
        assert_int_equal(graft_plan_rule_matches(plan, i), 0);
    assert_int_equal(graft_plan_check(plan), GRAFT_OK);
    assert_null(strstr(graft_plan_text(plan), "met nothing"));
    graft_plan_free(plan);
    graft_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_done_is_said),
        cmocka_unit_test(rules_that_must_meet_something),
        cmocka_unit_test(rules_that_cannot_be_applied),
        cmocka_unit_test(kept_tensors),
        cmocka_unit_test(sizes_of_the_target),
        cmocka_unit_test(ties_are_checked),
        cmocka_unit_test(ties_are_broken),
        cmocka_unit_test(into_itself),
        cmocka_unit_test(ties_of_a_new_dict),
        cmocka_unit_test(tied_values_that_are_computed),
        cmocka_unit_test(rules_that_come_later),
        cmocka_unit_test(without_memory_nothing_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
