/* Initialisation in place, without history: the formulas of torch.nn.init. */
#include <math.h>

#include "base/error.h"
#include "graft/autograd.h"
#include "graft/layers.h"
#include "graft/ops.h"
#include "tensor/tensor.h"

static graft_status check(const graft_tensor *t, const char *op)
{
    if (!t)
        return GRAFT_ERR_ARGUMENT;
    if (t->history)
        return graft__fail(t->object.ctx, GRAFT_ERR_STATE,
                           "%s: the tensor has a history: expected a leaf", op);
    return GRAFT_OK;
}

/* Checks t and runs the operation of tensors that does it. */
static graft_status in_place(graft_tensor *t, const char *name,
                             graft_tensor *(*op)(graft_tensor *, double, double), double a,
                             double b)
{
    const graft_status status = check(t, name);
    if (status)
        return status;
    graft_ctx *g = t->object.ctx;
    const bool clean = graft_error_status(g) == GRAFT_OK;
    graft_no_grad_begin(g);
    const bool ok = op(t, a, b) != NULL;
    graft_no_grad_end(g);
    if (!ok && clean)
        graft__error_append(g, " (in %s)", name);
    return ok ? GRAFT_OK : graft_error_status(g);
}

graft_status graft_init_uniform(graft_tensor *t, double from, double to)
{
    return in_place(t, "init_uniform", graft_uniform_, from, to);
}

graft_status graft_init_normal(graft_tensor *t, double mean, double std)
{
    return in_place(t, "init_normal", graft_normal_, mean, std);
}

static graft_tensor *fill(graft_tensor *t, double value, double unused)
{
    (void)unused;
    return graft_fill_(t, value);
}

graft_status graft_init_constant(graft_tensor *t, double value)
{
    return in_place(t, "init_constant", fill, value, 0);
}

/* Connections per output and per input of a weight [out, in, ...]. */
static graft_status fans(const graft_tensor *t, const char *op, double *fan_in, double *fan_out)
{
    const graft_status status = check(t, op);
    if (status)
        return status;
    if (t->ndim < 2) {
        char text[GRAFT__SHAPE_TEXT];
        return graft__fail(t->object.ctx, GRAFT_ERR_SHAPE,
                           "%s: expected a tensor of 2 or more dimensions, not of shape %s", op,
                           graft__tensor_shape_text(t, text));
    }
    double receptive = 1;
    for (int i = 2; i < t->ndim; i++)
        receptive *= (double)t->size[i];
    *fan_in = (double)t->size[1] * receptive;
    *fan_out = (double)t->size[0] * receptive;
    return GRAFT_OK;
}

/* He et al. 2015, the bound for leaky ReLU of slope a. */
graft_status graft_init_kaiming_uniform(graft_tensor *t, double a)
{
    double fan_in = 0, fan_out = 0;
    const graft_status status = fans(t, "init_kaiming_uniform", &fan_in, &fan_out);
    if (status || t->numel == 0)
        return status;
    const double gain = sqrt(2.0 / (1 + a * a));
    const double bound = sqrt(3.0) * (gain / sqrt(fan_in));
    return in_place(t, "init_kaiming_uniform", graft_uniform_, -bound, bound);
}

/* Glorot and Bengio 2010. */
graft_status graft_init_xavier_uniform(graft_tensor *t, double gain)
{
    double fan_in = 0, fan_out = 0;
    const graft_status status = fans(t, "init_xavier_uniform", &fan_in, &fan_out);
    if (status || t->numel == 0)
        return status;
    const double bound = sqrt(3.0) * (gain * sqrt(2.0 / (fan_in + fan_out)));
    return in_place(t, "init_xavier_uniform", graft_uniform_, -bound, bound);
}
