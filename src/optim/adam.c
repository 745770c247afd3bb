/* torch.optim.Adam and AdamW: they differ in where the weight decays. */
#include <math.h>

#include "base/ctx.h"
#include "base/error.h"
#include "optim/optimizer.h"

enum { EXP_AVG = 0, EXP_AVG_SQ, MAX_EXP_AVG_SQ, STATES };

graft_adam_options graft_adam_defaults(void)
{
    return (graft_adam_options){.lr = 0.001, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8};
}

graft_adam_options graft_adamw_defaults(void)
{
    graft_adam_options o = graft_adam_defaults();
    o.weight_decay = 0.01;
    return o;
}

static graft_status check_named(graft_ctx *g, const char *kind, const graft_adam_options *o)
{
    if (!(o->lr >= 0))
        return graft__fail(g, GRAFT_ERR_ARGUMENT, "%s: lr is %g: expected 0 or more", kind, o->lr);
    if (!(o->beta1 >= 0 && o->beta1 < 1))
        return graft__fail(g, GRAFT_ERR_ARGUMENT, "%s: beta1 is %g: expected 0 or more and below 1",
                           kind, o->beta1);
    if (!(o->beta2 >= 0 && o->beta2 < 1))
        return graft__fail(g, GRAFT_ERR_ARGUMENT, "%s: beta2 is %g: expected 0 or more and below 1",
                           kind, o->beta2);
    if (!(o->eps >= 0))
        return graft__fail(g, GRAFT_ERR_ARGUMENT, "%s: eps is %g: expected 0 or more", kind,
                           o->eps);
    if (!(o->weight_decay >= 0))
        return graft__fail(g, GRAFT_ERR_ARGUMENT, "%s: weight_decay is %g: expected 0 or more",
                           kind, o->weight_decay);
    return GRAFT_OK;
}

static graft_status check_adam(graft_ctx *g, const graft__optim_options *o)
{
    return check_named(g, "Adam", &o->adam);
}

static graft_status check_adamw(graft_ctx *g, const graft__optim_options *o)
{
    return check_named(g, "AdamW", &o->adam);
}

static unsigned states(const graft__optim_options *options)
{
    const unsigned moments = 1U << EXP_AVG | 1U << EXP_AVG_SQ;
    return moments | (options->adam.amsgrad ? 1U << MAX_EXP_AVG_SQ : 0);
}

static void update(graft_ctx *g, graft__optim_group *group, bool decoupled)
{
    const graft_adam_options *o = &group->options.adam;
    graft__adam_rule rule = {
        .keep = decoupled ? 1 - o->lr * o->weight_decay : 1,
        .weight_decay = decoupled ? 0 : o->weight_decay,
        .beta1 = o->beta1,
        .beta2 = o->beta2,
        .amsgrad = o->amsgrad,
        .maximize = o->maximize,
    };
    int64_t step = -1; /* that of the corrections in rule: usually one for the whole group */
    graft__update u = {.n = 0};
    for (size_t i = 0; i < group->count; i++) {
        graft__optim_param *p = &group->param[i];
        if (!graft__optim_begin(g, p, STATES, &u))
            continue;
        if (p->step != step) {
            step = p->step;
            const double scale = sqrt(1 - pow(o->beta2, (double)step));
            rule.size = o->lr * scale / (1 - pow(o->beta1, (double)step));
            rule.eps = o->eps * scale;
        }
        graft__update_adam(g->pool, &u, &rule);
        graft__optim_written(g, p);
    }
}

static void update_adam(graft_ctx *g, graft__optim_group *group)
{
    update(g, group, false);
}

static void update_adamw(graft_ctx *g, graft__optim_group *group)
{
    update(g, group, true);
}

static graft_status save_betas(const graft_adam_options *o, graft_dict *group)
{
    graft_dict *betas = graft__container_new(group->object.ctx, GRAFT_VALUE_TUPLE);
    if (!betas)
        return GRAFT_ERR_MEMORY;
    graft_status status = graft_list_push_float(betas, o->beta1);
    if (!status)
        status = graft_list_push_float(betas, o->beta2);
    if (!status)
        status = graft_dict_set_dict(group, "betas", betas);
    graft__dict_unref(betas);
    return status;
}

static graft_status save(const graft__optim_options *options, graft_dict *group)
{
    const graft_adam_options *o = &options->adam;
    graft_status status = graft_dict_set_float(group, "lr", o->lr);
    if (!status)
        status = save_betas(o, group);
    if (!status)
        status = graft_dict_set_float(group, "eps", o->eps);
    if (!status)
        status = graft_dict_set_float(group, "weight_decay", o->weight_decay);
    if (!status)
        status = graft_dict_set_bool(group, "amsgrad", o->amsgrad);
    return status;
}

/* The two list what both have in two orders, and AdamW has fewer. */
static graft_status save_adam(const graft__optim_options *options, graft_dict *group)
{
    graft_status status = save(options, group);
    if (!status)
        status = graft_dict_set_bool(group, "maximize", options->adam.maximize);
    if (!status)
        status = graft_dict_set_none(group, "foreach");
    if (!status)
        status = graft_dict_set_bool(group, "capturable", false);
    if (!status)
        status = graft_dict_set_bool(group, "differentiable", false);
    if (!status)
        status = graft_dict_set_bool(group, "fused", false);
    return status;
}

static graft_status save_adamw(const graft__optim_options *options, graft_dict *group)
{
    graft_status status = save(options, group);
    if (!status)
        status = graft_dict_set_none(group, "foreach");
    if (!status)
        status = graft_dict_set_bool(group, "maximize", options->adam.maximize);
    if (!status)
        status = graft_dict_set_bool(group, "capturable", false);
    return status;
}

static graft_status load_betas(graft_ctx *g, graft_adam_options *o, const graft_dict *group)
{
    const graft_dict *betas = graft_dict_dict(group, "betas");
    if (graft_dict_len(betas) == 2 && graft__optim_read_number(betas, 0, &o->beta1) &&
        graft__optim_read_number(betas, 1, &o->beta2))
        return GRAFT_OK;
    return graft__fail(g, betas ? GRAFT_ERR_ARGUMENT : GRAFT_ERR_NAME,
                       "optimizer_load_state_dict: a group's 'betas' %s: expected two numbers",
                       betas ? "are something else" : "are missing");
}

static graft_status load(graft_ctx *g, graft__optim_options *options, const graft_dict *group)
{
    graft_adam_options o = {.lr = 0};
    double amsgrad = 0, maximize = 0;
    graft_status status = graft__optim_number(g, group, "lr", false, &o.lr);
    if (!status)
        status = load_betas(g, &o, group);
    if (!status)
        status = graft__optim_number(g, group, "eps", false, &o.eps);
    if (!status)
        status = graft__optim_number(g, group, "weight_decay", false, &o.weight_decay);
    if (!status)
        status = graft__optim_number(g, group, "amsgrad", true, &amsgrad);
    if (!status)
        status = graft__optim_number(g, group, "maximize", true, &maximize);
    o.amsgrad = amsgrad != 0;
    o.maximize = maximize != 0;
    options->adam = o;
    return status;
}

const graft__optim_kind graft__optim_adam = {
    .name = "Adam",
    .state_name = {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"},
    .needed = 1U << EXP_AVG | 1U << EXP_AVG_SQ,
    .has_step = true,
    .check = check_adam,
    .states = states,
    .update = update_adam,
    .save = save_adam,
    .load = load,
};

const graft__optim_kind graft__optim_adamw = {
    .name = "AdamW",
    .state_name = {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"},
    .needed = 1U << EXP_AVG | 1U << EXP_AVG_SQ,
    .has_step = true,
    .check = check_adamw,
    .states = states,
    .update = update_adamw,
    .save = save_adamw,
    .load = load,
};
