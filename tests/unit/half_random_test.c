/* The constants were printed by PyTorch 1.13.1 (CPU, AVX2, Debian 12), the calls being those that
 * the comments name, in one go after torch.manual_seed(0). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernel/half.h"
#include "kernel/half_random.h"

static void assert_same(const uint16_t *got, const uint16_t *want, int n)
{
    for (int i = 0; i < n; i++)
        if (got[i] != want[i])
            fail_msg("[%d]: %#x, expected %#x", i, got[i], want[i]);
}

/* Another libm may round the last bit of a logarithm or cosine otherwise. */
static void assert_beside(const uint16_t *got, const uint16_t *want, int n)
{
    for (int i = 0; i < n; i++)
        if (abs(got[i] - want[i]) > 1)
            fail_msg("[%d]: %#x, expected %#x", i, got[i], want[i]);
}

static void test_stream_of_pytorch(void **state)
{
    (void)state;
    graft__random r;
    graft__random_seed(&r, 0);
    uint16_t x[17];

    graft__random_uniform_f16(&r, 3, x, 0.0, 1.0); /* torch.rand(3, dtype=torch.float16) */
    assert_same(x, (const uint16_t[]){0x3558, 0x345e, 0x3a75}, 3);
    graft__random_uniform_f16(&r, 3, x, -0.3, 1.1); /* torch.empty(3, ...).uniform_(-0.3, 1.1) */
    assert_same(x, (const uint16_t[]){0x383f, 0x3454, 0x3315}, 3);
    graft__random_normal_f16(&r, 3, x, 0.0, 1.0); /* torch.randn(3, ...) */
    assert_beside(x, (const uint16_t[]){0x3d0f, 0xb980, 0x3122}, 3);
    graft__random_normal_f16(&r, 17, x, 0.3, 2.7); /* torch.empty(17, ...).normal_(0.3, 2.7) */
    assert_beside(x,
                  (const uint16_t[]){0x430a, 0x3e52, 0xb7d7, 0x4276, 0x41bd, 0xc42b, 0xc684, 0xc448,
                                     0xbe34, 0x46b9, 0x3a24, 0x3ce0, 0xa482, 0xc0ce, 0x47af, 0x4422,
                                     0x4420},
                  17);

    graft__random_uniform_bf16(&r, 3, x, 0.0, 1.0); /* the same with torch.bfloat16 */
    assert_same(x, (const uint16_t[]){0x3f13, 0x3f0e, 0x3f27}, 3);
    graft__random_uniform_bf16(&r, 3, x, -0.3, 1.1);
    assert_same(x, (const uint16_t[]){0xbe00, 0x3f42, 0xbe81}, 3);
    graft__random_normal_bf16(&r, 3, x, 0.0, 1.0);
    assert_beside(x, (const uint16_t[]){0xbf1b, 0xbfb2, 0xbeb9}, 3);
    graft__random_normal_bf16(&r, 17, x, 0.3, 2.7);
    assert_beside(x,
                  (const uint16_t[]){0x4080, 0xc0c7, 0x3fa6, 0x3e7d, 0x403b, 0xbf94, 0x3f14, 0x4048,
                                     0xbf4d, 0x3fd4, 0x3ea7, 0x4028, 0xbfcc, 0xc003, 0x3ff2, 0x4066,
                                     0x3f8f},
                  17);

    assert_int_equal(graft__random_u32(&r), 2880367735); /* torch.randint(0, 2**32 - 1, (1,)) */
}

static void test_one_stays_out(void **state)
{
    (void)state;
    enum { N = 1 << 14 };
    static uint16_t x[N];
    graft__random r;
    graft__random_seed(&r, 1);
    float most = 0.0F;
    graft__random_uniform_bf16(&r, N, x, 0.0, 1.0);
    for (int i = 0; i < N; i++)
        most = graft__bf16_to_f32(x[i]) > most ? graft__bf16_to_f32(x[i]) : most;
    assert_true(most == 255.0F / 256.0F);
    most = 0.0F;
    graft__random_uniform_f16(&r, N, x, 0.0, 1.0);
    for (int i = 0; i < N; i++)
        most = graft__f16_to_f32(x[i]) > most ? graft__f16_to_f32(x[i]) : most;
    assert_true(most == 2047.0F / 2048.0F);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stream_of_pytorch),
        cmocka_unit_test(test_one_stays_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
