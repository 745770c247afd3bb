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

const char *say_reason(const cli_call *call, const char *path)
{
    const char *const error = graft_error(call->g);
    const char *const colon = error ? strstr(error, ": ") : NULL;
    const size_t length = strlen(path);
    const bool begins =
        colon && strncmp(colon + 2, path, length) == 0 && strncmp(colon + 2 + length, ": ", 2) == 0;
    return begins ? colon + 2 + length + 2 : error ? error : "out of memory";
}

int say_file_error(const cli_call *call, const char *path)
{
    if (say_reason(call, path) == graft_error(call->g))
        return say_error(call);
    if (graft_error_status(call->g) != GRAFT_ERR_CANCELLED)
        say(call, "%s: %s", path, say_reason(call, path));
    graft_clear_error(call->g);
    return CLI_TROUBLE;
}
