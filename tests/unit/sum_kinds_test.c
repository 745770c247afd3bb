/* Sums by the kernels of every kind of processor that this machine can be: the library's own are
 * replaced by those below, which take the kind that the test says. */
#include "kernel/target.h"

static int kind; /* never beyond what the machine is */
#define graft__processor() kind
#include "kernel/reduce_sum.c"
#undef graft__processor

#include "layouts.h"
#include "test.h"

/* Whole numbers, so that every order of summation gives the same. */
static void every_kind_sums_alike(void **state)
{
    (void)state;
    const int64_t sizes[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 70, 300};
    const int n = sizeof sizes / sizeof *sizes, best = graft__processor();
    graft_ctx *g = test_open();
    for (int i = 0; i < n * n; i++)
        for (int d = 0; d < 2; d++) {
            graft_scope_begin(g);
            graft_tensor *t = graft_randint(g, -99, 99, graft_shape2(sizes[i / n], sizes[i % n]),
                                            d ? GRAFT_F64 : GRAFT_F32);
            graft_tensor *whole = graft_to(t, GRAFT_I64);
            for (int layout = 0; layout < LAYOUTS; layout++)
                for (int dim = 0; dim < 3; dim++) {
                    const graft_shape dims = dim == 2 ? graft_shape0() : graft_shape1(dim);
                    graft_tensor *want = graft_sum_dims(view_of(whole, layout), dims, false);
                    for (int k = 0; k <= best; k++) {
                        kind = k;
                        assert_true(
                            graft_equal(graft_sum_dims(view_of(t, layout), dims, false), want));
                    }
                }
            assert_no_error(g);
            graft_scope_end(g);
        }
    graft_close(g);
}

/* The gradient of a bias goes another way where the matrix is small. */
static void every_kind_adds_rows_alike(void **state)
{
    (void)state;
    const int best = graft__processor();
    for (int64_t rows = 0; rows < 200; rows += rows < 10 ? 1 : 37)
        for (int64_t cols = 1; cols < 300; cols += cols < 40 ? 1 : 51)
            for (int k = 0; k <= best; k++) {
                kind = k;
                float x[200 * 300], sum[300];
                for (int64_t i = 0; i < rows * cols; i++)
                    x[i] = (float)(i % 101 - 50);
                for (int64_t i = 0; i < cols; i++)
                    sum[i] = (float)i;
                graft__sum_rows(NULL, GRAFT_F32, rows, cols, x, cols, sum, 1);
                for (int64_t i = 0; i < cols; i++) {
                    float want = (float)i;
                    for (int64_t r = 0; r < rows; r++)
                        want += x[r * cols + i];
                    assert_true(sum[i] == want);
                }
            }
}

int main(void)
{
    kind = graft__processor();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_sums_alike),
        cmocka_unit_test(every_kind_adds_rows_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
