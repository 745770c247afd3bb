#include "graft/ops.h"
#include "kernel/loss.h"
#include "ops/common.h"
#include "ops/dense.h"

typedef struct attr {
    graft_reduction reduction;
} attr;

typedef struct operands {
    graft__dense x, target;
} operands;

static bool read_operands(const graft_tensor *x, const graft_tensor *target, operands *o)
{
    if (!graft__dense_read("mse_loss", x, &o->x))
        return false;
    if (graft__dense_read("mse_loss", target, &o->target))
        return true;
    graft__dense_free(x->object.ctx, &o->x);
    return false;
}

static void free_operands(graft_ctx *g, operands *o)
{
    graft__dense_free(g, &o->x);
    graft__dense_free(g, &o->target);
}

/* Input i's share: 2 (x - target) dy for x, the opposite for the target. */
static graft_status give(graft__taped *node, int i, const graft_tensor *x, const operands *o,
                         const graft__dense *dy)
{
    const graft_reduction reduction = ((const attr *)node->attr)->reduction;
    graft__array dx;
    double beta;
    graft_status st = graft__give_into(node, i, x->ndim, x->size, x->dtype, &beta, &dx);
    if (st != GRAFT_OK)
        return st;
    const double scale = reduction == GRAFT_REDUCTION_MEAN ? 2 / (double)x->numel : 2;
    graft__mse_backward(node->ctx->pool, x->dtype, x->numel, o->x.data, o->target.data, dy->data,
                        reduction == GRAFT_REDUCTION_NONE, i == 0 ? scale : -scale, dx.data, beta);
    return GRAFT_OK;
}

static graft_status mse_loss_backward(graft__taped *node, graft_tensor *grad)
{
    const graft_tensor *x = graft__load(node, 0), *target = x ? graft__load(node, 1) : NULL;
    graft__dense dy;
    operands o;
    if (!target)
        return GRAFT_ERR_STATE;
    if (!graft__dense_read("mse_loss", grad, &dy))
        return GRAFT_ERR_MEMORY;
    graft_status st = GRAFT_ERR_MEMORY;
    if (read_operands(x, target, &o)) {
        st = GRAFT_OK;
        for (int i = 0; i < 2 && st == GRAFT_OK; i++)
            if (graft__wants(node, i))
                st = give(node, i, x, &o, &dy);
        free_operands(node->ctx, &o);
    }
    graft__dense_free(node->ctx, &dy);
    return st;
}

static const graft__op mse_loss_op = {.name = "mse_loss", .backward = mse_loss_backward};

static bool record(graft_tensor *y, graft_tensor *const input[2], graft_reduction reduction)
{
    if (!graft__should_record(input, 2))
        return true;
    graft__taped *node = graft__record(&mse_loss_op, y, input, 2, 2, sizeof(attr));
    if (!node)
        return false;
    ((attr *)node->attr)->reduction = reduction;
    return graft__save(node, 0, input[0]) && graft__save(node, 1, input[1]);
}

static bool check(const graft_tensor *x, const graft_tensor *target, graft_reduction reduction)
{
    char a[GRAFT__SHAPE_TEXT], b[GRAFT__SHAPE_TEXT];
    if ((int)reduction < GRAFT_REDUCTION_MEAN || (int)reduction > GRAFT_REDUCTION_NONE) {
        graft__fail(x->object.ctx, GRAFT_ERR_ARGUMENT, "mse_loss: %d is no reduction",
                    (int)reduction);
        return false;
    }
    if (graft__same_shape(x, target))
        return true;
    graft__fail(x->object.ctx, GRAFT_ERR_SHAPE, "mse_loss: x %s, target %s: expected equal shapes",
                graft__tensor_shape_text(x, a), graft__tensor_shape_text(target, b));
    return false;
}

graft_tensor *graft_mse_loss(graft_tensor *x, graft_tensor *target, graft_reduction reduction)
{
    static const graft__loss_reduction reductions[] = {
        [GRAFT_REDUCTION_MEAN] = GRAFT__LOSS_MEAN,
        [GRAFT_REDUCTION_SUM] = GRAFT__LOSS_SUM,
        [GRAFT_REDUCTION_NONE] = GRAFT__LOSS_EACH,
    };
    graft_tensor *input[2] = {x, target};
    graft_dtype dtype;
    operands o;
    if (!graft__enter("mse_loss", input, 2, &dtype) || !check(input[0], input[1], reduction))
        return NULL;
    graft_ctx *g = input[0]->object.ctx;
    const bool each = reduction == GRAFT_REDUCTION_NONE;
    graft_tensor *y = graft__tensor_new(g, "mse_loss", each ? input[0]->ndim : 0, input[0]->size,
                                        input[0]->dtype);
    if (!y)
        return NULL;
    bool ok = read_operands(input[0], input[1], &o);
    if (ok) {
        graft__mse(g->pool, y->dtype, input[0]->numel, o.x.data, o.target.data,
                   reductions[reduction], graft__first(y));
        free_operands(g, &o);
        ok = record(y, input, reduction);
    }
    return graft__leave(graft__finish(y, ok), dtype);
}
