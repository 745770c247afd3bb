#include "kernel/half_random.h"

#include <math.h>
#include <stdbool.h>

#include "kernel/half.h"

typedef struct half_format {
    int digits; /* of the mantissa, with the one that is not stored: bits to draw */
    float (*widen)(uint16_t);
    uint16_t (*narrow)(float);
    bool rounds_each_step; /* PyTorch has functions of bf16, but computes f16's in f32 */
} half_format;

static const half_format f16 = {11, graft__f16_to_f32, graft__f16_from_f32, false};
static const half_format bf16 = {8, graft__bf16_to_f32, graft__bf16_from_f32, true};

static float rounded(const half_format *f, float x)
{
    return f->widen(f->narrow(x));
}

static float step(const half_format *f, float x)
{
    return f->rounds_each_step ? rounded(f, x) : x;
}

static void uniform(const half_format *f, graft__random *r, int64_t n, uint16_t *out, double from,
                    double to)
{
    enum { CHUNK = 512 };
    const float low = rounded(f, (float)from);
    const float distance = rounded(f, rounded(f, (float)to) - low);
    const float unit = ldexpf(1.0F, -f->digits);
    const uint32_t mask = (1U << f->digits) - 1;
    uint32_t bits[CHUNK];
    while (n > 0) {
        const int count = n < CHUNK ? (int)n : CHUNK;
        graft__random_fill_u32(r, count, bits);
        for (int i = 0; i < count; i++)
            out[i] = f->narrow((float)(int32_t)(bits[i] & mask) * unit * distance + low);
        out += count;
        n -= count;
    }
}

/* Where PyTorch stays in f32, its compiler fuses these two. */
static float scaled(const half_format *f, float x, float mean, float std)
{
    return f->rounds_each_step ? rounded(f, x * std) + mean : fmaf(x, std, mean);
}

/* 16 uniforms become 16 normals, as in base/random_normal.c. */
static void normals_from_uniforms(const half_format *f, uint16_t *data, float mean, float std)
{
    for (int i = 0; i < 8; i++) {
        const float u = rounded(f, 1.0F - f->widen(data[i]));
        const float log_u = step(f, logf(u));
        const float radius = rounded(f, sqrtf(step(f, -2.0F * log_u)));
        const double full = 6.283185307179586476925286766559 * (double)f->widen(data[i + 8]);
        const float angle = rounded(f, (float)full);
        const float x = step(f, radius * step(f, cosf(angle)));
        const float y = step(f, radius * step(f, sinf(angle)));
        data[i] = f->narrow(scaled(f, x, mean, std));
        data[i + 8] = f->narrow(scaled(f, y, mean, std));
    }
}

static void normal(const half_format *f, graft__random *r, int64_t n, uint16_t *out, double mean,
                   double std)
{
    if (n < 16) {
        for (int64_t i = 0; i < n; i++) {
            double x;
            graft__random_normal_f64(r, 1, &x, mean, std);
            out[i] = f->narrow((float)x);
        }
        return;
    }
    const float m = rounded(f, (float)mean), s = rounded(f, (float)std);
    uniform(f, r, n, out, 0.0, 1.0);
    for (int64_t i = 0; i + 16 <= n; i += 16)
        normals_from_uniforms(f, out + i, m, s);
    if (n % 16 != 0) {
        uniform(f, r, 16, out + n - 16, 0.0, 1.0);
        normals_from_uniforms(f, out + n - 16, m, s);
    }
}

void graft__random_uniform_f16(graft__random *r, int64_t n, uint16_t *out, double from, double to)
{
    uniform(&f16, r, n, out, from, to);
}

void graft__random_uniform_bf16(graft__random *r, int64_t n, uint16_t *out, double from, double to)
{
    uniform(&bf16, r, n, out, from, to);
}

void graft__random_normal_f16(graft__random *r, int64_t n, uint16_t *out, double mean, double std)
{
    normal(&f16, r, n, out, mean, std);
}

void graft__random_normal_bf16(graft__random *r, int64_t n, uint16_t *out, double mean, double std)
{
    normal(&bf16, r, n, out, mean, std);
}
