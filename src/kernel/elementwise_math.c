#include <math.h>

#include "kernel/elementwise_loops.h"
#include "kernel/vmath.h"

enum { BLOCK = 256 }; /* elements; a few of them fit the first cache with room to spare */

#define REAL float
#define LOOPS graft__math_loops_f32
#define NAME(x) x##_f32
#define MATH(x) x##_f32
#define SQRT(x) sqrtf(x)
#include "kernel/elementwise_math_body.h"
#undef REAL
#undef LOOPS
#undef NAME
#undef MATH
#undef SQRT

#define REAL double
#define LOOPS graft__math_loops_f64
#define NAME(x) x##_f64
#define MATH(x) x##_f64
#define SQRT(x) sqrt(x)
#include "kernel/elementwise_math_body.h"
