/* Which names are one tensor in a and in b: the same memory, place and form. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/sort.h"
#include "copy/diff_parts.h"
#include "copy/same.h"

enum { NAMES_SHOWN = 3 };

/* The tensors that both sides have where they lie: by their place in a. */
typedef struct ties {
    const graft__diff_side *a, *b;
    uint32_t *item, *scratch; /* places; room for sorting */
    size_t count;
    uint32_t *in_a, *in_b;       /* of each place: the first that it is tied with, or itself */
    uint32_t *order_a, *order_b; /* items by (in_a, in_b), and by (in_b, in_a) */
    uint32_t *begin_a, *begin_b; /* of each place: where its group begins there, */
    uint32_t *size_a, *size_b;   /* and how many it has, */
    uint32_t *both;              /* and how many of them are tied on both sides */
} ties;

enum { ARRAYS = 11 };

static const graft_tensor *tensor_of(const ties *t, uint32_t i, bool in_b)
{
    const graft__diff_place *p = &t->a->place[i];
    return graft__diff_tensor(in_b ? &t->b->place[p->mate] : p);
}

static bool before_in_a(const void *user, uint32_t x, uint32_t y)
{
    return graft__compare_places(tensor_of(user, x, false), tensor_of(user, y, false)) < 0;
}

static bool before_in_b(const void *user, uint32_t x, uint32_t y)
{
    return graft__compare_places(tensor_of(user, x, true), tensor_of(user, y, true)) < 0;
}

static bool before_a_b(const void *user, uint32_t x, uint32_t y)
{
    const ties *t = user;
    return t->in_a[x] != t->in_a[y] ? t->in_a[x] < t->in_a[y] : t->in_b[x] < t->in_b[y];
}

static bool before_b_a(const void *user, uint32_t x, uint32_t y)
{
    const ties *t = user;
    return t->in_b[x] != t->in_b[y] ? t->in_b[x] < t->in_b[y] : t->in_a[x] < t->in_a[y];
}

/* Sorting is stable, so that the first of those that are one is the first in order. */
static void find_leaders(ties *t, bool in_b, uint32_t *leader)
{
    uint32_t *order = in_b ? t->order_b : t->order_a;
    memcpy(order, t->item, t->count * sizeof *order);
    graft__sort(order, t->scratch, t->count, in_b ? before_in_b : before_in_a, t);
    for (size_t i = 0; i < t->count; i++) {
        const bool tied = i > 0 && graft__compare_places(tensor_of(t, order[i], in_b),
                                                         tensor_of(t, order[i - 1], in_b)) == 0;
        leader[order[i]] = tied ? leader[order[i - 1]] : order[i];
    }
}

/* Where each group begins in the order, and its size. */
static void find_groups(const ties *t, const uint32_t *order, const uint32_t *leader,
                        uint32_t *begin, uint32_t *size)
{
    for (size_t i = 0, end; i < t->count; i = end) {
        for (end = i + 1; end < t->count && leader[order[end]] == leader[order[i]]; end++)
            ;
        for (size_t k = i; k < end; k++) {
            begin[order[k]] = (uint32_t)i;
            size[order[k]] = (uint32_t)(end - i);
        }
    }
}

static void find_both(const ties *t)
{
    const uint32_t *order = t->order_a;
    for (size_t i = 0, end; i < t->count; i = end) {
        for (end = i + 1; end < t->count && t->in_a[order[end]] == t->in_a[order[i]] &&
                          t->in_b[order[end]] == t->in_b[order[i]];
             end++)
            ;
        for (size_t k = i; k < end; k++)
            t->both[order[k]] = (uint32_t)(end - i);
    }
}

/* "tied with a.b and c.d in b only": the first of those that are in i's group on one side, but not
 * on the other. */
static void add_names(const ties *t, uint32_t i, bool in_b, graft__text *out)
{
    const uint32_t *order = in_b ? t->order_b : t->order_a;
    const uint32_t *other = in_b ? t->in_a : t->in_b;
    const uint32_t begin = (in_b ? t->begin_b : t->begin_a)[i];
    const uint32_t size = (in_b ? t->size_b : t->size_a)[i], more = size - t->both[i];
    if (more == 0)
        return;
    graft__text_add(out, out->length ? "; tied with " : "tied with ");
    uint32_t shown = 0;
    for (uint32_t k = 0; k < size && shown < more && shown < NAMES_SHOWN; k++) {
        const uint32_t name = order[begin + k];
        if (other[name] == other[i]) {
            k += t->both[i] - 1; /* they lie together */
            continue;
        }
        graft__text_addf(out, "%s%s", shown == 0 ? "" : ", ", t->a->place[name].name);
        shown++;
    }
    if (more > shown)
        graft__text_addf(out, " and %u more", (unsigned)(more - shown));
    graft__text_add(out, in_b ? " in b only" : " in a only");
}

static graft_status add_notes(const ties *t, graft_diff_report *d)
{
    for (size_t k = 0; k < t->count; k++) {
        const uint32_t i = t->item[k];
        graft__diff_entry *e = &d->entry[i];
        if (t->both[i] == t->size_a[i] && t->both[i] == t->size_b[i])
            continue;
        graft__text note;
        graft__text_init(&note, d->object.ctx);
        add_names(t, i, false, &note);
        add_names(t, i, true, &note);
        if (!graft__diff_set_note(e, &note))
            return GRAFT_ERR_MEMORY;
        if (e->kind == GRAFT_DIFF_EQUAL)
            e->kind = GRAFT_DIFF_TIES;
    }
    return GRAFT_OK;
}

static void lay_out(ties *t, uint32_t *block, size_t n)
{
    uint32_t **const array[ARRAYS] = {&t->item,    &t->scratch, &t->in_a,    &t->in_b,
                                      &t->order_a, &t->order_b, &t->begin_a, &t->begin_b,
                                      &t->size_a,  &t->size_b,  &t->both};
    for (size_t i = 0; i < ARRAYS; i++)
        *array[i] = block + i * n;
}

graft_status graft__diff_ties(graft_diff_report *d, const graft__diff_side *a,
                              const graft__diff_side *b)
{
    const size_t n = a->count;
    ties t = {.a = a, .b = b};
    uint32_t *block = graft__alloc_zero(a->g, ARRAYS * n * sizeof *block);
    if (!block)
        return graft__fail_memory(a->g, ARRAYS * n * sizeof *block, "diff");
    lay_out(&t, block, n);
    for (size_t i = 0; i < n; i++) {
        if (a->place[i].mate == SIZE_MAX)
            continue;
        const graft_tensor *x = tensor_of(&t, (uint32_t)i, false);
        const graft_tensor *y = tensor_of(&t, (uint32_t)i, true);
        if (x && y && x->numel > 0 && y->numel > 0)
            t.item[t.count++] = (uint32_t)i;
    }
    find_leaders(&t, false, t.in_a);
    find_leaders(&t, true, t.in_b);
    graft__sort(memcpy(t.order_a, t.item, t.count * sizeof *t.item), t.scratch, t.count, before_a_b,
                &t);
    graft__sort(memcpy(t.order_b, t.item, t.count * sizeof *t.item), t.scratch, t.count, before_b_a,
                &t);
    find_groups(&t, t.order_a, t.in_a, t.begin_a, t.size_a);
    find_groups(&t, t.order_b, t.in_b, t.begin_b, t.size_b);
    find_both(&t);
    const graft_status status = add_notes(&t, d);
    graft__free(a->g, block, ARRAYS * n * sizeof *block);
    return status;
}
