/* graft/base.h: status codes, the context, scopes, the random seed. */
#ifndef GRAFT_BASE_H
#define GRAFT_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define GRAFT_API __attribute__((visibility("default")))
#else
#define GRAFT_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* What a call that does something returns. graft_error() has the words. */
typedef enum graft_status {
    GRAFT_OK = 0,
    GRAFT_ERR_ARGUMENT, /* an argument is NULL, out of range or contradicts another */
    GRAFT_ERR_SHAPE,    /* shapes do not fit */
    GRAFT_ERR_DTYPE,    /* a dtype that the call does not work in */
    GRAFT_ERR_MEMORY,   /* the allocator said no */
    GRAFT_ERR_STATE,    /* the call does not fit the state of things (backward twice, ...) */
    GRAFT_ERR_NAME,     /* a name that is missing, unexpected or taken */
    GRAFT_ERR_IO,       /* the operating system said no */
    GRAFT_ERR_FORMAT,   /* the bytes of a file are not what its format says */
    GRAFT_ERR_CANCELLED /* the caller's progress function said to stop */
} graft_status;

/* The name of a status ("GRAFT_ERR_SHAPE"); never NULL. */
GRAFT_API const char *graft_status_name(graft_status status);

/* A context owns the random generator, the allocator, the threads, the scopes and the first
 * error. One context belongs to one thread at a time; two contexts never meet. */
typedef struct graft_ctx graft_ctx;

/* Memory, as the caller gives it. `alloc` returns `size` bytes aligned to `align` (a power of
 * two, at most 4096) or NULL; `free` takes what alloc returned, with the same size. Buffers that
 * a clone shares between contexts are freed by whichever lets go last: where models are cloned
 * into another context, both functions must be safe to call from several threads, and `user`
 * must outlive every context that received a clone. */
typedef struct graft_allocator {
    void *(*alloc)(void *user, size_t size, size_t align);
    void (*free)(void *user, void *ptr, size_t size);
    void *user;
} graft_allocator;

typedef struct graft_options {
    graft_allocator allocator; /* alloc == NULL: the system's */
    int threads;               /* threads that one operation may use, at least 1 */
    size_t cache_limit;        /* bytes that the caching arena may hold back, 0: no caching */
} graft_options;

/* The defaults: the system's allocator, as many threads as the process may run on (at most 64;
 * the environment variable GRAFT_NUM_THREADS overrules it), a cache of at most 1 GiB. */
GRAFT_API graft_options graft_options_defaults(void);

/* Opens a context. NULL means the defaults. Returns NULL if there is no memory or if the options
 * make no sense. Free with graft_close. */
GRAFT_API graft_ctx *graft_open(const graft_options *options);

/* Closes a context: everything that belongs to it (tensors, modules, optimizers, dicts, maps,
 * reports) and was not freed is freed. NULL is ignored. */
GRAFT_API void graft_close(graft_ctx *g);

/* The first error since graft_open or graft_clear_error, as a sentence with names, shapes and what
 * was expected; NULL if there was none. Valid until graft_clear_error or graft_close. */
GRAFT_API const char *graft_error(const graft_ctx *g);

/* The status of that error; GRAFT_OK if there was none, GRAFT_ERR_ARGUMENT if g is NULL. */
GRAFT_API graft_status graft_error_status(const graft_ctx *g);

/* Forgets the error, so that the next one is kept. */
GRAFT_API void graft_clear_error(graft_ctx *g);

/* Opens a scope: the results of operations made from now on belong to it. Scopes nest. */
GRAFT_API graft_status graft_scope_begin(graft_ctx *g);

/* Ends the innermost scope and frees what belongs to it. Without an open scope: GRAFT_ERR_STATE. */
GRAFT_API graft_status graft_scope_end(graft_ctx *g);

/* Seeds the context's random generator: the numbers are those of torch.manual_seed(seed) on the
 * CPU. A new context is seeded as PyTorch's default generator is (67280421310721). */
GRAFT_API graft_status graft_manual_seed(graft_ctx *g, uint64_t seed);

/* The seed last set. 0 if g is NULL. */
GRAFT_API uint64_t graft_initial_seed(const graft_ctx *g);

/* Threads that one operation may use from now on (1 to 64). Results depend on this number, never
 * on how busy the machine is. */
GRAFT_API graft_status graft_set_num_threads(graft_ctx *g, int threads);

/* That number; 0 if g is NULL. */
GRAFT_API int graft_num_threads(const graft_ctx *g);

/* What the context's memory looks like, in bytes. */
typedef struct graft_memory {
    size_t in_use;         /* handed out to objects and tensors of this context, also where a clone
                            * in another context has come to be the last to hold it */
    size_t cached;         /* held back for reuse */
    size_t peak;           /* the highest in_use so far */
    uint64_t system_calls; /* how often the allocator's alloc was called */
} graft_memory;

/* Reads the figures into *out. */
GRAFT_API graft_status graft_memory_stats(const graft_ctx *g, graft_memory *out);

/* Gives everything that is cached back to the allocator. */
GRAFT_API graft_status graft_empty_cache(graft_ctx *g);

/* Frees a text that the library made in this context. NULL is ignored. */
GRAFT_API void graft_text_free(graft_ctx *g, char *text);

/* The library's version, "MAJOR.MINOR.PATCH". */
GRAFT_API const char *graft_version(void);

#ifdef __cplusplus
}
#endif

#endif
