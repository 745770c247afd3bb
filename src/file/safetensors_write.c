#include "file/safetensors_write.h"

#include <string.h>

#include "file/elements.h"
#include "file/hash.h"
#include "file/json.h"
#include "file/load.h"
#include "file/safetensors.h"

void graft__add_u64(graft__text *out, uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    graft__text_addn(out, digits + at, sizeof digits - at);
}

/* ---- Metadata ---- */

static bool is_hash_key(const graft__value *key)
{
    return strcmp(key->text.data, GRAFT__SHA256_KEY) == 0 ||
           strcmp(key->text.data, GRAFT__SHA256_TENSORS_KEY) == 0;
}

static bool is_utf8_text(const graft__value *v)
{
    size_t bad;
    return v->kind == GRAFT_VALUE_STRING && graft__is_utf8(v->text.data, v->text.length, &bad);
}

/* Begins __metadata__ or goes on in it. */
static void begin_pair(graft__text *out, const char *key, size_t length)
{
    graft__text_add(out, out->length == 1 ? "\"__metadata__\":{" : ",");
    graft__json_quote(out, key, length);
    graft__text_add(out, ":");
}

/* The caller's strings. Hashes among them, which are of the file that they were read from, go. */
static graft_status add_metadata(const graft__safetensors_plan *p, graft__text *out)
{
    const graft_dict *metadata = p->w->options.metadata;
    for (size_t i = 0; metadata && i < metadata->count; i++) {
        const graft__entry *e = &metadata->entry[i];
        if (!is_utf8_text(&e->key) || !is_utf8_text(&e->value)) {
            const char *name = graft__entry_name(metadata, i);
            return graft__fail(p->w->g, GRAFT_ERR_ARGUMENT,
                               "%s: metadata '%s': expected a string of UTF-8 under a string",
                               p->begin, name ? name : "?");
        }
        if (is_hash_key(&e->key))
            continue;
        begin_pair(out, e->key.text.data, e->key.text.length);
        graft__json_quote(out, e->value.text.data, e->value.text.length);
    }
    return GRAFT_OK;
}

static void add_hashes(const graft__safetensors_plan *p, uint32_t shard, graft__text *out)
{
    char text[GRAFT__SHA256_TEXT];
    graft__safetensors_plan_hash(p, shard, text);
    begin_pair(out, GRAFT__SHA256_KEY, strlen(GRAFT__SHA256_KEY));
    graft__json_quote(out, text, sizeof text - 1);
    begin_pair(out, GRAFT__SHA256_TENSORS_KEY, strlen(GRAFT__SHA256_TENSORS_KEY));
    graft__text_add(out, "\"");
    for (size_t k = 0; k < p->list.count; k++) {
        const size_t i = p->list.by_name[k];
        if (p->shard[i] != shard)
            continue;
        graft__sha256_to_text(p->hashes + i * GRAFT__SHA256_SIZE, text);
        graft__text_addn(out, text, sizeof text - 1);
    }
    graft__text_add(out, "\"");
}

/* ---- The header ---- */

static void add_tensor(const graft__safetensors_plan *p, size_t i, uint64_t begin, graft__text *out)
{
    const graft__listed *item = &p->list.item[i];
    graft__hashed what;
    graft__content_shape(item->tensor, &what);
    const int rank = graft__safetensors_rank_of_dtype(what.dtype);
    if (out->length > 1)
        graft__text_add(out, ",");
    graft__json_quote(out, graft__listed_name(&p->list, i), item->length);
    graft__text_add(out, ":{\"dtype\":\"");
    graft__text_add(out, graft__safetensors_dtype_at(rank)->name);
    graft__text_add(out, "\",\"shape\":[");
    for (int d = 0; d < what.ndim; d++) {
        if (d > 0)
            graft__text_add(out, ",");
        graft__add_u64(out, (uint64_t)what.size[d]);
    }
    graft__text_add(out, "],\"data_offsets\":[");
    graft__add_u64(out, begin);
    graft__text_add(out, ",");
    graft__add_u64(out, begin + graft__element_bytes(item->tensor));
    graft__text_add(out, "]}");
}

/* Room for about what the tensors' entries take. */
static void reserve_header(const graft__safetensors_plan *p, uint32_t shard, graft__text *out)
{
    enum { FRAME = 64, NUMBER = 12 }; /* an entry without its name; a number as most are */
    size_t size = 0;
    for (size_t i = 0; i < p->list.count; i++)
        if (p->shard[i] == shard)
            size += p->list.item[i].length + FRAME +
                    (size_t)(p->list.item[i].tensor->ndim + 2) * NUMBER;
    graft__text_reserve(out, size);
}

static graft_status make_header(const graft__safetensors_plan *p, uint32_t shard, graft__text *out)
{
    reserve_header(p, shard, out);
    graft__text_add(out, "{");
    graft_status status = add_metadata(p, out);
    if (status != GRAFT_OK)
        return status;
    if (p->hashes)
        add_hashes(p, shard, out);
    if (out->length > 1)
        graft__text_add(out, "}");
    uint64_t begin = 0;
    for (size_t k = 0; k < p->list.count; k++) {
        const size_t i = p->order[k];
        if (p->shard[i] != shard)
            continue;
        add_tensor(p, i, begin, out);
        begin += graft__element_bytes(p->list.item[i].tensor);
    }
    graft__text_add(out, "}");
    graft__text_addn(out, "        ", (8 - out->length % 8) % 8);
    if (out->failed)
        return graft__fail_memory(p->w->g, out->length, p->begin);
    if (out->length > GRAFT__SAFETENSORS_MAX_HEADER)
        return graft__fail(p->w->g, GRAFT_ERR_ARGUMENT,
                           "%s: the header would take %zu bytes: this format allows %llu", p->begin,
                           out->length, (unsigned long long)GRAFT__SAFETENSORS_MAX_HEADER);
    return GRAFT_OK;
}

static graft_status write_header(const graft__safetensors_plan *p, uint32_t shard,
                                 graft__save *save)
{
    graft__text header;
    graft__text_init(&header, p->w->g);
    graft_status status = make_header(p, shard, &header);
    if (status == GRAFT_OK) {
        unsigned char prefix[GRAFT__SAFETENSORS_PREFIX];
        for (int i = 0; i < GRAFT__SAFETENSORS_PREFIX; i++)
            prefix[i] = (unsigned char)((uint64_t)header.length >> (8 * i));
        status = graft__save_write(save, prefix, sizeof prefix);
    }
    if (status == GRAFT_OK)
        status = graft__save_write(save, header.data, header.length);
    graft__text_free(&header);
    return status;
}

/* ---- Elements ---- */

typedef struct sink {
    graft__writing *w;
    graft__save *save;
} sink;

static graft_status write_part(void *user, const void *bytes, size_t size)
{
    const sink *s = user;
    graft_status status = graft__save_write(s->save, bytes, size);
    return status == GRAFT_OK ? graft__written(s->w, size) : status;
}

graft_status graft__safetensors_write_file(const graft__safetensors_plan *p, uint32_t shard,
                                           graft__save *save)
{
    graft__writing *w = p->w;
    graft_status status = write_header(p, shard, save);
    for (size_t k = 0; k < p->list.count && status == GRAFT_OK; k++) {
        const size_t i = p->order[k];
        if (p->shard[i] != shard)
            continue;
        status = graft__each_part(w->g, p->list.item[i].tensor, write_part, &(sink){w, save});
        w->report.tensors++;
        w->report.storages++;
    }
    w->report.files++;
    w->report.bytes += graft__save_offset(save);
    return status;
}

/* ---- One file ---- */

static graft_status write_one(const graft__safetensors_plan *p)
{
    graft__writing *w = p->w;
    graft__save *save = graft__save_begin(w->g, w->op, w->path);
    if (!save)
        return graft_error_status(w->g);
    graft_status status = graft__safetensors_write_file(p, 0, save);
    if (status == GRAFT_OK)
        return graft__save_commit(save, w->options.sync);
    graft__save_abort(save);
    return status;
}

graft_status graft__write_safetensors(graft__writing *w)
{
    if (w->options.max_shard_bytes == 0 && graft__ends_with(w->path, ".index.json"))
        return graft__fail(w->g, GRAFT_ERR_ARGUMENT,
                           "%s: %s: the name of an index: expected max_shard_bytes of 1 or more",
                           w->op, w->path);
    graft__safetensors_plan p;
    graft_status status = graft__safetensors_plan_make(w, &p);
    if (status != GRAFT_OK)
        return status;
    status = w->options.max_shard_bytes > 0 ? graft__write_shards(&p) : write_one(&p);
    graft__safetensors_plan_free(&p);
    return status;
}
