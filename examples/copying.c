/* What docs/copying.md shows, as a program: each claim is checked, and it exits with 0 only if all
 * of them hold. */
#include <graft/graft.h>
#include <pthread.h>
#include <stdio.h>

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

typedef struct {
    graft_tensor *x, *y;
} batch;

static batch batch_new(graft_ctx *g)
{
    return (batch){
        .x = graft_randn(g, graft_shape2(64, 8), GRAFT_F32),
        .y = graft_randint(g, 0, 3, graft_shape1(64), GRAFT_I64),
    };
}

static double train_step(graft_module *net, graft_optimizer *opt, batch b)
{
    graft_ctx *g = net->ctx;
    graft_scope_begin(g);
    graft_zero_grad(opt);
    graft_tensor *loss = graft_cross_entropy(graft_forward(net, b.x), b.y);
    graft_backward(loss);
    graft_step(opt);
    double value = graft_item(loss);
    graft_scope_end(g);
    return value;
}

static double loss_of(graft_module *net, batch b)
{
    graft_ctx *g = net->ctx;
    graft_scope_begin(g);
    graft_no_grad_begin(g);
    double value = graft_item(graft_cross_entropy(graft_forward(net, b.x), b.y));
    graft_no_grad_end(g);
    graft_scope_end(g);
    return value;
}

static bool same_weights(graft_module *a, graft_module *b)
{
    graft_dict *p = graft_state_dict(a), *q = graft_state_dict(b);
    bool same = graft_dict_len(p) > 0 && graft_dict_len(p) == graft_dict_len(q);
    for (int64_t i = 0; i < graft_dict_len(p); i++)
        same = same && graft_equal(graft_dict_tensor_at(p, i), graft_dict_tensor_at(q, i));
    return same;
}

/* ---- The best weights so far ---- */

static void keep_the_best(graft_ctx *g)
{
    graft_module *net = net_new(g, 3);
    graft_sgd_options o = graft_sgd_defaults();
    o.lr = 0.5;
    graft_optimizer *opt = graft_sgd(graft_parameters(net), &o);
    batch train = batch_new(g), valid = batch_new(g);

    graft_dict *best = NULL;
    double best_loss = 0;
    for (int epoch = 0; epoch < 20; epoch++) {
        train_step(net, opt, train);
        double loss = loss_of(net, valid);
        if (!best || loss < best_loss) {
            graft_dict_free(best);
            best = graft_dict_clone(graft_state_dict(net), NULL); /* costs what is written later */
            best_loss = loss;
        }
    }
    graft_load_state_dict(net, best, NULL, NULL);
    check("the best weights come back", loss_of(net, valid) == best_loss);
}

/* ---- A second model that follows slowly ---- */

static graft_status average_into(graft_module *slow, graft_module *fast, double decay)
{
    graft_ctx *g = slow->ctx;
    graft_scope_begin(g);
    graft_no_grad_begin(g);
    graft_dict *s = graft_parameters(slow), *f = graft_parameters(fast);
    for (int64_t i = 0; i < graft_dict_len(s); i++) {
        graft_tensor *t = graft_mul_scalar_(graft_dict_tensor_at(s, i), decay);
        graft_add_(t, graft_mul_scalar(graft_dict_tensor_at(f, i), 1 - decay));
    }
    graft_no_grad_end(g);
    graft_scope_end(g);
    return graft_error_status(g);
}

static void moving_average(graft_ctx *g)
{
    graft_module *fast = net_new(g, 3);
    graft_optimizer *opt = graft_adam(graft_parameters(fast), NULL);
    batch b = batch_new(g);

    graft_module *slow = graft_clone(fast, NULL, NULL);
    graft_module_requires_grad(slow, false);
    check("a clone begins with the same weights", same_weights(slow, fast));
    for (int i = 0; i < 10; i++) {
        train_step(fast, opt, b);
        average_into(slow, fast, 0.9);
    }
    check("the average is a model of its own", !same_weights(slow, fast));
    average_into(slow, fast, 0);
    check("with a decay of 0 it is the model", same_weights(slow, fast));
}

/* ---- A copy for another thread ---- */

typedef struct {
    graft_module *net;
    graft_optimizer *opt;
} job;

static void *work(void *arg)
{
    job *j = arg;
    batch b = batch_new(j->net->ctx);
    for (int i = 0; i < 10; i++)
        train_step(j->net, j->opt, b);
    return NULL;
}

static void another_thread(graft_ctx *g)
{
    graft_module *net = net_new(g, 3);
    graft_optimizer *opt = graft_adam(graft_parameters(net), NULL);
    batch b = batch_new(g);
    train_step(net, opt, b);
    graft_module *before = graft_clone(net, NULL, NULL);

    graft_clone_options o = graft_clone_defaults();
    o.into = graft_open(NULL);
    graft_copy_map *map;
    job j;
    j.net = graft_clone(net, &o, &map);
    j.opt = graft_follow(opt, map);
    graft_copy_map_free(map);
    pthread_t thread; /* from here on the thread has the new context, and nobody else */
    pthread_create(&thread, NULL, work, &j);
    train_step(net, opt, b);
    pthread_join(thread, NULL);

    graft_load_state_dict(before, graft_state_dict(j.net), NULL, NULL);
    check("what the thread trained is loaded back", same_weights(before, j.net));
    check("... and is not what this one trained", !same_weights(before, net));
    check("no error in the thread's context", !graft_error(o.into));
    graft_close(o.into);
}

/* ---- Another number of classes ---- */

static void another_head(graft_ctx *g)
{
    graft_module *old = net_new(g, 3), *fine = net_new(g, 10);

    graft_dict *d = graft_dict_clone(graft_state_dict(old), NULL);
    graft_dict_drop(d, "2.weight"); /* the new model has 10 classes */
    graft_dict_drop(d, "2.bias");
    graft_load_options o = graft_load_defaults();
    o.strict = false;
    graft_load_report *report;
    graft_status st = graft_load_state_dict(fine, d, &o, &report);
    printf("%s\n", graft_load_report_text(report));

    check("two tensors were copied",
          st == GRAFT_OK && graft_load_report_count(report, GRAFT_LOAD_COPIED) == 2);
    check("... and two kept", graft_load_report_count(report, GRAFT_LOAD_MISSING) == 2);
    check("copied and source share memory until one is written",
          graft_shares_memory(graft_get_parameter(old, "0.weight"),
                              graft_get_parameter(fine, "0.weight")));
}

/* ---- A checkpoint of DataParallel ---- */

static void data_parallel(graft_ctx *g)
{
    graft_module *source = net_new(g, 3), *net = net_new(g, 3);
    graft_dict *d = graft_dict_clone(graft_state_dict(source), NULL);
    graft_dict_rename_prefix(d, "", "module.", NULL); /* as that checkpoint would be */
    graft_module *was = graft_clone(net, NULL, NULL);

    if (graft_load_state_dict(net, d, NULL, NULL) != GRAFT_OK) {
        printf("%s\n", graft_error(g)); /* every name, and the remedy */
        graft_clear_error(g);
    }
    check("a load that fails changes nothing", same_weights(net, was));
    graft_dict_rename_prefix(d, "module.", "", NULL);
    graft_status st = graft_load_state_dict(net, d, NULL, NULL);
    check("renamed, it loads", st == GRAFT_OK && same_weights(net, source));
}

/* ---- The optimizer comes along ---- */

static void with_optimizer(graft_ctx *g)
{
    graft_module *net = net_new(g, 3);
    graft_optimizer *opt = graft_adam(graft_parameters(net), NULL);
    batch b = batch_new(g);
    for (int i = 0; i < 5; i++)
        train_step(net, opt, b);

    graft_copy_map *map;
    graft_module *copy = graft_clone(net, NULL, &map);
    graft_optimizer *opt_copy = graft_follow(opt, map);
    for (int i = 0; i < 5; i++)
        train_step(net, opt, b);
    check("training the original leaves the copy", !same_weights(net, copy));
    for (int i = 0; i < 5; i++)
        train_step(copy, opt_copy, b);
    check("then the copy goes the same way, bit for bit", same_weights(net, copy));
}

int main(void)
{
    graft_ctx *g = graft_open(NULL);
    graft_manual_seed(g, 1);
    keep_the_best(g);
    moving_average(g);
    another_thread(g);
    another_head(g);
    data_parallel(g);
    with_optimizer(g);
    check("no error is pending", !graft_error(g));
    if (graft_error(g))
        printf("%s\n", graft_error(g));
    graft_close(g);
    return failures ? 1 : 0;
}
