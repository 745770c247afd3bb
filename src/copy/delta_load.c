/* A base and a delta put together again, and checked as a whole: the hashes of the base's elements
 * are computed once, and serve for the base's content hash and for that of the result. */
#include <string.h>

#include "base/ctx.h"
#include "copy/delta.h"
#include "file/hash.h"
#include "file/json.h"
#include "file/reading.h"

static const char op[] = "load_delta";

/* A flat dict of tensors with the hashes of their elements, beside its entries. */
typedef struct hashed {
    graft_dict *flat;
    graft__tensor_list list;
    unsigned char *hashes;
    size_t bytes;
} hashed;

typedef struct loading {
    graft_ctx *g;
    const graft_dict *metadata;
    hashed base, delta, whole;
} loading;

/* ---- Errors of the file ---- */

static graft_status damaged(graft_ctx *g, graft_fault fault, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static graft_status damaged(graft_ctx *g, graft_fault fault, const char *format, ...)
{
    const graft__where where = {op, "the delta", NULL, -1};
    va_list args;
    va_start(args, format);
    const graft_status status = graft__fault_at(g, &where, fault, format, args);
    va_end(args);
    return status;
}

static const char *string_of(const graft_dict *metadata, const char *key)
{
    const graft__key k = graft__string_key(key);
    const int64_t at = graft__dict_find_key(metadata, &k);
    return at >= 0 && metadata->entry[at].value.kind == GRAFT_VALUE_STRING
               ? metadata->entry[at].value.text.data
               : NULL;
}

const char *graft_delta_base(const graft_checkpoint *c)
{
    const graft_dict *metadata = graft_checkpoint_metadata(c);
    if (!metadata || graft_checkpoint_format(c) != GRAFT_FORMAT_SAFETENSORS ||
        !string_of(metadata, GRAFT__DELTA_KEY))
        return NULL;
    const char *name = string_of(metadata, GRAFT__DELTA_BASE_KEY);
    return name ? name : "";
}

/* ---- Hashes ---- */

static graft_status list_flat(hashed *h)
{
    for (size_t i = 0; i < h->flat->count; i++) {
        const graft__value *name = &h->flat->entry[i].key;
        const graft_status status =
            graft__tensor_list_add(&h->list, op, name->text.data, name->text.length, h->flat, i);
        if (status)
            return status;
    }
    const graft_status status = graft__tensor_list_sort(&h->list, op);
    if (status)
        return status;
    h->bytes = h->list.count * GRAFT__SHA256_SIZE;
    h->hashes = graft__alloc(h->list.g, h->bytes);
    return h->hashes ? GRAFT_OK : graft__fail_memory(h->list.g, h->bytes, op);
}

static graft_status hash_flat(hashed *h)
{
    const graft_status status = list_flat(h);
    return status ? status : graft__hash_tensors(&h->list, h->hashes, NULL, NULL);
}

static void hashed_free(hashed *h)
{
    graft__free(h->list.g, h->hashes, h->bytes);
    graft__tensor_list_free(&h->list);
}

/* ---- Putting together ---- */

static graft_status add(loading *l, const char *name, size_t length)
{
    const graft__key key = {.text = name, .length = length};
    const int64_t in_delta = graft__dict_find_key(l->delta.flat, &key);
    const graft_dict *from = in_delta >= 0 ? l->delta.flat : l->base.flat;
    const int64_t at = in_delta >= 0 ? in_delta : graft__dict_find_key(from, &key);
    if (at < 0)
        return damaged(l->g, GRAFT_FAULT_SHARD_LACKS, "neither it nor its base has '%.*s'",
                       (int)(length < 256 ? length : 256), name);
    if (graft__dict_find_key(l->whole.flat, &key) >= 0)
        return damaged(l->g, GRAFT_FAULT_DUPLICATE, "it lists '%.*s' twice",
                       (int)(length < 256 ? length : 256), name);
    return graft__dict_append_tensor(l->whole.flat, from->entry[at].key.text.data,
                                     from->entry[at].value.tensor);
}

static graft_status add_names(loading *l, const char *names)
{
    graft__json j;
    graft__json_open(&j, l->g, names, strlen(names));
    graft_status status = GRAFT_OK;
    graft__json_kind kind = graft__json_next(&j);
    bool fits = kind == GRAFT__JSON_ARRAY;
    while (fits && !status && (kind = graft__json_next(&j)) == GRAFT__JSON_STRING)
        status = add(l, j.text, j.length);
    if (!status && j.no_memory)
        status = graft__fail_memory(l->g, strlen(names), op);
    fits = fits && kind == GRAFT__JSON_ARRAY_END && graft__json_next(&j) == GRAFT__JSON_END;
    if (!status && !fits)
        status = damaged(l->g, GRAFT_FAULT_INDEX,
                         GRAFT__DELTA_NAMES_KEY ": expected a JSON array of strings");
    graft__json_close(&j);
    return status;
}

static graft_status put_together(loading *l)
{
    const char *names = string_of(l->metadata, GRAFT__DELTA_NAMES_KEY);
    if (!names)
        return damaged(l->g, GRAFT_FAULT_INDEX, "it has no " GRAFT__DELTA_NAMES_KEY);
    graft_status status = add_names(l, names);
    for (size_t i = 0; !status && i < l->delta.flat->count; i++)
        if (graft__dict_find_value(l->whole.flat, &l->delta.flat->entry[i].key) < 0)
            status =
                damaged(l->g, GRAFT_FAULT_SHARD_UNLISTED, "it holds '%s', which it doesn't list",
                        l->delta.flat->entry[i].key.text.data);
    return status;
}

/* ---- Checking ---- */

static graft_status check_base(loading *l, const char *name)
{
    const char *expected = string_of(l->metadata, GRAFT__DELTA_BASE_HASH_KEY);
    const char *version = string_of(l->metadata, GRAFT__DELTA_KEY);
    if (strcmp(version, GRAFT__DELTA_VERSION) != 0)
        return damaged(l->g, GRAFT_FAULT_UNSUPPORTED,
                       "version '%s': expected " GRAFT__DELTA_VERSION, version);
    if (!expected)
        return damaged(l->g, GRAFT_FAULT_INDEX, "it has no " GRAFT__DELTA_BASE_HASH_KEY);
    const graft_status status = hash_flat(&l->base);
    if (status)
        return status;
    unsigned char hash[GRAFT__SHA256_SIZE];
    char text[GRAFT__SHA256_TEXT];
    graft__hash_list(&l->base.list, l->base.hashes, hash);
    graft__sha256_to_text(hash, text);
    if (strcmp(text, expected) == 0)
        return GRAFT_OK;
    return graft__fail(l->g, GRAFT_ERR_ARGUMENT,
                       "%s: this is not the base that the delta was made from ('%s'): its content "
                       "hash is %s, that of the delta's base %.64s",
                       op, name, text, expected);
}

/* The whole is what was saved: from the hashes that are known. */
static graft_status check_whole(loading *l)
{
    const char *expected = string_of(l->metadata, GRAFT__DELTA_HASH_KEY);
    if (!expected)
        return damaged(l->g, GRAFT_FAULT_INDEX, "it has no " GRAFT__DELTA_HASH_KEY);
    graft_status status = hash_flat(&l->delta);
    if (!status)
        status = list_flat(&l->whole);
    if (status)
        return status;
    for (size_t i = 0; i < l->whole.flat->count; i++) {
        const graft__value *name = &l->whole.flat->entry[i].key;
        const int64_t in_delta = graft__dict_find_value(l->delta.flat, name);
        const hashed *from = in_delta >= 0 ? &l->delta : &l->base;
        const int64_t at = in_delta >= 0 ? in_delta : graft__dict_find_value(from->flat, name);
        memcpy(l->whole.hashes + i * GRAFT__SHA256_SIZE,
               from->hashes + (size_t)at * GRAFT__SHA256_SIZE, GRAFT__SHA256_SIZE);
    }
    unsigned char hash[GRAFT__SHA256_SIZE];
    char text[GRAFT__SHA256_TEXT];
    graft__hash_list(&l->whole.list, l->whole.hashes, hash);
    graft__sha256_to_text(hash, text);
    if (strcmp(text, expected) == 0)
        return GRAFT_OK;
    return damaged(l->g, GRAFT_FAULT_CHECKSUM,
                   "with its base it has the content hash %s, and %.64s when it was saved", text,
                   expected);
}

static graft_status load(loading *l, const graft_checkpoint *delta, const graft_dict *base,
                         const char *name)
{
    static const char class_name[] = "collections.OrderedDict";
    l->base.flat = graft_dict_keep(graft_dict_flatten(base));
    l->delta.flat = graft_dict_keep(graft_dict_flatten(graft_checkpoint_root(delta)));
    l->whole.flat = graft__dict_new(l->g);
    if (!l->base.flat || !l->delta.flat || !l->whole.flat ||
        !graft__dict_set_class(l->whole.flat, op, class_name, sizeof class_name - 1,
                               sizeof "collections" - 1))
        return graft_error_status(l->g);
    graft_status status = check_base(l, name);
    if (!status)
        status = put_together(l);
    return status ? status : check_whole(l);
}

graft_dict *graft_load_delta(const graft_checkpoint *delta, const graft_dict *base)
{
    const graft_dict *root = graft_checkpoint_root(delta);
    if (!root || !base)
        return NULL;
    loading l = {.g = root->object.ctx, .metadata = graft_checkpoint_metadata(delta)};
    const char *name = graft_delta_base(delta);
    const char *wrong = !name                     ? "the checkpoint is no delta"
                        : base->object.ctx != l.g ? "the base belongs to another context"
                        : !graft__has_sha256()    ? "this build has no SHA-256: it needs nettle "
                                                    "(GRAFT_NETTLE)"
                                                  : NULL;
    if (wrong) {
        graft__fail(l.g, GRAFT_ERR_ARGUMENT, "%s: %s", op, wrong);
        return NULL;
    }
    hashed *const part[] = {&l.base, &l.delta, &l.whole};
    for (int i = 0; i < 3; i++)
        graft__tensor_list_init(&part[i]->list, l.g);
    const graft_status status = load(&l, delta, base, name);
    for (int i = 0; i < 3; i++)
        hashed_free(part[i]);
    graft_dict_free(l.base.flat);
    graft_dict_free(l.delta.flat);
    if (status) {
        graft__dict_unref(l.whole.flat);
        return NULL;
    }
    graft__own_by_context(&l.whole.flat->object);
    return l.whole.flat;
}
