/* The optimizer goes along: moments and step counts through a plan. */
#include "copy_model.h"
#include "failing_allocator.h"
#include "test.h"

/* ---- Optimizers ---- */

static graft_optimizer *amsgrad(graft_module *m)
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

static graft_tensor *input(graft_ctx *g)
{
    return graft_rand(g, graft_shape2(5, 4), GRAFT_F32);
}

/* ---- Plans ---- */

static graft_plan *plan_into(graft_module *m, const graft_dict *source, const char *lines)
{
    graft_rules *rules = lines ? graft_rules_parse(m->ctx, lines) : NULL;
    graft_plan *plan = graft_plan_into_module(m, source, rules, NULL);
    assert_no_error(m->ctx);
    assert_non_null(plan);
    graft_rules_free(rules);
    return plan;
}

static graft_moment_report *carry(graft_optimizer *opt, const graft_dict *state,
                                  const graft_plan *plan)
{
    graft_moment_report *report = NULL;
    assert_int_equal(graft_transplant_optimizer(opt, state, plan, NULL, &report), GRAFT_OK);
    assert_non_null(report);
    return report;
}

static graft_status refused(graft_optimizer *opt, const graft_dict *state, const graft_plan *plan)
{
    graft_moment_report *report = (void *)opt;
    const graft_status st = graft_transplant_optimizer(opt, state, plan, NULL, &report);
    assert_null(report);
    assert_int_not_equal(st, GRAFT_OK);
    return st;
}

static void assert_moment(const graft_moment_report *r, const char *name,
                          graft_moment_action action, const char *how)
{
    for (int64_t i = 0; i < graft_moment_report_len(r); i++) {
        if (strcmp(graft_moment_report_name(r, i), name) != 0)
            continue;
        assert_string_equal(graft_moment_report_how(r, i), how);
        assert_int_equal(graft_moment_report_action(r, i), action);
        return;
    }
    fail_msg("the report has no %s", name);
}

/* Every element that an optimizer's state holds, and its step counts. */
static void assert_same_state(const graft_dict *a, const graft_dict *b)
{
    graft_scope_begin(graft_dict_ctx(a));
    graft_dict *x = graft_dict_flatten(a), *y = graft_dict_flatten(b);
    assert_int_equal(graft_dict_len(x), graft_dict_len(y));
    for (int64_t i = 0; i < graft_dict_len(x); i++) {
        assert_string_equal(graft_dict_key(x, i), graft_dict_key(y, i));
        assert_true(graft_equal(graft_dict_tensor_at(x, i), graft_dict_tensor_at(y, i)));
    }
    graft_scope_end(graft_dict_ctx(a));
}

/* ---- Into an optimizer ---- */

static void what_is_renamed_goes_on_bit_for_bit(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_optimizer *(*make[])(graft_module *) = {amsgrad, momentum, adamw};
    for (int i = 0; i < 3; i++) {
        graft_module *a = net_new(g), *b = graft_sequential(g);
        graft_sequential_add(b, net_new(g));
        graft_tensor *x = input(g);
        graft_optimizer *opt_a = make[i](a), *opt_b = make[i](b);
        steps(a, opt_a, x, 3);
        steps(b, opt_b, x, 1);
        graft_plan *plan = plan_into(b, graft_state_dict(a), "add 0.\n");
        if (i == 1) /* committed before or afterwards */
            assert_int_equal(graft_plan_commit(plan), GRAFT_OK);
        graft_moment_report *r = carry(opt_b, graft_optimizer_state_dict(opt_a), plan);
        if (i != 1)
            assert_int_equal(graft_plan_commit(plan), GRAFT_OK);
        assert_moment(r, "0.fc1.weight", GRAFT_MOMENT_COPIED, "");
        assert_string_equal(
            graft_moment_report_text(r),
            "optimizer: of 5 parameters the state of 5 is copied, of 0 changed with them, of 0 "
            "dropped");
        steps(a, opt_a, x, 4);
        steps(b, opt_b, x, 4);
        for (int64_t k = 0; k < graft_dict_len(graft_parameters(a)); k++)
            assert_true(graft_equal(graft_dict_tensor_at(graft_parameters(a), k),
                                    graft_dict_tensor_at(graft_parameters(b), k)));
        assert_same_state(graft_dict_dict(graft_optimizer_state_dict(opt_a), "state"),
                          graft_dict_dict(graft_optimizer_state_dict(opt_b), "state"));
    }
    graft_close(g);
}

static void what_grows_begins_at_zero(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = graft_linear(g, 4, 3, true), *b = graft_linear(g, 4, 5, true);
    graft_tensor *x = input(g);
    graft_optimizer *opt_a = amsgrad(a), *opt_b = amsgrad(b);
    steps(a, opt_a, x, 3);
    graft_plan *plan = plan_into(b, graft_state_dict(a), "resize weight new=mean\nresize bias\n");
    graft_adam_group(opt_b, 0)->lr = 0.125;
    graft_moment_report *r = carry(opt_b, graft_optimizer_state_dict(opt_a), plan);
    assert_int_equal(graft_moment_report_action(r, 0), GRAFT_MOMENT_CHANGED);
    assert_string_equal(graft_moment_report_how(r, 0), graft_plan_how(plan, 0));
    assert_true(graft_adam_group(opt_b, 0)->lr == 0.125); /* hyperparameters stay */
    const char *keys[] = {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"};
    graft_dict *was = graft_dict_dict(graft_optimizer_state_dict(opt_a), "state");
    graft_dict *is = graft_dict_dict(graft_optimizer_state_dict(opt_b), "state");
    for (int k = 0; k < 3; k++) {
        char path[32];
        snprintf(path, sizeof path, "0.%s", keys[k]);
        graft_tensor *t = graft_dict_tensor(is, path);
        assert_true(graft_equal(graft_narrow(t, 0, 0, 3), graft_dict_tensor(was, path)));
        assert_true(
            graft_equal(graft_narrow(t, 0, 3, 2), graft_zeros(g, graft_shape2(2, 4), GRAFT_F32)));
    }
    assert_true(graft_item(graft_dict_tensor(is, "1.step")) == 3);
    steps(b, opt_b, x, 1);
    graft_close(g);
}

static void what_is_new_begins_anew(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = net_new(g), *b = net_new(g);
    graft_tensor *x = input(g);
    graft_optimizer *opt_a = amsgrad(a), *opt_b = amsgrad(b);
    steps(a, opt_a, x, 3);
    steps(b, opt_b, x, 2);
    graft_plan *plan = plan_into(b, graft_state_dict(a), "skip fc2.weight\nkeep fc1.bias\n");
    graft_moment_report *r = carry(opt_b, graft_optimizer_state_dict(opt_a), plan);
    assert_moment(r, "fc2.weight", GRAFT_MOMENT_DROPPED, "the parameter keeps its initial value");
    assert_moment(r, "fc1.bias", GRAFT_MOMENT_DROPPED, "the parameter keeps its initial value");
    assert_moment(r, "fc1.weight", GRAFT_MOMENT_COPIED, "");
    assert_string_equal(
        graft_moment_report_text(r),
        "optimizer: of 5 parameters the state of 3 is copied, of 0 changed with them, of 2 "
        "dropped\n"
        "  fc1.bias: dropped: the parameter keeps its initial value\n"
        "  fc2.weight: dropped: the parameter keeps its initial value");
    assert_int_equal(graft_dict_len(graft_dict_dict(graft_optimizer_state_dict(opt_b), "state")),
                     3);
    graft_moment_report_free(r);
    graft_plan_free(plan);
    graft_close(g);
}

/* Layers q, k, v whose optimizer has one state for each. */
static graft_module *parts_new(graft_ctx *g)
{
    graft_module *m = graft_sequential(g);
    for (int i = 0; i < 3; i++)
        graft_sequential_add(m, graft_linear(g, 4, 4, false));
    return m;
}

static const char *const FUSE = "fuse weight 0 0.weight 1.weight 2.weight\n";

static void what_is_fused(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *parts = parts_new(g), *whole = graft_linear(g, 4, 12, false);
    graft_tensor *x = input(g);
    graft_optimizer *from = amsgrad(parts), *into = amsgrad(whole);
    steps(parts, from, x, 2);
    graft_dict *saved = graft_dict_clone(graft_optimizer_state_dict(from), NULL);
    graft_plan *plan = plan_into(whole, graft_state_dict(parts), FUSE);
    graft_moment_report *r = carry(into, saved, plan);
    assert_moment(r, "weight", GRAFT_MOMENT_CHANGED, graft_plan_how(plan, 0));
    graft_dict *is = graft_dict_dict(graft_optimizer_state_dict(into), "state");
    assert_true(graft_equal(graft_narrow(graft_dict_tensor(is, "0.exp_avg_sq"), 0, 4, 4),
                            graft_dict_tensor(saved, "state.1.exp_avg_sq")));
    assert_true(graft_item(graft_dict_tensor(is, "0.step")) == 2);
    /* And back. */
    graft_plan *apart =
        plan_into(parts, graft_state_dict(whole), "split weight 0 0.weight 1.weight 2.weight\n");
    carry(from, graft_optimizer_state_dict(into), apart);
    assert_same_state(graft_dict_dict(graft_optimizer_state_dict(from), "state"),
                      graft_dict_dict(saved, "state"));
    /* Step counts that differ, of numbers or tensors. */
    graft_dict *entry = graft_dict_dict(graft_dict_dict(saved, "state"), "2");
    graft_dict_set_int(entry, "step", 3);
    assert_moment(carry(into, saved, plan), "weight", GRAFT_MOMENT_DROPPED,
                  "step of 0.weight and 2.weight differ");
    assert_int_equal(graft_dict_len(graft_dict_dict(graft_optimizer_state_dict(into), "state")), 0);
    graft_dict_set_int(entry, "step", 2);
    assert_moment(carry(into, saved, plan), "weight", GRAFT_MOMENT_CHANGED,
                  graft_plan_how(plan, 0));
    /* A part that lacks a moment, or all. */
    graft_dict_drop(entry, "exp_avg");
    assert_moment(carry(into, saved, plan), "weight", GRAFT_MOMENT_DROPPED,
                  "exp_avg can't go through what is done to the parameter");
    graft_dict_set_int_key_dict(graft_dict_dict(saved, "state"), 2, graft_dict_new(g));
    assert_moment(carry(into, saved, plan), "weight", GRAFT_MOMENT_DROPPED,
                  "the source's optimizer has none for 2.weight");
    assert_no_error(g);
    graft_close(g);
}

static void parts_of_two_dtypes(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *parts = parts_new(g), *whole = graft_linear(g, 4, 12, false);
    graft_optimizer *from = momentum(parts), *into = momentum(whole);
    steps(parts, from, input(g), 2);
    graft_dict *saved = graft_dict_clone(graft_optimizer_state_dict(from), NULL);
    graft_dict *entry = graft_dict_dict(graft_dict_dict(saved, "state"), "1");
    graft_tensor *half = graft_to(graft_dict_tensor(entry, "momentum_buffer"), GRAFT_F16);
    graft_dict_set_tensor(entry, "momentum_buffer", half);
    graft_plan *plan = plan_into(whole, graft_state_dict(parts), FUSE);
    carry(into, saved, plan);
    graft_tensor *t =
        graft_dict_tensor(graft_optimizer_state_dict(into), "state.0.momentum_buffer");
    assert_true(graft_equal(graft_narrow(t, 0, 4, 4), graft_to(half, GRAFT_F32)));
    /* SGD without a step behind it has None. */
    graft_dict_set_none(entry, "momentum_buffer");
    carry(into, saved, plan);
    entry = graft_dict_dict(graft_dict_dict(saved, "state"), "0");
    graft_dict_set_none(entry, "momentum_buffer");
    assert_moment(carry(into, saved, plan), "weight", GRAFT_MOMENT_DROPPED,
                  "momentum_buffer of 0.weight and 2.weight differ");
    assert_no_error(g);
    graft_close(g);
}

static void what_is_tied(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = tied_new(g), *b = tied_new(g);
    graft_tensor *x = input(g);
    graft_optimizer *opt_a = amsgrad(a), *opt_b = amsgrad(b);
    steps(a, opt_a, x, 2);
    graft_dict *was = graft_dict_dict(graft_optimizer_state_dict(opt_a), "state");
    /* The optimizer knows the first names; the source has the others. */
    graft_plan *plan = plan_into(b, graft_state_dict(a), "skip in.weight a.*\n");
    graft_moment_report *r = carry(opt_b, was ? graft_optimizer_state_dict(opt_a) : NULL, plan);
    assert_int_equal(graft_moment_report_len(r), 3);
    assert_moment(r, "in.weight", GRAFT_MOMENT_COPIED, "");
    assert_same_state(was, graft_dict_dict(graft_optimizer_state_dict(opt_b), "state"));
    /* One of two names that are tied no more is trained. */
    graft_dict *loose = graft_dict_new(g);
    const char *names[] = {"a.weight", "a.bias", "b.weight", "b.bias", "in.weight", "out.weight"};
    for (int i = 5; i >= 0; i--)
        graft_dict_set_tensor(
            loose, names[i],
            graft_tensor_clone(graft_dict_tensor(graft_state_dict(a), names[i]), NULL));
    plan = plan_into(b, loose, NULL);
    opt_b = amsgrad(b);
    carry(opt_b, graft_optimizer_state_dict(opt_a), plan);
    assert_same_state(was, graft_dict_dict(graft_optimizer_state_dict(opt_b), "state"));
    assert_no_error(g);
    graft_close(g);
}

static void some_of_the_parameters_in_groups(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = net_new(g), *b = net_new(g);
    graft_dict *head = graft_dict_clone(graft_parameters(a), NULL);
    graft_tensor *x = input(g);
    graft_dict *first = graft_dict_new(g), *second = graft_dict_new(g);
    graft_dict_set_tensor(first, "fc2.bias", graft_get_parameter(a, "fc2.bias"));
    graft_dict_set_tensor(second, "fc1.weight", graft_get_parameter(a, "fc1.weight"));
    graft_optimizer *opt_a = graft_adam(first, NULL);
    graft_adam_add_group(opt_a, second, NULL);
    steps(a, opt_a, x, 2);
    graft_optimizer *opt_b = amsgrad(b);
    graft_plan *plan = plan_into(b, graft_state_dict(a), NULL);
    graft_moment_report *r = carry(opt_b, graft_optimizer_state_dict(opt_a), plan);
    assert_moment(r, "fc1.weight", GRAFT_MOMENT_COPIED, "");
    assert_moment(r, "fc2.bias", GRAFT_MOMENT_COPIED, "");
    assert_moment(r, "fc2.weight", GRAFT_MOMENT_DROPPED,
                  "the source's optimizer has none for fc2.weight");
    /* The other way round: all are there, the optimizer has two. */
    carry(opt_a, graft_optimizer_state_dict(opt_b), plan_into(a, graft_state_dict(b), NULL));
    graft_dict *is = graft_dict_dict(graft_optimizer_state_dict(opt_a), "state");
    assert_int_equal(graft_dict_len(is), 2);
    assert_true(graft_item(graft_dict_tensor(is, "0.step")) == 2);
    /* Parameters of another model. */
    assert_int_equal(refused(opt_a, graft_optimizer_state_dict(opt_b), plan), GRAFT_ERR_NAME);
    assert_error(g, GRAFT_ERR_NAME,
                 "transplant_optimizer: the optimizer's parameter \"fc2.bias\" is none of the "
                 "plan's target");
    graft_dict_free(head);
    graft_close(g);
}

/* ---- Without names ---- */

static graft_dict *nameless(const graft_optimizer *opt)
{
    graft_dict *saved = graft_dict_clone(graft_optimizer_state_dict(opt), NULL);
    graft_dict *groups = graft_dict_dict(saved, "param_groups");
    for (int64_t i = 0; i < graft_dict_len(groups); i++)
        graft_dict_drop(graft_dict_dict_at(groups, i), "param_names");
    return saved;
}

static void positions_without_names(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = net_new(g), *b = net_new(g);
    graft_optimizer *opt_a = amsgrad(a), *opt_b = amsgrad(b);
    steps(a, opt_a, input(g), 2);
    graft_dict *saved = nameless(opt_a);
    graft_dict *was = graft_dict_dict(graft_optimizer_state_dict(opt_a), "state");
    graft_plan *plan = plan_into(b, graft_state_dict(a), NULL);
    refused(opt_b, saved, plan);
    assert_error(g, GRAFT_ERR_ARGUMENT,
                 "transplant_optimizer: the optimizer has 5 parameters, the source 6 that look "
                 "like parameters: give their names in the optimizer's order");
    graft_dict *parameters = graft_parameters(a), *names = graft_dict_new(g);
    graft_dict *list = graft_list_new(g);
    for (int64_t i = 0; i < graft_dict_len(parameters); i++)
        graft_list_push_string(list, graft_dict_key(parameters, i));
    assert_int_equal(graft_transplant_optimizer(opt_b, saved, plan, list, NULL), GRAFT_OK);
    assert_same_state(was, graft_dict_dict(graft_optimizer_state_dict(opt_b), "state"));
    /* Without the buffer that none can tell from a parameter they are found. */
    graft_dict *source = graft_dict_clone(graft_state_dict(a), NULL);
    graft_dict_drop(source, "mean");
    opt_b = amsgrad(b);
    carry(opt_b, saved, plan_into(b, source, NULL));
    assert_same_state(was, graft_dict_dict(graft_optimizer_state_dict(opt_b), "state"));
    /* Names in a wrong order, of what is not there, and none at all. */
    const char *wrong[] = {"fc1.weight", "scale", "fc1.bias", "fc2.weight", "fc2.bias"};
    graft_dict *other = graft_list_new(g);
    for (int i = 0; i < 5; i++)
        graft_list_push_string(other, wrong[i]);
    assert_int_equal(graft_transplant_optimizer(opt_b, saved, plan, other, NULL), GRAFT_ERR_SHAPE);
    assert_error(g, GRAFT_ERR_SHAPE,
                 "transplant_optimizer: exp_avg of \"fc1.weight\" has shape [3], the parameter [3, "
                 "4]: is the order of the names the optimizer's?");
    graft_list_push_string(other, "fc3.bias");
    assert_int_equal(graft_transplant_optimizer(opt_b, saved, plan, other, NULL), GRAFT_ERR_NAME);
    assert_error(g, GRAFT_ERR_NAME,
                 "transplant_optimizer: the optimizer has a parameter \"fc3.bias\", the plan's "
                 "source does not");
    assert_int_equal(graft_transplant_optimizer(opt_b, saved, plan, names, NULL),
                     GRAFT_ERR_ARGUMENT);
    assert_error(g, GRAFT_ERR_ARGUMENT,
                 "transplant_optimizer: the optimizer has 5 parameters, and there are names for 0");
    assert_same_state(was, graft_dict_dict(graft_optimizer_state_dict(opt_b), "state"));
    graft_close(g);
}

/* ---- What is no state dict ---- */

typedef graft_dict *damage(graft_dict *saved);

static graft_dict *group_of(graft_dict *saved)
{
    return graft_dict_dict_at(graft_dict_dict(saved, "param_groups"), 0);
}

static graft_dict *no_state(graft_dict *saved)
{
    graft_dict_drop(saved, "state");
    return saved;
}

static graft_dict *no_groups(graft_dict *saved)
{
    graft_dict_set_int(saved, "param_groups", 1);
    return saved;
}

static graft_dict *no_params(graft_dict *saved)
{
    graft_dict_drop(group_of(saved), "params");
    return saved;
}

static graft_dict *few_names(graft_dict *saved)
{
    graft_dict_set_dict(group_of(saved), "param_names", graft_list_new(graft_dict_ctx(saved)));
    return saved;
}

/* The list under the key in the group with its first two entries replaced. */
static graft_dict *beginning(graft_dict *saved, const char *key)
{
    graft_dict_set_dict(group_of(saved), key, graft_list_new(graft_dict_ctx(saved)));
    return graft_dict_dict(group_of(saved), key);
}

static graft_dict *rest_of_names(graft_dict *saved, graft_dict *names)
{
    const char *const rest[] = {"fc1.bias", "fc2.weight", "fc2.bias"};
    for (int i = 0; i < 3; i++)
        graft_list_push_string(names, rest[i]);
    return saved;
}

static graft_dict *number_for_name(graft_dict *saved)
{
    graft_dict *names = beginning(saved, "param_names");
    graft_list_push_string(names, "scale");
    graft_list_push_int(names, 7);
    return rest_of_names(saved, names);
}

static graft_dict *name_twice(graft_dict *saved)
{
    graft_dict *names = beginning(saved, "param_names");
    graft_list_push_string(names, "scale");
    graft_list_push_string(names, "scale");
    return rest_of_names(saved, names);
}

static graft_dict *rest_of_positions(graft_dict *saved, graft_dict *params)
{
    for (int i = 2; i < 5; i++)
        graft_list_push_int(params, i);
    return saved;
}

static graft_dict *position_twice(graft_dict *saved)
{
    graft_dict *params = beginning(saved, "params");
    graft_list_push_int(params, 0);
    graft_list_push_int(params, 0);
    graft_dict_set_int_key_dict(graft_dict_dict(saved, "state"), 0,
                                graft_dict_new(graft_dict_ctx(saved)));
    return rest_of_positions(saved, params);
}

static graft_dict *position_of_none(graft_dict *saved)
{
    graft_dict *params = beginning(saved, "params");
    graft_list_push_int(params, 0);
    graft_list_push_int(params, 99);
    return rest_of_positions(saved, params);
}

static graft_dict *text_for_position(graft_dict *saved)
{
    graft_dict *params = beginning(saved, "params");
    graft_list_push_int(params, 0);
    graft_list_push_string(params, "1");
    return rest_of_positions(saved, params);
}

static graft_dict *state_no_dict(graft_dict *saved)
{
    graft_dict_set_int_key_int(graft_dict_dict(saved, "state"), 0, 5);
    return saved;
}

static graft_dict *odd_state(graft_dict *saved)
{
    graft_dict_set_int(graft_dict_dict(saved, "state"), "odd", 5);
    return saved;
}

static graft_dict *foreign_key(graft_dict *saved)
{
    graft_dict_set_float(graft_dict_dict(graft_dict_dict(saved, "state"), "0"), "mu_product", 1);
    return saved;
}

static graft_dict *moment_shape(graft_dict *saved)
{
    graft_ctx *g = graft_dict_ctx(saved);
    graft_dict_set_tensor(graft_dict_dict(graft_dict_dict(saved, "state"), "0"), "exp_avg",
                          graft_ones(g, graft_shape1(7), GRAFT_F32));
    return saved;
}

static void what_is_refused(void **state)
{
    (void)state;
    static const struct {
        damage *damage;
        graft_status status;
        const char *text;
    } cases[] = {
        {no_state, GRAFT_ERR_NAME, "the dict has no 'state'"},
        {no_groups, GRAFT_ERR_NAME, "the dict has no 'param_groups'"},
        {no_params, GRAFT_ERR_NAME, "group 0 has no list of 'params'"},
        {few_names, GRAFT_ERR_ARGUMENT, "group 0 has 5 parameters and 0 names"},
        {number_for_name, GRAFT_ERR_NAME, "\"(no string)\""},
        {name_twice, GRAFT_ERR_NAME, "the optimizer has \"scale\" twice"},
        {position_twice, GRAFT_ERR_ARGUMENT, "the groups name position 0 twice"},
        {position_of_none, GRAFT_ERR_ARGUMENT, "there is a state '1'"},
        {text_for_position, GRAFT_ERR_ARGUMENT, "what is not a position"},
        {state_no_dict, GRAFT_ERR_ARGUMENT, "the state of \"scale\" is not a dict"},
        {odd_state, GRAFT_ERR_ARGUMENT, "there is a state 'odd'"},
        {foreign_key, GRAFT_ERR_NAME, "'mu_product', which Adam does not keep"},
        {moment_shape, GRAFT_ERR_SHAPE, "exp_avg of \"scale\" has shape [7]"},
    };
    graft_ctx *g = test_open();
    graft_module *a = net_new(g), *b = net_new(g);
    graft_optimizer *opt_a = amsgrad(a), *opt_b = amsgrad(b);
    steps(a, opt_a, input(g), 2);
    steps(b, opt_b, input(g), 1);
    graft_plan *plan = plan_into(b, graft_state_dict(a), NULL);
    graft_dict *before = graft_dict_clone(graft_optimizer_state_dict(opt_b), NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        graft_dict *saved = graft_dict_clone(graft_optimizer_state_dict(opt_a), NULL);
        assert_int_equal(refused(opt_b, cases[i].damage(saved), plan), cases[i].status);
        assert_error_has(g, cases[i].status, cases[i].text);
        assert_same_state(graft_dict_dict(before, "state"),
                          graft_dict_dict(graft_optimizer_state_dict(opt_b), "state"));
    }
    assert_int_equal(refused(opt_b, NULL, plan), GRAFT_ERR_ARGUMENT);
    assert_error(g, GRAFT_ERR_ARGUMENT, "transplant_optimizer: the state is NULL");
    assert_null(graft_transplant_optimizer_dict(NULL, plan, NULL, NULL));
    assert_error(g, GRAFT_ERR_ARGUMENT, "transplant_optimizer: the state is NULL");
    /* A plan that may not be committed. */
    graft_dict *source = graft_dict_clone(graft_state_dict(a), NULL);
    graft_dict_set_tensor(source, "scale", graft_ones(g, graft_shape1(7), GRAFT_F32));
    plan = plan_into(b, source, NULL);
    assert_int_equal(refused(opt_b, before, plan), GRAFT_ERR_SHAPE);
    assert_error_has(g, GRAFT_ERR_SHAPE, "plan into Net: 1 problem");
    graft_close(g);
}

static void the_first_error_stays(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = net_new(g), *b = net_new(g);
    graft_optimizer *opt_a = amsgrad(a), *opt_b = amsgrad(b);
    steps(a, opt_a, input(g), 2);
    graft_plan *plan = plan_into(b, graft_state_dict(a), "skip fc1.weight\n");
    graft_dict *saved = graft_dict_clone(graft_optimizer_state_dict(opt_a), NULL);
    graft_rules_parse(g, "no rule\n");
    const graft_status status = graft_error_status(g);
    assert_int_not_equal(status, GRAFT_OK);
    assert_int_equal(graft_transplant_optimizer(opt_b, saved, plan, NULL, NULL), GRAFT_OK);
    assert_int_equal(graft_dict_len(graft_dict_dict(graft_optimizer_state_dict(opt_b), "state")),
                     4);
    graft_dict_drop(saved, "state");
    assert_int_equal(refused(opt_b, saved, plan), GRAFT_ERR_NAME);
    assert_error_has(g, status, "no");
    graft_close(g);
}

static void from_another_context(void **state)
{
    (void)state;
    graft_ctx *g = test_open(), *h = test_open();
    graft_module *a = net_new(g), *b = net_new(h);
    graft_optimizer *opt_a = amsgrad(a), *opt_b = amsgrad(b);
    steps(a, opt_a, input(g), 2);
    graft_plan *plan = plan_into(b, graft_state_dict(a), NULL);
    graft_dict *saved = graft_dict_clone(graft_optimizer_state_dict(opt_a), NULL);
    carry(opt_b, graft_optimizer_state_dict(opt_a), plan);
    graft_tensor *far = graft_dict_tensor(graft_optimizer_state_dict(opt_b), "state.1.exp_avg");
    graft_tensor *near = graft_tensor_clone(graft_dict_tensor(saved, "state.1.exp_avg"), h);
    assert_true(graft_equal(far, near));
    graft_dict *d = graft_transplant_optimizer_dict(saved, plan, NULL, NULL);
    assert_true(graft_dict_ctx(d) == h);
    /* The optimizer must be of the plan's context. */
    refused(opt_a, saved, plan);
    assert_error(h, GRAFT_ERR_ARGUMENT,
                 "transplant_optimizer: the optimizer and the plan's target are of two contexts");
    graft_close(g); /* what was carried does not need it */
    assert_true(graft_equal(graft_dict_tensor(d, "state.1.exp_avg"), near));
    steps(b, opt_b, input(h), 1);
    graft_close(h);
}

/* ---- Into a dict ---- */

static void assert_strings(const graft_dict *list, const char *const *expected, int64_t n)
{
    assert_int_equal(graft_dict_len(list), n);
    for (int64_t i = 0; i < n; i++)
        assert_string_equal(graft_dict_string_at(list, i), expected[i]);
}

static void a_dict_that_goes_with_the_result(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = tied_new(g);
    graft_optimizer *opt_a = amsgrad(a);
    steps(a, opt_a, input(g), 2);
    graft_dict *saved = graft_dict_clone(graft_optimizer_state_dict(opt_a), NULL);
    graft_rules *rules = graft_rules_parse(g, "add net.\nmap net.in.weight net.z.weight\n");
    graft_plan *plan = graft_plan_into_dict(NULL, graft_state_dict(a), rules, NULL);
    graft_moment_report *r = NULL;
    graft_dict *d = graft_transplant_optimizer_dict(saved, plan, NULL, &r);
    assert_no_error(g);
    const graft_dict *group = graft_dict_dict_at(graft_dict_dict(d, "param_groups"), 0);
    assert_true(graft_dict_float_at(group, graft_dict_find(group, "lr")) == 0.05);
    assert_strings(graft_dict_dict(group, "param_names"),
                   (const char *const[]){"net.a.weight", "net.a.bias", "net.z.weight"}, 3);
    assert_same_state(graft_dict_dict(d, "state"), graft_dict_dict(saved, "state"));
    assert_int_equal(graft_moment_report_len(r), 3);
    /* What was given stays as it was, and has memory of its own. */
    const graft_dict *given = graft_dict_dict_at(graft_dict_dict(saved, "param_groups"), 0);
    assert_string_equal(graft_dict_string_at(graft_dict_dict(given, "param_names"), 2),
                        "in.weight");
    graft_fill_(graft_dict_tensor(d, "state.0.exp_avg"), 3);
    assert_true(
        graft_equal(graft_dict_tensor(saved, "state.0.exp_avg"),
                    graft_dict_tensor(graft_optimizer_state_dict(opt_a), "state.0.exp_avg")));
    graft_moment_report_free(r);
    graft_dict_free(d);
    graft_close(g);
}

static void layers_that_are_stacked_are_several(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = parts_new(g);
    graft_optimizer *opt_a = momentum(a);
    steps(a, opt_a, input(g), 2);
    graft_rules *rules = graft_rules_parse(g, "add l.\nstack l. 0-1 1-2\n");
    assert_no_error(g);
    graft_plan *plan = graft_plan_into_dict(NULL, graft_state_dict(a), rules, NULL);
    assert_no_error(g);
    graft_dict *d =
        graft_transplant_optimizer_dict(graft_optimizer_state_dict(opt_a), plan, NULL, NULL);
    assert_no_error(g);
    const graft_dict *group = graft_dict_dict_at(graft_dict_dict(d, "param_groups"), 0);
    assert_strings(graft_dict_dict(group, "param_names"),
                   (const char *const[]){"l.0.weight", "l.1.weight", "l.2.weight", "l.3.weight"},
                   4);
    graft_tensor *one = graft_dict_tensor(d, "state.1.momentum_buffer");
    graft_tensor *two = graft_dict_tensor(d, "state.2.momentum_buffer");
    assert_true(graft_equal(one, two));
    assert_false(graft_shares_storage(one, two));
    graft_close(g);
}

/* State that is known only to the optimizer that made it. */
static void foreign_state(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = graft_linear(g, 4, 4, true);
    graft_optimizer *opt = amsgrad(a);
    graft_dict *saved = graft_dict_clone(graft_optimizer_state_dict(opt), NULL);
    graft_dict *states = graft_dict_dict(saved, "state");
    for (int i = 0; i < 2; i++) {
        graft_dict *entry = graft_dict_new(g), *list = graft_list_new(g);
        graft_list_push_int(list, 5);
        graft_dict_set_int(entry, "step", 4);
        graft_dict_set_string(entry, "kind", "odd");
        if (i == 0)
            graft_dict_set_tensor(entry, "preconditioner",
                                  graft_ones(g, graft_shape2(4, 4), GRAFT_F32));
        else
            graft_dict_set_dict(entry, "history", list);
        graft_dict_set_int_key_dict(states, i, entry);
    }
    graft_plan *same = plan_into(a, graft_state_dict(a), NULL);
    graft_dict *d = graft_transplant_optimizer_dict(saved, same, NULL, NULL);
    assert_no_error(g);
    assert_non_null(graft_dict_tensor(d, "state.0.preconditioner"));
    graft_dict *entry = graft_dict_dict(graft_dict_dict(d, "state"), "1");
    assert_string_equal(graft_dict_string_at(entry, graft_dict_find(entry, "kind")), "odd");
    assert_int_equal(graft_dict_int_at(graft_dict_dict(entry, "history"), 0), 5);
    graft_moment_report *r = NULL;
    graft_plan *other =
        plan_into(graft_linear(g, 4, 5, true), graft_state_dict(a), "resize weight\nresize bias\n");
    d = graft_transplant_optimizer_dict(saved, other, NULL, &r);
    assert_moment(r, "weight", GRAFT_MOMENT_DROPPED,
                  "no way is known for preconditioner through what is done to the parameter");
    assert_moment(r, "bias", GRAFT_MOMENT_DROPPED,
                  "no way is known for history through what is done to the parameter");
    assert_int_equal(graft_dict_len(graft_dict_dict(d, "state")), 0);
    graft_close(g);
}

/* ---- Without memory ---- */

/* Adam's state, its options and nothing else, is as it was after any failure. */
static void carry_without_memory(void *user, failing_allocator *memory)
{
    (void)user;
    const uint64_t fail_at = memory->fail_at;
    memory->fail_at = 0;
    graft_ctx *g = failing_allocator_open(memory);
    assert_non_null(g);
    graft_module *a = parts_new(g), *b = graft_sequential(g);
    graft_sequential_add(b, graft_linear(g, 4, 8, false));
    graft_sequential_add(b, graft_linear(g, 8, 4, false));
    graft_optimizer *opt_a = amsgrad(a), *opt_b = amsgrad(b);
    steps(a, opt_a, input(g), 1);
    steps(b, opt_b, input(g), 2);
    graft_rules *rules = graft_rules_parse(
        g, "fuse x.weight 0 0.weight 1.weight\nmap 2.weight 1.weight\nmap x.weight 0.weight\n"
           "resize 1.weight dim=1\n");
    graft_plan *plan = graft_plan_into_module(b, graft_state_dict(a), rules, NULL);
    graft_dict *saved = graft_dict_clone(graft_optimizer_state_dict(opt_a), NULL);
    graft_dict *before = graft_dict_clone(graft_optimizer_state_dict(opt_b), NULL);
    assert_no_error(g);
    memory->fail_at = fail_at ? memory->calls + fail_at : 0;
    graft_moment_report *r = NULL;
    const graft_status st = graft_transplant_optimizer(opt_b, saved, plan, NULL, &r);
    graft_dict *d = NULL;
    if (st == GRAFT_OK)
        d = graft_transplant_optimizer_dict(saved, plan, NULL, NULL);
    const graft_status second = graft_error_status(g);
    memory->fail_at = 0;
    memory->keeps_on = false;
    graft_clear_error(g);
    if (st != GRAFT_OK) {
        assert_int_equal(st, GRAFT_ERR_MEMORY);
        assert_null(r);
        assert_same_state(graft_dict_dict(before, "state"),
                          graft_dict_dict(graft_optimizer_state_dict(opt_b), "state"));
    } else {
        assert_int_equal(graft_moment_report_action(r, 0), GRAFT_MOMENT_CHANGED);
        assert_int_equal(second, d ? GRAFT_OK : GRAFT_ERR_MEMORY);
        assert_int_equal(
            graft_dict_len(graft_dict_dict(graft_optimizer_state_dict(opt_b), "state")), 2);
    }
    graft_close(g);
}

static void any_allocation_may_fail(void **state)
{
    (void)state;
    failing_allocator_sweep(carry_without_memory, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_renamed_goes_on_bit_for_bit),
        cmocka_unit_test(what_grows_begins_at_zero),
        cmocka_unit_test(what_is_new_begins_anew),
        cmocka_unit_test(what_is_fused),
        cmocka_unit_test(parts_of_two_dtypes),
        cmocka_unit_test(what_is_tied),
        cmocka_unit_test(some_of_the_parameters_in_groups),
        cmocka_unit_test(positions_without_names),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(the_first_error_stays),
        cmocka_unit_test(from_another_context),
        cmocka_unit_test(a_dict_that_goes_with_the_result),
        cmocka_unit_test(layers_that_are_stacked_are_several),
        cmocka_unit_test(foreign_state),
        cmocka_unit_test(any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
