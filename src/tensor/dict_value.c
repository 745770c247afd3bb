/* Values of dicts by their kind, and by dotted paths. */
#include <stdio.h>
#include <string.h>

#include "base/ctx.h"
#include "base/map.h"
#include "base/vector.h"
#include "tensor/dict.h"

/* ---- Reading ---- */

static const graft__entry *entry_at(const graft_dict *d, int64_t i)
{
    return d && i >= 0 && i < (int64_t)d->count ? &d->entry[i] : NULL;
}

const char *graft_dict_key(const graft_dict *d, int64_t i)
{
    const graft__entry *e = entry_at(d, i);
    return e ? e->name : NULL;
}

graft_value_kind graft_dict_kind(const graft_dict *d, int64_t i)
{
    const graft__entry *e = entry_at(d, i);
    return e ? e->kind : GRAFT_VALUE_NONE;
}

bool graft_dict_key_is_int(const graft_dict *d, int64_t i, int64_t *key)
{
    const graft__entry *e = entry_at(d, i);
    if (!e || !e->int_key)
        return false;
    if (key)
        *key = e->key;
    return true;
}

graft_tensor *graft_dict_tensor_at(const graft_dict *d, int64_t i)
{
    const graft__entry *e = entry_at(d, i);
    return e && e->kind == GRAFT_VALUE_TENSOR ? e->value.tensor : NULL;
}

graft_dict *graft_dict_dict_at(const graft_dict *d, int64_t i)
{
    const graft__entry *e = entry_at(d, i);
    return e && graft__is_nested(e->kind) ? e->value.dict : NULL;
}

const char *graft_dict_string_at(const graft_dict *d, int64_t i)
{
    const graft__entry *e = entry_at(d, i);
    return e && e->kind == GRAFT_VALUE_STRING ? e->value.string : NULL;
}

int64_t graft_dict_int_at(const graft_dict *d, int64_t i)
{
    const graft__entry *e = entry_at(d, i);
    return e && e->kind == GRAFT_VALUE_INT ? e->value.integer : 0;
}

double graft_dict_float_at(const graft_dict *d, int64_t i)
{
    const graft__entry *e = entry_at(d, i);
    switch (e ? e->kind : GRAFT_VALUE_NONE) {
    case GRAFT_VALUE_FLOAT:
        return e->value.real;
    case GRAFT_VALUE_INT:
        return (double)e->value.integer;
    case GRAFT_VALUE_BOOL:
        return e->value.boolean;
    default:
        return 0;
    }
}

bool graft_dict_bool_at(const graft_dict *d, int64_t i)
{
    const graft__entry *e = entry_at(d, i);
    return e && e->kind == GRAFT_VALUE_BOOL && e->value.boolean;
}

/* ---- Paths ---- */

/* Whether text is a number as graft_dict_key writes it. */
static bool is_decimal(const char *text, size_t length, int64_t *number)
{
    const bool negative = length > 0 && text[0] == '-';
    const char *digit = text + negative, *end = text + length;
    if (digit == end || (*digit == '0' && (negative || digit + 1 < end)))
        return false;
    int64_t value = 0;
    for (; digit < end; digit++) {
        if (*digit < '0' || *digit > '9' || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, *digit - '0', &value)) /* the negative side is longer */
            return false;
    }
    if (!negative && value == INT64_MIN)
        return false;
    *number = negative ? value : -value;
    return true;
}

static const graft__entry *find_path(const graft_dict *d, const char *path, bool nested);

/* The value at the key and what of the path comes behind it. */
static const graft__entry *find_behind(const graft_dict *d, const graft__key *key, const char *rest,
                                       bool nested)
{
    const graft__entry *e = entry_at(d, graft__dict_find_key(d, key));
    if (!e)
        return NULL;
    if (*rest)
        return graft__is_nested(e->kind) ? find_path(e->value.dict, rest + 1, nested) : NULL;
    return (nested ? graft__is_nested(e->kind) : e->kind == GRAFT_VALUE_TENSOR) ? e : NULL;
}

/* The longest key first: one that holds dots itself goes before the path that it looks like. */
static const graft__entry *find_path(const graft_dict *d, const char *path, bool nested)
{
    for (size_t length = strlen(path);; length--) {
        if (path[length] == 0 || path[length] == '.') {
            graft__key key = {.text = path, .length = length};
            const graft__entry *e = find_behind(d, &key, path + length, nested);
            if (!e && is_decimal(path, length, &key.number)) {
                key = graft__int_key(key.number);
                e = find_behind(d, &key, path + length, nested);
            }
            if (e)
                return e;
        }
        if (length == 0)
            return NULL;
    }
}

graft_tensor *graft_dict_tensor(const graft_dict *d, const char *path)
{
    const graft__entry *e = d && path ? find_path(d, path, false) : NULL;
    return e ? e->value.tensor : NULL;
}

graft_dict *graft_dict_dict(const graft_dict *d, const char *path)
{
    const graft__entry *e = d && path ? find_path(d, path, true) : NULL;
    return e ? e->value.dict : NULL;
}

/* ---- Writing ---- */

/* key may be NULL: for an integer key, whose text is not known yet. */
static graft_status check(const graft_dict *d, const char *op, const char *key)
{
    if (!d)
        return GRAFT_ERR_ARGUMENT;
    return key ? GRAFT_OK
               : graft__fail(d->object.ctx, GRAFT_ERR_ARGUMENT, "%s: the key is NULL", op);
}

static graft_status put(graft_dict *d, const char *op, const char *key, graft_value_kind kind,
                        graft__entry value)
{
    const graft_status status = check(d, op, key);
    if (status)
        return status;
    const graft__key k = graft__string_key(key);
    return graft__dict_put(d, op, &k, kind, value, false);
}

graft_status graft_dict_set_none(graft_dict *d, const char *key)
{
    return put(d, "dict_set_none", key, GRAFT_VALUE_NONE, (graft__entry){.name = NULL});
}

graft_status graft_dict_set_bool(graft_dict *d, const char *key, bool value)
{
    return put(d, "dict_set_bool", key, GRAFT_VALUE_BOOL, (graft__entry){.value.boolean = value});
}

graft_status graft_dict_set_int(graft_dict *d, const char *key, int64_t value)
{
    return put(d, "dict_set_int", key, GRAFT_VALUE_INT, (graft__entry){.value.integer = value});
}

graft_status graft_dict_set_float(graft_dict *d, const char *key, double value)
{
    return put(d, "dict_set_float", key, GRAFT_VALUE_FLOAT, (graft__entry){.value.real = value});
}

/* A copy of value in *out. */
static graft_status copy_string(graft_dict *d, const char *op, const char *value, char **out)
{
    graft_ctx *g = d->object.ctx;
    if (!value)
        return graft__fail(g, GRAFT_ERR_ARGUMENT, "%s: the string is NULL", op);
    *out = graft__strdup(g, value);
    return *out ? GRAFT_OK : graft__fail_memory(g, strlen(value) + 1, op);
}

graft_status graft_dict_set_string(graft_dict *d, const char *key, const char *value)
{
    static const char op[] = "dict_set_string";
    char *copy = NULL;
    graft_status status = check(d, op, key);
    if (!status)
        status = copy_string(d, op, value, &copy);
    if (status)
        return status;
    return put(d, op, key, GRAFT_VALUE_STRING, (graft__entry){.value.string = copy});
}

/* ---- Tensors ---- */

static graft_status set_tensor(graft_dict *d, const char *op, const graft__key *key,
                               const char *name, graft_tensor *value, bool append)
{
    graft_ctx *g = d->object.ctx;
    if (!value)
        return graft__fail(g, GRAFT_ERR_ARGUMENT, "%s: the tensor for \"%s\" is NULL", op, name);
    if (value->object.ctx != g)
        return graft__fail(g, GRAFT_ERR_ARGUMENT,
                           "%s: the tensor for \"%s\" belongs to another context than the dict: "
                           "clone it into that of the dict",
                           op, name);
    const graft__entry entry = {.value.tensor = graft__tensor_ref(value)};
    return graft__dict_put(d, op, key, GRAFT_VALUE_TENSOR, entry, append);
}

graft_status graft_dict_set_tensor(graft_dict *d, const char *key, graft_tensor *value)
{
    const graft_status status = check(d, "dict_set_tensor", key);
    if (status)
        return status;
    const graft__key k = graft__string_key(key);
    return set_tensor(d, "dict_set_tensor", &k, key, value, false);
}

graft_status graft__dict_append_tensor(graft_dict *d, const char *key, graft_tensor *t)
{
    if (!d)
        return GRAFT_ERR_ARGUMENT;
    const graft__key k = graft__string_key(key);
    return set_tensor(d, "dict", &k, key, t, true);
}

graft_status graft_dict_set_int_key_tensor(graft_dict *d, int64_t key, graft_tensor *value)
{
    if (!d)
        return GRAFT_ERR_ARGUMENT;
    char name[24];
    snprintf(name, sizeof name, "%lld", (long long)key);
    const graft__key k = graft__int_key(key);
    return set_tensor(d, "dict_set_int_key_tensor", &k, name, value, false);
}

/* ---- Nested dicts ---- */

typedef struct search {
    graft__map seen;
    graft_dict **waiting;
    size_t count, capacity;
} search;

/* Puts the dicts in d on the list of those to look into, each once. */
static bool search_into(search *s, const graft_dict *d)
{
    for (size_t i = 0; i < d->count; i++) {
        graft_dict *nested = graft_dict_dict_at(d, (int64_t)i);
        if (!nested || graft__map_get(&s->seen, nested))
            continue;
        if (!graft__map_set(&s->seen, nested, nested) ||
            !graft__vector_reserve(s->seen.ctx, (void **)&s->waiting, s->count, &s->capacity,
                                   sizeof(graft_dict *)))
            return false;
        s->waiting[s->count++] = nested;
    }
    return true;
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

static graft_status set_nested(graft_dict *d, const char *op, const graft__key *key,
                               const char *name, graft_dict *value, graft_value_kind kind)
{
    graft_ctx *g = d->object.ctx;
    if (!value)
        return graft__fail(g, GRAFT_ERR_ARGUMENT, "%s: the dict for \"%s\" is NULL", op, name);
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
    graft__ref(&value->object);
    return graft__dict_put(d, op, key, kind, (graft__entry){.value.dict = value}, false);
}

graft_status graft__dict_set_nested(graft_dict *d, const char *key, graft_dict *value,
                                    graft_value_kind kind)
{
    const graft_status status = check(d, "dict_set_dict", key);
    if (status)
        return status;
    const graft__key k = graft__string_key(key);
    return set_nested(d, "dict_set_dict", &k, key, value, kind);
}

graft_status graft__dict_set_nested_int(graft_dict *d, int64_t key, graft_dict *value,
                                        graft_value_kind kind)
{
    if (!d)
        return GRAFT_ERR_ARGUMENT;
    char name[24];
    snprintf(name, sizeof name, "%lld", (long long)key);
    const graft__key k = graft__int_key(key);
    return set_nested(d, "dict_set_int_key_dict", &k, name, value, kind);
}

graft_status graft_dict_set_dict(graft_dict *d, const char *key, graft_dict *value)
{
    return graft__dict_set_nested(d, key, value, GRAFT_VALUE_DICT);
}

graft_status graft_dict_set_int_key_dict(graft_dict *d, int64_t key, graft_dict *value)
{
    return graft__dict_set_nested_int(d, key, value, GRAFT_VALUE_DICT);
}

/* ---- Lists ---- */

static graft_status push(graft_dict *list, graft_value_kind kind, graft__entry value)
{
    if (!list)
        return GRAFT_ERR_ARGUMENT;
    const graft__key key = graft__int_key((int64_t)list->count);
    return graft__dict_put(list, "list", &key, kind, value, true);
}

graft_status graft__dict_push_int(graft_dict *list, int64_t value)
{
    return push(list, GRAFT_VALUE_INT, (graft__entry){.value.integer = value});
}

graft_status graft__dict_push_float(graft_dict *list, double value)
{
    return push(list, GRAFT_VALUE_FLOAT, (graft__entry){.value.real = value});
}

graft_status graft__dict_push_string(graft_dict *list, const char *value)
{
    char *copy = NULL;
    const graft_status status = list ? copy_string(list, "list", value, &copy) : GRAFT_ERR_ARGUMENT;
    if (status)
        return status;
    return push(list, GRAFT_VALUE_STRING, (graft__entry){.value.string = copy});
}
