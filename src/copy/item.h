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

    int64_t *matches; /* of each rule */
    size_t rules;
    bool *keep; /* unused by items: see graft__rules_keeps */
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
 * caller's; NULL with the error set. */
graft__node *graft__item_adapt(const graft_rules *rules, const graft__item *item,
                               const graft_shape *shape, graft_dtype dtype, graft_tensor *initial);

#endif
