/* What can be got out of a file that was cut off or damaged: it is read leniently, so that lost
 * bytes become storages that fail when they are used, and then every tensor is used. */
#include <string.h>

#include "base/ctx.h"
#include "base/text.h"
#include "base/vector.h"
#include "file/load.h"
#include "file/zip.h"

typedef struct lost {
    char *name, *reason;
} lost;

struct graft_salvage_report {
    graft__object object;
    graft_dict *found;
    lost *lost;
    size_t count, capacity;
    char *text; /* made by finish */
};

static void free_words(graft_ctx *g, char *words)
{
    graft__strfree(g, words);
}

static void destroy(graft__object *o)
{
    graft_salvage_report *s = (graft_salvage_report *)o;
    graft_ctx *g = o->ctx;
    for (size_t i = 0; i < s->count; i++) {
        free_words(g, s->lost[i].name);
        free_words(g, s->lost[i].reason);
    }
    graft__free(g, s->lost, s->capacity * sizeof *s->lost);
    graft__dict_unref(s->found);
    graft__text_release(g, s->text);
    graft__free(g, s, sizeof *s);
}

static const graft__kind kind = {.name = "salvage report", .destroy = destroy};

static graft_salvage_report *report_new(graft_ctx *g)
{
    graft_salvage_report *s = graft__alloc_zero(g, sizeof *s);
    if (!s) {
        graft__fail_memory(g, sizeof *s, "salvage");
        return NULL;
    }
    graft__object_init(&s->object, g, &kind);
    s->found = graft__dict_new(g);
    if (s->found)
        return s;
    graft__unref(&s->object);
    return NULL;
}

static graft_status add_lost(graft_salvage_report *s, const char *name, const char *reason)
{
    graft_ctx *g = s->object.ctx;
    if (!graft__vector_reserve(g, (void **)&s->lost, s->count, &s->capacity, sizeof *s->lost))
        return graft__fail_memory(g, sizeof *s->lost, "salvage");
    lost *l = &s->lost[s->count++];
    l->name = graft__strdup(g, name);
    l->reason = graft__strdup(g, reason);
    return l->name && l->reason ? GRAFT_OK : graft__fail_memory(g, strlen(name), "salvage");
}

/* The error that is pending becomes the reason why name is lost. */
static graft_status lose_for_error(graft_salvage_report *s, const char *name)
{
    graft_ctx *g = s->object.ctx;
    const graft__error e = graft__error_put_aside(g);
    const graft_status status = add_lost(s, name, e.text_size ? e.text : e.small);
    if (e.text_size)
        graft__free(g, e.text, e.text_size);
    return status;
}

/* ---- Tensors ---- */

/* Whether the error that is pending is about the file, so that the work goes on. */
static bool is_fault(const graft_ctx *g)
{
    return graft_error_fault(g) != GRAFT_FAULT_NONE;
}

static graft_status keep_or_lose(void *user, const char *path, graft_dict *parent, size_t i)
{
    graft_salvage_report *s = user;
    graft_ctx *g = s->object.ctx;
    if (parent->entry[i].value.kind != GRAFT_VALUE_TENSOR)
        return GRAFT_OK;
    graft_tensor *t = graft__take_tensor(parent, i);
    if (!t)
        return is_fault(g) ? lose_for_error(s, path) : graft_error_status(g);
    const graft__value key =
        graft__text_value(g, "salvage", GRAFT_VALUE_STRING, path, strlen(path));
    if (key.kind == GRAFT_VALUE_NONE)
        return GRAFT_ERR_MEMORY;
    return graft__dict_put(s->found, "salvage", key, graft__tensor_value(graft__tensor_ref(t)));
}

/* ---- Storages without a pickle ---- */

typedef struct archive {
    graft_salvage_report *report;
    graft__reading *r;
} archive;

static bool is_storage(const graft__zip_member *m, const char **key, size_t *length)
{
    static const char folder[] = "data/";
    const char *slash = memchr(m->name, '/', m->name_length);
    const char *name = slash ? slash + 1 : m->name;
    const size_t rest = m->name_length - (size_t)(name - m->name), head = sizeof folder - 1;
    if (rest <= head || memcmp(name, folder, head) != 0)
        return false;
    *key = name + head;
    *length = rest - head;
    return true;
}

static graft_status add_storage(const archive *a, const graft__zip_member *m)
{
    const char *key_text;
    size_t length;
    if (!is_storage(m, &key_text, &length))
        return GRAFT_OK;
    graft_ctx *g = a->r->g;
    graft__value key = graft__text_value(g, "salvage", GRAFT_VALUE_STRING, key_text, length);
    if (key.kind == GRAFT_VALUE_NONE)
        return GRAFT_ERR_MEMORY;
    const graft__piece piece = graft__zip_piece(m, key.text.data);
    const int64_t size = (int64_t)m->size;
    graft_tensor *t =
        graft__tensor_over(graft__piece_storage(a->r, &piece), GRAFT_U8, 1, &size, NULL, 0);
    if (!t) {
        graft__value_drop(g, &key);
        return graft_error_status(g);
    }
    return graft__dict_put(a->report->found, "salvage", key, graft__tensor_value(t));
}

static graft_status add_lost_member(const archive *a, const graft__zip_member *m)
{
    graft__text name;
    graft__text_init(&name, a->r->g);
    graft__text_addn(&name, m->name, m->name_length);
    const graft_status status = name.failed
                                    ? graft__fail_memory(a->r->g, m->name_length, "salvage")
                                    : add_lost(a->report, name.data ? name.data : "",
                                               "its bytes are not all there, or are damaged");
    graft__text_free(&name);
    return status;
}

static graft_status storages_of(graft_ctx *g, const graft__open_args *args, graft__source *source,
                                graft_salvage_report *s)
{
    graft__reading r = {.g = g,
                        .op = "salvage",
                        .path = args->path,
                        .source = source,
                        .options = args->options,
                        .memory_left = UINT64_MAX,
                        .total = source->size};
    const archive a = {s, &r};
    graft__zip whole, damaged;
    graft_status status = graft__zip_scan(&r, &whole, &damaged);
    if (!status) {
        for (size_t i = 0; i < whole.count && !status; i++)
            status = add_storage(&a, &whole.member[i]);
        for (size_t i = 0; i < damaged.count && !status; i++)
            status = add_lost_member(&a, &damaged.member[i]);
        graft__zip_close(&whole);
        graft__zip_close(&damaged);
    }
    return status;
}

/* A ZIP whose pickle can't be read still has storages; of anything else the pending error stands.
 */
static graft_status storages_only(graft_ctx *g, const graft__open_args *args,
                                  graft_salvage_report *s)
{
    const graft_status failed = graft_error_status(g);
    graft__source *source = graft__source_open(g, args->op, args->path, args->options.map);
    if (!source)
        return failed;
    graft_status status = failed;
    if (source->size >= 4 && memcmp(source->bytes, "PK\3\4", 4) == 0) {
        status = lose_for_error(s, "data.pkl");
        if (!status)
            status = storages_of(g, args, source, s);
    }
    graft__source_unref(source);
    return status;
}

/* ---- The report ---- */

static graft_status finish(graft_salvage_report *s)
{
    graft__text text;
    graft__text_init(&text, s->object.ctx);
    graft__text_addf(&text, "%zu tensors are whole, %zu are lost\n", s->found->count, s->count);
    for (size_t i = 0; i < s->count; i++)
        graft__text_addf(&text, "lost: %s: %s\n", s->lost[i].name, s->lost[i].reason);
    s->text = graft__text_take(&text);
    return s->text ? GRAFT_OK : GRAFT_ERR_MEMORY;
}

static bool can_be_salvaged(graft_format format)
{
    return format == GRAFT_FORMAT_PT || format == GRAFT_FORMAT_TORCHSCRIPT ||
           format == GRAFT_FORMAT_SAFETENSORS;
}

static graft_status fill(graft_ctx *g, const graft__open_args *args, graft_salvage_report *s)
{
    graft_checkpoint *c = graft__open(g, args);
    if (c) {
        graft_status status =
            can_be_salvaged(graft_checkpoint_format(c))
                ? graft__dict_walk(graft_checkpoint_root(c), "salvage", args->options.max_names,
                                   keep_or_lose, s)
                : graft__fail(g, GRAFT_ERR_ARGUMENT,
                              "salvage: %s: the format is %s: expected .pt (ZIP) or safetensors",
                              args->path, graft_format_name(graft_checkpoint_format(c)));
        graft__checkpoint_unref(c);
        return status;
    }
    return is_fault(g) ? storages_only(g, args, s) : graft_error_status(g);
}

graft_salvage_report *graft_salvage(graft_ctx *g, const char *path,
                                    const graft_read_options *options)
{
    if (!g)
        return NULL;
    if (!path) {
        graft__fail(g, GRAFT_ERR_ARGUMENT, "salvage: the path is NULL");
        return NULL;
    }
    graft__open_args args = {.op = "salvage", .path = path, .lenient = true};
    args.options = options ? *options : graft_read_defaults();
    args.options.verify = GRAFT_VERIFY_USE; /* each tensor is used, and may fail alone */
    graft_salvage_report *s = report_new(g);
    if (!s)
        return NULL;
    /* Faults are met on the way: an error that was pending waits until they were looked at. */
    const graft__error before = graft__error_put_aside(g);
    graft_status status = fill(g, &args, s);
    if (!status)
        status = finish(s);
    if (before.status != GRAFT_OK)
        graft__error_put_back(g, &before);
    if (status) {
        graft__unref(&s->object);
        return NULL;
    }
    graft__own_by_context(&s->object);
    return s;
}

graft_dict *graft_salvage_dict(const graft_salvage_report *s)
{
    return s ? s->found : NULL;
}

int64_t graft_salvage_lost(const graft_salvage_report *s)
{
    return s ? (int64_t)s->count : 0;
}

static const lost *lost_at(const graft_salvage_report *s, int64_t i)
{
    return s && i >= 0 && i < (int64_t)s->count ? &s->lost[i] : NULL;
}

const char *graft_salvage_lost_name(const graft_salvage_report *s, int64_t i)
{
    const lost *l = lost_at(s, i);
    return l ? l->name : NULL;
}

const char *graft_salvage_lost_reason(const graft_salvage_report *s, int64_t i)
{
    const lost *l = lost_at(s, i);
    return l ? l->reason : NULL;
}

const char *graft_salvage_text(const graft_salvage_report *s)
{
    return s ? s->text : NULL;
}

void graft_salvage_free(graft_salvage_report *s)
{
    if (s && graft__disown(&s->object))
        graft__unref(&s->object);
}
