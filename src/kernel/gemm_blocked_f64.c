#include "kernel/gemm_kernels.h"

#define TYPE double
#define KERNELS graft__gemm_kernels_f64
#define BLOCK graft__gemm_block_f64
#define GEMM_BLOCKED graft__gemm_blocked_f64

#include "kernel/gemm_blocked_body.h"
