/* Optimizers: made over named parameters, in groups. */
#include "optim/optimizer.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/map.h"
#include "base/vector.h"
#include "graft/autograd.h"

/* ---- Freeing ---- */

static void free_group(graft_ctx *g, graft__optim_group *group)
{
    for (size_t i = 0; i < group->count; i++) {
        graft__optim_param *p = &group->param[i];
        for (int k = 0; k < GRAFT__OPTIM_STATES; k++)
            graft__tensor_unref(p->state[k]);
        graft__tensor_unref(p->tensor);
        graft__free(g, p->name, strlen(p->name) + 1);
    }
    graft__free(g, group->param, group->capacity * sizeof *group->param);
    graft__free(g, group, sizeof *group);
}

static void destroy(graft__object *o)
{
    graft_optimizer *opt = (graft_optimizer *)o;
    graft_ctx *g = o->ctx;
    for (size_t i = 0; i < opt->groups; i++)
        free_group(g, opt->group[i]);
    graft__free(g, opt->group, opt->group_capacity * sizeof *opt->group);
    graft__free(g, opt, sizeof *opt);
}

static const graft__kind optimizer_kind = {"optimizer", destroy};

void graft_optimizer_free(graft_optimizer *opt)
{
    if (opt && graft__disown(&opt->object))
        graft__unref(&opt->object);
}

/* ---- Making ---- */

graft_optimizer *graft__optimizer_new(graft_ctx *g, const graft__optim_kind *kind)
{
    graft_optimizer *opt = graft__alloc_zero(g, sizeof *opt);
    if (!opt) {
        graft__fail_memory(g, sizeof *opt, kind->name);
        return NULL;
    }
    graft__object_init(&opt->object, g, &optimizer_kind);
    opt->kind = kind;
    return opt;
}

graft__optim_group *graft__optimizer_add_group(graft_optimizer *opt,
                                               const graft__optim_options *options)
{
    graft_ctx *g = opt->object.ctx;
    void *array = opt->group;
    const bool room =
        graft__vector_reserve(g, &array, opt->groups, &opt->group_capacity, sizeof *opt->group);
    opt->group = array;
    graft__optim_group *group = room ? graft__alloc_zero(g, sizeof *group) : NULL;
    if (!group) {
        graft__fail_memory(g, sizeof *group, opt->kind->name);
        return NULL;
    }
    group->options = *options;
    opt->group[opt->groups++] = group;
    return group;
}

graft__optim_param *graft__optim_group_add(graft_optimizer *opt, graft__optim_group *group,
                                           const char *name, graft_tensor *tensor)
{
    graft_ctx *g = opt->object.ctx;
    void *array = group->param;
    const bool room =
        graft__vector_reserve(g, &array, group->count, &group->capacity, sizeof *group->param);
    group->param = array;
    char *own_name = room ? graft__strdup(g, name) : NULL;
    if (!own_name) {
        graft__fail_memory(g, sizeof *group->param, opt->kind->name);
        return NULL;
    }
    graft__optim_param *p = &group->param[group->count++];
    *p = (graft__optim_param){.name = own_name, .tensor = graft__tensor_ref(tensor)};
    return p;
}

/* ---- Adding a checked group ---- */

static graft_status check_param(const graft_optimizer *opt, const graft_dict *params, int64_t i)
{
    graft_ctx *g = opt->object.ctx;
    const char *kind = opt->kind->name, *name = graft_dict_key(params, i);
    const graft_tensor *t = graft_dict_tensor_at(params, i);
    if (!t)
        return graft__fail(g, GRAFT_ERR_ARGUMENT, "%s: parameter '%s' is not a tensor", kind, name);
    if (t->object.ctx != g)
        return graft__fail(g, GRAFT_ERR_ARGUMENT, "%s: parameter '%s' is of another context", kind,
                           name);
    if (t->history)
        return graft__fail(g, GRAFT_ERR_STATE,
                           "%s: parameter '%s' has a history: only leaves can be optimized", kind,
                           name);
    if (!graft_dtype_is_floating(t->dtype))
        return graft__fail(g, GRAFT_ERR_DTYPE,
                           "%s: parameter '%s' is %s: expected a floating dtype", kind, name,
                           graft_dtype_name(t->dtype));
    return GRAFT_OK;
}

/* Puts the parameters of all groups into met, each with its name. */
static graft_status meet_groups(const graft_optimizer *opt, graft__map *met)
{
    for (size_t i = 0; i < opt->groups; i++) {
        const graft__optim_group *group = opt->group[i];
        for (size_t k = 0; k < group->count; k++) {
            if (!graft__map_set(met, group->param[k].tensor, group->param[k].name))
                return GRAFT_ERR_MEMORY;
        }
    }
    return GRAFT_OK;
}

/* Puts the parameters into the group, which is still empty; met are those of the other groups. */
static graft_status fill_group(graft_optimizer *opt, graft__optim_group *group,
                               const graft_dict *params, graft__map *met)
{
    const int64_t n = graft_dict_len(params);
    for (int64_t i = 0; i < n; i++) {
        graft_tensor *t = graft_dict_tensor_at(params, i);
        const char *name = graft_dict_key(params, i);
        const void *taken = graft__map_get(met, t);
        if (taken == group)
            continue;
        if (taken)
            return graft__fail(opt->object.ctx, GRAFT_ERR_NAME,
                               "%s: parameter '%s' is in a group already, as '%s'", opt->kind->name,
                               name, (const char *)taken);
        if (!graft__map_set(met, t, group) || !graft__optim_group_add(opt, group, name, t))
            return GRAFT_ERR_MEMORY;
    }
    return GRAFT_OK;
}

static graft_status add_group(graft_optimizer *opt, const graft_dict *params,
                              const graft__optim_options *options)
{
    graft_ctx *g = opt->object.ctx;
    const int64_t n = graft_dict_len(params);
    graft_status status = opt->kind->check(g, options);
    if (!status && graft_dict_ctx(params) != g)
        status = graft__fail(g, GRAFT_ERR_ARGUMENT, "%s: the parameters are of another context",
                             opt->kind->name);
    if (!status && n == 0)
        status = graft__fail(g, GRAFT_ERR_ARGUMENT,
                             "%s: there are no parameters: expected at least one", opt->kind->name);
    for (int64_t i = 0; i < n && !status; i++)
        status = check_param(opt, params, i);
    if (status)
        return status;

    graft__map met;
    graft__map_init(&met, g);
    status = meet_groups(opt, &met);
    graft__optim_group *group = status ? NULL : graft__optimizer_add_group(opt, options);
    if (group) {
        status = fill_group(opt, group, params, &met);
        if (status)
            free_group(g, opt->group[--opt->groups]);
    } else {
        status = GRAFT_ERR_MEMORY;
    }
    graft__map_free(&met);
    return status;
}

static graft_optimizer *make(const graft__optim_kind *kind, const graft_dict *params,
                             const graft__optim_options *options)
{
    graft_optimizer *opt = params ? graft__optimizer_new(graft_dict_ctx(params), kind) : NULL;
    if (!opt)
        return NULL;
    if (add_group(opt, params, options)) {
        graft__unref(&opt->object);
        return NULL;
    }
    graft__own_by_context(&opt->object);
    return opt;
}

static bool is_adam(const graft_optimizer *opt)
{
    return opt->kind == &graft__optim_adam || opt->kind == &graft__optim_adamw;
}

static graft_status other_kind(const graft_optimizer *opt, const char *wanted)
{
    return graft__fail(opt->object.ctx, GRAFT_ERR_ARGUMENT,
                       "%s options for an optimizer that is %s", wanted, opt->kind->name);
}

graft_optimizer *graft_sgd(graft_dict *params, const graft_sgd_options *options)
{
    const graft__optim_options o = {.sgd = options ? *options : graft_sgd_defaults()};
    return make(&graft__optim_sgd, params, &o);
}

graft_optimizer *graft_adam(graft_dict *params, const graft_adam_options *options)
{
    const graft__optim_options o = {.adam = options ? *options : graft_adam_defaults()};
    return make(&graft__optim_adam, params, &o);
}

graft_optimizer *graft_adamw(graft_dict *params, const graft_adam_options *options)
{
    const graft__optim_options o = {.adam = options ? *options : graft_adamw_defaults()};
    return make(&graft__optim_adamw, params, &o);
}

/* What comes of NULL: the error of whatever did not make it. */
static graft_status no_params(const graft_optimizer *opt)
{
    const graft_status status = graft_error_status(opt->object.ctx);
    return status ? status
                  : graft__fail(opt->object.ctx, GRAFT_ERR_ARGUMENT, "%s: the parameters are NULL",
                                opt->kind->name);
}

graft_status graft_sgd_add_group(graft_optimizer *opt, graft_dict *params,
                                 const graft_sgd_options *options)
{
    if (!opt)
        return GRAFT_ERR_ARGUMENT;
    if (opt->kind != &graft__optim_sgd)
        return other_kind(opt, "SGD");
    const graft__optim_options o = {.sgd = options ? *options : graft_sgd_defaults()};
    return params ? add_group(opt, params, &o) : no_params(opt);
}

graft_status graft_adam_add_group(graft_optimizer *opt, graft_dict *params,
                                  const graft_adam_options *options)
{
    if (!opt)
        return GRAFT_ERR_ARGUMENT;
    if (!is_adam(opt))
        return other_kind(opt, "Adam");
    const graft_adam_options defaults =
        opt->kind == &graft__optim_adam ? graft_adam_defaults() : graft_adamw_defaults();
    const graft__optim_options o = {.adam = options ? *options : defaults};
    return params ? add_group(opt, params, &o) : no_params(opt);
}

/* ---- Looking ---- */

static graft__optim_group *find_group(graft_optimizer *opt, int64_t i)
{
    if (i >= 0 && i < graft_group_count(opt))
        return opt->group[i];
    graft__fail(opt->object.ctx, GRAFT_ERR_ARGUMENT, "%s: there is no group %lld: it has %zu",
                opt->kind->name, (long long)i, opt->groups);
    return NULL;
}

graft_sgd_options *graft_sgd_group(graft_optimizer *opt, int64_t group)
{
    if (!opt)
        return NULL;
    if (opt->kind != &graft__optim_sgd) {
        other_kind(opt, "SGD");
        return NULL;
    }
    graft__optim_group *found = find_group(opt, group);
    return found ? &found->options.sgd : NULL;
}

graft_adam_options *graft_adam_group(graft_optimizer *opt, int64_t group)
{
    if (!opt)
        return NULL;
    if (!is_adam(opt)) {
        other_kind(opt, "Adam");
        return NULL;
    }
    graft__optim_group *found = find_group(opt, group);
    return found ? &found->options.adam : NULL;
}

int64_t graft_group_count(const graft_optimizer *opt)
{
    return opt ? (int64_t)opt->groups : 0;
}

const char *graft_optimizer_name(const graft_optimizer *opt)
{
    return opt ? opt->kind->name : NULL;
}

graft_status graft_zero_grad(graft_optimizer *opt)
{
    if (!opt)
        return GRAFT_ERR_ARGUMENT;
    for (size_t i = 0; i < opt->groups; i++) {
        for (size_t k = 0; k < opt->group[i]->count; k++)
            graft_set_grad(opt->group[i]->param[k].tensor, NULL);
    }
    return GRAFT_OK;
}
