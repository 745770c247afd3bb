#include "graft/ops.h"
#include "kernel/gemm.h"
#include "kernel/matmul.h"
#include "kernel/reduce.h"
#include "ops/common.h"
#include "ops/dense.h"

typedef struct dims {
    int64_t rows, in, out;
} dims;

/* Leading dimensions by which rows of a 2-d view lie apart: t as [rows, cols] without a copy. */
static bool as_rows(const graft_tensor *t, int64_t *ld)
{
    const int last = t->ndim - 1;
    const int64_t cols = t->size[last];
    *ld = cols > 0 ? cols : 1;
    if (t->contiguous)
        return true;
    if (t->ndim != 2 || (cols > 1 && t->stride[1] != 1) || t->stride[0] < *ld)
        return false;
    *ld = t->stride[0];
    return true;
}

/* A matrix as gemm reads it. */
typedef struct matrix {
    graft__dense dense;
    int64_t ld;
    bool transposed;
} matrix;

static bool read_rows(const graft_tensor *t, matrix *m)
{
    m->transposed = false;
    if (as_rows(t, &m->ld)) {
        m->dense = (graft__dense){.data = graft__first(t)};
        return true;
    }
    m->ld = t->size[t->ndim - 1] > 0 ? t->size[t->ndim - 1] : 1;
    return graft__dense_read("linear", t, &m->dense);
}

/* A weight may be a transposed matrix, too. */
static bool read_weight(const graft_tensor *t, matrix *m)
{
    const int64_t rows = t->size[0], least = rows > 0 ? rows : 1;
    if (t->contiguous || t->stride[0] != 1 || t->stride[1] < least)
        return read_rows(t, m);
    m->dense = (graft__dense){.data = graft__first(t)};
    m->ld = t->stride[1];
    m->transposed = true;
    return true;
}

static void gemm(graft_ctx *g, graft_dtype dtype, const graft__gemm *p, const void *a,
                 const void *b, void *c)
{
    if (dtype == GRAFT_F32)
        graft__gemm_f32(g->pool, p, a, b, c);
    else
        graft__gemm_f64(g->pool, p, a, b, c);
}

static int64_t at_least_1(int64_t n)
{
    return n > 0 ? n : 1;
}

/* dx = dy W */
static graft_status give_x(graft__taped *node, const dims *d, const graft_shape *shape,
                           const matrix *dy)
{
    const graft_tensor *w = graft__load(node, 1);
    graft__array dx;
    double beta;
    matrix mw;
    if (!w)
        return GRAFT_ERR_STATE;
    if (!read_weight(w, &mw))
        return GRAFT_ERR_MEMORY;
    graft_status st = graft__give_into(node, 0, shape->ndim, shape->size, w->dtype, &beta, &dx);
    if (st == GRAFT_OK) {
        const graft__gemm p = {.trans_b = mw.transposed,
                               .m = d->rows,
                               .n = d->in,
                               .k = d->out,
                               .lda = dy->ld,
                               .ldb = mw.ld,
                               .ldc = at_least_1(d->in),
                               .alpha = 1,
                               .beta = beta};
        gemm(node->ctx, w->dtype, &p, dy->dense.data, mw.dense.data, dx.data);
    }
    graft__dense_free(node->ctx, &mw.dense);
    return st;
}

/* dW = dy^T x */
static graft_status give_weight(graft__taped *node, const dims *d, const matrix *dy)
{
    const graft_tensor *x = graft__load(node, 0);
    const int64_t size[2] = {d->out, d->in};
    graft__array dw;
    double beta;
    matrix mx;
    if (!x)
        return GRAFT_ERR_STATE;
    if (!read_rows(x, &mx))
        return GRAFT_ERR_MEMORY;
    graft_status st = graft__give_into(node, 1, 2, size, x->dtype, &beta, &dw);
    if (st == GRAFT_OK) {
        const graft__gemm p = {.trans_a = true,
                               .m = d->out,
                               .n = d->in,
                               .k = d->rows,
                               .lda = dy->ld,
                               .ldb = mx.ld,
                               .ldc = at_least_1(d->in),
                               .alpha = 1,
                               .beta = beta};
        gemm(node->ctx, x->dtype, &p, dy->dense.data, mx.dense.data, dw.data);
    }
    graft__dense_free(node->ctx, &mx.dense);
    return st;
}

/* db = the sum of the rows of dy */
static graft_status give_bias(graft__taped *node, const dims *d, graft_dtype dtype,
                              const matrix *dy)
{
    graft__array db;
    double beta;
    graft_status st = graft__give_into(node, 2, 1, &d->out, dtype, &beta, &db);
    if (st == GRAFT_OK)
        graft__sum_rows(node->ctx->pool, dtype, d->rows, d->out, dy->dense.data, dy->ld, db.data,
                        beta);
    return st;
}

typedef struct attr {
    dims d;
    graft_shape x;
} attr;

static graft_status linear_backward(graft__taped *node, graft_tensor *grad)
{
    const attr *at = node->attr;
    matrix dy;
    if (!read_rows(grad, &dy))
        return GRAFT_ERR_MEMORY;
    graft_status st = GRAFT_OK;
    if (graft__wants(node, 1))
        st = give_weight(node, &at->d, &dy);
    if (st == GRAFT_OK && node->inputs == 3 && graft__wants(node, 2))
        st = give_bias(node, &at->d, grad->dtype, &dy);
    if (st == GRAFT_OK && graft__wants(node, 0))
        st = give_x(node, &at->d, &at->x, &dy);
    graft__dense_free(node->ctx, &dy.dense);
    return st;
}

static const graft__op linear_op = {.name = "linear", .backward = linear_backward};

static bool record(graft_tensor *y, graft_tensor *const *input, int n, const dims *d)
{
    if (!graft__should_record(input, n))
        return true;
    graft__taped *node = graft__record(&linear_op, y, input, n, 2, sizeof(attr));
    if (!node)
        return false;
    *(attr *)node->attr = (attr){.d = *d, .x = graft__shape(input[0])};
    return (!graft__wants(node, 1) || graft__save(node, 0, input[0])) &&
           (!graft__wants(node, 0) || graft__save(node, 1, input[1]));
}

static bool fail_shapes(graft_tensor *const *input, int n)
{
    char x[GRAFT__SHAPE_TEXT], w[GRAFT__SHAPE_TEXT], b[GRAFT__SHAPE_TEXT];
    graft__fail(input[0]->object.ctx, GRAFT_ERR_SHAPE,
                "linear: x %s, weight %s, bias %s: expected [..., in], [out, in] and [out]",
                graft__tensor_shape_text(input[0], x), graft__tensor_shape_text(input[1], w),
                n == 3 ? graft__tensor_shape_text(input[2], b) : "none");
    return false;
}

static bool find_dims(graft_tensor *const *input, int n, dims *d)
{
    const graft_tensor *x = input[0], *w = input[1], *b = n == 3 ? input[2] : NULL;
    if (x->ndim < 1 || w->ndim != 2 || x->size[x->ndim - 1] != w->size[1] ||
        (b && (b->ndim != 1 || b->size[0] != w->size[0])))
        return fail_shapes(input, n);
    d->in = w->size[1];
    d->out = w->size[0];
    d->rows = 1;
    for (int i = 0; i < x->ndim - 1; i++)
        d->rows *= x->size[i];
    return true;
}

/* y = x W^T + b */
static bool compute(graft_tensor *y, graft_tensor *const *input, int n, const dims *d)
{
    graft_ctx *g = y->object.ctx;
    void *out = graft__first(y);
    matrix x, w;
    graft__dense b;
    if (n == 3) {
        if (!graft__dense_read("linear", input[2], &b))
            return false;
        graft__fill_rows(g->pool, y->dtype, d->rows, d->out, out, b.data);
        graft__dense_free(g, &b);
    }
    if (!read_rows(input[0], &x))
        return false;
    const bool ok = read_weight(input[1], &w);
    if (ok) {
        const graft__gemm p = {.trans_b = !w.transposed,
                               .m = d->rows,
                               .n = d->out,
                               .k = d->in,
                               .lda = x.ld,
                               .ldb = w.ld,
                               .ldc = at_least_1(d->out),
                               .alpha = 1,
                               .beta = n == 3 ? 1 : 0};
        gemm(g, y->dtype, &p, x.dense.data, w.dense.data, out);
        graft__dense_free(g, &w.dense);
    }
    graft__dense_free(g, &x.dense);
    return ok;
}

graft_tensor *graft_f_linear(graft_tensor *x, graft_tensor *weight, graft_tensor *bias)
{
    graft_tensor *input[3] = {x, weight, bias};
    const int n = bias ? 3 : 2;
    graft_dtype dtype;
    dims d;
    if (!graft__enter("linear", input, n, &dtype) || !find_dims(input, n, &d))
        return NULL;
    int64_t size[GRAFT_MAX_DIMS];
    for (int i = 0; i < input[0]->ndim; i++)
        size[i] = input[0]->size[i];
    size[input[0]->ndim - 1] = d.out;
    graft_tensor *y =
        graft__tensor_new(input[0]->object.ctx, "linear", input[0]->ndim, size, input[0]->dtype);
    if (!y)
        return NULL;
    const bool ok = compute(y, input, n, &d) && record(y, input, n, &d);
    return graft__leave(graft__finish(y, ok), dtype);
}
