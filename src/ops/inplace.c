/* Changing the elements of a tensor. */
#include <math.h>

#include "graft/ops.h"
#include "kernel/copy.h"
#include "kernel/random_fill.h"
#include "ops/common.h"
#include "tensor/dtype.h"

/* ---- What may be changed ---- */

/* Whether elements of t share memory, so that a loop over them would meet some more than once. */
static bool repeats(const graft_tensor *t)
{
    for (int d = 0; d < t->ndim; d++) {
        if (t->stride[d] == 0 && t->size[d] > 1)
            return t->numel > 0;
    }
    return false;
}

static bool may_change(const char *op, const graft_tensor *t)
{
    graft_ctx *g = t->object.ctx;
    if (t->requires_grad && !t->history && g->no_grad == 0) {
        graft__fail(g, GRAFT_ERR_STATE,
                    "%s: a leaf that requires grad can't be changed while operations are recorded: "
                    "do it between graft_no_grad_begin and graft_no_grad_end",
                    op);
        return false;
    }
    if (repeats(t)) {
        char text[GRAFT__SHAPE_TEXT];
        graft__fail(g, GRAFT_ERR_STATE,
                    "%s: elements of the expanded tensor of shape %s share memory: change a "
                    "contiguous copy",
                    op, graft__tensor_shape_text(t, text));
        return false;
    }
    return true;
}

/* A change of history is one of the tensor object; others that look at the same memory would keep a
 * history that says nothing of the change. */
static bool may_record(const char *op, const graft_tensor *t)
{
    if (t->is_gradient) { /* its leaf would hold a history that may hold the leaf */
        graft__fail(t->object.ctx, GRAFT_ERR_STATE,
                    "%s: the change must be recorded, but the tensor is a gradient: do it between "
                    "graft_no_grad_begin and graft_no_grad_end",
                    op);
        return false;
    }
    if (t->storage->refs == 1)
        return true;
    graft__fail(
        t->object.ctx, GRAFT_ERR_STATE,
        "%s: the change must be recorded, but the tensor shares its storage with another (a "
        "view, or what an operation saved for its gradient): use the operation that makes "
        "a new tensor",
        op);
    return false;
}

/* ---- Changes that are recorded: the operation that makes a new tensor, from what t was, and then
 * its elements and its history become t's. ---- */

/* What t is now, for an operation to save; the scope's. */
static graft_tensor *former(graft_tensor *t)
{
    graft_tensor *old = graft__tensor_snapshot(t, t->object.ctx);
    if (old && t->history)
        old->history = graft__taped_ref(t->history);
    return graft__result(old);
}

static void set_history(graft_tensor *t, graft__taped *history)
{
    graft__taped *old = t->history;
    if (history && t->object.refs > 1)
        graft__forget_saved(t);
    t->history = history ? graft__taped_ref(history) : NULL;
    graft__taped_unref(old);
}

/* Makes y, a result of old, the new t. */
static graft_tensor *become(graft_tensor *t, graft_tensor *old, graft_tensor *y)
{
    y = graft_to(y, t->dtype);
    if (!y)
        return NULL;
    graft_tensor_free(old); /* unless an operation saved it, t goes on in its own memory */
    if (graft__tensor_assign(t, y) != GRAFT_OK)
        return NULL;
    set_history(t, y->history);
    return t;
}

/* ---- Two tensors ---- */

typedef struct change {
    const char *name;
    graft__function f;
    graft_tensor *(*recorded)(graft_tensor *a, graft_tensor *b);
} change;

static bool fits(const char *op, const graft_tensor *t, const graft_tensor *other)
{
    bool ok = other->ndim <= t->ndim;
    for (int d = 1; ok && d <= other->ndim; d++) {
        const int64_t size = other->size[other->ndim - d];
        ok = size == 1 || size == t->size[t->ndim - d];
    }
    if (ok)
        return true;
    char a[GRAFT__SHAPE_TEXT], b[GRAFT__SHAPE_TEXT];
    graft__fail(t->object.ctx, GRAFT_ERR_SHAPE,
                "%s: shape %s does not broadcast to %s, that of the tensor to change", op,
                graft__tensor_shape_text(other, a), graft__tensor_shape_text(t, b));
    return false;
}

static bool floating(const char *op, const graft_tensor *t)
{
    if (graft_dtype_is_floating(t->dtype))
        return true;
    graft__fail(t->object.ctx, GRAFT_ERR_DTYPE,
                "%s: computes in float32 and float64 (in float32 for float16 and bfloat16), got "
                "%s: convert with graft_to",
                op, graft_dtype_name(t->dtype));
    return false;
}

/* other, or a copy of it if writing t while reading it would go wrong: they overlap, and not
 * element on element. */
static graft_tensor *apart(graft_tensor *t, graft_tensor *other)
{
    if (t->storage != other->storage)
        return other;
    bool same = t->offset == other->offset && graft__same_shape(t, other);
    for (int d = 0; same && d < t->ndim; d++)
        same = t->stride[d] == other->stride[d] || t->size[d] == 1;
    return same ? other : graft_copy(other);
}

/* t = f(t, other; s) in t's dtype or, for halves, by way of f32. other: NULL, or of t's dtype. */
static graft_tensor *compute(graft_tensor *t, graft__function f, double s, graft_tensor *other)
{
    graft_ctx *g = t->object.ctx;
    graft_tensor *work = t;
    if (!graft__computes(t->dtype)) {
        work = graft_to(t, GRAFT_F32);
        other = graft_to(other, GRAFT_F32);
    }
    graft__array dst, x;
    if (!work || !graft__write(work, &dst))
        return NULL;
    if (other) {
        x = graft__read(other);
        x = graft__broadcast_array(&x, t->ndim, t->size);
    }
    graft__map(g->pool, f, s, &dst, &dst, other ? &x : NULL, NULL);
    return work == t || graft__tensor_assign(t, work) == GRAFT_OK ? t : NULL;
}

/* compute, with nothing recorded of the conversions on the way. */
static graft_tensor *change_now(graft_tensor *t, graft__function f, double s, graft_tensor *other)
{
    graft_ctx *g = t->object.ctx;
    g->no_grad++;
    if (other) {
        other = graft_to(other, t->dtype);
        other = other ? apart(t, other) : NULL;
        t = other ? t : NULL;
    }
    if (t)
        t = compute(t, f, s, other);
    g->no_grad--;
    return t;
}

static graft_tensor *change_recorded(const change *c, graft_tensor *t, graft_tensor *other)
{
    if (!may_record(c->name, t))
        return NULL;
    /* t itself as the operand is what t was, too. */
    graft_tensor *old = former(t), *x = other == t ? old : graft_to(other, t->dtype);
    return old && x ? become(t, old, c->recorded(old, x)) : NULL;
}

static graft_tensor *apply(const change *c, graft_tensor *t, graft_tensor *other)
{
    if (!graft__same_context(c->name, t, other) || !floating(c->name, t) ||
        !graft__check_computes(t->object.ctx, c->name, other->dtype) || !may_change(c->name, t) ||
        !fits(c->name, t, other))
        return NULL;
    graft_tensor *const input[] = {t, other};
    return graft__should_record(input, 2) ? change_recorded(c, t, other)
                                          : change_now(t, c->f, 0, other);
}

graft_tensor *graft_add_(graft_tensor *t, graft_tensor *other)
{
    static const change add = {"add_", GRAFT__ADD, graft_add};
    return apply(&add, t, other);
}

graft_tensor *graft_sub_(graft_tensor *t, graft_tensor *other)
{
    static const change sub = {"sub_", GRAFT__SUB, graft_sub};
    return apply(&sub, t, other);
}

graft_tensor *graft_mul_(graft_tensor *t, graft_tensor *other)
{
    static const change mul = {"mul_", GRAFT__MUL, graft_mul};
    return apply(&mul, t, other);
}

graft_tensor *graft_div_(graft_tensor *t, graft_tensor *other)
{
    static const change div = {"div_", GRAFT__DIV, graft_div};
    return apply(&div, t, other);
}

/* ---- A tensor and a number ---- */

static graft_tensor *apply_scalar(const char *op, graft__function f,
                                  graft_tensor *(*recorded)(graft_tensor *a, double b),
                                  graft_tensor *t, double value)
{
    if (!t || !floating(op, t) || !may_change(op, t))
        return NULL;
    if (!graft__should_record(&t, 1))
        return change_now(t, f, value, NULL);
    if (!may_record(op, t))
        return NULL;
    graft_tensor *old = former(t);
    return old ? become(t, old, recorded(old, value)) : NULL;
}

graft_tensor *graft_add_scalar_(graft_tensor *t, double value)
{
    return apply_scalar("add_scalar_", GRAFT__ADD_S, graft_add_scalar, t, value);
}

graft_tensor *graft_mul_scalar_(graft_tensor *t, double value)
{
    return apply_scalar("mul_scalar_", GRAFT__MUL_S, graft_mul_scalar, t, value);
}

/* ---- New elements ---- */

static bool computes(const char *op, const graft_tensor *t)
{
    return graft__check_computes(t->object.ctx, op, t->dtype);
}

/* Readies t for elements that owe nothing to the old ones: it has no history afterwards. */
static bool renew(const char *op, graft_tensor *t)
{
    if (!may_change(op, t))
        return false;
    if (!graft__should_record(&t, 1))
        return true;
    if (!may_record(op, t))
        return false;
    set_history(t, NULL);
    return true;
}

graft_tensor *graft_copy_(graft_tensor *t, graft_tensor *source)
{
    if (!graft__same_context("copy_", t, source) || !fits("copy_", t, source))
        return NULL;
    if (t->dtype != source->dtype && !(computes("copy_", t) && computes("copy_", source)))
        return NULL;
    if (graft_dtype_size(t->dtype) == 0 && !graft__same_shape(t, source)) {
        graft__fail(t->object.ctx, GRAFT_ERR_SHAPE, "copy_: %s in blocks: expected equal shapes",
                    graft_dtype_name(t->dtype));
        return NULL;
    }
    graft_tensor *x = source;
    if (graft__should_record(&source, 1) && graft_dtype_is_floating(t->dtype)) {
        x = graft_expand(graft_to(x, t->dtype), graft_tensor_shape(t));
        if (!x || !may_record("copy_", t))
            return NULL;
    }
    if (!renew("copy_", t))
        return NULL;
    graft_ctx *g = t->object.ctx;
    g->no_grad++;
    graft_tensor *from = apart(t, x);
    g->no_grad--;
    if (!from || graft__tensor_assign(t, from) != GRAFT_OK)
        return NULL;
    if (x != source)
        set_history(t, x->history);
    return t;
}

graft_tensor *graft_fill_(graft_tensor *t, double value)
{
    graft__array dst;
    if (!t || !computes("fill_", t) || !renew("fill_", t) || !graft__overwrite(t, &dst))
        return NULL;
    graft__fill(t->object.ctx->pool, &dst, value);
    return t;
}

graft_tensor *graft_zero_(graft_tensor *t)
{
    graft__array dst;
    if (!t || !computes("zero_", t) || !renew("zero_", t) || !graft__overwrite(t, &dst))
        return NULL;
    graft__fill(t->object.ctx->pool, &dst, 0);
    return t;
}

graft_tensor *graft_uniform_(graft_tensor *t, double from, double to)
{
    if (!t || !floating("uniform_", t))
        return NULL;
    if (!(from <= to) || !isfinite(to - from)) {
        graft__fail(t->object.ctx, GRAFT_ERR_ARGUMENT,
                    "uniform_: from %g to %g: expected finite bounds in this order", from, to);
        return NULL;
    }
    graft__array dst;
    if (!renew("uniform_", t) || !graft__overwrite(t, &dst))
        return NULL;
    graft__fill_uniform(&t->object.ctx->random, &dst, from, to);
    return t;
}

graft_tensor *graft_normal_(graft_tensor *t, double mean, double std)
{
    if (!t || !floating("normal_", t))
        return NULL;
    if (!(std >= 0)) {
        graft__fail(t->object.ctx, GRAFT_ERR_ARGUMENT, "normal_: std %g: expected 0 or more", std);
        return NULL;
    }
    graft__array dst;
    if (!renew("normal_", t) || !graft__overwrite(t, &dst))
        return NULL;
    graft__fill_normal(&t->object.ctx->random, &dst, mean, std);
    return t;
}
