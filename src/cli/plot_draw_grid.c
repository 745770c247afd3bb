#include <math.h>
#include <stdio.h>

#include "cli/plot_draw.h"

enum {
    TITLE = 66,
    ROW = 16,
    FOOT = 20,
    NAME_WIDTH = 220,
    LEFT = PLOT_MARGIN + NAME_WIDTH + 10,
    LEGEND_WIDTH = 96,
    RIGHT = PLOT_WIDTH - PLOT_MARGIN - LEGEND_WIDTH,
    MAX_CELL = 72,
    LABEL = 150, /* the longest name of a column, */
    TURN = 45,   /* which is turned by so many degrees */
    LEAST_DECADES = 2,
    MOST_DECADES = 8,
};

static double head_height(const grid *g)
{
    return g->columns > 1 ? LABEL * 0.75 : 8;
}

static double cell_width(const grid *g)
{
    const double width = (double)(RIGHT - LEFT) / (g->columns > 0 ? g->columns : 1);
    return width < MAX_CELL ? width : MAX_CELL;
}

double plot_grid_height(const grid *g)
{
    const double rows = ROW * (g->rows > 0 ? g->rows : 1), legend = 190;
    return TITLE + head_height(g) + (rows > legend ? rows : legend) + FOOT;
}

/* ---- The scale: powers of ten of the relative change ---- */

typedef struct scale {
    double low, high;
} scale;

static scale scale_of(const grid *g)
{
    scale s = {INFINITY, -INFINITY};
    for (int r = 0; r < g->rows; r++)
        for (int c = 0; c < g->columns; c++) {
            const double change = grid_change(&g->cell[r * GRID_MAX_COLUMNS + c]);
            if (change > 0 && isfinite(change)) {
                s.low = fmin(s.low, floor(log10(change)));
                s.high = fmax(s.high, ceil(log10(change)));
            }
        }
    if (!isfinite(s.low))
        s = (scale){-2, 0};
    s.high = fmax(s.high, s.low + LEAST_DECADES);
    s.low = fmax(s.low, s.high - MOST_DECADES);
    return s;
}

static colour shade(scale s, double change)
{
    return picture_heat(isinf(change) ? 1 : (log10(change) - s.low) / (s.high - s.low));
}

/* ---- Cells ---- */

static void cross(picture *p, double x, double y, double width, double height, colour line)
{
    picture_line(p, x, y, x + width, y + height, 0.9, line);
    picture_line(p, x, y + height, x + width, y, 0.9, line);
}

static void draw_cell(picture *p, double x, double y, double width, double height,
                      const grid_cell *cell, scale s)
{
    if (cell->tensors == 0)
        return;
    const double change = grid_change(cell);
    if (isnan(change)) {
        picture_frame(p, x + 0.5, y + 0.5, width - 1, height - 1, picture_grey);
        if (cell->unlike > 0)
            picture_line(p, x + 1, y + height - 1, x + width - 1, y + 1, 0.9, picture_wrong);
        else
            cross(p, x + 1, y + 1, width - 2, height - 2, picture_grey);
        return;
    }
    picture_box(p, x, y, width, height, change > 0 ? shade(s, change) : picture_faint);
    if (cell->not_finite)
        picture_dot(p, x + width / 2, y + height / 2, height / 4, picture_wrong);
    else if (cell->alone + cell->unlike > 0)
        picture_line(p, x + 1, y + height - 1, x + width - 1, y + 1, 0.9, picture_wrong);
}

/* ---- The legend ---- */

static void draw_scale(picture *p, double x, double y, double height, scale s)
{
    enum { STEPS = 60 };
    const text_style style = {.size = 9.5, .ink = picture_grey};
    for (int i = 0; i < STEPS; i++)
        picture_box(p, x, y + height * i / STEPS, 14, height / STEPS + 0.5,
                    picture_heat(1 - (i + 0.5) / STEPS));
    for (double decade = s.low; decade <= s.high; decade++) {
        char text[32];
        const double at = y + height * (s.high - decade) / (s.high - s.low);
        picture_text(p, x + 20, at + 3, 0, plot_number(pow(10, decade), text), &style);
    }
}

static void draw_legend(picture *p, double x, double y, scale s)
{
    static const struct {
        const char *text;
        grid_cell cell;
    } signs[] = {
        {"equal", {.tensors = 1}},
        {"in one only", {.tensors = 1, .alone = 1}},
        {"other shape", {.tensors = 1, .unlike = 1}},
        {"NaN, infinite", {.tensors = 1, .not_finite = true, .change = 1, .size = 1}},
    };
    const text_style style = {.size = 9.5, .ink = picture_grey};
    draw_scale(p, x, y + 4, 100, s);
    y += 116;
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++, y += 18) {
        draw_cell(p, x, y, 14, 12, &signs[i].cell, s);
        picture_text(p, x + 20, y + 10, 0, signs[i].text, &style);
    }
}

/* ---- All of it ---- */

static void draw_title(picture *p, double top, const char *a, const char *b)
{
    const text_style big = {.size = 15, .bold = true, .ink = picture_ink};
    const text_style small = {.size = 11, .ink = picture_grey};
    const double room = PLOT_WIDTH - 2 * PLOT_MARGIN;
    char text[600];
    picture_text(p, PLOT_MARGIN, top + 24, room, "Where they differ", &big);
    snprintf(text, sizeof text, "%.250s against %.250s", a, b);
    picture_text(p, PLOT_MARGIN, top + 42, room, text, &small);
    picture_text(p, PLOT_MARGIN, top + 57, room,
                 "colour: the norm of the change over the norm of the second's values", &small);
}

static void draw_columns(picture *p, double y, const grid *g)
{
    const text_style style = {.size = 9.5, .side = PICTURE_RIGHT, .ink = picture_ink, .turn = TURN};
    if (g->columns < 2)
        return;
    for (int c = 0; c < g->columns; c++)
        picture_text(p, LEFT + cell_width(g) * (c + 0.5) + 3, y - 5, LABEL, g->column[c], &style);
}

void plot_draw_grid(picture *p, double top, const grid *g, const char *a, const char *b)
{
    const text_style style = {.size = 9.5, .side = PICTURE_RIGHT, .ink = picture_ink};
    const scale s = scale_of(g);
    const double width = cell_width(g), body = top + TITLE + head_height(g);
    draw_title(p, top, a, b);
    draw_columns(p, body, g);
    for (int r = 0; r < g->rows; r++) {
        const double y = body + ROW * r;
        picture_text(p, LEFT - 8, y + 11, NAME_WIDTH, *g->row[r] ? g->row[r] : "(all)", &style);
        for (int c = 0; c < g->columns; c++)
            draw_cell(p, LEFT + width * c, y, width - 1, ROW - 1,
                      &g->cell[r * GRID_MAX_COLUMNS + c], s);
    }
    draw_legend(p, LEFT + width * g->columns + 16, body, s);
}
