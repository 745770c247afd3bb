/* Every command. main.c lists them in the order of help. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli/cli.h"

extern const cli_command cli_cat;
extern const cli_command cli_check;
extern const cli_command cli_cp;
extern const cli_command cli_demo;
extern const cli_command cli_diff;
extern const cli_command cli_edit;
extern const cli_command cli_hash;
extern const cli_command cli_help;
extern const cli_command cli_ls;
extern const cli_command cli_merge;
extern const cli_command cli_plot;
extern const cli_command cli_salvage;

#endif
