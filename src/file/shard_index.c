#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "base/vector.h"
#include "file/json.h"
#include "file/shards.h"

typedef struct parser {
    graft__reading *r;
    graft__shard_index *x;
    graft__json json;
    bool has_weight_map;
} parser;

bool graft__shard_name_is_safe(const char *name, size_t length)
{
    if (length == 0 || name[0] == '/' || memchr(name, 0, length))
        return false;
    for (size_t begin = 0; begin <= length;) {
        const char *slash = begin < length ? memchr(name + begin, '/', length - begin) : NULL;
        const size_t end = slash ? (size_t)(slash - name) : length;
        if (end - begin == 2 && name[begin] == '.' && name[begin + 1] == '.')
            return false;
        begin = end + 1;
    }
    return true;
}

char *graft__beside(graft_ctx *g, const char *path, const char *name)
{
    const char *slash = strrchr(path, '/');
    graft__text text;
    graft__text_init(&text, g);
    if (slash)
        graft__text_addn(&text, path, (size_t)(slash - path) + 1);
    graft__text_add(&text, name);
    return graft__text_take(&text);
}

/* ---- Errors ---- */

static int64_t place(const parser *p)
{
    return (int64_t)(p->json.at - p->json.text_begin);
}

static graft_status unexpected(parser *p, graft__json_kind kind, const char *expected)
{
    if (kind != GRAFT__JSON_ERROR)
        return graft__fault(p->r, GRAFT_FAULT_INDEX, place(p), "the index: expected %s", expected);
    if (p->json.no_memory)
        return graft__fail_memory(p->r->g, p->json.length, p->r->op);
    return graft__fault(p->r, GRAFT_FAULT_INDEX, place(p), "the index is no JSON: %s",
                        p->json.error);
}

static graft_status skip(parser *p)
{
    const graft__json_kind kind = graft__json_next(&p->json);
    return graft__json_skip(&p->json, kind) ? GRAFT_OK : unexpected(p, GRAFT__JSON_ERROR, "");
}

static int shown(size_t length)
{
    return length < 200 ? (int)length : 200;
}

/* ---- weight_map ---- */

/* Appends the last string as a key to d. */
static graft_status append_text(parser *p, graft_dict *d, graft__value value)
{
    graft__reading *r = p->r;
    graft__value key = {.kind = GRAFT_VALUE_NONE};
    if (graft__charge(r, 2 * sizeof(graft__entry) + p->json.length))
        key = graft__text_value(r->g, r->op, GRAFT_VALUE_STRING, p->json.text, p->json.length);
    if (key.kind == GRAFT_VALUE_NONE) {
        graft__value_drop(r->g, &value);
        return graft_error_status(r->g);
    }
    return graft__dict_append(d, r->op, key, value);
}

/* Where the last string stands in d; -1. */
static int64_t find_text(const parser *p, const graft_dict *d)
{
    const graft__key key = {.text = p->json.text, .length = p->json.length};
    return graft__dict_find_key(d, &key);
}

static graft_status read_shard(parser *p, uint32_t *shard)
{
    graft__shard_index *x = p->x;
    const graft__json_kind kind = graft__json_next(&p->json);
    if (kind != GRAFT__JSON_STRING)
        return unexpected(p, kind, "a file name as a string");
    int64_t i = find_text(p, x->shards);
    if (i < 0) {
        if (!graft__shard_name_is_safe(p->json.text, p->json.length))
            return graft__fault(p->r, GRAFT_FAULT_NAME, place(p),
                                "the index names the file '%.*s', which is not below its folder",
                                shown(p->json.length), p->json.text);
        i = (int64_t)x->shards->count;
        graft_status status = append_text(p, x->shards, (graft__value){.kind = GRAFT_VALUE_NONE});
        if (status != GRAFT_OK)
            return status;
    }
    *shard = (uint32_t)i;
    return GRAFT_OK;
}

static graft_status read_name(parser *p)
{
    graft__shard_index *x = p->x;
    if (find_text(p, x->names) >= 0)
        return graft__fault(p->r, GRAFT_FAULT_DUPLICATE, place(p),
                            "the index has the name '%.*s' twice", shown(p->json.length),
                            p->json.text);
    if (x->count >= (uint64_t)p->r->options.max_names || x->count >= UINT32_MAX)
        return graft__fault(p->r, GRAFT_FAULT_LIMIT, place(p), "more than %" PRId64 " tensors",
                            p->r->options.max_names);
    graft_status status = append_text(p, x->names, (graft__value){.kind = GRAFT_VALUE_NONE});
    uint32_t shard = 0;
    if (status == GRAFT_OK)
        status = read_shard(p, &shard);
    if (status != GRAFT_OK)
        return status;
    if (!graft__vector_reserve(x->g, (void **)&x->shard_of, x->count, &x->capacity,
                               sizeof *x->shard_of))
        return graft__fail_memory(x->g, x->count * sizeof *x->shard_of, p->r->op);
    x->shard_of[x->count++] = shard;
    return GRAFT_OK;
}

static graft_status read_weight_map(parser *p)
{
    if (p->has_weight_map)
        return graft__fault(p->r, GRAFT_FAULT_DUPLICATE, place(p),
                            "the index has weight_map twice");
    p->has_weight_map = true;
    graft__json_kind kind = graft__json_next(&p->json);
    if (kind != GRAFT__JSON_OBJECT)
        return unexpected(p, kind, "weight_map as an object of file names");
    while ((kind = graft__json_next(&p->json)) == GRAFT__JSON_KEY) {
        graft_status status = read_name(p);
        if (status != GRAFT_OK)
            return status;
    }
    return kind == GRAFT__JSON_OBJECT_END ? GRAFT_OK : unexpected(p, kind, "a name");
}

/* ---- metadata ---- */

/* The value whose first event was `kind`: numbers that are no integers, and what is nested, as the
 * text of the JSON. */
static graft_status metadata_value(parser *p, graft__json_kind kind, graft__value *out)
{
    graft__json *j = &p->json;
    uint64_t number;
    *out = (graft__value){.kind = GRAFT_VALUE_NONE};
    if (kind == GRAFT__JSON_NULL)
        return GRAFT_OK;
    if (kind == GRAFT__JSON_TRUE || kind == GRAFT__JSON_FALSE) {
        *out = (graft__value){.kind = GRAFT_VALUE_BOOL, .boolean = kind == GRAFT__JSON_TRUE};
        return GRAFT_OK;
    }
    if (kind == GRAFT__JSON_NUMBER && graft__json_u64(j, &number) && number <= INT64_MAX) {
        *out = graft__int_value((int64_t)number);
        return GRAFT_OK;
    }
    const char *text = j->text;
    size_t length = j->length;
    if (kind == GRAFT__JSON_OBJECT || kind == GRAFT__JSON_ARRAY) {
        text = j->at - 1;
        if (!graft__json_skip(j, kind))
            return unexpected(p, GRAFT__JSON_ERROR, "");
        length = (size_t)(j->at - text);
    }
    if (graft__charge(p->r, length))
        *out = graft__text_value(p->r->g, p->r->op, GRAFT_VALUE_STRING, text, length);
    return out->kind != GRAFT_VALUE_NONE ? GRAFT_OK : graft_error_status(p->r->g);
}

static graft_status read_metadata_entry(parser *p)
{
    graft__reading *r = p->r;
    if (find_text(p, r->metadata) >= 0)
        return graft__fault(r, GRAFT_FAULT_DUPLICATE, place(p),
                            "the index's metadata has the key '%.*s' twice", shown(p->json.length),
                            p->json.text);
    const bool is_total_size =
        p->json.length == strlen("total_size") && memcmp(p->json.text, "total_size", 10) == 0;
    graft_status status = append_text(p, r->metadata, (graft__value){.kind = GRAFT_VALUE_NONE});
    if (status != GRAFT_OK)
        return status;
    const graft__json_kind kind = graft__json_next(&p->json);
    if (kind == GRAFT__JSON_ERROR)
        return unexpected(p, kind, "");
    graft__value value;
    status = metadata_value(p, kind, &value);
    r->metadata->entry[r->metadata->count - 1].value = value;
    if (is_total_size && value.kind == GRAFT_VALUE_INT) {
        p->x->has_total_size = true;
        p->x->total_size = (uint64_t)value.integer;
    }
    return status;
}

static graft_status read_metadata(parser *p)
{
    graft__json_kind kind = graft__json_next(&p->json);
    if (kind == GRAFT__JSON_NULL)
        return GRAFT_OK;
    if (kind != GRAFT__JSON_OBJECT)
        return unexpected(p, kind, "metadata as an object");
    while ((kind = graft__json_next(&p->json)) == GRAFT__JSON_KEY) {
        graft_status status = read_metadata_entry(p);
        if (status != GRAFT_OK)
            return status;
    }
    return kind == GRAFT__JSON_OBJECT_END ? GRAFT_OK : unexpected(p, kind, "a key");
}

/* ---- The whole ---- */

static bool text_is(const graft__json *j, const char *text)
{
    return j->length == strlen(text) && memcmp(j->text, text, j->length) == 0;
}

static graft_status read_index(parser *p)
{
    graft__json_kind kind = graft__json_next(&p->json);
    if (kind != GRAFT__JSON_OBJECT)
        return unexpected(p, kind, "an object");
    while ((kind = graft__json_next(&p->json)) == GRAFT__JSON_KEY) {
        graft_status status = text_is(&p->json, "weight_map") ? read_weight_map(p)
                              : text_is(&p->json, "metadata") ? read_metadata(p)
                                                              : skip(p);
        if (status != GRAFT_OK)
            return status;
    }
    if (kind != GRAFT__JSON_OBJECT_END)
        return unexpected(p, kind, "a key");
    kind = graft__json_next(&p->json);
    if (kind != GRAFT__JSON_END)
        return unexpected(p, kind, "the end of the index");
    return p->has_weight_map ? GRAFT_OK : unexpected(p, kind, "a weight_map");
}

graft_status graft__shard_index_read(graft__reading *r, graft__shard_index *out)
{
    *out = (graft__shard_index){.g = r->g};
    out->names = graft__dict_new(r->g);
    out->shards = out->names ? graft__dict_new(r->g) : NULL;
    graft_status status = graft_error_status(r->g);
    if (out->shards) {
        parser p = {.r = r, .x = out};
        graft__json_open(&p.json, r->g, (const char *)r->source->bytes, (size_t)r->source->size);
        status = read_index(&p);
        graft__json_close(&p.json);
    }
    if (status != GRAFT_OK)
        graft__shard_index_free(out);
    return status;
}

void graft__shard_index_free(graft__shard_index *x)
{
    if (x->names)
        graft__dict_unref(x->names);
    if (x->shards)
        graft__dict_unref(x->shards);
    graft__free(x->g, x->shard_of, x->capacity * sizeof *x->shard_of);
    *x = (graft__shard_index){.g = x->g};
}
