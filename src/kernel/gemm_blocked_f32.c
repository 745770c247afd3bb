#include "kernel/gemm_kernels.h"

#define TYPE float
#define KERNELS graft__gemm_kernels_f32
#define BLOCK graft__gemm_block_f32
#define GEMM_BLOCKED graft__gemm_blocked_f32

#include "kernel/gemm_blocked_body.h"
