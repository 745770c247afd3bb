/* Where two checkpoints differ, as a grid: layers down, what a layer is made of across. */
#ifndef CLI_PLOT_GRID_H
#define CLI_PLOT_GRID_H

#include "graft/diff.h"

enum { GRID_MAX_ROWS = 100, GRID_MAX_COLUMNS = 28 };

typedef struct grid_cell {
    int64_t tensors;
    int64_t alone;   /* tensors that one of the two lacks */
    int64_t unlike;  /* of other shapes, or that cannot be compared as numbers and differ */
    double change;   /* sum of (a - b)^2 */
    double size;     /* sum of b^2 */
    bool not_finite; /* something became NaN or infinite, or ceased to be */
} grid_cell;

typedef struct grid {
    char **row, **column;
    int rows, columns;
    grid_cell *cell; /* [rows, columns] */
} grid;

/* false without memory. Freed in either case. */
bool grid_make(grid *out, const graft_diff_report *diff);
void grid_free(grid *g);

/* The norm of the change over the norm of b: 0 where all is equal, NaN where nothing is there to
 * compare. */
double grid_change(const grid_cell *c);

#endif
