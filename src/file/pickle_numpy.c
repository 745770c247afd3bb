/* NumPy's arrays and scalars as they stand in pickles. */
#include <math.h>
#include <string.h>

#include "file/pickle_globals.h"

/* ---- Dtypes ---- */

typedef struct numpy_dtype {
    graft_dtype dtype;
    size_t width;
    size_t swap; /* width of the numbers whose bytes are in the wrong order; 0: none */
} numpy_dtype;

static const struct {
    char code[4];
    graft_dtype dtype;
    unsigned char width, part; /* bytes of an element, and of the numbers that it consists of */
} codes[] = {
    {"b1", GRAFT_BOOL, 1, 1}, {"i1", GRAFT_I8, 1, 1},     {"i2", GRAFT_I16, 2, 2},
    {"i4", GRAFT_I32, 4, 4},  {"i8", GRAFT_I64, 8, 8},    {"u1", GRAFT_U8, 1, 1},
    {"u2", GRAFT_U16, 2, 2},  {"u4", GRAFT_U32, 4, 4},    {"u8", GRAFT_U64, 8, 8},
    {"f2", GRAFT_F16, 2, 2},  {"f4", GRAFT_F32, 4, 4},    {"f8", GRAFT_F64, 8, 8},
    {"c8", GRAFT_C64, 8, 4},  {"c16", GRAFT_C128, 16, 8},
};

/* The order that numpy.dtype's state (version, order, ...) says: '<', '>', '=' or '|'. */
static char byte_order(const graft_dict *record)
{
    const graft_dict *a = record->attributes;
    if (!a || a->container != GRAFT_VALUE_TUPLE || a->count != 1 ||
        a->entry[0].value.kind != GRAFT_VALUE_TUPLE || a->entry[0].value.dict->count < 2)
        return '=';
    const graft__value *order = &a->entry[0].value.dict->entry[1].value;
    const bool text = order->kind == GRAFT_VALUE_STRING || order->kind == GRAFT_VALUE_BYTES;
    return text && order->text.length == 1 ? order->text.data[0] : '=';
}

/* Of a record numpy.dtype('f4', ...); false if graft has no such dtype. */
static bool read_dtype(const graft__value *v, numpy_dtype *out)
{
    if (v->kind != GRAFT_VALUE_RECORD || !graft__dict_is_class(v->dict, "numpy.dtype") ||
        !v->dict->args || v->dict->args->count == 0)
        return false;
    const graft__value *name = &v->dict->args->entry[0].value;
    if ((name->kind != GRAFT_VALUE_STRING && name->kind != GRAFT_VALUE_BYTES) ||
        name->text.length == 0)
        return false;
    const char *code = name->text.data;
    char order = byte_order(v->dict);
    if (strchr("<>=|", *code))
        order = *code++;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (strcmp(code, codes[i].code) == 0) {
            *out = (numpy_dtype){codes[i].dtype, codes[i].width,
                                 order == '>' && codes[i].part > 1 ? codes[i].part : 0};
            return true;
        }
    return false;
}

/* ---- Arrays ---- */

bool graft__is_numpy_array(const graft_dict *d)
{
    return d->container == GRAFT_VALUE_RECORD && d->making == GRAFT__MADE_BY_CALL &&
           !d->attributes &&
           (graft__dict_is_class(d, "numpy.core.multiarray._reconstruct") ||
            graft__dict_is_class(d, "numpy._core.multiarray._reconstruct"));
}

static void copy_elements(char *to, const char *from, size_t bytes, const numpy_dtype *d)
{
    if (bytes > 0)
        memcpy(to, from, bytes);
    for (size_t i = 0; d->dtype == GRAFT_BOOL && i < bytes; i++)
        to[i] = to[i] != 0;
    for (size_t i = 0; d->swap && i < bytes; i += d->swap)
        for (size_t a = i, b = i + d->swap - 1; a < b; a++, b--) {
            const char byte = to[a];
            to[a] = to[b];
            to[b] = byte;
        }
}

/* The sizes of a tuple of ints, and how many elements they make. false with the error set if they
 * are no sizes; *ndim is -1 if there are too many of them. */
static bool read_shape(graft__reading *r, const graft__value *v, int *ndim, int64_t *size,
                       uint64_t *numel)
{
    *ndim = -1;
    *numel = 1;
    if (v->kind != GRAFT_VALUE_TUPLE || v->dict->count > GRAFT_MAX_DIMS)
        return true;
    for (size_t i = 0; i < v->dict->count; i++) {
        const graft__value *n = &v->dict->entry[i].value;
        if (n->kind != GRAFT_VALUE_INT || n->integer < 0 ||
            __builtin_mul_overflow(*numel, (uint64_t)n->integer, numel)) {
            graft__fault(r, GRAFT_FAULT_SHAPE, r->pickle_offset,
                         "an array of NumPy's with a shape that is none");
            return false;
        }
        size[i] = n->integer;
    }
    *ndim = (int)v->dict->count;
    return true;
}

static void fortran_strides(int ndim, const int64_t *size, int64_t *stride)
{
    int64_t step = 1;
    for (int i = 0; i < ndim; i++) {
        stride[i] = step;
        step *= size[i] > 0 ? size[i] : 1;
    }
}

static graft_status make_tensor(graft__reading *r, const graft__value *shape,
                                const graft__value *dtype, bool fortran, const graft__value *data,
                                graft__value *out)
{
    numpy_dtype d;
    int ndim;
    int64_t size[GRAFT_MAX_DIMS], stride[GRAFT_MAX_DIMS];
    uint64_t numel, bytes;
    *out = (graft__value){.kind = GRAFT_VALUE_NONE};
    if (!read_dtype(dtype, &d) ||
        (data->kind != GRAFT_VALUE_BYTES && data->kind != GRAFT_VALUE_STRING))
        return GRAFT_OK;
    if (!read_shape(r, shape, &ndim, size, &numel))
        return GRAFT_ERR_FORMAT;
    if (ndim < 0)
        return GRAFT_OK;
    if (__builtin_mul_overflow(numel, (uint64_t)d.width, &bytes) || bytes != data->text.length) {
        char text[GRAFT__SHAPE_TEXT];
        return graft__fault(r, GRAFT_FAULT_SHAPE, r->pickle_offset,
                            "an array of NumPy's of shape %s and %zu bytes an element, with %zu "
                            "bytes",
                            graft__shape_text(ndim, size, text), d.width, data->text.length);
    }
    if (!graft__charge(r, bytes + 512))
        return graft_error_status(r->g);
    graft__storage *s = graft__storage_new(r->g, (size_t)bytes);
    if (!s)
        return graft_error_status(r->g);
    copy_elements(s->buffer->data, data->text.data, (size_t)bytes, &d);
    if (fortran)
        fortran_strides(ndim, size, stride);
    graft_tensor *t = graft__tensor_over(s, d.dtype, ndim, size, fortran ? stride : NULL, 0);
    if (!t)
        return graft_error_status(r->g);
    *out = graft__tensor_value(t);
    return GRAFT_OK;
}

graft_status graft__numpy_array(graft__reading *r, const graft_dict *state, graft__value *out)
{
    *out = (graft__value){.kind = GRAFT_VALUE_NONE};
    if (state->count != 4 && state->count != 5) /* the oldest lack the version */
        return GRAFT_OK;
    const graft__entry *e = &state->entry[state->count - 4];
    const graft__value *fortran = &e[2].value;
    const bool is_fortran = fortran->kind == GRAFT_VALUE_BOOL  ? fortran->boolean
                            : fortran->kind == GRAFT_VALUE_INT ? fortran->integer != 0
                                                               : false;
    return make_tensor(r, &e[0].value, &e[1].value, is_fortran, &e[3].value, out);
}

/* _frombuffer(buffer, dtype, shape, order): protocol 5. */
graft_status graft__numpy_frombuffer(graft__reading *r, graft_dict *args, graft__value *out)
{
    *out = (graft__value){.kind = GRAFT_VALUE_NONE};
    const graft__entry *e = args->entry;
    const bool order = args->count == 4 && e[3].value.kind == GRAFT_VALUE_STRING &&
                       e[3].value.text.length == 1 && strchr("CF", e[3].value.text.data[0]);
    if (order) {
        const graft_status status = make_tensor(r, &e[2].value, &e[1].value,
                                                e[3].value.text.data[0] == 'F', &e[0].value, out);
        if (status || out->kind != GRAFT_VALUE_NONE)
            return status;
    }
    return graft__record_of_call(r, NULL, args, out);
}

/* ---- Scalars ---- */

static double half_value(uint16_t bits)
{
    const int exponent = bits >> 10 & 31, fraction = bits & 1023;
    const double magnitude = exponent == 31  ? fraction ? (double)NAN : (double)INFINITY
                             : exponent == 0 ? ldexp(fraction, -24)
                                             : ldexp(1024 + fraction, exponent - 25);
    return bits & 0x8000 ? -magnitude : magnitude;
}

static double read_float(const unsigned char *bytes, size_t width)
{
    if (width == 2)
        return half_value(graft__le16(bytes));
    if (width == 4) {
        float f;
        memcpy(&f, bytes, sizeof f);
        return f;
    }
    double d;
    memcpy(&d, bytes, sizeof d);
    return d;
}

/* An unsigned 64-bit number may be a big one. */
static graft__value unsigned_value(graft__reading *r, uint64_t number)
{
    char text[24];
    size_t at = sizeof text;
    if (number <= INT64_MAX)
        return graft__int_value((int64_t)number);
    for (; number > 0; number /= 10)
        text[--at] = (char)('0' + number % 10);
    return graft__text_value(r->g, r->op, GRAFT_VALUE_BIG_INT, text + at, sizeof text - at);
}

static graft__value scalar_value(graft__reading *r, const numpy_dtype *d,
                                 const unsigned char *bytes)
{
    graft__value v = {.kind = GRAFT_VALUE_INT};
    switch (d->dtype) {
    case GRAFT_BOOL:
        return (graft__value){.kind = GRAFT_VALUE_BOOL, .boolean = bytes[0] != 0};
    case GRAFT_I8:
        v.integer = (int8_t)bytes[0];
        break;
    case GRAFT_I16:
        v.integer = (int16_t)graft__le16(bytes);
        break;
    case GRAFT_I32:
        v.integer = (int32_t)graft__le32(bytes);
        break;
    case GRAFT_I64:
        v.integer = (int64_t)graft__le64(bytes);
        break;
    case GRAFT_U8:
        v.integer = bytes[0];
        break;
    case GRAFT_U16:
        v.integer = graft__le16(bytes);
        break;
    case GRAFT_U32:
        v.integer = graft__le32(bytes);
        break;
    case GRAFT_U64:
        return unsigned_value(r, graft__le64(bytes));
    case GRAFT_C64:
    case GRAFT_C128:
        v.kind = GRAFT_VALUE_COMPLEX;
        v.parts[0] = read_float(bytes, d->width / 2);
        v.parts[1] = read_float(bytes + d->width / 2, d->width / 2);
        break;
    default:
        v.kind = GRAFT_VALUE_FLOAT;
        v.real = read_float(bytes, d->width);
    }
    return v;
}

/* scalar(dtype, bytes) becomes the number that it equals. */
graft_status graft__numpy_scalar(graft__reading *r, graft_dict *args, graft__value *out)
{
    numpy_dtype d;
    const graft__value *data = args->count == 2 ? &args->entry[1].value : NULL;
    if (!data || !read_dtype(&args->entry[0].value, &d) ||
        (data->kind != GRAFT_VALUE_BYTES && data->kind != GRAFT_VALUE_STRING))
        return graft__record_of_call(r, NULL, args, out);
    if (data->text.length != d.width)
        return graft__fault(r, GRAFT_FAULT_SHAPE, r->pickle_offset,
                            "a scalar of NumPy's of %zu bytes, with %zu", d.width,
                            data->text.length);
    char bytes[16];
    copy_elements(bytes, data->text.data, d.width, &d);
    *out = scalar_value(r, &d, (const unsigned char *)bytes);
    return out->kind == GRAFT_VALUE_NONE ? graft_error_status(r->g) : GRAFT_OK;
}
