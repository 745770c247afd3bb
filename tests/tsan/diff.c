/* Comparing files: one thread reads the next pieces while the others compare those at hand, and
 * only it may touch the context. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "test.h"

enum { ROWS = 300, COLUMNS = 1000 };

static const char *const path[] = {"a.pt", "b.safetensors"};

static graft_dict *state(graft_ctx *g, double scale)
{
    graft_dict *d = graft_dict_new(g);
    graft_manual_seed(g, 3);
    graft_tensor *x = graft_randn(g, graft_shape2(ROWS, COLUMNS), GRAFT_F32);
    graft_dict_set_tensor(d, "w", graft_mul_scalar(x, scale));
    graft_dict_set_tensor(d, "turned", graft_transpose(x, 0, 1));
    graft_dict_set_tensor(d, "half", graft_to(x, GRAFT_F16));
    assert_no_error(g);
    return d;
}

static graft_dict *load(graft_ctx *g, int which, bool map)
{
    graft_read_options o = graft_read_defaults();
    o.map = map;
    graft_dict *d = graft_load(g, path[which], &o);
    assert_no_error(g);
    return d;
}

static void assert_same_numbers(const graft_diff_report *x, const graft_diff_report *y)
{
    for (int64_t i = 0; i < graft_diff_len(x); i++) {
        graft_diff_numbers n, m;
        memset(&n, 0, sizeof n);
        memset(&m, 0, sizeof m);
        assert_int_equal(graft_diff_numbers_of(x, i, &n), graft_diff_numbers_of(y, i, &m));
        assert_memory_equal(&n, &m, sizeof n);
        assert_int_equal(graft_diff_kind_of(x, i), graft_diff_kind_of(y, i));
    }
}

static void files_are_as_memory(void **unused)
{
    (void)unused;
    char folder[] = "/tmp/graft-diff-XXXXXX";
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    for (int threads = 1; threads <= 3; threads++) {
        graft_ctx *g = test_open();
        assert_int_equal(graft_set_num_threads(g, threads), GRAFT_OK);
        graft_dict *a = state(g, 1), *b = state(g, 1.25);
        graft_diff_options o = graft_diff_defaults();
        o.rules = graft_rules_parse(g, "cast half f32\ntranspose turned\ntranspose turned\n");
        assert_int_equal(graft_save(g, path[0], a), GRAFT_OK);
        assert_int_equal(graft_save(g, path[1], b), GRAFT_OK);
        for (int way = 0; way < 4; way++) {
            const graft_diff_options *how = way / 2 ? &o : NULL;
            graft_diff_report *memory = graft_diff(a, b, how);
            graft_diff_report *files = graft_diff(load(g, 0, way % 2), load(g, 1, way % 2), how);
            assert_no_error(g);
            assert_int_equal(graft_diff_count(files, GRAFT_DIFF_CHANGED), 1);
            assert_same_numbers(memory, files);
        }
        graft_close(g);
    }
    remove(path[0]);
    remove(path[1]);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(files_are_as_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
