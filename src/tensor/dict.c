#include "tensor/dict.h"

#include <stdio.h>
#include <string.h>

#include "base/ctx.h"
#include "base/vector.h"

/* ---- Life ---- */

static void free_name(graft_ctx *g, char *name)
{
    if (name)
        graft__free(g, name, strlen(name) + 1);
}

static void free_string(graft_ctx *g, graft__entry *value)
{
    free_name(g, value->value.string);
}

void graft__value_free(graft_ctx *g, graft__entry *value)
{
    if (value->kind == GRAFT_VALUE_STRING)
        free_string(g, value);
    else if (value->kind == GRAFT_VALUE_TENSOR)
        graft__tensor_unref(value->value.tensor);
    else if (graft__is_nested(value->kind))
        graft__dict_unref(value->value.dict);
}

/* Dicts nested to any depth go without recursion: those that lose their last reference wait in a
 * list of their own. */
static void dict_destroy(graft__object *o)
{
    o->next = NULL;
    for (graft__object *waiting = o; waiting;) {
        graft_dict *d = (graft_dict *)waiting;
        graft_ctx *g = d->object.ctx;
        waiting = waiting->next;
        for (size_t i = 0; i < d->count; i++) {
            graft__entry *e = &d->entry[i];
            free_name(g, e->name);
            if (!graft__is_nested(e->kind)) {
                graft__value_free(g, e);
            } else if (--e->value.dict->object.refs == 0) {
                e->value.dict->object.next = waiting;
                waiting = &e->value.dict->object;
            }
        }
        graft__index_drop(d);
        graft__free(g, d->entry, d->capacity * sizeof *d->entry);
        graft__free(g, d, sizeof *d);
    }
}

static const graft__kind dict_kind = {.name = "dict", .destroy = dict_destroy};

graft_dict *graft__dict_new(graft_ctx *g)
{
    graft_dict *d = g ? graft__alloc_zero(g, sizeof *d) : NULL;
    if (d)
        graft__object_init(&d->object, g, &dict_kind);
    else if (g)
        graft__fail_memory(g, sizeof *d, "dict");
    return d;
}

graft_dict *graft__dict_result(graft_dict *d)
{
    return d && graft__own(&d->object) ? d : NULL;
}

void graft__dict_unref(graft_dict *d)
{
    if (d)
        graft__unref(&d->object);
}

graft_dict *graft_dict_new(graft_ctx *g)
{
    graft_dict *d = graft__dict_new(g);
    if (d)
        graft__own_by_context(&d->object);
    return d;
}

void graft_dict_free(graft_dict *d)
{
    if (!d)
        return;
    if (graft__disown(&d->object))
        graft__dict_unref(d);
    else
        graft__fail(d->object.ctx, GRAFT_ERR_STATE,
                    "dict_free: the dict belongs to what holds it and is freed with it");
}

graft_dict *graft_dict_keep(graft_dict *d)
{
    if (d && d->object.owner >= 0) {
        graft__disown(&d->object);
        graft__own_by_context(&d->object);
    }
    return d;
}

graft_ctx *graft_dict_ctx(const graft_dict *d)
{
    return d ? d->object.ctx : NULL;
}

/* ---- Entries ---- */

static void set_value(graft__entry *e, graft_value_kind kind, const graft__entry *value)
{
    e->kind = kind;
    e->value = value->value;
}

/* The key as text, in a block of its own; NULL without memory. */
static char *name_of(graft_ctx *g, const graft__key *key)
{
    char decimal[24];
    const char *text = key->text;
    size_t length = key->length;
    if (key->is_int) {
        length = (size_t)snprintf(decimal, sizeof decimal, "%lld", (long long)key->number);
        text = decimal;
    }
    char *name = graft__alloc(g, length + 1);
    if (name) {
        memcpy(name, text, length);
        name[length] = 0;
    }
    return name;
}

graft_status graft__dict_put(graft_dict *d, const char *op, const graft__key *key,
                             graft_value_kind kind, graft__entry value, bool append)
{
    graft_ctx *g = d->object.ctx;
    value.kind = kind;
    const int64_t at = append ? -1 : graft__dict_find_key(d, key);
    if (at >= 0) {
        graft__entry old = d->entry[at];
        set_value(&d->entry[at], kind, &value);
        graft__value_free(g, &old);
        return GRAFT_OK;
    }
    char *name = NULL;
    if (d->count < UINT32_MAX - 1 &&
        graft__vector_reserve(g, (void **)&d->entry, d->count, &d->capacity, sizeof *d->entry))
        name = name_of(g, key);
    if (!name) {
        graft__value_free(g, &value);
        return graft__fail_memory(g, sizeof value + key->length, op);
    }
    graft__entry *e = &d->entry[d->count++];
    *e = (graft__entry){.name = name, .int_key = key->is_int, .key = key->number};
    set_value(e, kind, &value);
    graft__index_append(d, d->count - 1);
    return GRAFT_OK;
}

int64_t graft_dict_len(const graft_dict *d)
{
    return d ? (int64_t)d->count : 0;
}

int64_t graft_dict_find(const graft_dict *d, const char *key)
{
    if (!d || !key)
        return -1;
    const graft__key k = graft__string_key(key);
    return graft__dict_find_key(d, &k);
}

int64_t graft_dict_find_int(const graft_dict *d, int64_t key)
{
    const graft__key k = graft__int_key(key);
    return d ? graft__dict_find_key(d, &k) : -1;
}

/* ---- Renaming and dropping ---- */

graft_status graft_dict_drop(graft_dict *d, const char *key)
{
    if (!d)
        return GRAFT_ERR_ARGUMENT;
    graft_ctx *g = d->object.ctx;
    if (!key)
        return graft__fail(g, GRAFT_ERR_ARGUMENT, "dict_drop: the key is NULL");
    const int64_t at = graft_dict_find(d, key);
    if (at < 0)
        return graft__fail(g, GRAFT_ERR_NAME, "dict_drop: there is no \"%s\"", key);
    graft__entry old = d->entry[at];
    graft__index_drop(d);
    d->count--;
    memmove(d->entry + at, d->entry + at + 1, (d->count - (size_t)at) * sizeof *d->entry);
    free_name(g, old.name); /* maybe the caller's key, which nobody needs any more */
    graft__value_free(g, &old);
    return GRAFT_OK;
}

static void take_name(graft_dict *d, size_t i, char *name)
{
    graft__index_remove(d, i);
    free_name(d->object.ctx, d->entry[i].name);
    d->entry[i].name = name;
    graft__index_insert(d, i);
}

graft_status graft_dict_rename(graft_dict *d, const char *from, const char *to)
{
    if (!d)
        return GRAFT_ERR_ARGUMENT;
    graft_ctx *g = d->object.ctx;
    if (!from || !to)
        return graft__fail(g, GRAFT_ERR_ARGUMENT, "dict_rename: a name is NULL");
    const int64_t at = graft_dict_find(d, from), taken = graft_dict_find(d, to);
    if (at < 0)
        return graft__fail(g, GRAFT_ERR_NAME, "dict_rename: there is no \"%s\"", from);
    if (taken == at)
        return GRAFT_OK;
    if (taken >= 0)
        return graft__fail(g, GRAFT_ERR_NAME,
                           "dict_rename: \"%s\" can't become \"%s\": that name is taken", from, to);
    char *name = graft__strdup(g, to);
    if (!name)
        return graft__fail_memory(g, strlen(to) + 1, "dict_rename");
    take_name(d, (size_t)at, name);
    return GRAFT_OK;
}

static bool has_prefix(const graft__entry *e, const char *prefix, size_t length)
{
    return !e->int_key && strncmp(e->name, prefix, length) == 0;
}

/* name with its first `cut` characters replaced; NULL without memory. */
static char *with_prefix(graft_ctx *g, const char *name, size_t cut, const char *replacement)
{
    const size_t head = strlen(replacement), tail = strlen(name + cut);
    char *out = graft__alloc(g, head + tail + 1);
    if (out) {
        memcpy(out, replacement, head);
        memcpy(out + head, name + cut, tail + 1);
    }
    return out;
}

/* The new name of every entry with the prefix into names, NULL for the others. Two entries with the
 * prefix differ behind it, so that only those without it can be in the way. */
static graft_status new_names(graft_dict *d, const char *prefix, const char *replacement,
                              char **names)
{
    graft_ctx *g = d->object.ctx;
    const size_t length = strlen(prefix);
    for (size_t i = 0; i < d->count; i++) {
        const graft__entry *e = &d->entry[i];
        if (!has_prefix(e, prefix, length))
            continue;
        names[i] = with_prefix(g, e->name, length, replacement);
        if (!names[i])
            return graft__fail_memory(g, strlen(e->name) + strlen(replacement),
                                      "dict_rename_prefix");
        const int64_t taken = graft_dict_find(d, names[i]);
        if (taken >= 0 && !has_prefix(&d->entry[taken], prefix, length))
            return graft__fail(g, GRAFT_ERR_NAME,
                               "dict_rename_prefix: \"%s\" can't become \"%s\": that name is taken",
                               e->name, names[i]);
    }
    return GRAFT_OK;
}

graft_status graft_dict_rename_prefix(graft_dict *d, const char *prefix, const char *replacement,
                                      int64_t *count)
{
    if (count)
        *count = 0;
    if (!d)
        return GRAFT_ERR_ARGUMENT;
    graft_ctx *g = d->object.ctx;
    if (!prefix || !replacement)
        return graft__fail(g, GRAFT_ERR_ARGUMENT, "dict_rename_prefix: a prefix is NULL");
    const size_t bytes = d->count * sizeof(char *);
    char **names = graft__alloc_zero(g, bytes);
    if (!names)
        return graft__fail_memory(g, bytes, "dict_rename_prefix");
    const graft_status status = new_names(d, prefix, replacement, names);
    if (!status)
        graft__index_drop(d);
    int64_t renamed = 0;
    for (size_t i = 0; i < d->count; i++) {
        if (status) {
            free_name(g, names[i]);
        } else if (names[i]) {
            take_name(d, i, names[i]);
            renamed++;
        }
    }
    graft__free(g, names, bytes);
    if (count)
        *count = renamed;
    return status;
}
