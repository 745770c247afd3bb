#include "test.h"

#include <stdio.h>

#include "base/ctx.h"
#include "base/map.h"
#include "base/text.h"
#include "base/vector.h"

static void opens_and_closes(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    assert_null(graft_error(g));
    assert_int_equal(graft_error_status(g), GRAFT_OK);
    assert_int_equal(graft_initial_seed(g), 67280421310721);
    graft_close(g);
    graft_close(NULL);
    assert_int_equal(graft_error_status(NULL), GRAFT_ERR_ARGUMENT);
    assert_null(graft_error(NULL));
}

static void refuses_senseless_options(void **state)
{
    (void)state;
    graft_options o = graft_options_defaults();
    o.threads = 0;
    assert_null(graft_open(&o));
    o.threads = 65;
    assert_null(graft_open(&o));
    o = graft_options_defaults();
    o.allocator.alloc = graft__system_allocator().alloc;
    assert_null(graft_open(&o)); /* no free to go with it */
}

static void keeps_the_first_error(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    assert_int_equal(graft__fail(g, GRAFT_ERR_NAME, "first %d", 1), GRAFT_ERR_NAME);
    assert_int_equal(graft__fail(g, GRAFT_ERR_SHAPE, "second"), GRAFT_ERR_SHAPE);
    assert_error(g, GRAFT_ERR_NAME, "first 1");
    assert_null(graft_error(g));
    graft_close(g);
}

static void keeps_a_long_error_whole(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    char text[2000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    graft__fail(g, GRAFT_ERR_NAME, "%s", text);
    assert_string_equal(graft_error(g), text);
    graft__error_append(g, "%s", " end");
    assert_int_equal(strlen(graft_error(g)), sizeof text - 1 + 4);
    assert_error_has(g, GRAFT_ERR_NAME, "xxx end");
    graft__fail(g, GRAFT_ERR_NAME, "short");
    graft__error_append(g, " (in %s)", "Linear");
    assert_error(g, GRAFT_ERR_NAME, "short (in Linear)");
    graft_close(g);
}

static void a_status_has_a_name(void **state)
{
    (void)state;
    assert_string_equal(graft_status_name(GRAFT_OK), "GRAFT_OK");
    assert_string_equal(graft_status_name(GRAFT_ERR_FORMAT), "GRAFT_ERR_FORMAT");
    assert_string_equal(graft_status_name((graft_status)99), "(no status)");
}

/* ---- Memory ---- */

static void blocks_hold_what_was_asked_for(void **state)
{
    (void)state;
    for (size_t size = 0; size < 100000; size += size < 3000 ? 1 : 997) {
        size_t block = graft__arena_block_size(size);
        assert_true(block >= size && block >= 64);
        assert_true(size <= 1024 ? block < size + 64 || size == 0 : block <= size + size / 8 + 1);
    }
    assert_int_equal(graft__arena_block_size(SIZE_MAX), 0);
    assert_int_equal(graft__arena_block_size((size_t)1 << 40), (size_t)1 << 40);
}

static void the_cache_serves_again(void **state)
{
    (void)state;
    graft_options o = graft_options_defaults();
    graft_ctx *g = graft_open(&o);
    graft_memory before, after;
    void *a = graft__alloc(g, 5000);
    assert_int_equal((uintptr_t)a % 64, 0);
    graft_memory_stats(g, &before);
    graft__free(g, a, 5000);
    graft_memory_stats(g, &after);
    assert_int_equal(before.in_use - after.in_use, graft__arena_block_size(5000));
    if (after.cached > 0) { /* not under AddressSanitizer */
        assert_ptr_equal(graft__alloc(g, 5001), a);
        graft_memory_stats(g, &after);
        assert_int_equal(after.system_calls, before.system_calls);
        graft__free(g, a, 5001);
    }
    assert_int_equal(graft_empty_cache(g), GRAFT_OK);
    graft_memory_stats(g, &after);
    assert_int_equal(after.cached, 0);
    graft_close(g);
}

static void the_cache_has_a_limit(void **state)
{
    (void)state;
    graft_options o = graft_options_defaults();
    o.cache_limit = 1000;
    graft_ctx *g = graft_open(&o);
    graft__free(g, graft__alloc(g, 5000), 5000);
    graft__free(g, graft__alloc(g, 100), 100);
    graft_memory m;
    graft_memory_stats(g, &m);
    assert_true(m.cached <= 1000);
    graft_close(g);
}

static void a_block_grows(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    char *p = graft__alloc(g, 10);
    memcpy(p, "123456789", 10);
    p = graft__realloc(g, p, 10, 60);
    p = graft__realloc(g, p, 60, 6000);
    assert_string_equal(p, "123456789");
    graft__free(g, p, 6000);
    graft_close(g);
}

static void sizes_are_checked(void **state)
{
    (void)state;
    size_t out;
    assert_true(graft__mul_size(3, 4, &out) && out == 12);
    assert_false(graft__mul_size(SIZE_MAX, 2, &out));
    assert_false(graft__add_size(SIZE_MAX, 1, &out));
}

/* ---- Scopes ---- */

typedef struct thing {
    graft__object object;
    int *destroyed;
} thing;

static void thing_destroy(graft__object *o)
{
    ++*((thing *)o)->destroyed;
    graft__free(o->ctx, o, sizeof(thing));
}

static const graft__kind thing_kind = {"thing", thing_destroy};

static thing *thing_new(graft_ctx *g, int *destroyed)
{
    thing *t = graft__alloc(g, sizeof *t);
    assert_non_null(t);
    graft__object_init(&t->object, g, &thing_kind);
    t->destroyed = destroyed;
    return t;
}

static void a_scope_frees_what_is_its_own(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    int destroyed = 0;
    assert_true(
        graft__own(&thing_new(g, &destroyed)->object)); /* the context's: no scope is open */
    graft_scope_begin(g);
    for (int i = 0; i < 100; i++)
        assert_true(graft__own(&thing_new(g, &destroyed)->object));
    graft_scope_begin(g);
    thing *kept = thing_new(g, &destroyed);
    assert_true(graft__own(&kept->object));
    assert_true(graft__own(&thing_new(g, &destroyed)->object));
    assert_true(graft__disown(&kept->object));
    assert_false(graft__disown(&kept->object));
    assert_int_equal(graft_scope_end(g), GRAFT_OK);
    assert_int_equal(destroyed, 1);
    graft_scope_end(g);
    assert_int_equal(destroyed, 101);
    graft__own_by_context(&kept->object);
    assert_int_equal(graft_scope_end(g), GRAFT_ERR_STATE);
    assert_error(g, GRAFT_ERR_STATE, "scope_end: no scope is open");
    graft_scope_begin(g); /* left open: close ends it */
    assert_true(graft__own(&thing_new(g, &destroyed)->object));
    graft_close(g);
    assert_int_equal(destroyed, 104);
}

static void references_outlive_the_scope(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    int destroyed = 0;
    graft_scope_begin(g);
    thing *t = thing_new(g, &destroyed);
    graft__own(&t->object);
    graft__ref(&t->object);
    graft_scope_end(g);
    assert_int_equal(destroyed, 0);
    graft__unref(&t->object);
    assert_int_equal(destroyed, 1);
    graft__unref(NULL);
    graft_close(g);
}

/* ---- Containers ---- */

static void a_map_keeps_and_forgets(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft__map m;
    graft__map_init(&m, g);
    static char keys[3000];
    assert_null(graft__map_get(&m, keys));
    for (int i = 0; i < 3000; i++)
        assert_true(graft__map_set(&m, &keys[i], &keys[2999 - i]));
    for (int i = 0; i < 3000; i += 2)
        graft__map_remove(&m, &keys[i]);
    graft__map_remove(&m, &keys[0]);
    assert_int_equal(m.count, 1500);
    for (int i = 0; i < 3000; i++)
        assert_ptr_equal(graft__map_get(&m, &keys[i]), i % 2 ? &keys[2999 - i] : NULL);
    assert_true(graft__map_set(&m, &keys[1], &keys[7]));
    assert_ptr_equal(graft__map_get(&m, &keys[1]), &keys[7]);
    graft__map_free(&m);
    graft_close(g);
}

static void a_text_grows(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft__text t;
    graft__text_init(&t, g);
    for (int i = 0; i < 1000; i++)
        graft__text_addf(&t, "%d,", i);
    graft__text_cut(&t, 10);
    graft__text_add(&t, "end");
    graft__text_addn(&t, "!!!", 1);
    char *s = graft__text_take(&t);
    assert_string_equal(s, "0,1,2,3,4,end!");
    graft_text_free(g, s);
    s = graft__text_take(&t);
    assert_string_equal(s, "");
    graft__text_release(g, s);
    graft__text_free(&t);
    graft_close(g);
}

static void a_vector_grows(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    int *v = NULL;
    size_t capacity = 0;
    for (size_t i = 0; i < 1000; i++) {
        assert_true(graft__vector_reserve(g, (void **)&v, i, &capacity, sizeof *v));
        v[i] = (int)i;
    }
    for (int i = 0; i < 1000; i++)
        assert_int_equal(v[i], i);
    graft__free(g, v, capacity * sizeof *v);
    graft_close(g);
}

static void threads_are_checked(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    assert_int_equal(graft_set_num_threads(g, 3), GRAFT_OK);
    assert_int_equal(graft_num_threads(g), 3);
    assert_int_equal(graft_set_num_threads(g, 0), GRAFT_ERR_ARGUMENT);
    assert_error(g, GRAFT_ERR_ARGUMENT, "set_num_threads: 0 threads: expected 1 to 64");
    assert_int_equal(graft_num_threads(g), 3);
    graft_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_and_closes),
        cmocka_unit_test(refuses_senseless_options),
        cmocka_unit_test(keeps_the_first_error),
        cmocka_unit_test(keeps_a_long_error_whole),
        cmocka_unit_test(a_status_has_a_name),
        cmocka_unit_test(blocks_hold_what_was_asked_for),
        cmocka_unit_test(the_cache_serves_again),
        cmocka_unit_test(the_cache_has_a_limit),
        cmocka_unit_test(a_block_grows),
        cmocka_unit_test(sizes_are_checked),
        cmocka_unit_test(a_scope_frees_what_is_its_own),
        cmocka_unit_test(references_outlive_the_scope),
        cmocka_unit_test(a_map_keeps_and_forgets),
        cmocka_unit_test(a_text_grows),
        cmocka_unit_test(a_vector_grows),
        cmocka_unit_test(threads_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
