/* A plan carried out. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/text.h"
#include "copy/plan_stage.h"

graft_status graft_plan_commit(graft_plan *plan)
{
    if (!plan)
        return GRAFT_ERR_ARGUMENT;
    if (plan->committed)
        return graft__fail(plan->ctx, GRAFT_ERR_STATE, "plan: it was committed already");
    if (!plan->module && !plan->dict)
        return graft__fail(plan->ctx, GRAFT_ERR_STATE,
                           "plan: there is no target to commit to: graft_plan_result makes one");
    graft_status st = graft_plan_check(plan);
    if (st != GRAFT_OK)
        return st;
    graft__plan_stage stage;
    graft__plan_stage_init(&stage, plan);
    st = graft__plan_stage_make(&stage);
    if (st == GRAFT_OK && graft_plan_count(plan, GRAFT_PLAN_CONFLICT) > 0) {
        st = graft__plan_words(plan); /* memory that meets was found */
        st = st == GRAFT_OK ? graft_plan_check(plan) : st;
    }
    if (st == GRAFT_OK) {
        graft__plan_stage_commit(&stage);
        plan->committed = true;
    }
    graft__plan_stage_free(&stage);
    return st;
}

/* ---- What casts have lost ---- */

static const graft__node *node_at(const graft_plan *plan, int64_t i)
{
    return plan && i >= 0 && (uint64_t)i < plan->count ? plan->target[i].node : NULL;
}

int64_t graft_plan_overflows(const graft_plan *plan, int64_t i)
{
    const graft__node *n = node_at(plan, i);
    int64_t overflows = 0;
    double error = 0;
    if (n)
        graft__node_losses(n, &overflows, &error);
    return overflows;
}

double graft_plan_cast_error(const graft_plan *plan, int64_t i)
{
    const graft__node *n = node_at(plan, i);
    int64_t overflows = 0;
    double error = 0;
    if (n)
        graft__node_losses(n, &overflows, &error);
    return error;
}

/* ---- Both in one ---- */

enum { LINES = 50 };

/* What casts have lost, behind the plan's text. */
static void add_losses(const graft_plan *plan, graft__text *out)
{
    size_t lines = 0, more = 0;
    double largest = 0;
    const char *where = NULL;
    for (size_t i = 0; i < plan->count; i++) {
        const int64_t overflows = graft_plan_overflows(plan, (int64_t)i);
        const double error = graft_plan_cast_error(plan, (int64_t)i);
        if (error > largest) {
            largest = error;
            where = plan->target[i].name;
        }
        if (overflows > 0 && lines < LINES)
            graft__text_addf(out, "\n  overflow: \"%s\": %lld elements that were finite are not",
                             plan->target[i].name, (long long)overflows);
        more += overflows > 0 && lines++ >= LINES;
    }
    if (more > 0)
        graft__text_addf(out, "\n  overflow: %zu more", more);
    if (where)
        graft__text_addf(out, "\n  largest error of the casts: %.3g, in \"%s\"", largest, where);
}

/* What is made before the commit is all that is needed: losses are added as memory goes. */
static char *with_losses(const graft_plan *plan, char *words)
{
    graft__text text;
    graft__text_init(&text, plan->ctx);
    graft__text_add(&text, words);
    add_losses(plan, &text);
    if (text.failed) {
        graft__text_free(&text);
        return words;
    }
    graft__text_release(plan->ctx, words);
    return graft__text_take(&text);
}

graft_status graft_transplant(graft_module *target, const graft_dict *source,
                              const graft_rules *rules, const graft_plan_options *options,
                              char **text)
{
    if (text)
        *text = NULL;
    if (!target)
        return GRAFT_ERR_ARGUMENT;
    graft_ctx *g = target->ctx;
    graft_plan *plan = graft_plan_into_module(target, source, rules, options);
    if (!plan)
        return graft_error_status(g);
    graft_status st = graft_plan_check(plan);
    const char *words = text ? graft_plan_text(plan) : NULL;
    if (words)
        *text = graft__strdup(g, words);
    if (text && !*text && st == GRAFT_OK)
        st = graft__fail_memory(g, 0, "transplant");
    if (st == GRAFT_OK)
        st = graft_plan_commit(plan);
    if (st == GRAFT_OK && text)
        *text = with_losses(plan, *text);
    graft_plan_free(plan);
    return st;
}
