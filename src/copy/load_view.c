#include "copy/load_view.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/vector.h"

/* ---- What a plan's actions are called here ---- */

static graft_load_action clash_action(graft__clash clash)
{
    switch (clash) {
    case GRAFT__CLASH_SHAPE:
        return GRAFT_LOAD_SHAPE;
    case GRAFT__CLASH_DTYPE:
        return GRAFT_LOAD_DTYPE;
    case GRAFT__CLASH_TIE:
    case GRAFT__CLASH_OVERLAP:
        return GRAFT_LOAD_TIE;
    default:
        return GRAFT_LOAD_KIND;
    }
}

/* Another name of a tied tensor is copied or cast as if it stood alone. */
static graft_load_action action_of(const graft_plan *plan, size_t i)
{
    const graft__plan_target *t = &plan->target[i];
    switch (t->action) {
    case GRAFT_PLAN_INITIAL:
        return GRAFT_LOAD_MISSING;
    case GRAFT_PLAN_CONFLICT:
        return clash_action(t->clash);
    default:
        return graft__plan_item(plan, i)->node->dtype == t->tensor->dtype ? GRAFT_LOAD_COPIED
                                                                          : GRAFT_LOAD_CAST;
    }
}

/* ---- Making ---- */

static graft_status add_entry(graft__load_view *view, const graft__load_entry *entry)
{
    graft_ctx *g = view->plan->ctx;
    void *entries = view->entry;
    const bool room =
        graft__vector_reserve(g, &entries, view->count, &view->capacity, sizeof *view->entry);
    view->entry = entries;
    if (!room)
        return graft__fail_memory(g, sizeof *view->entry, "load_state_dict");
    view->entry[view->count++] = *entry;
    return GRAFT_OK;
}

static graft_status add_targets(graft__load_view *view, bool *expected)
{
    const graft_plan *plan = view->plan;
    graft_status st = GRAFT_OK;
    for (size_t i = 0; i < plan->count && st == GRAFT_OK; i++) {
        const graft__plan_target *t = &plan->target[i];
        const graft__load_entry e = {
            .name = t->name,
            .action = action_of(plan, i),
            .target = i,
            .place = t->clash == GRAFT__CLASH_KIND
                         ? graft_dict_find(view->state, plan->target[t->leader].name)
                         : -1,
        };
        if (e.place >= 0)
            expected[e.place] = true;
        st = add_entry(view, &e);
    }
    return st;
}

/* What is not one of the plan's sources, or is left by it. */
static graft_status add_unexpected(graft__load_view *view, const bool *expected)
{
    const graft_plan *plan = view->plan;
    const graft_dict *state = view->state;
    graft_status st = GRAFT_OK;
    size_t source = 0;
    for (size_t i = 0; i < state->count && st == GRAFT_OK; i++) {
        bool used = expected[i];
        if (state->entry[i].value.kind == GRAFT_VALUE_TENSOR &&
            state->entry[i].key.kind == GRAFT_VALUE_STRING)
            used = plan->use[source++] == GRAFT_PLAN_USED;
        const graft__load_entry e = {
            .name = graft__entry_name(state, i),
            .action = GRAFT_LOAD_UNEXPECTED,
            .target = GRAFT__PLAN_NONE,
            .place = (int64_t)i,
        };
        if (!used)
            st = e.name ? add_entry(view, &e) : GRAFT_ERR_MEMORY;
    }
    return st;
}

graft_status graft__load_view_make(graft__load_view *view)
{
    graft_ctx *g = view->plan->ctx;
    const size_t bytes = view->state->count;
    bool *expected = graft__alloc_zero(g, bytes);
    if (!expected)
        return graft__fail_memory(g, bytes, "load_state_dict");
    graft_status st = add_targets(view, expected);
    if (st == GRAFT_OK)
        st = add_unexpected(view, expected);
    graft__free(g, expected, bytes);
    return st;
}

void graft__load_view_free(graft__load_view *view)
{
    graft__free(view->plan->ctx, view->entry, view->capacity * sizeof *view->entry);
}

/* ---- Judging ---- */

size_t graft__load_count(const graft__load_view *view, graft_load_action action)
{
    size_t n = 0;
    for (size_t i = 0; i < view->count; i++)
        n += view->entry[i].action == action;
    return n;
}

bool graft__load_is_problem(const graft__load_view *view, graft_load_action action)
{
    switch (action) {
    case GRAFT_LOAD_COPIED:
    case GRAFT_LOAD_CAST:
        return false;
    case GRAFT_LOAD_MISSING:
    case GRAFT_LOAD_UNEXPECTED:
        return view->options.strict;
    case GRAFT_LOAD_SHAPE:
    case GRAFT_LOAD_DTYPE:
    case GRAFT_LOAD_TIE:
    case GRAFT_LOAD_KIND:
        break;
    }
    return true;
}

static graft_status status_of(graft_load_action problem)
{
    switch (problem) {
    case GRAFT_LOAD_MISSING:
    case GRAFT_LOAD_UNEXPECTED:
        return GRAFT_ERR_NAME;
    case GRAFT_LOAD_SHAPE:
        return GRAFT_ERR_SHAPE;
    case GRAFT_LOAD_DTYPE:
        return GRAFT_ERR_DTYPE;
    default:
        return GRAFT_ERR_ARGUMENT;
    }
}

graft_status graft__load_status(const graft__load_view *view)
{
    for (int a = GRAFT_LOAD_COPIED; a <= GRAFT_LOAD_KIND; a++) {
        const graft_load_action action = (graft_load_action)a;
        if (graft__load_is_problem(view, action) && graft__load_count(view, action) > 0)
            return status_of(action);
    }
    return GRAFT_OK;
}
