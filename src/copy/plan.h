/* The plan's insides. Files: plan.c (life, reading), plan_match.c (which item is for which target,
 * and whether it fits), plan_ties.c, plan_values.c (are two values the same), plan_stage.c (the
 * memory to come), plan_commit.c, plan_result.c, plan_words.c (text), plan_check.c (what stands
 * against a commit), guess.c and plan_suggest.c (what may be meant). graft_load_state_dict is a
 * plan without rules (load.c). */
#ifndef GRAFT__COPY_PLAN_H
#define GRAFT__COPY_PLAN_H

#include "base/object.h"
#include "copy/item.h"
#include "graft/plan.h"
#include "nn/module.h"

#define GRAFT__PLAN_NONE ((size_t)-1)

/* Why a target is in conflict. */
typedef enum graft__clash {
    GRAFT__CLASH_NONE = 0,
    GRAFT__CLASH_SHAPE,
    GRAFT__CLASH_DTYPE,
    GRAFT__CLASH_KIND,      /* the source's value is no tensor */
    GRAFT__CLASH_QUANTISED, /* it is a quantized one, and no rule dequantises it */
    GRAFT__CLASH_TIE,       /* one memory in the target, two values */
    GRAFT__CLASH_OVERLAP,   /* its memory meets that of another, or itself, and values differ */
    GRAFT__CLASH_APART,     /* `ties check`: tied in one of source and target only */
    GRAFT__CLASH_KEPT,      /* a rule keeps another name of its memory */
    GRAFT__CLASH_RULE       /* a rule that needs the target can't be carried out: how says why */
} graft__clash;

typedef struct graft__plan_target {
    char *name;
    graft_tensor *tensor; /* held; NULL: it is to be made */
    graft_plan_action action;
    graft__clash clash;
    size_t item;       /* what was met, or NONE */
    graft__node *node; /* held: the value, in the target's dtype if it fits; NULL: none */
    size_t leader;     /* of the names of its memory, the one whose value is taken; mostly itself */
    size_t peer;       /* whom it contradicts, or NONE */
    bool apart_in_source; /* of CLASH_APART: where they are tied */
    char *how;            /* NULL: nothing to say */
} graft__plan_target;

typedef struct graft__suggestion {
    char *line, *why;
} graft__suggestion;

struct graft_plan {
    graft__object object;     /* of those that the public makers made; else unused */
    graft_ctx *ctx;           /* the target's, or without one the source's */
    graft_module *module;     /* the target (held), */
    graft_dict *dict;         /* or this; or neither: what the rules make becomes a new dict */
    graft_dict *source;       /* held */
    const graft_dict *flat;   /* where values that are no tensors are looked for, by key; NULL: in
                                 source, by path */
    const graft_rules *rules; /* held; may be NULL */
    graft_plan_options options;
    graft__ties ties;

    graft__items items; /* with as many rules as there were */
    graft__plan_target *target;
    size_t count, capacity;
    graft_plan_use *use; /* of each of items.sources */

    graft__suggestion *suggestion;
    size_t suggestions, suggestion_capacity;
    char *text;
    bool committed;
};

/* ---- Making: after target, items, rules and options were set ---- */

/* Lists the targets, meets them with the items and judges all; not what is said about it. Holds
 * what it names. Not OK, with the error set, without memory or if rules can't be applied. Freed in
 * either case. */
graft_status graft__plan_make(graft_plan *plan);
void graft__plan_clear(graft_plan *plan);

graft_status graft__plan_match(graft_plan *plan);

/* What becomes of the sources beneath a node; used is used. */
void graft__plan_mark(graft_plan *plan, const graft__node *n, graft_plan_use use);
graft_status graft__plan_ties(graft_plan *plan);

/* ---- Values ---- */

/* Whether the target gets a value of its own: not as another name of a tied one. */
bool graft__plan_brings(const graft_plan *plan, size_t i);

/* Whether an action gives a value that fits. */
static inline bool graft__plan_fits(graft_plan_action action)
{
    return action <= GRAFT_PLAN_TIED;
}

/* The item whose value target i gets or would get, its own or its leader's; NULL: none. */
const graft__item *graft__plan_item(const graft_plan *plan, size_t i);

/* A copy-on-write copy of a tensor of the target as it is now (the caller's reference); NULL with
 * the error set. */
graft_tensor *graft__plan_initial(const graft_plan *plan, const graft_tensor *t);

/* The value of target i in the plan's context: the caller's reference; NULL with the error set,
 * which names it. */
graft_tensor *graft__plan_value(const graft_plan *plan, size_t i);

/* Whether two nodes of one shape and dtype give the same bits; computes them only where that can't
 * be seen. */
graft_status graft__plan_same(const graft_plan *plan, size_t i, size_t j, bool *same);

/* Whether two nodes do the same to the same, as far as can be seen without computing them. */
bool graft__node_same(const graft__node *a, const graft__node *b);

/* The tensor of a node that is a source as it is; NULL for another. */
graft_tensor *graft__node_tensor(const graft__node *n);

/* ---- Saying ---- */

/* "a dict", "an integer": what stands under a name instead of a tensor. */
const char *graft__value_kind_text(graft_value_kind kind);

/* The kind of what the source has under target i's name that is no tensor; NONE if nothing. */
bool graft__plan_not_tensor(const graft_plan *plan, const char *name, graft_value_kind *kind);

graft_status graft__plan_words(graft_plan *plan);   /* how, of every target */
graft_status graft__plan_suggest(graft_plan *plan); /* only without memory not OK */

/* What a target or a rule's error stands for as a status. */
graft_status graft__clash_status(graft__clash clash);

/* Appends all that stands against a commit, a line each; how many. */
int64_t graft__plan_problems(const graft_plan *plan, graft__text *out);

#endif
