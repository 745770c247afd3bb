/* What a target would be, as a new dict. */
#include <string.h>

#include "base/ctx.h"
#include "base/error.h"
#include "copy/copier.h"
#include "copy/plan.h"

/* A tensor with memory of its own over what t has now, whose bytes are not looked at where they
 * still wait. */
static graft_tensor *own_copy(const graft_plan *plan, const graft_tensor *t)
{
    if (graft__covers_storage(t))
        return graft__tensor_snapshot(t, plan->ctx);
    return graft__plan_initial(plan, t);
}

/* Whether names get memory of their own, whatever the source's share. */
static bool breaks_ties(const graft_plan *plan)
{
    return plan->ties == GRAFT__TIES_BREAK;
}

/* Whether storages are shared as the source shares them: not as a target does. */
static bool shares_as_source(const graft_plan *plan)
{
    return !plan->module && !plan->dict && !breaks_ties(plan);
}

/* What the target gets: as it is, or computed. */
static graft_tensor *new_value(const graft_plan *plan, graft__node *n, graft__copier *copier)
{
    const graft_tensor *plain = graft__node_tensor(n);
    if (plain && shares_as_source(plan))
        return graft__copier_tensor(copier, plain);
    return plain && graft__covers_storage(plain) ? own_copy(plan, plain)
                                                 : graft__node_promise(n, plan->ctx);
}

/* What the target gets, or has where it gets nothing: the caller's reference. */
static graft_tensor *value_of(const graft_plan *plan, const graft__plan_target *t,
                              graft__copier *copier)
{
    graft_tensor *value =
        graft__plan_fits(t->action) ? new_value(plan, t->node, copier) : own_copy(plan, t->tensor);
    if (value)
        value->requires_grad = false;
    if (!value || plan->module)
        return value;
    const graft_tensor *like =
        t->tensor ? t->tensor : graft__node_tensor(graft__node_origin(t->node));
    if (like) {
        value->parameter = like->parameter;
        value->requires_grad =
            like->requires_grad && !like->history && graft_dtype_is_floating(value->dtype);
    }
    return value;
}

static graft_tensor *alias(const graft_tensor *t)
{
    graft_tensor *other = graft__tensor_alias(t, t->ndim, t->size, t->stride, t->offset);
    if (other) {
        other->parameter = t->parameter;
        other->requires_grad = t->requires_grad;
    }
    return other;
}

/* A record of a quantized tensor stays what it is. */
static graft_status add_record(graft_dict *d, const graft__plan_target *t)
{
    const graft__node *n = t->node;
    return graft_dict_set_dict(d, t->name, n->dict->entry[n->entry].value.dict);
}

/* made[i] is the tensor of the memory that target i leads, borrowed from d. */
static graft_status add_target(const graft_plan *plan, size_t i, graft_dict *d, graft_tensor **made,
                               graft__copier *copier)
{
    const graft__plan_target *t = &plan->target[i];
    if (t->node && t->node->quantised && !t->node->step)
        return add_record(d, t);
    const graft_tensor *tied = breaks_ties(plan) ? NULL : made[t->leader];
    graft_tensor *value = tied ? alias(tied) : value_of(plan, &plan->target[t->leader], copier);
    if (!value)
        return graft_error_status(plan->ctx);
    const graft_status st = graft__dict_append_tensor(d, t->name, value);
    graft__tensor_unref(value);
    if (st == GRAFT_OK)
        made[t->leader] = value;
    return st;
}

static graft_status add_targets(const graft_plan *plan, graft_dict *d)
{
    const size_t bytes = plan->count * sizeof(graft_tensor *);
    graft_tensor **made = graft__alloc_zero(plan->ctx, bytes);
    if (!made)
        return graft__fail_memory(plan->ctx, bytes, "plan_result");
    graft__copier copier;
    graft__copier_init(&copier, plan->ctx);
    graft_status st = GRAFT_OK;
    for (size_t i = 0; i < plan->count && st == GRAFT_OK; i++)
        st = add_target(plan, i, d, made, &copier);
    graft__copier_free(&copier);
    graft__free(plan->ctx, made, bytes);
    return st;
}

/* ---- _metadata ---- */

/* Whether the rules left every name as it was. */
static bool keeps_names(const graft_plan *plan)
{
    bool same = plan->items.count == plan->items.sources;
    for (size_t i = 0; i < plan->items.count && same; i++)
        same = strcmp(plan->items.item[i].name, plan->items.source[i]) == 0;
    return same;
}

/* The attributes of what the result stands for: of the model's state dict, of the target, or of a
 * source whose names it keeps. */
static graft_status add_metadata(const graft_plan *plan, graft_dict *d)
{
    const graft_dict *like = plan->dict;
    graft_status st = graft_scope_begin(plan->ctx);
    if (st != GRAFT_OK)
        return st;
    if (plan->module) {
        like = graft_state_dict(plan->module);
        st = like ? GRAFT_OK : GRAFT_ERR_MEMORY;
    } else if (!like && keeps_names(plan))
        like = plan->source;
    if (like && like->attributes) {
        graft_dict *copy = graft_dict_clone(like->attributes, plan->ctx);
        st = copy ? graft_dict_set_attributes(d, copy) : GRAFT_ERR_MEMORY;
        graft_dict_free(copy);
    }
    graft_scope_end(plan->ctx);
    return st;
}

graft_dict *graft_plan_result(graft_plan *plan)
{
    static const char class_name[] = "collections.OrderedDict";
    if (!plan || graft_plan_check(plan) != GRAFT_OK)
        return NULL;
    graft_dict *d = graft__dict_new(plan->ctx);
    if (!d)
        return NULL;
    if (graft__dict_set_class(d, "plan_result", class_name, strlen(class_name),
                              strlen("collections")) &&
        add_targets(plan, d) == GRAFT_OK && add_metadata(plan, d) == GRAFT_OK) {
        graft__own_by_context(&d->object);
        return d;
    }
    graft__dict_unref(d);
    return NULL;
}
