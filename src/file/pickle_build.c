/* Containers: making them, filling them, and the state of objects. */
#include "file/pickle_machine.h"

#include <string.h>

#define FROZENSET "builtins.frozenset"

static const char *word_for(graft_value_kind kind)
{
    static const char *const word[] = {
        [GRAFT_VALUE_NONE] = "None",       [GRAFT_VALUE_BOOL] = "a bool",
        [GRAFT_VALUE_INT] = "an int",      [GRAFT_VALUE_FLOAT] = "a float",
        [GRAFT_VALUE_STRING] = "a string", [GRAFT_VALUE_TENSOR] = "a tensor",
        [GRAFT_VALUE_DICT] = "a dict",     [GRAFT_VALUE_LIST] = "a list",
        [GRAFT_VALUE_TUPLE] = "a tuple",   [GRAFT_VALUE_SET] = "a set",
        [GRAFT_VALUE_RECORD] = "a record", [GRAFT_VALUE_BYTES] = "bytes",
        [GRAFT_VALUE_BIG_INT] = "an int",  [GRAFT_VALUE_COMPLEX] = "a complex number",
    };
    return word[kind];
}

/* ---- Making ---- */

static bool push_new(graft__pickle *p, graft_value_kind container)
{
    if (!graft__pickle_charge(p, GRAFT__PICKLE_CONTAINER_COST))
        return false;
    graft_dict *d = graft__container_new(p->g, container);
    return d && graft__pickle_push(p, graft__dict_value(d));
}

static bool push_gathered(graft__pickle *p, graft_value_kind container, size_t from)
{
    graft_dict *d = graft__pickle_gather(p, container, from);
    return d && graft__pickle_push(p, graft__dict_value(d));
}

bool graft__pickle_op_empty_list(graft__pickle *p, const graft__pickle_argument *a)
{
    (void)a;
    return push_new(p, GRAFT_VALUE_LIST);
}

bool graft__pickle_op_empty_dict(graft__pickle *p, const graft__pickle_argument *a)
{
    (void)a;
    return push_new(p, GRAFT_VALUE_DICT);
}

bool graft__pickle_op_empty_set(graft__pickle *p, const graft__pickle_argument *a)
{
    (void)a;
    return push_new(p, GRAFT_VALUE_SET);
}

bool graft__pickle_op_empty_tuple(graft__pickle *p, const graft__pickle_argument *a)
{
    (void)a;
    return push_gathered(p, GRAFT_VALUE_TUPLE, p->depth);
}

bool graft__pickle_op_list(graft__pickle *p, const graft__pickle_argument *a)
{
    (void)a;
    size_t from;
    return graft__pickle_unmark(p, &from) && push_gathered(p, GRAFT_VALUE_LIST, from);
}

bool graft__pickle_op_tuple(graft__pickle *p, const graft__pickle_argument *a)
{
    (void)a;
    size_t from;
    return graft__pickle_unmark(p, &from) && push_gathered(p, GRAFT_VALUE_TUPLE, from);
}

static bool push_tuple(graft__pickle *p, size_t count)
{
    return graft__pickle_need(p, count) && push_gathered(p, GRAFT_VALUE_TUPLE, p->depth - count);
}

bool graft__pickle_op_tuple1(graft__pickle *p, const graft__pickle_argument *a)
{
    (void)a;
    return push_tuple(p, 1);
}

bool graft__pickle_op_tuple2(graft__pickle *p, const graft__pickle_argument *a)
{
    (void)a;
    return push_tuple(p, 2);
}

bool graft__pickle_op_tuple3(graft__pickle *p, const graft__pickle_argument *a)
{
    (void)a;
    return push_tuple(p, 3);
}

/* ---- Filling ---- */

enum { KEY_DEPTH = 8, KEY_VALUES = 256 };

/* Counts what is in a tuple, also in those inside; false beyond the bounds or at what has no hash.
 */
static bool count_key(const graft__value *key, int depth, int *left, const char **problem)
{
    if (key->kind == GRAFT_VALUE_LIST || key->kind == GRAFT_VALUE_DICT) {
        *problem = "a list or dict as a key, which Python refuses";
        return false;
    }
    if (key->kind != GRAFT_VALUE_TUPLE)
        return true;
    for (size_t i = 0; i < key->dict->count; i++) {
        if (depth == 0 || --*left < 0) {
            *problem = "a tuple as a key that is too large or nested too deeply";
            return false;
        }
        if (!count_key(&key->dict->entry[i].value, depth - 1, left, problem))
            return false;
    }
    return true;
}

const char *graft__pickle_key_problem(const graft__value *key)
{
    const char *problem = NULL;
    int left = KEY_VALUES;
    count_key(key, KEY_DEPTH, &left, &problem);
    return problem;
}

/* Moves the values from `from` on into a list, set or record. */
static bool append_all(graft__pickle *p, graft_dict *to, size_t from)
{
    bool ok = graft__pickle_charge(p, (uint64_t)(p->depth - from) * GRAFT__PICKLE_ENTRY_COST);
    for (size_t i = from; ok && i < p->depth; i++) {
        graft__value v = p->stack[i];
        p->stack[i].kind = GRAFT_VALUE_NONE;
        ok = graft__pickle_own(p, &v) &&
             graft__dict_append(to, p->r->op, graft__int_value((int64_t)to->count), v) == GRAFT_OK;
    }
    graft__pickle_cut(p, from);
    return ok;
}

/* Moves the keys and values from `from` on into a dict or record. */
static bool put_all(graft__pickle *p, graft_dict *to, size_t from)
{
    if ((p->depth - from) % 2 != 0)
        return graft__pickle_fail(p, GRAFT_FAULT_PICKLE_STACK,
                                  "wants keys and values: there are %zu values", p->depth - from);
    bool ok = graft__pickle_charge(p, (uint64_t)(p->depth - from) / 2 * GRAFT__PICKLE_ENTRY_COST);
    for (size_t i = from; ok && i < p->depth; i += 2) {
        const char *problem = graft__pickle_key_problem(&p->stack[i]);
        if (problem) {
            ok = graft__pickle_fail(p, GRAFT_FAULT_PICKLE_VALUE, "has %s", problem);
            break;
        }
        graft__value key = p->stack[i], value = p->stack[i + 1];
        p->stack[i].kind = p->stack[i + 1].kind = GRAFT_VALUE_NONE;
        ok = graft__pickle_own(p, &key);
        if (!ok) {
            graft__pickle_drop(p, &value);
            break;
        }
        ok = graft__pickle_own(p, &value);
        if (!ok) {
            graft__value_drop(p->g, &key);
            break;
        }
        ok = graft__dict_put(to, p->r->op, key, value) == GRAFT_OK;
    }
    graft__pickle_cut(p, from);
    return ok;
}

/* What the values from `from` on go into: the value below them, of that kind or a record. */
static graft_dict *target(graft__pickle *p, size_t from, graft_value_kind kind)
{
    const size_t floor = p->marks > 0 ? p->mark[p->marks - 1] : 0;
    if (from <= floor) {
        graft__pickle_fail(p, GRAFT_FAULT_PICKLE_STACK, "wants %s below the values: there is none",
                           word_for(kind));
        return NULL;
    }
    const graft__value *v = &p->stack[from - 1];
    if (v->kind == kind || v->kind == GRAFT_VALUE_RECORD)
        return v->dict;
    graft__pickle_fail(p, GRAFT_FAULT_PICKLE_VALUE, "wants %s below the values, not %s",
                       word_for(kind), word_for(v->kind));
    return NULL;
}

/* Objects of classes that nobody knows are filled by methods of theirs. */
static bool note(graft__pickle *p, const graft_dict *to, const char *method, size_t from)
{
    if (to->container != GRAFT_VALUE_RECORD || from == p->depth)
        return true;
    return graft__pickle_note_change(p, to, method, &p->stack[from]);
}

bool graft__pickle_op_append(graft__pickle *p, const graft__pickle_argument *a)
{
    (void)a;
    if (!graft__pickle_need(p, 2))
        return false;
    graft_dict *to = target(p, p->depth - 1, GRAFT_VALUE_LIST);
    return to && note(p, to, "append", p->depth - 1) && append_all(p, to, p->depth - 1);
}

bool graft__pickle_op_appends(graft__pickle *p, const graft__pickle_argument *a)
{
    (void)a;
    size_t from;
    if (!graft__pickle_unmark(p, &from))
        return false;
    graft_dict *to = target(p, from, GRAFT_VALUE_LIST);
    return to && note(p, to, "extend", from) && append_all(p, to, from);
}

bool graft__pickle_op_additems(graft__pickle *p, const graft__pickle_argument *a)
{
    (void)a;
    size_t from;
    if (!graft__pickle_unmark(p, &from))
        return false;
    graft_dict *to = target(p, from, GRAFT_VALUE_SET);
    for (size_t i = from; to && i < p->depth; i++) {
        const char *problem = graft__pickle_key_problem(&p->stack[i]);
        if (problem)
            return graft__pickle_fail(p, GRAFT_FAULT_PICKLE_VALUE, "has %s", problem);
    }
    return to && note(p, to, "add", from) && append_all(p, to, from);
}

bool graft__pickle_op_setitem(graft__pickle *p, const graft__pickle_argument *a)
{
    (void)a;
    if (!graft__pickle_need(p, 3))
        return false;
    graft_dict *to = target(p, p->depth - 2, GRAFT_VALUE_DICT);
    return to && note(p, to, "__setitem__", p->depth - 2) && put_all(p, to, p->depth - 2);
}

bool graft__pickle_op_setitems(graft__pickle *p, const graft__pickle_argument *a)
{
    (void)a;
    size_t from;
    if (!graft__pickle_unmark(p, &from))
        return false;
    graft_dict *to = target(p, from, GRAFT_VALUE_DICT);
    return to && note(p, to, "__setitem__", from) && put_all(p, to, from);
}

bool graft__pickle_op_dict(graft__pickle *p, const graft__pickle_argument *a)
{
    (void)a;
    size_t from;
    if (!graft__pickle_unmark(p, &from) || !graft__pickle_charge(p, GRAFT__PICKLE_CONTAINER_COST))
        return false;
    graft_dict *d = graft__dict_new(p->g);
    if (!d)
        return false;
    if (put_all(p, d, from))
        return graft__pickle_push(p, graft__dict_value(d));
    graft__dict_unref(d);
    return false;
}

bool graft__pickle_op_frozenset(graft__pickle *p, const graft__pickle_argument *a)
{
    (void)a;
    size_t from;
    if (!graft__pickle_unmark(p, &from))
        return false;
    for (size_t i = from; i < p->depth; i++) {
        const char *problem = graft__pickle_key_problem(&p->stack[i]);
        if (problem)
            return graft__pickle_fail(p, GRAFT_FAULT_PICKLE_VALUE, "has %s", problem);
    }
    graft_dict *d = graft__pickle_gather(p, GRAFT_VALUE_SET, from);
    if (!d)
        return false;
    if (graft__pickle_charge(p, sizeof FROZENSET) &&
        graft__dict_set_class(d, p->r->op, FROZENSET, strlen(FROZENSET), strlen("builtins")))
        return graft__pickle_push(p, graft__dict_value(d));
    graft__dict_unref(d);
    return false;
}

/* ---- State ---- */

/* Puts the entries of `from` into `to`: fields of one object that come in two dicts. */
static bool merge(graft__pickle *p, graft_dict *to, const graft_dict *from)
{
    for (size_t i = 0; i < from->count; i++)
        if (graft__put_charged(p->r, to, &from->entry[i].key, &from->entry[i].value) != GRAFT_OK)
            return false;
    return true;
}

/* Adds a dict of fields to what d has of them. The dict may be held elsewhere too, so that only one
 * that was made here is added to. */
static bool add_fields(graft__pickle *p, graft_dict *d, graft_dict *fields)
{
    if (!d->attributes) {
        graft__ref(&fields->object);
        d->attributes = fields;
        return true;
    }
    if (d->attributes->container != GRAFT_VALUE_DICT)
        return graft__pickle_fail(p, GRAFT_FAULT_PICKLE_VALUE,
                                  "gives fields to an object whose state is no dict");
    graft_dict *both =
        graft__pickle_charge(p, GRAFT__PICKLE_CONTAINER_COST) ? graft__dict_new(p->g) : NULL;
    if (!both)
        return false;
    if (!merge(p, both, d->attributes) || !merge(p, both, fields)) {
        graft__dict_unref(both);
        return false;
    }
    graft__dict_unref(d->attributes);
    d->attributes = both;
    return true;
}

static bool is_fields(const graft__value *v)
{
    return v->kind == GRAFT_VALUE_DICT || v->kind == GRAFT_VALUE_NONE;
}

/* A state that is no dict: the attributes are a tuple of it alone. */
static bool set_state(graft__pickle *p, graft_dict *d)
{
    if (d->attributes)
        return graft__pickle_fail(p, GRAFT_FAULT_PICKLE_VALUE, "gives one object two states");
    d->attributes = graft__pickle_gather(p, GRAFT_VALUE_TUPLE, p->depth - 1);
    return d->attributes != NULL;
}

/* The state on the top of the stack becomes d's. Python does the same without a __setstate__: a
 * dict are the fields; of a pair, the second are those in __slots__. */
static bool apply_state(graft__pickle *p, graft_dict *d)
{
    const graft__value *state = graft__pickle_top(p);
    if (state->kind == GRAFT_VALUE_DICT) {
        if (!add_fields(p, d, state->dict))
            return false;
    } else if (state->kind == GRAFT_VALUE_TUPLE && state->dict->count == 2 &&
               is_fields(&state->dict->entry[0].value) && is_fields(&state->dict->entry[1].value)) {
        for (size_t i = 0; i < 2; i++) {
            const graft__value *fields = &state->dict->entry[i].value;
            if (fields->kind == GRAFT_VALUE_DICT && !add_fields(p, d, fields->dict))
                return false;
        }
    } else {
        return set_state(p, d);
    }
    graft__pickle_cut(p, p->depth - 1);
    return true;
}

/* What the memo has of the record is the tensor from now on. */
static void replace_in_memo(graft__pickle *p, const graft_dict *record, const graft__value *v)
{
    for (size_t i = p->arrays; i-- > 0;) {
        if (p->array[i].record != record)
            continue;
        graft__pickle_slot *slot = graft__pickle_memo_find(p, p->array[i].number);
        if (slot && slot->filled && slot->value.kind == GRAFT_VALUE_RECORD &&
            slot->value.dict == record) {
            graft__pickle_drop(p, &slot->value);
            slot->value = graft__pickle_again(v);
        }
        p->array[i] = p->array[--p->arrays];
    }
}

/* An array of NumPy's becomes a tensor where graft has its dtype. */
static bool build_array(graft__pickle *p)
{
    graft__value *state = graft__pickle_top(p), *array = state - 1, tensor;
    if (state->kind != GRAFT_VALUE_TUPLE)
        return apply_state(p, array->dict);
    if (graft__numpy_array(p->r, state->dict, &tensor) != GRAFT_OK)
        return false;
    if (tensor.kind == GRAFT_VALUE_NONE)
        return apply_state(p, array->dict);
    replace_in_memo(p, array->dict, &tensor);
    graft__pickle_drop(p, array);
    *array = tensor;
    graft__pickle_cut(p, p->depth - 1);
    return true;
}

bool graft__pickle_op_build(graft__pickle *p, const graft__pickle_argument *a)
{
    (void)a;
    if (!graft__pickle_need(p, 2))
        return false;
    const graft__value *state = graft__pickle_top(p), *object = state - 1;
    graft_dict *d = graft__is_nested(object->kind) ? object->dict : NULL;
    if (d && graft__is_numpy_array(d))
        return build_array(p);
    if (object->kind == GRAFT_VALUE_TENSOR) {
        /* PyTorch's own tensors have none: what a class of somebody's adds to them is told, but a
         * tensor has no place for it. */
        if (!graft__pickle_note_change(p, NULL, "torch.Tensor.__setstate__", state))
            return false;
        graft__pickle_cut(p, p->depth - 1);
        return true;
    }
    if (!d || !d->class_name)
        return graft__pickle_fail(p, GRAFT_FAULT_PICKLE_VALUE, "gives %s a state, which has none",
                                  word_for(object->kind));
    return (object->kind != GRAFT_VALUE_RECORD ||
            graft__pickle_note_change(p, d, "__setstate__", state)) &&
           apply_state(p, d);
}
