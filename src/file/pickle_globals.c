/* What Python's own functions and classes give that come up in pickles. Where the arguments are
 * none that are understood here, the call stays a record. */
#include "file/pickle_globals.h"

#include <string.h>

#include "base/alloc.h"
#include "file/pickle_machine.h"

static graft_status failed(const graft__reading *r)
{
    return graft_error_status(r->g);
}

/* ---- Charged ---- */

graft_status graft__copy_charged(graft__reading *r, const graft__value *v, graft__value *out)
{
    const bool text = graft__is_text(v->kind);
    *out = (graft__value){.kind = GRAFT_VALUE_NONE};
    if (text && !graft__charge(r, v->text.length + 64))
        return failed(r);
    return graft__value_copy(r->g, r->op, v, out) ? GRAFT_OK : failed(r);
}

graft_status graft__put_charged(graft__reading *r, graft_dict *d, const graft__value *key,
                                const graft__value *value)
{
    graft__value own_key, own_value;
    const char *problem = graft__pickle_key_problem(key);
    if (problem)
        return graft__fault(r, GRAFT_FAULT_PICKLE_VALUE, r->pickle_offset, "there is %s", problem);
    if (!graft__charge(r, GRAFT__PICKLE_ENTRY_COST))
        return failed(r);
    graft_status status = graft__copy_charged(r, key, &own_key);
    if (status)
        return status;
    status = graft__copy_charged(r, value, &own_value);
    if (status) {
        graft__value_drop(r->g, &own_key);
        return status;
    }
    return graft__dict_put(d, r->op, own_key, own_value);
}

graft_dict *graft__container_charged(graft__reading *r, graft_value_kind container)
{
    return graft__charge(r, GRAFT__PICKLE_CONTAINER_COST) ? graft__container_new(r->g, container)
                                                          : NULL;
}

/* A new container with the class that is being called, or without one. */
static graft_dict *new_container(graft__reading *r, graft_value_kind container, bool with_class)
{
    graft_dict *d = graft__container_charged(r, container);
    if (!d || !with_class)
        return d;
    const size_t length = strlen(r->pickle_global);
    const size_t module = (size_t)(strrchr(r->pickle_global, '.') - r->pickle_global);
    if (graft__charge(r, length) &&
        graft__dict_set_class(d, r->op, r->pickle_global, length, module))
        return d;
    graft__dict_unref(d);
    return NULL;
}

/* Hands d out if status is GRAFT_OK. */
static graft_status give(graft_dict *d, graft_status status, graft__value *out)
{
    if (status)
        graft__dict_unref(d);
    else
        *out = graft__dict_value(d);
    return status;
}

/* ---- dict, OrderedDict, Counter, defaultdict ---- */

static bool is_sequence(graft_value_kind kind)
{
    return kind == GRAFT_VALUE_LIST || kind == GRAFT_VALUE_TUPLE || kind == GRAFT_VALUE_SET;
}

static bool is_pair(const graft__value *v)
{
    return (v->kind == GRAFT_VALUE_LIST || v->kind == GRAFT_VALUE_TUPLE) && v->dict->count == 2;
}

/* Whether it is a dict or a sequence of pairs: what a dict can be made of. */
static bool is_dict_like(const graft__value *v)
{
    if (v->kind == GRAFT_VALUE_DICT)
        return true;
    if (!is_sequence(v->kind))
        return false;
    for (size_t i = 0; i < v->dict->count; i++)
        if (!is_pair(&v->dict->entry[i].value))
            return false;
    return true;
}

static graft_status put_dict_like(graft__reading *r, graft_dict *d, const graft__value *from)
{
    graft_status status = GRAFT_OK;
    for (size_t i = 0; !status && i < from->dict->count; i++) {
        const graft__entry *e = &from->dict->entry[i];
        const bool pair = from->kind != GRAFT_VALUE_DICT;
        status = graft__put_charged(r, d, pair ? &e->value.dict->entry[0].value : &e->key,
                                    pair ? &e->value.dict->entry[1].value : &e->value);
    }
    return status;
}

static graft_status make_dict(graft__reading *r, graft_dict *args, bool with_class,
                              graft__value *out)
{
    if (args->count > 1 || (args->count == 1 && !is_dict_like(&args->entry[0].value)))
        return graft__record_of_call(r, NULL, args, out);
    graft_dict *d = new_container(r, GRAFT_VALUE_DICT, with_class);
    if (!d)
        return failed(r);
    return give(d, args->count ? put_dict_like(r, d, &args->entry[0].value) : GRAFT_OK, out);
}

static graft_status call_dict(graft__reading *r, graft_dict *args, graft__value *out)
{
    return make_dict(r, args, false, out);
}

static graft_status call_ordered_dict(graft__reading *r, graft_dict *args, graft__value *out)
{
    return make_dict(r, args, true, out);
}

/* Counter counts what a list has; only the dict that pickles have is taken. */
static graft_status call_counter(graft__reading *r, graft_dict *args, graft__value *out)
{
    if (args->count == 1 && args->entry[0].value.kind != GRAFT_VALUE_DICT)
        return graft__record_of_call(r, NULL, args, out);
    return make_dict(r, args, true, out);
}

/* The arguments stay: they are the function that makes missing values. */
static graft_status call_default_dict(graft__reading *r, graft_dict *args, graft__value *out)
{
    if (args->count > 1)
        return graft__record_of_call(r, NULL, args, out);
    graft_dict *d = new_container(r, GRAFT_VALUE_DICT, true);
    if (!d)
        return failed(r);
    graft__ref(&args->object);
    d->args = args;
    *out = graft__dict_value(d);
    return GRAFT_OK;
}

/* ---- list, tuple, set, frozenset ---- */

static graft_status make_sequence(graft__reading *r, graft_dict *args, graft_value_kind kind,
                                  bool with_class, graft__value *out)
{
    if (args->count > 1 || (args->count == 1 && !is_sequence(args->entry[0].value.kind)))
        return graft__record_of_call(r, NULL, args, out);
    graft_dict *d = new_container(r, kind, with_class);
    if (!d)
        return failed(r);
    const graft_dict *from = args->count ? args->entry[0].value.dict : args;
    const size_t count = args->count ? from->count : 0;
    graft_status status = GRAFT_OK;
    for (size_t i = 0; !status && i < count; i++) {
        const char *problem =
            kind == GRAFT_VALUE_SET ? graft__pickle_key_problem(&from->entry[i].value) : NULL;
        graft__value v;
        if (problem)
            status =
                graft__fault(r, GRAFT_FAULT_PICKLE_VALUE, r->pickle_offset, "there is %s", problem);
        else if (!graft__charge(r, GRAFT__PICKLE_ENTRY_COST))
            status = failed(r);
        else
            status = graft__copy_charged(r, &from->entry[i].value, &v);
        if (!status)
            status = graft__list_append(d, r->op, v);
    }
    return give(d, status, out);
}

static graft_status call_list(graft__reading *r, graft_dict *args, graft__value *out)
{
    return make_sequence(r, args, GRAFT_VALUE_LIST, false, out);
}

static graft_status call_tuple(graft__reading *r, graft_dict *args, graft__value *out)
{
    return make_sequence(r, args, GRAFT_VALUE_TUPLE, false, out);
}

static graft_status call_set(graft__reading *r, graft_dict *args, graft__value *out)
{
    return make_sequence(r, args, GRAFT_VALUE_SET, false, out);
}

static graft_status call_frozenset(graft__reading *r, graft_dict *args, graft__value *out)
{
    return make_sequence(r, args, GRAFT_VALUE_SET, true, out);
}

/* ---- Bytes ---- */

static bool is_encoding(const graft__value *v, const char *a, const char *b)
{
    return v->kind == GRAFT_VALUE_STRING &&
           ((v->text.length == strlen(a) && memcmp(v->text.data, a, strlen(a)) == 0) ||
            (v->text.length == strlen(b) && memcmp(v->text.data, b, strlen(b)) == 0));
}

/* UTF-8 as one byte for each character, which must be below U+0100. */
static graft_status encode_latin1(graft__reading *r, const graft__value *text, graft__value *out)
{
    const unsigned char *from = (const unsigned char *)text->text.data;
    size_t length = 0;
    for (size_t i = 0; i < text->text.length; i++) {
        if (from[i] > 0xc3)
            return graft__fault(r, GRAFT_FAULT_PICKLE_VALUE, r->pickle_offset,
                                "%s of a character that Latin-1 does not have", r->pickle_global);
        length += from[i] < 0x80 || from[i] >= 0xc0;
    }
    if (!graft__charge(r, length + 64))
        return failed(r);
    char *to = graft__alloc(r->g, length + 1);
    if (!to)
        return graft__fail_memory(r->g, length + 1, r->op);
    for (size_t i = 0, at = 0; at < length; at++) {
        const unsigned c = from[i++];
        to[at] = (char)(c < 0x80 ? c : (c & 3) << 6 | (from[i++] & 0x3f));
    }
    to[length] = 0;
    *out = (graft__value){.kind = GRAFT_VALUE_BYTES, .text = {.data = to, .length = length}};
    return GRAFT_OK;
}

static graft_status encode(graft__reading *r, graft_dict *args, graft__value *out)
{
    const graft__value *text = &args->entry[0].value;
    if (args->count == 2 && text->kind == GRAFT_VALUE_STRING) {
        if (is_encoding(&args->entry[1].value, "latin1", "latin-1"))
            return encode_latin1(r, text, out);
        if (is_encoding(&args->entry[1].value, "utf-8", "utf8")) {
            const graft_status status = graft__copy_charged(r, text, out);
            if (!status)
                out->kind = GRAFT_VALUE_BYTES;
            return status;
        }
    }
    return graft__record_of_call(r, NULL, args, out);
}

/* bytes and bytearray: of nothing, of bytes, of a list of numbers, of a text and its encoding. */
static graft_status call_bytes(graft__reading *r, graft_dict *args, graft__value *out)
{
    const graft__value *first = args->count ? &args->entry[0].value : NULL;
    if (first && (args->count > 1 || first->kind != GRAFT_VALUE_BYTES) &&
        !(args->count == 1 && is_sequence(first->kind)))
        return encode(r, args, out);
    if (first && first->kind == GRAFT_VALUE_BYTES)
        return graft__copy_charged(r, first, out);
    const size_t length = first ? first->dict->count : 0;
    for (size_t i = 0; i < length; i++) {
        const graft__value *v = &first->dict->entry[i].value;
        if (v->kind != GRAFT_VALUE_INT || v->integer < 0 || v->integer > 255)
            return graft__record_of_call(r, NULL, args, out);
    }
    if (!graft__charge(r, length + 64))
        return failed(r);
    char *to = graft__alloc(r->g, length + 1);
    if (!to)
        return graft__fail_memory(r->g, length + 1, r->op);
    for (size_t i = 0; i < length; i++)
        to[i] = (char)first->dict->entry[i].value.integer;
    to[length] = 0;
    *out = (graft__value){.kind = GRAFT_VALUE_BYTES, .text = {.data = to, .length = length}};
    return GRAFT_OK;
}

static graft_status call_encode(graft__reading *r, graft_dict *args, graft__value *out)
{
    return args->count ? encode(r, args, out) : graft__record_of_call(r, NULL, args, out);
}

/* ---- Numbers and strings ---- */

static bool is_number(const graft__value *v)
{
    return v->kind == GRAFT_VALUE_BOOL || v->kind == GRAFT_VALUE_INT ||
           v->kind == GRAFT_VALUE_FLOAT;
}

static double number_of(const graft__value *v)
{
    return v->kind == GRAFT_VALUE_FLOAT ? v->real
           : v->kind == GRAFT_VALUE_INT ? (double)v->integer
                                        : v->boolean;
}

static graft_status call_complex(graft__reading *r, graft_dict *args, graft__value *out)
{
    if (args->count > 2)
        return graft__record_of_call(r, NULL, args, out);
    for (size_t i = 0; i < args->count; i++)
        if (!is_number(&args->entry[i].value))
            return graft__record_of_call(r, NULL, args, out);
    *out = (graft__value){.kind = GRAFT_VALUE_COMPLEX};
    for (size_t i = 0; i < args->count; i++)
        out->parts[i] = number_of(&args->entry[i].value);
    return GRAFT_OK;
}

static graft_status call_int(graft__reading *r, graft_dict *args, graft__value *out)
{
    const graft__value *v = args->count ? &args->entry[0].value : NULL;
    *out = graft__int_value(0);
    if (!v)
        return GRAFT_OK;
    if (args->count == 1 && (v->kind == GRAFT_VALUE_INT || v->kind == GRAFT_VALUE_BOOL)) {
        out->integer = v->kind == GRAFT_VALUE_INT ? v->integer : v->boolean;
        return GRAFT_OK;
    }
    if (args->count == 1 && v->kind == GRAFT_VALUE_BIG_INT)
        return graft__copy_charged(r, v, out);
    if (args->count == 1 && v->kind == GRAFT_VALUE_STRING && graft__charge(r, v->text.length)) {
        const graft__pickle_parsed parsed = graft__pickle_parse_int(
            r->g, r->op, (const unsigned char *)v->text.data, v->text.length, out);
        if (parsed == GRAFT__PICKLE_PARSED)
            return GRAFT_OK;
        if (parsed == GRAFT__PICKLE_NO_MEMORY)
            return failed(r);
    }
    return graft__record_of_call(r, NULL, args, out);
}

static graft_status call_float(graft__reading *r, graft_dict *args, graft__value *out)
{
    const graft__value *v = args->count ? &args->entry[0].value : NULL;
    *out = (graft__value){.kind = GRAFT_VALUE_FLOAT};
    if (!v)
        return GRAFT_OK;
    if (args->count == 1 && is_number(v)) {
        out->real = number_of(v);
        return GRAFT_OK;
    }
    if (args->count == 1 && v->kind == GRAFT_VALUE_STRING &&
        graft__pickle_parse_float((const unsigned char *)v->text.data, v->text.length, &out->real))
        return GRAFT_OK;
    return graft__record_of_call(r, NULL, args, out);
}

static graft_status call_bool(graft__reading *r, graft_dict *args, graft__value *out)
{
    *out = (graft__value){.kind = GRAFT_VALUE_BOOL};
    if (args->count == 0)
        return GRAFT_OK;
    if (args->count > 1 || !is_number(&args->entry[0].value))
        return graft__record_of_call(r, NULL, args, out);
    out->boolean = number_of(&args->entry[0].value) != 0;
    return GRAFT_OK;
}

static graft_status call_str(graft__reading *r, graft_dict *args, graft__value *out)
{
    if (args->count == 1 && args->entry[0].value.kind == GRAFT_VALUE_STRING)
        return graft__copy_charged(r, &args->entry[0].value, out);
    if (args->count > 0)
        return graft__record_of_call(r, NULL, args, out);
    *out = graft__text_value(r->g, r->op, GRAFT_VALUE_STRING, "", 0);
    return out->kind == GRAFT_VALUE_STRING ? GRAFT_OK : failed(r);
}

/* ---- The table ---- */

/* In the order of strcmp. What is without a function is a record that does nothing. */
static const graft__global globals[] = {
    {"__builtin__.bool", call_bool},
    {"__builtin__.bytearray", call_bytes},
    {"__builtin__.bytes", call_bytes},
    {"__builtin__.complex", call_complex},
    {"__builtin__.dict", call_dict},
    {"__builtin__.float", call_float},
    {"__builtin__.frozenset", call_frozenset},
    {"__builtin__.int", call_int},
    {"__builtin__.list", call_list},
    {"__builtin__.long", call_int},
    {"__builtin__.object", NULL},
    {"__builtin__.set", call_set},
    {"__builtin__.str", call_str},
    {"__builtin__.tuple", call_tuple},
    {"__builtin__.unicode", call_str},
    {"_codecs.encode", call_encode},
    {"builtins.bool", call_bool},
    {"builtins.bytearray", call_bytes},
    {"builtins.bytes", call_bytes},
    {"builtins.complex", call_complex},
    {"builtins.dict", call_dict},
    {"builtins.float", call_float},
    {"builtins.frozenset", call_frozenset},
    {"builtins.int", call_int},
    {"builtins.list", call_list},
    {"builtins.object", NULL},
    {"builtins.set", call_set},
    {"builtins.str", call_str},
    {"builtins.tuple", call_tuple},
    {"collections.Counter", call_counter},
    {"collections.OrderedDict", call_ordered_dict},
    {"collections.defaultdict", call_default_dict},
    {"numpy._core.multiarray._reconstruct", NULL},
    {"numpy._core.multiarray.scalar", graft__numpy_scalar},
    {"numpy._core.numeric._frombuffer", graft__numpy_frombuffer},
    {"numpy.core.multiarray._reconstruct", NULL},
    {"numpy.core.multiarray.scalar", graft__numpy_scalar},
    {"numpy.core.numeric._frombuffer", graft__numpy_frombuffer},
    {"numpy.dtype", NULL},
    {"numpy.ndarray", NULL},
};

const graft__global *graft__python_global(const char *name, size_t length)
{
    return graft__find_global(globals, sizeof globals / sizeof *globals, name, length);
}
