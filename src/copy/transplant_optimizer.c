#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/map.h"
#include "base/sort.h"
#include "copy/moments.h"
#include "optim/optimizer.h"

#define OP GRAFT__MOMENTS_OP

/* ---- Into an optimizer: its own state dict with other states, which it then loads ---- */

/* Parameter to the number of its target, plus 1. */
static graft_status index_targets(const graft_plan *plan, graft__map *index)
{
    for (size_t i = 0; i < plan->count; i++) {
        const graft__plan_target *t = &plan->target[i];
        if (t->tensor && !graft__map_set(index, t->tensor, (void *)(uintptr_t)(i + 1)))
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
    return graft__moments_carry(m, at - 1, p->name, states, position, NULL);
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

/* The first error stays the pending one, and yet what fails here is known from it. */
static graft_status begin(graft__moments *m, graft__error *pending)
{
    const graft_status st = graft_scope_begin(m->g);
    if (st == GRAFT_OK)
        *pending = graft__error_put_aside(m->g);
    return st;
}

/* Hands the report out, and lets go of the rest. */
static void end(graft__moments *m, graft_status st, graft_moment_report **report,
                const graft__error *pending)
{
    if (st == GRAFT_OK && report) {
        *report = graft__moment_report_give(m->report);
        m->report = NULL;
    }
    graft__moments_free(m);
    graft_scope_end(m->g);
    if (pending->status != GRAFT_OK)
        graft__error_put_back(m->g, pending);
}

static graft_status check_state(const graft_dict *state, const graft_plan *plan)
{
    return state ? GRAFT_OK : graft__fail(plan->ctx, GRAFT_ERR_ARGUMENT, OP ": the state is NULL");
}

graft_status graft_transplant_optimizer(graft_optimizer *target, const graft_dict *state,
                                        const graft_plan *plan, const graft_dict *names,
                                        graft_moment_report **report)
{
    if (report)
        *report = NULL;
    if (!target || !plan)
        return GRAFT_ERR_ARGUMENT;
    graft_status st = check_state(state, plan);
    if (st == GRAFT_OK && target->object.ctx != plan->ctx)
        st = graft__fail(plan->ctx, GRAFT_ERR_ARGUMENT,
                         OP ": the optimizer and the plan's target are of two contexts");
    graft__moments m = {.plan = plan, .g = plan->ctx};
    graft__error pending;
    if (st == GRAFT_OK)
        st = begin(&m, &pending);
    if (st != GRAFT_OK)
        return st;
    st = graft__moments_read(&m, state, names);
    if (st == GRAFT_OK)
        st = load_carried(&m, target);
    end(&m, st, report, &pending);
    return st;
}

/* ---- Into a dict ---- */

/* A copy of a group with parameters of its own. */
typedef struct new_group {
    graft_dict *dict, *params, *names;
} new_group;

static void group_free(const new_group *n)
{
    graft_dict_free(n->dict);
    graft__dict_unref(n->params);
    graft__dict_unref(n->names);
}

static graft_status group_new(const graft__moments *m, const graft_dict *from, new_group *out)
{
    *out = (new_group){
        .dict = graft_dict_clone(from, m->g),
        .params = graft__container_new(m->g, GRAFT_VALUE_LIST),
        .names = graft__container_new(m->g, GRAFT_VALUE_LIST),
    };
    graft_status st = out->dict && out->params && out->names ? GRAFT_OK : GRAFT_ERR_MEMORY;
    if (st == GRAFT_OK)
        st = graft_dict_set_dict(out->dict, "params", out->params);
    if (st == GRAFT_OK)
        st = graft_dict_set_dict(out->dict, "param_names", out->names);
    return st;
}

/* torch.optim's Adagrad makes its state with itself and misses it where a dict that it loads has
 * none: what is new gets what it begins with. */
static graft_status begin_adagrad(graft__moments *m, size_t i, const graft_dict *group,
                                  graft_dict *states, int64_t position)
{
    const graft__plan_target *t = &m->plan->target[i];
    double value = 0;
    const int64_t at = graft_dict_find(group, "initial_accumulator_value");
    if (!graft__optim_read_number(group, at, &value))
        return GRAFT_OK;
    const graft_shape none = {.ndim = 0};
    const graft_shape shape =
        t->tensor ? graft_shape_of(t->tensor->ndim, t->tensor->size) : t->node->shape;
    const graft_dtype dtype = t->tensor ? t->tensor->dtype : t->node->dtype;
    graft_tensor *step = graft_zeros(m->g, none, GRAFT_F32);
    graft_tensor *sum = graft_full(m->g, shape, value, dtype);
    graft_dict *entry = graft__dict_new(m->g);
    graft_status st = step && sum && entry ? GRAFT_OK : graft_error_status(m->g);
    if (st == GRAFT_OK)
        st = graft_dict_set_tensor(entry, "step", step);
    if (st == GRAFT_OK)
        st = graft_dict_set_tensor(entry, "sum", sum);
    if (st == GRAFT_OK)
        st = graft_dict_set_int_key_dict(states, position, entry);
    graft__dict_unref(entry);
    return st;
}

/* The targets by their groups; there may be a group for each. */
typedef struct grouped {
    int64_t *group;
    uint32_t *order, *scratch;
    size_t next, count; /* of order */
} grouped;

static bool goes_before(const void *user, uint32_t a, uint32_t b)
{
    const grouped *by = user;
    return by->group[a] < by->group[b];
}

static size_t grouped_bytes(const graft__moments *m)
{
    return m->plan->count * (sizeof(int64_t) + 2 * sizeof(uint32_t));
}

static graft_status group_targets(const graft__moments *m, grouped *by)
{
    const size_t count = m->plan->count;
    *by = (grouped){.group = graft__alloc(m->g, grouped_bytes(m))};
    if (!by->group)
        return graft__fail_memory(m->g, grouped_bytes(m), OP);
    by->order = (uint32_t *)(by->group + count);
    by->scratch = by->order + count;
    for (size_t i = 0; i < count; i++) {
        by->group[i] = graft__moments_group(m, i);
        if (by->group[i] >= 0)
            by->order[by->count++] = (uint32_t)i;
    }
    graft__sort(by->order, by->scratch, by->count, goes_before, by);
    return GRAFT_OK;
}

/* Positions run through the groups, as PyTorch counts them. */
static graft_status fill_group(graft__moments *m, int64_t number, grouped *by, new_group *group,
                               graft_dict *states, int64_t *position)
{
    graft_status st = GRAFT_OK;
    for (; by->next < by->count && st == GRAFT_OK; by->next++) {
        const size_t i = by->order[by->next];
        if (by->group[i] != number)
            break;
        const char *name = m->plan->target[i].name;
        bool carried = false;
        st = graft__moments_carry(m, i, name, states, *position, &carried);
        if (st == GRAFT_OK && !carried)
            st = begin_adagrad(m, i, group->dict, states, *position);
        if (st == GRAFT_OK)
            st = graft_list_push_int(group->params, (*position)++);
        if (st == GRAFT_OK)
            st = graft_list_push_string(group->names, name);
    }
    return st;
}

static graft_status fill_groups(graft__moments *m, graft_dict *states, graft_dict *groups)
{
    int64_t position = 0;
    grouped by;
    graft_status st = group_targets(m, &by);
    for (int64_t i = 0; i < graft_dict_len(m->groups) && st == GRAFT_OK; i++) {
        new_group group;
        st = group_new(m, graft_dict_dict_at(m->groups, i), &group);
        if (st == GRAFT_OK)
            st = fill_group(m, i, &by, &group, states, &position);
        if (st == GRAFT_OK)
            st = graft_list_push_dict(groups, group.dict);
        group_free(&group);
    }
    graft__free(m->g, by.group, grouped_bytes(m));
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
    if (!plan || check_state(state, plan) != GRAFT_OK)
        return NULL;
    graft__moments m = {.plan = plan, .g = plan->ctx};
    graft__error pending;
    if (begin(&m, &pending) != GRAFT_OK)
        return NULL;
    const graft_status st = graft__moments_read(&m, state, names);
    graft_dict *d = st == GRAFT_OK ? make_dict(&m) : NULL;
    end(&m, d ? GRAFT_OK : GRAFT_ERR_MEMORY, report, &pending);
    if (d)
        graft__own_by_context(&d->object);
    return d;
}
