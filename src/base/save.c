#include "base/save.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/save_place.h"

enum {
    BUFFER = 1 << 20,
    LARGE = 64 << 10, /* measured: from here on a write of its own is cheaper than a copy */
    PAGE = 4096,
    LARGEST_WRITE = 1 << 30
};

struct graft__save {
    graft_ctx *g;
    const char *op;
    char *path; /* as the caller named it */
    size_t path_size;
    graft__place place;
    int fd;
    bool temp_exists;
    char temp[GRAFT__TEMP_NAME];
    unsigned char *buffer; /* BUFFER bytes, or NULL: as long as small pieces come */
    size_t filled;
    uint64_t offset; /* what the caller wrote, also what is in the buffer */
    graft_status failed;
};

static graft_status fail_errno(graft__save *s, const char *what)
{
    s->failed =
        graft__fail(s->g, GRAFT_ERR_IO, "%s: %s: %s: %s", s->op, s->path, what, strerror(errno));
    return s->failed;
}

/* ---- Beginning and giving up ---- */

graft__save *graft__save_begin(graft_ctx *g, const char *op, const char *path)
{
    graft__save *s = graft__alloc_zero(g, sizeof *s);
    if (!s) {
        graft__fail_memory(g, sizeof *s, op);
        return NULL;
    }
    *s = (graft__save){.g = g, .op = op, .fd = -1, .place.folder = -1};
    s->path_size = strlen(path) + 1;
    s->path = graft__strdup(g, path);
    if (!s->path) {
        graft__fail_memory(g, s->path_size, op);
        graft__save_abort(s);
        return NULL;
    }
    graft_status status = graft__place_open(g, op, path, &s->place);
    if (status == GRAFT_OK) {
        graft__temp_sweep(&s->place); /* first: what it frees may be the space that is needed */
        status = graft__temp_make(g, op, path, &s->place, &s->fd, s->temp);
        s->temp_exists = status == GRAFT_OK;
    }
    if (status == GRAFT_OK)
        return s;
    graft__save_abort(s);
    return NULL;
}

static void drop_buffer(graft__save *s)
{
    graft__free(s->g, s->buffer, BUFFER);
    s->buffer = NULL;
    s->filled = 0;
}

void graft__save_abort(graft__save *s)
{
    if (!s)
        return;
    if (s->temp_exists)
        unlinkat(s->place.folder, s->temp, 0);
    if (s->fd >= 0)
        close(s->fd);
    graft__place_close(s->g, &s->place);
    drop_buffer(s);
    graft__free(s->g, s->path, s->path_size);
    graft__free(s->g, s, sizeof *s);
}

/* ---- Writing ---- */

static graft_status fail_write(graft__save *s, uint64_t at)
{
    s->failed = graft__fail(s->g, GRAFT_ERR_IO, "%s: %s: writing behind the first %llu bytes: %s",
                            s->op, s->path, (unsigned long long)at, strerror(errno));
    return s->failed;
}

/* Hands bytes, whose place in the file is at, to the system. */
static graft_status put(graft__save *s, const unsigned char *bytes, size_t size, uint64_t at)
{
    for (size_t done = 0; done < size;) {
        size_t want = size - done < LARGEST_WRITE ? size - done : LARGEST_WRITE;
        ssize_t n = write(s->fd, bytes + done, want);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = ENOSPC; /* POSIX knows no other reason for a file that takes nothing */
        if (n <= 0)
            return fail_write(s, at + done);
        done += (size_t)n;
    }
    return GRAFT_OK;
}

static void put_buffer(graft__save *s)
{
    if (s->failed == GRAFT_OK && s->filled)
        put(s, s->buffer, s->filled, s->offset - s->filled);
    s->filled = 0;
}

graft_status graft__save_flush(graft__save *s)
{
    put_buffer(s);
    drop_buffer(s);
    return s->failed;
}

/* Gathers, and hands over what is full. Returns how much it took, at most what is free. */
static size_t gather(graft__save *s, const unsigned char *bytes, size_t size)
{
    if (!s->buffer) {
        s->buffer = graft__alloc(s->g, BUFFER);
        if (!s->buffer) {
            s->failed = graft__fail_memory(s->g, BUFFER, s->op);
            return 0;
        }
    }
    size_t n = size < BUFFER - s->filled ? size : BUFFER - s->filled;
    if (bytes)
        memcpy(s->buffer + s->filled, bytes, n);
    else
        memset(s->buffer + s->filled, 0, n);
    s->filled += n;
    s->offset += n;
    if (s->filled == BUFFER)
        put_buffer(s);
    return n;
}

/* Hands whole pages over as they lie: a page that is written in two parts costs twice. */
static size_t put_pages(graft__save *s, const unsigned char *bytes, size_t size)
{
    const size_t n = size / PAGE * PAGE;
    put_buffer(s);
    if (s->failed == GRAFT_OK)
        put(s, bytes, n, s->offset);
    s->offset += n;
    return n;
}

graft_status graft__save_write(graft__save *s, const void *bytes, size_t size)
{
    const unsigned char *from = bytes;
    while (size > 0 && s->failed == GRAFT_OK) {
        const size_t in_page = s->offset % PAGE;
        size_t n;
        if (size < LARGE)
            n = gather(s, from, size);
        else if (in_page > 0)
            n = gather(s, from, PAGE - in_page);
        else
            n = put_pages(s, from, size);
        from += n;
        size -= n;
    }
    return s->failed;
}

graft_status graft__save_zeros(graft__save *s, size_t count)
{
    while (count > 0 && s->failed == GRAFT_OK)
        count -= gather(s, NULL, count);
    return s->failed;
}

uint64_t graft__save_offset(const graft__save *s)
{
    return s->offset;
}

/* ---- Committing ---- */

static int sync_fd(int fd)
{
    int result;
    do
        result = fsync(fd);
    while (result != 0 && errno == EINTR);
    return result;
}

/* Owner, group and mode of the file that will be replaced. Who may not give files away keeps the
 * new one, without the bits that lend the owner's rights. */
static graft_status take_rights(graft__save *s)
{
    const struct stat *old = &s->place.found;
    struct stat new;
    if (!s->place.exists)
        return GRAFT_OK;
    if (fstat(s->fd, &new) != 0)
        return fail_errno(s, "fstat");
    bool same = new.st_uid == old->st_uid &&new.st_gid == old->st_gid;
    if (!same) {
        same = fchown(s->fd, old->st_uid, old->st_gid) == 0;
        int group = same ? 0 : fchown(s->fd, (uid_t)-1, old->st_gid);
        (void)group; /* as far as it is permitted */
    }
    if (fchmod(s->fd, old->st_mode & (same ? 07777 : 0777)) == 0)
        return GRAFT_OK;
    /* File systems without modes say that. */
    return errno == EPERM || errno == ENOTSUP || errno == ENOSYS ? GRAFT_OK
                                                                 : fail_errno(s, "fchmod");
}

/* Some file systems tell at close that a write failed. The lock has to stay until the rename, so a
 * second descriptor is closed. */
static graft_status close_twin(graft__save *s)
{
    int twin = fcntl(s->fd, F_DUPFD_CLOEXEC, 0);
    if (twin < 0)
        return fail_errno(s, "fcntl");
    return close(twin) == 0 || errno == EINTR ? GRAFT_OK : fail_errno(s, "close");
}

/* All that can fail before the old file is touched. */
static graft_status finish(graft__save *s, bool sync)
{
    graft_status status = graft__save_flush(s);
    if (status == GRAFT_OK)
        status = take_rights(s);
    if (status == GRAFT_OK && sync && sync_fd(s->fd) != 0)
        status = fail_errno(s, "fsync");
    return status == GRAFT_OK ? close_twin(s) : status;
}

static graft_status sync_folder(graft__save *s)
{
#if defined(__linux__)
    if (!s->place.can_sync)
        return syncfs(s->fd) == 0 ? GRAFT_OK : fail_errno(s, "syncfs");
#endif
    /* Not all file systems know how to, and some have no need. */
    if (sync_fd(s->place.folder) == 0 || errno == EINVAL || errno == ENOTSUP || errno == EBADF)
        return GRAFT_OK;
    return fail_errno(s,
                      "is written, but may be lost if the machine fails now: fsync of the folder");
}

static graft_status replace(graft__save *s)
{
    if (renameat(s->place.folder, s->temp, s->place.folder, s->place.name) != 0)
        return fail_errno(s, "rename");
    s->temp_exists = false;
    return GRAFT_OK;
}

static graft_status replace_all(graft__save **saves, size_t count, bool sync)
{
    graft_status status = GRAFT_OK;
    for (size_t i = 0; i < count && status == GRAFT_OK; i++) {
        /* The last makes the others count, so it may not be on the disk before them. */
        for (size_t k = 0; k < i && i + 1 == count && sync && status == GRAFT_OK; k++)
            if (k == 0 || strcmp(saves[k]->place.text, saves[k - 1]->place.text) != 0)
                status = sync_folder(saves[k]);
        if (status == GRAFT_OK)
            status = replace(saves[i]);
    }
    return status == GRAFT_OK && sync ? sync_folder(saves[count - 1]) : status;
}

graft_status graft__save_commit_all(graft__save **saves, size_t count, bool sync)
{
    graft_status status = GRAFT_OK;
    for (size_t i = 0; i < count && status == GRAFT_OK; i++)
        status = finish(saves[i], sync);
    if (status == GRAFT_OK && count > 0)
        status = replace_all(saves, count, sync);
    for (size_t i = 0; i < count; i++)
        graft__save_abort(saves[i]);
    return status;
}

graft_status graft__save_commit(graft__save *s, bool sync)
{
    return graft__save_commit_all(&s, 1, sync);
}
