#include <stdio.h>

#include "graft/layers.h"
#include "graft/tensor.h"

typedef struct flatten {
    graft_module base;
    int start_dim, end_dim;
} flatten;

static graft_tensor *forward(graft_module *self, graft_tensor *x)
{
    const flatten *m = (const flatten *)self;
    return graft_flatten(x, m->start_dim, m->end_dim);
}

static void extra_repr(const graft_module *self, char *out, size_t size)
{
    const flatten *m = (const flatten *)self;
    snprintf(out, size, "start_dim=%d, end_dim=%d", m->start_dim, m->end_dim);
}

static const graft_module_class flatten_class = {
    .name = "Flatten", .size = sizeof(flatten), .forward = forward, .extra_repr = extra_repr};

graft_module *graft_flatten_layer(graft_ctx *g, int start_dim, int end_dim)
{
    flatten *m = graft_module_new(g, &flatten_class);
    if (!m)
        return NULL;
    m->start_dim = start_dim;
    m->end_dim = end_dim;
    return &m->base;
}
