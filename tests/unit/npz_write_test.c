/* Writing npz: what comes back, and what is refused. numpy reads them in tests/parity. */
#include <stdio.h>

#include "failing_allocator.h"
#include "folder.h"
#include "test.h"

/* A dict with a matrix, its transposed view, a nested dict and a list. Freed by graft_dict_free. */
static graft_dict *make(graft_ctx *g)
{
    graft_dict *d = graft_dict_new(g), *layer = graft_dict_new(g), *list = graft_list_new(g);
    graft_tensor *m =
        graft_from_data(g, (const float[]){1, 2, 3, 4, 5, 6}, graft_shape2(2, 3), GRAFT_F32);
    graft_dict_set_tensor(d, "m", m);
    graft_dict_set_tensor(d, "turned", graft_transpose(m, 0, 1));
    graft_dict_set_tensor(layer, "weight", graft_scalar(g, 7, GRAFT_I64));
    graft_list_push_tensor(list, graft_zeros(g, graft_shape2(0, 3), GRAFT_BOOL));
    graft_dict_set_dict(d, "layer", layer);
    graft_dict_set_dict(d, "list", list);
    graft_dict_free(layer);
    graft_dict_free(list);
    return d;
}

static void there_and_back(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    char *folder = folder_make(), *path = folder_path(folder, "a.npz");
    graft_dict *d = make(g);
    graft_write_report report;
    assert_int_equal(graft_save_as(g, path, d, NULL, &report), GRAFT_OK);
    assert_no_error(g);
    assert_int_equal(report.tensors, 4);
    assert_int_equal(report.files, 1);
    graft_dict *back = graft_load(g, path, NULL);
    assert_no_error(g);
    assert_int_equal(graft_dict_len(back), 4);
    assert_elements(graft_dict_tensor(back, "m"), (const double[]){1, 2, 3, 4, 5, 6}, 6);
    assert_elements(graft_dict_tensor(back, "turned"), (const double[]){1, 4, 2, 5, 3, 6}, 6);
    assert_int_equal(graft_size(graft_dict_tensor(back, "turned"), 0), 3);
    assert_true(graft_is_contiguous(graft_dict_tensor(back, "turned")));
    assert_elements(graft_dict_tensor(back, "layer.weight"), (const double[]){7}, 1);
    assert_int_equal(graft_size(graft_dict_tensor(back, "list.0"), 1), 3);
    graft_dict_free(back);
    graft_dict_free(d);
    graft_close(g);
    folder_remove(folder);
    free(path);
}

typedef graft_tensor *maker(graft_ctx *g);

static graft_tensor *make_bf16(graft_ctx *g)
{
    return graft_zeros(g, graft_shape1(2), GRAFT_BF16);
}

static graft_tensor *make_f32(graft_ctx *g)
{
    return graft_zeros(g, graft_shape1(2), GRAFT_F32);
}

static void refused(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    char *folder = folder_make(), *path = folder_path(folder, "a.npz");
    static const struct {
        const char *name;
        maker *make;
        graft_status status;
        const char *words;
    } cases[] = {
        {"w", make_bf16, GRAFT_ERR_DTYPE, "x.w: numpy has no bfloat16"},
        {"../w", make_f32, GRAFT_OK, NULL}, /* under "x." this is no parent folder */
        {"/../w", make_f32, GRAFT_ERR_NAME, "'x./../w': a name that leaves its folder"},
        {"a\\b", make_f32, GRAFT_ERR_NAME, "'x.a\\b': a name with a backslash"},
        {"\xFF", make_f32, GRAFT_ERR_NAME, "a name that is not UTF-8"},
        {"text", NULL, GRAFT_ERR_ARGUMENT, "x.text"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        graft_dict *d = graft_dict_new(g), *x = graft_dict_new(g);
        if (cases[i].make)
            graft_dict_set_tensor(x, cases[i].name, cases[i].make(g));
        else
            graft_dict_set_string(x, cases[i].name, "no tensor");
        graft_dict_set_dict(d, "x", x);
        assert_int_equal(graft_save(g, path, d), cases[i].status);
        if (cases[i].words) {
            assert_error_has(g, cases[i].status, cases[i].words);
            assert_int_equal(folder_count(folder, NULL), 0);
        } else {
            assert_int_equal(remove(path), 0);
        }
        graft_dict_free(x);
        graft_dict_free(d);
    }
    graft_dict *d = graft_dict_new(g), *x = graft_dict_new(g);
    graft_dict_set_tensor(x, "w", make_f32(g));
    graft_dict_set_dict(d, "x", x);
    graft_dict_set_tensor(d, "x.w", make_f32(g));
    assert_int_equal(graft_save(g, path, d), GRAFT_ERR_NAME);
    assert_error_has(g, GRAFT_ERR_NAME, "x.w");
    graft_dict_drop(d, "x");
    graft_dict_set_tensor(d, "", make_f32(g));
    assert_int_equal(graft_save(g, path, d), GRAFT_ERR_NAME);
    assert_error_has(g, GRAFT_ERR_NAME, "an empty name");
    graft_dict_free(x);
    graft_dict_free(d);
    graft_close(g);
    folder_remove(folder);
    free(path);
}

static bool stop(void *user, uint64_t done, uint64_t total)
{
    uint64_t *seen = user;
    assert_true(done <= total);
    assert_int_equal(total, 24 + 24 + 8 + 0);
    return ++*seen < 2;
}

static void cancelled(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    char *folder = folder_make(), *path = folder_path(folder, "a.npz");
    graft_dict *d = make(g);
    uint64_t seen = 0;
    graft_write_options o = graft_write_defaults();
    o.progress = stop;
    o.progress_user = &seen;
    assert_int_equal(graft_save_as(g, path, d, &o, NULL), GRAFT_ERR_CANCELLED);
    assert_int_equal(seen, 2);
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
    graft_dict *d = make(g);
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
    char *folder = folder_make(), *path = folder_path(folder, "a.npz");
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
