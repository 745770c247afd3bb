/* The loops of one floating type. The file that includes this says:
 *   REAL     float or double
 *   LOOPS    the name of the table
 *   NAME(x)  the name of a loop
 *   TARGET   an attribute for the loops
 *   ABS(x), SQRT(x)  the functions of that type */

#define DEFINE1(name, expression)                                                                  \
    TARGET static void NAME(name)(int64_t n, char *const *p, const int64_t *step, const void *arg) \
    {                                                                                              \
        const REAL s = (REAL)((const graft__map_arg *)arg)->s;                                     \
        (void)s;                                                                                   \
        if (step[0] == sizeof(REAL) && step[1] == sizeof(REAL)) {                                  \
            REAL *y = (REAL *)p[0];                                                                \
            const REAL *x = (const REAL *)p[1];                                                    \
            GRAFT__INDEPENDENT                                                                     \
            for (int64_t i = 0; i < n; i++) {                                                      \
                const REAL a = x[i];                                                               \
                y[i] = expression;                                                                 \
            }                                                                                      \
            return;                                                                                \
        }                                                                                          \
        for (int64_t i = 0; i < n; i++) {                                                          \
            const REAL a = *(const REAL *)(p[1] + i * step[1]);                                    \
            *(REAL *)(p[0] + i * step[0]) = expression;                                            \
        }                                                                                          \
    }

#define DEFINE2(name, expression)                                                                  \
    TARGET static void NAME(name)(int64_t n, char *const *p, const int64_t *step, const void *arg) \
    {                                                                                              \
        (void)arg;                                                                                 \
        REAL *y = (REAL *)p[0];                                                                    \
        const REAL *x1 = (const REAL *)p[1], *x2 = (const REAL *)p[2];                             \
        const int64_t one = sizeof(REAL);                                                          \
        if (step[0] == one && step[1] == one && step[2] == one) {                                  \
            GRAFT__INDEPENDENT                                                                     \
            for (int64_t i = 0; i < n; i++) {                                                      \
                const REAL a = x1[i], b = x2[i];                                                   \
                y[i] = expression;                                                                 \
            }                                                                                      \
        } else if (step[0] == one && step[1] == one && step[2] == 0) {                             \
            const REAL b = *x2;                                                                    \
            GRAFT__INDEPENDENT                                                                     \
            for (int64_t i = 0; i < n; i++) {                                                      \
                const REAL a = x1[i];                                                              \
                y[i] = expression;                                                                 \
            }                                                                                      \
        } else if (step[0] == one && step[1] == 0 && step[2] == one) {                             \
            const REAL a = *x1;                                                                    \
            GRAFT__INDEPENDENT                                                                     \
            for (int64_t i = 0; i < n; i++) {                                                      \
                const REAL b = x2[i];                                                              \
                y[i] = expression;                                                                 \
            }                                                                                      \
        } else {                                                                                   \
            for (int64_t i = 0; i < n; i++) {                                                      \
                const REAL a = *(const REAL *)(p[1] + i * step[1]);                                \
                const REAL b = *(const REAL *)(p[2] + i * step[2]);                                \
                *(REAL *)(p[0] + i * step[0]) = expression;                                        \
            }                                                                                      \
        }                                                                                          \
    }

#define DEFINE3(name, expression)                                                                  \
    TARGET static void NAME(name)(int64_t n, char *const *p, const int64_t *step, const void *arg) \
    {                                                                                              \
        (void)arg;                                                                                 \
        const int64_t one = sizeof(REAL);                                                          \
        if (step[0] == one && step[1] == one && step[2] == one && step[3] == one) {                \
            REAL *y = (REAL *)p[0];                                                                \
            const REAL *x1 = (const REAL *)p[1], *x2 = (const REAL *)p[2];                         \
            const REAL *x3 = (const REAL *)p[3];                                                   \
            GRAFT__INDEPENDENT                                                                     \
            for (int64_t i = 0; i < n; i++) {                                                      \
                const REAL a = x1[i], b = x2[i], c = x3[i];                                        \
                y[i] = expression;                                                                 \
            }                                                                                      \
            return;                                                                                \
        }                                                                                          \
        for (int64_t i = 0; i < n; i++) {                                                          \
            const REAL a = *(const REAL *)(p[1] + i * step[1]);                                    \
            const REAL b = *(const REAL *)(p[2] + i * step[2]);                                    \
            const REAL c = *(const REAL *)(p[3] + i * step[3]);                                    \
            *(REAL *)(p[0] + i * step[0]) = expression;                                            \
        }                                                                                          \
    }

DEFINE1(neg, -a)
DEFINE1(abs, ABS(a))
DEFINE1(relu, a < 0 ? 0 : a)
DEFINE1(sqrt, SQRT(a))
DEFINE1(add_s, a + s)
DEFINE1(mul_s, a *s)
DEFINE1(div_s, a / s)

DEFINE2(add, a + b)
DEFINE2(sub, a - b)
DEFINE2(mul, a *b)
DEFINE2(div, a / b)
DEFINE2(maximum, ((a > b) | (a != a)) ? a : b)
DEFINE2(minimum, ((a < b) | (a != a)) ? a : b)
DEFINE2(abs_backward, a *(REAL)((b > 0) - (b < 0)))
DEFINE2(relu_backward, b <= 0 ? 0 : a)
DEFINE2(sqrt_backward, a / (2 * b))
DEFINE2(tanh_backward, a *(1 - b * b))
DEFINE2(sigmoid_backward, a *(1 - b) * b)

DEFINE3(div_backward, -a *(b / c) / c)
DEFINE3(maximum_backward, b < c ? 0 : (b == c ? a / 2 : a))
DEFINE3(minimum_backward, b > c ? 0 : (b == c ? a / 2 : a))

graft__loops LOOPS = {
    [GRAFT__NEG] = NAME(neg),
    [GRAFT__ABS] = NAME(abs),
    [GRAFT__RELU] = NAME(relu),
    [GRAFT__SQRT] = NAME(sqrt),
    [GRAFT__ADD_S] = NAME(add_s),
    [GRAFT__MUL_S] = NAME(mul_s),
    [GRAFT__DIV_S] = NAME(div_s),
    [GRAFT__ADD] = NAME(add),
    [GRAFT__SUB] = NAME(sub),
    [GRAFT__MUL] = NAME(mul),
    [GRAFT__DIV] = NAME(div),
    [GRAFT__MAXIMUM] = NAME(maximum),
    [GRAFT__MINIMUM] = NAME(minimum),
    [GRAFT__ABS_BACKWARD] = NAME(abs_backward),
    [GRAFT__RELU_BACKWARD] = NAME(relu_backward),
    [GRAFT__SQRT_BACKWARD] = NAME(sqrt_backward),
    [GRAFT__TANH_BACKWARD] = NAME(tanh_backward),
    [GRAFT__SIGMOID_BACKWARD] = NAME(sigmoid_backward),
    [GRAFT__DIV_BACKWARD] = NAME(div_backward),
    [GRAFT__MAXIMUM_BACKWARD] = NAME(maximum_backward),
    [GRAFT__MINIMUM_BACKWARD] = NAME(minimum_backward),
};

#undef DEFINE1
#undef DEFINE2
#undef DEFINE3
