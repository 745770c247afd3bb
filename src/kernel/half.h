/* The 16-bit floats: f16 (IEEE 754 binary16) and bf16 (the upper half of a binary32), as their
 * bits in a uint16_t. Every conversion rounds once, to nearest even, and gives subnormals,
 * infinities and signed zeros their due; what is too large becomes infinite. A NaN stays one, with
 * its sign and the upper bits of its payload, quiet. */
#ifndef GRAFT__KERNEL_HALF_H
#define GRAFT__KERNEL_HALF_H

#include <math.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t graft__f32_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float graft__f32_of_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* if_true where condition, without a branch, so that loops over these functions vectorise. */
static inline uint32_t graft__select(int condition, uint32_t if_true, uint32_t if_false)
{
    const uint32_t mask = 0U - (uint32_t)condition;
    return (if_true & mask) | (if_false & ~mask);
}

/* ---- f16 ---- */

static inline float graft__f16_to_f32(uint16_t half)
{
    const uint32_t magnitude = half & 0x7fffU;
    const uint32_t shifted = magnitude << 13;
    const uint32_t finite = shifted + (112U << 23); /* the biases are 127 and 15 */
    /* 2^-14 (1 + m) - 2^-14 is the subnormal, and exact */
    const float subnormal =
        graft__f32_of_bits(shifted + (113U << 23)) - graft__f32_of_bits(113U << 23);
    uint32_t bits = graft__select(magnitude < 0x0400U, graft__f32_bits(subnormal), finite);
    bits = graft__select(magnitude >= 0x7c00U, shifted | 0x7f800000U, bits);
    bits |= graft__select(magnitude > 0x7c00U, 0x00400000U, 0U);
    return graft__f32_of_bits(bits | (uint32_t)(half & 0x8000U) << 16);
}

static inline uint16_t graft__f16_from_f32(float x)
{
    const uint32_t bits = graft__f32_bits(x);
    const uint32_t magnitude = bits & 0x7fffffffU;
    /* A carry out of the mantissa goes up into the exponent, as it should. */
    const uint32_t normal = (magnitude - (112U << 23) + 0xfffU + ((magnitude >> 13) & 1U)) >> 13;
    /* The last bit of a number in [0.5, 1) is 2^-24, that of an f16 subnormal: the sum rounds. */
    const uint32_t subnormal =
        graft__f32_bits(graft__f32_of_bits(magnitude) + 0.5F) - graft__f32_bits(0.5F);
    uint32_t half = graft__select(magnitude < (113U << 23), subnormal, normal);
    half = graft__select(magnitude >= (143U << 23), 0x7c00U, half);
    half = graft__select(magnitude > 0x7f800000U, 0x7e00U | ((magnitude >> 13) & 0x3ffU), half);
    return (uint16_t)(half | (bits >> 16 & 0x8000U));
}

/* ---- bf16 ---- */

static inline float graft__bf16_to_f32(uint16_t half)
{
    return graft__f32_of_bits((uint32_t)half << 16);
}

static inline uint16_t graft__bf16_from_f32(float x)
{
    const uint32_t bits = graft__f32_bits(x);
    const uint32_t rounded = (bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16;
    const uint32_t nan = bits >> 16 | 0x0040U;
    return (uint16_t)graft__select((bits & 0x7fffffffU) > 0x7f800000U, nan, rounded);
}

/* ---- From wider types: by way of an f32 that is rounded to odd, which keeps what was cut off
 * visible to the one rounding to nearest (Boldo and Melquiond 2008). ---- */

/* x cut to f32, its last bit set if anything was lost. */
static inline float graft__f32_round_to_odd(double x)
{
    const float nearest = (float)x;
    const double back = (double)nearest;
    uint32_t bits = graft__f32_bits(nearest);
    bits -= fabs(back) > fabs(x);                  /* rounded away from zero: back */
    return graft__f32_of_bits(bits | (back != x)); /* of a NaN's payload no half keeps that bit */
}

/* x as a double that rounds to 24 or fewer bits as x does. */
static inline double graft__f64_sticky(int64_t x)
{
    uint64_t magnitude = x < 0 ? UINT64_C(0) - (uint64_t)x : (uint64_t)x;
    if (magnitude >> 53) /* 11 bits may not fit: the last that does stands for all of them */
        magnitude = (magnitude & ~UINT64_C(0x7ff)) | (uint64_t)((magnitude & 0x7ff) != 0) << 11;
    return x < 0 ? -(double)magnitude : (double)magnitude;
}

static inline uint16_t graft__f16_from_f64(double x)
{
    return graft__f16_from_f32(graft__f32_round_to_odd(x));
}

static inline uint16_t graft__bf16_from_f64(double x)
{
    return graft__bf16_from_f32(graft__f32_round_to_odd(x));
}

static inline uint16_t graft__f16_from_i64(int64_t x)
{
    return graft__f16_from_f64(graft__f64_sticky(x));
}

static inline uint16_t graft__bf16_from_i64(int64_t x)
{
    return graft__bf16_from_f64(graft__f64_sticky(x));
}

/* ---- n contiguous elements; in and out must not overlap ---- */
void graft__f16_to_f32_n(int64_t n, const uint16_t *in, float *out);
void graft__f16_from_f32_n(int64_t n, const float *in, uint16_t *out);
void graft__bf16_to_f32_n(int64_t n, const uint16_t *in, float *out);
void graft__bf16_from_f32_n(int64_t n, const float *in, uint16_t *out);

#endif
