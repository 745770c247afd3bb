/* Which names meet: an open-addressing hash over those of b. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "copy/diff_parts.h"

typedef struct name_index {
    const graft__diff_side *side;
    uint32_t *slot; /* places plus 1; 0 is free */
    size_t capacity;
} name_index;

static uint64_t hash_of(const char *s)
{
    uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a */
    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * UINT64_C(1099511628211);
    return h ^ h >> 32;
}

/* The slot of the name, or the free one where it belongs. */
static size_t slot_of(const name_index *x, const char *name)
{
    size_t i = (size_t)hash_of(name) & (x->capacity - 1);
    while (x->slot[i] && strcmp(x->side->place[x->slot[i] - 1].name, name) != 0)
        i = (i + 1) & (x->capacity - 1);
    return i;
}

static graft_status fill(name_index *x, graft_ctx *g, const graft__diff_side *side,
                         const char *which)
{
    *x = (name_index){.side = side, .capacity = 8};
    while (x->capacity < 2 * side->count)
        x->capacity *= 2;
    x->slot = graft__alloc_zero(g, x->capacity * sizeof *x->slot);
    if (!x->slot)
        return graft__fail_memory(g, x->capacity * sizeof *x->slot, "diff");
    for (size_t i = 0; i < side->count; i++) {
        const size_t at = slot_of(x, side->place[i].name);
        if (x->slot[at])
            return graft__fail(g, GRAFT_ERR_NAME, "diff: %s has two values of the name \"%s\"",
                               which, side->place[i].name);
        x->slot[at] = (uint32_t)i + 1;
    }
    return GRAFT_OK;
}

static void drop(name_index *x, graft_ctx *g)
{
    graft__free(g, x->slot, x->capacity * sizeof *x->slot);
}

graft_status graft__diff_match(graft__diff_side *a, graft__diff_side *b)
{
    name_index x;
    graft_status status = fill(&x, a->g, a, "a"); /* to see that there are no two */
    drop(&x, a->g);
    if (status)
        return status;
    status = fill(&x, a->g, b, "b");
    for (size_t i = 0; i < a->count && !status; i++) {
        const uint32_t found = x.slot[slot_of(&x, a->place[i].name)];
        if (found) {
            a->place[i].mate = found - 1;
            b->place[found - 1].mate = i;
        }
    }
    drop(&x, a->g);
    return status;
}
