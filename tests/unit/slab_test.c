/* Small blocks: each as large and as aligned as it says, none over another, all given back. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/ctx.h"
#include "base/slab.h"
#include "test.h"

static void kinds_fit_their_sizes(void **state)
{
    (void)state;
    for (size_t size = 0; size <= GRAFT__SMALL_MAX; size++) {
        const int kind = graft__slab_class(size);
        const size_t block = graft__slab_block(kind);
        assert_in_range(kind, 0, GRAFT__SMALL_CLASSES - 1);
        assert_true(block >= size);
        assert_true(kind == 0 || graft__slab_block(kind - 1) < size);
    }
}

enum { BLOCKS = 5000, ROUNDS = 100000 };

typedef struct block {
    unsigned char *bytes;
    size_t size;
} block;

static void check_and_free(graft_ctx *g, block *b)
{
    for (size_t i = 0; i < b->size; i++)
        assert_int_equal(b->bytes[i], (unsigned char)((uintptr_t)b + i));
    graft__free(g, b->bytes, b->size);
    b->bytes = NULL;
}

static void fill(graft_ctx *g, block *b, size_t size)
{
    b->size = size;
    b->bytes = graft__alloc(g, size);
    assert_non_null(b->bytes);
    const size_t room = size <= 16 ? 16 : size <= 32 ? 32 : 64;
    assert_int_equal((uintptr_t)b->bytes % room, 0);
    for (size_t i = 0; i < size; i++)
        b->bytes[i] = (unsigned char)((uintptr_t)b + i);
}

/* With a cache nothing goes back to a slab before it is emptied, with hardly any everything at
 * once, and without one there are no slabs. */
static void check_many(size_t cache_limit)
{
    graft_options o = graft_options_defaults();
    o.cache_limit = cache_limit;
    graft_ctx *g = graft_open(&o);
    block *blocks = calloc(BLOCKS, sizeof *blocks);
    graft_memory before, after;
    graft_memory_stats(g, &before);
    uint64_t random = 1;
    for (int i = 0; i < ROUNDS; i++) {
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        block *b = &blocks[(random >> 33) % BLOCKS];
        if (b->bytes)
            check_and_free(g, b);
        else
            fill(g, b, (random >> 20) % (GRAFT__SMALL_MAX + 20));
        if (i % 9999 == 0)
            assert_int_equal(graft_empty_cache(g), GRAFT_OK);
    }
    for (int i = 0; i < BLOCKS; i++)
        if (blocks[i].bytes)
            check_and_free(g, &blocks[i]);
    graft_empty_cache(g);
    graft_memory_stats(g, &after);
    assert_int_equal(after.in_use, before.in_use);
    assert_int_equal(after.cached, 0);
    for (int c = 0; c < GRAFT__SMALL_CLASSES; c++)
        assert_null(g->arena.small[c]);
    free(blocks);
    graft_close(g);
}

static void many_are_kept_apart(void **state)
{
    (void)state;
    check_many(graft_options_defaults().cache_limit);
    check_many(1);
    check_many(0);
}

static void a_slab_of_which_nothing_is_left_goes(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    if (!g->arena.slabs) { /* under AddressSanitizer, and without a cache */
        graft_close(g);
        skip();
    }
    void *blocks[2000];
    graft_empty_cache(g);
    graft__slab *first = g->arena.slab[5];
    for (size_t i = 0; i < 2000; i++)
        blocks[i] = graft__alloc(g, GRAFT__SMALL_MAX);
    assert_ptr_not_equal(g->arena.slab[5], first);
    for (size_t i = 0; i < 2000; i++)
        graft__free(g, blocks[i], GRAFT__SMALL_MAX);
    graft_empty_cache(g);
    assert_ptr_equal(g->arena.slab[5], first);
    graft_close(g);
}

static void a_block_of_the_other_kind_moves(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    for (size_t from = 0; from < 400; from += 7) {
        for (size_t to = 0; to < 400; to += 5) {
            block b;
            fill(g, &b, from);
            b.bytes = graft__realloc(g, b.bytes, from, to);
            assert_non_null(b.bytes);
            b.size = from < to ? from : to;
            for (size_t i = 0; i < b.size; i++)
                assert_int_equal(b.bytes[i], (unsigned char)((uintptr_t)&b + i));
            graft__free(g, b.bytes, to);
        }
    }
    graft_close(g);
}

/* ---- A caller's allocator sees every block ---- */

static void *counted_alloc(void *user, size_t size, size_t align)
{
    void *p = NULL;
    ++*(int *)user;
    return posix_memalign(&p, align, size) == 0 ? p : NULL;
}

static void counted_free(void *user, void *p, size_t size)
{
    (void)user;
    (void)size;
    free(p);
}

static void a_callers_allocator_sees_every_block(void **state)
{
    (void)state;
    int calls = 0;
    graft_options o = graft_options_defaults();
    o.allocator = (graft_allocator){counted_alloc, counted_free, &calls};
    o.cache_limit = 0;
    graft_ctx *g = graft_open(&o);
    calls = 0;
    for (size_t size = 1; size <= 100; size++)
        graft__free(g, graft__alloc(g, size), size);
    assert_int_equal(calls, 100);
    graft_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_fit_their_sizes),
        cmocka_unit_test(many_are_kept_apart),
        cmocka_unit_test(a_slab_of_which_nothing_is_left_goes),
        cmocka_unit_test(a_block_of_the_other_kind_moves),
        cmocka_unit_test(a_callers_allocator_sees_every_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
