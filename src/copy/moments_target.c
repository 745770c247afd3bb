#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "copy/moments.h"

size_t graft__moments_leader(const graft_plan *plan, size_t i)
{
    const graft__plan_target *t = &plan->target[i], *leader = &plan->target[t->leader];
    if (plan->module || plan->dict || !t->node || !leader->node)
        return t->leader;
    const bool stacked =
        graft__node_origin(t->node)->place == graft__node_origin(leader->node)->place;
    return stacked ? i : t->leader;
}

/* The group of the first source beneath that is trained, or -1. */
static int64_t trained_group(const graft__moments *m, const graft__node *n)
{
    if (!n->step)
        return n->dict ? graft__moments_of(m, n)->group : -1;
    int64_t group = -1;
    for (int i = 0; i < n->inputs && group < 0; i++)
        group = trained_group(m, n->input[i]);
    return group;
}

static bool has_value(const graft__plan_target *t)
{
    return graft__plan_fits(t->action) && t->node;
}

graft_status graft__moments_targets(graft__moments *m)
{
    const graft_plan *plan = m->plan;
    const size_t bytes = plan->count * sizeof *m->target;
    m->target = graft__alloc(m->g, bytes);
    if (!m->target)
        return graft__fail_memory(m->g, bytes, GRAFT__MOMENTS_OP);
    if (plan->module && !(m->parameters = graft_parameters(plan->module)))
        return graft_error_status(m->g);
    for (size_t i = 0; i < plan->count; i++)
        m->target[i] = (graft__moment_target){GRAFT__PLAN_NONE, GRAFT__PLAN_NONE};
    for (size_t i = 0; i < plan->count; i++) {
        graft__moment_target *t = &m->target[graft__moments_leader(plan, i)];
        if (t->first == GRAFT__PLAN_NONE)
            t->first = i;
        if (!has_value(&plan->target[i]))
            continue;
        /* Of names whose values are the same, one may be trained and the others not. */
        if (t->carrier == GRAFT__PLAN_NONE ||
            (trained_group(m, plan->target[t->carrier].node) < 0 &&
             trained_group(m, plan->target[i].node) >= 0))
            t->carrier = i;
    }
    return GRAFT_OK;
}

int64_t graft__moments_group(const graft__moments *m, size_t i)
{
    const graft__plan_target *t = &m->plan->target[i];
    const graft__moment_target *parameter = &m->target[graft__moments_leader(m->plan, i)];
    if (parameter->first != i)
        return -1;
    if (parameter->carrier != GRAFT__PLAN_NONE)
        return trained_group(m, m->plan->target[parameter->carrier].node);
    const bool trained = m->plan->module
                             ? graft_dict_find(m->parameters, t->name) >= 0
                             : t->tensor && !graft__moments_is_buffer(t->name, t->tensor->dtype);
    return trained ? 0 : -1;
}
