#include "base/vector.h"

#include "base/alloc.h"

bool graft__vector_reserve(graft_ctx *g, void **items, size_t count, size_t *capacity,
                           size_t item_size)
{
    if (count < *capacity)
        return true;
    size_t wanted = *capacity ? *capacity : 4, bytes = 0;
    if (!graft__mul_size(wanted, 2, &wanted) || !graft__mul_size(wanted, item_size, &bytes))
        return false;
    void *grown = graft__realloc(g, *items, *capacity * item_size, bytes);
    if (!grown)
        return false;
    *items = grown;
    *capacity = wanted;
    return true;
}
