/* Training steps of multilayer perceptrons: Linear, ReLU, ..., Linear; cross entropy; Adam. */
#include <stdio.h>
#include <string.h>

#include "workloads.h"

typedef struct training {
    graft_ctx *g;
    graft_module *model;
    graft_optimizer *adam;
    graft_tensor *x, *y;
} training;

static training make(graft_ctx *g, const int64_t *width, int layers, int64_t batch)
{
    training t = {.g = g, .model = graft_sequential(g)};
    graft_manual_seed(g, 0);
    for (int i = 0; i < layers; i++) {
        graft_sequential_add(t.model, graft_linear(g, width[i], width[i + 1], true));
        if (i + 1 < layers)
            graft_sequential_add(t.model, graft_relu_layer(g));
    }
    t.adam = graft_adam(graft_parameters(t.model), NULL);
    t.x = graft_randn(g, graft_shape2(batch, width[0]), GRAFT_F32);
    t.y = graft_randint(g, 0, width[layers], graft_shape1(batch), GRAFT_I64);
    return t;
}

static void step(void *arg)
{
    training *t = arg;
    graft_scope_begin(t->g);
    graft_zero_grad(t->adam);
    graft_backward(graft_cross_entropy(graft_forward(t->model, t->x), t->y));
    graft_step(t->adam);
    graft_scope_end(t->g);
}

static uint64_t system_calls(graft_ctx *g)
{
    graft_memory m = {0};
    graft_memory_stats(g, &m);
    return m.system_calls;
}

int bench_mlp(graft_ctx *g, const char *name, const int64_t *width, int layers, int64_t batch)
{
    training t = make(g, width, layers, batch);
    for (int i = 0; i < 5; i++)
        step(&t);
    uint64_t before = system_calls(g);
    double ms = bench_median_ms(step, &t, 3);
    bench_check(g);
    printf("{\"workload\": \"%s\", \"threads\": %d, \"ms\": %.6f, \"system_allocations\": %llu}\n",
           name, graft_num_threads(g), ms, (unsigned long long)(system_calls(g) - before));
    return 0;
}

/* The most memory the process ever had, in MB, as the kernel counts it. */
static double peak_mb(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    double kb = 0;
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmHWM: %lf", &kb) == 1)
            break;
    if (f)
        fclose(f);
    return kb * 1024 / 1e6;
}

int bench_first_step(graft_ctx *g, double started)
{
    training t = make(g, (const int64_t[]){10, 16, 2}, 2, 32);
    step(&t);
    bench_check(g);
    printf("{\"workload\": \"first_step\", \"threads\": %d, \"ms_in_main\": %.4f, \"peak_mb\": "
           "%.2f}\n",
           graft_num_threads(g), 1e3 * (bench_seconds() - started), peak_mb());
    return 0;
}
