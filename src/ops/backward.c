/* Backward: from a tensor along the tape to the leaves. */
#include "kernel/copy.h"
#include "ops/tape.h"
#include "tensor/dtype.h"

/* What backward has been through is let go of, unless the graph is retained. */
static void release(graft__taped *node)
{
    node->released = true;
    for (int i = 0; i < node->saves; i++) {
        graft__tensor_unref(node->saved[i].tensor);
        node->saved[i].tensor = NULL;
    }
}

static graft_status fail_released(const graft__taped *node)
{
    return graft__fail(node->ctx, GRAFT_ERR_STATE,
                       "backward: the graph through %s was freed by an earlier backward: run the "
                       "forward pass again, or have the first backward retain the graph",
                       node->op->name);
}

static graft_tensor *take_grad(graft__taped *node)
{
    graft_tensor *grad = node->grad;
    node->grad = NULL;
    node->ctx->waiting--;
    return grad;
}

static bool wants_any(const graft__taped *node)
{
    for (int i = 0; i < node->inputs; i++)
        if (graft__wants(node, i))
            return true;
    return false;
}

static graft_status call(graft__taped *node, graft_tensor *grad)
{
    graft_status st = graft_scope_begin(node->ctx);
    if (st != GRAFT_OK)
        return st;
    st = node->op->backward(node, grad);
    graft__scope_end(node->ctx);
    return st;
}

static graft_status step(graft__taped *node, bool retain)
{
    graft_tensor *grad = take_grad(node);
    graft_status st = GRAFT_OK;
    if (node->released)
        st = fail_released(node);
    else if (wants_any(node))
        st = call(node, grad);
    graft__tensor_unref(grad);
    if (st == GRAFT_OK && !retain)
        release(node);
    return st;
}

/* Walks from the newest node that takes part towards the beginning of the tape, until no gradient
 * waits: the rest of the tape has no part in this. A failure lets go of the gradients on their way.
 */
static graft_status walk(graft__taped *node, bool retain)
{
    graft_ctx *g = node->ctx;
    graft_status st = GRAFT_OK;
    while (g->waiting > 0) {
        if (node->grad && st == GRAFT_OK)
            st = step(node, retain);
        else if (node->grad)
            graft__tensor_unref(take_grad(node));
        /* Not before the step, which lets go of what was saved and may free its neighbour. */
        node = node->older;
    }
    return st;
}

/* The gradient that backward starts with, in t's shape and dtype; the scope's. */
static graft_tensor *first_grad(graft_tensor *t, graft_tensor *grad)
{
    graft_ctx *g = t->object.ctx;
    char a[GRAFT__SHAPE_TEXT], b[GRAFT__SHAPE_TEXT];
    if (!grad && t->numel != 1) {
        graft__fail(
            g, GRAFT_ERR_SHAPE,
            "backward: a tensor of shape %s has no single gradient to start from: expected one "
            "element (a loss), or a gradient of that shape",
            graft__tensor_shape_text(t, a));
        return NULL;
    }
    if (grad && !graft__same_context("backward", t, grad))
        return NULL;
    if (grad && !graft__same_shape(t, grad)) {
        graft__fail(
            g, GRAFT_ERR_SHAPE,
            "backward: a gradient of shape %s for a tensor of shape %s: expected equal shapes",
            graft__tensor_shape_text(grad, b), graft__tensor_shape_text(t, a));
        return NULL;
    }
    if (grad && !graft__check_computes(g, "backward", grad->dtype))
        return NULL;
    graft_tensor *first = graft__result(graft__tensor_like(t, t->dtype));
    if (!first)
        return NULL;
    graft__array to = graft__fresh(first);
    if (!grad) {
        graft__fill(g->pool, &to, 1);
        return first;
    }
    graft__array from = graft__read(grad);
    graft__copy(g->pool, &to, &from);
    return first;
}

/* A leaf is its own graph: an operation that hands its gradient on, so that one path serves all. */
static graft_status run(graft_tensor *t, graft_tensor *grad, bool retain)
{
    graft_ctx *g = t->object.ctx;
    graft__taped start = {.ctx = g, .inputs = 1};
    graft__edge edge = {.node = t->history, .leaf = t->history ? NULL : t};
    start.edge = &edge;
    g->waiting = 0;
    graft_status st = graft__give(&start, 0, grad);
    if (st != GRAFT_OK || !t->history)
        return st;
    graft__taped *root = graft__taped_ref(t->history);
    st = walk(root, retain);
    graft__taped_unref(root);
    return st;
}

graft_status graft_backward_with(graft_tensor *t, graft_tensor *grad, bool retain_graph)
{
    if (!t)
        return GRAFT_ERR_ARGUMENT;
    graft_ctx *g = t->object.ctx;
    if (!graft_requires_grad(t))
        return graft__fail(
            g, GRAFT_ERR_STATE,
            "backward: the tensor of dtype %s has no history and does not require grad: "
            "nothing to compute",
            graft_dtype_name(t->dtype));
    graft_status st = graft_scope_begin(g);
    if (st != GRAFT_OK)
        return st;
    g->no_grad++;
    graft_tensor *first = first_grad(t, grad);
    st = first ? run(t, first, retain_graph) : graft_error_status(g);
    g->no_grad--;
    graft__scope_end(g);
    return st;
}

graft_status graft_backward(graft_tensor *loss)
{
    return graft_backward_with(loss, NULL, false);
}
