/* The dict's insides. Files: dict.c (entries), dict_index.c (finding keys), dict_value.c (values by
 * kind), dict_clone.c. */
#ifndef GRAFT__TENSOR_DICT_H
#define GRAFT__TENSOR_DICT_H

#include "graft/dict.h"
#include "tensor/tensor.h"

typedef struct graft__entry {
    char *name; /* the key as text */
    bool int_key;
    int64_t key;
    graft_value_kind kind;
    union {
        bool boolean;
        int64_t integer;
        double real;
        char *string;
        graft_tensor *tensor;
        graft_dict *dict; /* DICT, LIST, TUPLE */
    } value;
} graft__entry;

struct graft_dict {
    graft__object object;
    graft__entry *entry;
    size_t count, capacity;
    uint32_t *index; /* open-addressing hash over the keys: positions plus 1, 0 is free. Made when a
                        key of a large dict is looked for; NULL until then */
    size_t index_capacity;
};

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

/* What the index must be told: entry i was appended; entry i is about to go or to change its key;
 * it has the new key; positions moved: all is to be made anew. */
void graft__index_append(graft_dict *d, size_t i);
void graft__index_remove(graft_dict *d, size_t i);
void graft__index_insert(graft_dict *d, size_t i);
void graft__index_drop(graft_dict *d);

/* Sets the key to a value, whose string or reference it takes over (also on failure), or appends
 * without looking for the key. op is the caller's name in errors. */
graft_status graft__dict_put(graft_dict *d, const char *op, const graft__key *key,
                             graft_value_kind kind, graft__entry value, bool append);

/* Lets go of what a value holds. */
void graft__value_free(graft_ctx *g, graft__entry *value);

static inline bool graft__is_nested(graft_value_kind kind)
{
    return kind >= GRAFT_VALUE_DICT && kind <= GRAFT_VALUE_TUPLE;
}

/* A dict with one reference, the caller's. */
graft_dict *graft__dict_new(graft_ctx *g);

/* Gives the caller's reference to the scope and returns d, as graft__result does. */
graft_dict *graft__dict_result(graft_dict *d);

void graft__dict_unref(graft_dict *d);

/* Appends without looking for the key, which must not be in the dict. For makers of large dicts.
 * Lists and tuples are dicts whose entries have the int keys 0..n-1; value kinds LIST and TUPLE
 * hold them. */
graft_status graft__dict_append_tensor(graft_dict *d, const char *key, graft_tensor *t);
graft_status graft__dict_set_nested(graft_dict *d, const char *key, graft_dict *value,
                                    graft_value_kind kind);
graft_status graft__dict_set_nested_int(graft_dict *d, int64_t key, graft_dict *value,
                                        graft_value_kind kind);
graft_status graft__dict_push_int(graft_dict *list, int64_t value);
graft_status graft__dict_push_float(graft_dict *list, double value);
graft_status graft__dict_push_string(graft_dict *list, const char *value);

#endif
