/* Making and reading tensors: what PyTorch has no counterpart for, and what must fail. The numbers
 * themselves are tested in tests/parity. */
#include "kernel/array.h"
#include "test.h"

#include <math.h>

#include "tensor/tensor.h"

static void everything_refuses_a_shape_that_is_none(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    assert_null(graft_zeros(g, graft_shape2(3, -1), GRAFT_F32));
    assert_error(g, GRAFT_ERR_SHAPE,
                 "zeros: shape [3, -1]: expected sizes of 0 or more whose bytes fit the address "
                 "space");
    assert_null(graft_ones(g, graft_shape3(INT64_MAX, 2, 0), GRAFT_U8));
    assert_error_has(g, GRAFT_ERR_SHAPE, "ones: shape [9223372036854775807, 2, 0]");
    assert_null(graft_empty(g, graft_shape_of(9, NULL), GRAFT_F32));
    assert_error(g, GRAFT_ERR_SHAPE, "empty: -1 dimensions: expected 0 to 8");
    assert_null(graft_full(g, graft_shape1(2), 1, GRAFT_DTYPES));
    assert_error(g, GRAFT_ERR_DTYPE, "full: 56 is no dtype");
    assert_null(graft_eye(g, 2, -3, GRAFT_F32));
    assert_error_has(g, GRAFT_ERR_SHAPE, "eye: shape [2, -3]");
    assert_null(graft_randperm(g, -1));
    assert_error_has(g, GRAFT_ERR_SHAPE, "randperm: shape [-1]");
    assert_null(graft_rand(g, graft_shape1(2), GRAFT_I64));
    assert_error(g, GRAFT_ERR_DTYPE, "rand: int64: expected a floating dtype");
    assert_null(graft_randn(g, graft_shape1(2), GRAFT_BOOL));
    assert_error(g, GRAFT_ERR_DTYPE, "randn: bool: expected a floating dtype");
    assert_null(graft_randint(g, 0, 2, graft_shape1(-2), GRAFT_I64));
    assert_error_has(g, GRAFT_ERR_SHAPE, "randint: shape [-2]");
    assert_null(graft_arange(g, 0, 5, 1, GRAFT_BOOL));
    assert_error(g, GRAFT_ERR_DTYPE, "arange: bool is no dtype of a range");
    assert_null(graft_arange(g, 0, 5, 1, (graft_dtype)-1));
    assert_error(g, GRAFT_ERR_DTYPE, "arange: -1 is no dtype");
    graft_close(g);
}

static void nothing_comes_from_no_context(void **state)
{
    (void)state;
    assert_null(graft_empty(NULL, graft_shape0(), GRAFT_F32));
    assert_null(graft_scalar(NULL, 1, GRAFT_F32));
    assert_null(graft_eye(NULL, 1, 1, GRAFT_F32));
    assert_null(graft_arange(NULL, 0, 1, 1, GRAFT_F32));
    assert_null(graft_rand(NULL, graft_shape0(), GRAFT_F32));
    assert_null(graft_randint(NULL, 0, 1, graft_shape0(), GRAFT_F32));
    assert_null(graft_randperm(NULL, 1));
    assert_null(graft_from_data(NULL, "", graft_shape0(), GRAFT_U8));
    assert_null(graft_from_borrowed(NULL, NULL, graft_shape1(0), GRAFT_U8, NULL, NULL));
}

static void results_belong_to_the_scope(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_memory before, after;
    graft_memory_stats(g, &before);
    assert_int_equal(graft_scope_begin(g), GRAFT_OK);
    assert_non_null(graft_zeros(g, graft_shape1(1000), GRAFT_F32));
    assert_non_null(graft_randperm(g, 1000));
    graft_tensor *kept = graft_keep(graft_arange(g, 0, 3, 1, GRAFT_I32));
    assert_int_equal(graft_scope_end(g), GRAFT_OK);
    assert_elements(kept, (const double[]){0, 1, 2}, 3);
    assert_int_equal(graft_tensor_free(kept), GRAFT_OK);
    graft_memory_stats(g, &after);
    /* but for the stack of scopes */
    assert_true(after.in_use <= before.in_use + 1024);
    graft_close(g);
}

/* ---- From memory ---- */

static void data_is_copied(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    int16_t data[] = {1, -2, 3, 4, 5, 6};
    graft_tensor *t = graft_from_data(g, data, graft_shape2(2, 3), GRAFT_I16);
    memset(data, 0, sizeof data);
    assert_elements(t, (const double[]){1, -2, 3, 4, 5, 6}, 6);
    assert_non_null(graft_from_data(g, NULL, graft_shape2(0, 3), GRAFT_F32));
    assert_no_error(g);
    assert_null(graft_from_data(g, NULL, graft_shape2(2, 3), GRAFT_F32));
    assert_error(g, GRAFT_ERR_ARGUMENT, "from_data: data is NULL for shape [2, 3]");
    graft_close(g);
}

static void bools_become_0_or_1(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *t = graft_from_data(g, "\0\1\2\377", graft_shape1(4), GRAFT_BOOL);
    assert_elements(t, (const double[]){0, 1, 1, 1}, 4);
    graft_close(g);
}

static void count_release(void *user, void *data)
{
    assert_non_null(data);
    ++*(int *)user;
}

static void borrowed_memory_is_used_as_it_is(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    _Alignas(8) float data[6] = {1, 2, 3, 4, 5, 6};
    int released = 0;
    graft_tensor *t =
        graft_from_borrowed(g, data, graft_shape2(2, 3), GRAFT_F32, count_release, &released);
    assert_ptr_equal(graft_data(t), data);
    data[5] = 7;
    assert_elements(t, (const double[]){1, 2, 3, 4, 5, 7}, 6);
    float *written = graft_data_mut(t);
    assert_ptr_equal(written, data);

    /* A clone shares it, and then the writer gets memory of its own. */
    graft_tensor *clone = graft_tensor_clone(t, NULL);
    assert_true(graft_shares_memory(t, clone));
    float *own = graft_data_mut(t);
    assert_ptr_not_equal(own, data);
    own[0] = 100;
    assert_elements(clone, (const double[]){1, 2, 3, 4, 5, 7}, 6);
    assert_int_equal(released, 0);
    assert_int_equal(graft_tensor_free(clone), GRAFT_OK);
    assert_int_equal(released, 1);
    graft_close(g);
    assert_int_equal(released, 1);
}

static void a_failed_borrow_releases_nothing(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    _Alignas(8) char data[16] = {0};
    int released = 0;
    assert_null(
        graft_from_borrowed(g, data + 1, graft_shape1(2), GRAFT_F32, count_release, &released));
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "expected memory aligned to the 4 bytes of a float32");
    assert_null(graft_from_borrowed(g, NULL, graft_shape1(2), GRAFT_F32, count_release, &released));
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "from_borrowed: data is ");
    assert_null(
        graft_from_borrowed(g, data, graft_shape1(-2), GRAFT_F32, count_release, &released));
    assert_error_has(g, GRAFT_ERR_SHAPE, "from_borrowed: shape [-2]");
    assert_int_equal(released, 0);

    graft_tensor *empty = graft_from_borrowed(g, NULL, graft_shape1(0), GRAFT_F64, NULL, NULL);
    assert_non_null(graft_data(empty));
    assert_non_null(graft_data_mut(empty));
    graft_close(g);
}

/* ---- What a tensor is ---- */

static void a_view_tells_where_it_lies(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *t = graft_arange(g, 0, 24, 1, GRAFT_F32);
    t = graft_view(t, graft_shape3(2, 3, 4));
    graft_tensor *v = graft_narrow(graft_transpose(t, 0, 2), 0, 1, 2);
    assert_int_equal(graft_ndim(v), 3);
    assert_int_equal(graft_numel(v), 12);
    assert_int_equal(graft_size(v, 0), 2);
    assert_int_equal(graft_size(v, -1), 2);
    assert_int_equal(graft_size(v, -2), 3);
    assert_int_equal(graft_size(v, 3), -1);
    assert_int_equal(graft_size(v, -4), -1);
    assert_int_equal(graft_stride(v, 0), 1);
    assert_int_equal(graft_stride(v, 2), 12);
    assert_int_equal(graft_stride(v, 3), 0);
    assert_int_equal(graft_storage_offset(v), 1);
    assert_false(graft_is_contiguous(v));
    assert_true(graft_is_contiguous(t));
    assert_true(graft_shares_storage(t, v) && graft_shares_memory(t, v));
    assert_false(graft_shares_storage(t, graft_contiguous(v)));
    const graft_shape shape = graft_tensor_shape(v);
    assert_int_equal(shape.ndim, 3);
    assert_int_equal(shape.size[1], 3);
    assert_true(*(const float *)graft_data(v) == 1.0F);
    assert_elements(v, (const double[]){1, 13, 5, 17, 9, 21, 2, 14, 6, 18, 10, 22}, 12);
    graft_close(g);
}

static void null_is_no_tensor(void **state)
{
    (void)state;
    assert_int_equal(graft_tensor_shape(NULL).ndim, -1);
    assert_int_equal(graft_ndim(NULL), -1);
    assert_int_equal(graft_numel(NULL), -1);
    assert_int_equal(graft_size(NULL, 0), -1);
    assert_int_equal(graft_stride(NULL, 0), 0);
    assert_int_equal(graft_storage_offset(NULL), -1);
    assert_false(graft_is_contiguous(NULL));
    assert_false(graft_shares_storage(NULL, NULL));
    assert_false(graft_shares_memory(NULL, NULL));
    assert_null(graft_data(NULL));
    assert_null(graft_data_mut(NULL));
    assert_true(isnan(graft_item(NULL)));
    assert_int_equal(graft_item_i64(NULL), 0);
    assert_int_equal(graft_copy_out(NULL, NULL, 0, GRAFT_F32), GRAFT_ERR_ARGUMENT);
    assert_null(graft_tensor_clone(NULL, NULL));
    assert_string_equal(graft_dtype_name(graft_tensor_dtype(NULL)), "?");
}

static void dtypes_have_names_and_sizes(void **state)
{
    (void)state;
    static const char *const name[] = {"float32", "float64", "float16", "bfloat16", "int64",
                                       "int32",   "int16",   "int8",    "uint8",    "bool"};
    static const size_t size[] = {4, 8, 2, 2, 8, 4, 2, 1, 1, 1};
    for (int d = 0; d < 10; d++) {
        assert_string_equal(graft_dtype_name((graft_dtype)d), name[d]);
        assert_int_equal(graft_dtype_size((graft_dtype)d), size[d]);
        assert_int_equal(graft_dtype_is_floating((graft_dtype)d), d < 4);
        assert_true(graft_dtype_computes((graft_dtype)d));
    }
    for (int d = 10; d < GRAFT_DTYPES; d++) {
        int64_t elements = 0;
        size_t bytes = 0;
        assert_true(graft_dtype_block((graft_dtype)d, &elements, &bytes));
        assert_true(elements > 0 && bytes > 0);
        assert_int_equal(graft_dtype_size((graft_dtype)d), elements == 1 ? bytes : 0);
        assert_int_equal(graft__width((graft_dtype)d), elements == 1 ? bytes : 0);
        assert_false(graft_dtype_computes((graft_dtype)d));
        assert_true(strlen(graft_dtype_name((graft_dtype)d)) > 3);
    }
    assert_false(graft_dtype_block(GRAFT_DTYPES, NULL, NULL));
    assert_string_equal(graft_dtype_name(GRAFT_DTYPES), "?");
    assert_int_equal(graft_dtype_size(GRAFT_DTYPES), 0);
    assert_false(graft_dtype_is_floating(GRAFT_DTYPES));
}

/* ---- Elements ---- */

static void one_element_is_an_item(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    assert_true(graft_item(graft_scalar(g, -2.5, GRAFT_BF16)) == -2.5);
    assert_int_equal(graft_item_i64(graft_scalar(g, -2.5, GRAFT_F64)), -2);
    const int64_t large = INT64_MIN + 1;
    graft_tensor *t = graft_from_data(g, &large, graft_shape3(1, 1, 1), GRAFT_I64);
    assert_true(graft_item_i64(t) == large);
    assert_true(graft_item(t) == -0x1p63);
    assert_no_error(g);
    assert_true(isnan(graft_item(graft_zeros(g, graft_shape2(2, 3), GRAFT_F32))));
    assert_error(g, GRAFT_ERR_SHAPE, "item: shape [2, 3] has 6 elements: expected one");
    assert_int_equal(graft_item_i64(graft_zeros(g, graft_shape1(0), GRAFT_F32)), 0);
    assert_error(g, GRAFT_ERR_SHAPE, "item_i64: shape [0] has 0 elements: expected one");
    assert_int_equal(graft_item_i64(graft_scalar(g, 1e19, GRAFT_F64)), 0);
    assert_error(g, GRAFT_ERR_ARGUMENT, "item_i64: 1e+19 does not fit an int64");
    assert_int_equal(graft_item_i64(graft_scalar(g, NAN, GRAFT_F16)), 0);
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "nan does not fit an int64");
    graft_close(g);
}

static void copying_out_converts_and_checks(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *t =
        graft_transpose(graft_view(graft_arange(g, 0, 6, 1, GRAFT_F32), graft_shape2(2, 3)), 0, 1);
    int32_t out[6];
    assert_int_equal(graft_copy_out(t, out, sizeof out, GRAFT_I32), GRAFT_OK);
    const int32_t expected[] = {0, 3, 1, 4, 2, 5};
    assert_memory_equal(out, expected, sizeof out);
    assert_int_equal(graft_copy_out(t, out, 23, GRAFT_I32), GRAFT_ERR_ARGUMENT);
    assert_error(g, GRAFT_ERR_ARGUMENT, "copy_out: 23 bytes for 6 elements of int32: expected 24");
    assert_int_equal(graft_copy_out(t, NULL, 24, GRAFT_I32), GRAFT_ERR_ARGUMENT);
    assert_error(g, GRAFT_ERR_ARGUMENT, "copy_out: out is NULL: expected 24 bytes");
    assert_int_equal(graft_copy_out(t, out, 24, (graft_dtype)77), GRAFT_ERR_DTYPE);
    assert_error(g, GRAFT_ERR_DTYPE, "copy_out: 77 is no dtype");
    assert_int_equal(graft_copy_out(graft_zeros(g, graft_shape1(0), GRAFT_F32), NULL, 0, GRAFT_F32),
                     GRAFT_OK);
    assert_no_error(g);
    graft_close(g);
}

/* ---- Clones ---- */

static void a_clone_has_its_own_memory(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *t = graft_view(graft_arange(g, 0, 6, 1, GRAFT_F32), graft_shape2(2, 3));
    assert_int_equal(graft_scope_begin(g), GRAFT_OK);
    graft_tensor *clone = graft_tensor_clone(t, NULL),
                 *part = graft_tensor_clone(graft_transpose(t, 0, 1), NULL);
    assert_int_equal(graft_scope_end(g), GRAFT_OK); /* which does not end the clones */
    assert_true(graft_shares_memory(t, clone));
    assert_false(graft_shares_memory(t, part));
    assert_true(graft_is_contiguous(part));
    assert_elements(part, (const double[]){0, 3, 1, 4, 2, 5}, 6);
    ((float *)graft_data_mut(clone))[0] = 9;
    assert_elements(t, (const double[]){0, 1, 2, 3, 4, 5}, 6);
    assert_elements(clone, (const double[]){9, 1, 2, 3, 4, 5}, 6);
    assert_int_equal(graft_tensor_free(clone), GRAFT_OK);
    assert_int_equal(graft_tensor_free(part), GRAFT_OK);
    graft_close(g);
}

static void a_clone_is_a_leaf_with_the_gradient(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *t = graft_set_requires_grad(graft_ones(g, graft_shape1(3), GRAFT_F32), true);
    assert_int_equal(graft_set_grad(t, graft_full(g, graft_shape1(3), 5, GRAFT_F32)), GRAFT_OK);
    graft_tensor *clone = graft_tensor_clone(t, NULL);
    assert_true(graft_requires_grad(clone) && graft_is_leaf(clone));
    assert_elements(graft_grad(clone), (const double[]){5, 5, 5}, 3);
    assert_ptr_not_equal(graft_grad(clone), graft_grad(t));
    ((float *)graft_data_mut(graft_grad(t)))[1] = 0;
    assert_elements(graft_grad(clone), (const double[]){5, 5, 5}, 3);
    assert_int_equal(graft_tensor_free(graft_grad(clone)), GRAFT_ERR_STATE);
    assert_error_has(g, GRAFT_ERR_STATE, "a gradient belongs to its tensor");
    assert_null(graft_tensor_clone(graft_mul(t, t), NULL));
    assert_error_has(g, GRAFT_ERR_STATE, "is the result of mul and has a history: detach it first");
    graft_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_refuses_a_shape_that_is_none),
        cmocka_unit_test(nothing_comes_from_no_context),
        cmocka_unit_test(results_belong_to_the_scope),
        cmocka_unit_test(data_is_copied),
        cmocka_unit_test(bools_become_0_or_1),
        cmocka_unit_test(borrowed_memory_is_used_as_it_is),
        cmocka_unit_test(a_failed_borrow_releases_nothing),
        cmocka_unit_test(a_view_tells_where_it_lies),
        cmocka_unit_test(null_is_no_tensor),
        cmocka_unit_test(dtypes_have_names_and_sizes),
        cmocka_unit_test(one_element_is_an_item),
        cmocka_unit_test(copying_out_converts_and_checks),
        cmocka_unit_test(a_clone_has_its_own_memory),
        cmocka_unit_test(a_clone_is_a_leaf_with_the_gradient),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
