/* What a load would do: made and judged before the first byte of the model changes. */
#ifndef GRAFT__COPY_LOAD_PLAN_H
#define GRAFT__COPY_LOAD_PLAN_H

#include "base/text.h"
#include "graft/copy.h"
#include "nn/module.h"

#define GRAFT__LOAD_NO_PEER ((size_t)-1)

typedef struct graft__load_entry {
    char *name;
    graft_load_action action;
    graft_tensor *dst;       /* the model's; NULL: unexpected */
    const graft_tensor *src; /* the dict's; NULL: missing, or not a tensor */
    int64_t place;           /* in the dict, or -1 */
    bool is_leader;          /* of the names of its tensor, the one whose value is taken */
    size_t
        peer; /* an entry of the same memory: whose value this one gets, or which it contradicts */
} graft__load_entry;

typedef struct graft__load_plan {
    graft_ctx *ctx;
    const graft_module *module;
    const graft_dict *state;
    graft_load_options options;
    graft__load_entry *entry; /* in the model's order, then the unexpected ones in the dict's */
    size_t count, capacity;
} graft__load_plan;

/* MEMORY, with the error set, or OK, whether the dict fits or not. Freed in either case. */
graft_status graft__load_plan_make(graft__load_plan *plan);
void graft__load_plan_free(graft__load_plan *plan);

size_t graft__load_plan_count(const graft__load_plan *plan, graft_load_action action);

/* Whether an action lets the load fail. */
bool graft__load_is_problem(const graft__load_plan *plan, graft_load_action action);

/* GRAFT_OK if all fits, else the status of the first problem in the order of the actions. */
graft_status graft__load_plan_status(const graft__load_plan *plan);

/* Whether two arrays of one shape hold the same bits once converted to dtype. */
graft_status graft__load_same(graft_ctx *g, graft__array a, graft__array b, graft_dtype dtype,
                              bool *same);

#endif
