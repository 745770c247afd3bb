#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "graft/base.h"

static const cli_command *const commands[] = {
    &cli_demo,
};

enum { COMMANDS = sizeof commands / sizeof *commands };

static void usage(FILE *out)
{
    fprintf(out, "graft %s: trains neural networks and copies them\n\n", graft_version());
    fprintf(out, "usage: graft COMMAND [OPTIONS]\n\ncommands:\n");
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    fprintf(out, "\n`graft COMMAND --help` says more; `graft --version` prints the version.\n");
}

static const cli_command *find(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        usage(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("graft %s\n", graft_version());
        return CLI_OK;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        usage(stdout);
        return CLI_OK;
    }
    const cli_command *command = find(argv[1]);
    if (command)
        return command->run(argc - 1, argv + 1);
    fprintf(stderr, "graft: no command is called %s\n\n", argv[1]);
    usage(stderr);
    return CLI_USAGE;
}

int main(int argc, char **argv)
{
    const int status = run(argc, argv);
    /* What was to be read and got lost, on a full disk say, is a failure. */
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fprintf(stderr, "graft: the output could not be written\n");
    return status == CLI_OK ? CLI_FAILED : status;
}
