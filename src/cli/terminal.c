#include "cli/terminal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BAR = 30 };

terminal terminal_open(void)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    terminal t = {.is_tty = isatty(STDOUT_FILENO) == 1};
    bool dumb = term && strcmp(term, "dumb") == 0;
    t.colour = t.is_tty && !dumb && !(no_color && *no_color);
    return t;
}

static const char *code(const terminal *t, const char *escape)
{
    return t->colour ? escape : "";
}

void terminal_title(const terminal *t, const char *title)
{
    printf("\n%s%s%s\n", code(t, "\033[1m"), title, code(t, "\033[0m"));
}

void terminal_progress(const terminal *t, long done, long total, const char *text)
{
    if (!t->is_tty)
        return;
    int filled = total > 0 ? (int)(BAR * done / total) : BAR;
    printf("\r%s[", code(t, "\033[36m"));
    for (int i = 0; i < BAR; i++)
        putchar(i < filled ? '#' : '.');
    printf("]%s %ld/%ld %s ", code(t, "\033[0m"), done, total, text);
    fflush(stdout);
}

void terminal_progress_end(const terminal *t)
{
    if (t->is_tty)
        printf("\r%*s\r", BAR + 48, "");
}

void terminal_claim(const terminal *t, const char *claim, const char *measured, bool holds)
{
    printf("  %-50s %s%-4s%s %s\n", claim, code(t, holds ? "\033[32m" : "\033[1;31m"),
           holds ? "yes" : "NO", code(t, "\033[0m"), measured);
}
