/* Setting values of dicts and appending to lists. */
#include <stdio.h>
#include <string.h>

#include "base/ctx.h"
#include "base/map.h"
#include "base/vector.h"
#include "tensor/dict.h"

/* A place to put a value: under a key of a dict, or at the end of a list. */
typedef struct target {
    graft_dict *d;
    const char *op;
    graft__key key;
    bool at_end; /* of a list */
    bool append; /* the key is known not to be there */
} target;

/* The key as words of an error. */
static const char *key_words(const target *t, char out[24])
{
    if (t->at_end)
        snprintf(out, 24, "%zu", t->d->count);
    else if (t->key.is_int)
        snprintf(out, 24, "%lld", (long long)t->key.number);
    else
        return t->key.text;
    return out;
}

static graft_status check(const target *t)
{
    if (!t->d)
        return GRAFT_ERR_ARGUMENT;
    graft_ctx *g = t->d->object.ctx;
    if (!t->at_end && !t->key.is_int && !t->key.text)
        return graft__fail(g, GRAFT_ERR_ARGUMENT, "%s: the key is NULL", t->op);
    if (graft__is_list(t->d) && t->key.is_int && !t->at_end && t->key.number >= 0 &&
        (uint64_t)t->key.number < t->d->count)
        return GRAFT_OK; /* a place that is there */
    if (t->at_end != graft__is_list(t->d))
        return graft__fail(g, GRAFT_ERR_ARGUMENT,
                           t->at_end ? "%s: a dict has no end: expected a list"
                                     : "%s: a list takes values at its end only: expected a dict",
                           t->op);
    return GRAFT_OK;
}

/* Takes over the value. */
static graft_status put(const target *t, graft__value value)
{
    graft_dict *d = t->d;
    graft_ctx *g = d->object.ctx;
    if (t->at_end)
        return graft__list_append(d, t->op, value);
    graft__value key = graft__int_value(t->key.number);
    if (!t->key.is_int)
        key = graft__text_value(g, t->op, GRAFT_VALUE_STRING, t->key.text, t->key.length);
    if (key.kind == GRAFT_VALUE_NONE) {
        graft__value_drop(g, &value);
        return GRAFT_ERR_MEMORY;
    }
    return (t->append ? graft__dict_append : graft__dict_put)(d, t->op, key, value);
}

static graft_status set_plain(const target *t, graft__value value)
{
    const graft_status status = check(t);
    return status ? status : put(t, value);
}

static graft_status set_text(const target *t, graft_value_kind kind, const char *bytes, size_t size)
{
    const graft_status status = check(t);
    if (status)
        return status;
    graft_ctx *g = t->d->object.ctx;
    if (!bytes && (size > 0 || kind == GRAFT_VALUE_STRING))
        return graft__fail(g, GRAFT_ERR_ARGUMENT, "%s: the %s is NULL", t->op,
                           kind == GRAFT_VALUE_STRING ? "string" : "address of the bytes");
    const graft__value value = graft__text_value(g, t->op, kind, bytes, size);
    return value.kind == kind ? put(t, value) : GRAFT_ERR_MEMORY;
}

static graft_status set_string(const target *t, const char *value)
{
    return set_text(t, GRAFT_VALUE_STRING, value, value ? strlen(value) : 0);
}

static graft_status set_tensor(const target *t, graft_tensor *value)
{
    const graft_status status = check(t);
    if (status)
        return status;
    graft_ctx *g = t->d->object.ctx;
    char words[24];
    if (!value)
        return graft__fail(g, GRAFT_ERR_ARGUMENT, "%s: the tensor for \"%s\" is NULL", t->op,
                           key_words(t, words));
    if (value->object.ctx != g)
        return graft__fail(g, GRAFT_ERR_ARGUMENT,
                           "%s: the tensor for \"%s\" belongs to another context than the dict: "
                           "clone it into that of the dict",
                           t->op, key_words(t, words));
    return put(t, graft__tensor_value(graft__tensor_ref(value)));
}

/* ---- Nested dicts ---- */

typedef struct search {
    graft__map seen;
    graft_dict **waiting;
    size_t count, capacity;
} search;

static bool search_later(search *s, graft_dict *nested)
{
    if (!nested || graft__map_get(&s->seen, nested))
        return true;
    if (!graft__map_set(&s->seen, nested, nested) ||
        !graft__vector_reserve(s->seen.ctx, (void **)&s->waiting, s->count, &s->capacity,
                               sizeof(graft_dict *)))
        return false;
    s->waiting[s->count++] = nested;
    return true;
}

/* Puts the dicts in d on the list of those to look into, each once. */
static bool search_into(search *s, const graft_dict *d)
{
    for (size_t i = 0; i < d->count; i++) {
        const graft__entry *e = &d->entry[i];
        if ((graft__is_nested(e->value.kind) && !search_later(s, e->value.dict)) ||
            (graft__is_nested(e->key.kind) && !search_later(s, e->key.dict)))
            return false;
    }
    return search_later(s, d->attributes) && search_later(s, d->args);
}

/* Whether d is somewhere in value. false in *found and ERR_MEMORY where that is not to be known. */
static graft_status contains(graft_dict *value, const graft_dict *d, bool *found)
{
    search s = {.count = 0};
    graft_ctx *g = d->object.ctx;
    graft__map_init(&s.seen, g);
    bool ok = search_into(&s, value);
    *found = false;
    while (ok && s.count > 0 && !*found) {
        graft_dict *next = s.waiting[--s.count];
        *found = next == d;
        ok = search_into(&s, next);
    }
    graft__free(g, s.waiting, s.capacity * sizeof(graft_dict *));
    graft__map_free(&s.seen);
    return ok ? GRAFT_OK : graft__fail_memory(g, sizeof(search), "dict_set_dict");
}

/* That value may be put into d. */
static graft_status check_nested(graft_dict *d, const char *op, const char *name, graft_dict *value)
{
    graft_ctx *g = d->object.ctx;
    if (value->object.ctx != g)
        return graft__fail(g, GRAFT_ERR_ARGUMENT,
                           "%s: the dict for \"%s\" belongs to another context: clone it into that "
                           "of the dict that takes it",
                           op, name);
    bool found = value == d;
    /* What only its owner holds is in no dict: most dicts are filled before they are put away. */
    const bool is_root = d->object.refs == 1 && d->object.owner != GRAFT__OWNER_NONE;
    const graft_status status = found || is_root ? GRAFT_OK : contains(value, d, &found);
    if (status)
        return status;
    if (found)
        return graft__fail(g, GRAFT_ERR_ARGUMENT,
                           "%s: with \"%s\" the dict would come to contain itself", op, name);
    return GRAFT_OK;
}

static graft_status set_nested(const target *t, graft_dict *value)
{
    graft_status status = check(t);
    if (status)
        return status;
    char words[24];
    const char *name = key_words(t, words);
    if (!value)
        return graft__fail(t->d->object.ctx, GRAFT_ERR_ARGUMENT, "%s: the dict for \"%s\" is NULL",
                           t->op, name);
    status = check_nested(t->d, t->op, name, value);
    if (status)
        return status;
    graft__ref(&value->object);
    return put(t, graft__dict_value(value));
}

graft_status graft_dict_set_attributes(graft_dict *d, graft_dict *attributes)
{
    if (!d)
        return GRAFT_ERR_ARGUMENT;
    if (attributes) {
        const graft_status status =
            check_nested(d, "dict_set_attributes", "attributes", attributes);
        if (status)
            return status;
        if (attributes->container != GRAFT_VALUE_DICT)
            return graft__fail(d->object.ctx, GRAFT_ERR_ARGUMENT,
                               "dict_set_attributes: expected a dict, not a list or record");
        graft__ref(&attributes->object);
    }
    graft__dict_unref(d->attributes);
    d->attributes = attributes;
    return GRAFT_OK;
}

/* ---- Under string keys ---- */

static target at_key(graft_dict *d, const char *op, const char *key)
{
    target t = {.d = d, .op = op};
    if (key)
        t.key = graft__string_key(key);
    return t;
}

graft_status graft_dict_set_none(graft_dict *d, const char *key)
{
    const target t = at_key(d, "dict_set_none", key);
    return set_plain(&t, (graft__value){.kind = GRAFT_VALUE_NONE});
}

graft_status graft_dict_set_bool(graft_dict *d, const char *key, bool value)
{
    const target t = at_key(d, "dict_set_bool", key);
    return set_plain(&t, (graft__value){.kind = GRAFT_VALUE_BOOL, .boolean = value});
}

graft_status graft_dict_set_int(graft_dict *d, const char *key, int64_t value)
{
    const target t = at_key(d, "dict_set_int", key);
    return set_plain(&t, graft__int_value(value));
}

graft_status graft_dict_set_float(graft_dict *d, const char *key, double value)
{
    const target t = at_key(d, "dict_set_float", key);
    return set_plain(&t, (graft__value){.kind = GRAFT_VALUE_FLOAT, .real = value});
}

graft_status graft_dict_set_string(graft_dict *d, const char *key, const char *value)
{
    const target t = at_key(d, "dict_set_string", key);
    return set_string(&t, value);
}

graft_status graft_dict_set_bytes(graft_dict *d, const char *key, const void *bytes, size_t size)
{
    const target t = at_key(d, "dict_set_bytes", key);
    return set_text(&t, GRAFT_VALUE_BYTES, bytes, size);
}

graft_status graft_dict_set_tensor(graft_dict *d, const char *key, graft_tensor *value)
{
    const target t = at_key(d, "dict_set_tensor", key);
    return set_tensor(&t, value);
}

graft_status graft__dict_append_tensor(graft_dict *d, const char *key, graft_tensor *value)
{
    target t = at_key(d, "dict", key);
    t.append = true;
    return set_tensor(&t, value);
}

graft_status graft_dict_set_dict(graft_dict *d, const char *key, graft_dict *value)
{
    const target t = at_key(d, "dict_set_dict", key);
    return set_nested(&t, value);
}

/* ---- Under integer keys ---- */

static target at_int(graft_dict *d, const char *op, int64_t key)
{
    return (target){.d = d, .op = op, .key = graft__int_key(key)};
}

graft_status graft_dict_set_int_key_none(graft_dict *d, int64_t key)
{
    const target t = at_int(d, "dict_set_int_key_none", key);
    return set_plain(&t, (graft__value){.kind = GRAFT_VALUE_NONE});
}

graft_status graft_dict_set_int_key_bool(graft_dict *d, int64_t key, bool value)
{
    const target t = at_int(d, "dict_set_int_key_bool", key);
    return set_plain(&t, (graft__value){.kind = GRAFT_VALUE_BOOL, .boolean = value});
}

graft_status graft_dict_set_int_key_int(graft_dict *d, int64_t key, int64_t value)
{
    const target t = at_int(d, "dict_set_int_key_int", key);
    return set_plain(&t, graft__int_value(value));
}

graft_status graft_dict_set_int_key_float(graft_dict *d, int64_t key, double value)
{
    const target t = at_int(d, "dict_set_int_key_float", key);
    return set_plain(&t, (graft__value){.kind = GRAFT_VALUE_FLOAT, .real = value});
}

graft_status graft_dict_set_int_key_string(graft_dict *d, int64_t key, const char *value)
{
    const target t = at_int(d, "dict_set_int_key_string", key);
    return set_string(&t, value);
}

graft_status graft_dict_set_int_key_tensor(graft_dict *d, int64_t key, graft_tensor *value)
{
    const target t = at_int(d, "dict_set_int_key_tensor", key);
    return set_tensor(&t, value);
}

graft_status graft_dict_set_int_key_dict(graft_dict *d, int64_t key, graft_dict *value)
{
    const target t = at_int(d, "dict_set_int_key_dict", key);
    return set_nested(&t, value);
}

/* ---- At the end of lists ---- */

static target at_end(graft_dict *list, const char *op)
{
    return (target){.d = list, .op = op, .at_end = true};
}

graft_status graft_list_push_none(graft_dict *list)
{
    const target t = at_end(list, "list_push_none");
    return set_plain(&t, (graft__value){.kind = GRAFT_VALUE_NONE});
}

graft_status graft_list_push_bool(graft_dict *list, bool value)
{
    const target t = at_end(list, "list_push_bool");
    return set_plain(&t, (graft__value){.kind = GRAFT_VALUE_BOOL, .boolean = value});
}

graft_status graft_list_push_int(graft_dict *list, int64_t value)
{
    const target t = at_end(list, "list_push_int");
    return set_plain(&t, graft__int_value(value));
}

graft_status graft_list_push_float(graft_dict *list, double value)
{
    const target t = at_end(list, "list_push_float");
    return set_plain(&t, (graft__value){.kind = GRAFT_VALUE_FLOAT, .real = value});
}

graft_status graft_list_push_string(graft_dict *list, const char *value)
{
    const target t = at_end(list, "list_push_string");
    return set_string(&t, value);
}

graft_status graft_list_push_tensor(graft_dict *list, graft_tensor *value)
{
    const target t = at_end(list, "list_push_tensor");
    return set_tensor(&t, value);
}

graft_status graft_list_push_dict(graft_dict *list, graft_dict *value)
{
    const target t = at_end(list, "list_push_dict");
    return set_nested(&t, value);
}
