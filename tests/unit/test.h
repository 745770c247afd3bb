/* What unit tests share: cmocka, a context, and checks that print what they met. */
#ifndef TESTS_UNIT_TEST_H
#define TESTS_UNIT_TEST_H

/* cmocka wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "graft/graft.h"

/* A context with the defaults; without a cache where GRAFT_TEST_NO_CACHE is set, so that valgrind
 * sees each block freed. */
static inline graft_ctx *test_open(void)
{
    graft_options o = graft_options_defaults();
    if (getenv("GRAFT_TEST_NO_CACHE"))
        o.cache_limit = 0;
    graft_ctx *g = graft_open(&o);
    assert_non_null(g);
    return g;
}

/* Whether to take a part of the cases only: set for valgrind, which is slow. */
static inline bool test_quick(void)
{
    return getenv("GRAFT_TEST_QUICK") != NULL;
}

/* That the context holds exactly this error, and forgets it. */
static inline void assert_error(graft_ctx *g, graft_status status, const char *text)
{
    assert_int_equal(graft_error_status(g), status);
    assert_string_equal(graft_error(g), text);
    graft_clear_error(g);
}

/* That the context holds an error of that status whose text contains a part, and forgets it. */
static inline void assert_error_has(graft_ctx *g, graft_status status, const char *part)
{
    assert_int_equal(graft_error_status(g), status);
    if (!strstr(graft_error(g), part))
        fail_msg("'%s' does not contain '%s'", graft_error(g), part);
    graft_clear_error(g);
}

/* That there is no error. */
static inline void assert_no_error(graft_ctx *g)
{
    if (graft_error(g))
        fail_msg("unexpected error: %s", graft_error(g));
}

/* A tensor of n floats, shape [n]. */
static inline graft_tensor *test_floats(graft_ctx *g, const float *values, int64_t n)
{
    return graft_from_data(g, values, graft_shape1(n), GRAFT_F32);
}

/* That t has exactly these n elements in C order, as doubles. */
static inline void assert_elements(const graft_tensor *t, const double *expected, int64_t n)
{
    assert_non_null(t);
    assert_int_equal(graft_numel(t), n);
    double *got = malloc((size_t)(n ? n : 1) * sizeof *got);
    assert_non_null(got);
    assert_int_equal(graft_copy_out(t, got, (size_t)n * sizeof *got, GRAFT_F64), GRAFT_OK);
    for (int64_t i = 0; i < n; i++)
        if (!(got[i] == expected[i] || (got[i] != got[i] && expected[i] != expected[i])))
            fail_msg("element %lld is %.17g, expected %.17g", (long long)i, got[i], expected[i]);
    free(got);
}

#endif
