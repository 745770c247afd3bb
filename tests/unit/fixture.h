/* What tests of files begin with: a context, and an empty folder. */
#ifndef TESTS_UNIT_FIXTURE_H
#define TESTS_UNIT_FIXTURE_H

#include "graft/base.h"

typedef struct fixture {
    graft_ctx *g;
    char *folder;
    char *path; /* folder/model.pt, where nothing is yet */
} fixture;

/* A set-up and two tear-downs of cmocka. fixture_check demands besides that the context has no
 * error and the folder no temporary file. */
int fixture_open(void **state);
int fixture_close(void **state);
int fixture_check(void **state);

#endif
