/* Activations: layers without parameters. */
#include <stdio.h>

#include "graft/layers.h"
#include "graft/ops.h"

static graft_tensor *relu(graft_module *self, graft_tensor *x)
{
    (void)self;
    return graft_relu(x);
}

static graft_tensor *tanh_forward(graft_module *self, graft_tensor *x)
{
    (void)self;
    return graft_tanh(x);
}

static graft_tensor *sigmoid(graft_module *self, graft_tensor *x)
{
    (void)self;
    return graft_sigmoid(x);
}

static const graft_module_class relu_class = {
    .name = "ReLU", .size = sizeof(graft_module), .forward = relu};
static const graft_module_class tanh_class = {
    .name = "Tanh", .size = sizeof(graft_module), .forward = tanh_forward};
static const graft_module_class sigmoid_class = {
    .name = "Sigmoid", .size = sizeof(graft_module), .forward = sigmoid};

graft_module *graft_relu_layer(graft_ctx *g)
{
    return graft_module_new(g, &relu_class);
}

graft_module *graft_tanh_layer(graft_ctx *g)
{
    return graft_module_new(g, &tanh_class);
}

graft_module *graft_sigmoid_layer(graft_ctx *g)
{
    return graft_module_new(g, &sigmoid_class);
}

typedef struct softmax {
    graft_module base;
    int dim;
} softmax;

static graft_tensor *softmax_forward(graft_module *self, graft_tensor *x)
{
    return graft_softmax(x, ((const softmax *)self)->dim);
}

static graft_tensor *log_softmax_forward(graft_module *self, graft_tensor *x)
{
    return graft_log_softmax(x, ((const softmax *)self)->dim);
}

static void softmax_repr(const graft_module *self, char *out, size_t size)
{
    snprintf(out, size, "dim=%d", ((const softmax *)self)->dim);
}

static const graft_module_class softmax_class = {.name = "Softmax",
                                                 .size = sizeof(softmax),
                                                 .forward = softmax_forward,
                                                 .extra_repr = softmax_repr};
static const graft_module_class log_softmax_class = {.name = "LogSoftmax",
                                                     .size = sizeof(softmax),
                                                     .forward = log_softmax_forward,
                                                     .extra_repr = softmax_repr};

static graft_module *softmax_new(graft_ctx *g, const graft_module_class *type, int dim)
{
    softmax *m = graft_module_new(g, type);
    if (!m)
        return NULL;
    m->dim = dim;
    return &m->base;
}

graft_module *graft_softmax_layer(graft_ctx *g, int dim)
{
    return softmax_new(g, &softmax_class, dim);
}

graft_module *graft_log_softmax_layer(graft_ctx *g, int dim)
{
    return softmax_new(g, &log_softmax_class, dim);
}
