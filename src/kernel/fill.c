#include <math.h>
#include <stdint.h>
#include <string.h>

#include "kernel/convert.h"
#include "kernel/copy.h"
#include "kernel/iterate.h"

/* One element, converted. */
typedef struct pattern {
    size_t size;
    bool one_byte; /* all bytes are equal */
    _Alignas(8) unsigned char bytes[8];
} pattern;

static pattern pattern_of(const void *value, graft_dtype from, graft_dtype to)
{
    pattern p = {.size = graft__element_size(to), .one_byte = true};
    graft__convert(1, value, from, p.bytes, to);
    for (size_t i = 1; i < p.size; i++)
        p.one_byte = p.one_byte && p.bytes[i] == p.bytes[0];
    return p;
}

#define FILL(type)                                                                                 \
    do {                                                                                           \
        type value;                                                                                \
        memcpy(&value, element->bytes, sizeof value);                                              \
        for (int64_t i = 0; i < n; i++)                                                            \
            ((type *)(void *)out)[i] = value;                                                      \
    } while (0)

static void fill_dense(int64_t n, char *out, const pattern *element)
{
    if (element->one_byte) {
        memset(out, element->bytes[0], (size_t)n * element->size);
        return;
    }
    switch (element->size) { /* elements of one byte are dealt with */
    case 2:
        FILL(uint16_t);
        break;
    case 4:
        FILL(uint32_t);
        break;
    default:
        FILL(uint64_t);
    }
}

#undef FILL

static void fill_loop(int64_t n, char *const *p, const int64_t *step, const void *arg)
{
    const pattern *const value = arg;
    if (step[0] == (int64_t)value->size) {
        fill_dense(n, p[0], value);
        return;
    }
    char *out = p[0];
    for (int64_t i = 0; i < n; i++, out += step[0])
        memcpy(out, value->bytes, value->size);
}

static void fill(graft__pool *pool, const graft__array *dst, const pattern *value)
{
    graft__iterate(pool, 1, &dst, 1, fill_loop, value);
}

void graft__fill(graft__pool *pool, const graft__array *dst, double value)
{
    const pattern p = pattern_of(&value, GRAFT_F64, dst->dtype);
    fill(pool, dst, &p);
}

void graft__fill_i64(graft__pool *pool, const graft__array *dst, int64_t value)
{
    const pattern p = pattern_of(&value, GRAFT_I64, dst->dtype);
    fill(pool, dst, &p);
}

/* ---- Ranges ---- */

enum { BLOCK = 256 };

/* Elements first..first+count-1 of dst become those of block. */
static void store(const graft__array *dst, int64_t first, int64_t count, void *block,
                  graft_dtype dtype)
{
    const graft__array from = {
        .data = block, .dtype = dtype, .ndim = 1, .size = {count}, .stride = {1}};
    graft__array to = *dst;
    to.data = (char *)dst->data + first * dst->stride[0] * (int64_t)graft__element_size(dst->dtype);
    to.size[0] = count;
    graft__copy(NULL, &to, &from);
}

static void range_i64(const graft__array *dst, int64_t start, int64_t step)
{
    int64_t block[BLOCK];
    uint64_t next = (uint64_t)start; /* the sum behind the last element may not fit */
    for (int64_t first = 0; first < dst->size[0]; first += BLOCK) {
        const int64_t left = dst->size[0] - first, count = left < BLOCK ? left : BLOCK;
        for (int64_t i = 0; i < count; i++, next += (uint64_t)step)
            block[i] = (int64_t)next;
        store(dst, first, count, block, GRAFT_I64);
    }
}

static double fused(bool narrow, double a, double b, double c)
{
    return narrow ? (double)fmaf((float)a, (float)b, (float)c) : fma(a, b, c);
}

static double rounded(double x, graft_dtype dtype)
{
    uint64_t element;
    graft__convert(1, &x, GRAFT_F64, &element, dtype);
    return graft__get_f64(&element, dtype);
}

/* PyTorch makes whole vectors (of 32 bytes, two at a time) out of their first element, which was
 * rounded already; what is left over it makes one by one. Its halves are computed in f32. */
static void range_floating(const graft__array *dst, double start, double step)
{
    const graft_dtype dtype = dst->dtype;
    const int64_t lanes = 32 / (int64_t)graft__element_size(dtype);
    const int64_t vectors_end = dst->size[0] / (2 * lanes) * (2 * lanes);
    const bool narrow = dtype == GRAFT_F16 || dtype == GRAFT_BF16;
    if (narrow)
        start = (float)start, step = (float)step;
    double block[BLOCK], base = 0;
    for (int64_t first = 0; first < dst->size[0]; first += BLOCK) {
        const int64_t left = dst->size[0] - first, count = left < BLOCK ? left : BLOCK;
        for (int64_t i = 0; i < count; i++) {
            const int64_t at = first + i, lane = at < vectors_end ? at % lanes : 0;
            if (lane == 0)
                base = fused(narrow, (double)at, step, start);
            else if (lane == 1)
                base = rounded(base, dtype);
            block[i] = lane == 0 ? base : fused(narrow, (double)lane, step, base);
        }
        store(dst, first, count, block, GRAFT_F64);
    }
}

void graft__fill_range(const graft__array *dst, double start, double step)
{
    if (graft__element_is_floating(dst->dtype))
        range_floating(dst, start, step);
    else
        range_i64(dst, (int64_t)start, (int64_t)step);
}
