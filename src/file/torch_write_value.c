/* Values as the opcodes that PyTorch's own pickles have for them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "file/torch.h"
#include "file/torch_write.h"

/* So many entries are put into a list or dict at once, as Python does: what a reader has on its
 * stack stays small. */
enum { BATCH = 1000 };

const char graft__torch_untyped[] = "torch.storage.UntypedStorage";

static void put_value(graft__torch_out *o, const graft__value *v);

/* ---- Names ---- */

static void put_global(graft__torch_out *o, const char *name)
{
    graft__put_global(&o->pickle, name, (size_t)(strrchr(name, '.') - name));
}

const char *graft__torch_storage_class(graft_dtype dtype)
{
    switch (dtype) {
    case GRAFT_F32:
        return "torch.FloatStorage";
    case GRAFT_F64:
        return "torch.DoubleStorage";
    case GRAFT_F16:
        return "torch.HalfStorage";
    case GRAFT_BF16:
        return "torch.BFloat16Storage";
    case GRAFT_I64:
        return "torch.LongStorage";
    case GRAFT_I32:
        return "torch.IntStorage";
    case GRAFT_I16:
        return "torch.ShortStorage";
    case GRAFT_I8:
        return "torch.CharStorage";
    case GRAFT_U8:
        return "torch.ByteStorage";
    case GRAFT_BOOL:
        return "torch.BoolStorage";
    case GRAFT_C64:
        return "torch.ComplexFloatStorage";
    case GRAFT_C128:
        return "torch.ComplexDoubleStorage";
    default:
        return NULL;
    }
}

/* ---- Records of PyTorch's calls ---- */

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static bool makes_of_storage(const char *class_name)
{
    return class_name && (begins(class_name, "torch._utils._rebuild_tensor") ||
                          strcmp(class_name, "torch._utils._rebuild_qtensor") == 0);
}

/* A tensor that stands for a storage. */
static const graft_tensor *storage_in(const graft__value *v)
{
    return v->kind == GRAFT_VALUE_TENSOR && v->tensor->ndim == 1 && v->tensor->contiguous &&
                   graft_dtype_size(v->tensor->dtype) > 0
               ? v->tensor
               : NULL;
}

const graft_tensor *graft__torch_quantized(const graft_dict *record)
{
    if (record->container != GRAFT_VALUE_RECORD || !record->class_name || !record->attributes ||
        record->making != GRAFT__MADE_BY_REFERENCE || record->attributes->count != 1 ||
        !begins(record->class_name, "torch.Q") || !strstr(record->class_name, "Storage"))
        return NULL;
    return storage_in(&record->attributes->entry[0].value);
}

const graft_dict *graft__torch_storage_call(const graft_dict *record)
{
    const graft_dict *args = record->args;
    if (record->making != GRAFT__MADE_BY_CALL || !args || !record->class_name)
        return NULL;
    if (makes_of_storage(record->class_name))
        return args;
    if (!begins(record->class_name, "torch._tensor._rebuild_from_type") || args->count < 3)
        return NULL;
    const graft__value *function = &args->entry[0].value, *inner = &args->entry[2].value;
    return function->kind == GRAFT_VALUE_RECORD && makes_of_storage(function->dict->class_name) &&
                   inner->kind == GRAFT_VALUE_TUPLE
               ? inner->dict
               : NULL;
}

const graft_tensor *graft__torch_call_storage(const graft_dict *call)
{
    return call->count ? storage_in(&call->entry[0].value) : NULL;
}

/* ---- Storages and tensors ---- */

size_t graft__torch_key(const graft__torch_out *o, const graft__storage *s)
{
    return (size_t)(uintptr_t)graft__map_get(&o->spans, s) - 1;
}

/* The persistent id ('storage', class, key, 'cpu', numel). */
static const graft__torch_span *put_storage(graft__torch_out *o, const graft__storage *s,
                                            const char *class_name, uint64_t width)
{
    graft__pickle_writer *p = &o->pickle;
    const size_t number = graft__torch_key(o, s);
    const graft__torch_span *span = &o->span[number];
    char key[24];
    snprintf(key, sizeof key, "%zu", number);
    graft__put_tuple_begin(p, 5);
    graft__put_word(p, "storage");
    put_global(o, class_name);
    graft__put_text(p, key, strlen(key), true);
    graft__put_word(p, "cpu");
    graft__put_int(p, (int64_t)((span->end - span->begin) / width));
    graft__put_tuple(p, 5);
    graft__put_op(p, 'Q'); /* BINPERSID */
    return span;
}

static void put_ints(graft__pickle_writer *p, const int64_t *numbers, int count)
{
    graft__put_tuple_begin(p, (size_t)count);
    for (int i = 0; i < count; i++)
        graft__put_int(p, numbers[i]);
    graft__put_tuple(p, (size_t)count);
}

/* The backward hooks that no tensor has. */
static void put_no_hooks(graft__torch_out *o)
{
    put_global(o, "collections.OrderedDict");
    graft__put_op(&o->pickle, ')');
    graft__put_op(&o->pickle, 'R');
}

/* A call of _rebuild_tensor_v2 or, where 1.13 has no such dtype or where dtypes share bytes, _v3.
 */
static void put_rebuild(graft__torch_out *o, const graft_tensor *t, bool requires_grad)
{
    graft__pickle_writer *p = &o->pickle;
    const uint64_t width = graft_dtype_size(t->dtype);
    const graft__torch_span *span = &o->span[graft__torch_key(o, t->storage)];
    const bool untyped = span->class_name == graft__torch_untyped;
    put_global(o, untyped ? "torch._utils._rebuild_tensor_v3" : "torch._utils._rebuild_tensor_v2");
    graft__put_op(p, '(');
    put_storage(o, t->storage, span->class_name, untyped ? 1 : width);
    graft__put_int(p, t->numel ? t->offset - (int64_t)(span->begin / width) : 0);
    put_ints(p, t->size, t->ndim);
    put_ints(p, t->stride, t->ndim);
    graft__put_bool(p, requires_grad);
    put_no_hooks(o);
    if (untyped)
        graft__put_name(p, "torch", graft_dtype_name(t->dtype));
    graft__put_op(p, 't');
    graft__put_op(p, 'R');
}

static void put_tensor(graft__torch_out *o, const graft_tensor *t)
{
    graft__pickle_writer *p = &o->pickle;
    if (graft__put_again(p, t))
        return;
    if (t->parameter) {
        put_global(o, "torch._utils._rebuild_parameter");
        put_rebuild(o, t, false);
        graft__put_bool(p, t->requires_grad);
        put_no_hooks(o);
        graft__put_tuple(p, 3);
        graft__put_op(p, 'R');
    } else {
        put_rebuild(o, t, t->requires_grad);
    }
    graft__put_memo(p, t);
}

/* ---- Containers ---- */

static void put_list_items(graft__torch_out *o, const graft_dict *d)
{
    for (size_t i = 0; i < d->count; i += BATCH) {
        graft__put_op(&o->pickle, '(');
        for (size_t k = i; k < d->count && k < i + BATCH; k++)
            put_value(o, &d->entry[k].value);
        graft__put_op(&o->pickle, 'e'); /* APPENDS */
    }
}

static void put_dict_items(graft__torch_out *o, const graft_dict *d)
{
    for (size_t i = 0; i < d->count; i += BATCH) {
        graft__put_op(&o->pickle, '(');
        for (size_t k = i; k < d->count && k < i + BATCH; k++) {
            put_value(o, &d->entry[k].key);
            put_value(o, &d->entry[k].value);
        }
        graft__put_op(&o->pickle, 'u'); /* SETITEMS */
    }
}

static void put_list(graft__torch_out *o, const graft_dict *d)
{
    graft__put_op(&o->pickle, ']');
    put_list_items(o, d);
}

static void put_tuple(graft__torch_out *o, const graft_dict *d)
{
    graft__put_tuple_begin(&o->pickle, d->count);
    for (size_t i = 0; i < d->count; i++)
        put_value(o, &d->entry[i].value);
    graft__put_tuple(&o->pickle, d->count);
}

/* The state of an object: its fields, or the one value of a tuple. */
static void put_state(graft__torch_out *o, const graft_dict *d)
{
    if (!d->attributes)
        return;
    const graft_dict *state = d->attributes;
    const graft__value fields = {.kind = state->container, .dict = d->attributes};
    put_value(o, state->container == GRAFT_VALUE_TUPLE && state->count == 1 ? &state->entry[0].value
                                                                            : &fields);
    graft__put_op(&o->pickle, 'b'); /* BUILD */
}

/* class(*args), then what is in it: OrderedDict, defaultdict. Only objects of such classes have a
 * state, so a plain dict with one becomes an OrderedDict, which is what state dicts are. */
static void put_class_dict(graft__torch_out *o, const graft_dict *d)
{
    graft__pickle_writer *p = &o->pickle;
    if (!d->class_name)
        put_global(o, "collections.OrderedDict");
    else
        graft__put_global(p, d->class_name, d->module_length);
    if (d->args)
        put_tuple(o, d->args);
    else
        graft__put_op(p, ')');
    graft__put_op(p, 'R');
    graft__put_memo(p, d);
    put_dict_items(o, d);
    put_state(o, d);
}

/* class({...}), as Counter wants it. */
static void put_counter(graft__torch_out *o, const graft_dict *d)
{
    graft__put_global(&o->pickle, d->class_name, d->module_length);
    graft__put_op(&o->pickle, '}');
    put_dict_items(o, d);
    graft__put_tuple(&o->pickle, 1);
    graft__put_op(&o->pickle, 'R');
    graft__put_memo(&o->pickle, d);
    put_state(o, d);
}

static void put_dict(graft__torch_out *o, const graft_dict *d)
{
    if (graft__dict_is_class(d, "collections.Counter")) {
        put_counter(o, d);
    } else if (d->class_name || d->attributes) {
        put_class_dict(o, d);
    } else {
        graft__put_op(&o->pickle, '}');
        graft__put_memo(&o->pickle, d);
        put_dict_items(o, d);
    }
}

/* A list, tuple or set: Python's own, or class(items). */
static void put_sequence(graft__torch_out *o, const graft_dict *d)
{
    graft__pickle_writer *p = &o->pickle;
    const bool called = d->class_name || d->container == GRAFT_VALUE_SET;
    if (d->class_name)
        graft__put_global(p, d->class_name, d->module_length);
    else if (called)
        put_global(o, "__builtin__.set");
    if (d->container == GRAFT_VALUE_TUPLE)
        put_tuple(o, d);
    else
        put_list(o, d);
    if (called) {
        graft__put_tuple(p, 1);
        graft__put_op(p, 'R');
    }
    graft__put_memo(p, d);
    put_state(o, d);
}

/* ---- Records ---- */

/* (storage, offset, ...), where the storage may begin elsewhere now. */
static void put_call(graft__torch_out *o, const graft_dict *call)
{
    const graft_tensor *storage = graft__torch_call_storage(call);
    const char *class_name = NULL;
    if (!storage && call->count && call->entry[0].value.kind == GRAFT_VALUE_RECORD) {
        storage = graft__torch_quantized(call->entry[0].value.dict);
        class_name = call->entry[0].value.dict->class_name;
    }
    graft__put_tuple_begin(&o->pickle, call->count);
    for (size_t i = 0; i < call->count; i++) {
        const graft__value *v = &call->entry[i].value;
        const uint64_t width = storage ? graft_dtype_size(storage->dtype) : 1;
        const graft__torch_span *span =
            storage ? &o->span[graft__torch_key(o, storage->storage)] : NULL;
        if (i == 0 && storage)
            put_storage(o, storage->storage, class_name ? class_name : span->class_name,
                        span->class_name == graft__torch_untyped ? 1 : width);
        else if (i == 1 && storage && v->kind == GRAFT_VALUE_INT)
            graft__put_int(&o->pickle,
                           v->integer + storage->offset - (int64_t)(span->begin / width));
        else
            put_value(o, v);
    }
    graft__put_tuple(&o->pickle, call->count);
}

static void put_args(graft__torch_out *o, const graft_dict *record)
{
    const graft_dict *args = record->args, *call = graft__torch_storage_call(record);
    if (!args) {
        graft__put_op(&o->pickle, ')');
        return;
    }
    if (args == call) {
        put_call(o, call);
        return;
    }
    graft__put_tuple_begin(&o->pickle, args->count);
    for (size_t i = 0; i < args->count; i++) {
        const graft__value *v = &args->entry[i].value;
        if (v->kind == GRAFT_VALUE_TUPLE && v->dict == call)
            put_call(o, call);
        else
            put_value(o, v);
    }
    graft__put_tuple(&o->pickle, args->count);
}

/* Whether what was put into a record was appended rather than put under keys. */
static bool is_appended(const graft_dict *d)
{
    for (size_t i = 0; i < d->count; i++)
        if (d->entry[i].key.kind != GRAFT_VALUE_INT || d->entry[i].key.integer != (int64_t)i)
            return false;
    return true;
}

static void put_object(graft__torch_out *o, const graft_dict *d)
{
    graft__pickle_writer *p = &o->pickle;
    if (d->making == GRAFT__MADE_BY_ID) {
        static const graft__value none = {.kind = GRAFT_VALUE_NONE};
        put_value(o, d->args && d->args->count ? &d->args->entry[0].value : &none);
        graft__put_op(p, 'Q');
        return;
    }
    graft__put_global(p, d->class_name, d->module_length);
    switch (d->making) {
    case GRAFT__MADE_BY_CALL:
        put_args(o, d);
        graft__put_op(p, 'R');
        break;
    case GRAFT__MADE_BY_NEW:
        put_args(o, d);
        graft__put_op(p, 0x81); /* NEWOBJ */
        break;
    case GRAFT__MADE_BY_NEW_EX: /* of protocol 4, but known to every reader since */
        put_value(o, &d->args->entry[0].value);
        put_value(o, &d->args->entry[1].value);
        graft__put_op(p, 0x92); /* NEWOBJ_EX */
        break;
    default:
        break;
    }
}

static void put_record(graft__torch_out *o, const graft_dict *d)
{
    const graft_tensor *quantized = graft__torch_quantized(d);
    if (quantized) {
        put_storage(o, quantized->storage, d->class_name, graft_dtype_size(quantized->dtype));
        return;
    }
    put_object(o, d);
    graft__put_memo(&o->pickle, d);
    if (d->count && is_appended(d))
        put_list_items(o, d);
    else
        put_dict_items(o, d);
    if (!graft__torch_has_derived_attributes(d))
        put_state(o, d);
}

/* ---- Values ---- */

static void put_nested(graft__torch_out *o, const graft_dict *d)
{
    if (graft__put_again(&o->pickle, d))
        return;
    if (d->container == GRAFT_VALUE_DICT)
        put_dict(o, d);
    else if (d->container == GRAFT_VALUE_RECORD)
        put_record(o, d);
    else
        put_sequence(o, d);
}

static void put_value(graft__torch_out *o, const graft__value *v)
{
    graft__pickle_writer *p = &o->pickle;
    if (p->status != GRAFT_OK)
        return;
    switch (v->kind) {
    case GRAFT_VALUE_NONE:
        graft__put_op(p, 'N');
        break;
    case GRAFT_VALUE_BOOL:
        graft__put_bool(p, v->boolean);
        break;
    case GRAFT_VALUE_INT:
        graft__put_int(p, v->integer);
        break;
    case GRAFT_VALUE_FLOAT:
        graft__put_float(p, v->real);
        break;
    case GRAFT_VALUE_COMPLEX:
        graft__put_complex(p, v->parts[0], v->parts[1]);
        break;
    case GRAFT_VALUE_STRING:
        graft__put_text(p, v->text.data, v->text.length, false);
        break;
    case GRAFT_VALUE_BYTES:
        graft__put_bytes(p, v->text.data, v->text.length);
        break;
    case GRAFT_VALUE_BIG_INT:
        graft__put_big_int(p, v->text.data, v->text.length);
        break;
    case GRAFT_VALUE_TENSOR:
        put_tensor(o, v->tensor);
        break;
    default:
        put_nested(o, v->dict);
        break;
    }
}

graft_status graft__torch_pickle(graft__torch_out *o, graft__pickle_sink *sink, void *user,
                                 uint64_t *size)
{
    graft__pickle_begin(&o->pickle, o->w->g, o->w->op, sink, user);
    graft__put_reserve(&o->pickle, (size_t)o->w->report.tensors);
    put_value(o, o->root);
    const graft_status status = graft__pickle_end(&o->pickle);
    *size = o->pickle.size;
    return status;
}
