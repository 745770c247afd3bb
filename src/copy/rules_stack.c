/* stack: the numbered layers of some ranges, numbered anew. */
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/sort.h"
#include "copy/item.h"

typedef struct stacking {
    const graft__rule *rule;
    graft__items *items;
    graft__items next;
    int64_t *layer;  /* of each item, or -1 */
    uint32_t *order; /* the items of layers, by layer and then in their order */
    size_t count;    /* how many of order */
} stacking;

/* Where the number of the layer begins in the name; NULL: it is of no layer. A prefix without a
 * point at its end may have one in the name. */
static const char *number_in(const graft__rule *rule, const char *name)
{
    const size_t length = strlen(rule->word[0]);
    if (strncmp(name, rule->word[0], length) != 0)
        return NULL;
    name += length;
    return name + (*name == '.' && rule->word[0][length - 1] != '.');
}

/* The number, and what is behind it. -1: there is none. */
static int64_t number_of(const char *text, const char **rest)
{
    int64_t number = 0;
    const char *begin = text;
    for (; *text >= '0' && *text <= '9' && number <= GRAFT__LAYERS_MAX; text++)
        number = 10 * number + (*text - '0');
    *rest = text;
    const bool good = text > begin && (*text == 0 || *text == '.') &&
                      (*begin != '0' || text == begin + 1) && number <= GRAFT__LAYERS_MAX;
    return good ? number : -1;
}

static bool before(const void *user, uint32_t a, uint32_t b)
{
    const int64_t *layer = user;
    return layer[a] < layer[b];
}

static void find_layers(stacking *s, uint32_t *scratch)
{
    for (size_t i = 0; i < s->items->count; i++) {
        const char *rest, *number = number_in(s->rule, s->items->item[i].name);
        s->layer[i] = number ? number_of(number, &rest) : -1;
        if (s->layer[i] >= 0)
            s->order[s->count++] = (uint32_t)i;
    }
    graft__sort(s->order, scratch, s->count, before, s->layer);
}

/* The place in order of the first item of a layer, or of a later one. */
static size_t first_of(const stacking *s, int64_t layer)
{
    size_t low = 0, high = s->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (s->layer[s->order[middle]] < layer)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static graft_status add_layer(stacking *s, int64_t layer, int64_t number)
{
    graft_ctx *g = s->items->g;
    size_t at = first_of(s, layer);
    if (at == s->count || s->layer[s->order[at]] != layer)
        return graft__fail(g, GRAFT_ERR_NAME, "stack: no tensor is of layer %s%" PRId64,
                           s->rule->word[0], layer);
    graft_status status = GRAFT_OK;
    for (; at < s->count && s->layer[s->order[at]] == layer && !status; at++) {
        const graft__item *item = &s->items->item[s->order[at]];
        const char *digits = number_in(s->rule, item->name), *rest;
        number_of(digits, &rest);
        graft__text name;
        graft__text_init(&name, g);
        graft__text_addn(&name, item->name, (size_t)(digits - item->name));
        graft__text_addf(&name, "%" PRId64 "%s", number, rest);
        char *text = graft__text_take(&name);
        status = graft__items_append(&s->next, text, graft__node_ref(item->node), item);
    }
    return status;
}

static graft_status add_layers(stacking *s)
{
    int64_t number = 0;
    graft_status status = GRAFT_OK;
    for (size_t i = 0; i < s->rule->ranges; i++)
        for (int64_t k = s->rule->range[i][0]; k <= s->rule->range[i][1] && !status; k++)
            status = add_layer(s, k, number++);
    return status;
}

static bool is_taken(const graft__rule *rule, int64_t layer)
{
    for (size_t i = 0; i < rule->ranges; i++)
        if (rule->range[i][0] <= layer && layer <= rule->range[i][1])
            return true;
    return false;
}

/* All layers stand where the first of them stood. */
static graft_status build(stacking *s)
{
    bool added = false;
    graft_status status = GRAFT_OK;
    for (size_t i = 0; i < s->items->count && !status; i++) {
        graft__item *item = &s->items->item[i];
        if (s->layer[i] < 0) {
            char *name = graft__strdup(s->items->g, item->name);
            if (!name)
                return graft__fail_memory(s->items->g, strlen(item->name) + 1, "rules");
            status = graft__items_append(&s->next, name, graft__node_ref(item->node), item);
        } else if (!added) {
            added = true;
            status = add_layers(s);
        }
    }
    for (size_t i = 0; i < s->count && !status; i++)
        if (!is_taken(s->rule, s->layer[s->order[i]]))
            graft__items_skip(s->items, s->items->item[s->order[i]].node);
    return status;
}

graft_status graft__rule_stack(const graft__rule *rule, graft__items *items, int64_t *matches)
{
    graft_ctx *g = items->g;
    const size_t count = items->count;
    stacking s = {.rule = rule, .items = items, .next = {.g = g}};
    s.layer = graft__alloc(g, count * sizeof *s.layer);
    s.order = graft__alloc(g, count * sizeof *s.order);
    uint32_t *scratch = graft__alloc(g, count * sizeof *scratch);
    graft_status status = GRAFT_OK;
    if (s.layer && s.order && scratch) {
        find_layers(&s, scratch);
        status = build(&s);
    } else {
        status = graft__fail_memory(g, count * sizeof *s.layer, "rules");
    }
    *matches += (int64_t)s.count;
    graft__free(g, s.layer, count * sizeof *s.layer);
    graft__free(g, s.order, count * sizeof *s.order);
    graft__free(g, scratch, count * sizeof *scratch);
    if (status)
        graft__items_free(&s.next);
    else
        graft__items_exchange(items, &s.next);
    return status || s.count == 0 ? status : graft__items_check(items);
}
