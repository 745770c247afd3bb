#include <inttypes.h>
#include <string.h>

#include "base/vector.h"
#include "file/json.h"
#include "file/safetensors.h"

/* The header in the making. */
typedef struct parser {
    graft__reading *r;
    graft__safetensors *s;
    graft__json json;
    bool has_metadata;
} parser;

/* ---- Errors ---- */

/* Where the walk stands, in the file. */
static int64_t place(const parser *p)
{
    return GRAFT__SAFETENSORS_PREFIX + (int64_t)(p->json.at - p->json.text_begin);
}

/* Where the last string begins; behind it if it has escapes. */
static int64_t place_of_text(const parser *p)
{
    const graft__json *j = &p->json;
    return j->text == j->scratch ? place(p)
                                 : GRAFT__SAFETENSORS_PREFIX + (int64_t)(j->text - j->text_begin);
}

static graft_status wrong_json(parser *p)
{
    if (p->json.no_memory)
        return graft__fail_memory(p->r->g, p->json.length, p->r->op);
    return graft__fault(p->r, GRAFT_FAULT_INVALID_HEADER_DESERIALIZATION, place(p),
                        "the header is no JSON: %s",
                        p->json.error ? p->json.error : "it ends too early");
}

/* The event was not the one expected. */
static graft_status unexpected(parser *p, graft__json_kind kind, const char *expected)
{
    if (kind == GRAFT__JSON_ERROR)
        return wrong_json(p);
    return graft__fault(p->r, GRAFT_FAULT_INVALID_HEADER_DESERIALIZATION, place(p),
                        "the header: expected %s", expected);
}

/* ---- One tensor ---- */

static bool text_is(const graft__json *j, const char *text)
{
    return j->length == strlen(text) && memcmp(j->text, text, j->length) == 0;
}

static graft_status read_dtype(parser *p, graft__safetensor *t)
{
    const graft__json_kind kind = graft__json_next(&p->json);
    if (kind != GRAFT__JSON_STRING)
        return unexpected(p, kind, "a dtype's name as a string");
    t->rank = graft__safetensors_rank_of_name(p->json.text, p->json.length);
    if (t->rank < 0)
        return graft__fault(p->r, GRAFT_FAULT_INVALID_HEADER_DESERIALIZATION, place(p),
                            "the header: there is no dtype '%.*s'",
                            p->json.length < 32 ? (int)p->json.length : 32, p->json.text);
    return GRAFT_OK;
}

/* The numbers of an array, at most `most`, into out; how many in *count. */
static graft_status read_numbers(parser *p, uint64_t *out, int most, int *count, const char *what)
{
    graft__json_kind kind = graft__json_next(&p->json);
    if (kind != GRAFT__JSON_ARRAY)
        return unexpected(p, kind, what);
    *count = 0;
    for (;;) {
        kind = graft__json_next(&p->json);
        if (kind == GRAFT__JSON_ARRAY_END)
            return GRAFT_OK;
        uint64_t number;
        if (kind != GRAFT__JSON_NUMBER || !graft__json_u64(&p->json, &number))
            return unexpected(p, kind, what);
        if (*count < most)
            out[*count] = number;
        *count += *count < INT32_MAX;
    }
}

static graft_status read_shape(parser *p, graft__safetensor *t)
{
    graft_status status = read_numbers(p, t->size, GRAFT_MAX_DIMS, &t->ndim,
                                       "a shape, an array of sizes of 0 to 2^64 - 1");
    if (status == GRAFT_OK && t->ndim > GRAFT_MAX_DIMS)
        return graft__fault(p->r, GRAFT_FAULT_SHAPE, place(p),
                            "a tensor has %d dimensions: graft has at most %d", t->ndim,
                            GRAFT_MAX_DIMS);
    return status;
}

static graft_status read_offsets(parser *p, graft__safetensor *t)
{
    static const char what[] = "data_offsets, an array of two offsets of 0 to 2^64 - 1";
    uint64_t offset[2];
    int count;
    graft_status status = read_numbers(p, offset, 2, &count, what);
    if (status != GRAFT_OK)
        return status;
    if (count != 2)
        return unexpected(p, GRAFT__JSON_ARRAY_END, what);
    t->begin = offset[0];
    t->end = offset[1];
    return GRAFT_OK;
}

enum { HAS_DTYPE = 1, HAS_SHAPE = 2, HAS_OFFSETS = 4, HAS_ALL = 7 };

/* The value behind a key of a tensor; *seen is what there was before. Unknown keys are passed over,
 * as the reference implementation does. */
static graft_status read_field(parser *p, graft__safetensor *t, unsigned *seen)
{
    unsigned field = 0;
    if (text_is(&p->json, "dtype"))
        field = HAS_DTYPE;
    else if (text_is(&p->json, "shape"))
        field = HAS_SHAPE;
    else if (text_is(&p->json, "data_offsets"))
        field = HAS_OFFSETS;
    if (*seen & field)
        return graft__fault(p->r, GRAFT_FAULT_DUPLICATE, place(p),
                            "the header: '%.*s' stands twice in one tensor", (int)p->json.length,
                            p->json.text);
    *seen |= field;
    switch (field) {
    case HAS_DTYPE:
        return read_dtype(p, t);
    case HAS_SHAPE:
        return read_shape(p, t);
    case HAS_OFFSETS:
        return read_offsets(p, t);
    default:
        return graft__json_skip(&p->json, graft__json_next(&p->json)) ? GRAFT_OK : wrong_json(p);
    }
}

static graft_status read_info(parser *p, graft__safetensor *t)
{
    graft__json_kind kind = graft__json_next(&p->json);
    if (kind != GRAFT__JSON_OBJECT)
        return unexpected(p, kind, "a tensor as an object of dtype, shape and data_offsets");
    unsigned seen = 0;
    while ((kind = graft__json_next(&p->json)) == GRAFT__JSON_KEY) {
        graft_status status = read_field(p, t, &seen);
        if (status != GRAFT_OK)
            return status;
    }
    if (kind != GRAFT__JSON_OBJECT_END)
        return unexpected(p, kind, "a key");
    if (seen != HAS_ALL)
        return unexpected(p, kind, "dtype, shape and data_offsets of a tensor");
    return GRAFT_OK;
}

/* What a tensor takes beside its data, about: its handle, its storage, and what waits for it. */
static uint64_t cost(size_t name_length)
{
    return name_length + sizeof(graft__safetensor) + sizeof(graft__entry) + sizeof(graft_tensor) +
           sizeof(graft__storage) + sizeof(graft__buffer) + 512;
}

/* Appends a name, which must be new, to the dict. */
static graft_status append_name(parser *p, uint64_t at)
{
    graft__reading *r = p->r;
    graft__safetensors *s = p->s;
    const graft__key key = {.text = p->json.text, .length = p->json.length};
    if (graft__dict_find_key(s->dict, &key) >= 0)
        return graft__fault(r, GRAFT_FAULT_DUPLICATE, (int64_t)at,
                            "the header has the name '%.*s' twice",
                            key.length < 200 ? (int)key.length : 200, key.text);
    if (s->count >= (uint64_t)r->options.max_names)
        return graft__fault(r, GRAFT_FAULT_LIMIT, (int64_t)at, "more than %" PRId64 " tensors",
                            r->options.max_names);
    if (!graft__charge(r, cost(key.length)))
        return GRAFT_ERR_FORMAT;
    graft__value name = graft__text_value(r->g, r->op, GRAFT_VALUE_STRING, key.text, key.length);
    if (name.kind == GRAFT_VALUE_NONE)
        return GRAFT_ERR_MEMORY;
    return graft__dict_append(s->dict, r->op, name, (graft__value){.kind = GRAFT_VALUE_NONE});
}

static graft_status read_tensor(parser *p)
{
    graft__safetensors *s = p->s;
    graft__safetensor t = {.at = (uint64_t)place_of_text(p)};
    graft_status status = append_name(p, t.at);
    if (status == GRAFT_OK)
        status = read_info(p, &t);
    if (status != GRAFT_OK)
        return status;
    if (!graft__vector_reserve(s->g, (void **)&s->tensor, s->count, &s->capacity,
                               sizeof *s->tensor))
        return graft__fail_memory(s->g, s->count * sizeof *s->tensor, p->r->op);
    s->tensor[s->count++] = t;
    return GRAFT_OK;
}

/* ---- The whole ---- */

static graft_status read_metadata_entry(parser *p)
{
    graft__reading *r = p->r;
    const graft__key key = {.text = p->json.text, .length = p->json.length};
    if (graft__dict_find_key(r->metadata, &key) >= 0)
        return graft__fault(r, GRAFT_FAULT_DUPLICATE, place(p),
                            "__metadata__ has the key '%.*s' twice",
                            key.length < 200 ? (int)key.length : 200, key.text);
    if (!graft__charge(r, 2 * sizeof(graft__entry) + key.length))
        return GRAFT_ERR_FORMAT;
    graft__value name = graft__text_value(r->g, r->op, GRAFT_VALUE_STRING, key.text, key.length);
    if (name.kind == GRAFT_VALUE_NONE)
        return GRAFT_ERR_MEMORY;
    const graft__json_kind kind = graft__json_next(&p->json);
    graft__value text = {.kind = GRAFT_VALUE_NONE};
    graft_status status = GRAFT_OK;
    if (kind != GRAFT__JSON_STRING)
        status = unexpected(p, kind, "strings in __metadata__");
    else if (!graft__charge(r, p->json.length))
        status = GRAFT_ERR_FORMAT;
    else {
        text = graft__text_value(r->g, r->op, GRAFT_VALUE_STRING, p->json.text, p->json.length);
        if (text.kind == GRAFT_VALUE_NONE)
            status = GRAFT_ERR_MEMORY;
    }
    if (status != GRAFT_OK) {
        graft__value_drop(r->g, &name);
        return status;
    }
    return graft__dict_append(r->metadata, r->op, name, text);
}

static graft_status read_metadata(parser *p)
{
    if (p->has_metadata)
        return graft__fault(p->r, GRAFT_FAULT_DUPLICATE, place(p),
                            "the header has __metadata__ twice");
    p->has_metadata = true;
    graft__json_kind kind = graft__json_next(&p->json);
    if (kind == GRAFT__JSON_NULL)
        return GRAFT_OK;
    if (kind != GRAFT__JSON_OBJECT)
        return unexpected(p, kind, "__metadata__ as an object of strings");
    while ((kind = graft__json_next(&p->json)) == GRAFT__JSON_KEY) {
        graft_status status = read_metadata_entry(p);
        if (status != GRAFT_OK)
            return status;
    }
    return kind == GRAFT__JSON_OBJECT_END ? GRAFT_OK : unexpected(p, kind, "a key");
}

static graft_status read_header(parser *p)
{
    graft__json_kind kind = graft__json_next(&p->json);
    if (kind != GRAFT__JSON_OBJECT)
        return unexpected(p, kind, "an object");
    while ((kind = graft__json_next(&p->json)) == GRAFT__JSON_KEY) {
        graft_status status = text_is(&p->json, "__metadata__") ? read_metadata(p) : read_tensor(p);
        if (status != GRAFT_OK)
            return status;
    }
    if (kind != GRAFT__JSON_OBJECT_END)
        return unexpected(p, kind, "a name");
    kind = graft__json_next(&p->json);
    return kind == GRAFT__JSON_END ? GRAFT_OK : unexpected(p, kind, "the end of the header");
}

/* The header's bytes, or the reason why there are none. */
static graft_status find_header(graft__reading *r, const char **text, uint64_t *size)
{
    const graft__source *source = r->source;
    if (source->size < GRAFT__SAFETENSORS_PREFIX)
        return graft__fault(r, GRAFT_FAULT_HEADER_TOO_SMALL, (int64_t)source->size,
                            "a file of %" PRIu64 " bytes: the length of the header takes %d",
                            source->size, GRAFT__SAFETENSORS_PREFIX);
    *size = graft__le64(source->bytes);
    if (*size > GRAFT__SAFETENSORS_MAX_HEADER)
        return graft__fault(r, GRAFT_FAULT_HEADER_TOO_LARGE, 0,
                            "a header of %" PRIu64 " bytes: at most %" PRIu64 " are allowed", *size,
                            GRAFT__SAFETENSORS_MAX_HEADER);
    if (*size > source->size - GRAFT__SAFETENSORS_PREFIX)
        return graft__fault(r, GRAFT_FAULT_INVALID_HEADER_LENGTH, 0,
                            "a header of %" PRIu64 " bytes in a file of %" PRIu64, *size,
                            source->size);
    *text = (const char *)source->bytes + GRAFT__SAFETENSORS_PREFIX;
    size_t bad;
    if (!graft__is_utf8(*text, (size_t)*size, &bad))
        return graft__fault(r, GRAFT_FAULT_INVALID_HEADER, GRAFT__SAFETENSORS_PREFIX + (int64_t)bad,
                            "the header is not UTF-8");
    return GRAFT_OK;
}

graft_status graft__safetensors_parse(graft__reading *r, graft__safetensors *out)
{
    *out = (graft__safetensors){.g = r->g};
    const char *text = NULL;
    uint64_t size = 0;
    graft_status status = find_header(r, &text, &size);
    if (status != GRAFT_OK)
        return status;
    out->data = GRAFT__SAFETENSORS_PREFIX + size;
    out->dict = graft__dict_new(r->g);
    if (!out->dict)
        return GRAFT_ERR_MEMORY;
    parser p = {.r = r, .s = out};
    graft__json_open(&p.json, r->g, text, (size_t)size);
    status = read_header(&p);
    graft__json_close(&p.json);
    if (status != GRAFT_OK)
        graft__safetensors_free(out);
    return status;
}

void graft__safetensors_free(graft__safetensors *s)
{
    if (s->dict)
        graft__dict_unref(s->dict);
    graft__free(s->g, s->tensor, s->capacity * sizeof *s->tensor);
    graft__free(s->g, s->order, s->count * sizeof *s->order);
    *s = (graft__safetensors){.g = s->g};
}

bool graft__safetensors_matches(const unsigned char *bytes, uint64_t size)
{
    enum { MOST_SPACE = 4096 };
    if (size <= GRAFT__SAFETENSORS_PREFIX || graft__le64(bytes) > GRAFT__SAFETENSORS_MAX_HEADER)
        return false;
    const uint64_t last = size < MOST_SPACE ? size : MOST_SPACE;
    uint64_t at = GRAFT__SAFETENSORS_PREFIX;
    while (at < last &&
           (bytes[at] == ' ' || bytes[at] == '\n' || bytes[at] == '\r' || bytes[at] == '\t'))
        at++;
    return at < last && bytes[at] == '{' && at - GRAFT__SAFETENSORS_PREFIX < graft__le64(bytes);
}
