/* The optimizer follows its parameters to their copies. */
#include "base/error.h"
#include "base/text.h"
#include "copy/both.h"
#include "copy/copier.h"
#include "copy/copy_map.h"
#include "optim/optimizer.h"

/* GRAFT_OK if the map has every parameter; else GRAFT_ERR_NAME, with each that it lacks. */
static graft_status check(const graft_optimizer *opt, const graft_copy_map *map)
{
    graft_ctx *g = map->object.ctx;
    size_t lacking = 0, all = 0;
    graft__text names;
    graft__text_init(&names, g);
    for (size_t i = 0; i < opt->groups; i++) {
        const graft__optim_group *group = opt->group[i];
        for (size_t j = 0; j < group->count; j++, all++) {
            const graft__optim_param *p = &group->param[j];
            if (!graft_copy_map_tensor(map, p->tensor))
                graft__text_addf(&names, "%s\"%s\"", lacking++ ? ", " : "", p->name);
        }
    }
    graft_status st = GRAFT_OK;
    if (lacking)
        st = graft__fail(
            g, GRAFT_ERR_NAME, "follow: the copy map lacks %zu of the %zu parameters of %s: %s%s",
            lacking, all, opt->kind->name, names.data ? names.data : "", names.failed ? "..." : "");
    graft__text_free(&names);
    return st;
}

static graft_status follow_param(graft_optimizer *copy, graft__optim_group *group,
                                 const graft__optim_param *p, const graft_copy_map *map,
                                 graft__copier *copier)
{
    graft_tensor *tensor = graft_copy_map_tensor(map, p->tensor);
    graft__optim_param *q = graft__optim_group_add(copy, group, p->name, tensor);
    if (!q)
        return GRAFT_ERR_MEMORY;
    q->step = p->step;
    for (int s = 0; s < GRAFT__OPTIM_STATES; s++) {
        if (!p->state[s])
            continue;
        q->state[s] = graft__copier_tensor(copier, p->state[s]);
        if (!q->state[s])
            return GRAFT_ERR_MEMORY;
    }
    return GRAFT_OK;
}

static graft_status follow_all(graft_optimizer *copy, const graft_optimizer *opt,
                               const graft_copy_map *map)
{
    graft__copier copier;
    graft__copier_init(&copier, map->object.ctx);
    graft_status st = GRAFT_OK;
    for (size_t i = 0; i < opt->groups && st == GRAFT_OK; i++) {
        const graft__optim_group *from = opt->group[i];
        graft__optim_group *to = graft__optimizer_add_group(copy, &from->options);
        st = to ? GRAFT_OK : GRAFT_ERR_MEMORY;
        for (size_t j = 0; j < from->count && st == GRAFT_OK; j++)
            st = follow_param(copy, to, &from->param[j], map, &copier);
    }
    graft__copier_free(&copier);
    return st;
}

graft_optimizer *graft_follow(const graft_optimizer *opt, const graft_copy_map *map)
{
    if (!opt || !map)
        return NULL;
    graft_ctx *g = map->object.ctx;
    graft_optimizer *copy = NULL;
    if (check(opt, map) == GRAFT_OK)
        copy = graft__optimizer_new(g, opt->kind);
    if (copy && follow_all(copy, opt, map) != GRAFT_OK) {
        graft__unref(&copy->object);
        copy = NULL;
    }
    if (!copy) {
        graft__tell_both(g, opt->object.ctx);
        return NULL;
    }
    graft__own_by_context(&copy->object);
    return copy;
}
