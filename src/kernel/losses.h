/* What converting elements has cost. */
#ifndef GRAFT__KERNEL_LOSSES_H
#define GRAFT__KERNEL_LOSSES_H

#include "base/pool.h"
#include "graft/tensor.h"

/* Whether every number of one dtype is one of the other. */
bool graft__is_exact(graft_dtype from, graft_dtype to);

/* As graft__convert, on the threads of the pool, and counts what is lost from element `counted` on.
 * Adds to *overflows how many are no longer what they were: finite ones that became infinite, and
 * whatever a target without fractions can't hold (NaN and infinities too). *error becomes the
 * largest |x - converted(x)| of the other finite ones, if that is larger. */
void graft__convert_counting(graft__pool *pool, int64_t n, const void *in, graft_dtype from,
                             void *out, graft_dtype to, int64_t counted, int64_t *overflows,
                             double *error);

#endif
