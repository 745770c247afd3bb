/* Numbers, as text and as bytes. */
#include "file/pickle_machine.h"

#include <float.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How long an integer may be: converting one takes time that grows with the square. */
enum { LONG_BYTES = 1024, LONG_DIGITS = 2467, FLOAT_TEXT = 512 };

static bool is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

bool graft__pickle_decimal(const unsigned char *text, size_t length, uint64_t *out)
{
    uint64_t number = 0;
    for (size_t i = 0; i < length; i++)
        if (!is_digit(text[i]) || __builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(text[i] - '0'), &number))
            return false;
    *out = number;
    return length > 0;
}

/* ---- Decimal text ---- */

/* The digits behind a sign, without the zeros that lead; false if it is no such text. Zeros before
 * other digits are refused, as Python does: C's were octal. */
static bool split(const unsigned char *text, size_t length, bool *negative,
                  const unsigned char **digits, size_t *count)
{
    *negative = length > 0 && text[0] == '-';
    const size_t sign = length > 0 && (text[0] == '-' || text[0] == '+');
    *digits = text + sign;
    *count = length - sign;
    for (size_t i = 0; i < *count; i++)
        if (!is_digit((*digits)[i]))
            return false;
    const bool zeros = *count > 0 && (*digits)[0] == '0';
    while (*count > 1 && (*digits)[0] == '0') {
        ++*digits;
        --*count;
    }
    return *count > 0 && !(zeros && (*digits)[0] != '0');
}

graft__pickle_parsed graft__pickle_parse_int(graft_ctx *g, const char *op,
                                             const unsigned char *text, size_t length,
                                             graft__value *out)
{
    bool negative;
    const unsigned char *digits;
    size_t count;
    uint64_t number;
    *out = (graft__value){.kind = GRAFT_VALUE_NONE};
    if (!split(text, length, &negative, &digits, &count))
        return GRAFT__PICKLE_NO_NUMBER;
    if (graft__pickle_decimal(digits, count, &number) && number <= (uint64_t)INT64_MAX + negative) {
        *out = graft__int_value(negative ? -(int64_t)(number - 1) - 1 : (int64_t)number);
        return GRAFT__PICKLE_PARSED;
    }
    if (count > LONG_DIGITS)
        return GRAFT__PICKLE_TOO_LONG;
    char copy[LONG_DIGITS + 1] = "-";
    memcpy(copy + negative, digits, count);
    *out = graft__text_value(g, op, GRAFT_VALUE_BIG_INT, copy, count + negative);
    return out->kind == GRAFT_VALUE_BIG_INT ? GRAFT__PICKLE_PARSED : GRAFT__PICKLE_NO_MEMORY;
}

static bool push_int(graft__pickle *p, const unsigned char *text, size_t length)
{
    graft__value v;
    switch (graft__pickle_parse_int(p->g, p->r->op, text, length, &v)) {
    case GRAFT__PICKLE_PARSED:
        break;
    case GRAFT__PICKLE_NO_MEMORY:
        return false;
    case GRAFT__PICKLE_TOO_LONG:
        return graft__pickle_fail(p, GRAFT_FAULT_LIMIT, "has an integer of more than %d digits",
                                  LONG_DIGITS);
    case GRAFT__PICKLE_NO_NUMBER:
        return graft__pickle_fail(p, GRAFT_FAULT_PICKLE_VALUE,
                                  "has a text that is no decimal integer");
    }
    return graft__pickle_charge(p, graft__is_text(v.kind) ? v.text.length + 64 : 0)
               ? graft__pickle_lend(p, &v) && graft__pickle_push(p, v)
               : (graft__value_drop(p->g, &v), false);
}

bool graft__pickle_op_int(graft__pickle *p, const graft__pickle_argument *a)
{
    if (a->length == 2 && a->text[0] == '0' && (a->text[1] == '0' || a->text[1] == '1'))
        return graft__pickle_push(
            p, (graft__value){.kind = GRAFT_VALUE_BOOL, .boolean = a->text[1] == '1'});
    return push_int(p, a->text, a->length);
}

bool graft__pickle_op_long(graft__pickle *p, const graft__pickle_argument *a)
{
    const bool suffix = a->length > 0 && a->text[a->length - 1] == 'L';
    return push_int(p, a->text, a->length - suffix);
}

static bool same_letters(const char *text, const char *lower)
{
    for (; *lower; text++, lower++)
        if ((*text | 0x20) != *lower)
            return false;
    return *text == 0;
}

/* Digits with at most one point and an exponent; what strtod takes beyond that (hexadecimal,
 * "nan(1)", white space) Python does not. */
static bool is_float_text(const char *text)
{
    text += *text == '-' || *text == '+';
    if (same_letters(text, "inf") || same_letters(text, "infinity") || same_letters(text, "nan"))
        return true;
    size_t digits = 0;
    for (; is_digit((unsigned char)*text); text++)
        digits++;
    if (*text == '.')
        for (text++; is_digit((unsigned char)*text); text++)
            digits++;
    if (digits > 0 && (*text == 'e' || *text == 'E')) {
        text++;
        text += *text == '-' || *text == '+';
        if (!is_digit((unsigned char)*text))
            return false;
        while (is_digit((unsigned char)*text))
            text++;
    }
    return digits > 0 && *text == 0;
}

bool graft__pickle_parse_float(const unsigned char *text, size_t length, double *out)
{
    char copy[FLOAT_TEXT + 1], local[FLOAT_TEXT + 32];
    if (length > FLOAT_TEXT || memchr(text, 0, length))
        return false;
    memcpy(copy, text, length);
    copy[length] = 0;
    if (!is_float_text(copy))
        return false;
    /* strtod wants the locale's point. */
    const char *point = strchr(copy, '.');
    if (point)
        snprintf(local, sizeof local, "%.*s%s%s", (int)(point - copy), copy,
                 localeconv()->decimal_point, point + 1);
    *out = strtod(point ? local : copy, NULL);
    return true;
}

bool graft__pickle_op_float(graft__pickle *p, const graft__pickle_argument *a)
{
    graft__value v = {.kind = GRAFT_VALUE_FLOAT};
    return graft__pickle_parse_float(a->text, a->length, &v.real)
               ? graft__pickle_push(p, v)
               : graft__pickle_fail(p, GRAFT_FAULT_PICKLE_VALUE, "has a text that is no number");
}

/* ---- Bytes ---- */

bool graft__pickle_op_binint(graft__pickle *p, const graft__pickle_argument *a)
{
    return graft__pickle_push(p, graft__int_value((int32_t)(uint32_t)a->number));
}

bool graft__pickle_op_small_int(graft__pickle *p, const graft__pickle_argument *a)
{
    return graft__pickle_push(p, graft__int_value((int64_t)a->number));
}

bool graft__pickle_op_binfloat(graft__pickle *p, const graft__pickle_argument *a)
{
    const uint64_t bits = __builtin_bswap64(a->number);
    graft__value v = {.kind = GRAFT_VALUE_FLOAT};
    _Static_assert(sizeof v.real == sizeof bits && DBL_MANT_DIG == 53, "IEEE 754");
    memcpy(&v.real, &bits, sizeof bits);
    return graft__pickle_push(p, v);
}

/* The magnitude in base 10^9, the lowest first, of little-endian words; returns how many. */
static size_t to_decimal(const uint32_t *word, size_t words, uint32_t *limb)
{
    size_t limbs = 0;
    for (size_t w = words; w-- > 0;) {
        uint64_t carry = word[w];
        for (size_t i = 0; i < limbs; i++) {
            carry += (uint64_t)limb[i] << 32;
            limb[i] = (uint32_t)(carry % 1000000000);
            carry /= 1000000000;
        }
        for (; carry > 0; carry /= 1000000000)
            limb[limbs++] = (uint32_t)(carry % 1000000000);
    }
    return limbs;
}

/* Two's complement, little-endian, too wide for an int64_t: as decimal text. */
static bool push_wide(graft__pickle *p, const unsigned char *bytes, size_t size)
{
    uint32_t word[LONG_BYTES / 4] = {0}, limb[LONG_BYTES / 4 * 32 / 29 + 2];
    char text[LONG_DIGITS + 16];
    const bool negative = bytes[size - 1] & 0x80;
    const size_t words = (size + 3) / 4;
    for (size_t i = 0; i < 4 * words; i++) {
        const unsigned char byte = i < size ? bytes[i] : negative ? 0xff : 0;
        word[i / 4] |= (uint32_t)byte << (i % 4 * 8);
    }
    uint32_t carry = 1; /* the magnitude is the complement and 1 */
    for (size_t i = 0; negative && i < words; i++) {
        word[i] = ~word[i] + carry;
        carry = carry && word[i] == 0;
    }
    const size_t limbs = to_decimal(word, words, limb);
    int length = snprintf(text, sizeof text, "%s%u", negative ? "-" : "", limb[limbs - 1]);
    for (size_t i = limbs - 1; i-- > 0;)
        length += snprintf(text + length, sizeof text - (size_t)length, "%09u", limb[i]);
    graft__value v = graft__text_value(p->g, p->r->op, GRAFT_VALUE_BIG_INT, text, (size_t)length);
    return v.kind == GRAFT_VALUE_BIG_INT && graft__pickle_lend(p, &v) && graft__pickle_push(p, v);
}

static bool push_long(graft__pickle *p, const unsigned char *bytes, size_t size)
{
    const unsigned char fill = size > 0 && bytes[size - 1] & 0x80 ? 0xff : 0;
    while (size > 8 && bytes[size - 1] == fill && (bytes[size - 2] & 0x80) == (fill & 0x80))
        size--;
    if (size > LONG_BYTES)
        return graft__pickle_fail(p, GRAFT_FAULT_LIMIT,
                                  "has an integer of %zu bytes: at most %d are read", size,
                                  LONG_BYTES);
    if (size > 8)
        return graft__pickle_charge(p, 3 * size + 64) && push_wide(p, bytes, size);
    uint64_t number = fill ? UINT64_MAX : 0;
    for (size_t i = size; i-- > 0;)
        number = number << 8 | bytes[i];
    return graft__pickle_push(p, graft__int_value((int64_t)number));
}

bool graft__pickle_op_long1(graft__pickle *p, const graft__pickle_argument *a)
{
    return push_long(p, a->text, a->length);
}

bool graft__pickle_op_long4(graft__pickle *p, const graft__pickle_argument *a)
{
    if (a->length > INT32_MAX)
        return graft__pickle_fail(p, GRAFT_FAULT_PICKLE_VALUE, "has a negative length");
    return push_long(p, a->text, a->length);
}
