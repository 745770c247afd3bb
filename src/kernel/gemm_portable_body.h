/* The vectors of gemm_body.h by the compiler's own, and then the kernels: for a type and what the
 * file that includes this defines with it TYPE, KERNELS, BLOCK, TABLE and LANES, all as there,
 * ALL(x), FMA(a, b, c) and SUM(x) */

#define TARGET
#define MASKED NEVER
/* What the registers hold: 16 of them, or 32. */
#if defined(__aarch64__)
#define ROWS 12
#else
#define ROWS 6
#endif

typedef TYPE vec __attribute__((vector_size(LANES * sizeof(TYPE))));
typedef int mask;

static inline vec vec_all(TYPE x)
{
    return ALL(x);
}

static inline vec vec_zero(void)
{
    return vec_all(0);
}

static inline vec vec_load(const TYPE *from)
{
    vec x;
    memcpy(&x, from, sizeof x);
    return x;
}

static inline void vec_store(TYPE *to, vec x)
{
    memcpy(to, &x, sizeof x);
}

static inline vec vec_add(vec a, vec b)
{
    return a + b;
}

static inline vec vec_mul(vec a, vec b)
{
    return a * b;
}

static inline vec vec_fma(vec a, vec b, vec c)
{
    return FMA(a, b, c);
}

static inline TYPE vec_sum(vec x)
{
    return SUM(x);
}

static inline mask vec_first(int n)
{
    return n;
}

static inline vec vec_load_first(const TYPE *from, mask first)
{
    vec x = vec_zero();
    GRAFT__UNROLL
    for (int i = 0; i < LANES; i++)
        if (i < first)
            x[i] = from[i];
    return x;
}

static inline void vec_store_first(TYPE *to, mask first, vec x)
{
    GRAFT__UNROLL
    for (int i = 0; i < LANES; i++)
        if (i < first)
            to[i] = x[i];
}

static inline void transpose_4x4(const TYPE *a, const TYPE *b, const TYPE *c, const TYPE *d,
                                 TYPE *to, int64_t ld)
{
    for (int p = 0; p < 4; p++, to += ld) {
        to[0] = a[p];
        to[1] = b[p];
        to[2] = c[p];
        to[3] = d[p];
    }
}

#include "kernel/gemm_body.h"
