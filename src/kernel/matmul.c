#include "kernel/matmul.h"

#include <string.h>

#include "kernel/gemm.h"

enum {
    BATCH_DIMS = GRAFT_MAX_DIMS - 2,
    SMALL_PRODUCT = 1 << 18, /* m n k: below, whole products go to the threads */
    PART_WORK = 1 << 14,     /* m n k that a part has at least */
    PARTS_PER_THREAD = 4,    /* so that a late worker does not hold up the rest */
    PATTERN = 64,            /* bytes */
    FILL_CHUNK = 4096,       /* bytes to copy at a time */
    PARALLEL_BYTES = 1 << 20 /* rows to fill, from which on threads pay */
};

/* One matrix of each batch, and how far on the next is. */
typedef struct matrix {
    char *data;
    int64_t row, col; /* strides */
    int64_t batch[BATCH_DIMS];
} matrix;

typedef struct product {
    graft__pool *pool;
    graft_dtype dtype;
    size_t width; /* of an element */
    int64_t m, n, k;
    int batch_dims; /* the fastest first */
    int64_t batch_size[BATCH_DIMS];
    int64_t batches;
    matrix a, b, c;
    double beta;
    int parts;
} product;

static int64_t max_i64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static bool rows_contiguous(int64_t rows, int64_t cols, int64_t row, int64_t col)
{
    return (cols <= 1 || col == 1) && (rows <= 1 || row >= max_i64(cols, 1));
}

static bool takes(int64_t rows, int64_t cols, int64_t row, int64_t col)
{
    return rows_contiguous(rows, cols, row, col) || rows_contiguous(cols, rows, col, row);
}

bool graft__matmul_takes(const graft__array *a)
{
    const int r = a->ndim - 2, c = a->ndim - 1;
    return takes(a->size[r], a->size[c], a->stride[r], a->stride[c]);
}

/* How gemm calls a matrix: transposed or not, and the distance between its rows as stored. */
static int64_t layout(int64_t rows, int64_t cols, const matrix *x, bool *transposed)
{
    *transposed = !rows_contiguous(rows, cols, x->row, x->col);
    if (*transposed)
        return cols > 1 ? x->col : max_i64(rows, 1);
    return rows > 1 ? x->row : max_i64(cols, 1);
}

static void multiply(const product *p, graft__pool *pool, int64_t a, int64_t b, int64_t c,
                     double beta)
{
    graft__gemm g = {.m = p->m, .n = p->n, .k = p->k, .alpha = 1, .beta = beta};
    g.lda = layout(p->m, p->k, &p->a, &g.trans_a);
    g.ldb = layout(p->k, p->n, &p->b, &g.trans_b);
    g.ldc = p->m > 1 ? p->c.row : max_i64(p->n, 1);
    const int64_t width = (int64_t)p->width;
    const char *from_a = p->a.data + a * width, *from_b = p->b.data + b * width;
    char *to = p->c.data + c * width;
    if (p->dtype == GRAFT_F32)
        graft__gemm_f32(pool, &g, (const float *)from_a, (const float *)from_b, (float *)to);
    else
        graft__gemm_f64(pool, &g, (const double *)from_a, (const double *)from_b, (double *)to);
}

/* The products begin..end-1 of the batch, the first dimension slowest. */
static void multiply_range(const product *p, graft__pool *pool, int64_t begin, int64_t end)
{
    for (int64_t i = begin; i < end; i++) {
        int64_t rest = i, a = 0, b = 0, c = 0;
        bool first = true; /* that reaches this matrix of c */
        for (int d = 0; d < p->batch_dims; d++) {
            const int64_t at = rest % p->batch_size[d];
            rest /= p->batch_size[d];
            a += at * p->a.batch[d];
            b += at * p->b.batch[d];
            c += at * p->c.batch[d];
            first = first && (at == 0 || p->c.batch[d] != 0);
        }
        multiply(p, pool, a, b, c, first ? p->beta : 1);
    }
}

static void multiply_part(void *arg, int part)
{
    const product *p = arg;
    multiply_range(p, NULL, p->batches * part / p->parts, p->batches * (part + 1) / p->parts);
}

/* Whether a step of `batch` is the next row (or column) after those that are there. */
static bool continues(int64_t batch, int64_t size, int64_t stride)
{
    return size == 1 || batch == size * stride;
}

/* Makes the batch dimension of that size part of m: the same b for all, and rows that go on. */
static bool join_rows(product *p, int64_t size, int64_t a, int64_t b, int64_t c)
{
    if (b != 0 || !continues(a, p->m, p->a.row) || !continues(c, p->m, p->c.row))
        return false;
    const int64_t a_row = p->m == 1 ? a : p->a.row, c_row = p->m == 1 ? c : p->c.row;
    if (!takes(p->m * size, p->k, a_row, p->a.col) ||
        !rows_contiguous(p->m * size, p->n, c_row, p->c.col))
        return false;
    p->a.row = a_row;
    p->c.row = c_row;
    p->m *= size;
    return true;
}

/* Makes it part of k: the products are added up, and what is summed over goes on. */
static bool join_inner(product *p, int64_t size, int64_t a, int64_t b, int64_t c)
{
    if (c != 0 || !continues(a, p->k, p->a.col) || !continues(b, p->k, p->b.row))
        return false;
    const int64_t a_col = p->k == 1 ? a : p->a.col, b_row = p->k == 1 ? b : p->b.row;
    if (!takes(p->m, p->k * size, p->a.row, a_col) || !takes(p->k * size, p->n, b_row, p->b.col))
        return false;
    p->a.col = a_col;
    p->b.row = b_row;
    p->k *= size;
    return true;
}

static product prepare(const graft__array *dst, const graft__array *a, const graft__array *b)
{
    const int r = dst->ndim - 2, c = dst->ndim - 1;
    product p = {.dtype = dst->dtype,
                 .width = graft_dtype_size(dst->dtype),
                 .m = dst->size[r],
                 .n = dst->size[c],
                 .k = a->size[c],
                 .batches = 1,
                 .a = {.data = a->data, .row = a->stride[r], .col = a->stride[c]},
                 .b = {.data = b->data, .row = b->stride[r], .col = b->stride[c]},
                 .c = {.data = dst->data, .row = dst->stride[r], .col = dst->stride[c]}};
    bool joining = true;
    for (int d = r - 1; d >= 0; d--) {
        const int64_t size = dst->size[d];
        if (size == 1)
            continue;
        joining = joining && size > 0 &&
                  (join_rows(&p, size, a->stride[d], b->stride[d], dst->stride[d]) ||
                   join_inner(&p, size, a->stride[d], b->stride[d], dst->stride[d]));
        if (joining)
            continue;
        const int at = p.batch_dims++;
        p.batch_size[at] = size;
        p.a.batch[at] = a->stride[d];
        p.b.batch[at] = b->stride[d];
        p.c.batch[at] = dst->stride[d];
        p.batches *= size;
    }
    return p;
}

/* A sum of no products: 0, in each matrix of dst. */
static void clear(const graft__array *dst, int64_t m, int64_t n)
{
    const size_t width = graft_dtype_size(dst->dtype);
    int64_t count = m * n;
    for (int d = 0; d < dst->ndim - 2; d++)
        count *= dst->stride[d] == 0 ? 1 : dst->size[d];
    memset(dst->data, 0, (size_t)count * width);
}

void graft__matmul(graft__pool *pool, const graft__array *dst, const graft__array *a,
                   const graft__array *b, double beta)
{
    product p = prepare(dst, a, b);
    p.beta = beta;
    if (p.batches == 1) {
        multiply(&p, pool, 0, 0, 0, beta);
        return;
    }
    if (p.batches == 0) {
        if (beta == 0)
            clear(dst, p.m, p.n);
        return;
    }
    bool separate = true; /* no two products of the batch share a matrix of c */
    for (int d = 0; d < p.batch_dims; d++)
        separate = separate && p.c.batch[d] != 0;
    const int threads = graft__pool_threads(pool);
    const double work = (double)p.m * (double)p.n * (double)p.k;
    if (threads == 1 || !separate || p.batches < threads || work >= SMALL_PRODUCT) {
        multiply_range(&p, pool, 0, p.batches);
        return;
    }
    const double useful = work * (double)p.batches / PART_WORK;
    const int64_t most = PARTS_PER_THREAD * threads;
    p.parts = (int)(useful >= (double)most ? most : max_i64((int64_t)useful, 1));
    if (p.parts > p.batches)
        p.parts = (int)p.batches;
    graft__pool_run(pool, p.parts, multiply_part, &p);
}

/* ---- Rows ---- */

typedef struct filling {
    int64_t rows;
    size_t bytes; /* of a row */
    char *dst;
    const char *row;
    int parts;
} filling;

/* Repeats what is filled already, twice as much each time, until that is a chunk worth copying. */
static void fill_doubling(char *dst, size_t all, const char *row, size_t bytes)
{
    memcpy(dst, row, bytes);
    size_t chunk = bytes, done = bytes;
    while (done < all) {
        if (chunk < FILL_CHUNK)
            chunk = done;
        const size_t n = all - done < chunk ? all - done : chunk;
        memcpy(dst + done, dst, n);
        done += n;
    }
}

/* The same where whole rows fit PATTERN bytes: copies of a size that the compiler knows. */
static void fill_pattern(char *dst, size_t all, const char *row, size_t bytes)
{
    char pattern[PATTERN];
    for (size_t i = 0; i < PATTERN; i += bytes)
        memcpy(pattern + i, row, bytes);
    size_t done = 0;
    for (; done + PATTERN <= all; done += PATTERN)
        memcpy(dst + done, pattern, PATTERN);
    memcpy(dst + done, pattern, all - done);
}

static void fill_range(const filling *f, int64_t begin, int64_t end)
{
    if (begin == end)
        return;
    char *dst = f->dst + (size_t)begin * f->bytes;
    const size_t all = (size_t)(end - begin) * f->bytes;
    if (PATTERN % f->bytes == 0)
        fill_pattern(dst, all, f->row, f->bytes);
    else
        fill_doubling(dst, all, f->row, f->bytes);
}

static void fill_part(void *arg, int part)
{
    const filling *f = arg;
    fill_range(f, f->rows * part / f->parts, f->rows * (part + 1) / f->parts);
}

void graft__fill_rows(graft__pool *pool, graft_dtype dtype, int64_t rows, int64_t cols, void *dst,
                      const void *row)
{
    filling f = {
        .rows = rows, .bytes = (size_t)cols * graft_dtype_size(dtype), .dst = dst, .row = row};
    if (f.bytes == 0)
        return;
    const int threads = graft__pool_threads(pool);
    if (threads == 1 || rows < 2 * threads || (size_t)rows * f.bytes < PARALLEL_BYTES) {
        fill_range(&f, 0, rows);
        return;
    }
    f.parts = PARTS_PER_THREAD * threads;
    if (f.parts > rows)
        f.parts = (int)rows;
    graft__pool_run(pool, f.parts, fill_part, &f);
}
