/* Rules on items: which kind is whose, what picks and what names. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "copy/item.h"

static bool matches(const graft__rule *rule, const char *name)
{
    for (size_t i = 0; i < rule->words; i++)
        if (graft_glob(rule->word[i], name))
            return true;
    return false;
}

/* ---- Picking ---- */

static void pick(const graft__rule *rule, graft__items *items, int64_t *count)
{
    const bool takes = rule->kind == GRAFT__RULE_TAKE;
    size_t kept = 0;
    for (size_t i = 0; i < items->count; i++) {
        graft__item *item = &items->item[i];
        const bool matched = matches(rule, item->name);
        *count += matched;
        if (matched == takes) {
            items->item[kept++] = *item;
        } else {
            graft__items_skip(items, item->node);
            graft__item_clear(items->g, item);
        }
    }
    items->count = kept;
}

/* ---- Naming ---- */

/* Whether the rule names this one, and how; *out NULL, with the error set, without memory. */
static bool new_name(graft_ctx *g, const graft__rule *rule, const char *name, char **out)
{
    const char *prefix = rule->word[0];
    const size_t length = strlen(prefix);
    if (rule->kind == GRAFT__RULE_MAP)
        return graft__pattern(g, rule->word[0], name, rule->word[1], out);
    if (rule->kind == GRAFT__RULE_RENAME)
        return graft__rename(g, rule, name, out);
    if (rule->kind == GRAFT__RULE_STRIP ? strncmp(name, prefix, length) != 0
                                        : rule->words > 1 && !graft_glob(rule->word[1], name))
        return false;
    graft__text text;
    graft__text_init(&text, g);
    graft__text_add(&text, rule->kind == GRAFT__RULE_STRIP ? "" : prefix);
    graft__text_add(&text, rule->kind == GRAFT__RULE_STRIP ? name + length : name);
    *out = graft__text_take(&text);
    return true;
}

static graft_status rename_all(const graft__rule *rule, graft__items *items, int64_t *count)
{
    for (size_t i = 0; i < items->count; i++) {
        graft__item *item = &items->item[i];
        char *name;
        if (!new_name(items->g, rule, item->name, &name))
            continue;
        if (!name)
            return GRAFT_ERR_MEMORY;
        if (name[0] == 0) {
            graft__text_release(items->g, name);
            return graft__fail(items->g, GRAFT_ERR_NAME,
                               "nothing would be left of the name \"%s\" (\"%s\" of the source)",
                               item->name, items->source[graft__node_origin(item->node)->place]);
        }
        graft__text_release(items->g, item->name);
        item->name = name;
        ++*count;
    }
    return *count > 0 ? graft__items_check(items) : GRAFT_OK;
}

/* ---- Shapes ---- */

static graft_status defer(graft__items *items, graft__item *item, size_t which)
{
    if (item->adapts == GRAFT__ADAPTS_MAX)
        return graft__fail(items->g, GRAFT_ERR_ARGUMENT,
                           "%s: more than %d rules wait for the target's shape or dtype",
                           item->name, GRAFT__ADAPTS_MAX);
    item->adapt[item->adapts++] = (uint16_t)which;
    return GRAFT_OK;
}

static bool is_integer(graft_dtype dtype)
{
    return (graft_dtype_computes(dtype) && !graft_dtype_is_floating(dtype)) || dtype == GRAFT_U16 ||
           dtype == GRAFT_U32 || dtype == GRAFT_U64;
}

/* Whether the rule means a tensor whose name matches. Counters are not what `cast * float16` is
 * about, as with torch.nn.Module.half: who wants one cast names it. */
static bool concerns(const graft__rule *rule, const graft__item *item)
{
    const graft__node *node = item->node;
    if (rule->kind == GRAFT__RULE_DEQUANTISE)
        return node->quantised || graft_dtype_size(node->dtype) == 0;
    return rule->kind != GRAFT__RULE_CAST || rule->to_target ||
           !graft_dtype_is_floating(rule->dtype) || node->quantised || !is_integer(node->dtype) ||
           strcmp(rule->word[0], item->name) == 0;
}

static graft_status shape_all(const graft__rule *rule, size_t which, graft__items *items,
                              int64_t *count)
{
    graft_status status = GRAFT_OK;
    for (size_t i = 0; i < items->count && !status; i++) {
        graft__item *item = &items->item[i];
        if (!graft_glob(rule->word[0], item->name) || !concerns(rule, item))
            continue;
        ++*count;
        if (graft__rule_is_for_later(rule, item)) {
            status = defer(items, item, which);
            continue;
        }
        status = graft__item_check_now(items->g, item);
        graft__node *node = status ? NULL : graft__rule_shape(rule, item->name, item->node);
        if (!status && !node)
            status = graft_error_status(items->g);
        if (node) {
            graft__node_unref(item->node);
            item->node = node;
        }
    }
    return status;
}

/* ---- All ---- */

static graft_status apply(const graft_rules *rules, size_t i, graft__items *items)
{
    const graft__rule *rule = &rules->rule[i];
    int64_t *count = &items->matches[i];
    switch (rule->kind) {
    case GRAFT__RULE_TAKE:
    case GRAFT__RULE_SKIP:
        pick(rule, items, count);
        return GRAFT_OK;
    case GRAFT__RULE_KEEP: /* of the target: graft__rules_keeps */
        return GRAFT_OK;
    case GRAFT__RULE_TIES:
        *count = (int64_t)items->count;
        return GRAFT_OK;
    case GRAFT__RULE_STRIP:
    case GRAFT__RULE_ADD:
    case GRAFT__RULE_MAP:
    case GRAFT__RULE_RENAME:
        return rename_all(rule, items, count);
    case GRAFT__RULE_FUSE:
    case GRAFT__RULE_SPLIT:
        return graft__rule_parts(rule, items, count);
    case GRAFT__RULE_STACK:
        return graft__rule_stack(rule, items, count);
    default:
        return shape_all(rule, i, items, count);
    }
}

graft_status graft__rules_apply(const graft_rules *rules, graft__items *items)
{
    graft_ctx *g = items->g;
    const size_t count = rules ? rules->count : 0;
    const bool had_error = graft_error_status(g) != GRAFT_OK;
    items->matches = graft__alloc_zero(g, count * sizeof *items->matches);
    if (!items->matches)
        return graft__fail_memory(g, count * sizeof *items->matches, "rules");
    items->rules = count;
    graft_status status = GRAFT_OK;
    for (size_t i = 0; i < count && !status; i++) {
        status = apply(rules, i, items);
        if (status && !had_error)
            graft__error_append(g, " (by the rule: %s)", rules->rule[i].line);
    }
    return status ? status : graft__items_check(items);
}

bool graft__rules_keeps(const graft_rules *rules, graft__items *items, const char *name)
{
    bool keeps = false;
    for (size_t i = 0; rules && i < rules->count; i++)
        if (rules->rule[i].kind == GRAFT__RULE_KEEP && matches(&rules->rule[i], name)) {
            items->matches[i]++;
            keeps = true;
        }
    return keeps;
}

graft__ties graft__rules_ties(const graft_rules *rules)
{
    graft__ties ties = GRAFT__TIES_KEEP;
    for (size_t i = 0; rules && i < rules->count; i++)
        if (rules->rule[i].kind == GRAFT__RULE_TIES)
            ties = rules->rule[i].ties;
    return ties;
}
