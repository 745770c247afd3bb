/* Softmax and cross entropy by the kernels of every kind of processor that this machine can be: the
 * library's own are replaced by those below, which take the kind that the test says. */
#include "kernel/target.h"

static int kind; /* never beyond what the machine is */
#define graft__processor() kind
#include "kernel/softmax_kernels.c"
#undef graft__processor

#include "test.h"

static graft_tensor *leaf(graft_tensor *t)
{
    graft_tensor *own = graft_set_requires_grad(graft_copy(t), true);
    assert_non_null(own);
    return own;
}

/* Elements of [outer, n, inner] lanes, in C order. */
typedef struct lanes {
    int64_t outer, n, inner;
} lanes;

/* By the definition, in double: p, log p and the loss of each lane against its target. */
static void define(const lanes *l, const double *x, const int64_t *target, double *p, double *log_p,
                   double *loss)
{
    for (int64_t i = 0; i < l->outer * l->inner; i++) {
        const int64_t first = i / l->inner * l->n * l->inner + i % l->inner;
        double most = x[first], sum = 0;
        for (int64_t k = 0; k < l->n; k++)
            most = fmax(most, x[first + k * l->inner]);
        for (int64_t k = 0; k < l->n; k++)
            sum += exp(x[first + k * l->inner] - most);
        for (int64_t k = 0; k < l->n; k++) {
            const int64_t at = first + k * l->inner;
            log_p[at] = x[at] - most - log(sum);
            p[at] = exp(log_p[at]);
        }
        loss[i] = -log_p[first + target[i] * l->inner];
    }
}

static void assert_near(const graft_tensor *t, const double *want, double tolerance)
{
    assert_non_null(t);
    const int64_t n = graft_numel(t);
    double *got = malloc((size_t)n * sizeof *got);
    assert_non_null(got);
    assert_int_equal(graft_copy_out(t, got, (size_t)n * sizeof *got, GRAFT_F64), GRAFT_OK);
    for (int64_t i = 0; i < n; i++)
        if (!(fabs(got[i] - want[i]) <= tolerance * (1 + fabs(want[i]))))
            fail_msg("kind %d, element %lld is %.17g, expected %.17g", kind, (long long)i, got[i],
                     want[i]);
    free(got);
}

/* (p - onehot) / lanes, twice that if it was added to */
static void assert_gradient(const lanes *l, const graft_tensor *grad, const double *p,
                            const int64_t *target, double times, double tolerance)
{
    const int64_t count = l->outer * l->inner;
    double *want = malloc((size_t)(count * l->n) * sizeof *want);
    assert_non_null(want);
    for (int64_t i = 0; i < count * l->n; i++)
        want[i] = times * p[i] / (double)count;
    for (int64_t i = 0; i < count; i++) {
        const int64_t first = i / l->inner * l->n * l->inner + i % l->inner;
        want[first + target[i] * l->inner] -= times / (double)count;
    }
    assert_near(grad, want, tolerance);
    free(want);
}

static void check(graft_ctx *g, const lanes *l, graft_dtype dtype)
{
    const double tolerance = dtype == GRAFT_F32 ? 3e-6 : 1e-13;
    const int64_t count = l->outer * l->inner, n = count * l->n;
    const graft_shape shape = graft_shape3(l->outer, l->n, l->inner);
    graft_tensor *x = leaf(graft_randn(g, shape, dtype));
    graft_tensor *t = graft_randint(g, 0, l->n, graft_shape2(l->outer, l->inner), GRAFT_I64);
    double *v = malloc((size_t)(3 * n + count) * sizeof *v), *p = v + n, *log_p = p + n;
    double *loss = log_p + n;
    assert_non_null(v);
    assert_int_equal(graft_copy_out(x, v, (size_t)n * sizeof *v, GRAFT_F64), GRAFT_OK);
    define(l, v, graft_data(t), p, log_p, loss);
    assert_near(graft_softmax(x, 1), p, tolerance);
    assert_near(graft_log_softmax(x, 1), log_p, tolerance);
    graft_loss_options o = graft_loss_defaults();
    o.reduction = GRAFT_REDUCTION_NONE;
    assert_near(graft_cross_entropy_with(x, t, &o), loss, tolerance);
    if (l->inner == 1) { /* [N, C]: the way of most trainings */
        graft_tensor *flat = graft_view(x, graft_shape2(l->outer, l->n));
        graft_tensor *classes = graft_view(t, graft_shape1(l->outer));
        graft_backward(graft_cross_entropy(flat, classes));
        assert_gradient(l, graft_grad(x), p, graft_data(t), 1, tolerance);
    } else {
        graft_backward(graft_cross_entropy(x, t));
    }
    graft_backward(graft_cross_entropy(x, t));
    assert_gradient(l, graft_grad(x), p, graft_data(t), 2, tolerance);
    graft_backward(graft_nll_loss(graft_log_softmax(x, 1), t, NULL));
    assert_gradient(l, graft_grad(x), p, graft_data(t), 3, tolerance);
    free(v);
}

static void every_kind_agrees_with_the_definition(void **state)
{
    (void)state;
    const lanes all[] = {{1, 1, 1},   {7, 1, 1},    {16, 2, 1},   {33, 2, 1},
                         {9, 3, 1},   {20, 10, 1},  {31, 32, 1},  {6, 33, 1},
                         {3, 600, 1}, {2, 1100, 1}, {2, 2500, 1}, {400, 20, 1},
                         {2, 5, 3},   {1, 700, 2},  {3, 4, 300},  {2, 40, 65}};
    const int best = graft__processor();
    graft_ctx *g = test_open();
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (int k = 0; k <= best; k++) {
            kind = k;
            graft_scope_begin(g);
            check(g, &all[i], GRAFT_F32);
            check(g, &all[i], GRAFT_F64);
            assert_no_error(g);
            graft_scope_end(g);
        }
    graft_close(g);
}

int main(void)
{
    kind = graft__processor();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_agrees_with_the_definition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
