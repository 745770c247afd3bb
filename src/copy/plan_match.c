/* Which item is for which target, and whether it fits. */
#include <string.h>

#include "base/alloc.h"
#include "base/ctx.h"
#include "base/error.h"
#include "base/vector.h"
#include "copy/both.h"
#include "copy/node_make.h"
#include "copy/plan.h"

/* ---- Targets ---- */

static graft__plan_target *add_target(graft_plan *plan, const char *name, graft_tensor *tensor)
{
    graft_ctx *g = plan->ctx;
    void *targets = plan->target;
    const bool room =
        graft__vector_reserve(g, &targets, plan->count, &plan->capacity, sizeof *plan->target);
    plan->target = targets;
    char *kept = room ? graft__strdup(g, name) : NULL;
    if (!kept) {
        graft__fail_memory(g, sizeof *plan->target, "plan");
        return NULL;
    }
    graft__plan_target *t = &plan->target[plan->count];
    *t = (graft__plan_target){
        .name = kept,
        .tensor = tensor ? graft__tensor_ref(tensor) : NULL,
        .action = GRAFT_PLAN_INITIAL,
        .item = GRAFT__PLAN_NONE,
        .leader = plan->count++,
        .peer = GRAFT__PLAN_NONE,
    };
    return t;
}

static graft_status list_slot(void *user, const char *path, graft_module *owner, graft__slot *slot,
                              bool first)
{
    (void)owner, (void)first;
    if (!slot->tensor || !slot->persistent)
        return GRAFT_OK;
    return add_target(user, path, slot->tensor) ? GRAFT_OK : GRAFT_ERR_MEMORY;
}

/* A quantized tensor has no values to exchange, and its parts are not tensors of their own. */
static graft_status refuse_quantised(void *user, const char *path, graft_dict *parent, size_t i)
{
    if (!graft__is_nested(parent->entry[i].value.kind))
        return GRAFT_OK;
    return graft__fail(
        ((const graft_plan *)user)->ctx, GRAFT_ERR_DTYPE,
        "plan: \"%s\" of the target is quantized: expected a target of plain tensors", path);
}

static graft_status list_dict(graft_plan *plan)
{
    graft_status st = graft__dict_walk_whole(plan->dict, "plan", INT64_MAX,
                                             graft__node_is_quantised, refuse_quantised, plan);
    if (st == GRAFT_OK)
        st = graft_scope_begin(plan->ctx);
    if (st != GRAFT_OK)
        return st;
    const graft_dict *flat = graft_dict_flatten(plan->dict);
    if (!flat)
        st = graft_error_status(plan->ctx);
    for (size_t i = 0; flat && i < flat->count && st == GRAFT_OK; i++)
        if (!add_target(plan, graft__entry_name(flat, i), flat->entry[i].value.tensor))
            st = GRAFT_ERR_MEMORY;
    graft_scope_end(plan->ctx);
    return st;
}

static graft_status list_items(graft_plan *plan)
{
    for (size_t i = 0; i < plan->items.count; i++)
        if (!add_target(plan, plan->items.item[i].name, NULL))
            return GRAFT_ERR_MEMORY;
    return GRAFT_OK;
}

static graft_status list_targets(graft_plan *plan)
{
    if (plan->module) {
        const graft__visitor v = {.all_names = true, .user = plan, .slot = list_slot};
        return graft__visit(plan->module, &v);
    }
    return plan->dict ? list_dict(plan) : list_items(plan);
}

/* ---- Finding items ---- */

/* Targets and items mostly come in one order: then each is found behind the one before it. Else the
 * items are sorted, once. (A hash would be there for an attacker to fill with collisions.) */
typedef struct finder {
    const graft__items *items;
    size_t next;
    bool sorted;
    graft__item_index index;
} finder;

static bool is_next(const finder *f, const char *name)
{
    return f->next < f->items->count && strcmp(f->items->item[f->next].name, name) == 0;
}

/* The item of that name, or NONE, in *item. false, with the error set, without memory. */
static bool find_item(const graft_plan *plan, finder *f, const char *name, size_t *item)
{
    *item = f->next;
    if (!is_next(f, name)) {
        if (!f->sorted && !graft__item_index_open(&f->index, &plan->items))
            return false;
        f->sorted = true;
        const int64_t found = graft__item_index_find(&f->index, name);
        *item = found < 0 ? GRAFT__PLAN_NONE : (size_t)found;
    }
    if (*item != GRAFT__PLAN_NONE)
        f->next = *item + 1;
    return true;
}

/* ---- Whether it fits ---- */

static graft_shape shape_of(const graft_tensor *t)
{
    return graft_shape_of(t->ndim, t->size);
}

static bool is_shape(const graft__node *n, const graft_tensor *t)
{
    return n->shape.ndim == t->ndim &&
           memcmp(n->shape.size, t->size, (size_t)t->ndim * sizeof *t->size) == 0;
}

static void conflict(graft__plan_target *t, graft__clash clash)
{
    t->action = GRAFT_PLAN_CONFLICT;
    t->clash = clash;
}

/* Whether the step is one of those that lead to n. */
static bool has_step(const graft__node *n, const graft__step *step)
{
    bool has = n->step == step;
    for (int i = 0; i < n->inputs && !has; i++)
        has = has_step(n->input[i], step);
    return has;
}

static graft_plan_action action_of(const graft__node *n)
{
    if (!n->step)
        return GRAFT_PLAN_COPIED;
    if (n->step == &graft__cast_step && !n->input[0]->step)
        return GRAFT_PLAN_CAST;
    return has_step(n, &graft__fuse_step)   ? GRAFT_PLAN_FUSED
           : has_step(n, &graft__part_step) ? GRAFT_PLAN_SPLIT
                                            : GRAFT_PLAN_CHANGED;
}

/* A rule that could not be carried out for this target is a conflict of it and no error. */
static graft_status rule_fails(graft_plan *plan, graft__plan_target *t, const graft__item *item,
                               const char *why)
{
    t->how = graft__strdup(plan->ctx, why);
    graft_clear_error(plan->ctx);
    if (!t->how)
        return graft__fail_memory(plan->ctx, 0, "plan");
    t->node = graft__node_ref(item->node);
    conflict(t, GRAFT__CLASH_RULE);
    return GRAFT_OK;
}

/* The node for the target's shape. A rule may take new elements from the target's value: as it is
 * now, whatever becomes of it before they are taken. */
static graft_status adapt_to_target(graft_plan *plan, graft__plan_target *t,
                                    const graft__item *item)
{
    graft_tensor *initial = graft__plan_initial(plan, t->tensor);
    if (!initial)
        return graft_error_status(plan->ctx);
    const graft_shape shape = shape_of(t->tensor);
    t->node = graft__item_adapt(plan->rules, item, &shape, t->tensor->dtype, initial);
    graft__tensor_unref(initial);
    const graft_status st = graft_error_status(plan->ctx);
    if (t->node || st == GRAFT_ERR_MEMORY)
        return t->node ? GRAFT_OK : st;
    const char *why = graft_error(plan->ctx);
    return rule_fails(plan, t, item, why ? why : "a rule can't be carried out");
}

static graft_status adapt(graft_plan *plan, graft__plan_target *t, const graft__item *item)
{
    if (item->adapts == 0) {
        t->node = graft__node_ref(item->node);
        return GRAFT_OK;
    }
    const graft__error pending = graft__error_put_aside(plan->ctx);
    const graft_status st =
        t->tensor ? adapt_to_target(plan, t, item)
                  : rule_fails(plan, t, item, "a rule needs a target, and there is none");
    if (st == GRAFT_OK || pending.status != GRAFT_OK)
        graft__error_put_back(plan->ctx, &pending);
    return st;
}

static graft_status cast(graft_plan *plan, graft__plan_target *t)
{
    graft__node *n = graft__node_cast(t->node, t->name, t->tensor->dtype);
    if (!n) { /* nodes are of the source's context, which may be another */
        graft__tell_both(plan->ctx, t->node->ctx);
        return graft_error_status(plan->ctx);
    }
    graft__node_unref(t->node);
    t->node = n;
    return GRAFT_OK;
}

static graft_status judge(graft_plan *plan, graft__plan_target *t)
{
    const graft__item *item = &plan->items.item[t->item];
    graft_status st = adapt(plan, t, item);
    if (st != GRAFT_OK || t->action == GRAFT_PLAN_CONFLICT)
        return st;
    const graft_tensor *to = t->tensor;
    if (to && t->node->quantised && !t->node->step) /* else it stays the record that it is */
        conflict(t, GRAFT__CLASH_QUANTISED);
    else if (to && !is_shape(t->node, to))
        conflict(t, GRAFT__CLASH_SHAPE);
    else if (!to || t->node->dtype == to->dtype)
        t->action = action_of(t->node);
    else if (plan->options.cast && graft_dtype_is_floating(t->node->dtype) &&
             graft_dtype_is_floating(to->dtype)) {
        st = cast(plan, t);
        if (st == GRAFT_OK)
            t->action = action_of(t->node);
    } else
        conflict(t, GRAFT__CLASH_DTYPE);
    return st;
}

/* ---- All of them ---- */

static graft_status match(graft_plan *plan, finder *f, size_t i)
{
    graft__plan_target *t = &plan->target[i];
    size_t item = i; /* without a target, what is made is what it is made of */
    if (t->tensor && !find_item(plan, f, t->name, &item))
        return GRAFT_ERR_MEMORY;
    if (plan->rules && t->tensor && graft__rules_keeps(plan->rules, &plan->items, t->name)) {
        t->action = GRAFT_PLAN_KEPT;
        if (item != GRAFT__PLAN_NONE) /* a rule left it out */
            graft__plan_mark(plan, plan->items.item[item].node, GRAFT_PLAN_SKIPPED);
        return GRAFT_OK;
    }
    if (item != GRAFT__PLAN_NONE) {
        t->item = item;
        return judge(plan, t);
    }
    graft_value_kind kind;
    if (graft__plan_not_tensor(plan, t->name, &kind))
        conflict(t, GRAFT__CLASH_KIND);
    return GRAFT_OK;
}

void graft__plan_mark(graft_plan *plan, const graft__node *n, graft_plan_use use)
{
    if (!n->step && n->dict && n->place < plan->items.sources &&
        plan->use[n->place] != GRAFT_PLAN_USED)
        plan->use[n->place] = use;
    for (int i = 0; i < n->inputs; i++)
        graft__plan_mark(plan, n->input[i], use);
}

graft_status graft__plan_match(graft_plan *plan)
{
    graft_status st = list_targets(plan);
    const size_t sources = plan->items.sources;
    plan->use = graft__alloc(plan->ctx, sources * sizeof *plan->use);
    if (st == GRAFT_OK && !plan->use)
        st = graft__fail_memory(plan->ctx, sources * sizeof *plan->use, "plan");
    for (size_t i = 0; i < sources && st == GRAFT_OK; i++)
        plan->use[i] = plan->items.skipped[i] ? GRAFT_PLAN_SKIPPED : GRAFT_PLAN_LEFT;
    finder f = {.items = &plan->items};
    for (size_t i = 0; i < plan->count && st == GRAFT_OK; i++) {
        st = match(plan, &f, i);
        if (st == GRAFT_OK && plan->target[i].item != GRAFT__PLAN_NONE)
            graft__plan_mark(plan, plan->items.item[plan->target[i].item].node, GRAFT_PLAN_USED);
    }
    if (f.sorted)
        graft__item_index_close(&f.index);
    return st;
}
