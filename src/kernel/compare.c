#include "kernel/elementwise_loops.h"

#define DEFINE(name, type, operator)                                                               \
    static void name(int64_t n, char *const *p, const int64_t *step, const void *arg)              \
    {                                                                                              \
        (void)arg;                                                                                 \
        char *y = p[0];                                                                            \
        const int64_t one = sizeof(type);                                                          \
        if (step[0] == 1 && step[1] == one && step[2] == one) {                                    \
            const type *a = (const type *)p[1], *b = (const type *)p[2];                           \
            GRAFT__INDEPENDENT                                                                     \
            for (int64_t i = 0; i < n; i++)                                                        \
                y[i] = a[i] operator b[i];                                                         \
        } else if (step[0] == 1 && step[1] == one && step[2] == 0) {                               \
            const type *a = (const type *)p[1], b = *(const type *)p[2];                           \
            GRAFT__INDEPENDENT                                                                     \
            for (int64_t i = 0; i < n; i++)                                                        \
                y[i] = a[i] operator b;                                                            \
        } else {                                                                                   \
            for (int64_t i = 0; i < n; i++) {                                                      \
                const type a = *(const type *)(p[1] + i * step[1]);                                \
                const type b = *(const type *)(p[2] + i * step[2]);                                \
                y[i * step[0]] = a operator b;                                                     \
            }                                                                                      \
        }                                                                                          \
    }

#define DEFINE_ALL(suffix, type)                                                                   \
    DEFINE(eq_##suffix, type, ==)                                                                  \
    DEFINE(ne_##suffix, type, !=)                                                                  \
    DEFINE(lt_##suffix, type, <)                                                                   \
    DEFINE(le_##suffix, type, <=)                                                                  \
    DEFINE(gt_##suffix, type, >)                                                                   \
    DEFINE(ge_##suffix, type, >=)

DEFINE_ALL(f32, float)
DEFINE_ALL(f64, double)
DEFINE_ALL(i64, int64_t)

void graft__compare(graft__pool *pool, graft__comparison op, const graft__array *dst,
                    const graft__array *a, const graft__array *b)
{
    static graft__loop *const f32[] = {eq_f32, ne_f32, lt_f32, le_f32, gt_f32, ge_f32};
    static graft__loop *const f64[] = {eq_f64, ne_f64, lt_f64, le_f64, gt_f64, ge_f64};
    static graft__loop *const i64[] = {eq_i64, ne_i64, lt_i64, le_i64, gt_i64, ge_i64};
    graft__loop *const *loops = a->dtype == GRAFT_F32 ? f32 : (a->dtype == GRAFT_F64 ? f64 : i64);
    const graft__array *const array[] = {dst, a, b};
    graft__iterate(pool, 3, array, 1, loops[op], NULL);
}
