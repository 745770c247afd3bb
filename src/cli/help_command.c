/* `graft help` */
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/say.h"

enum { NO_SHELL, BASH, ZSH, FISH };
static const char *const shells[] = {"none", "bash", "zsh", "fish", NULL};

typedef struct help_options {
    bool man, json;
    int completion;
} help_options;

static const cli_option options[] = {
    {.name = "man",
     .type = CLI_FLAG,
     .offset = offsetof(help_options, man),
     .help = "print the man page: of the command, or of graft"},
    {.name = "completion",
     .type = CLI_CHOICE,
     .argument = "SHELL",
     .choices = shells,
     .offset = offsetof(help_options, completion),
     .help = "print what a shell needs to complete options"},
    {.name = "json",
     .type = CLI_FLAG,
     .offset = offsetof(help_options, json),
     .help = "print the commands' options, examples and exit statuses as JSON"},
};

static int fail_unknown(const cli_call *call, const char *name)
{
    const char *const guess = cli_command_guess(name);
    return guess ? say_trouble(call, "no command is called %s: did you mean %s?", name, guess)
                 : say_trouble(call, "no command is called %s", name);
}

static int run(cli_call *call)
{
    const help_options *const o = call->options;
    const cli_command *const command =
        call->operand_count ? cli_command_find(call->operands[0]) : NULL;
    if (call->operand_count && !command)
        return fail_unknown(call, call->operands[0]);
    if (o->completion == BASH)
        help_bash(stdout);
    else if (o->completion == ZSH)
        help_zsh(stdout);
    else if (o->completion == FISH)
        help_fish(stdout);
    else if (o->json)
        help_json(stdout, command);
    else if (o->man)
        help_man(stdout, command);
    else if (command)
        help_command(stdout, command);
    else
        help_overview(stdout);
    return CLI_OK;
}

static const cli_example examples[] = {
    {"graft help ls", "says what `graft ls` does and takes", 0},
    {"graft help --man ls | man -l -", "the same as a man page", 0},
    {"eval \"$(graft help --completion bash)\"", "completes commands and options in this shell", 0},
};

static const help_options defaults = {.completion = NO_SHELL};

const cli_command cli_help = {
    .name = "help",
    .summary = "say what graft and its commands do",
    .description = "Prints the list of commands, or the help of one: what `graft COMMAND --help` "
                   "prints too.",
    .operands = "[COMMAND]",
    .max_operands = 1,
    .options = options,
    .option_count = CLI_COUNT(options),
    .defaults = &defaults,
    .options_size = sizeof defaults,
    .examples = examples,
    .example_count = CLI_COUNT(examples),
    .run = run,
};
