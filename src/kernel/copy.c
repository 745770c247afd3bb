#include "kernel/copy.h"

#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "kernel/convert.h"
#include "kernel/iterate.h"
#include "kernel/transpose.h"

enum {
    BLOCK = 256, /* elements between two steps, in a buffer that stays in the first cache */
    PARTS_PER_THREAD = 4
};

/* Measured: below THREADS_MIN bytes a second thread costs more than it brings. From STREAM_MIN on
 * no cache holds the data, and stores past the caches spare reading what is overwritten. */
static const size_t THREADS_MIN = (size_t)256 << 10;
static const size_t STREAM_MIN = (size_t)16 << 20;

/* ---- Bytes ---- */

static void copy_cached(unsigned char *restrict dst, const unsigned char *restrict src, size_t n)
{
    memcpy(dst, src, n);
}

#if defined(__SSE2__)
static void copy_streaming(unsigned char *restrict dst, const unsigned char *restrict src, size_t n)
{
    const size_t head = (size_t)(-(uintptr_t)dst & 15U);
    memcpy(dst, src, head);
    dst += head, src += head, n -= head;
    for (; n >= 64; n -= 64, dst += 64, src += 64) {
        __m128i *const to = (__m128i *)(void *)dst;
        const __m128i *const from = (const __m128i *)(const void *)src;
        const __m128i a = _mm_loadu_si128(from), b = _mm_loadu_si128(from + 1);
        const __m128i c = _mm_loadu_si128(from + 2), d = _mm_loadu_si128(from + 3);
        _mm_stream_si128(to, a);
        _mm_stream_si128(to + 1, b);
        _mm_stream_si128(to + 2, c);
        _mm_stream_si128(to + 3, d);
    }
    _mm_sfence(); /* such stores are not ordered with the one that says that the part is done */
    memcpy(dst, src, n);
}
#else
#define copy_streaming copy_cached
#endif

typedef struct bytes_job {
    unsigned char *dst;
    const unsigned char *src;
    size_t n, chunk;
} bytes_job;

static void bytes_part(void *arg, int part)
{
    const bytes_job *const job = arg;
    const size_t begin = (size_t)part * job->chunk;
    const size_t left = job->n - begin;
    (job->n >= STREAM_MIN ? copy_streaming : copy_cached)(job->dst + begin, job->src + begin,
                                                          left < job->chunk ? left : job->chunk);
}

void graft__copy_bytes(graft__pool *pool, void *dst, const void *src, size_t n)
{
    const int threads = graft__pool_threads(pool);
    if (n < THREADS_MIN || (threads == 1 && n < STREAM_MIN)) {
        if (n > 0)
            memcpy(dst, src, n);
        return;
    }
    const size_t parts = threads > 1 ? (size_t)threads * PARTS_PER_THREAD : 1;
    /* Whole pages, so that no line is shared. At least THREADS_MIN bytes make every part begin
     * before the end. */
    const size_t chunk = (n / parts + 4095) / 4096 * 4096;
    bytes_job job = {dst, src, n, chunk};
    graft__pool_run(pool, (int)((n + chunk - 1) / chunk), bytes_part, &job);
}

/* ---- Runs of elements at any distance ---- */

#define GATHER(type)                                                                               \
    do {                                                                                           \
        type *const to = out;                                                                      \
        for (int64_t i = 0; i < n; i++, in += step)                                                \
            to[i] = *(const type *)(const void *)in;                                               \
    } while (0)

#define SCATTER(type)                                                                              \
    do {                                                                                           \
        const type *const from = in;                                                               \
        for (int64_t i = 0; i < n; i++, out += step)                                               \
            *(type *)(void *)out = from[i];                                                        \
    } while (0)

/* n elements of `size` bytes, `step` bytes apart, to contiguous memory; scatter: back. */
static void gather(int64_t n, size_t size, const char *in, int64_t step, void *out)
{
    switch (size) {
    case 1:
        GATHER(uint8_t);
        break;
    case 2:
        GATHER(uint16_t);
        break;
    case 4:
        GATHER(uint32_t);
        break;
    default:
        GATHER(uint64_t);
    }
}

static void scatter(int64_t n, size_t size, const void *in, char *out, int64_t step)
{
    switch (size) {
    case 1:
        SCATTER(uint8_t);
        break;
    case 2:
        SCATTER(uint16_t);
        break;
    case 4:
        SCATTER(uint32_t);
        break;
    default:
        SCATTER(uint64_t);
    }
}

#undef GATHER
#undef SCATTER

void graft__convert_steps(int64_t n, const void *in, int64_t step, graft_dtype from, void *out,
                          graft_dtype to)
{
    const size_t from_size = graft__element_size(from);
    if (step == (int64_t)from_size) {
        graft__convert(n, in, from, out, to);
        return;
    }
    if (from == to) {
        gather(n, from_size, in, step, out);
        return;
    }
    const char *next = in;
    char *end = out;
    uint64_t block[BLOCK];
    for (int64_t count; n > 0; n -= count) {
        count = n < BLOCK ? n : BLOCK;
        gather(count, from_size, next, step, block);
        graft__convert(count, block, from, end, to);
        next += count * step;
        end += (size_t)count * graft__element_size(to);
    }
}

typedef struct dtypes {
    graft_dtype to, from;
} dtypes;

static void copy_loop(int64_t n, char *const *p, const int64_t *step, const void *arg)
{
    const dtypes *const d = arg;
    const size_t size = graft__element_size(d->to);
    if (step[0] == (int64_t)size) {
        graft__convert_steps(n, p[1], step[1], d->from, p[0], d->to);
        return;
    }
    char *out = p[0];
    const char *in = p[1];
    uint64_t block[BLOCK];
    for (int64_t count; n > 0; n -= count) {
        count = n < BLOCK ? n : BLOCK;
        graft__convert_steps(count, in, step[1], d->from, block, d->to);
        scatter(count, size, block, out, step[0]);
        out += count * step[0];
        in += count * step[1];
    }
}

/* The number of elements if both arrays are contiguous, else -1. */
static int64_t contiguous_count(const graft__array *a, const graft__array *b)
{
    int64_t count = 1;
    for (int d = a->ndim - 1; d >= 0; d--) {
        if (a->size[d] != 1 && (a->stride[d] != count || b->stride[d] != count))
            return -1;
        count *= a->size[d];
    }
    return count;
}

static bool is_empty(const graft__array *a)
{
    for (int d = 0; d < a->ndim; d++)
        if (a->size[d] == 0)
            return true;
    return false;
}

static graft__array as_words(const graft__array *a, graft_dtype word, int64_t words, int64_t at)
{
    graft__array out = *a;
    out.dtype = word;
    out.data = (char *)a->data + at * (int64_t)graft__width(word);
    for (int d = 0; d < a->ndim; d++)
        out.stride[d] *= words;
    return out;
}

/* What has no arithmetic is moved as integers of its size; those of 16 bytes half by half. */
static void copy_carried(graft__pool *pool, const graft__array *dst, const graft__array *src)
{
    static const graft_dtype words[] = {
        [1] = GRAFT_U8, [2] = GRAFT_I16, [4] = GRAFT_I32, [8] = GRAFT_I64};
    const size_t width = graft__width(src->dtype);
    if (width == 0) { /* in blocks: the arrays are contiguous */
        int64_t elements = 1, n = 1;
        size_t bytes = 0;
        graft_dtype_block(src->dtype, &elements, &bytes);
        for (int d = 0; d < src->ndim; d++)
            n *= src->size[d];
        graft__copy_bytes(pool, dst->data, src->data, (size_t)(n / elements) * bytes);
        return;
    }
    const int64_t halves = width > 8 ? 2 : 1;
    const graft_dtype word = words[width / (size_t)halves];
    for (int64_t i = 0; i < halves; i++) {
        const graft__array to = as_words(dst, word, halves, i);
        const graft__array from = as_words(src, word, halves, i);
        graft__copy(pool, &to, &from);
    }
}

void graft__copy(graft__pool *pool, const graft__array *dst, const graft__array *src)
{
    if (is_empty(dst))
        return;
    if (!graft_dtype_computes(src->dtype)) {
        copy_carried(pool, dst, src);
        return;
    }
    const dtypes pair = {dst->dtype, src->dtype};
    const int64_t n = contiguous_count(dst, src);
    if (n > 0 && pair.to == pair.from) {
        if (dst->data != src->data)
            graft__copy_bytes(pool, dst->data, src->data, (size_t)n * graft__element_size(pair.to));
    } else if (n > 0) {
        char *const p[] = {dst->data, src->data};
        const int64_t step[] = {(int64_t)graft__element_size(pair.to),
                                (int64_t)graft__element_size(pair.from)};
        graft__iterate_flat(pool, 2, p, step, n, 1, copy_loop, &pair);
    } else if (!graft__transpose(pool, dst, src)) {
        const graft__array *const arrays[] = {dst, src};
        graft__iterate(pool, 2, arrays, 1, copy_loop, &pair);
    }
}
