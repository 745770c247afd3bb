/* Maxima by the kernels of every kind of processor that this machine can be: the library's own are
 * replaced by those below, which take the kind that the test says. */
#include "kernel/target.h"

static int kind; /* never beyond what the machine is */
#define graft__processor() kind
#include "kernel/reduce_max.c"
#undef graft__processor

#include "layouts.h"
#include "test.h"

static graft_tensor *drawn(graft_ctx *g, int64_t rows, int64_t cols, graft_dtype dtype)
{
    graft_tensor *t = graft_to(graft_randint(g, 0, 9, graft_shape2(rows, cols), GRAFT_I64), dtype);
    if (graft_dtype_is_floating(dtype) && cols % 3 == 0)
        graft_fill_(graft_narrow(graft_narrow(t, 0, rows / 2, 1), 1, cols / 3, cols / 3), NAN);
    return t;
}

/* The elements one by one: the largest of each column and where it is first. */
static void assert_columns(graft_tensor *t, graft_tensor *max, graft_tensor *where)
{
    const graft_shape s = graft_tensor_shape(t);
    double *x = malloc((size_t)(s.size[0] * s.size[1]) * sizeof *x);
    double *most = malloc((size_t)s.size[1] * sizeof *most);
    double *at = malloc((size_t)s.size[1] * sizeof *at);
    assert_true(x && most && at);
    assert_int_equal(graft_copy_out(t, x, (size_t)(s.size[0] * s.size[1]) * sizeof *x, GRAFT_F64),
                     GRAFT_OK);
    for (int64_t c = 0; c < s.size[1]; c++) {
        most[c] = x[c];
        at[c] = 0;
        for (int64_t r = 1; r < s.size[0]; r++) {
            const double next = x[r * s.size[1] + c];
            if (next > most[c] || (isnan(next) && !isnan(most[c]))) {
                most[c] = next;
                at[c] = (double)r;
            }
        }
    }
    assert_elements(max, most, s.size[1]);
    assert_elements(where, at, s.size[1]);
    free(x);
    free(most);
    free(at);
}

static void every_kind_finds_the_same(void **state)
{
    (void)state;
    const int64_t sizes[] = {1, 2, 3, 7, 8, 9, 16, 17, 31, 33, 64, 66, 130, 300};
    const graft_dtype dtypes[] = {GRAFT_F32, GRAFT_F64, GRAFT_I64, GRAFT_I32,
                                  GRAFT_I16, GRAFT_I8,  GRAFT_U8};
    const int n = sizeof sizes / sizeof *sizes, best = graft__processor();
    graft_ctx *g = test_open();
    for (int i = 0; i < n * n; i++)
        for (int d = 0; d < 7; d++) {
            graft_scope_begin(g);
            graft_tensor *t = drawn(g, sizes[i / n], sizes[i % n], dtypes[d]);
            for (int layout = 0; layout < LAYOUTS; layout++)
                for (int k = 0; k <= (d < 2 ? best : 0); k++) {
                    kind = k;
                    graft_tensor *v = view_of(t, layout);
                    assert_columns(v, graft_max_dims(v, graft_shape1(0), false),
                                   graft_argmax(v, 0, false));
                    assert_columns(graft_transpose(v, 0, 1),
                                   graft_max_dims(v, graft_shape1(1), false),
                                   graft_argmax(v, 1, false));
                    if (layout == 0)
                        assert_columns(graft_view(t, graft_shape2(-1, 1)), graft_max(t),
                                       graft_argmax(graft_view(t, graft_shape1(-1)), 0, false));
                }
            assert_no_error(g);
            graft_scope_end(g);
        }
    graft_close(g);
}

int main(void)
{
    kind = graft__processor();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_finds_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
