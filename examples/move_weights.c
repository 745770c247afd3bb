/* A trained network becomes one with more classes: its weights and Adam's moments move by rules;
 * two trainings of the new one are compared and averaged; and what the average changed is saved as
 * a delta. Exits with 0 only if all of it came out as promised. */
#include <graft/graft.h>
#include <stdio.h>
#include <string.h>

static int failures;

static void check(const char *claim, bool holds)
{
    printf("%-66s %s\n", claim, holds ? "yes" : "NO");
    failures += !holds;
}

static graft_module *net_new(graft_ctx *g, int64_t classes)
{
    graft_module *net = graft_sequential(g);
    graft_sequential_add(net, graft_linear(g, 8, 16, true));
    graft_sequential_add(net, graft_relu_layer(g));
    graft_sequential_add(net, graft_linear(g, 16, classes, true));
    return net;
}

static void train(graft_module *net, graft_optimizer *adam, int steps, uint64_t seed)
{
    graft_ctx *g = net->ctx;
    graft_manual_seed(g, seed);
    for (int i = 0; i < steps; i++) {
        graft_scope_begin(g);
        graft_tensor *x = graft_randn(g, graft_shape2(32, 8), GRAFT_F32);
        graft_tensor *y = graft_argmax(x, 1, false);
        graft_zero_grad(adam);
        graft_backward(graft_cross_entropy(graft_forward(net, x), y));
        graft_step(adam);
        graft_scope_end(g);
    }
}

/* What a training wrote: every name begins with "module.", and Adam's moments are there too. */
static void write_checkpoint(graft_ctx *g, const char *path)
{
    graft_module *net = net_new(g, 8);
    graft_optimizer *adam = graft_adam(graft_parameters(net), NULL);
    train(net, adam, 50, 1);
    graft_dict *c = graft_dict_new(g), *model = graft_dict_clone(graft_state_dict(net), NULL);
    graft_dict_rename_prefix(model, "", "module.", NULL);
    graft_dict_set_dict(c, "model", model);
    graft_dict *state = graft_optimizer_state_dict(adam);
    graft_dict *group = graft_dict_dict(state, "param_groups.0");
    graft_dict_drop(group, "param_names"); /* as PyTorch's, by position alone */
    graft_dict_set_dict(c, "optimizer", state);
    graft_save(g, path, c);
    graft_dict_free(model);
    graft_dict_free(c);
}

/* The checkpoint's weights into a network of 10 classes, and its moments into that one's Adam. */
static graft_status take_over(graft_module *net, graft_optimizer *adam,
                              const graft_dict *checkpoint)
{
    graft_ctx *g = net->ctx;
    const graft_dict *model = graft_dict_dict(checkpoint, "model");
    const graft_dict *moments = graft_dict_dict(checkpoint, "optimizer");
    graft_rules *rules =
        graft_rules_parse(g, "strip module.\n"
                             "resize 2.* new=initial # 8 classes, and 2 new ones\n");
    graft_plan_options o = graft_plan_defaults();
    o.max_initial = 0; /* every parameter must find its values */
    graft_plan *plan = graft_plan_into_module(net, model, rules, &o);
    printf("%s\n", graft_plan_text(plan)); /* says what would be done; nothing is done yet */
    graft_moment_report *report = NULL;
    graft_status st = graft_plan_commit(plan); /* all of it, or nothing */
    if (st == GRAFT_OK)
        st = graft_transplant_optimizer(adam, moments, plan, NULL, &report);
    if (st == GRAFT_OK)
        printf("%s\n", graft_moment_report_text(report));
    graft_moment_report_free(report);
    graft_plan_free(plan);
    graft_rules_free(rules);
    return st;
}

/* What one more training changed, in the order of the names. */
static void compare(const graft_dict *before, const graft_dict *after)
{
    graft_diff_report *d = graft_diff(before, after, NULL);
    for (int64_t i = 0; i < graft_diff_len(d); i++) {
        graft_diff_numbers n;
        if (graft_diff_numbers_of(d, i, &n))
            printf("%-10s %s, at most %.3g apart, cosine %.4f\n", graft_diff_name(d, i),
                   graft_diff_kind_name(graft_diff_kind_of(d, i)), n.max_abs, n.cosine);
    }
    check("the training changed every tensor", graft_diff_count(d, GRAFT_DIFF_CHANGED) == 4);
    graft_diff_free(d);
}

/* Keeps `whole` as what it differs from the base by. */
static void delta(graft_ctx *g, const graft_dict *whole, const graft_dict *base,
                  const graft_dict *other)
{
    char hash[GRAFT_HASH_TEXT];
    if (graft_content_hash(base, hash) != GRAFT_OK) {
        printf("no deltas: %s\n", graft_error(g)); /* a build without nettle */
        graft_clear_error(g);
        return;
    }
    graft_status st = graft_save_delta(g, "mean.safetensors", whole, base, "first.pt", NULL, NULL);
    graft_checkpoint *file = graft_checkpoint_open(g, "mean.safetensors", NULL);
    graft_dict *again = graft_load_delta(file, base);
    graft_diff_report *d = graft_diff(whole, again, NULL);
    check("a delta and its base give the whole back", st == GRAFT_OK && graft_diff_is_equal(d));
    check("... and another base is refused", graft_load_delta(file, other) == NULL);
    graft_clear_error(g);
    graft_diff_free(d);
    graft_dict_free(again);
    graft_checkpoint_free(file);
}

/* Two trainings from one start: their mean. */
static void merge(graft_ctx *g, const graft_dict *first, const graft_dict *second)
{
    graft_merge_options o = graft_merge_defaults();
    o.method = GRAFT_MERGE_MEAN;
    graft_dict *mean = graft_merge(g, (const graft_dict *[]){first, second}, 2, &o);
    graft_tensor *expected = graft_mul_scalar(
        graft_add(graft_dict_tensor(first, "2.bias"), graft_dict_tensor(second, "2.bias")), 0.5);
    check("merged", graft_equal(graft_dict_tensor(mean, "2.bias"), expected));

    delta(g, mean, first, second);
    graft_dict_free(mean);
}

int main(void)
{
    graft_ctx *g = graft_open(NULL);
    write_checkpoint(g, "trained.pt");

    graft_module *net = net_new(g, 10);
    graft_optimizer *adam = graft_adam(graft_parameters(net), NULL);
    graft_dict *checkpoint = graft_load(g, "trained.pt", NULL);
    check("taken over, with the optimizer", take_over(net, adam, checkpoint) == GRAFT_OK);
    graft_dict_free(checkpoint);

    graft_copy_map *map;
    graft_module *other = graft_clone(net, NULL, &map);
    graft_optimizer *adam_other = graft_follow(adam, map);
    graft_dict *start = graft_dict_clone(graft_state_dict(net), NULL);
    train(net, adam, 20, 2);
    train(other, adam_other, 20, 3);
    compare(start, graft_state_dict(net));
    merge(g, graft_state_dict(net), graft_state_dict(other));

    if (graft_error(g))
        printf("%s\n", graft_error(g));
    check("no error", graft_error(g) == NULL);
    graft_close(g);
    return failures > 0;
}
