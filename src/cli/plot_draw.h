/* The pictures of `graft plot` and `graft diff --html`. Each says how large it will be, and is
 * drawn from the given height downwards on a page of PLOT_WIDTH. */
#ifndef CLI_PLOT_DRAW_H
#define CLI_PLOT_DRAW_H

#include "cli/picture.h"
#include "cli/plot_grid.h"
#include "cli/plot_rows.h"

enum { PLOT_WIDTH = 1000, PLOT_MARGIN = 24 };

/* How the elements of each row are distributed, with their numbers. */
double plot_rows_height(const plot_rows *rows);
void plot_draw_rows(picture *p, double top, const plot_rows *rows, const char *title);

/* The norms of the same rows of several files. */
double plot_norms_height(const plot_rows *files, int count);
void plot_draw_norms(picture *p, double top, const plot_rows *files, const char *const *names,
                     int count);

/* Where and how much two files differ. */
double plot_grid_height(const grid *g);
void plot_draw_grid(picture *p, double top, const grid *g, const char *a, const char *b);

/* "1.5 M", "0.0123", "-3.2e-05": short, for labels. */
const char *plot_count(int64_t number, char out[32]);
const char *plot_number(double number, char out[32]);

#endif
