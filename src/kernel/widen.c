#include "kernel/widen.h"

#include <string.h>

#include "kernel/convert.h"
#include "kernel/half.h"

enum { BLOCK = 512 };

#define WIDEN(name, type)                                                                          \
    static void name(int64_t n, const type *restrict in, double *restrict out)                     \
    {                                                                                              \
        for (int64_t i = 0; i < n; i++)                                                            \
            out[i] = (double)in[i];                                                                \
    }

WIDEN(of_f32, float)
WIDEN(of_u16, uint16_t)
WIDEN(of_u32, uint32_t)
WIDEN(of_u64, uint64_t)
#undef WIDEN

static double f64_of_bits(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* An 8-bit float. Open Compute Project, "8-bit Floating Point Specification" (E4M3FN, E5M2),
 * "Microscaling Formats" (E8M0); FNUZ as in "8-bit Numerical Formats for Deep Neural Networks"
 * (Noune and others 2022): a bias one higher, no infinities, and the pattern of -0 for NaN. */
typedef struct form {
    int mantissa, bias;
    bool nan_is_minus_zero, has_infinity;
} form;

static double of_form(const form *f, unsigned bits)
{
    const double nan = f64_of_bits(UINT64_C(0x7ff8000000000000));
    const unsigned ones = (0x80U >> f->mantissa) - 1;
    const unsigned exponent = (bits & 0x7fU) >> f->mantissa;
    const unsigned fraction = bits & ((1U << f->mantissa) - 1);
    const uint64_t sign = (uint64_t)(bits & 0x80U) << 56;
    if (f->nan_is_minus_zero && bits == 0x80U)
        return nan;
    if (f->has_infinity && exponent == ones)
        return fraction ? nan : f64_of_bits(sign | UINT64_C(0x7ff0000000000000));
    if (!f->has_infinity && !f->nan_is_minus_zero && (bits & 0x7fU) == 0x7fU)
        return nan;
    const int place = 52 - f->mantissa;
    if (exponent > 0)
        return f64_of_bits(sign | (uint64_t)((int)exponent - f->bias + 1023) << 52 |
                           (uint64_t)fraction << place);
    /* a subnormal: fraction times the last place of the least exponent, as exact */
    const double last = f64_of_bits((uint64_t)(1 - f->bias - f->mantissa + 1023) << 52);
    return (sign ? -1.0 : 1.0) * (double)fraction * last;
}

static double of_e8m0(unsigned bits)
{
    if (bits == 0xffU)
        return f64_of_bits(UINT64_C(0x7ff8000000000000));
    return f64_of_bits((uint64_t)((int)bits - 127 + 1023) << 52);
}

static void of_f8(int64_t n, const uint8_t *in, graft_dtype dtype, double *out)
{
    static const form e4m3fn = {3, 7, false, false}, e5m2 = {2, 15, false, true};
    static const form e4m3fnuz = {3, 8, true, false}, e5m2fnuz = {2, 16, true, false};
    const form *f = dtype == GRAFT_F8_E4M3FN     ? &e4m3fn
                    : dtype == GRAFT_F8_E5M2     ? &e5m2
                    : dtype == GRAFT_F8_E4M3FNUZ ? &e4m3fnuz
                                                 : &e5m2fnuz;
    double value[256]; /* of those met: there are more elements than bytes */
    bool met[256] = {false};
    for (int64_t i = 0; i < n; i++) {
        const unsigned bits = in[i];
        if (!met[bits]) {
            met[bits] = true;
            value[bits] = dtype == GRAFT_F8_E8M0FNU ? of_e8m0(bits) : of_form(f, bits);
        }
        out[i] = value[bits];
    }
}

static void of_half(int64_t n, const uint16_t *in, graft_dtype dtype, double *out)
{
    float wide[BLOCK];
    for (int64_t i = 0; i < n; i += BLOCK) {
        const int64_t count = n - i < BLOCK ? n - i : BLOCK;
        if (dtype == GRAFT_F16)
            graft__f16_to_f32_n(count, in + i, wide);
        else
            graft__bf16_to_f32_n(count, in + i, wide);
        of_f32(count, wide, out + i);
    }
}

bool graft__is_number(graft_dtype dtype)
{
    return graft_dtype_computes(dtype) || (dtype >= GRAFT_U16 && dtype <= GRAFT_U64) ||
           (dtype >= GRAFT_F8_E4M3FN && dtype <= GRAFT_F8_E8M0FNU);
}

void graft__widen(int64_t n, const void *in, graft_dtype dtype, double *out)
{
    switch (dtype) {
    case GRAFT_F32:
        of_f32(n, in, out);
        return;
    case GRAFT_F16:
    case GRAFT_BF16:
        of_half(n, in, dtype, out);
        return;
    case GRAFT_U16:
        of_u16(n, in, out);
        return;
    case GRAFT_U32:
        of_u32(n, in, out);
        return;
    case GRAFT_U64:
        of_u64(n, in, out);
        return;
    case GRAFT_F8_E4M3FN:
    case GRAFT_F8_E5M2:
    case GRAFT_F8_E4M3FNUZ:
    case GRAFT_F8_E5M2FNUZ:
    case GRAFT_F8_E8M0FNU:
        of_f8(n, in, dtype, out);
        return;
    default:
        graft__convert(n, in, dtype, out, GRAFT_F64);
    }
}
