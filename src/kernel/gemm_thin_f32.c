#include "kernel/gemm_kernels.h"

#define TYPE float
#define KERNELS graft__gemm_kernels_f32
#define BLOCK graft__gemm_block_f32
#define GEMM_THIN graft__gemm_thin_f32
#define GEMM_SMALL graft__gemm_small_f32

#include "kernel/gemm_thin_body.h"
