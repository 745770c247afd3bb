#include "kernel/elementwise.h"

#include "kernel/elementwise_loops.h"

/* What vector functions cost, in additions. */
enum { MATH_WEIGHT = 8 };

static graft__loop *plain_loop(graft__function f, bool f64)
{
#ifdef GRAFT__LOOPS_AVX2
    if (__builtin_cpu_supports("avx2"))
        return f64 ? graft__loops_f64_avx2[f] : graft__loops_f32_avx2[f];
#endif
    return f64 ? graft__loops_f64[f] : graft__loops_f32[f];
}

void graft__map(graft__pool *pool, graft__function f, double s, const graft__array *dst,
                const graft__array *a, const graft__array *b, const graft__array *c)
{
    const graft__map_arg arg = {s};
    const graft__array *const array[GRAFT__ITERATE_MAX] = {dst, a, b, c};
    const int count = !b ? 2 : (!c ? 3 : 4);
    const bool f64 = dst->dtype == GRAFT_F64;
    graft__loop *loop = plain_loop(f, f64);
    int weight = 1;
    if (!loop) {
        loop = f64 ? graft__math_loops_f64[f] : graft__math_loops_f32[f];
        weight = MATH_WEIGHT;
    }
    graft__iterate(pool, count, array, weight, loop, &arg);
}
