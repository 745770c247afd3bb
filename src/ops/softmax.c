#include "kernel/softmax.h"

#include "graft/ops.h"
#include "ops/common.h"
#include "ops/dense.h"

typedef void softmax_function(graft__pool *pool, const graft__lanes *l, const void *x, void *y);
typedef void softmax_gradient(graft__pool *pool, const graft__lanes *l, const void *y,
                              const void *dy, void *dx, double beta);

static graft__lanes lanes_of(const graft_tensor *t, int dim)
{
    graft__lanes l = {.dtype = t->dtype, .outer = 1, .n = 1, .inner = 1};
    for (int d = 0; d < t->ndim; d++)
        *(d < dim ? &l.outer : d == dim ? &l.n : &l.inner) *= t->size[d];
    return l;
}

static graft_status give(graft__taped *node, graft_tensor *grad, softmax_gradient *gradient)
{
    const graft_tensor *y = graft__load(node, 0);
    graft__array dx;
    graft__dense dy;
    double beta;
    if (!y)
        return GRAFT_ERR_STATE;
    if (!graft__dense_read(node->op->name, grad, &dy))
        return GRAFT_ERR_MEMORY;
    graft_status st = graft__give_into(node, 0, y->ndim, y->size, y->dtype, &beta, &dx);
    if (st == GRAFT_OK) {
        const graft__lanes l = lanes_of(y, *(const int *)node->attr);
        gradient(node->ctx->pool, &l, graft__first(y), dy.data, dx.data, beta);
    }
    graft__dense_free(node->ctx, &dy);
    return st;
}

static graft_status softmax_backward(graft__taped *node, graft_tensor *grad)
{
    return give(node, grad, graft__softmax_backward);
}

static graft_status log_softmax_backward(graft__taped *node, graft_tensor *grad)
{
    return give(node, grad, graft__log_softmax_backward);
}

static const graft__op softmax_op = {.name = "softmax", .backward = softmax_backward};
static const graft__op log_softmax_op = {.name = "log_softmax", .backward = log_softmax_backward};

static bool record(const graft__op *op, graft_tensor *y, graft_tensor *x, int dim)
{
    if (!graft__should_record(&x, 1))
        return true;
    graft__taped *node = graft__record(op, y, &x, 1, 1, sizeof(int));
    if (!node)
        return false;
    *(int *)node->attr = dim;
    return graft__save(node, 0, y);
}

static graft_tensor *run(const graft__op *op, softmax_function *function, graft_tensor *x, int dim)
{
    graft_dtype dtype;
    if (!graft__enter(op->name, &x, 1, &dtype) || (dim = graft__check_dim(x, op->name, dim)) < 0)
        return NULL;
    graft_tensor *y = graft__tensor_like(x, x->dtype);
    graft__dense from;
    if (!y)
        return NULL;
    bool ok = graft__dense_read(op->name, x, &from);
    if (ok) {
        const graft__lanes l = lanes_of(x, dim);
        function(x->object.ctx->pool, &l, from.data, graft__first(y));
        graft__dense_free(x->object.ctx, &from);
        ok = record(op, y, x, dim);
    }
    return graft__leave(graft__finish(y, ok), dtype);
}

graft_tensor *graft_softmax(graft_tensor *x, int dim)
{
    return run(&softmax_op, graft__softmax, x, dim);
}

graft_tensor *graft_log_softmax(graft_tensor *x, int dim)
{
    return run(&log_softmax_op, graft__log_softmax, x, dim);
}
