/* A plan without rules as graft_load_state_dict tells of it. */
#ifndef GRAFT__COPY_LOAD_VIEW_H
#define GRAFT__COPY_LOAD_VIEW_H

#include "copy/guess.h"
#include "copy/plan.h"
#include "graft/copy.h"

/* One line of a report. */
typedef struct graft__load_entry {
    const char *name; /* of the plan or of the dict */
    graft_load_action action;
    size_t target; /* in the plan; NONE: unexpected */
    int64_t place; /* in the dict, of what is unexpected or no tensor; else -1 */
} graft__load_entry;

typedef struct graft__load_view {
    const graft_plan *plan;
    const graft_dict *state; /* what was to be loaded; the plan's source is its tensors alone */
    graft_load_options options;
    graft__load_entry *entry; /* in the model's order, then the unexpected ones in the dict's */
    size_t count, capacity;
} graft__load_view;

/* MEMORY, with the error set, or OK, whether the dict fits or not. Freed in either case. */
graft_status graft__load_view_make(graft__load_view *view);
void graft__load_view_free(graft__load_view *view);

size_t graft__load_count(const graft__load_view *view, graft_load_action action);

/* Whether an action lets the load fail. */
bool graft__load_is_problem(const graft__load_view *view, graft_load_action action);

/* GRAFT_OK if all fits, else the status of the first problem in the order of the actions. */
graft_status graft__load_status(const graft__load_view *view);

#endif
