/* Operations on the elements of two tensors, which broadcast. */
#include "graft/ops.h"
#include "ops/common.h"

typedef struct binary {
    graft__op op; /* first: backward finds the rest behind it */
    graft__function forward;
    bool saves; /* both inputs, as far as a gradient needs them */

    /* The gradient of input i, handed to give. */
    graft_status (*give)(graft__taped *node, int i, const graft__array *g, const graft__array *a,
                         const graft__array *b);
} binary;

/* node->attr: the inputs' shapes if the result has another, else only the first field. */
typedef struct shapes {
    bool broadcast;
    int8_t ndim[2];
    int64_t size[2][GRAFT_MAX_DIMS];
} shapes;

/* Gives input i the gradient f(x, y, z), which has the result's shape. */
static graft_status give(graft__taped *node, int i, graft__function f, const graft__array *x,
                         const graft__array *y, const graft__array *z)
{
    const shapes *attr = node->attr;
    if (!attr->broadcast)
        return graft__give_map(node, i, f, 0, x, y, z);
    graft_tensor *t =
        graft__result(graft__tensor_new(node->ctx, node->op->name, x->ndim, x->size, x->dtype));
    if (!t)
        return graft_error_status(node->ctx);
    graft__array out;
    graft__read_into(t, &out);
    graft__map(node->ctx->pool, f, 0, &out, x, y, z);
    return graft__give_summed(node, i, t, attr->ndim[i], attr->size[i]);
}

/* Slot i holds input i where a gradient needs it, broadcast to the result's shape here. */
static bool load(graft__taped *node, int i, const graft_tensor *grad, graft__array *out)
{
    if (node->saves == 0 || !graft__has_saved(node, i))
        return true;
    const graft_tensor *t = graft__load(node, i);
    if (!t)
        return false;
    graft__read_into(t, out);
    if (((const shapes *)node->attr)->broadcast)
        *out = graft__broadcast_array(out, grad->ndim, grad->size);
    return true;
}

static graft_status backward(graft__taped *node, graft_tensor *grad)
{
    const binary *k = (const binary *)node->op;
    graft__array g, a, b;
    graft__read_into(grad, &g);
    if (!load(node, 0, grad, &a) || !load(node, 1, grad, &b))
        return graft_error_status(node->ctx);
    graft_status st = GRAFT_OK;
    for (int i = 0; i < 2 && st == GRAFT_OK; i++) {
        if (graft__wants(node, i))
            st = k->give(node, i, &g, &a, &b);
    }
    return st;
}

/* The gradient as it is, summed where the input was repeated. */
static graft_status hand_on(graft__taped *node, int i, graft_tensor *grad)
{
    const shapes *attr = node->attr;
    if (!graft__wants(node, i))
        return GRAFT_OK;
    if (!attr->broadcast)
        return graft__give(node, i, grad);
    return graft__give_summed(node, i, grad, attr->ndim[i], attr->size[i]);
}

static graft_status backward_add(graft__taped *node, graft_tensor *grad)
{
    graft_status st = hand_on(node, 0, grad);
    return st == GRAFT_OK ? hand_on(node, 1, grad) : st;
}

static graft_status backward_sub(graft__taped *node, graft_tensor *grad)
{
    graft_status st = hand_on(node, 0, grad);
    if (st != GRAFT_OK || !graft__wants(node, 1))
        return st;
    graft__array g;
    graft__read_into(grad, &g);
    return give(node, 1, GRAFT__NEG, &g, NULL, NULL);
}

static graft_status give_mul(graft__taped *node, int i, const graft__array *g,
                             const graft__array *a, const graft__array *b)
{
    return give(node, i, GRAFT__MUL, g, i == 0 ? b : a, NULL);
}

static graft_status give_div(graft__taped *node, int i, const graft__array *g,
                             const graft__array *a, const graft__array *b)
{
    return i == 0 ? give(node, i, GRAFT__DIV, g, b, NULL)
                  : give(node, i, GRAFT__DIV_BACKWARD, g, a, b);
}

static graft_status give_pow(graft__taped *node, int i, const graft__array *g,
                             const graft__array *a, const graft__array *b)
{
    return give(node, i, i == 0 ? GRAFT__POW_BACKWARD_BASE : GRAFT__POW_BACKWARD_EXPONENT, g, a, b);
}

static graft_status give_maximum(graft__taped *node, int i, const graft__array *g,
                                 const graft__array *a, const graft__array *b)
{
    return give(node, i, GRAFT__MAXIMUM_BACKWARD, g, i == 0 ? a : b, i == 0 ? b : a);
}

static graft_status give_minimum(graft__taped *node, int i, const graft__array *g,
                                 const graft__array *a, const graft__array *b)
{
    return give(node, i, GRAFT__MINIMUM_BACKWARD, g, i == 0 ? a : b, i == 0 ? b : a);
}

/* A product's gradient by one factor needs the other; a quotient's by the dividend the divisor. */
static bool needs(const binary *k, int slot, graft_tensor *const *in)
{
    const bool first = graft_requires_grad(in[0]), second = graft_requires_grad(in[1]);
    if (k->forward == GRAFT__MUL)
        return slot == 0 ? second : first;
    return k->forward != GRAFT__DIV || slot == 1 || second;
}

static bool record(const binary *k, graft_tensor *y, graft_tensor *const *in)
{
    const bool broadcast = !graft__same_shape(y, in[0]) || !graft__same_shape(y, in[1]);
    graft__taped *node = graft__record(&k->op, y, in, 2, k->saves ? 2 : 0,
                                       broadcast ? sizeof(shapes) : sizeof(bool));
    if (!node)
        return false;
    shapes *attr = node->attr;
    if (broadcast) {
        attr->broadcast = true;
        for (int i = 0; i < 2; i++) {
            attr->ndim[i] = in[i]->ndim;
            for (int d = 0; d < in[i]->ndim; d++)
                attr->size[i][d] = in[i]->size[d];
        }
    }
    for (int i = 0; i < 2 && k->saves; i++) {
        if (needs(k, i, in) && !graft__save(node, i, in[i]))
            return false;
    }
    return true;
}

static graft_tensor *compute(const binary *k, graft_tensor *a, graft_tensor *b)
{
    graft__pool *pool = a->object.ctx->pool;
    graft__array x1, x2, out;
    graft__read_into(a, &x1);
    graft__read_into(b, &x2);
    if (graft__same_shape(a, b)) {
        graft_tensor *y = graft__tensor_like(a, a->dtype);
        if (!y)
            return NULL;
        graft__read_into(y, &out);
        graft__map(pool, k->forward, 0, &out, &x1, &x2, NULL);
        return y;
    }
    int ndim;
    int64_t size[GRAFT_MAX_DIMS];
    if (!graft__broadcast(k->op.name, a, b, &ndim, size))
        return NULL;
    graft_tensor *y = graft__tensor_new(a->object.ctx, k->op.name, ndim, size, a->dtype);
    if (!y)
        return NULL;
    graft__read_into(y, &out);
    if (!graft__same_shape(a, y))
        x1 = graft__broadcast_array(&x1, ndim, size);
    if (!graft__same_shape(b, y))
        x2 = graft__broadcast_array(&x2, ndim, size);
    graft__map(pool, k->forward, 0, &out, &x1, &x2, NULL);
    return y;
}

static graft_tensor *apply(const binary *k, graft_tensor *a, graft_tensor *b)
{
    graft_tensor *in[2] = {a, b};
    graft_dtype result;
    if (!graft__enter(k->op.name, in, 2, &result))
        return NULL;
    graft_tensor *y = compute(k, in[0], in[1]);
    if (!y)
        return NULL;
    const bool ok = !graft__should_record(in, 2) || record(k, y, in);
    return graft__leave(graft__finish(y, ok), result);
}

graft_tensor *graft_add(graft_tensor *a, graft_tensor *b)
{
    static const binary add = {{"add", backward_add}, GRAFT__ADD, false, NULL};
    return apply(&add, a, b);
}

graft_tensor *graft_sub(graft_tensor *a, graft_tensor *b)
{
    static const binary sub = {{"sub", backward_sub}, GRAFT__SUB, false, NULL};
    return apply(&sub, a, b);
}

graft_tensor *graft_mul(graft_tensor *a, graft_tensor *b)
{
    static const binary mul = {{"mul", backward}, GRAFT__MUL, true, give_mul};
    return apply(&mul, a, b);
}

graft_tensor *graft_div(graft_tensor *a, graft_tensor *b)
{
    static const binary div = {{"div", backward}, GRAFT__DIV, true, give_div};
    return apply(&div, a, b);
}

graft_tensor *graft_pow(graft_tensor *a, graft_tensor *b)
{
    static const binary pow = {{"pow", backward}, GRAFT__POW, true, give_pow};
    return apply(&pow, a, b);
}

graft_tensor *graft_maximum(graft_tensor *a, graft_tensor *b)
{
    static const binary maximum = {{"maximum", backward}, GRAFT__MAXIMUM, true, give_maximum};
    return apply(&maximum, a, b);
}

graft_tensor *graft_minimum(graft_tensor *a, graft_tensor *b)
{
    static const binary minimum = {{"minimum", backward}, GRAFT__MINIMUM, true, give_minimum};
    return apply(&minimum, a, b);
}
