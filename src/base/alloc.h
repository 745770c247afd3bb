/* Memory of a context: the allocator, and the caching arena in front of it. */
#ifndef GRAFT__BASE_ALLOC_H
#define GRAFT__BASE_ALLOC_H

#include "graft/base.h"

/* Blocks are aligned to this, a cache line and the widest vector, unless they are smaller. */
enum { GRAFT__ALIGN = 64, GRAFT__SIZE_CLASSES = 64 * 8 };

/* Small blocks come from slabs (base/slab.h) where the allocator is the system's and there is a
 * cache, and are aligned to 16 or 32 if they are no larger: a caller's own sees every block. */
enum { GRAFT__SMALL_MAX = 256, GRAFT__SMALL_CLASSES = 6 };

typedef struct graft__free_block {
    struct graft__free_block *next;
    size_t size;
} graft__free_block;

typedef struct graft__slab graft__slab;

typedef struct graft__arena {
    graft_allocator allocator;
    size_t cache_limit;
    bool slabs; /* small blocks come from slabs */
    graft_memory stats;
    graft__free_block *free[GRAFT__SIZE_CLASSES];
    graft__free_block *small[GRAFT__SMALL_CLASSES]; /* the same, of slabs */
    graft__slab *slab[GRAFT__SMALL_CLASSES];        /* those that have room */
} graft__arena;

/* size bytes (0 gives a block too), not zeroed. NULL, without an error set, if there is no memory
 * even after the cache was emptied. */
void *graft__alloc(graft_ctx *g, size_t size);

/* The same, all bytes 0. */
void *graft__alloc_zero(graft_ctx *g, size_t size);

/* A counted block that is never part of a slab, so that the context's allocator may free it on any
 * thread, with the size that graft__arena_block_size says; here with graft__free_single. */
void *graft__alloc_single(graft_ctx *g, size_t size);
void graft__free_single(graft_ctx *g, void *block, size_t size);

/* Gives back a block of graft__alloc with the size that was asked for. NULL is ignored. */
void graft__free(graft_ctx *g, void *block, size_t size);

/* Grows (or shrinks) a block, keeping the bytes; NULL leaves it as it was. */
void *graft__realloc(graft_ctx *g, void *block, size_t old_size, size_t new_size);

/* A block from the allocator itself, which no figure of the context counts: it may outlive it and
 * be freed on any thread, with the allocator's free and this size. */
void *graft__alloc_apart(graft_ctx *g, size_t size);

/* A copy of a string; freed with graft__free(g, s, strlen(s) + 1). */
char *graft__strdup(graft_ctx *g, const char *s);

/* Frees a string that is all of its block, as graft__strdup's. NULL is ignored. */
void graft__strfree(graft_ctx *g, char *s);

/* a * b and a + b; false if the result does not fit. */
bool graft__mul_size(size_t a, size_t b, size_t *out);
bool graft__add_size(size_t a, size_t b, size_t *out);

/* The system's allocator: large blocks are aligned for, and ask for, huge pages. */
graft_allocator graft__system_allocator(void);

void graft__arena_open(graft__arena *arena, const graft_allocator *allocator, size_t cache_limit);
void graft__arena_empty(graft__arena *arena);

/* The allocator's memory, for which the cache makes room if it must. */
void *graft__arena_ask(graft__arena *arena, size_t size, size_t align);

/* The size that the allocator is asked for, for a request of size bytes; 0 if it is too large. */
size_t graft__arena_block_size(size_t size);

#endif
