/* A graft_progress that draws a bar on stderr, where that is a terminal, and hears of ^C. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "cli/cli.h"

typedef struct progress {
    const cli_call *call;
    const char *what;    /* "saving": stands behind the bar */
    double begun, drawn; /* seconds */
} progress;

/* What work is named stands behind the bar, which is not drawn before half a second has passed. */
progress progress_of(const cli_call *call, const char *what);

/* The function; user is a progress. */
bool progress_tick(void *user, uint64_t done, uint64_t total);

/* Wipes the bar. To be called before anything is printed. */
void progress_end(progress *p);

#endif
