/* graft diff. Files: diff.c (options, the whole), diff_show.c (for people), diff_json.c,
 * diff_page.c and diff_html.c (as a page). */
#ifndef CLI_DIFF_H
#define CLI_DIFF_H

#include "cli/cli.h"
#include "graft/diff.h"

typedef struct diff_options {
    cli_rules rules;
    double rtol, atol;
    int64_t rows;
    const char *html;
    bool json, stat, all, name_only, force;
} diff_options;

/* Prints what differs (with --all what is equal too) and counts. false after telling why not. */
bool diff_show(cli_call *call, const graft_diff_report *d);

/* The same as a bar for each name, as long as the share of it that changed. */
bool diff_stat(cli_call *call, const graft_diff_report *d);

/* The names of what differs, a line each. */
void diff_names(const cli_call *call, const graft_diff_report *d);

void diff_json(const cli_call *call, const graft_diff_report *d);

/* A page at --html. false after telling why not. */
bool diff_page(cli_call *call, const graft_diff_report *d);

#endif
