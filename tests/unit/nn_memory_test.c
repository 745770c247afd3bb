/* Modules and optimizers with an allocator that fails: nothing leaks, nothing is half done, and
 * what failed can be done again. */
#include "failing_allocator.h"
#include "test.h"

#include "nn/module.h"
#include "optim/optimizer.h"

/* The allocator says no no more. */
static void relent(failing_allocator *f)
{
    f->fail_at = 0;
    f->keeps_on = false;
}

/* A failure is one of memory, and is forgotten. */
static void forget(graft_ctx *g, failing_allocator *f)
{
    if (!graft_error(g))
        return;
    assert_true(f->failed);
    assert_int_equal(graft_error_status(g), GRAFT_ERR_MEMORY);
    graft_clear_error(g);
}

static graft_module *build(graft_ctx *g)
{
    graft_module *m = graft_sequential(g), *shared = graft_linear(g, 3, 3, true);
    graft_sequential_add(m, shared);
    graft_sequential_add(m, graft_relu_layer(g));
    graft_sequential_add(m, shared);
    graft_sequential_add(m, graft_linear(g, 3, 3, false));
    graft_sequential_add(m, graft_dropout_layer(g, 0.5));
    graft_buffer(m, "count", NULL, graft_zeros(g, graft_shape0(), GRAFT_I64), true);
    if (m && graft_module_len(m) == 5)
        graft_set_parameter(m, "3.weight", graft_get_parameter(m, "0.weight"));
    return m;
}

static graft_status nothing(void *user, const char *path, graft_module *module)
{
    (void)user, (void)path, (void)module;
    return GRAFT_OK;
}

static void modules(void *user, failing_allocator *f)
{
    (void)user;
    graft_ctx *g = failing_allocator_open(f);
    if (!g)
        return;
    graft_module *m = build(g);
    graft_scope_begin(g);
    graft_parameters(m);
    graft_buffers(m);
    graft_state_dict(m);
    graft_text_free(g, graft_module_text(m));
    graft_named_modules(m, nothing, NULL);
    graft_parameter_count(m, true);
    graft_module_requires_grad(m, false);
    graft_eval(m);
    graft_forward(m, graft_ones(g, graft_shape2(1, 3), GRAFT_F32));
    graft_get_parameter(m, "0.wait");
    if (graft_error_status(g) == GRAFT_ERR_NAME)
        graft_clear_error(g);
    forget(g, f);
    graft_close(g);
}

static void test_modules(void **state)
{
    (void)state;
    failing_allocator_sweep(modules, NULL);
}

/* A registration that fails leaves both sides as they were, and works when there is memory. */
static void registration(void *user, failing_allocator *f)
{
    (void)user;
    const failing_allocator plan = *f;
    relent(f);
    graft_ctx *g = failing_allocator_open(f);
    graft_module *m = graft_sequential(g), *child = graft_identity(g);
    graft_tensor *t = graft_zeros(g, graft_shape0(), GRAFT_F32);
    f->fail_at = plan.fail_at ? f->calls + plan.fail_at : 0;
    f->keeps_on = plan.keeps_on;
    const graft_status adopted = graft_child(m, "child", NULL, child);
    const graft_status taken = graft_parameter(m, "t", NULL, t);
    relent(f);
    forget(g, f);
    assert_int_equal(graft_module_len(m), adopted ? 0 : 1);
    assert_int_equal(child->state->object.owner == GRAFT__OWNER_CONTEXT, adopted != GRAFT_OK);
    assert_int_equal(t->registrations, taken ? 0 : 1);
    assert_int_equal(graft_requires_grad(t), taken == GRAFT_OK);
    if (adopted)
        assert_int_equal(graft_child(m, "child", NULL, child), GRAFT_OK);
    if (taken)
        assert_int_equal(graft_parameter(m, "t", NULL, t), GRAFT_OK);
    assert_int_equal(t->registrations, 1);
    graft_close(g);
}

static void test_registration(void **state)
{
    (void)state;
    failing_allocator_sweep(registration, NULL);
}

enum { PARAMS = 3 };

static graft_dict *params(graft_ctx *g, graft_tensor *t[PARAMS])
{
    const char *names[PARAMS] = {"a", "b", "c"};
    graft_dict *d = graft_dict_new(g);
    for (int i = 0; i < PARAMS; i++) {
        t[i] = graft_ones(g, graft_shape2(2, 3), GRAFT_F32);
        if (i == 2)
            t[i] = graft_transpose(t[i], 0, 1);
        graft_set_grad(t[i], graft_ones(g, graft_tensor_shape(t[i]), GRAFT_F32));
        graft_dict_set_tensor(d, names[i], t[i]);
    }
    assert_no_error(g);
    return d;
}

/* A step that fails changes nothing: not the parameters, not the state, not what shares memory with
 * either. */
static void step(void *user, failing_allocator *f)
{
    (void)user;
    const failing_allocator plan = *f;
    relent(f);
    graft_ctx *g = failing_allocator_open(f);
    graft_tensor *t[PARAMS], *copy[PARAMS];
    graft_adam_options o = graft_adam_defaults();
    o.amsgrad = true;
    graft_optimizer *opt = graft_adam(params(g, t), &o);
    graft_set_grad(t[1], NULL);
    assert_int_equal(graft_step(opt), GRAFT_OK); /* b has no state yet */
    graft_set_grad(t[1], t[0]);
    for (int i = 0; i < PARAMS; i++)
        copy[i] = graft_tensor_clone(t[i], NULL);
    graft_dict *before = graft_dict_clone(graft_optimizer_state_dict(opt), NULL);
    assert_no_error(g);

    f->fail_at = plan.fail_at ? f->calls + plan.fail_at : 0;
    f->keeps_on = plan.keeps_on;
    const graft_status status = graft_step(opt);
    relent(f);
    forget(g, f);
    assert_int_equal(f->failed, status != GRAFT_OK);
    graft_tensor *m = opt->group[0]->param[0].state[0];
    const graft_tensor *m_before = graft_dict_tensor(before, "state.0.exp_avg");
    for (int i = 0; i < PARAMS; i++)
        assert_int_equal(graft_equal(t[i], copy[i]), status != GRAFT_OK);
    assert_int_equal(graft_equal(m, m_before), status != GRAFT_OK);
    assert_int_equal(opt->group[0]->param[1].state[0] == NULL, status != GRAFT_OK);
    assert_int_equal(opt->group[0]->param[0].step, status ? 1 : 2);
    if (status)
        assert_int_equal(graft_step(opt), GRAFT_OK);
    assert_int_equal(opt->group[0]->param[0].step, 2);
    assert_false(graft_equal(t[0], copy[0]));
    graft_close(g);
}

static void test_step(void **state)
{
    (void)state;
    failing_allocator_sweep(step, NULL);
}

static void optimizers(void *user, failing_allocator *f)
{
    (void)user;
    const failing_allocator plan = *f;
    relent(f);
    graft_ctx *g = failing_allocator_open(f);
    graft_tensor *t[PARAMS], *u[PARAMS];
    graft_dict *d = params(g, t), *e = params(g, u);
    f->fail_at = plan.fail_at ? f->calls + plan.fail_at : 0;
    f->keeps_on = plan.keeps_on;

    graft_optimizer *opt = graft_adam(d, NULL);
    graft_status status = opt ? graft_adam_add_group(opt, e, NULL) : GRAFT_ERR_MEMORY;
    assert_int_equal(graft_group_count(opt), !opt ? 0 : status ? 1 : 2);
    if (!status)
        status = graft_step(opt);
    graft_dict *state = graft_optimizer_state_dict(opt);
    if (!status && state) {
        graft_tensor *m = opt->group[1]->param[2].state[0];
        status = graft_optimizer_load_state_dict(opt, state);
        assert_int_equal(opt->group[1]->param[2].state[0] == m, status != GRAFT_OK);
        assert_int_equal(opt->group[1]->param[2].step, 1);
    }
    relent(f);
    forget(g, f);
    graft_close(g);
}

static void test_optimizers(void **state)
{
    (void)state;
    failing_allocator_sweep(optimizers, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_modules),
        cmocka_unit_test(test_registration),
        cmocka_unit_test(test_step),
        cmocka_unit_test(test_optimizers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
