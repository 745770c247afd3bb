/* Making views. */
#ifndef GRAFT__OPS_VIEW_H
#define GRAFT__OPS_VIEW_H

#include "ops/tape.h"

/* t's elements with that shape and those strides (NULL: contiguous) from t's first element on. op's
 * backward finds t's shape in node->attr. */
graft_tensor *graft__view_as(const graft__op *op, graft_tensor *t, int ndim, const int64_t *size,
                             const int64_t *stride);

#endif
