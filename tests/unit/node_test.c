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

static void test_resize(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft__node *w = counting(g, graft_shape2(2, 2), GRAFT_F32);
    assert_value(g, graft__node_resize(w, "w", 0, 1, GRAFT__FILL_MEAN, 0, NULL), graft_shape2(1, 2),
                 NUMBERS(0, 1));
    assert_value(g, graft__node_resize(w, "w", 1, 3, GRAFT__FILL_ZEROS, 0, NULL),
                 graft_shape2(2, 3), NUMBERS(0, 1, 0, 2, 3, 0));
    assert_value(g, graft__node_resize(w, "w", 0, 4, GRAFT__FILL_MEAN, 0, NULL), graft_shape2(4, 2),
                 NUMBERS(0, 1, 2, 3, 1, 2, 1, 2));
    assert_value(g, graft__node_resize(w, "w", 1, 3, GRAFT__FILL_MEAN, 0, NULL), graft_shape2(2, 3),
                 NUMBERS(0, 1, .5, 2, 3, 2.5));
    graft_tensor *initial = graft_full(g, graft_shape2(3, 2), 9, GRAFT_F64);
    assert_value(g, graft__node_resize(w, "w", 0, 3, GRAFT__FILL_INITIAL, 0, initial),
                 graft_shape2(3, 2), NUMBERS(0, 1, 2, 3, 9, 9));
    graft__node *same = graft__node_resize(w, "w", 0, 2, GRAFT__FILL_MEAN, 0, NULL);
    assert_ptr_equal(same, w);
    graft__node_unref(same);
    graft__node_unref(w);
    graft_close(g);
}

enum { OLD = 64, NEW = 20000 };

/* New rows of OLD old ones, of 3 numbers each, which lie along dim 0 or 1; and the old ones. Both
 * without the mean of the old ones. */
static void draw(graft_ctx *g, int along, uint64_t seed, double *old, double *fresh)
{
    graft_dict *d = graft_dict_new(g);
    graft_manual_seed(g, 1);
    graft_tensor *t = graft_randn(g, graft_shape2(OLD, 3), GRAFT_F64);
    graft_tensor *mean = graft_mean_dims(t, graft_shape1(0), true);
    graft_dict_set_tensor(d, "w", along ? graft_transpose(t, 0, 1) : t);
    graft__node *w = graft__node_source(d, 0, 0);
    graft__node *n = graft__node_resize(w, "w", along, OLD + NEW, GRAFT__FILL_NORMAL, seed, NULL);
    graft_tensor *grown = graft__node_run(n, g);
    assert_no_error(g);
    graft_tensor *rows = along ? graft_transpose(grown, 0, 1) : grown;
    graft_copy_out(graft_sub(graft_narrow(rows, 0, OLD, NEW), mean), fresh, NEW * 3 * sizeof *fresh,
                   GRAFT_F64);
    graft_copy_out(graft_sub(t, mean), old, OLD * 3 * sizeof *old, GRAFT_F64);
    assert_no_error(g);
    graft__tensor_unref(grown);
    graft__node_unref(n);
    graft__node_unref(w);
    graft_dict_free(d);
}

/* The mean of the products of columns i and j; column -1 is 1. */
static double moment(const double *x, int64_t rows, int i, int j)
{
    double sum = 0;
    for (int64_t k = 0; k < rows; k++)
        sum += (i < 0 ? 1 : x[3 * k + i]) * x[3 * k + j];
    return sum / (double)rows;
}

static void test_normal(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    static double old[OLD * 3], fresh[NEW * 3], again[NEW * 3];
    draw(g, 0, 7, old, fresh);
    for (int i = 0; i < 3; i++) {
        const double deviation = sqrt(1e-9 * moment(old, OLD, i, i));
        assert_true(fabs(moment(fresh, NEW, -1, i)) < 4 * deviation / sqrt(NEW));
        for (int j = 0; j < 3; j++) {
            const double scale = deviation * sqrt(1e-9 * moment(old, OLD, j, j));
            const double off = moment(fresh, NEW, i, j) - 1e-9 * moment(old, OLD, i, j);
            assert_true(fabs(off) < 0.05 * scale);
        }
    }
    graft_rand(g, graft_shape1(5), GRAFT_F32); /* the context's generator has no part in it */
    draw(g, 0, 7, old, again);
    assert_memory_equal(fresh, again, sizeof fresh);
    draw(g, 1, 7, old, again);
    for (int i = 0; i < NEW * 3; i++)
        assert_true(fabs(fresh[i] - again[i]) < 1e-12);
    draw(g, 0, 8, old, again);
    assert_memory_not_equal(fresh, again, sizeof fresh);
    graft_close(g);
}

static void test_resample(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft__node *w = counting(g, graft_shape3(1, 5, 1), GRAFT_F32);
    /* token 0, and the grid 1 2 / 3 4 */
    assert_value(g, graft__node_resample(w, "w", 1, 0, 0, 1, 1, GRAFT__BILINEAR, true),
                 graft_shape3(1, 2, 1), NUMBERS(0, 2.5));
    assert_value(g, graft__node_resample(w, "w", 1, 0, 0, 1, 1, GRAFT__BICUBIC, false),
                 graft_shape3(1, 2, 1), NUMBERS(0, 2.5));
    assert_value(g, graft__node_resample(w, "w", 1, 2, 2, 2, 4, GRAFT__BILINEAR, false),
                 graft_shape3(1, 9, 1), NUMBERS(0, 1, 1.25, 1.75, 2, 3, 3.25, 3.75, 4));
    graft__node_unref(w);
    graft_close(g);
}

static graft__node *blocks(graft_ctx *g, const void *bytes, graft_shape shape, graft_dtype dtype)
{
    graft_dict *d = graft_dict_new(g);
    graft_dict_set_tensor(d, "w", graft_from_data(g, bytes, shape, dtype));
    return graft__node_source(d, 0, 0);
}

static void test_blocks(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    /* q8_0: a scale of 0.5 and of 2, then 32 bytes */
    unsigned char bytes[68] = {0x00, 0x38, [34] = 0x00, 0x40};
    double expected[64];
    for (int i = 0; i < 32; i++) {
        bytes[2 + i] = (unsigned char)(i - 16);
        bytes[36 + i] = (unsigned char)i;
        expected[i] = 0.5 * (i - 16);
        expected[32 + i] = 2.0 * i;
    }
    graft__node *w = blocks(g, bytes, graft_shape2(2, 32), GRAFT_Q8_0);
    assert_value(g, graft__node_dequantise(w, "w"), graft_shape2(2, 32), expected);
    graft__node *row = graft__node_slice(w, "w", 0, 1, 2), *rows[] = {row, w};
    assert_value(g, graft__node_dequantise(row, "w"), graft_shape2(1, 32), expected + 32);
    graft__node *three = graft__node_fuse(rows, 2, "w", 0, 1);
    graft__node *part = graft__node_part(three, "w", 0, 1, 2, (const int64_t[]){1, 2}, 1);
    assert_value(g, graft__node_dequantise(part, "w"), graft_shape2(2, 32), expected);
    assert_null(graft__node_slice(w, "w", 1, 0, 16));
    assert_error(g, GRAFT_ERR_DTYPE,
                 "w: slice: q8_0 of shape [2, 32] comes in blocks of 32 elements: expected dim 0 "
                 "and whole blocks, or dequantise it first");
    assert_null(graft__node_cast(w, "w", GRAFT_F32));
    assert_error(g, GRAFT_ERR_DTYPE,
                 "w: cast: q8_0 comes in blocks of several elements: dequantise it first");
    graft__node_unref(w);
    w = blocks(g, bytes, graft_shape1(64), GRAFT_MXFP4);
    assert_null(graft__node_dequantise(w, "w"));
    assert_error_has(g, GRAFT_ERR_DTYPE, "w: dequantise: mxfp4: expected");
    graft__node_unref(w);
    graft__node_unref(row);
    graft__node_unref(three);
    graft__node_unref(part);
    graft_close(g);
}

/* A list of these integers as a value. */
static graft__value integers(graft_ctx *g, graft_value_kind kind, int count, const int64_t *number)
{
    graft_dict *list = graft__container_new(g, kind);
    for (int i = 0; list && i < count; i++)
        graft__list_append(list, "test", graft__int_value(number[i]));
    return list ? graft__dict_value(list) : (graft__value){.kind = GRAFT_VALUE_NONE};
}

static void set_field(graft_ctx *g, graft_dict *d, const char *name, graft__value value)
{
    graft__value key = graft__text_value(g, "test", GRAFT_VALUE_STRING, name, strlen(name));
    if (key.kind == GRAFT_VALUE_NONE)
        graft__value_drop(g, &value);
    else
        graft__dict_put(d, "test", key, value);
}

static void set_tensor(graft_ctx *g, graft_dict *d, const char *name, graft_tensor *t)
{
    if (t)
        set_field(g, d, name, graft__tensor_value(graft__tensor_ref(t)));
}

/* "w": what a file has of torch.quantize_per_channel of [2, 3], 0 to 5 in bytes or half bytes. NULL
 * without memory. */
static graft__node *quantised(graft_ctx *g, bool packed, const char *scheme)
{
    static const unsigned char bytes[] = {0, 1, 2, 3, 4, 5}, halves[] = {0x10, 0x32, 0x54};
    static const float scales[] = {0.5F, 2}, zeros[] = {1, 3};
    static const int64_t size[] = {2, 3}, stride[] = {3, 1};
    graft_dict *root = graft_dict_new(g), *record = graft__container_new(g, GRAFT_VALUE_RECORD);
    if (record) {
        record->making = GRAFT__MADE_BY_CALL;
        record->args = graft__container_new(g, GRAFT_VALUE_TUPLE);
        record->attributes = graft__dict_new(g);
    }
    if (!root || !record || !record->args || !record->attributes ||
        !graft__dict_set_class(record, "test", "torch._utils._rebuild_qtensor", 29, 12)) {
        graft__dict_unref(record);
        return NULL;
    }
    graft__list_append(record->args, "test", graft__int_value(0));
    graft__list_append(record->args, "test", graft__int_value(0));
    graft__list_append(record->args, "test", integers(g, GRAFT_VALUE_TUPLE, 2, size));
    graft__list_append(record->args, "test", integers(g, GRAFT_VALUE_TUPLE, 2, stride));
    graft_dict *const fields = record->attributes;
    const char *const dtype = packed ? "torch.quint4x2" : "torch.quint8";
    set_field(g, fields, "dtype",
              graft__text_value(g, "test", GRAFT_VALUE_STRING, dtype, strlen(dtype)));
    set_field(g, fields, "scheme",
              graft__text_value(g, "test", GRAFT_VALUE_STRING, scheme, strlen(scheme)));
    set_field(g, fields, "axis", graft__int_value(0));
    set_tensor(g, fields, "scales", test_floats(g, scales, 2));
    set_tensor(g, fields, "zero_points", test_floats(g, zeros, 2));
    if (packed)
        set_tensor(g, fields, "packed", graft_from_data(g, halves, graft_shape1(3), GRAFT_BITS4X2));
    else
        set_tensor(g, fields, "int_repr", graft_from_data(g, bytes, graft_shape2(2, 3), GRAFT_U8));
    set_field(g, root, "w", graft__dict_value(record));
    return graft_error(g) ? NULL : graft__node_source(root, 0, 0);
}

static void test_quantised(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    for (int packed = 0; packed < 2; packed++) {
        graft__node *w = quantised(g, packed, "torch.per_channel_affine");
        assert_non_null(w);
        assert_value(g, graft__node_dequantise(w, "w"), graft_shape2(2, 3),
                     NUMBERS(-.5, 0, .5, 0, 2, 4));
        assert_null(graft__node_slice(w, "w", 0, 0, 1));
        assert_error(g, GRAFT_ERR_DTYPE, "w: slice: the tensor is quantized: dequantise it first");
        assert_null(graft__node_run(w, g));
        assert_error(g, GRAFT_ERR_DTYPE, "plan: 'w' is quantized: dequantise it first");
        assert_null(graft__node_promise(w, g));
        assert_error(g, GRAFT_ERR_DTYPE, "plan: 'w' is quantized: dequantise it first");
        graft__node_unref(w);
    }
    graft__node *w = quantised(g, false, "torch.per_tensor_affine");
    assert_null(graft__node_dequantise(w, "w"));
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "a quantized tensor without a scale and a zero point");
    graft__node_unref(w);
    w = quantised(g, false, "torch.per_channel_symmetric");
    assert_null(graft__node_dequantise(w, "w"));
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "a quantized tensor of another scheme");
    graft__node_unref(w);
    graft_close(g);
}

/* Sizes that only a tensor without elements can have cost no time. */
static void test_nothing_of_much(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    const int64_t much = INT64_C(1) << 58;
    graft__node *w = counting(g, graft_shape2(0, much), GRAFT_F32);
    assert_value(g, graft__node_reduce(w, "w", 1, true), graft_shape2(0, 1), NULL);
    assert_value(g, graft__node_slice(w, "w", 1, much / 2, much), graft_shape2(0, much / 2), NULL);
    assert_value(g, graft__node_part(w, "w", 1, 1, 2, NULL, much / 4), graft_shape2(0, much / 2),
                 NULL);
    assert_value(g, graft__node_resize(w, "w", 1, much + 1, GRAFT__FILL_MEAN, 0, NULL),
                 graft_shape2(0, much + 1), NULL);
    graft__node_unref(w);
    graft_close(g);
}

/* A state that a pickle gives a record may put other tensors into it than it was made of. */
static void test_quantised_of_other_sizes(void **state)
{
    (void)state;
    static const unsigned char bytes[4096];
    graft_ctx *g = test_open();
    graft__node *w = quantised(g, false, "torch.per_channel_affine");
    graft_dict *fields = w->dict->entry[w->entry].value.dict->attributes;
    set_tensor(g, fields, "int_repr", graft_from_data(g, bytes, graft_shape2(2, 2048), GRAFT_U8));
    assert_null(graft__node_dequantise(w, "w"));
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "whose elements are not as many as its sizes say");
    graft__node_unref(w);
    graft_close(g);
}

/* ---- What is refused ---- */

static void test_errors(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft__node *w = counting(g, graft_shape2(2, 3), GRAFT_F32);
    graft__node *v = counting(g, graft_shape1(3), GRAFT_I32);
    graft__node *const both[] = {w, v};
    static const int64_t sizes[] = {1, 2};
#define REFUSED(call, status, text)                                                                \
    assert_null(call);                                                                             \
    assert_error(g, GRAFT_ERR_##status, text)
    REFUSED(graft__node_slice(w, "w", 2, 0, 1), SHAPE,
            "w: slice: dim 2 is out of range for shape [2, 3]: expected -2 to 1");
    REFUSED(graft__node_slice(w, "w", 0, 1, 3), SHAPE,
            "w: slice: 1 to 3 of dim 0 of shape [2, 3]: expected 0 <= start <= end <= 2");
    REFUSED(graft__node_slice(w, "w", 0, 3, INT64_MAX), SHAPE,
            "w: slice: 3 to end of dim 0 of shape [2, 3]: expected 0 <= start <= end <= 2");
    REFUSED(graft__node_permute(w, "w", graft_shape2(0, 0)), SHAPE,
            "w: permute: dims [0, 0] for shape [2, 3]: expected each of its dimensions once");
    REFUSED(graft__node_permute(w, "w", graft_shape1(0)), SHAPE,
            "w: permute: dims [0] for shape [2, 3]: expected each of its dimensions once");
    REFUSED(graft__node_reshape(w, "w", graft_shape2(4, -1)), SHAPE,
            "w: reshape: shape [4, -1] for one of [2, 3]: expected as many elements, and at most "
            "one -1");
    REFUSED(graft__node_pad(w, "w", 0, -1, 0, 0), SHAPE,
            "w: pad: by -1 and 0: expected 0 or more that fit");
    REFUSED(graft__node_pad(w, "w", 0, INT64_MAX, 0, 0), SHAPE,
            "w: pad: by 9223372036854775807 and 0: expected 0 or more that fit");
    REFUSED(graft__node_pad(v, "v", 0, 0, 1, .5), DTYPE,
            "v: pad: 0.5 is no number that int32 can hold here");
    REFUSED(graft__node_repeat(w, "w", 0, 0, false), SHAPE,
            "w: repeat: 0 times: expected 1 or more that fit");
    REFUSED(graft__node_repeat(v, "v", 0, 2, true), DTYPE,
            "v: repeat: int32 can't be computed in: expected float32, float64, float16 or "
            "bfloat16");
    REFUSED(graft__node_reduce(v, "v", 0, false), DTYPE,
            "v: reduce: int32 can't be computed in: expected float32, float64, float16 or "
            "bfloat16");
    REFUSED(graft__node_fuse(both, 2, "w", 0, 1), SHAPE,
            "w: fuse: float32 of shape [2, 3] and int32 of shape [3] along dim 0: expected one "
            "dtype, and shapes that differ there alone");
    REFUSED(graft__node_fuse(both, 1, "w", 0, 3), SHAPE,
            "w: fuse: 3 groups of a part of 2 along dim 0: expected a divisor of it");
    REFUSED(graft__node_part(w, "w", 1, 0, 2, NULL, 1), SHAPE,
            "w: split: dim 1 of shape [2, 3] in 2 equal parts: expected a divisor of it");
    REFUSED(graft__node_part(w, "w", 0, 0, 2, sizes, 1), SHAPE,
            "w: split: dim 0 of shape [2, 3]: expected sizes that add up to it");
    REFUSED(graft__node_resize(w, "w", 0, 4, GRAFT__FILL_INITIAL, 0, NULL), ARGUMENT,
            "w: resize: the target has no initial values for what is new");
    REFUSED(graft__node_resize(w, "w", 0, -4, GRAFT__FILL_ZEROS, 0, NULL), SHAPE,
            "w: resize: to -4: expected 0 or more");
    REFUSED(graft__node_resample(w, "w", 0, 0, 0, 4, 4, GRAFT__BICUBIC, true), SHAPE,
            "w: resample: shape [2, 3] as 0 tokens and a grid of 0x0: expected them to add up, or "
            "a square");
    REFUSED(graft__node_cast(w, "w", GRAFT_F8_E5M2), DTYPE,
            "w: cast: float32 to float8_e5m2: float8_e5m2 is a dtype that graft carries but does "
            "not compute in");
    REFUSED(graft__node_dequantise(w, "w"), DTYPE,
            "w: dequantise: float32: expected a quantized tensor of torch or q4_0, q4_1, q5_0, "
            "q5_1, q8_0, q8_1 or q2_k to q8_k of ggml");
#undef REFUSED
    assert_null(graft__node_permute(NULL, "w", graft_shape0()));
    assert_no_error(g);
    graft__node_unref(w);
    graft__node_unref(v);
    graft_close(g);
}

/* Parts of a tensor joined again and again would take forever to compute. */
static void test_too_many_steps(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft__node *w = counting(g, graft_shape1(4), GRAFT_F32);
    for (int i = 0; w && i < 40; i++) {
        graft__node *a = graft__node_part(w, "w", 0, 0, 2, NULL, 1);
        graft__node *b = a ? graft__node_part(w, "w", 0, 1, 2, NULL, 1) : NULL;
        graft__node_unref(w);
        w = b ? graft__node_fuse((graft__node *[]){b, a}, 2, "w", 0, 1) : NULL;
        graft__node_unref(a);
        graft__node_unref(b);
    }
    assert_null(w);
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "more than 1000 steps lead to one tensor");
    graft_close(g);
}

/* ---- In words ---- */

static void assert_words(graft_ctx *g, graft__node *n, const char *expected)
{
    static const char *const names[] = {"fc.weight", "q", "k", "v"};
    graft__text text;
    graft__text_init(&text, g);
    assert_non_null(n);
    graft__node_describe(n, names, &text);
    assert_string_equal(text.data ? text.data : "", expected);
    graft__text_free(&text);
    graft__node_unref(n);
}

static void test_words(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft__node *w = counting(g, graft_shape2(100, 4), GRAFT_F32);
    graft__node *part[3];
    assert_words(g, graft__node_ref(w), "");
    graft__node *rows = graft__node_slice(w, "w", 0, 0, 10);
    assert_words(g, graft__node_ref(rows), "rows 0 to 9 of fc.weight");
    assert_words(g, graft__node_cast(rows, "w", GRAFT_F16),
                 "rows 0 to 9 of fc.weight, float32 to float16");
    assert_words(g, graft__node_cast(w, "w", GRAFT_F16), "float32 to float16");
    graft__node *half = graft__node_cast(w, "w", GRAFT_F16);
    assert_words(g, graft__node_slice(half, "w", 0, 0, 10),
                 "rows 0 to 9 of fc.weight, float32 to float16");
    graft__node_unref(half);
    assert_words(g, graft__node_part(w, "w", 1, 1, 2, NULL, 1), "dim 1 from 2 to 3 of fc.weight");
    assert_words(g, graft__node_part(w, "w", 0, 1, 2, NULL, 5),
                 "of each group rows 10 to 19 of fc.weight");
    assert_words(g, graft__node_permute(w, "w", graft_shape2(1, 0)), "dims 1, 0 of fc.weight");
    assert_words(g, graft__node_reshape(w, "w", graft_shape1(-1)), "as shape [400]");
    assert_words(g, graft__node_resize(w, "w", 0, 110, GRAFT__FILL_MEAN, 0, NULL),
                 "dim 0 from 100 to 110, new ones the mean of the old");
    assert_words(g, graft__node_resample(w, "w", 0, 0, 0, 4, 6, GRAFT__BICUBIC, true),
                 "grid of 10x10 to 4x6 (bicubic, antialias) behind 0 tokens");
    for (size_t i = 0; i < 3; i++)
        part[i] = graft__node_source(w->dict, 0, i + 1);
    assert_words(g, graft__node_fuse(part, 3, "w", 0, 1), "q, k and v joined along dim 0");
    graft__node *turned = graft__node_permute(part[1], "k", graft_shape2(1, 0));
    graft__node *back = graft__node_permute(turned, "k", graft_shape2(1, 0));
    graft__node *some[] = {part[0], back};
    graft__node *pair = graft__node_fuse(some, 2, "w", 0, 4);
    assert_words(g, graft__node_slice(pair, "w", 0, 0, 5),
                 "q and k (dims 1, 0 of k, dims 1, 0) joined along dim 0, interleaved in 4 groups, "
                 "rows 0 to 4");
    assert_words(g, pair,
                 "q and k (dims 1, 0 of k, dims 1, 0) joined along dim 0, interleaved in 4 "
                 "groups");
    graft__node *const all[] = {w, rows, turned, back, part[0], part[1], part[2]};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        graft__node_unref(all[i]);
    graft_close(g);
}

/* ---- Moments ---- */

/* Moments of the source: 1, 2, ... of its shape. */
static graft_tensor *ones_up(void *user, const graft__node *source, graft_ctx *g)
{
    if (user)
        return NULL;
    int64_t n = 1;
    for (int i = 0; i < source->shape.ndim; i++)
        n *= source->shape.size[i];
    graft_tensor *t = graft_reshape(graft_arange(g, 1, (double)n + 1, 1, GRAFT_F32), source->shape);
    return t ? graft__tensor_ref(t) : NULL;
}

static void assert_moment(graft_ctx *g, graft__node *n, bool second, int64_t count,
                          const double *expected)
{
    graft_tensor *t = graft__node_moment(n, g, ones_up, NULL, second);
    assert_no_error(g);
    assert_elements(t, expected, count);
    assert_int_equal(graft_tensor_dtype(t), GRAFT_F32);
    graft__tensor_unref(t);
    graft__node_unref(n);
}

static void test_moments(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft__node *w = counting(g, graft_shape2(2, 2), GRAFT_BF16);
    assert_moment(g, graft__node_ref(w), false, 4, NUMBERS(1, 2, 3, 4));
    assert_moment(g, graft__node_pad(w, "w", 0, 0, 1, 5), false, 6, NUMBERS(1, 2, 3, 4, 0, 0));
    assert_moment(g, graft__node_resize(w, "w", 0, 3, GRAFT__FILL_MEAN, 0, NULL), true, 6,
                  NUMBERS(1, 2, 3, 4, 0, 0));
    graft_tensor *initial = graft_full(g, graft_shape2(3, 2), 9, GRAFT_BF16);
    assert_moment(g, graft__node_resize(w, "w", 0, 3, GRAFT__FILL_INITIAL, 0, initial), true, 6,
                  NUMBERS(1, 2, 3, 4, 0, 0));
    assert_moment(g, graft__node_cast(w, "w", GRAFT_F16), true, 4, NUMBERS(1, 2, 3, 4));
    assert_moment(g, graft__node_repeat(w, "w", 0, 2, true), false, 8,
                  NUMBERS(.5, 1, 1.5, 2, .5, 1, 1.5, 2));
    assert_moment(g, graft__node_repeat(w, "w", 0, 2, true), true, 8,
                  NUMBERS(.25, .5, .75, 1, .25, .5, .75, 1));
    assert_moment(g, graft__node_part(w, "w", 1, 1, 2, NULL, 1), true, 2, NUMBERS(2, 4));
    graft__node *sum = graft__node_reduce(w, "w", 0, false);
    assert_null(graft__node_moment(sum, g, ones_up, NULL, false));
    assert_null(graft__node_moment(w, g, ones_up, g, false));
    assert_no_error(g);
    graft__node_unref(sum);
    graft__node_unref(w);
    graft_close(g);
}

/* ---- Promises ---- */

/* A promise is of what was there when it was made, and outlives all of it. */
static void test_promise_outlives(void **state)
{
    (void)state;
    graft_ctx *g = test_open(), *other = test_open();
    graft_dict *d = graft_dict_new(g);
    float loaned[] = {1, 2, 3, 4};
    graft_tensor *t = graft_from_borrowed(g, loaned, graft_shape1(4), GRAFT_F32, NULL, NULL);
    graft_tensor *own = test_floats(g, loaned, 4);
    graft_dict_set_tensor(d, "w", t);
    graft_dict_set_tensor(d, "v", own);
    graft_tensor *clone[3];
    for (size_t i = 0; i < 3; i++) {
        graft__node *w = graft__node_source(d, i % 2, 0);
        graft__node *n = i < 2 ? graft__node_slice(w, "w", 0, 1, 4) : graft__node_ref(w);
        graft_tensor *later = graft__node_promise(n, g);
        clone[i] = graft__tensor_snapshot(later, other);
        graft__tensor_unref(later);
        graft__node_unref(n);
        graft__node_unref(w);
    }
    memset(loaned, 0, sizeof loaned);
    assert_non_null(graft_fill_(own, 9));
    assert_no_error(g);
    graft_close(g);
    for (size_t i = 0; i < 3; i++) {
        assert_true(graft__storage_ready(clone[i]->storage, other));
        assert_elements(clone[i], i < 2 ? NUMBERS(2, 3, 4) : NUMBERS(1, 2, 3, 4), i < 2 ? 3 : 4);
        assert_non_null(graft_data_mut(clone[i]));
        graft__tensor_unref(clone[i]);
    }
    assert_no_error(other);
    graft_close(other);
}

/* What a promise gives can be written without a change to its source. */
static void test_promise_is_a_copy(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft__node *w = counting(g, graft_shape2(2, 2), GRAFT_F32);
    graft__node *n[] = {graft__node_ref(w), graft__node_reshape(w, "w", graft_shape1(4)),
                        graft__node_slice(w, "w", 0, 0, 2)};
    graft_memory before, after;
    graft_memory_stats(g, &before);
    for (size_t i = 0; i < 3; i++) {
        graft_tensor *later = graft__node_promise(n[i], g);
        assert_true(graft__storage_ready(later->storage, g));
        assert_non_null(later);
        ((float *)graft_data_mut(later))[0] = 5;
        graft__tensor_unref(later);
    }
    graft_memory_stats(g, &after);
    assert_int_equal(after.in_use, before.in_use);
    for (size_t i = 0; i < 3; i++)
        graft__node_unref(n[i]);
    assert_value(g, w, graft_shape2(2, 2), NUMBERS(0, 1, 2, 3));
    graft_close(g);
}

/* ---- Without memory ---- */

static void use_all(graft_ctx *g)
{
    graft_dict *d = graft_dict_new(g);
    graft_tensor *t = graft_arange(g, 0, 16, 1, GRAFT_F32);
    if (!d || graft_dict_set_tensor(d, "w", graft_reshape(t, graft_shape2(4, 4))) != GRAFT_OK)
        return;
    graft__node *w = graft__node_source(d, 0, 0);
    graft__node *half = graft__node_cast(w, "w", GRAFT_F16);
    graft__node *part = graft__node_part(half, "w", 0, 1, 2, NULL, 1);
    graft__node *pair[] = {part, half};
    graft__node *more = part ? graft__node_fuse(pair, 2, "w", 0, 2) : NULL;
    graft__node *rows = graft__node_resize(more, "w", 0, 8, GRAFT__FILL_NORMAL, 1, NULL);
    graft__node *grid = graft__node_resample(w, "w", 0, 2, 2, 3, 3, GRAFT__BICUBIC, true);
    graft__node *sum = graft__node_reduce(grid, "w", 0, true);
    graft__node *copies = graft__node_inflate(sum, "w", 0, 2, true);
    graft__node *bytes = quantised(g, true, "torch.per_channel_affine");
    graft__node *plain = graft__node_dequantise(bytes, "w");
    graft__node *end[] = {rows, copies, part, w, plain};
    for (size_t i = 0; i < sizeof end / sizeof *end; i++) {
        if (!end[i])
            continue;
        graft__tensor_unref(graft__node_run(end[i], g));
        graft_tensor *later = graft__node_promise(end[i], g);
        graft__chunks c;
        if (later && graft__chunks_begin(&c, g, later)) {
            graft__chunks_at(&c, 0, 3);
            graft__chunks_end(&c);
        }
        if (later)
            graft__storage_ready(later->storage, g);
        graft__tensor_unref(later);
    }
    graft__node *const all[] = {w, half, part, more, rows, grid, sum, copies, bytes, plain};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        graft__node_unref(all[i]);
}

static void without_memory(void *user, failing_allocator *a)
{
    (void)user;
    graft_ctx *g = failing_allocator_open(a);
    if (!g)
        return;
    use_all(g);
    if (a->failed)
        assert_int_equal(graft_error_status(g), GRAFT_ERR_MEMORY);
    else
        assert_no_error(g);
    graft_close(g);
}

static void test_memory(void **state)
{
    (void)state;
    failing_allocator_sweep(without_memory, NULL);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_layout),
    cmocka_unit_test(test_sums),
    cmocka_unit_test(test_parts),
    cmocka_unit_test(test_cast),
    cmocka_unit_test(test_resize),
    cmocka_unit_test(test_normal),
    cmocka_unit_test(test_resample),
    cmocka_unit_test(test_blocks),
    cmocka_unit_test(test_quantised),
    cmocka_unit_test(test_quantised_of_other_sizes),
    cmocka_unit_test(test_nothing_of_much),
    cmocka_unit_test(test_errors),
    cmocka_unit_test(test_too_many_steps),
    cmocka_unit_test(test_words),
    cmocka_unit_test(test_moments),
    cmocka_unit_test(test_promise_outlives),
    cmocka_unit_test(test_promise_is_a_copy),
    cmocka_unit_test(test_memory),
};

int main(void)
{
    return cmocka_run_group_tests_name("node", tests, NULL, NULL);
}
