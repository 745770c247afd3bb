/* Whether all elements of two arrays agree. Same shape (repeat with stride 0), any dtypes. */
#ifndef GRAFT__KERNEL_EQUAL_H
#define GRAFT__KERNEL_EQUAL_H

#include "base/pool.h"
#include "kernel/array.h"

/* Each pair is converted to dtype and compared; NaN is equal to nothing. Stops soon after the first
 * difference. */
bool graft__all_equal(graft__pool *pool, const graft__array *a, const graft__array *b,
                      graft_dtype dtype);

typedef struct graft__tolerance {
    double rtol, atol;
    bool equal_nan;
} graft__tolerance;

/* a == b or |a - b| <= atol + rtol * |b|, in double; two integers are compared and subtracted
 * exactly. An infinity is close to itself only. */
bool graft__all_close(graft__pool *pool, const graft__array *a, const graft__array *b,
                      const graft__tolerance *tolerance);

#endif
