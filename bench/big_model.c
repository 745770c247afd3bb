/* Copying a model of 1 GB: 64 Linear(2048, 2048). */
#include <stdio.h>
#include <string.h>

#include "workloads.h"

enum { LAYERS = 64, WIDTH = 2048, REPEATS = 5 };

static graft_module *make(graft_ctx *g)
{
    graft_module *m = graft_sequential(g);
    for (int i = 0; i < LAYERS; i++)
        graft_sequential_add(m, graft_linear(g, WIDTH, WIDTH, false));
    return m;
}

static size_t in_use(graft_ctx *g)
{
    graft_memory m = {0};
    graft_memory_stats(g, &m);
    return m.in_use;
}

static void report(graft_ctx *g, const char *name, double ms, double mb)
{
    bench_check(g);
    printf("{\"workload\": \"%s\", \"threads\": %d, \"ms\": %.4f, \"new_mb\": %.3f}\n", name,
           graft_num_threads(g), ms, mb);
}

/* Gradients of ones, so that an optimizer has something to do. */
static void give_gradients(graft_module *m)
{
    graft_dict *p = graft_parameters(m);
    for (int64_t i = 0; i < graft_dict_len(p); i++) {
        graft_tensor *t = graft_dict_tensor_at(p, i);
        graft_ctx *g = graft_tensor_ctx(t);
        graft_scope_begin(g);
        graft_set_grad(t, graft_ones(g, graft_tensor_shape(t), GRAFT_F32));
        graft_scope_end(g);
    }
}

static double least(double a, double b)
{
    return a < b ? a : b;
}

typedef struct clone_times {
    double clone, first_step, second_step; /* ms */
    double mb;                             /* new memory right after the clone */
} clone_times;

/* A clone, and what the first step of an optimizer over it takes: that step separates every byte.
 */
static clone_times time_clone(graft_ctx *g, graft_module *m)
{
    clone_times t;
    graft_scope_begin(g);
    size_t before = in_use(g);
    double start = bench_seconds();
    graft_module *copy = graft_clone(m, NULL, NULL);
    t.clone = 1e3 * (bench_seconds() - start);
    t.mb = (double)(in_use(g) - before) / 1e6;
    give_gradients(copy);
    graft_optimizer *sgd = graft_sgd(graft_parameters(copy), NULL);
    start = bench_seconds();
    graft_step(sgd);
    t.first_step = 1e3 * (bench_seconds() - start);
    start = bench_seconds();
    graft_step(sgd);
    t.second_step = 1e3 * (bench_seconds() - start);
    graft_optimizer_free(sgd);
    graft_module_free(copy);
    graft_scope_end(g);
    return t;
}

/* The first clone's memory comes fresh from the system; that of the others was there before, as the
 * limit's. */
static void bench_clone(graft_ctx *g, graft_module *m)
{
    clone_times fresh = time_clone(g, m), best = fresh;
    for (int i = 0; i < REPEATS; i++) {
        clone_times t = time_clone(g, m);
        best.clone = least(best.clone, t.clone);
        best.first_step = i == 0 ? t.first_step : least(best.first_step, t.first_step);
        best.second_step = least(best.second_step, t.second_step);
    }
    report(g, "clone_1gb", best.clone, best.mb);
    report(g, "clone_1gb_first_step_fresh", fresh.first_step, 0);
    report(g, "clone_1gb_first_step", best.first_step, 0);
    report(g, "clone_1gb_second_step", best.second_step, 0);
}

/* The load itself, and the load with every byte of the loaded model written after it. */
static void bench_load(graft_ctx *g, graft_module *m)
{
    graft_module *to = make(g);
    double best = 1e9, written = 1e9;
    for (int i = 0; i < REPEATS; i++) {
        graft_scope_begin(g);
        double start = bench_seconds();
        graft_load_state_dict(to, graft_state_dict(m), NULL, NULL);
        best = least(best, 1e3 * (bench_seconds() - start));
        graft_dict *p = graft_parameters(to);
        for (int64_t k = 0; k < graft_dict_len(p); k++)
            graft_data_mut(graft_dict_tensor_at(p, k));
        written = least(written, 1e3 * (bench_seconds() - start));
        graft_scope_end(g);
    }
    report(g, "load_state_dict_1gb", best, 0);
    report(g, "load_state_dict_1gb_separated", written, 0);
    graft_module_free(to);
}

int bench_big_model(graft_ctx *g)
{
    graft_module *m = make(g);
    bench_clone(g, m);
    bench_load(g, m);
    graft_module_free(m);
    return 0;
}
