#include "cli/terminal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { BAR = 30, TEXT = 48, LINE = BAR + TEXT, USUAL_COLUMNS = 80 };

terminal terminal_open(void)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    terminal t = {.is_tty = isatty(STDOUT_FILENO) == 1, .columns = USUAL_COLUMNS};
    bool dumb = !term || !*term || strcmp(term, "dumb") == 0;
    t.colour = t.is_tty && !dumb && !(no_color && *no_color);
    struct winsize size;
    if (t.is_tty && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        t.columns = size.ws_col;
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

static int filled(long done, long total)
{
    return total > 0 ? (int)((double)BAR * (double)done / (double)total) : BAR;
}

/* How much of a line may be written without the cursor leaving it. */
static int room(const terminal *t)
{
    return t->columns - 1 < LINE ? t->columns - 1 : LINE;
}

void terminal_progress(const terminal *t, long done, long total, const char *text)
{
    const int cells = filled(done, total);
    if (!t->is_tty || (done > 1 && cells == filled(done - 1, total)))
        return;
    char behind[TEXT];
    snprintf(behind, sizeof behind, " %ld/%ld %s", done, total, text);
    const int bar = BAR + 2, left = room(t) - bar;
    printf("\r");
    if (left >= 0) {
        printf("%s[", code(t, "\033[36m"));
        for (int i = 0; i < BAR; i++)
            putchar(i < cells ? '#' : '.');
        printf("]%s%.*s", code(t, "\033[0m"), left, behind);
    } else {
        printf("%.*s", room(t), behind);
    }
    fflush(stdout);
}

void terminal_progress_end(const terminal *t)
{
    if (!t->is_tty)
        return;
    printf("\r%*s\r", room(t), "");
    fflush(stdout);
}

void terminal_claim(const terminal *t, const char *claim, const char *measured, bool holds)
{
    printf("  %-50s %s%-4s%s %s\n", claim, code(t, holds ? "\033[32m" : "\033[1;31m"),
           holds ? "yes" : "NO", code(t, "\033[0m"), measured);
}
