/* The demo's claims: each way of copying, and what was measured of it. */
#ifndef CLI_DEMO_STORY_H
#define CLI_DEMO_STORY_H

#include "cli/demo_train.h"

typedef struct demo_story {
    const terminal *terminal;
    graft_ctx *g;
    const demo_data *data;
    graft_module *a;
    graft_optimizer *adam_a;
    int64_t hidden, batch;
    double lr;
    int failures;
} demo_story;

/* Tells it. Returns the number of claims that did not hold. */
int demo_tell(demo_story *s);

/* Prints the time and memory that each way of copying took. */
bool demo_costs(demo_story *s);

#endif
