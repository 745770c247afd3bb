#include "base/error.h"
#include "copy/both.h"
#include "copy/diff_parts.h"

graft_diff_options graft_diff_defaults(void)
{
    return (graft_diff_options){.max_rows = 16};
}

static graft_status check(graft_ctx *g, const graft_diff_options *o)
{
    if (!(o->rtol >= 0 && o->rtol < 1e308 && o->atol >= 0 && o->atol < 1e308))
        return graft__fail(g, GRAFT_ERR_ARGUMENT,
                           "diff: rtol %g and atol %g: expected 0 or more, and no infinity",
                           o->rtol, o->atol);
    if (o->max_rows < 0)
        return graft__fail(g, GRAFT_ERR_ARGUMENT, "diff: max_rows %lld: expected 0 or more",
                           (long long)o->max_rows);
    return GRAFT_OK;
}

/* An entry for each place of a, then for those of b alone, with kinds as far as they show without
 * bytes; and how many bytes there are to compare. */
static graft_status add_entries(graft__diff_work *w, graft_diff_report *d,
                                const graft__diff_side *a, const graft__diff_side *b)
{
    for (size_t i = 0; i < a->count; i++) {
        const graft__diff_place *p = &a->place[i];
        graft__diff_entry *e = graft__diff_add(d, p->name, GRAFT_DIFF_MISSING);
        if (!e)
            return GRAFT_ERR_MEMORY;
        e->in_a = graft__diff_info(p, &e->a);
        if (p->mate == SIZE_MAX)
            continue;
        e->in_b = graft__diff_info(&b->place[p->mate], &e->b);
        e->kind = GRAFT_DIFF_CHANGED;
        if (!e->in_a || !e->in_b)
            continue;
        if (graft__equal_shapes(&e->a.shape, &e->b.shape))
            w->total += e->a.bytes + e->b.bytes;
        else
            e->kind = GRAFT_DIFF_SHAPE;
    }
    for (size_t i = 0; i < b->count; i++) {
        if (b->place[i].mate != SIZE_MAX)
            continue;
        graft__diff_entry *e = graft__diff_add(d, b->place[i].name, GRAFT_DIFF_EXTRA);
        if (!e)
            return GRAFT_ERR_MEMORY;
        e->in_b = graft__diff_info(&b->place[i], &e->b);
    }
    return GRAFT_OK;
}

static graft_status compare_entries(graft__diff_work *w, graft_diff_report *d,
                                    const graft__diff_side *a, const graft__diff_side *b)
{
    graft_status status = GRAFT_OK;
    for (size_t i = 0; i < a->count && !status; i++) {
        const graft__diff_place *p = &a->place[i];
        graft__diff_entry *e = &d->entry[i];
        if (e->kind != GRAFT_DIFF_CHANGED)
            continue;
        status = e->in_a && e->in_b ? graft__diff_compare(w, p, &b->place[p->mate], e)
                                    : graft__diff_values(w, p, &b->place[p->mate], e);
    }
    return status;
}

static graft_status fill(graft__diff_work *w, graft_diff_report *d, graft__diff_side *a,
                         graft__diff_side *b)
{
    graft_status status = graft__diff_match(a, b);
    if (!status)
        status = graft__diff_adapt(a, b, w->options.rules);
    if (!status)
        status = add_entries(w, d, a, b);
    if (!status)
        status = compare_entries(w, d, a, b);
    if (!status)
        status = graft__diff_ties(d, a, b);
    if (!status && !graft__diff_write_text(d))
        status = GRAFT_ERR_MEMORY;
    return status;
}

graft_diff_report *graft_diff(const graft_dict *a, const graft_dict *b,
                              const graft_diff_options *options)
{
    if (!a || !b)
        return NULL;
    graft__diff_work w = {.g = a->object.ctx,
                          .options = options ? *options : graft_diff_defaults()};
    if (check(w.g, &w.options))
        return NULL;
    graft_diff_report *d = graft__diff_report_new(w.g);
    if (!d)
        return NULL;
    graft__diff_side x, y = {.g = w.g};
    graft_status status = graft__diff_side_of(&x, a, w.options.rules);
    if (!status)
        status = graft__diff_side_of(&y, b, NULL);
    if (!status)
        status = fill(&w, d, &x, &y);
    graft__diff_side_end(&x);
    graft__diff_side_end(&y);
    if (status) {
        graft__unref(&d->object);
        graft__tell_both(w.g, b->object.ctx);
        if (w.options.rules)
            graft__tell_both(w.g, w.options.rules->object.ctx);
        return NULL;
    }
    graft__own_by_context(&d->object);
    return d;
}
