/* torch.optim.SGD. */
#include "base/ctx.h"
#include "base/error.h"
#include "optim/optimizer.h"

graft_sgd_options graft_sgd_defaults(void)
{
    return (graft_sgd_options){.lr = 0.001};
}

static graft_status check(graft_ctx *g, const graft__optim_options *options)
{
    const graft_sgd_options *o = &options->sgd;
    if (!(o->lr >= 0))
        return graft__fail(g, GRAFT_ERR_ARGUMENT, "SGD: lr is %g: expected 0 or more", o->lr);
    if (!(o->momentum >= 0))
        return graft__fail(g, GRAFT_ERR_ARGUMENT, "SGD: momentum is %g: expected 0 or more",
                           o->momentum);
    if (!(o->weight_decay >= 0))
        return graft__fail(g, GRAFT_ERR_ARGUMENT, "SGD: weight_decay is %g: expected 0 or more",
                           o->weight_decay);
    if (o->nesterov && (!(o->momentum > 0) || o->dampening != 0))
        return graft__fail(g, GRAFT_ERR_ARGUMENT,
                           "SGD: nesterov with momentum %g and dampening %g: expected a momentum "
                           "above 0 and no dampening",
                           o->momentum, o->dampening);
    return GRAFT_OK;
}

static unsigned states(const graft__optim_options *options)
{
    return options->sgd.momentum != 0 ? 1 : 0;
}

static void update(graft_ctx *g, graft__optim_group *group)
{
    const graft_sgd_options *o = &group->options.sgd;
    graft__sgd_rule rule = {
        .lr = o->lr,
        .momentum = o->momentum,
        .dampening = o->dampening,
        .weight_decay = o->weight_decay,
        .nesterov = o->nesterov,
        .maximize = o->maximize,
    };
    graft__update u = {.n = 0};
    for (size_t i = 0; i < group->count; i++) {
        graft__optim_param *p = &group->param[i];
        if (!graft__optim_begin(g, p, 1, &u))
            continue;
        rule.first = p->fresh != 0;
        graft__update_sgd(g->pool, &u, &rule);
        graft__optim_written(g, p);
    }
}

static graft_status save(const graft__optim_options *options, graft_dict *group)
{
    const graft_sgd_options *o = &options->sgd;
    graft_status status = graft_dict_set_float(group, "lr", o->lr);
    if (!status)
        status = graft_dict_set_float(group, "momentum", o->momentum);
    if (!status)
        status = graft_dict_set_float(group, "dampening", o->dampening);
    if (!status)
        status = graft_dict_set_float(group, "weight_decay", o->weight_decay);
    if (!status)
        status = graft_dict_set_bool(group, "nesterov", o->nesterov);
    if (!status)
        status = graft_dict_set_bool(group, "maximize", o->maximize);
    if (!status)
        status = graft_dict_set_none(group, "foreach");
    if (!status)
        status = graft_dict_set_bool(group, "differentiable", false);
    return status;
}

static graft_status load(graft_ctx *g, graft__optim_options *options, const graft_dict *group)
{
    graft_sgd_options o = {.lr = 0};
    double nesterov = 0, maximize = 0;
    graft_status status = graft__optim_number(g, group, "lr", false, &o.lr);
    if (!status)
        status = graft__optim_number(g, group, "momentum", false, &o.momentum);
    if (!status)
        status = graft__optim_number(g, group, "dampening", false, &o.dampening);
    if (!status)
        status = graft__optim_number(g, group, "weight_decay", false, &o.weight_decay);
    if (!status)
        status = graft__optim_number(g, group, "nesterov", false, &nesterov);
    if (!status)
        status = graft__optim_number(g, group, "maximize", true, &maximize);
    o.nesterov = nesterov != 0;
    o.maximize = maximize != 0;
    options->sgd = o;
    return status;
}

const graft__optim_kind graft__optim_sgd = {
    .name = "SGD",
    .state_name = {"momentum_buffer"},
    .check = check,
    .states = states,
    .update = update,
    .save = save,
    .load = load,
};
