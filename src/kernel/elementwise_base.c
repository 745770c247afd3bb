#include <math.h>

#include "kernel/elementwise_loops.h"

#define TARGET

#define REAL float
#define LOOPS graft__loops_f32
#define NAME(x) x##_f32
#define ABS(x) fabsf(x)
#define SQRT(x) sqrtf(x)
#include "kernel/elementwise_body.h"
#undef REAL
#undef LOOPS
#undef NAME
#undef ABS
#undef SQRT

#define REAL double
#define LOOPS graft__loops_f64
#define NAME(x) x##_f64
#define ABS(x) fabs(x)
#define SQRT(x) sqrt(x)
#include "kernel/elementwise_body.h"
