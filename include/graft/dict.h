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
    GRAFT_VALUE_DICT, /* nested; a dict that is a list or a tuple has the keys 0..n-1 */
    GRAFT_VALUE_LIST,
    GRAFT_VALUE_TUPLE
} graft_value_kind;

/* An ordered map from keys (strings or integers) to values. It holds its tensors and nested dicts
 * alive. Dicts that operations return (graft_parameters, graft_state_dict, ...) belong to the
 * current scope, as tensors do. */
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

/* Entry i in order: its key as text (an integer key in decimal) and its kind. NULL and
 * GRAFT_VALUE_NONE beyond the end. */
GRAFT_API const char *graft_dict_key(const graft_dict *d, int64_t i);
GRAFT_API graft_value_kind graft_dict_kind(const graft_dict *d, int64_t i);

/* Whether entry i's key is an integer, and which. */
GRAFT_API bool graft_dict_key_is_int(const graft_dict *d, int64_t i, int64_t *key);

/* Where a key stands; -1 if it is not there. graft_dict_find takes string keys, _find_int integer
 * keys: 3 and "3" are two keys. */
GRAFT_API int64_t graft_dict_find(const graft_dict *d, const char *key);
GRAFT_API int64_t graft_dict_find_int(const graft_dict *d, int64_t key);

/* The value of entry i; NULL, 0 or false if it is of another kind. Borrowed from the dict. */
GRAFT_API graft_tensor *graft_dict_tensor_at(const graft_dict *d, int64_t i);
GRAFT_API graft_dict *graft_dict_dict_at(const graft_dict *d, int64_t i);
GRAFT_API const char *graft_dict_string_at(const graft_dict *d, int64_t i);
GRAFT_API int64_t graft_dict_int_at(const graft_dict *d, int64_t i);
GRAFT_API double graft_dict_float_at(const graft_dict *d, int64_t i); /* ints and bools too */
GRAFT_API bool graft_dict_bool_at(const graft_dict *d, int64_t i);

/* The value at a dotted path: "fc1.weight", "state.3.exp_avg". A key that holds dots itself is
 * found too; integer keys are met by their decimal text. NULL if there is none or if it is no
 * tensor / dict: no error is set, so that one may ask. */
GRAFT_API graft_tensor *graft_dict_tensor(const graft_dict *d, const char *path);
GRAFT_API graft_dict *graft_dict_dict(const graft_dict *d, const char *path);

/* Sets key to a value: replaces it in place if the key is there, else appends. Tensors and dicts
 * are held, not copied; a dict must not come to contain itself (GRAFT_ERR_ARGUMENT). */
GRAFT_API graft_status graft_dict_set_none(graft_dict *d, const char *key);
GRAFT_API graft_status graft_dict_set_bool(graft_dict *d, const char *key, bool value);
GRAFT_API graft_status graft_dict_set_int(graft_dict *d, const char *key, int64_t value);
GRAFT_API graft_status graft_dict_set_float(graft_dict *d, const char *key, double value);
GRAFT_API graft_status graft_dict_set_string(graft_dict *d, const char *key, const char *value);
GRAFT_API graft_status graft_dict_set_tensor(graft_dict *d, const char *key, graft_tensor *value);
GRAFT_API graft_status graft_dict_set_dict(graft_dict *d, const char *key, graft_dict *value);

/* The same under an integer key. */
GRAFT_API graft_status graft_dict_set_int_key_dict(graft_dict *d, int64_t key, graft_dict *value);
GRAFT_API graft_status graft_dict_set_int_key_tensor(graft_dict *d, int64_t key,
                                                     graft_tensor *value);

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
