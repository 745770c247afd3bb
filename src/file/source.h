/* The bytes of a file: a private mapping or a block. The tensors that lie in it hold it. */
#ifndef GRAFT__FILE_SOURCE_H
#define GRAFT__FILE_SOURCE_H

#include <stdatomic.h>

#include "tensor/storage.h"

typedef struct graft__source {
    graft__origin origin;       /* first: gives bytes of a mapping by reading the file */
    int fd;                     /* for that; -1: there is none */
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

/* Reads size bytes at offset, which lie within the source, without touching the mapping: they do
 * not come to stay in memory, and a file that was cut short is an error and no signal. false with
 * the error set in g. On any thread. */
bool graft__source_read(graft__source *s, graft_ctx *g, uint64_t offset, void *out, size_t size);

/* Who reads so; NULL: bytes that are no mapping, or there is no descriptor to be had for it. */
static inline graft__origin *graft__source_origin(graft__source *s)
{
    return s->fd >= 0 ? &s->origin : NULL;
}

/* The bytes, which nobody wrote to, need not stay in memory if they are a mapping: they come again
 * when they are looked at. */
void graft__source_forget(const graft__source *s, const void *bytes, size_t size);

graft__source *graft__source_ref(graft__source *s);
void graft__source_unref(graft__source *s); /* NULL is ignored */

/* size bytes that live as long as the source does: what is known of each of very many storages
 * costs no block of its own. For the thread that reads, while it reads. Aligned for any type. NULL,
 * without an error set, without memory. */
void *graft__source_room(graft__source *s, size_t size);

/* A copy of the path there, one for all who ask for the same. NULL as above. */
const char *graft__source_path(graft__source *s, const char *path);

#endif
