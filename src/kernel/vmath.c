#include "kernel/vmath.h"

#include <math.h>

#include "kernel/vmath_sleef.h"

#define DEFINE_UNARY(name, type, expression)                                                       \
    static void name(int64_t n, const type *x, type *y)                                            \
    {                                                                                              \
        for (int64_t i = 0; i < n; i++)                                                            \
            y[i] = expression;                                                                     \
    }

#define DEFINE_BINARY(name, type, expression)                                                      \
    static void name(int64_t n, const type *x, const type *exponent, type *y)                      \
    {                                                                                              \
        for (int64_t i = 0; i < n; i++)                                                            \
            y[i] = expression;                                                                     \
    }

DEFINE_UNARY(exp_f32, float, expf(x[i]))
DEFINE_UNARY(log_f32, float, logf(x[i]))
DEFINE_UNARY(tanh_f32, float, tanhf(x[i]))
DEFINE_UNARY(sigmoid_f32, float, 1.0F / (1.0F + expf(-x[i])))
DEFINE_BINARY(pow_f32, float, powf(x[i], exponent[i]))
DEFINE_UNARY(exp_f64, double, exp(x[i]))
DEFINE_UNARY(log_f64, double, log(x[i]))
DEFINE_UNARY(tanh_f64, double, tanh(x[i]))
DEFINE_UNARY(sigmoid_f64, double, 1.0 / (1.0 + exp(-x[i])))
DEFINE_BINARY(pow_f64, double, pow(x[i], exponent[i]))

const graft__vmath graft__vmath_libm = {
    .exp_f32 = exp_f32,
    .log_f32 = log_f32,
    .tanh_f32 = tanh_f32,
    .sigmoid_f32 = sigmoid_f32,
    .pow_f32 = pow_f32,
    .exp_f64 = exp_f64,
    .log_f64 = log_f64,
    .tanh_f64 = tanh_f64,
    .sigmoid_f64 = sigmoid_f64,
    .pow_f64 = pow_f64,
};

const graft__vmath *graft__vmath_here(void)
{
#ifdef GRAFT__VMATH_SLEEF
    if (__builtin_cpu_supports("avx512f"))
        return &graft__vmath_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return &graft__vmath_avx2;
#endif
    return &graft__vmath_libm;
}
