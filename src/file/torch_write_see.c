/* What will be written, seen before anything is: each container once, in the order of writing. */
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "base/vector.h"
#include "file/torch.h"
#include "file/torch_write.h"
#include "tensor/history.h"

enum { DEPTH_MAX = 1000 };

typedef struct look {
    graft__torch_out *o;
    graft_ctx *g;
    graft__map seen; /* containers */
    graft__text path;
    int depth;
} look;

static graft_status see(look *l, const graft__value *v);

/* ---- Errors ---- */

static graft_status refuse(look *l, graft_status status, const char *why, const char *what)
{
    const graft__writing *w = l->o->w;
    return graft__fail(l->g, status, "%s: %s: %s: %s%s", w->op, w->path,
                       l->path.length ? l->path.data : "the root", why, what);
}

static graft_status fail_memory(look *l, size_t size)
{
    return graft__fail_memory(l->g, size, l->o->w->op);
}

/* ---- Storages ---- */

static graft__torch_span *span_of(look *l, graft__storage *s)
{
    graft__torch_out *o = l->o;
    const uintptr_t known = (uintptr_t)graft__map_get(&o->spans, s);
    if (known)
        return &o->span[known - 1];
    if (!graft__vector_reserve(l->g, (void **)&o->span, o->count, &o->capacity, sizeof *o->span)) {
        fail_memory(l, (o->count + 1) * sizeof *o->span);
        return NULL;
    }
    if (!graft__map_set(&o->spans, s, (void *)(uintptr_t)(o->count + 1)))
        return NULL;
    o->span[o->count] = (graft__torch_span){.storage = s};
    return &o->span[o->count++];
}

/* Adds elements first..last-1 of that width. class_name NULL: there is none for them. */
static graft_status add(look *l, graft__storage *s, const char *class_name, uint64_t first,
                        uint64_t last, uint64_t width)
{
    graft__torch_span *span = span_of(l, s);
    if (!span)
        return GRAFT_ERR_MEMORY;
    if (!class_name)
        class_name = graft__torch_untyped;
    if (span->class_name && strcmp(span->class_name, class_name) != 0) {
        span->mixed = true;
        class_name = graft__torch_untyped;
    }
    span->class_name = class_name;
    if (first == last)
        return GRAFT_OK;
    if (!span->any || first * width < span->begin)
        span->begin = first * width;
    if (!span->any || last * width > span->end)
        span->end = last * width;
    span->any = true;
    return GRAFT_OK;
}

static graft_status see_tensor(look *l, const graft_tensor *t)
{
    const uint64_t width = graft_dtype_size(t->dtype);
    if (t->history)
        return refuse(l, GRAFT_ERR_STATE, "the tensor has autograd history: detach it, from ",
                      graft__history_name(t->history));
    if (width == 0)
        return refuse(l, GRAFT_ERR_DTYPE, "PyTorch has no tensors of ", graft_dtype_name(t->dtype));
    l->o->w->report.tensors++;
    const uint64_t first = t->numel ? (uint64_t)t->offset : 0;
    uint64_t last = first + (t->numel ? 1 : 0);
    for (int i = 0; i < t->ndim && t->numel; i++)
        last += (uint64_t)((t->size[i] - 1) * t->stride[i]);
    return add(l, t->storage, graft__torch_storage_class(t->dtype), first, last, width);
}

/* What a call is given as a storage; class_name: of quantized elements, else NULL. */
static graft_status see_storage(look *l, const graft_tensor *t, const char *class_name)
{
    const uint64_t first = (uint64_t)t->offset, width = graft_dtype_size(t->dtype);
    graft_status status =
        add(l, t->storage, class_name ? class_name : graft__torch_storage_class(t->dtype), first,
            first + (uint64_t)t->numel, width);
    if (status == GRAFT_OK && class_name && l->o->span[graft__torch_key(l->o, t->storage)].mixed)
        status = refuse(l, GRAFT_ERR_ARGUMENT,
                        "its bytes are those of tensors of another dtype too", "");
    return status;
}

/* ---- Records and classes ---- */

static bool is_known(const graft_dict *d)
{
    const size_t length = strlen(d->class_name);
    return graft__torch_global(d->class_name, length) ||
           graft__python_global(d->class_name, length);
}

static graft_status check_class(look *l, const graft_dict *d)
{
    const bool record = d->container == GRAFT_VALUE_RECORD;
    if (!record && !d->class_name) {
        if (d->attributes && d->container != GRAFT_VALUE_DICT)
            return refuse(l, GRAFT_ERR_ARGUMENT,
                          "it has attributes, which Python's own lists, tuples and sets have not",
                          "");
        return GRAFT_OK;
    }
    const bool named =
        d->making == GRAFT__MADE_BY_ID ||
        (d->class_name && (d->making != GRAFT__MADE_BY_NEW_EX || (d->args && d->args->count == 2)));
    if (named && (l->o->w->options.records || (d->class_name && is_known(d))))
        return GRAFT_OK;
    return refuse(l, GRAFT_ERR_ARGUMENT,
                  "records of a class that graft does not know are written only with "
                  "options.records, as Python runs their code: ",
                  d->class_name ? d->class_name : "a persistent id");
}

/* ---- Walking ---- */

static graft_status see_at(look *l, const char *name, const graft__value *v)
{
    const size_t length = l->path.length;
    if (!name)
        return GRAFT_ERR_MEMORY;
    if (length)
        graft__text_add(&l->path, ".");
    graft__text_add(&l->path, name);
    if (l->path.failed)
        return fail_memory(l, length + strlen(name));
    const graft_status status = see(l, v);
    graft__text_cut(&l->path, length);
    return status;
}

static graft_status see_dict_at(look *l, const char *name, graft_dict *d)
{
    const graft__value v = graft__dict_value(d);
    return see_at(l, name, &v);
}

/* The args of a record; `call` among them has a storage. */
static graft_status see_args(look *l, const graft_dict *args, const graft_dict *call)
{
    graft_status status = GRAFT_OK;
    for (size_t i = 0; i < args->count && status == GRAFT_OK; i++) {
        const graft__value *v = &args->entry[i].value;
        const graft_tensor *storage =
            i == 0 && args == call ? graft__torch_call_storage(call) : NULL;
        if (storage)
            status = see_storage(l, storage, NULL);
        else if (v->kind == GRAFT_VALUE_TUPLE && v->dict == call)
            status = see_args(l, call, call);
        else
            status = see_at(l, graft__entry_name(args, i), v);
    }
    return status;
}

static graft_status see_entries(look *l, const graft_dict *d)
{
    graft_status status = GRAFT_OK;
    for (size_t i = 0; i < d->count && status == GRAFT_OK; i++) {
        const graft__entry *e = &d->entry[i];
        if (e->key.kind != GRAFT_VALUE_INT)
            status = see(l, &e->key);
        if (status == GRAFT_OK)
            status = see_at(l, graft__entry_name(d, i), &e->value);
    }
    return status;
}

static graft_status see_dict(look *l, const graft_dict *d)
{
    if (graft__map_get(&l->seen, d))
        return GRAFT_OK;
    if (!graft__map_set(&l->seen, d, &l->seen))
        return GRAFT_ERR_MEMORY;
    graft_status status = check_class(l, d);
    if (status != GRAFT_OK)
        return status;
    const graft_tensor *quantized = graft__torch_quantized(d);
    if (quantized)
        return see_storage(l, quantized, d->class_name);
    if (++l->depth > DEPTH_MAX)
        return refuse(l, GRAFT_ERR_ARGUMENT, "nested deeper than 1000 levels", "");
    status = see_entries(l, d);
    if (status == GRAFT_OK && d->args)
        status = see_args(l, d->args, graft__torch_storage_call(d));
    if (status == GRAFT_OK && d->attributes && !graft__torch_has_derived_attributes(d))
        status = see_dict_at(l, "attributes", d->attributes);
    l->depth--;
    return status;
}

static graft_status see(look *l, const graft__value *v)
{
    if (v->kind == GRAFT_VALUE_TENSOR)
        return see_tensor(l, v->tensor);
    if (graft__is_nested(v->kind))
        return see_dict(l, v->dict);
    if (v->kind == GRAFT_VALUE_STRING && !graft__is_pickle_text(v->text.data, v->text.length))
        return refuse(l, GRAFT_ERR_ARGUMENT, "a text that is not UTF-8", "");
    return GRAFT_OK;
}

/* Ends of spans as they are written: all of them where that is asked for, and at a place where
 * elements of every dtype may begin where dtypes differ. */
static void settle(graft__torch_out *o)
{
    enum { WIDEST = 16 };
    for (size_t i = 0; i < o->count; i++) {
        graft__torch_span *s = &o->span[i];
        const uint64_t bytes = s->storage->buffer->size;
        if (s->class_name == graft__torch_untyped)
            s->begin -= s->begin % WIDEST;
        if (o->w->options.whole_storages) {
            s->begin = 0;
            s->end = bytes;
        }
        o->w->report.storages++;
        o->w->report.bytes_saved += bytes - (s->end - s->begin);
        o->w->total += s->end - s->begin;
    }
}

/* How many tensors there are at least, by a glance. */
static size_t count_tensors(const graft__value *v, int depth)
{
    size_t count = v->kind == GRAFT_VALUE_TENSOR;
    for (size_t i = 0; depth > 0 && graft__is_nested(v->kind) && i < v->dict->count; i++)
        count += count_tensors(&v->dict->entry[i].value, depth - 1);
    return count;
}

/* Room for all storages where a glance tells how many they may be, so that nothing grows. */
static void reserve(graft__torch_out *o)
{
    enum { FEW = 64 };
    const size_t count = count_tensors(o->root, 2);
    size_t bytes;
    if (count <= FEW || !graft__mul_size(count, sizeof *o->span, &bytes))
        return;
    o->span = graft__alloc(o->w->g, bytes);
    o->capacity = o->span ? count : 0;
    graft__map_reserve(&o->spans, count);
}

graft_status graft__torch_see(graft__torch_out *o)
{
    look l = {.o = o, .g = o->w->g};
    graft__map_init(&l.seen, l.g);
    graft__text_init(&l.path, l.g);
    reserve(o);
    const graft_status status = see(&l, o->root);
    graft__map_free(&l.seen);
    graft__text_free(&l.path);
    if (status == GRAFT_OK)
        settle(o);
    return status;
}
