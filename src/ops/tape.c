#include "ops/tape.h"

#include <string.h>

#include "tensor/history.h"

/* ---- Nodes ---- */

/* A node is one block: itself, its edges, what it saved, its attributes. */
static graft__taped *node_new(graft_ctx *g, const graft__op *op, int inputs, int saves, size_t attr)
{
    size_t edges = sizeof(graft__taped);
    size_t saved = edges + (size_t)inputs * sizeof(graft__edge);
    size_t attrs = saved + (size_t)saves * sizeof(graft__saved);
    graft__taped *n = graft__alloc_zero(g, attrs + attr);
    if (!n) {
        graft__fail_memory(g, attrs + attr, op->name);
        return NULL;
    }
    n->ctx = g;
    n->op = op;
    n->refs = 1;
    n->inputs = (uint16_t)inputs;
    n->saves = (uint16_t)saves;
    n->block_size = attrs + attr;
    n->edge = (graft__edge *)((char *)n + edges);
    n->saved = (graft__saved *)((char *)n + saved);
    n->attr = (char *)n + attrs;
    n->older = g->tape;
    if (g->tape)
        g->tape->newer = n;
    g->tape = n;
    return n;
}

static void take_off_tape(graft__taped *n)
{
    if (n->newer)
        n->newer->older = n->older;
    else
        n->ctx->tape = n->older;
    if (n->older)
        n->older->newer = n->newer;
}

graft__taped *graft__taped_ref(graft__taped *node)
{
    node->refs++;
    return node;
}

/* Takes a node without references apart and puts those that lost their last one to *dead. */
static void take_apart(graft__taped *n, graft__taped **dead)
{
    for (int i = 0; i < n->saves; i++)
        graft__tensor_unref(n->saved[i].tensor);
    graft__tensor_unref(n->grad);
    for (int i = 0; i < n->inputs; i++) {
        graft__tensor_unref(n->edge[i].leaf);
        graft__taped *from = n->edge[i].node;
        if (from && --from->refs == 0) {
            take_off_tape(from);
            from->newer = *dead; /* off the tape, the links are free to chain the dead */
            *dead = from;
        }
    }
    graft__free(n->ctx, n, n->block_size);
}

void graft__taped_unref(graft__taped *node)
{
    if (!node || --node->refs > 0)
        return;
    take_off_tape(node);
    node->newer = NULL;
    graft__taped *dead = node;
    while (dead) {
        graft__taped *n = dead;
        dead = n->newer;
        take_apart(n, &dead);
    }
}

void graft__history_drop(struct graft__taped *node)
{
    graft__taped_unref(node);
}

const char *graft__history_name(const struct graft__taped *node)
{
    return node->op->name;
}

/* ---- Recording ---- */

bool graft__should_record(graft_tensor *const *input, int n)
{
    for (int i = 0; i < n; i++)
        if (input[i] && input[i]->object.ctx->no_grad == 0 &&
            (input[i]->requires_grad || input[i]->history))
            return true;
    return false;
}

static void connect(graft__edge *edge, graft_tensor *input)
{
    if (!input)
        return;
    if (input->history)
        edge->node = graft__taped_ref(input->history);
    else if (input->requires_grad)
        edge->leaf = graft__tensor_ref(input);
}

graft__taped *graft__record(const graft__op *op, graft_tensor *y, graft_tensor *const *input, int n,
                            int saves, size_t attr_size)
{
    graft__taped *node = node_new(y->object.ctx, op, n, saves, attr_size);
    if (!node)
        return NULL;
    for (int i = 0; i < n; i++)
        connect(&node->edge[i], input[i]);
    y->history = node;
    return node;
}

bool graft__save(graft__taped *node, int i, graft_tensor *t)
{
    /* A node that saved its own result as it is would keep itself alive for ever. */
    graft_tensor *kept = t->history == node
                             ? graft__tensor_alias(t, t->ndim, t->size, t->stride, t->offset)
                             : graft__tensor_ref(t);
    if (!kept)
        return false;
    node->saved[i] = (graft__saved){.tensor = kept, .version = t->storage->version};
    return true;
}

void graft__forget_saved(graft_tensor *t)
{
    for (graft__taped *n = t->object.ctx->tape; n; n = n->older) {
        for (int i = 0; i < n->saves; i++) {
            if (n->saved[i].tensor != t)
                continue;
            n->saved[i] = (graft__saved){.changed = true};
            graft__tensor_unref(t);
        }
    }
}

graft_tensor *graft__finish(graft_tensor *y, bool ok)
{
    if (ok)
        return graft__result(y);
    graft__tensor_unref(y);
    return NULL;
}

graft_tensor *graft__load(graft__taped *node, int i)
{
    const graft__saved *s = &node->saved[i];
    if (s->changed) {
        graft__fail(node->ctx, GRAFT_ERR_STATE,
                    "backward: a tensor that %s needs for its gradient was changed in place after "
                    "the forward pass, by an operation that was recorded",
                    node->op->name);
        return NULL;
    }
    if (s->tensor->storage->version == s->version)
        return s->tensor;
    char text[GRAFT__SHAPE_TEXT];
    graft__fail(
        node->ctx, GRAFT_ERR_STATE,
        "backward: a tensor of shape %s that %s needs for its gradient was changed in place "
        "after the forward pass (it is at version %u, expected version %u)",
        graft__tensor_shape_text(s->tensor, text), node->op->name, s->tensor->storage->version,
        s->version);
    return NULL;
}

/* ---- Leaves and modes ---- */

bool graft_requires_grad(const graft_tensor *t)
{
    return t && (t->requires_grad || t->history);
}

bool graft_is_leaf(const graft_tensor *t)
{
    return !t || !t->history;
}

graft_tensor *graft_set_requires_grad(graft_tensor *t, bool requires_grad)
{
    if (!t)
        return NULL;
    graft_ctx *g = t->object.ctx;
    if (t->history) {
        graft__fail(
            g, GRAFT_ERR_STATE,
            "set_requires_grad: the tensor is the result of %s: expected a leaf (detach it)",
            t->history->op->name);
        return NULL;
    }
    if (requires_grad && !graft_dtype_is_floating(t->dtype)) {
        graft__fail(g, GRAFT_ERR_DTYPE,
                    "set_requires_grad: a tensor of dtype %s has no gradient: expected a floating "
                    "dtype",
                    graft_dtype_name(t->dtype));
        return NULL;
    }
    t->requires_grad = requires_grad;
    return t;
}

graft_tensor *graft_detach(graft_tensor *t)
{
    if (!t)
        return NULL;
    return graft__result(graft__tensor_alias(t, t->ndim, t->size, t->stride, t->offset));
}

graft_status graft_no_grad_begin(graft_ctx *g)
{
    if (!g)
        return GRAFT_ERR_ARGUMENT;
    g->no_grad++;
    return GRAFT_OK;
}

graft_status graft_no_grad_end(graft_ctx *g)
{
    if (!g)
        return GRAFT_ERR_ARGUMENT;
    if (g->no_grad == 0)
        return graft__fail(g, GRAFT_ERR_STATE, "no_grad_end: no no_grad region is open");
    g->no_grad--;
    return GRAFT_OK;
}

bool graft_grad_enabled(const graft_ctx *g)
{
    return g && g->no_grad == 0;
}
