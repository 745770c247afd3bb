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
    struct graft__source_shelf *shelf; /* of graft__source_room, the newest first */
    const char *path;                  /* of graft__source_path; NULL: none yet */
} graft__source;

/* A regular file, mapped or read. op is for errors. NULL with the error set. */
graft__source *graft__source_open(graft_ctx *g, const char *op, const char *path, bool map);

/* A copy of the caller's bytes. */
graft__source *graft__source_copy(graft_ctx *g, const char *op, const void *bytes, size_t size);

graft__source *graft__source_ref(graft__source *s);
void graft__source_unref(graft__source *s); /* NULL is ignored */

/* size bytes that live as long as the source does: what is known of each of very many storages
 * costs no block of its own. For the thread that reads, while it reads. Aligned for any type. NULL,
 * without an error set, without memory. */
void *graft__source_room(graft__source *s, size_t size);

/* A copy of the path there, one for all who ask for the same. NULL as above. */
const char *graft__source_path(graft__source *s, const char *path);

#endif
