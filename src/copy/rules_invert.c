/* The rules that lead back. */
#include <string.h>

#include "base/error.h"
#include "copy/rules.h"

typedef struct inverting {
    const graft__rule *rule;
    graft__text line; /* of the inverse */
    const char *why;  /* there is none */
} inverting;

static void add_word(inverting *v, size_t i)
{
    graft__text_add(&v->line, " ");
    graft__word_quote(&v->line, v->rule->word[i]);
}

/* "verb WORD DIM" */
static void begin(inverting *v, const char *verb)
{
    graft__text_add(&v->line, verb);
    add_word(v, 0);
    graft__text_addf(&v->line, " %d", v->rule->dim);
}

static void invert_map(inverting *v)
{
    if (graft__pattern_stars(v->rule->word[0]) != graft__pattern_stars(v->rule->word[1])) {
        v->why = "the second pattern has fewer * than the first, so the text of one is gone";
        return;
    }
    graft__text_add(&v->line, "map");
    add_word(v, 1);
    add_word(v, 0);
}

static void invert_permute(inverting *v)
{
    const graft__rule *r = v->rule;
    int back[GRAFT_MAX_DIMS] = {0};
    for (int i = 0; i < r->numbers; i++)
        back[r->number[i] < 0 ? r->number[i] + r->numbers : r->number[i]] = i;
    graft__text_add(&v->line, "permute");
    add_word(v, 0);
    for (int i = 0; i < r->numbers; i++)
        graft__text_addf(&v->line, " %d", back[i]);
}

static void invert_pad(inverting *v)
{
    const long long before = v->rule->number[0], after = v->rule->number[1];
    begin(v, "slice");
    graft__text_addf(&v->line, " %lld", before);
    if (after > 0)
        graft__text_addf(&v->line, " %lld", -after);
    else
        graft__text_add(&v->line, " end");
}

static void invert_copies(inverting *v)
{
    begin(v, "reduce");
    graft__text_add(&v->line, v->rule->divide ? " sum" : " first");
    if (v->rule->kind == GRAFT__RULE_INFLATE)
        graft__text_add(&v->line, " drop");
    else
        graft__text_addf(&v->line, " times=%lld", (long long)v->rule->number[0]);
}

static void invert_parts(inverting *v)
{
    const graft__rule *r = v->rule;
    if (r->any_sizes) {
        v->why = "the sizes of its parts are not known";
        return;
    }
    begin(v, r->kind == GRAFT__RULE_FUSE ? "split" : "fuse");
    for (size_t i = 1; i < r->words; i++)
        add_word(v, i);
    if (r->groups > 1)
        graft__text_addf(&v->line, " groups=%lld", (long long)r->groups);
    for (size_t i = 0; i < r->size_count; i++)
        graft__text_addf(&v->line, "%s%lld", i ? "," : " sizes=", (long long)r->sizes[i]);
}

/* GRAFT_ERR_MEMORY, or a line or a reason. */
static graft_status invert(inverting *v)
{
    const graft__rule *r = v->rule;
    char *line;
    v->why = graft__rule_verbs[r->kind].no_inverse;
    if (v->why)
        return GRAFT_OK;
    switch (r->kind) {
    case GRAFT__RULE_STRIP:
    case GRAFT__RULE_ADD:
        graft__text_add(&v->line, r->kind == GRAFT__RULE_ADD ? "strip" : "add");
        add_word(v, 0);
        break;
    case GRAFT__RULE_MAP:
        invert_map(v);
        break;
    case GRAFT__RULE_RENAME:
        line = graft__rename_invert(v->line.ctx, r, &v->why);
        graft__text_add(&v->line, line ? line : "");
        graft__text_release(v->line.ctx, line);
        return line || v->why ? GRAFT_OK : GRAFT_ERR_MEMORY;
    case GRAFT__RULE_PERMUTE:
        invert_permute(v);
        break;
    case GRAFT__RULE_PAD:
        invert_pad(v);
        break;
    case GRAFT__RULE_REPEAT:
    case GRAFT__RULE_INFLATE:
        invert_copies(v);
        break;
    case GRAFT__RULE_FUSE:
    case GRAFT__RULE_SPLIT:
        invert_parts(v);
        break;
    default: /* keep, transpose, ties: themselves */
        if (r->ties == GRAFT__TIES_BREAK)
            v->why = "what was tied is not known";
        graft__text_add(&v->line, r->line);
    }
    return GRAFT_OK;
}

static graft_status add_inverse(graft_rules *out, const graft__rule *rule)
{
    graft_ctx *g = out->object.ctx;
    inverting v = {.rule = rule};
    graft__text_init(&v.line, g);
    graft_status status = invert(&v);
    if (!status && v.why)
        status = graft__fail(g, GRAFT_ERR_ARGUMENT, "rules_invert: \"%s\" has no inverse: %s",
                             rule->line, v.why);
    else if (status || v.line.failed)
        status = graft__fail_memory(g, v.line.length, "rules_invert");
    if (!status)
        status = graft__rules_add_line(out, "rules_invert", v.line.data, v.line.length);
    graft__text_free(&v.line);
    return status;
}

graft_rules *graft_rules_invert(const graft_rules *rules)
{
    graft_rules *out = rules ? graft__rules_new(rules->object.ctx) : NULL;
    if (!out)
        return NULL;
    for (size_t i = 0; i < rules->count; i++)
        if (add_inverse(out, &rules->rule[i]) != GRAFT_OK) {
            graft__unref(&out->object);
            return NULL;
        }
    for (size_t i = 0; i < out->count / 2; i++) {
        const graft__rule first = out->rule[i];
        out->rule[i] = out->rule[out->count - 1 - i];
        out->rule[out->count - 1 - i] = first;
    }
    graft__own_by_context(&out->object);
    return out;
}
