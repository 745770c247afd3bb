/* Reading a command's options and operands. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/say.h"
#include "cli/sizes.h"

typedef struct found {
    cli_option option;
    void *place;
    bool by_letter;
} found;

static void *place_of(cli_call *call, const cli_option *o, cli_where where)
{
    char *const base = where == CLI_COMMON ? (void *)&call->common : call->options;
    return base + o->offset;
}

static bool find(cli_call *call, const char *name, size_t length, char letter, found *out)
{
    cli_where where;
    for (size_t i = 0; cli_option_at(call->command, i, &out->option, &where); i++) {
        const cli_option *const o = &out->option;
        const bool is = name ? strlen(o->name) == length && strncmp(o->name, name, length) == 0
                             : o->letter == letter && letter;
        if (!is)
            continue;
        out->place = place_of(call, o, where);
        out->by_letter = !name;
        return true;
    }
    return false;
}

static bool takes_number(cli_type type)
{
    return type == CLI_INT || type == CLI_REAL || type == CLI_SIZE;
}

/* How the option was written: "--epochs" or "-e". */
static const char *written(const found *f, char out[64])
{
    snprintf(out, 64, f->by_letter ? "-%.60s" : "--%.60s",
             f->by_letter ? (const char[]){f->option.letter, 0} : f->option.name);
    return out;
}

static int fail_choice(const cli_call *call, const found *f, const char *text)
{
    char list[256], name[64];
    size_t n = 0;
    for (size_t i = 0; f->option.choices[i] && n < sizeof list; i++) {
        const char *const comma = !i ? "" : f->option.choices[i + 1] ? ", " : " or ";
        n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", comma, f->option.choices[i]);
    }
    return say_usage(call, "%s %s: expected %s", written(f, name), text, list);
}

static int fail_value(const cli_call *call, const found *f, const char *text)
{
    const cli_option *const o = &f->option;
    char name[64];
    written(f, name);
    if (o->type == CLI_FLAG)
        return say_usage(call, "%s takes no value, but got %s", name, text);
    if (o->type == CLI_CHOICE)
        return fail_choice(call, f, text);
    if (!takes_number(o->type))
        return say_usage(call, "%s must not be empty", name);
    const char *const what = o->type == CLI_INT    ? "a whole number"
                             : o->type == CLI_REAL ? "a number"
                                                   : "a size such as 500MB or 2GiB";
    if (o->min == 0 && o->max == 0)
        return say_usage(call, "%s wants %s, but got %s", name, what, text);
    return say_usage(call, "%s wants %s of %g to %g, but got %s", name, what, o->min, o->max, text);
}

static bool in_range(const cli_option *o, double value)
{
    return (o->min == 0 && o->max == 0) || (value >= o->min && value <= o->max);
}

static bool set_number(const found *f, const char *text)
{
    const cli_option *const o = &f->option;
    char *end = NULL;
    errno = 0;
    if (o->type == CLI_INT) {
        const long long n = strtoll(text, &end, 10);
        if (!*text || *end || errno || !in_range(o, (double)n))
            return false;
        *(int64_t *)f->place = n;
        return true;
    }
    if (o->type == CLI_SIZE) {
        uint64_t size;
        if (!size_parse(text, &size) || !in_range(o, (double)size))
            return false;
        *(uint64_t *)f->place = size;
        return true;
    }
    const double x = strtod(text, &end);
    if (!*text || *end || errno || !in_range(o, x))
        return false;
    *(double *)f->place = x;
    return true;
}

static bool set_choice(const found *f, const char *text)
{
    for (int i = 0; f->option.choices[i]; i++)
        if (strcmp(f->option.choices[i], text) == 0) {
            *(int *)f->place = i;
            return true;
        }
    return false;
}

static bool set_value(const found *f, const char *text)
{
    cli_texts *const texts = f->place;
    cli_rules *const rules = f->place;
    switch (f->option.type) {
    case CLI_FLAG:
        return false; /* takes none */
    case CLI_INT:
    case CLI_REAL:
    case CLI_SIZE:
        return set_number(f, text);
    case CLI_CHOICE:
        return set_choice(f, text);
    case CLI_TEXT:
    case CLI_FILE:
    case CLI_ANY_TEXT:
        *(const char **)f->place = text;
        return *text || f->option.type == CLI_ANY_TEXT;
    case CLI_TEXTS:
        texts->at[texts->count++] = text;
        return *text != 0;
    case CLI_RULE:
        rules->at[rules->count++] =
            (cli_rule){.verb = strcmp(f->option.name, CLI_RULES_FILE) == 0 ? NULL : f->option.name,
                       .rest = text};
        return true;
    }
    return false;
}

/* ---- Unknown options ---- */

static const char *next_name(const void *user, size_t i)
{
    cli_option o;
    cli_where where;
    return cli_option_at(user, i, &o, &where) ? o.name : NULL;
}

static int fail_unknown(const cli_call *call, const char *argument)
{
    const char *guess = NULL;
    char name[64];
    if (argument[1] == '-') {
        snprintf(name, sizeof name, "%.*s", (int)strcspn(argument + 2, "="), argument + 2);
        guess = cli_guess(name, next_name, call->command);
    }
    if (!guess)
        return say_usage(call, "unknown argument %s", argument);
    return say_usage(call, "unknown argument %s: did you mean --%s?", argument, guess);
}

/* ---- Arguments ---- */

typedef struct arguments {
    int i, count;
    char **at;
} arguments;

/* Sets an option to the text that stands with it (NULL: none does), or to the next argument. */
static int take(const cli_call *call, arguments *a, const found *f, const char *text)
{
    char name[64];
    if (f->option.type == CLI_FLAG && !text) {
        *(bool *)f->place = true;
        return CLI_OK;
    }
    if (!text && a->i + 1 == a->count)
        return say_usage(call, "a value must follow %s", written(f, name));
    if (!text)
        text = a->at[++a->i];
    return set_value(f, text) ? CLI_OK : fail_value(call, f, text);
}

static int take_long(cli_call *call, arguments *a)
{
    const char *const argument = a->at[a->i], *const equals = strchr(argument, '=');
    const size_t length = equals ? (size_t)(equals - argument) : strlen(argument);
    found f;
    if (!find(call, argument + 2, length - 2, 0, &f))
        return fail_unknown(call, argument);
    return take(call, a, &f, equals ? equals + 1 : NULL);
}

/* -xy, -xVALUE. */
static int take_letters(cli_call *call, arguments *a)
{
    const char *const argument = a->at[a->i];
    for (const char *letter = argument + 1; *letter; letter++) {
        found f;
        if (!find(call, NULL, 0, *letter, &f))
            return fail_unknown(call, argument);
        const bool flag = f.option.type == CLI_FLAG;
        const int status = take(call, a, &f, flag || !letter[1] ? NULL : letter + 1);
        if (status != CLI_OK || !flag)
            return status;
    }
    return CLI_OK;
}

static int check_operands(const cli_call *call)
{
    const cli_command *const c = call->command;
    const int n = call->operand_count;
    if (n > 0 && c->max_operands == 0)
        return say_usage(call, "unknown argument %s", call->operands[0]);
    if (c->max_operands >= 0 && n > c->max_operands)
        return say_usage(call, "one argument too many, %s: expected %s",
                         call->operands[c->max_operands], c->operands);
    if (n < c->min_operands)
        return say_usage(call, "expected %s", c->operands);
    return CLI_OK;
}

int cli_parse(cli_call *call, int argc, char **argv)
{
    arguments a = {.i = 1, .count = argc, .at = argv};
    bool ended = false;
    for (; a.i < argc; a.i++) {
        char *const argument = argv[a.i];
        int status = CLI_OK;
        if (ended || argument[0] != '-' || !argument[1])
            call->operands[call->operand_count++] = argument;
        else if (strcmp(argument, "--") == 0)
            ended = true;
        else
            status = argument[1] == '-' ? take_long(call, &a) : take_letters(call, &a);
        if (status != CLI_OK || call->common.help)
            return status;
    }
    return check_operands(call);
}
