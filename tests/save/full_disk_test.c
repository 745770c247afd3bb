/* A disk without room, and a limit on the size of files: the save says so, with the path and how
 * far it came, and the old file is there. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/save.h"
#include "folder.h"
#include "test.h"

enum { SIZE = 3 << 20, SKIPPED = 77 };

static graft_status save_bytes(graft_ctx *g, const char *path, const void *bytes, size_t size)
{
    graft__save *s = graft__save_begin(g, "save", path);
    if (!s)
        return graft_error_status(g);
    for (size_t at = 0; at < size; at += 5000)
        graft__save_write(s, (const char *)bytes + at, size - at < 5000 ? size - at : 5000);
    return graft__save_commit(s, true);
}

static void expect_failure(graft_ctx *g, const char *path, const void *bytes, const char *words)
{
    char expected[512];
    snprintf(expected, sizeof expected, "save: %s: writing behind the first ", path);
    assert_int_equal(save_bytes(g, path, bytes, SIZE), GRAFT_ERR_IO);
    assert_non_null(strstr(graft_error(g), expected));
    assert_error_has(g, GRAFT_ERR_IO, words);
}

/* ---- A full disk: a small one in memory, seen by this process alone ---- */

static bool write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return good;
}

/* As root in a mount name space of our own, else in a user name space where we are root. */
static bool mount_small(const char *folder)
{
    uid_t user = geteuid();
    char map[32];
    if (unshare(CLONE_NEWNS) != 0) {
        snprintf(map, sizeof map, "0 %u 1", (unsigned)user);
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0 || !write_text("/proc/self/uid_map", map))
            return false;
    }
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("graft-test", folder, "tmpfs", 0, "size=5m") == 0;
}

static void fill_disk(const char *folder)
{
    if (!mount_small(folder)) {
        print_message("skipped: no disk can be mounted here: %s\n", strerror(errno));
        _exit(SKIPPED);
    }
    char *path = folder_path(folder, "model.pt"), *other = folder_path(folder, "other.pt");
    unsigned char *old = malloc(SIZE), *new = malloc(SIZE);
    assert_true(old && new);
    memset(old, 1, SIZE);
    memset(new, 2, SIZE);
    graft_ctx *g = test_open();
    assert_int_equal(save_bytes(g, path, old, SIZE), GRAFT_OK);
    for (int i = 0; i < 3;
         i++) { /* 3 MiB of 5 are taken, and each failure gives back all it took */
        expect_failure(g, path, new, "No space left on device");
        assert_true(file_is(path, old, SIZE));
        expect_failure(g, other, new, "No space left on device");
        assert_int_equal(folder_count(folder, NULL), 1);
    }
    assert_int_equal(unlink(path), 0);
    assert_int_equal(save_bytes(g, other, new, SIZE), GRAFT_OK);
    assert_true(file_is(other, new, SIZE));
    graft_close(g);
    free(path), free(other), free(old), free(new);
}

/* The name space goes with the child. */
static void full_disk(void **state)
{
    (void)state;
    char *folder = folder_make();
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        fill_disk(folder);
        _exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    folder_remove(folder);
    if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
        skip();
    assert_int_equal(status, 0);
}

/* ---- A limit ---- */

static void file_size_limit(void **state)
{
    (void)state;
    char *folder = folder_make(), *path = folder_path(folder, "model.pt");
    unsigned char *bytes = malloc(SIZE);
    assert_non_null(bytes);
    memset(bytes, 3, SIZE);
    file_put(path, "old", 3);
    graft_ctx *g = test_open();
    struct rlimit before, limit;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = (struct rlimit){.rlim_cur = 1500000, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    /* The second write is cut short, and what is left of it fails. */
    expect_failure(g, path, bytes, "writing behind the first 1500000 bytes: File too large");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    assert_true(file_is(path, "old", 3));
    assert_int_equal(folder_count(folder, NULL), 1);
    assert_int_equal(save_bytes(g, path, bytes, SIZE), GRAFT_OK);
    assert_true(file_is(path, bytes, SIZE));
    graft_close(g);
    free(bytes), free(path);
    folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_disk),
        cmocka_unit_test(file_size_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
