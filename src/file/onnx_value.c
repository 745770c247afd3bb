/* Values of ONNX that are made of others: sparse tensors, and what Constant nodes hold. */
#include "file/onnx.h"

#include <string.h>

/* ---- SparseTensorProto ---- */

static graft_status put_part(graft__onnx *o, graft_dict *d, const char *name,
                             const graft__pb_field *f, graft__name *own)
{
    graft__value v = {.kind = GRAFT_VALUE_NONE};
    graft_status status = graft__onnx_tensor(o, f, own, &v);
    if (status != GRAFT_OK)
        return status;
    if (graft_dict_find(d, name) < 0)
        return graft__put_own(o->r, d, name, v);
    graft__value_drop(o->r->g, &v);
    return graft__fault(o->r, GRAFT_FAULT_PROTOBUF, graft__onnx_offset(o, f->where),
                        "a sparse tensor with its %s twice", name);
}

static graft_status push_int(graft__onnx *o, graft_dict *list, uint64_t n)
{
    if (!graft__charge(o->r, sizeof(graft__entry)))
        return graft_error_status(o->r->g);
    return graft__list_append(list, o->r->op, graft__int_value((int64_t)n));
}

static graft_status push_dims(graft__onnx *o, graft_dict *list, const graft__pb_field *f)
{
    if (f->wire == GRAFT__PB_VARINT)
        return push_int(o, list, f->value);
    graft_status status = graft__onnx_expect(o, f, GRAFT__PB_BYTES);
    graft__pb m = graft__pb_inside(f);
    uint64_t n = 0;
    while (status == GRAFT_OK && graft__pb_packed(&m, GRAFT__PB_VARINT, &n))
        status = push_int(o, list, n);
    return status == GRAFT_OK ? graft__onnx_end(o, &m) : status;
}

enum { SPARSE_VALUES = 1, SPARSE_INDICES = 2, SPARSE_DIMS = 3 };

static graft_status read_sparse(graft__onnx *o, const graft__pb_field *f, graft_dict *d,
                                graft_dict *dims, graft__name *name)
{
    graft__name ignored;
    graft__pb m = graft__pb_inside(f);
    graft__pb_field g;
    graft_status status = GRAFT_OK;
    while (status == GRAFT_OK && graft__pb_next(&m, &g))
        if (g.number == SPARSE_VALUES)
            status = put_part(o, d, "values", &g, name);
        else if (g.number == SPARSE_INDICES)
            status = put_part(o, d, "indices", &g, &ignored);
        else if (g.number == SPARSE_DIMS)
            status = push_dims(o, dims, &g);
    if (status == GRAFT_OK)
        status = graft__onnx_end(o, &m);
    if (status != GRAFT_OK || graft_dict_len(d) == 2)
        return status;
    return graft__fault(o->r, GRAFT_FAULT_PROTOBUF, graft__onnx_offset(o, f->where),
                        "a sparse tensor without values and indices");
}

graft_status graft__onnx_sparse(graft__onnx *o, const graft__pb_field *f, graft__name *name,
                                graft__value *out)
{
    graft_status status = graft__onnx_expect(o, f, GRAFT__PB_BYTES);
    if (status != GRAFT_OK)
        return status;
    *name = (graft__name){.text = "", .offset = graft__onnx_offset(o, f->where)};
    graft_dict *d = graft__dict_new(o->r->g);
    graft_dict *dims = d ? graft__container_new(o->r->g, GRAFT_VALUE_LIST) : NULL;
    if (!dims) {
        graft__dict_unref(d);
        return graft_error_status(o->r->g);
    }
    status = read_sparse(o, f, d, dims, name);
    if (status == GRAFT_OK)
        status = graft__put_own(o->r, d, "dims", graft__dict_value(dims));
    else
        graft__dict_unref(dims);
    if (status == GRAFT_OK)
        *out = graft__dict_value(d);
    else
        graft__dict_unref(d);
    return status;
}

/* ---- The attributes of a Constant ---- */

enum {
    ATTRIBUTE_NAME = 1,
    ATTRIBUTE_F = 2,
    ATTRIBUTE_I = 3,
    ATTRIBUTE_S = 4,
    ATTRIBUTE_T = 5,
    ATTRIBUTE_FLOATS = 7,
    ATTRIBUTE_INTS = 8,
    ATTRIBUTE_STRINGS = 9,
    ATTRIBUTE_SPARSE = 22
};

/* What the attribute of a name holds: in which field, as what. */
static const struct {
    const char *name;
    unsigned char field, wire, dtype;
    bool many;
} kinds[] = {{"value", ATTRIBUTE_T, GRAFT__PB_BYTES, 0, false},
             {"sparse_value", ATTRIBUTE_SPARSE, GRAFT__PB_BYTES, 0, false},
             {"value_float", ATTRIBUTE_F, GRAFT__PB_FIXED32, GRAFT_F32, false},
             {"value_floats", ATTRIBUTE_FLOATS, GRAFT__PB_FIXED32, GRAFT_F32, true},
             {"value_int", ATTRIBUTE_I, GRAFT__PB_VARINT, GRAFT_I64, false},
             {"value_ints", ATTRIBUTE_INTS, GRAFT__PB_VARINT, GRAFT_I64, true},
             {"value_string", ATTRIBUTE_S, GRAFT__PB_BYTES, 0, false},
             {"value_strings", ATTRIBUTE_STRINGS, GRAFT__PB_BYTES, 0, true}};

enum { KINDS = sizeof kinds / sizeof *kinds };

/* Calls for each number of a field that comes any number of times, packed or not. NULL out: only
 * counts. */
static graft_status each_number(graft__onnx *o, const graft__pb_field *f, int kind, uint64_t *count,
                                unsigned char *out)
{
    graft__pb_wire wire = (graft__pb_wire)kinds[kind].wire;
    unsigned width = wire == GRAFT__PB_FIXED32 ? 4 : 8;
    graft__pb m = graft__pb_inside(f);
    graft__pb_field g;
    *count = 0;
    while (graft__pb_next(&m, &g)) {
        if (g.number != kinds[kind].field)
            continue;
        bool packed = g.wire != wire;
        graft_status status = packed ? graft__onnx_expect(o, &g, GRAFT__PB_BYTES) : GRAFT_OK;
        if (status != GRAFT_OK)
            return status;
        graft__pb numbers = graft__pb_inside(&g);
        for (uint64_t n = g.value; !packed || graft__pb_packed(&numbers, wire, &n);) {
            for (unsigned i = 0; out && i < width; i++)
                out[*count * width + i] = (unsigned char)(n >> 8 * i);
            ++*count;
            if (!packed)
                break;
        }
        if (packed && numbers.error)
            return graft__onnx_end(o, &numbers);
    }
    return graft__onnx_end(o, &m);
}

/* A field of one number that comes several times: the last one counts. */
static graft_status read_numbers(graft__onnx *o, const graft__pb_field *f, int kind,
                                 graft__value *out)
{
    uint64_t count = 0;
    graft_dtype dtype = (graft_dtype)kinds[kind].dtype;
    graft_status status = each_number(o, f, kind, &count, NULL);
    if (status != GRAFT_OK)
        return status;
    size_t width = graft_dtype_size(dtype);
    uint64_t wanted =
        kinds[kind].many ? count : 1; /* no field is a 0, as all that is 0 is left out */
    uint64_t bytes = (count > wanted ? count : wanted) * width;
    graft__storage *s = graft__storage_new(o->r->g, (size_t)bytes);
    if (!s)
        return graft_error_status(o->r->g);
    unsigned char *data = s->buffer->data;
    memset(data, 0, (size_t)bytes);
    each_number(o, f, kind, &count, data);
    int64_t size = (int64_t)wanted, offset = count > wanted ? (int64_t)(count - wanted) : 0;
    graft_tensor *t = graft__tensor_over(s, dtype, kinds[kind].many ? 1 : 0, &size, NULL, offset);
    if (!t)
        return graft_error_status(o->r->g);
    *out = graft__tensor_value(t);
    return GRAFT_OK;
}

static graft__value bytes_value(graft__onnx *o, const graft__pb_field *f)
{
    if (!graft__charge(o->r, sizeof(graft__entry) + f->size))
        return (graft__value){.kind = GRAFT_VALUE_NONE};
    return graft__text_value(o->r->g, o->r->op, GRAFT_VALUE_BYTES, (const char *)f->bytes,
                             (size_t)f->size);
}

static graft_status read_strings(graft__onnx *o, const graft__pb_field *f, graft__value *out)
{
    graft_dict *list = graft__container_new(o->r->g, GRAFT_VALUE_LIST);
    if (!list)
        return graft_error_status(o->r->g);
    graft__pb m = graft__pb_inside(f);
    graft__pb_field g;
    graft_status status = GRAFT_OK;
    while (status == GRAFT_OK && graft__pb_next(&m, &g)) {
        if (g.number != ATTRIBUTE_STRINGS)
            continue;
        status = graft__onnx_expect(o, &g, GRAFT__PB_BYTES);
        if (status != GRAFT_OK)
            break;
        graft__value v = bytes_value(o, &g);
        status = v.kind == GRAFT_VALUE_NONE ? graft_error_status(o->r->g)
                                            : graft__list_append(list, o->r->op, v);
    }
    if (status == GRAFT_OK)
        status = graft__onnx_end(o, &m);
    if (status == GRAFT_OK)
        *out = graft__dict_value(list);
    else
        graft__dict_unref(list);
    return status;
}

/* The last field of a number in a message; a field of no bytes if there is none. */
static graft_status find_field(graft__onnx *o, const graft__pb_field *f, uint32_t number,
                               graft__pb_field *out)
{
    graft__pb m = graft__pb_inside(f);
    graft__pb_field g;
    *out = (graft__pb_field){
        .number = number, .wire = GRAFT__PB_BYTES, .bytes = f->bytes, .where = f->where};
    while (graft__pb_next(&m, &g))
        if (g.number == number)
            *out = g;
    graft_status status = graft__onnx_end(o, &m);
    return status == GRAFT_OK ? graft__onnx_expect(o, out, GRAFT__PB_BYTES) : status;
}

static graft_status read_kind(graft__onnx *o, const graft__pb_field *f, int kind, graft__value *out)
{
    graft__name ignored;
    graft__pb_field g;
    if (kinds[kind].wire != GRAFT__PB_BYTES)
        return read_numbers(o, f, kind, out);
    if (kinds[kind].many)
        return read_strings(o, f, out);
    graft_status status = find_field(o, f, kinds[kind].field, &g);
    if (status != GRAFT_OK)
        return status;
    if (kinds[kind].field == ATTRIBUTE_T)
        return graft__onnx_tensor(o, &g, &ignored, out);
    if (kinds[kind].field == ATTRIBUTE_SPARSE)
        return graft__onnx_sparse(o, &g, &ignored, out);
    *out = bytes_value(o, &g);
    return out->kind == GRAFT_VALUE_NONE ? graft_error_status(o->r->g) : GRAFT_OK;
}

graft_status graft__onnx_constant(graft__onnx *o, const graft__pb_field *f, bool *found,
                                  graft__value *out)
{
    *found = false;
    graft_status status = graft__onnx_expect(o, f, GRAFT__PB_BYTES);
    graft__pb_field name;
    if (status == GRAFT_OK)
        status = find_field(o, f, ATTRIBUTE_NAME, &name);
    if (status != GRAFT_OK)
        return status;
    for (int i = 0; i < KINDS; i++)
        if (name.size == strlen(kinds[i].name) &&
            memcmp(name.bytes, kinds[i].name, (size_t)name.size) == 0) {
            status = read_kind(o, f, i, out);
            *found = status == GRAFT_OK;
            return status;
        }
    return GRAFT_OK;
}
