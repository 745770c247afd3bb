/* The story of the README with an allocator that fails: whatever call it hits, nothing crashes,
 * nothing leaks, and the context says that memory ran out. */
#include "failing_allocator.h"
#include "test.h"

typedef struct my_model {
    graft_module base;
    graft_module *fc1, *fc2;
} my_model;

static graft_tensor *my_forward(graft_module *self, graft_tensor *x)
{
    my_model *m = (my_model *)self;
    return graft_forward(m->fc2, graft_relu(graft_forward(m->fc1, x)));
}

static const graft_module_class my_class = {
    .name = "MyModel",
    .size = sizeof(my_model),
    .forward = my_forward,
};

static graft_module *my_model_new(graft_ctx *g)
{
    my_model *m = graft_module_new(g, &my_class);
    if (!m)
        return NULL;
    graft_child(&m->base, "fc1", &m->fc1, graft_linear(g, 6, 5, true));
    graft_child(&m->base, "fc2", &m->fc2, graft_linear(g, 5, 3, true));
    return &m->base;
}

static double train_step(graft_ctx *g, graft_module *m, graft_optimizer *adam, graft_tensor *x,
                         graft_tensor *y)
{
    graft_status open = graft_scope_begin(g);
    graft_zero_grad(adam);
    graft_tensor *loss = graft_cross_entropy(graft_forward(m, x), y);
    graft_backward(loss);
    graft_step(adam);
    double value = graft_item(loss);
    if (open == GRAFT_OK)
        graft_scope_end(g);
    return value;
}

/* What the story comes to; the losses of both models at its end. */
typedef struct outcome {
    bool whole; /* everything was made */
    double loss_a, loss_b;
} outcome;

static outcome tell(graft_ctx *g)
{
    graft_manual_seed(g, 0);
    graft_module *a = my_model_new(g);
    graft_optimizer *adam_a = graft_adam(graft_parameters(a), NULL);
    graft_tensor *x = graft_randn(g, graft_shape2(7, 6), GRAFT_F32);
    graft_tensor *y = graft_randint(g, 0, 3, graft_shape1(7), GRAFT_I64);
    for (int i = 0; i < 2; i++)
        train_step(g, a, adam_a, x, y);
    graft_copy_map *map;
    graft_module *b = graft_clone(a, NULL, &map);
    graft_optimizer *adam_b = graft_follow(adam_a, map);
    graft_module *c = my_model_new(g);
    graft_load_report *report;
    graft_status st = graft_load_state_dict(c, graft_state_dict(a), NULL, &report);
    graft_dict *best = graft_dict_clone(graft_state_dict(a), NULL);
    outcome end = {
        .loss_b = train_step(g, b, adam_b, x, y),
        .loss_a = train_step(g, a, adam_a, x, y),
    };
    graft_status back = graft_load_state_dict(a, best, NULL, NULL);
    end.whole = a && adam_a && map && b && adam_b && c && best && st == GRAFT_OK &&
                graft_load_report_ok(report) && back == GRAFT_OK;
    return end;
}

static void with_one_allocation_failing(void *user, failing_allocator *f)
{
    const outcome *expected = user;
    graft_ctx *g = failing_allocator_open(f);
    if (!g) {
        assert_true(f->failed);
        return;
    }
    outcome end = tell(g);
    if (graft_error(g)) {
        assert_true(f->failed);
        if (graft_error_status(g) != GRAFT_ERR_MEMORY)
            fail_msg("allocation %llu failed, but the error is %s: %s",
                     (unsigned long long)f->fail_at, graft_status_name(graft_error_status(g)),
                     graft_error(g));
        assert_non_null(strstr(graft_error(g), "memory"));
    } else {
        /* It was done without: then all must be as ever. */
        assert_true(end.whole);
        assert_true(end.loss_a == expected->loss_a && end.loss_b == expected->loss_b);
    }
    graft_close(g);
}

static void the_story_without_memory(void **state)
{
    (void)state;
    failing_allocator plenty = {.calls = 0};
    graft_ctx *g = failing_allocator_open(&plenty);
    outcome expected = tell(g);
    assert_no_error(g);
    assert_true(expected.whole);
    assert_true(expected.loss_a == expected.loss_b);
    graft_close(g);
    assert_int_equal(plenty.live_blocks, 0);
    failing_allocator_sweep(with_one_allocation_failing, &expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_story_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
