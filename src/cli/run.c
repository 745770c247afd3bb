/* From a command's arguments to its exit status. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/help.h"
#include "cli/say.h"

/* The lists in a command's options: each takes as many entries as there are arguments. */
static bool make_lists(cli_call *call, int argc)
{
    cli_option o;
    cli_where where;
    for (size_t i = 0; cli_option_at(call->command, i, &o, &where); i++) {
        char *const place = (char *)call->options + o.offset;
        if (where == CLI_COMMON)
            continue;
        if (o.type == CLI_TEXTS) {
            cli_texts *const texts = (void *)place;
            texts->at = calloc((size_t)argc, sizeof *texts->at);
            if (!texts->at)
                return false;
        } else if (o.type == CLI_RULE) {
            cli_rules *const rules = (void *)place;
            if (!rules->at)
                rules->at = calloc((size_t)argc, sizeof *rules->at);
            if (!rules->at)
                return false;
        }
    }
    return true;
}

static void free_lists(cli_call *call)
{
    cli_option o;
    cli_where where;
    for (size_t i = 0; call->options && cli_option_at(call->command, i, &o, &where); i++) {
        char *const place = (char *)call->options + o.offset;
        if (where == CLI_COMMON)
            continue;
        if (o.type == CLI_TEXTS) {
            free(((cli_texts *)(void *)place)->at);
        } else if (o.type == CLI_RULE) {
            free(((cli_rules *)(void *)place)->at);
            ((cli_rules *)(void *)place)->at = NULL; /* all rules share it */
        }
    }
}

static bool set_up(cli_call *call, int argc)
{
    const cli_command *const command = call->command;
    call->operands = calloc((size_t)argc + 1, sizeof *call->operands);
    call->options = calloc(1, command->options_size + 1);
    if (!call->operands || !call->options)
        return false;
    if (command->defaults)
        memcpy(call->options, command->defaults, command->options_size);
    return make_lists(call, argc);
}

static int with_context(cli_call *call)
{
    graft_options options = graft_options_defaults();
    if (call->common.threads)
        options.threads = (int)call->common.threads;
    call->out = terminal_of(stdout, (terminal_when)call->common.colour);
    call->err = terminal_of(stderr, (terminal_when)call->common.colour);
    call->g = graft_open(&options);
    if (!call->g)
        return say_trouble(call, "out of memory");
    const int status = call->command->run(call);
    graft_close(call->g);
    return status;
}

int cli_run(const cli_command *command, int argc, char **argv)
{
    cli_call call = {.command = command};
    int status = CLI_TROUBLE;
    if (!set_up(&call, argc)) {
        say(&call, "out of memory");
    } else {
        status = cli_parse(&call, argc, argv);
        if (call.common.help && status == CLI_OK)
            help_command(stdout, command);
        else if (status == CLI_OK)
            status = with_context(&call);
    }
    free_lists(&call);
    free(call.operands);
    free(call.options);
    return status;
}
