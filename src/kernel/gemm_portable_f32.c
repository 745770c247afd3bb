#include "kernel/gemm_kernels.h"

#include <string.h>

#if defined(__aarch64__)
#include <arm_neon.h>
#define FMA(a, b, c) (vec) vfmaq_f32((float32x4_t)(c), (float32x4_t)(a), (float32x4_t)(b))
#else
#define FMA(a, b, c) ((a) * (b) + (c))
#endif

#define TYPE float
#define KERNELS graft__gemm_kernels_f32
#define BLOCK graft__gemm_block_f32
#define TABLE graft__gemm_portable_f32
#define LANES 4
#define ALL(x) ((vec){(x), (x), (x), (x)})
#define SUM(x) (((x)[0] + (x)[2]) + ((x)[1] + (x)[3]))
#include "kernel/gemm_portable_body.h"
