/* Operations on the elements of a tensor and a number. */
#include "graft/ops.h"
#include "ops/common.h"

typedef struct scalar {
    graft__op op; /* first: backward finds the rest behind it */
    graft__function forward;
    graft__function backward; /* of the gradient, and of the input if that is saved */
    bool saves_input;
} scalar;

/* node->attr: the number, a double. */
static double number(const graft__taped *node)
{
    return *(const double *)node->attr;
}

static graft_status backward(graft__taped *node, graft_tensor *grad)
{
    const scalar *k = (const scalar *)node->op;
    if (!graft__wants(node, 0))
        return GRAFT_OK;
    graft__array g, in;
    graft__read_into(grad, &g);
    if (!k->saves_input)
        return graft__give_map(node, 0, k->backward, number(node), &g, NULL, NULL);
    const graft_tensor *x = graft__load(node, 0);
    if (!x)
        return graft_error_status(node->ctx);
    graft__read_into(x, &in);
    return graft__give_map(node, 0, k->backward, number(node), &g, &in, NULL);
}

static graft_status hand_on(graft__taped *node, graft_tensor *grad)
{
    return graft__wants(node, 0) ? graft__give(node, 0, grad) : GRAFT_OK;
}

static bool record(const scalar *k, graft_tensor *y, graft_tensor *x, double s)
{
    graft__taped *node = graft__record(&k->op, y, &x, 1, k->saves_input, sizeof(double));
    if (!node)
        return false;
    *(double *)node->attr = s;
    return !k->saves_input || graft__save(node, 0, x);
}

static graft_tensor *apply(const scalar *k, graft_tensor *x, double s)
{
    graft_dtype result;
    if (!graft__enter(k->op.name, &x, 1, &result))
        return NULL;
    graft_tensor *y = graft__tensor_like(x, x->dtype);
    if (!y)
        return NULL;
    graft__array in, out;
    graft__read_into(x, &in);
    graft__read_into(y, &out);
    graft__map(x->object.ctx->pool, k->forward, s, &out, &in, NULL, NULL);
    const bool ok = !graft__should_record(&x, 1) || record(k, y, x, s);
    return graft__leave(graft__finish(y, ok), result);
}

graft_tensor *graft_add_scalar(graft_tensor *a, double b)
{
    static const scalar add = {{"add_scalar", hand_on}, GRAFT__ADD_S, GRAFT__ADD_S, false};
    return apply(&add, a, b);
}

graft_tensor *graft_sub_scalar(graft_tensor *a, double b)
{
    static const scalar sub = {{"sub_scalar", hand_on}, GRAFT__ADD_S, GRAFT__ADD_S, false};
    return apply(&sub, a, -b);
}

graft_tensor *graft_mul_scalar(graft_tensor *a, double b)
{
    static const scalar mul = {{"mul_scalar", backward}, GRAFT__MUL_S, GRAFT__MUL_S, false};
    return apply(&mul, a, b);
}

graft_tensor *graft_div_scalar(graft_tensor *a, double b)
{
    static const scalar div = {{"div_scalar", backward}, GRAFT__DIV_S, GRAFT__DIV_S, false};
    return apply(&div, a, b);
}

graft_tensor *graft_pow_scalar(graft_tensor *a, double exponent)
{
    static const scalar pow = {{"pow_scalar", backward}, GRAFT__POW_S, GRAFT__POW_S_BACKWARD, true};
    return apply(&pow, a, exponent);
}
