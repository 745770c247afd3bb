/* Rules that might be meant, of what a plan has left over on both sides. */
#include "base/text.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/vector.h"
#include "copy/guess.h"
#include "copy/plan.h"

enum {
    PREFIXES = 8,  /* one behind the other */
    SINGLES = 20,  /* suggestions for one name each */
    BEGINNINGS = 8 /* of names, in one glob */
};

typedef struct suggester {
    graft_plan *plan;
    graft__guess_names wanted, spare;
    graft__text line, why;
    graft_status status;
} suggester;

/* Takes what was written into line and why. */
static void suggest(suggester *s)
{
    graft_plan *plan = s->plan;
    void *items = plan->suggestion;
    const bool room = graft__vector_reserve(plan->ctx, &items, plan->suggestions,
                                            &plan->suggestion_capacity, sizeof *plan->suggestion);
    plan->suggestion = items;
    graft__suggestion made = {0};
    if (room && !s->line.failed && !s->why.failed) {
        made.line = graft__strdup(plan->ctx, s->line.data);
        made.why = made.line ? graft__strdup(plan->ctx, s->why.data) : NULL;
    }
    if (made.why)
        plan->suggestion[plan->suggestions++] = made;
    else
        graft__strfree(plan->ctx, made.line);
    if (!made.why)
        s->status = graft__fail_memory(plan->ctx, s->line.length, "plan");
    graft__text_cut(&s->line, 0);
    graft__text_cut(&s->why, 0);
}

/* ---- Words of rules ---- */

/* Whether the text means itself in a glob, a pattern and between single quotes. */
static bool is_plain(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (strchr("*?[]{}'\\\n", text[i]))
            return false;
    return true;
}

/* A word made of a text and what comes behind, quoted where it must be. */
static void add_word(graft__text *out, const char *text, size_t length, const char *behind)
{
    bool bare = length > 0;
    for (size_t i = 0; i < length && bare; i++)
        bare = (unsigned char)text[i] > ' ' && !strchr("\"#", text[i]);
    graft__text_addf(out, " %s%.*s%s%s", bare ? "" : "'", (int)length, text, behind,
                     bare ? "" : "'");
}

static void add_name(graft__text *out, const char *name)
{
    add_word(out, name, strlen(name), "");
}

/* ---- Prefixes ---- */

/* "{fc,conv}.*": how the spare names begin that a prefix is to be added to; false if they begin in
 * too many ways. */
static bool add_beginnings(const graft__guess_names *spare, graft__text *out)
{
    const char *seen[BEGINNINGS];
    size_t length[BEGINNINGS], n = 0;
    for (size_t i = 0; i < spare->count; i++) {
        const char *name = spare->name[i].name;
        const size_t own = strcspn(name, ".");
        size_t k = 0;
        while (k < n && (length[k] != own || strncmp(seen[k], name, own) != 0))
            k++;
        if (k < n)
            continue;
        if (n == BEGINNINGS || !is_plain(name, own) || !name[own])
            return false;
        seen[n] = name;
        length[n++] = own;
    }
    graft__text_add(out, n > 1 ? " {" : " ");
    for (size_t k = 0; k < n; k++)
        graft__text_addf(out, "%s%.*s", k ? "," : "", (int)length[k], seen[k]);
    graft__text_add(out, n > 1 ? "}.*" : ".*");
    return true;
}

/* The rule for a change of prefix; false if none can be written. */
static bool add_prefix(suggester *s, const graft__guess_prefix *p)
{
    if (!is_plain(p->from, p->from_length) || !is_plain(p->to, p->to_length))
        return false;
    if (p->to_length == 0) {
        graft__text_add(&s->line, "strip");
        add_word(&s->line, p->from, p->from_length, "");
    } else if (p->from_length == 0) {
        graft__text_add(&s->line, "add");
        add_word(&s->line, p->to, p->to_length, "");
        /* What meets already must not be renamed. */
        return s->spare.count == s->plan->items.count || add_beginnings(&s->spare, &s->line);
    } else {
        graft__text_add(&s->line, "map");
        add_word(&s->line, p->from, p->from_length, "*");
        add_word(&s->line, p->to, p->to_length, "*");
    }
    return true;
}

static void add_maker(suggester *s, const graft__guess_prefix *p)
{
    static const struct {
        const char *prefix, *maker;
    } known[] = {
        {"module.", "torch.nn.DataParallel"},
        {"_orig_mod.", "torch.compile"},
        {"model_state_dict.", "a checkpoint that holds more than the model"},
        {"state_dict.", "a checkpoint that holds more than the model"},
    };
    const char *joint = ", as of ";
    for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
        const size_t n = strlen(known[k].prefix);
        for (size_t at = 0; at + n <= p->from_length; at++) {
            if (strncmp(p->from + at, known[k].prefix, n) != 0 ||
                (at > 0 && p->from[at - 1] != '.'))
                continue;
            graft__text_addf(&s->why, "%s%s", joint, known[k].maker);
            joint = " and of ";
            if (k > 1)
                return;
            break;
        }
    }
}

static size_t unsolved(const graft__guess_names *names)
{
    size_t n = 0;
    for (size_t i = 0; i < names->count; i++)
        n += !names->name[i].solved;
    return n;
}

/* One that explains several names or all that are left, and most of their shapes. */
static bool suggest_prefix(suggester *s)
{
    graft__guess_prefix p;
    const size_t wanted = unsolved(&s->wanted), spare = unsolved(&s->spare);
    if (!graft__guess_prefix_of(&s->wanted, &s->spare, &p) ||
        (p.explains < 2 && p.explains < wanted && p.explains < spare) || 2 * p.alike < p.explains)
        return false;
    graft__guess_solve(&s->wanted, &s->spare, &p);
    if (add_prefix(s, &p)) {
        graft__text_addf(&s->why, "%zu of the %zu names left in the source would meet the target's",
                         p.explains, spare);
        add_maker(s, &p);
        suggest(s);
    }
    graft__text_cut(&s->line, 0);
    graft__text_cut(&s->why, 0);
    return true;
}

/* ---- Wrappers inside of names ---- */

/* What tools put around single modules, as the steps of a path that they add. */
static const char *const wrappers[] = {
    "_orig_mod.",
    "module.",
    "_checkpoint_wrapped_module.",
    "_fsdp_wrapped_module.",
};

/* The wanted name that a name is without its first step `wrapper`, which does not begin it. */
static graft__guess_name *unwrapped(graft__guess_names *wanted, const char *name,
                                    const char *wrapper)
{
    const size_t length = strlen(wrapper);
    for (const char *at = strstr(name, wrapper); at; at = strstr(at + 1, wrapper))
        if (at > name && at[-1] == '.')
            return graft__guess_find(wanted, name, (size_t)(at - name), at + length);
    return NULL;
}

static void suggest_wrapper(suggester *s, const char *wrapper)
{
    size_t n = 0;
    for (size_t i = 0; i < s->spare.count; i++) {
        graft__guess_name *spare = &s->spare.name[i];
        graft__guess_name *w = spare->solved ? NULL : unwrapped(&s->wanted, spare->name, wrapper);
        if (!w)
            continue;
        spare->solved = w->solved = true;
        n++;
    }
    if (n == 0)
        return;
    graft__text_addf(&s->line, "map *.%s* *.*", wrapper);
    graft__text_addf(&s->why, "%zu name%s of the source would meet the target's", n,
                     n == 1 ? "" : "s");
    suggest(s);
}

/* ---- Parts and wholes ---- */

typedef struct family {
    const char *whole, *part[3];
} family;

static const family families[] = {
    {"in_proj_weight", {"q_proj.weight", "k_proj.weight", "v_proj.weight"}},
    {"in_proj_bias", {"q_proj.bias", "k_proj.bias", "v_proj.bias"}},
    {"qkv_proj.weight", {"q_proj.weight", "k_proj.weight", "v_proj.weight"}},
    {"qkv_proj.bias", {"q_proj.bias", "k_proj.bias", "v_proj.bias"}},
    {"qkv.weight", {"q.weight", "k.weight", "v.weight"}},
    {"qkv.bias", {"q.bias", "k.bias", "v.bias"}},
    {"query_key_value.weight", {"query.weight", "key.weight", "value.weight"}},
    {"query_key_value.bias", {"query.bias", "key.bias", "value.bias"}},
};

/* How many wholes of `wholes` have all their parts in `parts`; marks all as solved. */
static size_t solve_family(const family *f, graft__guess_names *wholes, graft__guess_names *parts)
{
    size_t n = 0;
    const size_t length = strlen(f->whole);
    for (size_t i = 0; i < wholes->count; i++) {
        graft__guess_name *w = &wholes->name[i], *p[3] = {0};
        const size_t all = strlen(w->name), head = all - length;
        if (w->solved || all < length || strcmp(w->name + head, f->whole) != 0)
            continue;
        int have = 0;
        while (have < 3 && (p[have] = graft__guess_find(parts, w->name, head, f->part[have])))
            have++;
        if (have < 3)
            continue;
        for (int k = 0; k < 3; k++)
            p[k]->solved = true;
        w->solved = true;
        n++;
    }
    return n;
}

static void suggest_families(suggester *s, const char *verb, graft__guess_names *wholes,
                             graft__guess_names *parts)
{
    for (size_t k = 0; k < sizeof families / sizeof *families; k++) {
        const family *f = &families[k];
        const size_t n = solve_family(f, wholes, parts);
        if (n == 0)
            continue;
        graft__text_addf(&s->line, "%s *%s 0 *%s *%s *%s", verb, f->whole, f->part[0], f->part[1],
                         f->part[2]);
        graft__text_addf(&s->why, "%zu time%s", n, n == 1 ? "" : "s");
        suggest(s);
    }
}

/* ---- Names ---- */

typedef size_t guess_fn(const graft__guess_names *wanted, size_t i,
                        const graft__guess_names *spare);

static void suggest_names(suggester *s, guess_fn *guess, const char *why)
{
    int left = SINGLES;
    for (size_t i = 0; i < s->wanted.count && left > 0; i++) {
        graft__guess_name *w = &s->wanted.name[i];
        const size_t found = w->solved ? GRAFT__GUESS_NONE : guess(&s->wanted, i, &s->spare);
        if (found == GRAFT__GUESS_NONE)
            continue;
        graft__guess_name *n = &s->spare.name[found];
        if (!is_plain(w->name, strlen(w->name)) || !is_plain(n->name, strlen(n->name)))
            continue;
        n->solved = w->solved = true;
        graft__text_add(&s->line, "map");
        add_name(&s->line, n->name);
        add_name(&s->line, w->name);
        graft__text_add(&s->why, why);
        suggest(s);
        left--;
    }
}

/* ---- Shapes and dtypes ---- */

/* The only dimension in which two shapes of as many differ; -1 if there are several. */
static int only_difference(const graft_shape *a, const graft_tensor *b)
{
    int found = -1;
    for (int d = 0; d < b->ndim; d++) {
        if (a->size[d] == b->size[d])
            continue;
        if (found >= 0)
            return -1;
        found = d;
    }
    return found;
}

/* The dimension that b has and a lacks, if that is all; -1 else. */
static int new_dimension(const graft_shape *a, const graft_tensor *b)
{
    if (b->ndim != a->ndim + 1)
        return -1;
    int d = 0;
    while (d < a->ndim && a->size[d] == b->size[d])
        d++;
    for (int k = d; k < a->ndim; k++)
        if (a->size[k] != b->size[k + 1])
            return -1;
    return d;
}

static bool is_position(const char *name)
{
    return strstr(name, "pos_embed") || strstr(name, "position_embedding") ||
           strstr(name, "positional_embedding");
}

/* The rule that makes one dtype of another. */
static bool add_dtype_rule(suggester *s, const graft__plan_target *t)
{
    const bool quantised = t->clash == GRAFT__CLASH_QUANTISED;
    graft__text_add(&s->line, quantised ? "dequantise" : "cast");
    add_name(&s->line, t->name);
    graft__text_add(&s->line, quantised ? "" : " target");
    graft__text_addf(&s->why, "from %s to %s",
                     quantised ? "quantized" : graft_dtype_name(t->node->dtype),
                     graft_dtype_name(t->tensor->dtype));
    return true;
}

/* The rule that makes one shape of another, if one comes to mind. */
static bool add_shape_rule(suggester *s, const graft__plan_target *t)
{
    const graft_shape *from = &t->node->shape;
    const graft_tensor *to = t->tensor;
    const int dim = from->ndim == to->ndim ? only_difference(from, to) : -1;
    const int extra = new_dimension(from, to);
    if (dim >= 0 && is_position(t->name) && dim == to->ndim - 2) {
        graft__text_add(&s->line, "resample");
        add_name(&s->line, t->name);
    } else if (dim >= 0) {
        graft__text_add(&s->line, "resize");
        add_name(&s->line, t->name);
        if (dim > 0)
            graft__text_addf(&s->line, " dim=%d", dim);
    } else if (from->ndim == 2 && to->ndim == 2 && from->size[0] == to->size[1] &&
               from->size[1] == to->size[0]) {
        graft__text_add(&s->line, "transpose");
        add_name(&s->line, t->name);
    } else if (extra >= 0) {
        graft__text_add(&s->line, "inflate");
        add_name(&s->line, t->name);
        graft__text_addf(&s->line, " %d %lld divide", extra, (long long)to->size[extra]);
    }
    char have[GRAFT__SHAPE_TEXT], want[GRAFT__SHAPE_TEXT];
    graft__text_addf(&s->why, "from %s to %s", graft__shape_text(from->ndim, from->size, have),
                     graft__tensor_shape_text(to, want));
    return s->line.length > 0;
}

static void suggest_changes(suggester *s)
{
    int left = SINGLES;
    for (size_t i = 0; i < s->plan->count && left > 0; i++) {
        const graft__plan_target *t = &s->plan->target[i];
        const bool shape = t->clash == GRAFT__CLASH_SHAPE;
        const bool dtype = t->clash == GRAFT__CLASH_DTYPE || t->clash == GRAFT__CLASH_QUANTISED;
        if (!t->node || !(shape || dtype) || !is_plain(t->name, strlen(t->name)))
            continue;
        if (shape ? add_shape_rule(s, t) : add_dtype_rule(s, t)) {
            suggest(s);
            left--;
        }
        graft__text_cut(&s->line, 0);
        graft__text_cut(&s->why, 0);
    }
}

/* ---- All together ---- */

/* What no target met, and the targets that met nothing. */
static bool collect(suggester *s)
{
    const graft_plan *plan = s->plan;
    bool *met = graft__alloc_zero(plan->ctx, plan->items.count);
    bool ok = met;
    for (size_t i = 0; i < plan->count && ok; i++) {
        const graft__plan_target *t = &plan->target[i];
        if (t->item != GRAFT__PLAN_NONE)
            met[t->item] = true;
        if (t->action != GRAFT_PLAN_INITIAL)
            continue;
        const graft_shape shape = graft_shape_of(t->tensor->ndim, t->tensor->size);
        ok = graft__guess_add(&s->wanted, t->name, &shape);
    }
    for (size_t i = 0; i < plan->items.count && ok; i++)
        if (!met[i])
            ok = graft__guess_add(&s->spare, plan->items.item[i].name,
                                  &plan->items.item[i].node->shape);
    graft__free(plan->ctx, met, plan->items.count);
    return ok;
}

static void suggest_all(suggester *s)
{
    suggest_families(s, "fuse", &s->wanted, &s->spare);
    suggest_families(s, "split", &s->spare, &s->wanted);
    for (size_t k = 0; k < sizeof wrappers / sizeof *wrappers; k++)
        suggest_wrapper(s, wrappers[k]);
    for (int k = 0; k < PREFIXES && s->status == GRAFT_OK && suggest_prefix(s); k++)
        ;
    suggest_names(s, graft__guess_near, "a near name of the same shape");
    suggest_names(s, graft__guess_alike, "nothing else that is left has this shape");
}

graft_status graft__plan_suggest(graft_plan *plan)
{
    if (!plan->module && !plan->dict)
        return GRAFT_OK;
    suggester s = {.plan = plan, .wanted = {.ctx = plan->ctx}, .spare = {.ctx = plan->ctx}};
    graft__text_init(&s.line, plan->ctx);
    graft__text_init(&s.why, plan->ctx);
    if (!collect(&s))
        s.status = graft__fail_memory(plan->ctx, plan->items.count, "plan");
    else if (s.wanted.count > 0 && s.spare.count > 0)
        suggest_all(&s);
    if (s.status == GRAFT_OK)
        suggest_changes(&s);
    graft__guess_free(&s.wanted);
    graft__guess_free(&s.spare);
    graft__text_free(&s.line);
    graft__text_free(&s.why);
    return s.status;
}
