/* What is no tensor, below the root and in the metadata: a line or an object for each value. Lists
 * of plain values are one line. */
#include <stdlib.h>
#include <string.h>

#include "cli/ls.h"
#include "cli/say.h"
#include "cli/shown.h"
#include "cli/table.h"
#include "cli/value.h"

enum { LONGEST = 100, FIRST = 8 }; /* bytes of a text, entries of a list, that are shown */

typedef struct walk {
    char *path; /* dotted */
    size_t length, room;
    json *json; /* or */
    table *rows;
    bool failed;
} walk;

/* Whether a container has plain values only, and so fits a line. */
static bool is_plain_list(const graft_dict *d)
{
    const graft_value_kind kind = graft_dict_container(d);
    if ((kind != GRAFT_VALUE_LIST && kind != GRAFT_VALUE_TUPLE && kind != GRAFT_VALUE_SET) ||
        graft_dict_class(d))
        return false;
    for (int64_t i = 0; i < graft_dict_len(d); i++)
        if (value_is_container(graft_dict_kind(d, i)) ||
            graft_dict_kind(d, i) == GRAFT_VALUE_TENSOR)
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
        value_print(out, d, i, LONGEST);
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
            value_print(out, d, i, LONGEST);
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

static void add_json(walk *w, const char *kind, const graft_dict *d, int64_t i)
{
    json_open_object(w->json);
    json_key_text(w->json, "name", w->path);
    json_key_text(w->json, "kind", kind);
    json_key(w->json, "value");
    if (i >= 0) {
        value_json(w->json, d, i);
    } else if (graft_dict_class(d)) {
        json_text(w->json, graft_dict_class(d));
    } else {
        json_open_array(w->json);
        for (int64_t k = 0; k < graft_dict_len(d); k++)
            value_json(w->json, d, k);
        json_close_array(w->json);
    }
    json_close_object(w->json);
}

/* i -1: d itself. */
static void add(walk *w, const graft_dict *d, int64_t i)
{
    if (w->failed)
        return;
    const char *const kind = value_kind(i < 0 ? graft_dict_container(d) : graft_dict_kind(d, i));
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
    if (value_is_container(kind)) {
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
