/* The named tensors that rules work on, and rules applied to them. */
#ifndef GRAFT__COPY_ITEM_H
#define GRAFT__COPY_ITEM_H

#include "copy/node.h"
#include "copy/rules.h"

typedef struct graft__item {
    char *name;        /* as the rules so far have made it */
    graft__node *node; /* held */

    /* Rules that need the target to be carried out (resize or resample or cast to its size), in
     * their order, by index: at most these many. A rule that changes the shape and comes behind one
     * is GRAFT_ERR_ARGUMENT: such rules come last. */
    uint16_t adapt[8];
    int adapts;
} graft__item;

typedef struct graft__items {
    graft_ctx *g;
    graft__item *item;
    size_t count, capacity;

    /* The source as it was walked: the dotted path of each place, and whether a rule took it out
     * before it came to a target. Used or left is for the plan to find. */
    char **source;
    bool *skipped;
    size_t sources, source_capacity;

    int64_t *matches; /* of each rule, once they are applied */
    size_t rules;
} graft__items;

/* Every tensor below d (quantized records too) under its dotted path, in order; holds d. On failure
 * there is nothing to free. */
graft_status graft__items_of(graft__items *out, graft_dict *d);
void graft__items_free(graft__items *items);

/* The rules in their order. GRAFT_ERR_NAME if two tensors come to have one name or a part of a fuse
 * is not there; errors name the rule by its line. rules may be NULL. */
graft_status graft__rules_apply(const graft_rules *rules, graft__items *items);

/* Whether a rule says that this tensor of the target keeps its initial value. Counts as a match. */
bool graft__rules_keeps(const graft_rules *rules, graft__items *items, const char *name);

/* What ties are to be. */
graft__ties graft__rules_ties(const graft_rules *rules);

/* The item's node with its rules of graft__item.adapt carried out for a target of that shape and
 * dtype; `initial` gives the target's value, or NULL where it has none. A reference of the
 * caller's; NULL with the error set. An item without such rules needs no shape. */
graft__node *graft__item_adapt(const graft_rules *rules, const graft__item *item,
                               const graft_shape *shape, graft_dtype dtype, graft_tensor *initial);

/* ---- For the files of rules ---- */

enum { GRAFT__ADAPTS_MAX = 8 };

/* Appends an item with this name and node, both of which it takes over (also on failure), and the
 * rules for later that `like` has (NULL: none). */
graft_status graft__items_append(graft__items *items, char *name, graft__node *node,
                                 const graft__item *like);
void graft__item_clear(graft_ctx *g, graft__item *item);

/* Takes over the list of another, and lets go of what is in its own. */
void graft__items_exchange(graft__items *items, graft__items *next);

/* Notes that the sources beneath were taken out. */
void graft__items_skip(graft__items *items, const graft__node *node);

/* Items in the order of their names. */
typedef struct graft__item_index {
    const graft__items *items;
    uint32_t *order;
    size_t count;
} graft__item_index;

/* false, with the error set, without memory. */
bool graft__item_index_open(graft__item_index *index, const graft__items *items);
void graft__item_index_close(graft__item_index *index);

/* Which item has the name, or -1. */
int64_t graft__item_index_find(const graft__item_index *index, const char *name);

/* GRAFT_ERR_NAME, with both sources, if two items have one name. */
graft_status graft__items_check(const graft__items *items);

/* One rule, of a family of kinds; matched tensors are added to *matches. */
graft_status graft__rule_parts(const graft__rule *rule, graft__items *items, int64_t *matches);
graft_status graft__rule_stack(const graft__rule *rule, graft__items *items, int64_t *matches);

/* The node of a rule that changes shape or dtype; the caller's reference. NULL with the error set.
 */
graft__node *graft__rule_shape(const graft__rule *rule, const char *name, graft__node *in);

/* That of resize, resample and cast with what the target is: shape may be NULL if the rule says all
 * by itself. */
graft__node *graft__rule_adapt(const graft__rule *rule, const char *name, graft__node *in,
                               const graft_shape *shape, graft_dtype dtype, graft_tensor *initial);

/* GRAFT_ERR_ARGUMENT if a rule for later would come before one that changes the shape now. */
graft_status graft__item_check_now(graft_ctx *g, const graft__item *item);

/* Whether the rule needs the target. */
bool graft__rule_is_for_later(const graft__rule *rule, const graft__item *item);

#endif
