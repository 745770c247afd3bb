#include "copy/copier.h"

void graft__copier_init(graft__copier *c, graft_ctx *into)
{
    c->into = into;
    graft__map_init(&c->storages, into);
    graft__map_init(&c->tensors, into);
}

void graft__copier_free(graft__copier *c)
{
    graft__map_free(&c->storages);
    graft__map_free(&c->tensors);
}

/* A reference to the storage that the copies of tensors over s share. */
static graft__storage *copy_storage(graft__copier *c, const graft__storage *s)
{
    graft__storage *copy = graft__map_get(&c->storages, s);
    if (copy)
        return graft__storage_ref(copy);
    copy = graft__storage_share(s, c->into);
    if (copy && !graft__map_set(&c->storages, s, copy)) {
        graft__storage_unref(copy);
        return NULL;
    }
    return copy;
}

/* A tensor that lies over the copy of t's storage as t lies over its own. */
static graft_tensor *over_copy(graft__copier *c, const graft_tensor *t)
{
    graft__storage *s = copy_storage(c, t->storage);
    if (!s)
        return NULL;
    return graft__tensor_over(s, t->dtype, t->ndim, t->size, t->stride, t->offset);
}

graft_tensor *graft__copier_tensor(graft__copier *c, const graft_tensor *t)
{
    graft_tensor *copy = graft__map_get(&c->tensors, t);
    if (copy)
        return graft__tensor_ref(copy);
    copy = over_copy(c, t);
    if (!copy)
        return NULL;
    copy->requires_grad = t->requires_grad;
    if (!graft__map_set(&c->tensors, t, copy)) {
        graft__tensor_unref(copy);
        return NULL;
    }
    return copy;
}

graft_status graft__copier_gradient(graft__copier *c, const graft_tensor *t, graft_tensor *copy)
{
    if (!t->grad_is_set || copy->grad)
        return GRAFT_OK;
    graft_tensor *grad = over_copy(c, t->grad);
    if (!grad)
        return GRAFT_ERR_MEMORY;
    grad->is_gradient = true;
    copy->grad = grad;
    copy->grad_is_set = true;
    return GRAFT_OK;
}
