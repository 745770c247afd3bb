/* Snapshots of dicts, and dicts without memory. */
#include "test.h"

#include <stdio.h>

#include "failing_allocator.h"
#include "tensor/dict.h"

/* The keys in order, joined by blanks. */
static const char *keys(const graft_dict *d)
{
    static char text[1000];
    text[0] = 0;
    for (int64_t i = 0; i < graft_dict_len(d); i++) {
        strcat(text, i ? " " : "");
        strcat(text, graft_dict_key(d, i));
    }
    return text;
}

static const char *name_of(char out[32], const char *prefix, int i)
{
    snprintf(out, 32, "%s%d", prefix, i);
    return out;
}

/* ---- Snapshots ---- */

/* A dict with ties, views, a gradient and everything that may be in a dict. */
static graft_dict *checkpoint(graft_ctx *g)
{
    graft_dict *d = graft_dict_new(g), *nested = graft__dict_new(g);
    graft_dict *list = graft_list_new(g);
    graft_tensor *base = graft_arange(g, 0, 12, 1, GRAFT_F32);
    graft_tensor *leaf = graft_set_requires_grad(graft_ones(g, graft_shape1(3), GRAFT_F32), true);
    graft_set_grad(leaf, graft_full(g, graft_shape1(3), 2, GRAFT_F32));
    graft_dict_set_tensor(d, "base", base);
    graft_dict_set_tensor(d, "part", graft_narrow(base, 0, 3, 4));
    graft_dict_set_tensor(d, "tied", base);
    graft_dict_set_tensor(nested, "turned",
                          graft_transpose(graft_view(base, graft_shape2(3, 4)), 0, 1));
    graft_dict_set_tensor(nested, "leaf", leaf);
    graft_dict_set_none(nested, "none");
    graft_dict_set_string(nested, "string", "text");
    graft_list_push_int(list, 1);
    graft_list_push_float(list, 2);
    graft_list_push_string(list, "three");
    graft_dict_set_dict(nested, "list", list);
    graft_dict_set_dict(d, "nested", nested);
    graft_dict_set_int_key_dict(d, 5, list);
    graft__dict_unref(nested);
    graft_dict_free(list);
    return d;
}

static void check_snapshot(graft_dict *d, graft_dict *copy)
{
    graft_tensor *base = graft_dict_tensor(copy, "base"), *part = graft_dict_tensor(copy, "part");
    graft_tensor *turned = graft_dict_tensor(copy, "nested.turned");
    assert_string_equal(keys(copy), "base part tied nested 5");
    assert_ptr_not_equal(base, graft_dict_tensor(d, "base"));
    assert_ptr_equal(graft_dict_tensor(copy, "tied"), base);
    assert_true(graft_shares_memory(base, graft_dict_tensor(d, "base")));
    assert_false(graft_shares_storage(base, graft_dict_tensor(d, "base")));
    assert_true(graft_shares_storage(base, part) && graft_shares_storage(base, turned));
    assert_int_equal(graft_storage_offset(part), 3);
    assert_int_equal(graft_stride(turned, 1), 4);

    /* A write is seen by the copy's views, and not by the source. */
    ((float *)graft_data_mut(part))[0] = 30;
    assert_elements(turned, (const double[]){0, 4, 8, 1, 5, 9, 2, 6, 10, 30, 7, 11}, 12);
    assert_elements(graft_dict_tensor(d, "part"), (const double[]){3, 4, 5, 6}, 4);
    assert_false(graft_shares_memory(base, graft_dict_tensor(d, "base")));

    graft_tensor *leaf = graft_dict_tensor(copy, "nested.leaf");
    assert_true(graft_requires_grad(leaf) && graft_is_leaf(leaf));
    assert_elements(graft_grad(leaf), (const double[]){2, 2, 2}, 3);
    assert_ptr_not_equal(graft_grad(leaf), graft_grad(graft_dict_tensor(d, "nested.leaf")));
    const graft_dict *list = graft_dict_dict(copy, "nested.list");
    assert_ptr_equal(list, graft_dict_dict(copy, "5"));
    assert_int_equal(graft_dict_kind(copy, 4), GRAFT_VALUE_LIST);
    assert_string_equal(graft_dict_string_at(list, 2), "three");
    assert_true(graft_dict_key_is_int(copy, 4, NULL));
}

static void snapshots_keep_ties_and_views(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *d = checkpoint(g), *copy = graft_dict_clone(d, NULL);
    assert_no_error(g);
    assert_ptr_equal(graft_dict_ctx(copy), g);
    check_snapshot(d, copy);
    graft_dict_free(copy);
    graft_close(g);
}

static void snapshots_into_another_context_outlive_theirs(void **state)
{
    (void)state;
    graft_ctx *g = test_open(), *other = test_open();
    graft_dict *d = checkpoint(g), *copy = graft_dict_clone(d, other);
    graft_dict *second = graft_dict_clone(d, other);
    assert_ptr_equal(graft_dict_ctx(copy), other);
    assert_ptr_equal(graft_tensor_ctx(graft_dict_tensor(copy, "nested.leaf")), other);
    check_snapshot(d, copy);
    graft_close(g);
    assert_elements(graft_dict_tensor(second, "part"), (const double[]){3, 4, 5, 6}, 4);
    graft_close(other);
}

static void snapshots_cost_no_elements(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *d = graft_dict_new(g);
    graft_dict_set_tensor(d, "x", graft_zeros(g, graft_shape1(1 << 20), GRAFT_F32));
    graft_memory before, after;
    graft_memory_stats(g, &before);
    assert_non_null(graft_dict_clone(d, NULL));
    graft_memory_stats(g, &after);
    assert_true(after.in_use - before.in_use < 4096);
    graft_close(g);
}

static void snapshots_refuse_history_by_name(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *d = checkpoint(g);
    graft_tensor *leaf = graft_dict_tensor(d, "nested.leaf");
    graft_dict_set_tensor(graft_dict_dict(d, "nested"), "y", graft_mul(leaf, leaf));
    assert_null(graft_dict_clone(d, NULL));
    assert_error(g, GRAFT_ERR_STATE,
                 "dict_clone: the tensor \"y\" is the result of mul and has a history: detach it "
                 "first");
    graft_close(g);
}

/* ---- Without memory ---- */

/* Every call either did all or, with an error, nothing; what it did not do leaves nothing behind.
 */
static void build_and_change(void *user, failing_allocator *a)
{
    (void)user;
    graft_ctx *g = failing_allocator_open(a);
    if (!g)
        return;
    graft_dict *d = checkpoint(g);
    char name[32];
    int64_t length = graft_dict_len(d);
    for (int i = 0; d && i < 20; i++) {
        const graft_status status = graft_dict_set_string(d, name_of(name, "k.", i), "value");
        length += status == GRAFT_OK;
        assert_int_equal(graft_dict_len(d), length);
        assert_int_equal(graft_dict_find(d, name) >= 0, status == GRAFT_OK);
    }
    if (d && graft_dict_find(d, "k.3") >= 0) {
        const graft_status status = graft_dict_rename(d, "k.3", "k.three");
        assert_int_equal(graft_dict_find(d, "k.three") >= 0, status == GRAFT_OK);
        assert_int_equal(graft_dict_find(d, "k.3") >= 0, status != GRAFT_OK);
    }
    if (d && graft_dict_find(d, "k.5") >= 0 && graft_dict_find(d, "k.6") >= 0) {
        const graft_status status = graft_dict_rename_prefix(d, "k.", "key.", NULL);
        assert_int_equal(graft_dict_find(d, "key.5") >= 0, status == GRAFT_OK);
        assert_int_equal(graft_dict_find(d, "k.6") >= 0, status != GRAFT_OK);
    }
    /* Without an error too: the index is only a help. */
    const graft_status status = graft_error_status(g);
    assert_true(status == GRAFT_OK || (status == GRAFT_ERR_MEMORY && a->failed));
    graft_close(g);
}

static void lack_of_memory_leaves_dicts_whole(void **state)
{
    (void)state;
    failing_allocator_sweep(build_and_change, NULL);
}

static void clone_into(void *user, failing_allocator *a)
{
    graft_ctx *g = user, *into = failing_allocator_open(a);
    if (!into)
        return;
    graft_dict *d = checkpoint(g);
    const graft_status before = graft_error_status(g);
    assert_int_equal(before, GRAFT_OK);
    graft_dict *copy = graft_dict_clone(d, into);
    if (copy) {
        assert_int_equal(graft_dict_len(copy), 5);
        assert_elements(graft_dict_tensor(copy, "part"), (const double[]){3, 4, 5, 6}, 4);
    } else {
        assert_int_equal(graft_error_status(into), GRAFT_ERR_MEMORY);
        assert_error(g, GRAFT_ERR_MEMORY, "dict_clone: out of memory in the copy's context");
    }
    graft_close(into);
    /* Nobody shares the source's memory any more. */
    const void *data = graft_data(graft_dict_tensor(d, "base"));
    assert_ptr_equal(graft_data_mut(graft_dict_tensor(d, "base")), data);
    graft_dict_free(d);
}

static void lack_of_memory_leaves_no_half_snapshot(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    failing_allocator_sweep(clone_into, g);
    graft_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(snapshots_keep_ties_and_views),
        cmocka_unit_test(snapshots_into_another_context_outlive_theirs),
        cmocka_unit_test(snapshots_cost_no_elements),
        cmocka_unit_test(snapshots_refuse_history_by_name),
        cmocka_unit_test(lack_of_memory_leaves_dicts_whole),
        cmocka_unit_test(lack_of_memory_leaves_no_half_snapshot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
