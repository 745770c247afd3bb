#include "cli/value.h"

#include <stdlib.h>

static const char *const kinds[] = {
    [GRAFT_VALUE_NONE] = "none",       [GRAFT_VALUE_BOOL] = "bool",
    [GRAFT_VALUE_INT] = "int",         [GRAFT_VALUE_FLOAT] = "float",
    [GRAFT_VALUE_STRING] = "str",      [GRAFT_VALUE_TENSOR] = "tensor",
    [GRAFT_VALUE_DICT] = "dict",       [GRAFT_VALUE_LIST] = "list",
    [GRAFT_VALUE_TUPLE] = "tuple",     [GRAFT_VALUE_SET] = "set",
    [GRAFT_VALUE_RECORD] = "record",   [GRAFT_VALUE_BYTES] = "bytes",
    [GRAFT_VALUE_BIG_INT] = "big int", [GRAFT_VALUE_COMPLEX] = "complex",
};

const char *value_kind(graft_value_kind kind)
{
    return kinds[kind];
}

bool value_is_container(graft_value_kind kind)
{
    return kind == GRAFT_VALUE_DICT || kind == GRAFT_VALUE_LIST || kind == GRAFT_VALUE_TUPLE ||
           kind == GRAFT_VALUE_SET || kind == GRAFT_VALUE_RECORD;
}

static void put_float(FILE *out, double x)
{
    for (int digits = 15; digits <= 17; digits++) {
        char text[40];
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (digits < 17 && strtod(text, NULL) != x && x == x)
            continue;
        fputs(text, out);
        return;
    }
}

static void put_quoted(FILE *out, const char *text, size_t size, size_t longest)
{
    size_t cut = size > longest ? longest : size;
    while (cut < size && cut > 0 && (text[cut] & 0xC0) == 0x80) /* a whole character */
        cut--;
    fputc('\'', out);
    fwrite(text, 1, cut, out);
    fprintf(out, cut < size ? "'... (%zu bytes)" : "'", size);
}

void value_print(FILE *out, const graft_dict *d, int64_t i, size_t longest)
{
    size_t size = 0;
    double real, imag;
    const void *bytes;
    switch (graft_dict_kind(d, i)) {
    case GRAFT_VALUE_BOOL:
        fputs(graft_dict_bool_at(d, i) ? "True" : "False", out);
        break;
    case GRAFT_VALUE_INT:
        fprintf(out, "%lld", (long long)graft_dict_int_at(d, i));
        break;
    case GRAFT_VALUE_FLOAT:
        put_float(out, graft_dict_float_at(d, i));
        break;
    case GRAFT_VALUE_STRING:
        bytes = graft_dict_bytes_at(d, i, &size);
        put_quoted(out, bytes ? bytes : "", bytes ? size : 0, longest);
        break;
    case GRAFT_VALUE_BYTES:
        bytes = graft_dict_bytes_at(d, i, &size);
        fprintf(out, "%zu bytes", bytes ? size : (size_t)0);
        break;
    case GRAFT_VALUE_BIG_INT:
        fputs(graft_dict_string_at(d, i), out);
        break;
    case GRAFT_VALUE_COMPLEX:
        graft_dict_complex_at(d, i, &real, &imag);
        fprintf(out, "(%.17g%+.17gj)", real, imag);
        break;
    case GRAFT_VALUE_TENSOR:
        fputs("tensor", out);
        break;
    default:
        fputs("None", out);
    }
}

static void json_hex(json *j, const unsigned char *bytes, size_t size)
{
    char *const text = malloc(2 * size + 1);
    for (size_t i = 0; text && i < size; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    json_bytes(j, text ? text : "", text ? 2 * size : 0);
    free(text);
}

void value_json(json *j, const graft_dict *d, int64_t i)
{
    size_t size = 0;
    double real, imag;
    const void *bytes;
    switch (graft_dict_kind(d, i)) {
    case GRAFT_VALUE_BOOL:
        json_bool(j, graft_dict_bool_at(d, i));
        break;
    case GRAFT_VALUE_INT:
        json_int(j, graft_dict_int_at(d, i));
        break;
    case GRAFT_VALUE_FLOAT:
        json_real(j, graft_dict_float_at(d, i));
        break;
    case GRAFT_VALUE_STRING:
        bytes = graft_dict_bytes_at(d, i, &size);
        json_bytes(j, bytes ? bytes : "", bytes ? size : 0);
        break;
    case GRAFT_VALUE_BYTES:
        bytes = graft_dict_bytes_at(d, i, &size);
        json_hex(j, bytes, bytes ? size : 0);
        break;
    case GRAFT_VALUE_BIG_INT:
        json_text(j, graft_dict_string_at(d, i));
        break;
    case GRAFT_VALUE_COMPLEX:
        graft_dict_complex_at(d, i, &real, &imag);
        json_open_array(j);
        json_real(j, real);
        json_real(j, imag);
        json_close_array(j);
        break;
    default:
        json_null(j);
    }
}
