/* What dicts and their entries are. */
#include <stdio.h>
#include <string.h>

#include "base/ctx.h"
#include "base/text.h"
#include "tensor/dict.h"

graft_ctx *graft_dict_ctx(const graft_dict *d)
{
    return d ? d->object.ctx : NULL;
}

graft_value_kind graft_dict_container(const graft_dict *d)
{
    return d ? d->container : GRAFT_VALUE_NONE;
}

const char *graft_dict_class(const graft_dict *d)
{
    return d ? d->class_name : NULL;
}

graft_dict *graft_dict_attributes(const graft_dict *d)
{
    return d ? d->attributes : NULL;
}

graft_dict *graft_dict_args(const graft_dict *d)
{
    return d ? d->args : NULL;
}

int64_t graft_dict_len(const graft_dict *d)
{
    return d ? (int64_t)d->count : 0;
}

/* ---- Keys ---- */

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

static const graft__value *value_at(const graft_dict *d, int64_t i)
{
    return d && i >= 0 && i < (int64_t)d->count ? &d->entry[i].value : NULL;
}

/* The text is made when it is first asked for: long lists never need it. That is no change that a
 * caller could see. */
const char *graft__entry_name(const graft_dict *d, size_t i)
{
    graft__entry *e = &d->entry[i];
    if (e->key.kind == GRAFT_VALUE_STRING)
        return e->key.text.data;
    if (e->name)
        return e->name;
    graft_ctx *g = d->object.ctx;
    graft__text text;
    graft__text_init(&text, g);
    graft__value_repr(&text, &e->key, 200);
    if (!text.failed && text.data)
        e->name = graft__strdup(g, text.data);
    graft__text_free(&text);
    if (!e->name)
        graft__fail_memory(g, sizeof *e, "dict_key");
    return e->name;
}

const char *graft_dict_key(const graft_dict *d, int64_t i)
{
    return value_at(d, i) ? graft__entry_name(d, (size_t)i) : NULL;
}

graft_value_kind graft_dict_key_kind(const graft_dict *d, int64_t i)
{
    return value_at(d, i) ? d->entry[i].key.kind : GRAFT_VALUE_NONE;
}

bool graft_dict_key_is_int(const graft_dict *d, int64_t i, int64_t *key)
{
    if (graft_dict_key_kind(d, i) != GRAFT_VALUE_INT)
        return false;
    if (key)
        *key = d->entry[i].key.integer;
    return true;
}

/* ---- Values ---- */

graft_value_kind graft_dict_kind(const graft_dict *d, int64_t i)
{
    const graft__value *v = value_at(d, i);
    return v ? v->kind : GRAFT_VALUE_NONE;
}

graft_tensor *graft__take_tensor(const graft_dict *d, size_t i)
{
    const graft__value *v = &d->entry[i].value;
    if (v->kind != GRAFT_VALUE_TENSOR)
        return NULL;
    return graft__storage_ready(v->tensor->storage, d->object.ctx) ? v->tensor : NULL;
}

graft_tensor *graft_dict_tensor_at(const graft_dict *d, int64_t i)
{
    return value_at(d, i) ? graft__take_tensor(d, (size_t)i) : NULL;
}

graft_dict *graft_dict_dict_at(const graft_dict *d, int64_t i)
{
    const graft__value *v = value_at(d, i);
    return v && graft__is_nested(v->kind) ? v->dict : NULL;
}

const char *graft_dict_string_at(const graft_dict *d, int64_t i)
{
    const graft__value *v = value_at(d, i);
    return v && (v->kind == GRAFT_VALUE_STRING || v->kind == GRAFT_VALUE_BIG_INT) ? v->text.data
                                                                                  : NULL;
}

const void *graft_dict_bytes_at(const graft_dict *d, int64_t i, size_t *size)
{
    const graft__value *v = value_at(d, i);
    const bool is_bytes = v && (v->kind == GRAFT_VALUE_STRING || v->kind == GRAFT_VALUE_BYTES);
    if (size)
        *size = is_bytes ? v->text.length : 0;
    return is_bytes ? v->text.data : NULL;
}

int64_t graft_dict_int_at(const graft_dict *d, int64_t i)
{
    const graft__value *v = value_at(d, i);
    return v && v->kind == GRAFT_VALUE_INT ? v->integer : 0;
}

double graft_dict_float_at(const graft_dict *d, int64_t i)
{
    const graft__value *v = value_at(d, i);
    switch (v ? v->kind : GRAFT_VALUE_NONE) {
    case GRAFT_VALUE_FLOAT:
        return v->real;
    case GRAFT_VALUE_INT:
        return (double)v->integer;
    case GRAFT_VALUE_BOOL:
        return v->boolean;
    default:
        return 0;
    }
}

bool graft_dict_bool_at(const graft_dict *d, int64_t i)
{
    const graft__value *v = value_at(d, i);
    return v && v->kind == GRAFT_VALUE_BOOL && v->boolean;
}

bool graft_dict_complex_at(const graft_dict *d, int64_t i, double *real, double *imag)
{
    const graft__value *v = value_at(d, i);
    if (!v || v->kind != GRAFT_VALUE_COMPLEX)
        return false;
    if (real)
        *real = v->parts[0];
    if (imag)
        *imag = v->parts[1];
    return true;
}

bool graft_dict_tensor_info(const graft_dict *d, int64_t i, graft_tensor_info *out)
{
    const graft__value *v = value_at(d, i);
    if (!v || v->kind != GRAFT_VALUE_TENSOR || !out)
        return false;
    const graft_tensor *t = v->tensor;
    *out = (graft_tensor_info){
        .dtype = t->dtype,
        .shape = graft_shape_of(t->ndim, t->size),
        .storage_offset = t->offset,
        .bytes = graft__tensor_bytes(t),
        .storage_bytes = t->storage->buffer->size,
        .storage = t->storage,
        .requires_grad = t->requires_grad,
        .parameter = t->parameter,
    };
    memcpy(out->stride, t->stride, (size_t)t->ndim * sizeof *t->stride);
    return true;
}
