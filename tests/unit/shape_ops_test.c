/* Views, casts and copies: what they share, what they refuse, and their gradients. */
#include "test.h"

static graft_tensor *counted(graft_ctx *g, graft_shape shape)
{
    int64_t n = 1;
    for (int i = 0; i < shape.ndim; i++)
        n *= shape.size[i];
    return graft_view(graft_arange(g, 0, (double)n, 1, GRAFT_F32), shape);
}

static graft_shape dims(int a, int b, int c)
{
    return graft_shape3(a, b, c);
}

static void assert_shape(const graft_tensor *t, graft_shape expected)
{
    assert_non_null(t);
    assert_int_equal(graft_ndim(t), expected.ndim);
    for (int i = 0; i < expected.ndim; i++)
        assert_int_equal(graft_size(t, i), expected.size[i]);
}

static void views_share_the_storage(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *t = counted(g, graft_shape3(2, 3, 4));
    graft_tensor *views[] = {
        graft_view(t, graft_shape2(6, 4)),
        graft_reshape(t, graft_shape1(-1)),
        graft_permute(t, dims(2, 0, 1)),
        graft_transpose(t, 0, 2),
        graft_narrow(t, 1, 1, 2),
        graft_select(t, 2, 3),
        graft_expand(graft_select(t, 2, 0), graft_shape3(5, 2, 3)),
        graft_flatten(t, 0, 1),
        graft_squeeze(t, 0),
        graft_squeeze_all(t),
        graft_unsqueeze(t, -1),
        graft_detach(t),
        graft_contiguous(t),
    };
    for (size_t i = 0; i < sizeof views / sizeof views[0]; i++) {
        assert_non_null(views[i]);
        assert_true(graft_shares_storage(views[i], t));
    }
    graft_fill_(graft_narrow(t, 0, 1, 1), 7);
    assert_true(graft_item(graft_select(views[1], 0, 11)) == 11);
    assert_true(graft_item(graft_select(views[1], 0, 12)) == 7);
    assert_no_error(g);
    graft_close(g);
}

static void elements_go_where_they_should(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *t = counted(g, graft_shape2(2, 3));
    assert_elements(graft_transpose(t, 0, 1), (const double[]){0, 3, 1, 4, 2, 5}, 6);
    assert_elements(graft_permute(t, graft_shape2(-1, 0)), (const double[]){0, 3, 1, 4, 2, 5}, 6);
    assert_elements(graft_narrow(t, -1, -2, 2), (const double[]){1, 2, 4, 5}, 4);
    assert_elements(graft_select(t, 0, -1), (const double[]){3, 4, 5}, 3);
    assert_elements(graft_select(graft_transpose(t, 0, 1), 0, 1), (const double[]){1, 4}, 2);
    assert_elements(graft_reshape(graft_transpose(t, 0, 1), graft_shape1(6)),
                    (const double[]){0, 3, 1, 4, 2, 5}, 6);
    graft_tensor *row = graft_select(t, 0, 0);
    assert_elements(graft_expand(row, graft_shape2(2, -1)), (const double[]){0, 1, 2, 0, 1, 2}, 6);
    assert_shape(graft_expand(row, graft_shape2(0, 3)), graft_shape2(0, 3));
    assert_no_error(g);
    graft_close(g);
}

static void shapes_as_pytorch_has_them(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *t = counted(g, graft_shape3(2, 1, 3)), *s = graft_scalar(g, 1, GRAFT_F32);
    assert_shape(graft_squeeze(t, 1), graft_shape2(2, 3));
    assert_shape(graft_squeeze(t, 0), graft_shape3(2, 1, 3));
    assert_shape(graft_squeeze_all(t), graft_shape2(2, 3));
    assert_shape(graft_unsqueeze(t, 3), graft_shape4(2, 1, 3, 1));
    assert_shape(graft_unsqueeze(t, -4), graft_shape4(1, 2, 1, 3));
    assert_shape(graft_unsqueeze(s, 0), graft_shape1(1));
    assert_shape(graft_squeeze(s, -1), graft_shape0());
    assert_shape(graft_transpose(s, 0, -1), graft_shape0());
    assert_shape(graft_flatten(s, 0, -1), graft_shape1(1));
    assert_shape(graft_flatten(t, 1, -1), graft_shape2(2, 3));
    assert_shape(graft_view(t, graft_shape2(-1, 2)), graft_shape2(3, 2));
    assert_shape(graft_view(s, graft_shape3(1, 1, 1)), graft_shape3(1, 1, 1));
    assert_shape(graft_narrow(t, 0, 2, 0), graft_shape3(0, 1, 3));
    graft_tensor *empty = graft_zeros(g, graft_shape2(0, 4), GRAFT_F32);
    assert_shape(graft_view(empty, graft_shape3(2, 0, 9)), graft_shape3(2, 0, 9));
    assert_shape(graft_view(empty, graft_shape2(-1, 4)), graft_shape2(0, 4));
    assert_no_error(g);
    graft_close(g);
}

static void a_view_needs_fitting_strides(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *t = counted(g, graft_shape3(2, 3, 4));
    graft_tensor *turned = graft_transpose(t, 1, 2); /* [2, 4, 3] */
    assert_shape(graft_view(turned, graft_shape4(2, 2, 2, 3)), graft_shape4(2, 2, 2, 3));
    assert_elements(graft_select(graft_view(turned, graft_shape4(2, 2, 2, 3)), 0, 0),
                    (const double[]){0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11}, 12);
    assert_null(graft_view(turned, graft_shape2(2, 12)));
    assert_error(g, GRAFT_ERR_SHAPE,
                 "view: shape [2, 12] for a tensor of shape [2, 4, 3]: its strides do not allow a "
                 "view: use graft_reshape");
    graft_tensor *copy = graft_reshape(turned, graft_shape2(2, 12));
    assert_false(graft_shares_storage(copy, t));
    assert_true(graft_is_contiguous(copy));
    assert_elements(graft_select(copy, 0, 0),
                    (const double[]){0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11}, 12);
    assert_false(graft_shares_storage(graft_flatten(turned, 0, -1), t));
    assert_true(graft_shares_storage(graft_flatten(graft_narrow(t, 0, 1, 1), 1, 2), t));
    graft_close(g);
}

static void wrong_sizes_are_refused(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *t = counted(g, graft_shape2(2, 3));
    assert_null(graft_view(t, graft_shape2(2, 4)));
    assert_error(g, GRAFT_ERR_SHAPE,
                 "view: shape [2, 4] for a tensor of shape [2, 3]: expected as many elements");
    assert_null(graft_reshape(t, graft_shape2(-1, -1)));
    assert_error(g, GRAFT_ERR_SHAPE,
                 "reshape: shape [-1, -1] for a tensor of shape [2, 3]: expected at most one -1");
    assert_null(graft_reshape(t, graft_shape2(-1, 4)));
    assert_error_has(g, GRAFT_ERR_SHAPE, "the elements are no multiple of the known sizes");
    assert_null(graft_reshape(t, graft_shape2(-2, -3)));
    assert_error_has(g, GRAFT_ERR_SHAPE, "expected sizes of 0 or more, or one -1");
    assert_null(graft_reshape(graft_narrow(t, 0, 0, 0), graft_shape2(-1, 0)));
    assert_error_has(g, GRAFT_ERR_SHAPE, "-1 may be anything beside a size of 0: state it");
    assert_null(graft_view(t, graft_shape2(INT64_MAX, INT64_MAX)));
    assert_error_has(g, GRAFT_ERR_SHAPE, "view: shape [9223372036854775807, ");
    assert_null(graft_view(t, graft_shape_of(9, (const int64_t[9]){0})));
    assert_error(g, GRAFT_ERR_SHAPE, "view: -1 dimensions: expected 0 to 8");
    assert_null(graft_expand(t, graft_shape2(4, 3)));
    assert_error(g, GRAFT_ERR_SHAPE,
                 "expand: shape [4, 3] for a tensor of shape [2, 3]: expected its sizes, -1 to "
                 "keep one, any size for a 1 and for new leading ones");
    assert_null(graft_expand(t, graft_shape1(3)));
    assert_error_has(g, GRAFT_ERR_SHAPE, "expand: shape [3] for a tensor of shape [2, 3]");
    assert_null(graft_expand(t, graft_shape3(-1, 2, 3)));
    assert_error_has(g, GRAFT_ERR_SHAPE, "expand: shape [-1, 2, 3]");
    assert_null(graft_expand(graft_scalar(g, 1, GRAFT_F32), graft_shape2(INT64_MAX, 2)));
    assert_error_has(g, GRAFT_ERR_SHAPE, "expand: shape [9223372036854775807, 2]");
    graft_close(g);
}

static void wrong_dimensions_are_refused(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *t = counted(g, graft_shape2(2, 3)), *s = graft_scalar(g, 1, GRAFT_F32);
    assert_null(graft_transpose(t, 0, 2));
    assert_error(g, GRAFT_ERR_ARGUMENT,
                 "transpose: dim 2 is out of range for shape [2, 3]: expected -2 to 1");
    assert_null(graft_permute(t, graft_shape2(0, 0)));
    assert_error(g, GRAFT_ERR_ARGUMENT,
                 "permute: dims [0, 0] for shape [2, 3]: expected each of its dimensions once");
    assert_null(graft_permute(t, graft_shape1(0)));
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "permute: dims [0] for shape [2, 3]");
    assert_null(graft_narrow(t, 1, 2, 2));
    assert_error(g, GRAFT_ERR_ARGUMENT,
                 "narrow: start 2 and length 2 reach out of dimension 1 of shape [2, 3]");
    assert_null(graft_narrow(t, 1, -4, 1));
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "narrow: start -4 and length 1 reach out");
    assert_null(graft_narrow(t, 1, 1, INT64_MAX));
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "narrow: start 1 and length 9223372036854775807");
    assert_null(graft_narrow(t, 1, 0, -1));
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "narrow: start 0 and length -1");
    assert_null(graft_narrow(s, 0, 0, 1));
    assert_error(g, GRAFT_ERR_SHAPE, "narrow: a 0-d tensor has no dimension to narrow");
    assert_null(graft_select(t, 0, 2));
    assert_error(g, GRAFT_ERR_ARGUMENT,
                 "select: index 2 is out of range for dimension 0 of shape [2, 3]");
    assert_null(graft_select(s, 0, 0));
    assert_error(g, GRAFT_ERR_SHAPE, "select: a 0-d tensor has no dimension to select from");
    assert_null(graft_squeeze(t, 5));
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "squeeze: dim 5 is out of range");
    assert_null(graft_unsqueeze(t, 4));
    assert_error(g, GRAFT_ERR_ARGUMENT,
                 "unsqueeze: dim 4 is out of range for shape [2, 3]: expected -3 to 2");
    assert_null(graft_flatten(t, 1, 0));
    assert_error(g, GRAFT_ERR_ARGUMENT, "flatten: start_dim 1 lies behind end_dim 0");
    const int64_t ones[] = {1, 1, 1, 1, 1, 1, 1, 1};
    assert_null(graft_unsqueeze(graft_view(s, graft_shape_of(8, ones)), 0));
    assert_error(g, GRAFT_ERR_SHAPE,
                 "unsqueeze: shape [1, 1, 1, 1, 1, 1, 1, 1] has 8 dimensions already: expected "
                 "fewer");
    graft_close(g);
}

static void null_gives_null(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    assert_null(graft_view(NULL, graft_shape1(1)));
    assert_null(graft_reshape(NULL, graft_shape1(1)));
    assert_null(graft_permute(NULL, graft_shape1(0)));
    assert_null(graft_transpose(NULL, 0, 1));
    assert_null(graft_narrow(NULL, 0, 0, 1));
    assert_null(graft_select(NULL, 0, 0));
    assert_null(graft_expand(NULL, graft_shape1(1)));
    assert_null(graft_flatten(NULL, 0, -1));
    assert_null(graft_squeeze(NULL, 0));
    assert_null(graft_squeeze_all(NULL));
    assert_null(graft_unsqueeze(NULL, 0));
    assert_null(graft_contiguous(NULL));
    assert_null(graft_to(NULL, GRAFT_F64));
    assert_no_error(g);
    graft_close(g);
}

static void casts(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *t = test_floats(g, (const float[]){1.75F, -2.5F, 0}, 3);
    assert_ptr_equal(graft_to(t, GRAFT_F32), t);
    assert_elements(graft_to(t, GRAFT_I32), (const double[]){1, -2, 0}, 3);
    assert_elements(graft_to(t, GRAFT_BOOL), (const double[]){1, 1, 0}, 3);
    assert_int_equal(graft_tensor_dtype(graft_to(t, GRAFT_BF16)), GRAFT_BF16);
    graft_tensor *turned = graft_transpose(counted(g, graft_shape2(2, 3)), 0, 1);
    assert_true(graft_is_contiguous(graft_to(turned, GRAFT_F64)));
    assert_elements(graft_to(turned, GRAFT_I64), (const double[]){0, 3, 1, 4, 2, 5}, 6);
    assert_null(graft_to(t, (graft_dtype)77));
    assert_error(g, GRAFT_ERR_DTYPE, "to: 77 is no dtype");
    graft_tensor *p = graft_set_requires_grad(t, true);
    assert_true(graft_requires_grad(graft_to(p, GRAFT_F64)));
    assert_false(graft_requires_grad(graft_to(p, GRAFT_I64)));
    graft_backward(graft_sum(graft_to(p, GRAFT_F64)));
    assert_int_equal(graft_tensor_dtype(graft_grad(p)), GRAFT_F32);
    assert_elements(graft_grad(p), (const double[]){1, 1, 1}, 3);
    graft_close(g);
}

static void copies(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *t = counted(g, graft_shape2(2, 3));
    graft_tensor *copy = graft_copy(t);
    assert_false(graft_shares_storage(copy, t));
    graft_fill_(copy, 9);
    assert_elements(t, (const double[]){0, 1, 2, 3, 4, 5}, 6);
    graft_tensor *turned = graft_transpose(t, 0, 1);
    assert_ptr_equal(graft_contiguous(t), t);
    assert_true(graft_is_contiguous(graft_contiguous(turned)));
    assert_elements(graft_copy(turned), (const double[]){0, 3, 1, 4, 2, 5}, 6);
    assert_true(graft_is_contiguous(graft_copy(turned)));
    assert_no_error(g);
    graft_close(g);
}

/* ---- Gradients ---- */

static graft_tensor *many_views(void *user, graft_tensor **in, int n)
{
    (void)user;
    (void)n;
    graft_tensor *x = in[0];                                           /* [2, 3, 4] */
    graft_tensor *a = graft_transpose(graft_narrow(x, 1, 1, 2), 0, 2); /* [4, 2, 2] */
    graft_tensor *b = graft_reshape(a, graft_shape2(2, 8));            /* a copy */
    graft_tensor *c = graft_view(graft_narrow(x, 0, 1, 1), graft_shape2(3, 4));
    graft_tensor *d = graft_reshape(graft_permute(c, graft_shape2(1, 0)), graft_shape1(12));
    graft_tensor *e =
        graft_expand(graft_unsqueeze(graft_select(x, 2, -1), 0), graft_shape3(4, 2, 3));
    graft_tensor *f = graft_flatten(graft_squeeze(graft_unsqueeze(e, 1), 1), 0, -1); /* [24] */
    return graft_add(graft_mul(graft_narrow(f, 0, 3, 12), d),
                     graft_narrow(graft_flatten(b, 0, 1), 0, 2, 12));
}

static void gradients_pass_through(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *x =
        graft_set_requires_grad(graft_rand(g, graft_shape3(2, 3, 4), GRAFT_F64), true);
    graft_gradcheck(many_views, NULL, &x, 1, NULL);
    assert_no_error(g);
    graft_close(g);
}

static void parts_add_up(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    const graft_dtype dtypes[] = {GRAFT_F32, GRAFT_F64, GRAFT_F16, GRAFT_BF16};
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        graft_tensor *x =
            graft_set_requires_grad(graft_zeros(g, graft_shape2(2, 3), dtypes[i]), true);
        graft_tensor *twice = graft_add(graft_narrow(x, 1, 0, 2), graft_narrow(x, 1, 1, 2));
        graft_tensor *once = graft_select(x, 1, 2);
        graft_backward(graft_add(graft_sum(twice), graft_sum(once)));
        assert_elements(graft_grad(x), (const double[]){1, 2, 2, 1, 2, 2}, 6);
    }
    assert_no_error(g);
    graft_close(g);
}

static void a_write_through_a_view_is_noticed(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *p = graft_set_requires_grad(graft_ones(g, graft_shape1(2), GRAFT_F32), true);
    graft_tensor *c = graft_ones(g, graft_shape2(2, 2), GRAFT_F32);
    graft_tensor *y = graft_mul(p, c);
    graft_zero_(graft_select(c, 0, 0));
    assert_int_equal(graft_backward(graft_sum(y)), GRAFT_ERR_STATE);
    assert_error_has(g, GRAFT_ERR_STATE, "that mul needs for its gradient was changed in place");
    graft_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views_share_the_storage),
        cmocka_unit_test(elements_go_where_they_should),
        cmocka_unit_test(shapes_as_pytorch_has_them),
        cmocka_unit_test(a_view_needs_fitting_strides),
        cmocka_unit_test(wrong_sizes_are_refused),
        cmocka_unit_test(wrong_dimensions_are_refused),
        cmocka_unit_test(null_gives_null),
        cmocka_unit_test(casts),
        cmocka_unit_test(copies),
        cmocka_unit_test(gradients_pass_through),
        cmocka_unit_test(parts_add_up),
        cmocka_unit_test(a_write_through_a_view_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
