/* Nodes: their shapes, what they say, what they refuse, and what they compute. */
#include "test.h"

#include <math.h>
#include <stdio.h>

#include "base/text.h"
#include "copy/node.h"
#include "failing_allocator.h"
#include "tensor/chunks.h"

/* A dict with "w": 0, 1, 2, ... of that shape and dtype, as a source. */
static graft__node *counting(graft_ctx *g, graft_shape shape, graft_dtype dtype)
{
    graft_dict *d = graft_dict_new(g);
    int64_t n = 1;
    for (int i = 0; i < shape.ndim; i++)
        n *= shape.size[i];
    graft_tensor *t = graft_reshape(graft_arange(g, 0, (double)n, 1, dtype), shape);
    if (!d || !t || graft_dict_set_tensor(d, "w", t) != GRAFT_OK)
        return NULL;
    return graft__node_source(d, 0, 0);
}

/* n's value is these numbers and n's shape is the one that it promised; n goes. */
static void assert_value(graft_ctx *g, graft__node *n, graft_shape shape, const double *expected)
{
    assert_no_error(g);
    assert_non_null(n);
    assert_int_equal(n->shape.ndim, shape.ndim);
    int64_t count = 1;
    for (int i = 0; i < shape.ndim; i++) {
        assert_int_equal(n->shape.size[i], shape.size[i]);
        count *= shape.size[i];
    }
    graft_tensor *t = graft__node_run(n, g);
    graft_tensor *later = graft__node_promise(n, g);
    graft__node_unref(n);
    assert_no_error(g);
    assert_int_equal(graft_ndim(t), shape.ndim);
    for (int i = 0; i < shape.ndim; i++)
        assert_int_equal(graft_size(t, i), shape.size[i]);
    assert_elements(t, expected, count);
    graft__tensor_unref(t);

    graft__chunks c; /* a promise read in pieces of three elements, then as a whole */
    assert_true(graft__chunks_begin(&c, g, later));
    for (int64_t i = 0; i < count; i += 3) {
        const int64_t some = count - i < 3 ? count - i : 3;
        const void *got = graft__chunks_at(&c, i, some);
        assert_non_null(got);
        graft_tensor *piece =
            graft_from_data(g, got, graft_shape1(some), graft_tensor_dtype(later));
        assert_elements(piece, expected + i, some);
    }
    graft__chunks_end(&c);
    assert_true(graft__storage_ready(later->storage, g));
    assert_elements(later, expected, count);
    graft__tensor_unref(later);
}

#define NUMBERS(...) ((const double[]){__VA_ARGS__})

static void test_layout(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    static const graft_dtype dtypes[] = {GRAFT_F32, GRAFT_F16, GRAFT_BF16, GRAFT_F64,
                                         GRAFT_I64, GRAFT_I16, GRAFT_U8};
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        graft__node *w = counting(g, graft_shape2(2, 3), dtypes[i]);
        assert_value(g, graft__node_permute(w, "w", graft_shape2(1, 0)), graft_shape2(3, 2),
                     NUMBERS(0, 3, 1, 4, 2, 5));
        assert_value(g, graft__node_permute(w, "w", graft_shape2(-1, -2)), graft_shape2(3, 2),
                     NUMBERS(0, 3, 1, 4, 2, 5));
        assert_value(g, graft__node_reshape(w, "w", graft_shape3(3, 1, -1)), graft_shape3(3, 1, 2),
                     NUMBERS(0, 1, 2, 3, 4, 5));
        assert_value(g, graft__node_slice(w, "w", 0, 1, 2), graft_shape2(1, 3), NUMBERS(3, 4, 5));
        assert_value(g, graft__node_slice(w, "w", -1, -2, INT64_MAX), graft_shape2(2, 2),
                     NUMBERS(1, 2, 4, 5));
        assert_value(g, graft__node_pad(w, "w", 1, 1, 0, 0), graft_shape2(2, 4),
                     NUMBERS(0, 0, 1, 2, 0, 3, 4, 5));
        assert_value(g, graft__node_pad(w, "w", 0, 0, 1, 7), graft_shape2(3, 3),
                     NUMBERS(0, 1, 2, 3, 4, 5, 7, 7, 7));
        assert_value(g, graft__node_repeat(w, "w", 1, 2, false), graft_shape2(2, 6),
                     NUMBERS(0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5));
        assert_value(g, graft__node_inflate(w, "w", 1, 2, false), graft_shape3(2, 2, 3),
                     NUMBERS(0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5));
        graft__node_unref(w);
    }
    graft_close(g);
}

static void test_sums(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    static const graft_dtype dtypes[] = {GRAFT_F32, GRAFT_F16, GRAFT_BF16, GRAFT_F64};
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        graft__node *w = counting(g, graft_shape2(2, 3), dtypes[i]);
        assert_value(g, graft__node_reduce(w, "w", 1, false), graft_shape2(2, 1), NUMBERS(3, 12));
        assert_value(g, graft__node_reduce(w, "w", 0, true), graft_shape2(1, 3),
                     NUMBERS(1.5, 2.5, 3.5));
        assert_value(g, graft__node_repeat(w, "w", 0, 2, true), graft_shape2(4, 3),
                     NUMBERS(0, .5, 1, 1.5, 2, 2.5, 0, .5, 1, 1.5, 2, 2.5));
        assert_value(g, graft__node_inflate(w, "w", -1, 2, true), graft_shape3(2, 3, 2),
                     NUMBERS(0, 0, .5, .5, 1, 1, 1.5, 1.5, 2, 2, 2.5, 2.5));
        graft__node_unref(w);
    }
    graft_close(g);
}

static void test_parts(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft__node *w = counting(g, graft_shape2(4, 2), GRAFT_F32);
    graft__node *a = graft__node_part(w, "w", 0, 0, 2, NULL, 1);
    graft__node *b = graft__node_part(w, "w", 0, 1, 2, NULL, 1);
    graft__node *both[] = {a, b};
    assert_value(g, graft__node_fuse(both, 2, "w", 0, 1), graft_shape2(4, 2),
                 NUMBERS(0, 1, 2, 3, 4, 5, 6, 7));
    assert_value(g, graft__node_fuse(both, 2, "w", 1, 1), graft_shape2(2, 4),
                 NUMBERS(0, 1, 4, 5, 2, 3, 6, 7));
    graft__node *mixed = graft__node_fuse(both, 2, "w", 0, 2);
    assert_value(g, graft__node_ref(mixed), graft_shape2(4, 2), NUMBERS(0, 1, 4, 5, 2, 3, 6, 7));
    assert_value(g, graft__node_part(mixed, "w", 0, 1, 2, NULL, 2), graft_shape2(2, 2),
                 NUMBERS(4, 5, 6, 7));
    assert_value(g, graft__node_part(w, "w", 0, 1, 3, (const int64_t[]){1, 2, 1}, 1),
                 graft_shape2(2, 2), NUMBERS(2, 3, 4, 5));
    graft__node_unref(mixed);
    graft__node_unref(a);
    graft__node_unref(b);
    graft__node_unref(w);
    graft_close(g);
}

static void assert_losses(const graft__node *n, int64_t overflows, double error)
{
    int64_t lost;
    double largest;
    graft__node_losses(n, &lost, &largest);
    assert_int_equal(lost, overflows);
    assert_true(largest == error);
}

static void test_cast(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *d = graft_dict_new(g);
    const float x[] = {1, 70000, -70000, 0.5F, 1.0F + 0x1p-12F, NAN, INFINITY, 300};
    graft_dict_set_tensor(d, "w", test_floats(g, x, 8));
    graft__node *w = graft__node_source(d, 0, 0), *half = graft__node_cast(w, "w", GRAFT_F16);
    assert_losses(half, 0, 0);
    assert_value(g, graft__node_ref(half), graft_shape1(8),
                 NUMBERS(1, INFINITY, -INFINITY, .5, 1, NAN, INFINITY, 300));
    assert_losses(half, 2, 0x1p-12); /* though it ran several times */
    graft__node_unref(half);
    graft__node *whole = graft__node_slice(w, "w", 0, 0, 4), *byte = NULL;
    byte = graft__node_cast(whole, "w", GRAFT_I32);
    assert_value(g, graft__node_ref(byte), graft_shape1(4), NUMBERS(1, 70000, -70000, 0));
    assert_losses(byte, 0, .5);
    graft__node_unref(byte);
    graft__node_unref(whole);
    whole = graft__node_slice(w, "w", 0, 7, 8);
    byte = graft__node_cast(whole, "w", GRAFT_U8);
    assert_value(g, graft__node_ref(byte), graft_shape1(1), NUMBERS(44));
    assert_losses(byte, 1, 0);
    graft__node_unref(byte);
    graft__node_unref(whole);
    graft__node_unref(w);
    graft_close(g);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_layout),
    cmocka_unit_test(test_sums),
    cmocka_unit_test(test_parts),
    cmocka_unit_test(test_cast),
};

int main(void)
{
    return cmocka_run_group_tests_name("node", tests, NULL, NULL);
}
