#include "test.h"

#include <float.h>
#include <math.h>

#include "failing_allocator.h"
#include "graft/content.h"
#include "kernel/stats.h"
#include "tensor/dict.h"

static graft_dict *dict_of(graft_tensor *t)
{
    assert_non_null(t);
    graft_dict *d = graft_dict_new(graft_tensor_ctx(t));
    assert_int_equal(graft_dict_set_tensor(d, "x", t), GRAFT_OK);
    return d;
}

static graft_tensor_stats stats_of(graft_tensor *t)
{
    graft_tensor_stats s;
    assert_int_equal(graft_dict_stats(dict_of(t), 0, &s), GRAFT_OK);
    return s;
}

static int64_t counted(const graft_tensor_stats *s)
{
    int64_t all = 0;
    for (int i = 0; i < GRAFT_HISTOGRAM; i++)
        all += s->histogram[i];
    return all;
}

static void numbers_of_few_elements(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    const float values[] = {0, -3, INFINITY, 4, NAN, -0.0F, 5, -INFINITY};
    const graft_tensor_stats s = stats_of(test_floats(g, values, 8));
    assert_int_equal(s.elements, 8);
    assert_int_equal(s.zeros, 2);
    assert_int_equal(s.nans, 1);
    assert_int_equal(s.infinities, 2);
    assert_true(s.min == -3 && s.max == 5 && fabs(s.mean - 1.2) < 1e-15);
    assert_true(fabs(s.norm - sqrt(50)) < 1e-14);
    assert_true(fabs(s.std - sqrt(50.0 / 5 - 1.44)) < 1e-14);
    assert_int_equal(counted(&s), 5);
    assert_int_equal(s.histogram[0], 1);
    assert_int_equal(s.histogram[24], 2); /* 0 is 3 / 8 of the way */
    assert_int_equal(s.histogram[56], 1);
    assert_int_equal(s.histogram[63], 1);
    graft_close(g);
}

static void elements_that_are_all_one(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor_stats s = stats_of(graft_full(g, graft_shape2(100, 1000), 0.1, GRAFT_F64));
    assert_true(s.min == 0.1 && s.max == 0.1 && s.mean == 0.1 && s.std == 0);
    assert_int_equal(s.histogram[0], 100000);
    assert_int_equal(counted(&s), 100000);
    s = stats_of(graft_full(g, graft_shape1(7), NAN, GRAFT_F32));
    assert_true(isnan(s.min) && isnan(s.max) && isnan(s.mean) && isnan(s.std) && s.norm == 0);
    assert_int_equal(s.nans, 7);
    assert_int_equal(counted(&s), 0);
    s = stats_of(graft_zeros(g, graft_shape1(0), GRAFT_F32));
    assert_int_equal(s.elements, 0);
    assert_true(isnan(s.mean));
    s = stats_of(graft_scalar(g, -2, GRAFT_I8));
    assert_true(s.min == -2 && s.norm == 2 && s.histogram[0] == 1);
    graft_close(g);
}

/* A mean far from zero, and more elements than one chunk. */
static void many_elements_keep_their_digits(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    const int64_t n = 300000;
    graft_tensor *t = graft_empty(g, graft_shape1(n), GRAFT_F64);
    double *x = graft_data_mut(t);
    for (int64_t i = 0; i < n; i++)
        x[i] = 1e9 + (double)i;
    const graft_tensor_stats s = stats_of(t);
    const double mean = 1e9 + (double)(n - 1) / 2;
    const double std = sqrt(((double)n * (double)n - 1) / 12);
    assert_true(fabs(s.mean - mean) < 1e-14 * mean);
    assert_true(fabs(s.std - std) < 1e-12 * std);
    assert_int_equal(counted(&s), n);
    for (int i = 0; i < GRAFT_HISTOGRAM; i++)
        assert_in_range(s.histogram[i], n / GRAFT_HISTOGRAM, n / GRAFT_HISTOGRAM + 1);
    graft_close(g);
}

static void the_whole_range_of_doubles(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    const double wide[] = {-DBL_MAX, 0, DBL_MAX};
    graft_tensor_stats s = stats_of(graft_from_data(g, wide, graft_shape1(3), GRAFT_F64));
    assert_true(s.min == -DBL_MAX && s.max == DBL_MAX);
    assert_true(s.histogram[0] == 1 && s.histogram[32] == 1 && s.histogram[63] == 1);
    const double tiny[] = {0, 0x1p-1074, 0x1p-1070};
    s = stats_of(graft_from_data(g, tiny, graft_shape1(3), GRAFT_F64));
    assert_true(s.max == 0x1p-1070);
    assert_int_equal(counted(&s), 3);
    assert_int_equal(s.histogram[63], 1);
    graft_close(g);
}

static void what_has_no_numbers_is_refused(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor_stats s;
    graft_dict *d = dict_of(graft_zeros(g, graft_shape1(3), GRAFT_F32));
    assert_int_equal(graft_dict_set_int(d, "n", 3), GRAFT_OK);
    const int64_t size[] = {4};
    graft_tensor *complex = graft__result(graft__tensor_carried(g, "test", 1, size, GRAFT_C64));
    assert_int_equal(graft_dict_set_tensor(d, "z", complex), GRAFT_OK);
    assert_int_equal(graft_dict_stats(d, 1, &s), GRAFT_ERR_ARGUMENT);
    assert_error(g, GRAFT_ERR_ARGUMENT, "dict_stats: 'n' is no tensor");
    assert_int_equal(graft_dict_stats(d, 2, &s), GRAFT_ERR_ARGUMENT);
    assert_error(g, GRAFT_ERR_ARGUMENT,
                 "dict_stats: 'z' is complex64, whose elements are no real numbers");
    for (int64_t i = -1; i < 5; i += 4) {
        assert_int_equal(graft_dict_stats(d, i, &s), GRAFT_ERR_ARGUMENT);
        assert_error_has(g, GRAFT_ERR_ARGUMENT, "of a dict that has 3");
    }
    char text[GRAFT_HASH_TEXT];
    assert_int_equal(graft_tensor_hash(d, 1, text), GRAFT_ERR_ARGUMENT);
    assert_error(g, GRAFT_ERR_ARGUMENT, "tensor_hash: 'n' is no tensor");
    assert_int_equal(graft_dict_stats(NULL, 0, &s), GRAFT_ERR_ARGUMENT);
    graft_close(g);
}

static void hashes_of_one_and_of_all(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    char one[GRAFT_HASH_TEXT], all[GRAFT_HASH_TEXT], again[GRAFT_HASH_TEXT];
    graft_dict *d = dict_of(graft_from_data(g, "abc", graft_shape1(3), GRAFT_U8));
    if (graft_tensor_hash(d, 0, one) != GRAFT_OK) {
        assert_error_has(g, GRAFT_ERR_ARGUMENT, "nettle");
        graft_close(g);
        skip();
    }
    assert_string_equal(one, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(graft_content_hash(d, all), GRAFT_OK);
    assert_string_not_equal(one, all);
    graft_dict *same = dict_of(graft_from_data(g, "abc", graft_shape1(3), GRAFT_U8));
    assert_int_equal(graft_content_hash(same, again), GRAFT_OK);
    assert_string_equal(all, again);

    /* Of many tensors and long ones: as one after the other. */
    for (int i = 0; i < 40; i++) {
        char name[8] = {'t', (char)('a' + i % 26), (char)('a' + i / 26)};
        const int64_t rows = i % 7 == 0 ? 300 : i;
        graft_tensor *t = graft_full(g, graft_shape2(rows, 1000), i, GRAFT_F32);
        if (i % 3 == 0 && rows > 4)
            t = graft_narrow(t, 1, 3, 500);
        assert_int_equal(graft_dict_set_tensor(d, name, t), GRAFT_OK);
    }
    assert_int_equal(graft_content_hash(d, all), GRAFT_OK);
    graft_dict *back = graft_dict_new(g); /* in another order, and packed */
    for (int64_t i = graft_dict_len(d); i-- > 0;)
        assert_int_equal(graft_dict_set_tensor(back, graft_dict_key(d, i),
                                               graft_contiguous(graft_dict_tensor_at(d, i))),
                         GRAFT_OK);
    assert_int_equal(graft_content_hash(back, again), GRAFT_OK);
    assert_string_equal(all, again);
    assert_no_error(g);
    graft_close(g);
}

static void without_memory(void *user, failing_allocator *a)
{
    (void)user;
    graft_ctx *g = failing_allocator_open(a);
    graft_tensor *t = g ? graft_zeros(g, graft_shape2(30, 10), GRAFT_F32) : NULL;
    t = t ? graft_narrow(t, 1, 2, 5) : NULL;
    graft_dict *d = t ? graft_dict_new(g) : NULL;
    graft_tensor_stats s;
    char text[GRAFT_HASH_TEXT];
    bool good = d && graft_dict_set_tensor(d, "x", t) == GRAFT_OK;
    good = good && graft_dict_stats(d, 0, &s) == GRAFT_OK;
    if (good && graft_tensor_hash(d, 0, text) == GRAFT_OK)
        good = graft_content_hash(d, text) == GRAFT_OK;
    assert_true(good || a->failed);
    if (g)
        graft_close(g);
}

static void lack_of_memory_is_told(void **state)
{
    (void)state;
    failing_allocator_sweep(without_memory, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_of_few_elements),
        cmocka_unit_test(elements_that_are_all_one),
        cmocka_unit_test(many_elements_keep_their_digits),
        cmocka_unit_test(the_whole_range_of_doubles),
        cmocka_unit_test(what_has_no_numbers_is_refused),
        cmocka_unit_test(hashes_of_one_and_of_all),
        cmocka_unit_test(lack_of_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
