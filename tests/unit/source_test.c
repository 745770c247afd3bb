/* The bytes of files: mapped, read, copied. */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ctx.h"
#include "failing_allocator.h"
#include "file/source.h"

enum { SIZE = 100000 };

static char folder[] = "/tmp/graft-source-XXXXXX";
static char path[64];
static unsigned char content[SIZE];

static void write_file(const void *bytes, size_t size)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

static int make_folder(void **state)
{
    (void)state;
    for (size_t i = 0; i < SIZE; i++)
        content[i] = (unsigned char)(i * 7 + i / 256);
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/file", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void test_map_and_read(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    write_file(content, SIZE);
    for (int map = 0; map < 2; map++) {
        graft__source *s = graft__source_open(g, "load", path, map);
        assert_non_null(s);
        assert_int_equal(s->mapped, map);
        assert_true(s->writable);
        assert_int_equal(s->size, SIZE);
        assert_memory_equal(s->bytes, content, SIZE);
        graft__source_unref(s);
    }
    assert_no_error(g);
    graft_close(g);
}

static void test_empty(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    write_file("", 0);
    graft__source *sources[] = {graft__source_open(g, "load", path, true),
                                graft__source_open(g, "load", path, false),
                                graft__source_copy(g, "load", NULL, 0)};
    for (int i = 0; i < 3; i++) {
        assert_non_null(sources[i]);
        assert_int_equal(sources[i]->size, 0);
        assert_non_null(sources[i]->bytes);
        graft__source_unref(sources[i]);
    }
    graft_close(g);
}

/* Whoever writes into the bytes changes neither the file nor what others have of it. */
static void test_writes_are_private(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    write_file(content, SIZE);
    graft__source *a = graft__source_open(g, "load", path, true);
    graft__source *b = graft__source_open(g, "load", path, true);
    memset((void *)(uintptr_t)a->bytes, 0xAA, SIZE);
    assert_memory_equal(b->bytes, content, SIZE);
    graft__source *later = graft__source_open(g, "load", path, false);
    assert_memory_equal(later->bytes, content, SIZE);
    graft__source_unref(a);
    graft__source_unref(b);
    graft__source_unref(later);
    graft_close(g);
}

static void test_copy(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    unsigned char mine[] = "bytes";
    graft__source *s = graft__source_copy(g, "load", mine, sizeof mine);
    memset(mine, 0, sizeof mine);
    assert_int_equal(s->size, sizeof mine);
    assert_memory_equal(s->bytes, "bytes", sizeof mine);
    assert_false(s->mapped);
    graft__source_unref(s);
    graft_close(g);
}

static void test_what_is_no_file(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    assert_null(graft__source_open(g, "load", NULL, true));
    assert_error(g, GRAFT_ERR_ARGUMENT, "load: expected a path, got NULL");
    assert_null(graft__source_open(g, "load", "/nowhere/at/all", true));
    assert_error(g, GRAFT_ERR_IO, "load: /nowhere/at/all: No such file or directory");
    assert_null(graft__source_open(g, "load", "/tmp", true));
    assert_error(g, GRAFT_ERR_IO, "load: /tmp: expected a regular file");
    assert_null(graft__source_open(g, "load", "/dev/zero", true));
    assert_error(g, GRAFT_ERR_IO, "load: /dev/zero: expected a regular file");
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_null(graft__source_open(g, "load", path, true)); /* and does not wait for a writer */
    assert_error_has(g, GRAFT_ERR_IO, "expected a regular file");
    unlink(path);
    graft_close(g);
}

/* A source may be the last thing that lives. */
static void test_outlives_its_context(void **state)
{
    (void)state;
    failing_allocator a = {0};
    graft_ctx *g = failing_allocator_open(&a);
    assert_non_null(g);
    write_file(content, SIZE);
    graft__source *s = graft__source_open(g, "load", path, false);
    assert_non_null(s);
    assert_ptr_equal(graft__source_ref(s), s);
    graft__source_unref(s);
    graft_close(g);
    assert_memory_equal(s->bytes, content, SIZE);
    graft__source_unref(s);
    graft__source_unref(NULL);
    assert_int_equal(a.live_blocks, 0);
    assert_int_equal(a.wrong_sizes, 0);
}

static void open_all_ways(void *user, failing_allocator *a)
{
    (void)user;
    graft_ctx *g = failing_allocator_open(a);
    if (!g)
        return;
    graft__source *sources[] = {graft__source_open(g, "load", path, true),
                                graft__source_open(g, "load", path, false),
                                graft__source_copy(g, "load", content, SIZE)};
    for (int i = 0; i < 3; i++)
        if (!sources[i])
            assert_int_equal(graft_error_status(g), GRAFT_ERR_MEMORY);
    graft_close(g);
    for (int i = 0; i < 3; i++)
        graft__source_unref(sources[i]);
}

static void test_without_memory(void **state)
{
    (void)state;
    write_file(content, SIZE);
    failing_allocator_sweep(open_all_ways, NULL);
}

/* What is cached is given back before memory is said to have run out. */
typedef struct small_allocator {
    size_t left;
} small_allocator;

static void *small_alloc(void *user, size_t size, size_t align)
{
    small_allocator *a = user;
    if (size > a->left)
        return NULL;
    void *block = aligned_alloc(align, (size + align - 1) / align * align);
    a->left -= block ? size : 0;
    return block;
}

static void small_free(void *user, void *block, size_t size)
{
    ((small_allocator *)user)->left += size;
    free(block);
}

static void test_empties_the_cache(void **state)
{
    (void)state;
    small_allocator a = {.left = 400000};
    graft_options o = graft_options_defaults();
    o.allocator = (graft_allocator){.alloc = small_alloc, .free = small_free, .user = &a};
    o.threads = 1;
    graft_ctx *g = graft_open(&o);
    assert_non_null(g);
    void *block = graft__alloc(g, 300000);
    assert_non_null(block);
    graft__free(g, block, 300000);
    graft__source *s = graft__source_copy(g, "load", content, SIZE);
    assert_non_null(s);
    graft__source *second = graft__source_copy(g, "load", content, SIZE);
    assert_non_null(second);
    graft__source_unref(s);
    graft__source_unref(second);
    graft_close(g);
    assert_int_equal(a.left, 400000);
}

#ifndef GRAFT__SANITIZE
/* Memory that is there before no more can be mapped. */
typedef struct pool {
    _Alignas(64) unsigned char bytes[1 << 20];
    size_t used;
} pool;

static void *pool_alloc(void *user, size_t size, size_t align)
{
    pool *p = user;
    const size_t at = (p->used + align - 1) / align * align;
    if (align > 64 || at > sizeof p->bytes || size > sizeof p->bytes - at)
        return NULL;
    p->used = at + size;
    return p->bytes + at;
}

static void pool_free(void *user, void *block, size_t size)
{
    (void)user, (void)block, (void)size;
}

/* Where no mapping can be had the file is read. */
static void test_without_mappings(void **state)
{
    (void)state;
    if (test_quick()) /* valgrind maps memory of its own */
        skip();
    static pool p;
    graft_options o = graft_options_defaults();
    o.allocator = (graft_allocator){.alloc = pool_alloc, .free = pool_free, .user = &p};
    o.threads = 1;
    graft_ctx *g = graft_open(&o);
    assert_non_null(g);
    write_file(content, SIZE);
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    assert_int_equal(setrlimit(RLIMIT_AS, &(struct rlimit){4096, before.rlim_max}), 0);
    graft__source *s = graft__source_open(g, "load", path, true);
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
    assert_non_null(s);
    assert_false(s->mapped);
    assert_memory_equal(s->bytes, content, SIZE);
    graft__source_unref(s);
    graft_close(g);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map_and_read),       cmocka_unit_test(test_empty),
        cmocka_unit_test(test_writes_are_private), cmocka_unit_test(test_copy),
        cmocka_unit_test(test_what_is_no_file),    cmocka_unit_test(test_outlives_its_context),
        cmocka_unit_test(test_without_memory),     cmocka_unit_test(test_empties_the_cache),
#ifndef GRAFT__SANITIZE
        cmocka_unit_test(test_without_mappings),
#endif
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
