#include "copy/same.h"

#include <string.h>

#include "tensor/chunks.h"
#include "tensor/dtype.h"

int graft__same_elements(graft_ctx *g, const graft_tensor *a, const graft_tensor *b)
{
    graft__chunks ca, cb;
    int same = 1;
    const bool ready = graft__chunks_begin(&ca, g, a), both = graft__chunks_begin(&cb, g, b);
    if (!ready || !both)
        same = -1;
    const int64_t step = graft__chunks_step(a);
    for (int64_t at = 0; same == 1 && at < a->numel; at += step) {
        const int64_t count = a->numel - at < step ? a->numel - at : step;
        const void *x = graft__chunks_at(&ca, at, count);
        const void *y = x ? graft__chunks_at(&cb, at, count) : NULL;
        uint64_t bytes = 0;
        if (!y || !graft__dtype_bytes(a->dtype, count, &bytes))
            same = -1;
        else
            same = memcmp(x, y, (size_t)bytes) == 0;
    }
    graft__chunks_end(&ca);
    graft__chunks_end(&cb);
    return same;
}

int graft__compare_places(const graft_tensor *a, const graft_tensor *b)
{
    if (a == b)
        return 0;
    if (a->storage != b->storage)
        return (uintptr_t)a->storage < (uintptr_t)b->storage ? -1 : 1;
    if (a->offset != b->offset)
        return a->offset < b->offset ? -1 : 1;
    if (a->dtype != b->dtype)
        return a->dtype < b->dtype ? -1 : 1;
    if (a->ndim != b->ndim)
        return a->ndim < b->ndim ? -1 : 1;
    const size_t bytes = (size_t)a->ndim * sizeof *a->size;
    const int sizes = memcmp(a->size, b->size, bytes);
    return sizes != 0 ? sizes : memcmp(a->stride, b->stride, bytes);
}
