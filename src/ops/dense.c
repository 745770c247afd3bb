#include "ops/dense.h"

#include "kernel/copy.h"

bool graft__dense_array(graft_ctx *g, const char *op, const graft__array *from, unsigned repeated,
                        graft__dense *out, graft__array *array)
{
    graft__array once = *from, copy = *from;
    int64_t count = 1;
    for (int d = from->ndim - 1; d >= 0; d--) {
        if (repeated >> d & 1) {
            once.size[d] = 1;
            copy.stride[d] = 0;
        } else {
            copy.stride[d] = count;
        }
        /* A size of 0 counts as 1, as in the strides of tensors. */
        count *= once.size[d] > 1 ? once.size[d] : 1;
    }
    out->size = (size_t)count * graft_dtype_size(from->dtype);
    out->block = graft__alloc(g, out->size);
    out->data = out->block;
    if (!out->block) {
        graft__fail_memory(g, out->size, op);
        return false;
    }
    copy.data = out->block;
    graft__array to = copy;
    for (int d = 0; d < from->ndim; d++)
        to.size[d] = once.size[d];
    graft__copy(g->pool, &to, &once);
    *array = copy;
    return true;
}

bool graft__dense_read(const char *op, const graft_tensor *t, graft__dense *out)
{
    if (t->contiguous) {
        *out = (graft__dense){.data = graft__first(t)};
        return true;
    }
    const graft__array from = graft__read(t);
    graft__array copy;
    return graft__dense_array(t->object.ctx, op, &from, 0, out, &copy);
}

void graft__dense_free(graft_ctx *g, graft__dense *dense)
{
    if (dense->block)
        graft__free(g, dense->block, dense->size);
}
