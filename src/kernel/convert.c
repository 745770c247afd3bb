/* All pairs of dtypes, by way of four: each dtype is read as one of f32, f64, i64 and i32 that
 * holds all its values, and each of the four is written as any dtype. What is one of the four
 * already takes no detour, so that each value is rounded once. */
#include "kernel/convert.h"

#include <string.h>

#include "kernel/copy.h"
#include "kernel/half.h"

enum { BLOCK = 512 }; /* elements; two steps meet in a buffer that stays in the first cache */

typedef void convert_fn(int64_t n, const void *in, void *out);

/* ---- Floats to integers: what does not fit gives the least integer, as x86 has it. The number is
 * replaced before it is converted, so that nothing is undefined and loops vectorise. ---- */

static inline int32_t i32_from_f32(float x)
{
    return (int32_t)(x >= -0x1p31F && x < 0x1p31F ? x : -0x1p31F);
}

static inline int32_t i32_from_f64(double x)
{
    return (int32_t)(x >= -0x1p31 && x < 0x1p31 ? x : -0x1p31);
}

static inline int64_t i64_from_f32(float x)
{
    return (int64_t)(x >= -0x1p63F && x < 0x1p63F ? x : -0x1p63F);
}

static inline int64_t i64_from_f64(double x)
{
    return (int64_t)(x >= -0x1p63 && x < 0x1p63 ? x : -0x1p63);
}

/* x as an i32 that f32 holds and that rounds to 16 or fewer bits as x does: of a large x the last 8
 * bits are cut off and the one before tells of them. */
static inline int32_t i32_sticky(int32_t x)
{
    const int32_t cut = (int32_t)((uint32_t)x & ~0xffU) | (int32_t)((x & 0xff) != 0) << 8;
    return x >= 1 << 24 || x <= -(1 << 24) ? cut : x;
}

/* Integers of fewer bits are the low ones of a wider integer: gcc and clang say so. */

#define CONVERT(name, in_type, out_type, expression)                                               \
    static void name(int64_t n, const void *in, void *out)                                         \
    {                                                                                              \
        const in_type *restrict from = in;                                                         \
        out_type *restrict to = out;                                                               \
        for (int64_t i = 0; i < n; i++) {                                                          \
            const in_type x = from[i];                                                             \
            to[i] = (out_type)(expression);                                                        \
        }                                                                                          \
    }

/* ---- Reading ---- */

static void f32_from_f16(int64_t n, const void *in, void *out)
{
    graft__f16_to_f32_n(n, in, out);
}

static void f32_from_bf16(int64_t n, const void *in, void *out)
{
    graft__bf16_to_f32_n(n, in, out);
}

CONVERT(i32_of_i16, int16_t, int32_t, x)
CONVERT(i32_of_i8, int8_t, int32_t, x)
CONVERT(i32_of_u8, uint8_t, int32_t, x)
CONVERT(i32_of_bool, uint8_t, int32_t, x != 0)

/* ---- Writing ---- */

static void f16_of_f32(int64_t n, const void *in, void *out)
{
    graft__f16_from_f32_n(n, in, out);
}

static void bf16_of_f32(int64_t n, const void *in, void *out)
{
    graft__bf16_from_f32_n(n, in, out);
}

CONVERT(f64_of_f32, float, double, x)
CONVERT(i64_of_f32, float, int64_t, i64_from_f32(x))
CONVERT(i32_of_f32, float, int32_t, i32_from_f32(x))
CONVERT(i16_of_f32, float, int16_t, i32_from_f32(x))
CONVERT(i8_of_f32, float, int8_t, i32_from_f32(x))
/* PyTorch goes by way of i64. So does this: floats of 2^31 and more are multiples of 256. */
CONVERT(u8_of_f32, float, uint8_t, i32_from_f32(x))
CONVERT(bool_of_f32, float, uint8_t, x != 0)

CONVERT(f32_of_f64, double, float, x)
CONVERT(i64_of_f64, double, int64_t, i64_from_f64(x))
CONVERT(i32_of_f64, double, int32_t, i32_from_f64(x))
CONVERT(i16_of_f64, double, int16_t, i32_from_f64(x))
CONVERT(i8_of_f64, double, int8_t, i32_from_f64(x))
CONVERT(u8_of_f64, double, uint8_t, i64_from_f64(x))
CONVERT(bool_of_f64, double, uint8_t, x != 0)

CONVERT(f32_of_i64, int64_t, float, x)
CONVERT(f64_of_i64, int64_t, double, x)
CONVERT(i32_of_i64, int64_t, int32_t, x)
CONVERT(i16_of_i64, int64_t, int16_t, x)
CONVERT(i8_of_i64, int64_t, int8_t, x)
CONVERT(u8_of_i64, int64_t, uint8_t, x)
CONVERT(bool_of_i64, int64_t, uint8_t, x != 0)

CONVERT(f32_of_i32, int32_t, float, x)
CONVERT(f64_of_i32, int32_t, double, x)
CONVERT(i64_of_i32, int32_t, int64_t, x)
CONVERT(i16_of_i32, int32_t, int16_t, x)
CONVERT(i8_of_i32, int32_t, int8_t, x)
CONVERT(u8_of_i32, int32_t, uint8_t, x)
CONVERT(bool_of_i32, int32_t, uint8_t, x != 0)

/* To f32, rounded to odd: a second rounding, to a half, is then the only one (kernel/half.h). */
CONVERT(f32_odd_of_f64, double, float, graft__f32_round_to_odd(x))
CONVERT(f32_odd_of_i64, int64_t, float, graft__f32_round_to_odd(graft__f64_sticky(x)))
CONVERT(f32_odd_of_i32, int32_t, float, i32_sticky(x))

/* The images of most data sets. */
CONVERT(f32_of_u8, uint8_t, float, x)

#undef CONVERT

/* How a dtype is read: as which of the four, and with what; NULL if it is that. */
enum { AS_F32, AS_F64, AS_I64, AS_I32 };

static const struct {
    unsigned char as;
    convert_fn *read;
} reading[] = {
    [GRAFT_F32] = {AS_F32, NULL},         [GRAFT_F64] = {AS_F64, NULL},
    [GRAFT_F16] = {AS_F32, f32_from_f16}, [GRAFT_BF16] = {AS_F32, f32_from_bf16},
    [GRAFT_I64] = {AS_I64, NULL},         [GRAFT_I32] = {AS_I32, NULL},
    [GRAFT_I16] = {AS_I32, i32_of_i16},   [GRAFT_I8] = {AS_I32, i32_of_i8},
    [GRAFT_U8] = {AS_I32, i32_of_u8},     [GRAFT_BOOL] = {AS_I32, i32_of_bool},
};

/* How each of the four is written as a dtype; NULL if it is that. Halves are written from f32. */
static convert_fn *const writing[][10] = {
    [AS_F32] = {NULL, f64_of_f32, f16_of_f32, bf16_of_f32, i64_of_f32, i32_of_f32, i16_of_f32,
                i8_of_f32, u8_of_f32, bool_of_f32},
    [AS_F64] = {f32_of_f64, NULL, NULL, NULL, i64_of_f64, i32_of_f64, i16_of_f64, i8_of_f64,
                u8_of_f64, bool_of_f64},
    [AS_I64] = {f32_of_i64, f64_of_i64, NULL, NULL, NULL, i32_of_i64, i16_of_i64, i8_of_i64,
                u8_of_i64, bool_of_i64},
    [AS_I32] = {f32_of_i32, f64_of_i32, NULL, NULL, i64_of_i32, NULL, i16_of_i32, i8_of_i32,
                u8_of_i32, bool_of_i32},
};

static convert_fn *const to_odd[] = {
    [AS_F64] = f32_odd_of_f64, [AS_I64] = f32_odd_of_i64, [AS_I32] = f32_odd_of_i32};

/* The steps from one dtype to another; how many there are. */
enum { STEPS_MAX = 3 };

static int find_steps(graft_dtype from, graft_dtype to, convert_fn *step[STEPS_MAX])
{
    int count = 0;
    if (from == GRAFT_U8 && to == GRAFT_F32) {
        step[count++] = f32_of_u8;
        return count;
    }
    int as = reading[from].as;
    if (reading[from].read)
        step[count++] = reading[from].read;
    if ((to == GRAFT_F16 || to == GRAFT_BF16) && as != AS_F32) {
        step[count++] = to_odd[as];
        as = AS_F32;
    }
    if (writing[as][to])
        step[count++] = writing[as][to];
    return count;
}

void graft__convert(int64_t n, const void *in, graft_dtype from, void *out, graft_dtype to)
{
    if (from == to) {
        memcpy(out, in, (size_t)n * graft__element_size(to));
        return;
    }
    convert_fn *step[STEPS_MAX];
    const int steps = find_steps(from, to, step);
    if (steps == 1) {
        step[0](n, in, out);
        return;
    }
    const size_t in_size = graft__element_size(from), out_size = graft__element_size(to);
    const char *next = in;
    char *end = out;
    union {
        float f32[BLOCK];
        int32_t i32[BLOCK];
    } block[2];
    for (int64_t count; n > 0; n -= count) {
        count = n < BLOCK ? n : BLOCK;
        step[0](count, next, &block[0]);
        if (steps == 3)
            step[1](count, &block[0], &block[1]);
        step[steps - 1](count, &block[steps == 3], end);
        next += (size_t)count * in_size;
        end += (size_t)count * out_size;
    }
}

double graft__get_f64(const void *element, graft_dtype dtype)
{
    double value;
    graft__convert(1, element, dtype, &value, GRAFT_F64);
    return value;
}

int64_t graft__get_i64(const void *element, graft_dtype dtype)
{
    int64_t value;
    graft__convert(1, element, dtype, &value, GRAFT_I64);
    return value;
}
