#include <inttypes.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/vector.h"
#include "copy/moments.h"

typedef struct line {
    char *name, *how;
    graft_moment_action action;
} line;

struct graft_moment_report {
    graft__object object;
    line *line;
    size_t lines, capacity;
    char *text;
};

static void report_destroy(graft__object *o)
{
    graft_moment_report *r = (graft_moment_report *)o;
    graft_ctx *g = o->ctx;
    for (size_t i = 0; i < r->lines; i++) {
        graft__strfree(g, r->line[i].name);
        graft__strfree(g, r->line[i].how);
    }
    graft__free(g, r->line, r->capacity * sizeof *r->line);
    graft__text_release(g, r->text);
    graft__free(g, r, sizeof *r);
}

static const graft__kind report_kind = {.name = "moment report", .destroy = report_destroy};

graft_moment_report *graft__moment_report_new(graft_ctx *g)
{
    graft_moment_report *r = graft__alloc_zero(g, sizeof *r);
    if (!r) {
        graft__fail_memory(g, sizeof *r, "transplant_optimizer");
        return NULL;
    }
    graft__object_init(&r->object, g, &report_kind);
    return r;
}

graft_status graft__moment_report_add(graft_moment_report *r, const char *name,
                                      graft_moment_action action, const char *how)
{
    graft_ctx *g = r->object.ctx;
    void *lines = r->line;
    const bool room = graft__vector_reserve(g, &lines, r->lines, &r->capacity, sizeof *r->line);
    r->line = lines;
    if (room) {
        line *l = &r->line[r->lines];
        *l = (line){graft__strdup(g, name), graft__strdup(g, how), action};
        if (l->name && l->how) {
            r->lines++;
            return GRAFT_OK;
        }
        graft__strfree(g, l->name);
        graft__strfree(g, l->how);
    }
    return graft__fail_memory(g, sizeof *r->line, "transplant_optimizer");
}

static int64_t count(const graft_moment_report *r, graft_moment_action action)
{
    int64_t n = 0;
    for (size_t i = 0; i < r->lines; i++)
        n += r->line[i].action == action;
    return n;
}

graft_status graft__moment_report_end(graft_moment_report *r)
{
    enum { MOST = 40 }; /* lines of what is not just copied */
    graft__text text;
    graft__text_init(&text, r->object.ctx);
    graft__text_addf(&text,
                     "optimizer: of %zu parameters the state of %" PRId64 " is copied, of %" PRId64
                     " changed with them, of %" PRId64 " dropped",
                     r->lines, count(r, GRAFT_MOMENT_COPIED), count(r, GRAFT_MOMENT_CHANGED),
                     count(r, GRAFT_MOMENT_DROPPED));
    size_t told = 0, left = 0;
    for (size_t i = 0; i < r->lines; i++) {
        const line *l = &r->line[i];
        if (l->action == GRAFT_MOMENT_COPIED)
            continue;
        if (told++ < MOST)
            graft__text_addf(&text, "\n  %s: %s%s%s", l->name,
                             l->action == GRAFT_MOMENT_CHANGED ? "changed" : "dropped",
                             *l->how ? ": " : "", l->how);
        else
            left++;
    }
    if (left > 0)
        graft__text_addf(&text, "\n  and %zu more", left);
    r->text = graft__text_take(&text);
    return r->text ? GRAFT_OK : GRAFT_ERR_MEMORY;
}

graft_moment_report *graft__moment_report_give(graft_moment_report *r)
{
    graft__own_by_context(&r->object);
    return r;
}

void graft__moment_report_drop(graft_moment_report *r)
{
    graft__unref(r ? &r->object : NULL);
}

/* ---- Reading ---- */

static const line *line_at(const graft_moment_report *r, int64_t i)
{
    return r && i >= 0 && (uint64_t)i < r->lines ? &r->line[i] : NULL;
}

int64_t graft_moment_report_len(const graft_moment_report *r)
{
    return r ? (int64_t)r->lines : 0;
}

const char *graft_moment_report_name(const graft_moment_report *r, int64_t i)
{
    const line *l = line_at(r, i);
    return l ? l->name : NULL;
}

graft_moment_action graft_moment_report_action(const graft_moment_report *r, int64_t i)
{
    const line *l = line_at(r, i);
    return l ? l->action : GRAFT_MOMENT_DROPPED;
}

const char *graft_moment_report_how(const graft_moment_report *r, int64_t i)
{
    const line *l = line_at(r, i);
    return l ? l->how : NULL;
}

const char *graft_moment_report_text(const graft_moment_report *r)
{
    return r ? r->text : NULL;
}

void graft_moment_report_free(graft_moment_report *r)
{
    if (r && graft__disown(&r->object))
        graft__unref(&r->object);
}
