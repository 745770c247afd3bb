#include "kernel/gemm_kernels.h"

#include <string.h>

#if defined(__aarch64__)
#include <arm_neon.h>
#define FMA(a, b, c) (vec) vfmaq_f64((float64x2_t)(c), (float64x2_t)(a), (float64x2_t)(b))
#else
#define FMA(a, b, c) ((a) * (b) + (c))
#endif

#define TYPE double
#define KERNELS graft__gemm_kernels_f64
#define BLOCK graft__gemm_block_f64
#define TABLE graft__gemm_portable_f64
#define LANES 2
#define ALL(x) ((vec){(x), (x)})
#define SUM(x) ((x)[0] + (x)[1])
#include "kernel/gemm_portable_body.h"
