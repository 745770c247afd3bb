/* The wire format of protocol buffers. */
#include "file/protobuf.h"
#include "test.h"

static graft__pb open_text(const char *bytes, size_t size)
{
    return graft__pb_open((const unsigned char *)bytes, size);
}

static void fields(void **state)
{
    (void)state;
    static const char bytes[] = "\x08\x96\x01"                                 /* 1: varint 150 */
                                "\x11\1\2\3\4\5\6\7\x08"                       /* 2: fixed64 */
                                "\x1A\x02hi"                                   /* 3: bytes */
                                "\x25\1\0\0\x80"                               /* 4: fixed32 */
                                "\x28\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01" /* 5: 2^64 - 1 */
                                "\xF8\xFF\xFF\xFF\x0F\x00"; /* 2^29 - 1: varint 0 */
    graft__pb m = open_text(bytes, sizeof bytes - 1);
    graft__pb_field f;
    assert_true(graft__pb_next(&m, &f));
    assert_int_equal(f.number, 1);
    assert_int_equal(f.wire, GRAFT__PB_VARINT);
    assert_int_equal(f.value, 150);
    assert_true(graft__pb_next(&m, &f));
    assert_true(f.value == 0x0807060504030201);
    assert_true(graft__pb_next(&m, &f));
    assert_int_equal(f.number, 3);
    assert_int_equal(f.size, 2);
    assert_memory_equal(f.bytes, "hi", 2);
    assert_true(f.where == (const unsigned char *)bytes + 12);
    assert_true(graft__pb_next(&m, &f));
    assert_int_equal(f.value, 0x80000001);
    assert_true(graft__pb_next(&m, &f));
    assert_true(f.value == UINT64_MAX);
    assert_true(graft__pb_next(&m, &f));
    assert_int_equal(f.number, (1 << 29) - 1);
    assert_false(graft__pb_next(&m, &f));
    assert_null(m.error);
}

static void faults(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        bool cut;
        int at;
        const char *error;
    } cases[] = {
        {"\x08", 1, true, 1, "a number without an end"},
        {"\x08\x80\x80", 3, true, 1, "a number without an end"},
        {"\x88", 1, true, 0, "a number without an end"},
        {"\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02", 11, false, 1, "more than 64 bits"},
        {"\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 12, false, 1, "more than 64 bits"},
        {"\x11\1\2\3", 4, true, 1, "cut off"},
        {"\x25\1\2\3", 4, true, 1, "cut off"},
        {"\x1A\x03hi", 4, true, 0, "longer than what it is in"},
        {"\x1A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 11, true, 0, "longer"},
        {"\x00\x00", 2, false, 0, "a number that no field has"},
        {"\x80\x80\x80\x80\x10\x00", 6, false, 0, "a number that no field has"},
        {"\x0B\x0C", 2, false, 0, "a wire type that is not in use"},
        {"\x0E", 1, false, 0, "a wire type that is not in use"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        graft__pb m = open_text(cases[i].bytes, cases[i].size);
        graft__pb_field f;
        assert_false(graft__pb_next(&m, &f));
        assert_non_null(m.error);
        assert_non_null(strstr(m.error, cases[i].error));
        assert_int_equal(m.cut, cases[i].cut);
        assert_int_equal(m.at - (const unsigned char *)cases[i].bytes, cases[i].at);
        /* and it stays at an end */
        assert_false(graft__pb_next(&m, &f));
    }
}

static void packed(void **state)
{
    (void)state;
    graft__pb m = open_text("\x01\x96\x01\x80", 4);
    uint64_t n = 0;
    assert_true(graft__pb_packed(&m, GRAFT__PB_VARINT, &n));
    assert_int_equal(n, 1);
    assert_true(graft__pb_packed(&m, GRAFT__PB_VARINT, &n));
    assert_int_equal(n, 150);
    assert_false(graft__pb_packed(&m, GRAFT__PB_VARINT, &n));
    assert_non_null(m.error);
    m = open_text("\1\0\0\0\2", 5);
    assert_true(graft__pb_packed(&m, GRAFT__PB_FIXED32, &n));
    assert_int_equal(n, 1);
    assert_false(graft__pb_packed(&m, GRAFT__PB_FIXED32, &n));
    assert_true(m.cut);
    m = open_text("\1\0\0\0\2\0\0\0", 8);
    assert_true(graft__pb_packed(&m, GRAFT__PB_FIXED64, &n));
    assert_true(n == 0x200000001);
    assert_false(graft__pb_packed(&m, GRAFT__PB_FIXED64, &n));
    assert_null(m.error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields),
        cmocka_unit_test(faults),
        cmocka_unit_test(packed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
