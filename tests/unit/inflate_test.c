/* Deflated data: good, damaged, and of another size than said. */
#include "test.h"

#include "file/inflate.h"

#define PHRASE "graft copies networks; "
enum { TIMES = 40, LENGTH = sizeof PHRASE - 1, TEXT = TIMES * LENGTH };

/* That text, deflated by zlib. */
static const unsigned char deflated[] = {
    0x4b, 0x2f, 0x4a, 0x4c, 0x2b, 0x51, 0x48, 0xce, 0x2f, 0xc8, 0x4c, 0x2d,
    0x56, 0xc8, 0x4b, 0x2d, 0x29, 0xcf, 0x2f, 0xca, 0x2e, 0xb6, 0x56, 0x48,
    0x1f, 0x15, 0x1e, 0x15, 0x1e, 0x15, 0x1e, 0x38, 0x61, 0x00,
};

static void test_ratio(void **state)
{
    (void)state;
    assert_true(graft__may_inflate(0, 0));
    assert_false(graft__may_inflate(0, 1));
    assert_true(graft__may_inflate(1, 1032));
    assert_false(graft__may_inflate(1, 1033));
    assert_true(graft__may_inflate(1000, 1032000));
    assert_false(graft__may_inflate(1000, 1032001));
    assert_true(graft__may_inflate(UINT64_MAX, UINT64_MAX));
    assert_true(graft__may_inflate(UINT64_MAX / 1032 + 1, UINT64_MAX));
    assert_false(graft__may_inflate(UINT64_MAX / 1032, UINT64_MAX));
}

#ifdef GRAFT_DEFLATE

static void test_inflate(void **state)
{
    (void)state;
    char out[TEXT];
    assert_int_equal(graft__inflate(deflated, sizeof deflated, out, TEXT), GRAFT__INFLATED);
    for (int i = 0; i < TIMES; i++)
        assert_memory_equal(out + i * LENGTH, PHRASE, LENGTH);
}

static void test_nothing(void **state)
{
    (void)state;
    char out[1];
    assert_int_equal(graft__inflate("\x03\x00", 2, out, 0), GRAFT__INFLATED);
    assert_int_equal(graft__inflate("\x03\x00", 2, out, 1), GRAFT__INFLATE_DAMAGED);
    assert_int_equal(graft__inflate("", 0, out, 0), GRAFT__INFLATE_DAMAGED);
}

static void test_other_sizes(void **state)
{
    (void)state;
    char out[TEXT + 1];
    assert_int_equal(graft__inflate(deflated, sizeof deflated, out, TEXT - 1),
                     GRAFT__INFLATE_DAMAGED);
    assert_int_equal(graft__inflate(deflated, sizeof deflated, out, TEXT + 1),
                     GRAFT__INFLATE_DAMAGED);
    for (size_t size = 0; size < sizeof deflated; size++)
        assert_int_equal(graft__inflate(deflated, size, out, TEXT), GRAFT__INFLATE_DAMAGED);
}

static void test_bytes_behind(void **state)
{
    (void)state;
    unsigned char longer[sizeof deflated + 1] = {0};
    char out[TEXT];
    memcpy(longer, deflated, sizeof deflated);
    assert_int_equal(graft__inflate(longer, sizeof longer, out, TEXT), GRAFT__INFLATE_DAMAGED);
}

#else

static void test_absent(void **state)
{
    (void)state;
    char out[TEXT];
    assert_int_equal(graft__inflate(deflated, sizeof deflated, out, TEXT), GRAFT__INFLATE_ABSENT);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ratio),
#ifdef GRAFT_DEFLATE
        cmocka_unit_test(test_inflate),     cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_other_sizes), cmocka_unit_test(test_bytes_behind),
#else
        cmocka_unit_test(test_absent),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
