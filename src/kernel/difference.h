/* How two runs of elements differ: what is counted, the largest differences, and the sums of which
 * means, norms and the cosine are made, in one pass. */
#ifndef GRAFT__KERNEL_DIFFERENCE_H
#define GRAFT__KERNEL_DIFFERENCE_H

#include "graft/tensor.h"

/* Runs begin at multiples of this: no block of a block dtype, nor of the work, is cut then. */
enum { GRAFT__DIFFERENCE_RUN = 8192 };

typedef struct graft__difference_how {
    graft_dtype a, b; /* the same, or both of numbers (kernel/widen.h) */
    bool numbers;     /* else changed, first and the rows alone */
    bool tolerant; /* |a - b| <= atol + rtol * |b| is equal; else the same bits, or the same value
                      where the dtypes are two. Both are for dtypes of numbers alone. */
    double rtol, atol;
    int64_t row; /* elements of one, at least 1 */
} graft__difference_how;

/* Zero but for first, first_row and last_row: -1. */
typedef struct graft__difference {
    int64_t changed;
    int64_t not_finite; /* of the changed: pairs with a NaN or infinity */
    int64_t left_out;   /* all such pairs, changed or not: they are in no sum and no maximum */
    uint64_t max_ulps;  /* of a floating dtype that is both's */
    double max_abs, max_rel;
    double sum_abs, sum_square; /* of a - b */
    double dot, square_a, square_b;
    int64_t first; /* changed element, counted in the tensor */
    int64_t rows;  /* changed ones */
    int64_t first_row, last_row;
} graft__difference;

void graft__difference_begin(graft__difference *d);

/* n elements, of which the first is element `at` of the tensor. The changed rows are listed, in
 * order, as many as there is room for, if row is not NULL. The same bits on any number of threads:
 * what is added up depends on at and n alone. */
void graft__difference_run(const graft__difference_how *how, int64_t at, int64_t n, const void *a,
                           const void *b, graft__difference *out, int64_t *row, int64_t room);

/* Adds what the run behind gave. */
void graft__difference_add(graft__difference *d, const graft__difference *next);

#endif
