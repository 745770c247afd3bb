/* Two threads train two copies of one model, each in a context of its own, for the thread
 * sanitizer: all that they share is memory that is copied when written, and each may be the one
 * that writes first, or lets go last. As both do the same work, both must end with the same bits.
 */
#include <pthread.h>
#include <stdlib.h>

#include "graft/graft.h"

enum { ROUNDS = 40, STEPS = 3, BATCH = 4, IN = 16, HIDDEN = 32 };

typedef struct worker {
    pthread_barrier_t *barrier;
    graft_ctx *g;
    graft_module *model;
    graft_optimizer *adam;
    float batch[BATCH * IN];
    bool reads; /* looks into the weights before it writes them */
    double loss;
} worker;

static graft_module *net_new(graft_ctx *g)
{
    graft_module *m = graft_sequential(g);
    graft_sequential_add(m, graft_linear(g, IN, HIDDEN, true));
    graft_sequential_add(m, graft_relu_layer(g));
    graft_sequential_add(m, graft_linear(g, HIDDEN, 1, true));
    return m;
}

static double step(worker *w)
{
    graft_scope_begin(w->g);
    graft_zero_grad(w->adam);
    graft_tensor *x = graft_from_data(w->g, w->batch, graft_shape2(BATCH, IN), GRAFT_F32);
    graft_tensor *y = graft_forward(w->model, x);
    graft_tensor *loss = graft_sum(graft_mul(y, y));
    graft_backward(loss);
    graft_step(w->adam);
    double value = graft_item(loss);
    graft_scope_end(w->g);
    return value;
}

static void *train(void *arg)
{
    worker *w = arg;
    pthread_barrier_wait(w->barrier);
    if (w->reads)
        w->loss = graft_item(graft_sum(graft_get_parameter(w->model, "0.weight")));
    for (int i = 0; i < STEPS; i++)
        w->loss = step(w);
    return NULL;
}

static bool same(const worker *a, const worker *b)
{
    graft_dict *p = graft_state_dict(a->model), *q = graft_state_dict(b->model);
    bool equal = a->loss == b->loss && graft_dict_len(p) == 4;
    for (int64_t i = 0; i < graft_dict_len(p); i++)
        equal = equal && graft_equal(graft_dict_tensor_at(p, i), graft_dict_tensor_at(q, i));
    return equal && !graft_error(a->g) && !graft_error(b->g);
}

/* One round: a copy of what w[0] has goes to w[1], and both train on. */
static bool run(worker *w, int round)
{
    graft_clone_options o = graft_clone_defaults();
    o.into = w[1].g;
    graft_copy_map *map;
    w[1].model = graft_clone(w[0].model, &o, &map);
    w[1].adam = graft_follow(w[0].adam, map);
    graft_copy_map_free(map);
    w[round % 2].reads = true;
    w[(round + 1) % 2].reads = false;
    pthread_t thread[2];
    for (int i = 0; i < 2; i++)
        if (pthread_create(&thread[i], NULL, train, &w[i]) != 0)
            return false;
    for (int i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
    bool equal = same(&w[0], &w[1]);
    graft_optimizer_free(w[1].adam);
    graft_module_free(w[1].model);
    return equal;
}

int main(void)
{
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, 2);
    worker w[2] = {{.barrier = &barrier}, {.barrier = &barrier}};
    graft_options o = graft_options_defaults();
    o.threads = 1;
    for (int i = 0; i < 2; i++) {
        w[i].g = graft_open(&o);
        for (int j = 0; j < BATCH * IN; j++)
            w[i].batch[j] = (float)(j % 7) - 3;
    }
    w[0].model = net_new(w[0].g);
    w[0].adam = graft_adam(graft_parameters(w[0].model), NULL);
    int wrong = 0;
    for (int round = 0; round < ROUNDS; round++)
        wrong += !run(w, round);
    graft_close(w[0].g);
    graft_close(w[1].g);
    pthread_barrier_destroy(&barrier);
    return wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}
