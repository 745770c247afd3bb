#include "base/save_place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"

enum { MAX_LINKS = 40 }; /* as Linux has it */

static graft_status fail_errno(graft_ctx *g, const char *op, const char *path)
{
    return graft__fail(g, GRAFT_ERR_IO, "%s: %s: %s", op, path, strerror(errno));
}

static const char *kind_of(mode_t mode)
{
    if (S_ISDIR(mode))
        return "a folder";
    if (S_ISFIFO(mode))
        return "a pipe";
    if (S_ISSOCK(mode))
        return "a socket";
    return S_ISCHR(mode) || S_ISBLK(mode) ? "a device" : "of an unknown kind";
}

static graft_status fail_kind(graft_ctx *g, const char *op, const char *path, mode_t mode)
{
    return graft__fail(g, GRAFT_ERR_IO, "%s: %s: expected a regular file or none, this is %s", op,
                       path, kind_of(mode));
}

/* Puts what a link says in place of its own path. */
static bool step(char real[PATH_MAX], const char *target, size_t length)
{
    size_t keep = 0;
    if (target[0] != '/') {
        const char *slash = strrchr(real, '/');
        keep = slash ? (size_t)(slash - real) + 1 : 0;
    }
    if (length >= PATH_MAX - keep) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(real + keep, target, length);
    real[keep + length] = 0;
    return true;
}

/* The path with links at its end followed: unlike realpath, also to where nothing is yet. */
static bool follow(const char *path, char real[PATH_MAX], bool *linked)
{
    real[0] = 0;
    if (!step(real, path, strlen(path)))
        return false;
    char target[PATH_MAX];
    for (int links = 0; links <= MAX_LINKS; links++) {
        ssize_t length = readlink(real, target, sizeof target - 1);
        if (length < 0)
            return errno == EINVAL || errno == ENOENT; /* no link, nothing there */
        *linked = true;
        if (!step(real, target, (size_t)length))
            return false;
    }
    errno = ELOOP;
    return false;
}

/* Fills text: folder's path, 0, name. */
static graft_status split(graft_ctx *g, const char *op, const char *path, const char *real,
                          graft__place *p)
{
    const char *slash = strrchr(real, '/');
    const char *name = slash ? slash + 1 : real;
    if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return graft__fail(g, GRAFT_ERR_IO, "%s: %s: expected the name of a file", op, path);
    const char *folder = !slash ? "." : slash == real ? "/" : real;
    size_t length = !slash || slash == real ? 1 : (size_t)(slash - real);
    p->text_size = length + 1 + strlen(name) + 1;
    p->text = graft__alloc(g, p->text_size);
    if (!p->text)
        return graft__fail_memory(g, p->text_size, op);
    memcpy(p->text, folder, length);
    p->text[length] = 0;
    p->name = strcpy(p->text + length + 1, name);
    return GRAFT_OK;
}

static graft_status open_folder(graft_ctx *g, const char *op, const char *path, graft__place *p)
{
    p->folder = open(p->text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    p->can_sync = p->folder >= 0;
#if defined(O_PATH)
    if (p->folder < 0 && errno == EACCES) /* one may write to a folder that one may not list */
        p->folder = open(p->text, O_PATH | O_DIRECTORY | O_CLOEXEC);
#endif
    return p->folder >= 0 ? GRAFT_OK
                          : graft__fail(g, GRAFT_ERR_IO, "%s: %s: the folder %s: %s", op, path,
                                        p->text, strerror(errno));
}

/* What is there already. Others may replace it at any time, which changes nothing for us. */
static graft_status look(graft_ctx *g, const char *op, const char *path, graft__place *p)
{
    p->exists = fstatat(p->folder, p->name, &p->found, AT_SYMLINK_NOFOLLOW) == 0;
    if (!p->exists && errno != ENOENT)
        return fail_errno(g, op, path);
    if (p->exists && !S_ISREG(p->found.st_mode))
        return fail_kind(g, op, path, p->found.st_mode);
    if (p->exists && faccessat(p->folder, p->name, W_OK, AT_EACCESS) != 0)
        return graft__fail(g, GRAFT_ERR_IO, "%s: %s: the file that is there: %s", op, path,
                           strerror(errno));
    return GRAFT_OK;
}

graft_status graft__place_open(graft_ctx *g, const char *op, const char *path, graft__place *p)
{
    *p = (graft__place){.folder = -1};
    struct stat there;
    bool leads_somewhere = stat(path, &there) == 0;
    if (leads_somewhere && !S_ISREG(there.st_mode))
        return fail_kind(g, op, path, there.st_mode);
    char real[PATH_MAX];
    bool linked = false;
    if (!follow(path, real, &linked))
        return fail_errno(g, op, path);
    graft_status status = split(g, op, path, real, p);
    if (status == GRAFT_OK)
        status = open_folder(g, op, path, p);
    if (status == GRAFT_OK)
        status = look(g, op, path, p);
    /* Links of the kernel's own (/proc/self/fd/1) have a text that is no path. */
    if (status == GRAFT_OK && linked && leads_somewhere && !p->exists)
        status =
            graft__fail(g, GRAFT_ERR_IO, "%s: %s: the file that it leads to has no name", op, path);
    if (status != GRAFT_OK)
        graft__place_close(g, p);
    return status;
}

void graft__place_close(graft_ctx *g, graft__place *p)
{
    if (p->folder >= 0)
        close(p->folder);
    graft__free(g, p->text, p->text_size);
    *p = (graft__place){.folder = -1};
}
