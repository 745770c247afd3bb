#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

static int fail(const cli_command *command, const char *what, const char *which)
{
    fprintf(stderr, "graft %s: %s %s\ntry: graft %s --help\n", command->name, what, which,
            command->name);
    return CLI_USAGE;
}

/* The option that argument names, and the text behind its '=' in *inline_value, or NULL. */
static const cli_option *find(const cli_option *options, size_t count, const char *argument,
                              const char **inline_value)
{
    size_t length = strcspn(argument, "=");
    *inline_value = argument[length] ? argument + length + 1 : NULL;
    for (size_t i = 0; i < count; i++)
        if (strlen(options[i].name) == length && strncmp(options[i].name, argument, length) == 0)
            return &options[i];
    return NULL;
}

static bool in_range(const cli_option *o, double value)
{
    return value >= o->min && value <= o->max;
}

static bool set_value(const cli_option *o, const char *text)
{
    char *end = NULL;
    errno = 0;
    switch (o->type) {
    case CLI_FLAG:
        return false; /* takes none */
    case CLI_INT: {
        long long n = strtoll(text, &end, 10);
        if (!*text || *end || errno || !in_range(o, (double)n))
            return false;
        *(long long *)o->value = n;
        return true;
    }
    case CLI_REAL: {
        double x = strtod(text, &end);
        if (!*text || *end || errno || !in_range(o, x))
            return false;
        *(double *)o->value = x;
        return true;
    }
    case CLI_TEXT:
        *(const char **)o->value = text;
        return *text != 0;
    }
    return false;
}

static int fail_value(const cli_command *command, const cli_option *o, const char *text)
{
    char what[160];
    if (o->type == CLI_FLAG)
        snprintf(what, sizeof what, "%s takes no value, but got", o->name);
    else if (o->type == CLI_TEXT)
        snprintf(what, sizeof what, "%s must not be empty:", o->name);
    else
        snprintf(what, sizeof what, "%s wants %s of %g to %g, but got", o->name,
                 o->type == CLI_INT ? "a whole number" : "a number", o->min, o->max);
    return fail(command, what, text);
}

int cli_parse(const cli_command *command, const cli_option *options, size_t count, int argc,
              char **argv, bool *help)
{
    *help = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            *help = true;
            return CLI_OK;
        }
        const char *value = NULL;
        const cli_option *o = find(options, count, argv[i], &value);
        if (!o)
            return fail(command, "unknown argument", argv[i]);
        if (o->type == CLI_FLAG && !value) {
            *(bool *)o->value = true;
            continue;
        }
        if (!value && i + 1 == argc)
            return fail(command, "a value must follow", argv[i]);
        if (!value)
            value = argv[++i];
        if (!set_value(o, value))
            return fail_value(command, o, value);
    }
    return CLI_OK;
}
