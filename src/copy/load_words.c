#include "copy/load_words.h"

static const char *kind_text(graft_value_kind kind)
{
    switch (kind) {
    case GRAFT_VALUE_NONE:
        return "None";
    case GRAFT_VALUE_BOOL:
        return "a bool";
    case GRAFT_VALUE_INT:
        return "an integer";
    case GRAFT_VALUE_FLOAT:
        return "a float";
    case GRAFT_VALUE_STRING:
        return "a string";
    case GRAFT_VALUE_TENSOR:
        return "a tensor";
    case GRAFT_VALUE_DICT:
        return "a dict";
    case GRAFT_VALUE_LIST:
        return "a list";
    case GRAFT_VALUE_TUPLE:
        return "a tuple";
    case GRAFT_VALUE_SET:
        return "a set";
    case GRAFT_VALUE_RECORD:
        return "an object";
    case GRAFT_VALUE_BYTES:
        return "bytes";
    case GRAFT_VALUE_BIG_INT:
        return "an integer";
    case GRAFT_VALUE_COMPLEX:
        return "a complex number";
    }
    return "an unknown value";
}

/* "[32, 64] float32" */
static void add_form(graft__text *out, const graft_tensor *t)
{
    char shape[GRAFT__SHAPE_TEXT];
    graft__text_addf(out, "%s %s", graft__tensor_shape_text(t, shape), graft_dtype_name(t->dtype));
}

static graft_value_kind kind_of(const graft__load_plan *plan, const graft__load_entry *e)
{
    return graft_dict_kind(plan->state, e->place);
}

/* What the dict has under an unexpected name. */
static void add_unexpected(const graft__load_plan *plan, const graft__load_entry *e,
                           graft__text *out)
{
    if (e->src)
        add_form(out, e->src);
    else
        graft__text_add(out, kind_text(kind_of(plan, e)));
}

/* ---- What is wrong ---- */

static void add_shape(const graft__load_entry *e, graft__text *out)
{
    char model[GRAFT__SHAPE_TEXT], dict[GRAFT__SHAPE_TEXT];
    graft__text_addf(out, "shape of \"%s\": %s in the model, %s in the dict", e->name,
                     graft__tensor_shape_text(e->dst, model),
                     graft__tensor_shape_text(e->src, dict));
    if (e->dst->dtype != e->src->dtype)
        graft__text_addf(out, " (and %s there, %s here)", graft_dtype_name(e->src->dtype),
                         graft_dtype_name(e->dst->dtype));
}

static void add_dtype(const graft__load_entry *e, graft__text *out)
{
    bool castable =
        graft_dtype_is_floating(e->dst->dtype) && graft_dtype_is_floating(e->src->dtype);
    graft__text_addf(out, "dtype of \"%s\": %s in the model, %s in the dict%s", e->name,
                     graft_dtype_name(e->dst->dtype), graft_dtype_name(e->src->dtype),
                     castable ? " (the option cast converts)" : "");
}

static void add_tie(const graft__load_plan *plan, const graft__load_entry *e, graft__text *out)
{
    if (e->peer == GRAFT__LOAD_NO_PEER) {
        graft__text_addf(out,
                         "tie of \"%s\": its elements share memory in the model, but differ in the "
                         "dict",
                         e->name);
        return;
    }
    const graft__load_entry *peer = &plan->entry[e->peer];
    graft__text_addf(
        out, "tie of \"%s\" and \"%s\": %s, but they differ in the dict", peer->name, e->name,
        peer->dst == e->dst ? "one tensor in the model" : "their memory overlaps in the model");
}

static void add_problem(const graft__load_plan *plan, const graft__load_entry *e, bool guess,
                        graft__text *out)
{
    const graft__load_entry *near = NULL;
    switch (e->action) {
    case GRAFT_LOAD_COPIED:
    case GRAFT_LOAD_CAST:
        break;
    case GRAFT_LOAD_MISSING:
        graft__text_addf(out, "missing: \"%s\" ", e->name);
        add_form(out, e->dst);
        near = guess ? graft__load_near_miss(plan, e) : NULL;
        if (near)
            graft__text_addf(out, " (did you mean \"%s\"?)", near->name);
        break;
    case GRAFT_LOAD_UNEXPECTED:
        graft__text_addf(out, "unexpected: \"%s\" ", e->name);
        add_unexpected(plan, e, out);
        break;
    case GRAFT_LOAD_SHAPE:
        add_shape(e, out);
        break;
    case GRAFT_LOAD_DTYPE:
        add_dtype(e, out);
        break;
    case GRAFT_LOAD_TIE:
        add_tie(plan, e, out);
        break;
    case GRAFT_LOAD_KIND:
        graft__text_addf(out, "kind of \"%s\": %s in the dict, expected a tensor ", e->name,
                         kind_text(kind_of(plan, e)));
        add_form(out, e->dst);
        break;
    }
}

static size_t problem_count(const graft__load_plan *plan)
{
    size_t n = 0;
    for (size_t i = 0; i < plan->count; i++)
        n += graft__load_is_problem(plan, plan->entry[i].action);
    return n;
}

void graft__load_problems(const graft__load_plan *plan, graft__text *out)
{
    size_t n = problem_count(plan);
    graft__text causes;
    graft__text_init(&causes, plan->ctx);
    bool explained = graft__load_causes(plan, &causes);
    graft__text_addf(out, "load_state_dict into %s: nothing was loaded, %zu problem%s:",
                     plan->module->type->name, n, n == 1 ? "" : "s");
    for (int action = GRAFT_LOAD_MISSING; action <= GRAFT_LOAD_KIND; action++) {
        for (size_t i = 0; i < plan->count; i++) {
            const graft__load_entry *e = &plan->entry[i];
            if ((int)e->action != action || !graft__load_is_problem(plan, e->action))
                continue;
            graft__text_add(out, "\n  ");
            add_problem(plan, e, !explained, out);
        }
    }
    if (causes.data)
        graft__text_add(out, causes.data);
    graft__text_free(&causes);
}

/* ---- What was done ---- */

static void add_taken(const graft__load_plan *plan, const graft__load_entry *e, graft__text *out)
{
    if (e->action == GRAFT_LOAD_CAST)
        graft__text_addf(out, " from %s", graft_dtype_name(e->src->dtype));
    if (e->peer != GRAFT__LOAD_NO_PEER)
        graft__text_addf(out, ", tied to \"%s\"", plan->entry[e->peer].name);
}

static void add_deed(const graft__load_plan *plan, const graft__load_entry *e, bool explained,
                     graft__text *out)
{
    graft__text_addf(out, "\n  %s: \"%s\" ", graft_load_action_name(e->action), e->name);
    if (e->action == GRAFT_LOAD_UNEXPECTED) {
        add_unexpected(plan, e, out);
        graft__text_add(out, ", not taken");
        return;
    }
    add_form(out, e->dst);
    if (e->action != GRAFT_LOAD_MISSING) {
        add_taken(plan, e, out);
        return;
    }
    const graft__load_entry *near = explained ? NULL : graft__load_near_miss(plan, e);
    graft__text_add(out, ", kept as it was");
    if (near)
        graft__text_addf(out, " (did you mean \"%s\"?)", near->name);
}

void graft__load_deeds(const graft__load_plan *plan, bool done, graft__text *out)
{
    graft__text causes;
    graft__text_init(&causes, plan->ctx);
    bool explained = graft__load_causes(plan, &causes);
    graft__text_addf(out, "load_state_dict into %s: ", plan->module->type->name);
    if (!done)
        graft__text_add(out, "nothing was loaded, as there was no memory; planned: ");
    const char *comma = "";
    for (int a = GRAFT_LOAD_COPIED; a <= GRAFT_LOAD_KIND; a++) {
        graft_load_action action = (graft_load_action)a;
        size_t n = graft__load_plan_count(plan, action);
        if (n == 0)
            continue;
        graft__text_addf(out, "%s%zu %s", comma, n, graft_load_action_name(action));
        comma = ", ";
    }
    if (plan->count == 0)
        graft__text_add(out, "nothing to load");
    for (size_t i = 0; i < plan->count; i++)
        add_deed(plan, &plan->entry[i], explained, out);
    if (causes.data)
        graft__text_add(out, causes.data);
    graft__text_free(&causes);
}
