/* Help in its forms, all made from the tables of commands. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "cli/cli.h"

/* What `graft` and `graft --help` say. */
void help_overview(FILE *out);

/* What `graft COMMAND --help` says. */
void help_command(FILE *out, const cli_command *command);

/* The man page of a command, or of graft itself (NULL). */
void help_man(FILE *out, const cli_command *command);

/* Completions of all commands. */
void help_bash(FILE *out);
void help_zsh(FILE *out);
void help_fish(FILE *out);

/* The tables as JSON: all commands, or one. */
void help_json(FILE *out, const cli_command *command);

/* ---- What they share ---- */

/* "FILE..." with what stands in front of it: "graft ls [OPTION]... FILE...". */
void help_usage(FILE *out, const cli_command *command);

/* An option's help with its choices and its default. Returns out. */
enum { HELP_TEXT = 1024 };
const char *help_option_text(const cli_command *command, const cli_option *option, cli_where where,
                             char out[HELP_TEXT]);

/* What help calls an option's value: in quotes where it has blanks. Returns out. */
const char *help_argument(const cli_option *option, char out[HELP_TEXT]);

/* What an exit status says; NULL if the command has no such status. */
const char *help_status(const cli_command *command, int status);

/* Statuses that help tells, in order; -1 at the end. */
extern const int help_statuses[];

/* The next paragraph of a description in *begin and *length, from *text on, which moves behind it.
 * false at the end. */
bool help_paragraph(const char **text, const char **begin, size_t *length);

#endif
