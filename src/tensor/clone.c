#include "tensor/history.h"
#include "tensor/tensor.h"

/* Gives copy a copy of t's gradient, if t has one. */
static bool clone_gradient(const graft_tensor *t, graft_tensor *copy)
{
    if (!t->grad_is_set)
        return true;
    copy->grad = graft__tensor_snapshot(t->grad, copy->object.ctx);
    if (!copy->grad)
        return false;
    copy->grad->is_gradient = true;
    copy->grad_is_set = true;
    return true;
}

graft_tensor *graft_tensor_clone(graft_tensor *t, graft_ctx *into)
{
    if (!t)
        return NULL;
    if (t->history) {
        char shape[GRAFT__SHAPE_TEXT];
        graft__fail(t->object.ctx, GRAFT_ERR_STATE,
                    "tensor_clone: the tensor of shape %s is the result of %s and has a history: "
                    "detach it first, or use graft_copy, which takes part in the graph",
                    graft__tensor_shape_text(t, shape), graft__history_name(t->history));
        return NULL;
    }
    graft_tensor *copy = graft__tensor_snapshot(t, into ? into : t->object.ctx);
    if (copy && clone_gradient(t, copy)) {
        copy->requires_grad = t->requires_grad;
        graft__own_by_context(&copy->object);
        return copy;
    }
    graft__tensor_unref(copy);
    /* Where the two contexts differ, the source's must know too that it failed. */
    graft__fail(t->object.ctx, GRAFT_ERR_MEMORY,
                "tensor_clone: out of memory in the copy's context");
    return NULL;
}
