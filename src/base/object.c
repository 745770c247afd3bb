#include "base/object.h"

#include "base/ctx.h"

void graft__object_init(graft__object *o, graft_ctx *g, const graft__kind *kind)
{
    o->ctx = g;
    o->kind = kind;
    o->refs = 1;
    o->owner = GRAFT__OWNER_NONE;
    o->prev = o->next = NULL;
}

graft__object *graft__ref(graft__object *o)
{
    o->refs++;
    return o;
}

void graft__unref(graft__object *o)
{
    if (o && --o->refs == 0)
        o->kind->destroy(o);
}

bool graft__own(graft__object *o)
{
    graft_ctx *g = o->ctx;
    if (g->mark_count == 0) {
        graft__own_by_context(o);
        return true;
    }
    if (g->slot_count == g->slot_capacity && !graft__scope_grow(g)) {
        graft__unref(o);
        return false;
    }
    o->owner = (int32_t)g->slot_count;
    g->slots[g->slot_count++] = o;
    return true;
}

void graft__own_by_context(graft__object *o)
{
    graft__object *head = &o->ctx->kept;
    o->owner = GRAFT__OWNER_CONTEXT;
    o->prev = head->prev;
    o->next = head;
    head->prev->next = o;
    head->prev = o;
}

bool graft__disown(graft__object *o)
{
    if (o->owner == GRAFT__OWNER_NONE)
        return false;
    if (o->owner == GRAFT__OWNER_CONTEXT) {
        o->prev->next = o->next;
        o->next->prev = o->prev;
        o->prev = o->next = NULL;
    } else {
        o->ctx->slots[o->owner] = NULL;
    }
    o->owner = GRAFT__OWNER_NONE;
    return true;
}
