/* CRC-32: known values, and the table against the definition and against what the build uses. */
#include "test.h"

#include "file/crc.h"
#include "file/crc_slice.h"

enum { SIZE = 1 << 16 };

/* The definition, a bit at a time. */
static uint32_t by_bits(uint32_t crc, const unsigned char *p, size_t size)
{
    crc = ~crc;
    for (size_t i = 0; i < size; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xedb88320) : 0);
    }
    return ~crc;
}

static void fill(unsigned char *p, size_t size)
{
    uint32_t x = 1;
    for (size_t i = 0; i < size; i++) {
        x = x * 1664525 + 1013904223;
        p[i] = (unsigned char)(x >> 24);
    }
}

static void test_known(void **state)
{
    (void)state;
    const char *const digits = "123456789", *const fox =
                                                "The quick brown fox jumps over the lazy dog";
    assert_int_equal(graft__crc32(0, digits, 9), 0xcbf43926);
    assert_int_equal(graft__crc32_slice(0, digits, 9), 0xcbf43926);
    assert_int_equal(graft__crc32(0, fox, strlen(fox)), 0x414fa339);
    assert_int_equal(graft__crc32_slice(0, fox, strlen(fox)), 0x414fa339);
}

static void test_empty(void **state)
{
    (void)state;
    assert_int_equal(graft__crc32(0, NULL, 0), 0);
    assert_int_equal(graft__crc32(0x12345678, NULL, 0), 0x12345678);
    assert_int_equal(graft__crc32_slice(0x12345678, NULL, 0), 0x12345678);
}

/* Each size around the slices, at each address that a word may begin at. */
static void test_sizes_and_places(void **state)
{
    (void)state;
    unsigned char p[256];
    fill(p, sizeof p);
    for (size_t at = 0; at < 17; at++)
        for (size_t size = 0; at + size <= sizeof p; size += size < 70 ? 1 : 13) {
            const uint32_t crc = by_bits(77, p + at, size);
            assert_int_equal(graft__crc32_slice(77, p + at, size), crc);
            assert_int_equal(graft__crc32(77, p + at, size), crc);
        }
}

static void test_in_parts(void **state)
{
    (void)state;
    unsigned char *p = malloc(SIZE);
    assert_non_null(p);
    fill(p, SIZE);
    const uint32_t whole = by_bits(0, p, SIZE);
    for (size_t cut = 0; cut <= SIZE; cut += 4099) {
        assert_int_equal(graft__crc32(graft__crc32(0, p, cut), p + cut, SIZE - cut), whole);
        assert_int_equal(graft__crc32_slice(graft__crc32_slice(0, p, cut), p + cut, SIZE - cut),
                         whole);
    }
    free(p);
}

/* Each entry of each table shows in one byte that has a slice or less behind it. */
static void test_each_byte(void **state)
{
    (void)state;
    unsigned char p[GRAFT__CRC_SLICES] = {0};
    for (size_t at = 0; at < sizeof p; at++) {
        for (int value = 0; value < 256; value++) {
            p[at] = (unsigned char)value;
            assert_int_equal(graft__crc32_slice(0, p, sizeof p), by_bits(0, p, sizeof p));
        }
        p[at] = 0;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_sizes_and_places),
        cmocka_unit_test(test_in_parts),
        cmocka_unit_test(test_each_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
