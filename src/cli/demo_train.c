#include "cli/demo_train.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

typedef struct mlp {
    graft_module base;
    graft_module *fc1, *fc2;
} mlp;

static graft_tensor *mlp_forward(graft_module *self, graft_tensor *x)
{
    mlp *m = (mlp *)self;
    return graft_forward(m->fc2, graft_relu(graft_forward(m->fc1, graft_flatten(x, 1, -1))));
}

static const graft_module_class mlp_class = {
    .name = "MLP",
    .size = sizeof(mlp),
    .forward = mlp_forward,
};

graft_module *demo_mlp(graft_ctx *g, int64_t features, int64_t hidden, int64_t classes)
{
    mlp *m = graft_module_new(g, &mlp_class);
    if (!m)
        return NULL;
    graft_child(&m->base, "fc1", &m->fc1, graft_linear(g, features, hidden, true));
    graft_child(&m->base, "fc2", &m->fc2, graft_linear(g, hidden, classes, true));
    return &m->base;
}

double demo_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

double demo_step(graft_module *model, graft_optimizer *opt, const demo_data *data,
                 graft_tensor *index)
{
    graft_ctx *g = graft_tensor_ctx(data->train_x);
    if (graft_scope_begin(g) != GRAFT_OK)
        return NAN;
    graft_tensor *x = graft_take_rows(data->train_x, index);
    graft_tensor *y = graft_take_rows(data->train_y, index);
    graft_zero_grad(opt);
    graft_tensor *loss = graft_cross_entropy(graft_forward(model, x), y);
    double value = NAN;
    if (graft_backward(loss) == GRAFT_OK && graft_step(opt) == GRAFT_OK)
        value = graft_item(loss);
    graft_scope_end(g);
    return value;
}

bool demo_steps(graft_module *model, graft_optimizer *opt, const demo_data *data, int64_t batch,
                int steps, uint64_t seed)
{
    graft_ctx *g = graft_tensor_ctx(data->train_x);
    graft_manual_seed(g, seed);
    bool ok = true;
    for (int i = 0; i < steps && ok; i++) {
        graft_scope_begin(g);
        graft_tensor *index =
            graft_randint(g, 0, graft_size(data->train_x, 0), graft_shape1(batch), GRAFT_I64);
        ok = !isnan(demo_step(model, opt, data, index));
        graft_scope_end(g);
    }
    return ok;
}

double demo_accuracy(graft_module *model, const demo_data *data)
{
    graft_ctx *g = graft_tensor_ctx(data->test_x);
    graft_scope_begin(g);
    graft_no_grad_begin(g);
    graft_tensor *best = graft_argmax(graft_forward(model, data->test_x), 1, false);
    graft_tensor *right = graft_sum(graft_eq(best, data->test_y));
    double share =
        right ? (double)graft_item_i64(right) / (double)graft_size(data->test_x, 0) : NAN;
    graft_no_grad_end(g);
    graft_scope_end(g);
    return share;
}

/* One pass over the training images in a random order; the mean loss. */
static double epoch_of(const terminal *t, graft_module *model, graft_optimizer *opt,
                       const demo_data *data, int64_t batch)
{
    graft_ctx *g = graft_tensor_ctx(data->train_x);
    int64_t n = graft_size(data->train_x, 0), batches = (n + batch - 1) / batch;
    double sum = 0;
    graft_scope_begin(g);
    graft_tensor *order = graft_randperm(g, n);
    for (int64_t i = 0; i < batches && !isnan(sum); i++) {
        int64_t length = n - i * batch < batch ? n - i * batch : batch;
        double loss = demo_step(model, opt, data, graft_narrow(order, 0, i * batch, length));
        sum += loss * (double)length;
        char text[32];
        snprintf(text, sizeof text, "loss %.4f", loss);
        terminal_progress(t, (long)i + 1, (long)batches, text);
    }
    graft_scope_end(g);
    terminal_progress_end(t);
    return sum / (double)n;
}

bool demo_train(const terminal *t, graft_module *model, graft_optimizer *opt, const demo_data *data,
                long long epochs, int64_t batch)
{
    for (long long e = 1; e <= epochs; e++) {
        double start = demo_seconds();
        double loss = epoch_of(t, model, opt, data, batch);
        double seconds = demo_seconds() - start, accuracy = demo_accuracy(model, data);
        if (isnan(loss) || isnan(accuracy))
            return false;
        printf("  epoch %lld/%lld  loss %.4f  test accuracy %.1f%%  %.2f s\n", e, epochs, loss,
               100 * accuracy, seconds);
        fflush(stdout);
    }
    return true;
}
