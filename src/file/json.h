/* A strict reader of JSON (RFC 8259) that builds no tree: the caller walks, and gets events. It
 * allocates nothing but the text of strings with escapes. Not Jansson, as the small build has to
 * read safetensors too, and as a header of 100,000 tensors is walked ten times as fast. */
#ifndef GRAFT__FILE_JSON_H
#define GRAFT__FILE_JSON_H

#include "graft/base.h"

typedef enum graft__json_kind {
    GRAFT__JSON_ERROR = 0, /* see error and at */
    GRAFT__JSON_END,       /* of the text */
    GRAFT__JSON_OBJECT,    /* { */
    GRAFT__JSON_OBJECT_END,
    GRAFT__JSON_ARRAY, /* [ */
    GRAFT__JSON_ARRAY_END,
    GRAFT__JSON_KEY, /* text, length; its value follows */
    GRAFT__JSON_STRING,
    GRAFT__JSON_NUMBER, /* text, length: as it was written */
    GRAFT__JSON_TRUE,
    GRAFT__JSON_FALSE,
    GRAFT__JSON_NULL
} graft__json_kind;

enum { GRAFT__JSON_DEPTH = 128 };

typedef struct graft__json {
    graft_ctx *g;
    const char *text_begin;
    const char *at, *end;
    const char *error; /* what was wrong, in words */
    bool no_memory;
    /* the string or number of the last event: in the text or, until the next event, in scratch */
    const char *text;
    size_t length;
    char *scratch;
    size_t scratch_capacity;
    int depth;
    unsigned char stack[GRAFT__JSON_DEPTH];
    unsigned char state;
} graft__json;

void graft__json_open(graft__json *j, graft_ctx *g, const char *text, size_t size);
void graft__json_close(graft__json *j);

/* The next event. Checks UTF-8 of strings, escapes (surrogates in pairs), numbers, commas, depth,
 * and that nothing but white space is behind the value. Does not look for duplicate keys: its
 * caller puts names into a dict anyway. */
graft__json_kind graft__json_next(graft__json *j);

/* Passes over the value whose first event was `first`. false on an error. */
bool graft__json_skip(graft__json *j, graft__json_kind first);

/* The number of the last event as an integer without sign, fraction or exponent; false if it is no
 * such thing or does not fit. */
bool graft__json_u64(const graft__json *j, uint64_t *out);

/* Appends bytes, which are UTF-8, as a string of JSON: escaped is only what has to be, as
 * serde_json and the reference writer of safetensors do. */
struct graft__text;
void graft__json_quote(struct graft__text *out, const char *bytes, size_t size);

/* Whether bytes are UTF-8 (no surrogates, nothing overlong). Where not, *bad is where. */
bool graft__is_utf8(const char *bytes, size_t size, size_t *bad);

#endif
