/* The command: a table of commands, one file each. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

typedef struct cli_command {
    const char *name;
    const char *summary;               /* one line */
    const char *help;                  /* usage and options */
    int (*run)(int argc, char **argv); /* argv[0] is the command's name; the exit status */
} cli_command;

extern const cli_command cli_demo;

/* ---- Options: --name VALUE or --name=VALUE ---- */

typedef enum cli_type { CLI_FLAG, CLI_INT, CLI_REAL, CLI_TEXT } cli_type;

typedef struct cli_option {
    const char *name; /* "--epochs" */
    cli_type type;
    void *value;     /* bool, long long, double or const char * */
    double min, max; /* of numbers */
} cli_option;

/* Reads the arguments behind argv[0] into the options. CLI_OK; or CLI_USAGE after saying on stderr
 * what is wrong. `--help` sets *help and stops. */
int cli_parse(const cli_command *command, const cli_option *options, size_t count, int argc,
              char **argv, bool *help);

#endif
