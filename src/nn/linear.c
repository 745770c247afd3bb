#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/error.h"
#include "graft/layers.h"
#include "graft/ops.h"
#include "nn/module.h"

typedef struct linear {
    graft_module base;
    graft_tensor *weight, *bias;
    int64_t in_features, out_features;
} linear;

static graft_tensor *forward(graft_module *self, graft_tensor *x)
{
    const linear *m = (const linear *)self;
    return graft_f_linear(x, m->weight, m->bias);
}

static void extra_repr(const graft_module *self, char *out, size_t size)
{
    const linear *m = (const linear *)self;
    snprintf(out, size, "in_features=%" PRId64 ", out_features=%" PRId64 ", bias=%s",
             m->in_features, m->out_features, m->bias ? "True" : "False");
}

static const graft_module_class linear_class = {
    .name = "Linear", .size = sizeof(linear), .forward = forward, .extra_repr = extra_repr};

static graft_status fill(linear *m, bool bias, graft_dtype dtype)
{
    graft_ctx *g = m->base.ctx;
    const int64_t in = m->in_features, out = m->out_features;
    graft_status status = graft_parameter(&m->base, "weight", &m->weight,
                                          graft_empty(g, graft_shape2(out, in), dtype));
    if (!status && bias)
        status =
            graft_parameter(&m->base, "bias", &m->bias, graft_empty(g, graft_shape1(out), dtype));
    /* Not by graft_parameter, which takes a NULL for failure where an error is pending. */
    const graft__slot no_bias = {
        .name = (char *)"bias", .field = offsetof(linear, bias), .persistent = true};
    if (!status && !bias)
        status = graft__module_add_slot(&m->base, &no_bias, NULL);
    if (!status)
        status = graft_init_kaiming_uniform(m->weight, sqrt(5.0));
    const double bound = in > 0 ? 1 / sqrt((double)in) : 0;
    if (!status && bias)
        status = graft_init_uniform(m->bias, -bound, bound);
    return status;
}

graft_module *graft_linear_dtype(graft_ctx *g, int64_t in_features, int64_t out_features, bool bias,
                                 graft_dtype dtype)
{
    if (in_features < 0 || out_features < 0) {
        graft__fail(g, GRAFT_ERR_ARGUMENT,
                    "linear: in_features %" PRId64 ", out_features %" PRId64 ": expected 0 or more",
                    in_features, out_features);
        return NULL;
    }
    linear *m = graft_module_new(g, &linear_class);
    if (!m)
        return NULL;
    m->in_features = in_features;
    m->out_features = out_features;
    if (!fill(m, bias, dtype))
        return &m->base;
    graft_module_free(&m->base);
    return NULL;
}

graft_module *graft_linear(graft_ctx *g, int64_t in_features, int64_t out_features, bool bias)
{
    return graft_linear_dtype(g, in_features, out_features, bias, GRAFT_F32);
}
