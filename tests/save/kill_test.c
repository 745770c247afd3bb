/* Processes killed in the middle of saves: afterwards the old or the new file is there, whole, and
 * what is left over is known by its name and goes with a later save. */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/save.h"
#include "folder.h"
#include "test.h"

/* Kills of one writer, of one writer of sets, of two writers of one file. */
#if defined(GRAFT__SANITIZE)
enum { KILLS_ALONE = 60, KILLS_SET = 30, KILLS_TWO = 30 }; /* a process with one starts slowly */
#else
enum { KILLS_ALONE = 300, KILLS_SET = 150, KILLS_TWO = 150 };
#endif
enum { FILES = 3, MOST_WORDS = 120000 };

/* What a writer tells the one who kills it; shared memory, which outlives it. */
typedef struct told {
    _Atomic uint32_t begun, done; /* versions */
} told;

/* A file of version v: v all over, as many times as v says. */
static size_t words_of(uint32_t v)
{
    return 1 + v * 7919u % MOST_WORDS;
}

static bool save_version(graft_ctx *g, char *const *path, int count, uint32_t v)
{
    static uint32_t words[MOST_WORDS];
    size_t n = words_of(v);
    for (size_t i = 0; i < n; i++)
        words[i] = v;
    graft__save *s[FILES];
    for (int i = 0; i < count; i++) {
        s[i] = graft__save_begin(g, "save", path[i]);
        if (!s[i])
            return false;
        for (size_t at = 0; at < n; at += 10000)
            graft__save_write(s[i], words + at, (n - at < 10000 ? n - at : 10000) * sizeof *words);
    }
    return graft__save_commit_all(s, (size_t)count, v % 3 == 0) == GRAFT_OK;
}

/* The version in a file; fails the test if it is not whole. */
static uint32_t version_of(const char *path)
{
    size_t size = 0;
    unsigned char *bytes = file_get(path, &size);
    assert_non_null(bytes);
    assert_true(size >= sizeof(uint32_t));
    uint32_t v;
    memcpy(&v, bytes, sizeof v);
    if (size != words_of(v) * sizeof v || memcmp(bytes, bytes + sizeof v, size - sizeof v) != 0)
        fail_msg("%s: %zu bytes that begin with version %u are not that version", path, size, v);
    free(bytes);
    return v;
}

_Noreturn static void write_until_killed(char *const *path, int count, told *t, uint32_t step)
{
    graft_ctx *g = graft_open(NULL);
    pid_t parent = getppid(); /* a test that failed does not come to kill us */
    for (uint32_t v = atomic_load(&t->begun) + step; g && getppid() == parent; v += step) {
        atomic_store(&t->begun, v);
        if (!save_version(g, path, count, v))
            break;
        atomic_store(&t->done, v);
    }
    _exit(1); /* it was to be killed */
}

static pid_t start(char *const *path, int count, told *t, uint32_t step)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        write_until_killed(path, count, t, step);
    return child;
}

static void kill_it(pid_t child)
{
    int status = 0;
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static uint32_t random_state = 1;

static void wait_a_little(void)
{
    random_state = random_state * 1664525u + 1013904223u;
    const struct timespec t = {.tv_nsec = random_state >> 8 & 0x7FFFFF}; /* up to 8 ms */
    nanosleep(&t, NULL);
}

typedef struct fixture {
    char *folder, *path[FILES];
    told *told; /* two */
    int torn;   /* kills that left something */
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->folder = folder_make();
    f->path[0] = folder_path(f->folder, "one.pt");
    f->path[1] = folder_path(f->folder, "two.pt");
    f->path[2] = folder_path(f->folder, "three.pt");
    f->told =
        mmap(NULL, 2 * sizeof *f->told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(f->told != MAP_FAILED);
    graft_ctx *g = test_open();
    assert_true(save_version(g, f->path, FILES, 0));
    graft_close(g);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    munmap(f->told, 2 * sizeof *f->told);
    for (int i = 0; i < FILES; i++)
        free(f->path[i]);
    folder_remove(f->folder);
    free(f);
    return 0;
}

/* Nothing is there but the files and temporary ones of the right name, at most `most` of them;
 * which look old from now on, so that the next save takes them away. */
static void age_left_overs(fixture *f, int most)
{
    int left = folder_count(f->folder, ".tmp");
    assert_int_equal(folder_count(f->folder, ".pt.graft-"), left);
    assert_int_equal(folder_count(f->folder, NULL), FILES + left);
    assert_true(left <= most);
    f->torn += left > 0;
    folder_age(f->folder, ".tmp", 100);
}

/* One writer: what stands there is what it did last or what it was about. */
static void alone(void **state)
{
    fixture *f = *state;
    for (int k = 0; k < KILLS_ALONE; k++) {
        pid_t child = start(f->path, 1, f->told, 1);
        wait_a_little();
        kill_it(child);
        uint32_t v = version_of(f->path[0]);
        assert_true(v == f->told->done || v == f->told->begun);
        atomic_store(&f->told->done, v);
        age_left_overs(f, 2); /* one from before, if this one came to no save at all */
    }
    print_message("%d kills up to version %u, %d left something over\n", KILLS_ALONE, f->told->done,
                  f->torn);
    assert_true(f->told->done > KILLS_ALONE / 10);
    assert_true(f->torn > KILLS_ALONE / 10);
}

/* A set: each file is whole, and the last is never newer than the others. */
static void sets(void **state)
{
    fixture *f = *state;
    for (int k = 0; k < KILLS_SET; k++) {
        pid_t child = start(f->path, FILES, f->told, 1);
        wait_a_little();
        kill_it(child);
        uint32_t v = version_of(f->path[FILES - 1]);
        assert_true(v == f->told->done || v == f->told->begun);
        for (int i = 0; i < FILES - 1; i++) {
            uint32_t other = version_of(f->path[i]);
            assert_true(other >= v && other <= f->told->begun);
        }
        atomic_store(&f->told->done, v);
        age_left_overs(f, 2 * FILES);
    }
    assert_true(f->torn > KILLS_SET / 10);
}

/* Two writers of one file, of odd and even versions, each killed in turn. */
static void two(void **state)
{
    fixture *f = *state;
    pid_t child[2] = {-1, -1};
    for (int k = 0; k < KILLS_TWO; k++) {
        if (child[k % 2] >= 0)
            kill_it(child[k % 2]);
        uint32_t v = version_of(f->path[0]);
        assert_true(v <= f->told[0].begun || v <= f->told[1].begun);
        child[k % 2] = start(f->path, 1, &f->told[k % 2], 2);
        folder_age(f->folder, ".tmp", 100); /* those of the living too: they stay all the same */
        wait_a_little();
    }
    kill_it(child[0]);
    kill_it(child[1]);
    version_of(f->path[0]);
    assert_true(folder_count(f->folder, ".tmp") < 10);
}

/* Whatever was left over before, one save makes it go. */
static void clean(void **state)
{
    fixture *f = *state;
    pid_t child[5];
    for (int k = 0; k < 5; k++) {
        child[k] = start(f->path, 1, f->told, 1);
        wait_a_little();
    }
    for (int k = 0; k < 5; k++)
        kill_it(child[k]);
    folder_age(f->folder, ".tmp", 100);
    graft_ctx *g = test_open();
    assert_true(save_version(g, f->path, 1, 77));
    graft_close(g);
    assert_int_equal(version_of(f->path[0]), 77);
    assert_int_equal(folder_count(f->folder, NULL), FILES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(alone, setup, teardown),
        cmocka_unit_test_setup_teardown(sets, setup, teardown),
        cmocka_unit_test_setup_teardown(two, setup, teardown),
        cmocka_unit_test_setup_teardown(clean, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
