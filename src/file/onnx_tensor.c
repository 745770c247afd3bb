/* ONNX's TensorProto and SparseTensorProto. */
#include "file/onnx.h"

#include <string.h>

enum {
    DIMS = 1,
    DATA_TYPE = 2,
    SEGMENT = 3,
    FLOAT_DATA = 4,
    INT32_DATA = 5,
    STRING_DATA = 6,
    INT64_DATA = 7,
    NAME = 8,
    RAW_DATA = 9,
    DOUBLE_DATA = 10,
    UINT64_DATA = 11,
    EXTERNAL_DATA = 13,
    DATA_LOCATION = 14
};

enum { TYPE_STRING = 8, TYPE_UINT2 = 25, TYPE_INT2 = 26 };

/* By number of the data type: the dtype, the field that its elements are in where they are not raw,
 * how many numbers of that field make an element, and whether a number has a sign. */
static const struct {
    unsigned char dtype, field, numbers;
    bool is_signed;
} types[] = {[1] = {GRAFT_F32, FLOAT_DATA, 1, false},
             [2] = {GRAFT_U8, INT32_DATA, 1, false},
             [3] = {GRAFT_I8, INT32_DATA, 1, true},
             [4] = {GRAFT_U16, INT32_DATA, 1, false},
             [5] = {GRAFT_I16, INT32_DATA, 1, true},
             [6] = {GRAFT_I32, INT32_DATA, 1, true},
             [7] = {GRAFT_I64, INT64_DATA, 1, true},
             [9] = {GRAFT_BOOL, INT32_DATA, 1, false},
             [10] = {GRAFT_F16, INT32_DATA, 1, false},
             [11] = {GRAFT_F64, DOUBLE_DATA, 1, false},
             [12] = {GRAFT_U32, UINT64_DATA, 1, false},
             [13] = {GRAFT_U64, UINT64_DATA, 1, false},
             [14] = {GRAFT_C64, FLOAT_DATA, 2, false},
             [15] = {GRAFT_C128, DOUBLE_DATA, 2, false},
             [16] = {GRAFT_BF16, INT32_DATA, 1, false},
             [17] = {GRAFT_F8_E4M3FN, INT32_DATA, 1, false},
             [18] = {GRAFT_F8_E4M3FNUZ, INT32_DATA, 1, false},
             [19] = {GRAFT_F8_E5M2, INT32_DATA, 1, false},
             [20] = {GRAFT_F8_E5M2FNUZ, INT32_DATA, 1, false},
             [21] = {GRAFT_U4, INT32_DATA, 1, false},
             [22] = {GRAFT_I4, INT32_DATA, 1, false},
             [23] = {GRAFT_F4, INT32_DATA, 1, false},
             [24] = {GRAFT_F8_E8M0FNU, INT32_DATA, 1, false}};

enum { TYPES = sizeof types / sizeof *types };

/* A TensorProto whose fields were met, and its data not yet. */
typedef struct proto {
    graft__name name;
    uint64_t type;
    int ndim;
    int64_t size[GRAFT_MAX_DIMS];
    const graft__pb_field *field; /* all of it */
    const unsigned char *raw;     /* NULL: none */
    uint64_t raw_size;
    uint32_t typed; /* the field that has typed data; 0: none */
    bool external;
    uint64_t where; /* of the external data */
    uint64_t length;
    bool has_length;
    graft__name location;
} proto;

static int64_t offset_of(const graft__onnx *o, const proto *p)
{
    return graft__onnx_offset(o, p->field->where);
}

static graft_status add_dim(graft__onnx *o, proto *p, const graft__pb_field *f, uint64_t size)
{
    if (p->ndim == GRAFT_MAX_DIMS)
        return graft__fault(o->r, GRAFT_FAULT_SHAPE, graft__onnx_offset(o, f->where),
                            "more than %d dimensions", GRAFT_MAX_DIMS);
    p->size[p->ndim++] = (int64_t)size;
    return GRAFT_OK;
}

static graft_status read_dims(graft__onnx *o, proto *p, const graft__pb_field *f)
{
    if (f->wire == GRAFT__PB_VARINT)
        return add_dim(o, p, f, f->value);
    graft_status status = graft__onnx_expect(o, f, GRAFT__PB_BYTES);
    graft__pb m = graft__pb_inside(f);
    uint64_t size = 0;
    while (status == GRAFT_OK && graft__pb_packed(&m, GRAFT__PB_VARINT, &size))
        status = add_dim(o, p, f, size);
    return status == GRAFT_OK ? graft__onnx_end(o, &m) : status;
}

static bool parse_decimal(const graft__pb_field *f, uint64_t *out)
{
    uint64_t n = 0;
    for (uint64_t i = 0; i < f->size; i++)
        if (f->bytes[i] < '0' || f->bytes[i] > '9' || __builtin_mul_overflow(n, 10, &n) ||
            __builtin_add_overflow(n, (uint64_t)(f->bytes[i] - '0'), &n))
            return false;
    *out = n;
    return f->size > 0;
}

static bool is_word(const graft__name *name, const char *word)
{
    return name->length == strlen(word) && memcmp(name->text, word, strlen(word)) == 0;
}

/* A StringStringEntryProto of external_data. Its checksum is an SHA-1 and optional; it is not
 * looked at. */
static graft_status read_external(graft__onnx *o, proto *p, const graft__pb_field *f)
{
    graft__pb m = graft__pb_inside(f);
    graft__pb_field g, value = {.bytes = f->bytes, .where = f->where};
    graft__name key = {.text = ""};
    while (graft__pb_next(&m, &g)) {
        if (g.number != 1 && g.number != 2)
            continue;
        graft_status status = graft__onnx_expect(o, &g, GRAFT__PB_BYTES);
        if (status != GRAFT_OK)
            return status;
        if (g.number == 1)
            key = graft__onnx_name(o, &g);
        else
            value = g;
    }
    if (m.error)
        return graft__onnx_end(o, &m);
    bool good = true;
    if (is_word(&key, "location"))
        p->location = graft__onnx_name(o, &value);
    else if (is_word(&key, "offset"))
        good = parse_decimal(&value, &p->where);
    else if (is_word(&key, "length"))
        good = p->has_length = parse_decimal(&value, &p->length);
    return good ? GRAFT_OK
                : graft__fault(o->r, GRAFT_FAULT_PROTOBUF, graft__onnx_offset(o, value.where),
                               "the %.*s of external data is no number", GRAFT__NAME(&key));
}

static graft_status read_typed(graft__onnx *o, proto *p, const graft__pb_field *f)
{
    if (p->typed == 0 || p->typed == f->number) {
        p->typed = f->number;
        return GRAFT_OK;
    }
    return graft__fault(o->r, GRAFT_FAULT_PROTOBUF, graft__onnx_offset(o, f->where),
                        "a tensor with data in two fields, %u and %u", p->typed, f->number);
}

static graft_status read_field(graft__onnx *o, proto *p, const graft__pb_field *f)
{
    static const unsigned char is_bytes[] = {[NAME] = 1, [RAW_DATA] = 1, [EXTERNAL_DATA] = 1};
    static const unsigned char is_number[] = {[DATA_TYPE] = 1, [DATA_LOCATION] = 1};
    graft_status status = GRAFT_OK;
    if (f->number < sizeof is_bytes && is_bytes[f->number])
        status = graft__onnx_expect(o, f, GRAFT__PB_BYTES);
    if (f->number < sizeof is_number && is_number[f->number])
        status = graft__onnx_expect(o, f, GRAFT__PB_VARINT);
    if (status != GRAFT_OK)
        return status;
    switch (f->number) {
    case DIMS:
        return read_dims(o, p, f);
    case DATA_TYPE:
        p->type = f->value;
        return GRAFT_OK;
    case SEGMENT:
        return graft__fault(o->r, GRAFT_FAULT_UNSUPPORTED, graft__onnx_offset(o, f->where),
                            "a tensor in segments");
    case FLOAT_DATA:
    case INT32_DATA:
    case STRING_DATA:
    case INT64_DATA:
    case DOUBLE_DATA:
    case UINT64_DATA:
        return f->wire == GRAFT__PB_BYTES && f->size == 0 ? GRAFT_OK : read_typed(o, p, f);
    case NAME:
        p->name = graft__onnx_name(o, f);
        return GRAFT_OK;
    case RAW_DATA:
        p->raw = f->bytes;
        p->raw_size = f->size;
        return GRAFT_OK;
    case EXTERNAL_DATA:
        return read_external(o, p, f);
    case DATA_LOCATION:
        p->external = f->value == 1;
        return GRAFT_OK;
    default:
        return GRAFT_OK;
    }
}

/* ---- Typed data ---- */

static graft__pb_wire wire_of(uint32_t field)
{
    return field == FLOAT_DATA    ? GRAFT__PB_FIXED32
           : field == DOUBLE_DATA ? GRAFT__PB_FIXED64
                                  : GRAFT__PB_VARINT;
}

/* Where numbers of a field go. */
typedef struct numbers {
    unsigned char *at;
    uint64_t left;  /* how many more may come */
    unsigned width; /* bytes of each in memory */
    bool is_signed, is_bool;
    bool wraps; /* an int32: what does not fit is cut, as everywhere in protocol buffers */
} numbers;

/* Whether a number fits its width, as one with or without a sign: writers of int8 and the like do
 * either. */
static bool fits(const numbers *n, uint64_t number)
{
    if (n->width == 8 || n->wraps)
        return true;
    unsigned bits = n->width * 8;
    bool negative = (int64_t)number < 0 && number >= (uint64_t)-1 << (bits - 1);
    return number >> bits == 0 || (n->is_signed && negative);
}

static graft_status put_number(graft__onnx *o, numbers *n, uint64_t number, int64_t where)
{
    if (n->left == 0)
        return graft__fault(o->r, GRAFT_FAULT_SHAPE, where, "more elements than the shape has");
    if (!fits(n, number))
        return graft__fault(o->r, GRAFT_FAULT_PROTOBUF, where,
                            "an element of %lld, which does not fit %u bits", (long long)number,
                            n->width * 8);
    if (n->is_bool)
        number = number != 0;
    for (unsigned i = 0; i < n->width; i++)
        *n->at++ = (unsigned char)(number >> 8 * i);
    n->left--;
    return GRAFT_OK;
}

static graft_status put_field(graft__onnx *o, numbers *n, const graft__pb_field *f,
                              graft__pb_wire wire)
{
    if (f->wire == wire)
        return put_number(o, n, f->value, graft__onnx_offset(o, f->where));
    graft_status status = graft__onnx_expect(o, f, GRAFT__PB_BYTES);
    graft__pb m = graft__pb_inside(f);
    uint64_t number = 0;
    while (status == GRAFT_OK) {
        const unsigned char *where = m.at;
        if (!graft__pb_packed(&m, wire, &number))
            return graft__onnx_end(o, &m);
        status = put_number(o, n, number, graft__onnx_offset(o, where));
    }
    return status;
}

static graft_status put_numbers(graft__onnx *o, const proto *p, numbers *n)
{
    graft__pb m = graft__pb_inside(p->field);
    graft__pb_field f;
    graft_status status = GRAFT_OK;
    while (status == GRAFT_OK && graft__pb_next(&m, &f))
        if (f.number == p->typed)
            status = put_field(o, n, &f, wire_of(f.number));
    if (status == GRAFT_OK && n->left > 0)
        status = graft__fault(o->r, GRAFT_FAULT_SHAPE, offset_of(o, p),
                              "%.*s: %llu elements too few for the shape", GRAFT__NAME(&p->name),
                              (unsigned long long)n->left);
    return status;
}

/* The storage of typed data: read number by number, as they may have any width in the file. */
static graft__storage *read_numbers(graft__onnx *o, const proto *p, uint64_t bytes)
{
    unsigned each = types[p->type].numbers;
    graft_dtype dtype = (graft_dtype)types[p->type].dtype;
    size_t width = graft_dtype_size(dtype);
    numbers n = {.width = width ? (unsigned)(width / each) : 1,
                 .is_signed = types[p->type].is_signed,
                 .is_bool = dtype == GRAFT_BOOL,
                 .wraps = dtype == GRAFT_I32};
    n.left = bytes / n.width;
    /* Before any memory is taken: each number has at least a byte in the file. */
    if (n.left > p->field->size) {
        graft__fault(o->r, GRAFT_FAULT_SHAPE, offset_of(o, p),
                     "%.*s: fewer elements than the shape has", GRAFT__NAME(&p->name));
        return NULL;
    }
    graft__storage *s = graft__storage_new(o->r->g, (size_t)bytes);
    if (!s)
        return NULL;
    n.at = s->buffer->data;
    if (put_numbers(o, p, &n) == GRAFT_OK)
        return s;
    graft__storage_unref(s);
    return NULL;
}

/* ---- A tensor ---- */

static graft__storage *piece_of(graft__onnx *o, const proto *p, uint64_t offset, uint64_t bytes)
{
    size_t width = graft_dtype_size((graft_dtype)types[p->type].dtype);
    const graft__piece piece = {.offset = offset,
                                .stored = bytes,
                                .size = bytes,
                                .align = width == 0  ? 1
                                         : width < 8 ? (uint32_t)width
                                                     : 8};
    return graft__piece_storage(o->r, &piece);
}

static graft__storage *read_raw(graft__onnx *o, const proto *p, uint64_t bytes)
{
    if (p->raw_size == bytes)
        return piece_of(o, p, (uint64_t)graft__onnx_offset(o, p->raw), bytes);
    graft__fault(o->r, GRAFT_FAULT_SHAPE, graft__onnx_offset(o, p->raw),
                 "%.*s: %llu bytes of raw data, where the shape and dtype take %llu",
                 GRAFT__NAME(&p->name), (unsigned long long)p->raw_size, (unsigned long long)bytes);
    return NULL;
}

static graft__storage *read_outside(graft__onnx *o, const proto *p, uint64_t bytes)
{
    graft__source *file = NULL;
    if (p->has_length && p->length != bytes) {
        graft__fault(o->r, GRAFT_FAULT_SHAPE, offset_of(o, p),
                     "%.*s: %llu bytes of external data, where the shape and dtype take %llu",
                     GRAFT__NAME(&p->name), (unsigned long long)p->length,
                     (unsigned long long)bytes);
        return NULL;
    }
    if (graft__onnx_open_file(o, &p->location, &file) != GRAFT_OK)
        return NULL;
    if (p->where > file->size || bytes > file->size - p->where) {
        graft__fault(o->r, GRAFT_FAULT_OUT_OF_BOUNDS, p->location.offset,
                     "%.*s: %llu bytes at %llu of '%.*s', which has %llu", GRAFT__NAME(&p->name),
                     (unsigned long long)bytes, (unsigned long long)p->where,
                     GRAFT__NAME(&p->location), (unsigned long long)file->size);
        return NULL;
    }
    o->r->source = file;
    graft__storage *s = piece_of(o, p, p->where, bytes);
    o->r->source = o->model;
    return s;
}

static graft__storage *read_storage(graft__onnx *o, const proto *p, uint64_t bytes)
{
    int places = (p->raw_size > 0) + (p->typed != 0) + p->external;
    if (places > 1) {
        graft__fault(o->r, GRAFT_FAULT_PROTOBUF, offset_of(o, p),
                     "%.*s: a tensor with data in more than one place", GRAFT__NAME(&p->name));
        return NULL;
    }
    if (p->typed != 0 && p->typed != types[p->type].field) {
        graft__fault(o->r, GRAFT_FAULT_PROTOBUF, offset_of(o, p),
                     "%.*s: elements of %s in field %u: expected field %d", GRAFT__NAME(&p->name),
                     graft_dtype_name((graft_dtype)types[p->type].dtype), p->typed,
                     types[p->type].field);
        return NULL;
    }
    if (p->external)
        return read_outside(o, p, bytes);
    if (p->raw_size > 0 || (p->raw && p->typed == 0 && bytes > 0))
        return read_raw(o, p, bytes);
    return read_numbers(o, p, bytes);
}

static graft_status read_strings(graft__onnx *o, const proto *p, graft__value *out)
{
    graft_dict *list = graft__container_new(o->r->g, GRAFT_VALUE_LIST);
    graft__pb m = graft__pb_inside(p->field);
    graft__pb_field f;
    bool good = list != NULL;
    while (good && graft__pb_next(&m, &f)) {
        if (f.number != STRING_DATA)
            continue;
        good = graft__onnx_expect(o, &f, GRAFT__PB_BYTES) == GRAFT_OK &&
               graft__charge(o->r, sizeof(graft__entry) + f.size);
        if (!good)
            break;
        graft__value v = graft__text_value(o->r->g, o->r->op, GRAFT_VALUE_BYTES,
                                           (const char *)f.bytes, (size_t)f.size);
        good = v.kind != GRAFT_VALUE_NONE && graft__list_append(list, o->r->op, v) == GRAFT_OK;
    }
    if (!good) {
        graft__dict_unref(list);
        return graft_error_status(o->r->g);
    }
    *out = graft__dict_value(list);
    return GRAFT_OK;
}

static graft_status refuse_type(graft__onnx *o, const proto *p)
{
    if (p->type == TYPE_UINT2 || p->type == TYPE_INT2)
        return graft__fault(o->r, GRAFT_FAULT_UNSUPPORTED, offset_of(o, p),
                            "%.*s: elements of 2 bits", GRAFT__NAME(&p->name));
    return graft__fault(o->r, GRAFT_FAULT_DTYPE, offset_of(o, p),
                        "%.*s: no data type has the number %llu", GRAFT__NAME(&p->name),
                        (unsigned long long)p->type);
}

static graft_status make_tensor(graft__onnx *o, proto *p, graft__value *out)
{
    if (p->type == TYPE_STRING)
        return read_strings(o, p, out);
    if (p->type >= TYPES || types[p->type].numbers == 0)
        return refuse_type(o, p);
    graft_dtype dtype = (graft_dtype)types[p->type].dtype;
    uint64_t bytes = 0;
    graft__name name = p->name;
    name.offset = offset_of(o, p);
    graft_status status = graft__check_tensor(o->r, &name, dtype, p->ndim, p->size, &bytes);
    if (status != GRAFT_OK)
        return status;
    graft__storage *s = read_storage(o, p, bytes);
    graft_tensor *t = s ? graft__tensor_over(s, dtype, p->ndim, p->size, NULL, 0) : NULL;
    if (!t)
        return graft_error_status(o->r->g);
    *out = graft__tensor_value(t);
    return GRAFT_OK;
}

graft_status graft__onnx_tensor(graft__onnx *o, const graft__pb_field *f, graft__name *name,
                                graft__value *out)
{
    graft_status status = graft__onnx_expect(o, f, GRAFT__PB_BYTES);
    if (status != GRAFT_OK)
        return status;
    proto p = {.field = f, .name = {.text = "", .offset = graft__onnx_offset(o, f->where)}};
    p.location = p.name;
    graft__pb m = graft__pb_inside(f);
    graft__pb_field g;
    while (status == GRAFT_OK && graft__pb_next(&m, &g))
        status = read_field(o, &p, &g);
    if (status == GRAFT_OK)
        status = graft__onnx_end(o, &m);
    if (status == GRAFT_OK)
        status = make_tensor(o, &p, out);
    *name = p.name;
    return status;
}
