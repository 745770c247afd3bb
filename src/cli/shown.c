#include "cli/shown.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_ESCAPE = 6 };

/* The bytes behind the first that carry on a sequence. */
static bool continues(const unsigned char *s, size_t left, size_t count)
{
    if (left < count)
        return false;
    for (size_t i = 0; i < count; i++)
        if ((s[i] & 0xC0) != 0x80)
            return false;
    return true;
}

long shown_code_point(const char *text, size_t left, size_t *bytes)
{
    const unsigned char *s = (const unsigned char *)text;
    *bytes = 1;
    if (s[0] < 0x80)
        return s[0];
    const size_t more = s[0] >= 0xF0 ? 3 : s[0] >= 0xE0 ? 2 : 1;
    static const long least[] = {0, 0x80, 0x800, 0x10000};
    if (s[0] < 0xC2 || s[0] > 0xF4 || !continues(s + 1, left - 1, more))
        return -1;
    long c = s[0] & (0x3F >> more);
    for (size_t i = 1; i <= more; i++)
        c = c << 6 | (s[i] & 0x3F);
    if (c < least[more] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
        return -1;
    *bytes = more + 1;
    return c;
}

/* Controls, what turns the direction of writing, what breaks lines, and what can't be seen at all.
 */
bool shown_hidden(long c)
{
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0xAD || c == 0x061C ||
           (c >= 0x200B && c <= 0x200F) || (c >= 0x2028 && c <= 0x202E) ||
           (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF || (c >= 0xFFF9 && c <= 0xFFFB) ||
           (c >= 0xE0000 && c <= 0xE0FFF);
}

/* The escape of a code point, or of a byte that is none. Returns its length. */
static size_t escape(long c, unsigned char byte, char out[16])
{
    const char *const simple = c == '\n'   ? "\\n"
                               : c == '\t' ? "\\t"
                               : c == '\r' ? "\\r"
                               : c == '\\' ? "\\\\"
                                           : NULL;
    if (simple)
        return (size_t)snprintf(out, 16, "%s", simple);
    if (c < 0 || c < 0x100)
        return (size_t)snprintf(out, 16, "\\x%02x", c < 0 ? byte : (unsigned)c);
    return (size_t)snprintf(out, 16, c < 0x10000 ? "\\u%04lx" : "\\U%08lx", (unsigned long)c);
}

char *shown(const char *text, size_t length, bool keep_lines)
{
    char *out = length < (size_t)-1 / LONGEST_ESCAPE ? malloc(length * LONGEST_ESCAPE + 1) : NULL;
    size_t n = 0;
    for (size_t i = 0, bytes; out && i < length; i += bytes) {
        const long c = shown_code_point(text + i, length - i, &bytes);
        const bool kept = keep_lines ? c == '\n' || c == '\t' || c == '\\' : false;
        if (kept || (c >= 0 && c != '\\' && !shown_hidden(c))) {
            memcpy(out + n, text + i, bytes);
            n += bytes;
        } else {
            char escaped[16];
            const size_t size = escape(c, (unsigned char)text[i], escaped);
            memcpy(out + n, escaped, size);
            n += size;
        }
    }
    if (out)
        out[n] = 0;
    return out;
}

void shown_print(const char *text)
{
    char *escaped = shown(text, strlen(text), false);
    fputs(escaped ? escaped : "?", stdout);
    free(escaped);
}

void shown_report(const char *text)
{
    char *escaped = text ? shown(text, strlen(text), true) : NULL;
    if (!escaped)
        return;
    const size_t length = strlen(escaped);
    fputs(escaped, stdout);
    if (length > 0 && escaped[length - 1] != '\n')
        putchar('\n');
    free(escaped);
}

/* East Asian wide and full-width characters, and emoji, by their blocks. */
static bool wide(long c)
{
    return c >= 0x1100 && (c <= 0x115F || (c >= 0x2E80 && c <= 0x303E) ||
                           (c >= 0x3041 && c <= 0xA4CF) || (c >= 0xAC00 && c <= 0xD7A3) ||
                           (c >= 0xF900 && c <= 0xFAFF) || (c >= 0xFE30 && c <= 0xFE6F) ||
                           (c >= 0xFF00 && c <= 0xFF60) || (c >= 0xFFE0 && c <= 0xFFE6) ||
                           (c >= 0x1F300 && c <= 0x1FAFF) || (c >= 0x20000 && c <= 0x3FFFD));
}

int shown_width(const char *text)
{
    const size_t length = strlen(text);
    int width = 0;
    for (size_t i = 0, bytes; i < length; i += bytes) {
        const long c = shown_code_point(text + i, length - i, &bytes);
        width += (c >= 0x300 && c < 0x370) ? 0 : wide(c) ? 2 : 1; /* accents take none */
    }
    return width;
}
