#include "kernel/transpose.h"

#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
enum { CAN_STREAM = 1 };
#else
enum { CAN_STREAM = 0 };
#endif

#include "kernel/convert.h"

/* Measured. A tile is ACROSS bytes of src wide and ALONG bytes of dst; its copy has GAP bytes
 * between rows, so that a column does not fall into one set of the cache. Where one side has less,
 * the other gets more, up to TILE bytes in all. */
enum { ACROSS = 64, ALONG = 128, GAP = 16, TILE = ACROSS * (ALONG + GAP), PARTS_PER_THREAD = 4 };
static const int64_t THREADS_MIN = (int64_t)128 << 10; /* bytes, as in copy.c */
static const int64_t STREAM_MIN = (int64_t)16 << 20;

/* The arrays as matrices: `across` is dense in src, `along` is dense in dst. What is left are the
 * outer dimensions. Strides in bytes. */
typedef struct matrices {
    char *to;
    const char *from;
    graft_dtype to_dtype, from_dtype;
    int64_t across, along;
    int64_t to_stride, from_stride; /* of across in dst, of along in src */
    int outer;
    int64_t size[GRAFT_MAX_DIMS], to_outer[GRAFT_MAX_DIMS], from_outer[GRAFT_MAX_DIMS];
    int64_t tile_across, tile_along; /* elements of a tile */
    int64_t pitch;                   /* bytes between its rows */
    int64_t tiles_across, tiles_along;
    int64_t tiles, tiles_per_part;
    int64_t bytes; /* of src */
    bool dense;    /* the rows of a tile lie behind each other, in its copy and in dst */
    bool streams;
} matrices;

typedef struct dim {
    int64_t size, to, from;
} dim;

/* The dimensions in the order of dst's memory, outermost first, without those of size 1; neighbours
 * that are one dimension on both sides are made one. */
static int merged_dims(const graft__array *dst, const graft__array *src, dim out[GRAFT_MAX_DIMS])
{
    dim sorted[GRAFT_MAX_DIMS];
    int n = 0;
    for (int d = 0; d < dst->ndim; d++) {
        if (dst->size[d] == 1)
            continue;
        const dim new = {dst->size[d], dst->stride[d], src->stride[d]};
        int i = n++;
        for (; i > 0 && sorted[i - 1].to < new.to; i--)
            sorted[i] = sorted[i - 1];
        sorted[i] = new;
    }
    int count = 0;
    for (int i = 0; i < n; i++) {
        const dim in = sorted[i];
        dim *const last = out + count - 1;
        if (count > 0 && last->to == in.to * in.size && last->from == in.from * in.size)
            *last = (dim){last->size * in.size, in.to, in.from};
        else
            out[count++] = in;
    }
    return count;
}

static int64_t min_i64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void choose_tile(matrices *m)
{
    const int64_t to_size = (int64_t)graft__element_size(m->to_dtype);
    const int64_t size = (int64_t)graft__element_size(m->from_dtype);
    m->tile_across = min_i64(m->across, ACROSS / size);
    m->tile_along = min_i64(m->along, ALONG / size);
    m->dense = m->tile_along == m->along && m->to_stride == m->along * to_size;
    if (m->dense)
        m->tile_across = min_i64(m->across, TILE / (m->along * size));
    else if (m->across < ACROSS / size)
        m->tile_along = min_i64(m->along, (TILE / m->across - GAP) / size);
    m->pitch = m->tile_along * size + (m->dense ? 0 : GAP);
}

static void cut(matrices *m)
{
    choose_tile(m);
    m->tiles_across = (m->across + m->tile_across - 1) / m->tile_across;
    m->tiles_along = (m->along + m->tile_along - 1) / m->tile_along;
    m->tiles = m->tiles_across * m->tiles_along;
    m->bytes = m->across * m->along * (int64_t)graft__element_size(m->from_dtype);
    uintptr_t misaligned = (uintptr_t)m->to | (uintptr_t)m->to_stride | (uintptr_t)m->pitch;
    for (int i = 0; i < m->outer; i++) {
        m->tiles *= m->size[i];
        m->bytes *= m->size[i];
        misaligned |= (uintptr_t)m->to_outer[i];
    }
    m->streams = CAN_STREAM && m->to_dtype == m->from_dtype && m->bytes >= STREAM_MIN &&
                 !m->dense && misaligned % 16 == 0;
}

static bool as_matrices(const graft__array *dst, const graft__array *src, matrices *m)
{
    dim dims[GRAFT_MAX_DIMS];
    const int n = merged_dims(dst, src, dims);
    int across = -1, along = -1;
    for (int i = 0; i < n; i++) {
        if (dims[i].from == 1)
            across = i;
        if (dims[i].to == 1)
            along = i;
    }
    if (across < 0 || along < 0 || across == along || dims[along].from == 0)
        return false;
    const int64_t to_size = (int64_t)graft__element_size(dst->dtype);
    const int64_t from_size = (int64_t)graft__element_size(src->dtype);
    *m = (matrices){.to = dst->data,
                    .from = src->data,
                    .to_dtype = dst->dtype,
                    .from_dtype = src->dtype,
                    .across = dims[across].size,
                    .along = dims[along].size,
                    .to_stride = dims[across].to * to_size,
                    .from_stride = dims[along].from * from_size};
    for (int i = 0; i < n; i++) {
        if (i == across || i == along)
            continue;
        m->size[m->outer] = dims[i].size;
        m->to_outer[m->outer] = dims[i].to * to_size;
        m->from_outer[m->outer++] = dims[i].from * from_size;
    }
    cut(m);
    return true;
}

/* ---- One tile: through a small matrix that stays in the first cache, so that each line of src and
 * dst is touched once and whole, however unlucky the strides. ---- */

/* to[i][j] = from[j][i] for i in first..rows-1. Lines of src are read one after the other, unless
 * there is next to nothing in each. */
#define TRANSPOSE(name, type)                                                                      \
    static void name(unsigned char *to, int64_t pitch, const char *from, int64_t stride,           \
                     int64_t first, int64_t rows, int64_t columns)                                 \
    {                                                                                              \
        if (columns > 4 * rows) {                                                                  \
            for (int64_t i = first; i < rows; i++)                                                 \
                for (int64_t j = 0; j < columns; j++)                                              \
                    ((type *)(void *)(to + i * pitch))[j] =                                        \
                        ((const type *)(const void *)(from + j * stride))[i];                      \
        } else {                                                                                   \
            for (int64_t j = 0; j < columns; j++)                                                  \
                for (int64_t i = first; i < rows; i++)                                             \
                    ((type *)(void *)(to + i * pitch))[j] =                                        \
                        ((const type *)(const void *)(from + j * stride))[i];                      \
        }                                                                                          \
    }

TRANSPOSE(transpose_1, uint8_t)
TRANSPOSE(transpose_2, uint16_t)
TRANSPOSE(transpose_4, uint32_t)
TRANSPOSE(transpose_8, uint64_t)

#undef TRANSPOSE

#if defined(__SSE2__)
static __m128i load(const char *from)
{
    return _mm_loadu_si128((const __m128i *)(const void *)from);
}

static void store(unsigned char *to, __m128i x)
{
    _mm_storeu_si128((__m128i *)(void *)to, x);
}

/* 2 rows of 2. */
static void block_8(unsigned char *to, int64_t pitch, const char *from, int64_t stride)
{
    const __m128i a = load(from), b = load(from + stride);
    store(to, _mm_unpacklo_epi64(a, b));
    store(to + pitch, _mm_unpackhi_epi64(a, b));
}

/* 4 rows of 4. */
static void block_4(unsigned char *to, int64_t pitch, const char *from, int64_t stride)
{
    const __m128i a = load(from), b = load(from + stride);
    const __m128i c = load(from + 2 * stride), d = load(from + 3 * stride);
    const __m128i ab = _mm_unpacklo_epi32(a, b), cd = _mm_unpacklo_epi32(c, d);
    const __m128i ab2 = _mm_unpackhi_epi32(a, b), cd2 = _mm_unpackhi_epi32(c, d);
    store(to, _mm_unpacklo_epi64(ab, cd));
    store(to + pitch, _mm_unpackhi_epi64(ab, cd));
    store(to + 2 * pitch, _mm_unpacklo_epi64(ab2, cd2));
    store(to + 3 * pitch, _mm_unpackhi_epi64(ab2, cd2));
}

/* 8 rows of 8. */
static void block_2(unsigned char *to, int64_t pitch, const char *from, int64_t stride)
{
    __m128i pair[8], four[8];
    for (int i = 0; i < 4; i++) {
        const __m128i a = load(from + 2 * i * stride), b = load(from + (2 * i + 1) * stride);
        pair[2 * i] = _mm_unpacklo_epi16(a, b);
        pair[2 * i + 1] = _mm_unpackhi_epi16(a, b);
    }
    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < 2; k++) { /* elements 4k..4k+3 of rows 4i..4i+3 */
            four[4 * i + 2 * k] = _mm_unpacklo_epi32(pair[4 * i + k], pair[4 * i + 2 + k]);
            four[4 * i + 2 * k + 1] = _mm_unpackhi_epi32(pair[4 * i + k], pair[4 * i + 2 + k]);
        }
    }
    for (int k = 0; k < 4; k++) {
        store(to + 2 * k * pitch, _mm_unpacklo_epi64(four[k], four[4 + k]));
        store(to + (2 * k + 1) * pitch, _mm_unpackhi_epi64(four[k], four[4 + k]));
    }
}

/* As many rows of a tile as are made of whole blocks; columns is a multiple of a block. Returns how
 * many that were. */
static int64_t transpose_blocks(size_t size, unsigned char *to, int64_t pitch, const char *from,
                                int64_t stride, int64_t rows, int64_t columns)
{
    const int64_t block = (int64_t)(16 / size);
    int64_t i = 0;
    for (; i + block <= rows; i += block) {
        for (int64_t j = 0; j < columns; j += block) {
            unsigned char *const into = to + i * pitch + j * (int64_t)size;
            const char *const out_of = from + j * stride + i * (int64_t)size;
            if (size == 8)
                block_8(into, pitch, out_of, stride);
            else if (size == 4)
                block_4(into, pitch, out_of, stride);
            else
                block_2(into, pitch, out_of, stride);
        }
    }
    return i;
}

/* One row of a tile, past the caches. */
static void stream_row(char *to, const unsigned char *from, int64_t bytes)
{
    for (int64_t i = 0; i < bytes; i += 16)
        _mm_stream_si128((__m128i *)(void *)(to + i), _mm_load_si128((const void *)(from + i)));
}

static void end_stream(void)
{
    _mm_sfence();
}
#else
static int64_t transpose_blocks(size_t size, unsigned char *to, int64_t pitch, const char *from,
                                int64_t stride, int64_t rows, int64_t columns)
{
    (void)size, (void)to, (void)pitch, (void)from, (void)stride, (void)rows, (void)columns;
    return 0;
}

static void stream_row(char *to, const unsigned char *from, int64_t bytes)
{
    memcpy(to, from, (size_t)bytes);
}

static void end_stream(void)
{
}
#endif

static void transpose_tile(size_t size, unsigned char *to, int64_t pitch, const char *from,
                           int64_t stride, int64_t rows, int64_t columns)
{
    int64_t first = 0;
    if (size > 1 && columns % (int64_t)(16 / size) == 0)
        first = transpose_blocks(size, to, pitch, from, stride, rows, columns);
    switch (size) {
    case 1:
        transpose_1(to, pitch, from, stride, first, rows, columns);
        break;
    case 2:
        transpose_2(to, pitch, from, stride, first, rows, columns);
        break;
    case 4:
        transpose_4(to, pitch, from, stride, first, rows, columns);
        break;
    default:
        transpose_8(to, pitch, from, stride, first, rows, columns);
    }
}

/* Calling memcpy for so few bytes takes as long as copying them. */
static void copy_row(char *to, const unsigned char *from, int64_t bytes)
{
    for (int64_t i = 0; i < bytes; i += 16)
        memcpy(to + i, from + i, 16);
}

static void copy_tile(const matrices *m, char *to, const char *from, int64_t rows, int64_t columns)
{
    _Alignas(64) unsigned char tile[TILE];
    const size_t size = graft__element_size(m->from_dtype);
    transpose_tile(size, tile, m->pitch, from, m->from_stride, rows, columns);
    if (m->dense) {
        graft__convert(rows * columns, tile, m->from_dtype, to, m->to_dtype);
        return;
    }
    const int64_t bytes = columns * (int64_t)size;
    const bool whole = m->to_dtype == m->from_dtype && bytes % 16 == 0;
    for (int64_t i = 0; i < rows; i++) {
        char *const row = to + i * m->to_stride;
        const unsigned char *const in = tile + i * m->pitch;
        if (whole && m->streams)
            stream_row(row, in, bytes);
        else if (whole)
            copy_row(row, in, bytes);
        else
            graft__convert(columns, in, m->from_dtype, row, m->to_dtype);
    }
}

/* ---- All of them ---- */

static void transpose_part(void *arg, int part)
{
    const matrices *const m = arg;
    const int64_t to_size = (int64_t)graft__element_size(m->to_dtype);
    const int64_t from_size = (int64_t)graft__element_size(m->from_dtype);
    const int64_t begin = part * m->tiles_per_part;
    const int64_t end = min_i64(begin + m->tiles_per_part, m->tiles);
    for (int64_t tile = begin; tile < end; tile++) {
        /* Across first: the next tile goes on in the same lines of src. */
        int64_t index = tile;
        const int64_t across = index % m->tiles_across * m->tile_across;
        index /= m->tiles_across;
        const int64_t along = index % m->tiles_along * m->tile_along;
        index /= m->tiles_along;
        int64_t to = across * m->to_stride + along * to_size;
        int64_t from = along * m->from_stride + across * from_size;
        for (int d = m->outer - 1; d >= 0; d--) {
            to += index % m->size[d] * m->to_outer[d];
            from += index % m->size[d] * m->from_outer[d];
            index /= m->size[d];
        }
        copy_tile(m, m->to + to, m->from + from, min_i64(m->across - across, m->tile_across),
                  min_i64(m->along - along, m->tile_along));
    }
    if (m->streams)
        end_stream();
}

bool graft__transpose(graft__pool *pool, const graft__array *dst, const graft__array *src)
{
    matrices m;
    if (!as_matrices(dst, src, &m))
        return false;
    const int threads = graft__pool_threads(pool);
    int64_t parts = 1;
    if (threads > 1 && m.bytes >= THREADS_MIN)
        parts = (int64_t)threads * PARTS_PER_THREAD;
    m.tiles_per_part = (m.tiles + parts - 1) / parts;
    parts = (m.tiles + m.tiles_per_part - 1) / m.tiles_per_part;
    graft__pool_run(parts > 1 ? pool : NULL, (int)parts, transpose_part, &m);
    return true;
}
