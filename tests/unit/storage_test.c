#include "test.h"

#include "tensor/tensor.h"

static size_t in_use(graft_ctx *g)
{
    graft_memory m;
    graft_memory_stats(g, &m);
    return m.in_use;
}

static void sharing_takes_no_memory_until_a_write(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft__storage *a = graft__storage_new(g, 1 << 20);
    memset(a->buffer->data, 7, 1 << 20);
    size_t before = in_use(g);
    graft__storage *b = graft__storage_share(a, g);
    assert_true(in_use(g) - before < 1024);
    assert_ptr_equal(a->buffer, b->buffer);
    assert_true(graft__storage_is_shared(a) && graft__storage_is_shared(b));

    assert_true(graft__storage_separate(b, true));
    assert_true(in_use(g) - before >= 1 << 20);
    assert_ptr_not_equal(a->buffer, b->buffer);
    assert_memory_equal(a->buffer->data, b->buffer->data, 1 << 20);
    assert_false(graft__storage_is_shared(a) || graft__storage_is_shared(b));
    const void *own = b->buffer->data;
    assert_true(graft__storage_separate(b, true)); /* nothing to do but to count */
    assert_ptr_equal(b->buffer->data, own);
    assert_int_equal(b->version, 2);
    assert_int_equal(a->version, 0);
    graft__storage_unref(a);
    graft__storage_unref(b);
    graft_close(g);
}

static void renewing_hands_the_old_bytes_out(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft__storage *a = graft__storage_new(g, 100);
    memset(a->buffer->data, 3, 100);
    graft__buffer *old;
    assert_true(graft__storage_renew(a, &old));
    assert_null(old); /* not shared: in place */
    graft__storage *b = graft__storage_share(a, g);
    assert_true(graft__storage_renew(b, &old));
    assert_ptr_equal(old, a->buffer);
    graft__storage_unref(a); /* the old bytes stay until they were read */
    assert_int_equal(((char *)old->data)[99], 3);
    graft__buffer_unref(g, old);
    graft__storage_unref(b);
    graft_close(g);
}

static void a_buffer_outlives_its_context(void **state)
{
    (void)state;
    graft_ctx *one = test_open(), *two = test_open();
    graft__storage *a = graft__storage_new(one, 1000);
    memset(a->buffer->data, 5, 1000);
    graft__storage *b = graft__storage_share(a, two);
    graft__storage_unref(a);
    graft_close(one);
    assert_int_equal(((char *)b->buffer->data)[999], 5);
    assert_true(graft__storage_separate(b, true));
    graft__storage_unref(b);
    graft_close(two);
}

static void count_release(void *user, void *data)
{
    (void)data;
    ++*(int *)user;
}

static void borrowed_memory_is_given_back_once(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    float mine[4] = {1, 2, 3, 4};
    int released = 0;
    graft__storage *a = graft__storage_borrow(g, mine, sizeof mine, count_release, &released);
    graft__storage *b = graft__storage_share(a, g);
    assert_true(graft__storage_separate(b, true)); /* the writer leaves the caller's memory */
    ((float *)b->buffer->data)[0] = 9;
    assert_true(mine[0] == 1);
    assert_int_equal(released, 0);
    graft__storage_unref(a);
    assert_int_equal(released, 1);
    graft__storage_unref(b);
    assert_int_equal(released, 1);
    graft_close(g);
}

/* ---- Tensors over storages ---- */

static void writing_a_snapshot_leaves_the_source(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    const float values[] = {1, 2, 3, 4, 5, 6};
    graft_tensor *t = graft_from_data(g, values, graft_shape2(2, 3), GRAFT_F32);
    graft_tensor *s = graft__result(graft__tensor_snapshot(t, g));
    assert_true(graft_shares_memory(t, s));
    assert_false(graft_shares_storage(t, s));
    ((float *)graft_data_mut(s))[0] = 10;
    assert_false(graft_shares_memory(t, s));
    assert_elements(t, (const double[]){1, 2, 3, 4, 5, 6}, 6);
    assert_elements(s, (const double[]){10, 2, 3, 4, 5, 6}, 6);
    graft_close(g);
}

static void a_snapshot_of_a_slice_is_compact(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    const float values[] = {1, 2, 3, 4, 5, 6};
    graft_tensor *t = graft_from_data(g, values, graft_shape2(2, 3), GRAFT_F32);
    graft_tensor *column = graft_select(t, 1, 1);
    graft_tensor *s = graft__result(graft__tensor_snapshot(column, g));
    assert_true(graft_is_contiguous(s));
    assert_int_equal(s->storage->buffer->size, 8);
    assert_elements(s, (const double[]){2, 5}, 2);
    graft_close(g);
}

static void shapes_are_checked_before_memory_is_asked_for(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    assert_null(graft_empty(g, graft_shape2(-1, 3), GRAFT_F32));
    assert_error_has(g, GRAFT_ERR_SHAPE, "[-1, 3]");
    const int64_t big = INT64_C(1) << 31;
    assert_null(graft_empty(g, graft_shape3(big, big, big), GRAFT_F32));
    assert_error_has(g, GRAFT_ERR_SHAPE, "[2147483648, 2147483648, 2147483648]");
    assert_null(graft_empty(g, graft_shape3(big, big, 0), GRAFT_F64));
    assert_error_has(g, GRAFT_ERR_SHAPE, "fit the address space"); /* strides would overflow */
    assert_null(graft_empty(g, graft_shape_of(9, (const int64_t[9]){0}), GRAFT_F32));
    assert_error_has(g, GRAFT_ERR_SHAPE, "dimensions: expected 0 to 8");
    assert_null(graft_empty(g, graft_shape1(1), (graft_dtype)77));
    assert_error_has(g, GRAFT_ERR_DTYPE, "77 is no dtype");
    assert_int_equal(graft_numel(graft_empty(g, graft_shape3(4, 0, 5), GRAFT_F32)), 0);
    assert_no_error(g);
    graft_close(g);
}

static void strides_of_empty_tensors_are_pytorchs(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *t = graft_empty(g, graft_shape3(2, 0, 3), GRAFT_F32);
    assert_int_equal(graft_stride(t, 0), 3);
    assert_int_equal(graft_stride(t, 1), 3);
    assert_int_equal(graft_stride(t, 2), 1);
    assert_true(graft_is_contiguous(t));
    graft_close(g);
}

static void freeing_what_belongs_elsewhere_is_refused(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *m = graft_linear(g, 2, 2, true);
    assert_int_equal(graft_tensor_free(graft_get_parameter(m, "weight")), GRAFT_ERR_STATE);
    assert_error(g, GRAFT_ERR_STATE,
                 "tensor_free: a parameter or buffer belongs to its module and is freed with it");
    graft_tensor *x = graft_set_requires_grad(graft_ones(g, graft_shape1(2), GRAFT_F32), true);
    assert_int_equal(graft_backward(graft_sum(x)), GRAFT_OK);
    assert_int_equal(graft_tensor_free(graft_grad(x)), GRAFT_ERR_STATE);
    assert_error(g, GRAFT_ERR_STATE,
                 "tensor_free: a gradient belongs to its tensor and is freed with it");
    assert_int_equal(graft_tensor_free(NULL), GRAFT_OK);
    graft_close(g);
}

static void keeping_takes_a_tensor_out_of_its_scope(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_scope_begin(g);
    graft_tensor *kept = graft_keep(graft_ones(g, graft_shape1(3), GRAFT_F32));
    assert_ptr_equal(graft_keep(kept), kept); /* twice is once */
    graft_ones(g, graft_shape1(3), GRAFT_F32);
    graft_scope_end(g);
    assert_elements(kept, (const double[]){1, 1, 1}, 3);
    assert_int_equal(graft_tensor_free(kept), GRAFT_OK);
    assert_null(graft_keep(NULL));
    graft_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sharing_takes_no_memory_until_a_write),
        cmocka_unit_test(renewing_hands_the_old_bytes_out),
        cmocka_unit_test(a_buffer_outlives_its_context),
        cmocka_unit_test(borrowed_memory_is_given_back_once),
        cmocka_unit_test(writing_a_snapshot_leaves_the_source),
        cmocka_unit_test(a_snapshot_of_a_slice_is_compact),
        cmocka_unit_test(shapes_are_checked_before_memory_is_asked_for),
        cmocka_unit_test(strides_of_empty_tensors_are_pytorchs),
        cmocka_unit_test(freeing_what_belongs_elsewhere_is_refused),
        cmocka_unit_test(keeping_takes_a_tensor_out_of_its_scope),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
