#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/map.h"
#include "copy/both.h"
#include "copy/moments.h"
#include "optim/optimizer.h"

#define OP "transplant_optimizer"

/* Hands the report out, or lets go of it, and of everything else. */
static void finish(graft__moments *m, graft_status st, graft_moment_report **report)
{
    if (st == GRAFT_OK && report) {
        *report = graft__moment_report_give(m->report);
        m->report = NULL;
    }
    graft__moments_free(m);
}

/* ---- Into an optimizer: its own state dict with other states, which it then loads ---- */

/* Parameter to the number of its target, plus 1. */
static graft_status index_targets(const graft_plan *plan, graft__map *index)
{
    for (size_t i = 0; i < plan->count; i++) {
        const graft__plan_target *t = &plan->target[i];
        if (t->tensor && t->leader == i &&
            !graft__map_set(index, t->tensor, (void *)(uintptr_t)(i + 1)))
            return GRAFT_ERR_MEMORY;
    }
    return GRAFT_OK;
}

static graft_status carry_param(graft__moments *m, const graft__map *index,
                                const graft__optim_param *p, graft_dict *states, int64_t position)
{
    const uintptr_t at = (uintptr_t)graft__map_get(index, p->tensor);
    if (at == 0)
        return graft__fail(m->g, GRAFT_ERR_NAME,
                           OP ": the optimizer's parameter \"%s\" is none of the plan's target",
                           p->name);
    return graft__moments_carry(m, at - 1, states, position);
}

static graft_status carry_all(graft__moments *m, const graft_optimizer *opt, graft_dict *states)
{
    graft__map index;
    graft__map_init(&index, m->g);
    graft_status st = index_targets(m->plan, &index);
    int64_t position = 0;
    for (size_t i = 0; i < opt->groups && st == GRAFT_OK; i++)
        for (size_t k = 0; k < opt->group[i]->count && st == GRAFT_OK; k++)
            st = carry_param(m, &index, &opt->group[i]->param[k], states, position++);
    graft__map_free(&index);
    return st;
}

static graft_status load_carried(graft__moments *m, graft_optimizer *opt)
{
    graft_dict *whole = graft_optimizer_state_dict(opt), *states = graft__dict_new(m->g);
    graft_status st = whole && states ? carry_all(m, opt, states) : GRAFT_ERR_MEMORY;
    if (st == GRAFT_OK)
        st = graft_dict_set_dict(whole, "state", states);
    if (st == GRAFT_OK)
        st = graft__moment_report_end(m->report);
    if (st == GRAFT_OK)
        st = graft_optimizer_load_state_dict(opt, whole);
    graft__dict_unref(states);
    return st;
}

static graft_status check_arguments(const graft_ctx *opt_ctx, const graft_dict *state,
                                    const graft_plan *plan)
{
    if (!state)
        return graft__fail(plan->ctx, GRAFT_ERR_ARGUMENT, OP ": the state is NULL");
    if (opt_ctx != plan->ctx)
        return graft__fail(plan->ctx, GRAFT_ERR_ARGUMENT,
                           OP ": the optimizer and the plan's target are of two contexts");
    return GRAFT_OK;
}

graft_status graft_transplant_optimizer(graft_optimizer *target, const graft_dict *state,
                                        const graft_plan *plan, const graft_dict *names,
                                        graft_moment_report **report)
{
    if (report)
        *report = NULL;
    if (!target || !plan)
        return GRAFT_ERR_ARGUMENT;
    graft_status st = check_arguments(target->object.ctx, state, plan);
    if (st != GRAFT_OK)
        return st;
    graft__moments m = {.plan = plan, .g = plan->ctx};
    st = graft_scope_begin(m.g);
    if (st != GRAFT_OK)
        return st;
    st = graft__moments_read(&m, state, names);
    if (st == GRAFT_OK)
        st = load_carried(&m, target);
    finish(&m, st, report);
    graft_scope_end(m.g);
    return st;
}

/* ---- Into a dict ---- */

/* A copy of a group with parameters of its own. */
typedef struct new_group {
    graft_dict *dict, *params, *names;
} new_group;

static void group_free(new_group *n)
{
    graft__dict_unref(n->dict);
    graft__dict_unref(n->params);
    graft__dict_unref(n->names);
}

static graft_status group_new(const graft__moments *m, const graft_dict *from, new_group *out)
{
    graft_dict *copy = graft_dict_clone(from, m->g);
    *out = (new_group){
        .dict = graft__dict_new(m->g),
        .params = graft__container_new(m->g, GRAFT_VALUE_LIST),
        .names = graft__container_new(m->g, GRAFT_VALUE_LIST),
    };
    graft_status st = copy && out->dict && out->params && out->names ? GRAFT_OK : GRAFT_ERR_MEMORY;
    for (size_t i = 0; st == GRAFT_OK && i < copy->count; i++) {
        const char *key = graft__entry_name(copy, i);
        graft__value k, v;
        if (!key || strcmp(key, "params") == 0 || strcmp(key, "param_names") == 0)
            continue;
        if (!graft__value_copy(m->g, OP, &copy->entry[i].key, &k))
            st = GRAFT_ERR_MEMORY;
        else if (!graft__value_copy(m->g, OP, &copy->entry[i].value, &v)) {
            graft__value_drop(m->g, &k);
            st = GRAFT_ERR_MEMORY;
        } else
            st = graft__dict_put(out->dict, OP, k, v);
    }
    if (st == GRAFT_OK)
        st = graft_dict_set_dict(out->dict, "params", out->params);
    if (st == GRAFT_OK)
        st = graft_dict_set_dict(out->dict, "param_names", out->names);
    graft_dict_free(copy);
    return st;
}

/* The group of a target: of the tensor that it is made of; of what is new, the first. */
static int64_t group_of(const graft__moments *m, size_t i)
{
    const graft__plan_target *t = &m->plan->target[i];
    return t->node && graft__plan_fits(t->action)
               ? m->source[graft__node_origin(t->node)->place].group
               : 0;
}

/* Positions run through the groups, as PyTorch counts them. */
static graft_status fill_group(graft__moments *m, int64_t group, new_group *into,
                               graft_dict *states, int64_t *position)
{
    graft_status st = GRAFT_OK;
    for (size_t i = 0; i < m->plan->count && st == GRAFT_OK; i++) {
        if (!graft__moments_trains(m, i) || group_of(m, i) != group)
            continue;
        st = graft__moments_carry(m, i, states, *position);
        if (st == GRAFT_OK)
            st = graft_list_push_int(into->params, (*position)++);
        if (st == GRAFT_OK)
            st = graft_list_push_string(into->names, m->plan->target[i].name);
    }
    return st;
}

static graft_status fill_groups(graft__moments *m, graft_dict *states, graft_dict *groups)
{
    int64_t position = 0;
    graft_status st = GRAFT_OK;
    for (int64_t i = 0; i < graft_dict_len(m->groups) && st == GRAFT_OK; i++) {
        new_group group;
        st = group_new(m, graft_dict_dict_at(m->groups, i), &group);
        if (st == GRAFT_OK)
            st = fill_group(m, i, &group, states, &position);
        if (st == GRAFT_OK)
            st = graft_list_push_dict(groups, group.dict);
        group_free(&group);
    }
    return st;
}

static graft_dict *make_dict(graft__moments *m)
{
    graft_dict *d = graft__dict_new(m->g), *states = graft__dict_new(m->g);
    graft_dict *groups = graft__container_new(m->g, GRAFT_VALUE_LIST);
    graft_status st = d && states && groups ? fill_groups(m, states, groups) : GRAFT_ERR_MEMORY;
    if (st == GRAFT_OK)
        st = graft_dict_set_dict(d, "state", states);
    if (st == GRAFT_OK)
        st = graft_dict_set_dict(d, "param_groups", groups);
    if (st == GRAFT_OK)
        st = graft__moment_report_end(m->report);
    graft__dict_unref(states);
    graft__dict_unref(groups);
    if (st == GRAFT_OK)
        return d;
    graft__dict_unref(d);
    return NULL;
}

graft_dict *graft_transplant_optimizer_dict(const graft_dict *state, const graft_plan *plan,
                                            const graft_dict *names, graft_moment_report **report)
{
    if (report)
        *report = NULL;
    if (!plan || check_arguments(plan->ctx, state, plan) != GRAFT_OK)
        return NULL;
    graft__moments m = {.plan = plan, .g = plan->ctx};
    if (graft_scope_begin(m.g) != GRAFT_OK)
        return NULL;
    graft_status st = graft__moments_read(&m, state, names);
    graft_dict *d = st == GRAFT_OK ? make_dict(&m) : NULL;
    finish(&m, d ? GRAFT_OK : GRAFT_ERR_MEMORY, report);
    graft_scope_end(m.g);
    if (d)
        graft__own_by_context(&d->object);
    return d;
}
