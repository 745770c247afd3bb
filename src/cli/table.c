#include "cli/table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/shown.h"

enum { COLUMNS = 16, BETWEEN = 2, WIDEST = 120 }; /* one long name does not push all columns away */

typedef struct cell {
    char *text;
    int width;
    terminal_style style;
} cell;

struct table {
    const char *columns;
    int count, width[COLUMNS];
    cell *cells;
    size_t used, room;
    bool failed;
};

table *table_new(const char *columns)
{
    table *const t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->columns = columns;
    t->count = (int)strlen(columns);
    return t;
}

void table_free(table *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->used; i++)
        free(t->cells[i].text);
    free(t->cells);
    free(t);
}

static bool make_room(table *t)
{
    if (t->used < t->room)
        return true;
    const size_t room = t->room ? 2 * t->room : 64;
    cell *const cells =
        room < (size_t)-1 / sizeof *cells ? realloc(t->cells, room * sizeof *cells) : NULL;
    if (!cells)
        return false;
    t->cells = cells;
    t->room = room;
    return true;
}

static void add(table *t, terminal_style style, const char *text, size_t length)
{
    if (!t || t->failed)
        return;
    char *const escaped = make_room(t) ? shown(text, length, false) : NULL;
    t->failed = !escaped;
    if (t->failed)
        return;
    const int width = shown_width(escaped), column = (int)(t->used % (size_t)t->count);
    if (width > t->width[column])
        t->width[column] = width < WIDEST ? width : WIDEST;
    t->cells[t->used++] = (cell){escaped, width, style};
}

void table_styled(table *t, terminal_style style, const char *text)
{
    add(t, style, text, strlen(text));
}

void table_bytes(table *t, const char *text, size_t length)
{
    add(t, TERMINAL_PLAIN, text, length);
}

bool table_is_empty(const table *t)
{
    return !t || t->used == 0;
}

void table_cell(table *t, const char *text)
{
    table_styled(t, TERMINAL_PLAIN, text);
}

void table_cellf(table *t, const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    const int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0) {
        if (t)
            t->failed = true;
        return;
    }
    table_styled(t, TERMINAL_PLAIN, text);
    free(text);
}

static void print_cell(const table *t, const terminal *out, const cell *c, int column, bool last)
{
    const int blanks = t->width[column] > c->width ? t->width[column] - c->width : 0;
    const bool right = t->columns[column] == 'r';
    if (right)
        fprintf(out->stream, "%*s", blanks, "");
    if (c->style != TERMINAL_PLAIN)
        fprintf(out->stream, "%s%s%s", terminal_code(out, c->style), c->text,
                terminal_code(out, TERMINAL_PLAIN));
    else
        fputs(c->text, out->stream);
    if (!last)
        fprintf(out->stream, "%*s", (right ? 0 : blanks) + BETWEEN, "");
}

/* Blanks at the end of a line are left out, where the last cells are empty. */
static size_t end_of_row(const table *t, size_t row)
{
    size_t end = row + (size_t)t->count;
    if (end > t->used)
        end = t->used;
    while (end > row + 1 && !*t->cells[end - 1].text)
        end--;
    return end;
}

bool table_print(const table *t, const terminal *out, int indent)
{
    if (!t || t->failed)
        return false;
    for (size_t row = 0; row < t->used; row += (size_t)t->count) {
        const size_t end = end_of_row(t, row);
        fprintf(out->stream, "%*s", indent, "");
        for (size_t i = row; i < end; i++)
            print_cell(t, out, &t->cells[i], (int)(i - row), i + 1 == end);
        fputc('\n', out->stream);
    }
    return true;
}
