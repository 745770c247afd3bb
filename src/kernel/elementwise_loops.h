/* The loops behind graft__map, compiled for several instruction sets. */
#ifndef GRAFT__KERNEL_ELEMENTWISE_LOOPS_H
#define GRAFT__KERNEL_ELEMENTWISE_LOOPS_H

#include "kernel/elementwise.h"
#include "kernel/iterate.h"
#include "kernel/target.h"

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

#endif
