/* An optimizer's state on its way through a plan. Files: moments_source.c (which tensor of the
 * source each position stands for), moments.c (through the steps of a target), moments_report.c,
 * transplant_optimizer.c (into an optimizer; into a dict). */
#ifndef GRAFT__COPY_MOMENTS_H
#define GRAFT__COPY_MOMENTS_H

#include "copy/plan.h"

/* What an optimizer's state dict has for one tensor of the plan's source. */
typedef struct graft__moment_source {
    const graft_dict *entry; /* exp_avg, step, ...; NULL: it has no state */
    int64_t group;
    bool trained; /* it is one of the optimizer's parameters */
} graft__moment_source;

typedef struct graft__moments {
    const graft_plan *plan;
    graft_ctx *g; /* the plan's */
    const graft_dict *states, *groups;
    graft__items items; /* the plan's source before the rules: every place as a source */
    graft__moment_source *source;
    graft_moment_report *report;
} graft__moments;

/* Reads the state dict: GRAFT_ERR_NAME, _SHAPE or _ARGUMENT say what does not fit. Freed in either
 * case. */
graft_status graft__moments_read(graft__moments *m, const graft_dict *state,
                                 const graft_dict *names);
void graft__moments_free(graft__moments *m);

/* Whether target i is what an optimizer has as a parameter of its own. */
bool graft__moments_trains(const graft__moments *m, size_t i);

/* The state of target i under its new position, if it has one; and a line of the report. */
graft_status graft__moments_carry(graft__moments *m, size_t i, graft_dict *states,
                                  int64_t position);

/* ---- The report ---- */

graft_moment_report *graft__moment_report_new(graft_ctx *g);
graft_status graft__moment_report_add(graft_moment_report *r, const char *name,
                                      graft_moment_action action, const char *how);

/* Makes its text; then it may be the caller's, who frees it. */
graft_status graft__moment_report_end(graft_moment_report *r);
graft_moment_report *graft__moment_report_give(graft_moment_report *r);
void graft__moment_report_drop(graft_moment_report *r); /* NULL is ignored */

#endif
