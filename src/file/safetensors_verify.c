#include <string.h>

#include "base/sort.h"
#include "file/hash.h"
#include "file/safetensors.h"

/* The string under a key of the metadata; NULL if there is none. */
static const graft__value *metadata_text(const graft__reading *r, const char *key)
{
    const graft__key k = graft__string_key(key);
    const int64_t i = graft__dict_find_key(r->metadata, &k);
    if (i < 0 || r->metadata->entry[i].value.kind != GRAFT_VALUE_STRING)
        return NULL;
    return &r->metadata->entry[i].value;
}

static bool before(const void *user, uint32_t a, uint32_t b)
{
    const graft__entry *entry = user;
    const size_t x = entry[a].key.text.length, y = entry[b].key.text.length;
    const int order = memcmp(entry[a].key.text.data, entry[b].key.text.data, x < y ? x : y);
    return order != 0 ? order < 0 : x < y;
}

static void describe(const graft__safetensor *t, const unsigned char *hash, graft__hashed *out)
{
    out->dtype = graft__safetensors_dtype_at(t->rank)->dtype;
    out->ndim = t->ndim;
    for (int d = 0; d < t->ndim; d++)
        out->size[d] = (int64_t)t->size[d];
    memcpy(out->hash, hash, sizeof out->hash);
}

/* Takes the tensors' hashes from text, which has them in the order of names, to the places of the
 * tensors, and hashes it all. false: it is no hexadecimal. */
static bool hash_header(const graft__safetensors *s, const uint32_t *by_name, const char *text,
                        unsigned char *hashes, unsigned char all[GRAFT__SHA256_SIZE])
{
    graft__sha256 h;
    graft__content_begin(&h);
    for (size_t k = 0; k < s->count; k++) {
        const size_t i = by_name[k];
        unsigned char *hash = hashes + i * GRAFT__SHA256_SIZE;
        if (!graft__sha256_from_text(text + k * 2 * GRAFT__SHA256_SIZE, hash))
            return false;
        graft__hashed t;
        describe(&s->tensor[i], hash, &t);
        const graft__value *name = &s->dict->entry[i].key;
        graft__content_add(&h, name->text.data, name->text.length, &t);
    }
    graft__sha256_end(&h, all);
    return true;
}

static graft_status check_header(graft__reading *r, const graft__safetensors *s,
                                 const graft__value *all, const graft__value *each,
                                 const uint32_t *by_name, unsigned char *hashes)
{
    unsigned char expected[GRAFT__SHA256_SIZE], got[GRAFT__SHA256_SIZE];
    const bool hex = all->text.length == (size_t)2 * GRAFT__SHA256_SIZE &&
                     each->text.length == s->count * 2 * GRAFT__SHA256_SIZE &&
                     graft__sha256_from_text(all->text.data, expected) &&
                     hash_header(s, by_name, each->text.data, hashes, got);
    if (!hex)
        return graft__fault(r, GRAFT_FAULT_CHECKSUM, -1,
                            GRAFT__SHA256_KEY " and " GRAFT__SHA256_TENSORS_KEY
                                              " are not the hashes of %zu tensors",
                            s->count);
    if (memcmp(expected, got, sizeof got) != 0)
        return graft__fault(r, GRAFT_FAULT_CHECKSUM, -1,
                            "the names, dtypes, shapes or hashes of the tensors are not those "
                            "that were written: " GRAFT__SHA256_KEY " is another");
    return GRAFT_OK;
}

graft_status graft__safetensors_hashes(graft__reading *r, const graft__safetensors *s,
                                       unsigned char **out)
{
    *out = NULL;
    const graft__value *all = metadata_text(r, GRAFT__SHA256_KEY);
    const graft__value *each = metadata_text(r, GRAFT__SHA256_TENSORS_KEY);
    if (!all || !each || r->options.verify == GRAFT_VERIFY_NEVER)
        return GRAFT_OK;
    if (!graft__has_sha256()) {
        if (r->options.verify == GRAFT_VERIFY_USE)
            return GRAFT_OK;
        return graft__fault(r, GRAFT_FAULT_UNSUPPORTED, -1,
                            "the file has SHA-256 hashes, which this build can't check: it needs "
                            "nettle (GRAFT_NETTLE)");
    }
    const size_t bytes = s->count * GRAFT__SHA256_SIZE, order_bytes = s->count * sizeof(uint32_t);
    unsigned char *hashes = graft__alloc(r->g, bytes);
    uint32_t *by_name = graft__alloc(r->g, order_bytes);
    uint32_t *scratch = graft__alloc(r->g, order_bytes);
    graft_status status;
    if (hashes && by_name && scratch) {
        for (size_t i = 0; i < s->count; i++)
            by_name[i] = (uint32_t)i;
        graft__sort(by_name, scratch, s->count, before, s->dict->entry);
        status = check_header(r, s, all, each, by_name, hashes);
    } else {
        status = graft__fail_memory(r->g, bytes, r->op);
    }
    graft__free(r->g, scratch, order_bytes);
    graft__free(r->g, by_name, order_bytes);
    if (status == GRAFT_OK)
        *out = hashes;
    else
        graft__free(r->g, hashes, bytes);
    return status;
}
