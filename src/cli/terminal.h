/* What a person sees: colours where they are wanted, a progress bar on a terminal, plain lines
 * else. */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

typedef enum terminal_when { TERMINAL_AUTO, TERMINAL_ALWAYS, TERMINAL_NEVER } terminal_when;

typedef struct terminal {
    FILE *stream;
    bool is_tty;
    bool colour; /* AUTO: a terminal that is not dumb, and NO_COLOR is not set */
    bool utf8;   /* by the locale */
    int columns; /* of a terminal; 80 else */
} terminal;

terminal terminal_of(FILE *stream, terminal_when colour);

typedef enum terminal_style {
    TERMINAL_PLAIN, /* ends any other */
    TERMINAL_BOLD,
    TERMINAL_DIM,
    TERMINAL_RED,
    TERMINAL_GREEN,
    TERMINAL_YELLOW,
    TERMINAL_BLUE,
    TERMINAL_CYAN,
} terminal_style;

/* The escape code; "" where there are no colours. */
const char *terminal_code(const terminal *t, terminal_style style);

/* A heading. */
void terminal_title(const terminal *t, const char *title);

/* A bar with done of total, called for every one of them; drawn over itself on a terminal, not at
 * all elsewhere. text stands behind, as much of it as the line has room for. */
void terminal_progress(const terminal *t, long done, long total, const char *text);

/* Draws it whatever was drawn before, with nothing but text (of ASCII) behind. */
void terminal_bar(const terminal *t, double share, const char *text);

/* Wipes the bar. */
void terminal_progress_end(const terminal *t);

/* A row of the table of claims. */
void terminal_claim(const terminal *t, const char *claim, const char *measured, bool holds);

#endif
