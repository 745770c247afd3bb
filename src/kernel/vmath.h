/* exp, log, tanh, the logistic function and pow for runs of contiguous elements. */
#ifndef GRAFT__KERNEL_VMATH_H
#define GRAFT__KERNEL_VMATH_H

#include <stdint.h>

/* n elements; y may be an input itself, but must not overlap one otherwise. An element's result
 * depends on its inputs only, not on where in the run it lies. Within 1 unit in the last place of
 * the exact value (sigmoid: 2.5; by libm: what libm promises). */
typedef struct graft__vmath {
    void (*exp_f32)(int64_t n, const float *x, float *y);
    void (*log_f32)(int64_t n, const float *x, float *y);
    void (*tanh_f32)(int64_t n, const float *x, float *y);
    void (*sigmoid_f32)(int64_t n, const float *x, float *y); /* 1 / (1 + exp(-x)) */
    void (*pow_f32)(int64_t n, const float *x, const float *exponent, float *y);
    void (*exp_f64)(int64_t n, const double *x, double *y);
    void (*log_f64)(int64_t n, const double *x, double *y);
    void (*tanh_f64)(int64_t n, const double *x, double *y);
    void (*sigmoid_f64)(int64_t n, const double *x, double *y);
    void (*pow_f64)(int64_t n, const double *x, const double *exponent, double *y);
} graft__vmath;

/* The fastest that this machine can run. */
const graft__vmath *graft__vmath_here(void);

/* Those that need libm only. */
extern const graft__vmath graft__vmath_libm;

#endif
