/* Talk: what goes to stderr. Everything is escaped as cli/shown.h says, so that a name in a file
 * can't do anything to a terminal. */
#ifndef CLI_SAY_H
#define CLI_SAY_H

#include <stdarg.h>

#include "cli/cli.h"

/* "graft ls: " and the message and a newline. What stdout still holds is written first. */
__attribute__((format(printf, 2, 3))) void say(const cli_call *call, const char *format, ...);

/* The same where it is not an error; nothing with --quiet. */
__attribute__((format(printf, 2, 3))) void say_note(const cli_call *call, const char *format, ...);

/* Tells an error. CLI_TROUBLE, so that one may write `return say_trouble(...)`. */
__attribute__((format(printf, 2, 3))) int say_trouble(const cli_call *call, const char *format,
                                                      ...);

/* Tells a wrong use of the command, and where its help is. CLI_TROUBLE. */
__attribute__((format(printf, 2, 3))) int say_usage(const cli_call *call, const char *format, ...);

/* Tells the context's error, and forgets it. CLI_TROUBLE. A cancel is not told: who pressed ^C
 * knows. */
int say_error(const cli_call *call);

/* The same about the file that the user named so, which the message begins with. */
int say_file_error(const cli_call *call, const char *path);

/* The context's error without the operation and the path that the library puts in front of it. */
const char *say_reason(const cli_call *call, const char *path);

#endif
