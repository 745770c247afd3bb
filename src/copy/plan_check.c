/* What stands against a commit. */
#include "base/error.h"
#include "base/text.h"
#include "copy/plan.h"

graft_status graft__clash_status(graft__clash clash)
{
    switch (clash) {
    case GRAFT__CLASH_SHAPE:
        return GRAFT_ERR_SHAPE;
    case GRAFT__CLASH_DTYPE:
    case GRAFT__CLASH_QUANTISED:
        return GRAFT_ERR_DTYPE;
    default:
        return GRAFT_ERR_ARGUMENT;
    }
}

static bool exceeds(int64_t n, int64_t most)
{
    return most >= 0 && n > most;
}

static int64_t unmatched(const graft_plan *plan)
{
    int64_t n = 0;
    for (int64_t i = 0; i < (int64_t)plan->items.rules; i++)
        n += graft_plan_rule_matches(plan, i) == 0;
    return n;
}

/* "\n  3 tensors keep their initial values, and at most 0 may: ..." */
static void add_excess(int64_t n, const char *what, int64_t most, graft__text *out)
{
    graft__text_addf(out, "\n  %lld %s, and at most %lld may:", (long long)n, what,
                     (long long)most);
}

static int64_t add_conflicts(const graft_plan *plan, graft__text *out)
{
    int64_t n = 0;
    for (size_t i = 0; i < plan->count; i++) {
        const graft__plan_target *t = &plan->target[i];
        if (t->action != GRAFT_PLAN_CONFLICT)
            continue;
        graft__text_addf(out, "\n  \"%s\": %s", t->name, t->how ? t->how : "conflict");
        n++;
    }
    return n;
}

static int64_t add_initial(const graft_plan *plan, graft__text *out)
{
    const int64_t n = graft_plan_count(plan, GRAFT_PLAN_INITIAL);
    if (!exceeds(n, plan->options.max_initial))
        return 0;
    add_excess(n, "of the target's tensors keep their initial values", plan->options.max_initial,
               out);
    for (size_t i = 0; i < plan->count; i++)
        if (plan->target[i].action == GRAFT_PLAN_INITIAL)
            graft__text_addf(out, "\n    \"%s\"", plan->target[i].name);
    return 1;
}

static int64_t add_left(const graft_plan *plan, graft__text *out)
{
    const int64_t n = graft_plan_source_count(plan, GRAFT_PLAN_LEFT);
    if (!exceeds(n, plan->options.max_left))
        return 0;
    add_excess(n, "of the source's tensors are left over", plan->options.max_left, out);
    for (size_t i = 0; i < plan->items.sources; i++)
        if (plan->use[i] == GRAFT_PLAN_LEFT)
            graft__text_addf(out, "\n    \"%s\"", plan->items.source[i]);
    return 1;
}

static int64_t add_unmatched(const graft_plan *plan, graft__text *out)
{
    const int64_t n = unmatched(plan);
    if (!exceeds(n, plan->options.max_unmatched))
        return 0;
    add_excess(n, "of the rules met nothing", plan->options.max_unmatched, out);
    for (int64_t i = 0; i < (int64_t)plan->items.rules; i++)
        if (graft_plan_rule_matches(plan, i) == 0)
            graft__text_addf(out, "\n    %s", graft_rules_line(plan->rules, i));
    return 1;
}

int64_t graft__plan_problems(const graft_plan *plan, graft__text *out)
{
    const int64_t conflicts = add_conflicts(plan, out);
    return conflicts + add_initial(plan, out) + add_left(plan, out) + add_unmatched(plan, out);
}

/* That of the first problem, names first: what does not meet may be why the rest doesn't fit. */
static graft_status status_of(const graft_plan *plan)
{
    if (exceeds(graft_plan_count(plan, GRAFT_PLAN_INITIAL), plan->options.max_initial) ||
        exceeds(graft_plan_source_count(plan, GRAFT_PLAN_LEFT), plan->options.max_left))
        return GRAFT_ERR_NAME;
    graft_status best = GRAFT_OK;
    for (size_t i = 0; i < plan->count && best != GRAFT_ERR_SHAPE; i++) {
        if (plan->target[i].action != GRAFT_PLAN_CONFLICT)
            continue;
        const graft_status st = graft__clash_status(plan->target[i].clash);
        if (best == GRAFT_OK || st == GRAFT_ERR_SHAPE || best == GRAFT_ERR_ARGUMENT)
            best = st;
    }
    if (best == GRAFT_OK && exceeds(unmatched(plan), plan->options.max_unmatched))
        best = GRAFT_ERR_ARGUMENT;
    return best;
}

graft_status graft_plan_check(const graft_plan *plan)
{
    if (!plan)
        return GRAFT_ERR_ARGUMENT;
    const graft_status st = status_of(plan);
    if (st == GRAFT_OK)
        return st;
    graft__text text;
    graft__text_init(&text, plan->ctx);
    const int64_t n = graft__plan_problems(plan, &text);
    graft__fail(plan->ctx, st, "plan into %s: %lld problem%s:%s%s",
                plan->module ? plan->module->type->name : "a dict", (long long)n, n == 1 ? "" : "s",
                text.data ? text.data : "", text.failed ? "..." : "");
    graft__text_free(&text);
    return st;
}
