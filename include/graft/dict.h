/* graft/dict.h: the ordered dictionary of named values that state dicts and checkpoints are. */
#ifndef GRAFT_DICT_H
#define GRAFT_DICT_H

#include "graft/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum graft_value_kind {
    GRAFT_VALUE_NONE = 0,
    GRAFT_VALUE_BOOL,
    GRAFT_VALUE_INT,
    GRAFT_VALUE_FLOAT,
    GRAFT_VALUE_STRING,
    GRAFT_VALUE_TENSOR,
    GRAFT_VALUE_DICT,   /* this and the next four are containers, which all are graft_dicts */
    GRAFT_VALUE_LIST,   /* keys 0..n-1 */
    GRAFT_VALUE_TUPLE,  /* keys 0..n-1 */
    GRAFT_VALUE_SET,    /* keys 0..n-1 */
    GRAFT_VALUE_RECORD, /* an object of a class that graft does not have: graft_dict_class, _args
                           and _attributes; its entries are what was put into it as into a dict or
                           list */
    GRAFT_VALUE_BYTES,
    GRAFT_VALUE_BIG_INT, /* an integer that an int64_t does not hold, in decimal */
    GRAFT_VALUE_COMPLEX
} graft_value_kind;

/* An ordered map from keys to values; also a list, tuple, set or record. Keys are strings or
 * integers; dicts that were read from a file may have others, as Python allows. It holds its
 * tensors and nested dicts alive. Dicts that operations return (graft_parameters, graft_state_dict,
 * ...) belong to the current scope, as tensors do. */
typedef struct graft_dict graft_dict;

/* An empty dict, freed by graft_dict_free. */
GRAFT_API graft_dict *graft_dict_new(graft_ctx *g);

/* Frees a dict of graft_dict_new, graft_dict_clone or graft_dict_keep. NULL is ignored. */
GRAFT_API void graft_dict_free(graft_dict *d);

/* Takes d out of its scope: it lives until graft_dict_free or graft_close. Returns d. */
GRAFT_API graft_dict *graft_dict_keep(graft_dict *d);

/* A snapshot: every tensor a deep copy (copy-on-write: it costs memory only for what is written
 * later), nested dicts too, ties and views kept. Into ctx `into`, or d's own if NULL. Freed by
 * graft_dict_free. */
GRAFT_API graft_dict *graft_dict_clone(const graft_dict *d, graft_ctx *into);

GRAFT_API graft_ctx *graft_dict_ctx(const graft_dict *d);

/* The number of entries; 0 if d is NULL. */
GRAFT_API int64_t graft_dict_len(const graft_dict *d);

/* What d itself is: GRAFT_VALUE_DICT, _LIST, _TUPLE, _SET or _RECORD; _NONE if d is NULL. */
GRAFT_API graft_value_kind graft_dict_container(const graft_dict *d);

/* The Python class: of a record "torch.nn.modules.linear.Linear", of a dict maybe
 * "collections.OrderedDict"; NULL for Python's own dict, list, tuple and set. */
GRAFT_API const char *graft_dict_class(const graft_dict *d);

/* Fields of the object (a record's, or _metadata of an OrderedDict); what a record's class or
 * function was called with, a tuple. NULL if there are none. Borrowed. */
GRAFT_API graft_dict *graft_dict_attributes(const graft_dict *d);
GRAFT_API graft_dict *graft_dict_args(const graft_dict *d);

/* Entry i in order: its key as text (an integer key in decimal, another one as Python prints it)
 * and its kind. NULL and GRAFT_VALUE_NONE beyond the end. */
GRAFT_API const char *graft_dict_key(const graft_dict *d, int64_t i);
GRAFT_API graft_value_kind graft_dict_kind(const graft_dict *d, int64_t i);

/* The kind of entry i's key. */
GRAFT_API graft_value_kind graft_dict_key_kind(const graft_dict *d, int64_t i);

/* Whether entry i's key is an integer, and which. */
GRAFT_API bool graft_dict_key_is_int(const graft_dict *d, int64_t i, int64_t *key);

/* Where a key stands; -1 if it is not there. graft_dict_find takes string keys, _find_int integer
 * keys: 3 and "3" are two keys. */
GRAFT_API int64_t graft_dict_find(const graft_dict *d, const char *key);
GRAFT_API int64_t graft_dict_find_int(const graft_dict *d, int64_t key);

/* The value of entry i; NULL, 0 or false if it is of another kind. Borrowed from the dict. A tensor
 * of a file is read and checked when it is first taken: NULL and an error if its bytes are not what
 * was written. _dict_at is for all containers. _string_at gives the decimal text of a big integer
 * too; a string that was read may have 0 bytes inside: _bytes_at gives strings and bytes with their
 * size. */
GRAFT_API graft_tensor *graft_dict_tensor_at(const graft_dict *d, int64_t i);
GRAFT_API graft_dict *graft_dict_dict_at(const graft_dict *d, int64_t i);
GRAFT_API const char *graft_dict_string_at(const graft_dict *d, int64_t i);
GRAFT_API const void *graft_dict_bytes_at(const graft_dict *d, int64_t i, size_t *size);
GRAFT_API bool graft_dict_complex_at(const graft_dict *d, int64_t i, double *real, double *imag);
GRAFT_API int64_t graft_dict_int_at(const graft_dict *d, int64_t i);
GRAFT_API double graft_dict_float_at(const graft_dict *d, int64_t i); /* ints and bools too */
GRAFT_API bool graft_dict_bool_at(const graft_dict *d, int64_t i);

/* What a tensor is, without reading its bytes. */
typedef struct graft_tensor_info {
    graft_dtype dtype;
    graft_shape shape;
    int64_t stride[GRAFT_MAX_DIMS]; /* in elements */
    int64_t storage_offset;         /* in elements */
    uint64_t bytes;                 /* of its elements */
    uint64_t storage_bytes;
    const void *storage; /* which one: equal for tensors that share it */
    bool requires_grad;
    bool parameter; /* it was saved as a torch.nn.Parameter */
} graft_tensor_info;

/* false if entry i is no tensor. */
GRAFT_API bool graft_dict_tensor_info(const graft_dict *d, int64_t i, graft_tensor_info *out);

/* The value at a dotted path: "fc1.weight", "optimizer.state.3.exp_avg". A key that holds dots
 * itself is found too; integer keys are met by their decimal text; behind the entries the
 * attributes are looked into, and a record's args as "args.0". NULL if there is none or if it is no
 * tensor / container: no error is set, so that one may ask (but a tensor of a file may have a wrong
 * checksum, which is one). */
GRAFT_API graft_tensor *graft_dict_tensor(const graft_dict *d, const char *path);
GRAFT_API graft_dict *graft_dict_dict(const graft_dict *d, const char *path);

/* The container that holds the value at a dotted path, and which of its entries it is: for values
 * of any kind. NULL if there is none. Borrowed. */
GRAFT_API graft_dict *graft_dict_find_path(const graft_dict *d, const char *path, int64_t *i);

/* All tensors below d by their dotted paths in one flat dict, in order: a snapshot of the names,
 * not of the tensors. Belongs to the current scope. GRAFT_ERR_NAME if two paths are the same text,
 * GRAFT_ERR_ARGUMENT if there are more than 10,000,000. */
GRAFT_API graft_dict *graft_dict_flatten(const graft_dict *d);

/* Sets key to a value: replaces it in place if the key is there, else appends. Tensors and dicts
 * are held, not copied; a dict must not come to contain itself (GRAFT_ERR_ARGUMENT). */
GRAFT_API graft_status graft_dict_set_none(graft_dict *d, const char *key);
GRAFT_API graft_status graft_dict_set_bool(graft_dict *d, const char *key, bool value);
GRAFT_API graft_status graft_dict_set_int(graft_dict *d, const char *key, int64_t value);
GRAFT_API graft_status graft_dict_set_float(graft_dict *d, const char *key, double value);
GRAFT_API graft_status graft_dict_set_string(graft_dict *d, const char *key, const char *value);
GRAFT_API graft_status graft_dict_set_tensor(graft_dict *d, const char *key, graft_tensor *value);
GRAFT_API graft_status graft_dict_set_dict(graft_dict *d, const char *key, graft_dict *value);

/* Copies size bytes, which may be NULL if size is 0. */
GRAFT_API graft_status graft_dict_set_bytes(graft_dict *d, const char *key, const void *bytes,
                                            size_t size);

/* The same under an integer key; of a list or tuple, at a place that is there. */
GRAFT_API graft_status graft_dict_set_int_key_none(graft_dict *d, int64_t key);
GRAFT_API graft_status graft_dict_set_int_key_bool(graft_dict *d, int64_t key, bool value);
GRAFT_API graft_status graft_dict_set_int_key_int(graft_dict *d, int64_t key, int64_t value);
GRAFT_API graft_status graft_dict_set_int_key_float(graft_dict *d, int64_t key, double value);
GRAFT_API graft_status graft_dict_set_int_key_string(graft_dict *d, int64_t key, const char *value);
GRAFT_API graft_status graft_dict_set_int_key_dict(graft_dict *d, int64_t key, graft_dict *value);
GRAFT_API graft_status graft_dict_set_int_key_tensor(graft_dict *d, int64_t key,
                                                     graft_tensor *value);

/* An empty list or tuple, freed by graft_dict_free. Entries are appended with graft_list_push_*,
 * which refuse a dict (GRAFT_ERR_ARGUMENT); graft_dict_set_dict takes it as a value. */
GRAFT_API graft_dict *graft_list_new(graft_ctx *g);
GRAFT_API graft_dict *graft_tuple_new(graft_ctx *g);
GRAFT_API graft_status graft_list_push_none(graft_dict *list);
GRAFT_API graft_status graft_list_push_bool(graft_dict *list, bool value);
GRAFT_API graft_status graft_list_push_int(graft_dict *list, int64_t value);
GRAFT_API graft_status graft_list_push_float(graft_dict *list, double value);
GRAFT_API graft_status graft_list_push_string(graft_dict *list, const char *value);
GRAFT_API graft_status graft_list_push_tensor(graft_dict *list, graft_tensor *value);
GRAFT_API graft_status graft_list_push_dict(graft_dict *list, graft_dict *value);

/* Gives a dict attributes (a dict) or takes them away (NULL): _metadata of a state dict. */
GRAFT_API graft_status graft_dict_set_attributes(graft_dict *d, graft_dict *attributes);

/* Renames an entry where it stands; drops one. GRAFT_ERR_NAME if `from` / `key` is not there or
 * `to` is taken. */
GRAFT_API graft_status graft_dict_rename(graft_dict *d, const char *from, const char *to);
GRAFT_API graft_status graft_dict_drop(graft_dict *d, const char *key);

/* Renames every entry whose key starts with `prefix` so that it starts with `replacement`
 * ("module." to ""); all or, if two keys would collide, none. Returns how many were renamed in
 * *count where count is not NULL. */
GRAFT_API graft_status graft_dict_rename_prefix(graft_dict *d, const char *prefix,
                                                const char *replacement, int64_t *count);

#ifdef __cplusplus
}
#endif

#endif
