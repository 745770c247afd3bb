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

int say_error(const cli_call *call)
{
    const char *const error = graft_error(call->g);
    if (graft_error_status(call->g) != GRAFT_ERR_CANCELLED)
        say(call, "%s", error ? error : "out of memory");
    graft_clear_error(call->g);
    return CLI_TROUBLE;
}

/* The message without the operation and the path that the library puts in front of it. */
static const char *behind_path(const char *error, const char *path)
{
    const char *const colon = strstr(error, ": ");
    const size_t length = strlen(path);
    if (!colon || strncmp(colon + 2, path, length) != 0 ||
        strncmp(colon + 2 + length, ": ", 2) != 0)
        return NULL;
    return colon + 2 + length + 2;
}

int say_file_error(const cli_call *call, const char *path)
{
    const char *const error = graft_error(call->g);
    const char *const rest = error ? behind_path(error, path) : NULL;
    if (!rest)
        return say_error(call);
    if (graft_error_status(call->g) != GRAFT_ERR_CANCELLED)
        say(call, "%s: %s", path, rest);
    graft_clear_error(call->g);
    return CLI_TROUBLE;
}
