#include "file/gguf_values.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    TYPE_U8,
    TYPE_I8,
    TYPE_U16,
    TYPE_I16,
    TYPE_U32,
    TYPE_I32,
    TYPE_F32,
    TYPE_BOOL,
    TYPE_STRING,
    TYPE_ARRAY,
    TYPE_U64,
    TYPE_I64,
    TYPE_F64,
    TYPES
};

/* The bytes that an element of a type takes at least. */
static const unsigned char least[TYPES] = {1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8};

/* Arrays in arrays are read by recursion. */
enum { DEEPEST = 64 };

static graft_status need(graft__gguf *f, uint64_t n, const char *what)
{
    if (n <= f->size - f->at)
        return GRAFT_OK;
    return graft__fault(f->r, GRAFT_FAULT_TRUNCATED, (int64_t)f->at,
                        "%s of %" PRIu64 " bytes, where %" PRIu64 " are left of the file", what, n,
                        f->size - f->at);
}

graft_status graft__gguf_u32(graft__gguf *f, const char *what, uint32_t *out)
{
    graft_status status = need(f, 4, what);
    if (status != GRAFT_OK)
        return status;
    *out = graft__le32(f->bytes + f->at);
    f->at += 4;
    return GRAFT_OK;
}

graft_status graft__gguf_u64(graft__gguf *f, const char *what, uint64_t *out)
{
    graft_status status = need(f, 8, what);
    if (status != GRAFT_OK)
        return status;
    *out = graft__le64(f->bytes + f->at);
    f->at += 8;
    return GRAFT_OK;
}

graft_status graft__gguf_name(graft__gguf *f, const char *what, graft__name *out)
{
    uint64_t length = 0;
    graft_status status = graft__gguf_u64(f, what, &length);
    if (status == GRAFT_OK)
        status = need(f, length, what);
    if (status != GRAFT_OK)
        return status;
    *out = (graft__name){
        .text = (const char *)f->bytes + f->at, .length = length, .offset = (int64_t)f->at};
    f->at += length;
    return GRAFT_OK;
}

static graft__value big_int(graft__reading *r, uint64_t n)
{
    char text[24];
    int length = snprintf(text, sizeof text, "%" PRIu64, n);
    return graft__text_value(r->g, r->op, GRAFT_VALUE_BIG_INT, text, (size_t)length);
}

static graft__value real_value(double x)
{
    return (graft__value){.kind = GRAFT_VALUE_FLOAT, .real = x};
}

/* A number whose bytes are there; kind NONE, with the error set, if it is none. */
static graft__value read_number(graft__gguf *f, uint32_t type)
{
    const unsigned char *p = f->bytes + f->at;
    f->at += least[type];
    float narrow;
    double wide;
    switch (type) {
    case TYPE_U8:
        return graft__int_value(*p);
    case TYPE_I8:
        return graft__int_value((int8_t)*p);
    case TYPE_U16:
        return graft__int_value(graft__le16(p));
    case TYPE_I16:
        return graft__int_value((int16_t)graft__le16(p));
    case TYPE_U32:
        return graft__int_value(graft__le32(p));
    case TYPE_I32:
        return graft__int_value((int32_t)graft__le32(p));
    case TYPE_U64:
        if (graft__le64(p) > INT64_MAX)
            return big_int(f->r, graft__le64(p));
        /* fall through */
    case TYPE_I64:
        return graft__int_value((int64_t)graft__le64(p));
    case TYPE_F32:
        memcpy(&narrow, &(uint32_t){graft__le32(p)}, sizeof narrow);
        return real_value(narrow);
    case TYPE_F64:
        memcpy(&wide, &(uint64_t){graft__le64(p)}, sizeof wide);
        return real_value(wide);
    default:
        break;
    }
    if (*p > 1)
        graft__fault(f->r, GRAFT_FAULT_GGUF, (int64_t)f->at - 1, "a bool of %d: expected 0 or 1",
                     *p);
    return (graft__value){.kind = *p > 1 ? GRAFT_VALUE_NONE : GRAFT_VALUE_BOOL, .boolean = *p};
}

static graft_status check_type(graft__gguf *f, uint32_t type)
{
    if (type < TYPES)
        return GRAFT_OK;
    return graft__fault(f->r, GRAFT_FAULT_GGUF, (int64_t)f->at - 4,
                        "a value of type %" PRIu32 ": expected 0 to %d", type, TYPES - 1);
}

static graft__value read_value(graft__gguf *f, uint32_t type, int depth);

static bool fill_list(graft__gguf *f, graft_dict *list, uint32_t type, uint64_t count, int depth)
{
    for (uint64_t i = 0; i < count; i++) {
        graft__value v = read_value(f, type, depth);
        if (v.kind == GRAFT_VALUE_NONE || graft__list_append(list, f->r->op, v) != GRAFT_OK)
            return false;
    }
    return true;
}

static graft__value read_array(graft__gguf *f, int depth)
{
    const graft__value none = {.kind = GRAFT_VALUE_NONE};
    uint32_t type = 0;
    uint64_t count = 0;
    if (depth == DEEPEST || depth >= f->r->options.max_depth) {
        graft__fault(f->r, GRAFT_FAULT_LIMIT, (int64_t)f->at, "arrays nested deeper than %d",
                     depth);
        return none;
    }
    if (graft__gguf_u32(f, "the type of an array", &type) != GRAFT_OK ||
        check_type(f, type) != GRAFT_OK ||
        graft__gguf_u64(f, "the length of an array", &count) != GRAFT_OK)
        return none;
    if (count > (f->size - f->at) / least[type]) {
        graft__fault(f->r, GRAFT_FAULT_TRUNCATED, (int64_t)f->at - 8,
                     "an array of %" PRIu64 " elements, where %" PRIu64
                     " bytes are left of the file",
                     count, f->size - f->at);
        return none;
    }
    /* No overflow: count is at most the size of the file. */
    if (!graft__charge(f->r, sizeof(graft_dict) + count * sizeof(graft__entry)))
        return none;
    graft_dict *list = graft__container_new(f->r->g, GRAFT_VALUE_LIST);
    if (!list)
        return none;
    if (!fill_list(f, list, type, count, depth + 1)) {
        graft__dict_unref(list);
        return none;
    }
    return graft__dict_value(list);
}

/* Kind NONE with the error set. */
static graft__value read_value(graft__gguf *f, uint32_t type, int depth)
{
    const graft__value none = {.kind = GRAFT_VALUE_NONE};
    graft__name text;
    if (type == TYPE_ARRAY)
        return read_array(f, depth);
    if (type == TYPE_STRING)
        return graft__gguf_name(f, "a string", &text) == GRAFT_OK
                   ? graft__file_text(f->r, text.text, text.length)
                   : none;
    return need(f, least[type], "a value") == GRAFT_OK ? read_number(f, type) : none;
}

static bool is_alignment(const graft__name *key)
{
    static const char name[] = "general.alignment";
    return key->length == sizeof name - 1 && memcmp(key->text, name, sizeof name - 1) == 0;
}

static graft_status check_alignment(graft__gguf *f, uint32_t type, const graft__value *v,
                                    uint32_t *out)
{
    bool good = type == TYPE_U32 && v->integer > 0 && (v->integer & (v->integer - 1)) == 0;
    if (!good)
        return graft__fault(f->r, GRAFT_FAULT_GGUF, (int64_t)f->at,
                            "general.alignment: expected a uint32 that is a power of two");
    *out = (uint32_t)v->integer;
    return GRAFT_OK;
}

graft_status graft__gguf_key_value(graft__gguf *f, uint32_t *alignment)
{
    graft__name key;
    uint32_t type = 0;
    graft_status status = graft__gguf_name(f, "a key", &key);
    if (status == GRAFT_OK)
        status = graft__gguf_u32(f, "the type of a value", &type);
    if (status == GRAFT_OK)
        status = check_type(f, type);
    if (status != GRAFT_OK)
        return status;
    uint64_t begin = f->at;
    graft__value v = read_value(f, type, 0);
    if (v.kind == GRAFT_VALUE_NONE)
        return graft_error_status(f->r->g);
    if (is_alignment(&key)) {
        graft__gguf place = *f;
        place.at = begin;
        status = check_alignment(&place, type, &v, alignment);
        if (status != GRAFT_OK) {
            graft__value_drop(f->r->g, &v);
            return status;
        }
    }
    return graft__put_named(f->r, f->r->metadata, "key", &key, v);
}
