/* Loading whole files and parts of them: mapping, verifying, limits, cancelling, salvaging. */
#include <stdio.h>

#include "folder.h"
#include "test.h"

enum { ROWS = 100, COLUMNS = 40 };

typedef struct fixture {
    graft_ctx *g;
    char *folder;
    char path[300];
} fixture;

static graft_dict *state(graft_ctx *g)
{
    graft_dict *d = graft_dict_new(g), *nested = graft_dict_new(g);
    graft_tensor *a = graft_arange(g, 0, ROWS * COLUMNS, 1, GRAFT_F32);
    graft_dict_set_tensor(d, "a", graft_view(a, graft_shape2(ROWS, COLUMNS)));
    graft_dict_set_tensor(nested, "b", graft_full(g, graft_shape1(1000), 7, GRAFT_I64));
    graft_dict_set_dict(d, "nested", nested);
    graft_dict_set_int_key_none(d, 0);
    graft_dict_set_int_key_bool(d, 1, true);
    graft_dict_set_int_key_float(d, 2, 0.25);
    return d;
}

static fixture open_file(const char *name)
{
    fixture f = {.g = test_open(), .folder = folder_make()};
    snprintf(f.path, sizeof f.path, "%s/%s", f.folder, name);
    assert_int_equal(graft_save(f.g, f.path, state(f.g)), GRAFT_OK);
    assert_no_error(f.g);
    return f;
}

static void close_file(fixture *f)
{
    graft_close(f->g);
    folder_remove(f->folder);
}

/* Flips a bit of the element 39 of a: the float 39 is found nowhere else. */
static void damage(const char *path)
{
    size_t size;
    unsigned char *bytes = file_get(path, &size);
    assert_non_null(bytes);
    const float before = 38, value = 39;
    size_t at = 0;
    for (size_t i = 0; i + 8 <= size; i++)
        if (memcmp(bytes + i, &before, 4) == 0 && memcmp(bytes + i + 4, &value, 4) == 0)
            at = i + 4;
    assert_true(at > 0);
    bytes[at] ^= 1;
    file_put(path, bytes, size);
    free(bytes);
}

static void all_comes_back(void **unused)
{
    (void)unused;
    for (int map = 0; map < 2; map++) {
        fixture f = open_file("a.pt");
        graft_read_options o = graft_read_defaults();
        o.map = map;
        graft_dict *d = graft_load(f.g, f.path, &o), *source = state(f.g);
        assert_true(graft_equal(graft_dict_tensor(d, "a"), graft_dict_tensor(source, "a")));
        assert_true(
            graft_equal(graft_dict_tensor(d, "nested.b"), graft_dict_tensor(source, "nested.b")));
        assert_int_equal(graft_dict_kind(d, 2), GRAFT_VALUE_NONE);
        assert_true(graft_dict_key_is_int(d, 2, NULL));
        assert_true(graft_dict_bool_at(d, 3));
        assert_true(graft_dict_float_at(d, 4) == 0.25);
        assert_no_error(f.g);
        close_file(&f);
    }
}

static void a_write_stays_in_memory(void **unused)
{
    (void)unused;
    fixture f = open_file("a.pt");
    size_t size;
    unsigned char *before = file_get(f.path, &size);
    graft_dict *d = graft_load(f.g, f.path, NULL), *other = graft_load(f.g, f.path, NULL);
    ((float *)graft_data_mut(graft_dict_tensor(d, "a")))[0] = -5;
    assert_true(graft_item(graft_select(graft_flatten(graft_dict_tensor(d, "a"), 0, -1), 0, 0)) ==
                -5);
    assert_true(
        graft_item(graft_select(graft_flatten(graft_dict_tensor(other, "a"), 0, -1), 0, 0)) == 0);
    assert_true(file_is(f.path, before, size));

    /* A save over the file that is mapped: the tensors keep what they had. */
    graft_dict_drop(d, "nested");
    assert_int_equal(graft_save(f.g, f.path, d), GRAFT_OK);
    assert_elements(graft_narrow(graft_flatten(graft_dict_tensor(other, "a"), 0, -1), 0, 0, 3),
                    (const double[]){0, 1, 2}, 3);
    assert_int_equal(graft_dict_len(graft_load(f.g, f.path, NULL)), 4);
    assert_no_error(f.g);
    free(before);
    close_file(&f);
}

static void one_tensor_and_some_rows(void **unused)
{
    (void)unused;
    fixture f = open_file("a.pt");
    const graft_tensor *b = graft_load_tensor(f.g, f.path, "nested.b", NULL);
    assert_int_equal(graft_numel(b), 1000);
    graft_tensor *rows = graft_load_rows(f.g, f.path, "a", 98, 2, NULL);
    assert_int_equal(graft_size(rows, 0), 2);
    assert_true(graft_item(graft_select(graft_select(rows, 0, 1), 0, 39)) == ROWS * COLUMNS - 1);
    assert_null(graft_load_rows(f.g, f.path, "a", 98, 3, NULL));
    assert_error_has(f.g, GRAFT_ERR_SHAPE, "3 rows from row 98 of \"a\" of shape [100, 40]");
    assert_null(graft_load_rows(f.g, f.path, "a", -1, 1, NULL));
    assert_error_has(f.g, GRAFT_ERR_SHAPE, "1 rows from row -1");
    assert_null(graft_load_tensor(f.g, f.path, "c", NULL));
    assert_error_has(f.g, GRAFT_ERR_NAME, "there is no tensor \"c\"");
    close_file(&f);
}

static void damage_is_found_when_it_matters(void **unused)
{
    (void)unused;
    fixture f = open_file("a.pt");
    damage(f.path);
    graft_read_options o = graft_read_defaults();
    graft_checkpoint *c = graft_checkpoint_open(f.g, f.path, &o);
    graft_dict *d = graft_checkpoint_root(c);
    graft_tensor_info info;
    assert_true(graft_dict_tensor_info(d, 0, &info));
    assert_int_equal(info.bytes, ROWS * COLUMNS * 4);
    assert_non_null(graft_dict_tensor(d, "nested.b"));
    assert_no_error(f.g);
    assert_null(graft_dict_tensor(d, "a"));
    assert_int_equal(graft_error_fault(f.g), GRAFT_FAULT_CHECKSUM);
    assert_error_has(f.g, GRAFT_ERR_FORMAT, "data/0: the CRC-32 of its 16000 bytes is");
    assert_null(graft_load_rows(f.g, f.path, "a", 50, 1, NULL));
    assert_error_has(f.g, GRAFT_ERR_FORMAT, "Checksum");

    o.verify = GRAFT_VERIFY_OPEN;
    assert_null(graft_load(f.g, f.path, &o));
    assert_error_has(f.g, GRAFT_ERR_FORMAT, "Checksum");
    assert_non_null(graft_load_tensor(f.g, f.path, "nested.b", &o)); /* only its bytes are read */
    o.verify = GRAFT_VERIFY_NEVER;
    assert_non_null(graft_load_tensor(f.g, f.path, "a", &o));
    assert_no_error(f.g);

    /* The others are saved from it, and a model is not loaded from it. */
    graft_salvage_report *s = graft_salvage(f.g, f.path, NULL);
    assert_int_equal(graft_salvage_lost(s), 1);
    assert_string_equal(graft_salvage_lost_name(s, 0), "a");
    assert_non_null(strstr(graft_salvage_lost_reason(s, 0), "Checksum"));
    assert_non_null(strstr(graft_salvage_text(s), "1 tensors are whole, 1 are lost"));
    assert_int_equal(graft_dict_len(graft_salvage_dict(s)), 1);
    graft_salvage_free(s);
    graft_module *m = graft_sequential(f.g);
    graft_parameter(m, "a", NULL, graft_zeros(f.g, graft_shape2(ROWS, COLUMNS), GRAFT_F32));
    graft_load_options lax = graft_load_defaults();
    lax.strict = false;
    assert_int_equal(graft_load_state_dict(m, d, &lax, NULL), GRAFT_ERR_FORMAT);
    assert_error_has(f.g, GRAFT_ERR_FORMAT, "Checksum");
    graft_checkpoint_free(c);
    close_file(&f);
}

static bool stop_at_once(void *calls, uint64_t done, uint64_t total)
{
    assert_true(done <= total);
    ++*(int *)calls;
    return false;
}

static void work_can_be_cancelled(void **unused)
{
    (void)unused;
    fixture f = open_file("a.pt");
    int calls = 0;
    graft_read_options o = graft_read_defaults();
    o.verify = GRAFT_VERIFY_OPEN;
    o.progress = stop_at_once;
    o.progress_user = &calls;
    assert_null(graft_load(f.g, f.path, &o));
    assert_int_equal(calls, 1);
    assert_error_has(f.g, GRAFT_ERR_CANCELLED, "cancelled by the progress function");
    close_file(&f);
}

static void limits_hold(void **unused)
{
    (void)unused;
    fixture f = open_file("a.pt");
    graft_read_options o = graft_read_defaults();
    o.max_depth = 1;
    assert_null(graft_load(f.g, f.path, &o));
    assert_int_equal(graft_error_fault(f.g), GRAFT_FAULT_LIMIT);
    graft_clear_error(f.g);
    o = graft_read_defaults();
    o.max_memory = 100;
    assert_null(graft_load(f.g, f.path, &o));
    assert_int_equal(graft_error_fault(f.g), GRAFT_FAULT_LIMIT);
    graft_clear_error(f.g);
    o.max_depth = 0;
    assert_null(graft_load(f.g, f.path, &o));
    assert_error_has(f.g, GRAFT_ERR_ARGUMENT, "begin with graft_read_defaults()");
    close_file(&f);
}

static void a_checkpoint_goes_into_another_context(void **unused)
{
    (void)unused;
    fixture f = open_file("a.pt");
    graft_ctx *other = test_open();
    graft_dict *d = graft_load(f.g, f.path, NULL), *copy = graft_dict_clone(d, other);
    close_file(&f); /* the bytes of the copy were not read yet, and the file is gone */
    assert_elements(graft_narrow(graft_select(graft_dict_tensor(copy, "a"), 0, 2), 0, 0, 2),
                    (const double[]){80, 81}, 2);
    assert_no_error(other);
    graft_close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_comes_back),
        cmocka_unit_test(a_write_stays_in_memory),
        cmocka_unit_test(one_tensor_and_some_rows),
        cmocka_unit_test(damage_is_found_when_it_matters),
        cmocka_unit_test(work_can_be_cancelled),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(a_checkpoint_goes_into_another_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
