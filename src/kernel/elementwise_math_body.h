/* The functions of one floating type that are built on kernel/vmath.h. The file that includes this
 * says:
 *   REAL     float or double
 *   LOOPS    the name of the table
 *   NAME(x)  the name of a function
 *   MATH(x)  the member of graft__vmath for that type
 *   SQRT(x)  the function of that type
 *
 * Each works on blocks: inputs that are not contiguous are gathered first, so that every element
 * goes through the same vector code whatever the layout. */

typedef void NAME(block)(const graft__vmath *m, int64_t n, REAL *y, const REAL *const *x, REAL s);

static const REAL *NAME(gather)(int64_t n, const char *p, int64_t step, REAL *room)
{
    if (step == sizeof(REAL))
        return (const REAL *)p;
    for (int64_t i = 0; i < n; i++)
        room[i] = *(const REAL *)(p + i * step);
    return room;
}

static void NAME(blocks)(int64_t n, char *const *p, const int64_t *step, int inputs,
                         NAME(block) * function, double s)
{
    const graft__vmath *m = graft__vmath_here();
    REAL room[3][BLOCK], out[BLOCK];
    for (int64_t begin = 0; begin < n; begin += BLOCK) {
        const int64_t count = n - begin < BLOCK ? n - begin : BLOCK;
        const REAL *x[3] = {NULL, NULL, NULL};
        for (int k = 0; k < inputs; k++)
            x[k] = NAME(gather)(count, p[k + 1] + begin * step[k + 1], step[k + 1], room[k]);
        char *dst = p[0] + begin * step[0];
        if (step[0] == sizeof(REAL)) {
            function(m, count, (REAL *)dst, x, (REAL)s);
            continue;
        }
        function(m, count, out, x, (REAL)s);
        for (int64_t i = 0; i < count; i++)
            *(REAL *)(dst + i * step[0]) = out[i];
    }
}

static void NAME(exp)(const graft__vmath *m, int64_t n, REAL *y, const REAL *const *x, REAL s)
{
    (void)s;
    m->MATH(exp)(n, x[0], y);
}

static void NAME(log)(const graft__vmath *m, int64_t n, REAL *y, const REAL *const *x, REAL s)
{
    (void)s;
    m->MATH(log)(n, x[0], y);
}

static void NAME(tanh)(const graft__vmath *m, int64_t n, REAL *y, const REAL *const *x, REAL s)
{
    (void)s;
    m->MATH(tanh)(n, x[0], y);
}

static void NAME(sigmoid)(const graft__vmath *m, int64_t n, REAL *y, const REAL *const *x, REAL s)
{
    (void)s;
    m->MATH(sigmoid)(n, x[0], y);
}

static void NAME(pow)(const graft__vmath *m, int64_t n, REAL *y, const REAL *const *x, REAL s)
{
    (void)s;
    m->MATH(pow)(n, x[0], x[1], y);
}

/* PyTorch's choice of exponents that have exact formulas. */
static bool NAME(simple_power)(int64_t n, REAL *y, const REAL *x, REAL s)
{
    if (s == 0) {
        for (int64_t i = 0; i < n; i++)
            y[i] = 1;
    } else if (s == 1) {
        for (int64_t i = 0; i < n; i++)
            y[i] = x[i];
    } else if (s == 2) {
        for (int64_t i = 0; i < n; i++)
            y[i] = x[i] * x[i];
    } else if (s == 3) {
        for (int64_t i = 0; i < n; i++)
            y[i] = x[i] * x[i] * x[i];
    } else if (s == -1) {
        for (int64_t i = 0; i < n; i++)
            y[i] = 1 / x[i];
    } else if (s == -2) {
        for (int64_t i = 0; i < n; i++)
            y[i] = 1 / (x[i] * x[i]);
    } else if (s == (REAL)0.5) {
        for (int64_t i = 0; i < n; i++)
            y[i] = SQRT(x[i]);
    } else if (s == (REAL)-0.5) {
        for (int64_t i = 0; i < n; i++)
            y[i] = 1 / SQRT(x[i]);
    } else {
        return false;
    }
    return true;
}

static void NAME(pow_s)(const graft__vmath *m, int64_t n, REAL *y, const REAL *const *x, REAL s)
{
    if (NAME(simple_power)(n, y, x[0], s))
        return;
    REAL exponent[BLOCK];
    for (int64_t i = 0; i < n; i++)
        exponent[i] = s;
    m->MATH(pow)(n, x[0], exponent, y);
}

/* In the functions below y may lie where an input lies, which is read to its end only in the last
 * loop: what comes before goes into room of its own. */

static void NAME(pow_s_backward)(const graft__vmath *m, int64_t n, REAL *y, const REAL *const *x,
                                 REAL s)
{
    REAL power[BLOCK];
    if (s != 0)
        NAME(pow_s)(m, n, power, &x[1], s - 1);
    for (int64_t i = 0; i < n; i++)
        y[i] = s == 0 ? 0 : x[0][i] * (s * power[i]);
}

static void NAME(pow_backward_base)(const graft__vmath *m, int64_t n, REAL *y, const REAL *const *x,
                                    REAL s)
{
    (void)s;
    REAL power[BLOCK] = {0};
    for (int64_t i = 0; i < n; i++)
        power[i] = x[2][i] - 1;
    m->MATH(pow)(n, x[1], power, power);
    for (int64_t i = 0; i < n; i++)
        y[i] = x[2][i] == 0 ? 0 : x[0][i] * (x[2][i] * power[i]);
}

static void NAME(pow_backward_exponent)(const graft__vmath *m, int64_t n, REAL *y,
                                        const REAL *const *x, REAL s)
{
    (void)s;
    REAL power[BLOCK], logarithm[BLOCK];
    m->MATH(pow)(n, x[1], x[2], power);
    m->MATH(log)(n, x[1], logarithm);
    for (int64_t i = 0; i < n; i++)
        y[i] = x[0][i] * (x[1][i] == 0 && x[2][i] >= 0 ? 0 : power[i] * logarithm[i]);
}

#define DEFINE_LOOP(name, inputs)                                                                  \
    static void NAME(name##_loop)(int64_t n, char *const *p, const int64_t *step, const void *arg) \
    {                                                                                              \
        NAME(blocks)(n, p, step, inputs, NAME(name), ((const graft__map_arg *)arg)->s);            \
    }

DEFINE_LOOP(exp, 1)
DEFINE_LOOP(log, 1)
DEFINE_LOOP(tanh, 1)
DEFINE_LOOP(sigmoid, 1)
DEFINE_LOOP(pow_s, 1)
DEFINE_LOOP(pow, 2)
DEFINE_LOOP(pow_s_backward, 2)
DEFINE_LOOP(pow_backward_base, 3)
DEFINE_LOOP(pow_backward_exponent, 3)
#undef DEFINE_LOOP

graft__loops LOOPS = {
    [GRAFT__EXP] = NAME(exp_loop),
    [GRAFT__LOG] = NAME(log_loop),
    [GRAFT__TANH] = NAME(tanh_loop),
    [GRAFT__SIGMOID] = NAME(sigmoid_loop),
    [GRAFT__POW_S] = NAME(pow_s_loop),
    [GRAFT__POW] = NAME(pow_loop),
    [GRAFT__POW_S_BACKWARD] = NAME(pow_s_backward_loop),
    [GRAFT__POW_BACKWARD_BASE] = NAME(pow_backward_base_loop),
    [GRAFT__POW_BACKWARD_EXPONENT] = NAME(pow_backward_exponent_loop),
};
