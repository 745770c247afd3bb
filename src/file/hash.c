#include "file/hash.h"

#include <string.h>

#include "tensor/chunks.h"

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

/* Tensors that are hashed side by side: one thread reads a chunk of each, which nobody else may,
 * and all hash. Nothing there allocates or sets an error. */
enum { LANES = 16 };

typedef struct lane {
    graft__sha256 h;
    graft__chunks chunks;
    size_t item; /* of the list */
    int64_t at;  /* elements hashed */
    const void *bytes;
    size_t size; /* of what is at hand */
} lane;

typedef struct race {
    const graft__tensor_list *l;
    unsigned char *out;
    size_t next; /* item */
    int count;   /* lanes in use, the first ones */
    lane lane[LANES];
} race;

static void hash_chunk(void *user, int i)
{
    lane *const a = &((race *)user)->lane[i];
    graft__sha256_add(&a->h, a->bytes, a->size);
}

static graft_status start(race *r)
{
    lane *const a = &r->lane[r->count++];
    *a = (lane){.item = r->next++};
    graft__sha256_begin(&a->h);
    return graft__chunks_begin(&a->chunks, r->l->g, r->l->item[a->item].tensor)
               ? GRAFT_OK
               : graft_error_status(r->l->g);
}

static graft_status read_chunk(race *r, lane *a)
{
    const graft_tensor *t = a->chunks.tensor;
    const int64_t step = graft__chunks_step(t), left = t->numel - a->at;
    const int64_t n = left < step ? left : step;
    int64_t elements = 1;
    size_t bytes = 0;
    graft_dtype_block(t->dtype, &elements, &bytes);
    a->bytes = graft__chunks_at(&a->chunks, a->at, n);
    a->size = (size_t)(n / elements) * bytes;
    a->at += n;
    return a->bytes ? GRAFT_OK : graft_error_status(r->l->g);
}

/* Lanes that are through go, and the last takes the place. */
static void finish(race *r)
{
    for (int i = r->count - 1; i >= 0; i--) {
        lane *const a = &r->lane[i];
        if (a->at < a->chunks.tensor->numel)
            continue;
        graft__sha256_end(&a->h, r->out + a->item * GRAFT__SHA256_SIZE);
        graft__chunks_end(&a->chunks);
        *a = r->lane[--r->count];
    }
}

static graft_status run_round(race *r, uint64_t *bytes)
{
    graft_status status = GRAFT_OK;
    *bytes = 0;
    while (status == GRAFT_OK && r->count < LANES && r->next < r->l->count)
        status = start(r);
    for (int i = 0; i < r->count && status == GRAFT_OK; i++) {
        status = read_chunk(r, &r->lane[i]);
        *bytes += r->lane[i].size;
    }
    if (status == GRAFT_OK) {
        graft__pool_run(r->l->g->pool, r->count, hash_chunk, r);
        finish(r);
    }
    return status;
}

graft_status graft__hash_tensors(const graft__tensor_list *l, unsigned char *out,
                                 graft_status (*advance)(void *user, uint64_t bytes), void *user)
{
    race *r = graft__alloc(l->g, sizeof *r);
    if (!r)
        return graft__fail_memory(l->g, sizeof *r, "hash");
    r->l = l;
    r->out = out;
    r->next = 0;
    r->count = 0;
    graft_status status = GRAFT_OK;
    while (status == GRAFT_OK && (r->count > 0 || r->next < l->count)) {
        uint64_t bytes;
        status = run_round(r, &bytes);
        if (status == GRAFT_OK && advance)
            status = advance(user, bytes);
    }
    while (r->count > 0)
        graft__chunks_end(&r->lane[--r->count].chunks);
    graft__free(l->g, r, sizeof *r);
    return status;
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
