#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/help.h"
#include "cli/shown.h"
#include "cli/signal.h"

static const cli_command *const commands[] = {
    &cli_ls,   &cli_cat,   &cli_cp,      &cli_edit, &cli_diff, &cli_merge,
    &cli_hash, &cli_check, &cli_salvage, &cli_plot, &cli_demo, &cli_help,
};

const cli_command *cli_command_at(size_t i)
{
    return i < CLI_COUNT(commands) ? commands[i] : NULL;
}

const cli_command *cli_command_find(const char *name)
{
    for (size_t i = 0; i < CLI_COUNT(commands); i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static const char *next_command(const void *user, size_t i)
{
    (void)user;
    return i < CLI_COUNT(commands) ? commands[i]->name : NULL;
}

const char *cli_command_guess(const char *name)
{
    return cli_guess(name, next_command, NULL);
}

static int fail_unknown(const char *name)
{
    const char *const guess = cli_command_guess(name);
    char *const escaped = shown(name, strlen(name), false);
    fprintf(stderr, "graft: no command is called %s", escaped ? escaped : "that");
    free(escaped);
    if (guess)
        fprintf(stderr, ": did you mean %s?\n", guess);
    else
        fprintf(stderr, "\ntry: graft help\n");
    return CLI_TROUBLE;
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        help_overview(stderr);
        return CLI_TROUBLE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("graft %s\n", graft_version());
        return CLI_OK;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        help_overview(stdout);
        return CLI_OK;
    }
    const cli_command *const command = cli_command_find(argv[1]);
    return command ? cli_run(command, argc - 1, argv + 1) : fail_unknown(argv[1]);
}

int main(int argc, char **argv)
{
    setlocale(LC_CTYPE, "");
    const int status = run(argc, argv);
    if (signal_caught())
        return 128 + signal_caught();
    /* What was to be read and got lost, on a full disk say, is a failure. */
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    if (errno == EPIPE) /* where the caller has SIGPIPE ignored */
        return 128 + SIGPIPE;
    fprintf(stderr, "graft: the output could not be written\n");
    return CLI_TROUBLE;
}
