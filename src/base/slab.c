#include "base/slab.h"

/* Aligned to its size, so that a block leads to its slab. */
enum { SLAB = 1 << 16, HEAD = 64 };

/* Where blocks are taken from. Slabs of which all is taken are in no list. */
struct graft__slab {
    graft__slab *next, *prev;
    graft__free_block *free; /* what was given back */
    size_t used;             /* bytes from the front on that were taken once */
    size_t taken;            /* blocks that are out */
};

_Static_assert(sizeof(graft__slab) <= HEAD, "blocks begin behind the head");

static bool is_full(const graft__slab *s, size_t block)
{
    return !s->free && SLAB - s->used < block;
}

static void link_slab(graft__arena *arena, int kind, graft__slab *s)
{
    s->prev = NULL;
    s->next = arena->slab[kind];
    if (s->next)
        s->next->prev = s;
    arena->slab[kind] = s;
}

static void unlink_slab(graft__arena *arena, int kind, graft__slab *s)
{
    if (s->next)
        s->next->prev = s->prev;
    if (s->prev)
        s->prev->next = s->next;
    else
        arena->slab[kind] = s->next;
}

static bool add_slab(graft__arena *arena, int kind)
{
    graft__slab *s = graft__arena_ask(arena, SLAB, SLAB);
    if (!s)
        return false;
    *s = (graft__slab){.used = HEAD};
    link_slab(arena, kind, s);
    return true;
}

void *graft__slab_take(graft__arena *arena, int kind)
{
    const size_t block = graft__slab_block(kind);
    if (!arena->slab[kind] && !add_slab(arena, kind))
        return NULL;
    graft__slab *s = arena->slab[kind];
    void *p = s->free;
    if (p) {
        s->free = s->free->next;
    } else {
        p = (char *)s + s->used;
        s->used += block;
    }
    s->taken++;
    if (is_full(s, block))
        unlink_slab(arena, kind, s);
    return p;
}

void graft__slab_give(graft__arena *arena, int kind, void *block)
{
    graft__slab *s = (graft__slab *)((uintptr_t)block & ~(uintptr_t)(SLAB - 1));
    const bool was_full = is_full(s, graft__slab_block(kind));
    graft__free_block *b = block;
    b->next = s->free;
    s->free = b;
    if (was_full)
        link_slab(arena, kind, s);
    if (--s->taken > 0)
        return;
    unlink_slab(arena, kind, s);
    arena->allocator.free(arena->allocator.user, s, SLAB);
}
