/* Patterns of names, as rules have them. */
#ifndef CLI_GLOB_H
#define CLI_GLOB_H

#include "cli/cli.h"

/* * is any run of characters (dots too), ? one, [abc] and [a-z] one of, [!a] none of, {a,b} either;
 * a backslash takes the next character as it is. */
bool glob_matches(const char *glob, const char *name);

/* Whether one of the globs matches; true if there are none. */
bool glob_any(const cli_texts *globs, const char *name);

#endif
