/* What both parts of a GGUF file are read with: numbers, strings, key-values. */
#ifndef GRAFT__FILE_GGUF_VALUES_H
#define GRAFT__FILE_GGUF_VALUES_H

#include "file/named.h"

/* The bytes of the file, and how far they are read. */
typedef struct graft__gguf {
    graft__reading *r;
    const unsigned char *bytes;
    uint64_t at, size;
} graft__gguf;

/* Take something off and move on; TRUNCATED where the file ends before. what: for the message. */
graft_status graft__gguf_u32(graft__gguf *f, const char *what, uint32_t *out);
graft_status graft__gguf_u64(graft__gguf *f, const char *what, uint64_t *out);
graft_status graft__gguf_name(graft__gguf *f, const char *what, graft__name *out);

/* Reads a key-value into the metadata. The alignment, if it is that, goes to *alignment too. */
graft_status graft__gguf_key_value(graft__gguf *f, uint32_t *alignment);

#endif
