#include <inttypes.h>

#include "copy/diff_parts.h"

/* "[32, 64] float32" */
static void add_form(graft__text *out, const graft_tensor_info *t)
{
    char shape[GRAFT__SHAPE_TEXT];
    graft__text_addf(out, "%s %s", graft__shape_text(t->shape.ndim, t->shape.size, shape),
                     graft_dtype_name(t->dtype));
}

/* The form, or both where they are two. */
static void add_forms(graft__text *out, const graft__diff_entry *e)
{
    if (e->in_a)
        add_form(out, &e->a);
    if (e->kind == GRAFT_DIFF_SHAPE || e->kind == GRAFT_DIFF_DTYPE) {
        graft__text_add(out, " in a, ");
        add_form(out, &e->b);
        graft__text_add(out, " in b");
    } else if (!e->in_a && e->in_b) {
        add_form(out, &e->b);
    }
}

static void add_numbers(graft__text *out, const graft_diff_numbers *n)
{
    if (n->changed == 0) {
        graft__text_add(out, ": the values are equal");
        return;
    }
    graft__text_addf(out, ": %" PRId64 " of %" PRId64 " elements in %" PRId64 " row%s", n->changed,
                     n->elements, n->rows_changed, n->rows_changed == 1 ? "" : "s");
    if (n->not_finite > 0)
        graft__text_addf(out, " (%" PRId64 " not finite)", n->not_finite);
    if (n->max_abs != n->max_abs) /* no numbers */
        return;
    graft__text_addf(out, ", max abs %.6g, max rel %.6g", n->max_abs, n->max_rel);
    if (n->max_ulps >= 0)
        graft__text_addf(out, ", max ulps %" PRId64, n->max_ulps);
    graft__text_addf(out, ", mean abs %.6g, rms %.6g", n->mean_abs, n->rms);
    if (n->cosine == n->cosine)
        graft__text_addf(out, ", cosine %.9g", n->cosine);
}

static void add_entry(graft__text *out, const graft__diff_entry *e)
{
    graft__text_addf(out, "\n  %s: \"%s\"", graft_diff_kind_name(e->kind), e->name);
    const bool tensors = e->in_a && e->in_b;
    const bool alone = e->kind == GRAFT_DIFF_MISSING || e->kind == GRAFT_DIFF_EXTRA;
    if (tensors || (alone && (e->in_a || e->in_b))) {
        graft__text_add(out, " ");
        add_forms(out, e);
    }
    if (alone)
        graft__text_add(out, e->kind == GRAFT_DIFF_MISSING ? " in a only" : " in b only");
    if (e->has_numbers && e->kind != GRAFT_DIFF_TIES)
        add_numbers(out, &e->numbers);
    if (e->note)
        graft__text_addf(out, "%s%s", tensors ? ", " : ": ", e->note);
}

bool graft__diff_write_text(graft_diff_report *d)
{
    graft__text out;
    graft__text_init(&out, d->object.ctx);
    graft__text_add(&out, "diff: ");
    const char *comma = "";
    for (int k = GRAFT_DIFF_EQUAL; k <= GRAFT_DIFF_TIES; k++) {
        const graft_diff_kind kind = (graft_diff_kind)k;
        const int64_t n = graft_diff_count(d, kind);
        if (n == 0)
            continue;
        graft__text_addf(&out, "%s%" PRId64 " %s", comma, n, graft_diff_kind_name(kind));
        comma = ", ";
    }
    if (d->count == 0)
        graft__text_add(&out, "nothing to compare");
    for (size_t i = 0; i < d->count; i++)
        if (d->entry[i].kind != GRAFT_DIFF_EQUAL)
            add_entry(&out, &d->entry[i]);
    d->text = graft__text_take(&out);
    return d->text != NULL;
}
