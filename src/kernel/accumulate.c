#include "kernel/accumulate.h"

#include "kernel/copy.h"

enum {
    CHUNK = 512,        /* elements converted at a time */
    PARALLEL = 1 << 17, /* elements from which on threads pay */
};

static void add_f32(float *restrict dst, const float *restrict src, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        dst[i] += src[i];
}

static void add_f64(double *restrict dst, const double *restrict src, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        dst[i] += src[i];
}

static graft__array row_of(void *data, graft_dtype dtype, int64_t n)
{
    return (graft__array){.data = data, .dtype = dtype, .ndim = 1, .size = {n}, .stride = {1}};
}

/* dst[0..n-1] += src[0], src[stride], ...: in chunks through buffers of the computing dtype. */
static void add_converted(char *dst, const char *src, graft_dtype dtype, int64_t stride, int64_t n)
{
    bool wide = dtype == GRAFT_F64;
    union {
        float f32[CHUNK];
        double f64[CHUNK];
    } a, b;
    int64_t width = (int64_t)graft_dtype_size(dtype);
    for (int64_t at = 0; at < n; at += CHUNK) {
        int64_t m = n - at < CHUNK ? n - at : CHUNK;
        graft_dtype compute = wide ? GRAFT_F64 : GRAFT_F32;
        graft__array to = row_of(dst + at * width, dtype, m);
        graft__array from = row_of((char *)src + at * stride * width, dtype, m);
        from.stride[0] = stride;
        graft__array x = row_of(&a, compute, m), y = row_of(&b, compute, m);
        graft__copy(NULL, &x, &to);
        graft__copy(NULL, &y, &from);
        if (wide)
            add_f64(a.f64, b.f64, m);
        else
            add_f32(a.f32, b.f32, m);
        graft__copy(NULL, &to, &x);
    }
}

static void add_row(char *dst, const char *src, graft_dtype dtype, int64_t stride, int64_t n)
{
    if (stride == 1 && dtype == GRAFT_F32)
        add_f32((float *)dst, (const float *)src, n);
    else if (stride == 1 && dtype == GRAFT_F64)
        add_f64((double *)dst, (const double *)src, n);
    else
        add_converted(dst, src, dtype, stride, n);
}

typedef struct flat_job {
    char *dst;
    const char *src;
    graft_dtype dtype;
    int64_t n, part;
} flat_job;

static void add_part(void *arg, int part)
{
    const flat_job *j = arg;
    int64_t width = (int64_t)graft_dtype_size(j->dtype), from = part * j->part;
    int64_t n = j->n - from < j->part ? j->n - from : j->part;
    add_row(j->dst + from * width, j->src + from * width, j->dtype, 1, n);
}

static void add_flat(graft__pool *pool, const graft__array *dst, const graft__array *src, int64_t n)
{
    if (n < PARALLEL || !pool) {
        add_row(dst->data, src->data, dst->dtype, 1, n);
        return;
    }
    flat_job job = {.dst = dst->data, .src = src->data, .dtype = dst->dtype, .n = n};
    job.part = PARALLEL / 2;
    graft__pool_run(pool, (int)((n + job.part - 1) / job.part), add_part, &job);
}

static bool is_contiguous(const graft__array *a)
{
    int64_t step = 1;
    for (int i = a->ndim - 1; i >= 0; i--) {
        if (a->size[i] != 1 && a->stride[i] != step)
            return false;
        step *= a->size[i];
    }
    return true;
}

void graft__accumulate(graft__pool *pool, const graft__array *dst, const graft__array *src)
{
    int64_t n = 1;
    for (int i = 0; i < dst->ndim; i++)
        n *= dst->size[i];
    if (n == 0)
        return;
    if (dst->ndim == 0 || is_contiguous(src)) {
        add_flat(pool, dst, src, n);
        return;
    }
    int last = dst->ndim - 1;
    int64_t width = (int64_t)graft_dtype_size(dst->dtype), at[GRAFT_MAX_DIMS] = {0};
    char *to = dst->data;
    const char *from = src->data;
    for (int64_t row = 0; row < n / dst->size[last]; row++) {
        add_row(to, from, dst->dtype, src->stride[last], dst->size[last]);
        to += dst->size[last] * width;
        for (int d = last - 1; d >= 0; d--) {
            from += src->stride[d] * width;
            if (++at[d] < src->size[d])
                break;
            from -= src->stride[d] * src->size[d] * width;
            at[d] = 0;
        }
    }
}
