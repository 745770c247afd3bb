/* Persistent ids: each key's storage is made once, and every id that asks for it shares it. */
#include "file/torch.h"

#include <inttypes.h>
#include <string.h>

/* What a storage costs beside its bytes: a tensor, a storage, a buffer, a supply, an entry. */
enum { STORAGE_COST = 1024, VIEW_COST = 384 /* one more tensor over it */ };

bool graft__torch_storages_open(graft__torch_storages *s, graft__reading *r,
                                graft__storage *(*make)(void *user, const graft__torch_wanted *w),
                                void *user)
{
    *s = (graft__torch_storages){.r = r, .make = make, .user = user};
    s->by_key = graft__dict_new(r->g);
    s->views = graft__dict_new(r->g);
    if (s->by_key && s->views)
        return true;
    graft__torch_storages_close(s);
    return false;
}

void graft__torch_storages_close(graft__torch_storages *s)
{
    graft__dict_unref(s->by_key);
    graft__dict_unref(s->views);
    s->by_key = s->views = NULL;
    for (size_t i = 0; i < s->count; i++)
        graft__storage_unref(s->made[i].storage);
    graft__free(s->r->g, s->made, s->capacity * sizeof *s->made);
    s->made = NULL;
    s->count = s->capacity = 0;
}

graft_status graft__torch_storage_value(graft__reading *r, const graft__torch_class *type,
                                        graft_tensor *t, graft__value *out)
{
    *out = graft__tensor_value(t);
    if (!type->quantized)
        return GRAFT_OK;
    char name[64] = "torch.";
    strncat(name, type->name, sizeof name - 7);
    graft_dict *record = graft__container_new(r->g, GRAFT_VALUE_RECORD);
    if (record)
        record->attributes = graft__dict_new(r->g);
    if (!record || !record->attributes ||
        !graft__dict_set_class(record, r->op, name, strlen(name), 5)) {
        graft__dict_unref(record);
        graft__value_drop(r->g, out);
        return GRAFT_ERR_MEMORY;
    }
    const graft_status status = graft__torch_give_field(record->attributes, r, "data", *out);
    *out = graft__dict_value(record);
    if (status != GRAFT_OK)
        graft__value_drop(r->g, out);
    return status;
}

/* ---- Reading ids ---- */

static graft_status bad_id(graft__reading *r, const char *what)
{
    return graft__fault(r, GRAFT_FAULT_STORAGE, r->pickle_offset,
                        "a persistent id %s: expected ('storage', class, key, location, numel)",
                        what);
}

/* A slice of a storage under a key of its own. */
typedef struct view {
    const char *key; /* NULL: the storage itself is meant */
    int64_t offset, numel;
} view;

static graft_status read_view(graft__reading *r, const graft__value *v, view *out)
{
    out->key = NULL;
    if (v->kind == GRAFT_VALUE_NONE)
        return GRAFT_OK;
    if (v->kind != GRAFT_VALUE_TUPLE || v->dict->count != 3)
        return bad_id(r, "whose view is not (key, offset, size)");
    const graft__entry *e = v->dict->entry;
    if (!graft__is_text(e[0].value.kind) || e[1].value.kind != GRAFT_VALUE_INT ||
        e[2].value.kind != GRAFT_VALUE_INT)
        return bad_id(r, "whose view is not (key, offset, size)");
    *out = (view){e[0].value.text.data, e[1].value.integer, e[2].value.integer};
    return GRAFT_OK;
}

static graft_status read_id(graft__reading *r, const graft_dict *id, graft__torch_wanted *w,
                            view *slice)
{
    const graft__entry *e = id->entry;
    if (id->count < 5 || id->count > 6)
        return bad_id(r, "of a storage with another number of parts");
    w->type = graft__torch_class_of(&e[1].value);
    if (!w->type) {
        const graft__value *v = &e[1].value;
        const char *name = v->kind == GRAFT_VALUE_RECORD ? v->dict->class_name : NULL;
        return graft__fault(r, GRAFT_FAULT_DTYPE, r->pickle_offset, "a storage of class %s",
                            name ? name : "?");
    }
    if (!graft__is_text(e[2].value.kind))
        return bad_id(r, "whose key is no text");
    w->key = e[2].value.text.data;
    if (strlen(w->key) != e[2].value.text.length)
        return bad_id(r, "whose key has a 0 byte");
    if (e[4].value.kind != GRAFT_VALUE_INT || e[4].value.integer < 0)
        return bad_id(r, "whose numel is no integer of 0 or more");
    w->numel = e[4].value.integer;
    const uint64_t width = graft_dtype_size(w->type->dtype);
    if ((uint64_t)w->numel > (uint64_t)PTRDIFF_MAX / width)
        return graft__fault(r, GRAFT_FAULT_OVERFLOW, r->pickle_offset,
                            "storage %s of %" PRId64 " elements", w->key, w->numel);
    w->bytes = (uint64_t)w->numel * width;
    slice->key = NULL;
    return id->count == 6 ? read_view(r, &e[5].value, slice) : GRAFT_OK;
}

/* ---- Making them ---- */

static graft_tensor *find(const graft_dict *d, const char *key)
{
    const graft__key k = graft__string_key(key);
    const int64_t i = graft__dict_find_key(d, &k);
    return i < 0 ? NULL : d->entry[i].value.tensor;
}

/* Takes t over; it lives as long as d then. */
static graft_tensor *keep(graft__reading *r, graft_dict *d, const char *key, graft_tensor *t)
{
    graft__value name = {.kind = GRAFT_VALUE_NONE};
    if (t)
        name = graft__text_value(r->g, r->op, GRAFT_VALUE_STRING, key, strlen(key));
    if (!t || name.kind == GRAFT_VALUE_NONE) {
        graft__tensor_unref(t);
        return NULL;
    }
    return graft__dict_append(d, r->op, name, graft__tensor_value(t)) == GRAFT_OK ? t : NULL;
}

static bool grow(graft__torch_storages *s)
{
    if (s->count < s->capacity)
        return true;
    const size_t size = sizeof *s->made, capacity = s->capacity ? 2 * s->capacity : 16;
    graft__torch_made *made = graft__realloc(s->r->g, s->made, s->capacity * size, capacity * size);
    if (!made) {
        graft__fail_memory(s->r->g, capacity * size, s->r->op);
        return false;
    }
    s->made = made;
    s->capacity = capacity;
    return true;
}

static const graft__torch_made *make(graft__torch_storages *s, const graft__torch_wanted *w)
{
    graft__reading *r = s->r;
    const size_t length = strlen(w->key);
    if (!graft__charge(r, STORAGE_COST + length) || !grow(s))
        return NULL;
    graft__storage *made = s->make(s->user, w);
    graft__value name = {.kind = GRAFT_VALUE_NONE};
    if (made)
        name = graft__text_value(r->g, r->op, GRAFT_VALUE_STRING, w->key, length);
    if (name.kind == GRAFT_VALUE_NONE ||
        graft__dict_append(s->by_key, r->op, name, graft__int_value((int64_t)s->count)) !=
            GRAFT_OK) {
        graft__storage_unref(made);
        return NULL;
    }
    s->made[s->count] = (graft__torch_made){made, w->numel, w->type->dtype};
    return &s->made[s->count++];
}

const graft__torch_made *graft__torch_storage_find(const graft__torch_storages *s,
                                                   const graft__key *key)
{
    const int64_t i = graft__dict_find_key(s->by_key, key);
    return i < 0 ? NULL : &s->made[s->by_key->entry[i].value.integer];
}

/* All of a storage as a tensor of the class that is asked for; the caller's reference in *out. None
 * is kept: most storages are asked for once. */
static graft_status whole(graft__torch_storages *s, const graft__torch_wanted *w,
                          graft_tensor **out)
{
    const graft__key key = graft__string_key(w->key);
    const graft__torch_made *m = graft__torch_storage_find(s, &key);
    if (!m)
        m = make(s, w);
    else if (!graft__charge(s->r, VIEW_COST))
        return graft_error_status(s->r->g);
    if (!m)
        return graft_error_status(s->r->g);
    const uint64_t bytes = (uint64_t)m->numel * graft_dtype_size(m->dtype);
    if (bytes != w->bytes)
        return graft__fault(s->r, GRAFT_FAULT_STORAGE, s->r->pickle_offset,
                            "storage %s of %" PRIu64 " bytes is one of %" PRIu64 " bytes elsewhere",
                            w->key, w->bytes, bytes);
    *out =
        graft__tensor_over(graft__storage_ref(m->storage), w->type->dtype, 1, &w->numel, NULL, 0);
    return *out ? GRAFT_OK : GRAFT_ERR_MEMORY;
}

/* The slice of a storage; the caller's reference in *out. */
static graft_status slice_of(graft__torch_storages *s, const graft__torch_wanted *w,
                             const view *slice, graft_tensor *root, graft_tensor **out)
{
    graft_tensor *t = find(s->views, slice->key);
    if (!t) {
        if (slice->offset < 0 || slice->numel < 0 || slice->offset > root->numel ||
            slice->numel > root->numel - slice->offset)
            return graft__fault(s->r, GRAFT_FAULT_STORAGE, s->r->pickle_offset,
                                "%" PRId64 " elements from %" PRId64 " on of storage %s, which "
                                "has %" PRId64,
                                slice->numel, slice->offset, w->key, root->numel);
        if (!graft__charge(s->r, STORAGE_COST))
            return graft_error_status(s->r->g);
        const int64_t stride = 1;
        t = keep(s->r, s->views, slice->key,
                 graft__tensor_alias(root, 1, &slice->numel, &stride, slice->offset));
        if (!t)
            return graft_error_status(s->r->g);
    }
    if (t->dtype != root->dtype)
        return graft__fault(s->r, GRAFT_FAULT_STORAGE, s->r->pickle_offset,
                            "view %s of storage %s is of %s and of %s", slice->key, w->key,
                            graft_dtype_name(t->dtype), graft_dtype_name(root->dtype));
    *out = graft__tensor_ref(t);
    return GRAFT_OK;
}

graft_status graft__torch_persistent(graft__pickle *p, void *storages, const graft__value *id,
                                     graft__value *out)
{
    (void)p;
    graft__torch_storages *s = storages;
    graft__reading *r = s->r;
    if (id->kind != GRAFT_VALUE_TUPLE || id->dict->count < 2 ||
        !graft__is_text(id->dict->entry[0].value.kind))
        return bad_id(r, "that is no such tuple");
    const char *word = id->dict->entry[0].value.text.data;
    if (strcmp(word, "module") == 0)
        return graft__value_copy(r->g, r->op, &id->dict->entry[1].value, out) ? GRAFT_OK
                                                                              : GRAFT_ERR_MEMORY;
    if (strcmp(word, "storage") != 0)
        return bad_id(r, "of another kind");
    graft__torch_wanted w;
    view slice;
    graft_tensor *root = NULL, *t = NULL;
    graft_status status = read_id(r, id->dict, &w, &slice);
    if (status == GRAFT_OK)
        status = whole(s, &w, &root);
    if (status != GRAFT_OK)
        return status;
    t = root;
    if (slice.key) {
        status = slice_of(s, &w, &slice, root, &t);
        graft__tensor_unref(root);
        if (status != GRAFT_OK)
            return status;
    }
    return graft__torch_storage_value(r, w.type, t, out);
}

/* ---- What a file's value becomes ---- */

graft_dict *graft__torch_root(graft__reading *r, graft__value *v)
{
    if (graft__is_nested(v->kind))
        return v->dict;
    graft_dict *root = graft__dict_new(r->g);
    graft__value key = {.kind = GRAFT_VALUE_NONE};
    if (root)
        key = graft__text_value(r->g, r->op, GRAFT_VALUE_STRING, "", 0);
    if (key.kind == GRAFT_VALUE_NONE) {
        graft__dict_unref(root);
        graft__value_drop(r->g, v);
        return NULL;
    }
    if (graft__dict_append(root, r->op, key, *v) != GRAFT_OK) {
        graft__dict_unref(root);
        return NULL;
    }
    r->bare = true;
    return root;
}

bool graft__torch_tell(graft__reading *r, const char *key, const char *text, size_t length)
{
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == ' '))
        length--;
    if (!graft__charge(r, STORAGE_COST + length))
        return false;
    graft__value value = graft__text_value(r->g, r->op, GRAFT_VALUE_STRING, text, length);
    graft__value name = {.kind = GRAFT_VALUE_NONE};
    if (value.kind != GRAFT_VALUE_NONE)
        name = graft__text_value(r->g, r->op, GRAFT_VALUE_STRING, key, strlen(key));
    if (name.kind == GRAFT_VALUE_NONE) {
        graft__value_drop(r->g, &value);
        return false;
    }
    return graft__dict_put(r->metadata, r->op, name, value) == GRAFT_OK;
}
