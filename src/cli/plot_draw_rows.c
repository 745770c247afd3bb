#include <math.h>
#include <stdio.h>

#include "cli/plot_draw.h"

enum {
    TITLE = 58, /* height of the title and what stands below it */
    HEAD = 22,  /* of the columns' names */
    ROW = 21,
    FOOT = 30,
    NAME = PLOT_MARGIN, /* where columns begin or, of numbers, end */
    NAME_WIDTH = 262,
    SHAPE = 300,
    SHAPE_WIDTH = 260,
    MIN = 618,
    MAX = 676,
    MEAN = 738,
    STD = 796,
    NORM = 812,
    NORM_WIDTH = PLOT_WIDTH - PLOT_MARGIN - NORM - 50,
};

static const text_style name_style = {.size = 10.5, .ink = {0.13, 0.14, 0.16}};
static const text_style number_style = {
    .size = 10, .side = PICTURE_RIGHT, .ink = {0.13, 0.14, 0.16}};
static const text_style head_style = {.size = 9.5, .ink = {0.42, 0.44, 0.47}};

double plot_rows_height(const plot_rows *rows)
{
    return TITLE + HEAD + ROW * (rows->count > 0 ? rows->count : 1) + FOOT;
}

static void draw_title(picture *p, double top, const plot_rows *rows, const char *title)
{
    const text_style big = {.size = 17, .bold = true, .ink = picture_ink};
    picture_text(p, PLOT_MARGIN, top + 28, PLOT_WIDTH - 2 * PLOT_MARGIN, title, &big);
    char tensors[32], elements[32], text[160];
    snprintf(text, sizeof text, "%s tensors, %s elements: how the values of each are distributed",
             plot_count(rows->tensors, tensors), plot_count(rows->elements, elements));
    const text_style small = {.size = 11, .ink = picture_grey};
    picture_text(p, PLOT_MARGIN, top + 46, 0, text, &small);
}

static void draw_head(picture *p, double y)
{
    static const struct {
        double x;
        const char *text;
        picture_side side;
    } heads[] = {
        {NAME, "name", PICTURE_LEFT},
        {SHAPE + SHAPE_WIDTH / 2.0, "from min to max (height: share, to the largest)",
         PICTURE_MIDDLE},
        {MIN, "min", PICTURE_RIGHT},
        {MAX, "max", PICTURE_RIGHT},
        {MEAN, "mean", PICTURE_RIGHT},
        {STD, "std", PICTURE_RIGHT},
        {NORM, "L2 norm (log)", PICTURE_LEFT},
    };
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        text_style style = head_style;
        style.side = heads[i].side;
        picture_text(p, heads[i].x, y + 13, 0, heads[i].text, &style);
    }
    picture_line(p, PLOT_MARGIN, y + 18, PLOT_WIDTH - PLOT_MARGIN, y + 18, 0.75, picture_faint);
}

/* A filled curve over the steps of the histogram, and a mark where zero is. */
static void draw_histogram(picture *p, double y, const plot_row *r)
{
    const double base = y + ROW - 4, height = ROW - 6;
    double x[2 * GRAFT_HISTOGRAM], top[2 * GRAFT_HISTOGRAM], most = 0;
    for (int i = 0; i < GRAFT_HISTOGRAM; i++)
        most = fmax(most, r->histogram[i]);
    if (most <= 0)
        return;
    const double step = (double)SHAPE_WIDTH / GRAFT_HISTOGRAM;
    for (int i = 0; i < GRAFT_HISTOGRAM; i++) {
        x[2 * i] = SHAPE + step * i;
        x[2 * i + 1] = SHAPE + step * (i + 1);
        top[2 * i] = top[2 * i + 1] = base - height * (r->histogram[i] / most);
    }
    picture_area(p, x, top, 2 * GRAFT_HISTOGRAM, base, picture_bar);
    picture_line(p, SHAPE, base, SHAPE + SHAPE_WIDTH, base, 0.5, picture_faint);
    if (r->min < 0 && r->max > 0) {
        const double zero = SHAPE + SHAPE_WIDTH * (-r->min / (r->max - r->min));
        picture_line(p, zero, base, zero, base + 3, 1, picture_ink);
    }
}

/* Powers of ten that hold all norms. */
static void decades(const plot_rows *rows, double *low, double *high)
{
    *low = INFINITY;
    *high = -INFINITY;
    for (int i = 0; i < rows->count; i++) {
        const double norm = plot_row_norm(&rows->row[i]);
        if (norm > 0 && isfinite(norm)) {
            *low = fmin(*low, floor(log10(norm)));
            *high = fmax(*high, ceil(log10(norm)));
        }
    }
    if (!(*low < *high)) {
        *low = isfinite(*low) ? *low - 1 : 0;
        *high = *low + 2;
    }
}

static void draw_norm(picture *p, double y, const plot_row *r, double low, double high)
{
    const double norm = plot_row_norm(r);
    const double share = norm > 0 ? (log10(norm) - low) / (high - low) : 0;
    const double width = NORM_WIDTH * fmin(fmax(share, 0), 1);
    picture_box(p, NORM, y + 5, width, ROW - 10, picture_bar);
    char text[32];
    text_style style = number_style;
    style.side = PICTURE_LEFT;
    picture_text(p, NORM + width + 4, y + 14, 0, plot_number(norm, text), &style);
}

/* What is wrong with its values, in place of their numbers. */
static bool draw_complaint(picture *p, double y, const plot_row *r)
{
    if (r->nans == 0 && r->infinities == 0)
        return false;
    char text[96], nans[32], infinities[32];
    snprintf(text, sizeof text, "%s NaN, %s infinite", plot_count(r->nans, nans),
             plot_count(r->infinities, infinities));
    const text_style style = {.size = 10, .bold = true, .ink = picture_wrong};
    picture_text(p, MIN - 40, y + 14, NORM - MIN + 30, text, &style);
    return true;
}

static void draw_row(picture *p, double y, const plot_row *r, double low, double high)
{
    char label[256], text[32];
    if (r->tensors > 1)
        snprintf(label, sizeof label, "%.200s (%lld)", r->name, (long long)r->tensors);
    else
        snprintf(label, sizeof label, "%.250s", r->name);
    picture_text(p, NAME, y + 14, NAME_WIDTH, label, &name_style);
    draw_histogram(p, y, r);
    draw_norm(p, y, r, low, high);
    if (draw_complaint(p, y, r))
        return;
    const bool any = r->elements > 0;
    picture_text(p, MIN, y + 14, 0, plot_number(any ? r->min : NAN, text), &number_style);
    picture_text(p, MAX, y + 14, 0, plot_number(any ? r->max : NAN, text), &number_style);
    picture_text(p, MEAN, y + 14, 0, plot_number(plot_row_mean(r), text), &number_style);
    picture_text(p, STD, y + 14, 0, plot_number(plot_row_std(r), text), &number_style);
}

void plot_draw_rows(picture *p, double top, const plot_rows *rows, const char *title)
{
    draw_title(p, top, rows, title);
    draw_head(p, top + TITLE);
    double low = 0, high = 1;
    decades(rows, &low, &high);
    double y = top + TITLE + HEAD;
    for (int i = 0; i < rows->count; i++, y += ROW)
        draw_row(p, y, &rows->row[i], low, high);
    if (rows->count == 0)
        picture_text(p, NAME, y + 14, 0, "no tensor of numbers", &name_style);
    if (rows->unknown > 0) {
        char text[96], count[32];
        snprintf(text, sizeof text, "not shown: %s tensors whose elements are no plain numbers",
                 plot_count(rows->unknown, count));
        picture_text(p, NAME, y + 18 + (rows->count == 0) * ROW, 0, text, &head_style);
    }
}
