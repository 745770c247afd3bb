#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/pool.h"

#if defined(__SANITIZE_THREAD__)
#define THREAD_SANITIZER 1
#elif defined(__has_feature)
#define THREAD_SANITIZER __has_feature(thread_sanitizer)
#else
#define THREAD_SANITIZER 0
#endif

enum { MOST = 10000 };

static atomic_int counts[MOST];

static void count(void *arg, int part)
{
    (void)arg;
    atomic_fetch_add(&counts[part], 1);
}

static void check_counts(graft__pool *pool, int parts)
{
    for (int i = 0; i < MOST; i++)
        atomic_store(&counts[i], 0);
    graft__pool_run(pool, parts, count, NULL);
    for (int i = 0; i < MOST; i++)
        if (atomic_load(&counts[i]) != (i < parts))
            fail_msg("part %d of %d ran %d times", i, parts, atomic_load(&counts[i]));
}

static void test_each_part_once(void **state)
{
    (void)state;
    static const int parts[] = {0, 1, 2, 3, 7, 64, 100, 4094, 4095, 4096, 9999};
    for (int threads = 0; threads <= 9; threads++) {
        graft__pool *pool = threads ? graft__pool_new(NULL, threads) : NULL;
        assert_int_equal(graft__pool_threads(pool), threads ? threads : 1);
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
            check_counts(pool, parts[i]);
        graft__pool_free(pool);
    }
}

typedef struct table {
    int64_t sums[64];
} table;

/* Plain memory on purpose: what the parts wrote must be there when the run returns, and what the
 * caller wrote when a part begins. */
static void add_up(void *arg, int part)
{
    table *t = arg;
    int64_t sum = 0;
    for (int i = 0; i < 200; i++)
        sum += t->sums[part] * i % 7;
    t->sums[part] += 1 + sum - sum;
}

static void test_many_runs(void **state)
{
    (void)state;
    graft__pool *pool = graft__pool_new(NULL, 4);
    assert_non_null(pool);
    table t = {{0}};
    for (int run = 0; run < 20000; run++) {
        graft__pool_run(pool, 1 + run % 64, add_up, &t);
        t.sums[0] += run % 2 ? -1 : 1;
    }
    for (int i = 0; i < 64; i++) {
        int64_t expected = 0;
        for (int run = 0; run < 20000; run++)
            expected += i < 1 + run % 64;
        assert_int_equal(t.sums[i], expected);
    }
    graft__pool_free(pool);
}

typedef struct owners {
    atomic_int busy[8];
    atomic_int wrong;
    int threads;
} owners;

static void own(void *arg, int part, int thread)
{
    (void)part;
    owners *o = arg;
    if (thread < 0 || thread >= o->threads) {
        atomic_fetch_add(&o->wrong, 1);
        return;
    }
    if (atomic_fetch_add(&o->busy[thread], 1) != 0)
        atomic_fetch_add(&o->wrong, 1);
    for (volatile int i = 0; i < 3000; i++) {
    }
    atomic_fetch_sub(&o->busy[thread], 1);
}

static void test_thread_numbers(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 8; threads++) {
        graft__pool *pool = graft__pool_new(NULL, threads);
        assert_non_null(pool);
        owners o = {.threads = threads};
        for (int run = 0; run < 300; run++)
            graft__pool_run_indexed(pool, 16, own, &o);
        assert_int_equal(atomic_load(&o.wrong), 0);
        graft__pool_free(pool);
    }
    owners o = {.threads = 1};
    graft__pool_run_indexed(NULL, 3, own, &o);
    assert_int_equal(atomic_load(&o.wrong), 0);
}

static void wait_a_while(void *arg, int part)
{
    atomic_int *helpers = arg;
    static _Thread_local bool counted;
    (void)part;
    if (!counted)
        atomic_fetch_add(helpers, 1);
    counted = true;
    const struct timespec pause = {.tv_nsec = 2000000};
    nanosleep(&pause, NULL);
}

/* Parts that take long are shared: two threads at least have had one. */
static void test_helps(void **state)
{
    (void)state;
    graft__pool *pool = graft__pool_new(NULL, 3);
    assert_non_null(pool);
    atomic_int helpers = 0;
    for (int run = 0; run < 10 && atomic_load(&helpers) < 2; run++)
        graft__pool_run(pool, 30, wait_a_while, &helpers);
    assert_true(atomic_load(&helpers) >= 2);
    graft__pool_free(pool);
}

static int tasks(void)
{
    FILE *status = fopen("/proc/self/status", "r");
    char line[256];
    int found = -1;
    while (status && fgets(line, sizeof line, status))
        if (strncmp(line, "Threads:", 8) == 0)
            found = atoi(line + 8);
    if (status)
        fclose(status);
    return found;
}

/* A thread that was joined is counted until the kernel has taken it down, which may take a moment.
 */
static bool becomes(int expected)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    for (int wait = 0; wait < 20000 && tasks() != expected; wait++)
        nanosleep(&pause, NULL);
    return tasks() == expected;
}

/* The first of the tests, so that no thread of another is still on its way out. */
static void test_starts_late(void **state)
{
    (void)state;
    const int before = tasks();
    if (before < 0)
        skip();
    graft__pool *pool = graft__pool_new(NULL, 4);
    assert_non_null(pool);
    check_counts(pool, 1);
    assert_int_equal(tasks(), before);
    check_counts(pool, 8);
    assert_int_equal(tasks(), before + 3);
    graft__pool_free(pool);
    assert_true(becomes(before));
}

static void test_refuses(void **state)
{
    (void)state;
    assert_null(graft__pool_new(NULL, 0));
    assert_null(graft__pool_new(NULL, -1));
    assert_null(graft__pool_new(NULL, 65));
    graft__pool_free(NULL);
}

typedef struct counted {
    int allocations, left; /* that may still succeed */
    int64_t bytes;
} counted;

static void *counted_alloc(void *user, size_t size, size_t align)
{
    counted *c = user;
    if (c->left == 0)
        return NULL;
    c->left--;
    c->allocations++;
    c->bytes += (int64_t)size;
    return aligned_alloc(align, (size + align - 1) / align * align);
}

static void counted_free(void *user, void *ptr, size_t size)
{
    counted *c = user;
    c->bytes -= (int64_t)size;
    free(ptr);
}

static void test_scratch(void **state)
{
    (void)state;
    counted c = {.left = 3};
    const graft_allocator allocator = {counted_alloc, counted_free, &c};
    graft__pool *pool = graft__pool_new(&allocator, 2);
    assert_non_null(pool);
    char *first = graft__pool_scratch(pool, 1000);
    assert_non_null(first);
    assert_int_equal((uintptr_t)first % 64, 0);
    memset(first, 1, 1000);
    assert_ptr_equal(graft__pool_scratch(pool, 10), first);
    assert_ptr_equal(graft__pool_scratch(pool, 0), first);
    assert_int_equal(c.allocations, 2);
    char *second = graft__pool_scratch(pool, 100000);
    assert_non_null(second);
    memset(second, 1, 100000);
    assert_ptr_equal(graft__pool_scratch(pool, 100000), second);
    assert_int_equal(c.allocations, 3);
    assert_null(graft__pool_scratch(pool, 200000));
    assert_null(graft__pool_scratch(pool, 10));
    c.left = 1;
    assert_non_null(graft__pool_scratch(pool, 10));
    graft__pool_free(pool);
    assert_int_equal(c.bytes, 0);
    assert_null(graft__pool_scratch(NULL, 10));
    c.left = 0;
    assert_null(graft__pool_new(&allocator, 2));
}

static void *user_of_a_pool(void *arg)
{
    (void)arg;
    graft__pool *pool = graft__pool_new(NULL, 3);
    table t = {{0}};
    for (int run = 0; run < 2000; run++)
        graft__pool_run(pool, 16, add_up, &t);
    graft__pool_free(pool);
    for (int i = 0; i < 16; i++)
        if (t.sums[i] != 2000)
            return "wrong";
    return NULL;
}

static void test_pools_side_by_side(void **state)
{
    (void)state;
    pthread_t users[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&users[i], NULL, user_of_a_pool, NULL), 0);
    for (int i = 0; i < 4; i++) {
        void *complaint = "";
        assert_int_equal(pthread_join(users[i], &complaint), 0);
        assert_null(complaint);
    }
}

/* The child has no workers: it must neither wait for them nor wake them. */
static void test_fork(void **state)
{
    (void)state;
    if (THREAD_SANITIZER)
        skip(); /* it does not follow a fork of a program with threads */
    graft__pool *pool = graft__pool_new(NULL, 4);
    assert_non_null(pool);
    check_counts(pool, 100);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(20);
        table t = {{0}};
        for (int run = 0; run < 100; run++)
            graft__pool_run(pool, 64, add_up, &t);
        graft__pool_free(pool);
        _exit(t.sums[0] == 100 && t.sums[63] == 100 ? 0 : 1);
    }
    int status = -1;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    check_counts(pool, 100);
    graft__pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_starts_late), cmocka_unit_test(test_each_part_once),
        cmocka_unit_test(test_many_runs),   cmocka_unit_test(test_thread_numbers),
        cmocka_unit_test(test_helps),       cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_scratch),     cmocka_unit_test(test_pools_side_by_side),
        cmocka_unit_test(test_fork),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
