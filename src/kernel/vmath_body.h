/* One set of vector functions over SLEEF's of one vector width. The file that includes this says:
 *   VMATH            the name of the set
 *   VF, VD           the vectors of float and double
 *   SLEEF_F, SLEEF_D SLEEF's function of a name, for each
 *   F(x), D(x)       the intrinsic x for float and double
 * and is compiled as a whole for a processor that has the vectors: an attribute of the functions
 * would not do, as clang passes such vectors in memory where the file at large has none. */

enum {
    LANES_F = sizeof(VF) / sizeof(float),
    LANES_D = sizeof(VD) / sizeof(double),
};

static VF sigmoid_lanes_f32(VF x)
{
    const VF one = F(set1)(1.0F);
    return F(div)(one, F(add)(one, SLEEF_F(exp)(F(sub)(F(set1)(0.0F), x))));
}

static VD sigmoid_lanes_f64(VD x)
{
    const VD one = D(set1)(1.0);
    return D(div)(one, D(add)(one, SLEEF_D(exp)(D(sub)(D(set1)(0.0), x))));
}

/* What is left over at the end goes through the same vectors, filled up with ones: the scalar
 * functions round differently. */
#define DEFINE_UNARY(name, type, lanes, I, function)                                               \
    static void name(int64_t n, const type *x, type *y)                                            \
    {                                                                                              \
        int64_t i = 0;                                                                             \
        for (; i + lanes <= n; i += lanes)                                                         \
            I(storeu)(y + i, function(I(loadu)(x + i)));                                           \
        if (i == n)                                                                                \
            return;                                                                                \
        type rest[lanes];                                                                          \
        for (int k = 0; k < lanes; k++)                                                            \
            rest[k] = k < n - i ? x[i + k] : 1;                                                    \
        I(storeu)(rest, function(I(loadu)(rest)));                                                 \
        for (int k = 0; k < n - i; k++)                                                            \
            y[i + k] = rest[k];                                                                    \
    }

#define DEFINE_BINARY(name, type, lanes, I, function)                                              \
    static void name(int64_t n, const type *x, const type *exponent, type *y)                      \
    {                                                                                              \
        int64_t i = 0;                                                                             \
        for (; i + lanes <= n; i += lanes)                                                         \
            I(storeu)(y + i, function(I(loadu)(x + i), I(loadu)(exponent + i)));                   \
        if (i == n)                                                                                \
            return;                                                                                \
        type rest[lanes], rest_exponent[lanes];                                                    \
        for (int k = 0; k < lanes; k++) {                                                          \
            rest[k] = k < n - i ? x[i + k] : 1;                                                    \
            rest_exponent[k] = k < n - i ? exponent[i + k] : 1;                                    \
        }                                                                                          \
        I(storeu)(rest, function(I(loadu)(rest), I(loadu)(rest_exponent)));                        \
        for (int k = 0; k < n - i; k++)                                                            \
            y[i + k] = rest[k];                                                                    \
    }

DEFINE_UNARY(exp_f32, float, LANES_F, F, SLEEF_F(exp))
DEFINE_UNARY(log_f32, float, LANES_F, F, SLEEF_F(log))
DEFINE_UNARY(tanh_f32, float, LANES_F, F, SLEEF_F(tanh))
DEFINE_UNARY(sigmoid_f32, float, LANES_F, F, sigmoid_lanes_f32)
DEFINE_BINARY(pow_f32, float, LANES_F, F, SLEEF_F(pow))
DEFINE_UNARY(exp_f64, double, LANES_D, D, SLEEF_D(exp))
DEFINE_UNARY(log_f64, double, LANES_D, D, SLEEF_D(log))
DEFINE_UNARY(tanh_f64, double, LANES_D, D, SLEEF_D(tanh))
DEFINE_UNARY(sigmoid_f64, double, LANES_D, D, sigmoid_lanes_f64)
DEFINE_BINARY(pow_f64, double, LANES_D, D, SLEEF_D(pow))

const graft__vmath VMATH = {
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
