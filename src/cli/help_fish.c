/* Completion for fish. */
#include "cli/help.h"

static void quoted(FILE *out, const char *text)
{
    fputc('\'', out);
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\')
            fputc('\\', out);
        fputc(*text, out);
    }
    fputc('\'', out);
}

static void put_option(FILE *out, const cli_command *command, const cli_option *o)
{
    fprintf(out, "complete -c graft -n '__fish_seen_subcommand_from %s' -l %s", command->name,
            o->name);
    if (o->letter)
        fprintf(out, " -s %c", o->letter);
    if (o->type == CLI_FILE)
        fputs(" -r -F", out);
    else if (o->type != CLI_FLAG)
        fputs(" -x", out);
    if (o->type == CLI_CHOICE) {
        fputs(" -a '", out);
        for (size_t i = 0; o->choices[i]; i++)
            fprintf(out, "%s%s", i ? " " : "", o->choices[i]);
        fputc('\'', out);
    }
    fputs(" -d ", out);
    quoted(out, o->help);
    fputc('\n', out);
}

void help_fish(FILE *out)
{
    const cli_command *command;
    cli_option o;
    cli_where where;
    fputs("# fish completion for graft, made by: graft help --completion fish\n"
          "complete -c graft -n __fish_use_subcommand -f\n"
          "complete -c graft -n __fish_use_subcommand -l version -d 'print the version'\n"
          "complete -c graft -n __fish_use_subcommand -l help -s h -d 'print the commands'\n",
          out);
    for (size_t i = 0; (command = cli_command_at(i)); i++) {
        fprintf(out, "complete -c graft -n __fish_use_subcommand -a %s -d ", command->name);
        quoted(out, command->summary);
        fputc('\n', out);
    }
    for (size_t i = 0; (command = cli_command_at(i)); i++)
        for (size_t k = 0; cli_option_at(command, k, &o, &where); k++)
            put_option(out, command, &o);
    fputs("complete -c graft -n '__fish_seen_subcommand_from help' -f -a '", out);
    for (size_t i = 0; (command = cli_command_at(i)); i++)
        fprintf(out, "%s%s", i ? " " : "", command->name);
    fputs("'\n", out);
}
