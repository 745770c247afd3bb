/* Completion for zsh: a function file, to lie in $fpath as _graft. */
#include "cli/help.h"

/* Inside of '...', where [ ] : \ mean something to _arguments. */
static void escaped(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\'')
            fputs("'\\''", out);
        else if (*text == '[' || *text == ']' || *text == ':' || *text == '\\')
            fprintf(out, "\\%c", *text);
        else
            fputc(*text == '`' ? '"' : *text, out);
    }
}

static void put_value(FILE *out, const cli_option *o)
{
    if (o->type == CLI_FLAG)
        return;
    fputc(':', out);
    escaped(out, o->argument);
    fputc(':', out);
    if (o->type == CLI_FILE)
        fputs("_files", out);
    if (o->type == CLI_CHOICE) {
        fputc('(', out);
        for (size_t i = 0; o->choices[i]; i++)
            fprintf(out, "%s%s", i ? " " : "", o->choices[i]);
        fputc(')', out);
    }
}

/* '(-s --sort)'{-s+,--sort=}'[help]:KEY:(name size)'; a * where it may be given again. */
static void put_option(FILE *out, const cli_option *o)
{
    const bool flag = o->type == CLI_FLAG, again = o->type == CLI_TEXTS || o->type == CLI_RULE;
    const char *const equals = flag ? "" : "=";
    fputs(" \\\n            ", out);
    if (again)
        fputs("'*'", out);
    else if (o->letter)
        fprintf(out, "'(-%c --%s)'", o->letter, o->name);
    if (o->letter)
        fprintf(out, "{-%c%s,--%s%s}'[", o->letter, flag ? "" : "+", o->name, equals);
    else
        fprintf(out, "'--%s%s[", o->name, equals);
    escaped(out, o->help);
    fputc(']', out);
    put_value(out, o);
    fputc('\'', out);
}

static void put_command(FILE *out, const cli_command *command)
{
    cli_option o;
    cli_where where;
    fprintf(out, "    %s)\n        _arguments -s -S", command->name);
    for (size_t i = 0; cli_option_at(command, i, &o, &where); i++)
        put_option(out, &o);
    if (command->run == cli_command_find("help")->run)
        fputs(" \\\n            '*:command:($names)'", out);
    else if (command->max_operands != 0)
        fputs(" \\\n            '*:file:_files'", out);
    fputs("\n        ;;\n", out);
}

void help_zsh(FILE *out)
{
    const cli_command *command;
    fputs("#compdef graft\n# zsh completion for graft, made by: graft help --completion zsh\n"
          "_graft()\n{\n    local -a commands names\n    commands=(\n",
          out);
    for (size_t i = 0; (command = cli_command_at(i)); i++) {
        fprintf(out, "        '%s:", command->name);
        escaped(out, command->summary);
        fputs("'\n", out);
    }
    fputs("    )\n    names=(${commands%%:*})\n"
          "    if (( CURRENT == 2 )); then\n"
          "        _describe command commands\n"
          "        return\n"
          "    fi\n"
          "    local command=$words[2]\n"
          "    shift words\n"
          "    (( CURRENT-- ))\n"
          "    case $command in\n",
          out);
    for (size_t i = 0; (command = cli_command_at(i)); i++)
        put_command(out, command);
    fputs("    esac\n}\n_graft \"$@\"\n", out);
}
