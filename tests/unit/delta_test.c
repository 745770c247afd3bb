/* Delta checkpoints: refusals, damage, and memory that runs out. What they hold is compared in
 * tests/parity. */
#include "test.h"

#include <stdio.h>

#include "failing_allocator.h"
#include "file/sha256.h"
#include "fixture.h"
#include "folder.h"
#include "graft/content.h"

static bool put(graft_dict *d, const char *name, graft_tensor *t)
{
    return d && t && graft_dict_set_tensor(d, name, t) == GRAFT_OK;
}

static graft_dict *model(graft_ctx *g, double head)
{
    graft_dict *d = graft_dict_new(g);
    const bool ok = put(d, "body", graft_full(g, graft_shape2(3, 4), 2, GRAFT_F32)) &&
                    put(d, "head", graft_full(g, graft_shape1(5), head, GRAFT_F16)) &&
                    put(d, "old", graft_ones(g, graft_shape1(2), GRAFT_I64));
    return ok ? d : NULL;
}

/* Writes path: "head" changed, "old" removed, "new" added in front. */
static graft_dict *tuned(graft_ctx *g, graft_dict *base)
{
    graft_dict *d = graft_dict_new(g);
    const bool ok = put(d, "new", graft_ones(g, graft_shape0(), GRAFT_BOOL)) &&
                    put(d, "head", graft_full(g, graft_shape1(5), 9, GRAFT_F16)) &&
                    put(d, "body", graft_dict_tensor(base, "body"));
    return ok ? d : NULL;
}

static void test_round(void **state)
{
    if (!graft__has_sha256())
        skip();
    fixture *f = *state;
    graft_ctx *g = f->g;
    graft_dict *base = model(g, 3), *d = tuned(g, base);
    graft_write_report report;
    assert_int_equal(graft_save_delta(g, f->path, d, base, "base.pt", NULL, &report), GRAFT_OK);
    assert_int_equal(report.tensors, 2);
    graft_checkpoint *c = graft_checkpoint_open(g, f->path, NULL);
    assert_string_equal(graft_delta_base(c), "base.pt");
    graft_dict *whole = graft_load_delta(c, base);
    assert_non_null(whole);
    assert_int_equal(graft_dict_len(whole), 3);
    static const char *const names[] = {"new", "head", "body"};
    for (int i = 0; i < 3; i++) {
        assert_string_equal(graft_dict_key(whole, i), names[i]);
        assert_true(graft_equal(graft_dict_tensor_at(whole, i), graft_dict_tensor(d, names[i])));
    }
    /* A delta of a delta: its base is the whole. */
    graft_dict *next = graft_dict_new(g);
    put(next, "body", graft_zeros(g, graft_shape2(3, 4), GRAFT_F32));
    char *second = folder_path(f->folder, "second.safetensors");
    assert_int_equal(graft_save_delta(g, second, next, whole, "first", NULL, NULL), GRAFT_OK);
    graft_checkpoint *b = graft_checkpoint_open(g, second, NULL);
    graft_dict *last = graft_load_delta(b, whole);
    assert_int_equal(graft_dict_len(last), 1);
    assert_null(graft_load_delta(b, base));
    assert_error_has(g, GRAFT_ERR_ARGUMENT,
                     "load_delta: this is not the base that the delta was made from ('first'): its "
                     "content hash is ");
    free(second);
}

static void test_refusals(void **state)
{
    fixture *f = *state;
    graft_ctx *g = f->g;
    graft_dict *base = model(g, 3);
    if (!graft__has_sha256()) {
        assert_int_equal(graft_save_delta(g, f->path, base, base, "b", NULL, NULL),
                         GRAFT_ERR_ARGUMENT);
        assert_error(g, GRAFT_ERR_ARGUMENT,
                     "save_delta: this build has no SHA-256: it needs nettle (GRAFT_NETTLE)");
        return;
    }
    graft_write_options o = graft_write_defaults();
    o.format = GRAFT_FORMAT_PT;
    graft_save_delta(g, f->path, base, base, "b", &o, NULL);
    assert_error(g, GRAFT_ERR_ARGUMENT, "save_delta: format pt: expected safetensors");
    o.format = GRAFT_FORMAT_AUTO;
    o.max_shard_bytes = 1000;
    graft_save_delta(g, f->path, base, base, "b", &o, NULL);
    assert_error(g, GRAFT_ERR_ARGUMENT,
                 "save_delta: shards of 1000 bytes: a delta is one file: expected 0");
    graft_save_delta(g, f->path, base, NULL, "b", NULL, NULL);
    assert_error(g, GRAFT_ERR_ARGUMENT, "save_delta: the base is NULL");
    assert_int_equal(folder_count(f->folder, NULL), 0);
    assert_int_equal(graft_save(g, f->path, base), GRAFT_OK);
    graft_checkpoint *c = graft_checkpoint_open(g, f->path, NULL);
    assert_null(graft_delta_base(c));
    assert_null(graft_load_delta(c, base));
    assert_error(g, GRAFT_ERR_ARGUMENT, "load_delta: the checkpoint is no delta");
}

/* One byte after the other is another one: what comes of it is an error, or the same as before. */
static void test_damage(void **state)
{
    if (!graft__has_sha256())
        skip();
    fixture *f = *state;
    graft_ctx *g = f->g;
    graft_dict *base = model(g, 3), *d = tuned(g, base);
    assert_int_equal(graft_save_delta(g, f->path, d, base, "base", NULL, NULL), GRAFT_OK);
    size_t size;
    unsigned char *bytes = file_get(f->path, &size);
    int refused = 0, taken = 0;
    for (size_t at = 0; at < size; at += test_quick() ? 7 : 1) {
        bytes[at] ^= 1;
        graft_checkpoint *c = graft_checkpoint_open_memory(g, bytes, size, NULL);
        graft_dict *whole = c ? graft_load_delta(c, base) : NULL;
        bytes[at] ^= 1;
        if (whole) {
            taken++;
            assert_int_equal(graft_dict_len(whole), 3);
            assert_true(
                graft_equal(graft_dict_tensor(whole, "head"), graft_dict_tensor(d, "head")));
            assert_true(
                graft_equal(graft_dict_tensor(whole, "body"), graft_dict_tensor(d, "body")));
        } else {
            refused++;
            assert_non_null(graft_error(g));
        }
        graft_clear_error(g);
        graft_dict_free(whole);
        graft_checkpoint_free(c);
    }
    assert_true(refused > 4 * taken); /* names of the base and what was removed are only told */
    free(bytes);
}

static void save_with_little(void *user, failing_allocator *a)
{
    const fixture *f = user;
    graft_ctx *g = failing_allocator_open(a);
    if (!g)
        return;
    graft_dict *base = model(g, 3), *d = base ? tuned(g, base) : NULL;
    graft_checkpoint *c = NULL;
    if (d && graft_save_delta(g, f->path, d, base, "base", NULL, NULL) == GRAFT_OK)
        c = graft_checkpoint_open(g, f->path, NULL);
    graft_dict *whole = c ? graft_load_delta(c, base) : NULL;
    assert_true((whole && !graft_error(g)) || graft_error_status(g) == GRAFT_ERR_MEMORY);
    if (whole)
        assert_int_equal(graft_dict_len(whole), 3);
    graft_close(g);
}

static void test_no_memory(void **state)
{
    if (!graft__has_sha256())
        skip();
    failing_allocator_sweep(save_with_little, *state);
    assert_int_equal(folder_count(((fixture *)*state)->folder, NULL), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round, fixture_open, fixture_check),
        cmocka_unit_test_setup_teardown(test_refusals, fixture_open, fixture_check),
        cmocka_unit_test_setup_teardown(test_damage, fixture_open, fixture_check),
        cmocka_unit_test_setup_teardown(test_no_memory, fixture_open, fixture_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
