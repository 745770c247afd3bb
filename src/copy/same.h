/* Whether tensors hold the same, wherever their bytes lie; and whether they are the same. */
#ifndef GRAFT__COPY_SAME_H
#define GRAFT__COPY_SAME_H

#include "tensor/tensor.h"

/* Bit for bit, a piece at a time; a and b have one shape and dtype. 1 or 0; -1 with the error set
 * in g. */
int graft__same_elements(graft_ctx *g, const graft_tensor *a, const graft_tensor *b);

/* An order of tensors in which those are equal that lie on the same elements of one storage in the
 * same way. */
int graft__compare_places(const graft_tensor *a, const graft_tensor *b);

static inline bool graft__same_place(const graft_tensor *a, const graft_tensor *b)
{
    return graft__compare_places(a, b) == 0;
}

#endif
