/* Elements of any dtype that is of numbers, also of those that graft only carries, as doubles. */
#ifndef GRAFT__KERNEL_WIDEN_H
#define GRAFT__KERNEL_WIDEN_H

#include "graft/tensor.h"

/* Whether an element is one real number: not so of complex dtypes, bits and blocks. */
bool graft__is_number(graft_dtype dtype);

/* n contiguous elements of such a dtype as doubles: exact but for 64-bit integers, which round to
 * nearest. in and out do not overlap. */
void graft__widen(int64_t n, const void *in, graft_dtype dtype, double *out);

#endif
