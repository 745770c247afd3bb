#include "file/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ctx.h"
#include "base/file.h"
#include "file/reading.h"

/* What an empty source's bytes point to. */
static const unsigned char nothing[1];

/* Blocks come from the allocator itself: a source may outlive its context and go on any thread, so
 * that no context's figures can count it. */
static void *take(graft_ctx *g, size_t size)
{
    const graft_allocator *a = &g->arena.allocator;
    g->arena.stats.system_calls++;
    void *block = a->alloc(a->user, size, GRAFT__ALIGN);
    if (block || g->arena.stats.cached == 0)
        return block;
    graft__arena_empty(&g->arena);
    g->arena.stats.system_calls++;
    return a->alloc(a->user, size, GRAFT__ALIGN);
}

/* ---- Reading beside the mapping ---- */

static bool fail_short(const graft__source *s, graft_ctx *g, uint64_t at, ...)
{
    const graft__where where = {"load", s->path ? s->path : "a file", NULL, -1};
    va_list args;
    va_start(args, at);
    graft__fault_at(g, &where, GRAFT_FAULT_TRUNCATED,
                    "it was cut short while it was in use: it had %llu bytes, now %llu", args);
    va_end(args);
    return false;
}

bool graft__source_read(graft__source *s, graft_ctx *g, uint64_t offset, void *out, size_t size)
{
    enum { LARGEST = 1 << 30 };
    for (size_t done = 0; done < size;) {
        const size_t want = size - done < LARGEST ? size - done : LARGEST;
        const ssize_t n = pread(s->fd, (unsigned char *)out + done, want, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            graft__file_fail(g, "load", s->path ? s->path : "a file");
            return false;
        }
        if (n == 0)
            return fail_short(s, g, 0, (unsigned long long)s->size,
                              (unsigned long long)(offset + done));
        done += (size_t)n;
    }
    return true;
}

static bool read_origin(graft__origin *o, graft_ctx *g, const void *from, void *out, size_t size)
{
    graft__source *s = (graft__source *)o;
    return graft__source_read(s, g, (uint64_t)((const unsigned char *)from - s->bytes), out, size);
}

void graft__source_forget(const graft__source *s, const void *bytes, size_t size)
{
#ifdef MADV_DONTNEED
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const uintptr_t begin = ((uintptr_t)bytes + page - 1) / page * page;
    const uintptr_t end = ((uintptr_t)bytes + size) / page * page;
    if (s->mapped && end > begin)
        madvise((void *)begin, end - begin, MADV_DONTNEED);
#else
    (void)s, (void)bytes, (void)size;
#endif
}

static graft__source *source_new(graft_ctx *g, const char *op)
{
    graft__source *s = take(g, sizeof *s);
    if (!s) {
        graft__fail_memory(g, sizeof *s, op);
        return NULL;
    }
    *s = (graft__source){
        .origin = {.read = read_origin},
        .fd = -1,
        .bytes = nothing,
        .writable = true,
        .allocator = g->arena.allocator,
        .block_size = sizeof *s,
    };
    atomic_init(&s->refs, 1);
    return s;
}

graft__source *graft__source_ref(graft__source *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

/* ---- What lives as long as the source ---- */

/* A block that is given away from the front. */
typedef struct graft__source_shelf {
    struct graft__source_shelf *next;
    size_t used, size; /* of the whole block */
} graft__source_shelf;

enum { SHELF_MIN = 1 << 10, SHELF_MAX = 1 << 18, SHELF_ALIGN = _Alignof(max_align_t) };

static size_t shelf_round(size_t size)
{
    return (size + SHELF_ALIGN - 1) / SHELF_ALIGN * SHELF_ALIGN;
}

/* Each twice as large as the one before: a file of one tensor pays for few. */
static graft__source_shelf *shelf_new(graft__source *s, size_t needed)
{
    size_t size = s->shelf ? 2 * s->shelf->size : SHELF_MIN;
    if (size > SHELF_MAX)
        size = SHELF_MAX;
    const size_t head = shelf_round(sizeof(graft__source_shelf));
    size = graft__arena_block_size(size > head + needed ? size : head + needed);
    graft__source_shelf *shelf =
        size ? s->allocator.alloc(s->allocator.user, size, GRAFT__ALIGN) : NULL;
    if (!shelf)
        return NULL;
    *shelf = (graft__source_shelf){.next = s->shelf, .used = head, .size = size};
    s->shelf = shelf;
    return shelf;
}

void *graft__source_room(graft__source *s, size_t size)
{
    if (size > PTRDIFF_MAX / 4)
        return NULL;
    size = shelf_round(size);
    graft__source_shelf *shelf = s->shelf;
    if (!shelf || shelf->size - shelf->used < size)
        shelf = shelf_new(s, size);
    if (!shelf)
        return NULL;
    void *room = (char *)shelf + shelf->used;
    shelf->used += size;
    return room;
}

const char *graft__source_path(graft__source *s, const char *path)
{
    if (s->path && strcmp(s->path, path) == 0)
        return s->path;
    const size_t size = strlen(path) + 1;
    char *copy = graft__source_room(s, size);
    if (copy)
        memcpy(copy, path, size);
    s->path = copy;
    return copy;
}

static void drop_shelves(graft__source *s)
{
    while (s->shelf) {
        graft__source_shelf *shelf = s->shelf;
        s->shelf = shelf->next;
        s->allocator.free(s->allocator.user, shelf, shelf->size);
    }
}

void graft__source_unref(graft__source *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    graft_allocator a = s->allocator;
    drop_shelves(s);
    if (s->fd >= 0)
        close(s->fd);
    if (s->mapped)
        munmap((void *)s->bytes, (size_t)s->size);
    else if (s->bytes_size > 0)
        a.free(a.user, (void *)s->bytes, s->bytes_size);
    a.free(a.user, s, s->block_size);
}

/* A block for size bytes, which s owns. NULL with the error set. */
static unsigned char *give_block(graft_ctx *g, const char *op, graft__source *s, size_t size)
{
    unsigned char *block = size <= PTRDIFF_MAX ? take(g, size) : NULL;
    if (!block) {
        graft__fail_memory(g, size, op);
        return NULL;
    }
    s->bytes = block;
    s->bytes_size = size;
    s->size = size;
    return block;
}

/* A private mapping that may be written to without the file, or anybody else, noticing. Memory for
 * such pages is not reserved: hardly any will be written. false if the file system has no maps. */
static bool map_file(graft__source *s, int fd, size_t size)
{
    int flags = MAP_PRIVATE;
#ifdef MAP_NORESERVE
    flags |= MAP_NORESERVE;
#endif
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (p == MAP_FAILED)
        return false;
    s->bytes = p;
    s->size = size;
    s->mapped = true;
    return true;
}

static graft_status read_file(graft_ctx *g, const char *op, const char *path, int fd,
                              graft__source *s, size_t size)
{
    unsigned char *block = give_block(g, op, s, size);
    return block ? graft__file_fill(g, op, path, fd, block, size) : GRAFT_ERR_MEMORY;
}

static graft_status fill(graft_ctx *g, const char *op, const char *path, int fd, bool map,
                         graft__source *s)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return graft__file_fail(g, op, path);
    if (!S_ISREG(st.st_mode))
        return graft__fail(g, GRAFT_ERR_IO, "%s: %s: expected a regular file", op, path);
    if ((uintmax_t)st.st_size > PTRDIFF_MAX)
        return graft__fail_memory(g, SIZE_MAX, op);
    size_t size = (size_t)st.st_size;
    if (size == 0 || (map && map_file(s, fd, size)))
        return GRAFT_OK;
    return read_file(g, op, path, fd, s, size);
}

/* Keeps the descriptor of a mapping, so that bytes can be read beside it; not where the program
 * would soon have none left for other things. */
static bool keep_open(graft__source *s, int fd, const char *path)
{
    struct rlimit most;
    if (!s->mapped || getrlimit(RLIMIT_NOFILE, &most) != 0 || (rlim_t)fd >= most.rlim_cur / 2)
        return false;
    graft__source_path(s, path); /* for errors: without it they lack a name */
    s->fd = fd;
    return true;
}

graft__source *graft__source_open(graft_ctx *g, const char *op, const char *path, bool map)
{
    if (!path) {
        graft__fail(g, GRAFT_ERR_ARGUMENT, "%s: expected a path, got NULL", op);
        return NULL;
    }
    /* Nonblocking: opening a pipe would wait for its other end. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        graft__file_fail(g, op, path);
        return NULL;
    }
    graft__source *s = source_new(g, op);
    if (s && fill(g, op, path, fd, map, s) != GRAFT_OK) {
        graft__source_unref(s);
        s = NULL;
    }
    if (!s || !keep_open(s, fd, path))
        close(fd);
    return s;
}

graft__source *graft__source_copy(graft_ctx *g, const char *op, const void *bytes, size_t size)
{
    graft__source *s = source_new(g, op);
    if (!s || size == 0)
        return s;
    unsigned char *block = give_block(g, op, s, size);
    if (!block) {
        graft__source_unref(s);
        return NULL;
    }
    memcpy(block, bytes, size);
    return s;
}
