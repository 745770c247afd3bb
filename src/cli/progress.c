#include "cli/progress.h"

#include <time.h>

#include "cli/signal.h"
#include "cli/sizes.h"

enum { TEXT = 64 };

static const double patience = 0.5, between = 0.1;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

progress progress_of(const cli_call *call, const char *what)
{
    return (progress){.call = call, .what = what, .begun = now()};
}

bool progress_tick(void *user, uint64_t done, uint64_t total)
{
    progress *const p = user;
    const terminal *const t = &p->call->err;
    if (signal_caught())
        return false;
    if (!t->is_tty || p->call->common.quiet)
        return true;
    const double time = now();
    if (time - p->begun < patience || time - p->drawn < between)
        return true;
    p->drawn = time;
    char text[TEXT], a[SIZE_TEXT], b[SIZE_TEXT], rate[SIZE_TEXT];
    snprintf(text, sizeof text, " %s %s of %s, %s/s", p->what, size_text(done, a),
             size_text(total, b), size_text((uint64_t)((double)done / (time - p->begun)), rate));
    terminal_bar(t, total ? (double)done / (double)total : 1, text);
    return true;
}

void progress_end(progress *p)
{
    if (p->drawn > 0)
        terminal_progress_end(&p->call->err);
    p->drawn = 0;
}
