/* What a picture of a checkpoint shows: a row for each tensor or, where there are too many, for
 * each module. */
#ifndef CLI_PLOT_ROWS_H
#define CLI_PLOT_ROWS_H

#include "graft/content.h"

enum { PLOT_MAX_ROWS = 60 };

typedef struct plot_row {
    char *name;
    int64_t tensors, elements, zeros, nans, infinities;
    double min, max, sum, squares;     /* of the finite elements */
    double histogram[GRAFT_HISTOGRAM]; /* elements in equal steps from min to max */
} plot_row;

typedef struct plot_rows {
    plot_row *row;
    int count;
    int64_t tensors, elements; /* of all of the file */
    uint64_t bytes;
    int64_t unknown; /* tensors whose elements are no numbers, and in no row */
} plot_rows;

/* The rows of a checkpoint's tensors. GRAFT_ERR_MEMORY, or the status of the context's error.
 * heed (may be NULL) is called after each tensor: false ends it with GRAFT_ERR_CANCELLED. Freed in
 * either case. */
graft_status plot_rows_make(plot_rows *out, const graft_dict *root, bool (*heed)(void));
void plot_rows_free(plot_rows *rows);

double plot_row_norm(const plot_row *r);
double plot_row_mean(const plot_row *r);
double plot_row_std(const plot_row *r);

/* How many components of dotted names make rows of which there are not more than `most`, names that
 * begin alike counting as one where they follow one another: 1 at least, INT_MAX for whole names.
 */
int plot_depth(const char *const *name, int64_t count, int most);

/* Bytes of the first `depth` components of a dotted name. */
size_t plot_prefix(const char *name, int depth);

#endif
