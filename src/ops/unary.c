/* Operations on the elements of one tensor. */
#include "graft/ops.h"
#include "ops/common.h"

typedef enum what_to_save { SAVE_NOTHING, SAVE_INPUT, SAVE_RESULT } what_to_save;

typedef struct unary {
    graft__op op; /* first: backward finds the rest behind it */
    graft__function forward;
    graft__function backward; /* of the gradient and what was saved */
    what_to_save save;
} unary;

static graft_status backward(graft__taped *node, graft_tensor *grad)
{
    const unary *u = (const unary *)node->op;
    if (!graft__wants(node, 0))
        return GRAFT_OK;
    graft__array g, in;
    graft__read_into(grad, &g);
    if (u->save == SAVE_NOTHING)
        return graft__give_map(node, 0, u->backward, 0, &g, NULL, NULL);
    const graft_tensor *saved = graft__load(node, 0);
    if (!saved)
        return graft_error_status(node->ctx);
    graft__read_into(saved, &in);
    return graft__give_map(node, 0, u->backward, 0, &g, &in, NULL);
}

static bool record(const unary *u, graft_tensor *y, graft_tensor *x)
{
    graft__taped *node = graft__record(&u->op, y, &x, 1, u->save != SAVE_NOTHING, 0);
    if (!node)
        return false;
    return u->save == SAVE_NOTHING || graft__save(node, 0, u->save == SAVE_INPUT ? x : y);
}

static graft_tensor *apply(const unary *u, graft_tensor *x)
{
    graft_dtype result;
    if (!graft__enter(u->op.name, &x, 1, &result))
        return NULL;
    graft_tensor *y = graft__tensor_like(x, x->dtype);
    if (!y)
        return NULL;
    graft__array in, out;
    graft__read_into(x, &in);
    graft__read_into(y, &out);
    graft__map(x->object.ctx->pool, u->forward, 0, &out, &in, NULL, NULL);
    const bool ok = !graft__should_record(&x, 1) || record(u, y, x);
    return graft__leave(graft__finish(y, ok), result);
}

graft_tensor *graft_neg(graft_tensor *x)
{
    static const unary neg = {{"neg", backward}, GRAFT__NEG, GRAFT__NEG, SAVE_NOTHING};
    return apply(&neg, x);
}

graft_tensor *graft_abs(graft_tensor *x)
{
    static const unary abs = {{"abs", backward}, GRAFT__ABS, GRAFT__ABS_BACKWARD, SAVE_INPUT};
    return apply(&abs, x);
}

graft_tensor *graft_relu(graft_tensor *x)
{
    static const unary relu = {{"relu", backward}, GRAFT__RELU, GRAFT__RELU_BACKWARD, SAVE_RESULT};
    return apply(&relu, x);
}

graft_tensor *graft_tanh(graft_tensor *x)
{
    static const unary tanh = {{"tanh", backward}, GRAFT__TANH, GRAFT__TANH_BACKWARD, SAVE_RESULT};
    return apply(&tanh, x);
}

graft_tensor *graft_sigmoid(graft_tensor *x)
{
    static const unary sigmoid = {
        {"sigmoid", backward}, GRAFT__SIGMOID, GRAFT__SIGMOID_BACKWARD, SAVE_RESULT};
    return apply(&sigmoid, x);
}

graft_tensor *graft_exp(graft_tensor *x)
{
    static const unary exp = {{"exp", backward}, GRAFT__EXP, GRAFT__MUL, SAVE_RESULT};
    return apply(&exp, x);
}

graft_tensor *graft_log(graft_tensor *x)
{
    static const unary log = {{"log", backward}, GRAFT__LOG, GRAFT__DIV, SAVE_INPUT};
    return apply(&log, x);
}

graft_tensor *graft_sqrt(graft_tensor *x)
{
    static const unary sqrt = {{"sqrt", backward}, GRAFT__SQRT, GRAFT__SQRT_BACKWARD, SAVE_RESULT};
    return apply(&sqrt, x);
}
