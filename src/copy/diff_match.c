/* Which names meet: those of each side, sorted. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/sort.h"
#include "copy/diff_parts.h"

static bool before(const void *user, uint32_t a, uint32_t b)
{
    const graft__diff_side *s = user;
    return strcmp(s->place[a].name, s->place[b].name) < 0;
}

/* Of the places in their order by name, the first two that have one name are told. */
static graft_status sort(const graft__diff_side *s, graft_ctx *g, uint32_t *order,
                         uint32_t *scratch, const char *which)
{
    for (size_t i = 0; i < s->count; i++)
        order[i] = (uint32_t)i;
    graft__sort(order, scratch, s->count, before, s);
    for (size_t i = 1; i < s->count; i++)
        if (strcmp(s->place[order[i - 1]].name, s->place[order[i]].name) == 0)
            return graft__fail(g, GRAFT_ERR_NAME, "diff: %s has two values of the name \"%s\"",
                               which, s->place[order[i]].name);
    return GRAFT_OK;
}

static void meet(graft__diff_side *a, const uint32_t *of_a, graft__diff_side *b,
                 const uint32_t *of_b)
{
    for (size_t i = 0, k = 0; i < a->count && k < b->count;) {
        graft__diff_place *p = &a->place[of_a[i]], *q = &b->place[of_b[k]];
        const int order = strcmp(p->name, q->name);
        if (order == 0) {
            p->mate = of_b[k];
            q->mate = of_a[i];
        }
        i += order <= 0;
        k += order >= 0;
    }
}

graft_status graft__diff_match(graft__diff_side *a, graft__diff_side *b)
{
    graft_ctx *g = a->g;
    const size_t most = a->count > b->count ? a->count : b->count;
    const size_t bytes = (a->count + b->count + most) * sizeof(uint32_t);
    uint32_t *of_a = graft__alloc(g, bytes);
    if (!of_a)
        return graft__fail_memory(g, bytes, "diff");
    uint32_t *const of_b = of_a + a->count, *const scratch = of_b + b->count;
    graft_status status = sort(a, g, of_a, scratch, "a");
    if (!status)
        status = sort(b, g, of_b, scratch, "b");
    if (!status)
        meet(a, of_a, b, of_b);
    graft__free(g, of_a, bytes);
    return status;
}
