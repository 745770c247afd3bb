/* Two states of one training are compared: what became of each tensor, and by how much. Exits with
 * 0 only if all of it came out as promised. */
#include <graft/graft.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int failures;

static void check(const char *claim, bool holds)
{
    printf("%-58s %s\n", claim, holds ? "yes" : "NO");
    failures += !holds;
}

static void train(graft_ctx *g, graft_module *model, graft_optimizer *sgd)
{
    graft_scope_begin(g);
    graft_tensor *x = graft_randn(g, graft_shape2(16, 8), GRAFT_F32);
    graft_tensor *y = graft_randint(g, 0, 4, graft_shape1(16), GRAFT_I64);
    graft_zero_grad(sgd);
    graft_backward(graft_cross_entropy(graft_forward(model, x), y));
    graft_step(sgd);
    graft_scope_end(g);
}

static void say(const graft_dict *before, const graft_dict *after)
{
    graft_diff_report *d = graft_diff(before, after, NULL);
    for (int64_t i = 0; i < graft_diff_len(d); i++) {
        graft_diff_numbers n;
        if (graft_diff_kind_of(d, i) == GRAFT_DIFF_CHANGED && graft_diff_numbers_of(d, i, &n))
            printf("%s: %" PRId64 " of %" PRId64 " elements, at most %g apart\n",
                   graft_diff_name(d, i), n.changed, n.elements, n.max_abs);
    }
    graft_diff_free(d);
}

int main(void)
{
    graft_ctx *g = graft_open(NULL);
    graft_manual_seed(g, 0);
    graft_module *model = graft_sequential(g);
    graft_sequential_add(model, graft_linear(g, 8, 16, true));
    graft_sequential_add(model, graft_relu_layer(g));
    graft_sequential_add(model, graft_linear(g, 16, 4, true));
    graft_set_requires_grad(graft_get_parameter(model, "0.weight"), false); /* frozen */
    graft_dict *before = graft_dict_clone(graft_state_dict(model), NULL);
    graft_sgd_options o = graft_sgd_defaults();
    o.lr = 0.1;
    train(g, model, graft_sgd(graft_parameters(model), &o));
    graft_dict *after = graft_state_dict(model);

    say(before, after);
    graft_diff_report *d = graft_diff(before, after, NULL);
    puts(graft_diff_text(d));
    check("the frozen layer is the same", graft_diff_kind_of(d, 0) == GRAFT_DIFF_EQUAL);
    check("the three others changed", graft_diff_count(d, GRAFT_DIFF_CHANGED) == 3);
    graft_diff_free(d);

    graft_diff_options near = graft_diff_defaults();
    near.atol = 1;
    d = graft_diff(before, after, &near);
    check("by less than 1", graft_diff_is_equal(d));
    graft_diff_free(d);

    graft_dict_free(before);
    check("no error", graft_error(g) == NULL);
    graft_close(g);
    return failures ? 1 : 0;
}
