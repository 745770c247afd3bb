#include "made.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/dict.h"

unsigned made_number(made_bytes *b, unsigned n)
{
    return b->at < b->end ? *b->at++ % n : 0;
}

/* ---- Tensors ---- */

static graft_tensor *fill(made_bytes *b, graft_tensor *t)
{
    const int64_t count = graft_numel(t);
    const bool floating = graft_dtype_is_floating(graft_tensor_dtype(t));
    const unsigned kind = made_number(b, 8), first = made_number(b, 256);
    double *value = count > 0 ? calloc((size_t)count, sizeof *value) : NULL;
    if (!value)
        return t;
    for (int64_t i = 0; i < count; i++)
        value[i] = floating ? ((double)first - 100) / 8 + 0.25 * (double)i
                            : (double)((first + (unsigned)i) % 2);
    if (floating && kind == 1)
        value[0] = NAN;
    if (floating && kind == 2)
        value[count - 1] = 1e30;
    if (floating && kind == 3)
        value[count / 2] = -INFINITY;
    graft_tensor *from =
        graft_from_data(graft_tensor_ctx(t), value, graft_shape1(count), GRAFT_F64);
    free(value);
    from = graft_view(graft_to(from, graft_tensor_dtype(t)), graft_tensor_shape(t));
    return from;
}

static graft_tensor *fresh(graft_ctx *g, made_bytes *b)
{
    static const graft_dtype dtypes[] = {GRAFT_F32,       GRAFT_F32,  GRAFT_F32,   GRAFT_F16,
                                         GRAFT_BF16,      GRAFT_F64,  GRAFT_I64,   GRAFT_I32,
                                         GRAFT_U8,        GRAFT_BOOL, GRAFT_BITS8, GRAFT_C64,
                                         GRAFT_F8_E4M3FN, GRAFT_U16,  GRAFT_Q8_0,  GRAFT_Q4_0};
    static const int64_t sizes[] = {4, 2, 3, 1, 6, 8, 0, 5, 32};
    const graft_dtype dtype = dtypes[made_number(b, sizeof dtypes / sizeof *dtypes)];
    int64_t size[3];
    const int ndim = (int)((made_number(b, 4) + 2) % 4);
    for (int i = 0; i < ndim; i++)
        size[i] = sizes[made_number(b, sizeof sizes / sizeof *sizes)];
    int64_t elements;
    size_t bytes;
    if (graft_dtype_block(dtype, &elements, &bytes)) {
        static const unsigned char block[4 * 64] = {1, 60, 3, 4};
        return graft_from_data(g, block, graft_shape2(2, elements), dtype);
    }
    graft_tensor *t = graft_zeros(g, graft_shape_of(ndim, size), dtype);
    return t && graft_dtype_computes(dtype) ? fill(b, t) : t;
}

static graft_tensor *view_of(made_bytes *b, graft_tensor *t)
{
    if (!t || graft_ndim(t) < 1 || graft_dtype_block(graft_tensor_dtype(t), NULL, NULL))
        return t;
    switch (made_number(b, 4)) {
    case 0:
        return graft_transpose(t, 0, -1);
    case 1:
        return graft_size(t, 0) > 1 ? graft_narrow(t, 0, 1, graft_size(t, 0) - 1) : t;
    case 2:
        return graft_unsqueeze(t, 0);
    default:
        return graft_size(t, 0) > 0 ? graft_select(t, 0, 0) : t;
    }
}

/* ---- A quantized record ---- */

static void put(graft_ctx *g, graft_dict *d, const char *name, graft__value value)
{
    graft__value key = graft__text_value(g, "made", GRAFT_VALUE_STRING, name, strlen(name));
    if (key.kind == GRAFT_VALUE_NONE)
        graft__value_drop(g, &value);
    else
        graft__dict_put(d, "made", key, value);
}

static void put_tensor(graft_ctx *g, graft_dict *d, const char *name, graft_tensor *t)
{
    if (t)
        put(g, d, name, graft__tensor_value(graft__tensor_ref(t)));
}

static void append_pair(graft_ctx *g, graft_dict *to, int64_t x, int64_t y)
{
    graft_dict *list = graft__container_new(g, GRAFT_VALUE_TUPLE);
    if (!list)
        return;
    graft__list_append(list, "made", graft__int_value(x));
    graft__list_append(list, "made", graft__int_value(y));
    graft__list_append(to, "made", graft__dict_value(list));
}

/* As torch.save writes torch.quantize_per_channel of [2, 3]; now and then not quite. */
static graft_dict *quantized(graft_ctx *g, made_bytes *b)
{
    static const unsigned char bytes[] = {0, 1, 2, 3, 4, 5}, halves[] = {0x10, 0x32, 0x54};
    static const float numbers[] = {0.5F, 2};
    graft_dict *record = graft__container_new(g, GRAFT_VALUE_RECORD);
    if (!record)
        return NULL;
    record->making = GRAFT__MADE_BY_CALL;
    record->args = graft__container_new(g, GRAFT_VALUE_TUPLE);
    record->attributes = graft__dict_new(g);
    if (!record->args || !record->attributes ||
        !graft__dict_set_class(record, "made", "torch._utils._rebuild_qtensor", 29, 12))
        return record;
    const bool packed = made_number(b, 2), per_channel = made_number(b, 2);
    const char *const dtype = packed ? "torch.quint4x2" : "torch.quint8";
    const char *const scheme = per_channel ? "torch.per_channel_affine" : "torch.per_tensor_affine";
    graft__list_append(record->args, "made", graft__int_value(0));
    graft__list_append(record->args, "made", graft__int_value(0));
    append_pair(g, record->args, 2 + (made_number(b, 16) == 1), 3);
    append_pair(g, record->args, 3, 1);
    graft_dict *const fields = record->attributes;
    put(g, fields, "dtype", graft__text_value(g, "made", GRAFT_VALUE_STRING, dtype, strlen(dtype)));
    put(g, fields, "scheme",
        graft__text_value(g, "made", GRAFT_VALUE_STRING, scheme, strlen(scheme)));
    put(g, fields, "axis", graft__int_value((int64_t)made_number(b, 4) - 1));
    put(g, fields, "scale", graft__int_value(2));
    put(g, fields, "zero_point", graft__int_value(1));
    const int64_t channels = 2 + (made_number(b, 16) == 1);
    put_tensor(g, fields, "scales",
               graft_from_data(g, numbers, graft_shape1(channels > 2 ? 1 : 2), GRAFT_F32));
    put_tensor(g, fields, "zero_points", graft_from_data(g, numbers, graft_shape1(2), GRAFT_F32));
    if (packed)
        put_tensor(g, fields, "packed", graft_from_data(g, halves, graft_shape1(3), GRAFT_BITS4X2));
    else
        put_tensor(g, fields, "int_repr", graft_from_data(g, bytes, graft_shape2(2, 3), GRAFT_U8));
    return record;
}

/* ---- Dicts ---- */

static void name_of(made_bytes *b, char *out, size_t size)
{
    static const char *const words[] = {"a",  "b",    "h",      "0",    "1",     "q",
                                        "k",  "v",    "weight", "bias", "model", "module",
                                        "fc", "head", "*",      "x y"};
    const unsigned count = 1 + made_number(b, 4);
    size_t at = 0;
    for (unsigned i = 0; i < count && at < size; i++)
        at += (size_t)snprintf(out + at, size - at, "%s%s", i ? "." : "",
                               words[made_number(b, sizeof words / sizeof *words)]);
}

/* One value into d or, behind the first dot of the name, into a dict in it. */
static void put_value(graft_ctx *g, made_bytes *b, graft_dict *d, graft_tensor **last)
{
    char name[128];
    name_of(b, name, sizeof name);
    char *dot = strchr(name, '.');
    graft_dict *inner = NULL;
    const char *key = name;
    if (dot && made_number(b, 4) == 1) {
        *dot = 0;
        inner = graft_dict_dict_at(d, graft_dict_find(d, name));
        if (inner && graft_dict_container(inner) != GRAFT_VALUE_DICT)
            return;
        if (!inner) {
            graft_dict *made = graft_dict_new(g);
            graft_dict_set_dict(d, name, made);
            graft_dict_free(made);
            inner = made ? graft_dict_dict_at(d, graft_dict_find(d, name)) : NULL;
        }
        key = dot + 1;
    }
    graft_dict *const into = inner ? inner : d;
    const unsigned kind = made_number(b, 12);
    if (kind == 1) {
        graft_dict_set_int(into, key, made_number(b, 256));
    } else if (kind == 2) {
        graft_dict_set_string(into, key, "text");
    } else if (kind == 3) {
        graft_dict *record = quantized(g, b);
        graft_dict_set_dict(into, key, record);
        graft__dict_unref(record);
    } else {
        graft_tensor *t = kind < 6 && *last ? kind == 4 ? *last : view_of(b, *last) : fresh(g, b);
        if (t)
            graft_dict_set_tensor(into, key, t);
        *last = t;
    }
}

graft_dict *made_dict(graft_ctx *g, made_bytes *b)
{
    graft_dict *d = graft_dict_new(g);
    graft_tensor *last = NULL;
    for (unsigned i = 1 + made_number(b, 8); d && i > 0; i--)
        put_value(g, b, d, &last);
    return d;
}

graft_dict *made_sibling(graft_ctx *g, made_bytes *b, const graft_dict *like)
{
    graft_dict *d = graft_dict_clone(like, NULL);
    for (int64_t i = 0; i < graft_dict_len(d); i++) {
        graft_tensor *t = graft_dict_tensor_at(d, i);
        if (!t || made_number(b, 2) == 0 || !graft_dtype_computes(graft_tensor_dtype(t)))
            continue;
        graft_tensor *other = fill(b, graft_zeros(g, graft_tensor_shape(t), graft_tensor_dtype(t)));
        if (other)
            graft_dict_set_tensor(d, graft_dict_key(d, i), other);
    }
    return d;
}

/* ---- Models ---- */

graft_module *made_module(graft_ctx *g, made_bytes *b)
{
    static const graft_dtype dtypes[] = {GRAFT_F32, GRAFT_F64, GRAFT_F16, GRAFT_BF16};
    graft_module *m = graft_sequential(g), *last = NULL;
    for (unsigned i = 1 + made_number(b, 4); m && i > 0; i--) {
        if (made_number(b, 6) != 1)
            last = graft_linear_dtype(g, 1 + made_number(b, 6), 1 + made_number(b, 6),
                                      made_number(b, 4) != 1, dtypes[made_number(b, 4)]);
        if (!last || graft_sequential_add(m, last) != GRAFT_OK)
            break;
    }
    return m;
}

/* ---- An optimizer's state ---- */

static graft_tensor *moment(graft_ctx *g, made_bytes *b, const graft_dict *parameters, int64_t i)
{
    graft_tensor *p = graft_dict_tensor_at(parameters, i);
    if (!p || made_number(b, 8) == 1)
        return fresh(g, b);
    return fill(b, graft_zeros(g, graft_tensor_shape(p), GRAFT_F32));
}

static graft_dict *state_of(graft_ctx *g, made_bytes *b, const graft_dict *parameters, int64_t i)
{
    static const char *const keys[] = {"exp_avg",        "exp_avg_sq", "momentum_buffer",
                                       "max_exp_avg_sq", "sum",        "other"};
    graft_dict *d = graft_dict_new(g);
    const unsigned kind = made_number(b, 8);
    if (kind == 0)
        graft_dict_set_int(d, "step", made_number(b, 8));
    else if (kind < 5)
        graft_dict_set_tensor(d, "step", graft_scalar(g, made_number(b, 8), GRAFT_F32));
    else if (kind == 5)
        graft_dict_set_tensor(d, "step", fresh(g, b));
    else if (kind == 6)
        graft_dict_set_float(d, "step", NAN);
    const unsigned which = made_number(b, 64);
    for (unsigned k = 0; k < 6; k++)
        if (which ? which >> k & 1 : k < 2)
            graft_dict_set_tensor(d, keys[k], moment(g, b, parameters, i));
    return d;
}

static void put_group(graft_ctx *g, made_bytes *b, graft_dict *groups, const graft_dict *parameters,
                      int64_t from, int64_t to)
{
    graft_dict *group = graft_dict_new(g), *params = graft_list_new(g), *names = graft_list_new(g);
    graft_dict_set_float(group, "lr", 0.5);
    for (int64_t i = from; i < to; i++) {
        graft_list_push_int(params, made_number(b, 16) == 1 ? (int64_t)made_number(b, 256) : i);
        const char *name = graft_dict_key(parameters, i);
        graft_list_push_string(names, name && made_number(b, 16) != 1 ? name : "odd");
    }
    if (made_number(b, 16) != 1)
        graft_dict_set_dict(group, "params", params);
    if (made_number(b, 2))
        graft_dict_set_dict(group, "param_names", names);
    if (made_number(b, 8) == 1)
        graft_dict_set_float(group, "initial_accumulator_value", 0.25);
    graft_list_push_dict(groups, group);
    graft_dict_free(group);
    graft_dict_free(params);
    graft_dict_free(names);
}

graft_dict *made_optimizer_state(graft_ctx *g, made_bytes *b, const graft_module *m)
{
    graft_dict *parameters = m ? graft_parameters(m) : NULL;
    graft_dict *d = graft_dict_new(g), *state = graft_dict_new(g), *groups = graft_list_new(g);
    const int64_t count = m ? graft_dict_len(parameters) : (int64_t)made_number(b, 6);
    for (int64_t i = 0; i < count && d; i++) {
        graft_dict *entry = state_of(g, b, parameters, i);
        if (made_number(b, 8) != 1)
            graft_dict_set_int_key_dict(state, i, entry);
        graft_dict_free(entry);
    }
    const int64_t cut = made_number(b, 4) == 1 ? count / 2 : count;
    put_group(g, b, groups, parameters, 0, cut);
    if (cut < count)
        put_group(g, b, groups, parameters, cut, count);
    graft_dict_set_dict(d, "state", state);
    graft_dict_set_dict(d, "param_groups", groups);
    graft_dict_free(state);
    graft_dict_free(groups);
    return d;
}
