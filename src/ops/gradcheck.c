/* The gradient checker: backward against central differences. */
#include <math.h>

#include "kernel/copy.h"
#include "ops/tape.h"

typedef struct check {
    graft_tensor *(*fn)(void *user, graft_tensor **inputs, int n);
    void *user;
    graft_tensor **input;
    int n;
    graft_gradcheck_options options;
    graft_tensor *weight; /* the gradient of the result: the check is of sum(weight * fn) */
} check;

graft_gradcheck_options graft_gradcheck_defaults(void)
{
    return (graft_gradcheck_options){.eps = 1e-6, .atol = 1e-5, .rtol = 1e-3};
}

static graft_ctx *ctx_of(const check *c)
{
    return c->input[0]->object.ctx;
}

static double *elements(graft_tensor *t)
{
    return graft_data_mut(t);
}

/* sum(weight * fn(inputs)), without a graph. NaN, with the error set, on failure. */
static double value(check *c)
{
    graft_ctx *g = ctx_of(c);
    double sum = NAN;
    if (graft_scope_begin(g) != GRAFT_OK)
        return sum;
    g->no_grad++;
    graft_tensor *y = c->fn(c->user, c->input, c->n);
    if (y && y->dtype == GRAFT_F64 && graft__same_shape(y, c->weight)) {
        y = graft_contiguous(y);
        const double *a = graft_data(y), *w = graft_data(c->weight);
        sum = 0;
        for (int64_t i = 0; y && i < y->numel; i++)
            sum += a[i] * w[i];
    } else if (y) {
        graft__fail(g, GRAFT_ERR_STATE,
                    "gradcheck: the function gave another shape or dtype the second time");
    }
    g->no_grad--;
    graft__scope_end(g);
    return sum;
}

static graft_status check_element(check *c, int input, int64_t i, double analytic)
{
    graft_ctx *g = ctx_of(c);
    double *x = elements(c->input[input]);
    if (!x)
        return graft_error_status(g);
    double kept = x[i], eps = c->options.eps;
    x[i] = kept + eps;
    double up = value(c);
    x[i] = kept - eps;
    double down = value(c);
    x[i] = kept;
    if (graft_error_status(g) != GRAFT_OK)
        return graft_error_status(g);
    double numeric = (up - down) / (2 * eps);
    if (fabs(analytic - numeric) <= c->options.atol + c->options.rtol * fabs(numeric))
        return GRAFT_OK;
    return graft__fail(g, GRAFT_ERR_STATE,
                       "gradcheck: input %d, element %lld: backward gives %.17g, the finite "
                       "difference %.17g",
                       input, (long long)i, analytic, numeric);
}

static graft_status check_input(check *c, int input)
{
    graft_tensor *t = c->input[input], *grad = graft_grad(t);
    const double *analytic = grad ? graft_data(grad) : NULL;
    graft_status st = GRAFT_OK;
    for (int64_t i = 0; i < t->numel && st == GRAFT_OK; i++)
        st = check_element(c, input, i, analytic ? analytic[i] : 0);
    return st;
}

/* Runs fn with a graph and backward with a random gradient, which is kept in c->weight. */
static graft_status analytic_pass(check *c)
{
    graft_ctx *g = ctx_of(c);
    for (int i = 0; i < c->n; i++)
        graft_set_grad(c->input[i], NULL);
    graft_tensor *y = c->fn(c->user, c->input, c->n);
    if (!y)
        return graft_error_status(g);
    if (y->dtype != GRAFT_F64)
        return graft__fail(g, GRAFT_ERR_DTYPE, "gradcheck: the result is %s: expected float64",
                           graft_dtype_name(y->dtype));
    graft_shape shape = graft_tensor_shape(y);
    c->weight = graft_rand(g, shape, GRAFT_F64);
    return c->weight ? graft_backward_with(y, c->weight, false) : graft_error_status(g);
}

static graft_status check_arguments(const check *c)
{
    if (!c->fn || !c->input || c->n < 1 || !c->input[0])
        return GRAFT_ERR_ARGUMENT;
    for (int i = 0; i < c->n; i++) {
        graft_tensor *t = c->input[i];
        if (!t)
            return graft__fail(ctx_of(c), GRAFT_ERR_ARGUMENT, "gradcheck: input %d is NULL", i);
        if (t->requires_grad && (t->dtype != GRAFT_F64 || !t->contiguous))
            return graft__fail(
                ctx_of(c), GRAFT_ERR_DTYPE,
                "gradcheck: input %d requires grad: expected a contiguous float64 leaf", i);
    }
    return GRAFT_OK;
}

graft_status graft_gradcheck(graft_tensor *(*fn)(void *user, graft_tensor **inputs, int n),
                             void *user, graft_tensor **inputs, int n,
                             const graft_gradcheck_options *options)
{
    check c = {.fn = fn, .user = user, .input = inputs, .n = n};
    c.options = options ? *options : graft_gradcheck_defaults();
    graft_status st = check_arguments(&c);
    if (st != GRAFT_OK)
        return st;
    graft_ctx *g = ctx_of(&c);
    st = graft_scope_begin(g);
    if (st != GRAFT_OK)
        return st;
    st = analytic_pass(&c);
    for (int i = 0; i < n && st == GRAFT_OK; i++)
        if (inputs[i]->requires_grad)
            st = check_input(&c, i);
    graft__scope_end(g);
    return st;
}
