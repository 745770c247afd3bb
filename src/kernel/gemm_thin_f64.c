#include "kernel/gemm_kernels.h"

#define TYPE double
#define KERNELS graft__gemm_kernels_f64
#define BLOCK graft__gemm_block_f64
#define GEMM_THIN graft__gemm_thin_f64
#define GEMM_SMALL graft__gemm_small_f64

#include "kernel/gemm_thin_body.h"
