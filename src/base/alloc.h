/* Memory of a context: the allocator, and the caching arena in front of it. */
#ifndef GRAFT__BASE_ALLOC_H
#define GRAFT__BASE_ALLOC_H

#include "graft/base.h"

/* All blocks are aligned to this: a cache line, and the widest vector. */
enum { GRAFT__ALIGN = 64, GRAFT__SIZE_CLASSES = 64 * 8 };

typedef struct graft__free_block {
    struct graft__free_block *next;
    size_t size;
} graft__free_block;

typedef struct graft__arena {
    graft_allocator allocator;
    size_t cache_limit;
    graft_memory stats;
    graft__free_block *free[GRAFT__SIZE_CLASSES];
} graft__arena;

/* size bytes (0 gives a block too), not zeroed. NULL, without an error set, if there is no memory
 * even after the cache was emptied. */
void *graft__alloc(graft_ctx *g, size_t size);

/* The same, all bytes 0. */
void *graft__alloc_zero(graft_ctx *g, size_t size);

/* Gives back a block of graft__alloc with the size that was asked for. NULL is ignored. */
void graft__free(graft_ctx *g, void *block, size_t size);

/* Grows (or shrinks) a block, keeping the bytes; NULL leaves it as it was. */
void *graft__realloc(graft_ctx *g, void *block, size_t old_size, size_t new_size);

/* A block from the allocator itself, which no figure of the context counts: it may outlive it and
 * be freed on any thread, with the allocator's free and this size. */
void *graft__alloc_apart(graft_ctx *g, size_t size);

/* A copy of a string; freed with graft__free(g, s, strlen(s) + 1). */
char *graft__strdup(graft_ctx *g, const char *s);

/* a * b and a + b; false if the result does not fit. */
bool graft__mul_size(size_t a, size_t b, size_t *out);
bool graft__add_size(size_t a, size_t b, size_t *out);

/* The system's allocator: large blocks are aligned for, and ask for, huge pages. */
graft_allocator graft__system_allocator(void);

void graft__arena_open(graft__arena *arena, const graft_allocator *allocator, size_t cache_limit);
void graft__arena_empty(graft__arena *arena);
void *graft__arena_alloc(graft__arena *arena, size_t size);
void graft__arena_free(graft__arena *arena, void *block, size_t size);

/* The size that the allocator is asked for, for a request of size bytes; 0 if it is too large. */
size_t graft__arena_block_size(size_t size);

#endif
