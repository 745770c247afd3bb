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

static inline bool graft__array_is_empty(const graft__array *a)
{
    bool empty = false;
    for (int d = 0; d < a->ndim; d++)
        empty |= a->size[d] == 0;
    return empty;
}

/* graft_dtype_size of a dtype that is one, without a call: 0 for those in blocks, whose tensors are
 * never offset. */
static inline size_t graft__width(graft_dtype dtype)
{
    static const unsigned char width[GRAFT_DTYPES] = {
        [GRAFT_F32] = 4,          [GRAFT_F64] = 8,         [GRAFT_F16] = 2,
        [GRAFT_BF16] = 2,         [GRAFT_I64] = 8,         [GRAFT_I32] = 4,
        [GRAFT_I16] = 2,          [GRAFT_I8] = 1,          [GRAFT_U8] = 1,
        [GRAFT_BOOL] = 1,         [GRAFT_U16] = 2,         [GRAFT_U32] = 4,
        [GRAFT_U64] = 8,          [GRAFT_C32] = 4,         [GRAFT_C64] = 8,
        [GRAFT_C128] = 16,        [GRAFT_F8_E4M3FN] = 1,   [GRAFT_F8_E5M2] = 1,
        [GRAFT_F8_E4M3FNUZ] = 1,  [GRAFT_F8_E5M2FNUZ] = 1, [GRAFT_F8_E8M0FNU] = 1,
        [GRAFT_F4_E2M1FN_X2] = 1, [GRAFT_BITS8] = 1,       [GRAFT_BITS16] = 2,
        [GRAFT_BITS1X8] = 1,      [GRAFT_BITS2X4] = 1,     [GRAFT_BITS4X2] = 1,
    };
    return width[dtype];
}

#endif
