#include "cli/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/shown.h"

enum { LINES = 2 }; /* levels whose entries have a line each */

json json_to(FILE *out, bool lines)
{
    return (json){.out = out, .compact = !lines};
}

static void line(json *j, int depth)
{
    fprintf(j->out, "\n%*s", 2 * depth, "");
}

/* What stands in front of a value or key. */
static void begin(json *j)
{
    if (j->behind_key) {
        j->behind_key = false;
        return;
    }
    if (j->some)
        fputc(',', j->out);
    if (!j->compact && j->depth > 0 && j->depth <= LINES)
        line(j, j->depth);
    else if (j->some)
        fputc(' ', j->out);
    j->some = true;
}

static void open_bracket(json *j, char bracket)
{
    begin(j);
    fputc(bracket, j->out);
    j->depth++;
    j->some = false;
}

static void close_bracket(json *j, char bracket)
{
    j->depth--;
    if (!j->compact && j->some && j->depth < LINES)
        line(j, j->depth);
    fputc(bracket, j->out);
    j->some = true;
    if (j->depth == 0) {
        fputc('\n', j->out);
        j->some = false;
    }
}

void json_open_object(json *j)
{
    open_bracket(j, '{');
}

void json_close_object(json *j)
{
    close_bracket(j, '}');
}

void json_open_array(json *j)
{
    open_bracket(j, '[');
}

void json_close_array(json *j)
{
    close_bracket(j, ']');
}

/* One code point (-1: none). */
static void put(FILE *out, long c, const char *bytes, size_t size)
{
    if (c == '"' || c == '\\')
        fprintf(out, "\\%c", (int)c);
    else if (c == '\n')
        fputs("\\n", out);
    else if (c == '\t')
        fputs("\\t", out);
    else if (c < 0)
        fputs("\xEF\xBF\xBD", out);
    else if (shown_hidden(c) && c > 0xFFFF)
        fprintf(out, "\\u%04lx\\u%04lx", (unsigned long)(0xD7C0 + (c >> 10)),
                (unsigned long)(0xDC00 | (c & 0x3FF)));
    else if (shown_hidden(c))
        fprintf(out, "\\u%04lx", (unsigned long)c);
    else
        fwrite(bytes, 1, size, out);
}

static void quote(FILE *out, const char *text, size_t length)
{
    fputc('"', out);
    for (size_t i = 0, size; i < length; i += size) {
        const long c = shown_code_point(text + i, length - i, &size);
        put(out, c, text + i, size);
    }
    fputc('"', out);
}

void json_key(json *j, const char *key)
{
    begin(j);
    quote(j->out, key, strlen(key));
    fputs(": ", j->out);
    j->behind_key = true;
}

void json_bytes(json *j, const char *text, size_t length)
{
    begin(j);
    quote(j->out, text, length);
}

void json_text(json *j, const char *text)
{
    if (text)
        json_bytes(j, text, strlen(text));
    else
        json_null(j);
}

void json_int(json *j, int64_t value)
{
    begin(j);
    fprintf(j->out, "%lld", (long long)value);
}

void json_uint(json *j, uint64_t value)
{
    begin(j);
    fprintf(j->out, "%llu", (unsigned long long)value);
}

void json_real(json *j, double value)
{
    begin(j);
    if (!isfinite(value)) {
        fputs(isnan(value) ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"", j->out);
        return;
    }
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    /* 1 and 1.0 are one number in JSON, but not to readers that tell ints from floats. */
    fprintf(j->out, "%s%s", text, strpbrk(text, ".e") ? "" : ".0");
}

void json_bool(json *j, bool value)
{
    begin(j);
    fputs(value ? "true" : "false", j->out);
}

void json_null(json *j)
{
    begin(j);
    fputs("null", j->out);
}

void json_key_text(json *j, const char *key, const char *value)
{
    json_key(j, key);
    json_text(j, value);
}

void json_key_int(json *j, const char *key, int64_t value)
{
    json_key(j, key);
    json_int(j, value);
}

void json_key_uint(json *j, const char *key, uint64_t value)
{
    json_key(j, key);
    json_uint(j, value);
}

void json_key_real(json *j, const char *key, double value)
{
    json_key(j, key);
    json_real(j, value);
}

void json_key_bool(json *j, const char *key, bool value)
{
    json_key(j, key);
    json_bool(j, value);
}

void json_key_array(json *j, const char *key)
{
    json_key(j, key);
    json_open_array(j);
}

void json_key_object(json *j, const char *key)
{
    json_key(j, key);
    json_open_object(j);
}
