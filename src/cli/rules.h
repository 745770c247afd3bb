/* The rules that a command line gives. */
#ifndef CLI_RULES_H
#define CLI_RULES_H

#include "cli/cli.h"

/* Rules of the options, in their order. NULL after telling why. */
graft_rules *rules_of(cli_call *call, const cli_rules *given);

#endif
