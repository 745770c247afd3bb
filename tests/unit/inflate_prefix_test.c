/* The first bytes of deflated data; the data was made by zlib. */
#include "file/inflate_prefix.h"
#include "test.h"

static const char fixed[] =
    "\x2B\xC9\x48\x55\xC8\x48\x4D\x4C\x49\x2D\x52\xC8\x4F\x53\x48\x54\x48\xCB\xCC\x49\x55\x48\xCC"
    "\x4B\x51\x28\x41\x95\x28\x21\x52\x1D";
static const char fixed_text[] = "the header of a file and the header of a"
                                 "the header of a file and the header of a";

static const char dynamic[] =
    "\x45\x90\xD1\x11\x04\x31\x08\x42\x6B\x05\xB4\xFF\x16\x0E\xD4\xEC\xF9\x91\x18\x85\xE7\x18\x14"
    "\x48\x82\x80\x5A\x02\xD0\xA8\x1C\x0E\xD7\xE5\x56\x7A\xA0\xB6\x13\xA9\x73\xA2\x9A\xEC\x9E\x92"
    "\xC4\x8A\xA8\x44\xD5\x3A\xFB\x99\x0C\x08\x02\x42\x73\x99\xD1\xB9\x9B\x51\x33\x27\x34\xAE\x36"
    "\x47\x8D\xD5\x00\xC5\x64\x34\x54\xD5\xC3\x5F\xC0\x32\x70\xBC\x17\xEC\x2A\xD7\x6D\x63\x5D\x3F"
    "\x84\x6C\x00\x7E\xCE\x09\xBD\x34\xC9\x88\xAD\xB1\x5B\xC3\xCE\x24\xF1\xE4\x59\x71\x85\xF3\xAE"
    "\xD6\xEE\x84\x95\xDC\x12\xBB\x56\xE7\x39\x57\xA6\xF6\x01\xFE\xAA\x58\x6F\xB4\xBF\x0E\xB3\x2E"
    "\x1F\x99\xDB\xF4\xCF\xFF";

/* The text of the second one. */
static void make_text(char *out, size_t size)
{
    uint32_t x = 1;
    for (size_t i = 0; i < size; i++) {
        x = (x * 1103515245U + 12345U) & 0x7FFFFFFF;
        out[i] = "aaaaaaaabbbbccde"[x >> 16 & 15];
    }
}

/* All prefixes, from blocks of exactly their sizes, and one byte too many. */
static void check_prefixes(const void *bytes, size_t size, const char *text, size_t text_size)
{
    unsigned char *in = malloc(size);
    assert_non_null(in);
    memcpy(in, bytes, size);
    for (size_t n = 0; n <= text_size; n++) {
        char *out = malloc(n ? n : 1);
        assert_non_null(out);
        assert_true(graft__inflate_prefix(in, size, out, n));
        assert_memory_equal(out, text, n);
        free(out);
    }
    char *out = malloc(text_size + 1);
    assert_non_null(out);
    assert_false(graft__inflate_prefix(in, size, out, text_size + 1));
    free(out);
    free(in);
}

static void prefixes(void **state)
{
    (void)state;
    char text[400];
    make_text(text, sizeof text);
    check_prefixes(fixed, sizeof fixed, fixed_text, sizeof fixed_text - 1);
    check_prefixes(dynamic, sizeof dynamic, text, sizeof text);
    static const char stored[] = "\x00\x03\x00\xFC\xFF"
                                 "abc"
                                 "\x01\x02\x00\xFD\xFF"
                                 "de";
    check_prefixes(stored, sizeof stored - 1, "abcde", 5);
}

static void damage(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
    } cases[] = {
        {"", 0},
        {"\x07", 1},             /* a block of no kind */
        {"\x01\x03\x00\xFC", 4}, /* a stored block without its length */
        {"\x01\x03\x00\xFC\xFE"
         "abc",
         8}, /* whose length is not what it says twice */
        {"\x01\x03\x00\xFC\xFF"
         "ab",
         7},
        {"\x03\x00", 2}, /* nothing, and that was the last block */
        {"\x03\x02", 2}, /* a distance before the beginning */
        {"\x05\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 13},
    };
    unsigned char out[100];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_false(graft__inflate_prefix(cases[i].bytes, cases[i].size, out, 3));
}

/* Whatever the bytes are: no harm. Cut short, nothing that is not there comes out. */
static void any_bytes(void **state)
{
    (void)state;
    char text[400], out[400];
    unsigned char copy[sizeof dynamic];
    make_text(text, sizeof text);
    for (size_t size = 0; size + 2 < sizeof dynamic; size++) {
        unsigned char *cut = malloc(size ? size : 1);
        assert_non_null(cut);
        memcpy(cut, dynamic, size);
        assert_false(graft__inflate_prefix(cut, size, out, sizeof out));
        free(cut);
    }
    memcpy(copy, dynamic, sizeof copy);
    int good = 0;
    for (size_t bit = 0; bit < sizeof copy * 8; bit++) {
        copy[bit / 8] ^= (unsigned char)(1 << bit % 8);
        good += graft__inflate_prefix(copy, sizeof copy, out, sizeof out);
        copy[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    assert_in_range(good, 1, sizeof copy * 8 - 1);
    uint32_t x = 1;
    for (int i = 0; i < (test_quick() ? 500 : 20000); i++) {
        for (size_t k = 0; k < sizeof copy; k++) {
            x = x * 1664525U + 1013904223U;
            copy[k] = (unsigned char)(x >> 24);
        }
        copy[0] = (unsigned char)((copy[0] & 0xF8) | (i % 3) << 1);
        graft__inflate_prefix(copy, sizeof copy, out, sizeof out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prefixes),
        cmocka_unit_test(damage),
        cmocka_unit_test(any_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
