#include "cli/say.h"

#include <stdlib.h>
#include <string.h>

#include "cli/shown.h"

static void say_all(const cli_call *call, const char *format, va_list arguments)
{
    char *text = NULL;
    const int length = vasprintf(&text, format, arguments);
    char *const escaped = length < 0 ? NULL : shown(text, (size_t)length, true);
    fflush(stdout);
    fprintf(stderr, "graft %s: %s\n", call->command->name, escaped ? escaped : "out of memory");
    free(escaped);
    if (length >= 0)
        free(text);
}

void say(const cli_call *call, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say_all(call, format, arguments);
    va_end(arguments);
}

void say_note(const cli_call *call, const char *format, ...)
{
    if (call->common.quiet)
        return;
    va_list arguments;
    va_start(arguments, format);
    say_all(call, format, arguments);
    va_end(arguments);
}

int say_trouble(const cli_call *call, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say_all(call, format, arguments);
    va_end(arguments);
    return CLI_TROUBLE;
}

int say_usage(const cli_call *call, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say_all(call, format, arguments);
    va_end(arguments);
    fprintf(stderr, "try: graft %s --help\n", call->command->name);
    return CLI_TROUBLE;
}

/* The library's functions put their names in front; a user has called none. */
static const char *without_function(const char *error)
{
    static const char *const names[] = {"save: ",    "save_delta: ",  "load: ",      "load_delta: ",
                                        "salvage: ", "dict_rename: ", "rules_read: "};
    for (size_t i = 0; error && i < CLI_COUNT(names); i++)
        if (strncmp(error, names[i], strlen(names[i])) == 0)
            return error + strlen(names[i]);
    return error;
}

/* "options.records" of a message is --records here. NULL if memory ran out. */
static char *with_dashes(const char *text)
{
    static const char field[] = "options.";
    char *out = strdup(text), *at = out;
    while (at && (at = strstr(at, field))) {
        memmove(at + 2, at + sizeof field - 1, strlen(at + sizeof field - 1) + 1);
        memset(at, '-', 2);
        for (at += 2; (*at >= 'a' && *at <= 'z') || *at == '_'; at++)
            *at = *at == '_' ? '-' : *at;
    }
    return out;
}

static void say_library(const cli_call *call, const char *name, const char *error)
{
    char *text = error ? with_dashes(error) : NULL;
    say(call, "%s%s%s", name ? name : "", name ? ": " : "", text ? text : "out of memory");
    free(text);
}

int say_error(const cli_call *call)
{
    const char *const error = without_function(graft_error(call->g));
    if (graft_error_status(call->g) != GRAFT_ERR_CANCELLED)
        say_library(call, NULL, error);
    graft_clear_error(call->g);
    return CLI_TROUBLE;
}

const char *say_reason(const cli_call *call, const char *path)
{
    const char *const error = graft_error(call->g);
    const char *const colon = error ? strstr(error, ": ") : NULL;
    const size_t length = strlen(path);
    const bool begins =
        colon && strncmp(colon + 2, path, length) == 0 && strncmp(colon + 2 + length, ": ", 2) == 0;
    return begins ? colon + 2 + length + 2 : error ? without_function(error) : "out of memory";
}

int say_file_error(const cli_call *call, const char *path)
{
    if (say_reason(call, path) == without_function(graft_error(call->g)))
        return say_error(call);
    if (graft_error_status(call->g) != GRAFT_ERR_CANCELLED)
        say_library(call, path, say_reason(call, path));
    graft_clear_error(call->g);
    return CLI_TROUBLE;
}
