#include "file/elements.h"

#include "tensor/chunks.h"

typedef graft_status visit_fn(void *user, const void *bytes, size_t size);

uint64_t graft__element_bytes(const graft_tensor *t)
{
    int64_t elements;
    size_t bytes;
    if (!graft_dtype_block(t->dtype, &elements, &bytes))
        return 0;
    return (uint64_t)(t->numel / elements) * bytes;
}

graft_status graft__each_part(graft_ctx *g, const graft_tensor *t, visit_fn *visit, void *user)
{
    int64_t elements = 1;
    size_t bytes = 0;
    graft_dtype_block(t->dtype, &elements, &bytes);
    const int64_t step = graft__chunks_step(t);
    graft__chunks c;
    graft_status status = GRAFT_OK;
    if (!graft__chunks_begin(&c, g, t))
        status = graft_error_status(g);
    for (int64_t at = 0; at < t->numel && status == GRAFT_OK; at += step) {
        const int64_t n = t->numel - at < step ? t->numel - at : step;
        const void *part = graft__chunks_at(&c, at, n);
        status = part ? visit(user, part, (size_t)(n / elements) * bytes) : graft_error_status(g);
    }
    graft__chunks_end(&c);
    return status;
}

graft_status graft__each_storage_part(graft_ctx *g, graft__storage *s, uint64_t begin, uint64_t end,
                                      visit_fn *visit, void *user)
{
    const int64_t size = (int64_t)(end - begin);
    if (size == 0)
        return GRAFT_OK;
    graft_tensor *t =
        graft__tensor_over(graft__storage_ref(s), GRAFT_U8, 1, &size, NULL, (int64_t)begin);
    const graft_status status =
        t ? graft__each_part(g, t, visit, user) : graft_error_status(s->ctx);
    graft__tensor_unref(t);
    return status;
}
