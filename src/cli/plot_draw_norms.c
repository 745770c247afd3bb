#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/plot_draw.h"

enum {
    TITLE = 52,
    LEGEND = 18, /* of one file */
    AXIS = 28,
    ROW = 15,
    FOOT = 16,
    NAME_WIDTH = 290,
    LEFT = PLOT_MARGIN + NAME_WIDTH + 12,
    RIGHT = PLOT_WIDTH - PLOT_MARGIN - 12,
};

/* Rows of one of the other files are matched by name with those of the file that has most. */
static const plot_rows *longest(const plot_rows *files, int count)
{
    const plot_rows *most = &files[0];
    for (int i = 1; i < count; i++)
        most = files[i].count > most->count ? &files[i] : most;
    return most;
}

static const plot_row *find(const plot_rows *rows, const char *name)
{
    for (int i = 0; i < rows->count; i++)
        if (strcmp(rows->row[i].name, name) == 0)
            return &rows->row[i];
    return NULL;
}

double plot_norms_height(const plot_rows *files, int count)
{
    return TITLE + LEGEND * count + AXIS + ROW * longest(files, count)->count + FOOT;
}

typedef struct scale {
    double low, high; /* powers of ten */
} scale;

static scale scale_of(const plot_rows *files, int count)
{
    scale s = {INFINITY, -INFINITY};
    for (int f = 0; f < count; f++)
        for (int i = 0; i < files[f].count; i++) {
            const double norm = plot_row_norm(&files[f].row[i]);
            if (norm > 0 && isfinite(norm)) {
                s.low = fmin(s.low, floor(log10(norm)));
                s.high = fmax(s.high, ceil(log10(norm)));
            }
        }
    if (!isfinite(s.low))
        s = (scale){0, 1};
    if (s.high <= s.low)
        s.high = s.low + 1;
    return s;
}

static double place(scale s, double norm)
{
    const double share = norm > 0 ? (log10(norm) - s.low) / (s.high - s.low) : 0;
    return LEFT + (RIGHT - LEFT) * fmin(fmax(share, 0), 1);
}

static void draw_axis(picture *p, double y, double height, scale s)
{
    const text_style style = {.size = 9.5, .side = PICTURE_MIDDLE, .ink = picture_grey};
    const double step = ceil((s.high - s.low) / 12);
    for (double decade = s.low; decade <= s.high; decade += step) {
        const double x = place(s, pow(10, decade));
        char text[32];
        picture_line(p, x, y + AXIS - 6, x, y + AXIS + height, 0.75, picture_faint);
        picture_text(p, x, y + AXIS - 10, 0, plot_number(pow(10, decade), text), &style);
    }
}

static void draw_legend(picture *p, double y, const char *const *names, int count)
{
    const text_style style = {.size = 10.5, .ink = picture_ink};
    for (int f = 0; f < count; f++, y += LEGEND) {
        picture_dot(p, PLOT_MARGIN + 5, y + 8, 3.5, picture_series(f));
        picture_text(p, PLOT_MARGIN + 16, y + 12, PLOT_WIDTH - 3 * PLOT_MARGIN, names[f], &style);
    }
}

/* A line between the least and the largest, so that what moved is seen, and a dot a file. */
static void draw_row(picture *p, double y, const plot_rows *files, int count, const char *name,
                     scale s)
{
    const text_style style = {.size = 9.5, .ink = picture_ink};
    picture_text(p, PLOT_MARGIN, y + 11, NAME_WIDTH, name, &style);
    double least = INFINITY, most = -INFINITY;
    for (int f = 0; f < count; f++) {
        const plot_row *r = find(&files[f], name);
        if (r) {
            least = fmin(least, place(s, plot_row_norm(r)));
            most = fmax(most, place(s, plot_row_norm(r)));
        }
    }
    picture_line(p, LEFT, y + ROW, RIGHT, y + ROW, 0.4, picture_faint);
    if (least < most)
        picture_line(p, least, y + 8, most, y + 8, 1.5, picture_grey);
    for (int f = count; f-- > 0;) {
        const plot_row *r = find(&files[f], name);
        if (r)
            picture_dot(p, place(s, plot_row_norm(r)), y + 8, 3.2, picture_series(f));
    }
}

void plot_draw_norms(picture *p, double top, const plot_rows *files, const char *const *names,
                     int count)
{
    const text_style big = {.size = 15, .bold = true, .ink = picture_ink};
    const text_style small = {.size = 11, .ink = picture_grey};
    picture_text(p, PLOT_MARGIN, top + 24, 0, "Norms by layer", &big);
    picture_text(p, PLOT_MARGIN, top + 42, 0, "the L2 norm of all values of a row, in each file",
                 &small);
    draw_legend(p, top + TITLE, names, count);
    const plot_rows *rows = longest(files, count);
    double y = top + TITLE + LEGEND * count;
    const scale s = scale_of(files, count);
    draw_axis(p, y, ROW * rows->count, s);
    y += AXIS;
    for (int i = 0; i < rows->count; i++, y += ROW)
        draw_row(p, y, files, count, rows->row[i].name, s);
}
