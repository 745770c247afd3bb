/* Man pages: roff with the man macros. */
#include <ctype.h>
#include <string.h>

#include "cli/help.h"

/* A minus, not a hyphen, so that what is copied out of a page can be run. `x` is bold. */
static void put(FILE *out, const char *text, size_t length)
{
    bool code = false;
    for (size_t i = 0; i < length; i++) {
        const char c = text[i];
        const bool at_start = i == 0 || text[i - 1] == '\n';
        if (at_start && (c == '.' || c == '\''))
            fputs("\\&", out);
        if (c == '-')
            fputs("\\-", out);
        else if (c == '\\')
            fputs("\\e", out);
        else if (c == '\'')
            fputs("\\(aq", out);
        else if (c == '^')
            fputs("\\(ha", out);
        else if (c == '~')
            fputs("\\(ti", out);
        else if (c == '`')
            fputs((code = !code) ? "\\fB" : "\\fR", out);
        else
            fputc(c, out);
    }
    if (code)
        fputs("\\fR", out);
}

static void put_text(FILE *out, const char *text)
{
    put(out, text, strlen(text));
}

static void put_line(FILE *out, const char *text)
{
    put_text(out, text);
    fputc('\n', out);
}

static void head(FILE *out, const char *name, const char *summary)
{
    fprintf(out, ".TH \"");
    for (const char *c = name; *c; c++)
        fprintf(out, "%s%c", *c == '-' ? "\\" : "", toupper((unsigned char)*c));
    fprintf(out, "\" 1 \"\" \"graft %s\" \"graft\"\n.nh\n.ad l\n.SH NAME\n", graft_version());
    put_text(out, name);
    fputs(" \\- ", out);
    put_line(out, summary);
}

static void put_description(FILE *out, const char *text)
{
    const char *begin;
    size_t length;
    fputs(".SH DESCRIPTION\n", out);
    while (help_paragraph(&text, &begin, &length)) {
        const bool kept = *begin == ' ';
        fputs(kept ? ".PP\n.nf\n" : ".PP\n", out);
        put(out, begin, length);
        fputs(kept ? "\n.fi\n" : "\n", out);
    }
}

static void put_options(FILE *out, const cli_command *command)
{
    cli_option o;
    cli_where where, before = CLI_OWN;
    fputs(".SH OPTIONS\n", out);
    for (size_t i = 0; cli_option_at(command, i, &o, &where); i++) {
        char text[HELP_TEXT];
        if (where != before && where == CLI_GROUP)
            fputs(
                ".SS Rules\nThey are followed in their order; each value is what follows the word "
                "in a file of rules.\n",
                out);
        if (where != before && where == CLI_COMMON)
            fputs(".SS Common options\n", out);
        before = where;
        fputs(".TP\n", out);
        if (o.letter)
            fprintf(out, "\\fB\\-%c\\fR, ", o.letter);
        fputs("\\fB\\-\\-", out);
        put_text(out, o.name);
        fputs("\\fR", out);
        if (o.argument) {
            fputs(" \\fI", out);
            put_text(out, help_argument(&o, text));
            fputs("\\fR", out);
        }
        fputc('\n', out);
        put_line(out, help_option_text(command, &o, where, text));
    }
}

static void put_rest(FILE *out, const cli_command *command)
{
    if (command->example_count)
        fputs(".SH EXAMPLES\n", out);
    for (size_t i = 0; i < command->example_count; i++) {
        fputs(".TP\n\\fB", out);
        put_text(out, command->examples[i].line);
        fputs("\\fR\n", out);
        put_line(out, command->examples[i].says);
    }
    fputs(".SH EXIT STATUS\n", out);
    for (size_t i = 0; help_statuses[i] >= 0; i++) {
        const char *const text = help_status(command, help_statuses[i]);
        if (!text)
            continue;
        fprintf(out, ".TP\n%d\n", help_statuses[i]);
        put_line(out, text);
    }
    fputs(".SH SEE ALSO\n.BR graft (1)\n", out);
}

static void overview(FILE *out)
{
    const cli_command *command;
    head(out, "graft", "trains neural networks and copies them");
    fputs(".SH SYNOPSIS\n.B graft\n.I COMMAND\n[\\fIOPTION\\fR]... [\\fIARGUMENT\\fR]...\n", out);
    fputs(".SH COMMANDS\n", out);
    for (size_t i = 0; (command = cli_command_at(i)); i++) {
        fputs(".TP\n\\fBgraft\\-", out);
        put_text(out, command->name);
        fputs("\\fR(1)\n", out);
        put_line(out, command->summary);
    }
    fputs(".SH OPTIONS\n.TP\n\\fB\\-\\-version\\fR\nprint the version\n"
          ".TP\n\\fB\\-h\\fR, \\fB\\-\\-help\\fR\nprint the list of commands\n",
          out);
}

void help_man(FILE *out, const cli_command *command)
{
    if (!command) {
        overview(out);
        return;
    }
    char name[64];
    snprintf(name, sizeof name, "graft-%s", command->name);
    head(out, name, command->summary);
    fputs(".SH SYNOPSIS\n\\fBgraft ", out);
    put_text(out, command->name);
    fputs("\\fR [\\fIOPTION\\fR]... \\fI", out);
    put_text(out, command->operands);
    fputs("\\fR\n", out);
    put_description(out, command->description);
    put_options(out, command);
    put_rest(out, command);
}
