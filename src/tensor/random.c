/* Tensors of random numbers: the shapes and dtypes around base/random.h. */
#include "kernel/copy.h"
#include "kernel/half_random.h"
#include "tensor/tensor.h"

static graft_tensor *fresh_floating(graft_ctx *g, const char *op, graft_shape shape,
                                    graft_dtype dtype)
{
    if (g && graft_dtype_size(dtype) > 0 && !graft_dtype_is_floating(dtype)) {
        graft__fail(g, GRAFT_ERR_DTYPE, "%s: %s: expected a floating dtype", op,
                    graft_dtype_name(dtype));
        return NULL;
    }
    return graft__tensor_new(g, op, shape.ndim, shape.size, dtype);
}

graft_tensor *graft_rand(graft_ctx *g, graft_shape shape, graft_dtype dtype)
{
    graft_tensor *t = fresh_floating(g, "rand", shape, dtype);
    if (!t)
        return NULL;
    void *const out = graft__fresh(t).data;
    if (dtype == GRAFT_F64)
        graft__random_uniform_f64(&g->random, t->numel, out, 0, 1);
    else if (dtype == GRAFT_F16)
        graft__random_uniform_f16(&g->random, t->numel, out, 0, 1);
    else if (dtype == GRAFT_BF16)
        graft__random_uniform_bf16(&g->random, t->numel, out, 0, 1);
    else
        graft__random_uniform_f32(&g->random, t->numel, out, 0, 1);
    return graft__result(t);
}

graft_tensor *graft_randn(graft_ctx *g, graft_shape shape, graft_dtype dtype)
{
    graft_tensor *t = fresh_floating(g, "randn", shape, dtype);
    if (!t)
        return NULL;
    void *const out = graft__fresh(t).data;
    if (dtype == GRAFT_F64)
        graft__random_normal_f64(&g->random, t->numel, out, 0, 1);
    else if (dtype == GRAFT_F16)
        graft__random_normal_f16(&g->random, t->numel, out, 0, 1);
    else if (dtype == GRAFT_BF16)
        graft__random_normal_bf16(&g->random, t->numel, out, 0, 1);
    else
        graft__random_normal_f32(&g->random, t->numel, out, 0, 1);
    return graft__result(t);
}

/* ---- Integers ---- */

/* What a dtype holds; of the floats, those that PyTorch lets randint draw. */
typedef struct bounds {
    int64_t low, high;
    int digits; /* of a float's mantissa */
} bounds;

static const bounds bounds_of[] = {
    [GRAFT_F32] = {INT64_MIN, INT64_MAX, 24}, [GRAFT_F64] = {INT64_MIN, INT64_MAX, 53},
    [GRAFT_F16] = {-65504, 65504, 11},        [GRAFT_BF16] = {INT64_MIN, INT64_MAX, 8},
    [GRAFT_I64] = {INT64_MIN, INT64_MAX, 0},  [GRAFT_I32] = {INT32_MIN, INT32_MAX, 0},
    [GRAFT_I16] = {INT16_MIN, INT16_MAX, 0},  [GRAFT_I8] = {INT8_MIN, INT8_MAX, 0},
    [GRAFT_U8] = {0, UINT8_MAX, 0},           [GRAFT_BOOL] = {0, 1, 0},
};

/* x rounded to a float and back. */
static int64_t rounded(int64_t x, graft_dtype dtype)
{
    uint64_t element;
    const graft__array to = {.data = &element, .dtype = dtype},
                       from = {.data = &x, .dtype = GRAFT_I64};
    graft__copy(NULL, &to, &from);
    return graft__get_i64(&element, dtype);
}

/* The distance of floats at x. */
static int64_t spacing(int64_t x, int digits)
{
    uint64_t magnitude = x < 0 ? UINT64_C(0) - (uint64_t)x : (uint64_t)x;
    int log = 0;
    while (magnitude >>= 1)
        log++;
    return log - digits + 1 > 0 ? INT64_C(1) << (log - digits + 1) : 1;
}

/* Where low + 1 or high - 1 would round to what is out of the range, the range becomes narrower by
 * the distance of two floats, so that no number drawn rounds out of it. */
static void narrow_to_floats(graft_dtype dtype, int64_t *low, int64_t *high)
{
    const int digits = bounds_of[dtype].digits;
    const int64_t up = rounded(*low + 1, dtype), down = rounded(*high - 1, dtype);
    if (up < *low)
        *low = up + spacing(*low + 1, digits);
    if (down >= *high)
        *high = down - spacing(*high - 1, digits);
}

graft_tensor *graft_randint(graft_ctx *g, int64_t low, int64_t high, graft_shape shape,
                            graft_dtype dtype)
{
    if (!g || graft__check_new(g, "randint", shape.ndim, shape.size, dtype) < 0)
        return NULL;
    const int64_t asked_low = low, asked_high = high;
    if (low < high && graft_dtype_is_floating(dtype))
        narrow_to_floats(dtype, &low, &high);
    if (low >= high) {
        graft__fail(g, GRAFT_ERR_ARGUMENT, "randint: low %lld and high %lld: expected low < high%s",
                    (long long)asked_low, (long long)asked_high,
                    asked_low < asked_high ? ", rounded to the dtype too" : "");
        return NULL;
    }
    const bounds b = bounds_of[dtype];
    if (low < b.low || high - 1 > b.high) {
        graft__fail(g, GRAFT_ERR_ARGUMENT,
                    "randint: %lld to %lld do not fit %s: expected %lld to %lld",
                    (long long)asked_low, (long long)(asked_high - 1), graft_dtype_name(dtype),
                    (long long)b.low, (long long)b.high);
        return NULL;
    }
    graft_tensor *t = graft__tensor_new(g, "randint", shape.ndim, shape.size, dtype);
    if (!t)
        return NULL;
    if (dtype == GRAFT_I64) {
        graft__random_int(&g->random, t->numel, graft__fresh(t).data, low, high);
        return graft__result(t);
    }
    enum { BLOCK = 512 };
    int64_t block[BLOCK];
    const size_t width = graft_dtype_size(dtype);
    char *next = graft__fresh(t).data;
    for (int64_t left = t->numel; left > 0; left -= BLOCK, next += BLOCK * width) {
        const int64_t count = left < BLOCK ? left : BLOCK;
        graft__random_int(&g->random, count, block, low, high);
        graft__array to = {.data = next, .dtype = dtype, .ndim = 1, .size = {count}, .stride = {1}};
        graft__array from = to;
        from.data = block;
        from.dtype = GRAFT_I64;
        graft__copy(NULL, &to, &from);
    }
    return graft__result(t);
}

graft_tensor *graft_randperm(graft_ctx *g, int64_t n)
{
    graft_tensor *t = graft__tensor_new(g, "randperm", 1, &n, GRAFT_I64);
    if (t)
        graft__random_permutation(&g->random, n, graft__fresh(t).data);
    return graft__result(t);
}
