/* What graft has no tensors for: quantized, sparse, nested ones and those without elements. Each is
 * a record of the call that makes it, with the arguments as they were, and attributes under which
 * its parts are found. */
#include "file/torch.h"

#include <string.h>

/* A dict, and one of its entries, with what the allocator adds. */
enum { DICT_COST = 256, FIELD_COST = 192 };

static const graft__value none = {.kind = GRAFT_VALUE_NONE};

graft_status graft__torch_record(const graft__torch_call *c, graft__value *out, graft_dict **fields)
{
    if (!graft__charge(c->r, DICT_COST))
        return graft_error_status(c->r->g);
    graft_status status = graft__record_of_call(c->r, c->name, c->args, out);
    if (status != GRAFT_OK)
        return status;
    *fields = out->dict->attributes = graft__dict_new(c->r->g);
    if (*fields)
        return GRAFT_OK;
    graft__value_drop(c->r->g, out);
    return GRAFT_ERR_MEMORY;
}

graft_status graft__torch_give_field(graft_dict *fields, graft__reading *r, const char *name,
                                     graft__value value)
{
    graft__value key = none;
    if (graft__charge(r, FIELD_COST))
        key = graft__text_value(r->g, r->op, GRAFT_VALUE_STRING, name, strlen(name));
    if (key.kind == GRAFT_VALUE_NONE) {
        graft__value_drop(r->g, &value);
        return graft_error_status(r->g);
    }
    return graft__dict_put(fields, r->op, key, value);
}

graft_status graft__torch_field(graft_dict *fields, graft__reading *r, const char *name,
                                const graft__value *value)
{
    graft__value copy;
    if (graft__is_text(value->kind) && !graft__charge(r, value->text.length))
        return graft_error_status(r->g);
    if (!graft__value_copy(r->g, r->op, value, &copy))
        return GRAFT_ERR_MEMORY;
    return graft__torch_give_field(fields, r, name, copy);
}

bool graft__torch_has_derived_attributes(const graft_dict *record)
{
    if (record->container != GRAFT_VALUE_RECORD || !record->class_name)
        return false;
    const graft__value v = {.kind = GRAFT_VALUE_RECORD, .dict = (graft_dict *)record};
    const graft__torch_class *storage = graft__torch_class_of(&v);
    if (storage)
        return storage->quantized && record->attributes;
    return record->making == GRAFT__MADE_BY_CALL &&
           (strncmp(record->class_name, "torch._utils._rebuild_", 22) == 0 ||
            strncmp(record->class_name, "torch._tensor._rebuild_", 23) == 0);
}

/* Fields of consecutive elements of a tuple; a NULL name is passed over, and so is what the tuple
 * does not have. */
static graft_status fields_of(graft__reading *r, graft_dict *fields, const graft_dict *values,
                              const char *const *names, size_t count)
{
    graft_status status = GRAFT_OK;
    for (size_t i = 0; i < count && i < values->count && status == GRAFT_OK; i++)
        if (names[i])
            status = graft__torch_field(fields, r, names[i], &values->entry[i].value);
    return status;
}

/* A record of the call with names for its arguments. */
static graft_status named_arguments(const graft__torch_call *c, const char *const *names,
                                    size_t count, graft__value *out)
{
    graft_dict *fields;
    graft_status status = graft__torch_count(c, count, count);
    if (status == GRAFT_OK)
        status = graft__torch_record(c, out, &fields);
    if (status != GRAFT_OK)
        return status;
    status = fields_of(c->r, fields, c->args, names, count);
    if (status != GRAFT_OK)
        graft__value_drop(c->r->g, out);
    return status;
}

/* ---- Quantized tensors ---- */

/* Two and four elements in a byte are no strided tensor: their storage is given as it is. */
static bool is_packed(const graft__torch_class *type)
{
    return strcmp(type->name, "QUInt4x2Storage") == 0 || strcmp(type->name, "QUInt2x4Storage") == 0;
}

static const char *dtype_of_quantized(const graft__torch_class *type)
{
    static const char *const names[][2] = {
        {"QInt8Storage", "torch.qint8"},       {"QUInt8Storage", "torch.quint8"},
        {"QInt32Storage", "torch.qint32"},     {"QUInt4x2Storage", "torch.quint4x2"},
        {"QUInt2x4Storage", "torch.quint2x4"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(type->name, names[i][0]) == 0)
            return names[i][1];
    return NULL;
}

/* (scheme, scale, zero_point) or (scheme, scales, zero_points, axis) */
static graft_status quantizer(const graft__torch_call *c, graft_dict *fields)
{
    static const char *const per_tensor[] = {NULL, "scale", "zero_point"};
    static const char *const per_channel[] = {NULL, "scales", "zero_points", "axis"};
    static const char scheme[] = "torch.per_tensor_affine";
    graft_dict *params;
    graft_status status = graft__torch_tuple(c, 4, "quantizer_params", &params);
    if (status != GRAFT_OK)
        return status;
    const graft__value *first = params->count ? &params->entry[0].value : &none;
    if (!graft__torch_name_of(first))
        return graft__torch_wrong(c, 4, "quantizer_params", "a scheme and its parameters");
    const char *name = first->dict->class_name;
    const bool whole = strcmp(name, scheme) == 0;
    if (params->count != (whole ? 3U : 4U))
        return graft__torch_wrong(c, 4, "quantizer_params", "a scheme and its parameters");
    graft__value text =
        graft__text_value(c->r->g, c->r->op, GRAFT_VALUE_STRING, name, strlen(name));
    if (text.kind == GRAFT_VALUE_NONE)
        return GRAFT_ERR_MEMORY;
    status = graft__torch_give_field(fields, c->r, "scheme", text);
    if (status != GRAFT_OK)
        return status;
    return fields_of(c->r, fields, params, whole ? per_tensor : per_channel, params->count);
}

static graft_status quantized_elements(const graft__torch_call *c, graft_dict *fields)
{
    const graft__torch_class *type;
    graft_tensor *storage = graft__torch_storage_of(&c->args->entry[0].value, &type), *t = NULL;
    if (!storage || !type)
        return graft__torch_wrong(c, 0, "storage", "a storage of quantized elements");
    const char *dtype = dtype_of_quantized(type);
    graft__value text =
        graft__text_value(c->r->g, c->r->op, GRAFT_VALUE_STRING, dtype, strlen(dtype));
    if (text.kind == GRAFT_VALUE_NONE)
        return GRAFT_ERR_MEMORY;
    graft_status status = graft__torch_give_field(fields, c->r, "dtype", text);
    graft__torch_place at = {.dtype = storage->dtype};
    if (status == GRAFT_OK)
        status = graft__torch_int(c, 1, "storage_offset", &at.offset);
    if (status == GRAFT_OK)
        status = graft__torch_sizes(c, 2, "size", &at.size);
    if (status == GRAFT_OK)
        status = graft__torch_sizes(c, 3, "stride", &at.stride);
    if (status != GRAFT_OK)
        return status;
    if (is_packed(type))
        return graft__torch_give_field(fields, c->r, "packed",
                                       graft__tensor_value(graft__tensor_ref(storage)));
    status = graft__torch_tensor(c->r, c->name, storage, &at, &t);
    return status == GRAFT_OK
               ? graft__torch_give_field(fields, c->r, "int_repr", graft__tensor_value(t))
               : status;
}

graft_status graft__torch_rebuild_qtensor(graft__reading *r, graft_dict *args, graft__value *out)
{
    const graft__torch_call c = {r, "torch._utils._rebuild_qtensor", args};
    graft_dict *fields;
    graft_status status = graft__torch_count(&c, 7, 7);
    if (status == GRAFT_OK)
        status = graft__torch_note_hooks(r, &args->entry[6].value);
    if (status == GRAFT_OK)
        status = graft__torch_record(&c, out, &fields);
    if (status != GRAFT_OK)
        return status;
    status = quantized_elements(&c, fields);
    if (status == GRAFT_OK)
        status = quantizer(&c, fields);
    if (status != GRAFT_OK)
        graft__value_drop(r->g, out);
    return status;
}

/* ---- Sparse tensors ---- */

typedef struct layout {
    const char *name;
    size_t parts;
    const char *part[5];
} layout;

static const layout layouts[] = {
    {"torch.sparse_coo", 4, {"indices", "values", "size", "is_coalesced"}},
    {"torch.sparse_csr", 4, {"crow_indices", "col_indices", "values", "size"}},
    {"torch.sparse_bsr", 4, {"crow_indices", "col_indices", "values", "size"}},
    {"torch.sparse_csc", 4, {"ccol_indices", "row_indices", "values", "size"}},
    {"torch.sparse_bsc", 4, {"ccol_indices", "row_indices", "values", "size"}},
};

/* A layout is a call of torch.serialization._get_layout with its name; NULL: it is none of these.
 */
static const layout *layout_of(const graft__value *v)
{
    if (v->kind != GRAFT_VALUE_RECORD)
        return NULL;
    const graft_dict *args = v->dict->args;
    const char *name = v->dict->class_name;
    if (v->dict->making == GRAFT__MADE_BY_CALL && args && args->count == 1 &&
        args->entry[0].value.kind == GRAFT_VALUE_STRING)
        name = args->entry[0].value.text.data;
    for (size_t i = 0; name && i < sizeof layouts / sizeof *layouts; i++)
        if (strcmp(layouts[i].name, name) == 0)
            return &layouts[i];
    return NULL;
}

static graft_status sparse(const graft__torch_call *c, graft__value *out)
{
    graft_dict *parts, *fields;
    graft_status status = graft__torch_count(c, 2, 2);
    const layout *l = status == GRAFT_OK ? layout_of(&c->args->entry[0].value) : NULL;
    if (status == GRAFT_OK && !l)
        status = graft__torch_wrong(c, 0, "layout", "one of the sparse layouts");
    if (status == GRAFT_OK)
        status = graft__torch_tuple(c, 1, "data", &parts);
    if (status == GRAFT_OK && (parts->count < 3 || parts->count > l->parts))
        status = graft__torch_wrong(c, 1, "data", "indices, values and a size");
    if (status == GRAFT_OK)
        status = graft__torch_record(c, out, &fields);
    if (status != GRAFT_OK)
        return status;
    graft__value text =
        graft__text_value(c->r->g, c->r->op, GRAFT_VALUE_STRING, l->name, strlen(l->name));
    status = text.kind == GRAFT_VALUE_NONE ? GRAFT_ERR_MEMORY
                                           : graft__torch_give_field(fields, c->r, "layout", text);
    if (status == GRAFT_OK)
        status = fields_of(c->r, fields, parts, l->part, l->parts);
    if (status != GRAFT_OK)
        graft__value_drop(c->r->g, out);
    return status;
}

graft_status graft__torch_rebuild_sparse(graft__reading *r, graft_dict *args, graft__value *out)
{
    const graft__torch_call c = {r, "torch._utils._rebuild_sparse_tensor", args};
    return sparse(&c, out);
}

graft_status graft__torch_rebuild_sparse_csr(graft__reading *r, graft_dict *args, graft__value *out)
{
    const graft__torch_call c = {r, "torch._utils._rebuild_sparse_csr_tensor", args};
    return sparse(&c, out);
}

/* ---- Others ---- */

graft_status graft__torch_rebuild_nested(graft__reading *r, graft_dict *args, graft__value *out)
{
    static const char *const names[] = {"buffer", "sizes", "strides", "storage_offsets"};
    const graft__torch_call c = {r, "torch._utils._rebuild_nested_tensor", args};
    return named_arguments(&c, names, 4, out);
}

graft_status graft__torch_rebuild_meta(graft__reading *r, graft_dict *args, graft__value *out)
{
    static const char *const names[] = {"dtype", "size", "stride", "requires_grad"};
    const graft__torch_call c = {r, "torch._utils._rebuild_meta_tensor_no_storage", args};
    return named_arguments(&c, names, 4, out);
}

graft_status graft__torch_rebuild_wrapper(graft__reading *r, graft_dict *args, graft__value *out)
{
    static const char *const names[] = {"class",          "dtype",  "size",   "stride",
                                        "storage_offset", "layout", "device", "requires_grad"};
    const graft__torch_call c = {r, "torch._utils._rebuild_wrapper_subclass", args};
    return named_arguments(&c, names, 8, out);
}

/* torch.Size((2, 3)): a tuple of that class. */
graft_status graft__torch_size(graft__reading *r, graft_dict *args, graft__value *out)
{
    static const char name[] = "torch.Size";
    const graft__torch_call c = {r, name, args};
    graft_dict *sizes = NULL;
    graft_status status = graft__torch_count(&c, 0, 1);
    if (status == GRAFT_OK && args->count)
        status = graft__torch_tuple(&c, 0, "sizes", &sizes);
    const size_t count = sizes ? sizes->count : 0;
    if (status == GRAFT_OK && !graft__charge(r, DICT_COST + count * FIELD_COST))
        status = graft_error_status(r->g);
    if (status != GRAFT_OK)
        return status;
    graft_dict *made = graft__container_new(r->g, GRAFT_VALUE_TUPLE);
    if (!made)
        return GRAFT_ERR_MEMORY;
    if (!graft__dict_set_class(made, r->op, name, sizeof name - 1, 5))
        status = GRAFT_ERR_MEMORY;
    for (size_t i = 0; i < count && status == GRAFT_OK; i++) {
        if (sizes->entry[i].value.kind != GRAFT_VALUE_INT)
            status = graft__torch_wrong(&c, 0, "sizes", "integers");
        else
            status = graft__list_append(made, r->op, sizes->entry[i].value);
    }
    if (status != GRAFT_OK) {
        graft__dict_unref(made);
        return status;
    }
    *out = graft__dict_value(made);
    return GRAFT_OK;
}

/* TorchScript's marks of what a list or dict holds: the value itself. */
graft_status graft__torch_first_argument(graft__reading *r, graft_dict *args, graft__value *out)
{
    const graft__torch_call c = {r, "torch.jit._pickle", args};
    graft_status status = graft__torch_count(&c, 1, 2);
    if (status != GRAFT_OK)
        return status;
    const graft__value *v = &args->entry[0].value;
    if (graft__is_text(v->kind) && !graft__charge(r, v->text.length))
        return graft_error_status(r->g);
    return graft__value_copy(r->g, r->op, v, out) ? GRAFT_OK : GRAFT_ERR_MEMORY;
}
