/* What a person sees: colours where they are wanted, a progress bar on a terminal, plain lines
 * else. */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <stdbool.h>

typedef struct terminal {
    bool is_tty;
    bool colour; /* a terminal that is not dumb, and NO_COLOR is not set */
    int columns; /* of a terminal */
} terminal;

terminal terminal_open(void);

/* A heading. */
void terminal_title(const terminal *t, const char *title);

/* A bar with done of total, called for every one of them; drawn over itself on a terminal, not at
 * all elsewhere. text stands behind, as much of it as the line has room for. */
void terminal_progress(const terminal *t, long done, long total, const char *text);

/* Wipes the bar. */
void terminal_progress_end(const terminal *t);

/* A row of the table of claims. */
void terminal_claim(const terminal *t, const char *claim, const char *measured, bool holds);

#endif
