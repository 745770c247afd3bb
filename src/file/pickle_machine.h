/* The pickle interpreter's insides. Files: pickle_read.c (the table of opcodes and the loop),
 * pickle_machine.c (its life, stack and memory), pickle_memo.c, pickle_number.c and pickle_text.c
 * (what opcodes carry), pickle_build.c (containers and state), pickle_call.c (globals and calls),
 * pickle_check.c (what contains itself). */
#ifndef GRAFT__FILE_PICKLE_MACHINE_H
#define GRAFT__FILE_PICKLE_MACHINE_H

#include "base/map.h"
#include "file/pickle.h"
#include "file/pickle_globals.h"

/* What stands behind an opcode. */
typedef struct graft__pickle_argument {
    uint64_t number;
    const unsigned char *text, *second; /* in the pickle; second: INST's and GLOBAL's other line */
    size_t length, second_length;
    bool truncated; /* of a text: it says it has number bytes, which are not there */
} graft__pickle_argument;

typedef enum graft__pickle_shape {
    GRAFT__PICKLE_NOTHING = 0,
    GRAFT__PICKLE_U8,     /* number: of 1 byte, */
    GRAFT__PICKLE_U16,    /* 2, */
    GRAFT__PICKLE_U32,    /* 4, */
    GRAFT__PICKLE_U64,    /* 8, little-endian */
    GRAFT__PICKLE_LINE,   /* text up to a newline */
    GRAFT__PICKLE_LINES,  /* text and second, a line each */
    GRAFT__PICKLE_TEXT8,  /* text behind its length of 1 byte, */
    GRAFT__PICKLE_TEXT32, /* 4, */
    GRAFT__PICKLE_TEXT64  /* 8 */
} graft__pickle_shape;

/* A line or two of text behind an opcode. */
bool graft__pickle_lines_read(const unsigned char *bytes, size_t size, size_t *at, bool two,
                              graft__pickle_argument *out);

/* Reads what stands behind an opcode from bytes[*at] on: those fields of *out that the shape has.
 * false, without an error set, if it is not all there. Inline, as it runs twice for every opcode.
 */
static inline bool graft__pickle_argument_read(const unsigned char *bytes, size_t size, size_t *at,
                                               graft__pickle_shape shape,
                                               graft__pickle_argument *out)
{
    static const unsigned char widths[] = {
        [GRAFT__PICKLE_NOTHING] = 0, [GRAFT__PICKLE_U8] = 1,    [GRAFT__PICKLE_U16] = 2,
        [GRAFT__PICKLE_U32] = 4,     [GRAFT__PICKLE_U64] = 8,   [GRAFT__PICKLE_TEXT8] = 1,
        [GRAFT__PICKLE_TEXT32] = 4,  [GRAFT__PICKLE_TEXT64] = 8};
    if (shape == GRAFT__PICKLE_NOTHING)
        return true;
    if (shape == GRAFT__PICKLE_LINE || shape == GRAFT__PICKLE_LINES)
        return graft__pickle_lines_read(bytes, size, at, shape == GRAFT__PICKLE_LINES, out);
    const size_t width = widths[shape];
    if (size - *at < width)
        return false;
    const unsigned char *number = bytes + *at;
    *at += width;
    out->number = width == 1   ? number[0]
                  : width == 2 ? graft__le16(number)
                  : width == 4 ? graft__le32(number)
                               : graft__le64(number);
    if (shape < GRAFT__PICKLE_TEXT8)
        return true;
    out->text = bytes + *at;
    out->truncated = out->number > size - *at;
    if (out->truncated)
        return false;
    out->length = (size_t)out->number;
    *at += out->length;
    return true;
}

/* An opcode. run does it; NULL: there is no such opcode, or (STOP, PROTO, FRAME) the loop does it.
 */
typedef struct graft__pickle_opcode {
    const char *name; /* NULL: there is no such opcode */
    graft__pickle_shape shape;
    bool (*run)(graft__pickle *p, const graft__pickle_argument *a);
} graft__pickle_opcode;

extern const graft__pickle_opcode graft__pickle_opcodes[256];

/* A memo entry. Only those that some opcode asks for later are kept: pickles put nearly everything
 * into the memo, and all of it would live until the end. */
typedef struct graft__pickle_slot {
    uint64_t number;
    bool used, filled;
    graft__value value;
} graft__pickle_slot;

typedef struct graft__pickle_memo {
    graft__pickle_slot *slot; /* open addressing */
    size_t count, capacity;
    uint64_t puts; /* what MEMOIZE counts: the entries that there are */
    bool mixed;    /* PUT and MEMOIZE in one pickle: every entry is kept, as they must be counted */
} graft__pickle_memo;

/* A container that is held in two places at least (by the memo, by DUP): only with the help of such
 * a one can something come to contain itself. */
typedef struct graft__pickle_shared {
    graft_dict *dict;
    size_t offset; /* of the opcode that shared it */
} graft__pickle_shared;

/* A class or function that was named. */
typedef struct graft__pickle_named {
    graft_dict *record;
    const graft__global *known; /* NULL: nobody knows it */
    size_t offset;
    bool called;
} graft__pickle_named;

/* An array of NumPy's between its making and its state, and its memo entry. */
typedef struct graft__pickle_array {
    const graft_dict *record;
    uint64_t number;
} graft__pickle_array;

enum { GRAFT__PICKLE_SPARE_SIZE = 8, GRAFT__PICKLE_SPARES = 4 };

/* On the stack and in the memo, containers and tensors hold a reference of their own; texts do not:
 * they lie in the pickle or in `text`, and need not end with a 0. Inside of containers every text
 * is a block of its own. */
struct graft__pickle {
    graft__reading *r;
    graft_ctx *g;
    const graft__pickle_host *host;
    const unsigned char *bytes;
    size_t size, at, start;
    size_t op_at; /* of the opcode that is being run */
    graft__value *stack;
    size_t depth, capacity;
    size_t floor; /* the stack's height at the last mark: nothing below is in reach */
    size_t *mark;
    size_t marks, mark_capacity;
    graft__pickle_memo memo;
    graft__value *text; /* decoded texts, freed at the end */
    size_t texts, text_capacity;
    graft__pickle_shared *shared;
    size_t shared_count, shared_capacity;
    graft__pickle_named **named;
    size_t named_count, named_capacity;
    graft__map by_record; /* named, by their records */
    graft__pickle_array *array;
    size_t arrays, array_capacity;
    /* Tuples that have gone, by their capacity: calls make and drop five for every tensor. */
    graft_dict *spare[GRAFT__PICKLE_SPARE_SIZE][GRAFT__PICKLE_SPARES];
    unsigned char spares[GRAFT__PICKLE_SPARE_SIZE];
};

/* ---- pickle_machine.c ---- */

/* All that return bool return false with the error set. */

/* Sets the fault at the current opcode, whose name the words follow: "APPEND wants a list ...". */
bool graft__pickle_fail(graft__pickle *p, graft_fault fault, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool graft__pickle_no_memory(graft__pickle *p, size_t bytes);

/* What a container and an entry cost of the memory budget: of a tuple no more than they take, as a
 * byte makes one and the budget's default is 256 times the pickle's size. */
enum { GRAFT__PICKLE_CONTAINER_COST = 128, GRAFT__PICKLE_ENTRY_COST = 2 * sizeof(graft__entry) };

static inline bool graft__pickle_charge(graft__pickle *p, uint64_t bytes)
{
    if (p->r->memory_left < bytes)
        return graft__charge(p->r, bytes);
    p->r->memory_left -= bytes;
    return true;
}

/* Room for one more in a growing array of the machine's. */
bool graft__pickle_reserve(graft__pickle *p, void **items, size_t count, size_t *capacity,
                           size_t item_size);

/* The same where the stack is full. */
bool graft__pickle_push_grown(graft__pickle *p, graft__value v);

/* Takes over v, also on failure. */
static inline bool graft__pickle_push(graft__pickle *p, graft__value v)
{
    if (p->depth == p->capacity)
        return graft__pickle_push_grown(p, v);
    p->stack[p->depth++] = v;
    return true;
}

/* Sets the fault of too few values. */
bool graft__pickle_fail_need(graft__pickle *p, size_t n);

/* Whether there are n values above the last mark. */
static inline bool graft__pickle_need(graft__pickle *p, size_t n)
{
    return p->depth - p->floor >= n || graft__pickle_fail_need(p, n);
}

/* The same for one mark; then *from is where its values begin, and the mark is gone. */
bool graft__pickle_unmark(graft__pickle *p, size_t *from);

static inline graft__value *graft__pickle_top(graft__pickle *p)
{
    return &p->stack[p->depth - 1];
}

/* Lets go of a value of the stack or of the memo. */
void graft__pickle_drop(graft__pickle *p, graft__value *v);

/* Cuts the stack. */
void graft__pickle_cut(graft__pickle *p, size_t depth);

/* Another reference. */
graft__value graft__pickle_again(const graft__value *v);

/* Makes a value of the stack one that a container may hold: a text becomes a block of its own. On
 * failure it is dropped. */
bool graft__pickle_own(graft__pickle *p, graft__value *v);

/* Makes a value that owns what it holds one of the stack. On failure it is dropped. */
bool graft__pickle_lend(graft__pickle *p, graft__value *v);

/* A decoded text as a value of the stack; takes over the block of length + 1 bytes. */
bool graft__pickle_push_block(graft__pickle *p, graft_value_kind kind, char *block, size_t length);

/* A list, tuple or set of the values from `from` on, which leave the stack; NULL with the error
 * set, then they are gone too. */
graft_dict *graft__pickle_gather(graft__pickle *p, graft_value_kind container, size_t from);

/* Lets go of a tuple, and keeps it for the next one if nobody else holds it. */
void graft__pickle_drop_tuple(graft__pickle *p, graft_dict *tuple);

/* Notes that d is held twice from now on. */
bool graft__pickle_share(graft__pickle *p, graft_dict *d);

/* ---- pickle_memo.c ---- */

/* Looks through the pickle for the entries that are asked for. */
bool graft__pickle_memo_open(graft__pickle *p);
void graft__pickle_memo_close(graft__pickle *p);
graft__pickle_slot *graft__pickle_memo_find(const graft__pickle *p, uint64_t number);
bool graft__pickle_op_put(graft__pickle *p, const graft__pickle_argument *a);
bool graft__pickle_op_put_line(graft__pickle *p, const graft__pickle_argument *a);
bool graft__pickle_op_memoize(graft__pickle *p, const graft__pickle_argument *a);
bool graft__pickle_op_get(graft__pickle *p, const graft__pickle_argument *a);
bool graft__pickle_op_get_line(graft__pickle *p, const graft__pickle_argument *a);

/* ---- pickle_number.c, pickle_text.c ---- */

bool graft__pickle_op_int(graft__pickle *p, const graft__pickle_argument *a);
bool graft__pickle_op_long(graft__pickle *p, const graft__pickle_argument *a);
bool graft__pickle_op_float(graft__pickle *p, const graft__pickle_argument *a);
bool graft__pickle_op_binint(graft__pickle *p, const graft__pickle_argument *a);
bool graft__pickle_op_small_int(graft__pickle *p, const graft__pickle_argument *a);
bool graft__pickle_op_binfloat(graft__pickle *p, const graft__pickle_argument *a);
bool graft__pickle_op_long1(graft__pickle *p, const graft__pickle_argument *a);
bool graft__pickle_op_long4(graft__pickle *p, const graft__pickle_argument *a);

bool graft__pickle_op_string(graft__pickle *p, const graft__pickle_argument *a);
bool graft__pickle_op_unicode(graft__pickle *p, const graft__pickle_argument *a);
bool graft__pickle_op_binunicode(graft__pickle *p, const graft__pickle_argument *a);
bool graft__pickle_op_binstring(graft__pickle *p, const graft__pickle_argument *a);
bool graft__pickle_op_short_binstring(graft__pickle *p, const graft__pickle_argument *a);
bool graft__pickle_op_binbytes(graft__pickle *p, const graft__pickle_argument *a);

/* The number that a line of decimal digits is; false, without an error, if it is none or too large.
 */
bool graft__pickle_decimal(const unsigned char *text, size_t length, uint64_t *out);

/* Texts as Python reads them: an integer (INT or BIG_INT, which owns its digits) and a float. false
 * if it is none; *limit, if it is too long a one, and *no_memory say why else. */
typedef enum graft__pickle_parsed {
    GRAFT__PICKLE_PARSED = 0,
    GRAFT__PICKLE_NO_NUMBER,
    GRAFT__PICKLE_TOO_LONG,
    GRAFT__PICKLE_NO_MEMORY
} graft__pickle_parsed;
graft__pickle_parsed graft__pickle_parse_int(graft_ctx *g, const char *op,
                                             const unsigned char *text, size_t length,
                                             graft__value *out);
bool graft__pickle_parse_float(const unsigned char *text, size_t length, double *out);

/* Whether bytes are UTF-8 as Python reads it in pickles, that is with surrogates. */
bool graft__pickle_is_utf8(const unsigned char *bytes, size_t size);

/* ---- pickle_build.c ---- */

bool graft__pickle_op_empty_list(graft__pickle *p, const graft__pickle_argument *a);
bool graft__pickle_op_empty_dict(graft__pickle *p, const graft__pickle_argument *a);
bool graft__pickle_op_empty_set(graft__pickle *p, const graft__pickle_argument *a);
bool graft__pickle_op_empty_tuple(graft__pickle *p, const graft__pickle_argument *a);
bool graft__pickle_op_list(graft__pickle *p, const graft__pickle_argument *a);
bool graft__pickle_op_dict(graft__pickle *p, const graft__pickle_argument *a);
bool graft__pickle_op_tuple(graft__pickle *p, const graft__pickle_argument *a);
bool graft__pickle_op_tuple1(graft__pickle *p, const graft__pickle_argument *a);
bool graft__pickle_op_tuple2(graft__pickle *p, const graft__pickle_argument *a);
bool graft__pickle_op_tuple3(graft__pickle *p, const graft__pickle_argument *a);
bool graft__pickle_op_frozenset(graft__pickle *p, const graft__pickle_argument *a);
bool graft__pickle_op_append(graft__pickle *p, const graft__pickle_argument *a);
bool graft__pickle_op_appends(graft__pickle *p, const graft__pickle_argument *a);
bool graft__pickle_op_setitem(graft__pickle *p, const graft__pickle_argument *a);
bool graft__pickle_op_setitems(graft__pickle *p, const graft__pickle_argument *a);
bool graft__pickle_op_additems(graft__pickle *p, const graft__pickle_argument *a);
bool graft__pickle_op_build(graft__pickle *p, const graft__pickle_argument *a);

/* What is wrong with a key, in words; NULL: it will do. Python hashes tuples by what is in them,
 * and so does the dict: nesting without end would take time without end. */
const char *graft__pickle_key_problem(const graft__value *key);

/* ---- pickle_call.c ---- */

bool graft__pickle_op_global(graft__pickle *p, const graft__pickle_argument *a);
bool graft__pickle_op_stack_global(graft__pickle *p, const graft__pickle_argument *a);
bool graft__pickle_op_reduce(graft__pickle *p, const graft__pickle_argument *a);
bool graft__pickle_op_newobj(graft__pickle *p, const graft__pickle_argument *a);
bool graft__pickle_op_newobj_ex(graft__pickle *p, const graft__pickle_argument *a);
bool graft__pickle_op_inst(graft__pickle *p, const graft__pickle_argument *a);
bool graft__pickle_op_obj(graft__pickle *p, const graft__pickle_argument *a);
bool graft__pickle_op_ext(graft__pickle *p, const graft__pickle_argument *a);
bool graft__pickle_op_persid(graft__pickle *p, const graft__pickle_argument *a);
bool graft__pickle_op_binpersid(graft__pickle *p, const graft__pickle_argument *a);

/* Whether the class (a record's) is in one of the tables. */
bool graft__pickle_is_known(const char *class_name);

/* A line in the audit of a change of d's state: "class.method", with the value as its arguments. */
bool graft__pickle_note_change(graft__pickle *p, const graft_dict *d, const char *method,
                               const graft__value *value);

/* The lines of what was named but never called. */
bool graft__pickle_note_named(graft__pickle *p);

/* ---- pickle_check.c ---- */

/* That nothing below root, and nothing that was shared, contains itself or is nested too deeply. */
bool graft__pickle_check(graft__pickle *p, const graft__value *root);

#endif
