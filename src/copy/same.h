/* Whether tensors hold the same, wherever their bytes lie. */
#ifndef GRAFT__COPY_SAME_H
#define GRAFT__COPY_SAME_H

#include "tensor/tensor.h"

/* Bit for bit, a piece at a time; a and b have one shape and dtype. 1 or 0; -1 with the error set
 * in g. */
int graft__same_elements(graft_ctx *g, const graft_tensor *a, const graft_tensor *b);

#endif
