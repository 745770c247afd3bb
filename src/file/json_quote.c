#include "base/text.h"
#include "file/json.h"

/* The letter behind the backslash; 0: it takes \u00XX. */
static char short_escape(char c)
{
    switch (c) {
    case '"':
    case '\\':
        return c;
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return 0;
    }
}

void graft__json_quote(struct graft__text *out, const char *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    graft__text_addn(out, "\"", 1);
    size_t plain = 0; /* where the bytes begin that are taken as they are */
    for (size_t i = 0; i < size; i++) {
        const char c = bytes[i];
        if ((unsigned char)c >= 0x20 && c != '"' && c != '\\')
            continue;
        graft__text_addn(out, bytes + plain, i - plain);
        plain = i + 1;
        char escape[6] = {'\\', short_escape(c), '0', '0', digits[c >> 4 & 15], digits[c & 15]};
        if (escape[1]) {
            graft__text_addn(out, escape, 2);
        } else {
            escape[1] = 'u';
            graft__text_addn(out, escape, 6);
        }
    }
    graft__text_addn(out, bytes + plain, size - plain);
    graft__text_addn(out, "\"", 1);
}
