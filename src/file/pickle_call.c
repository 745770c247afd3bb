/* Classes and functions by name, and what calling them gives. Nothing is called: what is on one of
 * the tables is imitated, all else becomes a record. */
#include "file/pickle_machine.h"

#include <string.h>

#include "base/text.h"
#include "file/audit.h"

enum { NAME_MAX_LENGTH = 1000 };

/* ---- The tables ---- */

const graft__global *graft__find_global(const graft__global *table, size_t count, const char *name,
                                        size_t length)
{
    size_t low = 0, high = count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        const int order = strncmp(table[middle].name, name, length);
        if (order == 0 && table[middle].name[length] == 0)
            return &table[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static const graft__global *find_known(const char *name, size_t length)
{
    const graft__global *known = graft__torch_global(name, length);
    return known ? known : graft__python_global(name, length);
}

bool graft__pickle_is_known(const char *class_name)
{
    return find_known(class_name, strlen(class_name)) != NULL;
}

/* ---- The audit ---- */

bool graft__pickle_note_change(graft__pickle *p, const graft_dict *d, const char *method,
                               const graft__value *value)
{
    if (!p->r->audit || (d && d->class_name && graft__pickle_is_known(d->class_name)))
        return true;
    graft__text name;
    graft__text_init(&name, p->g);
    if (d)
        graft__text_addf(&name, "%s.", d->class_name ? d->class_name : "?");
    graft__text_add(&name, method);
    const bool ok = name.failed
                        ? graft__pickle_no_memory(p, name.length)
                        : graft__audit_add(p->r, name.data, value, (int64_t)p->op_at, false);
    graft__text_free(&name);
    return ok;
}

bool graft__pickle_note_named(graft__pickle *p)
{
    bool ok = true;
    for (size_t i = 0; ok && i < p->named_count; i++) {
        const graft__pickle_named *n = p->named[i];
        if (!n->known && !n->called)
            ok = graft__audit_add(p->r, n->record->class_name, NULL, (int64_t)n->offset, false);
    }
    return ok;
}

/* ---- Naming ---- */

/* Names are printed, and must not steer the terminal. */
static bool is_name(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return false;
    return length > 0 && length <= NAME_MAX_LENGTH &&
           graft__pickle_is_utf8((const unsigned char *)text, length);
}

/* Notes that the record is the class or function of its name; takes a reference of its own. */
static bool note_name(graft__pickle *p, graft_dict *record)
{
    if (!graft__pickle_reserve(p, (void **)&p->named, p->named_count, &p->named_capacity,
                               sizeof *p->named))
        return false;
    graft__pickle_named *n = graft__alloc(p->g, sizeof *n);
    if (!n)
        return graft__pickle_no_memory(p, sizeof *n);
    *n = (graft__pickle_named){
        .record = record,
        .known = find_known(record->class_name, strlen(record->class_name)),
        .offset = p->op_at,
    };
    if (!graft__map_set(&p->by_record, record, n)) {
        graft__free(p->g, n, sizeof *n);
        return false;
    }
    graft__ref(&record->object);
    p->named[p->named_count++] = n;
    return true;
}

/* A record that is the class or function itself; NULL with the error set. */
static graft_dict *name_class(graft__pickle *p, const char *module, size_t module_length,
                              const char *name, size_t name_length)
{
    if (!is_name(module, module_length) || !is_name(name, name_length)) {
        graft__pickle_fail(
            p, GRAFT_FAULT_PICKLE_VALUE,
            "names a class by a text that is empty, too long or not made of letters");
        return NULL;
    }
    char text[2 * NAME_MAX_LENGTH + 1];
    memcpy(text, module, module_length);
    text[module_length] = '.';
    memcpy(text + module_length + 1, name, name_length);
    const size_t length = module_length + 1 + name_length;
    if (!graft__pickle_charge(p, 2 * GRAFT__PICKLE_CONTAINER_COST + length))
        return NULL;
    graft_dict *d = graft__container_new(p->g, GRAFT_VALUE_RECORD);
    if (!d)
        return NULL;
    d->making = GRAFT__MADE_BY_REFERENCE;
    if (graft__dict_set_class(d, p->r->op, text, length, module_length) && note_name(p, d))
        return d;
    graft__dict_unref(d);
    return NULL;
}

bool graft__pickle_op_global(graft__pickle *p, const graft__pickle_argument *a)
{
    graft_dict *d =
        name_class(p, (const char *)a->text, a->length, (const char *)a->second, a->second_length);
    return d && graft__pickle_push(p, graft__dict_value(d));
}

bool graft__pickle_op_stack_global(graft__pickle *p, const graft__pickle_argument *a)
{
    (void)a;
    if (!graft__pickle_need(p, 2))
        return false;
    const graft__value *name = graft__pickle_top(p), *module = name - 1;
    if (name->kind != GRAFT_VALUE_STRING || module->kind != GRAFT_VALUE_STRING)
        return graft__pickle_fail(p, GRAFT_FAULT_PICKLE_VALUE,
                                  "wants two strings: module and name");
    graft_dict *d =
        name_class(p, module->text.data, module->text.length, name->text.data, name->text.length);
    if (!d)
        return false;
    graft__pickle_cut(p, p->depth - 2);
    return graft__pickle_push(p, graft__dict_value(d));
}

/* ---- Records ---- */

/* A record of that class; takes over args, also on failure. */
static graft_dict *new_record(graft__reading *r, const char *class_name, size_t length,
                              size_t module_length, graft__making making, graft_dict *args)
{
    graft_dict *d = graft__charge(r, GRAFT__PICKLE_CONTAINER_COST + length)
                        ? graft__container_new(r->g, GRAFT_VALUE_RECORD)
                        : NULL;
    if (!d) {
        graft__dict_unref(args);
        return NULL;
    }
    d->making = making;
    d->args = args;
    if (graft__dict_set_class(d, r->op, class_name, length, module_length))
        return d;
    graft__dict_unref(d);
    return NULL;
}

graft_status graft__record_of_call(graft__reading *r, const char *name, graft_dict *args,
                                   graft__value *out)
{
    if (!name)
        name = r->pickle_global;
    const char *dot = strrchr(name, '.');
    const size_t length = strlen(name);
    graft__ref(&args->object);
    graft_dict *d =
        new_record(r, name, length, dot ? (size_t)(dot - name) : 0, GRAFT__MADE_BY_CALL, args);
    if (!d)
        return graft_error_status(r->g);
    *out = graft__dict_value(d);
    return GRAFT_OK;
}

static bool push_record(graft__pickle *p, const graft_dict *class_record, graft__making making,
                        graft_dict *args)
{
    graft_dict *d = new_record(p->r, class_record->class_name, strlen(class_record->class_name),
                               class_record->module_length, making, args);
    return d && graft__pickle_push(p, graft__dict_value(d));
}

/* ---- Calls ---- */

static graft__pickle_named *find_named(graft__pickle *p, const graft__value *v)
{
    return v->kind == GRAFT_VALUE_RECORD ? graft__map_get(&p->by_record, v->dict) : NULL;
}

static graft__value lent_dict(graft_dict *d)
{
    return (graft__value){.kind = d->container, .dict = d};
}

/* The call of something that is itself the result of a call: Python's operator.call(that, *args).
 * Takes over args. */
static bool call_result(graft__pickle *p, const graft__value *callable, graft_dict *args)
{
    graft__text name;
    graft__text_init(&name, p->g);
    if (p->r->audit)
        graft__value_repr(&name, callable, 300);
    const graft__value lent = lent_dict(args);
    bool ok = name.failed ? graft__pickle_no_memory(p, name.length)
                          : graft__audit_add(p->r, name.data ? name.data : "", &lent,
                                             (int64_t)p->op_at, true);
    graft__text_free(&name);
    const size_t from = p->depth;
    ok = ok && graft__pickle_push(p, graft__pickle_again(callable));
    for (size_t i = 0; ok && i < args->count; i++)
        ok = graft__pickle_push(p, graft__pickle_again(&args->entry[i].value));
    graft_dict *all = ok ? graft__pickle_gather(p, GRAFT_VALUE_TUPLE, from) : NULL;
    graft__pickle_cut(p, from);
    graft__pickle_drop_tuple(p, args);
    static const char call[] = "operator.call";
    graft_dict *d =
        all ? new_record(p->r, call, strlen(call), strlen("operator"), GRAFT__MADE_BY_CALL, all)
            : NULL;
    return d && graft__pickle_push(p, graft__dict_value(d));
}

/* Pushes what class(*args) gives, or class.__new__(class, *args). Takes over args. */
static bool call(graft__pickle *p, const graft__value *callable, graft_dict *args,
                 graft__making making)
{
    graft__pickle_named *n = find_named(p, callable);
    if (!n && callable->kind == GRAFT_VALUE_RECORD)
        return call_result(p, callable, args);
    if (!n) {
        graft__pickle_drop_tuple(p, args);
        return graft__pickle_fail(p, GRAFT_FAULT_PICKLE_VALUE,
                                  "calls something that is no class or function");
    }
    n->called = true;
    if (n->known && n->known->call && making != GRAFT__MADE_BY_NEW_EX) {
        graft__value out = {.kind = GRAFT_VALUE_NONE};
        p->r->pickle_global = n->known->name;
        const bool ok = n->known->call(p->r, args, &out) == GRAFT_OK;
        graft__pickle_drop_tuple(p, args);
        return ok && graft__pickle_lend(p, &out) && graft__pickle_push(p, out);
    }
    const graft__value lent = lent_dict(args);
    if (!n->known &&
        !graft__audit_add(p->r, n->record->class_name, &lent, (int64_t)p->op_at, true)) {
        graft__pickle_drop_tuple(p, args);
        return false;
    }
    return push_record(p, n->record, making, args);
}

/* Python calls the base's __new__ and __init__ with the state, which is harmless for its own types
 * alone. */
static bool note_base(graft__pickle *p, const graft__value *callable, graft_dict *args)
{
    graft__pickle_named *base = find_named(p, &args->entry[1].value);
    const graft__value lent = lent_dict(args);
    if (base)
        base->called = true;
    return (base && base->known) ||
           graft__audit_add(p->r, callable->dict->class_name, &lent, (int64_t)p->op_at, true);
}

/* Python's copyreg._reconstructor(cls, base, state), which protocols 0 and 1 make objects with: an
 * object of the class as NEWOBJ makes it and, if it is a list or dict too, with what is in it. */
static bool reconstruct(graft__pickle *p, const graft_dict *args)
{
    const graft__value *class_value = &args->entry[0].value, *base = &args->entry[1].value;
    const graft__value *state = &args->entry[2].value;
    const bool fills = state->kind == GRAFT_VALUE_LIST || state->kind == GRAFT_VALUE_DICT;
    const bool plain = base->kind == GRAFT_VALUE_RECORD &&
                       (graft__dict_is_class(base->dict, "__builtin__.object") ||
                        graft__dict_is_class(base->dict, "builtins.object"));
    const size_t from = p->depth;
    if (!plain && !fills && !graft__pickle_push(p, graft__pickle_again(state)))
        return false;
    graft_dict *inner = graft__pickle_gather(p, GRAFT_VALUE_TUPLE, from);
    if (!inner || !call(p, class_value, inner, GRAFT__MADE_BY_NEW))
        return false;
    graft_dict *made =
        graft__is_nested(graft__pickle_top(p)->kind) ? graft__pickle_top(p)->dict : NULL;
    if (!fills || !made ||
        (made->container != GRAFT_VALUE_RECORD && made->container != state->kind))
        return true;
    for (size_t i = 0; i < state->dict->count; i++) {
        const graft__entry *e = &state->dict->entry[i];
        if (graft__put_charged(p->r, made, &e->key, &e->value) != GRAFT_OK)
            return false;
    }
    return true;
}

static bool is_reconstructor(graft__pickle *p, const graft__value *callable, const graft_dict *args)
{
    const graft__pickle_named *n = find_named(p, callable);
    return n && args->count == 3 && find_named(p, &args->entry[0].value) &&
           (graft__dict_is_class(n->record, "copy_reg._reconstructor") ||
            graft__dict_is_class(n->record, "copyreg._reconstructor"));
}

/* The callable and its arguments, the two values on the top, become what the call gives. */
static bool call_top(graft__pickle *p, graft__making making)
{
    if (!graft__pickle_need(p, 2))
        return false;
    graft__value *top = graft__pickle_top(p);
    if (top->kind != GRAFT_VALUE_TUPLE)
        return graft__pickle_fail(p, GRAFT_FAULT_PICKLE_VALUE, "wants a tuple of arguments");
    graft_dict *args = top->dict;
    graft__value callable = top[-1];
    p->depth -= 2;
    bool ok;
    if (making == GRAFT__MADE_BY_CALL && is_reconstructor(p, &callable, args)) {
        find_named(p, &callable)->called = true;
        ok = note_base(p, &callable, args) && reconstruct(p, args);
        graft__pickle_drop_tuple(p, args);
    } else {
        ok = call(p, &callable, args, making);
    }
    graft__pickle_drop(p, &callable);
    return ok;
}

bool graft__pickle_op_reduce(graft__pickle *p, const graft__pickle_argument *a)
{
    (void)a;
    return call_top(p, GRAFT__MADE_BY_CALL);
}

bool graft__pickle_op_newobj(graft__pickle *p, const graft__pickle_argument *a)
{
    (void)a;
    return call_top(p, GRAFT__MADE_BY_NEW);
}

/* class, args, keywords: without keywords it is NEWOBJ. */
bool graft__pickle_op_newobj_ex(graft__pickle *p, const graft__pickle_argument *a)
{
    (void)a;
    if (!graft__pickle_need(p, 3))
        return false;
    const graft__value *keywords = graft__pickle_top(p);
    if (keywords->kind != GRAFT_VALUE_DICT || keywords[-1].kind != GRAFT_VALUE_TUPLE)
        return graft__pickle_fail(p, GRAFT_FAULT_PICKLE_VALUE,
                                  "wants a tuple of arguments and a dict of keywords");
    if (keywords->dict->count == 0) {
        graft__pickle_cut(p, p->depth - 1);
        return call_top(p, GRAFT__MADE_BY_NEW);
    }
    graft_dict *both = graft__pickle_gather(p, GRAFT_VALUE_TUPLE, p->depth - 2);
    return both && graft__pickle_push(p, graft__dict_value(both)) &&
           call_top(p, GRAFT__MADE_BY_NEW_EX);
}

bool graft__pickle_op_inst(graft__pickle *p, const graft__pickle_argument *a)
{
    size_t from;
    if (!graft__pickle_unmark(p, &from))
        return false;
    graft_dict *args = graft__pickle_gather(p, GRAFT_VALUE_TUPLE, from);
    if (!args || !graft__pickle_op_global(p, a)) {
        graft__dict_unref(args);
        return false;
    }
    return graft__pickle_push(p, graft__dict_value(args)) && call_top(p, GRAFT__MADE_BY_CALL);
}

bool graft__pickle_op_obj(graft__pickle *p, const graft__pickle_argument *a)
{
    (void)a;
    size_t from;
    if (!graft__pickle_unmark(p, &from))
        return false;
    if (from == p->depth)
        return graft__pickle_fail(p, GRAFT_FAULT_PICKLE_STACK,
                                  "wants a class above its MARK: there is none");
    graft_dict *args = graft__pickle_gather(p, GRAFT_VALUE_TUPLE, from + 1);
    return args && graft__pickle_push(p, graft__dict_value(args)) &&
           call_top(p, GRAFT__MADE_BY_CALL);
}

/* A class by a number that only the program that wrote it knows. */
bool graft__pickle_op_ext(graft__pickle *p, const graft__pickle_argument *a)
{
    static const char name[] = "copyreg.extension";
    if (!graft__pickle_push(p, graft__int_value((int64_t)a->number)))
        return false;
    graft_dict *args = graft__pickle_gather(p, GRAFT_VALUE_TUPLE, p->depth - 1);
    if (!args)
        return false;
    const graft__value lent = lent_dict(args);
    if (!graft__audit_add(p->r, name, &lent, (int64_t)p->op_at, false)) {
        graft__dict_unref(args);
        return false;
    }
    graft_dict *d =
        new_record(p->r, name, strlen(name), strlen("copyreg"), GRAFT__MADE_BY_CALL, args);
    return d && graft__pickle_push(p, graft__dict_value(d));
}

/* ---- Persistent ids ---- */

static bool push_persistent(graft__pickle *p, graft__value id)
{
    graft__value out = {.kind = GRAFT_VALUE_NONE};
    bool ok = true;
    if (!p->host || !p->host->persistent)
        ok = graft__pickle_fail(p, GRAFT_FAULT_PICKLE_OPCODE,
                                "wants a persistent id: there are none in such a file");
    ok = ok && p->host->persistent(p, p->host->user, &id, &out) == GRAFT_OK;
    graft__pickle_drop(p, &id);
    return ok && graft__pickle_lend(p, &out) && graft__pickle_push(p, out);
}

bool graft__pickle_op_persid(graft__pickle *p, const graft__pickle_argument *a)
{
    if (!graft__pickle_is_utf8(a->text, a->length))
        return graft__pickle_fail(p, GRAFT_FAULT_PICKLE_VALUE, "has a text that is not UTF-8");
    return push_persistent(
        p, (graft__value){.kind = GRAFT_VALUE_STRING,
                          .text = {.data = (char *)(uintptr_t)a->text, .length = a->length}});
}

bool graft__pickle_op_binpersid(graft__pickle *p, const graft__pickle_argument *a)
{
    (void)a;
    if (!graft__pickle_need(p, 1))
        return false;
    return push_persistent(p, p->stack[--p->depth]);
}
