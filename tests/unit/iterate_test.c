/* The iterator: every element is met once, whatever the layout and the number of threads. */
#include <stdlib.h>
#include <string.h>

#include "test.h"

#include "kernel/iterate.h"

enum { ROOM = 1 << 20 };

typedef struct seen {
    int64_t calls, elements, longest;
} seen;

/* dst += a * 1000 + b: wrong if an element is met twice. The counts need one thread. */
static void combine(int64_t n, char *const *p, const int64_t *step, const void *arg)
{
    if (n <= 0)
        abort(); /* a failed assertion must not jump out of a thread */
    seen *const *s = arg;
    if (*s) {
        (*s)->calls++;
        (*s)->elements += n;
        (*s)->longest = n > (*s)->longest ? n : (*s)->longest;
    }
    for (int64_t i = 0; i < n; i++) {
        const double a = *(const double *)(p[1] + i * step[1]);
        const float b = *(const float *)(p[2] + i * step[2]);
        *(double *)(p[0] + i * step[0]) += a * 1000 + (double)b;
    }
}

static graft__array array_of(void *data, graft_dtype dtype, int ndim, const int64_t *size,
                             const int64_t *stride)
{
    graft__array a = {.data = data, .dtype = dtype, .ndim = ndim};
    memcpy(a.size, size, (size_t)ndim * sizeof size[0]);
    memcpy(a.stride, stride, (size_t)ndim * sizeof stride[0]);
    return a;
}

static int64_t place(const graft__array *x, int64_t index)
{
    int64_t at = 0;
    for (int d = x->ndim - 1; d >= 0; d--) {
        at += index % x->size[d] * x->stride[d];
        index /= x->size[d];
    }
    return at;
}

static int64_t numel(const graft__array *x)
{
    int64_t n = 1;
    for (int d = 0; d < x->ndim; d++)
        n *= x->size[d];
    return n;
}

typedef struct memory {
    double dst[ROOM], a[ROOM];
    float b[ROOM];
} memory;

static memory *memory_new(void)
{
    memory *m = calloc(1, sizeof *m);
    assert_non_null(m);
    for (int i = 0; i < ROOM; i++) {
        m->a[i] = i % 977;
        m->b[i] = (float)(i % 1009);
    }
    return m;
}

/* Walks the three arrays and checks each element of dst, and that nothing else was written. */
static seen check(memory *m, graft__pool *pool, int ndim, const int64_t *size, const int64_t *s0,
                  const int64_t *s1, const int64_t *s2, bool count)
{
    seen s = {0}, *counted = count ? &s : NULL;
    memset(m->dst, 0, sizeof m->dst);
    const graft__array dst = array_of(m->dst, GRAFT_F64, ndim, size, s0);
    const graft__array a = array_of(m->a, GRAFT_F64, ndim, size, s1);
    const graft__array b = array_of(m->b, GRAFT_F32, ndim, size, s2);
    const graft__array *const all[] = {&dst, &a, &b};
    graft__iterate(pool, 3, all, 1, combine, &counted);
    double sum = 0, expected_sum = 0;
    for (int64_t i = 0; i < numel(&dst); i++) {
        const double expected = m->a[place(&a, i)] * 1000 + (double)m->b[place(&b, i)];
        if (m->dst[place(&dst, i)] != expected)
            fail_msg("element %lld is %g, expected %g", (long long)i, m->dst[place(&dst, i)],
                     expected);
        expected_sum += expected;
    }
    for (int i = 0; i < ROOM; i++)
        sum += m->dst[i];
    assert_true(sum == expected_sum);
    return s;
}

#define SIZES(...) ((const int64_t[]){__VA_ARGS__})

static void contiguous_arrays_are_one_run(void **state)
{
    memory *m = *state;
    seen s =
        check(m, NULL, 3, SIZES(4, 5, 6), SIZES(30, 6, 1), SIZES(30, 6, 1), SIZES(30, 6, 1), true);
    assert_int_equal(s.calls, 1);
    assert_int_equal(s.elements, 120);
    s = check(m, NULL, 0, SIZES(0), SIZES(0), SIZES(0), SIZES(0), true);
    assert_int_equal(s.calls, 1);
    assert_int_equal(s.elements, 1);
    /* strides of dimensions of size 1 do not matter */
    s = check(m, NULL, 3, SIZES(1, 5, 1), SIZES(77, 1, 3), SIZES(5, 1, 1), SIZES(0, 1, 0), true);
    assert_int_equal(s.calls, 1);
}

static void an_empty_shape_calls_nothing(void **state)
{
    memory *m = *state;
    seen s =
        check(m, NULL, 3, SIZES(4, 0, 6), SIZES(6, 6, 1), SIZES(6, 6, 1), SIZES(1, 6, 1), true);
    assert_int_equal(s.calls, 0);
    s = check(m, NULL, 1, SIZES(0), SIZES(1), SIZES(1), SIZES(1), true);
    assert_int_equal(s.calls, 0);
}

static void dimensions_are_joined_and_ordered(void **state)
{
    memory *m = *state;
    /* all transposed alike: one run */
    seen s = check(m, NULL, 2, SIZES(6, 7), SIZES(1, 6), SIZES(1, 6), SIZES(1, 6), true);
    assert_int_equal(s.calls, 1);
    /* a scalar beside two contiguous ones: one run */
    s = check(m, NULL, 2, SIZES(6, 7), SIZES(7, 1), SIZES(7, 1), SIZES(0, 0), true);
    assert_int_equal(s.calls, 1);
    /* one transposed: runs along what is written */
    s = check(m, NULL, 2, SIZES(6, 7), SIZES(7, 1), SIZES(1, 6), SIZES(7, 1), true);
    assert_int_equal(s.calls, 6);
    assert_int_equal(s.longest, 7);
    /* a row repeated */
    s = check(m, NULL, 3, SIZES(2, 3, 8), SIZES(24, 8, 1), SIZES(24, 8, 1), SIZES(0, 0, 1), true);
    assert_int_equal(s.calls, 6);
    assert_int_equal(s.longest, 8);
    /* a column repeated: the outer two dimensions join */
    s = check(m, NULL, 3, SIZES(2, 3, 8), SIZES(24, 8, 1), SIZES(24, 8, 1), SIZES(3, 1, 0), true);
    assert_int_equal(s.calls, 6);
}

static void eight_dimensions_that_do_not_join(void **state)
{
    memory *m = *state;
    int64_t size[8], s0[8], s1[8], s2[8], step = 1;
    for (int d = 7; d >= 0; d--) {
        size[d] = 2 + d % 2;
        s0[d] = step;
        step *= size[d] + 1; /* gaps */
    }
    step = 1;
    for (int d = 0; d < 8; d++) { /* the reverse order */
        s1[d] = step;
        step *= size[d];
    }
    for (int d = 0; d < 8; d++)
        s2[d] = d % 3 == 0 ? 0 : s1[d] + d;
    const seen s = check(m, NULL, 8, size, s0, s1, s2, true);
    assert_int_equal(s.elements, 1296);
}

/* Shapes large enough to be split, in layouts that are one run and ones that are many. */
static void threads_meet_every_element_once(void **state)
{
    memory *m = *state;
    for (int threads = 1; threads <= 5; threads++) {
        graft__pool *pool = graft__pool_new(NULL, threads);
        assert_non_null(pool);
        check(m, pool, 1, SIZES(300007), SIZES(1), SIZES(1), SIZES(1), false);
        check(m, pool, 1, SIZES(300007), SIZES(3), SIZES(1), SIZES(0), false);
        check(m, pool, 2, SIZES(501, 601), SIZES(601, 1), SIZES(1, 501), SIZES(601, 1), false);
        check(m, pool, 3, SIZES(70, 71, 72), SIZES(71 * 72, 72, 1), SIZES(1, 70, 70 * 71),
              SIZES(0, 1, 0), false);
        check(m, pool, 2, SIZES(100000, 3), SIZES(3, 1), SIZES(3, 1), SIZES(0, 1), false);
        graft__pool_free(pool);
    }
}

static void flat_runs_are_split_too(void **state)
{
    memory *m = *state;
    graft__pool *pool = graft__pool_new(NULL, 3);
    seen *none = NULL;
    memset(m->dst, 0, sizeof m->dst);
    char *const p[] = {(char *)m->dst, (char *)m->a, (char *)m->b};
    const int64_t step[] = {sizeof(double), sizeof(double), 0};
    graft__iterate_flat(pool, 3, p, step, 200001, 10, combine, &none);
    for (int i = 0; i < ROOM; i++)
        assert_true(m->dst[i] == (i < 200001 ? m->a[i] * 1000 : 0));
    graft__iterate_flat(pool, 3, p, step, 0, 1, combine, &none);
    graft__pool_free(pool);
}

/* With one thread an array that repeats may be written: it takes every element in turn. */
static void sums_into_a_repeated_place(void **state)
{
    memory *m = *state;
    seen *none = NULL;
    m->dst[0] = 0;
    const graft__array dst = array_of(m->dst, GRAFT_F64, 2, SIZES(100, 50), SIZES(0, 0));
    const graft__array a = array_of(m->a, GRAFT_F64, 2, SIZES(100, 50), SIZES(0, 1));
    const graft__array b = array_of(m->b, GRAFT_F32, 2, SIZES(100, 50), SIZES(0, 0));
    const graft__array *const all[] = {&dst, &a, &b};
    graft__iterate(NULL, 3, all, 1, combine, &none);
    assert_true(m->dst[0] == 100 * 1000 * (49 * 50 / 2));
}

static int set_up(void **state)
{
    *state = memory_new();
    return 0;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contiguous_arrays_are_one_run),
        cmocka_unit_test(an_empty_shape_calls_nothing),
        cmocka_unit_test(dimensions_are_joined_and_ordered),
        cmocka_unit_test(eight_dimensions_that_do_not_join),
        cmocka_unit_test(threads_meet_every_element_once),
        cmocka_unit_test(flat_runs_are_split_too),
        cmocka_unit_test(sums_into_a_repeated_place),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
