#include "copy/load_words.h"

#include <string.h>

#include "base/text.h"

enum {
    NESTED_TRIES = 64
}; /* dicts that are looked into: one may stand under any number of names */

/* ---- What may be behind it ---- */

/* Names that are missing and unexpected ones, for guesses, and what is said of them all. */
typedef struct causes {
    graft__guess_names missing, unexpected;
    graft__text text;
    bool explained; /* most of it: single names need no guess */
} causes;

static void add_prefix(const graft__guess_prefix *p, graft__text *out)
{
    const bool all = p->explains == p->of;
    graft__text_addf(out, "\n  %s the %zu unexpected names ", all ? "all of" : "most of", p->of);
    if (p->from_length)
        graft__text_addf(out, "start with \"%.*s\"", (int)p->from_length, p->from);
    else
        graft__text_addf(out, "lack \"%.*s\"", (int)p->to_length, p->to);
    if (p->from_length == strlen("module.") && strncmp(p->from, "module.", p->from_length) == 0)
        graft__text_add(out, ", as torch.nn.DataParallel saves them");
    graft__text_addf(out,
                     ": graft_dict_rename_prefix(state, \"%.*s\", \"%.*s\", NULL) would give them "
                     "the model's names",
                     (int)p->from_length, p->from, (int)p->to_length, p->to);
}

static bool explain_prefix(causes *c)
{
    graft__guess_prefix p;
    const bool found =
        graft__guess_prefix_of(&c->missing, &c->unexpected, &p) && 2 * p.explains > p.of;
    if (found)
        add_prefix(&p, &c->text);
    return found;
}

/* A dict in the dict. */
static bool explain_nesting(const graft__load_view *view, causes *c)
{
    int tries = 0;
    for (size_t i = 0; i < view->count; i++) {
        const graft__load_entry *e = &view->entry[i];
        const graft_dict *inner = graft_dict_dict_at(view->state, e->place);
        if (!inner || e->action != GRAFT_LOAD_UNEXPECTED ||
            2 * (size_t)graft_dict_len(inner) <= c->missing.count)
            continue;
        if (tries++ == NESTED_TRIES)
            return false;
        size_t found = 0;
        for (size_t j = 0; j < c->missing.count; j++)
            found += graft_dict_find(inner, c->missing.name[j].name) >= 0;
        if (2 * found <= c->missing.count)
            continue;
        graft__text_addf(&c->text,
                         "\n  the dict under \"%s\" has %zu of the %zu missing names: "
                         "graft_dict_dict(state, \"%s\") may be what is to be loaded",
                         e->name, found, c->missing.count, e->name);
        return true;
    }
    return false;
}

static const graft_tensor *unexpected_tensor(const graft__load_view *view,
                                             const graft__load_entry *e)
{
    const graft__value *v = &view->state->entry[e->place].value;
    return v->kind == GRAFT_VALUE_TENSOR ? v->tensor : NULL;
}

static void find_causes(const graft__load_view *view, causes *c)
{
    graft_ctx *g = view->plan->ctx;
    *c = (causes){.missing = {.ctx = g}, .unexpected = {.ctx = g}};
    graft__text_init(&c->text, g);
    bool ok = true;
    for (size_t i = 0; i < view->count && ok; i++) {
        const graft__load_entry *e = &view->entry[i];
        const bool missing = e->action == GRAFT_LOAD_MISSING;
        const graft_tensor *t = missing ? view->plan->target[e->target].tensor
                                : e->action == GRAFT_LOAD_UNEXPECTED ? unexpected_tensor(view, e)
                                                                     : NULL;
        if (!t)
            continue;
        const graft_shape shape = graft_shape_of(t->ndim, t->size);
        ok = graft__guess_add(missing ? &c->missing : &c->unexpected, e->name, &shape);
    }
    if (ok && c->missing.count > 0)
        c->explained = (c->unexpected.count > 0 && explain_prefix(c)) || explain_nesting(view, c);
}

static void free_causes(causes *c)
{
    graft__guess_free(&c->missing);
    graft__guess_free(&c->unexpected);
    graft__text_free(&c->text);
}

/* " (did you mean ...?)" for the k-th missing name. */
static void add_near(const causes *c, size_t k, graft__text *out)
{
    const size_t near = c->explained || k >= c->missing.count
                            ? GRAFT__GUESS_NONE
                            : graft__guess_near(&c->missing, k, &c->unexpected);
    if (near != GRAFT__GUESS_NONE)
        graft__text_addf(out, " (did you mean \"%s\"?)", c->unexpected.name[near].name);
}

/* ---- Parts of lines ---- */

/* "[32, 64] float32" */
static void add_form(graft__text *out, const graft_tensor *t)
{
    char shape[GRAFT__SHAPE_TEXT];
    graft__text_addf(out, "%s %s", graft__tensor_shape_text(t, shape), graft_dtype_name(t->dtype));
}

/* What the dict has for it, under its own name or another of its tensor. */
static const graft__node *source_of(const graft__load_view *view, const graft__load_entry *e)
{
    const graft__item *item = graft__plan_item(view->plan, e->target);
    return item ? item->node : NULL;
}

static const graft_tensor *dst_of(const graft__load_view *view, const graft__load_entry *e)
{
    return view->plan->target[e->target].tensor;
}

/* What the dict has under an unexpected name. */
static void add_unexpected(const graft__load_view *view, const graft__load_entry *e,
                           graft__text *out)
{
    const graft_tensor *t = unexpected_tensor(view, e);
    if (t)
        add_form(out, t);
    else
        graft__text_add(out, graft__value_kind_text(graft_dict_kind(view->state, e->place)));
}

/* ---- What is wrong ---- */

static void add_shape(const graft__load_view *view, const graft__load_entry *e, graft__text *out)
{
    char model[GRAFT__SHAPE_TEXT], dict[GRAFT__SHAPE_TEXT];
    const graft_tensor *dst = dst_of(view, e);
    const graft__node *src = source_of(view, e);
    graft__text_addf(out, "shape of \"%s\": %s in the model, %s in the dict", e->name,
                     graft__tensor_shape_text(dst, model),
                     graft__shape_text(src->shape.ndim, src->shape.size, dict));
    if (dst->dtype != src->dtype)
        graft__text_addf(out, " (and %s there, %s here)", graft_dtype_name(src->dtype),
                         graft_dtype_name(dst->dtype));
}

static void add_dtype(const graft__load_view *view, const graft__load_entry *e, graft__text *out)
{
    const graft_dtype dst = dst_of(view, e)->dtype, src = source_of(view, e)->dtype;
    const bool castable = graft_dtype_is_floating(dst) && graft_dtype_is_floating(src);
    graft__text_addf(out, "dtype of \"%s\": %s in the model, %s in the dict%s", e->name,
                     graft_dtype_name(dst), graft_dtype_name(src),
                     castable ? " (the option cast converts)" : "");
}

static void add_tie(const graft__load_view *view, const graft__load_entry *e, graft__text *out)
{
    const size_t peer = view->plan->target[e->target].peer;
    if (peer == GRAFT__PLAN_NONE) {
        graft__text_addf(out,
                         "tie of \"%s\": its elements share memory in the model, but differ in the "
                         "dict",
                         e->name);
        return;
    }
    const graft__plan_target *p = &view->plan->target[peer];
    graft__text_addf(out, "tie of \"%s\" and \"%s\": %s, but they differ in the dict", p->name,
                     e->name,
                     p->tensor == dst_of(view, e) ? "one tensor in the model"
                                                  : "their memory overlaps in the model");
}

static void add_problem(const graft__load_view *view, const graft__load_entry *e, graft__text *out)
{
    switch (e->action) {
    case GRAFT_LOAD_COPIED:
    case GRAFT_LOAD_CAST:
        break;
    case GRAFT_LOAD_MISSING:
        graft__text_addf(out, "missing: \"%s\" ", e->name);
        add_form(out, dst_of(view, e));
        break;
    case GRAFT_LOAD_UNEXPECTED:
        graft__text_addf(out, "unexpected: \"%s\" ", e->name);
        add_unexpected(view, e, out);
        break;
    case GRAFT_LOAD_SHAPE:
        add_shape(view, e, out);
        break;
    case GRAFT_LOAD_DTYPE:
        add_dtype(view, e, out);
        break;
    case GRAFT_LOAD_TIE:
        add_tie(view, e, out);
        break;
    case GRAFT_LOAD_KIND:
        graft__text_addf(out, "kind of \"%s\": %s in the dict, expected a tensor ", e->name,
                         graft__value_kind_text(graft_dict_kind(view->state, e->place)));
        add_form(out, dst_of(view, e));
        break;
    }
}

static size_t problem_count(const graft__load_view *view)
{
    size_t n = 0;
    for (size_t i = 0; i < view->count; i++)
        n += graft__load_is_problem(view, view->entry[i].action);
    return n;
}

void graft__load_problems(const graft__load_view *view, graft__text *out)
{
    const size_t n = problem_count(view);
    causes c;
    find_causes(view, &c);
    graft__text_addf(out, "load_state_dict into %s: nothing was loaded, %zu problem%s:",
                     view->plan->module->type->name, n, n == 1 ? "" : "s");
    for (int action = GRAFT_LOAD_MISSING; action <= GRAFT_LOAD_KIND; action++) {
        size_t missing = 0;
        for (size_t i = 0; i < view->count; i++) {
            const graft__load_entry *e = &view->entry[i];
            if ((int)e->action != action || !graft__load_is_problem(view, e->action))
                continue;
            graft__text_add(out, "\n  ");
            add_problem(view, e, out);
            if (action == GRAFT_LOAD_MISSING)
                add_near(&c, missing++, out);
        }
    }
    if (c.text.data)
        graft__text_add(out, c.text.data);
    free_causes(&c);
}

/* ---- What was done ---- */

static void add_taken(const graft__load_view *view, const graft__load_entry *e, graft__text *out)
{
    const size_t leader = view->plan->target[e->target].leader;
    if (e->action == GRAFT_LOAD_CAST)
        graft__text_addf(out, " from %s", graft_dtype_name(source_of(view, e)->dtype));
    if (leader != e->target)
        graft__text_addf(out, ", tied to \"%s\"", view->plan->target[leader].name);
}

static void add_deed(const graft__load_view *view, const graft__load_entry *e, graft__text *out)
{
    graft__text_addf(out, "\n  %s: \"%s\" ", graft_load_action_name(e->action), e->name);
    if (e->action == GRAFT_LOAD_UNEXPECTED) {
        add_unexpected(view, e, out);
        graft__text_add(out, ", not taken");
        return;
    }
    add_form(out, dst_of(view, e));
    if (e->action == GRAFT_LOAD_MISSING)
        graft__text_add(out, ", kept as it was");
    else
        add_taken(view, e, out);
}

void graft__load_deeds(const graft__load_view *view, graft_status status, graft__text *out)
{
    causes c;
    find_causes(view, &c);
    graft__text_addf(out, "load_state_dict into %s: ", view->plan->module->type->name);
    if (status != GRAFT_OK)
        graft__text_addf(out, "nothing was loaded, as %s; planned: ",
                         status == GRAFT_ERR_MEMORY ? "there was no memory"
                                                    : "not all could be read");
    const char *comma = "";
    for (int a = GRAFT_LOAD_COPIED; a <= GRAFT_LOAD_KIND; a++) {
        const graft_load_action action = (graft_load_action)a;
        const size_t n = graft__load_count(view, action);
        if (n == 0)
            continue;
        graft__text_addf(out, "%s%zu %s", comma, n, graft_load_action_name(action));
        comma = ", ";
    }
    if (view->count == 0)
        graft__text_add(out, "nothing to load");
    size_t missing = 0;
    for (size_t i = 0; i < view->count; i++) {
        add_deed(view, &view->entry[i], out);
        if (view->entry[i].action == GRAFT_LOAD_MISSING)
            add_near(&c, missing++, out);
    }
    if (c.text.data)
        graft__text_add(out, c.text.data);
    free_causes(&c);
}
