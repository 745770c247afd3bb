#include "kernel/merge.h"

#include <string.h>

#define T float
#define U uint32_t
#define SIGN (UINT32_C(1) << 31)
#define NAME(x) x##_f32
#include "kernel/merge_body.h"
#undef T
#undef U
#undef SIGN
#undef NAME

#define T double
#define U uint64_t
#define SIGN (UINT64_C(1) << 63)
#define NAME(x) x##_f64
#include "kernel/merge_body.h"
#undef T
#undef U
#undef SIGN
#undef NAME

/* ---- Sums ---- */

void graft__merge_scale(bool f64, int64_t n, double c, const void *x, void *out)
{
    if (f64)
        scale_f64(n, c, x, out);
    else
        scale_f32(n, (float)c, x, out);
}

void graft__merge_add(bool f64, int64_t n, double c, const void *x, void *out)
{
    if (f64)
        add_f64(n, c, x, out);
    else
        add_f32(n, (float)c, x, out);
}

void graft__merge_add_delta(bool f64, int64_t n, double c, const void *x, const void *base,
                            void *out)
{
    if (f64)
        add_delta_f64(n, c, x, base, out);
    else
        add_delta_f32(n, (float)c, x, base, out);
}

void graft__merge_scale_in_place(bool f64, int64_t n, double c, void *out)
{
    if (f64)
        scale_in_place_f64(n, c, out);
    else
        scale_in_place_f32(n, (float)c, out);
}

void graft__merge_divide(bool f64, int64_t n, double c, void *out)
{
    if (f64)
        divide_f64(n, c, out);
    else
        divide_f32(n, (float)c, out);
}

void graft__merge_apply(bool f64, int64_t n, double c, const void *base, void *out)
{
    if (f64)
        apply_f64(n, c, base, out);
    else
        apply_f32(n, (float)c, base, out);
}

void graft__merge_products(bool f64, int64_t n, const void *a, const void *b, double out[3])
{
    if (f64)
        products_f64(n, a, b, out);
    else
        products_f32(n, a, b, out);
}

/* ---- TIES ---- */

void graft__elect_begin(bool f64, int64_t n, const graft__elected *e)
{
    const size_t bytes = (size_t)n * (f64 ? sizeof(double) : sizeof(float));
    memset(e->all, 0, bytes);
    memset(e->positive, 0, bytes);
    memset(e->negative, 0, bytes);
    memset(e->positive_weight, 0, bytes);
    memset(e->negative_weight, 0, bytes);
}

void graft__elect_add(bool f64, int64_t n, double w, uint64_t threshold, const void *x,
                      const void *base, const graft__elected *e)
{
    if (f64)
        elect_add_f64(n, w, threshold, x, base, e->all, e->positive, e->negative,
                      e->positive_weight, e->negative_weight);
    else
        elect_add_f32(n, (float)w, threshold > UINT32_MAX ? UINT32_MAX : (uint32_t)threshold, x,
                      base, e->all, e->positive, e->negative, e->positive_weight,
                      e->negative_weight);
}

void graft__elect_end(bool f64, int64_t n, bool normalise, const graft__elected *e)
{
    if (f64)
        elect_end_f64(n, normalise, e->all, e->positive, e->negative, e->positive_weight,
                      e->negative_weight);
    else
        elect_end_f32(n, normalise, e->all, e->positive, e->negative, e->positive_weight,
                      e->negative_weight);
}

void graft__count_magnitudes(bool f64, int64_t n, const void *x, const void *base, int shift,
                             uint64_t prefix, uint64_t *counts)
{
    if (f64)
        count_f64(n, x, base, shift, prefix, counts);
    else
        count_f32(n, x, base, shift, (uint32_t)prefix, counts);
}

/* ---- DARE ---- */

void graft__philox(uint64_t key, const uint32_t counter[4], uint32_t out[4])
{
    uint32_t a = counter[0], b = counter[1], c = counter[2], d = counter[3];
    uint32_t low = (uint32_t)key, high = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
        const uint64_t first = UINT64_C(0xD2511F53) * a, second = UINT64_C(0xCD9E8D57) * c;
        a = (uint32_t)(second >> 32) ^ b ^ low;
        c = (uint32_t)(first >> 32) ^ d ^ high;
        b = (uint32_t)second;
        d = (uint32_t)first;
        low += UINT32_C(0x9E3779B9);
        high += UINT32_C(0xBB67AE85);
    }
    out[0] = a;
    out[1] = b;
    out[2] = c;
    out[3] = d;
}

enum { DRAWS = 1024 };

void graft__merge_add_dropped(bool f64, int64_t n, double c, uint64_t key, uint64_t stream,
                              uint64_t below, int64_t first, const void *x, const void *base,
                              void *out)
{
    const size_t width = f64 ? sizeof(double) : sizeof(float);
    uint32_t draw[DRAWS];
    for (int64_t done = 0; done < n;) {
        const uint64_t at = (uint64_t)(first + done);
        const int64_t skip = (int64_t)(at % 4);
        int64_t count = n - done;
        if (count > DRAWS - skip)
            count = DRAWS - skip;
        for (int64_t i = 0; i < skip + count; i += 4) {
            const uint64_t group = (at + (uint64_t)i) / 4;
            const uint32_t counter[4] = {(uint32_t)group, (uint32_t)(group >> 32), (uint32_t)stream,
                                         (uint32_t)(stream >> 32)};
            graft__philox(key, counter, draw + i);
        }
        const size_t offset = (size_t)done * width;
        const void *const from = (const char *)x + offset, *const of = (const char *)base + offset;
        void *const to = (char *)out + offset;
        if (f64)
            add_drawn_f64(count, c, below, draw + skip, from, of, to);
        else
            add_drawn_f32(count, (float)c, below, draw + skip, from, of, to);
        done += count;
    }
}

/* ---- Integers ---- */

#define DEFINE_MAX(name, type)                                                                     \
    static void name(int64_t n, const type *restrict x, type *restrict out)                        \
    {                                                                                              \
        for (int64_t i = 0; i < n; i++)                                                            \
            out[i] = x[i] > out[i] ? x[i] : out[i];                                                \
    }
DEFINE_MAX(max_i64, int64_t)
DEFINE_MAX(max_i32, int32_t)
DEFINE_MAX(max_i16, int16_t)
DEFINE_MAX(max_i8, int8_t)
DEFINE_MAX(max_u8, uint8_t)
DEFINE_MAX(max_u16, uint16_t)
DEFINE_MAX(max_u32, uint32_t)
DEFINE_MAX(max_u64, uint64_t)

bool graft__has_max(graft_dtype dtype)
{
    return dtype >= GRAFT_I64 && dtype <= GRAFT_U64;
}

void graft__merge_max(graft_dtype dtype, int64_t n, const void *x, void *out)
{
    switch ((int)dtype) {
    case GRAFT_I64:
        max_i64(n, x, out);
        break;
    case GRAFT_I32:
        max_i32(n, x, out);
        break;
    case GRAFT_I16:
        max_i16(n, x, out);
        break;
    case GRAFT_I8:
        max_i8(n, x, out);
        break;
    case GRAFT_U16:
        max_u16(n, x, out);
        break;
    case GRAFT_U32:
        max_u32(n, x, out);
        break;
    case GRAFT_U64:
        max_u64(n, x, out);
        break;
    default: /* uint8 and bool */
        max_u8(n, x, out);
        break;
    }
}
