#include "copy/plan.h"

#include "base/alloc.h"
#include "base/error.h"
#include "copy/both.h"

/* ---- Life ---- */

graft_plan_options graft_plan_defaults(void)
{
    return (graft_plan_options){
        .max_initial = -1, .max_left = -1, .max_unmatched = -1, .cast = true};
}

void graft__plan_clear(graft_plan *plan)
{
    graft_ctx *g = plan->ctx;
    for (size_t i = 0; i < plan->count; i++) {
        graft__strfree(g, plan->target[i].name);
        graft__strfree(g, plan->target[i].how);
        graft__tensor_unref(plan->target[i].tensor);
        graft__node_unref(plan->target[i].node);
    }
    graft__free(g, plan->target, plan->capacity * sizeof *plan->target);
    graft__free(g, plan->use, plan->items.sources * sizeof *plan->use);
    for (size_t i = 0; i < plan->suggestions; i++) {
        graft__strfree(g, plan->suggestion[i].line);
        graft__strfree(g, plan->suggestion[i].why);
    }
    graft__free(g, plan->suggestion, plan->suggestion_capacity * sizeof *plan->suggestion);
    graft__text_release(g, plan->text);
    if (plan->items.g)
        graft__items_free(&plan->items);
}

static void plan_destroy(graft__object *o)
{
    graft_plan *plan = (graft_plan *)o;
    graft__plan_clear(plan);
    graft__module_unref(plan->module);
    graft__dict_unref(plan->dict);
    graft__dict_unref(plan->source);
    if (plan->rules)
        graft__unref((graft__object *)(uintptr_t)&plan->rules->object);
    graft__free(plan->ctx, plan, sizeof *plan);
}

static const graft__kind plan_kind = {.name = "plan", .destroy = plan_destroy};

graft_status graft__plan_make(graft_plan *plan)
{
    const graft_status st = graft__plan_match(plan);
    return st == GRAFT_OK ? graft__plan_ties(plan) : st;
}

bool graft__plan_not_tensor(const graft_plan *plan, const char *name, graft_value_kind *kind)
{
    int64_t i = -1;
    const graft_dict *d = plan->flat;
    if (d)
        i = graft_dict_find(d, name);
    else
        d = graft_dict_find_path(plan->source, name, &i);
    *kind = graft_dict_kind(d, i);
    return d && i >= 0 && *kind != GRAFT_VALUE_TENSOR;
}

/* ---- Makers ---- */

static graft_plan *plan_new(graft_ctx *g, const graft_rules *rules,
                            const graft_plan_options *options)
{
    graft_plan *plan = graft__alloc_zero(g, sizeof *plan);
    if (!plan) {
        graft__fail_memory(g, sizeof *plan, "plan");
        return NULL;
    }
    graft__object_init(&plan->object, g, &plan_kind);
    plan->ctx = g;
    plan->options = options ? *options : graft_plan_defaults();
    plan->rules = rules;
    if (rules)
        graft__ref((graft__object *)(uintptr_t)&rules->object);
    return plan;
}

/* The source as rules leave it. */
static graft_status list_items(graft_plan *plan)
{
    const graft_status st = graft__items_of(&plan->items, plan->source);
    if (st == GRAFT_OK)
        return graft__rules_apply(plan->rules, &plan->items);
    plan->items.g = NULL;
    return st;
}

/* A plan is of what the source was when it was made: a copy-on-write copy, in the plan's context,
 * which nobody else changes. */
static graft_plan *carry_out(graft_plan *plan, const graft_dict *source)
{
    if (!plan)
        return NULL;
    graft_dict *copy = graft_dict_clone(source, plan->ctx);
    graft_status st = copy ? GRAFT_OK : GRAFT_ERR_MEMORY;
    if (copy) {
        plan->source = copy;
        graft__disown(&copy->object);
        st = list_items(plan);
    }
    if (st == GRAFT_OK)
        st = graft__plan_make(plan);
    if (st == GRAFT_OK)
        st = graft__plan_words(plan);
    if (st == GRAFT_OK)
        st = graft__plan_suggest(plan);
    if (st == GRAFT_OK) {
        graft__own_by_context(&plan->object);
        return plan;
    }
    graft_ctx *g = plan->ctx;
    if (plan->rules)
        graft__tell_both(g, plan->rules->object.ctx);
    graft__unref(&plan->object);
    graft__tell_both(g, source->object.ctx);
    return NULL;
}

static bool lacks_source(graft_ctx *g, const graft_dict *source)
{
    if (!source)
        graft__fail(g, GRAFT_ERR_ARGUMENT, "plan: the source is NULL");
    return !source;
}

graft_plan *graft_plan_into_module(graft_module *target, const graft_dict *source,
                                   const graft_rules *rules, const graft_plan_options *options)
{
    if (!target || lacks_source(target->ctx, source))
        return NULL;
    graft_plan *plan = plan_new(target->ctx, rules, options);
    if (plan)
        plan->module = graft__module_ref(target);
    return carry_out(plan, source);
}

graft_plan *graft_plan_into_dict(graft_dict *target, const graft_dict *source,
                                 const graft_rules *rules, const graft_plan_options *options)
{
    if (!source) {
        if (target)
            lacks_source(target->object.ctx, source);
        return NULL;
    }
    graft_plan *plan = plan_new(target ? target->object.ctx : source->object.ctx, rules, options);
    if (plan && target)
        plan->dict = (graft_dict *)graft__ref(&target->object);
    return carry_out(plan, source);
}

void graft_plan_free(graft_plan *plan)
{
    if (plan && graft__disown(&plan->object))
        graft__unref(&plan->object);
}

/* ---- Reading ---- */

const char *graft_plan_action_name(graft_plan_action action)
{
    static const char *const name[] = {"copied", "cast", "changed", "fused",   "split",
                                       "tied",   "kept", "initial", "conflict"};
    const size_t i = (size_t)action;
    return i < sizeof name / sizeof *name ? name[i] : "(no action)";
}

const char *graft_plan_use_name(graft_plan_use use)
{
    static const char *const name[] = {"used", "skipped", "left"};
    const size_t i = (size_t)use;
    return i < sizeof name / sizeof *name ? name[i] : "(no use)";
}

int64_t graft_plan_len(const graft_plan *plan)
{
    return plan ? (int64_t)plan->count : 0;
}

static const graft__plan_target *target_at(const graft_plan *plan, int64_t i)
{
    return plan && i >= 0 && (uint64_t)i < plan->count ? &plan->target[i] : NULL;
}

const char *graft_plan_name(const graft_plan *plan, int64_t i)
{
    const graft__plan_target *t = target_at(plan, i);
    return t ? t->name : NULL;
}

graft_plan_action graft_plan_action_of(const graft_plan *plan, int64_t i)
{
    const graft__plan_target *t = target_at(plan, i);
    return t ? t->action : GRAFT_PLAN_INITIAL;
}

const char *graft_plan_from(const graft_plan *plan, int64_t i)
{
    const graft__plan_target *t = target_at(plan, i);
    const graft__item *item = t ? graft__plan_item(plan, (size_t)i) : NULL;
    return item ? plan->items.source[graft__node_origin(item->node)->place] : NULL;
}

const char *graft_plan_how(const graft_plan *plan, int64_t i)
{
    const graft__plan_target *t = target_at(plan, i);
    return t ? t->how ? t->how : "" : NULL;
}

int64_t graft_plan_source_len(const graft_plan *plan)
{
    return plan ? (int64_t)plan->items.sources : 0;
}

static bool is_source(const graft_plan *plan, int64_t i)
{
    return plan && i >= 0 && (uint64_t)i < plan->items.sources;
}

const char *graft_plan_source_name(const graft_plan *plan, int64_t i)
{
    return is_source(plan, i) ? plan->items.source[i] : NULL;
}

graft_plan_use graft_plan_source_use(const graft_plan *plan, int64_t i)
{
    return is_source(plan, i) ? plan->use[i] : GRAFT_PLAN_LEFT;
}

int64_t graft_plan_count(const graft_plan *plan, graft_plan_action action)
{
    int64_t n = 0;
    for (int64_t i = 0; i < graft_plan_len(plan); i++)
        n += plan->target[i].action == action;
    return n;
}

int64_t graft_plan_source_count(const graft_plan *plan, graft_plan_use use)
{
    int64_t n = 0;
    for (int64_t i = 0; i < graft_plan_source_len(plan); i++)
        n += plan->use[i] == use;
    return n;
}

int64_t graft_plan_rule_matches(const graft_plan *plan, int64_t i)
{
    return plan && i >= 0 && (uint64_t)i < plan->items.rules ? plan->items.matches[i] : 0;
}

int64_t graft_plan_suggestions(const graft_plan *plan)
{
    return plan ? (int64_t)plan->suggestions : 0;
}

static const graft__suggestion *suggestion_at(const graft_plan *plan, int64_t i)
{
    return plan && i >= 0 && (uint64_t)i < plan->suggestions ? &plan->suggestion[i] : NULL;
}

const char *graft_plan_suggestion(const graft_plan *plan, int64_t i)
{
    const graft__suggestion *s = suggestion_at(plan, i);
    return s ? s->line : NULL;
}

const char *graft_plan_suggestion_why(const graft_plan *plan, int64_t i)
{
    const graft__suggestion *s = suggestion_at(plan, i);
    return s ? s->why : NULL;
}
