/* Uniform numbers, coin flips, integers and permutations. Every function draws exactly as many
 * numbers as PyTorch does, in its order: a stream stays in step whatever calls are mixed. */
#include <math.h>

#include "base/random.h"

enum { CHUNK = 512 };

static int chunk_of(int64_t n)
{
    return n < CHUNK ? (int)n : CHUNK;
}

void graft__random_uniform_f32(graft__random *r, int64_t n, float *out, double from, double to)
{
    /* The bounds and their distance are rounded to float, the rest is in double and rounded once:
     * 24 bits times a float is exact there. */
    const float low = (float)from;
    const float distance = (float)to - low;
    const double base = low;
    const double step = distance * 0x1p-24;
    uint32_t bits[CHUNK];
    while (n > 0) {
        const int count = chunk_of(n);
        graft__random_fill_u32(r, count, bits);
        for (int i = 0; i < count; i++)
            out[i] = (float)((double)(int32_t)(bits[i] & 0xffffffU) * step + base);
        out += count;
        n -= count;
    }
}

static inline double unit_f64(uint64_t bits)
{
    return (double)(int64_t)(bits & ((UINT64_C(1) << 53) - 1)) * 0x1p-53;
}

void graft__random_uniform_f64(graft__random *r, int64_t n, double *out, double from, double to)
{
    const double distance = to - from;
    const bool unit = distance == 1.0 && from == 0.0;
    uint64_t bits[CHUNK];
    while (n > 0) {
        const int count = chunk_of(n);
        graft__random_fill_u64(r, count, bits);
        if (unit)
            for (int i = 0; i < count; i++)
                out[i] = unit_f64(bits[i]);
        else /* PyTorch's compiler fuses these two, and the last bit shows it */
            for (int i = 0; i < count; i++)
                out[i] = fma(unit_f64(bits[i]), distance, from);
        out += count;
        n -= count;
    }
}

/* The number of 53-bit integers below p * 2^53, in two halves as the generator makes them: an
 * integer x is below it exactly where x / 2^53 < p. */
typedef struct bernoulli_limit {
    uint32_t high, low;
} bernoulli_limit;

static bernoulli_limit bernoulli_limit_of(double p)
{
    bernoulli_limit limit = {0, 0};
    if (p >= 1.0) {
        limit.high = UINT32_C(1) << 21;
    } else if (p > 0.0) {
        const uint64_t below = (uint64_t)ceil(p * 0x1p53);
        limit.high = (uint32_t)(below >> 32);
        limit.low = (uint32_t)below;
    }
    return limit;
}

/* 1 or 0 from the two halves of a 53-bit number. */
static inline int32_t is_below(const uint32_t *halves, bernoulli_limit limit)
{
    const uint32_t high = halves[0] & 0x1fffffU;
    return (high < limit.high) | ((high == limit.high) & (halves[1] < limit.low));
}

void graft__random_bernoulli_f32(graft__random *r, int64_t n, float *out, double p)
{
    const bernoulli_limit limit = bernoulli_limit_of(p);
    uint32_t halves[2 * CHUNK];
    while (n > 0) {
        const int count = chunk_of(n);
        graft__random_fill_u32(r, 2 * (int64_t)count, halves);
        for (int i = 0; i < count; i++)
            out[i] = (float)is_below(halves + 2 * i, limit);
        out += count;
        n -= count;
    }
}

void graft__random_bernoulli_f64(graft__random *r, int64_t n, double *out, double p)
{
    const bernoulli_limit limit = bernoulli_limit_of(p);
    uint32_t halves[2 * CHUNK];
    while (n > 0) {
        const int count = chunk_of(n);
        graft__random_fill_u32(r, 2 * (int64_t)count, halves);
        for (int i = 0; i < count; i++)
            out[i] = (double)is_below(halves + 2 * i, limit);
        out += count;
        n -= count;
    }
}

/* base + offset, wrapping: the sum fits, the way to it need not. */
static inline int64_t shifted(int64_t base, uint64_t offset)
{
    return (int64_t)((uint64_t)base + offset);
}

void graft__random_int(graft__random *r, int64_t n, int64_t *out, int64_t from, int64_t to)
{
    const uint64_t range = (uint64_t)to - (uint64_t)from;
    const bool wide = range > UINT32_MAX; /* only then PyTorch draws 64 bits */
    union {
        uint32_t narrow[CHUNK];
        uint64_t wide[CHUNK];
    } bits;
    while (n > 0) {
        const int count = chunk_of(n);
        if (wide) {
            graft__random_fill_u64(r, count, bits.wide);
            for (int i = 0; i < count; i++)
                out[i] = shifted(from, bits.wide[i] % range);
        } else {
            graft__random_fill_u32(r, count, bits.narrow);
            for (int i = 0; i < count; i++)
                out[i] = shifted(from, bits.narrow[i] % (uint32_t)range);
        }
        out += count;
        n -= count;
    }
}

void graft__random_permutation(graft__random *r, int64_t n, int64_t *out)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = i;
    /* The last element has nothing left to swap with, so n - 1 draws. */
    uint32_t bits[CHUNK];
    for (int64_t begin = 0; begin < n - 1; begin += CHUNK) {
        const int count = chunk_of(n - 1 - begin);
        graft__random_fill_u32(r, count, bits);
        for (int i = 0; i < count; i++) {
            const int64_t here = begin + i;
            const int64_t there = here + bits[i] % (n - here);
            const int64_t value = out[here];
            out[here] = out[there];
            out[there] = value;
        }
    }
}
