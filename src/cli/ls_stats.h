/* `graft ls --stats`: what the elements are like. */
#ifndef CLI_LS_STATS_H
#define CLI_LS_STATS_H

#include "cli/ls.h"

/* A line for each tensor that is listed; false if one could not be read. */
bool ls_stats_text(cli_call *call, const ls_file *f);

/* "stats" of one; null, and true, if its dtype has no numbers. */
bool ls_stats_json(cli_call *call, json *j, const ls_file *f, const ls_entry *e);

#endif
