/* Products, reductions, softmax, losses and dropout with an allocator that fails: nothing crashes,
 * nothing leaks, and the context says that memory ran out. */
#include "failing_allocator.h"
#include "test.h"

typedef graft_tensor *function(graft_tensor *x, graft_tensor *y);

static graft_tensor *turned(graft_tensor *x)
{
    return graft_transpose(x, 0, 1);
}

/* Matrices without contiguous rows or columns: they are copied. */
static graft_tensor *stepped(graft_tensor *x)
{
    return graft_select(graft_unsqueeze(graft_expand(x, graft_shape3(2, 6, 6)), 3), 3, 0);
}

static graft_tensor *product(graft_tensor *x, graft_tensor *y)
{
    return graft_matmul(stepped(x), turned(y));
}

static graft_tensor *product_of_copies(graft_tensor *x, graft_tensor *y)
{
    graft_tensor *row = graft_expand(graft_narrow(y, 0, 0, 1), graft_shape2(6, 6));
    return graft_matmul(graft_permute(stepped(x), (graft_shape){3, {1, 2, 0}}),
                        graft_narrow(row, 0, 0, 2));
}

static graft_tensor *linear(graft_tensor *x, graft_tensor *y)
{
    graft_tensor *bias = graft_select(y, 1, 2);
    return bias ? graft_f_linear(turned(x), turned(y), bias) : NULL;
}

static graft_tensor *linear_of_copies(graft_tensor *x, graft_tensor *y)
{
    graft_tensor *row = graft_expand(graft_narrow(y, 0, 0, 1), graft_shape2(6, 6));
    graft_tensor *bias = graft_select(y, 1, 2);
    graft_tensor *input = graft_permute(stepped(x), (graft_shape){3, {1, 0, 2}});
    return bias ? graft_f_linear(input, turned(row), bias) : NULL; /* no bias is no error */
}

static graft_tensor *half_product(graft_tensor *x, graft_tensor *y)
{
    return graft_to(graft_matmul(graft_to(x, GRAFT_F16), y), GRAFT_F32);
}

static graft_tensor *reductions(graft_tensor *x, graft_tensor *y)
{
    graft_tensor *sum = graft_sum_dims(turned(x), graft_shape1(1), true);
    return graft_add(graft_mul(sum, graft_mean(y)), graft_max_dims(y, graft_shape1(0), false));
}

static graft_tensor *softmaxes(graft_tensor *x, graft_tensor *y)
{
    return graft_matmul(graft_softmax(turned(x), 1), graft_log_softmax(y, 0));
}

static graft_tensor *classes(graft_tensor *x)
{
    const int64_t pairs[6][2] = {{0, 9}, {5, 9}, {-100, 9}, {2, 9}, {2, 9}, {1, 9}};
    return graft_select(graft_from_data(graft_tensor_ctx(x), pairs, graft_shape2(6, 2), GRAFT_I64),
                        1, 0);
}

static graft_tensor *class_losses(graft_tensor *x, graft_tensor *y)
{
    graft_loss_options o = graft_loss_defaults();
    graft_tensor *target = graft_to(graft_to(classes(x), GRAFT_I32), GRAFT_I64);
    graft_tensor *plain = graft_cross_entropy(turned(x), target);
    o.label_smoothing = 0.1;
    o.weight = graft_select(graft_detach(y), 1, 0);
    if (!o.weight)
        return NULL;
    o.reduction = GRAFT_REDUCTION_NONE;
    graft_tensor *smooth = graft_cross_entropy_with(y, target, &o);
    o.label_smoothing = 0;
    return graft_add(plain, graft_add(smooth, graft_nll_loss(turned(y), target, &o)));
}

static graft_tensor *mse(graft_tensor *x, graft_tensor *y)
{
    return graft_mse_loss(turned(x), y, GRAFT_REDUCTION_MEAN);
}

static graft_tensor *dropped(graft_tensor *x, graft_tensor *y)
{
    return graft_add(graft_dropout(turned(x), 0.5, true), graft_dropout(y, 1, true));
}

static function *const functions[] = {
    product,   product_of_copies, linear, linear_of_copies, half_product, reductions,
    softmaxes, class_losses,      mse,    dropped};

static void run(void *user, failing_allocator *f)
{
    function *fn = *(function *const *)user;
    const failing_allocator plan = *f;
    f->fail_at = 0;
    graft_ctx *g = failing_allocator_open(f);
    assert_non_null(g);
    graft_tensor *x = graft_set_requires_grad(graft_rand(g, graft_shape2(6, 6), GRAFT_F32), true);
    graft_tensor *y = graft_set_requires_grad(graft_rand(g, graft_shape2(6, 6), GRAFT_F32), true);
    assert_no_error(g);

    f->fail_at = f->calls + plan.fail_at;
    f->keeps_on = plan.keeps_on;
    graft_status status = graft_scope_begin(g);
    const bool open = status == GRAFT_OK;
    graft_tensor *z = fn(x, y);
    status = z ? graft_backward(graft_sum(graft_mul(z, z))) : GRAFT_ERR_MEMORY;
    graft_no_grad_begin(g);
    const graft_tensor *again = fn(x, y);
    graft_no_grad_end(g);
    const bool ok = open && status == GRAFT_OK && again;
    assert_true(ok || f->failed); /* a product does without its scratch memory */
    assert_int_equal(graft_error_status(g), ok ? GRAFT_OK : GRAFT_ERR_MEMORY);
    if (ok)
        assert_true(graft_grad(x) && graft_grad(y));
    if (open)
        graft_scope_end(g);
    graft_close(g);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        function *fn = functions[i];
        failing_allocator_sweep(run, &fn);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
