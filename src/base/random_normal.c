/* Normal numbers by Box and Muller (1958). PyTorch has two ways, and which one it takes decides
 * what is drawn: 16 and more contiguous numbers are filled in groups of 16 (8 radii, then 8
 * angles), fewer come one by one in double, each second one from a cache that the groups neither
 * read nor empty. */
#include <math.h>
#include <string.h>

#include "base/random.h"

#define TWO_PI 6.283185307179586476925286766559

/* GROUP uniforms make GROUP normals: the first HALF are radii, the others angles. */
enum { HALF = 8, GROUP = 16 };

static inline float from_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline uint32_t to_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* log(x) for x in [2^-24, 1], to 1 ulp, without a branch so that compilers vectorise it:
 * x = 2^e * (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)), and a minimax polynomial for
 * (log(1 + f) - f + f^2 / 2) / f^3. */
static inline float log_unit(float x)
{
    const uint32_t shift = to_bits(x) - to_bits(0.70710678F);
    const float e = (float)((int32_t)shift >> 23);
    const float f = from_bits((shift & 0x7fffffU) + to_bits(0.70710678F)) - 1.0F;
    float p = 6.915540248e-02F;
    p = p * f - 1.178986505e-01F;
    p = p * f + 1.187292635e-01F;
    p = p * f - 1.238433495e-01F;
    p = p * f + 1.421866417e-01F;
    p = p * f - 1.666925251e-01F;
    p = p * f + 2.000222653e-01F;
    p = p * f - 2.499998659e-01F;
    p = p * f + 3.333331048e-01F;
    const float ff = f * f;
    /* ln 2 in two pieces, the first of which times e is exact */
    const float small = p * f * ff + e * -2.12194440e-4F - 0.5F * ff;
    return f + small + e * 0.693359375F;
}

/* sin and cos of x in [0, 2 pi], to 1 ulp of 1, without a branch: x = q * pi/2 + r with
 * |r| <= pi/4, and minimax polynomials in r^2. */
static inline void sin_cos(float x, float *sine, float *cosine)
{
    const int32_t q = (int32_t)(x * 0.636619772F + 0.5F);
    const float k = (float)q;
    /* pi/2 in three pieces, the first two of which times k are exact */
    const float r = ((x - k * 1.5703125F) - k * 0x1.fb4p-12F) - k * 7.5497899e-8F;
    const float z = r * r;
    const float s =
        r + r * z * (-1.666665524e-01F + z * (8.332176134e-03F + z * -1.951697777e-04F));
    const float c = 1.0F - 0.5F * z +
                    z * z * (4.166664556e-02F + z * (-1.388736418e-03F + z * 2.443809171e-05F));
    const uint32_t odd = 0U - ((uint32_t)q & 1U);
    const uint32_t sb = to_bits(s), cb = to_bits(c);
    const uint32_t sine_sign = ((uint32_t)q & 2U) << 30;
    const uint32_t cosine_sign = (((uint32_t)q + 1U) & 2U) << 30;
    *sine = from_bits(((sb & ~odd) | (cb & odd)) ^ sine_sign);
    *cosine = from_bits(((cb & ~odd) | (sb & odd)) ^ cosine_sign);
}

static void normals_from_uniforms_f32(float *data, float mean, float std)
{
    for (int i = 0; i < HALF; i++) {
        const float radius = sqrtf(-2.0F * log_unit(1.0F - data[i]));
        float sine, cosine;
        sin_cos((float)TWO_PI * data[i + HALF], &sine, &cosine);
        data[i] = radius * cosine * std + mean;
        data[i + HALF] = radius * sine * std + mean;
    }
}

static void normals_from_uniforms_f64(double *data, double mean, double std)
{
    for (int i = 0; i < HALF; i++) {
        const double radius = sqrt(-2.0 * log(1.0 - data[i]));
        const double angle = TWO_PI * data[i + HALF];
        data[i] = fma(radius * cos(angle), std, mean);
        data[i + HALF] = fma(radius * sin(angle), std, mean);
    }
}

/* One normal in double, from the cache or from two fresh uniforms. */
static double one_normal(graft__random *r, double mean, double std)
{
    double x = r->normal;
    if (!r->has_normal) {
        double u[2];
        graft__random_uniform_f64(r, 2, u, 0.0, 1.0);
        const double radius = sqrt(-2.0 * log(1.0 - u[1]));
        const double angle = TWO_PI * u[0];
        r->normal = radius * sin(angle);
        x = radius * cos(angle);
    }
    r->has_normal = !r->has_normal;
    return fma(x, std, mean);
}

void graft__random_normal_f32(graft__random *r, int64_t n, float *out, double mean, double std)
{
    if (n < GROUP) {
        for (int64_t i = 0; i < n; i++)
            out[i] = (float)one_normal(r, mean, std);
        return;
    }
    const float m = (float)mean, s = (float)std;
    graft__random_uniform_f32(r, n, out, 0.0, 1.0);
    for (int64_t i = 0; i + GROUP <= n; i += GROUP)
        normals_from_uniforms_f32(out + i, m, s);
    if (n % GROUP != 0) { /* the last 16 are drawn anew, over numbers that were done already */
        float *last = out + n - GROUP;
        graft__random_uniform_f32(r, GROUP, last, 0.0, 1.0);
        normals_from_uniforms_f32(last, m, s);
    }
}

void graft__random_normal_f64(graft__random *r, int64_t n, double *out, double mean, double std)
{
    if (n < GROUP) {
        for (int64_t i = 0; i < n; i++)
            out[i] = one_normal(r, mean, std);
        return;
    }
    graft__random_uniform_f64(r, n, out, 0.0, 1.0);
    for (int64_t i = 0; i + GROUP <= n; i += GROUP)
        normals_from_uniforms_f64(out + i, mean, std);
    if (n % GROUP != 0) {
        double *last = out + n - GROUP;
        graft__random_uniform_f64(r, GROUP, last, 0.0, 1.0);
        normals_from_uniforms_f64(last, mean, std);
    }
}
