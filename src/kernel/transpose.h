/* Copies whose two sides run along different dimensions. */
#ifndef GRAFT__KERNEL_TRANSPOSE_H
#define GRAFT__KERNEL_TRANSPOSE_H

#include "base/pool.h"
#include "kernel/array.h"

/* As graft__copy, for arrays that are not empty, if dst and src are each dense along a dimension,
 * but not along the same one. Else false, and nothing is done. */
bool graft__transpose(graft__pool *pool, const graft__array *dst, const graft__array *src);

#endif
