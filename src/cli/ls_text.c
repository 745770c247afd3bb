/* A line for each tensor, and the totals. */
#include <string.h>

#include "cli/dtype.h"
#include "cli/ls.h"
#include "cli/ls_stats.h"
#include "cli/say.h"
#include "cli/shown.h"
#include "cli/sizes.h"
#include "cli/table.h"

static void add_note(table *t, const ls_file *f, const ls_entry *e)
{
    const bool tied = e->same != LS_NONE;
    if (!tied && e->shares == LS_NONE)
        table_cell(t, "");
    else
        table_cellf(t, "%s %s", tied ? "=" : "shares",
                    ls_name(&f->entries[tied ? e->same : e->shares]));
}

static void add_row(table *t, const ls_file *f, const ls_entry *e)
{
    char dtype[DTYPE_TEXT], shape[SHAPE_TEXT], size[SIZE_TEXT];
    table_styled(t, TERMINAL_BOLD, ls_name(e));
    table_cell(t, dtype_short(e->info.dtype, dtype));
    table_cell(t, shape_text(&e->info.shape, shape));
    table_cell(t, size_text(e->info.bytes, size));
    add_note(t, f, e);
}

static void print_totals(const ls_file *f)
{
    const ls_totals t = ls_count(f);
    char names[SIZE_TEXT], elements[SIZE_TEXT], size[SIZE_TEXT], tied[SIZE_TEXT];
    shown_print(open_name(f->path));
    printf(": %s, %s tensor%s", open_format(f->file.c), count_text(t.names, names),
           t.names == 1 ? "" : "s");
    if (t.names < f->count)
        printf(" of %s", count_text(f->count, names));
    if (t.tied)
        printf(" (%s tied)", count_text(t.tied, tied));
    printf(", %s elements, %s\n", count_text(t.elements, elements), size_text(t.bytes, size));
}

static void print_findings(const cli_call *call, const ls_file *f)
{
    for (size_t i = 0; i < f->finding_count; i++) {
        printf("%sfinding%s: %s: ", terminal_code(&call->out, TERMINAL_YELLOW),
               terminal_code(&call->out, TERMINAL_PLAIN), f->findings[i].kind);
        shown_print(f->findings[i].message);
        putchar('\n');
    }
}

static bool print_rows(cli_call *call, const ls_file *f)
{
    table *const t = table_new("lllrl");
    for (size_t i = 0; i < f->listed_count; i++)
        add_row(t, f, &f->entries[f->listed[i]]);
    const bool ok = table_print(t, &call->out, 0);
    table_free(t);
    if (!ok)
        say(call, "%s: out of memory", open_name(f->path));
    return ok;
}

bool ls_text(cli_call *call, const ls_file *f)
{
    const ls_options *const o = call->options;
    bool ok = o->stats ? ls_stats_text(call, f) : print_rows(call, f);
    if (o->all)
        ok = ls_values_text(call, f) && ok;
    print_totals(f);
    print_findings(call, f);
    return ok;
}

bool ls_tree(cli_call *call, const ls_file *f)
{
    const ls_options *const o = call->options;
    bool ok = ls_print_tree(call, f);
    if (o->all)
        ok = ls_values_text(call, f) && ok;
    print_totals(f);
    print_findings(call, f);
    return ok;
}
