#include "file/hash.h"

#include <string.h>

#include "file/elements.h"

/* ---- One hash of all ---- */

void graft__content_begin(graft__sha256 *h)
{
    graft__sha256_begin(h);
}

static void add_u64(graft__sha256 *h, uint64_t number)
{
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(number >> (8 * i));
    graft__sha256_add(h, bytes, sizeof bytes);
}

void graft__content_add(graft__sha256 *h, const char *name, size_t length, const graft__hashed *t)
{
    const char *dtype = graft_dtype_name(t->dtype);
    graft__sha256_add(h, name, length);
    graft__sha256_add(h, "", 1);
    graft__sha256_add(h, dtype, strlen(dtype) + 1);
    add_u64(h, (uint64_t)t->ndim);
    for (int d = 0; d < t->ndim; d++)
        add_u64(h, (uint64_t)t->size[d]);
    graft__sha256_add(h, t->hash, sizeof t->hash);
}

void graft__content_shape(const graft_tensor *t, graft__hashed *out)
{
    out->dtype = t->dtype;
    out->ndim = t->ndim;
    for (int d = 0; d < t->ndim; d++)
        out->size[d] = t->size[d];
    if (t->dtype == GRAFT_F4_E2M1FN_X2 && t->ndim > 0) {
        out->dtype = GRAFT_F4;
        out->size[t->ndim - 1] *= 2; /* of numel bytes: it fits */
    }
}

void graft__hash_list(const graft__tensor_list *l, const unsigned char *hashes,
                      unsigned char out[GRAFT__SHA256_SIZE])
{
    graft__sha256 h;
    graft__content_begin(&h);
    for (size_t k = 0; k < l->count; k++) {
        const size_t i = l->by_name[k];
        graft__hashed t;
        graft__content_shape(l->item[i].tensor, &t);
        memcpy(t.hash, hashes + i * GRAFT__SHA256_SIZE, sizeof t.hash);
        graft__content_add(&h, graft__listed_name(l, i), l->item[i].length, &t);
    }
    graft__sha256_end(&h, out);
}

/* ---- Elements ---- */

static graft_status add_part(void *user, const void *bytes, size_t size)
{
    graft__sha256_add(user, bytes, size);
    return GRAFT_OK;
}

static graft_status hash_elements(const graft_tensor *t, unsigned char *out)
{
    graft__sha256 h;
    graft__sha256_begin(&h);
    const graft_status status = graft__each_part(t, add_part, &h);
    graft__sha256_end(&h, out);
    return status;
}

/* Contiguous tensors that threads share among them: nothing there allocates or sets an error. */
enum { BATCH = 64 };
#define BATCH_BYTES (UINT64_C(64) << 20)

typedef struct batch {
    const graft_tensor *tensor[BATCH];
    unsigned char *out[BATCH];
    int count;
    uint64_t bytes;
} batch;

static void hash_one(void *user, int i)
{
    batch *b = user;
    (void)hash_elements(b->tensor[i], b->out[i]);
}

static graft_status flush(batch *b, graft_ctx *g,
                          graft_status (*advance)(void *user, uint64_t bytes), void *user)
{
    if (b->count > 0)
        graft__pool_run(g->pool, b->count, hash_one, b);
    const uint64_t bytes = b->bytes;
    b->count = 0;
    b->bytes = 0;
    return advance ? advance(user, bytes) : GRAFT_OK;
}

graft_status graft__hash_tensors(const graft__tensor_list *l, unsigned char *out,
                                 graft_status (*advance)(void *user, uint64_t bytes), void *user)
{
    batch b = {.count = 0};
    graft_status status = GRAFT_OK;
    for (size_t i = 0; i < l->count && status == GRAFT_OK; i++) {
        unsigned char *hash = out + i * GRAFT__SHA256_SIZE;
        const graft_tensor *t = graft__listed_take(l, i);
        if (!t)
            return graft_error_status(l->g);
        if (!t->contiguous) {
            status = hash_elements(t, hash);
        } else {
            b.tensor[b.count] = t;
            b.out[b.count++] = hash;
        }
        b.bytes += graft__element_bytes(t);
        if (status == GRAFT_OK && (b.count == BATCH || b.bytes >= BATCH_BYTES))
            status = flush(&b, l->g, advance, user);
    }
    return status == GRAFT_OK ? flush(&b, l->g, advance, user) : status;
}

/* ---- Dicts ---- */

typedef struct collector {
    graft__tensor_list list;
    const char *op;
} collector;

static graft_status collect(void *user, const char *path, graft_dict *parent, size_t i)
{
    collector *c = user;
    if (parent->entry[i].value.kind != GRAFT_VALUE_TENSOR)
        return GRAFT_OK;
    return graft__tensor_list_add(&c->list, c->op, path, strlen(path), parent, i);
}

static graft_status hash_all(collector *c, char out[GRAFT__HASH_TEXT])
{
    graft_status status = graft__tensor_list_sort(&c->list, c->op);
    if (status != GRAFT_OK)
        return status;
    const size_t bytes = c->list.count * GRAFT__SHA256_SIZE;
    unsigned char *hashes = graft__alloc(c->list.g, bytes);
    if (!hashes)
        return graft__fail_memory(c->list.g, bytes, c->op);
    status = graft__hash_tensors(&c->list, hashes, NULL, NULL);
    if (status == GRAFT_OK) {
        unsigned char hash[GRAFT__SHA256_SIZE];
        graft__hash_list(&c->list, hashes, hash);
        graft__sha256_to_text(hash, out);
    }
    graft__free(c->list.g, hashes, bytes);
    return status;
}

graft_status graft__content_hash(const graft_dict *d, const char *op, char out[GRAFT__HASH_TEXT])
{
    graft_ctx *g = d->object.ctx;
    out[0] = 0;
    if (!graft__has_sha256())
        return graft__fail(g, GRAFT_ERR_ARGUMENT,
                           "%s: this build has no SHA-256: it needs nettle (GRAFT_NETTLE)", op);
    collector c = {.op = op};
    graft__tensor_list_init(&c.list, g);
    graft_status status = graft__dict_walk(d, op, INT64_MAX, collect, &c);
    if (status == GRAFT_OK)
        status = hash_all(&c, out);
    graft__tensor_list_free(&c.list);
    return status;
}
