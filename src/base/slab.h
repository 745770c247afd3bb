/* Small blocks cut out of large ones: a malloc of each would add as much as it takes. */
#ifndef GRAFT__BASE_SLAB_H
#define GRAFT__BASE_SLAB_H

#include "base/alloc.h"

/* The kinds of small blocks: 16, 32, 64, 128, 192 and 256 bytes, aligned to that, at most to 64. */
static inline int graft__slab_class(size_t size)
{
    return size <= 16 ? 0 : size <= 32 ? 1 : (int)((size + 63) / 64) + 1;
}

static inline size_t graft__slab_block(int kind)
{
    return kind < 2 ? (size_t)16 << kind : (size_t)(kind - 1) * 64;
}

/* A block of the kind; NULL if the arena's allocator has no memory. */
void *graft__slab_take(graft__arena *arena, int kind);

/* Gives it back; a slab of which nothing is left goes to the allocator. */
void graft__slab_give(graft__arena *arena, int kind, void *block);

#endif
