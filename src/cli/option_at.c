/* All options of a command, one after another. */
#include "cli/cli.h"

static const char *const when[] = {"auto", "always", "never", NULL};

static const cli_option common[] = {
    {.name = "color",
     .type = CLI_CHOICE,
     .argument = "WHEN",
     .choices = when,
     .offset = offsetof(cli_common, colour),
     .help = "colours: `auto` is on a terminal only, and not where NO_COLOR is set"},
    {.name = "threads",
     .type = CLI_INT,
     .argument = "N",
     .min = 1,
     .max = 64,
     .offset = offsetof(cli_common, threads),
     .help = "threads that may be used (default: the machine's)"},
    {.name = "quiet",
     .letter = 'q',
     .type = CLI_FLAG,
     .offset = offsetof(cli_common, quiet),
     .help = "no progress bar and no notes; errors are told"},
    {.name = "help",
     .letter = 'h',
     .type = CLI_FLAG,
     .offset = offsetof(cli_common, help),
     .help = "print this help"},
};

/* Rule i of the group, the file of rules last. */
static bool rule_at(const cli_command *command, size_t i, cli_option *out)
{
    const char *const verb = graft_rule_verb((int64_t)i);
    *out = (cli_option){.type = CLI_RULE, .offset = command->rules};
    if (verb) {
        out->name = verb;
        out->argument = graft_rule_arguments((int64_t)i);
        out->help = graft_rule_summary((int64_t)i);
        return true;
    }
    out->name = CLI_RULES_FILE;
    out->argument = "FILE";
    out->help = "take rules from a file, in this place of their order";
    return i == 0 || graft_rule_verb((int64_t)i - 1);
}

bool cli_option_at(const cli_command *command, size_t i, cli_option *out, cli_where *where)
{
    *where = CLI_OWN;
    if (i < command->option_count) {
        *out = command->options[i];
        return true;
    }
    i -= command->option_count;
    if (command->takes_rules) {
        *where = CLI_GROUP;
        if (rule_at(command, i, out))
            return true;
        for (size_t k = 0; k <= i; k++)
            if (!rule_at(command, k, out)) {
                i -= k;
                break;
            }
    }
    *where = CLI_COMMON;
    if (i >= CLI_COUNT(common))
        return false;
    *out = common[i];
    return true;
}
