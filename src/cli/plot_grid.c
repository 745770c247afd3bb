#include "cli/plot_grid.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/plot_rows.h"

/* ---- Names: "layers.3.attn.weight" is "attn.weight" of "layers.3" ---- */

static bool is_number(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] < '0' || text[i] > '9')
            return false;
    return length > 0;
}

/* Bytes of the name that are the layer: through its first number or, without one, all but the last
 * component. */
static size_t layer_length(const char *name)
{
    size_t begin = 0, parent = 0;
    for (size_t i = 0; name[i]; i++) {
        if (name[i] != '.')
            continue;
        if (begin > 0 && is_number(name + begin, i - begin))
            return i;
        parent = i;
        begin = i + 1;
    }
    return parent > 0 ? parent : strlen(name);
}

/* All but the last component. */
static size_t module_length(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot ? (size_t)(dot - name) : strlen(name);
}

static size_t nothing(const char *name)
{
    (void)name;
    return 0;
}

static const char *rest(const char *name, size_t length)
{
    return name[length] == '.' ? name + length + 1 : "";
}

/* ---- Lists of names ---- */

static char *copy(const char *text, size_t length)
{
    char *out = malloc(length + 1);
    if (out) {
        memcpy(out, text, length);
        out[length] = 0;
    }
    return out;
}

/* Where the text stands in the list, which it is added to; -1 without memory, or if there is no
 * room for another. Looked for from the end: names of a layer follow one another. */
static int place(char **list, int *count, int most, const char *text, size_t length)
{
    for (int i = *count; i-- > 0;)
        if (strlen(list[i]) == length && memcmp(list[i], text, length) == 0)
            return i;
    if (*count == most || !(list[*count] = copy(text, length)))
        return -1;
    return (*count)++;
}

/* ---- The grid ---- */

static void add_entry(grid_cell *c, const graft_diff_report *diff, int64_t i)
{
    const graft_diff_kind kind = graft_diff_kind_of(diff, i);
    graft_diff_numbers n;
    c->tensors++;
    c->alone += kind == GRAFT_DIFF_MISSING || kind == GRAFT_DIFF_EXTRA;
    const bool has_numbers = graft_diff_numbers_of(diff, i, &n);
    if (kind == GRAFT_DIFF_SHAPE || (kind == GRAFT_DIFF_CHANGED && !has_numbers))
        c->unlike++;
    else if (has_numbers) {
        c->change += n.rms * n.rms * (double)n.elements;
        c->size += n.norm_b * n.norm_b;
        c->not_finite |= n.not_finite > 0;
    }
}

static bool is_tensor(const graft_diff_report *diff, int64_t i)
{
    graft_tensor_info info;
    return graft_diff_info_a(diff, i, &info) || graft_diff_info_b(diff, i, &info);
}

static void empty(grid *g)
{
    for (int i = 0; i < g->rows; i++)
        free(g->row[i]);
    for (int i = 0; i < g->columns; i++)
        free(g->column[i]);
    g->rows = g->columns = 0;
    memset(g->cell, 0, sizeof *g->cell * GRID_MAX_ROWS * GRID_MAX_COLUMNS);
}

/* How names are taken apart: what a row is, by its length in the name; and how much of that. */
typedef struct cut {
    size_t (*length)(const char *name);
    int depth;
    bool one_column;
} cut;

/* false if there are more rows or columns than fit (or no memory). */
static bool fill(grid *g, const graft_diff_report *diff, const cut *how)
{
    empty(g);
    for (int64_t i = 0; i < graft_diff_len(diff); i++) {
        const char *name = graft_diff_name(diff, i);
        if (!is_tensor(diff, i))
            continue;
        const size_t whole = how->length(name), some = plot_prefix(name, how->depth);
        const char *column = how->one_column ? "all" : rest(name, whole);
        const int r = place(g->row, &g->rows, GRID_MAX_ROWS, name, some < whole ? some : whole);
        const int c = place(g->column, &g->columns, GRID_MAX_COLUMNS, column, strlen(column));
        if (r < 0 || c < 0)
            return false;
        add_entry(&g->cell[r * GRID_MAX_COLUMNS + c], diff, i);
    }
    return true;
}

/* From the finest to the coarsest until it fits. */
static bool fit(grid *g, const graft_diff_report *diff)
{
    static const cut cuts[] = {
        {layer_length, INT_MAX, false}, {module_length, INT_MAX, false}, {layer_length, 2, false},
        {module_length, 3, false},      {module_length, INT_MAX, true},  {module_length, 3, true},
        {module_length, 2, true},       {module_length, 1, true},
    };
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++)
        if (fill(g, diff, &cuts[i]))
            return true;
    return false;
}

bool grid_make(grid *out, const graft_diff_report *diff)
{
    *out = (grid){.row = calloc(GRID_MAX_ROWS, sizeof *out->row),
                  .column = calloc(GRID_MAX_COLUMNS, sizeof *out->column),
                  .cell = calloc(GRID_MAX_ROWS * GRID_MAX_COLUMNS, sizeof *out->cell)};
    if (!out->row || !out->column || !out->cell)
        return false;
    /* Names without end, of which no cut makes few: all in one. */
    static const cut last = {nothing, INT_MAX, true};
    return fit(out, diff) || fill(out, diff, &last);
}

void grid_free(grid *g)
{
    if (g->row && g->column && g->cell)
        empty(g);
    free(g->row);
    free(g->column);
    free(g->cell);
    *g = (grid){.rows = 0};
}

double grid_change(const grid_cell *c)
{
    if (c->alone + c->unlike >= c->tensors)
        return NAN;
    if (c->change == 0)
        return 0;
    return c->size > 0 ? sqrt(c->change / c->size) : INFINITY;
}
