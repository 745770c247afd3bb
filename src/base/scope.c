/* Scopes: a stack of handles, cut back to a mark when a scope ends. */
#include "base/ctx.h"
#include "base/vector.h"

bool graft__scope_grow(graft_ctx *g)
{
    if (g->slot_count < INT32_MAX && graft__vector_reserve(g, (void **)&g->slots, g->slot_count,
                                                           &g->slot_capacity, sizeof *g->slots))
        return true;
    graft__fail_memory(g, 2 * g->slot_capacity * sizeof *g->slots, "scope");
    return false;
}

graft_status graft_scope_begin(graft_ctx *g)
{
    if (!g)
        return GRAFT_ERR_ARGUMENT;
    if (!graft__vector_reserve(g, (void **)&g->marks, g->mark_count, &g->mark_capacity,
                               sizeof *g->marks))
        return graft__fail_memory(g, 2 * g->mark_capacity * sizeof *g->marks, "scope_begin");
    g->marks[g->mark_count++] = g->slot_count;
    return GRAFT_OK;
}

void graft__scope_end(graft_ctx *g)
{
    if (g->mark_count == 0) /* a callback has ended a scope that was not its own */
        return;
    size_t mark = g->marks[--g->mark_count];
    while (g->slot_count > mark) {
        graft__object *o = g->slots[--g->slot_count];
        if (o) {
            o->owner = GRAFT__OWNER_NONE;
            graft__unref(o);
        }
    }
}

graft_status graft_scope_end(graft_ctx *g)
{
    if (!g)
        return GRAFT_ERR_ARGUMENT;
    if (g->mark_count == 0)
        return graft__fail(g, GRAFT_ERR_STATE, "scope_end: no scope is open");
    graft__scope_end(g);
    return GRAFT_OK;
}
