#include "ops/common.h"

#include "graft/ops.h"
#include "kernel/accumulate.h"
#include "tensor/dtype.h"

/* ---- Inputs ---- */

static graft_dtype common_dtype(graft_tensor *const *input, int n)
{
    if (n == 2)
        return graft__result_dtype(input[0], input[1]);
    graft_dtype dtype = input[0]->dtype;
    for (int i = 1; i < n; i++)
        dtype = graft__promote(dtype, input[i]->dtype);
    return dtype;
}

static void fail_dtype(const char *op, graft_tensor *const *input, int n)
{
    const char *advice = "computes in float32 and float64 (in float32 for float16 and bfloat16)";
    graft_ctx *g = input[0]->object.ctx;
    const char *first = graft_dtype_name(input[0]->dtype);
    if (n == 2)
        graft__fail(g, GRAFT_ERR_DTYPE, "%s: %s, got %s and %s: convert with graft_to", op, advice,
                    first, graft_dtype_name(input[1]->dtype));
    else
        graft__fail(g, GRAFT_ERR_DTYPE, "%s: %s, got %s: convert with graft_to", op, advice, first);
}

static bool convert(graft_tensor **input, int n, graft_dtype common, graft_dtype compute)
{
    for (int i = 0; i < n; i++) {
        /* An integer beside a half is rounded to the half first, as PyTorch does. */
        if (!graft_dtype_is_floating(input[i]->dtype))
            input[i] = graft_to(input[i], common);
        if (input[i])
            input[i] = graft_to(input[i], compute);
        if (!input[i])
            return false;
    }
    return true;
}

bool graft__enter(const char *op, graft_tensor **input, int n, graft_dtype *result)
{
    bool as_it_is = true;
    for (int i = 0; i < n; i++) {
        if (!input[i])
            return false;
        as_it_is = as_it_is && input[i]->dtype == input[0]->dtype;
    }
    for (int i = 1; i < n; i++) {
        if (!graft__same_context(op, input[0], input[i]))
            return false;
    }
    *result = input[0]->dtype;
    if (as_it_is && graft__computes(*result))
        return true;
    for (int i = 0; i < n; i++) {
        if (!graft__check_computes(input[i]->object.ctx, op, input[i]->dtype))
            return false;
    }
    *result = common_dtype(input, n);
    if (!graft_dtype_is_floating(*result)) {
        fail_dtype(op, input, n);
        return false;
    }
    return convert(input, n, *result, *result == GRAFT_F64 ? GRAFT_F64 : GRAFT_F32);
}

graft_tensor *graft__leave(graft_tensor *y, graft_dtype result)
{
    return y && y->dtype != result ? graft_to(y, result) : y;
}

/* ---- Gradients ---- */

graft_status graft__give_summed(graft__taped *node, int i, graft_tensor *grad, int ndim,
                                const int64_t *size)
{
    if (!grad)
        return graft_error_status(node->ctx);
    const int extra = grad->ndim - ndim;
    graft_shape repeated = {.ndim = 0};
    for (int d = 0; d < grad->ndim; d++) {
        if (d < extra || size[d - extra] != grad->size[d])
            repeated.size[repeated.ndim++] = d;
    }
    if (repeated.ndim == 0)
        return graft__give(node, i, grad);
    graft_tensor *sum = graft_sum_dims(grad, repeated, true);
    if (!sum)
        return graft_error_status(node->ctx);
    graft_tensor *y = graft__result(graft__tensor_alias(sum, ndim, size, NULL, sum->offset));
    if (sum->object.owner >= 0)
        graft_tensor_free(sum); /* so that y alone holds the memory and can be given away */
    return graft__give(node, i, y);
}

static graft_status add_map(graft__taped *node, graft__function f, double s,
                            const graft__array *out, const graft__array *a, const graft__array *b,
                            const graft__array *c)
{
    graft_tensor *t =
        graft__tensor_new(node->ctx, node->op->name, out->ndim, out->size, out->dtype);
    if (!t)
        return graft_error_status(node->ctx);
    graft__array term = graft__fresh(t);
    graft__map(node->ctx->pool, f, s, &term, a, b, c);
    graft__accumulate(node->ctx->pool, out, &term);
    graft__tensor_unref(t);
    return GRAFT_OK;
}

graft_status graft__give_map(graft__taped *node, int i, graft__function f, double s,
                             const graft__array *a, const graft__array *b, const graft__array *c)
{
    double beta;
    graft__array out;
    graft_status st = graft__give_into(node, i, a->ndim, a->size, a->dtype, &beta, &out);
    if (st != GRAFT_OK)
        return st;
    if (beta != 0)
        return add_map(node, f, s, &out, a, b, c);
    graft__map(node->ctx->pool, f, s, &out, a, b, c);
    return GRAFT_OK;
}
