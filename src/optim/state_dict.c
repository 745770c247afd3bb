/* optimizer.state_dict() in PyTorch's shape, with the names of the parameters beside their
 * positions. */
#include "base/ctx.h"
#include "base/error.h"
#include "kernel/copy.h"
#include "optim/optimizer.h"

static bool has_state(const graft_optimizer *opt, const graft__optim_param *p)
{
    bool any = opt->kind->has_step && p->step > 0;
    for (int k = 0; k < GRAFT__OPTIM_STATES; k++)
        any = any || p->state[k];
    return any;
}

/* The tensor to the dict, which holds it from then on. */
static graft_status hand_over(graft_dict *d, const char *key, graft_tensor *t)
{
    if (!t)
        return GRAFT_ERR_MEMORY;
    const graft_status status = graft_dict_set_tensor(d, key, t);
    graft__tensor_unref(t);
    return status;
}

/* As PyTorch since 1.12 has it: a 0-d float32. */
static graft_tensor *step_tensor(graft_ctx *g, int64_t step)
{
    graft_tensor *t = graft__tensor_new(g, "optimizer_state_dict", 0, NULL, GRAFT_F32);
    if (t) {
        const graft__array a = graft__fresh(t);
        graft__fill_i64(g->pool, &a, step);
    }
    return t;
}

static graft_status save_param(const graft_optimizer *opt, const graft__optim_param *p,
                               graft_dict *entry)
{
    graft_status status = GRAFT_OK;
    if (opt->kind->has_step)
        status = hand_over(entry, "step", step_tensor(opt->object.ctx, p->step));
    for (int k = 0; k < GRAFT__OPTIM_STATES && !status; k++) {
        const graft_tensor *t = p->state[k];
        if (t)
            status = hand_over(entry, opt->kind->state_name[k],
                               graft__tensor_alias(t, t->ndim, t->size, t->stride, t->offset));
    }
    return status;
}

static graft_status save_states(const graft_optimizer *opt, graft_dict *states)
{
    int64_t position = 0;
    for (size_t i = 0; i < opt->groups; i++) {
        for (size_t k = 0; k < opt->group[i]->count; k++, position++) {
            const graft__optim_param *p = &opt->group[i]->param[k];
            if (!has_state(opt, p))
                continue;
            graft_dict *entry = graft__dict_new(opt->object.ctx);
            graft_status status = entry ? save_param(opt, p, entry) : GRAFT_ERR_MEMORY;
            if (!status)
                status = graft_dict_set_int_key_dict(states, position, entry);
            graft__dict_unref(entry);
            if (status)
                return status;
        }
    }
    return GRAFT_OK;
}

/* "params" and "param_names" of a group whose first parameter has that position. */
static graft_status save_params(const graft__optim_group *group, int64_t first, graft_dict *saved)
{
    graft_dict *positions = graft__container_new(saved->object.ctx, GRAFT_VALUE_LIST);
    graft_dict *names = graft__container_new(saved->object.ctx, GRAFT_VALUE_LIST);
    graft_status status = positions && names ? GRAFT_OK : GRAFT_ERR_MEMORY;
    for (size_t k = 0; k < group->count && !status; k++) {
        status = graft_list_push_int(positions, first + (int64_t)k);
        if (!status)
            status = graft_list_push_string(names, group->param[k].name);
    }
    if (!status)
        status = graft_dict_set_dict(saved, "params", positions);
    if (!status)
        status = graft_dict_set_dict(saved, "param_names", names);
    graft__dict_unref(positions);
    graft__dict_unref(names);
    return status;
}

static graft_status save_groups(const graft_optimizer *opt, graft_dict *groups)
{
    int64_t position = 0;
    for (size_t i = 0; i < opt->groups; i++) {
        const graft__optim_group *group = opt->group[i];
        graft_dict *saved = graft__dict_new(opt->object.ctx);
        graft_status status = saved ? opt->kind->save(&group->options, saved) : GRAFT_ERR_MEMORY;
        if (!status)
            status = save_params(group, position, saved);
        if (!status)
            status = graft_list_push_dict(groups, saved);
        graft__dict_unref(saved);
        if (status)
            return status;
        position += (int64_t)group->count;
    }
    return GRAFT_OK;
}

graft_dict *graft_optimizer_state_dict(const graft_optimizer *opt)
{
    if (!opt)
        return NULL;
    graft_ctx *g = opt->object.ctx;
    graft_dict *d = graft__dict_new(g);
    graft_dict *states = graft__dict_new(g);
    graft_dict *groups = graft__container_new(g, GRAFT_VALUE_LIST);
    graft_status status = d && states && groups ? GRAFT_OK : GRAFT_ERR_MEMORY;
    if (!status)
        status = save_states(opt, states);
    if (!status)
        status = save_groups(opt, groups);
    if (!status)
        status = graft_dict_set_dict(d, "state", states);
    if (!status)
        status = graft_dict_set_dict(d, "param_groups", groups);
    graft__dict_unref(states);
    graft__dict_unref(groups);
    if (!status)
        return graft__dict_result(d);
    graft__dict_unref(d);
    return NULL;
}
