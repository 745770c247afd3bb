/* Optimizers: groups, checks, what a step does to memory that copies share, state dicts. The
 * numbers are in tests/parity. */
#include "test.h"

#include <math.h>
#include <stdio.h>

#include "optim/optimizer.h"

/* A leaf of n elements 1, 2, ... with the gradient 1, 1, ... */
static graft_tensor *leaf(graft_ctx *g, int64_t n, graft_dtype dtype)
{
    graft_tensor *t = graft_keep(graft_arange(g, 1, (double)n + 1, 1, dtype));
    graft_set_requires_grad(t, true);
    graft_set_grad(t, graft_ones(g, graft_shape1(n), dtype));
    assert_no_error(g);
    return t;
}

static graft_dict *one(graft_tensor *t, const char *name)
{
    graft_dict *d = graft_dict_new(graft_tensor_ctx(t));
    assert_int_equal(graft_dict_set_tensor(d, name, t), GRAFT_OK);
    return d;
}

static graft_dict *two(graft_tensor *a, graft_tensor *b)
{
    graft_dict *d = one(a, "a");
    assert_int_equal(graft_dict_set_tensor(d, "b", b), GRAFT_OK);
    return d;
}

static void assert_close(const graft_tensor *t, const double *expected, int64_t n)
{
    double got[16];
    assert_in_range(n, 0, 16);
    assert_int_equal(graft_copy_out(t, got, (size_t)n * sizeof *got, GRAFT_F64), GRAFT_OK);
    for (int64_t i = 0; i < n; i++)
        if (fabs(got[i] - expected[i]) > 1e-6)
            fail_msg("element %lld is %.9g, expected %.9g", (long long)i, got[i], expected[i]);
}

/* ---- Making ---- */

static void test_defaults(void **state)
{
    (void)state;
    const graft_sgd_options s = graft_sgd_defaults();
    assert_true(s.lr == 0.001 && s.momentum == 0 && s.dampening == 0 && s.weight_decay == 0);
    assert_true(!s.nesterov && !s.maximize);
    const graft_adam_options a = graft_adam_defaults(), w = graft_adamw_defaults();
    assert_true(a.lr == 0.001 && a.beta1 == 0.9 && a.beta2 == 0.999 && a.eps == 1e-8);
    assert_true(a.weight_decay == 0 && !a.amsgrad && !a.maximize);
    assert_true(w.lr == 0.001 && w.weight_decay == 0.01);
}

static void test_make(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *t = leaf(g, 2, GRAFT_F32);
    graft_dict *d = one(t, "w");
    graft_optimizer *sgd = graft_sgd(d, NULL), *adam = graft_adam(d, NULL);
    graft_optimizer *adamw = graft_adamw(d, NULL);
    assert_string_equal(graft_optimizer_name(sgd), "SGD");
    assert_string_equal(graft_optimizer_name(adam), "Adam");
    assert_string_equal(graft_optimizer_name(adamw), "AdamW");
    assert_int_equal(graft_group_count(adam), 1);
    assert_true(graft_adam_group(adam, 0)->weight_decay == 0);
    assert_true(graft_adam_group(adamw, 0)->weight_decay == 0.01);
    assert_true(graft_sgd_group(sgd, 0)->lr == 0.001);
    assert_null(graft_sgd_group(adam, 0));
    assert_error(g, GRAFT_ERR_ARGUMENT, "SGD options for an optimizer that is Adam");
    assert_null(graft_adam_group(sgd, 0));
    assert_error(g, GRAFT_ERR_ARGUMENT, "Adam options for an optimizer that is SGD");
    assert_null(graft_adam_group(adam, 1));
    assert_error(g, GRAFT_ERR_ARGUMENT, "Adam: there is no group 1: it has 1");
    graft_optimizer_free(adamw);
    graft_optimizer_free(NULL);
    graft_close(g);
}

static void test_null(void **state)
{
    (void)state;
    assert_null(graft_sgd(NULL, NULL));
    assert_null(graft_adam(NULL, NULL));
    assert_null(graft_adamw(NULL, NULL));
    assert_int_equal(graft_step(NULL), GRAFT_ERR_ARGUMENT);
    assert_int_equal(graft_zero_grad(NULL), GRAFT_ERR_ARGUMENT);
    assert_int_equal(graft_sgd_add_group(NULL, NULL, NULL), GRAFT_ERR_ARGUMENT);
    assert_int_equal(graft_adam_add_group(NULL, NULL, NULL), GRAFT_ERR_ARGUMENT);
    assert_int_equal(graft_optimizer_load_state_dict(NULL, NULL), GRAFT_ERR_ARGUMENT);
    assert_null(graft_optimizer_state_dict(NULL));
    assert_null(graft_sgd_group(NULL, 0));
    assert_null(graft_adam_group(NULL, 0));
    assert_int_equal(graft_group_count(NULL), 0);
    assert_null(graft_optimizer_name(NULL));
}

static void test_refuses_parameters(void **state)
{
    (void)state;
    graft_ctx *g = test_open(), *other = test_open();
    graft_tensor *t = leaf(g, 2, GRAFT_F32);
    graft_dict *d = graft_dict_new(g);
    assert_null(graft_sgd(d, NULL));
    assert_error(g, GRAFT_ERR_ARGUMENT, "SGD: there are no parameters: expected at least one");
    assert_null(graft_adam(one(graft_mul_scalar(t, 2), "fc.w"), NULL));
    assert_error(g, GRAFT_ERR_STATE,
                 "Adam: parameter 'fc.w' has a history: only leaves can be optimized");
    assert_null(graft_adamw(one(graft_zeros(g, graft_shape0(), GRAFT_I64), "n"), NULL));
    assert_error(g, GRAFT_ERR_DTYPE, "AdamW: parameter 'n' is int64: expected a floating dtype");
    graft_dict_set_int(d, "x", 3);
    assert_null(graft_sgd(d, NULL));
    assert_error(g, GRAFT_ERR_ARGUMENT, "SGD: parameter 'x' is not a tensor");
    graft_optimizer *opt = graft_sgd(one(t, "w"), NULL);
    assert_int_equal(graft_sgd_add_group(opt, one(leaf(other, 1, GRAFT_F32), "v"), NULL),
                     GRAFT_ERR_ARGUMENT);
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "of another context");
    assert_int_equal(graft_sgd_add_group(opt, NULL, NULL), GRAFT_ERR_ARGUMENT);
    assert_error(g, GRAFT_ERR_ARGUMENT, "SGD: the parameters are NULL");
    graft_close(other);
    graft_close(g);
}

static void test_refuses_options(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *d = one(leaf(g, 2, GRAFT_F32), "w");
    graft_sgd_options s = graft_sgd_defaults();
    s.lr = -1;
    assert_null(graft_sgd(d, &s));
    assert_error(g, GRAFT_ERR_ARGUMENT, "SGD: lr is -1: expected 0 or more");
    s = (graft_sgd_options){.lr = 1, .momentum = NAN};
    assert_null(graft_sgd(d, &s));
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "SGD: momentum is ");
    s = (graft_sgd_options){.lr = 1, .weight_decay = -0.5};
    assert_null(graft_sgd(d, &s));
    assert_error(g, GRAFT_ERR_ARGUMENT, "SGD: weight_decay is -0.5: expected 0 or more");
    s = (graft_sgd_options){.lr = 1, .nesterov = true};
    assert_null(graft_sgd(d, &s));
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "SGD: nesterov with momentum 0 and dampening 0");
    s = (graft_sgd_options){.lr = 1, .nesterov = true, .momentum = 0.9, .dampening = 0.1};
    assert_null(graft_sgd(d, &s));
    graft_clear_error(g);

    struct {
        graft_adam_options o;
        const char *text;
    } adam[] = {
        {{.lr = -1}, "Adam: lr is -1: expected 0 or more"},
        {{.beta1 = 1}, "Adam: beta1 is 1: expected 0 or more and below 1"},
        {{.beta2 = -0.5}, "Adam: beta2 is -0.5: expected 0 or more and below 1"},
        {{.eps = -1}, "Adam: eps is -1: expected 0 or more"},
        {{.weight_decay = -1}, "Adam: weight_decay is -1: expected 0 or more"},
    };
    for (size_t i = 0; i < sizeof adam / sizeof *adam; i++) {
        assert_null(graft_adam(d, &adam[i].o));
        assert_error(g, GRAFT_ERR_ARGUMENT, adam[i].text);
    }
    graft_close(g);
}

static void test_groups(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *a = leaf(g, 2, GRAFT_F32), *b = leaf(g, 2, GRAFT_F32);
    graft_sgd_options o = {.lr = 1};
    graft_dict *d = one(a, "a");
    graft_dict_set_tensor(d, "tied", a); /* one parameter, under its first name */
    graft_optimizer *opt = graft_sgd(d, &o);
    assert_int_equal(opt->group[0]->count, 1);
    assert_int_equal(graft_sgd_add_group(opt, two(b, a), &o), GRAFT_ERR_NAME);
    assert_error(g, GRAFT_ERR_NAME, "SGD: parameter 'b' is in a group already, as 'a'");
    assert_int_equal(graft_group_count(opt), 1);
    o.lr = 10;
    assert_int_equal(graft_sgd_add_group(opt, one(b, "b"), &o), GRAFT_OK);
    assert_int_equal(graft_adam_add_group(opt, one(b, "b"), NULL), GRAFT_ERR_ARGUMENT);
    assert_error(g, GRAFT_ERR_ARGUMENT, "Adam options for an optimizer that is SGD");
    assert_int_equal(graft_step(opt), GRAFT_OK);
    assert_elements(a, (double[]){0, 1}, 2);
    assert_elements(b, (double[]){-9, -8}, 2);
    graft_sgd_group(opt, 1)->lr = 0.5;
    assert_int_equal(graft_step(opt), GRAFT_OK);
    assert_elements(a, (double[]){-1, 0}, 2);
    assert_elements(b, (double[]){-9.5, -8.5}, 2);
    graft_close(g);
}

/* ---- Stepping ---- */

static void test_a_parameter_without_gradient_is_skipped(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *a = leaf(g, 2, GRAFT_F32), *b = leaf(g, 2, GRAFT_F32);
    graft_optimizer *opt = graft_adam(two(a, b), NULL);
    graft_set_grad(b, NULL);
    assert_int_equal(graft_step(opt), GRAFT_OK);
    assert_elements(b, (double[]){1, 2}, 2);
    assert_null(opt->group[0]->param[1].state[0]);
    assert_int_equal(opt->group[0]->param[1].step, 0);
    assert_int_equal(opt->group[0]->param[0].step, 1);
    assert_int_equal(graft_zero_grad(opt), GRAFT_OK);
    assert_null(graft_grad(a));
    assert_int_equal(graft_step(opt), GRAFT_OK);
    assert_int_equal(opt->group[0]->param[0].step, 1);
    graft_close(g);
}

static void test_copies_do_not_see_the_step(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *a = leaf(g, 4, GRAFT_F32);
    graft_sgd_options o = {.lr = 1, .momentum = 0.5};
    graft_optimizer *opt = graft_sgd(one(a, "a"), &o);
    graft_tensor *before = graft_tensor_clone(a, NULL);
    assert_true(graft_shares_memory(a, before));
    assert_int_equal(graft_step(opt), GRAFT_OK); /* buffer 1 1 1 1 */
    assert_false(graft_shares_memory(a, before));
    assert_elements(before, (double[]){1, 2, 3, 4}, 4);
    assert_elements(a, (double[]){0, 1, 2, 3}, 4);

    graft_tensor *buffer = graft_tensor_clone(opt->group[0]->param[0].state[0], NULL);
    assert_int_equal(graft_step(opt), GRAFT_OK); /* buffer 1.5 ... */
    assert_elements(buffer, (double[]){1, 1, 1, 1}, 4);
    assert_elements(a, (double[]){-1.5, -0.5, 0.5, 1.5}, 4);
    assert_elements(opt->group[0]->param[0].state[0], (double[]){1.5, 1.5, 1.5, 1.5}, 4);
    graft_close(g);
}

static void test_views_of_one_storage(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *all = leaf(g, 6, GRAFT_F32);
    graft_set_requires_grad(all, false);
    graft_tensor *clone = graft_tensor_clone(all, NULL);
    graft_tensor *whole = graft_detach(all), *part = graft_narrow(all, 0, 2, 2);
    graft_set_grad(whole, graft_ones(g, graft_shape1(6), GRAFT_F32));
    graft_set_grad(part, graft_ones(g, graft_shape1(2), GRAFT_F32));
    graft_sgd_options o = {.lr = 1};
    /* whichever of them separates the memory */
    assert_int_equal(graft_step(graft_sgd(two(whole, part), &o)), GRAFT_OK);
    assert_elements(all, (double[]){0, 1, 1, 2, 4, 5}, 6);
    graft_tensor *second = graft_tensor_clone(all, NULL);
    assert_int_equal(graft_step(graft_sgd(two(part, whole), &o)), GRAFT_OK);
    assert_elements(all, (double[]){-1, 0, -1, 0, 3, 4}, 6);
    assert_elements(clone, (double[]){1, 2, 3, 4, 5, 6}, 6);
    assert_elements(second, (double[]){0, 1, 1, 2, 4, 5}, 6);
    graft_close(g);
}

static void test_strided_parameters(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *x =
        graft_from_data(g, (float[]){1, 2, 3, 4, 5, 6}, graft_shape2(2, 3), GRAFT_F32);
    graft_tensor *t = graft_transpose(x, 0, 1), *clone = graft_tensor_clone(x, NULL);
    graft_set_grad(t,
                   graft_from_data(g, (float[]){1, 2, 3, 4, 5, 6}, graft_shape2(3, 2), GRAFT_F32));
    graft_sgd_options o = {.lr = 1, .momentum = 1};
    graft_optimizer *opt = graft_sgd(one(t, "t"), &o);
    assert_int_equal(graft_step(opt), GRAFT_OK);
    assert_elements(x, (double[]){0, -1, -2, 2, 1, 0}, 6);
    assert_elements(clone, (double[]){1, 2, 3, 4, 5, 6}, 6);
    assert_int_equal(graft_step(opt), GRAFT_OK);
    assert_elements(x, (double[]){-2, -7, -12, -2, -7, -12}, 6);

    graft_tensor *wide = graft_expand(graft_ones(g, graft_shape1(1), GRAFT_F32), graft_shape1(3));
    graft_set_grad(wide, graft_ones(g, graft_shape1(3), GRAFT_F32));
    assert_int_equal(graft_step(graft_sgd(one(wide, "wide"), NULL)), GRAFT_ERR_STATE);
    assert_error(g, GRAFT_ERR_STATE,
                 "step: several elements of parameter 'wide' are one in memory");
    graft_close(g);
}

static void test_a_failed_step_changes_nothing(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *a = leaf(g, 3, GRAFT_F32);
    graft_tensor *wide = graft_expand(graft_ones(g, graft_shape1(1), GRAFT_F32), graft_shape1(3));
    graft_optimizer *opt = graft_adam(two(a, wide), NULL);
    graft_tensor *clone = graft_tensor_clone(a, NULL);
    assert_int_equal(graft_step(opt), GRAFT_OK); /* wide has no gradient */
    graft_tensor *moment = graft_tensor_clone(opt->group[0]->param[0].state[0], NULL);
    clone = graft_tensor_clone(a, NULL);
    graft_set_grad(wide, graft_ones(g, graft_shape1(3), GRAFT_F32));
    const uint32_t version = a->storage->version;
    assert_int_equal(graft_step(opt), GRAFT_ERR_STATE);
    graft_clear_error(g);
    assert_true(graft_equal(a, clone));
    assert_true(graft_shares_memory(a, clone));
    assert_true(graft_shares_memory(moment, opt->group[0]->param[0].state[0]));
    assert_int_equal(a->storage->version, version);
    assert_int_equal(opt->group[0]->param[0].step, 1);
    assert_null(opt->group[0]->param[1].state[0]);

    graft_adam_group(opt, 0)->beta1 = 2;
    assert_int_equal(graft_step(opt), GRAFT_ERR_ARGUMENT);
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "Adam: beta1 is 2");
    assert_true(graft_equal(a, clone));
    graft_close(g);
}

static void test_a_step_is_a_write(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *a = leaf(g, 3, GRAFT_F32);
    graft_optimizer *opt = graft_sgd(one(a, "a"), NULL);
    graft_tensor *loss = graft_sum(graft_mul(a, a));
    assert_int_equal(graft_step(opt), GRAFT_OK);
    assert_int_equal(graft_backward(loss), GRAFT_ERR_STATE);
    graft_clear_error(g);
    graft_close(g);
}

static void test_16_bits(void **state)
{
    (void)state;
    const graft_dtype dtypes[] = {GRAFT_F16, GRAFT_BF16};
    for (int i = 0; i < 2; i++) {
        graft_ctx *g = test_open();
        graft_tensor *a = leaf(g, 700, dtypes[i]), *b = leaf(g, 1, dtypes[i]);
        graft_fill_(graft_detach(a), 1);
        graft_sgd_options o = {.lr = 0.5, .momentum = 0.5};
        graft_optimizer *opt = graft_sgd(two(b, a), &o);
        assert_int_equal(graft_step(opt), GRAFT_OK);
        assert_int_equal(graft_step(opt), GRAFT_OK);
        assert_elements(b, (double[]){1 - 0.5 - 0.75}, 1);
        assert_int_equal(graft_tensor_dtype(opt->group[0]->param[1].state[0]), dtypes[i]);
        /* on both sides of where one block of conversions ends */
        graft_tensor *last = graft_narrow(graft_detach(a), 0, 254, 4);
        assert_elements(last, (double[]){-0.25, -0.25, -0.25, -0.25}, 4);
        graft_adam_options adam = graft_adam_defaults();
        adam.amsgrad = true;
        assert_int_equal(graft_step(graft_adam(two(a, b), &adam)), GRAFT_OK);
        graft_close(g);
    }
}

static void test_threads_give_the_same_bits(void **state)
{
    (void)state;
    enum { N = 100003 };
    float *got[2];
    for (int threads = 1; threads <= 2; threads++) {
        graft_options open = graft_options_defaults();
        open.threads = threads;
        graft_ctx *g = graft_open(&open);
        graft_tensor *a = graft_randn(g, graft_shape1(N), GRAFT_F32);
        graft_set_grad(a, graft_randn(g, graft_shape1(N), GRAFT_F32));
        graft_adam_options o = graft_adam_defaults();
        o.amsgrad = true;
        graft_optimizer *opt = graft_adam(one(a, "a"), &o);
        for (int i = 0; i < 3; i++)
            assert_int_equal(graft_step(opt), GRAFT_OK);
        got[threads - 1] = malloc(N * sizeof(float));
        assert_int_equal(graft_copy_out(a, got[threads - 1], N * sizeof(float), GRAFT_F32),
                         GRAFT_OK);
        graft_close(g);
    }
    assert_memory_equal(got[0], got[1], N * sizeof(float));
    free(got[0]);
    free(got[1]);
}

static void test_nan_in_amsgrad(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *a = leaf(g, 20, GRAFT_F32);
    graft_adam_options o = graft_adam_defaults();
    o.amsgrad = true;
    o.beta2 = 0;
    graft_optimizer *opt = graft_adam(one(a, "a"), &o);
    float *grad = graft_data_mut(graft_grad(a));
    grad[3] = grad[19] = NAN;
    assert_int_equal(graft_step(opt), GRAFT_OK);
    const float *top = graft_data(opt->group[0]->param[0].state[2]);
    assert_true(isnan(top[3]) && isnan(top[19]) && top[4] == 1);
    graft_close(g);
}

/* ---- State dicts ---- */

static graft_optimizer *stepped_adam(graft_ctx *g, graft_tensor *a, graft_tensor *b, int steps)
{
    (void)g;
    graft_adam_options o = graft_adam_defaults();
    o.lr = 0.5;
    graft_optimizer *opt = graft_adam(two(a, b), &o);
    for (int i = 0; i < steps; i++)
        assert_int_equal(graft_step(opt), GRAFT_OK);
    return opt;
}

static void test_state_dict(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *a = leaf(g, 3, GRAFT_F32), *b = leaf(g, 2, GRAFT_F32);
    graft_optimizer *opt = stepped_adam(g, a, b, 2);
    graft_dict *d = graft_optimizer_state_dict(opt);
    assert_int_equal(graft_dict_len(d), 2);
    assert_true(graft_item(graft_dict_tensor(d, "state.0.step")) == 2);
    assert_int_equal(graft_ndim(graft_dict_tensor(d, "state.1.step")), 0);
    assert_true(graft_shares_storage(graft_dict_tensor(d, "state.1.exp_avg"),
                                     opt->group[0]->param[1].state[0]));
    graft_dict *group = graft_dict_dict(d, "param_groups.0");
    assert_true(graft_dict_float_at(group, graft_dict_find(group, "lr")) == 0.5);
    assert_int_equal(graft_dict_kind(group, graft_dict_find(group, "betas")), GRAFT_VALUE_TUPLE);
    assert_int_equal(graft_dict_kind(group, graft_dict_find(group, "params")), GRAFT_VALUE_LIST);
    assert_string_equal(graft_dict_string_at(graft_dict_dict(group, "param_names"), 1), "b");
    graft_close(g);
}

static void test_load_matches_names(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *a = leaf(g, 3, GRAFT_F32), *b = leaf(g, 2, GRAFT_F32);
    graft_dict *d = graft_optimizer_state_dict(stepped_adam(g, a, b, 3));
    /* The same names in another order, and in double. */
    graft_tensor *b2 = leaf(g, 2, GRAFT_F64), *a2 = leaf(g, 3, GRAFT_F64);
    graft_dict *params = one(b2, "b");
    graft_dict_set_tensor(params, "a", a2);
    graft_optimizer *opt = graft_adam(params, NULL);
    assert_int_equal(graft_optimizer_load_state_dict(opt, d), GRAFT_OK);
    assert_no_error(g);
    const graft__optim_param *p = opt->group[0]->param;
    assert_int_equal(p[0].step, 3);
    assert_true(graft_adam_group(opt, 0)->lr == 0.5);
    assert_int_equal(graft_numel(p[1].state[0]), 3);
    assert_int_equal(graft_tensor_dtype(p[1].state[0]), GRAFT_F64);
    assert_close(p[1].state[0], (double[]){0.271, 0.271, 0.271}, 3);

    /* Without names it goes by position, where the shapes now differ. */
    graft_dict_drop(graft_dict_dict(d, "param_groups.0"), "param_names");
    assert_int_equal(graft_optimizer_load_state_dict(opt, d), GRAFT_ERR_SHAPE);
    assert_error(g, GRAFT_ERR_SHAPE,
                 "optimizer_load_state_dict: exp_avg of 'b' has shape [3]: expected [2]");
    assert_int_equal(p[0].step, 3);
    graft_close(g);
}

static void test_load_shares_memory_until_the_step(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *a = leaf(g, 3, GRAFT_F32), *b = leaf(g, 2, GRAFT_F32);
    graft_optimizer *from = stepped_adam(g, a, b, 1);
    graft_tensor *a2 = leaf(g, 3, GRAFT_F32), *b2 = leaf(g, 2, GRAFT_F32);
    graft_optimizer *to = graft_adam(two(a2, b2), NULL);
    assert_int_equal(graft_optimizer_load_state_dict(to, graft_optimizer_state_dict(from)),
                     GRAFT_OK);
    const graft_tensor *m = from->group[0]->param[0].state[0];
    assert_true(graft_shares_memory(m, to->group[0]->param[0].state[0]));
    assert_int_equal(graft_step(to), GRAFT_OK);
    assert_close(m, (double[]){0.1, 0.1, 0.1}, 3);
    assert_close(to->group[0]->param[0].state[0], (double[]){0.19, 0.19, 0.19}, 3);
    graft_close(g);
}

/* Loads d into opt, which must fail with that text and leave opt as it was. */
static void assert_load_fails(graft_optimizer *opt, const graft_dict *d, graft_status status,
                              const char *text)
{
    graft_ctx *g = graft_dict_ctx(d);
    const graft__optim_param before = opt->group[0]->param[0];
    const graft__optim_options options = opt->group[0]->options;
    assert_int_equal(graft_optimizer_load_state_dict(opt, d), status);
    assert_error_has(g, status, text);
    const graft__optim_param *after = opt->group[0]->param;
    assert_int_equal(after->step, before.step);
    for (int k = 0; k < GRAFT__OPTIM_STATES; k++)
        assert_ptr_equal(after->state[k], before.state[k]);
    assert_memory_equal(&opt->group[0]->options, &options, sizeof options);
}

static void test_load_refuses(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *a = leaf(g, 3, GRAFT_F32), *b = leaf(g, 2, GRAFT_F32);
    graft_optimizer *opt = stepped_adam(g, a, b, 1);
    graft_optimizer *sgd = graft_sgd(two(a, b), NULL);
    graft_optimizer *single = graft_adam(one(a, "a"), NULL);

    graft_dict *d = graft_dict_new(g);
    assert_load_fails(opt, d, GRAFT_ERR_NAME, "the dict has no 'state'");
    graft_dict_set_dict(d, "state", graft_dict_new(g));
    assert_load_fails(opt, d, GRAFT_ERR_NAME, "the dict has no 'param_groups'");
    assert_int_equal(graft_optimizer_load_state_dict(opt, NULL), GRAFT_ERR_ARGUMENT);
    assert_error(g, GRAFT_ERR_ARGUMENT, "optimizer_load_state_dict: the dict is NULL");

    d = graft_dict_clone(graft_optimizer_state_dict(opt), NULL);
    assert_load_fails(single, d, GRAFT_ERR_ARGUMENT,
                      "group 0 of the dict has 2 parameters, the optimizer's has 1");
    assert_load_fails(sgd, d, GRAFT_ERR_NAME, "a group has no 'momentum'");
    assert_load_fails(opt, graft_optimizer_state_dict(sgd), GRAFT_ERR_NAME,
                      "a group's 'betas' are missing");
    assert_int_equal(graft_adam_add_group(single, one(b, "b"), NULL), GRAFT_OK);
    assert_load_fails(single, d, GRAFT_ERR_ARGUMENT, "the dict has 1 groups, the optimizer 2");

    graft_dict *group = graft_dict_dict(d, "param_groups.0");
    graft_dict_set_float(group, "lr", -3);
    assert_load_fails(opt, d, GRAFT_ERR_ARGUMENT, "Adam: lr is -3: expected 0 or more");
    graft_dict_set_string(group, "lr", "much");
    assert_load_fails(opt, d, GRAFT_ERR_ARGUMENT, "a group's 'lr' is not a number");
    graft_dict_set_float(group, "lr", 0.5);
    graft_dict *betas = graft_dict_dict(group, "betas"), *words = graft_list_new(g);
    graft_list_push_float(words, 0.9);
    graft_list_push_string(words, "0.999");
    betas = graft_dict_clone(betas, NULL);
    graft_dict_set_dict(group, "betas", words);
    assert_load_fails(opt, d, GRAFT_ERR_ARGUMENT,
                      "'betas' are something else: expected two numbers");
    graft_dict_set_dict(group, "betas", betas);

    graft_dict *entry = graft_dict_dict(d, "state.1");
    graft_dict_set_tensor(entry, "momentum_buffer", b);
    assert_load_fails(opt, d, GRAFT_ERR_NAME,
                      "the state of 'b' has 'momentum_buffer', which Adam does not keep");
    graft_dict_drop(entry, "momentum_buffer");
    graft_dict_set_float(entry, "step", 1.5);
    assert_load_fails(opt, d, GRAFT_ERR_ARGUMENT,
                      "the step of 'b' is 1.5: expected a whole number of 0 or more");
    graft_dict_drop(entry, "step");
    assert_load_fails(opt, d, GRAFT_ERR_NAME, "the state of 'b' has no 'step'");
    graft_dict_set_int(entry, "step", 4);
    graft_dict_set_tensor(entry, "exp_avg_sq", graft_zeros(g, graft_shape1(2), GRAFT_I64));
    assert_load_fails(opt, d, GRAFT_ERR_DTYPE,
                      "exp_avg_sq of 'b' is int64: expected a floating dtype");
    graft_dict_set_bool(entry, "exp_avg_sq", true);
    assert_load_fails(opt, d, GRAFT_ERR_ARGUMENT, "exp_avg_sq of 'b' is not a tensor");
    graft_dict_drop(entry, "exp_avg_sq");
    assert_load_fails(opt, d, GRAFT_ERR_NAME, "the state of 'b' has no 'exp_avg_sq'");
    graft_dict_set_tensor(entry, "exp_avg_sq", b);

    graft_dict_set_int_key_dict(graft_dict_dict(d, "state"), 7, entry);
    assert_load_fails(opt, d, GRAFT_ERR_ARGUMENT,
                      "the dict has the state of 3 parameters, but 2 of them are in its groups");
    graft_dict_drop(group, "param_names");
    graft_dict *names = graft_list_new(g);
    graft_list_push_string(names, "a");
    graft_dict_set_dict(group, "param_names", names);
    assert_load_fails(opt, d, GRAFT_ERR_ARGUMENT, "group 0 has 2 parameters and 1 names");
    graft_list_push_string(names, "a");
    assert_load_fails(opt, d, GRAFT_ERR_NAME, "group 0 names 'a' twice");
    names = graft_list_new(g);
    graft_list_push_string(names, "a");
    graft_list_push_string(names, "c");
    graft_dict_drop(group, "param_names");
    graft_dict_set_dict(group, "param_names", names);
    assert_load_fails(opt, d, GRAFT_ERR_NAME, "the optimizer's group 0 has no parameter 'c'");
    graft_close(g);
}

/* Both would take over the one state. */
static void test_load_refuses_a_position_twice(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_optimizer *opt = stepped_adam(g, leaf(g, 3, GRAFT_F32), leaf(g, 3, GRAFT_F32), 1);
    graft_dict *d = graft_dict_clone(graft_optimizer_state_dict(opt), NULL);
    graft_dict *positions = graft_list_new(g);
    graft_list_push_int(positions, 1);
    graft_list_push_int(positions, 1);
    graft_dict_set_dict(graft_dict_dict(d, "param_groups.0"), "params", positions);
    assert_load_fails(opt, d, GRAFT_ERR_ARGUMENT, "the groups name position 1 twice");
    graft_close(g);
}

static void test_load_drops_what_the_dict_lacks(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *a = leaf(g, 3, GRAFT_F32), *b = leaf(g, 2, GRAFT_F32);
    graft_optimizer *opt = stepped_adam(g, a, b, 1);
    graft_dict *fresh = graft_optimizer_state_dict(graft_adam(two(a, b), NULL));
    assert_int_equal(graft_dict_len(graft_dict_dict(fresh, "state")), 0);
    assert_int_equal(graft_optimizer_load_state_dict(opt, fresh), GRAFT_OK);
    assert_null(opt->group[0]->param[0].state[0]);
    assert_int_equal(opt->group[0]->param[0].step, 0);
    assert_int_equal(graft_dict_len(graft_dict_dict(graft_optimizer_state_dict(opt), "state")), 0);
    graft_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_make),
        cmocka_unit_test(test_null),
        cmocka_unit_test(test_refuses_parameters),
        cmocka_unit_test(test_refuses_options),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_a_parameter_without_gradient_is_skipped),
        cmocka_unit_test(test_copies_do_not_see_the_step),
        cmocka_unit_test(test_views_of_one_storage),
        cmocka_unit_test(test_strided_parameters),
        cmocka_unit_test(test_a_failed_step_changes_nothing),
        cmocka_unit_test(test_a_step_is_a_write),
        cmocka_unit_test(test_16_bits),
        cmocka_unit_test(test_threads_give_the_same_bits),
        cmocka_unit_test(test_nan_in_amsgrad),
        cmocka_unit_test(test_state_dict),
        cmocka_unit_test(test_load_matches_names),
        cmocka_unit_test(test_load_shares_memory_until_the_step),
        cmocka_unit_test(test_load_refuses),
        cmocka_unit_test(test_load_refuses_a_position_twice),
        cmocka_unit_test(test_load_drops_what_the_dict_lacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
