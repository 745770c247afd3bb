/* The interpreter's stack, marks and memory. */
#include "file/pickle_machine.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/vector.h"

/* ---- Errors ---- */

bool graft__pickle_fail(graft__pickle *p, graft_fault fault, const char *format, ...)
{
    char words[256];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    const char *name = graft__pickle_opcodes[p->bytes[p->op_at]].name;
    graft__fault(p->r, fault, (int64_t)p->op_at, "%s %s", name ? name : "the pickle", words);
    return false;
}

bool graft__pickle_no_memory(graft__pickle *p, size_t bytes)
{
    graft__fail_memory(p->g, bytes, p->r->op);
    return false;
}

bool graft__pickle_reserve(graft__pickle *p, void **items, size_t count, size_t *capacity,
                           size_t item_size)
{
    if (count < *capacity)
        return true;
    const size_t before = *capacity;
    if (!graft__vector_reserve(p->g, items, count, capacity, item_size))
        return graft__pickle_no_memory(p, count * item_size);
    return graft__pickle_charge(p, (*capacity - before) * item_size);
}

/* ---- The stack ---- */

bool graft__pickle_push_grown(graft__pickle *p, graft__value v)
{
    if (!graft__pickle_reserve(p, (void **)&p->stack, p->depth, &p->capacity, sizeof *p->stack)) {
        graft__pickle_drop(p, &v);
        return false;
    }
    p->stack[p->depth++] = v;
    return true;
}

bool graft__pickle_fail_need(graft__pickle *p, size_t n)
{
    const size_t there = p->depth - p->floor;
    return graft__pickle_fail(p, GRAFT_FAULT_PICKLE_STACK,
                              "wants %zu value%s on the stack: there %s %zu%s", n,
                              n == 1 ? "" : "s", there == 1 ? "is" : "are", there,
                              p->marks > 0 ? " above the last MARK" : "");
}

bool graft__pickle_unmark(graft__pickle *p, size_t *from)
{
    if (p->marks == 0)
        return graft__pickle_fail(p, GRAFT_FAULT_PICKLE_STACK, "wants a MARK: there is none");
    *from = p->mark[--p->marks];
    p->floor = p->marks > 0 ? p->mark[p->marks - 1] : 0;
    return true;
}

void graft__pickle_drop(graft__pickle *p, graft__value *v)
{
    if (v->kind == GRAFT_VALUE_TUPLE)
        graft__pickle_drop_tuple(p, v->dict);
    else if (v->kind == GRAFT_VALUE_TENSOR)
        graft__tensor_unref(v->tensor);
    else if (graft__is_nested(v->kind))
        graft__dict_unref(v->dict);
    v->kind = GRAFT_VALUE_NONE;
}

void graft__pickle_cut(graft__pickle *p, size_t depth)
{
    while (p->depth > depth)
        graft__pickle_drop(p, &p->stack[--p->depth]);
}

graft__value graft__pickle_again(const graft__value *v)
{
    if (v->kind == GRAFT_VALUE_TENSOR)
        graft__tensor_ref(v->tensor);
    else if (graft__is_nested(v->kind))
        graft__ref(&v->dict->object);
    return *v;
}

/* ---- Texts ---- */

bool graft__pickle_own(graft__pickle *p, graft__value *v)
{
    if (!graft__is_text(v->kind))
        return true;
    const graft__value lent = *v;
    *v = (graft__value){.kind = GRAFT_VALUE_NONE};
    if (!graft__pickle_charge(p, lent.text.length + 64))
        return false;
    *v = graft__text_value(p->g, p->r->op, lent.kind, lent.text.data, lent.text.length);
    return v->kind == lent.kind;
}

bool graft__pickle_lend(graft__pickle *p, graft__value *v)
{
    if (!graft__is_text(v->kind))
        return true;
    if (!graft__pickle_reserve(p, (void **)&p->text, p->texts, &p->text_capacity,
                               sizeof *p->text)) {
        graft__value_drop(p->g, v);
        return false;
    }
    p->text[p->texts++] = *v;
    return true;
}

bool graft__pickle_push_block(graft__pickle *p, graft_value_kind kind, char *block, size_t length)
{
    graft__value v = {.kind = kind, .text = {.data = block, .length = length}};
    return graft__pickle_lend(p, &v) && graft__pickle_push(p, v);
}

/* ---- Tuples, lists and sets ---- */

/* A tuple of that many entries to be filled in: one that has gone, or a new one. */
static graft_dict *take_spare(graft__pickle *p, graft_value_kind container, size_t count)
{
    if (container == GRAFT_VALUE_TUPLE && count < GRAFT__PICKLE_SPARE_SIZE && p->spares[count] > 0)
        return p->spare[count][--p->spares[count]];
    graft_dict *d = graft__container_new(p->g, container);
    if (!d || count == 0)
        return d;
    const size_t bytes = count * sizeof *d->entry; /* of values that are on a stack of as many */
    d->entry = graft__alloc(p->g, bytes);
    if (d->entry) {
        d->capacity = count;
        return d;
    }
    graft__pickle_no_memory(p, bytes);
    graft__dict_unref(d);
    return NULL;
}

graft_dict *graft__pickle_gather(graft__pickle *p, graft_value_kind container, size_t from)
{
    const size_t count = p->depth - from;
    graft_dict *d = NULL;
    if (graft__pickle_charge(p, GRAFT__PICKLE_CONTAINER_COST +
                                    (uint64_t)count * GRAFT__PICKLE_ENTRY_COST))
        d = take_spare(p, container, count);
    bool ok = d != NULL;
    for (size_t i = 0; ok && i < count; i++) {
        graft__value *v = &p->stack[from + i];
        graft__value owned = *v;
        v->kind = GRAFT_VALUE_NONE;
        ok = graft__pickle_own(p, &owned);
        if (ok)
            d->entry[d->count++] =
                (graft__entry){.key = graft__int_value((int64_t)i), .value = owned};
    }
    graft__pickle_cut(p, from);
    if (!ok)
        graft__dict_unref(d);
    return ok ? d : NULL;
}

/* Whether nothing but entries is left in the tuple when they have gone. */
static bool is_plain(const graft_dict *tuple)
{
    return tuple->object.refs == 1 && tuple->container == GRAFT_VALUE_TUPLE &&
           tuple->capacity == tuple->count && tuple->count < GRAFT__PICKLE_SPARE_SIZE &&
           !tuple->class_name && !tuple->args && !tuple->attributes && !tuple->index;
}

void graft__pickle_drop_tuple(graft__pickle *p, graft_dict *tuple)
{
    const size_t count = tuple->count;
    bool keep = is_plain(tuple) && p->spares[count] < GRAFT__PICKLE_SPARES;
    for (size_t i = 0; keep && i < count; i++)
        keep = !tuple->entry[i].name && tuple->entry[i].key.kind == GRAFT_VALUE_INT;
    if (!keep) {
        graft__dict_unref(tuple);
        return;
    }
    for (size_t i = 0; i < count; i++)
        graft__value_drop(p->g, &tuple->entry[i].value);
    tuple->count = 0;
    p->spare[count][p->spares[count]++] = tuple;
}

/* ---- What is shared ---- */

bool graft__pickle_share(graft__pickle *p, graft_dict *d)
{
    if (!graft__pickle_reserve(p, (void **)&p->shared, p->shared_count, &p->shared_capacity,
                               sizeof *p->shared))
        return false;
    graft__ref(&d->object);
    p->shared[p->shared_count++] = (graft__pickle_shared){.dict = d, .offset = p->op_at};
    return true;
}
