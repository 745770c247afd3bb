/* base/save.h: what stands under the name afterwards, and what does not. */
#include "base/save.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "failing_allocator.h"
#include "fixture.h"
#include "folder.h"
#include "test.h"

static graft_status save_text(graft_ctx *g, const char *path, const char *text, bool sync)
{
    graft__save *s = graft__save_begin(g, "save", path);
    if (!s)
        return graft_error_status(g);
    graft__save_write(s, text, strlen(text));
    return graft__save_commit(s, sync);
}

static bool has_text(const char *path, const char *text)
{
    return file_is(path, text, strlen(text));
}

static void new_and_old(void **state)
{
    fixture *f = *state;
    assert_int_equal(save_text(f->g, f->path, "one", true), GRAFT_OK);
    assert_true(has_text(f->path, "one"));
    assert_int_equal(save_text(f->g, f->path, "number two", false), GRAFT_OK);
    assert_true(has_text(f->path, "number two"));
    assert_int_equal(save_text(f->g, f->path, "", true), GRAFT_OK);
    assert_true(has_text(f->path, ""));
    assert_int_equal(folder_count(f->folder, NULL), 1);
}

static void abort_leaves_the_old(void **state)
{
    fixture *f = *state;
    graft__save_abort(NULL);
    graft__save *s = graft__save_begin(f->g, "save", f->path);
    assert_non_null(s);
    assert_int_equal(folder_count(f->folder, ".model.pt.graft-"), 1);
    assert_int_equal(folder_count(f->folder, ".tmp"), 1);
    graft__save_abort(s);
    assert_int_equal(folder_count(f->folder, NULL), 0);

    file_put(f->path, "old", 3);
    s = graft__save_begin(f->g, "save", f->path);
    assert_non_null(s);
    assert_int_equal(graft__save_write(s, "new", 3), GRAFT_OK);
    assert_true(has_text(f->path, "old"));
    graft__save_abort(s);
    assert_true(has_text(f->path, "old"));
}

/* Pieces of every size around the buffer's, and zeros, against the same bytes in memory. */
static void pieces(void **state)
{
    fixture *f = *state;
    static const size_t sizes[] = {1,       0,       7,       4096,    1 << 20,       (1 << 20) - 1,
                                   3 << 20, 5000000, 1048577, 1000000, (1 << 20) + 3, 2};
    enum { COUNT = sizeof sizes / sizeof sizes[0] };
    size_t most = 64 << 20;
    unsigned char *all = malloc(most), *at = all;
    assert_non_null(all);
    for (size_t i = 0; i < most; i++)
        all[i] = (unsigned char)(i * 2654435761u >> 13);
    graft__save *s = graft__save_begin(f->g, "save", f->path);
    assert_non_null(s);
    for (size_t i = 0; i < 2 * COUNT; i++) {
        size_t n = sizes[i % COUNT];
        assert_int_equal(graft__save_write(s, at, n), GRAFT_OK);
        at += n;
        if (i % 3 == 0) {
            memset(at, 0, sizes[i % 7]);
            assert_int_equal(graft__save_zeros(s, sizes[i % 7]), GRAFT_OK);
            at += sizes[i % 7];
        }
        if (i % 5 == 0)
            assert_int_equal(graft__save_flush(s), GRAFT_OK);
        assert_int_equal(graft__save_offset(s), at - all);
    }
    assert_int_equal(graft__save_commit(s, false), GRAFT_OK);
    assert_true(file_is(f->path, all, (size_t)(at - all)));
    free(all);
}

static mode_t mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    return st.st_mode & 07777;
}

static void mode_is_kept(void **state)
{
    fixture *f = *state;
    mode_t old = umask(027);
    assert_int_equal(save_text(f->g, f->path, "x", false), GRAFT_OK);
    assert_int_equal(mode_of(f->path), 0640);
    static const mode_t modes[] = {0600, 0666, 0755, 0620, 06755};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        assert_int_equal(chmod(f->path, modes[i]), 0);
        assert_int_equal(save_text(f->g, f->path, "y", false), GRAFT_OK);
        assert_int_equal(mode_of(f->path), modes[i]);
    }
    umask(old);

    /* What will replace a file is nobody else's to read before it has that one's mode. */
    graft__save *s = graft__save_begin(f->g, "save", f->path);
    assert_non_null(s);
    char *temp = folder_find(f->folder, ".tmp");
    assert_int_equal(mode_of(temp), 0600);
    free(temp);
    graft__save_abort(s);
}

static void owner_is_kept(void **state)
{
    fixture *f = *state;
    if (geteuid() != 0) {
        print_message("skipped: only root can give files away\n");
        skip();
    }
    struct stat st;
    assert_int_equal(save_text(f->g, f->path, "x", false), GRAFT_OK);
    if (chown(f->path, 65534, 65533) != 0) {
        print_message("skipped: this root may not give files away\n");
        skip();
    }
    assert_int_equal(chmod(f->path, 04750), 0);
    assert_int_equal(save_text(f->g, f->path, "y", false), GRAFT_OK);
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_uid, 65534);
    assert_int_equal(st.st_gid, 65533);
    assert_int_equal(st.st_mode & 07777, 04750);

    /* Somebody else's file that one may write to: what is new is one's own, and lends no rights. */
    assert_int_equal(chmod(f->folder, 0777), 0);
    assert_int_equal(chmod(f->path, 04777), 0);
    assert_int_equal(seteuid(65532), 0);
    graft_status status = save_text(f->g, f->path, "z", false);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(status, GRAFT_OK);
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_uid, 65532);
    assert_int_equal(st.st_mode & 07777, 0777);
}

static void links_are_followed(void **state)
{
    fixture *f = *state;
    char *sub = folder_path(f->folder, "sub"), *target = folder_path(sub, "real.pt");
    char *near = folder_path(f->folder, "near"), *far = folder_path(f->folder, "far");
    char *loop = folder_path(f->folder, "loop");
    assert_int_equal(mkdir(sub, 0777), 0);
    assert_int_equal(symlink("sub/real.pt", near), 0); /* leads to nothing yet */
    assert_int_equal(symlink(near, far), 0);           /* absolute, and two steps */
    assert_int_equal(symlink("loop", loop), 0);
    assert_int_equal(save_text(f->g, near, "a", true), GRAFT_OK);
    assert_true(has_text(target, "a"));
    assert_int_equal(save_text(f->g, far, "b", true), GRAFT_OK);
    assert_true(has_text(target, "b"));
    struct stat st;
    assert_int_equal(lstat(near, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(lstat(far, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(folder_count(sub, NULL), 1);
    assert_int_equal(save_text(f->g, loop, "c", true), GRAFT_ERR_IO);
    assert_error_has(f->g, GRAFT_ERR_IO, "loop: Too many levels of symbolic links");

    /* The kernel's own links: the text of this one is no path. */
    int fd = open(target, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(unlink(target), 0);
    char own[64];
    snprintf(own, sizeof own, "/proc/self/fd/%d", fd);
    if (access("/proc/self/fd", F_OK) == 0) {
        assert_int_equal(save_text(f->g, own, "d", true), GRAFT_ERR_IO);
        assert_error_has(f->g, GRAFT_ERR_IO, "the file that it leads to has no name");
    }
    close(fd);
    assert_int_equal(folder_count(sub, NULL), 0);
    free(sub), free(target), free(near), free(far), free(loop);
}

static void what_is_refused(void **state)
{
    fixture *f = *state;
    char *fifo = folder_path(f->folder, "fifo"), *missing = folder_path(f->folder, "no/model.pt");
    char *below_file = folder_path(f->path, "model.pt"), *slash = folder_path(f->folder, "new/");
    char *words = NULL;
    assert_int_equal(mkfifo(fifo, 0666), 0);
    save_text(f->g, f->folder, "x", true);
    assert_error_has(f->g, GRAFT_ERR_IO, "expected a regular file or none, this is a folder");
    save_text(f->g, fifo, "x", true);
    assert_error_has(f->g, GRAFT_ERR_IO, "fifo: expected a regular file or none, this is a pipe");
    save_text(f->g, "/dev/null", "x", true);
    assert_error(f->g, GRAFT_ERR_IO,
                 "save: /dev/null: expected a regular file or none, this is a device");
    save_text(f->g, missing, "x", true);
    assert_true(asprintf(&words, "save: %s: the folder %s/no: No such file or directory", missing,
                         f->folder) > 0);
    assert_error(f->g, GRAFT_ERR_IO, words);
    free(words);
    save_text(f->g, slash, "x", true);
    assert_error_has(f->g, GRAFT_ERR_IO, "new/: expected the name of a file");
    save_text(f->g, "", "x", true);
    assert_error_has(f->g, GRAFT_ERR_IO, "save: : ");
    assert_int_equal(save_text(f->g, f->path, "x", true), GRAFT_OK);
    save_text(f->g, below_file, "x", true);
    assert_error_has(f->g, GRAFT_ERR_IO, "Not a directory");
    char *long_path = malloc(10001);
    assert_non_null(long_path);
    memset(long_path, 'x', 10000);
    long_path[10000] = 0;
    save_text(f->g, long_path, "x", true);
    assert_error_has(f->g, GRAFT_ERR_IO, "File name too long");
    long_path[255] = 0; /* the longest name: the temporary one is shorter */
    char *long_name = folder_path(f->folder, long_path);
    assert_int_equal(save_text(f->g, long_name, "x", true), GRAFT_OK);
    assert_true(has_text(long_name, "x"));
    assert_int_equal(folder_count(f->folder, NULL), 3);
    free(long_name), free(long_path), free(fifo), free(missing), free(below_file), free(slash);
}

/* As root nothing is read-only, so as nobody. */
static void read_only(void **state)
{
    fixture *f = *state;
    char *words = NULL;
    file_put(f->path, "old", 3);
    if (geteuid() == 0) {
        assert_int_equal(chmod(f->folder, 0755), 0);
        assert_int_equal(chmod(f->path, 0666), 0);
        assert_int_equal(seteuid(65534), 0);
        save_text(f->g, f->path, "new", true);
        assert_int_equal(seteuid(0), 0);
    } else {
        assert_int_equal(chmod(f->folder, 0555), 0);
        save_text(f->g, f->path, "new", true);
        assert_int_equal(chmod(f->folder, 0755), 0);
    }
    assert_true(asprintf(&words, "save: %s: can't make a file in the folder %s: Permission denied",
                         f->path, f->folder) > 0);
    assert_error(f->g, GRAFT_ERR_IO, words);
    free(words);

    /* And a file that may not be written to, in a folder that may. */
    assert_int_equal(chmod(f->path, 0444), 0);
    assert_int_equal(chmod(f->folder, 0777), 0);
    if (geteuid() == 0) {
        assert_int_equal(seteuid(65534), 0);
        save_text(f->g, f->path, "new", true);
        assert_int_equal(seteuid(0), 0);
    } else {
        save_text(f->g, f->path, "new", true);
    }
    assert_error_has(f->g, GRAFT_ERR_IO, "the file that is there: Permission denied");
    assert_true(has_text(f->path, "old"));

    /* A folder that one may write to without listing it. */
    assert_int_equal(chmod(f->folder, 0733), 0);
    assert_int_equal(chmod(f->path, 0666), 0);
    if (geteuid() == 0) {
        assert_int_equal(seteuid(65534), 0);
        save_text(f->g, f->path, "new", true);
        assert_int_equal(seteuid(0), 0);
        assert_no_error(f->g);
        assert_true(has_text(f->path, "new"));
    }
    assert_int_equal(chmod(f->folder, 0755), 0);
}

/* What a killed process leaves goes with the next save to that name, and nothing else does. */
static void sweep(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *name;
        bool old, goes;
    } files[] = {
        {".model.pt.graft-0123abcd.tmp", true, true},
        {".model.pt.graft-zzzzzzzz.tmp", true, true},
        {".model.pt.graft-zzzzzzz0.tmp", false, false}, /* somebody may just have made it */
        {".model.pt.graft-0123abc.tmp", true, false},   /* too short */
        {".model.pt.graft-0123abcde.tmp", true, false}, /* too long */
        {".model.pt.graft-0123ABCD.tmp", true, false},  /* no such letters */
        {".model.pt.graft-0123abcd.tmp2", true, false},
        {".other.pt.graft-0123abcd.tmp", true, false}, /* another target's */
        {"model.pt.graft-0123abcd.tmp", true, false},
    };
    enum { COUNT = sizeof files / sizeof files[0] };
    const struct timespec old[2] = {{.tv_sec = time(NULL) - 100}, {.tv_sec = time(NULL) - 100}};
    graft__save *s = graft__save_begin(f->g, "save", f->path); /* at work, though long idle */
    assert_non_null(s);
    char *live = folder_find(f->folder, ".tmp");
    assert_int_equal(utimensat(AT_FDCWD, live, old, 0), 0);
    for (int i = 0; i < COUNT; i++) {
        char *path = folder_path(f->folder, files[i].name);
        file_put(path, "x", 1);
        if (files[i].old)
            assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
        free(path);
    }
    assert_int_equal(folder_count(f->folder, NULL), COUNT + 1);
    assert_int_equal(save_text(f->g, f->path, "x", true), GRAFT_OK);
    for (int i = 0; i < COUNT; i++) {
        char *path = folder_path(f->folder, files[i].name);
        assert_int_equal(access(path, F_OK), files[i].goes ? -1 : 0);
        if (!files[i].goes)
            assert_int_equal(unlink(path), 0);
        free(path);
    }
    assert_int_equal(access(live, F_OK), 0);
    free(live);
    assert_int_equal(graft__save_write(s, "y", 1), GRAFT_OK);
    assert_int_equal(graft__save_commit(s, true), GRAFT_OK);
    assert_true(has_text(f->path, "y"));
}

/* ---- Several files ---- */

static void sets(void **state)
{
    fixture *f = *state;
    static const char *const names[] = {"a", "b", "c"};
    char *path[3];
    graft__save *s[3];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 3; i++) {
            path[i] = folder_path(f->folder, names[i]);
            s[i] = graft__save_begin(f->g, "save", path[i]);
            assert_non_null(s[i]);
            assert_int_equal(graft__save_write(s[i], round ? "new" : "old", 3), GRAFT_OK);
            assert_int_equal(graft__save_flush(s[i]), GRAFT_OK);
        }
        if (round == 2) { /* the last can't take its place any more */
            assert_int_equal(unlink(path[2]), 0);
            assert_int_equal(mkdir(path[2], 0777), 0);
        }
        graft_status status = graft__save_commit_all(s, 3, round != 1);
        assert_int_equal(status, round == 2 ? GRAFT_ERR_IO : GRAFT_OK);
        if (round == 2)
            assert_error_has(f->g, GRAFT_ERR_IO, "c: rename: ");
        assert_int_equal(folder_count(f->folder, NULL), 3);
        for (int i = 0; i < 3 - (round == 2); i++)
            assert_true(has_text(path[i], round ? "new" : "old"));
        for (int i = 0; i < 3; i++)
            free(path[i]);
    }
    assert_int_equal(graft__save_commit_all(NULL, 0, true), GRAFT_OK);
}

/* ---- Several writers of one file ---- */

enum { WRITERS = 4, ROUNDS = 25, WORDS = 90000 };

/* A file of one number all over. */
static bool save_number(graft_ctx *g, const char *path, uint32_t number)
{
    enum { PIECE = 1000 };
    uint32_t words[PIECE];
    for (int i = 0; i < PIECE; i++)
        words[i] = number;
    graft__save *s = graft__save_begin(g, "save", path);
    if (!s)
        return false;
    for (int i = 0; i < WORDS / PIECE; i++)
        graft__save_write(s, words, sizeof words);
    return graft__save_commit(s, number % 8 == 0) == GRAFT_OK;
}

static bool is_one_number(const char *path)
{
    size_t size = 0;
    unsigned char *bytes = file_get(path, &size);
    bool same = bytes && size == WORDS * sizeof(uint32_t) &&
                memcmp(bytes, bytes + sizeof(uint32_t), size - sizeof(uint32_t)) == 0;
    free(bytes);
    return same;
}

typedef struct writer {
    const char *path;
    uint32_t first;
    bool good;
} writer;

static void *write_rounds(void *user)
{
    writer *w = user;
    graft_ctx *g = graft_open(NULL);
    w->good = g != NULL;
    for (uint32_t i = 0; i < ROUNDS && w->good; i++)
        w->good = save_number(g, w->path, w->first + i) && is_one_number(w->path);
    graft_close(g);
    return NULL;
}

static void threads_never_mix(void **state)
{
    fixture *f = *state;
    pthread_t thread[WRITERS];
    writer w[WRITERS];
    for (uint32_t i = 0; i < WRITERS; i++) {
        w[i] = (writer){.path = f->path, .first = i << 16};
        assert_int_equal(pthread_create(&thread[i], NULL, write_rounds, &w[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_join(thread[i], NULL), 0);
        assert_true(w[i].good);
    }
    assert_true(is_one_number(f->path));
    assert_int_equal(folder_count(f->folder, NULL), 1);
}

static void processes_never_mix(void **state)
{
    fixture *f = *state;
    pid_t child[WRITERS];
    for (uint32_t i = 0; i < WRITERS; i++) {
        child[i] = fork();
        assert_true(child[i] >= 0);
        if (child[i] == 0) {
            writer w = {.path = f->path, .first = i << 16};
            write_rounds(&w);
            _exit(w.good ? 0 : 1);
        }
    }
    for (int i = 0; i < WRITERS; i++) {
        int status = -1;
        assert_int_equal(waitpid(child[i], &status, 0), child[i]);
        assert_int_equal(status, 0);
    }
    assert_true(is_one_number(f->path));
    assert_int_equal(folder_count(f->folder, NULL), 1);
}

/* ---- Without memory ---- */

static void save_twice(void *user, failing_allocator *a)
{
    const fixture *f = user;
    graft_ctx *g = failing_allocator_open(a);
    if (!g)
        return;
    file_put(f->path, "old", 3);
    graft__save *s = graft__save_begin(g, "save", f->path);
    graft_status status = graft_error_status(g);
    if (s) {
        graft__save_write(s, "new", 3);
        graft__save_zeros(s, 0);
        status = graft__save_commit(s, false);
    }
    assert_int_equal(status, graft_error_status(g));
    assert_true(status == GRAFT_OK || status == GRAFT_ERR_MEMORY);
    assert_true(has_text(f->path, status == GRAFT_OK ? "new" : "old"));
    assert_int_equal(folder_count(f->folder, NULL), 1);
    graft_close(g);
}

static void without_memory(void **state)
{
    failing_allocator_sweep(save_twice, *state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(new_and_old, fixture_open, fixture_check),
        cmocka_unit_test_setup_teardown(abort_leaves_the_old, fixture_open, fixture_check),
        cmocka_unit_test_setup_teardown(pieces, fixture_open, fixture_check),
        cmocka_unit_test_setup_teardown(mode_is_kept, fixture_open, fixture_check),
        cmocka_unit_test_setup_teardown(owner_is_kept, fixture_open, fixture_check),
        cmocka_unit_test_setup_teardown(links_are_followed, fixture_open, fixture_check),
        cmocka_unit_test_setup_teardown(what_is_refused, fixture_open, fixture_check),
        cmocka_unit_test_setup_teardown(read_only, fixture_open, fixture_check),
        cmocka_unit_test_setup_teardown(sweep, fixture_open, fixture_check),
        cmocka_unit_test_setup_teardown(sets, fixture_open, fixture_check),
        cmocka_unit_test_setup_teardown(threads_never_mix, fixture_open, fixture_check),
        cmocka_unit_test_setup_teardown(processes_never_mix, fixture_open, fixture_check),
        cmocka_unit_test_setup_teardown(without_memory, fixture_open, fixture_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
