/* The dict's insides. Files: dict.c (life, entries), dict_index.c (finding keys), dict_value.c
 * (values by kind), dict_set.c (setting them), dict_path.c, dict_flatten.c, dict_clone.c. */
#ifndef GRAFT__TENSOR_DICT_H
#define GRAFT__TENSOR_DICT_H

#include "graft/dict.h"
#include "tensor/tensor.h"

/* A value, with a reference of its own to what it points to. */
typedef struct graft__value {
    graft_value_kind kind;
    union {
        bool boolean;
        int64_t integer;
        double real;
        double parts[2]; /* COMPLEX: real, imaginary */
        struct {
            char *data; /* 0-terminated behind its length, and may have 0 bytes inside */
            size_t length;
        } text;               /* STRING, BYTES, BIG_INT (decimal) */
        graft_tensor *tensor; /* never NULL; its bytes may still be waiting: graft__take_tensor */
        graft_dict *dict;     /* DICT, LIST, TUPLE, SET, RECORD */
    };
} graft__value;

typedef struct graft__entry {
    graft__value key; /* of any kind; of lists, tuples and sets the position */
    char *name;       /* a key that is no string as text; made when it is first asked for */
    graft__value value;
} graft__entry;

/* How a record came about, so that it can be written as it was read. */
typedef enum graft__making {
    GRAFT__MADE_BY_REFERENCE = 0, /* the class or function itself: no args */
    GRAFT__MADE_BY_CALL,          /* class(*args): REDUCE, INST, OBJ */
    GRAFT__MADE_BY_NEW,           /* class.__new__(class, *args): NEWOBJ */
    GRAFT__MADE_BY_NEW_EX,        /* the same with keywords: args is (args, kwargs) */
    GRAFT__MADE_BY_ID             /* a persistent id that nobody knew: args is (id,) */
} graft__making;

struct graft_dict {
    graft__object object;
    graft_value_kind container; /* DICT, LIST, TUPLE, SET, RECORD */
    graft__making making;       /* of a record */
    char *class_name;           /* "collections.OrderedDict"; NULL: Python's own dict, list, ... */
    size_t module_length;       /* of class_name: "collections" */
    graft_dict *args;           /* a record's: a TUPLE; NULL: none */
    graft_dict *attributes;     /* the state (BUILD): a DICT of the fields, or a TUPLE of one value,
                                   the state itself, where it is no dict. NULL: none */
    graft__entry *entry;
    size_t count, capacity;
    uint32_t *index; /* open-addressing hash over the keys: positions plus 1, 0 is free. Made when a
                        key of a large dict is looked for; NULL until then */
    size_t index_capacity;
};

/* ---- Values ---- */

/* A STRING or BYTES value of a copy of the bytes; kind NONE, with the error set, without memory. */
graft__value graft__text_value(graft_ctx *g, const char *op, graft_value_kind kind,
                               const char *bytes, size_t length);

static inline graft__value graft__int_value(int64_t number)
{
    return (graft__value){.kind = GRAFT_VALUE_INT, .integer = number};
}

/* These take over the caller's reference. */
static inline graft__value graft__dict_value(graft_dict *d)
{
    return (graft__value){.kind = d->container, .dict = d};
}

static inline graft__value graft__tensor_value(graft_tensor *t)
{
    return (graft__value){.kind = GRAFT_VALUE_TENSOR, .tensor = t};
}

/* Another reference to what v holds (a copy of a text) in *out. false, with the error set and *out
 * NONE, without memory. */
bool graft__value_copy(graft_ctx *g, const char *op, const graft__value *v, graft__value *out);

/* Lets go of what v holds and makes it NONE. */
void graft__value_drop(graft_ctx *g, graft__value *v);

static inline bool graft__is_nested(graft_value_kind kind)
{
    return kind >= GRAFT_VALUE_DICT && kind <= GRAFT_VALUE_RECORD;
}

static inline bool graft__is_text(graft_value_kind kind)
{
    return kind == GRAFT_VALUE_STRING || kind == GRAFT_VALUE_BYTES || kind == GRAFT_VALUE_BIG_INT;
}

/* Whether its keys are 0..n-1 by its nature: nothing can be set under another key, renamed or
 * dropped from its middle. */
static inline bool graft__is_list(const graft_dict *d)
{
    return d->container == GRAFT_VALUE_LIST || d->container == GRAFT_VALUE_TUPLE ||
           d->container == GRAFT_VALUE_SET;
}

/* Appends the value as Python's repr has it, cut off with "..." after about `limit` bytes: names of
 * keys, arguments in an audit, messages. Tensors as "<tensor [2, 3] float32>". Nesting deeper than
 * a few levels becomes "...". */
struct graft__text;
void graft__value_repr(struct graft__text *out, const graft__value *v, size_t limit);

/* ---- Keys ---- */

/* A key to look for: a string, which need not end at its length, or an integer. */
typedef struct graft__key {
    const char *text;
    size_t length;
    bool is_int;
    int64_t number;
} graft__key;

graft__key graft__string_key(const char *text);
graft__key graft__int_key(int64_t number);

/* Where the key stands, or -1. */
int64_t graft__dict_find_key(const graft_dict *d, const graft__key *key);

/* Where a key of any kind stands, or -1: strings, ints and big ints, floats, bools, None, bytes,
 * complex numbers and tuples of such by value, else by identity. No two kinds are equal (Python's
 * True == 1 == 1.0 is not). */
int64_t graft__dict_find_value(const graft_dict *d, const graft__value *key);

/* The key of entry i as text, borrowed: a string as it is, an int in decimal, anything else as
 * Python's repr. NULL only if there is no memory to make it. */
const char *graft__entry_name(const graft_dict *d, size_t i);

/* What the index must be told: entry i was appended; entry i is about to go or to change its key;
 * it has the new key; positions moved: all is to be made anew. */
void graft__index_append(graft_dict *d, size_t i);
void graft__index_remove(graft_dict *d, size_t i);
void graft__index_insert(graft_dict *d, size_t i);
void graft__index_drop(graft_dict *d);

/* ---- Dicts ---- */

/* A dict (list, ...) with one reference, the caller's. */
graft_dict *graft__dict_new(graft_ctx *g);
graft_dict *graft__container_new(graft_ctx *g, graft_value_kind container);

/* Gives the caller's reference to the scope and returns d, as graft__result does. */
graft_dict *graft__dict_result(graft_dict *d);

void graft__dict_unref(graft_dict *d);

/* Sets the key to the value, in place or appended. Takes over both (also on failure: then the error
 * is set). Checks nothing else: the value must not contain d. op is for errors. */
graft_status graft__dict_put(graft_dict *d, const char *op, graft__value key, graft__value value);

/* The same without looking for the key, which must not be there. */
graft_status graft__dict_append(graft_dict *d, const char *op, graft__value key,
                                graft__value value);

/* Appends to a list, tuple or set. */
graft_status graft__list_append(graft_dict *list, const char *op, graft__value value);

/* Drops all entries, attributes and args: what contains itself comes apart. */
void graft__dict_clear(graft_dict *d);

/* "module.name", of which the first module_length bytes are the module. false, with the error set,
 * without memory. */
bool graft__dict_set_class(graft_dict *d, const char *op, const char *class_name, size_t length,
                           size_t module_length);

/* Whether the class is this one; plain containers have none. */
bool graft__dict_is_class(const graft_dict *d, const char *class_name);

/* ---- Tensors whose bytes wait (tensor/storage.h) ---- */

/* The tensor of entry i with its bytes there: read, checked, inflated as they need be. NULL, with
 * the error set, if that fails; NULL without an error if the entry is no tensor. Whoever reads
 * elements of a dict's tensor gets it here. */
graft_tensor *graft__take_tensor(const graft_dict *d, size_t i);

/* ---- Walking ---- */

/* What graft__dict_walk calls for every value that is no container: its dotted path, and where it
 * stands. Not GRAFT_OK ends the walk. */
typedef graft_status graft__visit_value(void *user, const char *path, graft_dict *parent, size_t i);

/* Every value below d in order: entries, then attributes, then (of records) args as "args.0", ...
 * A container that stands in several places is walked in each. GRAFT_ERR_ARGUMENT if there are more
 * than `limit` values or deeper nesting than 1000. Paths as graft_dict_tensor takes them. */
graft_status graft__dict_walk(const graft_dict *d, const char *op, int64_t limit,
                              graft__visit_value *visit, void *user);

/* The same, visiting containers of which `whole` says so as values, and not what is below them. */
graft_status graft__dict_walk_whole(const graft_dict *d, const char *op, int64_t limit,
                                    bool (*whole)(const graft_dict *container),
                                    graft__visit_value *visit, void *user);

/* ---- For makers of state dicts ---- */

/* As graft_dict_set_tensor, without looking for the key, which must not be there. */
graft_status graft__dict_append_tensor(graft_dict *d, const char *key, graft_tensor *value);

#endif
