#include "file/json.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

/* What may come next. */
enum {
    WANT_VALUE,
    WANT_VALUE_OR_END, /* behind [ */
    WANT_KEY,          /* behind a comma */
    WANT_KEY_OR_END,   /* behind { */
    WANT_COMMA_OR_END,
    WANT_NOTHING, /* the value is whole */
    FAILED
};

void graft__json_open(graft__json *j, graft_ctx *g, const char *text, size_t size)
{
    *j = (graft__json){.g = g, .text_begin = text, .at = text, .end = text + size};
}

void graft__json_close(graft__json *j)
{
    graft__free(j->g, j->scratch, j->scratch_capacity);
    j->scratch = NULL;
    j->scratch_capacity = 0;
}

static graft__json_kind fail(graft__json *j, const char *at, const char *error)
{
    j->at = at;
    j->error = error;
    j->state = FAILED;
    return GRAFT__JSON_ERROR;
}

/* ---- UTF-8 ---- */

static bool is_tail(unsigned char c)
{
    return (c & 0xC0) == 0x80;
}

/* The length of the character of two to four bytes that p begins with; 0 if it is none. */
static size_t character_length(const unsigned char *p, size_t left)
{
    if (left >= 2 && p[0] >= 0xC2 && p[0] <= 0xDF)
        return is_tail(p[1]) ? 2 : 0;
    if (left >= 3 && (p[0] & 0xF0) == 0xE0) {
        if (!is_tail(p[1]) || !is_tail(p[2]))
            return 0;
        const bool overlong = p[0] == 0xE0 && p[1] < 0xA0;
        const bool surrogate = p[0] == 0xED && p[1] > 0x9F;
        return overlong || surrogate ? 0 : 3;
    }
    if (left >= 4 && p[0] >= 0xF0 && p[0] <= 0xF4) {
        if (!is_tail(p[1]) || !is_tail(p[2]) || !is_tail(p[3]))
            return 0;
        const bool overlong = p[0] == 0xF0 && p[1] < 0x90;
        const bool beyond = p[0] == 0xF4 && p[1] > 0x8F;
        return overlong || beyond ? 0 : 4;
    }
    return 0;
}

static const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;

bool graft__is_utf8(const char *bytes, size_t size, size_t *bad)
{
    size_t at = 0;
    while (at < size) {
        uint64_t eight;
        if (size - at >= sizeof eight) {
            memcpy(&eight, bytes + at, sizeof eight);
            if (!(eight & highs)) {
                at += sizeof eight;
                continue;
            }
        }
        const unsigned char *p = (const unsigned char *)bytes + at;
        const size_t length = *p < 0x80 ? 1 : character_length(p, size - at);
        if (length == 0) {
            *bad = at;
            return false;
        }
        at += length;
    }
    return true;
}

/* ---- Strings ---- */

/* A byte that is 0x80 for each byte of w below n, which is at most 0x80; w has no high bits. */
static uint64_t bytes_below(uint64_t w, uint64_t n)
{
    return (w - ones * n) & ~w & highs;
}

/* The first byte that is not plain: a quote, a backslash, a control character or not ASCII. */
static const char *skip_plain(const char *p, const char *end)
{
    while (end - p >= 8) {
        uint64_t w;
        memcpy(&w, p, sizeof w);
        if ((w & highs) | bytes_below(w, 0x20) | bytes_below(w ^ ones * '"', 1) |
            bytes_below(w ^ ones * '\\', 1))
            break;
        p += 8;
    }
    while (p < end && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80 && *p != '"' &&
           *p != '\\')
        p++;
    return p;
}

/* The closing quote of the string whose text begins at p; NULL, with the error set. */
static const char *find_quote(graft__json *j, const char *p, bool *escaped)
{
    *escaped = false;
    for (;;) {
        p = skip_plain(p, j->end);
        if (p == j->end || (*p == '\\' && j->end - p == 1)) {
            fail(j, j->end, "the text ends inside of a string");
            return NULL;
        }
        if (*p == '"')
            return p;
        if (*p == '\\') {
            *escaped = true;
            p += 1;
            /* What is escaped is looked at later; a byte that is not ASCII is not skipped here. */
            if (*p == '"' || *p == '\\')
                p += 1;
        } else if ((unsigned char)*p < 0x20) {
            fail(j, p, "a control character inside of a string");
            return NULL;
        } else {
            const size_t length = character_length((const unsigned char *)p, (size_t)(j->end - p));
            if (length == 0) {
                fail(j, p, "a string that is not UTF-8");
                return NULL;
            }
            p += length;
        }
    }
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    const char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* The four hexadecimal digits behind "\u"; -1 if they are none. */
static int32_t code_unit(const char *p, const char *end)
{
    if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
        return -1;
    int32_t unit = 0;
    for (int i = 2; i < 6; i++) {
        const int digit = hex_digit(p[i]);
        if (digit < 0)
            return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

static char *put_character(char *out, uint32_t c)
{
    if (c < 0x80) {
        *out++ = (char)c;
        return out;
    }
    if (c < 0x800) {
        *out++ = (char)(0xC0 | c >> 6);
    } else {
        if (c < 0x10000) {
            *out++ = (char)(0xE0 | c >> 12);
        } else {
            *out++ = (char)(0xF0 | c >> 18);
            *out++ = (char)(0x80 | (c >> 12 & 0x3F));
        }
        *out++ = (char)(0x80 | (c >> 6 & 0x3F));
    }
    *out++ = (char)(0x80 | (c & 0x3F));
    return out;
}

/* Undoes the escape at *p, of which there is at least one byte behind the backslash. */
static bool put_escape(graft__json *j, const char **p, const char *end, char **out)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    const char *letter = memchr(letters, (*p)[1], sizeof letters - 1);
    if (letter) {
        *(*out)++ = meanings[letter - letters];
        *p += 2;
        return true;
    }
    const int32_t first = code_unit(*p, end);
    if (first < 0) {
        fail(j, *p, "an escape that is none");
        return false;
    }
    if (first < 0xD800 || first > 0xDFFF) {
        *out = put_character(*out, (uint32_t)first);
        *p += 6;
        return true;
    }
    const int32_t second = first < 0xDC00 ? code_unit(*p + 6, end) : -1;
    if (second < 0xDC00 || second > 0xDFFF) {
        fail(j, *p, "half of a surrogate pair");
        return false;
    }
    *out = put_character(*out,
                         0x10000 + ((uint32_t)(first & 0x3FF) << 10 | (uint32_t)(second & 0x3FF)));
    *p += 12;
    return true;
}

/* Undoes the escapes of p..end in the scratch memory, which they can only make shorter. */
static bool unescape(graft__json *j, const char *p, const char *end)
{
    const size_t size = (size_t)(end - p);
    if (j->scratch_capacity < size) {
        graft__free(j->g, j->scratch, j->scratch_capacity);
        j->scratch_capacity = 0;
        j->scratch = graft__alloc(j->g, size);
        if (!j->scratch) {
            j->no_memory = true;
            fail(j, p, "there is no memory for a string");
            return false;
        }
        j->scratch_capacity = size;
    }
    char *out = j->scratch;
    while (p < end) {
        if (*p == '\\') {
            if (!put_escape(j, &p, end, &out))
                return false;
            continue;
        }
        const char *escape = memchr(p, '\\', (size_t)(end - p));
        const size_t plain = (size_t)((escape ? escape : end) - p);
        memcpy(out, p, plain);
        out += plain;
        p += plain;
    }
    j->text = j->scratch;
    j->length = (size_t)(out - j->scratch);
    return true;
}

/* The string whose opening quote stands at j->at. */
static bool read_string(graft__json *j)
{
    bool escaped;
    const char *begin = j->at + 1;
    const char *quote = find_quote(j, begin, &escaped);
    if (!quote)
        return false;
    j->text = begin;
    j->length = (size_t)(quote - begin);
    if (escaped && !unescape(j, begin, quote))
        return false;
    j->at = quote + 1;
    return true;
}

/* ---- Other values ---- */

static void skip_space(graft__json *j)
{
    while (j->at < j->end && (*j->at == ' ' || *j->at == '\n' || *j->at == '\r' || *j->at == '\t'))
        j->at++;
}

static const char *skip_digits(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p;
}

static graft__json_kind read_number(graft__json *j)
{
    const char *p = j->at, *const end = j->end;
    p += *p == '-';
    const char *digits = p;
    p = skip_digits(p, end);
    if (p == digits)
        return fail(j, p, "a number without digits");
    if (*digits == '0' && p - digits > 1)
        return fail(j, digits, "a number with a leading 0");
    if (p < end && *p == '.') {
        const char *fraction = ++p;
        p = skip_digits(p, end);
        if (p == fraction)
            return fail(j, p, "a number without digits behind its point");
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        const char *exponent = p;
        p = skip_digits(p, end);
        if (p == exponent)
            return fail(j, p, "a number without digits in its exponent");
    }
    j->text = j->at;
    j->length = (size_t)(p - j->at);
    j->at = p;
    return GRAFT__JSON_NUMBER;
}

static graft__json_kind read_word(graft__json *j, const char *word, graft__json_kind kind)
{
    const size_t length = strlen(word);
    if ((size_t)(j->end - j->at) < length || memcmp(j->at, word, length) != 0)
        return fail(j, j->at, "expected a value");
    j->at += length;
    return kind;
}

static graft__json_kind enter(graft__json *j, char bracket)
{
    if (j->depth == GRAFT__JSON_DEPTH)
        return fail(j, j->at, "nested too deep");
    j->stack[j->depth++] = (unsigned char)bracket;
    j->at++;
    j->state = bracket == '{' ? WANT_KEY_OR_END : WANT_VALUE_OR_END;
    return bracket == '{' ? GRAFT__JSON_OBJECT : GRAFT__JSON_ARRAY;
}

static void value_is_whole(graft__json *j)
{
    j->state = j->depth > 0 ? WANT_COMMA_OR_END : WANT_NOTHING;
}

static graft__json_kind leave(graft__json *j)
{
    const graft__json_kind kind =
        j->stack[--j->depth] == '{' ? GRAFT__JSON_OBJECT_END : GRAFT__JSON_ARRAY_END;
    j->at++;
    value_is_whole(j);
    return kind;
}

static graft__json_kind read_scalar(graft__json *j, char c)
{
    if (c == '"')
        return read_string(j) ? GRAFT__JSON_STRING : GRAFT__JSON_ERROR;
    if (c == '-' || (c >= '0' && c <= '9'))
        return read_number(j);
    if (c == 't')
        return read_word(j, "true", GRAFT__JSON_TRUE);
    if (c == 'f')
        return read_word(j, "false", GRAFT__JSON_FALSE);
    if (c == 'n')
        return read_word(j, "null", GRAFT__JSON_NULL);
    return fail(j, j->at, "expected a value");
}

static graft__json_kind read_value(graft__json *j, char c)
{
    if (c == '{' || c == '[')
        return enter(j, c);
    const graft__json_kind kind = read_scalar(j, c);
    if (kind != GRAFT__JSON_ERROR)
        value_is_whole(j);
    return kind;
}

static graft__json_kind read_key(graft__json *j, char c)
{
    if (c != '"')
        return fail(j, j->at, "expected a key in quotes");
    if (!read_string(j))
        return GRAFT__JSON_ERROR;
    skip_space(j);
    if (j->at == j->end || *j->at != ':')
        return fail(j, j->at, "expected a colon");
    j->at++;
    j->state = WANT_VALUE;
    return GRAFT__JSON_KEY;
}

/* ---- Events ---- */

graft__json_kind graft__json_next(graft__json *j)
{
    if (j->state == FAILED)
        return GRAFT__JSON_ERROR;
    skip_space(j);
    if (j->at == j->end) {
        if (j->state == WANT_NOTHING)
            return GRAFT__JSON_END;
        return fail(j, j->at, "the text ends too early");
    }
    char c = *j->at;
    if (j->state == WANT_COMMA_OR_END) {
        const bool object = j->stack[j->depth - 1] == '{';
        if (c == (object ? '}' : ']'))
            return leave(j);
        if (c != ',')
            return fail(j, j->at, object ? "expected a comma or }" : "expected a comma or ]");
        j->at++;
        skip_space(j);
        if (j->at == j->end)
            return fail(j, j->at, "the text ends too early");
        c = *j->at;
        j->state = object ? WANT_KEY : WANT_VALUE;
    }
    switch (j->state) {
    case WANT_VALUE_OR_END:
        if (c == ']')
            return leave(j);
        /* fall through */
    case WANT_VALUE:
        return read_value(j, c);
    case WANT_KEY_OR_END:
        if (c == '}')
            return leave(j);
        /* fall through */
    case WANT_KEY:
        return read_key(j, c);
    default:
        return fail(j, j->at, "something behind the value");
    }
}

bool graft__json_skip(graft__json *j, graft__json_kind first)
{
    if (first == GRAFT__JSON_ERROR)
        return false;
    if (first != GRAFT__JSON_OBJECT && first != GRAFT__JSON_ARRAY)
        return true;
    const int outside = j->depth - 1;
    while (j->depth > outside)
        if (graft__json_next(j) == GRAFT__JSON_ERROR)
            return false;
    return true;
}

bool graft__json_u64(const graft__json *j, uint64_t *out)
{
    uint64_t number = 0;
    for (size_t i = 0; i < j->length; i++) {
        const char c = j->text[i];
        if (c < '0' || c > '9')
            return false;
        const uint64_t digit = (uint64_t)(c - '0');
        if (number > (UINT64_MAX - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *out = number;
    return j->length > 0;
}
