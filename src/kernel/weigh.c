#include "kernel/weigh.h"

#include "kernel/convert.h"
#include "kernel/copy.h"
#include "kernel/iterate.h"

enum { BLOCK = 256 };

typedef struct term {
    graft_dtype dtype;
    double weight;
} term;

static void add_block(int64_t n, char *to, int64_t step, const double *x, double weight)
{
    if (step == (int64_t)sizeof(double)) {
        double *restrict sum = (double *)(void *)to;
        for (int64_t i = 0; i < n; i++)
            sum[i] += weight * x[i];
        return;
    }
    for (int64_t i = 0; i < n; i++, to += step)
        *(double *)(void *)to += weight * x[i];
}

/* p[0] += weight p[1] */
static void add_loop(int64_t n, char *const *p, const int64_t *step, const void *arg)
{
    const term *const t = arg;
    char *to = p[0];
    const char *from = p[1];
    double block[BLOCK];
    for (int64_t count; n > 0; n -= count) {
        count = n < BLOCK ? n : BLOCK;
        graft__convert_steps(count, from, step[1], t->dtype, block, GRAFT_F64);
        add_block(count, to, step[0], block, t->weight);
        to += count * step[0];
        from += count * step[1];
    }
}

/* What index i of dim holds. */
static graft__array slice_of(const graft__array *a, int dim, int64_t i)
{
    graft__array part = *a;
    part.data = (char *)a->data + i * a->stride[dim] * (int64_t)graft__element_size(a->dtype);
    part.size[dim] = 1;
    return part;
}

void graft__weigh(graft__pool *pool, const graft__array *dst, const graft__array *src, int dim,
                  const graft__taps *taps)
{
    if (graft__array_is_empty(dst)) /* there may be any number of taps all the same */
        return;
    graft__fill(pool, dst, 0);
    for (int64_t i = 0; i < dst->size[dim]; i++) {
        const graft__array to = slice_of(dst, dim, i);
        for (int64_t k = 0; k < taps[i].count; k++) {
            const graft__array from = slice_of(src, dim, taps[i].first + k);
            const graft__array *const arrays[] = {&to, &from};
            const term t = {src->dtype, taps[i].weight ? taps[i].weight[k] : 1};
            graft__iterate(pool, 2, arrays, 2, add_loop, &t);
        }
    }
}
