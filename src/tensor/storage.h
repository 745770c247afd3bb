/* Memory of tensors: buffers, which copies share until one writes, and storages, which views share.
 */
#ifndef GRAFT__TENSOR_STORAGE_H
#define GRAFT__TENSOR_STORAGE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/ctx.h"

/* Bytes. Shared copy-on-write by storages, also of other contexts, so the count is atomic and the
 * buffer knows by itself how to be freed. */
typedef struct graft__buffer {
    _Atomic uint32_t refs;
    void *data;
    size_t size;
    const graft_ctx *home;                   /* whose figures count it; may be gone */
    graft_allocator allocator;               /* of this block, header and data in one, */
    size_t block_size;                       /* of this size; 0: in room of what is released */
    void (*release)(void *user, void *data); /* borrowed memory: whom to tell, or NULL */
    void *release_user;
    struct graft__origin *origin; /* of bytes of a file that nobody wrote to; NULL: of none */
    bool supplied;                /* borrowed, but from a file: nobody else looks at it */
    _Atomic(struct graft__supply *) supply; /* where data will come from; NULL: it is there */
} graft__buffer;

/* Who can give bytes that lie in memory without touching them there: a file of which they are a
 * mapping. So what passes through does not come to stay. read: size bytes, at `from` in memory,
 * into out; false with the error set in g. On any thread. */
typedef struct graft__origin {
    bool (*read)(struct graft__origin *o, graft_ctx *g, const void *from, void *out, size_t size);
} graft__origin;

/* Bytes that come when they are first needed. fetch gives their address, or NULL with the error set
 * in g: then it may be called again. It is called by one thread at a time; release (with the data
 * that fetch gave, or NULL) is called once, when the buffer goes, on any thread. */
typedef struct graft__supply {
    pthread_mutex_t lock; /* the maker's to initialise and, in release, to destroy */
    void *(*fetch)(struct graft__supply *s, graft_ctx *g);
    void (*release)(void *supply, void *data);
    graft_ctx *leaving; /* set before release: the context whose thread lets go */

    /* Optional (NULL: there is only fetch): bytes begin to begin + size - 1 into out, of which
     * nothing is kept, so that a large tensor passes through little memory (tensor/chunks.h). Under
     * the same rules as fetch, any number of times, fast in order. */
    bool (*read)(struct graft__supply *s, graft_ctx *g, uint64_t begin, void *out, size_t size);

    /* Optional: takes back what fetch gave to one who needs it for a while only, and had it
     * without the buffer being told. Any number of such may be about. */
    void (*take_back)(struct graft__supply *s, void *data);

    graft__origin *origin; /* set by a fetch whose bytes have one */
} graft__supply;

/* What views share: writing through one is seen by all. Belongs to one context. */
typedef struct graft__storage {
    uint32_t refs;    /* tensors over it */
    uint32_t version; /* counts writes, so that the graph notices */
    graft_ctx *ctx;
    graft__buffer *buffer;
} graft__storage;

/* All return NULL with the error set. A new storage's bytes are not zeroed. */
graft__storage *graft__storage_new(graft_ctx *g, size_t bytes);
graft__storage *graft__storage_borrow(graft_ctx *g, void *data, size_t bytes,
                                      void (*release)(void *user, void *data), void *user);

/* A storage over bytes of a file that are there: the same as borrowed, but the memory is nobody's.
 */
graft__storage *graft__storage_supplied(graft_ctx *g, void *data, size_t bytes,
                                        void (*release)(void *user, void *data), void *user);

/* A storage whose bytes the supply will give; on failure release is not called. Nothing may look at
 * the bytes before graft__storage_ready; what a storage_share of it shares waits too. */
graft__storage *graft__storage_promise(graft_ctx *g, size_t bytes, graft__supply *supply);

/* The same with the buffer in room that release gives back, or lives longer: one block less where
 * there are very many. */
graft__storage *graft__storage_supplied_in(graft_ctx *g, graft__buffer *room, void *data,
                                           size_t bytes, void (*release)(void *user, void *data),
                                           void *user);
graft__storage *graft__storage_promise_in(graft_ctx *g, graft__buffer *room, size_t bytes,
                                          graft__supply *supply);

/* Makes the bytes be there. false, with the error set, if they can't be had. */
bool graft__storage_fetch(graft__storage *s, graft_ctx *g);

static inline bool graft__storage_ready(graft__storage *s, graft_ctx *g)
{
    return !atomic_load_explicit(&s->buffer->supply, memory_order_acquire) ||
           graft__storage_fetch(s, g);
}

/* Whether bytes can be had a piece at a time, which may be no longer so when they are read. */
bool graft__storage_can_read(const graft__storage *s);

/* size bytes from byte begin on into out, of what can be read so; NOT: they are in memory, or have
 * to be fetched. FAILED with the error set. */
typedef enum graft__read_result {
    GRAFT__READ_FAILED = 0,
    GRAFT__READ,
    GRAFT__READ_NOT
} graft__read_result;
graft__read_result graft__storage_read(graft__storage *s, graft_ctx *g, uint64_t begin, void *out,
                                       size_t size);

/* The bytes of a storage that waits, for a while: nothing comes to stay. NULL, with *from NULL, if
 * they are there or can only be fetched; with *from set: the error is set. What came is given back
 * by from->take_back. */
void *graft__storage_lend(graft__storage *s, graft_ctx *g, graft__supply **from);

/* A storage of its own over the same buffer: copy-on-write. g may be another context. */
graft__storage *graft__storage_share(const graft__storage *s, graft_ctx *g);

graft__storage *graft__storage_ref(graft__storage *s);
void graft__storage_unref(graft__storage *s); /* NULL is ignored */

/* Whether a copy shares the buffer, so that a write must separate first. */
bool graft__storage_is_shared(const graft__storage *s);

/* Makes the bytes s's own, ready to be written, and counts a write: with the old bytes (keep) or
 * with any. false, with the error set and nothing changed, if there is no memory. */
bool graft__storage_separate(graft__storage *s, bool keep);

/* As separate without keep, but the old buffer is handed out to read from, until
 * graft__buffer_unref; *old is NULL if s was not shared (then read and write in place). For updates
 * that read each element and write it anew: one pass instead of a copy and a pass. */
bool graft__storage_renew(graft__storage *s, graft__buffer **old);

/* Whether the bytes are memory of the caller's with nobody to tell when it is no longer needed: it
 * may go, or change under a copy, as soon as the tensors that the caller knows of have gone. */
bool graft__storage_is_on_loan(const graft__storage *s);

/* Whether the bytes are the caller's, and not of an allocator. */
bool graft__storage_is_borrowed(const graft__storage *s);

/* dst takes src's bytes (as many as dst has), sharing the buffer copy-on-write, and counts a write.
 * A dst that is borrowed and unshared is written to instead: its memory is what the caller looks
 * at; src must not overlap it then. Never fails. */
void graft__storage_assign(graft__storage *dst, const graft__storage *src);

/* A reference to the buffer of an unshared storage, which no context's figures count from now on:
 * it may be let go of on any thread, with g NULL. */
graft__buffer *graft__storage_orphan(graft__storage *s);

/* A reference to the buffer as it is now, which may be let go of on any thread: a copy-on-write
 * copy or, of what is on loan, a copy. NULL with the error set. */
graft__buffer *graft__storage_hold(const graft__storage *s, graft_ctx *g);

/* g: the context whose thread lets go, or NULL: some other. NULL b is ignored. */
void graft__buffer_unref(graft_ctx *g, graft__buffer *b);

#endif
