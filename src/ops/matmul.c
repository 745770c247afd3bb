#include "kernel/matmul.h"

#include <stdio.h>

#include "graft/ops.h"
#include "ops/common.h"
#include "ops/dense.h"

/* a as [batch..., m, k], b as [batch..., k, n], whatever dimensions they have: a vector a is one
 * row, a vector b one column. The result has no dimension for what was a vector. */
typedef struct dims {
    int batch; /* dimensions of the batch */
    int64_t batch_size[GRAFT_MAX_DIMS];
    int64_t m, n, k;
    bool a_vector, b_vector;
} dims;

static bool fail_shapes(const graft_tensor *a, const graft_tensor *b, const char *what)
{
    char ta[GRAFT__SHAPE_TEXT], tb[GRAFT__SHAPE_TEXT];
    graft__fail(a->object.ctx, GRAFT_ERR_SHAPE, "matmul: %s x %s: %s",
                graft__tensor_shape_text(a, ta), graft__tensor_shape_text(b, tb), what);
    return false;
}

static bool find_batch(const graft_tensor *a, const graft_tensor *b, dims *d)
{
    const int na = a->ndim > 2 ? a->ndim - 2 : 0, nb = b->ndim > 2 ? b->ndim - 2 : 0;
    d->batch = na > nb ? na : nb;
    for (int i = 0; i < d->batch; i++) {
        const int ia = i - (d->batch - na), ib = i - (d->batch - nb);
        const int64_t x = ia >= 0 ? a->size[ia] : 1, y = ib >= 0 ? b->size[ib] : 1;
        if (x != y && x != 1 && y != 1)
            return fail_shapes(a, b,
                               "the batch dimensions (all but the last two) do not broadcast");
        d->batch_size[i] = x == 1 ? y : x;
    }
    return true;
}

static bool find_dims(const graft_tensor *a, const graft_tensor *b, dims *d)
{
    if (a->ndim == 0 || b->ndim == 0)
        return fail_shapes(a, b, "expected at least one dimension each");
    d->a_vector = a->ndim == 1;
    d->b_vector = b->ndim == 1;
    d->m = d->a_vector ? 1 : a->size[a->ndim - 2];
    d->k = a->size[a->ndim - 1];
    d->n = d->b_vector ? 1 : b->size[b->ndim - 1];
    const int64_t k = d->b_vector ? b->size[0] : b->size[b->ndim - 2];
    if (k != d->k) {
        char text[96];
        snprintf(text, sizeof text,
                 "what is summed over has size %lld on the left and %lld on the "
                 "right",
                 (long long)d->k, (long long)k);
        return fail_shapes(a, b, text);
    }
    return find_batch(a, b, d);
}

/* The array t as the batch of matrices [..., rows, cols]; t has no dimension for the rows, or none
 * for the columns, where no_rows and no_cols say so. */
static graft__array as_matrices(const graft__array *t, const dims *d, bool no_rows, bool no_cols,
                                int64_t rows, int64_t cols)
{
    const int own = t->ndim - !no_rows - !no_cols; /* its own batch dimensions */
    graft__array x = {.data = t->data, .dtype = t->dtype, .ndim = d->batch + 2};
    for (int i = 0; i < d->batch; i++) {
        const int from = i - (d->batch - own);
        const bool repeats = from < 0 || t->size[from] != d->batch_size[i];
        x.size[i] = d->batch_size[i];
        x.stride[i] = repeats ? 0 : t->stride[from];
    }
    int from = own;
    x.size[d->batch] = rows;
    x.stride[d->batch] = no_rows ? cols : t->stride[from++];
    x.size[d->batch + 1] = cols;
    x.stride[d->batch + 1] = no_cols ? 1 : t->stride[from];
    return x;
}

static graft__array a_matrices(const graft__array *a, const dims *d)
{
    return as_matrices(a, d, d->a_vector, false, d->m, d->k);
}

static graft__array b_matrices(const graft__array *b, const dims *d)
{
    return as_matrices(b, d, false, d->b_vector, d->k, d->n);
}

static graft__array c_matrices(const graft__array *c, const dims *d)
{
    return as_matrices(c, d, d->a_vector, d->b_vector, d->m, d->n);
}

static graft__array transposed(const graft__array *x)
{
    graft__array y = *x;
    const int r = x->ndim - 2, c = x->ndim - 1;
    y.size[r] = x->size[c];
    y.size[c] = x->size[r];
    y.stride[r] = x->stride[c];
    y.stride[c] = x->stride[r];
    return y;
}

/* Matrices that the kernel takes: x itself or a copy. */
static bool ready(graft_ctx *g, graft__array *x, graft__dense *copy)
{
    *copy = (graft__dense){.data = x->data};
    if (graft__matmul_takes(x))
        return true;
    unsigned repeated = 0;
    for (int i = 0; i < x->ndim - 2; i++)
        repeated |= (unsigned)(x->stride[i] == 0) << i;
    const graft__array from = *x;
    return graft__dense_array(g, "matmul", &from, repeated, copy, x);
}

/* The factors of a product as the kernel takes them. */
typedef struct factors {
    graft__array a, b;
    graft__dense copy_a, copy_b;
} factors;

static bool ready_factors(graft_ctx *g, graft__array a, graft__array b, factors *f)
{
    *f = (factors){.a = a, .b = b};
    if (!ready(g, &f->a, &f->copy_a))
        return false;
    if (ready(g, &f->b, &f->copy_b))
        return true;
    graft__dense_free(g, &f->copy_a);
    return false;
}

static void free_factors(graft_ctx *g, factors *f)
{
    graft__dense_free(g, &f->copy_a);
    graft__dense_free(g, &f->copy_b);
}

typedef struct attr {
    dims d;
    graft_shape a, b;
} attr;

typedef graft__array as_matrices_of(const graft__array *t, const dims *d);

/* Gives input i, of that shape, the product of the factors; the gradient's matrices are seen by
 * `seen`. Lets go of the factors. */
static graft_status give(graft__taped *node, int i, const graft_shape *shape, as_matrices_of *seen,
                         factors *f)
{
    const attr *at = node->attr;
    double beta;
    graft__array out;
    graft_status st = graft__give_into(node, i, shape->ndim, shape->size, f->a.dtype, &beta, &out);
    if (st == GRAFT_OK) {
        const graft__array c = seen(&out, &at->d);
        graft__matmul(node->ctx->pool, &c, &f->a, &f->b, beta);
    }
    free_factors(node->ctx, f);
    return st;
}

/* da = dc b^T */
static graft_status give_a(graft__taped *node, const graft__array *dc)
{
    const attr *at = node->attr;
    const graft_tensor *b = graft__load(node, 1);
    factors f;
    if (!b)
        return GRAFT_ERR_STATE;
    const graft__array read = graft__read(b), m = b_matrices(&read, &at->d);
    if (!ready_factors(node->ctx, c_matrices(dc, &at->d), transposed(&m), &f))
        return GRAFT_ERR_MEMORY;
    return give(node, 0, &at->a, a_matrices, &f);
}

/* db = a^T dc */
static graft_status give_b(graft__taped *node, const graft__array *dc)
{
    const attr *at = node->attr;
    const graft_tensor *a = graft__load(node, 0);
    factors f;
    if (!a)
        return GRAFT_ERR_STATE;
    const graft__array read = graft__read(a), m = a_matrices(&read, &at->d);
    if (!ready_factors(node->ctx, transposed(&m), c_matrices(dc, &at->d), &f))
        return GRAFT_ERR_MEMORY;
    return give(node, 1, &at->b, b_matrices, &f);
}

static graft_status matmul_backward(graft__taped *node, graft_tensor *grad)
{
    const graft__array dc = graft__read(grad);
    graft_status st = graft__wants(node, 0) ? give_a(node, &dc) : GRAFT_OK;
    if (st == GRAFT_OK && graft__wants(node, 1))
        st = give_b(node, &dc);
    return st;
}

static const graft__op matmul_op = {.name = "matmul", .backward = matmul_backward};

static bool record(graft_tensor *y, graft_tensor *const input[2], const dims *d)
{
    if (!graft__should_record(input, 2))
        return true;
    graft__taped *node = graft__record(&matmul_op, y, input, 2, 2, sizeof(attr));
    if (!node)
        return false;
    *(attr *)node->attr = (attr){.d = *d, .a = graft__shape(input[0]), .b = graft__shape(input[1])};
    return (!graft__wants(node, 1) || graft__save(node, 0, input[0])) &&
           (!graft__wants(node, 0) || graft__save(node, 1, input[1]));
}

static graft_tensor *new_result(const graft_tensor *a, const dims *d)
{
    int64_t size[GRAFT_MAX_DIMS];
    int n = 0;
    for (; n < d->batch; n++)
        size[n] = d->batch_size[n];
    if (!d->a_vector)
        size[n++] = d->m;
    if (!d->b_vector)
        size[n++] = d->n;
    return graft__tensor_new(a->object.ctx, "matmul", n, size, a->dtype);
}

graft_tensor *graft_matmul(graft_tensor *a, graft_tensor *b)
{
    graft_tensor *input[2] = {a, b};
    graft_dtype dtype;
    dims d;
    if (!graft__enter("matmul", input, 2, &dtype) || !find_dims(input[0], input[1], &d))
        return NULL;
    graft_ctx *g = input[0]->object.ctx;
    const graft__array ra = graft__read(input[0]), rb = graft__read(input[1]);
    graft_tensor *y = new_result(input[0], &d);
    factors f;
    if (!y)
        return NULL;
    bool ok = ready_factors(g, a_matrices(&ra, &d), b_matrices(&rb, &d), &f);
    if (ok) {
        const graft__array ry = graft__fresh(y), c = c_matrices(&ry, &d);
        graft__matmul(g->pool, &c, &f.a, &f.b, 0);
        free_factors(g, &f);
        ok = record(y, input, &d);
    }
    return graft__leave(graft__finish(y, ok), dtype);
}
