/* Text of others (names in files, paths, messages that quote them) as a terminal may be shown it:
 * control characters, and what turns the direction of writing or breaks a line, are escaped as in
 * Python (\n, \x1b, \u202e), a backslash is \\, bytes that are no UTF-8 are \xff. */
#ifndef CLI_SHOWN_H
#define CLI_SHOWN_H

#include <stdbool.h>
#include <stddef.h>

/* A new text, to be freed; NULL if there is no memory. keep_lines lets \n and \t through, and
 * leaves backslashes alone: for messages and reports of the library, which quote names. */
char *shown(const char *text, size_t length, bool keep_lines);

/* Writes it to stdout. */
void shown_print(const char *text);

/* Writes a report of the library to stdout, with a newline at its end. NULL is nothing. */
void shown_report(const char *text);

/* The code point at *text, which has `left` bytes (at least 1), and its size in *bytes. -1 where
 * there is none: *bytes is 1 then. */
long shown_code_point(const char *text, size_t left, size_t *bytes);

/* Whether a code point must not reach a terminal: a control character and the like. */
bool shown_hidden(long c);

/* How many columns a text that was escaped takes. */
int shown_width(const char *text);

#endif
