/* Completion for bash. It needs nothing of the bash-completion package. */
#include "cli/help.h"

/* What goes before the cases: the word that is typed, and the option in front of it, where bash has
 * parted --name=value into three words. */
static const char before[] =
    "# bash completion for graft, made by: graft help --completion bash\n"
    "_graft()\n"
    "{\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} i options=\n"
    "    COMPREPLY=()\n"
    "    if [[ $cur == = ]]; then\n"
    "        cur=\n"
    "    elif [[ $prev == = ]]; then\n"
    "        prev=${COMP_WORDS[COMP_CWORD - 2]}\n"
    "    fi\n"
    "    if ((COMP_CWORD == 1)); then\n"
    "        COMPREPLY=($(compgen -W '%s' -- \"$cur\"))\n"
    "        return\n"
    "    fi\n"
    "    for ((i = 2; i < COMP_CWORD; i++)); do\n"
    "        [[ ${COMP_WORDS[i]} == -- ]] && { compopt -o default; return; }\n"
    "    done\n"
    "    case ${COMP_WORDS[1]} in\n";

static const char after[] = "    esac\n"
                            "    if [[ $cur == -* ]]; then\n"
                            "        COMPREPLY=($(compgen -W \"$options\" -- \"$cur\"))\n"
                            "    else\n"
                            "        compopt -o default\n"
                            "    fi\n"
                            "}\n"
                            "complete -F _graft graft\n";

static void pattern(FILE *out, const cli_option *o)
{
    if (o->letter)
        fprintf(out, "-%c | ", o->letter);
    fprintf(out, "--%s)", o->name);
}

static void case_of(FILE *out, const cli_option *o)
{
    if (o->type == CLI_FLAG)
        return;
    fprintf(out, "        ");
    pattern(out, o);
    if (o->type == CLI_FILE) {
        fprintf(out, " compopt -o default; return ;;\n");
    } else if (o->type == CLI_CHOICE) {
        fprintf(out, " COMPREPLY=($(compgen -W '");
        for (size_t i = 0; o->choices[i]; i++)
            fprintf(out, "%s%s", i ? " " : "", o->choices[i]);
        fprintf(out, "' -- \"$cur\")); return ;;\n");
    } else {
        fprintf(out, " return ;;\n");
    }
}

static void put_command(FILE *out, const cli_command *command)
{
    cli_option o;
    cli_where where;
    fprintf(out, "    %s)\n        case $prev in\n", command->name);
    for (size_t i = 0; cli_option_at(command, i, &o, &where); i++)
        case_of(out, &o);
    fprintf(out, "        esac\n        options='");
    for (size_t i = 0; cli_option_at(command, i, &o, &where); i++)
        fprintf(out, "%s--%s", i ? " " : "", o.name);
    fprintf(out, "'\n");
    if (command->run == cli_command_find("help")->run) {
        fprintf(out, "        [[ $cur == -* ]] || { COMPREPLY=($(compgen -W '");
        for (size_t i = 0; cli_command_at(i); i++)
            fprintf(out, "%s%s", i ? " " : "", cli_command_at(i)->name);
        fprintf(out, "' -- \"$cur\")); return; }\n");
    }
    fprintf(out, "        ;;\n");
}

void help_bash(FILE *out)
{
    char names[1024] = "";
    size_t n = 0;
    for (size_t i = 0; cli_command_at(i); i++)
        n += (size_t)snprintf(names + n, sizeof names - n, "%s ", cli_command_at(i)->name);
    snprintf(names + n, sizeof names - n, "--help --version");
    fprintf(out, before, names);
    for (size_t i = 0; cli_command_at(i); i++)
        put_command(out, cli_command_at(i));
    fputs(after, out);
}
