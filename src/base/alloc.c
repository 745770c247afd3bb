#include "base/alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "base/ctx.h"
#include "base/slab.h"

#if defined(__SANITIZE_ADDRESS__)
#define ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ADDRESS_SANITIZER 1
#endif
#endif

#if defined(ADDRESS_SANITIZER)
/* Declared here, as the compilers' header of them is not among what this folder may know. */
void __asan_poison_memory_region(const volatile void *p, size_t size);
void __asan_unpoison_memory_region(const volatile void *p, size_t size);
#endif

enum {
    LINEAR_CLASSES = 16, /* 64, 128, ... 1024 bytes */
    STEPS = 8,           /* then eight sizes to each doubling: at most an eighth is wasted */
    FIRST_LOG = 10,      /* log2 of 1024 */
    HUGE_PAGE = 2 << 20
};

/* ---- The system's allocator ---- */

static void *system_alloc(void *user, size_t size, size_t align)
{
    (void)user;
    if (size < 2 * (size_t)HUGE_PAGE) {
        void *block = NULL;
        return posix_memalign(&block, align, size) == 0 ? block : NULL;
    }
    void *block = NULL;
    if (posix_memalign(&block, HUGE_PAGE, size) != 0)
        return NULL;
#if defined(__linux__)
    /* Faulting in a gigabyte page by page takes longer than copying it. Only advice: may fail. */
    madvise(block, size, MADV_HUGEPAGE);
#endif
    return block;
}

static void system_free(void *user, void *block, size_t size)
{
    (void)user;
    (void)size;
    free(block);
}

graft_allocator graft__system_allocator(void)
{
    return (graft_allocator){.alloc = system_alloc, .free = system_free};
}

/* ---- Size classes ---- */

static int log2_of(size_t size)
{
    return 63 - __builtin_clzll((unsigned long long)size);
}

/* The class of a request, and in *block the size that blocks of that class have. -1: too large. */
static int class_of(size_t size, size_t *block)
{
    if (size <= (size_t)LINEAR_CLASSES * GRAFT__ALIGN) {
        size_t n = size == 0 ? 1 : (size + GRAFT__ALIGN - 1) / GRAFT__ALIGN;
        *block = n * GRAFT__ALIGN;
        return (int)n - 1;
    }
    if (size > PTRDIFF_MAX / 2)
        return -1;
    int log = log2_of(size - 1); /* 2^log < size <= 2^(log + 1) */
    size_t step = ((size_t)1 << log) / STEPS;
    size_t n = (size - ((size_t)1 << log) + step - 1) / step; /* 1 .. STEPS */
    *block = ((size_t)1 << log) + n * step;
    return LINEAR_CLASSES + (log - FIRST_LOG) * STEPS + (int)n - 1;
}

size_t graft__arena_block_size(size_t size)
{
    size_t block = 0;
    return class_of(size, &block) < 0 ? 0 : block;
}

/* ---- The arena ---- */

/* Tells AddressSanitizer that of a block only the first size bytes may be touched. */
static void fence(void *p, size_t size, size_t block)
{
#if defined(ADDRESS_SANITIZER)
    __asan_unpoison_memory_region(p, size);
    __asan_poison_memory_region((char *)p + size, block - size);
#else
    (void)p;
    (void)size;
    (void)block;
#endif
}

void graft__arena_open(graft__arena *arena, const graft_allocator *allocator, size_t cache_limit)
{
    memset(arena, 0, sizeof *arena);
    arena->allocator = *allocator;
    arena->cache_limit = cache_limit;
    arena->slabs = allocator->alloc == system_alloc && cache_limit > 0;
#if defined(ADDRESS_SANITIZER)
    arena->cache_limit = 0; /* a block that is reused hides a use after free */
    arena->slabs = false;
#endif
}

void graft__arena_empty(graft__arena *arena)
{
    for (int c = 0; c < GRAFT__SMALL_CLASSES; c++) {
        while (arena->small[c]) {
            graft__free_block *block = arena->small[c];
            arena->small[c] = block->next;
            arena->stats.cached -= graft__slab_block(c);
            graft__slab_give(arena, c, block);
        }
    }
    for (int c = 0; c < GRAFT__SIZE_CLASSES; c++) {
        while (arena->free[c]) {
            graft__free_block *block = arena->free[c];
            arena->free[c] = block->next;
            size_t size = block->size;
            arena->stats.cached -= size;
            arena->allocator.free(arena->allocator.user, block, size);
        }
    }
}

static void count_use(graft__arena *arena, size_t block)
{
    arena->stats.in_use += block;
    if (arena->stats.in_use > arena->stats.peak)
        arena->stats.peak = arena->stats.in_use;
}

void *graft__arena_ask(graft__arena *arena, size_t size, size_t align)
{
    arena->stats.system_calls++;
    void *p = arena->allocator.alloc(arena->allocator.user, size, align);
    if (p || arena->stats.cached == 0)
        return p;
    graft__arena_empty(arena);
    arena->stats.system_calls++;
    return arena->allocator.alloc(arena->allocator.user, size, align);
}

static void *arena_alloc(graft__arena *arena, size_t size)
{
    size_t block = 0;
    int c = class_of(size, &block);
    if (c < 0)
        return NULL;
    graft__free_block *cached = arena->free[c];
    void *p = cached;
    if (cached) {
        arena->free[c] = cached->next;
        arena->stats.cached -= block;
    } else {
        p = graft__arena_ask(arena, block, GRAFT__ALIGN);
    }
    if (p) {
        count_use(arena, block);
        fence(p, size, block);
    }
    return p;
}

static void arena_free(graft__arena *arena, void *p, size_t size)
{
    if (!p)
        return;
    size_t block = 0;
    int c = class_of(size, &block);
    arena->stats.in_use -= block;
    fence(p, block, block);
    if (arena->stats.cached + block > arena->cache_limit) {
        arena->allocator.free(arena->allocator.user, p, block);
        return;
    }
    graft__free_block *f = p;
    f->next = arena->free[c];
    f->size = block;
    arena->free[c] = f;
    arena->stats.cached += block;
}

/* ---- Small blocks ---- */

static bool is_small(const graft__arena *arena, size_t size)
{
    return size <= GRAFT__SMALL_MAX && arena->slabs;
}

static void *small_alloc(graft__arena *arena, size_t size)
{
    const int c = graft__slab_class(size);
    const size_t block = graft__slab_block(c);
    graft__free_block *cached = arena->small[c];
    void *p = cached;
    if (cached) {
        arena->small[c] = cached->next;
        arena->stats.cached -= block;
    } else {
        p = graft__slab_take(arena, c);
    }
    if (p)
        count_use(arena, block);
    return p;
}

static void small_free(graft__arena *arena, void *p, size_t size)
{
    const int c = graft__slab_class(size);
    const size_t block = graft__slab_block(c);
    if (!p)
        return;
    arena->stats.in_use -= block;
    if (arena->stats.cached + block > arena->cache_limit) {
        graft__slab_give(arena, c, p);
        return;
    }
    graft__free_block *f = p;
    f->next = arena->small[c];
    arena->small[c] = f;
    arena->stats.cached += block;
}

/* What a request of that size takes. */
static size_t room_of(const graft__arena *arena, size_t size)
{
    return is_small(arena, size) ? graft__slab_block(graft__slab_class(size))
                                 : graft__arena_block_size(size);
}

/* ---- For a context ---- */

void *graft__alloc(graft_ctx *g, size_t size)
{
    return is_small(&g->arena, size) ? small_alloc(&g->arena, size) : arena_alloc(&g->arena, size);
}

void *graft__alloc_single(graft_ctx *g, size_t size)
{
    return arena_alloc(&g->arena, size);
}

void graft__free_single(graft_ctx *g, void *block, size_t size)
{
    arena_free(&g->arena, block, size);
}

void *graft__alloc_apart(graft_ctx *g, size_t size)
{
    return graft__arena_ask(&g->arena, size, GRAFT__ALIGN);
}

void *graft__alloc_zero(graft_ctx *g, size_t size)
{
    void *p = graft__alloc(g, size);
    if (p)
        memset(p, 0, size);
    return p;
}

void graft__free(graft_ctx *g, void *block, size_t size)
{
    if (is_small(&g->arena, size))
        small_free(&g->arena, block, size);
    else
        arena_free(&g->arena, block, size);
}

void *graft__realloc(graft_ctx *g, void *block, size_t old_size, size_t new_size)
{
    const size_t room = room_of(&g->arena, new_size);
    if (block && room_of(&g->arena, old_size) == room) {
        fence(block, new_size, room);
        return block;
    }
    void *p = graft__alloc(g, new_size);
    if (!p)
        return NULL;
    if (block)
        memcpy(p, block, old_size < new_size ? old_size : new_size);
    graft__free(g, block, old_size);
    return p;
}

char *graft__strdup(graft_ctx *g, const char *s)
{
    size_t size = strlen(s) + 1;
    char *copy = graft__alloc(g, size);
    if (copy)
        memcpy(copy, s, size);
    return copy;
}

void graft__strfree(graft_ctx *g, char *s)
{
    if (s)
        graft__free(g, s, strlen(s) + 1);
}

bool graft__mul_size(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

bool graft__add_size(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}
