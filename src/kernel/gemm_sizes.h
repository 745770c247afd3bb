/* Arithmetic on sizes, for the files of gemm only. */
#ifndef GRAFT__KERNEL_GEMM_SIZES_H
#define GRAFT__KERNEL_GEMM_SIZES_H

#include <stdint.h>

static inline int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

#endif
