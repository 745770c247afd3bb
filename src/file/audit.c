/* What Python would have run. */
#include "file/audit.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/vector.h"
#include "file/load.h"

enum { ARGS_LIMIT = 1000 };

typedef struct line {
    char *global, *args, *member; /* args: NULL if it was only named; member "": the file itself */
    int64_t offset;
    size_t order; /* in which they came */
    bool is_call;
} line;

struct graft_audit_report {
    graft__object object;
    line *line;
    size_t count, capacity;
    char *error; /* NULL: read to the end */
    char *text;
};

static void destroy(graft__object *o)
{
    graft_audit_report *a = (graft_audit_report *)o;
    graft_ctx *g = o->ctx;
    for (size_t i = 0; i < a->count; i++) {
        graft__text_release(g, a->line[i].global);
        graft__text_release(g, a->line[i].args);
        graft__text_release(g, a->line[i].member);
    }
    graft__free(g, a->line, a->capacity * sizeof *a->line);
    graft__text_release(g, a->error);
    graft__text_release(g, a->text);
    graft__free(g, a, sizeof *a);
}

static const graft__kind kind = {.name = "audit report", .destroy = destroy};

/* ---- Writing ---- */

/* The arguments as Python prints them, always in parentheses; NULL with the error set. */
static char *args_text(graft_ctx *g, const graft__value *args)
{
    graft__text text;
    graft__text_init(&text, g);
    const bool tuple = args->kind == GRAFT_VALUE_TUPLE;
    if (!tuple)
        graft__text_add(&text, "(");
    graft__value_repr(&text, args, ARGS_LIMIT);
    if (!tuple)
        graft__text_add(&text, ")");
    return graft__text_take(&text);
}

static char *copy_text(graft_ctx *g, const char *text)
{
    char *copy = graft__strdup(g, text);
    if (!copy)
        graft__fail_memory(g, strlen(text) + 1, "audit");
    return copy;
}

bool graft__audit_add(graft__reading *r, const char *global, const graft__value *args,
                      int64_t offset, bool is_call)
{
    graft_audit_report *a = r->audit;
    graft_ctx *g = r->g;
    if (!a)
        return true;
    if (!graft__charge(r, 2 * sizeof *a->line + strlen(global) + 256))
        return false;
    if (!graft__vector_reserve(g, (void **)&a->line, a->count, &a->capacity, sizeof *a->line)) {
        graft__fail_memory(g, a->capacity * sizeof *a->line, "audit");
        return false;
    }
    line *l = &a->line[a->count];
    *l = (line){.offset = offset, .order = a->count, .is_call = is_call};
    a->count++;
    l->global = copy_text(g, global);
    l->member = copy_text(g, r->member ? r->member : "");
    l->args = args ? args_text(g, args) : NULL;
    return l->global && l->member && (!args || l->args) &&
           graft__charge(r, l->args ? strlen(l->args) : 0);
}

size_t graft__audit_count(const graft__reading *r)
{
    return r->audit ? r->audit->count : 0;
}

static int compare(const void *a, const void *b)
{
    const line *one = a, *two = b;
    if (one->offset != two->offset)
        return one->offset < two->offset ? -1 : 1;
    return one->order < two->order ? -1 : one->order > two->order;
}

void graft__audit_sort(graft__reading *r, size_t first)
{
    if (r->audit && r->audit->count > first)
        qsort(r->audit->line + first, r->audit->count - first, sizeof *r->audit->line, compare);
}

/* ---- All of it as text ---- */

static void add_line(graft__text *text, const line *l)
{
    if (l->member[0])
        graft__text_addf(text, "%s: ", l->member);
    graft__text_addf(text, "byte %lld: %s ", (long long)l->offset,
                     l->is_call ? "calls"
                     : l->args  ? "changes"
                                : "names");
    graft__text_add(text, l->global);
    if (l->args)
        graft__text_add(text, l->args);
    graft__text_add(text, "\n");
}

static bool make_text(graft_audit_report *a)
{
    graft__text text;
    graft__text_init(&text, a->object.ctx);
    for (size_t i = 0; i < a->count; i++)
        add_line(&text, &a->line[i]);
    if (a->error)
        graft__text_addf(&text, "not read to the end: %s\n", a->error);
    a->text = graft__text_take(&text);
    return a->text != NULL;
}

/* ---- Making ---- */

static graft_audit_report *report_new(graft_ctx *g)
{
    graft_audit_report *a = graft__alloc_zero(g, sizeof *a);
    if (a)
        graft__object_init(&a->object, g, &kind);
    else
        graft__fail_memory(g, sizeof *a, "audit");
    return a;
}

/* Whether an error of reading is one that the report can tell: the file is of a format that graft
 * knows, and something in it is wrong. */
static bool take_error(graft_audit_report *a, graft_ctx *g)
{
    if (graft_error_status(g) != GRAFT_ERR_FORMAT ||
        graft_error_fault(g) == GRAFT_FAULT_UNKNOWN_FORMAT)
        return false;
    a->error = graft__strdup(g, graft_error(g));
    if (!a->error)
        return false;
    graft_clear_error(g);
    return true;
}

/* The report of a reading that ended with c, whose reference it takes over. */
static graft_audit_report *finish(graft_audit_report *a, graft_ctx *g, graft_checkpoint *c,
                                  bool had_error)
{
    const bool told = c || (!had_error && take_error(a, g));
    graft__checkpoint_unref(c);
    if (!told || !make_text(a)) {
        graft__unref(&a->object);
        return NULL;
    }
    graft__own_by_context(&a->object);
    return a;
}

graft_audit_report *graft_audit(graft_ctx *g, const char *path, const graft_read_options *options)
{
    graft_audit_report *a = g ? report_new(g) : NULL;
    if (!a)
        return NULL;
    const bool had_error = graft_error_status(g) != GRAFT_OK;
    return finish(a, g, graft__open_path(g, "audit", path, options, a), had_error);
}

graft_audit_report *graft_audit_memory(graft_ctx *g, const void *bytes, size_t size,
                                       const graft_read_options *options)
{
    graft_audit_report *a = g ? report_new(g) : NULL;
    if (!a)
        return NULL;
    const bool had_error = graft_error_status(g) != GRAFT_OK;
    return finish(a, g, graft__open_bytes(g, "audit", bytes, size, options, a), had_error);
}

void graft_audit_free(graft_audit_report *a)
{
    if (a && graft__disown(&a->object))
        graft__unref(&a->object);
}

/* ---- Reading ---- */

static const line *line_at(const graft_audit_report *a, int64_t i)
{
    return a && i >= 0 && i < (int64_t)a->count ? &a->line[i] : NULL;
}

int64_t graft_audit_len(const graft_audit_report *a)
{
    return a ? (int64_t)a->count : 0;
}

const char *graft_audit_global(const graft_audit_report *a, int64_t i)
{
    const line *l = line_at(a, i);
    return l ? l->global : NULL;
}

const char *graft_audit_args(const graft_audit_report *a, int64_t i)
{
    const line *l = line_at(a, i);
    return l ? l->args ? l->args : "" : NULL;
}

const char *graft_audit_member(const graft_audit_report *a, int64_t i)
{
    const line *l = line_at(a, i);
    return l ? l->member : NULL;
}

int64_t graft_audit_offset(const graft_audit_report *a, int64_t i)
{
    const line *l = line_at(a, i);
    return l ? l->offset : -1;
}

bool graft_audit_is_call(const graft_audit_report *a, int64_t i)
{
    const line *l = line_at(a, i);
    return l && l->is_call;
}

const char *graft_audit_error(const graft_audit_report *a)
{
    return a ? a->error : NULL;
}

const char *graft_audit_text(const graft_audit_report *a)
{
    return a ? a->text : NULL;
}
