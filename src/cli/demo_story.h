/* The demo's claims: each way of copying, and what was measured of it. */
#ifndef CLI_DEMO_STORY_H
#define CLI_DEMO_STORY_H

#include "cli/demo_files.h"
#include "cli/demo_train.h"

typedef struct demo_story {
    const terminal *terminal;
    graft_ctx *g;
    const demo_data *data;
    graft_module *a;
    graft_optimizer *adam_a;
    const char *out;           /* the folder that the user named for files, or NULL */
    const demo_folder *folder; /* while files are told of */
    int64_t hidden, batch, epochs;
    double lr;
    int failures;
} demo_story;

/* Tells it. Returns the number of claims that did not hold. */
int demo_tell(demo_story *s);

/* The part about files, which leaves A as it is. */
void demo_saved(demo_story *s);

/* A row of the table; counts what does not hold. format and what follows: what was measured. */
void demo_claim(demo_story *s, bool holds, const char *claim, const char *format, ...);

/* A new Adam with the demo's options. */
graft_optimizer *demo_adam(demo_story *s, graft_module *model);

/* Prints the time and memory that each way of copying took. */
bool demo_costs(demo_story *s);

#endif
