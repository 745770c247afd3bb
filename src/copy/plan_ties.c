/* Names of one memory: one of them leads and gives the value. */

#include "base/alloc.h"
#include "base/error.h"
#include "base/sort.h"
#include "copy/plan.h"
#include "copy/same.h"

/* ---- Groups ---- */

/* What makes names tied: in a module that they are one tensor; in a dict that they lie on the same
 * elements, as names of a state dict do; in what is made of a source, that there they do. */
static const graft_tensor *tied_by(const graft_plan *plan, size_t i, bool in_source)
{
    const graft__plan_target *t = &plan->target[i];
    return !in_source ? t->tensor
           : t->node  ? graft__node_tensor(graft__node_origin(t->node))
                      : NULL;
}

typedef struct grouping {
    const graft_plan *plan;
    bool in_source;
    uint32_t *order, *scratch;
    size_t count;
} grouping;

static int compare(const grouping *by, size_t i, size_t j)
{
    const graft_tensor *a = tied_by(by->plan, i, by->in_source);
    const graft_tensor *b = tied_by(by->plan, j, by->in_source);
    if (a == b)
        return 0;
    if (by->plan->module && !by->in_source)
        return (uintptr_t)a < (uintptr_t)b ? -1 : 1;
    return graft__compare_places(a, b);
}

static bool goes_before(const void *user, uint32_t a, uint32_t b)
{
    return compare(user, a, b) < 0;
}

/* Orders the targets so that those of one memory are neighbours, in their own order. In a source
 * that means only that they come of the same. */
static graft_status group(const graft_plan *plan, bool in_source, grouping *by)
{
    const size_t bytes = plan->count * sizeof *by->order;
    *by = (grouping){.plan = plan, .in_source = in_source};
    by->order = graft__alloc(plan->ctx, bytes);
    by->scratch = graft__alloc(plan->ctx, bytes);
    if (!by->order || !by->scratch)
        return graft__fail_memory(plan->ctx, bytes, "plan");
    for (size_t i = 0; i < plan->count; i++)
        if ((!in_source || graft__plan_fits(plan->target[i].action)) && tied_by(plan, i, in_source))
            by->order[by->count++] = (uint32_t)i;
    graft__sort(by->order, by->scratch, by->count, goes_before, by);
    return GRAFT_OK;
}

static void ungroup(const grouping *by)
{
    const size_t bytes = by->plan->count * sizeof *by->order;
    graft__free(by->plan->ctx, by->order, bytes);
    graft__free(by->plan->ctx, by->scratch, bytes);
}

/* Behind the group that begins at order[k]. */
static size_t group_end(const grouping *by, size_t k)
{
    size_t end = k + 1;
    while (end < by->count && compare(by, by->order[k], by->order[end]) == 0)
        end++;
    return end;
}

/* ---- One value for one memory ---- */

static void conflict(graft__plan_target *t, graft__clash clash, size_t peer)
{
    t->action = GRAFT_PLAN_CONFLICT;
    t->clash = clash;
    t->peer = peer;
}

/* The leader is the first for which something was met, or else the first that a rule keeps, or else
 * the first. */
static size_t leader_of(const grouping *by, size_t begin, size_t end)
{
    const graft_plan *plan = by->plan;
    size_t leader = by->order[begin];
    int best = -1;
    for (size_t k = begin; k < end; k++) {
        const graft_plan_action action = plan->target[by->order[k]].action;
        const int rank = action == GRAFT_PLAN_INITIAL ? 0 : action == GRAFT_PLAN_KEPT ? 1 : 2;
        if (rank > best) {
            best = rank;
            leader = by->order[k];
        }
    }
    return leader;
}

static graft_status judge(graft_plan *plan, size_t i, size_t leader)
{
    graft__plan_target *t = &plan->target[i];
    const graft__plan_target *l = &plan->target[leader];
    const bool fits = graft__plan_fits(l->action);
    t->leader = leader;
    if (t->action == GRAFT_PLAN_INITIAL) {
        t->action = fits ? GRAFT_PLAN_TIED : l->action;
        t->clash = l->clash;
        return GRAFT_OK;
    }
    if (t->action == GRAFT_PLAN_KEPT && fits)
        conflict(t, GRAFT__CLASH_KEPT, leader);
    if (!fits || !graft__plan_fits(t->action))
        return GRAFT_OK;
    bool same = false;
    const graft_status st = graft__plan_same(plan, i, leader, &same);
    if (st == GRAFT_OK && same)
        t->action = GRAFT_PLAN_TIED;
    else if (st == GRAFT_OK)
        conflict(t, GRAFT__CLASH_TIE, leader);
    return st;
}

static graft_status judge_all(graft_plan *plan)
{
    grouping by;
    graft_status st = group(plan, false, &by);
    for (size_t k = 0, end; k < by.count && st == GRAFT_OK; k = end) {
        end = group_end(&by, k);
        const size_t leader = end > k + 1 ? leader_of(&by, k, end) : by.order[k];
        for (size_t m = k; m < end && st == GRAFT_OK; m++)
            if (by.order[m] != leader)
                st = judge(plan, by.order[m], leader);
    }
    ungroup(&by);
    return st;
}

/* ---- Ties of the source, and whether they are the target's ---- */

enum { VALUES = 16 }; /* of one tensor that are told apart */

/* Of those between begin and end, which come of one tensor, the first that is made of it in the
 * same way. */
static void find_same(const grouping *by, size_t begin, size_t end, size_t *first)
{
    const graft__plan_target *target = by->plan->target;
    size_t leader[VALUES], leaders = 0;
    for (size_t m = begin; m < end; m++) {
        const size_t i = by->order[m];
        size_t k = 0;
        while (k < leaders && !graft__node_same(target[leader[k]].node, target[i].node))
            k++;
        if (k < leaders)
            first[i] = leader[k];
        else if (leaders < VALUES)
            leader[leaders++] = i;
    }
}

/* The first of those for which something was met. */
static void find_met(const grouping *by, size_t begin, size_t end, size_t *first)
{
    size_t head = GRAFT__PLAN_NONE;
    for (size_t m = begin; m < end; m++) {
        const size_t i = by->order[m];
        if (by->plan->target[i].item == GRAFT__PLAN_NONE)
            continue;
        head = head == GRAFT__PLAN_NONE ? i : head;
        first[i] = head;
    }
}

/* The first of each one's group into first[]. */
static graft_status find_firsts(const graft_plan *plan, bool in_source, size_t *first)
{
    grouping by;
    const graft_status st = group(plan, in_source, &by);
    for (size_t i = 0; i < plan->count; i++)
        first[i] = i;
    for (size_t k = 0, end; k < by.count && st == GRAFT_OK; k = end) {
        end = group_end(&by, k);
        if (in_source)
            find_same(&by, k, end, first);
        else
            find_met(&by, k, end, first);
    }
    ungroup(&by);
    return st;
}

/* Without a target, what is one value in the source is one in what is made of it. */
static graft_status tie_as_source(graft_plan *plan)
{
    const size_t bytes = plan->count * sizeof(size_t);
    size_t *first = graft__alloc(plan->ctx, bytes);
    const graft_status st =
        first ? find_firsts(plan, true, first) : graft__fail_memory(plan->ctx, bytes, "plan");
    for (size_t i = 0; i < plan->count && st == GRAFT_OK; i++) {
        if (first[i] == i)
            continue;
        plan->target[i].leader = first[i];
        plan->target[i].action = GRAFT_PLAN_TIED;
    }
    graft__free(plan->ctx, first, bytes);
    return st;
}

static graft_status check_ties(graft_plan *plan)
{
    const size_t bytes = plan->count * sizeof(size_t);
    size_t *source = graft__alloc(plan->ctx, bytes), *target = graft__alloc(plan->ctx, bytes);
    graft_status st = source && target ? find_firsts(plan, true, source)
                                       : graft__fail_memory(plan->ctx, bytes, "plan");
    if (st == GRAFT_OK)
        st = find_firsts(plan, false, target);
    for (size_t i = 0; i < plan->count && st == GRAFT_OK; i++) {
        if (!graft__plan_fits(plan->target[i].action) || source[i] == target[i])
            continue;
        plan->target[i].apart_in_source = source[i] != i;
        conflict(&plan->target[i], GRAFT__CLASH_APART, source[i] != i ? source[i] : target[i]);
    }
    graft__free(plan->ctx, source, bytes);
    graft__free(plan->ctx, target, bytes);
    return st;
}

graft_status graft__plan_ties(graft_plan *plan)
{
    const graft__ties ties = plan->ties = graft__rules_ties(plan->rules);
    if (!plan->module && !plan->dict)
        return ties == GRAFT__TIES_BREAK ? GRAFT_OK : tie_as_source(plan);
    graft_status st = ties == GRAFT__TIES_CHECK ? check_ties(plan) : GRAFT_OK;
    if (st == GRAFT_OK && (plan->module || ties != GRAFT__TIES_BREAK))
        st = judge_all(plan);
    return st;
}
