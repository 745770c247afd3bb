/* Runs of elements from one dtype to another, for kernels that take any. */
#ifndef GRAFT__KERNEL_CONVERT_H
#define GRAFT__KERNEL_CONVERT_H

#include "graft/tensor.h"

/* n contiguous elements from one dtype to another (or the same); in and out do not overlap. */
void graft__convert(int64_t n, const void *in, graft_dtype from, void *out, graft_dtype to);

/* The same for elements that lie `step` bytes apart (copy.c). */
void graft__convert_steps(int64_t n, const void *in, int64_t step, graft_dtype from, void *out,
                          graft_dtype to);

/* Bytes of one element, for a valid dtype. */
static inline size_t graft__element_size(graft_dtype dtype)
{
    static const unsigned char size[] = {4, 8, 2, 2, 8, 4, 2, 1, 1, 1};
    return size[dtype];
}

/* The floating dtypes are the first. */
static inline bool graft__element_is_floating(graft_dtype dtype)
{
    return dtype <= GRAFT_BF16;
}

#endif
