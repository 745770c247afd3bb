/* Where gradients end up: in the nodes of the tape on their way, in the leaves at the end. */
#include "kernel/accumulate.h"
#include "ops/tape.h"
#include "tensor/dtype.h"

bool graft__wants(const graft__taped *node, int i)
{
    const graft_tensor *leaf = node->edge[i].leaf;
    return leaf ? leaf->requires_grad : node->edge[i].node != NULL;
}

/* Whether nobody but the scope holds t, and nobody shares its memory: it may be taken as it is. */
static bool is_spare(const graft_tensor *t)
{
    return t->object.refs == 1 && t->object.owner >= 0 && t->storage->refs == 1 && t->contiguous &&
           !t->history && !t->requires_grad;
}

/* Whether t may be added to in place: one holder, one storage, contiguous memory. */
static bool is_ours(const graft_tensor *t)
{
    return t->object.refs == 1 && t->storage->refs == 1 && t->contiguous;
}

/* A tensor with the elements of t that the caller may keep: t itself or a copy-on-write copy. */
static graft_tensor *keep_or_copy(graft_tensor *t)
{
    if (is_spare(t)) {
        graft__disown(&t->object);
        return t;
    }
    return graft__tensor_snapshot(t, t->object.ctx);
}

/* ---- Leaves ---- */

static void become_gradient(graft_tensor *leaf, graft_tensor *grad)
{
    grad->is_gradient = true;
    leaf->grad = grad;
    leaf->grad_is_set = true;
}

/* The leaf's gradient object is kept over its life, so that a handle to it stays good: a new
 * gradient moves into it. */
static void move_into(graft_tensor *kept, graft_tensor *grad)
{
    graft__storage *old = kept->storage;
    kept->storage = graft__storage_ref(grad->storage);
    kept->storage->version = old->version + 1; /* an operation may have saved the old gradient */
    graft__storage_unref(old);
    kept->offset = grad->offset;
    graft__tensor_unref(grad);
}

/* Takes over the reference to grad, which nobody else holds; NULL: there was no memory for it. */
static graft_status set_leaf(graft_tensor *leaf, graft_tensor *grad)
{
    if (!grad)
        return GRAFT_ERR_MEMORY;
    if (leaf->grad)
        move_into(leaf->grad, grad);
    else
        become_gradient(leaf, grad);
    leaf->grad_is_set = true;
    return GRAFT_OK;
}

static graft_status give_leaf(graft_tensor *leaf, graft_tensor *grad)
{
    if (!leaf->grad_is_set)
        return set_leaf(leaf, keep_or_copy(grad));
    graft__array to, from = graft__read(grad);
    if (!graft__write(leaf->grad, &to))
        return GRAFT_ERR_MEMORY;
    graft__accumulate(leaf->object.ctx->pool, &to, &from);
    return GRAFT_OK;
}

/* ---- Nodes ---- */

/* Makes node->grad a tensor that may be added to in place. */
static graft_status make_ours(graft__taped *node)
{
    if (is_ours(node->grad))
        return GRAFT_OK;
    graft_tensor *own = graft__tensor_snapshot(node->grad, node->ctx);
    if (!own)
        return GRAFT_ERR_MEMORY;
    graft__tensor_unref(node->grad);
    node->grad = own;
    return GRAFT_OK;
}

static graft_status give_node(graft__taped *node, graft_tensor *grad)
{
    if (!node->grad) {
        if (is_spare(grad))
            graft__disown(&grad->object);
        else
            graft__tensor_ref(grad);
        node->grad = grad;
        node->ctx->waiting++;
        return GRAFT_OK;
    }
    graft__array to, from = graft__read(grad);
    if (make_ours(node) != GRAFT_OK || !graft__write(node->grad, &to))
        return GRAFT_ERR_MEMORY;
    graft__accumulate(node->ctx->pool, &to, &from);
    return GRAFT_OK;
}

graft_status graft__give(graft__taped *node, int i, graft_tensor *grad)
{
    if (!grad)
        return graft_error_status(node->ctx);
    graft__edge *edge = &node->edge[i];
    if (edge->leaf)
        return edge->leaf->requires_grad ? give_leaf(edge->leaf, grad) : GRAFT_OK;
    return edge->node ? give_node(edge->node, grad) : GRAFT_OK;
}

graft_status graft__give_into(graft__taped *node, int i, int ndim, const int64_t *size,
                              graft_dtype dtype, double *beta, graft__array *out)
{
    graft__edge *edge = &node->edge[i];
    graft_tensor **place = edge->leaf ? &edge->leaf->grad : &edge->node->grad;
    bool is_set = edge->leaf ? edge->leaf->grad_is_set : *place != NULL;
    if (!*place) {
        graft_tensor *t = graft__tensor_new(node->ctx, node->op->name, ndim, size, dtype);
        if (!t)
            return graft_error_status(node->ctx);
        *place = t;
        node->ctx->waiting += edge->leaf ? 0 : 1;
        t->is_gradient = edge->leaf != NULL;
    } else if (!edge->leaf && make_ours(edge->node) != GRAFT_OK) {
        return GRAFT_ERR_MEMORY;
    }
    *beta = is_set ? 1 : 0;
    if (!(is_set ? graft__write(*place, out) : graft__overwrite(*place, out)))
        return GRAFT_ERR_MEMORY;
    if (edge->leaf)
        edge->leaf->grad_is_set = true;
    return GRAFT_OK;
}

/* ---- For users ---- */

graft_tensor *graft_grad(const graft_tensor *t)
{
    return t && t->grad_is_set ? t->grad : NULL;
}

graft_status graft_set_grad(graft_tensor *t, graft_tensor *grad)
{
    if (!t)
        return GRAFT_ERR_ARGUMENT;
    graft_ctx *g = t->object.ctx;
    if (!grad) {
        t->grad_is_set = false;
        return GRAFT_OK;
    }
    if (t->history || !graft_dtype_is_floating(t->dtype))
        return graft__fail(g, GRAFT_ERR_STATE, "set_grad: expected a floating leaf");
    if (!graft__same_context("set_grad", t, grad))
        return GRAFT_ERR_ARGUMENT;
    if (!graft__check_computes(g, "set_grad", grad->dtype))
        return GRAFT_ERR_DTYPE;
    if (!graft__same_shape(t, grad)) {
        char a[GRAFT__SHAPE_TEXT], b[GRAFT__SHAPE_TEXT];
        return graft__fail(g, GRAFT_ERR_SHAPE,
                           "set_grad: a gradient of shape %s for a tensor of shape %s",
                           graft__tensor_shape_text(grad, b), graft__tensor_shape_text(t, a));
    }
    if (grad->dtype == t->dtype)
        return set_leaf(t, graft__tensor_snapshot(grad, g));
    graft_tensor *converted = graft__tensor_like(t, t->dtype);
    if (converted && graft__tensor_assign(converted, grad) != GRAFT_OK) {
        graft__tensor_unref(converted);
        return GRAFT_ERR_MEMORY;
    }
    return set_leaf(t, converted);
}
