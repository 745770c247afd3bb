/* The update kernels: every instruction set, both kinds of memory and every partition give the same
 * bits. The numbers themselves are in tests/parity. */
#include "test.h"

/* The loops of each instruction set are its own affair: hence the source, not the header. */
#include "kernel/update.c"

enum { MOST = 67 };

typedef struct numbers {
    double f64[5][MOST + 1];
    float f32[5][MOST + 1];
} numbers;

/* Parameter, gradient and three states, at an address that vectors are not aligned to. */
static void fill(numbers *x)
{
    uint32_t state = 1;
    for (int k = 0; k < 5; k++) {
        for (int i = 0; i <= MOST; i++) {
            state = state * 1664525U + 1013904223U;
            const double value = (double)(state >> 8) / (1 << 24);
            x->f64[k][i] = k < 2 ? value - 0.5 : value;
            x->f32[k][i] = (float)x->f64[k][i];
        }
    }
}

/* An update of n elements of x, in place or (to not NULL) into other memory. */
static graft__update update_of(numbers *x, numbers *to, graft_dtype dtype, int64_t n)
{
    graft__update u = {.dtype = dtype, .n = n};
    const bool wide = dtype == GRAFT_F64;
    graft__old_new *places[] = {&u.param, NULL, &u.state[0], &u.state[1], &u.state[2]};
    u.grad = wide ? (void *)(x->f64[1] + 1) : (void *)(x->f32[1] + 1);
    for (int k = 0; k < 5; k++) {
        if (!places[k])
            continue;
        numbers *target = to ? to : x;
        places[k]->from = wide ? (void *)(x->f64[k] + 1) : (void *)(x->f32[k] + 1);
        places[k]->to = wide ? (void *)(target->f64[k] + 1) : (void *)(target->f32[k] + 1);
    }
    return u;
}

typedef struct variant {
    loop *f32[2], *f64[2]; /* plain, and of the instruction set */
    const void *rule;
} variant;

static void compare(const variant *v, graft_dtype dtype)
{
    static numbers a, b, from, to;
    for (int64_t n = 0; n <= MOST; n++) {
        loop *const *loops = dtype == GRAFT_F64 ? v->f64 : v->f32;
        fill(&a);
        fill(&b);
        fill(&from);
        fill(&to);
        graft__update in_place = update_of(&a, NULL, dtype, n);
        loops[0](&in_place, v->rule);
        graft__update vectors = update_of(&b, NULL, dtype, n);
        loops[1](&vectors, v->rule);
        assert_memory_equal(&a, &b, sizeof a);
        graft__update apart = update_of(&from, &to, dtype, n);
        loops[1](&apart, v->rule);
        assert_memory_equal(&a, &to, sizeof a);
        fill(&a);
        assert_memory_equal(&a, &from, sizeof a); /* only read */
        if (n > 0)
            assert_memory_not_equal(&a, &to, sizeof a);
    }
}

static void test_sgd(void **state)
{
    (void)state;
    for (int bits = 0; bits < 32; bits++) {
        const graft__sgd_rule rule = {
            .lr = 0.1,
            .momentum = bits & 1 ? 0.9 : 0,
            .dampening = 0.25,
            .weight_decay = bits & 2 ? 0.01 : 0,
            .nesterov = bits & 4,
            .maximize = bits & 8,
            .first = bits & 16,
        };
        const variant v = {
            .f32 = {sgd_f32, CHOOSE(sgd_f32)}, .f64 = {sgd_f64, CHOOSE(sgd_f64)}, .rule = &rule};
        compare(&v, GRAFT_F32);
        compare(&v, GRAFT_F64);
    }
}

static void test_adam(void **state)
{
    (void)state;
    for (int bits = 0; bits < 16; bits++) {
        const graft__adam_rule rule = {
            .keep = bits & 1 ? 0.99 : 1,
            .weight_decay = bits & 2 ? 0.01 : 0,
            .beta1 = 0.9,
            .beta2 = 0.99,
            .size = 0.1,
            .eps = 1e-8,
            .amsgrad = bits & 4,
            .maximize = bits & 8,
        };
        const variant v = {.f32 = {adam_f32, CHOOSE(adam_f32)},
                           .f64 = {adam_f64, CHOOSE(adam_f64)},
                           .rule = &rule};
        compare(&v, GRAFT_F32);
        compare(&v, GRAFT_F64);
    }
}

/* Parts cover every element and nothing beyond, whatever the number of threads. */
static void test_parts(void **state)
{
    (void)state;
    graft__pool *pools[] = {graft__pool_new(NULL, 1), graft__pool_new(NULL, 2),
                            graft__pool_new(NULL, 3)};
    const int64_t sizes[] = {2 * PART - 1, 2 * PART, 3 * PART + 1, 40 * PART + 17};
    const graft_dtype dtypes[] = {GRAFT_F32, GRAFT_F64, GRAFT_F16, GRAFT_BF16};
    const graft__sgd_rule rule = {.lr = 0};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const size_t bytes = (size_t)sizes[i] * sizeof(double);
        unsigned char *zeros = calloc(1, bytes), *out = malloc(bytes);
        assert_non_null(zeros);
        assert_non_null(out);
        for (size_t k = 0; k < 12; k++) {
            const size_t used = (size_t)sizes[i] * graft_dtype_size(dtypes[k % 4]);
            memset(out, 0xA5, bytes);
            const graft__update u = {
                .dtype = dtypes[k % 4], .n = sizes[i], .param = {zeros, out}, .grad = zeros};
            graft__update_sgd(pools[k / 4], &u, &rule);
            assert_memory_equal(out, zeros, used);
            for (size_t j = used; j < bytes && j < used + 64; j++)
                assert_int_equal(out[j], 0xA5);
        }
        free(zeros);
        free(out);
    }
    for (int i = 0; i < 3; i++)
        graft__pool_free(pools[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sgd),
        cmocka_unit_test(test_adam),
        cmocka_unit_test(test_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
