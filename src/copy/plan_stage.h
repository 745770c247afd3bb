/* The memory that a plan will put under the target's tensors: made and filled beforehand, so that
 * nothing is left that could fail when the target changes. */
#ifndef GRAFT__COPY_PLAN_STAGE_H
#define GRAFT__COPY_PLAN_STAGE_H

#include "base/map.h"
#include "copy/plan.h"

/* A storage of the target and what it is to become. */
typedef struct graft__stage_storage {
    graft__storage *storage;
    graft__storage *next;
    size_t first;   /* the first target over it */
    size_t tensors; /* how many lie over it */
} graft__stage_storage;

typedef struct graft__plan_stage {
    graft_plan *plan;
    graft_tensor **value; /* of each target that brings one (held) */
    graft__stage_storage *storage;
    size_t count, capacity;
    graft__map index; /* storage to its place, plus one */
} graft__plan_stage;

void graft__plan_stage_init(graft__plan_stage *stage, graft_plan *plan);

/* For a plan without conflicts. OK, or the error is set; tensors that share memory and would have
 * to hold two values in it become conflicts of the plan. The target is as it was. */
graft_status graft__plan_stage_make(graft__plan_stage *stage);

/* Changes the target. Cannot fail. */
void graft__plan_stage_commit(graft__plan_stage *stage);

void graft__plan_stage_free(graft__plan_stage *stage);

#endif
