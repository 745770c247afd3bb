#include "file/named.h"

#include "file/json.h"
#include "tensor/dtype.h"

#include <string.h>

int graft__name_length(const graft__name *name)
{
    return name->length < 200 ? (int)name->length : 200;
}

graft_status graft__check_name(graft__reading *r, const char *what, const graft__name *name)
{
    if (name->length == 0)
        return graft__fault(r, GRAFT_FAULT_NAME, name->offset, "a %s without a name", what);
    size_t bad = 0;
    if (!graft__is_utf8(name->text, (size_t)name->length, &bad))
        return graft__fault(r, GRAFT_FAULT_NAME, name->offset + (int64_t)bad,
                            "the name of a %s is not UTF-8", what);
    const char *zero = memchr(name->text, 0, (size_t)name->length);
    if (zero)
        return graft__fault(r, GRAFT_FAULT_NAME, name->offset + (zero - name->text),
                            "the name of a %s has a 0 byte in it", what);
    return GRAFT_OK;
}

/* What an entry takes beside the text of its key and the elements of its tensor. */
static uint64_t cost_of(const graft__value *v)
{
    uint64_t entry = sizeof(graft__entry) + sizeof(uint32_t) * 2;
    if (v->kind == GRAFT_VALUE_TENSOR)
        return entry + sizeof(graft_tensor) + sizeof(graft__storage) + sizeof(graft__buffer);
    return graft__is_nested(v->kind) ? entry + sizeof(graft_dict) : entry;
}

/* Appends a value, which it takes over, under a key that d lacks. */
static graft_status append(graft__reading *r, graft_dict *d, const char *text, size_t length,
                           graft__value value)
{
    graft__value key = {.kind = GRAFT_VALUE_NONE};
    if (graft__charge(r, cost_of(&value) + length))
        key = graft__text_value(r->g, r->op, GRAFT_VALUE_STRING, text, length);
    if (key.kind == GRAFT_VALUE_NONE) {
        graft__value_drop(r->g, &value);
        return graft_error_status(r->g);
    }
    return graft__dict_append(d, r->op, key, value);
}

static graft_status check_new(graft__reading *r, const graft_dict *d, const char *what,
                              const graft__name *name)
{
    graft_status status = graft__check_name(r, what, name);
    if (status != GRAFT_OK)
        return status;
    const graft__key key = {.text = name->text, .length = (size_t)name->length};
    if (graft__dict_find_key(d, &key) >= 0)
        return graft__fault(r, GRAFT_FAULT_DUPLICATE, name->offset, "two %ss are called '%.*s'",
                            what, GRAFT__NAME(name));
    if (graft_dict_len(d) >= r->options.max_names)
        return graft__fault(r, GRAFT_FAULT_LIMIT, name->offset,
                            "more than %lld names: max_names allows no more",
                            (long long)r->options.max_names);
    return GRAFT_OK;
}

graft_status graft__put_named(graft__reading *r, graft_dict *d, const char *what,
                              const graft__name *name, graft__value value)
{
    graft_status status = check_new(r, d, what, name);
    if (status != GRAFT_OK) {
        graft__value_drop(r->g, &value);
        return status;
    }
    return append(r, d, name->text, (size_t)name->length, value);
}

graft_status graft__put_own(graft__reading *r, graft_dict *d, const char *name, graft__value value)
{
    return append(r, d, name, strlen(name), value);
}

graft__value graft__file_text(graft__reading *r, const void *bytes, uint64_t size)
{
    if (!graft__charge(r, size))
        return (graft__value){.kind = GRAFT_VALUE_NONE};
    size_t bad = 0;
    bool utf8 = graft__is_utf8(bytes, (size_t)size, &bad);
    return graft__text_value(r->g, r->op, utf8 ? GRAFT_VALUE_STRING : GRAFT_VALUE_BYTES, bytes,
                             (size_t)size);
}

graft_status graft__check_tensor(graft__reading *r, const graft__name *name, graft_dtype dtype,
                                 int ndim, const int64_t *size, uint64_t *bytes)
{
    char text[GRAFT__SHAPE_TEXT];
    for (int i = 0; i < ndim; i++)
        if (size[i] < 0)
            return graft__fault(r, GRAFT_FAULT_SHAPE, name->offset,
                                "%.*s: the shape %s is negative", GRAFT__NAME(name),
                                graft__shape_text(ndim, size, text));
    int64_t numel = graft__shape_numel(ndim, size), block = 1;
    if (numel >= 0 && graft_dtype_block(dtype, &block, NULL) && numel % block != 0)
        return graft__fault(r, GRAFT_FAULT_SHAPE, name->offset,
                            "%.*s: %lld elements of %s are no whole blocks of %lld",
                            GRAFT__NAME(name), (long long)numel, graft_dtype_name(dtype),
                            (long long)block);
    if (numel < 0 || !graft__dtype_bytes(dtype, numel, bytes) || *bytes > INT64_MAX)
        return graft__fault(r, GRAFT_FAULT_OVERFLOW, name->offset,
                            "%.*s: the shape %s of %s does not fit 64 bits", GRAFT__NAME(name),
                            graft__shape_text(ndim, size, text), graft_dtype_name(dtype));
    return GRAFT_OK;
}

graft_tensor *graft__piece_tensor(graft__reading *r, const graft__piece *piece, graft_dtype dtype,
                                  int ndim, const int64_t *size, const int64_t *stride)
{
    graft__storage *s = graft__piece_storage(r, piece);
    return s ? graft__tensor_over(s, dtype, ndim, size, stride, 0) : NULL;
}
