/* Merging, beyond its numbers (which tests/parity compares with the papers' formulas): refusals,
 * ranges, memory, what is shared. */
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/ctx.h"
#include "copy/merge.h"
#include "failing_allocator.h"
#include "tensor/dict.h"

static int open_context(void **state)
{
    *state = test_open();
    return 0;
}

static int close_context(void **state)
{
    graft_close(*state);
    return 0;
}

static void put(graft_dict *d, const char *name, graft_tensor *t)
{
    assert_non_null(t);
    assert_int_equal(graft_dict_set_tensor(d, name, t), GRAFT_OK);
}

/* Numbers that differ by element and seed, of both signs. */
static graft_tensor *numbers(graft_ctx *g, int64_t n, int seed, graft_dtype dtype)
{
    graft_tensor *t = graft_zeros(g, graft_shape1(n), GRAFT_F64);
    double *x = graft_data_mut(t);
    for (int64_t i = 0; i < n; i++)
        x[i] = sin((double)i * 0.7 + seed) * (1 + (double)(i % 5));
    return graft_to(t, dtype);
}

static graft_dict *one(graft_ctx *g, const char *name, graft_tensor *t)
{
    graft_dict *d = graft_dict_new(g);
    put(d, name, t);
    return d;
}

static graft_merge_options with(graft_merge_method method)
{
    graft_merge_options o = graft_merge_defaults();
    o.method = method;
    return o;
}

/* ---- Refusals ---- */

typedef struct refusal {
    graft_merge_options o;
    int64_t n;
    const char *text;
} refusal;

static void test_options(void **state)
{
    graft_ctx *g = *state;
    graft_dict *d = one(g, "w", graft_ones(g, graft_shape1(3), GRAFT_F32));
    const graft_dict *sources[] = {d, d};
    static const double zero[2] = {1, -1}, broken[2] = {1, NAN};
    static const graft_merge_layer layer = {.glob = "*", .t = 2, .scale = 1};
    static const graft_merge_layer nameless = {.glob = NULL};
    refusal r[] = {
        {with((graft_merge_method)99), 2, "merge: 99 is no method"},
        {with(GRAFT_MERGE_MEAN), 0, "merge: 0 sources at an address: expected 1 to 65536"},
        {with(GRAFT_MERGE_SLERP), 1, "merge: slerp of 1 sources: expected 2"},
        {with(GRAFT_MERGE_TASK), 2, "merge: task needs a base"},
        {with(GRAFT_MERGE_MEAN), 2, "merge: mean takes no base"},
        {with(GRAFT_MERGE_MEAN), 2, "merge: mean takes no weights"},
        {with(GRAFT_MERGE_WEIGHTED), 2,
         "merge: weighted: a sum of weights of 0: expected one that can be divided by"},
        {with(GRAFT_MERGE_WEIGHTED), 2, "merge: weighted: weight nan: expected a finite number"},
        {with(GRAFT_MERGE_TIES), 2, "merge: ties: weight -1: expected 0 or more"},
        {with(GRAFT_MERGE_DARE), 2, "merge: dare: density 1.5: expected 0 to 1"},
        {with(GRAFT_MERGE_SLERP), 2, "merge: slerp: t 2 of layers '*': expected 0 to 1"},
        {with(GRAFT_MERGE_SLERP), 2, "merge: the glob of layers 0 is NULL"},
        {with(GRAFT_MERGE_EMA), 2,
         "merge: ema has no weights, t or scale that could differ between layers"},
        {with(GRAFT_MERGE_EMA), 2, "merge: ema: decay -0.1: expected 0 to 1"},
        {with(GRAFT_MERGE_MEAN), 2, "merge: 3 is no policy for integers"},
        {with(GRAFT_MERGE_MEAN), 2, "merge: -1 layers at NULL"},
    };
    r[4].o.base = r[8].o.base = r[9].o.base = d;
    r[5].o.weights = r[6].o.weights = r[8].o.weights = zero;
    r[7].o.weights = broken;
    r[9].o.density = 1.5;
    r[10].o.layers = r[12].o.layers = &layer;
    r[11].o.layers = &nameless;
    r[10].o.layer_count = r[11].o.layer_count = r[12].o.layer_count = 1;
    r[13].o.decay = -0.1;
    r[14].o.integers = (graft_merge_integers)3;
    r[15].o.layer_count = -1;
    for (size_t i = 0; i < sizeof r / sizeof *r; i++) {
        assert_null(graft_merge(g, sources, r[i].n, &r[i].o));
        assert_error(g, GRAFT_ERR_ARGUMENT, r[i].text);
    }
    assert_string_equal(graft_merge_method_name(GRAFT_MERGE_DARE), "dare");
    assert_string_equal(graft_merge_method_name((graft_merge_method)-1), "?");
    graft_dict_free(d);
}

static void test_sources_that_differ(void **state)
{
    graft_ctx *g = *state;
    graft_dict *a = graft_dict_new(g), *b = graft_dict_new(g);
    put(a, "w", graft_ones(g, graft_shape2(2, 3), GRAFT_F32));
    put(b, "w", graft_ones(g, graft_shape2(3, 2), GRAFT_F32));
    const graft_dict *sources[] = {a, b};
    assert_null(graft_merge(g, sources, 2, NULL));
    assert_error(g, GRAFT_ERR_SHAPE,
                 "merge: the sources differ: 'w' has shape [2, 3] in source 0, [3, 2] in source 1");
    put(a, "left", graft_ones(g, graft_shape1(1), GRAFT_F32));
    put(b, "right", graft_ones(g, graft_shape1(1), GRAFT_F32));
    assert_null(graft_merge(g, sources, 2, NULL));
    assert_error_has(g, GRAFT_ERR_NAME,
                     "source 1 lacks 'left'; source 1 has 'right', which source");
    for (int i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%d", i);
        put(a, name, graft_ones(g, graft_shape1(1), GRAFT_F32));
    }
    assert_null(graft_merge(g, sources, 2, NULL));
    assert_error_has(g, GRAFT_ERR_NAME, "source 1 lacks 't7'; and 93 more");
    graft_merge_options o = with(GRAFT_MERGE_TASK);
    o.base = b;
    assert_null(graft_merge(g, sources, 1, &o));
    assert_error_has(g, GRAFT_ERR_NAME, "the base lacks 't0'");
    graft_ctx *other = test_open();
    graft_dict *far = graft_dict_new(other);
    sources[1] = far;
    assert_null(graft_merge(g, sources, 2, NULL));
    assert_error(g, GRAFT_ERR_ARGUMENT, "merge: source 1 belongs to another context");
    sources[1] = NULL;
    assert_null(graft_merge(g, sources, 2, NULL));
    assert_error(g, GRAFT_ERR_ARGUMENT, "merge: source 1 is NULL");
    assert_null(graft_merge(g, NULL, 2, NULL));
    assert_error(g, GRAFT_ERR_ARGUMENT, "merge: 2 sources at NULL: expected 1 to 65536");
    graft_close(other);
}

static void test_dtypes(void **state)
{
    graft_ctx *g = *state;
    static const unsigned char bytes[4] = {1, 2, 3, 4};
    const graft_dict *sources[2];
    graft_dict *floats = one(g, "w", graft_ones(g, graft_shape1(4), GRAFT_F16));
    graft_dict *ints = one(g, "w", graft_ones(g, graft_shape1(4), GRAFT_I64));
    graft_dict *f8 = one(g, "w", graft_from_data(g, bytes, graft_shape1(4), GRAFT_F8_E4M3FN));
    graft_dict *same = one(g, "w", graft_from_data(g, bytes, graft_shape1(4), GRAFT_F8_E4M3FN));
    sources[0] = floats;
    sources[1] = ints;
    assert_null(graft_merge(g, sources, 2, NULL));
    assert_error(g, GRAFT_ERR_DTYPE,
                 "merge: 'w' is float16 in source 0 and int64 in source 1: expected a floating "
                 "dtype");
    sources[0] = ints;
    sources[1] = f8;
    assert_null(graft_merge(g, sources, 2, NULL));
    assert_error(g, GRAFT_ERR_DTYPE,
                 "merge: 'w' is int64 in source 0 and float8_e4m3fn in source 1: expected one "
                 "dtype");
    sources[0] = same;
    graft_dict *r = graft_merge(g, sources, 2, NULL);
    assert_non_null(r);
    assert_true(graft_equal(graft_dict_tensor(r, "w"), graft_dict_tensor(f8, "w")));
    graft_dict_free(r);
    graft_merge_options o = graft_merge_defaults();
    o.integers = GRAFT_MERGE_MAX;
    assert_null(graft_merge(g, sources, 2, &o));
    assert_error(g, GRAFT_ERR_DTYPE, "merge: 'w' is float8_e4m3fn, of which there is no largest");
}

/* ---- Integers ---- */

static void test_integers(void **state)
{
    graft_ctx *g = *state;
    static const graft_dtype dtypes[] = {GRAFT_I64, GRAFT_I32, GRAFT_I16, GRAFT_I8, GRAFT_U8};
    for (size_t k = 0; k < sizeof dtypes / sizeof *dtypes; k++) {
        graft_dict *a = one(g, "n", graft_to(numbers(g, 6, 1, GRAFT_F32), dtypes[k]));
        graft_dict *b = one(g, "n", graft_to(numbers(g, 6, 3, GRAFT_F32), dtypes[k]));
        const graft_dict *sources[] = {a, b};
        assert_null(graft_merge(g, sources, 2, NULL));
        assert_error_has(g, GRAFT_ERR_ARGUMENT, "differs between source 0 and source 1");
        graft_merge_options o = graft_merge_defaults();
        o.integers = GRAFT_MERGE_FIRST;
        graft_dict *r = graft_merge(g, sources, 2, &o);
        assert_true(graft_equal(graft_dict_tensor(r, "n"), graft_dict_tensor(a, "n")));
        graft_dict_free(r);
        o.integers = GRAFT_MERGE_MAX;
        r = graft_merge(g, sources, 2, &o);
        double x[6], y[6];
        graft_copy_out(graft_dict_tensor(a, "n"), x, sizeof x, GRAFT_F64);
        graft_copy_out(graft_dict_tensor(b, "n"), y, sizeof y, GRAFT_F64);
        for (int i = 0; i < 6; i++)
            x[i] = x[i] > y[i] ? x[i] : y[i];
        assert_int_equal(graft_tensor_dtype(graft_dict_tensor(r, "n")), dtypes[k]);
        assert_elements(graft_dict_tensor(r, "n"), x, 6);
        graft_dict_free(r);
    }
    static const uint64_t large[2][2] = {{UINT64_MAX, 1}, {3, UINT64_MAX - 1}};
    graft_dict *a = one(g, "n", graft_from_data(g, large[0], graft_shape1(2), GRAFT_U64));
    graft_dict *b = one(g, "n", graft_from_data(g, large[1], graft_shape1(2), GRAFT_U64));
    const graft_dict *sources[] = {a, b};
    graft_merge_options o = graft_merge_defaults();
    o.integers = GRAFT_MERGE_MAX;
    graft_dict *r = graft_merge(g, sources, 2, &o);
    const uint64_t *largest = graft_data(graft_dict_tensor(r, "n"));
    assert_true(largest[0] == UINT64_MAX && largest[1] == UINT64_MAX - 1);
}

/* ---- Ties, order, what becomes of the sources ---- */

static void test_ties_and_order(void **state)
{
    graft_ctx *g = *state;
    graft_dict *a = graft_dict_new(g), *b = graft_dict_new(g), *inner = graft_dict_new(g);
    graft_tensor *tied = numbers(g, 6, 0, GRAFT_F32);
    graft_tensor *row = graft_narrow(tied, 0, 2, 2);
    put(a, "z", tied);
    put(inner, "weight", tied);
    put(inner, "row", row);
    graft_dict_set_dict(a, "head", inner);
    graft_dict_set_int(a, "epoch", 3);
    put(a, "again", graft_narrow(tied, 0, 2, 2));
    put(b, "again", numbers(g, 2, 9, GRAFT_F32));
    put(b, "head.row", numbers(g, 2, 8, GRAFT_F32));
    put(b, "head.weight", numbers(g, 6, 7, GRAFT_F32));
    put(b, "z", numbers(g, 6, 6, GRAFT_F32));
    const graft_dict *sources[] = {a, b};
    graft_dict *r = graft_merge(g, sources, 2, NULL);
    assert_non_null(r);
    assert_int_equal(graft_dict_len(r), 4);
    static const char *const keys[] = {"z", "head.weight", "head.row", "again"};
    for (int i = 0; i < 4; i++)
        assert_string_equal(graft_dict_key(r, i), keys[i]);
    assert_string_equal(graft_dict_class(r), "collections.OrderedDict");
    assert_true(
        graft_shares_storage(graft_dict_tensor(r, "z"), graft_dict_tensor(r, "head.weight")));
    assert_true(
        graft_shares_storage(graft_dict_tensor(r, "head.row"), graft_dict_tensor(r, "again")));
    assert_false(graft_shares_storage(graft_dict_tensor(r, "z"), graft_dict_tensor(r, "again")));
    double mean[6];
    for (int i = 0; i < 6; i++)
        mean[i] = (double)((((const float *)graft_data(tied))[i] +
                            ((const float *)graft_data(graft_dict_tensor(b, "z")))[i]) /
                           2);
    assert_elements(graft_dict_tensor(r, "z"), mean, 6);
}

/* What sources are written to afterwards, or freed, changes nothing; nor does the result change
 * them. */
static void change_sources(graft_ctx *g)
{
    graft_scope_begin(g);
    graft_tensor *x = graft_full(g, graft_shape1(1000), 4, GRAFT_F32);
    graft_tensor *n = graft_full(g, graft_shape1(1000), 7, GRAFT_I32);
    graft_dict *a = one(g, "x", x);
    put(a, "n", n);
    const graft_dict *sources[] = {a, a};
    graft_dict *r = graft_merge(g, sources, 2, NULL);
    assert_non_null(r);
    ((float *)graft_data_mut(x))[0] = 100;
    ((int32_t *)graft_data_mut(n))[0] = 100;
    graft_dict_free(a);
    graft_scope_end(g);
    assert_true(((const float *)graft_data(graft_dict_tensor(r, "x")))[0] == 4);
    assert_int_equal(((const int32_t *)graft_data(graft_dict_tensor(r, "n")))[0], 7);
    graft_dict_free(r);
}

static void test_sources_go_on(void **state)
{
    graft_memory begin, end;
    change_sources(*state); /* the context has made its own room then */
    graft_memory_stats(*state, &begin);
    change_sources(*state);
    graft_memory_stats(*state, &end);
    assert_int_equal(begin.in_use, end.in_use);
}

/* Memory that the caller takes back when the tensors over it are gone. */
static void test_borrowed(void **state)
{
    graft_ctx *g = *state;
    float *x = malloc(1000 * sizeof *x);
    for (int i = 0; i < 1000; i++)
        x[i] = 4;
    graft_scope_begin(g);
    graft_dict *a =
        one(g, "x", graft_from_borrowed(g, x, graft_shape1(1000), GRAFT_F32, NULL, NULL));
    const graft_dict *sources[] = {a, a};
    graft_dict *r = graft_merge(g, sources, 2, NULL);
    assert_non_null(r);
    graft_dict_free(a);
    graft_scope_end(g);
    free(x);
    assert_true(((const float *)graft_data(graft_dict_tensor(r, "x")))[0] == 4);
    graft_dict_free(r);
}

/* The result outlives the context of its sources where a clone of it is in another. */
static void test_other_context(void **state)
{
    graft_ctx *g = test_open(), *other = *state;
    graft_dict *a = one(g, "x", numbers(g, 5000, 1, GRAFT_F16));
    const graft_dict *sources[] = {a, a};
    graft_dict *r = graft_merge(g, sources, 2, NULL);
    graft_dict *kept = graft_dict_clone(r, other), *dropped = graft_dict_clone(r, other);
    graft_close(g);
    assert_non_null(kept);
    graft_dict_free(dropped);
    assert_true(graft_equal(graft_dict_tensor(kept, "x"), numbers(other, 5000, 1, GRAFT_F16)));
}

/* ---- Ranges ---- */

enum { METHODS = GRAFT_MERGE_DARE + 1 };

static graft_dict *merged(graft_ctx *g, graft_merge_method method, int64_t n, graft_dtype dtype,
                          bool f64)
{
    graft_merge_options o = with(method);
    graft_dict *d[4];
    for (int i = 0; i < 4; i++)
        d[i] = one(g, "w", numbers(g, n, 10 * i, dtype));
    /* one that does not lie in order */
    graft_dict_free(d[1]);
    graft_tensor *rows = graft_reshape(numbers(g, n, 5, dtype), graft_shape2(n / 2, 2));
    graft_tensor *turned = graft_contiguous(graft_transpose(rows, 0, 1));
    graft_tensor *shaped = graft_transpose(turned, 0, 1);
    d[1] = one(g, "w", shaped);
    for (int i = 0; i < 4; i++)
        put(d[i], "w",
            i == 1 ? shaped : graft_reshape(graft_dict_tensor(d[i], "w"), graft_shape2(n / 2, 2)));
    o.base = method >= GRAFT_MERGE_TASK ? d[3] : NULL;
    o.f64 = f64;
    o.density = 0.4;
    o.seed = 12345;
    const graft_dict *const sources[] = {d[0], d[1], d[2]};
    graft_dict *r = graft_merge(g, sources, method == GRAFT_MERGE_SLERP ? 2 : 3, &o);
    for (int i = 0; i < 4; i++)
        graft_dict_free(d[i]);
    return r;
}

/* Any range of bytes is what all of them are, read before or after, bit for bit. */
static void check_ranges(graft_ctx *g, graft_merge_method method, graft_dtype dtype, bool f64)
{
    const int64_t n = 3 * GRAFT__MERGE_BLOCK + 78;
    graft_dict *a = merged(g, method, n, dtype, f64), *b = merged(g, method, n, dtype, f64);
    assert_non_null(a);
    assert_non_null(b);
    const size_t bytes = (size_t)n * graft_dtype_size(dtype);
    const unsigned char *whole = graft_data(graft_dict_tensor(a, "w"));
    assert_non_null(whole);
    graft__buffer *waiting = b->entry[0].value.tensor->storage->buffer;
    graft__supply *supply = atomic_load(&waiting->supply);
    assert_non_null(supply);
    unsigned char *out = malloc(bytes + 9);
    assert_non_null(out);
    static const uint64_t begin[] = {0, 1, 7, 4096, 16384, 16387, 20000};
    for (size_t i = 0; i < sizeof begin / sizeof *begin; i++) {
        const size_t sizes[] = {0, 1, 3, 8, 11, 4096, bytes - (size_t)begin[i]};
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            if (k == 6 && i % 2 == 1)
                continue;
            memset(out, 0xEE, bytes + 9);
            const size_t shift = k < 5 ? i % 3 : 0;
            assert_true(supply->read(supply, g, begin[i], out + shift, sizes[k]));
            assert_memory_equal(out + shift, whole + begin[i], sizes[k]);
            assert_int_equal(out[shift + sizes[k]], 0xEE);
        }
    }
    free(out);
    assert_memory_equal(graft_data(graft_dict_tensor(b, "w")), whole, bytes);
    graft_dict_free(a);
    graft_dict_free(b);
}

static void test_ranges(void **state)
{
    graft_ctx *g = *state;
    for (int method = 0; method < METHODS; method++) {
        check_ranges(g, (graft_merge_method)method, GRAFT_F32, false);
        check_ranges(g, (graft_merge_method)method, GRAFT_BF16, true);
        check_ranges(g, (graft_merge_method)method, GRAFT_F64, true);
    }
    assert_no_error(g);
}

/* Results do not depend on threads. */
static void test_threads(void **state)
{
    (void)state;
    for (int method = 0; method < METHODS; method++) {
        graft_ctx *g[2] = {test_open(), test_open()};
        graft_dict *r[2];
        for (int i = 0; i < 2; i++) {
            graft_set_num_threads(g[i], i ? 4 : 1);
            r[i] = merged(g[i], (graft_merge_method)method, 200000, GRAFT_F32, false);
            assert_non_null(r[i]);
        }
        assert_memory_equal(graft_data(graft_dict_tensor(r[0], "w")),
                            graft_data(graft_dict_tensor(r[1], "w")), 200000 * sizeof(float));
        graft_close(g[0]);
        graft_close(g[1]);
    }
}

/* ---- The generator ---- */

/* Known answers of the authors' Random123. */
static void test_philox(void **state)
{
    (void)state;
    uint32_t out[4];
    static const uint32_t zeros[4] = {0}, ones[4] = {~0U, ~0U, ~0U, ~0U};
    static const uint32_t of_zeros[] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
    static const uint32_t of_ones[] = {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd};
    static const uint32_t pi[4] = {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344};
    static const uint32_t of_pi[] = {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1};
    graft__philox(0, zeros, out);
    assert_memory_equal(out, of_zeros, sizeof out);
    graft__philox(UINT64_MAX, ones, out);
    assert_memory_equal(out, of_ones, sizeof out);
    graft__philox(UINT64_C(0x299f31d0a4093822), pi, out);
    assert_memory_equal(out, of_pi, sizeof out);
}

/* ---- Memory ---- */

/* Sources of every kind, merged with every method; whatever fails, what has come out is right. */
static void merge_with_little(void *user, failing_allocator *a)
{
    (void)user;
    static const float x[6] = {1, 2, 3, 4, 5, 6}, y[6] = {3, 2, 1, 0, -1, -2};
    static const int8_t n[2] = {3, 4};
    graft_ctx *g = failing_allocator_open(a);
    if (!g)
        return;
    graft_tensor *first = graft_from_data(g, x, graft_shape2(2, 3), GRAFT_F32);
    graft_tensor *second = graft_from_data(g, y, graft_shape2(3, 2), GRAFT_F32);
    graft_tensor *third = graft_to(graft_transpose(second, 0, 1), GRAFT_F16);
    graft_tensor *count = graft_from_data(g, n, graft_shape1(2), GRAFT_I8);
    graft_dict *p = graft_dict_new(g), *q = graft_dict_new(g);
    bool ok = third && first && count && p && q;
    for (int i = 0; ok && i < 3; i++)
        ok = !graft_dict_set_tensor(p, i ? (i > 1 ? "c" : "b") : "a", first) &&
             !graft_dict_set_tensor(q, i ? (i > 1 ? "c" : "b") : "a", i > 1 ? first : third);
    ok = ok && !graft_dict_set_tensor(p, "n", count) && !graft_dict_set_tensor(q, "n", count);
    const graft_dict *const sources[] = {p, q};
    for (int method = 0; ok && method < METHODS; method++) {
        graft_merge_options o = with((graft_merge_method)method);
        o.base = method >= GRAFT_MERGE_TASK ? p : NULL;
        o.integers = method % 2 ? GRAFT_MERGE_MAX : GRAFT_MERGE_AGREE;
        o.density = 0.5;
        graft_dict *r = graft_merge(g, sources, 2, &o);
        for (int again = 0; r && again < 2; again++) {
            graft_tensor *got = graft_dict_tensor(r, "b");
            if (got && method == GRAFT_MERGE_MEAN)
                assert_true(((const float *)graft_data(got))[1] == 1.5F);
            assert_true(got || graft_error_status(g) == GRAFT_ERR_MEMORY);
        }
        assert_true((r && !graft_error(g)) || graft_error_status(g) == GRAFT_ERR_MEMORY);
    }
    graft_close(g);
}

static void test_no_memory(void **state)
{
    (void)state;
    failing_allocator_sweep(merge_with_little, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_options, open_context, close_context),
        cmocka_unit_test_setup_teardown(test_sources_that_differ, open_context, close_context),
        cmocka_unit_test_setup_teardown(test_dtypes, open_context, close_context),
        cmocka_unit_test_setup_teardown(test_integers, open_context, close_context),
        cmocka_unit_test_setup_teardown(test_ties_and_order, open_context, close_context),
        cmocka_unit_test_setup_teardown(test_sources_go_on, open_context, close_context),
        cmocka_unit_test_setup_teardown(test_borrowed, open_context, close_context),
        cmocka_unit_test_setup_teardown(test_other_context, open_context, close_context),
        cmocka_unit_test_setup_teardown(test_ranges, open_context, close_context),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_philox),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
