/* What converting elements has cost. */
#ifndef GRAFT__KERNEL_LOSSES_H
#define GRAFT__KERNEL_LOSSES_H

#include "graft/tensor.h"

/* Compares n contiguous elements with what graft__convert made of them. Adds to *overflows how many
 * are no longer what they were: finite ones that became infinite, and whatever a target without
 * fractions can't hold (NaN and infinities too). *error becomes the largest |x - converted(x)| of
 * the other finite ones, if that is larger. */
void graft__count_losses(int64_t n, const void *in, graft_dtype from, const void *out,
                         graft_dtype to, int64_t *overflows, double *error);

#endif
