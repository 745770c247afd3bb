#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/vector.h"
#include "copy/diff_parts.h"

/* ---- Life ---- */

static void report_destroy(graft__object *o)
{
    graft_diff_report *d = (graft_diff_report *)o;
    graft_ctx *g = o->ctx;
    for (size_t i = 0; i < d->count; i++) {
        graft__diff_entry *e = &d->entry[i];
        graft__free(g, e->name, strlen(e->name) + 1);
        graft__free(g, e->row, e->row_room * sizeof *e->row);
        graft__text_release(g, e->note);
    }
    graft__free(g, d->entry, d->capacity * sizeof *d->entry);
    graft__text_release(g, d->text);
    graft__free(g, d, sizeof *d);
}

static const graft__kind report_kind = {.name = "diff report", .destroy = report_destroy};

graft_diff_report *graft__diff_report_new(graft_ctx *g)
{
    graft_diff_report *d = graft__alloc_zero(g, sizeof *d);
    if (!d) {
        graft__fail_memory(g, sizeof *d, "diff");
        return NULL;
    }
    graft__object_init(&d->object, g, &report_kind);
    return d;
}

graft__diff_entry *graft__diff_add(graft_diff_report *d, const char *name, graft_diff_kind kind)
{
    graft_ctx *g = d->object.ctx;
    char *copy = graft__strdup(g, name);
    if (!copy ||
        !graft__vector_reserve(g, (void **)&d->entry, d->count, &d->capacity, sizeof *d->entry)) {
        graft__free(g, copy, strlen(name) + 1);
        graft__fail_memory(g, sizeof *d->entry, "diff");
        return NULL;
    }
    graft__diff_entry *e = &d->entry[d->count++];
    *e = (graft__diff_entry){.name = copy, .kind = kind};
    return e;
}

bool graft__diff_set_note(graft__diff_entry *e, graft__text *text)
{
    char *note = graft__text_take(text);
    if (!note)
        return false;
    graft__text_release(text->ctx, e->note);
    e->note = note;
    return true;
}

void graft_diff_free(graft_diff_report *d)
{
    if (d && graft__disown(&d->object))
        graft__unref(&d->object);
}

/* ---- Reading ---- */

static const graft__diff_entry *entry_at(const graft_diff_report *d, int64_t i)
{
    return d && i >= 0 && (uint64_t)i < d->count ? &d->entry[i] : NULL;
}

int64_t graft_diff_len(const graft_diff_report *d)
{
    return d ? (int64_t)d->count : 0;
}

const char *graft_diff_name(const graft_diff_report *d, int64_t i)
{
    const graft__diff_entry *e = entry_at(d, i);
    return e ? e->name : NULL;
}

graft_diff_kind graft_diff_kind_of(const graft_diff_report *d, int64_t i)
{
    const graft__diff_entry *e = entry_at(d, i);
    return e ? e->kind : GRAFT_DIFF_MISSING;
}

bool graft_diff_numbers_of(const graft_diff_report *d, int64_t i, graft_diff_numbers *out)
{
    const graft__diff_entry *e = entry_at(d, i);
    if (!e || !out || !e->has_numbers)
        return false;
    *out = e->numbers;
    return true;
}

bool graft_diff_info_a(const graft_diff_report *d, int64_t i, graft_tensor_info *out)
{
    const graft__diff_entry *e = entry_at(d, i);
    if (!e || !out || !e->in_a)
        return false;
    *out = e->a;
    return true;
}

bool graft_diff_info_b(const graft_diff_report *d, int64_t i, graft_tensor_info *out)
{
    const graft__diff_entry *e = entry_at(d, i);
    if (!e || !out || !e->in_b)
        return false;
    *out = e->b;
    return true;
}

int64_t graft_diff_rows(const graft_diff_report *d, int64_t i)
{
    const graft__diff_entry *e = entry_at(d, i);
    return e ? (int64_t)e->rows : 0;
}

int64_t graft_diff_row(const graft_diff_report *d, int64_t i, int64_t j)
{
    const graft__diff_entry *e = entry_at(d, i);
    return e && j >= 0 && (uint64_t)j < e->rows ? e->row[j] : -1;
}

const char *graft_diff_note(const graft_diff_report *d, int64_t i)
{
    const graft__diff_entry *e = entry_at(d, i);
    return !e ? NULL : e->note ? e->note : "";
}

int64_t graft_diff_count(const graft_diff_report *d, graft_diff_kind kind)
{
    int64_t n = 0;
    for (int64_t i = 0; i < graft_diff_len(d); i++)
        n += d->entry[i].kind == kind;
    return n;
}

bool graft_diff_is_equal(const graft_diff_report *d)
{
    return d && graft_diff_count(d, GRAFT_DIFF_EQUAL) == graft_diff_len(d);
}

const char *graft_diff_text(const graft_diff_report *d)
{
    return d ? d->text : NULL;
}

const char *graft_diff_kind_name(graft_diff_kind kind)
{
    static const char *const name[] = {
        [GRAFT_DIFF_EQUAL] = "equal",     [GRAFT_DIFF_CHANGED] = "changed",
        [GRAFT_DIFF_DTYPE] = "dtype",     [GRAFT_DIFF_SHAPE] = "shape",
        [GRAFT_DIFF_MISSING] = "missing", [GRAFT_DIFF_EXTRA] = "extra",
        [GRAFT_DIFF_TIES] = "ties",
    };
    const size_t i = (size_t)kind;
    return i < sizeof name / sizeof *name ? name[i] : "(no kind)";
}
