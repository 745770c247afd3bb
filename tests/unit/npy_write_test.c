/* Writing npy: what comes back, and what is refused. numpy reads them in tests/parity. */
#include "failing_allocator.h"
#include "folder.h"
#include "test.h"

static graft_tensor *numbers(graft_ctx *g)
{
    return graft_from_data(g, (const float[]){1, 2, 3, 4, 5, 6}, graft_shape2(2, 3), GRAFT_F32);
}

/* Whatever the one tensor's name, and as C orders what lies otherwise. */
static void there_and_back(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    char *folder = folder_make(), *path = folder_path(folder, "a.npy");
    graft_dict *d = graft_dict_new(g), *outer = graft_dict_new(g);
    graft_dict_set_tensor(d, "w", graft_transpose(numbers(g), 0, 1));
    graft_dict_set_dict(outer, "model", d);
    graft_write_report report;
    assert_int_equal(graft_save_as(g, path, outer, NULL, &report), GRAFT_OK);
    assert_no_error(g);
    assert_int_equal(report.tensors, 1);
    assert_int_equal(report.files, 1);
    assert_int_equal(report.bytes, 128 + 24);
    graft_dict *back = graft_load(g, path, NULL);
    assert_no_error(g);
    assert_int_equal(graft_dict_len(back), 1);
    assert_elements(graft_dict_tensor(back, ""), (const double[]){1, 4, 2, 5, 3, 6}, 6);
    assert_int_equal(graft_size(graft_dict_tensor(back, ""), 0), 3);
    graft_dict_free(back);
    graft_dict_free(outer);
    graft_dict_free(d);
    graft_close(g);
    folder_remove(folder);
    free(path);
}

static void refused(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    char *folder = folder_make(), *path = folder_path(folder, "a.npy");
    graft_dict *d = graft_dict_new(g);
    assert_int_equal(graft_save(g, path, d), GRAFT_ERR_ARGUMENT);
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "0 tensors: an npy holds one");
    graft_dict_set_tensor(d, "a", graft_zeros(g, graft_shape1(2), GRAFT_BF16));
    assert_int_equal(graft_save(g, path, d), GRAFT_ERR_DTYPE);
    assert_error_has(g, GRAFT_ERR_DTYPE, "numpy has no bfloat16");
    graft_dict_set_tensor(d, "b", numbers(g));
    assert_int_equal(graft_save(g, path, d), GRAFT_ERR_ARGUMENT);
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "2 tensors: an npy holds one");
    graft_dict_set_int(d, "c", 3);
    assert_int_equal(graft_save(g, path, d), GRAFT_ERR_ARGUMENT);
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "'c' is an integer");
    assert_int_equal(folder_count(folder, NULL), 0);
    graft_dict_free(d);
    graft_close(g);
    folder_remove(folder);
    free(path);
}

static bool stop(void *user, uint64_t done, uint64_t total)
{
    (void)user;
    assert_true(done <= total);
    assert_int_equal(total, 24);
    return false;
}

static void cancelled(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    char *folder = folder_make(), *path = folder_path(folder, "a.npy");
    graft_dict *d = graft_dict_new(g);
    graft_dict_set_tensor(d, "a", numbers(g));
    graft_write_options o = graft_write_defaults();
    o.progress = stop;
    assert_int_equal(graft_save_as(g, path, d, &o, NULL), GRAFT_ERR_CANCELLED);
    assert_int_equal(folder_count(folder, NULL), 0);
    graft_dict_free(d);
    graft_close(g);
    folder_remove(folder);
    free(path);
}

static void save_once(void *user, failing_allocator *a)
{
    graft_ctx *g = failing_allocator_open(a);
    if (!g)
        return;
    graft_dict *d = graft_dict_new(g);
    graft_dict_set_tensor(d, "a", numbers(g));
    graft_write_options o = graft_write_defaults();
    o.sync = false;
    if (d && !graft_error(g) && graft_save_as(g, user, d, &o, NULL) != GRAFT_OK)
        assert_int_equal(graft_error_status(g), GRAFT_ERR_MEMORY);
    graft_dict_free(d);
    graft_close(g);
}

static void failing_allocations(void **state)
{
    (void)state;
    char *folder = folder_make(), *path = folder_path(folder, "a.npy");
    failing_allocator_sweep(save_once, path);
    assert_int_equal(folder_count(folder, NULL), 1);
    folder_remove(folder);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(refused),
        cmocka_unit_test(cancelled),
        cmocka_unit_test(failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
