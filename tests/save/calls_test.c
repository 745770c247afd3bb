/* Each system call of a save failing in turn: afterwards the old or the new file stands there,
 * whole and alone, and no descriptor and no memory is lost. The linker's --wrap puts the functions
 * here between base/save and the system; CMakeLists.txt lists them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/save.h"
#include "failing_allocator.h"
#include "folder.h"
#include "test.h"

typedef enum call {
    CALL_OPEN,
    CALL_OPENAT,
    CALL_WRITE,
    CALL_FSYNC,
    CALL_SYNCFS,
    CALL_RENAMEAT,
    CALL_FCHMOD,
    CALL_FCHOWN,
    CALL_FSTAT,
    CALL_FSTATAT,
    CALL_FACCESSAT,
    CALL_READLINK,
    CALL_STAT,
    CALL_FCNTL,
    CALL_CLOSE,
    CALL_GETRANDOM,
    CALL_FDOPENDIR,
    CALLS
} call;

/* What is to go wrong: one plan at a time, and nobody else is there. */
static struct {
    bool on;
    call which;
    int nth; /* counted from 1 */
    int error;
    size_t most; /* a write takes no more than so many bytes at once; 0: as many as it gets */
    int met;
} plan;

static bool fails(call which)
{
    if (!plan.on || plan.which != which || ++plan.met != plan.nth)
        return false;
    errno = plan.error;
    return true;
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    return fails(CALL_OPEN) ? -1 : __real_open(path, flags, mode);
}

int __real_openat(int folder, const char *path, int flags, ...);
int __wrap_openat(int folder, const char *path, int flags, ...);
int __wrap_openat(int folder, const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    return fails(CALL_OPENAT) ? -1 : __real_openat(folder, path, flags, mode);
}

ssize_t __real_write(int fd, const void *bytes, size_t size);
ssize_t __wrap_write(int fd, const void *bytes, size_t size);
ssize_t __wrap_write(int fd, const void *bytes, size_t size)
{
    if (fails(CALL_WRITE))
        return plan.error ? -1 : 0;
    return __real_write(fd, bytes, plan.on && plan.most && plan.most < size ? plan.most : size);
}

int __real_fcntl(int fd, int what, ...);
int __wrap_fcntl(int fd, int what, ...);
int __wrap_fcntl(int fd, int what, ...)
{
    va_list args;
    va_start(args, what);
    void *argument = what == F_DUPFD_CLOEXEC ? NULL : va_arg(args, void *);
    va_end(args);
    return fails(CALL_FCNTL) ? -1 : __real_fcntl(fd, what, argument);
}

/* A close that fails has closed. */
int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
    int result = __real_close(fd);
    return fails(CALL_CLOSE) ? -1 : result;
}

#define WRAP(CALL, RESULT, FAILURE, NAME, PARAMETERS, ARGUMENTS)                                   \
    RESULT __real_##NAME PARAMETERS;                                                               \
    RESULT __wrap_##NAME PARAMETERS;                                                               \
    RESULT __wrap_##NAME PARAMETERS                                                                \
    {                                                                                              \
        return fails(CALL) ? FAILURE : __real_##NAME ARGUMENTS;                                    \
    }

WRAP(CALL_FSYNC, int, -1, fsync, (int fd), (fd))
WRAP(CALL_SYNCFS, int, -1, syncfs, (int fd), (fd))
WRAP(CALL_RENAMEAT, int, -1, renameat, (int a, const char *from, int b, const char *to),
     (a, from, b, to))
WRAP(CALL_FCHMOD, int, -1, fchmod, (int fd, mode_t mode), (fd, mode))
WRAP(CALL_FCHOWN, int, -1, fchown, (int fd, uid_t user, gid_t group), (fd, user, group))
WRAP(CALL_FSTAT, int, -1, fstat, (int fd, struct stat *st), (fd, st))
WRAP(CALL_FSTATAT, int, -1, fstatat, (int fd, const char *path, struct stat *st, int flags),
     (fd, path, st, flags))
WRAP(CALL_FACCESSAT, int, -1, faccessat, (int fd, const char *path, int mode, int flags),
     (fd, path, mode, flags))
WRAP(CALL_READLINK, ssize_t, -1, readlink, (const char *path, char *out, size_t size),
     (path, out, size))
WRAP(CALL_STAT, int, -1, stat, (const char *path, struct stat *st), (path, st))
WRAP(CALL_GETRANDOM, ssize_t, -1, getrandom, (void *out, size_t size, unsigned flags),
     (out, size, flags))
WRAP(CALL_FDOPENDIR, DIR *, NULL, fdopendir, (int fd), (fd))

/* ---- */

enum { SIZE = (1 << 20) + 12345 };

typedef struct fixture {
    char *folder, *path[3];
    unsigned char *old, *new;
    int met[CALLS]; /* how often a save that succeeds makes each call, at most */
    int failed;     /* saves */
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->folder = folder_make();
    f->path[0] = folder_path(f->folder, "one.pt");
    f->path[1] = folder_path(f->folder, "two.pt");
    f->path[2] = folder_path(f->folder, "three.pt");
    f->old = malloc(SIZE);
    f->new = malloc(SIZE);
    assert_true(f->old && f->new);
    memset(f->old, 'o', SIZE);
    for (size_t i = 0; i < SIZE; i++)
        f->new[i] = (unsigned char)(i * 40503u >> 7);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    folder_remove(f->folder);
    for (int i = 0; i < 3; i++)
        free(f->path[i]);
    free(f->old);
    free(f->new);
    free(f);
    return 0;
}

static int open_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += __real_fcntl(fd, F_GETFD, NULL) >= 0;
    return count;
}

/* The old files; with another group where that is permitted, so that fchown has work. */
static void put_old(const fixture *f, int count)
{
    for (int i = 0; i < count; i++) {
        unlink(f->path[i]);
        file_put(f->path[i], f->old, SIZE);
        if (chown(f->path[i], (uid_t)-1, 12345) != 0)
            assert_int_equal(errno, EPERM);
    }
}

static graft_status save(const fixture *f, graft_ctx *g, int count)
{
    graft__save *s[3];
    for (int i = 0; i < count; i++) {
        s[i] = graft__save_begin(g, "save", f->path[i]);
        if (!s[i]) {
            while (i > 0)
                graft__save_abort(s[--i]);
            return graft_error_status(g);
        }
        graft__save_write(s[i], f->new, 100000);
        graft__save_write(s[i], f->new + 100000, SIZE - 100000 - 5);
        graft__save_write(s[i], f->new + SIZE - 5, 5);
    }
    return graft__save_commit_all(s, (size_t)count, true);
}

/* One save under the plan; false if the plan did not come to anything. */
static bool run(fixture *f, int count)
{
    failing_allocator a = {0};
    graft_ctx *g = failing_allocator_open(&a);
    assert_non_null(g);
    put_old(f, count);
    int descriptors = open_descriptors();
    plan.on = true;
    plan.met = 0;
    graft_status status = save(f, g, count);
    plan.on = false;
    assert_int_equal(open_descriptors(), descriptors);
    assert_int_equal(folder_count(f->folder, NULL), count);
    assert_int_equal(status, graft_error_status(g));
    assert_true(status == GRAFT_OK || status == GRAFT_ERR_IO);
    f->failed += status != GRAFT_OK;
    for (int i = 0; i < count; i++) {
        bool is_new = file_is(f->path[i], f->new, SIZE);
        if (status == GRAFT_OK)
            assert_true(is_new);
        else
            assert_true(is_new || file_is(f->path[i], f->old, SIZE));
    }
    graft_close(g);
    assert_int_equal(a.live_blocks, 0);
    if (plan.met > f->met[plan.which])
        f->met[plan.which] = plan.met;
    return plan.met >= plan.nth;
}

static void sweep_calls(fixture *f, int count)
{
    static const int errors[] = {EIO, ENOSPC, EINTR, EACCES};
    for (int which = 0; which < CALLS; which++)
        for (size_t e = 0; e < sizeof errors / sizeof errors[0]; e++) {
            plan.which = (call)which;
            plan.error = errors[e];
            for (plan.nth = 1; run(f, count); plan.nth++)
                assert_true(plan.nth < 100);
        }
}

static void each_call(void **state)
{
    fixture *f = *state;
    sweep_calls(f, 1);
    /* The plans came to something, and something came of them. */
    static const call needed[] = {CALL_OPEN,     CALL_OPENAT, CALL_WRITE, CALL_FSYNC,
                                  CALL_RENAMEAT, CALL_FCHMOD, CALL_FSTAT, CALL_CLOSE,
                                  CALL_READLINK, CALL_FSTATAT};
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
        assert_true(f->met[needed[i]] > 0);
    assert_true(f->failed > 30);
}

static void each_call_of_a_set(void **state)
{
    fixture *f = *state;
    sweep_calls(f, 3);
    assert_int_equal(f->met[CALL_RENAMEAT], 3);
    /* Three files, the folder before and behind the last, and once more if one is interrupted. */
    assert_int_equal(f->met[CALL_FSYNC], 6);
}

/* What is interrupted goes on, and what is written in parts is written whole. */
static void interrupted(void **state)
{
    fixture *f = *state;
    static const call calls[] = {CALL_WRITE, CALL_FSYNC};
    plan.error = EINTR;
    for (int i = 0; i < 2; i++) {
        plan.which = calls[i];
        for (plan.nth = 1; run(f, 1); plan.nth++)
            ;
    }
    for (plan.most = 1 << 19; plan.most > 1000; plan.most /= 3)
        assert_false(run(f, 1));
    plan.most = 0;
    assert_int_equal(f->failed, 0);
    plan.which = CALL_WRITE; /* a write that takes nothing, and does not say why */
    plan.error = 0;
    plan.nth = 1;
    assert_true(run(f, 1));
    assert_int_equal(f->failed, 1);
}

/* The first to go wrong is what the error says, with the path and how much was written: the whole
 * pages of the first piece. */
static void words(void **state)
{
    fixture *f = *state;
    graft_ctx *g = test_open();
    put_old(f, 1);
    plan = (__typeof__(plan)){.on = true, .which = CALL_WRITE, .nth = 2, .error = ENOSPC};
    assert_int_equal(save(f, g, 1), GRAFT_ERR_IO);
    plan.on = false;
    char expected[512];
    snprintf(expected, sizeof expected,
             "save: %s: writing behind the first 98304 bytes: No space left on device", f->path[0]);
    assert_error(g, GRAFT_ERR_IO, expected);
    graft_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_call, setup, teardown),
        cmocka_unit_test_setup_teardown(each_call_of_a_set, setup, teardown),
        cmocka_unit_test_setup_teardown(interrupted, setup, teardown),
        cmocka_unit_test_setup_teardown(words, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
