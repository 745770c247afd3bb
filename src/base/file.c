#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"

graft_status graft__file_fail(graft_ctx *g, const char *op, const char *path)
{
    return graft__fail(g, GRAFT_ERR_IO, "%s: %s: %s", op, path, strerror(errno));
}

graft_status graft__file_fill(graft_ctx *g, const char *op, const char *path, int fd,
                              unsigned char *block, size_t size)
{
    size_t at = 0;
    while (at < size) {
        ssize_t n = read(fd, block + at, size - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return graft__file_fail(g, op, path);
        if (n == 0)
            return graft__fail(g, GRAFT_ERR_IO, "%s: %s: ended after %zu of %zu bytes", op, path,
                               at, size);
        at += (size_t)n;
    }
    return GRAFT_OK;
}

static graft_status read_open(graft_ctx *g, const char *op, const char *path, int fd,
                              unsigned char **bytes, size_t *size)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return graft__file_fail(g, op, path);
    if (!S_ISREG(st.st_mode))
        return graft__fail(g, GRAFT_ERR_IO, "%s: %s: expected a regular file", op, path);
    size_t n = (size_t)st.st_size;
    unsigned char *block = graft__alloc(g, n);
    if (!block)
        return graft__fail_memory(g, n, op);
    graft_status status = graft__file_fill(g, op, path, fd, block, n);
    if (status != GRAFT_OK) {
        graft__free(g, block, n);
        return status;
    }
    *bytes = block;
    *size = n;
    return GRAFT_OK;
}

graft_status graft__file_read(graft_ctx *g, const char *op, const char *path, unsigned char **bytes,
                              size_t *size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return graft__file_fail(g, op, path);
    graft_status st = read_open(g, op, path, fd, bytes, size);
    close(fd);
    return st;
}
