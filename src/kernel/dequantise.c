/* The layouts are those that ggml publishes (ggml-common.h): of 32 elements with a scale each, and
 * of 256 in 8 or 16 parts whose scales are small numbers themselves. */
#include "kernel/dequantise.h"

#include <string.h>

#include "kernel/convert.h"
#include "kernel/half.h"

static double half_at(const uint8_t *p)
{
    return (double)graft__f16_to_f32((uint16_t)(p[0] | p[1] << 8));
}

static uint32_t word_at(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* ---- 32 elements: element i in the low half of a byte, element i + 16 in the high one ---- */

/* x = d (q + less) + m, with bit i of `high` as the fifth of element i. */
static void nibbles(const uint8_t *q, uint32_t high, double d, int less, double m, float *out)
{
    for (int i = 0; i < 16; i++) {
        const int low = (q[i] & 15) | (int)(high >> i & 1) << 4;
        const int upper = q[i] >> 4 | (int)(high >> (i + 16) & 1) << 4;
        out[i] = (float)(d * (low + less) + m);
        out[i + 16] = (float)(d * (upper + less) + m);
    }
}

static void q4_0(const uint8_t *b, float *out)
{
    nibbles(b + 2, 0, half_at(b), -8, 0, out);
}

static void q4_1(const uint8_t *b, float *out)
{
    nibbles(b + 4, 0, half_at(b), 0, half_at(b + 2), out);
}

static void q5_0(const uint8_t *b, float *out)
{
    nibbles(b + 6, word_at(b + 2), half_at(b), -16, 0, out);
}

static void q5_1(const uint8_t *b, float *out)
{
    nibbles(b + 8, word_at(b + 4), half_at(b), 0, half_at(b + 2), out);
}

static void bytes_times(const uint8_t *q, int n, double d, float *out)
{
    for (int i = 0; i < n; i++)
        out[i] = (float)(d * (int8_t)q[i]);
}

static void q8_0(const uint8_t *b, float *out)
{
    bytes_times(b + 2, 32, half_at(b), out);
}

static void q8_1(const uint8_t *b, float *out) /* behind d the sum of the elements, for products */
{
    bytes_times(b + 4, 32, half_at(b), out);
}

/* ---- 256 elements ---- */

/* scales[16], q[64], d, dmin: 16 elements with a scale (low half) and a minimum (high half). */
static void q2_k(const uint8_t *b, float *out)
{
    const double d = half_at(b + 80), dmin = half_at(b + 82);
    for (int part = 0; part < 16; part++) {
        const uint8_t *const q = b + 16 + part / 8 * 32 + part % 2 * 16;
        const int shift = part % 8 / 2 * 2;
        const double scale = d * (b[part] & 15), least = dmin * (b[part] >> 4);
        for (int i = 0; i < 16; i++)
            *out++ = (float)(scale * (q[i] >> shift & 3) - least);
    }
}

/* hmask[32], q[64], scales[12], d: the third bit of an element is one of hmask, and means 4 less if
 * it is 0; scales of six bits, the high two of them in the last four bytes. */
static void q3_k(const uint8_t *b, float *out)
{
    const uint8_t *const scales = b + 96;
    const double d = half_at(b + 108);
    for (int part = 0; part < 16; part++) {
        const int low = part < 8 ? scales[part] & 15 : scales[part - 8] >> 4;
        const int high = scales[8 + part % 4] >> (part / 4 * 2) & 3;
        const double scale = d * ((low | high << 4) - 32);
        const uint8_t *const mask = b + part % 2 * 16;
        const uint8_t *const q = b + 32 + part / 8 * 32 + part % 2 * 16;
        const int shift = part % 8 / 2 * 2, bit = part / 2;
        for (int i = 0; i < 16; i++)
            *out++ = (float)(scale * ((q[i] >> shift & 3) - (mask[i] >> bit & 1 ? 0 : 4)));
    }
}

/* Scale and minimum of part j, six bits each, of the 12 bytes that q4_k and q5_k have. */
static void scale_and_least(const uint8_t *p, int j, int *scale, int *least)
{
    if (j < 4) {
        *scale = p[j] & 63;
        *least = p[j + 4] & 63;
    } else {
        *scale = (p[j + 4] & 15) | p[j - 4] >> 6 << 4;
        *least = p[j + 4] >> 4 | p[j] >> 6 << 4;
    }
}

/* d, dmin, scales[12], (high[32],) q[128]: parts of 32, two to the halves of 32 bytes. */
static void q45_k(const uint8_t *b, const uint8_t *high, const uint8_t *q, float *out)
{
    const double d = half_at(b), dmin = half_at(b + 2);
    for (int part = 0; part < 8; part++) {
        int scale, least;
        scale_and_least(b + 4, part, &scale, &least);
        const uint8_t *const bytes = q + part / 2 * 32;
        for (int i = 0; i < 32; i++) {
            const int low = bytes[i] >> (part % 2 * 4) & 15;
            const int fifth = high ? (high[i] >> part & 1) << 4 : 0;
            *out++ = (float)(d * scale * (low + fifth) - dmin * least);
        }
    }
}

static void q4_k(const uint8_t *b, float *out)
{
    q45_k(b, NULL, b + 16, out);
}

static void q5_k(const uint8_t *b, float *out)
{
    q45_k(b, b + 16, b + 48, out);
}

/* low[128], high[64], scales[16], d: for each half of the block four runs of 32, whose low four
 * bits share 64 bytes and whose high two share 32. */
static void q6_k(const uint8_t *b, float *out)
{
    const double d = half_at(b + 208);
    for (int run = 0; run < 8; run++) {
        const int half = run / 4, k = run % 4;
        const uint8_t *const low = b + half * 64 + k % 2 * 32;
        const uint8_t *const high = b + 128 + half * 32;
        for (int i = 0; i < 32; i++) {
            const int q = (low[i] >> (k / 2 * 4) & 15) | (high[i] >> (k * 2) & 3) << 4;
            const int scale = (int8_t)b[192 + half * 8 + k * 2 + i / 16];
            *out++ = (float)(d * scale * (q - 32));
        }
    }
}

static void q8_k(const uint8_t *b, float *out) /* behind the elements sums of 16, for products */
{
    bytes_times(b + 4, 256, (double)graft__f32_of_bits(word_at(b)), out);
}

/* ---- All of them ---- */

typedef void block_fn(const uint8_t *block, float *out);

static block_fn *block_of(graft_dtype dtype)
{
    static block_fn *const blocks[] = {
        [GRAFT_Q4_0] = q4_0, [GRAFT_Q4_1] = q4_1, [GRAFT_Q5_0] = q5_0, [GRAFT_Q5_1] = q5_1,
        [GRAFT_Q8_0] = q8_0, [GRAFT_Q8_1] = q8_1, [GRAFT_Q2_K] = q2_k, [GRAFT_Q3_K] = q3_k,
        [GRAFT_Q4_K] = q4_k, [GRAFT_Q5_K] = q5_k, [GRAFT_Q6_K] = q6_k, [GRAFT_Q8_K] = q8_k,
    };
    return (size_t)dtype < sizeof blocks / sizeof *blocks ? blocks[dtype] : NULL;
}

bool graft__is_linear_block(graft_dtype dtype)
{
    return block_of(dtype) != NULL;
}

typedef struct job {
    block_fn *block;
    const uint8_t *in;
    float *out;
    int64_t blocks, share, elements;
    size_t bytes;
} job;

static void work(void *arg, int part)
{
    const job *const j = arg;
    const int64_t rest = j->blocks - part * j->share, begin = part * j->share;
    for (int64_t i = begin; i < begin + (rest < j->share ? rest : j->share); i++)
        j->block(j->in + (size_t)i * j->bytes, j->out + i * j->elements);
}

void graft__dequantise_blocks(graft__pool *pool, graft_dtype dtype, int64_t n, const void *in,
                              float *out)
{
    job j = {.block = block_of(dtype), .in = in, .out = out};
    graft_dtype_block(dtype, &j.elements, &j.bytes);
    j.blocks = n / j.elements;
    j.share = 16384 / j.elements;             /* a part of some 10 us */
    const int64_t most = j.blocks / 4096 + 1; /* of few parts for the pool to hand out */
    j.share = j.share > most ? j.share : most;
    graft__pool_run(pool, (int)((j.blocks + j.share - 1) / j.share), work, &j);
}

/* ---- PyTorch's ---- */

void graft__dequantise_affine(graft_dtype dtype, int64_t n, const void *in, double zero,
                              double scale, float *out)
{
    enum { BLOCK = 256 };
    double x[BLOCK];
    const char *next = in;
    for (int64_t count; n > 0; n -= count) {
        count = n < BLOCK ? n : BLOCK;
        graft__convert(count, next, dtype, x, GRAFT_F64);
        for (int64_t i = 0; i < count; i++)
            *out++ = (float)((x[i] - zero) * scale);
        next += (size_t)count * graft__element_size(dtype);
    }
}

void graft__unpack_bits(int bits, int64_t n, const uint8_t *in, uint8_t *out)
{
    const int each = 8 / bits;
    for (int64_t i = 0; i < n; i++)
        out[i] = (uint8_t)(in[i / each] >> (int)(i % each) * bits & ((1 << bits) - 1));
}
