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
    if (!copy)
        return NULL;
    copy->requires_grad = t->requires_grad;
    if (!clone_gradient(t, copy)) {
        graft__tensor_unref(copy);
        return NULL;
    }
    graft__own_by_context(&copy->object);
    return copy;
}
