/* load_state_dict as a transaction: plan, check, stage, report, commit. */
#include "base/error.h"
#include "copy/load_plan.h"
#include "copy/load_report.h"
#include "copy/load_stage.h"
#include "copy/load_words.h"

graft_load_options graft_load_defaults(void)
{
    return (graft_load_options){.strict = true, .cast = false};
}

static graft_status refuse(const graft__load_plan *plan)
{
    graft_status st = graft__load_plan_status(plan);
    graft__text text;
    graft__text_init(&text, plan->ctx);
    graft__load_problems(plan, &text);
    graft__fail(plan->ctx, st, "%s%s", text.data ? text.data : "load_state_dict: it does not fit",
                text.failed ? "..." : "");
    graft__text_free(&text);
    return st;
}

/* All up to the commit, which is made only if *report could be. What is wrong with the dict is said
 * before a report is tried, so that it is the error also if there is no memory for one. */
static graft_status carry_out(graft__load_plan *plan, graft_load_report **report)
{
    graft__load_stage stage;
    graft__load_stage_init(&stage, plan);
    graft_status st = graft__load_plan_status(plan);
    if (st == GRAFT_OK)
        st = graft__load_stage_make(&stage);
    if (graft__load_plan_status(plan) != GRAFT_OK)
        st = refuse(plan);
    if (report) {
        *report = graft__load_report_new(plan, st);
        if (!*report && st == GRAFT_OK)
            st = GRAFT_ERR_MEMORY;
    }
    if (st == GRAFT_OK)
        graft__load_stage_commit(&stage);
    graft__load_stage_free(&stage);
    return st;
}

graft_status graft_load_state_dict(graft_module *m, const graft_dict *state,
                                   const graft_load_options *options, graft_load_report **report)
{
    if (report)
        *report = NULL;
    if (!m)
        return state ? graft__fail(graft_dict_ctx(state), GRAFT_ERR_ARGUMENT,
                                   "load_state_dict: the module is NULL")
                     : GRAFT_ERR_ARGUMENT;
    graft_ctx *g = m->ctx;
    if (!state) {
        graft__fail(g, GRAFT_ERR_ARGUMENT, "load_state_dict into %s: the dict is NULL",
                    m->type->name);
        return graft_error_status(g);
    }
    graft__load_plan plan = {
        .ctx = g,
        .module = m,
        .state = state,
        .options = options ? *options : graft_load_defaults(),
    };
    graft_status st = graft__load_plan_make(&plan);
    if (st == GRAFT_OK)
        st = carry_out(&plan, report);
    graft__load_plan_free(&plan);
    if (report && *report)
        graft__own_by_context(&(*report)->object);
    return st;
}
