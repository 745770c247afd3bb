/* Strings and bytes. */
#include "file/pickle_machine.h"

#include <string.h>

#include "base/alloc.h"

/* ---- UTF-8 ---- */

/* The length of the sequence at `at`, or 0: what is overlong or beyond U+10FFFF is none. Surrogates
 * are, as Python writes them into pickles. */
static size_t sequence(const unsigned char *at, size_t left)
{
    const unsigned char c = at[0];
    const size_t length = c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
    if (length == 0 || length > left)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    const bool overlong = (c == 0xe0 && at[1] < 0xa0) || (c == 0xf0 && at[1] < 0x90);
    return overlong || (c == 0xf4 && at[1] > 0x8f) ? 0 : length;
}

bool graft__pickle_is_utf8(const unsigned char *bytes, size_t size)
{
    size_t i = 0;
    while (i < size) {
        uint64_t eight;
        if (size - i >= sizeof eight) {
            memcpy(&eight, bytes + i, sizeof eight);
            if (!(eight & UINT64_C(0x8080808080808080))) {
                i += sizeof eight;
                continue;
            }
        }
        const size_t length = bytes[i] < 0x80 ? 1 : sequence(bytes + i, size - i);
        if (length == 0)
            return false;
        i += length;
    }
    return true;
}

/* Appends a code point; returns how many bytes it took, at most 4. */
static size_t encode(char *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

/* ---- Texts of bytes ---- */

static bool push_lying(graft__pickle *p, graft_value_kind kind, const graft__pickle_argument *a)
{
    return graft__pickle_push(
        p, (graft__value){.kind = kind,
                          .text = {.data = (char *)(uintptr_t)a->text, .length = a->length}});
}

bool graft__pickle_op_binunicode(graft__pickle *p, const graft__pickle_argument *a)
{
    if (!graft__pickle_is_utf8(a->text, a->length))
        return graft__pickle_fail(p, GRAFT_FAULT_PICKLE_VALUE, "has a text that is not UTF-8");
    return push_lying(p, GRAFT_VALUE_STRING, a);
}

bool graft__pickle_op_binbytes(graft__pickle *p, const graft__pickle_argument *a)
{
    return push_lying(p, GRAFT_VALUE_BYTES, a);
}

/* Python 2's str is bytes that mostly are a text: torch.load takes them for UTF-8. */
static graft_value_kind kind_of(const unsigned char *bytes, size_t size)
{
    return graft__pickle_is_utf8(bytes, size) ? GRAFT_VALUE_STRING : GRAFT_VALUE_BYTES;
}

bool graft__pickle_op_short_binstring(graft__pickle *p, const graft__pickle_argument *a)
{
    return push_lying(p, kind_of(a->text, a->length), a);
}

bool graft__pickle_op_binstring(graft__pickle *p, const graft__pickle_argument *a)
{
    if (a->length > INT32_MAX)
        return graft__pickle_fail(p, GRAFT_FAULT_PICKLE_VALUE, "has a negative length");
    return graft__pickle_op_short_binstring(p, a);
}

/* ---- Escapes ---- */

static char *new_block(graft__pickle *p, size_t size)
{
    if (!graft__pickle_charge(p, size + 64))
        return NULL;
    char *block = graft__alloc(p->g, size);
    if (!block)
        graft__pickle_no_memory(p, size);
    return block;
}

/* Shrinks the block to the length of the text, which the stack gives it back with. */
static bool push_shrunk(graft__pickle *p, char *block, size_t size, size_t length, bool text)
{
    char *exact = graft__realloc(p->g, block, size, length + 1);
    if (!exact) {
        graft__free(p->g, block, size);
        return graft__pickle_no_memory(p, length + 1);
    }
    exact[length] = 0;
    const graft_value_kind kind =
        text ? GRAFT_VALUE_STRING : kind_of((const unsigned char *)exact, length);
    return graft__pickle_push_block(p, kind, exact, length);
}

static int hex_digit(unsigned char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* That many hexadecimal digits as a number; false if they are not there. */
static bool hex(const unsigned char *at, size_t left, size_t count, uint32_t *out)
{
    *out = 0;
    for (size_t i = 0; i < count; i++) {
        const int digit = i < left ? hex_digit(at[i]) : -1;
        if (digit < 0)
            return false;
        *out = *out << 4 | (uint32_t)digit;
    }
    return true;
}

static const char letters[] = "abfnrtv\\'\"";
static const char meanings[] = "\a\b\f\n\r\t\v\\'\"";

/* The byte (or two: an escape that is none stays) that the escape behind a backslash stands for;
 * returns how many characters it takes, 0 if it is no escape. */
static size_t unescape(const unsigned char *at, size_t left, char *out, size_t *length)
{
    const char *letter = left > 0 && at[0] ? strchr(letters, at[0]) : NULL;
    uint32_t number = 0;
    if (left == 0)
        return 0;
    if (letter) {
        out[(*length)++] = meanings[letter - letters];
        return 1;
    }
    if (at[0] == 'x') {
        if (!hex(at + 1, left - 1, 2, &number))
            return 0;
        out[(*length)++] = (char)number;
        return 3;
    }
    size_t digits = 0;
    for (; digits < 3 && digits < left && at[digits] >= '0' && at[digits] <= '7'; digits++)
        number = number * 8 + (uint32_t)(at[digits] - '0');
    if (digits > 0) {
        out[(*length)++] = (char)(number & 0xff);
        return digits;
    }
    out[(*length)++] = '\\';
    out[(*length)++] = (char)at[0];
    return 1;
}

/* Python 2's str as its repr. */
bool graft__pickle_op_string(graft__pickle *p, const graft__pickle_argument *a)
{
    const unsigned char *text = a->text;
    if (a->length < 2 || (text[0] != '\'' && text[0] != '"') || text[a->length - 1] != text[0])
        return graft__pickle_fail(p, GRAFT_FAULT_PICKLE_VALUE, "has a text without quotes");
    const size_t end = a->length - 1, size = a->length;
    char *out = new_block(p, size);
    if (!out)
        return false;
    size_t length = 0;
    for (size_t i = 1; i < end;) {
        if (text[i] != '\\') {
            out[length++] = (char)text[i++];
            continue;
        }
        const size_t taken = unescape(text + i + 1, end - i - 1, out, &length);
        if (taken == 0) {
            graft__free(p->g, out, size);
            return graft__pickle_fail(p, GRAFT_FAULT_PICKLE_VALUE,
                                      "has a backslash that begins nothing");
        }
        i += 1 + taken;
    }
    return push_shrunk(p, out, size, length, false);
}

/* The code point at text[*i], which moves behind it: an escape of 4 or 8 digits or a Latin-1
 * character. false if the escape is none. */
static bool next_point(const unsigned char *text, size_t size, size_t *i, uint32_t *point)
{
    const unsigned char kind = *i + 1 < size ? text[*i + 1] : 0;
    const size_t digits = kind == 'u' ? 4 : kind == 'U' ? 8 : 0;
    *point = text[*i];
    if (*point != '\\' || digits == 0) {
        ++*i;
        return true;
    }
    if (!hex(text + *i + 2, size - *i - 2, digits, point) || *point > 0x10ffff)
        return false;
    *i += 2 + digits;
    return true;
}

/* raw-unicode-escape. */
bool graft__pickle_op_unicode(graft__pickle *p, const graft__pickle_argument *a)
{
    const size_t size = 2 * a->length + 1; /* a Latin-1 character becomes two bytes at most */
    char *out = new_block(p, size);
    if (!out)
        return false;
    size_t length = 0;
    for (size_t i = 0; i < a->length;) {
        uint32_t point;
        /* A backslash behind a backslash begins no escape. */
        const bool pair = a->text[i] == '\\' && i + 1 < a->length && a->text[i + 1] == '\\';
        if (pair) {
            out[length++] = '\\';
            out[length++] = '\\';
            i += 2;
        } else if (next_point(a->text, a->length, &i, &point)) {
            length += encode(out + length, point);
        } else {
            graft__free(p->g, out, size);
            return graft__pickle_fail(p, GRAFT_FAULT_PICKLE_VALUE,
                                      "has an escape that is no character");
        }
    }
    return push_shrunk(p, out, size, length, true);
}
