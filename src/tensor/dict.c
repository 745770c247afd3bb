/* Life and entries of dicts, lists, tuples, sets and records. */
#include "tensor/dict.h"

#include <string.h>

#include "base/ctx.h"
#include "base/vector.h"

/* ---- Values ---- */

static void free_text(graft_ctx *g, char *text, size_t length)
{
    if (text)
        graft__free(g, text, length + 1);
}

graft__value graft__text_value(graft_ctx *g, const char *op, graft_value_kind kind,
                               const char *bytes, size_t length)
{
    graft__value v = {.kind = GRAFT_VALUE_NONE};
    char *copy = length < SIZE_MAX ? graft__alloc(g, length + 1) : NULL;
    if (!copy) {
        graft__fail_memory(g, length, op);
        return v;
    }
    if (length > 0)
        memcpy(copy, bytes, length);
    copy[length] = 0;
    v.kind = kind;
    v.text.data = copy;
    v.text.length = length;
    return v;
}

bool graft__value_copy(graft_ctx *g, const char *op, const graft__value *v, graft__value *out)
{
    *out = *v;
    if (v->kind == GRAFT_VALUE_TENSOR)
        graft__tensor_ref(v->tensor);
    else if (graft__is_nested(v->kind))
        graft__ref(&v->dict->object);
    else if (graft__is_text(v->kind))
        *out = graft__text_value(g, op, v->kind, v->text.data, v->text.length);
    return out->kind == v->kind;
}

void graft__value_drop(graft_ctx *g, graft__value *v)
{
    const graft__value old = *v;
    v->kind = GRAFT_VALUE_NONE;
    if (graft__is_text(old.kind))
        free_text(g, old.text.data, old.text.length);
    else if (old.kind == GRAFT_VALUE_TENSOR)
        graft__tensor_unref(old.tensor);
    else if (graft__is_nested(old.kind))
        graft__dict_unref(old.dict);
}

/* ---- Life ---- */

/* Lets go of a nested dict without recursion: one that loses its last reference joins the list. */
static void leave(graft_dict *nested, graft__object **waiting)
{
    if (!nested || --nested->object.refs > 0)
        return;
    nested->object.next = *waiting;
    *waiting = &nested->object;
}

static void leave_value(graft_ctx *g, graft__value *v, graft__object **waiting)
{
    if (graft__is_nested(v->kind))
        leave(v->dict, waiting);
    else
        graft__value_drop(g, v);
}

static void free_entry_name(graft_ctx *g, graft__entry *e)
{
    graft__strfree(g, e->name);
}

/* Empties d of all that it holds. */
static void let_go(graft_dict *d, graft__object **waiting)
{
    graft_ctx *g = d->object.ctx;
    graft__entry *entry = d->entry;
    const size_t count = d->count, capacity = d->capacity;
    graft_dict *args = d->args, *attributes = d->attributes;
    graft__index_drop(d);
    d->entry = NULL;
    d->count = d->capacity = 0;
    d->args = d->attributes = NULL;
    for (size_t i = 0; i < count; i++) {
        free_entry_name(g, &entry[i]);
        leave_value(g, &entry[i].key, waiting);
        leave_value(g, &entry[i].value, waiting);
    }
    graft__free(g, entry, capacity * sizeof *entry);
    leave(args, waiting);
    leave(attributes, waiting);
}

static void free_waiting(graft__object *waiting)
{
    while (waiting) {
        graft_dict *d = (graft_dict *)waiting;
        waiting = waiting->next;
        let_go(d, &waiting);
        graft_ctx *g = d->object.ctx;
        graft__strfree(g, d->class_name);
        graft__free(g, d, sizeof *d);
    }
}

static void dict_destroy(graft__object *o)
{
    o->next = NULL;
    free_waiting(o);
}

void graft__dict_clear(graft_dict *d)
{
    graft__object *waiting = NULL;
    let_go(d, &waiting);
    free_waiting(waiting);
}

static const graft__kind dict_kind = {.name = "dict", .destroy = dict_destroy};

graft_dict *graft__container_new(graft_ctx *g, graft_value_kind container)
{
    graft_dict *d = g ? graft__alloc_zero(g, sizeof *d) : NULL;
    if (d) {
        graft__object_init(&d->object, g, &dict_kind);
        d->container = container;
    } else if (g) {
        graft__fail_memory(g, sizeof *d, "dict");
    }
    return d;
}

graft_dict *graft__dict_new(graft_ctx *g)
{
    return graft__container_new(g, GRAFT_VALUE_DICT);
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

static graft_dict *new_of_caller(graft_ctx *g, graft_value_kind container)
{
    graft_dict *d = graft__container_new(g, container);
    if (d)
        graft__own_by_context(&d->object);
    return d;
}

graft_dict *graft_dict_new(graft_ctx *g)
{
    return new_of_caller(g, GRAFT_VALUE_DICT);
}

graft_dict *graft_list_new(graft_ctx *g)
{
    return new_of_caller(g, GRAFT_VALUE_LIST);
}

graft_dict *graft_tuple_new(graft_ctx *g)
{
    return new_of_caller(g, GRAFT_VALUE_TUPLE);
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

/* ---- Entries ---- */

static graft_status append(graft_dict *d, const char *op, graft__value *key, graft__value *value)
{
    graft_ctx *g = d->object.ctx;
    if (d->count >= UINT32_MAX - 1 ||
        !graft__vector_reserve(g, (void **)&d->entry, d->count, &d->capacity, sizeof *d->entry)) {
        graft__value_drop(g, key);
        graft__value_drop(g, value);
        return graft__fail_memory(g, (d->count + 1) * sizeof *d->entry, op);
    }
    d->entry[d->count++] = (graft__entry){.key = *key, .value = *value};
    graft__index_append(d, d->count - 1);
    return GRAFT_OK;
}

graft_status graft__dict_append(graft_dict *d, const char *op, graft__value key, graft__value value)
{
    return append(d, op, &key, &value);
}

graft_status graft__dict_put(graft_dict *d, const char *op, graft__value key, graft__value value)
{
    const int64_t at = graft__dict_find_value(d, &key);
    if (at < 0)
        return append(d, op, &key, &value);
    graft__value old = d->entry[at].value;
    d->entry[at].value = value;
    graft__value_drop(d->object.ctx, &key);
    graft__value_drop(d->object.ctx, &old);
    return GRAFT_OK;
}

graft_status graft__list_append(graft_dict *list, const char *op, graft__value value)
{
    graft__value key = graft__int_value((int64_t)list->count);
    return append(list, op, &key, &value);
}

bool graft__dict_set_class(graft_dict *d, const char *op, const char *class_name, size_t length,
                           size_t module_length)
{
    graft_ctx *g = d->object.ctx;
    char *copy = graft__alloc(g, length + 1);
    if (!copy) {
        graft__fail_memory(g, length, op);
        return false;
    }
    memcpy(copy, class_name, length);
    copy[length] = 0;
    graft__strfree(g, d->class_name);
    d->class_name = copy;
    d->module_length = module_length;
    return true;
}

bool graft__dict_is_class(const graft_dict *d, const char *class_name)
{
    return d->class_name && strcmp(d->class_name, class_name) == 0;
}

/* ---- Renaming and dropping ---- */

/* NULL d, NULL key, a list: what renaming and dropping refuse. */
static graft_status check(const graft_dict *d, const char *op, const char *key)
{
    if (!d)
        return GRAFT_ERR_ARGUMENT;
    graft_ctx *g = d->object.ctx;
    if (!key)
        return graft__fail(g, GRAFT_ERR_ARGUMENT, "%s: the key is NULL", op);
    if (graft__is_list(d))
        return graft__fail(g, GRAFT_ERR_ARGUMENT, "%s: \"%s\" of a list: expected a dict", op, key);
    return GRAFT_OK;
}

graft_status graft_dict_drop(graft_dict *d, const char *key)
{
    const graft_status status = check(d, "dict_drop", key);
    if (status)
        return status;
    graft_ctx *g = d->object.ctx;
    const int64_t at = graft_dict_find(d, key);
    if (at < 0)
        return graft__fail(g, GRAFT_ERR_NAME, "dict_drop: there is no \"%s\"", key);
    graft__entry old = d->entry[at];
    graft__index_drop(d);
    d->count--;
    memmove(d->entry + at, d->entry + at + 1, (d->count - (size_t)at) * sizeof *d->entry);
    free_entry_name(g, &old);
    graft__value_drop(g, &old.key); /* maybe the caller's key, which nobody needs any more */
    graft__value_drop(g, &old.value);
    return GRAFT_OK;
}

static void take_name(graft_dict *d, size_t i, graft__value *name)
{
    graft__index_remove(d, i);
    graft__value_drop(d->object.ctx, &d->entry[i].key);
    d->entry[i].key = *name;
    graft__index_insert(d, i);
}

graft_status graft_dict_rename(graft_dict *d, const char *from, const char *to)
{
    static const char op[] = "dict_rename";
    graft_status status = check(d, op, from);
    if (!status)
        status = check(d, op, to);
    if (status)
        return status;
    graft_ctx *g = d->object.ctx;
    const int64_t at = graft_dict_find(d, from), taken = graft_dict_find(d, to);
    if (at < 0)
        return graft__fail(g, GRAFT_ERR_NAME, "dict_rename: there is no \"%s\"", from);
    if (taken == at)
        return GRAFT_OK;
    if (taken >= 0)
        return graft__fail(g, GRAFT_ERR_NAME,
                           "dict_rename: \"%s\" can't become \"%s\": that name is taken", from, to);
    graft__value name = graft__text_value(g, op, GRAFT_VALUE_STRING, to, strlen(to));
    if (name.kind == GRAFT_VALUE_NONE)
        return GRAFT_ERR_MEMORY;
    take_name(d, (size_t)at, &name);
    return GRAFT_OK;
}

static bool has_prefix(const graft__entry *e, const char *prefix, size_t length)
{
    return e->key.kind == GRAFT_VALUE_STRING && e->key.text.length >= length &&
           memcmp(e->key.text.data, prefix, length) == 0;
}

/* The key with its first `cut` characters replaced; NONE without memory. */
static graft__value with_prefix(graft_ctx *g, const graft__value *key, size_t cut,
                                const char *replacement)
{
    const size_t head = strlen(replacement), tail = key->text.length - cut;
    graft__value out = {.kind = GRAFT_VALUE_NONE};
    char *text = graft__alloc(g, head + tail + 1);
    if (!text)
        return out;
    memcpy(text, replacement, head);
    memcpy(text + head, key->text.data + cut, tail + 1);
    out.kind = GRAFT_VALUE_STRING;
    out.text.data = text;
    out.text.length = head + tail;
    return out;
}

/* The new name of every entry with the prefix into names, NONE for the others. Two entries with the
 * prefix differ behind it, so that only those without it can be in the way. */
static graft_status new_names(graft_dict *d, const char *prefix, const char *replacement,
                              graft__value *names)
{
    graft_ctx *g = d->object.ctx;
    const size_t length = strlen(prefix);
    for (size_t i = 0; i < d->count; i++) {
        const graft__entry *e = &d->entry[i];
        if (!has_prefix(e, prefix, length))
            continue;
        names[i] = with_prefix(g, &e->key, length, replacement);
        if (names[i].kind == GRAFT_VALUE_NONE)
            return graft__fail_memory(g, e->key.text.length + strlen(replacement),
                                      "dict_rename_prefix");
        const int64_t taken = graft__dict_find_value(d, &names[i]);
        if (taken >= 0 && !has_prefix(&d->entry[taken], prefix, length))
            return graft__fail(g, GRAFT_ERR_NAME,
                               "dict_rename_prefix: \"%s\" can't become \"%s\": that name is taken",
                               e->key.text.data, names[i].text.data);
    }
    return GRAFT_OK;
}

graft_status graft_dict_rename_prefix(graft_dict *d, const char *prefix, const char *replacement,
                                      int64_t *count)
{
    static const char op[] = "dict_rename_prefix";
    if (count)
        *count = 0;
    if (!d)
        return GRAFT_ERR_ARGUMENT;
    graft_ctx *g = d->object.ctx;
    if (!prefix || !replacement)
        return graft__fail(g, GRAFT_ERR_ARGUMENT, "dict_rename_prefix: a prefix is NULL");
    graft_status status = check(d, op, prefix);
    if (status)
        return status;
    const size_t bytes = d->count * sizeof(graft__value);
    graft__value *names = graft__alloc_zero(g, bytes); /* all NONE */
    if (!names)
        return graft__fail_memory(g, bytes, op);
    status = new_names(d, prefix, replacement, names);
    if (!status)
        graft__index_drop(d);
    int64_t renamed = 0;
    for (size_t i = 0; i < d->count; i++) {
        if (status) {
            graft__value_drop(g, &names[i]);
        } else if (names[i].kind != GRAFT_VALUE_NONE) {
            take_name(d, i, &names[i]);
            renamed++;
        }
    }
    graft__free(g, names, bytes);
    if (count)
        *count = renamed;
    return status;
}
