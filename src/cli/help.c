/* Help for a terminal, and what all forms of help share. */
#include "cli/help.h"

#include <string.h>

enum { WIDTH = 80, OPTION_COLUMN = 26, COMMAND_COLUMN = 12 };

/* ---- What all forms share ---- */

void help_usage(FILE *out, const cli_command *command)
{
    fprintf(out, "graft %s [OPTION]...%s%s", command->name, *command->operands ? " " : "",
            command->operands);
}

const int help_statuses[] = {CLI_OK, CLI_FOUND, CLI_TROUBLE, 130, -1};

const char *help_status(const cli_command *command, int status)
{
    if (status == CLI_OK || status == CLI_FOUND)
        return command->status[status] || status == CLI_FOUND ? command->status[status]
                                                              : "all went well";
    return status == CLI_TROUBLE
               ? "trouble: a wrong option, a file that can't be read or written"
               : "interrupted: by ^C (143: by SIGTERM, 141: the reader of the output has gone)";
}

bool help_paragraph(const char **text, const char **begin, size_t *length)
{
    while (**text == '\n')
        (*text)++;
    *begin = *text;
    const char *const end = strstr(*text, "\n\n");
    *length = end ? (size_t)(end - *text) : strlen(*text);
    *text += *length;
    while (*length && (*begin)[*length - 1] == '\n')
        (*length)--;
    return *length > 0;
}

/* The default of an option as text; "" if there is none to tell. */
static void default_text(const cli_command *command, const cli_option *o, cli_where where,
                         char *out, size_t room)
{
    *out = 0;
    const cli_common common = {.threads = 0};
    const void *const base = where == CLI_COMMON ? &common : command->defaults;
    if (!base)
        return;
    const void *const place = (const char *)base + o->offset;
    const bool ranged = o->min != 0 || o->max != 0;
    switch (o->type) {
    case CLI_INT: {
        const double x = (double)*(const int64_t *)place;
        if (ranged && x >= o->min && x <= o->max)
            snprintf(out, room, "%lld", (long long)*(const int64_t *)place);
        break;
    }
    case CLI_REAL: {
        const double x = *(const double *)place;
        if (ranged && x >= o->min && x <= o->max)
            snprintf(out, room, "%g", x);
        break;
    }
    case CLI_CHOICE:
        snprintf(out, room, "%s", o->choices[*(const int *)place]);
        break;
    case CLI_TEXT:
    case CLI_FILE:
    case CLI_ANY_TEXT: {
        const char *const text = *(const char *const *)place;
        snprintf(out, room, "%s", text ? text : "");
        break;
    }
    default:
        break;
    }
}

const char *help_option_text(const cli_command *command, const cli_option *option, cli_where where,
                             char out[HELP_TEXT])
{
    char usual[128];
    size_t n = (size_t)snprintf(out, HELP_TEXT, "%s", option->help);
    if (n > 0 && n < HELP_TEXT && out[n - 1] == '.') /* the library's sentences end with one */
        out[--n] = 0;
    for (size_t i = 0; option->choices && option->choices[i] && n < HELP_TEXT; i++)
        n += (size_t)snprintf(out + n, HELP_TEXT - n, "%s%s",
                              !i                       ? "; one of "
                              : option->choices[i + 1] ? ", "
                                                       : " and ",
                              option->choices[i]);
    default_text(command, option, where, usual, sizeof usual);
    if (*usual && n < HELP_TEXT)
        snprintf(out + n, HELP_TEXT - n, " (default: %s)", usual);
    return out;
}

/* ---- A terminal ---- */

/* Words of text in lines of WIDTH, all but the first indented; column is where the cursor stands.
 */
static void wrap(FILE *out, const char *text, size_t length, int column, int indent)
{
    const char *const end = text + length;
    bool first = true;
    while (text < end) {
        while (text < end && (*text == ' ' || *text == '\n'))
            text++;
        const char *word = text;
        while (text < end && *text != ' ' && *text != '\n')
            text++;
        const int size = (int)(text - word);
        if (size == 0)
            break;
        if (!first && column + 1 + size > WIDTH) {
            fprintf(out, "\n%*s", indent, "");
            column = indent;
        } else if (!first) {
            fputc(' ', out);
            column++;
        }
        fwrite(word, 1, (size_t)size, out);
        column += size;
        first = false;
    }
    fputc('\n', out);
}

static void print_paragraphs(FILE *out, const char *text)
{
    const char *begin;
    size_t length;
    while (help_paragraph(&text, &begin, &length)) {
        if (*begin == ' ')
            fprintf(out, "%.*s\n", (int)length, begin);
        else
            wrap(out, begin, length, 0, 0);
        fputc('\n', out);
    }
}

const char *help_argument(const cli_option *option, char out[HELP_TEXT])
{
    const char *const quote = strchr(option->argument, ' ') ? "'" : "";
    snprintf(out, HELP_TEXT, "%s%s%s", quote, option->argument, quote);
    return out;
}

/* "-e, --epochs N" */
static int option_head(const cli_option *o, char out[HELP_TEXT])
{
    char argument[HELP_TEXT];
    const char letter[] = {'-', o->letter, ',', ' ', 0};
    return snprintf(out, HELP_TEXT, "%-4s--%s%s%.500s", o->letter ? letter : "", o->name,
                    o->argument ? " " : "", o->argument ? help_argument(o, argument) : "");
}

static void print_option(FILE *out, const cli_command *command, const cli_option *o,
                         cli_where where)
{
    char text[HELP_TEXT];
    const int column = 2 + option_head(o, text);
    fputs("  ", out);
    if (column > OPTION_COLUMN - 2) {
        fprintf(out, "%.4s", text); /* the letter, whose blanks stay */
        wrap(out, text + 4, strlen(text + 4), 6, OPTION_COLUMN / 2);
        fprintf(out, "%*s", OPTION_COLUMN, "");
    } else {
        fprintf(out, "%s%*s", text, OPTION_COLUMN - column, "");
    }
    help_option_text(command, o, where, text);
    wrap(out, text, strlen(text), OPTION_COLUMN, OPTION_COLUMN);
}

static void print_options(FILE *out, const cli_command *command)
{
    static const char *const titles[] = {
        [CLI_OWN] = "options:",
        [CLI_GROUP] = ("rules, which are followed in their order; each value is what follows the "
                       "word in a file of rules:"),
        [CLI_COMMON] = "common options:",
    };
    cli_option o;
    cli_where where, before = CLI_OWN;
    for (size_t i = 0; cli_option_at(command, i, &o, &where); i++) {
        if (i == 0 || where != before) {
            if (i > 0)
                fputc('\n', out);
            wrap(out, titles[where], strlen(titles[where]), 0, 0);
        }
        before = where;
        print_option(out, command, &o, where);
    }
}

void help_command(FILE *out, const cli_command *command)
{
    fprintf(out, "usage: ");
    help_usage(out, command);
    fprintf(out, "\n\n");
    print_paragraphs(out, command->description);
    print_options(out, command);
    if (command->example_count)
        fprintf(out, "\nexamples:\n");
    for (size_t i = 0; i < command->example_count; i++) {
        fprintf(out, "  %s\n      ", command->examples[i].line);
        wrap(out, command->examples[i].says, strlen(command->examples[i].says), 6, 6);
    }
    fprintf(out, "\nexit status:\n");
    for (size_t i = 0; help_statuses[i] >= 0; i++) {
        const char *const text = help_status(command, help_statuses[i]);
        if (!text)
            continue;
        fprintf(out, "  %-5d", help_statuses[i]);
        wrap(out, text, strlen(text), 7, 7);
    }
}

void help_overview(FILE *out)
{
    const cli_command *command;
    fprintf(out, "graft %s: trains neural networks and copies them\n\n", graft_version());
    fprintf(out, "usage: graft COMMAND [OPTION]... [ARGUMENT]...\n\ncommands:\n");
    for (size_t i = 0; (command = cli_command_at(i)); i++)
        fprintf(out, "  %-*s%s\n", COMMAND_COLUMN - 2, command->name, command->summary);
    fprintf(out, "\n`graft help COMMAND` says more; `graft --version` prints the version.\n");
}
