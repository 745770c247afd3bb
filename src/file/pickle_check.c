/* Whether something contains itself, and how deep it goes: one walk over all that was read, which
 * enters each container once. */
#include "file/pickle_machine.h"

#include <string.h>

typedef struct frame {
    const graft_dict *d;
    size_t next;    /* child: keys and values of the entries in turn, attributes, args */
    uint64_t below; /* levels of nesting under d that were found so far */
} frame;

typedef struct walk {
    graft__pickle *p;
    frame *frame;
    size_t depth, capacity;
    graft__map seen; /* those held more than once: their depth if they are being walked (odd), else
                        the levels under them (even) */
} walk;

static void *state(uint64_t number, bool open)
{
    return (void *)(uintptr_t)((number + 1) << 1 | open);
}

static bool too_deep(walk *w, uint64_t levels)
{
    const int64_t max = w->p->r->options.max_depth;
    if (max < 0 || levels <= (uint64_t)max)
        return false;
    graft__fault(w->p->r, GRAFT_FAULT_LIMIT, -1,
                 "the values are nested more than %lld levels deep (max_depth)", (long long)max);
    return true;
}

/* Which of those that were shared closes the circle that d is in: what is being walked from d's
 * depth on. */
static bool fail_recursive(walk *w, uint64_t depth)
{
    graft__pickle *p = w->p;
    int64_t offset = -1;
    for (size_t i = 0; offset < 0 && i < p->shared_count; i++) {
        const uintptr_t s = (uintptr_t)graft__map_get(&w->seen, p->shared[i].dict);
        if ((s & 1) && (s >> 1) - 1 >= depth)
            offset = (int64_t)p->shared[i].offset;
    }
    graft__fault(p->r, GRAFT_FAULT_PICKLE_RECURSIVE, offset,
                 "what was put into the memo or doubled here contains itself");
    return false;
}

static bool enter(walk *w, const graft_dict *d)
{
    graft__pickle *p = w->p;
    uint64_t below = 0;
    if (d->object.refs > 1) {
        const uintptr_t s = (uintptr_t)graft__map_get(&w->seen, d);
        if (s & 1)
            return fail_recursive(w, (s >> 1) - 1);
        if (s) {
            below = (s >> 1) - 1 + 1;
            if (w->depth > 0 && w->frame[w->depth - 1].below < below)
                w->frame[w->depth - 1].below = below;
            return !too_deep(w, w->depth + below);
        }
        if (!graft__map_set(&w->seen, d, state(w->depth, true)))
            return false;
    }
    if (too_deep(w, w->depth + 1) ||
        !graft__pickle_reserve(p, (void **)&w->frame, w->depth, &w->capacity, sizeof *w->frame))
        return false;
    w->frame[w->depth++] = (frame){.d = d};
    return true;
}

static bool leave(walk *w)
{
    const frame f = w->frame[--w->depth];
    if (w->depth > 0 && w->frame[w->depth - 1].below < f.below + 1)
        w->frame[w->depth - 1].below = f.below + 1;
    return f.d->object.refs == 1 || graft__map_set(&w->seen, f.d, state(f.below, false));
}

/* The next child of d that is a container; NULL: there is none left. */
static const graft_dict *next_child(const graft_dict *d, size_t *next)
{
    while (*next < 2 * d->count) {
        const graft__entry *e = &d->entry[*next / 2];
        const graft__value *v = *next % 2 == 0 ? &e->key : &e->value;
        ++*next;
        if (graft__is_nested(v->kind))
            return v->dict;
    }
    while (*next < 2 * d->count + 2) {
        const graft_dict *child = *next == 2 * d->count ? d->attributes : d->args;
        ++*next;
        if (child)
            return child;
    }
    return NULL;
}

static bool walk_from(walk *w, const graft_dict *root)
{
    if (!enter(w, root))
        return false;
    while (w->depth > 0) {
        frame *f = &w->frame[w->depth - 1];
        const graft_dict *child = next_child(f->d, &f->next);
        if (child ? !enter(w, child) : !leave(w))
            return false;
    }
    return true;
}

bool graft__pickle_check(graft__pickle *p, const graft__value *root)
{
    walk w = {.p = p};
    graft__map_init(&w.seen, p->g);
    bool ok = !graft__is_nested(root->kind) || walk_from(&w, root->dict);
    for (size_t i = 0; ok && i < p->shared_count; i++)
        ok = walk_from(&w, p->shared[i].dict);
    graft__map_free(&w.seen);
    graft__free(p->g, w.frame, w.capacity * sizeof *w.frame);
    return ok;
}
