/* Values of a plan, and whether two are the same. */
#include <string.h>

#include "base/ctx.h"
#include "base/error.h"
#include "copy/plan.h"
#include "copy/same.h"
#include "kernel/same_bits.h"

bool graft__plan_brings(const graft_plan *plan, size_t i)
{
    const graft__plan_target *t = &plan->target[i];
    return t->leader == i && graft__plan_fits(t->action);
}

const graft__item *graft__plan_item(const graft_plan *plan, size_t i)
{
    const graft__plan_target *t = &plan->target[i];
    const size_t item = t->item == GRAFT__PLAN_NONE ? plan->target[t->leader].item : t->item;
    return item == GRAFT__PLAN_NONE ? NULL : &plan->items.item[item];
}

graft_tensor *graft__plan_initial(const graft_plan *plan, const graft_tensor *t)
{
    if (!graft__covers_storage(t) && !graft__storage_ready(t->storage, plan->ctx))
        return NULL;
    return graft__tensor_snapshot(t, plan->ctx);
}

/* An error of the source's context is one of the plan's too; where bytes of a file are wrong the
 * message is of the file and doesn't know the name. */
static void name_error(const graft_plan *plan, const char *name, const graft_ctx *from,
                       bool pending)
{
    graft_ctx *g = plan->ctx;
    if (!graft_error(g) && graft_error(from))
        graft__fail(g, graft_error_status(from), "%s", graft_error(from));
    if (!pending && graft_error_status(g) != GRAFT_ERR_MEMORY)
        graft__error_append(g, " (the value of \"%s\")", name);
}

graft_tensor *graft__plan_value(const graft_plan *plan, size_t i)
{
    const graft__plan_target *t = &plan->target[i];
    const bool pending = graft_error(plan->ctx);
    graft_tensor *value = graft__node_run(t->node, plan->ctx);
    if (!value)
        name_error(plan, t->name, graft__node_origin(t->node)->ctx, pending);
    return value;
}

/* ---- The same? ---- */

graft_tensor *graft__node_tensor(const graft__node *n)
{
    if (n->step || n->quantised || !n->dict)
        return NULL;
    const graft__value *v = &n->dict->entry[n->entry].value;
    return v->kind == GRAFT_VALUE_TENSOR ? v->tensor : NULL;
}

bool graft__node_same(const graft__node *a, const graft__node *b)
{
    if (a == b)
        return true;
    if (a->step != b->step || a->inputs != b->inputs || a->dtype != b->dtype ||
        !graft__equal_shapes(&a->shape, &b->shape))
        return false;
    if (!a->step) {
        const graft_tensor *t = graft__node_tensor(a), *u = graft__node_tensor(b);
        return t && u ? graft__same_place(t, u) : a->initial && a->initial == b->initial;
    }
    bool same = a->dim == b->dim && a->groups == b->groups && a->value == b->value &&
                a->fill == b->fill && a->seed == b->seed && a->mode == b->mode &&
                a->antialias == b->antialias && memcmp(a->number, b->number, sizeof a->number) == 0;
    for (int i = 0; i < a->inputs && same; i++)
        same = graft__node_same(a->input[i], b->input[i]);
    return same;
}

graft_status graft__plan_same(const graft_plan *plan, size_t i, size_t j, bool *same)
{
    *same = graft__node_same(plan->target[i].node, plan->target[j].node);
    if (*same)
        return GRAFT_OK;
    graft_tensor *a = graft__plan_value(plan, i), *b = a ? graft__plan_value(plan, j) : NULL;
    if (a && b) {
        const graft__array x = graft__read(a), y = graft__read(b);
        *same = graft__same_bits(&x, &y);
    }
    graft__tensor_unref(a);
    graft__tensor_unref(b);
    return a && b ? GRAFT_OK : graft_error_status(plan->ctx);
}
