/* Conversions, copies between layouts and fills, each against a plain loop. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/convert.h"
#include "kernel/copy.h"
#include "kernel/half.h"

enum { DTYPES = 10 };

static uint64_t random_state = 0x9e3779b97f4a7c15;

static uint64_t random_u64(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static int64_t random_below(int64_t n)
{
    return (int64_t)(random_u64() % (uint64_t)n);
}

/* Whether to take a part of the cases only: set for valgrind, which is slow. */
static bool quick(void)
{
    return getenv("GRAFT_TEST_QUICK") != NULL;
}

/* ---- Conversions ---- */

/* The value of one element, if a double holds it; i64 elsewhere. */
static double read_f64(const void *element, graft_dtype dtype)
{
    double f64;
    float f32;
    uint16_t half;
    int64_t i64;
    int32_t i32;
    int16_t i16;
    int8_t i8;
    uint8_t u8;
#define READ(x) (memcpy(&(x), element, sizeof(x)), (double)(x))
    switch (dtype) {
    case GRAFT_F32:
        return READ(f32);
    case GRAFT_F64:
        return READ(f64);
    case GRAFT_F16:
        memcpy(&half, element, 2);
        return (double)graft__f16_to_f32(half);
    case GRAFT_BF16:
        memcpy(&half, element, 2);
        return (double)graft__bf16_to_f32(half);
    case GRAFT_I64:
        return READ(i64);
    case GRAFT_I32:
        return READ(i32);
    case GRAFT_I16:
        return READ(i16);
    case GRAFT_I8:
        return READ(i8);
    default:
        return READ(u8);
    }
#undef READ
}

static bool is_integer(graft_dtype dtype)
{
    return dtype >= GRAFT_I64;
}

static int64_t read_i64(const void *element, graft_dtype dtype)
{
    int64_t value;
    memcpy(&value, element, 8);
    return dtype == GRAFT_I64 ? value : (int64_t)read_f64(element, dtype);
}

/* Whether a float of this value is one that an integer dtype holds after truncation. */
static bool fits(double x, graft_dtype to)
{
    static const double low[] = {0, 0, 0, 0, -0x1p63, -0x1p31, -0x1p15, -0x1p7, 0, 0};
    static const double high[] = {0, 0, 0, 0, 0x1p63, 0x1p31, 0x1p15, 0x1p7, 0x1p8, 0};
    return trunc(x) >= low[to] && trunc(x) < high[to];
}

static int64_t wrapped(int64_t x, graft_dtype to)
{
    switch (to) {
    case GRAFT_I32:
        return (int32_t)x;
    case GRAFT_I16:
        return (int16_t)x;
    case GRAFT_I8:
        return (int8_t)x;
    case GRAFT_U8:
        return (uint8_t)x;
    default:
        return x;
    }
}

static void expected_half(const void *in, graft_dtype from, graft_dtype to, const void *out)
{
    uint16_t got, expected;
    memcpy(&got, out, 2);
    if (from == GRAFT_I64) {
        const int64_t x = read_i64(in, from);
        expected = to == GRAFT_F16 ? graft__f16_from_i64(x) : graft__bf16_from_i64(x);
    } else {
        const double x = read_f64(in, from);
        expected = to == GRAFT_F16 ? graft__f16_from_f64(x) : graft__bf16_from_f64(x);
        if (isnan(x)) {
            assert_true(isnan(read_f64(out, to)));
            return;
        }
    }
    assert_int_equal(got, expected);
}

static void check_element(const void *in, graft_dtype from, graft_dtype to, const void *out)
{
    if (to == GRAFT_F16 || to == GRAFT_BF16) {
        expected_half(in, from, to, out);
    } else if (to == GRAFT_BOOL) {
        assert_int_equal(read_i64(out, to), read_f64(in, from) != 0);
    } else if (is_integer(from) && is_integer(to)) {
        assert_int_equal(read_i64(out, to), wrapped(read_i64(in, from), to));
    } else if (is_integer(to)) {
        const double x = read_f64(in, from);
        if (fits(x, to))
            assert_int_equal(read_i64(out, to), (int64_t)x);
        else if (to == GRAFT_U8 && fits(x, GRAFT_I64)) /* as PyTorch: by way of i64 */
            assert_int_equal(read_i64(out, to), (uint8_t)(int64_t)x);
    } else {
        const double x = read_f64(in, from), y = read_f64(out, to);
        if (isnan(x))
            assert_true(isnan(y));
        else if (to == GRAFT_F32 && from == GRAFT_I64)
            assert_true(y == (double)(float)read_i64(in, from));
        else
            assert_true(y == (to == GRAFT_F32 ? (double)(float)x : x) &&
                        !signbit(x) == !signbit(y));
    }
}

/* Random bits, numbers around every power of two, and what is special. */
static void random_elements(graft_dtype dtype, int64_t n, void *out)
{
    static const double special[] = {0.0,     -0.0,    1.0,      -1.0,      0.5,      -0.5,
                                     1.5,     127.5,   -128.5,   255.9,     256.0,    -1.9,
                                     65504.0, 65520.0, 65519.99, 0x1p-24,   0x1p-25,  0x1.8p-25,
                                     0x1p-14, 0x1p31,  -0x1p31,  0x1p63,    -0x1p63,  2147483647.5,
                                     1e300,   -1e300,  INFINITY, -INFINITY, 0x1p-149, 0x1p-133};
    char *next = out;
    const size_t size = graft__element_size(dtype);
    for (int64_t i = 0; i < n; i++, next += size) {
        const uint64_t bits = random_u64();
        const double x = ldexp(1.0 + (double)(bits >> 40 & 0xff) / 256.0, (int)(bits % 140) - 70);
        switch (i % 4) {
        case 0:
            memcpy(next, &bits, size);
            if (dtype == GRAFT_BOOL)
                *next = (char)(bits & 1);
            break;
        case 1:
            graft__convert(1, &special[(size_t)random_below(30)], GRAFT_F64, next, dtype);
            break;
        default: {
            const double signed_x = bits >> 63 ? x : -x;
            graft__convert(1, &signed_x, GRAFT_F64, next, dtype);
        }
        }
    }
}

static void test_pairs(void **state)
{
    (void)state;
    enum { N = 5000 };
    static uint64_t in[N], out[N];
    for (int from = 0; from < DTYPES; from++) {
        random_elements((graft_dtype)from, N, in);
        for (int to = 0; to < DTYPES; to++) {
            graft__convert(N, in, (graft_dtype)from, out, (graft_dtype)to);
            if (from == to) {
                assert_memory_equal(in, out, N * graft__element_size((graft_dtype)to));
                continue;
            }
            for (int64_t i = 0; i < N; i++)
                check_element((char *)in + i * (int64_t)graft__element_size((graft_dtype)from),
                              (graft_dtype)from, (graft_dtype)to,
                              (char *)out + i * (int64_t)graft__element_size((graft_dtype)to));
        }
    }
}

/* From f64 and i64 to halves there is one rounding, where going by f32 would make two. */
static void test_rounds_once(void **state)
{
    (void)state;
    uint16_t half;
    const double above = 1.0 + 0x1p-11 + 0x1p-40; /* just above the middle of two f16 */
    graft__convert(1, &above, GRAFT_F64, &half, GRAFT_F16);
    assert_int_equal(half, 0x3c01);
    const double bf16_above = 1.0 + 0x1p-8 + 0x1p-40;
    graft__convert(1, &bf16_above, GRAFT_F64, &half, GRAFT_BF16);
    assert_int_equal(half, 0x3f81);
    const int64_t i64 = (INT64_C(1) << 40) + (INT64_C(1) << 32) + 1;
    graft__convert(1, &i64, GRAFT_I64, &half, GRAFT_BF16);
    assert_int_equal(half, 0x5381);
    const int32_t i32[] = {(1 << 30) + (1 << 22) + 1, -(1 << 30) - (1 << 22) - 1,
                           (1 << 30) + (1 << 22), INT32_MIN, INT32_MAX};
    uint16_t halves[5];
    graft__convert(5, i32, GRAFT_I32, halves, GRAFT_BF16);
    assert_int_equal(halves[0], 0x4e81);
    assert_int_equal(halves[1], 0xce81);
    assert_int_equal(halves[2], 0x4e80); /* a tie: to even */
    assert_int_equal(halves[3], 0xcf00);
    assert_int_equal(halves[4], 0x4f00);
}

/* What does not fit gives what x86 gives, in whole vectors and in what is left over. */
static void test_out_of_range(void **state)
{
    (void)state;
    enum { N = 37 };
    float in[N];
    int32_t i32[N];
    int64_t i64[N];
    uint8_t u8[N];
    for (int i = 0; i < N; i++)
        in[i] = i % 3 == 0 ? NAN : i % 3 == 1 ? 3e9F : -1e30F;
    graft__convert(N, in, GRAFT_F32, i32, GRAFT_I32);
    graft__convert(N, in, GRAFT_F32, i64, GRAFT_I64);
    graft__convert(N, in, GRAFT_F32, u8, GRAFT_U8);
    for (int i = 0; i < N; i++) {
        assert_int_equal(i32[i], INT32_MIN);
        assert_int_equal(i64[i], i % 3 == 1 ? INT64_C(3000000000) : INT64_MIN);
        assert_int_equal(u8[i], 0);
    }
}

/* ---- Layouts ---- */

typedef struct layout {
    graft__array array;
    int64_t elements; /* of the memory behind it */
} layout;

/* The same sizes with the dimensions in a random order in memory, each maybe padded. */
static layout random_layout(int ndim, const int64_t *size, graft_dtype dtype, bool repeats)
{
    layout l = {.array = {.dtype = dtype, .ndim = ndim}};
    int order[GRAFT_MAX_DIMS];
    for (int d = 0; d < ndim; d++)
        order[d] = d;
    if (random_below(3) > 0)
        for (int d = ndim - 1; d > 0; d--) {
            const int64_t other = random_below(d + 1);
            const int kept = order[d];
            order[d] = order[other];
            order[other] = kept;
        }
    int64_t step = random_below(4) == 0 ? 2 : 1;
    for (int i = ndim - 1; i >= 0; i--) {
        const int d = order[i];
        l.array.size[d] = size[d];
        if (repeats && random_below(6) == 0)
            continue; /* stride 0 */
        l.array.stride[d] = step;
        step *= size[d] + (random_below(4) == 0 ? random_below(3) : 0);
    }
    l.elements = step;
    return l;
}

static char *element_at(const graft__array *a, int64_t index)
{
    int64_t at = 0;
    for (int d = a->ndim - 1; d >= 0; d--) {
        at += index % a->size[d] * a->stride[d];
        index /= a->size[d];
    }
    return (char *)a->data + at * (int64_t)graft__element_size(a->dtype);
}

static void check_copy(graft__pool *pool, layout dst, layout src)
{
    const size_t to_size = graft__element_size(dst.array.dtype);
    const size_t from_size = graft__element_size(src.array.dtype);
    const size_t to_bytes = (size_t)dst.elements * to_size;
    const size_t from_bytes = (size_t)src.elements * from_size;
    char *to = malloc(to_bytes), *before = malloc(to_bytes), *from = malloc(from_bytes);
    for (size_t i = 0; i < from_bytes; i++)
        from[i] = (char)(random_u64() >> 9 & (src.array.dtype == GRAFT_BOOL ? 1 : 0x7f));
    memset(to, 0x55, to_bytes);
    memcpy(before, to, to_bytes);
    dst.array.data = to;
    src.array.data = from;
    graft__copy(pool, &dst.array, &src.array);

    int64_t n = 1;
    for (int d = 0; d < dst.array.ndim; d++)
        n *= dst.array.size[d];
    for (int64_t i = 0; i < n; i++) {
        char expected[8];
        char *const got = element_at(&dst.array, i);
        graft__convert(1, element_at(&src.array, i), src.array.dtype, expected, dst.array.dtype);
        assert_memory_equal(got, expected, to_size);
        memset(got, 0x55, to_size);
    }
    assert_memory_equal(to, before, to_bytes); /* nothing else was written */
    free(to);
    free(before);
    free(from);
}

static void test_layouts(void **state)
{
    (void)state;
    graft__pool *const pool = graft__pool_new(NULL, 2);
    for (int round = 0; round < (quick() ? 300 : 3000); round++) {
        const int ndim = (int)random_below(5);
        int64_t size[GRAFT_MAX_DIMS];
        for (int d = 0; d < ndim; d++)
            size[d] = random_below(20) == 0 ? 0 : 1 + random_below(ndim < 3 ? 70 : 13);
        const graft_dtype to = (graft_dtype)random_below(DTYPES);
        const graft_dtype from = random_below(2) ? to : (graft_dtype)random_below(DTYPES);
        check_copy(round % 2 ? pool : NULL, random_layout(ndim, size, to, false),
                   random_layout(ndim, size, from, true));
    }
    graft__pool_free(pool);
}

static layout matrix(int64_t rows, int64_t columns, int64_t row_stride, int64_t column_stride,
                     graft_dtype dtype)
{
    layout l = {.array = {.dtype = dtype,
                          .ndim = 2,
                          .size = {rows, columns},
                          .stride = {row_stride, column_stride}}};
    l.elements = (rows - 1) * row_stride + (columns - 1) * column_stride + 1;
    return l;
}

/* Matrices large enough for threads and for stores past the caches. */
static void test_large_transposes(void **state)
{
    (void)state;
    static const int64_t shape[][2] = {
        {1000, 300}, {3, 70000}, {70000, 3}, {513, 511}, {2200, 2200}};
    graft__pool *const pool = graft__pool_new(NULL, 2);
    for (size_t i = 0; i < (quick() ? 2 : sizeof shape / sizeof *shape); i++) {
        const int64_t rows = shape[i][0], columns = shape[i][1];
        for (int dtype = 0; dtype < DTYPES; dtype += i == 4 || quick() ? DTYPES : 3) {
            const graft_dtype to = (graft_dtype)dtype;
            check_copy(pool, matrix(rows, columns, columns, 1, to),
                       matrix(rows, columns, 1, rows, to));
            check_copy(pool, matrix(rows, columns, columns + 4, 1, to),
                       matrix(rows, columns, 1, rows, GRAFT_F32));
        }
    }
    graft__pool_free(pool);
}

static void test_bytes(void **state)
{
    (void)state;
    static const size_t size[] = {0, 1, 4095, 262144, 262145, 1000003, 16777216, 20000001};
    graft__pool *const pool = graft__pool_new(NULL, 2);
    const size_t room = 20000100;
    unsigned char *from = malloc(room), *to = malloc(room);
    for (size_t i = 0; i < room; i++)
        from[i] = (unsigned char)(i * 2654435761U >> 13);
    for (size_t i = 0; i < sizeof size / sizeof *size; i += quick() ? 4 : 1)
        for (size_t shift = 0; shift < 34; shift += 11)
            for (int threads = 1; threads <= 2; threads++) {
                memset(to, 0xee, room);
                graft__copy_bytes(threads == 2 ? pool : NULL, to + shift, from + 2 * shift,
                                  size[i]);
                assert_memory_equal(to + shift, from + 2 * shift, size[i]);
                assert_int_equal(to[shift + size[i]], 0xee);
                assert_true(shift == 0 || to[shift - 1] == 0xee);
            }
    free(from);
    free(to);
    graft__pool_free(pool);
}

/* ---- Fills ---- */

static void test_fill(void **state)
{
    (void)state;
    static const double value[] = {0.0, -0.0, 1.0, -1.0, 2.7, -3.5, 1e10, 70000.0};
    graft__pool *const pool = graft__pool_new(NULL, 2);
    for (int round = 0; round < 1000; round++) {
        const int ndim = (int)random_below(4);
        int64_t size[GRAFT_MAX_DIMS], n = 1;
        for (int d = 0; d < ndim; d++)
            n *= size[d] = 1 + random_below(round == 0 ? 500 : 12);
        const graft_dtype dtype = (graft_dtype)random_below(DTYPES);
        layout l = random_layout(ndim, size, dtype, false);
        const size_t width = graft__element_size(dtype), bytes = (size_t)l.elements * width;
        char *memory = malloc(bytes), *before = malloc(bytes), expected[8];
        memset(memory, 0x55, bytes);
        memset(before, 0x55, bytes);
        l.array.data = memory;
        const double x = value[random_below(8)];
        const int64_t integer = INT64_MAX - 1;
        if (round % 5 == 0) {
            graft__fill_i64(pool, &l.array, integer);
            graft__convert(1, &integer, GRAFT_I64, expected, dtype);
        } else {
            graft__fill(pool, &l.array, x);
            graft__convert(1, &x, GRAFT_F64, expected, dtype);
        }
        for (int64_t i = 0; i < n; i++) {
            char *const got = element_at(&l.array, i);
            assert_memory_equal(got, expected, width);
            memset(got, 0x55, width);
        }
        assert_memory_equal(memory, before, bytes);
        free(memory);
        free(before);
    }
    graft__pool_free(pool);
}

static void test_range(void **state)
{
    (void)state;
    float f32[600];
    graft__array a = {.data = f32, .dtype = GRAFT_F32, .ndim = 1, .size = {300}, .stride = {2}};
    memset(f32, 0, sizeof f32);
    graft__fill_range(&a, -5.0, 0.5);
    for (int i = 0; i < 300; i++) {
        assert_true(f32[2 * i] == -5.0F + 0.5F * (float)i);
        assert_true(f32[2 * i + 1] == 0.0F);
    }
    uint8_t u8[300];
    a = (graft__array){.data = u8, .dtype = GRAFT_U8, .ndim = 1, .size = {300}, .stride = {1}};
    graft__fill_range(&a, 3.9, 1.9);
    for (int i = 0; i < 300; i++)
        assert_int_equal(u8[i], (uint8_t)(3 + i));
    int64_t i64[3];
    a = (graft__array){.data = i64, .dtype = GRAFT_I64, .ndim = 1, .size = {3}, .stride = {1}};
    graft__fill_range(&a, 0x1p53, 0x1p62);
    assert_int_equal(i64[1], (INT64_C(1) << 53) + (INT64_C(1) << 62));
}

static void test_get(void **state)
{
    (void)state;
    const uint16_t half = 0xc100; /* -2.5 */
    assert_true(graft__get_f64(&half, GRAFT_F16) == -2.5);
    assert_int_equal(graft__get_i64(&half, GRAFT_F16), -2);
    const int64_t large = INT64_MAX;
    assert_true(graft__get_f64(&large, GRAFT_I64) == 0x1p63);
    assert_int_equal(graft__get_i64(&large, GRAFT_I64), INT64_MAX);
    const double fraction = 1.9;
    assert_int_equal(graft__get_i64(&fraction, GRAFT_F64), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_rounds_once),
        cmocka_unit_test(test_out_of_range),
        cmocka_unit_test(test_layouts),
        cmocka_unit_test(test_large_transposes),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_fill),
        cmocka_unit_test(test_range),
        cmocka_unit_test(test_get),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
