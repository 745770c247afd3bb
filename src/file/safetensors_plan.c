#include <string.h>

#include "base/sort.h"
#include "file/elements.h"
#include "file/hash.h"
#include "file/json.h"
#include "file/safetensors.h"
#include "file/safetensors_write.h"

/* ---- What can be written ---- */

/* The place of the dtype in the format's order; -1: the format lacks it. */
static int rank_of(const graft_tensor *t)
{
    graft__hashed what;
    graft__content_shape(t, &what);
    return graft__safetensors_rank_of_dtype(what.dtype);
}

static graft_status check_tensor(const graft__safetensors_plan *p, size_t i)
{
    const graft__listed *item = &p->list.item[i];
    const char *name = graft__listed_name(&p->list, i);
    graft_ctx *g = p->list.g;
    size_t bad;
    if (!graft__is_utf8(name, item->length, &bad))
        return graft__fail(g, GRAFT_ERR_NAME, "%s: the name '%s' is not UTF-8", p->begin, name);
    if (strcmp(name, "__metadata__") == 0)
        return graft__fail(g, GRAFT_ERR_NAME,
                           "%s: a tensor can't have the name __metadata__ in this format",
                           p->begin);
    if (rank_of(item->tensor) < 0)
        return graft__fail(g, GRAFT_ERR_ARGUMENT, "%s: '%s' is %s, which this format lacks",
                           p->begin, name, graft_dtype_name(item->tensor->dtype));
    if (item->tensor->history)
        return graft__fail(g, GRAFT_ERR_STATE,
                           "%s: '%s' has history: save a detached tensor (graft_detach)", p->begin,
                           name);
    return GRAFT_OK;
}

/* ---- The order ---- */

static bool before(const void *user, uint32_t a, uint32_t b)
{
    const uint64_t *key = user;
    return key[a] < key[b];
}

static graft_status put_in_order(graft__safetensors_plan *p)
{
    const size_t count = p->list.count, bytes = count * sizeof *p->order;
    graft_ctx *g = p->list.g;
    p->order = graft__alloc(g, bytes);
    p->shard = graft__alloc_zero(g, bytes);
    uint32_t *scratch = graft__alloc(g, bytes);
    uint64_t *key = graft__alloc(g, count * sizeof *key);
    const bool enough = p->order && p->shard && scratch && key;
    if (enough) {
        for (size_t k = 0; k < count; k++) {
            const uint32_t i = p->list.by_name[k];
            p->order[k] = i;
            key[i] = (uint64_t)(UINT32_MAX - (uint32_t)rank_of(p->list.item[i].tensor)) << 32 | k;
        }
        graft__sort(p->order, scratch, count, before, key);
    }
    graft__free(g, key, count * sizeof *key);
    graft__free(g, scratch, bytes);
    return enough ? GRAFT_OK : graft__fail_memory(g, bytes, p->begin);
}

/* ---- Hashes ---- */

static graft_status advance(void *user, uint64_t bytes)
{
    return graft__written(user, bytes);
}

static graft_status hash(graft__safetensors_plan *p)
{
    graft_ctx *g = p->list.g;
    if (!graft__has_sha256())
        return graft__fail(g, GRAFT_ERR_ARGUMENT,
                           "%s: content_hash: this build has no SHA-256: it needs nettle "
                           "(GRAFT_NETTLE)",
                           p->begin);
    const size_t bytes = p->list.count * GRAFT__SHA256_SIZE;
    p->hashes = graft__alloc(g, bytes);
    if (!p->hashes)
        return graft__fail_memory(g, bytes, p->begin);
    return graft__hash_tensors(&p->list, p->hashes, advance, p->w);
}

void graft__safetensors_plan_hash(const graft__safetensors_plan *p, uint32_t shard,
                                  char out[GRAFT__SHA256_TEXT])
{
    graft__sha256 h;
    graft__content_begin(&h);
    for (size_t k = 0; k < p->list.count; k++) {
        const size_t i = p->list.by_name[k];
        if (shard != UINT32_MAX && p->shard[i] != shard)
            continue;
        graft__hashed t;
        graft__content_shape(p->list.item[i].tensor, &t);
        memcpy(t.hash, p->hashes + i * GRAFT__SHA256_SIZE, sizeof t.hash);
        graft__content_add(&h, graft__listed_name(&p->list, i), p->list.item[i].length, &t);
    }
    unsigned char all[GRAFT__SHA256_SIZE];
    graft__sha256_end(&h, all);
    graft__sha256_to_text(all, out);
}

/* ---- The plan ---- */

static char *first_words(graft__writing *w)
{
    graft__text text;
    graft__text_init(&text, w->g);
    graft__text_add(&text, w->op);
    graft__text_add(&text, ": ");
    graft__text_add(&text, w->path);
    return graft__text_take(&text);
}

static graft_status fill(graft__safetensors_plan *p)
{
    graft__writing *w = p->w;
    graft_status status = graft__tensor_list_of(w->dict, p->begin, &p->list);
    if (status != GRAFT_OK)
        return status;
    for (size_t i = 0; i < p->list.count && status == GRAFT_OK; i++)
        status = check_tensor(p, i);
    if (status == GRAFT_OK)
        status = graft__tensor_list_sort(&p->list, p->begin);
    if (status == GRAFT_OK)
        status = put_in_order(p);
    if (status != GRAFT_OK)
        return status;
    for (size_t i = 0; i < p->list.count; i++)
        w->total += graft__element_bytes(p->list.item[i].tensor);
    w->total *= w->options.content_hash ? 2 : 1;
    p->shards = 1;
    return w->options.content_hash ? hash(p) : GRAFT_OK;
}

graft_status graft__safetensors_plan_make(graft__writing *w, graft__safetensors_plan *out)
{
    *out = (graft__safetensors_plan){.w = w};
    graft__tensor_list_init(&out->list, w->g);
    out->begin = first_words(w);
    if (!out->begin)
        return GRAFT_ERR_MEMORY;
    graft_status status = fill(out);
    if (status != GRAFT_OK)
        graft__safetensors_plan_free(out);
    return status;
}

void graft__safetensors_plan_free(graft__safetensors_plan *p)
{
    graft_ctx *g = p->w->g;
    const size_t count = p->list.count;
    graft__free(g, p->order, p->order ? count * sizeof *p->order : 0);
    graft__free(g, p->shard, p->shard ? count * sizeof *p->shard : 0);
    graft__free(g, p->hashes, p->hashes ? count * GRAFT__SHA256_SIZE : 0);
    graft__tensor_list_free(&p->list);
    graft__text_release(g, p->begin);
    p->begin = NULL;
}

/* ---- Shards ---- */

/* What a tensor takes in a file, at most: the longest name it can have, numbers of 20 digits. */
static uint64_t file_bytes(const graft__safetensors_plan *p, size_t i)
{
    enum { NUMBER = 21, FRAME = 80 };
    const graft__listed *item = &p->list.item[i];
    const uint64_t header = 6 * (uint64_t)item->length + FRAME +
                            (uint64_t)(item->tensor->ndim + 2) * NUMBER +
                            (p->hashes ? 2 * GRAFT__SHA256_SIZE : 0);
    return header + graft__element_bytes(item->tensor);
}

/* What every file takes: prefix, padding, metadata. */
static uint64_t frame_bytes(const graft__safetensors_plan *p)
{
    enum { FRAME = 8 + 7 + 64 + 192 };
    uint64_t bytes = FRAME;
    const graft_dict *metadata = p->w->options.metadata;
    for (size_t i = 0; metadata && i < metadata->count; i++) {
        const graft__entry *e = &metadata->entry[i];
        bytes += 16;
        bytes += 6 * (uint64_t)(e->key.kind == GRAFT_VALUE_STRING ? e->key.text.length : 0);
        bytes += 6 * (uint64_t)(e->value.kind == GRAFT_VALUE_STRING ? e->value.text.length : 0);
    }
    return bytes;
}

void graft__safetensors_plan_split(graft__safetensors_plan *p, uint64_t max)
{
    const uint64_t frame = frame_bytes(p);
    uint64_t bytes = 0;
    p->shards = 0;
    for (size_t i = 0; i < p->list.count; i++) {
        const uint64_t more = file_bytes(p, i);
        if (p->shards == 0 || frame + bytes + more > max) {
            p->shards++;
            bytes = 0;
        }
        p->shard[i] = p->shards - 1;
        bytes += more;
    }
}
