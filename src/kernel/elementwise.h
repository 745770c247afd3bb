/* Operations element by element, in f32 and f64. */
#ifndef GRAFT__KERNEL_ELEMENTWISE_H
#define GRAFT__KERNEL_ELEMENTWISE_H

#include "base/pool.h"
#include "kernel/array.h"

/* What is computed from the elements a, b and c and the number s. g stands for the gradient of a
 * result, x for an input and y for a result. */
typedef enum graft__function {
    /* of a */
    GRAFT__NEG,
    GRAFT__ABS,
    GRAFT__RELU, /* NaN stays */
    GRAFT__SQRT,
    GRAFT__EXP,
    GRAFT__LOG,
    GRAFT__TANH,
    GRAFT__SIGMOID,

    /* of a and s (rounded to the dtype first) */
    GRAFT__ADD_S,
    GRAFT__MUL_S,
    GRAFT__DIV_S,
    GRAFT__POW_S, /* exactly as the products, quotients and roots for s = 0, 1, 2, 3, -1, -2, .5,
                     -.5 */

    /* of a and b */
    GRAFT__ADD,
    GRAFT__SUB,
    GRAFT__MUL,
    GRAFT__DIV,
    GRAFT__MAXIMUM, /* NaN wins */
    GRAFT__MINIMUM,
    GRAFT__POW,
    GRAFT__ABS_BACKWARD,     /* (g, x) g sign(x) */
    GRAFT__RELU_BACKWARD,    /* (g, y) 0 where y <= 0 */
    GRAFT__SQRT_BACKWARD,    /* (g, y) g / 2y */
    GRAFT__TANH_BACKWARD,    /* (g, y) g (1 - y^2) */
    GRAFT__SIGMOID_BACKWARD, /* (g, y) g (1 - y) y */
    GRAFT__POW_S_BACKWARD,   /* (g, x; s) g (s x^(s-1)), 0 if s is 0 */

    /* of a, b and c */
    GRAFT__DIV_BACKWARD,          /* (g, x1, x2) by the divisor: -g (x1 / x2) / x2 */
    GRAFT__POW_BACKWARD_BASE,     /* (g, x1, x2) g (x2 x1^(x2-1)), 0 where x2 is 0 */
    GRAFT__POW_BACKWARD_EXPONENT, /* (g, x1, x2) g x1^x2 log x1, 0 where x1 is 0 and x2 >= 0 */
    GRAFT__MAXIMUM_BACKWARD,      /* (g, x1, x2) by x1: 0 where x1 < x2, half where equal */
    GRAFT__MINIMUM_BACKWARD,

    GRAFT__FUNCTIONS
} graft__function;

/* dst = f(a, b, c; s), element by element. All arrays have one shape (repeat with stride 0) and one
 * dtype, f32 or f64. What f does not take is NULL and 0. dst may be one of the inputs in the same
 * layout, and must not overlap them otherwise. */
void graft__map(graft__pool *pool, graft__function f, double s, const graft__array *dst,
                const graft__array *a, const graft__array *b, const graft__array *c);

typedef enum graft__comparison {
    GRAFT__EQ,
    GRAFT__NE,
    GRAFT__LT,
    GRAFT__LE,
    GRAFT__GT,
    GRAFT__GE
} graft__comparison;

/* dst (bool) = a ? b. a and b: both f32, both f64 or both i64. */
void graft__compare(graft__pool *pool, graft__comparison op, const graft__array *dst,
                    const graft__array *a, const graft__array *b);

#endif
