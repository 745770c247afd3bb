/* Adding in place. */
#ifndef GRAFT__KERNEL_ACCUMULATE_H
#define GRAFT__KERNEL_ACCUMULATE_H

#include "base/pool.h"
#include "kernel/array.h"

/* dst += src, elementwise: floating dtypes, the same for both, same shape; dst is contiguous.
 * Halves are added in f32 and rounded once. */
void graft__accumulate(graft__pool *pool, const graft__array *dst, const graft__array *src);

#endif
