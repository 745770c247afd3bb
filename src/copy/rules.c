/* Lists of rules: life and entries. */
#include "copy/rules.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/vector.h"

static void rules_destroy(graft__object *o)
{
    graft_rules *rules = (graft_rules *)o;
    graft_ctx *g = o->ctx;
    for (size_t i = 0; i < rules->count; i++)
        graft__rule_clear(g, &rules->rule[i]);
    graft__free(g, rules->rule, rules->capacity * sizeof *rules->rule);
    graft__free(g, rules, sizeof *rules);
}

static const graft__kind rules_kind = {.name = "rules", .destroy = rules_destroy};

graft_rules *graft__rules_new(graft_ctx *g)
{
    graft_rules *rules = graft__alloc_zero(g, sizeof *rules);
    if (!rules) {
        graft__fail_memory(g, sizeof *rules, "rules");
        return NULL;
    }
    graft__object_init(&rules->object, g, &rules_kind);
    return rules;
}

graft_rules *graft_rules_new(graft_ctx *g)
{
    graft_rules *rules = g ? graft__rules_new(g) : NULL;
    if (rules)
        graft__own_by_context(&rules->object);
    return rules;
}

void graft_rules_free(graft_rules *rules)
{
    if (rules && graft__disown(&rules->object))
        graft__unref(&rules->object);
}

/* ---- Adding ---- */

static graft_status add_words(graft_rules *rules, const char *where, const graft__words *w)
{
    graft_ctx *g = rules->object.ctx;
    if (rules->count >= GRAFT__RULES_MAX)
        return graft__fail(g, GRAFT_ERR_ARGUMENT, "%s: there are more than %d rules", where,
                           GRAFT__RULES_MAX);
    void *items = rules->rule;
    const bool room =
        graft__vector_reserve(g, &items, rules->count, &rules->capacity, sizeof *rules->rule);
    rules->rule = items;
    if (!room)
        return graft__fail_memory(g, sizeof *rules->rule, "rules");
    graft_status status =
        graft__rule_parse(g, where, w->word, w->words, &rules->rule[rules->count]);
    rules->count += status == GRAFT_OK;
    return status;
}

graft_status graft__rules_add_line(graft_rules *rules, const char *where, const char *line,
                                   size_t length)
{
    graft__words words;
    graft_status status = graft__words_of(&words, rules->object.ctx, where, line, length);
    if (status == GRAFT_OK && words.words > 0)
        status = add_words(rules, where, &words);
    graft__words_free(&words);
    return status;
}

graft_status graft_rules_add(graft_rules *rules, const char *line)
{
    if (!rules)
        return GRAFT_ERR_ARGUMENT;
    graft_ctx *g = rules->object.ctx;
    if (!line)
        return graft__fail(g, GRAFT_ERR_ARGUMENT, "rules_add: line is NULL");
    const size_t count = rules->count;
    graft_status status = graft__rules_add_line(rules, "rules_add", line, strlen(line));
    if (status == GRAFT_OK && rules->count == count)
        return graft__fail(g, GRAFT_ERR_ARGUMENT, "rules_add: expected a rule, got \"%s\"", line);
    return status;
}

/* ---- Reading ---- */

int64_t graft_rules_len(const graft_rules *rules)
{
    return rules ? (int64_t)rules->count : 0;
}

const char *graft_rules_line(const graft_rules *rules, int64_t i)
{
    return rules && i >= 0 && (uint64_t)i < rules->count ? rules->rule[i].line : NULL;
}

char *graft_rules_text(const graft_rules *rules)
{
    if (!rules)
        return NULL;
    graft__text text;
    graft__text_init(&text, rules->object.ctx);
    for (size_t i = 0; i < rules->count; i++) {
        graft__text_add(&text, rules->rule[i].line);
        graft__text_add(&text, "\n");
    }
    return graft__text_take(&text);
}

const char *graft_rule_verb(int64_t i)
{
    return i >= 0 && i < GRAFT__RULES ? graft__rule_verbs[i].verb : NULL;
}

const char *graft_rule_arguments(int64_t i)
{
    return i >= 0 && i < GRAFT__RULES ? graft__rule_verbs[i].arguments : NULL;
}

const char *graft_rule_summary(int64_t i)
{
    return i >= 0 && i < GRAFT__RULES ? graft__rule_verbs[i].summary : NULL;
}
