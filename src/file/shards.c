#include "file/shards.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "file/elements.h"
#include "file/safetensors.h"

/* ---- One shard ---- */

static const char *shard_name(const graft__shard_index *x, size_t shard)
{
    return x->shards->entry[shard].key.text.data;
}

/* Moves the tensors of a shard to their names in the index. */
static graft_status take_tensors(graft__reading *r, graft__shard_index *x, size_t shard,
                                 graft_dict *from)
{
    for (size_t i = 0; i < from->count; i++) {
        graft__entry *e = &from->entry[i];
        const graft__key key = {.text = e->key.text.data, .length = e->key.text.length};
        const int64_t to = graft__dict_find_key(x->names, &key);
        if (to < 0)
            return graft__fault(r, GRAFT_FAULT_SHARD_UNLISTED, -1,
                                "the shard has '%s', which the index lacks", key.text);
        if (x->shard_of[to] != shard)
            return graft__fault(r, GRAFT_FAULT_SHARD_UNLISTED, -1,
                                "the shard has '%s', which the index puts into %s", key.text,
                                shard_name(x, x->shard_of[to]));
        x->names->entry[to].value = e->value;
        e->value = (graft__value){.kind = GRAFT_VALUE_NONE};
    }
    return GRAFT_OK;
}

/* What a shard says about itself, where the index and the shards before it say nothing of it; its
 * hashes are of itself alone. */
static graft_status take_metadata(graft__reading *r, graft_dict *from)
{
    graft_status status = GRAFT_OK;
    for (size_t i = 0; i < from->count && status == GRAFT_OK; i++) {
        graft__entry *e = &from->entry[i];
        const graft__key key = {.text = e->key.text.data, .length = e->key.text.length};
        if (strcmp(key.text, GRAFT__SHA256_KEY) == 0 ||
            strcmp(key.text, GRAFT__SHA256_TENSORS_KEY) == 0 ||
            graft__dict_find_key(r->metadata, &key) >= 0)
            continue;
        graft__value name, value;
        if (!graft__value_copy(r->g, r->op, &e->key, &name))
            return graft_error_status(r->g);
        if (!graft__value_copy(r->g, r->op, &e->value, &value)) {
            graft__value_drop(r->g, &name);
            return graft_error_status(r->g);
        }
        status = graft__dict_append(r->metadata, r->op, name, value);
    }
    return status;
}

/* Reads a shard's file, which is r->source. */
static graft_status read_file(graft__reading *r, graft__shard_index *x, size_t shard)
{
    graft_dict *metadata = r->metadata, *own = graft__dict_new(r->g);
    if (!own)
        return graft_error_status(r->g);
    r->metadata = own;
    graft_dict *tensors = graft__format_safetensors.read(r);
    r->metadata = metadata;
    graft_status status = tensors ? take_tensors(r, x, shard, tensors) : graft_error_status(r->g);
    if (tensors)
        graft__dict_unref(tensors);
    if (status == GRAFT_OK)
        status = take_metadata(r, own);
    graft__dict_unref(own);
    return status;
}

static graft_status read_shard(graft__reading *r, graft__shard_index *x, size_t shard)
{
    const char *name = shard_name(x, shard);
    char *path = graft__beside(r->g, r->path, name);
    if (!path)
        return GRAFT_ERR_MEMORY;
    graft__source *index = r->source;
    r->member = name;
    r->source = graft__source_open(r->g, r->op, path, r->options.map);
    graft_status status = r->source ? read_file(r, x, shard) : graft_error_status(r->g);
    graft__source_unref(r->source);
    r->source = index;
    r->member = NULL;
    graft__text_release(r->g, path);
    return status;
}

/* ---- The set ---- */

/* Whether all files are there, and how large they are together. */
static graft_status find_shards(graft__reading *r, const graft__shard_index *x, uint64_t *bytes)
{
    *bytes = 0;
    for (size_t i = 0; i < x->shards->count; i++) {
        char *path = graft__beside(r->g, r->path, shard_name(x, i));
        if (!path)
            return GRAFT_ERR_MEMORY;
        struct stat st = {.st_size = 0};
        const bool found = stat(path, &st) == 0;
        const bool missing = found ? !S_ISREG(st.st_mode)
                                   : errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG;
        graft__text_release(r->g, path);
        if (missing)
            return graft__fault(r, GRAFT_FAULT_SHARD_MISSING, -1,
                                "the index names the file '%s', which is not there",
                                shard_name(x, i));
        *bytes += (uint64_t)st.st_size;
    }
    return GRAFT_OK;
}

static graft_status check_all_there(graft__reading *r, const graft__shard_index *x)
{
    for (size_t i = 0; i < x->count; i++)
        if (x->names->entry[i].value.kind == GRAFT_VALUE_NONE)
            return graft__fault(r, GRAFT_FAULT_SHARD_LACKS, -1,
                                "the index puts '%s' into %s, which lacks it",
                                x->names->entry[i].key.text.data, shard_name(x, x->shard_of[i]));
    return GRAFT_OK;
}

/* Notes the bytes of the tensors where the index says otherwise: nobody goes by its total_size. */
static graft_status compare_total_size(graft__reading *r, const graft__shard_index *x)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < x->count; i++)
        bytes += graft__element_bytes(x->names->entry[i].value.tensor);
    if (!x->has_total_size || bytes == x->total_size)
        return GRAFT_OK;
    return graft_dict_set_int(r->metadata, "graft.total_size", (int64_t)bytes);
}

static graft_status read_set(graft__reading *r, graft__shard_index *x)
{
    uint64_t bytes;
    graft_status status = find_shards(r, x, &bytes);
    if (status == GRAFT_OK)
        r->total = bytes;
    for (size_t i = 0; i < x->shards->count && status == GRAFT_OK; i++)
        status = read_shard(r, x, i);
    if (status == GRAFT_OK)
        status = check_all_there(r, x);
    return status == GRAFT_OK ? compare_total_size(r, x) : status;
}

static graft_dict *read_index(graft__reading *r)
{
    if (!r->has_folder) {
        graft__fault(r, GRAFT_FAULT_UNSUPPORTED, -1,
                     "a set of shards needs the folder that they lie in: it can't be read from "
                     "memory");
        return NULL;
    }
    graft__shard_index x;
    if (graft__shard_index_read(r, &x) != GRAFT_OK)
        return NULL;
    graft_dict *d = NULL;
    if (read_set(r, &x) == GRAFT_OK) {
        d = x.names;
        x.names = NULL;
    }
    graft__shard_index_free(&x);
    return d;
}

/* An object of JSON that has "weight_map" somewhere. */
static bool matches(const graft__source *source)
{
    const unsigned char *p = source->bytes, *const end = p + source->size;
    for (int i = 0; i < 2; i++) {
        while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
            p++;
        if (p == end || *p != (i == 0 ? '{' : '"'))
            return false;
        p += i == 0;
    }
    static const char key[] = "\"weight_map\"";
    return memmem(p, (size_t)(end - p), key, sizeof key - 1) != NULL;
}

const graft__format graft__format_safetensors_index = {GRAFT_FORMAT_SAFETENSORS_INDEX, matches,
                                                       read_index};
