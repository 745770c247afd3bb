/* Every command. main.c lists them in the order of help. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli/cli.h"

extern const cli_command cli_cat;
extern const cli_command cli_demo;
extern const cli_command cli_diff;
extern const cli_command cli_help;
extern const cli_command cli_ls;
extern const cli_command cli_merge;
extern const cli_command cli_plot;

#endif
