#include <inttypes.h>
#include <string.h>

#include "cli/diff.h"
#include "cli/dtype.h"
#include "cli/say.h"
#include "cli/shown.h"
#include "cli/sizes.h"
#include "cli/table.h"

enum { BAR = 20, LINE = 512 };

static terminal_style style_of(graft_diff_kind kind)
{
    static const terminal_style style[] = {
        [GRAFT_DIFF_EQUAL] = TERMINAL_PLAIN, [GRAFT_DIFF_CHANGED] = TERMINAL_YELLOW,
        [GRAFT_DIFF_DTYPE] = TERMINAL_CYAN,  [GRAFT_DIFF_SHAPE] = TERMINAL_RED,
        [GRAFT_DIFF_MISSING] = TERMINAL_RED, [GRAFT_DIFF_EXTRA] = TERMINAL_GREEN,
        [GRAFT_DIFF_TIES] = TERMINAL_BLUE,
    };
    return style[kind];
}

/* "f32 [10, 512]" */
static void put_form(char *out, size_t size, const graft_tensor_info *t)
{
    char dtype[DTYPE_TEXT], shape[SHAPE_TEXT];
    snprintf(out, size, "%s %s", dtype_short(t->dtype, dtype), shape_text(&t->shape, shape));
}

/* One form, or both where they are two. */
static void form_cell(table *t, const graft_diff_report *d, int64_t i)
{
    graft_tensor_info a, b;
    char form_a[DTYPE_TEXT + SHAPE_TEXT] = "", form_b[sizeof form_a] = "";
    const bool in_a = graft_diff_info_a(d, i, &a), in_b = graft_diff_info_b(d, i, &b);
    if (in_a)
        put_form(form_a, sizeof form_a, &a);
    if (in_b)
        put_form(form_b, sizeof form_b, &b);
    if (in_a && in_b && strcmp(form_a, form_b) != 0)
        table_cellf(t, "%s -> %s", form_a, form_b);
    else
        table_cell(t, in_a ? form_a : form_b);
}

static void add(char *line, const char *format, double value)
{
    const size_t length = strlen(line);
    snprintf(line + length, LINE - length, format, value);
}

static void put_numbers(char *line, const graft_diff_numbers *n)
{
    char changed[SIZE_TEXT], all[SIZE_TEXT];
    snprintf(line, LINE, "%s of %s", count_text((uint64_t)n->changed, changed),
             count_text((uint64_t)n->elements, all));
    if (n->not_finite > 0)
        add(line, " (%.0f not finite)", (double)n->not_finite);
    if (n->max_abs != n->max_abs) /* bits have no distance */
        return;
    add(line, ", max %.3g", n->max_abs);
    add(line, ", rel %.3g", n->max_rel);
    if (n->max_ulps >= 0)
        add(line, ", ulps %.0f", (double)n->max_ulps);
    add(line, ", rms %.3g", n->rms);
    if (n->cosine == n->cosine)
        add(line, ", cosine %.6g", n->cosine);
}

/* What there is to say beside the kind and the form. */
static void what_cell(table *t, const graft_diff_report *d, int64_t i)
{
    const char *const note = graft_diff_note(d, i);
    char line[LINE] = "";
    graft_diff_numbers n;
    if (graft_diff_numbers_of(d, i, &n)) {
        if (n.changed > 0)
            put_numbers(line, &n);
        else if (graft_diff_kind_of(d, i) == GRAFT_DIFF_DTYPE)
            snprintf(line, LINE, "the values are equal");
    }
    table_cellf(t, "%s%s%s", line, *line && *note ? "; " : "", note);
}

static const char *name_of(const graft_diff_report *d, int64_t i)
{
    const char *const name = graft_diff_name(d, i);
    return *name ? name : "(the value)";
}

static void print_counts(const graft_diff_report *d)
{
    const char *comma = "";
    for (int k = GRAFT_DIFF_EQUAL; k <= GRAFT_DIFF_TIES; k++) {
        const graft_diff_kind kind = (graft_diff_kind)k;
        char count[SIZE_TEXT];
        const int64_t n = graft_diff_count(d, kind);
        if (n == 0)
            continue;
        printf("%s%s %s", comma, count_text((uint64_t)n, count), graft_diff_kind_name(kind));
        comma = ", ";
    }
    puts(*comma ? "" : "nothing to compare");
}

static bool finish(cli_call *call, table *t, const graft_diff_report *d)
{
    const bool printed = t && table_print(t, &call->out, 0);
    const bool some = t && !table_is_empty(t);
    table_free(t);
    if (!printed) {
        say(call, "out of memory");
        return false;
    }
    if (some)
        putchar('\n');
    print_counts(d);
    return true;
}

static bool is_listed(const cli_call *call, const graft_diff_report *d, int64_t i)
{
    const diff_options *const o = call->options;
    return o->all || graft_diff_kind_of(d, i) != GRAFT_DIFF_EQUAL;
}

bool diff_show(cli_call *call, const graft_diff_report *d)
{
    table *const t = table_new("llll");
    for (int64_t i = 0; i < graft_diff_len(d); i++) {
        if (!is_listed(call, d, i))
            continue;
        const graft_diff_kind kind = graft_diff_kind_of(d, i);
        table_styled(t, style_of(kind), graft_diff_kind_name(kind));
        table_cell(t, name_of(d, i));
        form_cell(t, d, i);
        what_cell(t, d, i);
    }
    return finish(call, t, d);
}

/* How much of it changed, 0 to 1. */
static double share_of(const graft_diff_report *d, int64_t i)
{
    graft_diff_numbers n;
    if (graft_diff_numbers_of(d, i, &n) && n.elements > 0)
        return (double)n.changed / (double)n.elements;
    const graft_diff_kind kind = graft_diff_kind_of(d, i);
    return kind == GRAFT_DIFF_EQUAL || kind == GRAFT_DIFF_TIES ? 0 : 1;
}

bool diff_stat(cli_call *call, const graft_diff_report *d)
{
    table *const t = table_new("llrl");
    for (int64_t i = 0; i < graft_diff_len(d); i++) {
        if (!is_listed(call, d, i))
            continue;
        const graft_diff_kind kind = graft_diff_kind_of(d, i);
        const double share = share_of(d, i);
        int length = (int)(share * BAR + 0.5);
        if (share > 0 && length == 0)
            length = 1;
        table_styled(t, style_of(kind), graft_diff_kind_name(kind));
        table_cell(t, name_of(d, i));
        table_cellf(t, "%.4g%%", 100 * share);
        char bar[BAR + 1] = "";
        memset(bar, '#', (size_t)length);
        table_styled(t, style_of(kind), bar);
    }
    return finish(call, t, d);
}

void diff_names(const cli_call *call, const graft_diff_report *d)
{
    for (int64_t i = 0; i < graft_diff_len(d); i++) {
        if (!is_listed(call, d, i))
            continue;
        shown_print(graft_diff_name(d, i));
        putchar('\n');
    }
}
