#include "cli/terminal.h"

#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { BAR = 30, TEXT = 48, LINE = BAR + TEXT, USUAL_COLUMNS = 80 };

static bool wants_colour(bool is_tty, terminal_when when)
{
    if (when != TERMINAL_AUTO)
        return when == TERMINAL_ALWAYS;
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    const bool dumb = !term || !*term || strcmp(term, "dumb") == 0;
    return is_tty && !dumb && !(no_color && *no_color);
}

terminal terminal_of(FILE *stream, terminal_when colour)
{
    terminal t = {.stream = stream, .columns = USUAL_COLUMNS};
    t.is_tty = isatty(fileno(stream)) == 1;
    t.colour = wants_colour(t.is_tty, colour);
    t.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    struct winsize size;
    if (t.is_tty && ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        t.columns = size.ws_col;
    return t;
}

const char *terminal_code(const terminal *t, terminal_style style)
{
    static const char *const codes[] = {
        [TERMINAL_PLAIN] = "\033[0m",   [TERMINAL_BOLD] = "\033[1m",
        [TERMINAL_DIM] = "\033[2m",     [TERMINAL_RED] = "\033[1;31m",
        [TERMINAL_GREEN] = "\033[32m",  [TERMINAL_YELLOW] = "\033[33m",
        [TERMINAL_BLUE] = "\033[1;34m", [TERMINAL_CYAN] = "\033[36m",
    };
    return t->colour ? codes[style] : "";
}

void terminal_title(const terminal *t, const char *title)
{
    fprintf(t->stream, "\n%s%s%s\n", terminal_code(t, TERMINAL_BOLD), title,
            terminal_code(t, TERMINAL_PLAIN));
}

static int filled(double share)
{
    return share >= 1 ? BAR : share > 0 ? (int)(BAR * share) : 0;
}

/* How much of a line may be written without the cursor leaving it. */
static int room(const terminal *t)
{
    return t->columns - 1 < LINE ? t->columns - 1 : LINE;
}

void terminal_bar(const terminal *t, double share, const char *text)
{
    if (!t->is_tty)
        return;
    const int cells = filled(share), bar = BAR + 2, left = room(t) - bar;
    fputc('\r', t->stream);
    if (left >= 0) {
        fprintf(t->stream, "%s[", terminal_code(t, TERMINAL_CYAN));
        for (int i = 0; i < BAR; i++)
            fputc(i < cells ? '#' : '.', t->stream);
        fprintf(t->stream, "]%s%.*s", terminal_code(t, TERMINAL_PLAIN), left, text);
    } else {
        fprintf(t->stream, "%.*s", room(t), text);
    }
    fflush(t->stream);
}

static double share_of(long done, long total)
{
    return total > 0 ? (double)done / (double)total : 1;
}

void terminal_progress(const terminal *t, long done, long total, const char *text)
{
    if (done > 1 && filled(share_of(done, total)) == filled(share_of(done - 1, total)))
        return;
    char behind[TEXT];
    snprintf(behind, sizeof behind, " %ld/%ld %s", done, total, text);
    terminal_bar(t, share_of(done, total), behind);
}

void terminal_progress_end(const terminal *t)
{
    if (!t->is_tty)
        return;
    fprintf(t->stream, "\r%*s\r", room(t), "");
    fflush(t->stream);
}

void terminal_claim(const terminal *t, const char *claim, const char *measured, bool holds)
{
    fprintf(t->stream, "  %-50s %s%-4s%s %s\n", claim,
            terminal_code(t, holds ? TERMINAL_GREEN : TERMINAL_RED), holds ? "yes" : "NO",
            terminal_code(t, TERMINAL_PLAIN), measured);
}
