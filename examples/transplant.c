/* What docs/transplant.md shows, as a program: each claim is checked, and it exits with 0 only if
 * all of them hold. */
#include <graft/graft.h>
#include <stdio.h>
#include <string.h>

static int failures;

static void check(const char *claim, bool holds)
{
    printf("%-66s %s\n", claim, holds ? "yes" : "NO");
    failures += !holds;
}

/* A network of 8 inputs and `classes` outputs. */
static graft_module *net_new(graft_ctx *g, int64_t classes)
{
    graft_module *net = graft_sequential(g);
    graft_sequential_add(net, graft_linear(g, 8, 16, true));
    graft_sequential_add(net, graft_relu_layer(g));
    graft_sequential_add(net, graft_linear(g, 16, classes, true));
    return net;
}

/* The state of a network as torch.nn.DataParallel saves it. */
static graft_dict *checkpoint_of(graft_ctx *g, int64_t classes)
{
    graft_dict *state = graft_dict_clone(graft_state_dict(net_new(g, classes)), NULL);
    graft_dict_rename_prefix(state, "", "module.", NULL);
    return state;
}

static void in_one_call(graft_ctx *g)
{
    graft_module *net = net_new(g, 10);
    const graft_dict *checkpoint = checkpoint_of(g, 1000);
    graft_rules *rules = graft_rules_parse(g, "strip module.\n"
                                              "resize 2.* # the first 10 of 1000 classes\n");
    graft_plan_options o = graft_plan_defaults();
    o.max_initial = 0; /* nothing may stay as it was */
    o.max_left = 0;    /* and nothing be left over */
    char *text;
    graft_status st = graft_transplant(net, checkpoint, rules, &o, &text);
    printf("%s\n", text);
    check("a transplant by rules", st == GRAFT_OK);
    check("its text says what was done", strstr(text, "2 copied, 2 changed") != NULL);
    graft_text_free(g, text);
    graft_rules_free(rules);
    graft_module_free(net);
}

static void step_by_step(graft_ctx *g)
{
    graft_module *net = net_new(g, 10);
    const graft_dict *checkpoint = checkpoint_of(g, 10);
    graft_plan *plan = graft_plan_into_module(net, checkpoint, NULL, NULL);
    for (int64_t i = 0; i < graft_plan_len(plan); i++)
        printf("%s: %s %s\n", graft_plan_name(plan, i),
               graft_plan_action_name(graft_plan_action_of(plan, i)), graft_plan_how(plan, i));
    for (int64_t i = 0; i < graft_plan_suggestions(plan); i++)
        printf("perhaps: %s (%s)\n", graft_plan_suggestion(plan, i),
               graft_plan_suggestion_why(plan, i));
    check("without rules no name meets", graft_plan_count(plan, GRAFT_PLAN_INITIAL) == 4);
    check("and the plan suggests the rule",
          strcmp(graft_plan_suggestion(plan, 0), "strip module.") == 0);

    graft_rules *rules = graft_rules_new(g);
    graft_rules_add(rules, graft_plan_suggestion(plan, 0));
    graft_plan_free(plan);
    plan = graft_plan_into_module(net, checkpoint, rules, NULL);
    check("with it all do", graft_plan_count(plan, GRAFT_PLAN_COPIED) == 4);
    if (graft_plan_check(plan) == GRAFT_OK)
        graft_plan_commit(plan);
    check("committed", graft_error(g) == NULL);
    graft_plan_free(plan);
    graft_rules_free(rules);
    graft_module_free(net);
}

static void without_a_model(graft_ctx *g)
{
    const graft_dict *checkpoint = checkpoint_of(g, 10);
    graft_rules *rules = graft_rules_parse(g, "strip module.\n"
                                              "cast * float16\n");
    graft_plan *plan = graft_plan_into_dict(NULL, checkpoint, rules, NULL);
    graft_dict *half = graft_plan_result(plan); /* computed as it is written */
    check("half the bytes", graft_tensor_dtype(graft_dict_tensor(half, "0.weight")) == GRAFT_F16);
    check("nothing was too large for it", graft_plan_overflows(plan, 0) == 0);
    graft_dict_free(half);
    graft_plan_free(plan);
    graft_rules_free(rules);
}

/* One step of training on random data. */
static void train(graft_module *net, graft_optimizer *adam, int64_t classes)
{
    graft_ctx *g = net->ctx;
    graft_scope_begin(g);
    graft_tensor *x = graft_randn(g, graft_shape2(32, 8), GRAFT_F32);
    graft_tensor *y = graft_randint(g, 0, classes, graft_shape1(32), GRAFT_I64);
    graft_zero_grad(adam);
    graft_backward(graft_cross_entropy(graft_forward(net, x), y));
    graft_step(adam);
    graft_scope_end(g);
}

static void with_the_optimizer(graft_ctx *g)
{
    graft_module *old = net_new(g, 10), *net = net_new(g, 12);
    graft_optimizer *adam_old = graft_adam(graft_parameters(old), NULL);
    train(old, adam_old, 10);
    graft_dict *model_state = graft_state_dict(old);
    graft_dict *adam_state = graft_optimizer_state_dict(adam_old);

    graft_optimizer *adam = graft_adam(graft_parameters(net), NULL);
    graft_rules *rules = graft_rules_parse(g, "resize 2.* new=mean # two classes more\n");
    graft_plan *plan = graft_plan_into_module(net, model_state, rules, NULL);
    graft_moment_report *report;
    graft_status st = graft_transplant_optimizer(adam, adam_state, plan, NULL, &report);
    if (st == GRAFT_OK)
        st = graft_plan_commit(plan);
    if (st == GRAFT_OK)
        printf("%s\n", graft_moment_report_text(report));
    check("a larger net goes on with its moments", st == GRAFT_OK);
    check("two are copied and two have grown",
          strstr(graft_moment_report_text(report), "2 is copied, of 2 changed") != NULL);
    train(net, adam, 12);
    graft_moment_report_free(report);
    graft_plan_free(plan);
    graft_rules_free(rules);
    graft_optimizer_free(adam);
    graft_optimizer_free(adam_old);
    graft_module_free(net);
    graft_module_free(old);
}

int main(void)
{
    graft_ctx *g = graft_open(NULL);
    graft_manual_seed(g, 0);
    in_one_call(g);
    step_by_step(g);
    without_a_model(g);
    with_the_optimizer(g);
    if (graft_error(g))
        printf("%s\n", graft_error(g));
    check("no error", graft_error(g) == NULL);
    graft_close(g);
    return failures > 0;
}
