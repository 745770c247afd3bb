#include "copy/load_report.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "copy/load_words.h"

/* ---- Life ---- */

static void report_destroy(graft__object *o)
{
    graft_load_report *r = (graft_load_report *)o;
    graft_ctx *g = o->ctx;
    for (size_t i = 0; i < r->lines; i++)
        graft__strfree(g, r->line[i].name);
    graft__free(g, r->line, r->lines * sizeof *r->line);
    graft__text_release(g, r->text);
    graft__free(g, r, sizeof *r);
}

static const graft__kind report_kind = {.name = "load report", .destroy = report_destroy};

static bool fill_lines(graft_load_report *r, const graft__load_view *view)
{
    graft_ctx *g = view->plan->ctx;
    size_t bytes = view->count * sizeof *r->line;
    r->line = graft__alloc_zero(g, bytes);
    if (!r->line) {
        graft__fail_memory(g, bytes, "load report");
        return false;
    }
    r->lines = view->count;
    for (size_t i = 0; i < view->count; i++) {
        r->line[i].action = view->entry[i].action;
        r->line[i].name = graft__strdup(g, view->entry[i].name);
        if (!r->line[i].name) {
            graft__fail_memory(g, strlen(view->entry[i].name) + 1, "load report");
            return false;
        }
    }
    return true;
}

graft_load_report *graft__load_report_new(const graft__load_view *view, graft_status status)
{
    graft_ctx *g = view->plan->ctx;
    graft_load_report *r = graft__alloc_zero(g, sizeof *r);
    if (!r) {
        graft__fail_memory(g, sizeof *r, "load report");
        return NULL;
    }
    graft__object_init(&r->object, g, &report_kind);
    r->ok = status == GRAFT_OK;
    graft__text text;
    graft__text_init(&text, g);
    if (graft__load_status(view) != GRAFT_OK)
        graft__load_problems(view, &text);
    else
        graft__load_deeds(view, status, &text);
    r->text = graft__text_take(&text);
    if (!r->text || !fill_lines(r, view)) {
        graft__unref(&r->object);
        return NULL;
    }
    return r;
}

void graft_load_report_free(graft_load_report *report)
{
    if (report && graft__disown(&report->object))
        graft__unref(&report->object);
}

/* ---- Reading ---- */

int64_t graft_load_report_len(const graft_load_report *report)
{
    return report ? (int64_t)report->lines : 0;
}

static const graft__load_line *line_at(const graft_load_report *report, int64_t i)
{
    return report && i >= 0 && (uint64_t)i < report->lines ? &report->line[i] : NULL;
}

const char *graft_load_report_name(const graft_load_report *report, int64_t i)
{
    const graft__load_line *line = line_at(report, i);
    return line ? line->name : NULL;
}

graft_load_action graft_load_report_action(const graft_load_report *report, int64_t i)
{
    const graft__load_line *line = line_at(report, i);
    return line ? line->action : GRAFT_LOAD_MISSING;
}

int64_t graft_load_report_count(const graft_load_report *report, graft_load_action action)
{
    int64_t n = 0;
    for (int64_t i = 0; i < graft_load_report_len(report); i++)
        n += report->line[i].action == action;
    return n;
}

bool graft_load_report_ok(const graft_load_report *report)
{
    return report && report->ok;
}

const char *graft_load_report_text(const graft_load_report *report)
{
    return report ? report->text : NULL;
}

const char *graft_load_action_name(graft_load_action action)
{
    switch (action) {
    case GRAFT_LOAD_COPIED:
        return "copied";
    case GRAFT_LOAD_CAST:
        return "cast";
    case GRAFT_LOAD_MISSING:
        return "missing";
    case GRAFT_LOAD_UNEXPECTED:
        return "unexpected";
    case GRAFT_LOAD_SHAPE:
        return "shape";
    case GRAFT_LOAD_DTYPE:
        return "dtype";
    case GRAFT_LOAD_TIE:
        return "tie";
    case GRAFT_LOAD_KIND:
        return "kind";
    }
    return "(no action)";
}
