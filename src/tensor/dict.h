/* The dict's insides. */
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
    uint32_t *index; /* open-addressing hash over the keys, built when the dict is large; or NULL */
    size_t index_capacity;
};

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
