/* torch._utils' functions that make tensors of storages. What cannot be a plain tensor stays a
 * record under which the tensor is found (torch_rebuild_kinds.c). */
#include "file/torch.h"

#include <inttypes.h>
#include <string.h>

/* A tensor's struct, and what the allocator adds. */
enum { TENSOR_COST = 384 };

/* ---- Where a tensor lies ---- */

/* A stride beyond this serves no tensor, and would make sums of places overflow. */
static const int64_t stride_limit = INT64_MAX / 1024;

static graft_status check_dims(graft__reading *r, const char *name, const graft__torch_place *at,
                               bool *empty)
{
    if (at->size.ndim != at->stride.ndim)
        return graft__fault(r, GRAFT_FAULT_TENSOR, r->pickle_offset, "%s: %d sizes and %d strides",
                            name, at->size.ndim, at->stride.ndim);
    *empty = false;
    for (int i = 0; i < at->size.ndim; i++) {
        if (at->size.size[i] < 0)
            return graft__fault(r, GRAFT_FAULT_SHAPE, r->pickle_offset,
                                "%s: size %" PRId64 " of dimension %d: expected 0 or more", name,
                                at->size.size[i], i);
        if (at->stride.size[i] < 0)
            return graft__fault(r, GRAFT_FAULT_TENSOR, r->pickle_offset,
                                "%s: stride %" PRId64 " of dimension %d: expected 0 or more", name,
                                at->stride.size[i], i);
        if (at->stride.size[i] > stride_limit)
            return graft__fault(r, GRAFT_FAULT_OVERFLOW, r->pickle_offset,
                                "%s: stride %" PRId64 " of dimension %d", name, at->stride.size[i],
                                i);
        *empty = *empty || at->size.size[i] == 0;
    }
    if (!*empty && graft__shape_numel(at->size.ndim, at->size.size) < 0) {
        char text[GRAFT__SHAPE_TEXT];
        return graft__fault(r, GRAFT_FAULT_OVERFLOW, r->pickle_offset,
                            "%s: a tensor of shape %s: its bytes do not fit 64 bits", name,
                            graft__shape_text(at->size.ndim, at->size.size, text));
    }
    if (at->offset < 0)
        return graft__fault(r, GRAFT_FAULT_TENSOR, r->pickle_offset,
                            "%s: storage_offset %" PRId64 ": expected 0 or more", name, at->offset);
    return GRAFT_OK;
}

/* How many elements the storage must have for a tensor that is not empty; -1 if that is beyond
 * 64 bits. */
static int64_t elements_needed(const graft__torch_place *at)
{
    int64_t last = at->offset;
    for (int i = 0; i < at->size.ndim; i++) {
        const int64_t steps = at->size.size[i] - 1, stride = at->stride.size[i];
        if (steps > 0 && stride > (INT64_MAX - 1 - last) / steps)
            return -1;
        last += steps * stride;
    }
    return last < INT64_MAX ? last + 1 : -1;
}

/* That elements of the dtype may lie over the storage; then where the storage begins and how many
 * of them it has. */
static graft_status see_as(graft__reading *r, const char *name, const graft_tensor *storage,
                           graft_dtype dtype, int64_t *begin, int64_t *count)
{
    *begin = storage->offset;
    *count = storage->numel;
    if (dtype == storage->dtype)
        return GRAFT_OK;
    /* What stands for a storage may be some other tensor in a file that means ill. */
    const int64_t from = (int64_t)graft_dtype_size(storage->dtype);
    const int64_t to = (int64_t)graft_dtype_size(dtype);
    if (to == 0 || (to != from && storage->dtype != GRAFT_U8) || *begin * from % to != 0)
        return graft__fault(r, GRAFT_FAULT_TENSOR, r->pickle_offset,
                            "%s: a tensor of %s over a storage of %s", name,
                            graft_dtype_name(dtype), graft_dtype_name(storage->dtype));
    *begin = *begin * from / to;
    *count = *count * from / to;
    return GRAFT_OK;
}

graft_status graft__torch_tensor(graft__reading *r, const char *name, const graft_tensor *storage,
                                 const graft__torch_place *at, graft_tensor **out)
{
    bool empty = false;
    int64_t begin, count;
    graft_status status = check_dims(r, name, at, &empty);
    if (status == GRAFT_OK)
        status = see_as(r, name, storage, at->dtype, &begin, &count);
    if (status != GRAFT_OK)
        return status;
    int64_t offset = at->offset;
    if (empty) /* may be beyond an empty storage; nothing may point there */
        offset = offset < count ? offset : count;
    const int64_t needed = empty ? 0 : elements_needed(at);
    if (needed < 0 || needed > count) {
        char size[GRAFT__SHAPE_TEXT], stride[GRAFT__SHAPE_TEXT];
        return graft__fault(r, GRAFT_FAULT_TENSOR, r->pickle_offset,
                            "%s: a tensor of shape %s, strides %s and storage_offset %" PRId64
                            " does not fit its storage of %" PRId64 " elements",
                            name, graft__shape_text(at->size.ndim, at->size.size, size),
                            graft__shape_text(at->stride.ndim, at->stride.size, stride), at->offset,
                            count);
    }
    if (!graft__charge(r, TENSOR_COST))
        return graft_error_status(r->g);
    *out = graft__tensor_over(graft__storage_ref(storage->storage), at->dtype, at->size.ndim,
                              at->size.size, at->stride.size, begin + offset);
    return *out ? GRAFT_OK : GRAFT_ERR_MEMORY;
}

graft_tensor *graft__torch_storage_of(const graft__value *v, const graft__torch_class **quantized)
{
    *quantized = NULL;
    if (v->kind == GRAFT_VALUE_RECORD) {
        const graft__torch_class *type = graft__torch_class_of(v);
        const graft_dict *fields = v->dict->attributes;
        if (!type || !type->quantized || !fields || fields->count != 1)
            return NULL;
        *quantized = type;
        v = &fields->entry[0].value;
    }
    if (v->kind != GRAFT_VALUE_TENSOR || v->tensor->ndim != 1 || !v->tensor->contiguous ||
        graft_dtype_size(v->tensor->dtype) == 0)
        return NULL;
    return v->tensor;
}

graft_status graft__torch_require_grad(graft__reading *r, const char *name, graft_tensor *t,
                                       bool requires_grad)
{
    if (!requires_grad)
        return GRAFT_OK;
    switch (t->dtype) {
    case GRAFT_I64:
    case GRAFT_I32:
    case GRAFT_I16:
    case GRAFT_I8:
    case GRAFT_U8:
    case GRAFT_BOOL:
    case GRAFT_U16:
    case GRAFT_U32:
    case GRAFT_U64:
    case GRAFT_BITS8:
    case GRAFT_BITS16:
    case GRAFT_BITS1X8:
    case GRAFT_BITS2X4:
    case GRAFT_BITS4X2:
        return graft__fault(r, GRAFT_FAULT_TENSOR, r->pickle_offset,
                            "%s: requires_grad of a tensor of %s", name,
                            graft_dtype_name(t->dtype));
    default:
        t->requires_grad = true;
        return GRAFT_OK;
    }
}

graft_status graft__torch_note_hooks(graft__reading *r, const graft__value *hooks)
{
    static const char key[] = "backward_hooks_left_out";
    if (hooks->kind == GRAFT_VALUE_NONE ||
        (graft__is_nested(hooks->kind) && hooks->dict->count == 0) || !r->metadata)
        return GRAFT_OK;
    const int64_t i = graft_dict_find(r->metadata, key);
    return graft_dict_set_int(r->metadata, key, i < 0 ? 1 : graft_dict_int_at(r->metadata, i) + 1);
}

/* ---- Plain tensors ---- */

/* The first four arguments: storage, storage_offset, size, stride. */
static graft_status place_of(const graft__torch_call *c, const graft_tensor **storage,
                             graft__torch_place *at)
{
    const graft__torch_class *quantized;
    *storage = graft__torch_storage_of(&c->args->entry[0].value, &quantized);
    if (!*storage || quantized)
        return graft__torch_wrong(c, 0, "storage", "a storage");
    at->dtype = (*storage)->dtype;
    graft_status status = graft__torch_int(c, 1, "storage_offset", &at->offset);
    if (status == GRAFT_OK)
        status = graft__torch_sizes(c, 2, "size", &at->size);
    return status == GRAFT_OK ? graft__torch_sizes(c, 3, "stride", &at->stride) : status;
}

/* Whether the argument (the conj and neg bits and what a backend may have added) says anything. */
static bool has_metadata(const graft__torch_call *c, size_t i)
{
    if (i >= c->args->count)
        return false;
    const graft__value *v = &c->args->entry[i].value;
    if (!graft__is_nested(v->kind))
        return v->kind != GRAFT_VALUE_NONE;
    for (size_t k = 0; k < v->dict->count; k++) {
        const graft__value *bit = &v->dict->entry[k].value;
        if (bit->kind != GRAFT_VALUE_NONE && !(bit->kind == GRAFT_VALUE_BOOL && !bit->boolean))
            return true;
    }
    return false;
}

/* A tensor whose elements are the conjugates or negatives of those that lie there: "data" is how
 * they lie, and the bits are beside it. */
static graft_status with_metadata(const graft__torch_call *c, size_t i, graft_tensor *t,
                                  graft__value *out)
{
    graft_dict *fields;
    graft_status status = graft__torch_record(c, out, &fields);
    if (status != GRAFT_OK) {
        graft__tensor_unref(t);
        return status;
    }
    status = graft__torch_give_field(fields, c->r, "data", graft__tensor_value(t));
    if (status == GRAFT_OK)
        status = graft__torch_field(fields, c->r, "metadata", &c->args->entry[i].value);
    if (status != GRAFT_OK)
        graft__value_drop(c->r->g, out);
    return status;
}

/* metadata: its argument, 0: there is none. dtype: its argument, 0: the storage's. */
static graft_status rebuild_tensor(const graft__torch_call *c, bool has_grad, size_t dtype,
                                   size_t metadata, graft__value *out)
{
    const graft_tensor *storage;
    graft__torch_place at;
    bool requires_grad = false;
    graft_tensor *t = NULL;
    graft_status status = place_of(c, &storage, &at);
    if (status == GRAFT_OK && dtype &&
        !graft__torch_dtype_of(&c->args->entry[dtype].value, &at.dtype))
        status = graft__torch_wrong(c, dtype, "dtype", "one of torch's dtypes");
    if (status == GRAFT_OK && has_grad)
        status = graft__torch_bool(c, 4, "requires_grad", &requires_grad);
    if (status == GRAFT_OK && has_grad)
        status = graft__torch_note_hooks(c->r, &c->args->entry[5].value);
    if (status == GRAFT_OK)
        status = graft__torch_tensor(c->r, c->name, storage, &at, &t);
    if (status == GRAFT_OK)
        status = graft__torch_require_grad(c->r, c->name, t, requires_grad);
    if (status != GRAFT_OK) {
        graft__tensor_unref(t);
        return status;
    }
    if (metadata && has_metadata(c, metadata))
        return with_metadata(c, metadata, t, out);
    *out = graft__tensor_value(t);
    return GRAFT_OK;
}

graft_status graft__torch_rebuild_tensor(graft__reading *r, graft_dict *args, graft__value *out)
{
    const graft__torch_call c = {r, "torch._utils._rebuild_tensor", args};
    const graft_status status = graft__torch_count(&c, 4, 4);
    return status == GRAFT_OK ? rebuild_tensor(&c, false, 0, 0, out) : status;
}

graft_status graft__torch_rebuild_tensor_v2(graft__reading *r, graft_dict *args, graft__value *out)
{
    const graft__torch_call c = {r, "torch._utils._rebuild_tensor_v2", args};
    const graft_status status = graft__torch_count(&c, 6, 7);
    return status == GRAFT_OK ? rebuild_tensor(&c, true, 0, 6, out) : status;
}

graft_status graft__torch_rebuild_tensor_v3(graft__reading *r, graft_dict *args, graft__value *out)
{
    const graft__torch_call c = {r, "torch._utils._rebuild_tensor_v3", args};
    const graft_status status = graft__torch_count(&c, 7, 8);
    return status == GRAFT_OK ? rebuild_tensor(&c, true, 6, 7, out) : status;
}

/* ---- Parameters ---- */

/* Another tensor with the place and bytes of t. */
static graft_status again(graft__reading *r, const graft_tensor *t, graft_tensor **out)
{
    if (!graft__charge(r, TENSOR_COST))
        return graft_error_status(r->g);
    *out = graft__tensor_alias(t, t->ndim, t->size, t->stride, t->offset);
    return *out ? GRAFT_OK : GRAFT_ERR_MEMORY;
}

static graft_status parameter_of(const graft__torch_call *c, graft_tensor *data, bool requires_grad,
                                 graft__value *out)
{
    graft_tensor *t = NULL;
    graft_status status = again(c->r, data, &t);
    if (status == GRAFT_OK)
        status = graft__torch_require_grad(c->r, c->name, t, requires_grad);
    if (status != GRAFT_OK) {
        graft__tensor_unref(t);
        return status;
    }
    t->parameter = true;
    *out = graft__tensor_value(t);
    return GRAFT_OK;
}

/* A record of the call with a value, which it takes over, as "data". */
static graft_status record_over(const graft__torch_call *c, graft__value *data, graft__value *out)
{
    graft_dict *fields;
    graft_status status = graft__torch_record(c, out, &fields);
    if (status != GRAFT_OK) {
        graft__value_drop(c->r->g, data);
        return status;
    }
    status = graft__torch_give_field(fields, c->r, "data", *data);
    *data = (graft__value){.kind = GRAFT_VALUE_NONE};
    if (status != GRAFT_OK)
        graft__value_drop(c->r->g, out);
    return status;
}

/* The parameter, or the record of a quantized or otherwise peculiar one. */
static graft_status parameter(const graft__torch_call *c, graft__value *out, bool *plain)
{
    bool requires_grad;
    graft_status status = graft__torch_bool(c, 1, "requires_grad", &requires_grad);
    if (status == GRAFT_OK)
        status = graft__torch_note_hooks(c->r, &c->args->entry[2].value);
    if (status != GRAFT_OK)
        return status;
    const graft__value *data = &c->args->entry[0].value;
    *plain = data->kind == GRAFT_VALUE_TENSOR;
    if (*plain)
        return parameter_of(c, data->tensor, requires_grad, out);
    if (data->kind != GRAFT_VALUE_RECORD)
        return graft__torch_wrong(c, 0, "data", "a tensor");
    graft__value copy;
    if (!graft__value_copy(c->r->g, c->r->op, data, &copy))
        return GRAFT_ERR_MEMORY;
    return record_over(c, &copy, out);
}

graft_status graft__torch_rebuild_parameter(graft__reading *r, graft_dict *args, graft__value *out)
{
    const graft__torch_call c = {r, "torch._utils._rebuild_parameter", args};
    bool plain;
    const graft_status status = graft__torch_count(&c, 3, 3);
    return status == GRAFT_OK ? parameter(&c, out, &plain) : status;
}

static bool is_nothing(const graft__value *v)
{
    if (v->kind == GRAFT_VALUE_TUPLE) { /* the dict and the slots */
        for (size_t i = 0; i < v->dict->count; i++) {
            const graft__value *part = &v->dict->entry[i].value;
            if (part->kind != GRAFT_VALUE_NONE &&
                !(part->kind == GRAFT_VALUE_DICT && part->dict->count == 0))
                return false;
        }
        return true;
    }
    return v->kind == GRAFT_VALUE_NONE || (v->kind == GRAFT_VALUE_DICT && v->dict->count == 0);
}

graft_status graft__torch_rebuild_parameter_with_state(graft__reading *r, graft_dict *args,
                                                       graft__value *out)
{
    const graft__torch_call c = {r, "torch._utils._rebuild_parameter_with_state", args};
    bool plain;
    graft__value made;
    graft_status status = graft__torch_count(&c, 4, 4);
    if (status == GRAFT_OK)
        status = parameter(&c, &made, &plain);
    if (status != GRAFT_OK)
        return status;
    if (plain && !is_nothing(&args->entry[3].value))
        return record_over(&c, &made, out);
    *out = made;
    return GRAFT_OK;
}

/* ---- Tensors of other types ---- */

/* What func(*args) is, where func is one of the rebuilders; *out is NONE where it is not, or gives
 * no tensor. */
static graft_status call_rebuilder(graft__reading *r, const graft__value *func, graft_dict *args,
                                   graft__value *out)
{
    *out = (graft__value){.kind = GRAFT_VALUE_NONE};
    if (!graft__torch_name_of(func))
        return GRAFT_OK;
    const char *name = func->dict->class_name;
    const graft__global *known = graft__torch_global(name, strlen(name));
    /* Not one inside of another: that would have no end. */
    if (!known || !known->call || known->call == graft__torch_rebuild_from_type ||
        known->call == graft__torch_rebuild_from_type_v2)
        return GRAFT_OK;
    const graft_status status = known->call(r, args, out);
    if (status == GRAFT_OK && out->kind != GRAFT_VALUE_TENSOR && out->kind != GRAFT_VALUE_RECORD)
        graft__value_drop(r->g, out);
    return status;
}

/* torch.Tensor is what func gives; it drops the state, as PyTorch does. */
static graft_status from_type(const graft__torch_call *c, graft__value *out)
{
    const graft__value *type = &c->args->entry[1].value;
    graft_dict *inner;
    graft__value made;
    graft_status status = graft__torch_tuple(c, 2, "args", &inner);
    if (status == GRAFT_OK)
        status = call_rebuilder(c->r, &c->args->entry[0].value, inner, &made);
    if (status != GRAFT_OK)
        return status;
    if (made.kind == GRAFT_VALUE_NONE)
        return graft__record_of_call(c->r, c->name, c->args, out);
    const char *name = graft__torch_name_of(type);
    if (name && strcmp(name, "Tensor") == 0) {
        *out = made;
        return GRAFT_OK;
    }
    if (name && strcmp(name, "nn.parameter.Parameter") == 0 && made.kind == GRAFT_VALUE_TENSOR &&
        is_nothing(&c->args->entry[3].value)) {
        made.tensor->parameter = true;
        *out = made;
        return GRAFT_OK;
    }
    return record_over(c, &made, out);
}

graft_status graft__torch_rebuild_from_type(graft__reading *r, graft_dict *args, graft__value *out)
{
    const graft__torch_call c = {r, "torch._tensor._rebuild_from_type", args};
    const graft_status status = graft__torch_count(&c, 4, 4);
    return status == GRAFT_OK ? from_type(&c, out) : status;
}

graft_status graft__torch_rebuild_from_type_v2(graft__reading *r, graft_dict *args,
                                               graft__value *out)
{
    const graft__torch_call c = {r, "torch._tensor._rebuild_from_type_v2", args};
    const graft_status status = graft__torch_count(&c, 4, 4);
    return status == GRAFT_OK ? from_type(&c, out) : status;
}

/* ---- Tensors of other devices ---- */

/* t in another dtype: XLA's bfloat16 goes through NumPy as float32. */
static graft_status converted(const graft__torch_call *c, graft_tensor *t, graft_dtype dtype,
                              graft_tensor **out)
{
    if (t->dtype == dtype)
        return again(c->r, t, out);
    if (!graft_dtype_computes(dtype) || !graft_dtype_computes(t->dtype))
        return graft__torch_wrong(c, 1, "dtype", "that of the data, or one to convert it to");
    if (!graft__charge(c->r, TENSOR_COST) ||
        !graft__charge(c->r, (uint64_t)t->numel * graft_dtype_size(dtype)))
        return graft_error_status(c->r->g);
    if (!graft__storage_ready(t->storage, c->r->g))
        return graft_error_status(c->r->g);
    graft_tensor *made = graft__tensor_new(c->r->g, c->r->op, t->ndim, t->size, dtype);
    const graft_status status = made ? graft__tensor_assign(made, t) : graft_error_status(c->r->g);
    if (status != GRAFT_OK) {
        graft__tensor_unref(made);
        return status;
    }
    *out = made;
    return GRAFT_OK;
}

/* (data, dtype, device, requires_grad) */
static graft_status from_other_device(const graft__torch_call *c, graft__value *out)
{
    graft_dtype dtype;
    bool requires_grad;
    graft_tensor *t = NULL;
    graft_status status = graft__torch_count(c, 4, 4);
    if (status != GRAFT_OK)
        return status;
    const graft__value *data = &c->args->entry[0].value;
    if (data->kind != GRAFT_VALUE_TENSOR)
        return graft__record_of_call(c->r, c->name, c->args, out);
    status = graft__torch_bool(c, 3, "requires_grad", &requires_grad);
    if (status == GRAFT_OK && !graft__torch_dtype_of(&c->args->entry[1].value, &dtype))
        status = graft__torch_wrong(c, 1, "dtype", "one of torch's dtypes");
    if (status == GRAFT_OK)
        status = converted(c, data->tensor, dtype, &t);
    if (status == GRAFT_OK)
        status = graft__torch_require_grad(c->r, c->name, t, requires_grad);
    if (status != GRAFT_OK) {
        graft__tensor_unref(t);
        return status;
    }
    *out = graft__tensor_value(t);
    return GRAFT_OK;
}

graft_status graft__torch_rebuild_from_numpy(graft__reading *r, graft_dict *args, graft__value *out)
{
    const graft__torch_call c = {r, "torch._utils._rebuild_device_tensor_from_numpy", args};
    return from_other_device(&c, out);
}

graft_status graft__torch_rebuild_from_cpu_tensor(graft__reading *r, graft_dict *args,
                                                  graft__value *out)
{
    const graft__torch_call c = {r, "torch._utils._rebuild_device_tensor_from_cpu_tensor", args};
    return from_other_device(&c, out);
}
