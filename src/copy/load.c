/* load_state_dict: a plan without rules, all or nothing, and its report. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/vector.h"
#include "copy/load_report.h"
#include "copy/load_words.h"
#include "copy/plan_stage.h"

graft_load_options graft_load_defaults(void)
{
    return (graft_load_options){.strict = true, .cast = false};
}

static graft_status refuse(const graft__load_view *view)
{
    const graft_status st = graft__load_status(view);
    graft_ctx *g = view->plan->ctx;
    graft__text text;
    graft__text_init(&text, g);
    graft__load_problems(view, &text);
    graft__fail(g, st, "%s%s", text.data ? text.data : "load_state_dict: it does not fit",
                text.failed ? "..." : "");
    graft__text_free(&text);
    return st;
}

/* All up to the commit, which is made only if *report could be. What is wrong with the dict is said
 * before a report is tried, so that it is the error also if there is no memory for one. */
static graft_status carry_out(graft__load_view *view, graft_plan *plan, graft_load_report **report)
{
    graft__plan_stage stage;
    graft__plan_stage_init(&stage, plan);
    graft_status st = graft__load_view_make(view);
    bool fits = st == GRAFT_OK && graft__load_status(view) == GRAFT_OK;
    if (fits) {
        st = graft__plan_stage_make(&stage);
        if (st == GRAFT_OK && graft_plan_count(plan, GRAFT_PLAN_CONFLICT) > 0) {
            view->count = 0; /* memory that meets was found */
            st = graft__load_view_make(view);
            fits = false;
        }
    }
    if (st == GRAFT_OK && !fits)
        st = refuse(view);
    if (report && view->count == plan->count + graft__load_count(view, GRAFT_LOAD_UNEXPECTED)) {
        *report = graft__load_report_new(view, st);
        if (!*report && st == GRAFT_OK)
            st = GRAFT_ERR_MEMORY;
    }
    if (st == GRAFT_OK)
        graft__plan_stage_commit(&stage);
    graft__plan_stage_free(&stage);
    return st;
}

static graft_status add_item(graft__items *items, graft_dict *state, size_t i)
{
    graft_ctx *g = items->g;
    const char *key = state->entry[i].key.text.data;
    void *sources = items->source;
    const bool room = graft__vector_reserve(g, &sources, items->sources, &items->source_capacity,
                                            sizeof *items->source);
    items->source = sources;
    char *source = room ? graft__strdup(g, key) : NULL,
         *name = source ? graft__strdup(g, key) : NULL;
    if (source)
        items->source[items->sources++] = source;
    graft__node *node = name ? graft__node_source(state, i, items->sources - 1) : NULL;
    if (!node) {
        graft__text_release(g, name);
        return graft__fail_memory(g, sizeof *items->item, "load_state_dict");
    }
    return graft__items_append(items, name, node, NULL);
}

/* The tensors under string keys, which alone can be met. */
static graft_status list_items(graft__items *items, const graft_dict *state)
{
    graft_dict *d = (graft_dict *)(uintptr_t)state; /* nodes hold it */
    graft_status st = GRAFT_OK;
    for (size_t i = 0; i < d->count && st == GRAFT_OK; i++)
        if (d->entry[i].value.kind == GRAFT_VALUE_TENSOR &&
            d->entry[i].key.kind == GRAFT_VALUE_STRING)
            st = add_item(items, d, i);
    items->skipped = graft__alloc_zero(items->g, items->sources * sizeof *items->skipped);
    if (!items->skipped)
        st = graft__fail_memory(items->g, items->sources, "load_state_dict");
    return st;
}

static graft_status load(graft_plan *plan, const graft_dict *state,
                         const graft_load_options *options, graft_load_report **report)
{
    graft__load_view view = {
        .plan = plan,
        .state = state,
        .options = options ? *options : graft_load_defaults(),
    };
    plan->options = graft_plan_defaults();
    plan->options.cast = view.options.cast;
    graft_status st = list_items(&plan->items, state);
    if (st == GRAFT_OK)
        st = graft__plan_make(plan);
    if (st == GRAFT_OK)
        st = carry_out(&view, plan, report);
    graft__load_view_free(&view);
    graft__plan_clear(plan);
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
    graft_plan plan = {.ctx = g, .module = m, .flat = state, .items = {.g = g}};
    const graft_status st = load(&plan, state, options, report);
    if (report && *report)
        graft__own_by_context(&(*report)->object);
    return st;
}
