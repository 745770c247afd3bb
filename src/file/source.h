/* The bytes of a file: a private mapping or a block. The tensors that lie in it hold it. */
#ifndef GRAFT__FILE_SOURCE_H
#define GRAFT__FILE_SOURCE_H

#include <stdatomic.h>

#include "graft/base.h"

typedef struct graft__source {
    _Atomic uint32_t refs;      /* also of tensors in other contexts */
    const unsigned char *bytes; /* never NULL */
    uint64_t size;
    bool mapped;
    bool writable; /* bytes may be written to: a private mapping or a block of our own */
    graft_allocator allocator; /* of this block, and of the bytes where they are no mapping */
    size_t block_size, bytes_size;
} graft__source;

/* A regular file, mapped or read. op is for errors. NULL with the error set. */
graft__source *graft__source_open(graft_ctx *g, const char *op, const char *path, bool map);

/* A copy of the caller's bytes. */
graft__source *graft__source_copy(graft_ctx *g, const char *op, const void *bytes, size_t size);

graft__source *graft__source_ref(graft__source *s);
void graft__source_unref(graft__source *s); /* NULL is ignored */

#endif
