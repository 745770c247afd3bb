/* A plan in words: of each target how it comes about or why it can't, and the whole for a person.
 */
#include "base/text.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "copy/plan.h"
#include "kernel/copy.h"

const char *graft__value_kind_text(graft_value_kind kind)
{
    static const char *const text[] = {
        [GRAFT_VALUE_NONE] = "None",          [GRAFT_VALUE_BOOL] = "a bool",
        [GRAFT_VALUE_INT] = "an integer",     [GRAFT_VALUE_FLOAT] = "a float",
        [GRAFT_VALUE_STRING] = "a string",    [GRAFT_VALUE_TENSOR] = "a tensor",
        [GRAFT_VALUE_DICT] = "a dict",        [GRAFT_VALUE_LIST] = "a list",
        [GRAFT_VALUE_TUPLE] = "a tuple",      [GRAFT_VALUE_SET] = "a set",
        [GRAFT_VALUE_RECORD] = "an object",   [GRAFT_VALUE_BYTES] = "bytes",
        [GRAFT_VALUE_BIG_INT] = "an integer", [GRAFT_VALUE_COMPLEX] = "a complex number",
    };
    const size_t i = (size_t)kind;
    return i < sizeof text / sizeof *text ? text[i] : "an unknown value";
}

/* ---- One target ---- */

/* How the value is made, where it is not just copied. */
static void add_steps(const graft_plan *plan, const graft__node *n, graft__text *out)
{
    graft__node_describe(n, (const char *const *)plan->items.source, out);
}

static const char *source_name(const graft_plan *plan, const graft__node *n)
{
    return plan->items.source[graft__node_origin(n)->place];
}

static void add_shapes(const graft_plan *plan, const graft__plan_target *t, graft__text *out)
{
    char target[GRAFT__SHAPE_TEXT], source[GRAFT__SHAPE_TEXT];
    graft__text_addf(out, "shape %s in the target, %s in the source",
                     graft__tensor_shape_text(t->tensor, target),
                     graft__shape_text(t->node->shape.ndim, t->node->shape.size, source));
    if (t->node->step) {
        graft__text_add(out, " after: ");
        add_steps(plan, t->node, out);
    }
}

/* The first place where two tensors of one shape and dtype differ, and what is there. */
static void add_difference(const graft__array *a, const graft__array *b, graft__text *out)
{
    int64_t at[GRAFT_MAX_DIMS] = {0};
    for (;;) {
        int64_t x = 0, y = 0;
        for (int d = 0; d < a->ndim; d++) {
            x += at[d] * a->stride[d];
            y += at[d] * b->stride[d];
        }
        const size_t width = graft__width(a->dtype);
        const char *p = (const char *)a->data + x * (int64_t)width;
        const char *q = (const char *)b->data + y * (int64_t)width;
        if (memcmp(p, q, width) != 0) {
            char place[GRAFT__SHAPE_TEXT];
            graft__text_addf(out, ", first at %s", graft__shape_text(a->ndim, at, place));
            if (graft_dtype_computes(a->dtype))
                graft__text_addf(out, ": %.9g and %.9g", graft__get_f64(p, a->dtype),
                                 graft__get_f64(q, a->dtype));
            return;
        }
        int d = a->ndim - 1;
        while (d >= 0 && ++at[d] == a->size[d])
            at[d--] = 0;
        if (d < 0)
            return;
    }
}

static graft_status add_tie(const graft_plan *plan, size_t i, graft__text *out)
{
    const graft__plan_target *t = &plan->target[i], *peer = &plan->target[t->peer];
    graft_tensor *a = graft__plan_value(plan, t->peer), *b = a ? graft__plan_value(plan, i) : NULL;
    if (a && b) {
        graft__text_addf(out, "tied with \"%s\", but the source has two values: \"%s\" and \"%s\"",
                         peer->name, source_name(plan, peer->node), source_name(plan, t->node));
        const graft__array x = graft__read(a), y = graft__read(b);
        if (graft__width(x.dtype) > 0)
            add_difference(&x, &y, out);
    }
    graft__tensor_unref(a);
    graft__tensor_unref(b);
    return a && b ? GRAFT_OK : graft_error_status(plan->ctx);
}

static void add_overlap(const graft_plan *plan, const graft__plan_target *t, graft__text *out)
{
    if (t->peer == GRAFT__PLAN_NONE)
        graft__text_add(out, "its elements share memory, but differ in the source");
    else
        graft__text_addf(out, "its memory overlaps that of \"%s\", but the source has two values",
                         plan->target[t->peer].name);
}

static void add_kind(const graft_plan *plan, const graft__plan_target *t, graft__text *out)
{
    graft_value_kind kind = GRAFT_VALUE_NONE;
    graft__plan_not_tensor(plan, plan->target[t->leader].name, &kind);
    graft__text_addf(out, "%s in the source, expected a tensor", graft__value_kind_text(kind));
}

static graft_status add_clash(const graft_plan *plan, size_t i, graft__text *out)
{
    const graft__plan_target *t = &plan->target[i];
    if (t->leader != i && t->item == GRAFT__PLAN_NONE && t->peer == GRAFT__PLAN_NONE) {
        graft__text_addf(out, "tied with \"%s\", which is in conflict",
                         plan->target[t->leader].name);
        return GRAFT_OK;
    }
    switch (t->clash) {
    case GRAFT__CLASH_SHAPE:
        add_shapes(plan, t, out);
        break;
    case GRAFT__CLASH_DTYPE:
        graft__text_addf(out, "%s in the target, %s in the source",
                         graft_dtype_name(t->tensor->dtype), graft_dtype_name(t->node->dtype));
        break;
    case GRAFT__CLASH_KIND:
        add_kind(plan, t, out);
        break;
    case GRAFT__CLASH_QUANTISED:
        graft__text_add(out, "quantized in the source: the rule dequantise makes float32 of it");
        break;
    case GRAFT__CLASH_TIE:
        return add_tie(plan, i, out);
    case GRAFT__CLASH_OVERLAP:
        add_overlap(plan, t, out);
        break;
    case GRAFT__CLASH_APART:
        graft__text_addf(out, "tied with \"%s\" in the %s only", plan->target[t->peer].name,
                         t->apart_in_source ? "source" : "target");
        break;
    case GRAFT__CLASH_KEPT:
        graft__text_addf(out, "a rule keeps it, but it is tied with \"%s\", which gets a value",
                         plan->target[t->peer].name);
        break;
    default:
        break;
    }
    return GRAFT_OK;
}

static graft_status add_how(const graft_plan *plan, size_t i, graft__text *out)
{
    const graft__plan_target *t = &plan->target[i];
    switch (t->action) {
    case GRAFT_PLAN_CAST:
    case GRAFT_PLAN_CHANGED:
    case GRAFT_PLAN_FUSED:
    case GRAFT_PLAN_SPLIT:
        add_steps(plan, t->node, out);
        break;
    case GRAFT_PLAN_TIED:
        graft__text_addf(out, "tied with \"%s\"", plan->target[t->leader].name);
        break;
    case GRAFT_PLAN_KEPT:
        graft__text_add(out, "a rule keeps it");
        break;
    case GRAFT_PLAN_CONFLICT:
        return add_clash(plan, i, out);
    case GRAFT_PLAN_COPIED:
    case GRAFT_PLAN_INITIAL:
        break;
    }
    return GRAFT_OK;
}

graft_status graft__plan_words(graft_plan *plan)
{
    graft__text text;
    graft__text_init(&text, plan->ctx);
    graft_status st = GRAFT_OK;
    for (size_t i = 0; i < plan->count && st == GRAFT_OK; i++) {
        graft__plan_target *t = &plan->target[i];
        if (t->clash == GRAFT__CLASH_RULE && t->how)
            continue;
        graft__text_cut(&text, 0);
        st = add_how(plan, i, &text);
        if (st != GRAFT_OK || (text.length == 0 && !text.failed))
            continue;
        graft__text_release(plan->ctx, t->how);
        t->how = text.failed ? NULL : graft__strdup(plan->ctx, text.data);
        if (!t->how)
            st = graft__fail_memory(plan->ctx, text.length, "plan");
    }
    graft__text_free(&text);
    return st;
}

/* ---- The whole ---- */

enum { LINES = 50 }; /* of one group, and how many more there are */

static void add_counts(const graft_plan *plan, graft__text *out)
{
    const char *comma = "";
    for (int a = GRAFT_PLAN_COPIED; a <= GRAFT_PLAN_CONFLICT; a++) {
        const int64_t n = graft_plan_count(plan, (graft_plan_action)a);
        if (n > 0) {
            graft__text_addf(out, "%s%lld %s", comma, (long long)n,
                             graft_plan_action_name((graft_plan_action)a));
            comma = ", ";
        }
    }
    if (plan->count == 0)
        graft__text_add(out, "nothing");
    graft__text_addf(out, "; of the source's %zu tensor%s ", plan->items.sources,
                     plan->items.sources == 1 ? "" : "s");
    comma = "";
    for (int u = GRAFT_PLAN_USED; u <= GRAFT_PLAN_LEFT; u++) {
        const int64_t n = graft_plan_source_count(plan, (graft_plan_use)u);
        if (n > 0 || u == GRAFT_PLAN_USED) {
            graft__text_addf(out, "%s%lld %s", comma, (long long)n,
                             graft_plan_use_name((graft_plan_use)u));
            comma = ", ";
        }
    }
}

static void add_form(const graft__plan_target *t, graft__text *out)
{
    char shape[GRAFT__SHAPE_TEXT];
    if (t->tensor)
        graft__text_addf(out, " %s %s", graft__tensor_shape_text(t->tensor, shape),
                         graft_dtype_name(t->tensor->dtype));
    else if (t->node)
        graft__text_addf(out, " %s %s",
                         graft__shape_text(t->node->shape.ndim, t->node->shape.size, shape),
                         graft_dtype_name(t->node->dtype));
}

static void add_targets(const graft_plan *plan, graft_plan_action action, graft__text *out)
{
    size_t lines = 0, more = 0;
    for (size_t i = 0; i < plan->count; i++) {
        const graft__plan_target *t = &plan->target[i];
        if (t->action != action)
            continue;
        if (lines >= LINES) {
            more++;
            continue;
        }
        lines++;
        graft__text_addf(out, "\n  %s: \"%s\"", graft_plan_action_name(action), t->name);
        add_form(t, out);
        if (t->how)
            graft__text_addf(out, ": %s", t->how);
    }
    if (more > 0)
        graft__text_addf(out, "\n  %s: %zu more", graft_plan_action_name(action), more);
}

static void add_sources(const graft_plan *plan, graft_plan_use use, graft__text *out)
{
    size_t lines = 0, more = 0;
    for (size_t i = 0; i < plan->items.sources; i++) {
        if (plan->use[i] != use)
            continue;
        if (lines < LINES)
            graft__text_addf(out, "\n  %s: \"%s\"", graft_plan_use_name(use),
                             plan->items.source[i]);
        more += lines++ >= LINES;
    }
    if (more > 0)
        graft__text_addf(out, "\n  %s: %zu more", graft_plan_use_name(use), more);
}

static void add_rules(const graft_plan *plan, graft__text *out)
{
    for (int64_t i = 0; i < (int64_t)plan->items.rules; i++)
        if (plan->items.matches[i] == 0)
            graft__text_addf(out, "\n  rule that met nothing: %s",
                             graft_rules_line(plan->rules, i));
}

static void add_all(const graft_plan *plan, graft__text *out)
{
    static const graft_plan_action order[] = {
        GRAFT_PLAN_CONFLICT, GRAFT_PLAN_CHANGED, GRAFT_PLAN_FUSED, GRAFT_PLAN_SPLIT,
        GRAFT_PLAN_CAST,     GRAFT_PLAN_TIED,    GRAFT_PLAN_KEPT,  GRAFT_PLAN_INITIAL,
    };
    graft__text_addf(out, "plan into %s: ",
                     plan->module ? plan->module->type->name
                     : plan->dict ? "a dict"
                                  : "a new dict");
    add_counts(plan, out);
    for (size_t k = 0; k < sizeof order / sizeof *order; k++)
        add_targets(plan, order[k], out);
    add_sources(plan, GRAFT_PLAN_LEFT, out);
    add_rules(plan, out);
    for (size_t i = 0; i < plan->suggestions; i++)
        graft__text_addf(out, "\n  perhaps: %s  (%s)", plan->suggestion[i].line,
                         plan->suggestion[i].why);
}

const char *graft_plan_text(const graft_plan *plan)
{
    if (!plan)
        return NULL;
    graft_plan *p = (graft_plan *)(uintptr_t)plan; /* made when it is first asked for */
    if (!p->text) {
        graft__text text;
        graft__text_init(&text, p->ctx);
        add_all(plan, &text);
        p->text = graft__text_take(&text);
    }
    return p->text;
}
