#include "test.h"

#include <stdio.h>

#include "failing_allocator.h"
#include "file/json.h"

static int open_context(void **state)
{
    *state = test_open();
    return 0;
}

static int close_context(void **state)
{
    graft_close(*state);
    return 0;
}

static const char *const letter[] = {"error", ".", "{", "}", "[", "]",
                                     "k",     "s", "n", "t", "f", "0"};

/* All events of a text as one line: "{ k:a n:1 } .". On an error its offset: "! 3". */
static void events(graft_ctx *g, const char *text, size_t size, char *out, size_t room)
{
    graft__json j;
    graft__json_open(&j, g, text, size);
    size_t at = 0;
    for (;;) {
        const graft__json_kind kind = graft__json_next(&j);
        if (kind == GRAFT__JSON_ERROR) {
            assert_non_null(j.error);
            assert_true(j.at >= text && j.at <= text + size);
            snprintf(out + at, room - at, "! %d", (int)(j.at - text));
            assert_int_equal(graft__json_next(&j), GRAFT__JSON_ERROR); /* and it stays so */
            break;
        }
        at += (size_t)snprintf(out + at, room - at, "%s", letter[kind]);
        if (kind == GRAFT__JSON_KEY || kind == GRAFT__JSON_STRING || kind == GRAFT__JSON_NUMBER)
            at += (size_t)snprintf(out + at, room - at, ":%.*s", (int)j.length, j.text);
        if (kind == GRAFT__JSON_END)
            break;
        at += (size_t)snprintf(out + at, room - at, " ");
    }
    graft__json_close(&j);
}

static void assert_events(graft_ctx *g, const char *text, const char *expected)
{
    char got[1024];
    /* In a block of its own size, so that a sanitizer sees a step beyond its end. */
    const size_t size = strlen(text);
    char *exact = malloc(size ? size : 1);
    assert_non_null(exact);
    memcpy(exact, text, size);
    events(g, exact, size, got, sizeof got);
    free(exact);
    if (strcmp(got, expected) != 0)
        fail_msg("%s: got '%s', expected '%s'", text, got, expected);
}

static void test_values(void **state)
{
    graft_ctx *g = *state;
    assert_events(g, "{}", "{ } .");
    assert_events(g, " [ ] ", "[ ] .");
    assert_events(g, "\t{\"a\" : 1 , \"b\":[true,false,null,\"x\"]}\r\n",
                  "{ k:a n:1 k:b [ t f 0 s:x ] } .");
    assert_events(g, "[[],{},[{}]]", "[ [ ] { } [ { } ] ] .");
    assert_events(g, "\"only\"", "s:only .");
    assert_events(g, "\"\"", "s: .");
    assert_events(g, "null", "0 .");
    assert_events(g, "0", "n:0 .");
    assert_events(g, "[-0,-1.5e+10,1E-2,0.0,12345678901234567890123]",
                  "[ n:-0 n:-1.5e+10 n:1E-2 n:0.0 n:12345678901234567890123 ] .");
}

static void test_structure_errors(void **state)
{
    graft_ctx *g = *state;
    static const char *const cases[][2] = {
        {"", "! 0"},
        {"  ", "! 2"},
        {"{", "{ ! 1"},
        {"[", "[ ! 1"},
        {"{\"a\"", "{ ! 4"},
        {"{\"a\":", "{ k:a ! 5"},
        {"{\"a\":1", "{ k:a n:1 ! 6"},
        {"{\"a\":1,", "{ k:a n:1 ! 7"},
        {"{\"a\":1,}", "{ k:a n:1 ! 7"},
        {"{,}", "{ ! 1"},
        {"{1:2}", "{ ! 1"},
        {"{\"a\" 1}", "{ ! 5"},
        {"{\"a\"::1}", "{ k:a ! 5"},
        {"{\"a\":1 \"b\":2}", "{ k:a n:1 ! 7"},
        {"[1,]", "[ n:1 ! 3"},
        {"[,1]", "[ ! 1"},
        {"[1 2]", "[ n:1 ! 3"},
        {"[1}", "[ n:1 ! 2"},
        {"{\"a\":1]", "{ k:a n:1 ! 6"},
        {"{} {}", "{ } ! 3"},
        {"1 2", "n:1 ! 2"},
        {"]", "! 0"},
        {"}", "! 0"},
        {":", "! 0"},
        {",", "! 0"},
        {"'a'", "! 0"},
        {"nul", "! 0"},
        {"nulll", "0 ! 4"},
        {"True", "! 0"},
        {"NaN", "! 0"},
        {"Infinity", "! 0"},
        {"-Infinity", "! 1"},
        {"/* */ 1", "! 0"},
        {"\xEF\xBB\xBF{}", "! 0"},
        {"\v1", "! 0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_events(g, cases[i][0], cases[i][1]);
}

static void test_number_errors(void **state)
{
    graft_ctx *g = *state;
    static const char *const cases[][2] = {
        {"-", "! 1"},           {"+1", "! 0"},          {".5", "! 0"},      {"1.", "! 2"},
        {"1.e3", "! 2"},        {"1e", "! 2"},          {"1e+", "! 3"},     {"01", "! 0"},
        {"-01", "! 1"},         {"0x10", "n:0 ! 1"},    {"1_0", "n:1 ! 1"}, {"--1", "! 1"},
        {"1.5.5", "n:1.5 ! 3"}, {"1e5e5", "n:1e5 ! 3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_events(g, cases[i][0], cases[i][1]);
}

static void test_escapes(void **state)
{
    graft_ctx *g = *state;
    assert_events(g, "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "s:\"\\/\b\f\n\r\t .");
    assert_events(g, "\"a\\u0041\\u00e9\\u20AC\\ud83d\\ude00z\"",
                  "s:aA\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z .");
    assert_events(g, "{\"\\\\\":\"\\\"\"}", "{ k:\\ s:\" } .");
    assert_events(g, "\"\\uDBFF\\uDFFF\"", "s:\xF4\x8F\xBF\xBF .");
    static const char *const cases[][2] = {
        {"\"\\", "! 2"},
        {"\"\\\"", "! 3"},
        {"\"\\x\"", "! 1"},
        {"\"\\u12\"", "! 1"},
        {"\"\\u12g4\"", "! 1"},
        {"\"a\\uD800\"", "! 2"},
        {"\"\\uDC00\"", "! 1"},
        {"\"\\uD800\\u0041\"", "! 1"},
        {"\"\\uD800\\uD800\"", "! 1"},
        {"\"\\U0041\"", "! 1"},
        {"\"\\uD800x\\uDC00\"", "! 1"},
        {"\"\\\xC3\xA9\"", "! 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_events(g, cases[i][0], cases[i][1]);
}

static void test_zero_byte_from_an_escape(void **state)
{
    graft__json j;
    static const char text[] = "\"a\\u0000b\"";
    graft__json_open(&j, *state, text, sizeof text - 1);
    assert_int_equal(graft__json_next(&j), GRAFT__JSON_STRING);
    assert_int_equal(j.length, 3);
    assert_memory_equal(j.text, "a\0b", 3);
    assert_int_equal(graft__json_next(&j), GRAFT__JSON_END);
    assert_int_equal(graft__json_next(&j), GRAFT__JSON_END);
    graft__json_close(&j);
    graft__json_open(&j, *state, "\"a\0b\"", 5);
    assert_int_equal(graft__json_next(&j), GRAFT__JSON_ERROR);
    graft__json_close(&j);
}

/* Control characters and quotes at every place of the eight bytes that are looked at together. */
static void test_every_byte_at_every_place(void **state)
{
    graft_ctx *g = *state;
    for (size_t place = 0; place < 20; place++) {
        for (int byte = 0; byte < 256; byte++) {
            char text[24];
            memset(text, 'x', sizeof text);
            text[0] = text[22] = '"';
            text[1 + place] = (char)byte;
            graft__json j;
            graft__json_open(&j, g, text, 23);
            const graft__json_kind kind = graft__json_next(&j);
            if (byte == '"')
                assert_true(kind == GRAFT__JSON_STRING && j.length == place);
            else if (byte < 0x20 || byte >= 0x80)
                assert_true(kind == GRAFT__JSON_ERROR && j.at == text + 1 + place);
            else if (byte == '\\')
                assert_int_equal(kind, GRAFT__JSON_ERROR); /* \x, or \" and then no end */
            else
                assert_true(kind == GRAFT__JSON_STRING && j.length == 21);
            graft__json_close(&j);
        }
    }
}

/* What a slow and plain reading of the standard says. */
static bool reference_utf8(const unsigned char *p, size_t size)
{
    for (size_t i = 0; i < size;) {
        const int length = p[i] < 0x80   ? 1
                           : p[i] < 0xC0 ? 0
                           : p[i] < 0xE0 ? 2
                           : p[i] < 0xF0 ? 3
                           : p[i] < 0xF8 ? 4
                                         : 0;
        if (length == 0 || i + (size_t)length > size)
            return false;
        uint32_t c = length == 1 ? p[i] : p[i] & (0xFFu >> (length + 1));
        for (int k = 1; k < length; k++) {
            if ((p[i + (size_t)k] & 0xC0) != 0x80)
                return false;
            c = c << 6 | (p[i + (size_t)k] & 0x3Fu);
        }
        static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
        if (c < least[length] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
            return false;
        i += (size_t)length;
    }
    return true;
}

static void test_utf8(void **state)
{
    graft_ctx *g = *state;
    static const unsigned char interesting[] = {0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0,
                                                0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC,
                                                0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF4, 0xF5, 0xFF};
    const size_t n = sizeof interesting;
    for (size_t i = 0; i < n * n * n * n; i++) {
        const unsigned char text[4] = {interesting[i % n], interesting[i / n % n],
                                       interesting[i / n / n % n], interesting[i / n / n / n]};
        size_t bad = 99;
        const bool expected = reference_utf8(text, 4);
        assert_int_equal(graft__is_utf8((const char *)text, 4, &bad), expected);
        if (!expected)
            assert_true(bad < 4 && reference_utf8(text, bad));
        /* Inside of a string of JSON the same, but for control characters. */
        char quoted[6] = "\"....\"";
        memcpy(quoted + 1, text, 4);
        graft__json j;
        graft__json_open(&j, g, quoted, sizeof quoted);
        const bool plain = text[0] && text[1] && text[2] && text[3];
        assert_int_equal(graft__json_next(&j) == GRAFT__JSON_STRING, expected && plain);
        graft__json_close(&j);
    }
    size_t bad = 0;
    assert_false(graft__is_utf8("abcdefghijklmnop\xFFq", 18, &bad));
    assert_int_equal(bad, 16);
    assert_true(graft__is_utf8("", 0, &bad));
}

static void test_depth(void **state)
{
    graft_ctx *g = *state;
    char text[2 * GRAFT__JSON_DEPTH + 2];
    memset(text, '[', GRAFT__JSON_DEPTH);
    memset(text + GRAFT__JSON_DEPTH, ']', GRAFT__JSON_DEPTH);
    graft__json j;
    graft__json_open(&j, g, text, 2 * GRAFT__JSON_DEPTH);
    assert_true(graft__json_skip(&j, graft__json_next(&j)));
    assert_int_equal(graft__json_next(&j), GRAFT__JSON_END);
    graft__json_close(&j);
    memset(text, '[', sizeof text);
    graft__json_open(&j, g, text, sizeof text);
    assert_false(graft__json_skip(&j, graft__json_next(&j)));
    assert_int_equal(j.at - text, GRAFT__JSON_DEPTH);
    graft__json_close(&j);
}

static void test_skip(void **state)
{
    graft__json j;
    static const char text[] = "{\"a\":{\"b\":[1,{\"c\":2}]},\"d\":3,\"e\":[}";
    graft__json_open(&j, *state, text, sizeof text - 1);
    assert_int_equal(graft__json_next(&j), GRAFT__JSON_OBJECT);
    assert_int_equal(graft__json_next(&j), GRAFT__JSON_KEY);
    assert_true(graft__json_skip(&j, graft__json_next(&j)));
    assert_int_equal(graft__json_next(&j), GRAFT__JSON_KEY);
    assert_memory_equal(j.text, "d", 1);
    assert_true(graft__json_skip(&j, graft__json_next(&j)));
    assert_int_equal(graft__json_next(&j), GRAFT__JSON_KEY);
    assert_false(graft__json_skip(&j, graft__json_next(&j)));
    assert_false(graft__json_skip(&j, GRAFT__JSON_ERROR));
    graft__json_close(&j);
}

static void test_integers(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        uint64_t value;
    } cases[] = {
        {"0", true, 0},
        {"7", true, 7},
        {"9223372036854775807", true, INT64_MAX},
        {"18446744073709551615", true, UINT64_MAX},
        {"18446744073709551616", false, 0},
        {"99999999999999999999", false, 0},
        {"184467440737095516150", false, 0},
        {"-0", false, 0},
        {"-1", false, 0},
        {"1.0", false, 0},
        {"1e2", false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        graft__json j;
        graft__json_open(&j, *state, cases[i].text, strlen(cases[i].text));
        assert_int_equal(graft__json_next(&j), GRAFT__JSON_NUMBER);
        uint64_t value = 0;
        assert_int_equal(graft__json_u64(&j, &value), cases[i].ok);
        if (cases[i].ok)
            assert_true(value == cases[i].value);
        graft__json_close(&j);
    }
}

static void without_memory(void *user, failing_allocator *a)
{
    (void)user;
    graft_ctx *g = failing_allocator_open(a);
    if (!g)
        return;
    char got[64];
    static const char text[] = "[\"\\n\",\"\\u0041\\u0042\"]";
    events(g, text, sizeof text - 1, got, sizeof got);
    assert_true(a->failed ? strstr(got, "!") != NULL : strcmp(got, "[ s:\n s:AB ] .") == 0);
    graft_close(g);
}

static void test_failing_allocator(void **state)
{
    (void)state;
    failing_allocator_sweep(without_memory, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_structure_errors),
        cmocka_unit_test(test_number_errors),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_zero_byte_from_an_escape),
        cmocka_unit_test(test_every_byte_at_every_place),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_skip),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_failing_allocator),
    };
    return cmocka_run_group_tests(tests, open_context, close_context);
}
