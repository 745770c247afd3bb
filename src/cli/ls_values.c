/* What is no tensor, below the root and in the metadata: a line or an object for each value. Lists
 * of plain values are one line. */
#include <stdlib.h>
#include <string.h>

#include "cli/ls.h"
#include "cli/say.h"
#include "cli/shown.h"
#include "cli/table.h"

enum { LONGEST = 100, FIRST = 8 }; /* characters of a text, entries of a list, that are shown */

typedef struct walk {
    char *path; /* dotted */
    size_t length, room;
    json *json; /* or */
    table *rows;
    bool failed;
} walk;

static const char *const kinds[] = {
    [GRAFT_VALUE_NONE] = "none",       [GRAFT_VALUE_BOOL] = "bool",
    [GRAFT_VALUE_INT] = "int",         [GRAFT_VALUE_FLOAT] = "float",
    [GRAFT_VALUE_STRING] = "str",      [GRAFT_VALUE_TENSOR] = "tensor",
    [GRAFT_VALUE_DICT] = "dict",       [GRAFT_VALUE_LIST] = "list",
    [GRAFT_VALUE_TUPLE] = "tuple",     [GRAFT_VALUE_SET] = "set",
    [GRAFT_VALUE_RECORD] = "record",   [GRAFT_VALUE_BYTES] = "bytes",
    [GRAFT_VALUE_BIG_INT] = "big int", [GRAFT_VALUE_COMPLEX] = "complex",
};

static bool is_container(graft_value_kind kind)
{
    return kind == GRAFT_VALUE_DICT || kind == GRAFT_VALUE_LIST || kind == GRAFT_VALUE_TUPLE ||
           kind == GRAFT_VALUE_SET || kind == GRAFT_VALUE_RECORD;
}

/* ---- One value as text ---- */

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

static void put_quoted(FILE *out, const char *text, size_t size)
{
    size_t cut = size > LONGEST ? LONGEST : size;
    while (cut < size && cut > 0 && (text[cut] & 0xC0) == 0x80) /* a whole character */
        cut--;
    fputc('\'', out);
    fwrite(text, 1, cut, out);
    fprintf(out, cut < size ? "'... (%zu bytes)" : "'", size);
}

static void put_value(FILE *out, const graft_dict *d, int64_t i)
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
        put_quoted(out, bytes ? bytes : "", bytes ? size : 0);
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

/* Whether a container has plain values only, and so fits a line. */
static bool is_plain_list(const graft_dict *d)
{
    const graft_value_kind kind = graft_dict_container(d);
    if ((kind != GRAFT_VALUE_LIST && kind != GRAFT_VALUE_TUPLE && kind != GRAFT_VALUE_SET) ||
        graft_dict_class(d))
        return false;
    for (int64_t i = 0; i < graft_dict_len(d); i++)
        if (is_container(graft_dict_kind(d, i)) || graft_dict_kind(d, i) == GRAFT_VALUE_TENSOR)
            return false;
    return true;
}

static void put_list(FILE *out, const graft_dict *d)
{
    const int64_t count = graft_dict_len(d);
    const graft_value_kind kind = graft_dict_container(d);
    const char *const brackets = kind == GRAFT_VALUE_LIST  ? "[]"
                                 : kind == GRAFT_VALUE_SET ? "{}"
                                                           : "()";
    fputc(brackets[0], out);
    for (int64_t i = 0; i < count && i < FIRST; i++) {
        fputs(i ? ", " : "", out);
        put_value(out, d, i);
    }
    fprintf(out, count > FIRST ? ", ...%c (%lld)" : "%c", brackets[1], (long long)count);
}

/* ---- Walking ---- */

static void add_row(walk *w, const char *kind, const graft_dict *d, int64_t i)
{
    char *text = NULL;
    size_t size = 0;
    FILE *const out = open_memstream(&text, &size);
    if (out) {
        if (i < 0 && graft_dict_class(d))
            fputs(graft_dict_class(d), out);
        else if (i < 0)
            put_list(out, d);
        else
            put_value(out, d, i);
    }
    if (!out || fclose(out) != 0) {
        w->failed = true;
        return;
    }
    table_styled(w->rows, TERMINAL_BOLD, w->path);
    table_cell(w->rows, kind);
    table_bytes(w->rows, text, size);
    free(text);
}

static void json_hex(json *j, const unsigned char *bytes, size_t size)
{
    char *const text = malloc(2 * size + 1);
    for (size_t i = 0; text && i < size; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    json_bytes(j, text ? text : "", text ? 2 * size : 0);
    free(text);
}

static void json_value(json *j, const graft_dict *d, int64_t i)
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

static void add_json(walk *w, const char *kind, const graft_dict *d, int64_t i)
{
    json_open_object(w->json);
    json_key_text(w->json, "name", w->path);
    json_key_text(w->json, "kind", kind);
    json_key(w->json, "value");
    if (i >= 0) {
        json_value(w->json, d, i);
    } else if (graft_dict_class(d)) {
        json_text(w->json, graft_dict_class(d));
    } else {
        json_open_array(w->json);
        for (int64_t k = 0; k < graft_dict_len(d); k++)
            json_value(w->json, d, k);
        json_close_array(w->json);
    }
    json_close_object(w->json);
}

/* i -1: d itself. */
static void add(walk *w, const graft_dict *d, int64_t i)
{
    if (w->failed)
        return;
    const char *const kind = kinds[i < 0 ? graft_dict_container(d) : graft_dict_kind(d, i)];
    if (w->json)
        add_json(w, kind, d, i);
    else
        add_row(w, kind, d, i);
}

/* Moves the path to one component below where it ends; go_up leads back to the length before. */
static size_t go_down(walk *w, const char *key)
{
    const size_t before = w->length, more = strlen(key) + 2;
    if (w->room - before < more) {
        char *const path = realloc(w->path, 2 * w->room + more);
        w->failed = w->failed || !path;
        if (!path)
            return before;
        w->path = path;
        w->room = 2 * w->room + more;
    }
    w->length +=
        (size_t)snprintf(w->path + before, w->room - before, "%s%s", before ? "." : "", key);
    return before;
}

static void go_up(walk *w, size_t before)
{
    w->length = before;
    if (w->path)
        w->path[before] = 0;
}

static void walk_dict(walk *w, const graft_dict *d, bool below);

static void walk_below(walk *w, const char *key, const graft_dict *d)
{
    const size_t before = go_down(w, key);
    walk_dict(w, d, true);
    go_up(w, before);
}

static void walk_entry(walk *w, const graft_dict *d, int64_t i)
{
    const graft_value_kind kind = graft_dict_kind(d, i);
    if (kind == GRAFT_VALUE_TENSOR)
        return;
    if (is_container(kind)) {
        walk_below(w, graft_dict_key(d, i), graft_dict_dict_at(d, i));
        return;
    }
    const size_t before = go_down(w, graft_dict_key(d, i));
    add(w, d, i);
    go_up(w, before);
}

/* As deep as the reader lets files nest. */
static void walk_dict(walk *w, const graft_dict *d, bool below)
{
    const bool plain = below && is_plain_list(d);
    if (plain || (below && graft_dict_class(d)))
        add(w, d, -1);
    for (int64_t i = 0; !plain && i < graft_dict_len(d) && !w->failed; i++)
        walk_entry(w, d, i);
    if (graft_dict_args(d))
        walk_below(w, "args", graft_dict_args(d));
    const graft_dict *const attributes = graft_dict_attributes(d);
    for (int64_t i = 0; i < graft_dict_len(attributes) && !w->failed; i++)
        walk_entry(w, attributes, i);
}

static bool walk_all(walk *w, const graft_dict *d)
{
    walk_dict(w, d, false);
    free(w->path);
    return !w->failed;
}

static bool print_all(cli_call *call, const char *title, const graft_dict *d)
{
    walk w = {.rows = table_new("lll")};
    bool ok = w.rows && walk_all(&w, d);
    if (ok && !table_is_empty(w.rows)) {
        printf("%s:\n", title);
        ok = table_print(w.rows, &call->out, 2);
    }
    table_free(w.rows);
    return ok;
}

bool ls_values_text(cli_call *call, const ls_file *f)
{
    const bool ok = print_all(call, "values", graft_checkpoint_root(f->file.c)) &&
                    print_all(call, "metadata", graft_checkpoint_metadata(f->file.c));
    if (!ok)
        say(call, "%s: out of memory", open_name(f->path));
    return ok;
}

bool ls_values_json(json *j, const ls_file *f)
{
    walk values = {.json = j}, metadata = {.json = j};
    json_key_array(j, "values");
    const bool ok = walk_all(&values, graft_checkpoint_root(f->file.c));
    json_close_array(j);
    json_key_array(j, "metadata");
    const bool rest = walk_all(&metadata, graft_checkpoint_metadata(f->file.c));
    json_close_array(j);
    return ok && rest;
}
