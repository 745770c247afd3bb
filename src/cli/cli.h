/* The command: a table of commands, one file each. From a command's table alone come its parsing,
 * its help, its man page and the completions of shells.
 *
 * A command is a static `const cli_command`, declared in cli/commands.h and listed in main.c. Its
 * `run` finds its options filled in, its operands, a context, and what stdout and stderr are; it
 * writes results to stdout with printf and the like, talks with cli/say.h, and returns the exit
 * status. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/terminal.h"
#include "graft/graft.h"

/* Exit statuses. Trouble is also what a wrong option is, and output that could not be written. */
enum { CLI_OK = 0, CLI_FOUND = 1, CLI_TROUBLE = 2 };

/* ---- Options: -x, -xVALUE, --name VALUE, --name=VALUE ---- */

typedef enum cli_type {               /* and what lies at the option's offset */
                        CLI_FLAG,     /* bool */
                        CLI_INT,      /* int64_t */
                        CLI_REAL,     /* double */
                        CLI_SIZE,     /* uint64_t: bytes, as "500MB", "2GiB" or "4096" */
                        CLI_TEXT,     /* const char *: not empty */
                        CLI_ANY_TEXT, /* const char *: may be empty */
                        CLI_FILE,     /* const char *: not empty */
                        CLI_CHOICE,   /* int: which of the choices */
                        CLI_TEXTS,    /* cli_texts: the option may be given again */
                        CLI_RULE,     /* cli_rules: only for the group of rules */
} cli_type;

typedef struct cli_texts {
    const char **at;
    size_t count;
} cli_texts;

/* Rules in the order of the command line: verb and what follows it in a line of a rules file; verb
 * NULL: rest is the path of such a file. cli/rules.h makes graft_rules of them. */
typedef struct cli_rule {
    const char *verb, *rest;
} cli_rule;

typedef struct cli_rules {
    cli_rule *at;
    size_t count;
} cli_rules;

#define CLI_RULES_FILE "rules" /* the option that names such a file */

typedef struct cli_option {
    const char *name; /* "epochs", for --epochs */
    char letter;      /* 'e', for -e; 0: none */
    cli_type type;
    const char *argument;       /* "N": what help calls the value; NULL for a flag */
    const char *help;           /* no full stop; the default is added where there is one */
    size_t offset;              /* in the command's options */
    double min, max;            /* of numbers; both 0: any */
    const char *const *choices; /* of a CLI_CHOICE, NULL at the end */
} cli_option;

/* ---- Commands ---- */

typedef struct cli_example {
    const char *line; /* "graft ls model.pt": run by a test in a folder of examples */
    const char *says; /* what it does */
    int status;       /* what it exits with */
} cli_example;

typedef struct cli_call cli_call;

typedef struct cli_command {
    const char *name;
    const char *summary;     /* one line, no full stop */
    const char *description; /* paragraphs with an empty line between; one that begins with a blank
                                is kept as it is. `x` is code. */
    const char *operands;    /* "FILE...", "SRC DST"; "" */
    int min_operands, max_operands; /* max -1: any number */
    const cli_option *options;
    size_t option_count;
    bool takes_rules;      /* the group of options that rules are */
    size_t rules;          /* offset of a cli_rules in the command's options */
    const void *defaults;  /* the command's options as they are before parsing */
    size_t options_size;   /* of the struct */
    const char *status[2]; /* what exit statuses 0 and 1 say; status[1] NULL: there is no 1 */
    const cli_example *examples;
    size_t example_count;
    int (*run)(cli_call *call); /* the exit status */
} cli_command;

#define CLI_COUNT(array) (sizeof(array) / sizeof *(array))

/* What every command has. */
typedef struct cli_common {
    bool help, quiet;
    int colour;      /* a terminal_when */
    int64_t threads; /* 0: the machine's */
} cli_common;

struct cli_call {
    const cli_command *command;
    void *options;   /* the command's own struct */
    char **operands; /* NULL at the end */
    int operand_count;
    graft_ctx *g;      /* closed when run returns */
    terminal out, err; /* what stdout and stderr are */
    cli_common common;
};

/* Runs a command with the arguments behind argv[0], its name. The exit status. */
int cli_run(const cli_command *command, int argc, char **argv);

/* All commands, in the order of help. NULL beyond the end. */
const cli_command *cli_command_at(size_t i);
const cli_command *cli_command_find(const char *name);

/* The command that a mistyped name was probably meant to be; NULL if none is near. */
const char *cli_command_guess(const char *name);

/* Option i of a command: its own, then the group of rules, then those that all commands have, whose
 * offsets are into cli_common. false beyond the end. */
typedef enum cli_where { CLI_OWN, CLI_GROUP, CLI_COMMON } cli_where;
bool cli_option_at(const cli_command *command, size_t i, cli_option *out, cli_where *where);

/* Reads the arguments into call, whose command, options, operands and common were set up: operands
 * has room for argc, and so has each list in the options that allocate made. CLI_OK, or CLI_TROUBLE
 * after saying what is wrong. --help sets common.help and stops. */
int cli_parse(cli_call *call, int argc, char **argv);

/* The candidate that a mistyped word was probably meant to be; NULL if none is near. next gives
 * candidate i, NULL beyond the end. */
const char *cli_guess(const char *word, const char *(*next)(const void *user, size_t i),
                      const void *user);

#endif
