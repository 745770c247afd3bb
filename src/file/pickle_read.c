/* The table of opcodes, and the loop over a pickle. */
#include "file/pickle_machine.h"

#include <string.h>

#include "file/audit.h"

/* ---- Arguments ---- */

static bool read_line(const unsigned char *bytes, size_t size, size_t *at,
                      const unsigned char **text, size_t *length)
{
    const unsigned char *end = size > *at ? memchr(bytes + *at, '\n', size - *at) : NULL;
    if (!end)
        return false;
    *text = bytes + *at;
    *length = (size_t)(end - *text);
    *at += *length + 1;
    return true;
}

bool graft__pickle_lines_read(const unsigned char *bytes, size_t size, size_t *at, bool two,
                              graft__pickle_argument *out)
{
    return read_line(bytes, size, at, &out->text, &out->length) &&
           (!two || read_line(bytes, size, at, &out->second, &out->second_length));
}

/* ---- Small opcodes ---- */

static bool op_mark(graft__pickle *p, const graft__pickle_argument *a)
{
    (void)a;
    if (!graft__pickle_reserve(p, (void **)&p->mark, p->marks, &p->mark_capacity, sizeof *p->mark))
        return false;
    p->mark[p->marks++] = p->depth;
    p->floor = p->depth;
    return true;
}

/* A mark on the top goes as a value would. */
static bool op_pop(graft__pickle *p, const graft__pickle_argument *a)
{
    (void)a;
    size_t from;
    if (p->marks > 0 && p->depth == p->floor)
        return graft__pickle_unmark(p, &from);
    if (!graft__pickle_need(p, 1))
        return false;
    graft__pickle_cut(p, p->depth - 1);
    return true;
}

static bool op_pop_mark(graft__pickle *p, const graft__pickle_argument *a)
{
    (void)a;
    size_t from;
    if (!graft__pickle_unmark(p, &from))
        return false;
    graft__pickle_cut(p, from);
    return true;
}

static bool op_dup(graft__pickle *p, const graft__pickle_argument *a)
{
    (void)a;
    if (!graft__pickle_need(p, 1))
        return false;
    const graft__value *top = graft__pickle_top(p);
    return (!graft__is_nested(top->kind) || graft__pickle_share(p, top->dict)) &&
           graft__pickle_push(p, graft__pickle_again(top));
}

static bool op_none(graft__pickle *p, const graft__pickle_argument *a)
{
    (void)a;
    return graft__pickle_push(p, (graft__value){.kind = GRAFT_VALUE_NONE});
}

static bool op_true(graft__pickle *p, const graft__pickle_argument *a)
{
    (void)a;
    return graft__pickle_push(p, (graft__value){.kind = GRAFT_VALUE_BOOL, .boolean = true});
}

static bool op_false(graft__pickle *p, const graft__pickle_argument *a)
{
    (void)a;
    return graft__pickle_push(p, (graft__value){.kind = GRAFT_VALUE_BOOL, .boolean = false});
}

static bool op_proto(graft__pickle *p, const graft__pickle_argument *a)
{
    return a->number <= 5 ||
           graft__pickle_fail(p, GRAFT_FAULT_UNSUPPORTED, "says protocol %u: 0 to 5 are read",
                              (unsigned)a->number);
}

static bool op_frame(graft__pickle *p, const graft__pickle_argument *a)
{
    return a->number <= p->size - p->at ||
           graft__pickle_fail(p, GRAFT_FAULT_TRUNCATED, "is of %llu bytes, of which %zu are there",
                              (unsigned long long)a->number, p->size - p->at);
}

static bool op_buffer(graft__pickle *p, const graft__pickle_argument *a)
{
    (void)a;
    return graft__pickle_fail(p, GRAFT_FAULT_PICKLE_OPCODE,
                              "wants a buffer from beside the pickle: there is none in a file");
}

/* ---- The table ---- */

#define NOTHING GRAFT__PICKLE_NOTHING
#define LINE GRAFT__PICKLE_LINE
const graft__pickle_opcode graft__pickle_opcodes[256] = {
    ['('] = {"MARK", NOTHING, op_mark},
    ['.'] = {"STOP", NOTHING, NULL},
    ['0'] = {"POP", NOTHING, op_pop},
    ['1'] = {"POP_MARK", NOTHING, op_pop_mark},
    ['2'] = {"DUP", NOTHING, op_dup},
    ['F'] = {"FLOAT", LINE, graft__pickle_op_float},
    ['I'] = {"INT", LINE, graft__pickle_op_int},
    ['J'] = {"BININT", GRAFT__PICKLE_U32, graft__pickle_op_binint},
    ['K'] = {"BININT1", GRAFT__PICKLE_U8, graft__pickle_op_small_int},
    ['L'] = {"LONG", LINE, graft__pickle_op_long},
    ['M'] = {"BININT2", GRAFT__PICKLE_U16, graft__pickle_op_small_int},
    ['N'] = {"NONE", NOTHING, op_none},
    ['P'] = {"PERSID", LINE, graft__pickle_op_persid},
    ['Q'] = {"BINPERSID", NOTHING, graft__pickle_op_binpersid},
    ['R'] = {"REDUCE", NOTHING, graft__pickle_op_reduce},
    ['S'] = {"STRING", LINE, graft__pickle_op_string},
    ['T'] = {"BINSTRING", GRAFT__PICKLE_TEXT32, graft__pickle_op_binstring},
    ['U'] = {"SHORT_BINSTRING", GRAFT__PICKLE_TEXT8, graft__pickle_op_short_binstring},
    ['V'] = {"UNICODE", LINE, graft__pickle_op_unicode},
    ['X'] = {"BINUNICODE", GRAFT__PICKLE_TEXT32, graft__pickle_op_binunicode},
    ['a'] = {"APPEND", NOTHING, graft__pickle_op_append},
    ['b'] = {"BUILD", NOTHING, graft__pickle_op_build},
    ['c'] = {"GLOBAL", GRAFT__PICKLE_LINES, graft__pickle_op_global},
    ['d'] = {"DICT", NOTHING, graft__pickle_op_dict},
    ['}'] = {"EMPTY_DICT", NOTHING, graft__pickle_op_empty_dict},
    ['e'] = {"APPENDS", NOTHING, graft__pickle_op_appends},
    ['g'] = {"GET", LINE, graft__pickle_op_get_line},
    ['h'] = {"BINGET", GRAFT__PICKLE_U8, graft__pickle_op_get},
    ['i'] = {"INST", GRAFT__PICKLE_LINES, graft__pickle_op_inst},
    ['j'] = {"LONG_BINGET", GRAFT__PICKLE_U32, graft__pickle_op_get},
    ['l'] = {"LIST", NOTHING, graft__pickle_op_list},
    [']'] = {"EMPTY_LIST", NOTHING, graft__pickle_op_empty_list},
    ['o'] = {"OBJ", NOTHING, graft__pickle_op_obj},
    ['p'] = {"PUT", LINE, graft__pickle_op_put_line},
    ['q'] = {"BINPUT", GRAFT__PICKLE_U8, graft__pickle_op_put},
    ['r'] = {"LONG_BINPUT", GRAFT__PICKLE_U32, graft__pickle_op_put},
    ['s'] = {"SETITEM", NOTHING, graft__pickle_op_setitem},
    ['t'] = {"TUPLE", NOTHING, graft__pickle_op_tuple},
    [')'] = {"EMPTY_TUPLE", NOTHING, graft__pickle_op_empty_tuple},
    ['u'] = {"SETITEMS", NOTHING, graft__pickle_op_setitems},
    ['G'] = {"BINFLOAT", GRAFT__PICKLE_U64, graft__pickle_op_binfloat},
    /* protocol 2 */
    [0x80] = {"PROTO", GRAFT__PICKLE_U8, op_proto},
    [0x81] = {"NEWOBJ", NOTHING, graft__pickle_op_newobj},
    [0x82] = {"EXT1", GRAFT__PICKLE_U8, graft__pickle_op_ext},
    [0x83] = {"EXT2", GRAFT__PICKLE_U16, graft__pickle_op_ext},
    [0x84] = {"EXT4", GRAFT__PICKLE_U32, graft__pickle_op_ext},
    [0x85] = {"TUPLE1", NOTHING, graft__pickle_op_tuple1},
    [0x86] = {"TUPLE2", NOTHING, graft__pickle_op_tuple2},
    [0x87] = {"TUPLE3", NOTHING, graft__pickle_op_tuple3},
    [0x88] = {"NEWTRUE", NOTHING, op_true},
    [0x89] = {"NEWFALSE", NOTHING, op_false},
    [0x8a] = {"LONG1", GRAFT__PICKLE_TEXT8, graft__pickle_op_long1},
    [0x8b] = {"LONG4", GRAFT__PICKLE_TEXT32, graft__pickle_op_long4},
    /* protocol 3 */
    ['B'] = {"BINBYTES", GRAFT__PICKLE_TEXT32, graft__pickle_op_binbytes},
    ['C'] = {"SHORT_BINBYTES", GRAFT__PICKLE_TEXT8, graft__pickle_op_binbytes},
    /* protocol 4 */
    [0x8c] = {"SHORT_BINUNICODE", GRAFT__PICKLE_TEXT8, graft__pickle_op_binunicode},
    [0x8d] = {"BINUNICODE8", GRAFT__PICKLE_TEXT64, graft__pickle_op_binunicode},
    [0x8e] = {"BINBYTES8", GRAFT__PICKLE_TEXT64, graft__pickle_op_binbytes},
    [0x8f] = {"EMPTY_SET", NOTHING, graft__pickle_op_empty_set},
    [0x90] = {"ADDITEMS", NOTHING, graft__pickle_op_additems},
    [0x91] = {"FROZENSET", NOTHING, graft__pickle_op_frozenset},
    [0x92] = {"NEWOBJ_EX", NOTHING, graft__pickle_op_newobj_ex},
    [0x93] = {"STACK_GLOBAL", NOTHING, graft__pickle_op_stack_global},
    [0x94] = {"MEMOIZE", NOTHING, graft__pickle_op_memoize},
    [0x95] = {"FRAME", GRAFT__PICKLE_U64, op_frame},
    /* protocol 5 */
    [0x96] = {"BYTEARRAY8", GRAFT__PICKLE_TEXT64, graft__pickle_op_binbytes},
    [0x97] = {"NEXT_BUFFER", NOTHING, op_buffer},
    [0x98] = {"READONLY_BUFFER", NOTHING, op_buffer},
};
#undef NOTHING
#undef LINE

/* ---- The loop ---- */

static bool ends_early(graft__pickle *p, const graft__pickle_argument *a)
{
    if (a->truncated)
        return graft__pickle_fail(
            p, GRAFT_FAULT_TRUNCATED, "has a text of %llu bytes, of which %zu are there",
            (unsigned long long)a->number, p->size - (size_t)(a->text - p->bytes));
    return graft__pickle_fail(p, GRAFT_FAULT_TRUNCATED, "is cut off: the pickle ends at byte %zu",
                              p->size);
}

/* One opcode; *stop: it was STOP. */
static bool step(graft__pickle *p, bool *stop)
{
    graft__pickle_argument a;
    a.truncated = false;
    p->op_at = p->at;
    p->r->pickle_offset = (int64_t)p->at;
    if (p->at >= p->size) {
        graft__fault(p->r, GRAFT_FAULT_TRUNCATED, (int64_t)p->at,
                     "the pickle ends without its STOP");
        return false;
    }
    const unsigned char op = p->bytes[p->at++];
    const graft__pickle_opcode *o = &graft__pickle_opcodes[op];
    if (op == '.') {
        *stop = true;
        return graft__pickle_need(p, 1);
    }
    if (!o->name) {
        graft__fault(p->r, GRAFT_FAULT_PICKLE_OPCODE, (int64_t)p->op_at,
                     "0x%02x is no opcode of a pickle", op);
        return false;
    }
    if (!graft__pickle_argument_read(p->bytes, p->size, &p->at, o->shape, &a))
        return ends_early(p, &a);
    return o->run(p, &a);
}

enum { STEPS_BETWEEN_CALLS = 1 << 20 };

static bool run(graft__pickle *p)
{
    bool stop = false;
    for (unsigned left = STEPS_BETWEEN_CALLS; step(p, &stop); left--) {
        if (stop)
            return true;
        if (left == 0) { /* what else may end a pickle made to take long */
            if (!graft__advance(p->r, 0))
                return false;
            left = STEPS_BETWEEN_CALLS;
        }
    }
    return false;
}

static void close(graft__pickle *p, bool failed)
{
    graft_ctx *g = p->g;
    graft__pickle_cut(p, 0);
    graft__pickle_memo_close(p);
    for (size_t i = 0; i < p->shared_count; i++) {
        if (failed) /* some may contain themselves and would never go */
            graft__dict_clear(p->shared[i].dict);
        graft__dict_unref(p->shared[i].dict);
    }
    for (size_t i = 0; i < p->named_count; i++) {
        graft__dict_unref(p->named[i]->record);
        graft__free(g, p->named[i], sizeof *p->named[i]);
    }
    for (size_t size = 0; size < GRAFT__PICKLE_SPARE_SIZE; size++)
        while (p->spares[size] > 0)
            graft__dict_unref(p->spare[size][--p->spares[size]]);
    for (size_t i = 0; i < p->texts; i++)
        graft__value_drop(g, &p->text[i]);
    graft__map_free(&p->by_record);
    graft__free(g, p->stack, p->capacity * sizeof *p->stack);
    graft__free(g, p->mark, p->mark_capacity * sizeof *p->mark);
    graft__free(g, p->text, p->text_capacity * sizeof *p->text);
    graft__free(g, p->shared, p->shared_capacity * sizeof *p->shared);
    graft__free(g, p->named, p->named_capacity * sizeof *p->named);
    graft__free(g, p->array, p->array_capacity * sizeof *p->array);
}

/* The value on the top as the caller's. */
static bool take_result(graft__pickle *p, graft__value *out)
{
    *out = p->stack[--p->depth];
    if (!graft__pickle_own(p, out))
        return false;
    if (graft__pickle_check(p, out))
        return true;
    /* What the clearing leaves of it must not be held by the caller. */
    graft__value_drop(p->g, out);
    return false;
}

graft_status graft__pickle_read(graft__reading *r, const graft__pickle_host *host,
                                const unsigned char *bytes, size_t size, size_t *at,
                                graft__value *out)
{
    graft__pickle p = {.r = r,
                       .g = r->g,
                       .host = host,
                       .bytes = bytes,
                       .size = size,
                       .at = *at,
                       .start = *at,
                       .op_at = *at};
    const size_t lines = graft__audit_count(r);
    *out = (graft__value){.kind = GRAFT_VALUE_NONE};
    graft__map_init(&p.by_record, r->g);
    bool ok = graft__pickle_memo_open(&p) && run(&p) && take_result(&p, out);
    const bool noted = graft__pickle_note_named(&p);
    graft__audit_sort(r, lines);
    *at = p.at;
    close(&p, !ok);
    r->pickle_offset = -1;
    if (ok && !noted) {
        graft__value_drop(r->g, out);
        ok = false;
    }
    return ok ? GRAFT_OK : graft_error_status(r->g);
}
