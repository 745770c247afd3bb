#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/save_place.h"

static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyz";
static const char tail[] = ".tmp";

enum { LETTERS = sizeof letters - 1, ATTEMPTS = 100, IDLE_SECONDS = 60 };

/* ".NAME.graft-"; returns its length. */
static size_t put_stem(const char *name, char out[GRAFT__TEMP_NAME])
{
    size_t length = strlen(name);
    if (length > GRAFT__TEMP_STEM) {
        length = GRAFT__TEMP_STEM;
        while (length > 1 && ((unsigned char)name[length] & 0xC0) == 0x80)
            length--; /* some file systems refuse a cut UTF-8 character */
    }
    out[0] = '.';
    memcpy(out + 1, name, length);
    return (size_t)(stpcpy(out + 1 + length, ".graft-") - out);
}

static void put_random(char *out, unsigned attempt)
{
    uint64_t bits = 0;
    if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) != sizeof bits) {
        /* Only fewer collisions hang on this: O_EXCL sees to the rest. */
        struct timespec now = {0};
        clock_gettime(CLOCK_REALTIME, &now);
        bits = ((uint64_t)now.tv_nsec << 32 ^ (uint64_t)now.tv_sec ^ (uint64_t)getpid() << 20 ^
                (uint64_t)(uintptr_t)out) *
               (2 * (uint64_t)attempt + 0x9E3779B97F4A7C15);
    }
    for (int i = 0; i < GRAFT__TEMP_RANDOM; i++) {
        out[i] = letters[bits % LETTERS];
        bits /= LETTERS;
    }
}

/* Takes the lock that says "in use" (to write) or asks whether somebody has it (to read). It goes
 * with the last descriptor of the file, so also when the process is killed. */
static bool lock(int fd, short type)
{
#if defined(F_OFD_SETLK)
    struct flock whole = {.l_type = type, .l_whence = SEEK_SET};
    return fcntl(fd, F_OFD_SETLK, &whole) == 0;
#else
    (void)fd;
    (void)type;
    errno = ENOTSUP;
    return false;
#endif
}

/* Whether the new file is ours: a sweep may have taken it between its making and its lock. */
static bool is_ours(int fd)
{
    if (!lock(fd, F_WRLCK) && (errno == EAGAIN || errno == EACCES))
        return false;
    struct stat st;
    return fstat(fd, &st) != 0 || st.st_nlink > 0;
}

graft_status graft__temp_make(graft_ctx *g, const char *op, const char *path, const graft__place *p,
                              int *fd, char name[GRAFT__TEMP_NAME])
{
    char *random = name + put_stem(p->name, name);
    memcpy(random + GRAFT__TEMP_RANDOM, tail, sizeof tail);
    for (unsigned attempt = 0; attempt < ATTEMPTS; attempt++) {
        put_random(random, attempt);
        *fd = openat(p->folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                     p->exists ? 0600 : 0666);
        if (*fd >= 0 && is_ours(*fd))
            return GRAFT_OK;
        if (*fd < 0 && errno != EEXIST && errno != EINTR)
            return graft__fail(g, GRAFT_ERR_IO, "%s: %s: can't make a file in the folder %s: %s",
                               op, path, p->text, strerror(errno));
        if (*fd >= 0) {
            unlinkat(p->folder, name, 0);
            close(*fd);
        }
    }
    return graft__fail(g, GRAFT_ERR_IO, "%s: %s: no free name in the folder %s after %d attempts",
                       op, path, p->text, ATTEMPTS);
}

/* ---- Sweeping ---- */

static bool is_temp_name(const char *name, const char *stem, size_t stem_length)
{
    return strncmp(name, stem, stem_length) == 0 &&
           strlen(name) == stem_length + GRAFT__TEMP_RANDOM + sizeof tail - 1 &&
           strspn(name + stem_length, letters) == GRAFT__TEMP_RANDOM &&
           strcmp(name + stem_length + GRAFT__TEMP_RANDOM, tail) == 0;
}

/* The minute is for file systems of a network whose locks do not reach the other machines. */
static bool is_idle(const struct stat *st)
{
    return S_ISREG(st->st_mode) && time(NULL) - st->st_mtime > IDLE_SECONDS;
}

static void sweep_one(int folder, const char *name)
{
    struct stat st, now;
    if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !is_idle(&st))
        return;
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return;
    /* Its maker may have let go by giving it its final name: then the name is gone. */
    if (lock(fd, F_RDLCK) && fstat(fd, &st) == 0 && is_idle(&st) &&
        fstatat(folder, name, &now, AT_SYMLINK_NOFOLLOW) == 0 && now.st_dev == st.st_dev &&
        now.st_ino == st.st_ino)
        unlinkat(folder, name, 0);
    close(fd);
}

void graft__temp_sweep(const graft__place *p)
{
    char stem[GRAFT__TEMP_NAME];
    size_t length = put_stem(p->name, stem);
    int fd = openat(p->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    if (!folder) {
        if (fd >= 0)
            close(fd);
        return;
    }
    for (const struct dirent *e = readdir(folder); e; e = readdir(folder))
        if (is_temp_name(e->d_name, stem, length))
            sweep_one(p->folder, e->d_name);
    closedir(folder);
}
