/* A training step after the first ones asks the allocator for nothing. */
#include "test.h"

typedef struct counter {
    uint64_t calls;
} counter;

static void *counting_alloc(void *user, size_t size, size_t align)
{
    ((counter *)user)->calls++;
    void *block = NULL;
    return posix_memalign(&block, align, size) == 0 ? block : NULL;
}

static void counting_free(void *user, void *block, size_t size)
{
    (void)user;
    (void)size;
    free(block);
}

/* AddressSanitizer's builds have no cache, so that it sees each block freed. */
static bool has_cache(graft_ctx *g)
{
    graft_memory m;
    graft_memory_stats(g, &m);
    return m.cached > 0;
}

static void step(graft_module *model, graft_optimizer *opt, graft_tensor *x, graft_tensor *y)
{
    graft_ctx *g = graft_tensor_ctx(x);
    graft_scope_begin(g);
    graft_zero_grad(opt);
    graft_backward(graft_cross_entropy(graft_forward(model, x), y));
    graft_step(opt);
    graft_scope_end(g);
}

static void train(const int64_t *width, int layers, int64_t batch, int threads)
{
    counter c = {0};
    graft_options o = graft_options_defaults();
    o.threads = threads;
    o.allocator = (graft_allocator){counting_alloc, counting_free, &c};
    graft_ctx *g = graft_open(&o);
    assert_non_null(g);
    graft_module *model = graft_sequential(g);
    for (int i = 0; i < layers; i++) {
        graft_sequential_add(model, graft_linear(g, width[i], width[i + 1], true));
        if (i + 1 < layers)
            graft_sequential_add(model, graft_relu_layer(g));
    }
    graft_sequential_add(model, graft_dropout_layer(g, 0.1));
    graft_optimizer *adam = graft_adam(graft_parameters(model), NULL);
    graft_tensor *x = graft_randn(g, graft_shape2(batch, width[0]), GRAFT_F32);
    graft_tensor *y = graft_randint(g, 0, width[layers], graft_shape1(batch), GRAFT_I64);
    for (int i = 0; i < 3; i++)
        step(model, adam, x, y);
    uint64_t warm = c.calls;
    for (int i = 0; i < (test_quick() ? 2 : 20); i++)
        step(model, adam, x, y);
    assert_no_error(g);
    if (has_cache(g))
        assert_int_equal(c.calls, warm);
    graft_close(g);
}

static void a_tiny_network(void **state)
{
    (void)state;
    train((const int64_t[]){10, 16, 2}, 2, 32, 1);
    train((const int64_t[]){10, 16, 2}, 2, 32, 2);
}

static void a_larger_network(void **state)
{
    (void)state;
    if (!test_quick())
        train((const int64_t[]){784, 256, 128, 10}, 3, 64, 1);
    train((const int64_t[]){784, 256, 128, 10}, 3, 64, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tiny_network),
        cmocka_unit_test(a_larger_network),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
