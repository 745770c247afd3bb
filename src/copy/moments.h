/* An optimizer's state on its way through a plan. Files: moments_source.c (which tensor of the
 * source each position stands for), moments_target.c (which targets are parameters), moments.c
 * (through the steps of one), moments_report.c, transplant_optimizer.c (into an optimizer; into a
 * dict). */
#ifndef GRAFT__COPY_MOMENTS_H
#define GRAFT__COPY_MOMENTS_H

#include "base/text.h"
#include "copy/plan.h"

#define GRAFT__MOMENTS_OP "transplant_optimizer"

/* What an optimizer's state dict has for one tensor of the plan's source. */
typedef struct graft__moment_source {
    size_t first;            /* the first place of its memory, which has what follows */
    const graft_dict *entry; /* exp_avg, step, ...; NULL: it has no state */
    int64_t group;           /* -1: it is none of the optimizer's parameters */
} graft__moment_source;

/* One parameter of the target under all its names, kept at its leader. */
typedef struct graft__moment_target {
    size_t first;   /* of its names */
    size_t carrier; /* the name through whose steps the state goes; NONE: it is new */
} graft__moment_target;

typedef struct graft__moments {
    const graft_plan *plan;
    graft_ctx *g; /* the plan's */
    const graft_dict *states, *groups;
    const graft_dict *parameters; /* of the plan's module, if it has one */
    graft__items items;           /* the plan's source before the rules: every place as a source */
    graft__moment_source *source;
    graft__moment_target *target;
    graft__text why; /* of the state that is dropped just now */
    graft_moment_report *report;
} graft__moments;

/* Reads the state dict: GRAFT_ERR_NAME, _SHAPE or _ARGUMENT say what does not fit. Freed in either
 * case. */
graft_status graft__moments_read(graft__moments *m, const graft_dict *state,
                                 const graft_dict *names);
void graft__moments_free(graft__moments *m);

/* By the names of PyTorch's buffers, and by dtype: a state dict does not tell them apart. */
bool graft__moments_is_buffer(const char *name, graft_dtype dtype);

/* What the optimizer has of a source. */
static inline const graft__moment_source *graft__moments_of(const graft__moments *m,
                                                            const graft__node *source)
{
    return &m->source[m->source[source->place].first];
}

/* Whether a value of a parameter's state has its shape. */
bool graft__moments_is_shape(const graft_dict *entry, int64_t i, const graft__node *parameter);

/* Keys under which optimizers keep what begins at zero for each element and lives with it. square:
 * of the gradients' squares, so that what scales a gradient scales it twice. NULL beyond the end.
 */
const char *graft__moments_key(size_t i, bool *square);

/* ---- Targets ---- */

graft_status graft__moments_targets(graft__moments *m);

/* The group of the parameter whose first name target i is; what is new comes into the first. -1:
 * it is another name, or nothing that is trained. */
int64_t graft__moments_group(const graft__moments *m, size_t i);

/* The state of a parameter of the target, one of whose names is i, under its new position, if it
 * has one; and a line of the report. *carried may be NULL. */
graft_status graft__moments_carry(graft__moments *m, size_t i, const char *name, graft_dict *states,
                                  int64_t position, bool *carried);

/* The leader of the names of target i, where they are one parameter: what `stack` made of one
 * tensor are several. */
size_t graft__moments_leader(const graft_plan *plan, size_t i);

/* ---- The report ---- */

graft_moment_report *graft__moment_report_new(graft_ctx *g);
graft_status graft__moment_report_add(graft_moment_report *r, const char *name,
                                      graft_moment_action action, const char *how);

/* Makes its text; then it may be the caller's, who frees it. */
graft_status graft__moment_report_end(graft_moment_report *r);
graft_moment_report *graft__moment_report_give(graft_moment_report *r);
void graft__moment_report_drop(graft_moment_report *r); /* NULL is ignored */

#endif
