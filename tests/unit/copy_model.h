/* Models that the tests of copying use, and everything that they hold as bytes. */
#ifndef TESTS_UNIT_COPY_MODEL_H
#define TESTS_UNIT_COPY_MODEL_H

#include "graft/graft.h"

/* A parameter, buffers of all sorts, children, and plain fields of the struct. */
typedef struct net {
    graft_module base;
    graft_module *fc1, *drop, *fc2;
    graft_tensor *scale; /* parameter [3] */
    graft_tensor *mean;  /* persistent buffer [3] */
    graft_tensor *seen;  /* persistent buffer, i64, 0-d */
    graft_tensor *mask;  /* non-persistent buffer [3] */
    int steps;
    double rate;
    char label[8];
} net;

graft_module *net_new(graft_ctx *g);

/* One step: x [n, 4] through the net, its squares summed, backward, the optimizer. NULL opt: only
 * the gradients are made. */
double net_step(graft_module *m, graft_optimizer *opt, graft_tensor *x);

/* Two names for one Linear, and two for the weight of another: keys a.weight, a.bias, b.weight,
 * b.bias (shared module) and in.weight, out.weight (tied parameter). */
typedef struct tied {
    graft_module base;
    graft_module *a, *b;
    graft_module *in, *out;
} tied;

graft_module *tied_new(graft_ctx *g);

/* Two parameters [2, 3] and [3] over one storage of 9 elements, and a transposed one [3, 2] over
 * another: keys top, bottom, turned. */
typedef struct views {
    graft_module base;
    graft_tensor *top, *bottom, *turned;
} views;

graft_module *views_new(graft_ctx *g);

/* All that a model holds, written out: names, elements, gradients, flags. Freed with free(). */
typedef struct model_bytes {
    char *data;
    size_t size;
} model_bytes;

model_bytes model_bytes_of(const graft_module *m);
void assert_same_bytes(model_bytes a, model_bytes b);

/* That m is as when `before` was taken, which is freed. */
void assert_untouched(const graft_module *m, model_bytes before);

/* What the context has handed out, in bytes. */
size_t test_in_use(const graft_ctx *g);

#endif
