/* The loops behind graft__map, compiled for several instruction sets. */
#ifndef GRAFT__KERNEL_ELEMENTWISE_LOOPS_H
#define GRAFT__KERNEL_ELEMENTWISE_LOOPS_H

#include "kernel/elementwise.h"
#include "kernel/iterate.h"

/* What loops get as arg. */
typedef struct graft__map_arg {
    double s;
} graft__map_arg;

typedef graft__loop *const graft__loops[GRAFT__FUNCTIONS];

/* NULL where a function is one of elementwise_math.c. */
extern graft__loops graft__loops_f32, graft__loops_f64;

/* The functions that are built on kernel/vmath.h, and NULL elsewhere. */
extern graft__loops graft__math_loops_f32, graft__math_loops_f64;

#if defined(__x86_64__)
#define GRAFT__LOOPS_AVX2 1
extern graft__loops graft__loops_f32_avx2, graft__loops_f64_avx2;
#endif

/* For a loop over elements whose result may lie in the very place of an input, and overlaps none
 * otherwise: iterations do not depend on each other, whatever the compiler fears. */
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wpass-failed" /* a sanitizer may keep it from being used */
#define GRAFT__INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define GRAFT__INDEPENDENT _Pragma("GCC ivdep")
#else
#define GRAFT__INDEPENDENT
#endif

#endif
