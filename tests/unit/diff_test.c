/* Comparing dicts: kinds, numbers, ties, values, rows, tolerances, files, and what goes wrong. */
#include <float.h>
#include <math.h>
#include <stdio.h>

#include "failing_allocator.h"
#include "fixture.h"
#include "folder.h"
#include "kernel/widen.h"
#include "test.h"

static graft_ctx *context(void **state)
{
    return ((fixture *)*state)->g;
}

/* A dict with one tensor "t". */
static graft_dict *one(graft_ctx *g, const void *elements, graft_shape shape, graft_dtype dtype)
{
    graft_dict *d = graft_dict_new(g);
    graft_dict_set_tensor(d, "t", graft_from_data(g, elements, shape, dtype));
    assert_no_error(g);
    return d;
}

static graft_diff_report *compare(const graft_dict *a, const graft_dict *b,
                                  const graft_diff_options *options)
{
    graft_diff_report *d = graft_diff(a, b, options);
    assert_no_error(graft_dict_ctx(a));
    assert_non_null(d);
    return d;
}

/* The numbers of two one-dimensional tensors. */
static graft_diff_numbers numbers_of(graft_ctx *g, const void *a, const void *b, int64_t n,
                                     graft_dtype dtype, const graft_diff_options *options)
{
    graft_diff_report *d =
        compare(one(g, a, graft_shape1(n), dtype), one(g, b, graft_shape1(n), dtype), options);
    graft_diff_numbers out;
    assert_true(graft_diff_numbers_of(d, 0, &out));
    assert_int_equal(out.elements, n);
    assert_int_equal(graft_diff_kind_of(d, 0), out.changed ? GRAFT_DIFF_CHANGED : GRAFT_DIFF_EQUAL);
    return out;
}

static void assert_near(double got, double want)
{
    if (!(fabs(got - want) <= 1e-14 * fabs(want)))
        fail_msg("%.17g is not %.17g", got, want);
}

static void assert_entry(const graft_diff_report *d, int64_t i, const char *name,
                         graft_diff_kind kind, const char *note)
{
    assert_string_equal(graft_diff_name(d, i), name);
    assert_string_equal(graft_diff_kind_name(graft_diff_kind_of(d, i)), graft_diff_kind_name(kind));
    assert_string_equal(graft_diff_note(d, i), note);
}

/* ---- Kinds ---- */

static void set(graft_ctx *g, graft_dict *d, const char *key, double value, graft_shape shape,
                graft_dtype dtype)
{
    graft_dict_set_tensor(d, key, graft_full(g, shape, value, dtype));
}

static void every_kind(void **state)
{
    graft_ctx *g = context(state);
    graft_dict *a = graft_dict_new(g), *b = graft_dict_new(g);
    set(g, a, "same", 1, graft_shape2(2, 3), GRAFT_F32);
    set(g, b, "same", 1, graft_shape2(2, 3), GRAFT_F32);
    set(g, a, "values", 1, graft_shape2(2, 3), GRAFT_F32);
    set(g, b, "values", 1.5, graft_shape2(2, 3), GRAFT_F32);
    set(g, a, "type", 1, graft_shape1(4), GRAFT_F32);
    set(g, b, "type", 1, graft_shape1(4), GRAFT_F16);
    set(g, a, "form", 1, graft_shape2(2, 3), GRAFT_F32);
    set(g, b, "form", 1, graft_shape2(3, 2), GRAFT_F32);
    set(g, a, "here", 1, graft_shape1(2), GRAFT_F32);
    set(g, b, "there", 1, graft_shape0(), GRAFT_I64);
    graft_diff_report *d = compare(a, b, NULL);
    assert_int_equal(graft_diff_len(d), 6);
    assert_entry(d, 0, "same", GRAFT_DIFF_EQUAL, "");
    assert_entry(d, 1, "values", GRAFT_DIFF_CHANGED, "");
    assert_entry(d, 2, "type", GRAFT_DIFF_DTYPE, "");
    assert_entry(d, 3, "form", GRAFT_DIFF_SHAPE, "");
    assert_entry(d, 4, "here", GRAFT_DIFF_MISSING, "");
    assert_entry(d, 5, "there", GRAFT_DIFF_EXTRA, "");
    for (int kind = GRAFT_DIFF_EQUAL; kind < GRAFT_DIFF_TIES; kind++)
        assert_int_equal(graft_diff_count(d, (graft_diff_kind)kind), 1);
    assert_false(graft_diff_is_equal(d));
    graft_tensor_info info;
    assert_true(graft_diff_info_a(d, 2, &info) && info.dtype == GRAFT_F32 && !info.storage);
    assert_true(graft_diff_info_b(d, 2, &info) && info.dtype == GRAFT_F16 && info.bytes == 8);
    assert_true(graft_diff_info_a(d, 4, &info) && !graft_diff_info_b(d, 4, &info));
    assert_true(graft_diff_info_b(d, 5, &info) && !graft_diff_info_a(d, 5, &info));
    graft_diff_numbers n;
    assert_true(graft_diff_numbers_of(d, 2, &n) && n.changed == 0 && n.max_ulps == -1);
    assert_false(graft_diff_numbers_of(d, 3, &n));
    assert_string_equal(
        graft_diff_text(d),
        "diff: 1 equal, 1 changed, 1 dtype, 1 shape, 1 missing, 1 extra\n"
        "  changed: \"values\" [2, 3] float32: 6 of 6 elements in 2 rows, max abs 0.5, max rel "
        "0.333333, max ulps 4194304, mean abs 0.5, rms 0.5, cosine 1\n"
        "  dtype: \"type\" [4] float32 in a, [4] float16 in b: the values are equal\n"
        "  shape: \"form\" [2, 3] float32 in a, [3, 2] float32 in b\n"
        "  missing: \"here\" [2] float32 in a only\n"
        "  extra: \"there\" [] int64 in b only");
    graft_diff_free(d);
    d = compare(a, a, NULL);
    assert_true(graft_diff_is_equal(d));
    assert_false(graft_diff_numbers_of(d, 0, &n)); /* one memory: nothing was read */
    assert_string_equal(graft_diff_text(d), "diff: 5 equal");
    d = compare(graft_dict_new(g), graft_dict_new(g), NULL);
    assert_true(graft_diff_is_equal(d));
    assert_string_equal(graft_diff_text(d), "diff: nothing to compare");
}

static void every_kind_of_value(void **state)
{
    graft_ctx *g = context(state);
    graft_dict *a = graft_dict_new(g), *b = graft_dict_new(g);
    graft_dict *both[] = {a, b};
    for (int i = 0; i < 2; i++) {
        graft_dict *d = both[i], *list = graft_list_new(g);
        graft_dict_set_int(d, "epoch", 3 + i);
        graft_dict_set_float(d, "lr", 0.5);
        graft_dict_set_string(d, "name", i ? "other" : "one");
        graft_dict_set_bytes(d, "bytes", "a\0b", 3);
        graft_dict_set_bytes(d, "cut", "a\0b", (size_t)2 + (size_t)i);
        graft_dict_set_float(d, "nan", (double)NAN);
        graft_dict_set_float(d, "zero", i ? -0.0 : 0.0);
        graft_dict_set_none(d, "none");
        graft_list_push_bool(list, true);
        graft_list_push_int(list, 1);
        graft_dict_set_dict(d, "list", list);
    }
    graft_dict_set_bool(a, "kind", true);
    graft_dict_set_int(b, "kind", 1);
    set(g, a, "tensor", 1, graft_shape1(2), GRAFT_F32);
    graft_dict_set_int(b, "tensor", 1);
    graft_dict_set_int(a, "gone", 1);
    graft_dict_set_int(b, "come", 1);
    graft_diff_report *d = compare(a, b, NULL);
    assert_entry(d, 0, "epoch", GRAFT_DIFF_CHANGED, "3 in a, 4 in b");
    assert_entry(d, 1, "lr", GRAFT_DIFF_EQUAL, "");
    assert_entry(d, 2, "name", GRAFT_DIFF_CHANGED, "'one' in a, 'other' in b");
    assert_entry(d, 3, "bytes", GRAFT_DIFF_EQUAL, "");
    assert_entry(d, 4, "cut", GRAFT_DIFF_CHANGED, "b'a\\x00' in a, b'a\\x00b' in b");
    assert_entry(d, 5, "nan", GRAFT_DIFF_EQUAL, "");
    assert_entry(d, 6, "zero", GRAFT_DIFF_CHANGED, "0.0 in a, -0.0 in b");
    assert_entry(d, 7, "none", GRAFT_DIFF_EQUAL, "");
    assert_entry(d, 8, "list.0", GRAFT_DIFF_EQUAL, "");
    assert_entry(d, 9, "list.1", GRAFT_DIFF_EQUAL, "");
    assert_entry(d, 10, "kind", GRAFT_DIFF_CHANGED, "True in a, 1 in b");
    assert_entry(d, 11, "tensor", GRAFT_DIFF_CHANGED, "a tensor [2] float32 in a, 1 in b");
    assert_entry(d, 12, "gone", GRAFT_DIFF_MISSING, "");
    assert_entry(d, 13, "come", GRAFT_DIFF_EXTRA, "");
    assert_int_equal(graft_diff_len(d), 14);
    graft_diff_options o = graft_diff_defaults();
    o.atol = 1e-3;
    assert_entry(compare(a, b, &o), 6, "zero", GRAFT_DIFF_EQUAL, "");
}

static void ties(void **state)
{
    graft_ctx *g = context(state);
    graft_dict *a = graft_dict_new(g), *b = graft_dict_new(g);
    graft_tensor *x = graft_ones(g, graft_shape1(4), GRAFT_F32);
    const char *name[] = {"p", "q", "r", "s"};
    for (int i = 0; i < 4; i++) {
        graft_dict_set_tensor(a, name[i], i < 2 ? x : graft_ones(g, graft_shape1(4), GRAFT_F32));
        graft_dict_set_tensor(b, name[i],
                              i == 0   ? graft_ones(g, graft_shape1(4), GRAFT_F32)
                              : i == 3 ? graft_zeros(g, graft_shape1(4), GRAFT_F32)
                                       : x);
    }
    graft_diff_report *d = compare(a, b, NULL);
    assert_entry(d, 0, "p", GRAFT_DIFF_TIES, "tied with q in a only");
    assert_entry(d, 1, "q", GRAFT_DIFF_TIES, "tied with p in a only; tied with r in b only");
    assert_entry(d, 2, "r", GRAFT_DIFF_TIES, "tied with q in b only");
    assert_entry(d, 3, "s", GRAFT_DIFF_CHANGED, "");
    assert_true(graft_diff_is_equal(compare(a, a, NULL)));
    assert_true(graft_diff_is_equal(compare(a, graft_dict_clone(a, NULL), NULL)));
    graft_dict *many = graft_dict_new(g), *apart = graft_dict_new(g);
    char key[16];
    for (int i = 0; i < 6; i++) {
        snprintf(key, sizeof key, "t%d", i);
        graft_dict_set_tensor(many, key, x);
        graft_dict_set_tensor(apart, key, graft_ones(g, graft_shape1(4), GRAFT_F32));
    }
    assert_entry(compare(apart, many, NULL), 0, "t0", GRAFT_DIFF_TIES,
                 "tied with t1, t2, t3 and 2 more in b only");
}

/* ---- Numbers ---- */

static void numbers_are_what_they_say(void **state)
{
    graft_ctx *g = context(state);
    const float a[] = {1, 2, 3, 0, -5}, b[] = {1, 2.5F, 1, 0, -4};
    graft_diff_numbers n = numbers_of(g, a, b, 5, GRAFT_F32, NULL);
    assert_int_equal(n.changed, 3);
    assert_int_equal(n.first_changed, 1);
    assert_int_equal(n.rows_changed, 3);
    assert_int_equal(n.not_finite, 0);
    assert_near(n.max_abs, 2);
    assert_near(n.max_rel, 2);
    assert_near(n.mean_abs, 3.5 / 5);
    assert_near(n.rms, sqrt((0.25 + 4 + 1) / 5));
    assert_near(n.norm_a, sqrt(39.0));
    assert_near(n.norm_b, sqrt(24.25));
    assert_near(n.cosine, 29 / sqrt(39 * 24.25));
    const float zero[5] = {0};
    n = numbers_of(g, a, zero, 5, GRAFT_F32, NULL);
    assert_true(isnan(n.cosine));
    assert_near(n.max_rel, 0);
}

static void what_is_not_finite_is_left_out(void **state)
{
    graft_ctx *g = context(state);
    const double nan = (double)NAN, inf = (double)INFINITY;
    const double a[] = {nan, inf, inf, 1, nan, 2}, b[] = {nan, inf, -inf, inf, 1, 4};
    const graft_diff_numbers n = numbers_of(g, a, b, 6, GRAFT_F64, NULL);
    assert_int_equal(n.changed, 4);
    assert_int_equal(n.not_finite, 3);
    assert_int_equal(n.first_changed, 2);
    assert_near(n.max_abs, 2);
    assert_near(n.max_rel, 0.5);
    assert_near(n.mean_abs, 2); /* of the one pair that has a difference */
    assert_near(n.norm_a, 2);
    assert_near(n.cosine, 1);
    assert_int_equal(n.max_ulps, INT64_C(1) << 52);
}

static void bits_and_tolerances(void **state)
{
    graft_ctx *g = context(state);
    const double a[] = {0.0, (double)NAN, 1, 100, (double)INFINITY};
    const double b[] = {-0.0, -(double)NAN, 1.05, 101, 1e300};
    graft_diff_numbers n = numbers_of(g, a, b, 5, GRAFT_F64, NULL);
    assert_int_equal(n.changed, 5);
    assert_int_equal(n.not_finite, 2);
    graft_diff_options o = graft_diff_defaults();
    o.atol = 0.1;
    n = numbers_of(g, a, b, 5, GRAFT_F64, &o);
    assert_int_equal(n.changed, 2);
    assert_int_equal(n.first_changed, 3);
    o.rtol = 0.01;
    n = numbers_of(g, a, b, 5, GRAFT_F64, &o);
    assert_int_equal(n.changed, 1); /* infinity is near itself alone */
    assert_near(n.max_abs, 1);
    o.only_bits = true;
    graft_diff_report *d =
        compare(one(g, a, graft_shape1(4), GRAFT_F64), one(g, b, graft_shape1(4), GRAFT_F64), &o);
    assert_true(graft_diff_is_equal(d));
    assert_false(graft_diff_numbers_of(d, 0, &n));
    o.rtol = o.atol = 0;
    assert_false(graft_diff_is_equal(
        compare(one(g, a, graft_shape1(4), GRAFT_F64), one(g, b, graft_shape1(4), GRAFT_F64), &o)));
}

static void ulps_count_values_between(void **state)
{
    graft_ctx *g = context(state);
    const float least = nextafterf(0, 1);
    const float a[] = {1, least, 0.0F}, b[] = {nextafterf(nextafterf(1, 2), 2), -least, -0.0F};
    assert_int_equal(numbers_of(g, a, b, 3, GRAFT_F32, NULL).max_ulps, 2);
    const double x[] = {-DBL_MAX}, y[] = {DBL_MAX};
    assert_int_equal(numbers_of(g, x, y, 1, GRAFT_F64, NULL).max_ulps, INT64_MAX);
    const uint16_t h[] = {0x3c00, 0x8001}, k[] = {0x3c03, 0x0001};
    assert_int_equal(numbers_of(g, h, k, 2, GRAFT_F16, NULL).max_ulps, 3);
    assert_int_equal(numbers_of(g, h, k, 2, GRAFT_BF16, NULL).max_ulps, 3);
    const int8_t i[] = {1}, j[] = {-1};
    assert_int_equal(numbers_of(g, i, j, 1, GRAFT_I8, NULL).max_ulps, -1);
}

static void large_integers_are_not_rounded_away(void **state)
{
    graft_ctx *g = context(state);
    const int64_t large = (INT64_C(1) << 53) + 1;
    const int64_t a[] = {large, INT64_MIN}, b[] = {large - 1, INT64_MAX};
    graft_diff_numbers n = numbers_of(g, a, b, 1, GRAFT_I64, NULL);
    assert_int_equal(n.changed, 1);
    assert_near(n.max_abs, 1);
    n = numbers_of(g, a, b, 2, GRAFT_I64, NULL);
    assert_near(n.max_abs, 0x1p64);
    const double d[] = {(double)(large - 1), -0x1p63};
    const uint64_t u[] = {(uint64_t)large, UINT64_C(1) << 63};
    graft_diff_report *r =
        compare(one(g, a, graft_shape1(2), GRAFT_I64), one(g, d, graft_shape1(2), GRAFT_F64), NULL);
    assert_int_equal(graft_diff_kind_of(r, 0), GRAFT_DIFF_DTYPE);
    assert_true(graft_diff_numbers_of(r, 0, &n) && n.changed == 1 && n.first_changed == 0);
    r = compare(one(g, a, graft_shape1(2), GRAFT_I64), one(g, u, graft_shape1(2), GRAFT_U64), NULL);
    assert_true(graft_diff_numbers_of(r, 0, &n) && n.changed == 1 && n.first_changed == 1);
    r = compare(one(g, d, graft_shape1(2), GRAFT_F64), one(g, u, graft_shape1(2), GRAFT_U64), NULL);
    assert_true(graft_diff_numbers_of(r, 0, &n) && n.changed == 2);
}

static void dtypes_that_are_no_numbers(void **state)
{
    graft_ctx *g = context(state);
    unsigned char a[3 * 34 * 4], b[sizeof a];
    memset(a, 7, sizeof a);
    memcpy(b, a, sizeof a);
    b[34 + 5] ^= 1;
    graft_diff_report *d = compare(one(g, a, graft_shape2(3, 128), GRAFT_Q8_0),
                                   one(g, b, graft_shape2(3, 128), GRAFT_Q8_0), NULL);
    graft_diff_numbers n;
    assert_true(graft_diff_numbers_of(d, 0, &n));
    assert_int_equal(n.changed, 32); /* all of the block */
    assert_int_equal(n.first_changed, 32);
    assert_int_equal(n.rows_changed, 1);
    assert_true(isnan(n.max_abs) && isnan(n.norm_a) && n.max_ulps == -1);
    assert_non_null(strstr(graft_diff_text(d), "32 of 384 elements in 1 row"));
    assert_null(strstr(graft_diff_text(d), "max abs"));
    n = numbers_of(g, a, b, 3, GRAFT_C128, NULL);
    assert_int_equal(n.changed, 1);
    assert_int_equal(n.first_changed, 2);
    d = compare(one(g, a, graft_shape2(3, 128), GRAFT_Q8_0),
                one(g, b, graft_shape2(3, 128), GRAFT_U8), NULL);
    assert_int_equal(graft_diff_kind_of(d, 0), GRAFT_DIFF_DTYPE);
    assert_false(graft_diff_numbers_of(d, 0, &n));
}

static void rows_are_listed(void **state)
{
    graft_ctx *g = context(state);
    enum { ROWS = 40000, COLUMNS = 3 };
    float *a = calloc(ROWS * COLUMNS, sizeof *a), *b = calloc(ROWS * COLUMNS, sizeof *b);
    assert_true(a && b);
    const int64_t row[] = {0, 2730, 2731, 19999, ROWS - 1};
    for (int i = 0; i < 5; i++)
        b[row[i] * COLUMNS + i % COLUMNS] = 1;
    b[2730 * COLUMNS + 2] = 1; /* the run ends in the middle of this row */
    graft_diff_options o = graft_diff_defaults();
    for (o.max_rows = 0; o.max_rows < 8; o.max_rows++) {
        graft_diff_report *d = compare(one(g, a, graft_shape2(ROWS, COLUMNS), GRAFT_F32),
                                       one(g, b, graft_shape2(ROWS, COLUMNS), GRAFT_F32), &o);
        graft_diff_numbers n;
        assert_true(graft_diff_numbers_of(d, 0, &n));
        assert_int_equal(n.rows_changed, 5);
        assert_int_equal(n.changed, 6);
        assert_int_equal(graft_diff_rows(d, 0), o.max_rows < 5 ? o.max_rows : 5);
        for (int64_t i = 0; i < graft_diff_rows(d, 0); i++)
            assert_int_equal(graft_diff_row(d, 0, i), row[i]);
        assert_int_equal(graft_diff_row(d, 0, graft_diff_rows(d, 0)), -1);
        graft_diff_free(d);
    }
    for (int i = 0; i < ROWS * COLUMNS; i++)
        b[i] = 2;
    o.max_rows = ROWS + 1;
    graft_diff_report *d = compare(one(g, a, graft_shape2(ROWS, COLUMNS), GRAFT_F32),
                                   one(g, b, graft_shape2(ROWS, COLUMNS), GRAFT_F32), &o);
    assert_int_equal(graft_diff_rows(d, 0), ROWS);
    for (int64_t i = 0; i < ROWS; i++)
        assert_int_equal(graft_diff_row(d, 0, i), i);
    d = compare(one(g, a, graft_shape0(), GRAFT_F32), one(g, b, graft_shape0(), GRAFT_F32), NULL);
    assert_int_equal(graft_diff_rows(d, 0), 1);
    free(a);
    free(b);
}

static void views_are_read_in_order(void **state)
{
    graft_ctx *g = context(state);
    graft_tensor *x = graft_view(graft_arange(g, 0, 12, 1, GRAFT_F32), graft_shape2(3, 4));
    graft_dict *a = graft_dict_new(g), *b = graft_dict_new(g);
    graft_dict_set_tensor(a, "t", graft_transpose(x, 0, 1));
    graft_dict_set_tensor(b, "t", graft_contiguous(graft_transpose(x, 0, 1)));
    assert_true(graft_diff_is_equal(compare(a, b, NULL)));
    graft_dict_set_tensor(b, "t", graft_view(x, graft_shape2(4, 3)));
    graft_diff_numbers n;
    assert_true(graft_diff_numbers_of(compare(a, b, NULL), 0, &n));
    assert_int_equal(n.changed, 10);
}

/* ---- Rules ---- */

static void rules_are_applied_to_a(void **state)
{
    graft_ctx *g = context(state);
    graft_tensor *x = graft_view(graft_arange(g, 0, 12, 1, GRAFT_F32), graft_shape2(3, 4));
    graft_dict *a = graft_dict_new(g), *b = graft_dict_new(g);
    graft_dict_set_tensor(a, "module.w", x);
    graft_dict_set_tensor(a, "module.half", x);
    graft_dict_set_tensor(a, "module.rows", graft_narrow(x, 0, 0, 2));
    graft_dict_set_tensor(a, "module.away", x);
    graft_dict_set_int(a, "epoch", 3);
    graft_dict_set_tensor(b, "w", graft_transpose(x, 0, 1));
    graft_dict_set_tensor(b, "half", graft_to(x, GRAFT_F16));
    graft_dict_set_tensor(b, "rows", x);
    graft_dict_set_int(b, "epoch", 3);
    graft_diff_options o = graft_diff_defaults();
    o.rules = graft_rules_parse(g, "strip module.\nskip away\ntranspose w\ncast half target\n"
                                   "resize rows new=initial\n");
    assert_no_error(g);
    graft_diff_report *d = compare(a, b, &o);
    assert_entry(d, 0, "w", GRAFT_DIFF_EQUAL, "");
    assert_entry(d, 1, "half", GRAFT_DIFF_EQUAL, "");
    assert_entry(d, 2, "rows", GRAFT_DIFF_EQUAL, "");
    assert_entry(d, 3, "epoch", GRAFT_DIFF_EQUAL, "");
    assert_int_equal(graft_diff_len(d), 4);
    o.rules = graft_rules_parse(g, "");
    assert_int_equal(graft_diff_count(compare(a, b, &o), GRAFT_DIFF_MISSING), 4);
    o.rules = graft_rules_parse(g, "map * same");
    assert_no_error(g);
    assert_null(graft_diff(a, b, &o));
    assert_error_has(g, GRAFT_ERR_NAME, "same");
}

/* ---- Threads ---- */

static void threads_change_nothing(void **state)
{
    graft_ctx *g = context(state);
    graft_manual_seed(g, 5);
    graft_dict *a = graft_dict_new(g), *b = graft_dict_new(g);
    graft_dict_set_tensor(a, "t", graft_randn(g, graft_shape2(511, 777), GRAFT_F32));
    graft_dict_set_tensor(b, "t", graft_randn(g, graft_shape2(511, 777), GRAFT_F32));
    graft_diff_numbers first = {0};
    for (int threads = 1; threads <= 4; threads++) {
        assert_int_equal(graft_set_num_threads(g, threads), GRAFT_OK);
        graft_diff_numbers n;
        memset(&n, 0, sizeof n);
        assert_true(graft_diff_numbers_of(compare(a, b, NULL), 0, &n));
        if (threads == 1)
            first = n;
        assert_memory_equal(&n, &first, sizeof n);
    }
}

/* ---- Numbers of eight bits ---- */

static double widened(uint8_t bits, graft_dtype dtype)
{
    double x;
    graft__widen(1, &bits, dtype, &x);
    return x;
}

static void eight_bits(void **unused)
{
    (void)unused;
    assert_true(widened(0x38, GRAFT_F8_E4M3FN) == 1 && widened(0x7e, GRAFT_F8_E4M3FN) == 448);
    assert_true(widened(0x01, GRAFT_F8_E4M3FN) == 0x1p-9 && isnan(widened(0xff, GRAFT_F8_E4M3FN)));
    assert_true(widened(0x3c, GRAFT_F8_E5M2) == 1 && widened(0x7b, GRAFT_F8_E5M2) == 57344);
    assert_true(isinf(widened(0xfc, GRAFT_F8_E5M2)) && isnan(widened(0x7d, GRAFT_F8_E5M2)));
    assert_true(widened(0x83, GRAFT_F8_E5M2) == -3 * 0x1p-16);
    assert_true(widened(0x40, GRAFT_F8_E4M3FNUZ) == 1 && widened(0x7f, GRAFT_F8_E4M3FNUZ) == 240);
    assert_true(isnan(widened(0x80, GRAFT_F8_E4M3FNUZ)) && isnan(widened(0x80, GRAFT_F8_E5M2FNUZ)));
    assert_true(widened(0x40, GRAFT_F8_E5M2FNUZ) == 1 && widened(0x7f, GRAFT_F8_E5M2FNUZ) == 57344);
    assert_true(widened(0x7f, GRAFT_F8_E8M0FNU) == 1 && widened(0, GRAFT_F8_E8M0FNU) == 0x1p-127);
    assert_true(isnan(widened(0xff, GRAFT_F8_E8M0FNU)) && signbit(widened(0x80, GRAFT_F8_E5M2)));
}

/* ---- What goes wrong ---- */

static void wrong_arguments(void **state)
{
    graft_ctx *g = context(state);
    graft_dict *a = graft_dict_new(g);
    graft_diff_options o = graft_diff_defaults();
    assert_null(graft_diff(NULL, a, NULL));
    assert_null(graft_diff(a, NULL, NULL));
    assert_no_error(g);
    o.rtol = (double)NAN;
    assert_null(graft_diff(a, a, &o));
    assert_error(g, GRAFT_ERR_ARGUMENT,
                 "diff: rtol nan and atol 0: expected 0 or more, and no infinity");
    o.rtol = 0;
    o.atol = -1;
    assert_null(graft_diff(a, a, &o));
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "atol -1");
    o.atol = 0;
    o.max_rows = -1;
    assert_null(graft_diff(a, a, &o));
    assert_error(g, GRAFT_ERR_ARGUMENT, "diff: max_rows -1: expected 0 or more");
    graft_dict *nested = graft_dict_new(g);
    graft_dict_set_int(nested, "b", 1);
    graft_dict_set_dict(a, "a", nested);
    graft_dict_set_int(a, "a.b", 1);
    assert_null(graft_diff(a, graft_dict_new(g), NULL));
    assert_error(g, GRAFT_ERR_NAME, "diff: a has two values of the name \"a.b\"");
    assert_null(graft_diff(graft_dict_new(g), a, NULL));
    assert_error(g, GRAFT_ERR_NAME, "diff: b has two values of the name \"a.b\"");
    assert_string_equal(graft_diff_kind_name((graft_diff_kind)77), "(no kind)");
}

typedef struct watch {
    uint64_t calls, stop_at, done, total;
} watch;

static bool follow(void *user, uint64_t done, uint64_t total)
{
    watch *w = user;
    assert_true(done >= w->done && done <= total && (w->calls == 0 || total == w->total));
    w->done = done;
    w->total = total;
    return ++w->calls != w->stop_at;
}

static void progress_and_cancel(void **state)
{
    graft_ctx *g = context(state);
    graft_dict *a = graft_dict_new(g), *b = graft_dict_new(g);
    const int64_t n = 5 << 20;
    graft_dict_set_tensor(a, "t", graft_zeros(g, graft_shape1(n), GRAFT_F32));
    graft_dict_set_tensor(b, "t", graft_ones(g, graft_shape1(n), GRAFT_F32));
    watch w = {0};
    graft_diff_options o = graft_diff_defaults();
    o.progress = follow;
    o.progress_user = &w;
    compare(a, b, &o);
    assert_true(w.calls > 3 && w.done == w.total && w.total == 8 * (uint64_t)n);
    w = (watch){0};
    o.only_bits = true;
    compare(a, b, &o);
    assert_true(w.calls == 1 && w.done == w.total);
    o.only_bits = false;
    w = (watch){.stop_at = 2};
    assert_null(graft_diff(a, b, &o));
    assert_error_has(g, GRAFT_ERR_CANCELLED, "diff: cancelled after ");
    assert_int_equal(w.calls, 2);
}

static void a_damaged_file_is_named(void **state)
{
    fixture *f = *state;
    graft_dict *d = graft_dict_new(f->g);
    graft_dict_set_tensor(d, "some.weight", graft_arange(f->g, 0, 3000, 1, GRAFT_F32));
    assert_int_equal(graft_save(f->g, f->path, d), GRAFT_OK);
    size_t size;
    unsigned char *bytes = file_get(f->path, &size);
    assert_non_null(bytes);
    const float value = 1234;
    size_t at = 0;
    while (at + 4 < size && memcmp(bytes + at, &value, 4) != 0)
        at++;
    bytes[at] ^= 1;
    file_put(f->path, bytes, size);
    free(bytes);
    assert_null(graft_diff(graft_load(f->g, f->path, NULL), d, NULL));
    assert_int_equal(graft_error_fault(f->g), GRAFT_FAULT_CHECKSUM);
    assert_non_null(strstr(graft_error(f->g), f->path));
    assert_error_has(f->g, GRAFT_ERR_FORMAT, "(\"some.weight\" of a)");
}

static void compare_without_memory(void *user, failing_allocator *allocator)
{
    graft_ctx *g = failing_allocator_open(allocator);
    if (!g)
        return;
    graft_dict *a = graft_dict_new(g), *b = graft_dict_new(g);
    graft_tensor *x = graft_ones(g, graft_shape2(3, 4), GRAFT_F32);
    const bool made =
        !graft_dict_set_tensor(a, "x", x) && !graft_dict_set_tensor(a, "y", x) &&
        !graft_dict_set_tensor(b, "x", graft_zeros(g, graft_shape2(3, 4), GRAFT_F32)) &&
        !graft_dict_set_tensor(
            b, "y", graft_transpose(graft_ones(g, graft_shape2(4, 3), GRAFT_F32), 0, 1)) &&
        !graft_dict_set_int(a, "epoch", 1) && !graft_dict_set_int(b, "epoch", 2) &&
        !graft_dict_set_int(b, "more", 2);
    graft_diff_options o = graft_diff_defaults();
    o.rules = user ? graft_rules_parse(g, "add m.\nstrip m.\ntranspose y\ntranspose y\n") : NULL;
    graft_diff_report *d = made && (o.rules || !user) ? graft_diff(a, b, &o) : NULL;
    if (d) {
        assert_int_equal(graft_diff_count(d, GRAFT_DIFF_EQUAL), user ? 1 : 0);
        assert_int_equal(graft_diff_rows(d, 0), 3);
        assert_non_null(graft_diff_text(d));
    } else {
        assert_int_equal(graft_error_status(g), GRAFT_ERR_MEMORY);
    }
    graft_close(g);
}

static void memory_may_run_out(void **unused)
{
    (void)unused;
    failing_allocator_sweep(compare_without_memory, NULL);
    int rules;
    failing_allocator_sweep(compare_without_memory, &rules);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, fixture_open, fixture_check)

/* What goes wrong in b's context is an error of a's. */
static void two_contexts(void **state)
{
    (void)state;
    failing_allocator f = {.calls = 0};
    graft_ctx *g = test_open(), *h = failing_allocator_open(&f);
    assert_non_null(h);
    const float x[] = {1, 2};
    graft_dict *a = one(g, x, graft_shape1(2), GRAFT_F32);
    graft_dict *b = one(h, x, graft_shape1(2), GRAFT_F32);
    graft_diff_report *d = compare(a, b, NULL);
    assert_true(graft_diff_is_equal(d));
    graft_diff_free(d);
    f.fail_at = f.calls + 1;
    f.keeps_on = true;
    assert_null(graft_diff(a, b, NULL));
    f.keeps_on = false;
    assert_true(f.failed);
    assert_int_equal(graft_error_status(g), GRAFT_ERR_MEMORY);
    graft_close(h);
    graft_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(every_kind),
        WITH_FIXTURE(every_kind_of_value),
        WITH_FIXTURE(ties),
        WITH_FIXTURE(numbers_are_what_they_say),
        WITH_FIXTURE(what_is_not_finite_is_left_out),
        WITH_FIXTURE(bits_and_tolerances),
        WITH_FIXTURE(ulps_count_values_between),
        WITH_FIXTURE(large_integers_are_not_rounded_away),
        WITH_FIXTURE(dtypes_that_are_no_numbers),
        WITH_FIXTURE(rows_are_listed),
        WITH_FIXTURE(views_are_read_in_order),
        WITH_FIXTURE(rules_are_applied_to_a),
        WITH_FIXTURE(threads_change_nothing),
        cmocka_unit_test(eight_bits),
        WITH_FIXTURE(wrong_arguments),
        WITH_FIXTURE(progress_and_cancel),
        WITH_FIXTURE(a_damaged_file_is_named),
        cmocka_unit_test(two_contexts),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
