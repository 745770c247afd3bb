/* Saving what differs from a base. */
#include <string.h>

#include "base/text.h"
#include "copy/delta.h"
#include "copy/same.h"
#include "file/hash.h"
#include "file/json.h"

static const char op[] = "save_delta";

typedef struct delta {
    graft_ctx *g;
    graft_dict *whole, *base; /* flat */
    graft_dict *changed, *metadata;
} delta;

/* ---- Tensors ---- */

/* 1 or 0; -1 with the error set. */
static int same(const delta *d, const graft_tensor *a, const graft_tensor *b)
{
    if (a == b)
        return 1;
    if (a->dtype != b->dtype || !graft__same_shape(a, b))
        return 0;
    return graft__same_elements(d->g, a, b);
}

static graft_status find_changed(delta *d)
{
    for (size_t i = 0; i < d->whole->count; i++) {
        const graft__entry *e = &d->whole->entry[i];
        const int64_t at = graft__dict_find_value(d->base, &e->key);
        const int equal = at < 0 ? 0 : same(d, e->value.tensor, d->base->entry[at].value.tensor);
        if (equal < 0)
            return graft_error_status(d->g);
        if (equal)
            continue;
        const graft_status status =
            graft__dict_append_tensor(d->changed, e->key.text.data, e->value.tensor);
        if (status)
            return status;
    }
    return GRAFT_OK;
}

/* ---- Metadata ---- */

/* The caller's, but for what a delta says itself: it may be that of another delta. */
static graft_status take_metadata(delta *d, const graft_dict *from)
{
    const size_t length = strlen(GRAFT__DELTA_KEY);
    for (size_t i = 0; from && i < from->count; i++) {
        const graft__entry *e = &from->entry[i];
        const char *name = graft__entry_name(from, i);
        if (!name)
            return GRAFT_ERR_MEMORY;
        if (strncmp(name, GRAFT__DELTA_KEY, length) == 0 &&
            (name[length] == 0 || name[length] == '.'))
            continue;
        if (e->key.kind != GRAFT_VALUE_STRING || e->value.kind != GRAFT_VALUE_STRING)
            return graft__fail(d->g, GRAFT_ERR_ARGUMENT,
                               "%s: metadata '%s': expected a string under a string", op, name);
        const graft_status status = graft_dict_set_string(d->metadata, name, e->value.text.data);
        if (status)
            return status;
    }
    return GRAFT_OK;
}

/* A JSON array of the names in a that are not in b (NULL: of all). */
static graft_status set_names(delta *d, const char *key, const graft_dict *a, const graft_dict *b)
{
    graft__text t;
    graft__text_init(&t, d->g);
    graft__text_add(&t, "[");
    graft_status status = GRAFT_OK;
    for (size_t i = 0; !status && i < a->count; i++) {
        const graft__value *name = &a->entry[i].key;
        size_t bad;
        if (b && graft__dict_find_value(b, name) >= 0)
            continue;
        if (!graft__is_utf8(name->text.data, name->text.length, &bad))
            status = graft__fail(d->g, GRAFT_ERR_ARGUMENT,
                                 "%s: the name '%s' is not UTF-8, which this format wants", op,
                                 name->text.data);
        if (t.length > 1)
            graft__text_add(&t, ",");
        graft__json_quote(&t, name->text.data, name->text.length);
    }
    graft__text_add(&t, "]");
    if (!status)
        status = t.failed ? graft__fail_memory(d->g, t.length, op)
                          : graft_dict_set_string(d->metadata, key, t.data);
    graft__text_free(&t);
    return status;
}

static graft_status set_hash(delta *d, const char *key, const graft_dict *of)
{
    char hash[GRAFT__HASH_TEXT];
    const graft_status status = graft__content_hash(of, op, hash);
    return status ? status : graft_dict_set_string(d->metadata, key, hash);
}

static graft_status make_metadata(delta *d, const char *base_name, const graft_dict *from)
{
    graft_status status = take_metadata(d, from);
    if (!status)
        status = graft_dict_set_string(d->metadata, GRAFT__DELTA_KEY, GRAFT__DELTA_VERSION);
    if (!status)
        status = graft_dict_set_string(d->metadata, GRAFT__DELTA_BASE_KEY, base_name);
    if (!status)
        status = set_names(d, GRAFT__DELTA_NAMES_KEY, d->whole, NULL);
    if (!status)
        status = set_names(d, GRAFT__DELTA_REMOVED_KEY, d->base, d->whole);
    if (!status)
        status = set_hash(d, GRAFT__DELTA_BASE_HASH_KEY, d->base);
    return status ? status : set_hash(d, GRAFT__DELTA_HASH_KEY, d->whole);
}

/* ---- Saving ---- */

static graft_status check(graft_ctx *g, const graft_dict *d, const graft_dict *base,
                          const graft_write_options *o)
{
    if (d->object.ctx != g || base->object.ctx != g)
        return graft__fail(g, GRAFT_ERR_ARGUMENT, "%s: the %s belongs to another context", op,
                           d->object.ctx != g ? "dict" : "base");
    if (o->format != GRAFT_FORMAT_AUTO && o->format != GRAFT_FORMAT_SAFETENSORS)
        return graft__fail(g, GRAFT_ERR_ARGUMENT, "%s: format %s: expected safetensors", op,
                           graft_format_name(o->format));
    if (o->max_shard_bytes > 0)
        return graft__fail(g, GRAFT_ERR_ARGUMENT,
                           "%s: shards of %llu bytes: a delta is one file: expected 0", op,
                           (unsigned long long)o->max_shard_bytes);
    if (o->metadata && o->metadata->object.ctx != g)
        return graft__fail(g, GRAFT_ERR_ARGUMENT, "%s: the metadata belongs to another context",
                           op);
    if (!graft__has_sha256())
        return graft__fail(g, GRAFT_ERR_ARGUMENT,
                           "%s: this build has no SHA-256: it needs nettle (GRAFT_NETTLE)", op);
    return GRAFT_OK;
}

graft_status graft_save_delta(graft_ctx *g, const char *path, const graft_dict *d,
                              const graft_dict *base, const char *base_name,
                              const graft_write_options *options, graft_write_report *report)
{
    if (!g)
        return GRAFT_ERR_ARGUMENT;
    if (!path || !d || !base || !base_name)
        return graft__fail(g, GRAFT_ERR_ARGUMENT, "%s: the %s is NULL", op,
                           !path   ? "path"
                           : !d    ? "dict"
                           : !base ? "base"
                                   : "base's name");
    graft_write_options o = options ? *options : graft_write_defaults();
    graft_status status = check(g, d, base, &o);
    if (status)
        return status;
    delta work = {.g = g};
    work.whole = graft_dict_keep(graft_dict_flatten(d));
    work.base = graft_dict_keep(graft_dict_flatten(base));
    work.changed = graft__dict_new(g);
    work.metadata = graft__dict_new(g);
    if (!work.whole || !work.base || !work.changed || !work.metadata)
        status = graft_error_status(g);
    if (!status)
        status = make_metadata(&work, base_name, o.metadata);
    if (!status)
        status = find_changed(&work);
    if (!status) {
        o.format = GRAFT_FORMAT_SAFETENSORS;
        o.metadata = work.metadata;
        o.content_hash = true; /* what a delta holds is checked when it is used */
        status = graft_save_as(g, path, work.changed, &o, report);
    }
    graft_dict_free(work.whole);
    graft_dict_free(work.base);
    graft__dict_unref(work.changed);
    graft__dict_unref(work.metadata);
    return status;
}
