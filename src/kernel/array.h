/* How kernels see a tensor: memory, element type, sizes and strides. */
#ifndef GRAFT__KERNEL_ARRAY_H
#define GRAFT__KERNEL_ARRAY_H

#include "graft/tensor.h"

typedef struct graft__array {
    void *data; /* the first element; kernels write only to what they call dst */
    graft_dtype dtype;
    int ndim;
    int64_t size[GRAFT_MAX_DIMS];
    int64_t stride[GRAFT_MAX_DIMS]; /* in elements; 0 repeats */
} graft__array;

#endif
