/* Losses over classes: cross entropy and the negative log likelihood. */
#include <stdio.h>

#include "graft/ops.h"
#include "kernel/loss.h"
#include "ops/common.h"
#include "ops/dense.h"

typedef struct family {
    graft__op op;
    bool from_logits;
} family;

graft_loss_options graft_loss_defaults(void)
{
    return (graft_loss_options){.reduction = GRAFT_REDUCTION_MEAN, .ignore_index = -100};
}

/* What backward needs; behind it lies, for cross entropy, the kernel's memory. */
typedef struct attr {
    graft__lanes lanes;
    int64_t ignore_index;
    double smoothing;
    graft__loss_reduction reduction;
    graft__class_totals totals;
} attr;

/* ---- Checks ---- */

static bool check_options(graft_ctx *g, const char *op, const graft_loss_options *o,
                          bool from_logits)
{
    const int reduction = (int)o->reduction;
    if (reduction < GRAFT_REDUCTION_MEAN || reduction > GRAFT_REDUCTION_NONE) {
        graft__fail(g, GRAFT_ERR_ARGUMENT, "%s: %d is no reduction", op, reduction);
        return false;
    }
    if (!from_logits && o->label_smoothing != 0) {
        graft__fail(g, GRAFT_ERR_ARGUMENT,
                    "%s: label_smoothing is %g: expected 0 (cross_entropy smooths labels)", op,
                    o->label_smoothing);
        return false;
    }
    if (!(o->label_smoothing >= 0 && o->label_smoothing <= 1)) {
        graft__fail(g, GRAFT_ERR_ARGUMENT, "%s: label_smoothing is %g: expected 0 to 1", op,
                    o->label_smoothing);
        return false;
    }
    return true;
}

static bool check_target(const char *op, const graft_tensor *x, const graft_tensor *target)
{
    graft_ctx *g = x->object.ctx;
    if (graft_dtype_is_floating(target->dtype) || target->dtype == GRAFT_BOOL ||
        !graft_dtype_computes(target->dtype)) {
        graft__fail(g, GRAFT_ERR_DTYPE,
                    "%s: target is %s: expected class indices of an integer dtype", op,
                    graft_dtype_name(target->dtype));
        return false;
    }
    bool fits = x->ndim >= 1 && target->ndim == x->ndim - 1;
    for (int d = 0; fits && d < target->ndim; d++)
        fits = target->size[d] == x->size[d == 0 ? 0 : d + 1];
    if (fits)
        return true;
    char a[GRAFT__SHAPE_TEXT], b[GRAFT__SHAPE_TEXT];
    graft__fail(g, GRAFT_ERR_SHAPE,
                "%s: input %s and target %s: expected [C] and [], [N, C] and [N], or [N, C, d1, "
                "...] and [N, d1, ...]",
                op, graft__tensor_shape_text(x, a), graft__tensor_shape_text(target, b));
    return false;
}

/* The weight in x's dtype; *weight stays NULL if there is none. */
static bool ready_weight(const char *op, const graft_tensor *x, graft_tensor **weight)
{
    graft_tensor *w = *weight;
    if (!w)
        return true;
    if (!graft__same_context(op, x, w))
        return false;
    const int64_t classes = x->size[x->ndim == 1 ? 0 : 1];
    if (w->ndim != 1 || w->size[0] != classes) {
        char text[GRAFT__SHAPE_TEXT];
        graft__fail(x->object.ctx, GRAFT_ERR_SHAPE,
                    "%s: weight %s: expected one for each of the %lld classes", op,
                    graft__tensor_shape_text(w, text), (long long)classes);
        return false;
    }
    if (graft__should_record(&w, 1)) {
        graft__fail(x->object.ctx, GRAFT_ERR_STATE,
                    "%s: weight requires grad, but no gradient is computed for it: detach it", op);
        return false;
    }
    *weight = graft_to(w, x->dtype);
    return *weight != NULL;
}

static graft__lanes lanes_of(const graft_tensor *x)
{
    graft__lanes l = {.dtype = x->dtype, .outer = 1, .inner = 1};
    const int classes = x->ndim == 1 ? 0 : 1;
    l.n = x->size[classes];
    if (x->ndim > 1)
        l.outer = x->size[0];
    for (int d = 2; d < x->ndim; d++)
        l.inner *= x->size[d];
    return l;
}

static void fail_class(const char *op, const graft_tensor *target, const graft__class_loss *c,
                       int64_t lane)
{
    char text[GRAFT__SHAPE_TEXT];
    int64_t place[GRAFT_MAX_DIMS], rest = lane;
    for (int d = target->ndim - 1; d >= 0; d--) {
        place[d] = rest % target->size[d];
        rest /= target->size[d];
    }
    graft__fail(target->object.ctx, GRAFT_ERR_ARGUMENT,
                "%s: target %lld at %s: expected a class, 0 to %lld, or ignore_index, %lld", op,
                (long long)graft__class_target(c, lane),
                graft__shape_text(target->ndim, place, text), (long long)c->lanes.n - 1,
                (long long)c->ignore_index);
}

/* ---- Memory ---- */

typedef struct operands {
    graft__dense x, target, weight;
} operands;

static void free_operands(graft_ctx *g, operands *o)
{
    graft__dense_free(g, &o->x);
    graft__dense_free(g, &o->target);
    graft__dense_free(g, &o->weight);
}

static bool read_operands(const char *op, const graft_tensor *x, const graft_tensor *target,
                          const graft_tensor *weight, operands *o)
{
    *o = (operands){.x = {.data = NULL}};
    const bool ok = graft__dense_read(op, x, &o->x) && graft__dense_read(op, target, &o->target) &&
                    (!weight || graft__dense_read(op, weight, &o->weight));
    if (!ok)
        free_operands(x->object.ctx, o);
    return ok;
}

static graft__class_loss loss_of(const attr *at, const operands *o, graft_dtype target)
{
    return (graft__class_loss){.lanes = at->lanes,
                               .x = o->x.data,
                               .target = o->target.data,
                               .target_dtype = target,
                               .weight = o->weight.data,
                               .ignore_index = at->ignore_index,
                               .smoothing = at->smoothing,
                               .reduction = at->reduction};
}

/* ---- Backward ---- */

static graft_status give(graft__taped *node, const graft_tensor *x, const graft__class_loss *c,
                         const void *dy, bool from_logits)
{
    attr *at = node->attr;
    graft__array dx;
    double beta;
    graft_status st = graft__give_into(node, 0, x->ndim, x->size, x->dtype, &beta, &dx);
    if (st != GRAFT_OK)
        return st;
    if (from_logits)
        graft__cross_entropy_backward(node->ctx->pool, c, at + 1, &at->totals, dy, dx.data, beta);
    else
        graft__nll_backward(node->ctx->pool, c, &at->totals, dy, dx.data, beta);
    return GRAFT_OK;
}

static graft_status backward(graft__taped *node, graft_tensor *grad, bool from_logits)
{
    const graft_tensor *x = graft__load(node, 0), *target = x ? graft__load(node, 1) : NULL;
    const bool weighted = graft__has_saved(node, 2);
    const graft_tensor *weight = target && weighted ? graft__load(node, 2) : NULL;
    graft__dense dy;
    operands o;
    if (!target || (weighted && !weight))
        return GRAFT_ERR_STATE;
    if (!graft__dense_read(node->op->name, grad, &dy))
        return GRAFT_ERR_MEMORY;
    graft_status st = GRAFT_ERR_MEMORY;
    if (read_operands(node->op->name, x, target, weight, &o)) {
        const graft__class_loss c = loss_of(node->attr, &o, target->dtype);
        st = give(node, x, &c, dy.data, from_logits);
        free_operands(node->ctx, &o);
    }
    graft__dense_free(node->ctx, &dy);
    return st;
}

static graft_status cross_entropy_backward(graft__taped *node, graft_tensor *grad)
{
    return backward(node, grad, true);
}

static graft_status nll_loss_backward(graft__taped *node, graft_tensor *grad)
{
    return backward(node, grad, false);
}

static const family cross_entropy = {{"cross_entropy", cross_entropy_backward}, true};
static const family nll_loss = {{"nll_loss", nll_loss_backward}, false};

/* ---- Forward ---- */

/* Computes the loss into y. All of at but the totals is filled in; memory: for cross entropy, or
 * NULL. */
static bool compute(const family *f, graft_tensor *y, const graft_tensor *x,
                    const graft_tensor *target, const graft_tensor *weight, attr *at, void *memory)
{
    graft_ctx *g = y->object.ctx;
    operands o;
    if (!read_operands(f->op.name, x, target, weight, &o))
        return false;
    const graft__class_loss c = loss_of(at, &o, target->dtype);
    const int64_t bad =
        f->from_logits ? graft__cross_entropy(g->pool, &c, graft__first(y), memory, &at->totals)
                       : graft__nll(g->pool, &c, graft__first(y), &at->totals);
    if (bad >= 0)
        fail_class(f->op.name, target, &c, bad);
    free_operands(g, &o);
    return bad < 0;
}

/* With a graph: what backward needs is kept in the node. */
static bool compute_recorded(const family *f, graft_tensor *y, graft_tensor *x,
                             graft_tensor *target, graft_tensor *weight, const attr *at)
{
    const int64_t elements = f->from_logits ? graft__cross_entropy_memory(&at->lanes) : 0;
    const size_t memory = (size_t)elements * graft_dtype_size(x->dtype);
    graft__taped *node = graft__record(&f->op, y, &x, 1, 3, sizeof(attr) + memory);
    if (!node)
        return false;
    attr *kept = node->attr;
    *kept = *at;
    return compute(f, y, x, target, weight, kept, kept + 1) && graft__save(node, 0, x) &&
           graft__save(node, 1, target) && (!weight || graft__save(node, 2, weight));
}

static graft_tensor *run(const family *f, graft_tensor *x, graft_tensor *target,
                         const graft_loss_options *options)
{
    static const graft__loss_reduction reductions[] = {
        [GRAFT_REDUCTION_MEAN] = GRAFT__LOSS_MEAN,
        [GRAFT_REDUCTION_SUM] = GRAFT__LOSS_SUM,
        [GRAFT_REDUCTION_NONE] = GRAFT__LOSS_EACH,
    };
    const graft_loss_options defaults = graft_loss_defaults(), *o = options ? options : &defaults;
    const char *op = f->op.name;
    graft_tensor *weight = o->weight;
    graft_dtype dtype;
    if (!x || !target || !graft__same_context(op, x, target) || !graft__enter(op, &x, 1, &dtype) ||
        !check_options(x->object.ctx, op, o, f->from_logits) || !check_target(op, x, target) ||
        !ready_weight(op, x, &weight))
        return NULL;
    attr at = {.lanes = lanes_of(x),
               .ignore_index = o->ignore_index,
               .smoothing = o->label_smoothing,
               .reduction = reductions[o->reduction]};
    const bool each = at.reduction == GRAFT__LOSS_EACH;
    graft_tensor *y =
        graft__tensor_new(x->object.ctx, op, each ? target->ndim : 0, target->size, x->dtype);
    if (!y)
        return NULL;
    const bool ok = graft__should_record(&x, 1) ? compute_recorded(f, y, x, target, weight, &at)
                                                : compute(f, y, x, target, weight, &at, NULL);
    return graft__leave(graft__finish(y, ok), dtype);
}

graft_tensor *graft_cross_entropy(graft_tensor *logits, graft_tensor *target)
{
    return run(&cross_entropy, logits, target, NULL);
}

graft_tensor *graft_cross_entropy_with(graft_tensor *logits, graft_tensor *target,
                                       const graft_loss_options *options)
{
    return run(&cross_entropy, logits, target, options);
}

graft_tensor *graft_nll_loss(graft_tensor *log_probs, graft_tensor *target,
                             const graft_loss_options *options)
{
    return run(&nll_loss, log_probs, target, options);
}
