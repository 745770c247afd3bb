/* The memory that a load will put under the model's tensors: made and filled beforehand, so that
 * nothing is left that could fail when the model changes. */
#ifndef GRAFT__COPY_LOAD_STAGE_H
#define GRAFT__COPY_LOAD_STAGE_H

#include "base/map.h"
#include "copy/load_plan.h"

/* A storage of the model and what it is to become. */
typedef struct graft__load_target {
    graft__storage *storage;
    graft__storage *next;
    size_t first;   /* the entry of the first tensor over it */
    size_t tensors; /* how many lie over it */
} graft__load_target;

typedef struct graft__load_stage {
    graft__load_plan *plan;
    graft__load_target *target;
    size_t count, capacity;
    graft__map index; /* storage to its place in target, plus one */
} graft__load_stage;

void graft__load_stage_init(graft__load_stage *stage, graft__load_plan *plan);

/* For a plan in which all fits. MEMORY with the error set, or OK; tensors that share memory and
 * would have to hold two values in it become ties in the plan. The model is as it was. */
graft_status graft__load_stage_make(graft__load_stage *stage);

/* Changes the model. Cannot fail. */
void graft__load_stage_commit(graft__load_stage *stage);

void graft__load_stage_free(graft__load_stage *stage);

#endif
