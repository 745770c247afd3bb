#include "cli/diff_html.h"

#include <inttypes.h>
#include <string.h>

#include "cli/plot_draw.h"
#include "graft/base.h"

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";

static const char style[] =
    "<style>\n"
    "body{font:15px/1.5 system-ui,sans-serif;color:#212429;background:#fff;max-width:1080px;"
    "margin:2rem auto;padding:0 1rem}\n"
    "h1{font-size:1.5rem;margin:0 0 .3rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}\n"
    "p{margin:.2rem 0}code,td.n,td.d{font-family:ui-monospace,monospace;font-size:.85em}\n"
    "ul.counts{list-style:none;display:flex;flex-wrap:wrap;gap:.5rem;padding:0;margin:1rem 0}\n"
    "ul.counts li{background:#eef0f3;border-radius:.5rem;padding:.25rem .75rem}\n"
    "ul.counts b{font-size:1.15em}\n"
    "figure{margin:1rem 0;overflow-x:auto}figure svg{max-width:100%;height:auto}\n"
    "div.wide{overflow-x:auto}\n"
    "table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}\n"
    "th{font-size:.8em;color:#6b7078;text-align:right;font-weight:600}\n"
    "th,td{padding:.25rem .5rem;border-bottom:1px solid #e3e5e9;white-space:nowrap}\n"
    "td{text-align:right;font-size:.9em}th.n,td.n,td.k,th.k{text-align:left}\n"
    "td.n{white-space:normal;overflow-wrap:anywhere;min-width:15rem}\n"
    ".changed{color:#8a5a00}.missing,.extra,.shape{color:#b3261e}.dtype,.ties{color:#5b3fa8}\n"
    "summary{cursor:pointer}\n"
    "@media print{body{margin:0;max-width:none}}\n"
    "</style>\n";

/* Text of a file: nothing of it is markup, and control characters are shown and not sent. */
static void text(FILE *out, const char *s)
{
    for (; *s; s++) {
        const unsigned char c = (unsigned char)*s;
        if (c == '<')
            fputs("&lt;", out);
        else if (c == '>')
            fputs("&gt;", out);
        else if (c == '&')
            fputs("&amp;", out);
        else if (c == '"')
            fputs("&quot;", out);
        else if (c < 0x20 || c == 0x7f)
            fprintf(out, "\\x%02x", c);
        else
            putc(c, out);
    }
}

static void counts(FILE *out, const graft_diff_report *diff)
{
    fputs("<ul class=\"counts\">\n", out);
    for (int k = GRAFT_DIFF_EQUAL; k <= GRAFT_DIFF_TIES; k++) {
        const graft_diff_kind kind = (graft_diff_kind)k;
        const int64_t n = graft_diff_count(diff, kind);
        if (n > 0)
            fprintf(out, "<li class=\"%s\"><b>%" PRId64 "</b> %s</li>\n",
                    graft_diff_kind_name(kind), n, graft_diff_kind_name(kind));
    }
    fputs("</ul>\n", out);
}

/* "float32 [2, 3]" or a dash. */
static void what(FILE *out, bool there, const graft_tensor_info *info)
{
    fputs("<td class=\"d\">", out);
    if (there) {
        fprintf(out, "%s [", graft_dtype_name(info->dtype));
        for (int d = 0; d < info->shape.ndim; d++)
            fprintf(out, "%s%" PRId64, d ? ", " : "", info->shape.size[d]);
        fputs("]", out);
    } else {
        fputs("&ndash;", out);
    }
    fputs("</td>", out);
}

static void number(FILE *out, double x)
{
    char shown[32];
    fprintf(out, "<td>%s</td>", plot_number(x, shown));
}

static void numbers(FILE *out, const graft_diff_numbers *n)
{
    fprintf(out, "<td>%" PRId64 " of %" PRId64 "</td>", n->changed, n->elements);
    number(out, n->max_abs);
    number(out, n->max_rel);
    if (n->max_ulps >= 0)
        fprintf(out, "<td>%" PRId64 "</td>", n->max_ulps);
    else
        fputs("<td>&ndash;</td>", out);
    number(out, n->mean_abs);
    fprintf(out, "<td>%.6g</td>", n->cosine);
}

static void row(FILE *out, const graft_diff_report *diff, int64_t i)
{
    const char *kind = graft_diff_kind_name(graft_diff_kind_of(diff, i));
    graft_tensor_info a, b;
    graft_diff_numbers n;
    fputs("<tr><td class=\"n\">", out);
    text(out, graft_diff_name(diff, i));
    fprintf(out, "</td><td class=\"k %s\">%s</td>", kind, kind);
    what(out, graft_diff_info_a(diff, i, &a), &a);
    what(out, graft_diff_info_b(diff, i, &b), &b);
    const char *note = graft_diff_note(diff, i);
    if (graft_diff_numbers_of(diff, i, &n))
        numbers(out, &n);
    else if (!note || !*note)
        fputs("<td colspan=\"6\"></td>", out);
    if (note && *note) {
        fputs(graft_diff_numbers_of(diff, i, &n) ? "</tr>\n<tr><td></td><td colspan=\"9\">"
                                                 : "<td class=\"n\" colspan=\"6\">",
              out);
        text(out, note);
        fputs("</td>", out);
    }
    fputs("</tr>\n", out);
}

static void table(FILE *out, const graft_diff_report *diff)
{
    fputs("<h2>What differs</h2>\n<div class=\"wide\"><table>\n<thead><tr><th class=\"n\">name</th>"
          "<th class=\"k\">how</th><th>first</th><th>second</th><th>elements</th>"
          "<th>max abs</th><th>max rel</th><th>ULPs</th><th>mean abs</th><th>cosine</th>"
          "</tr></thead>\n<tbody>\n",
          out);
    for (int64_t i = 0; i < graft_diff_len(diff); i++)
        if (graft_diff_kind_of(diff, i) != GRAFT_DIFF_EQUAL)
            row(out, diff, i);
    fputs("</tbody></table></div>\n", out);
}

static void equal_names(FILE *out, const graft_diff_report *diff)
{
    const int64_t n = graft_diff_count(diff, GRAFT_DIFF_EQUAL);
    if (n == 0)
        return;
    fprintf(out, "<h2>What is equal</h2>\n<details><summary>%" PRId64 " names</summary>\n<p>", n);
    for (int64_t i = 0; i < graft_diff_len(diff); i++) {
        if (graft_diff_kind_of(diff, i) != GRAFT_DIFF_EQUAL)
            continue;
        fputs("<code>", out);
        text(out, graft_diff_name(diff, i));
        fputs("</code><br>\n", out);
    }
    fputs("</p></details>\n", out);
}

/* The picture without what may stand only before a document of its own. */
static void figure(FILE *out, const unsigned char *svg, size_t size)
{
    static const char begin[] = "<svg";
    const char *from = svg ? (const char *)svg : "";
    const char *const end = from + (svg ? size : 0);
    while (end - from >= 4 && memcmp(from, begin, 4) != 0)
        from++;
    if (end - from < 4)
        return;
    fputs("<figure>\n", out);
    fwrite(from, 1, (size_t)(end - from), out);
    fputs("</figure>\n", out);
}

void diff_html_write(FILE *out, const graft_diff_report *diff, const char *a, const char *b,
                     const unsigned char *svg, size_t svg_size)
{
    fputs(head, out);
    fputs("<title>", out);
    text(out, a);
    fputs(" and ", out);
    text(out, b);
    fputs("</title>\n", out);
    fputs(style, out);
    fputs("</head>\n<body>\n<h1>Two checkpoints compared</h1>\n<p>first: <code>", out);
    text(out, a);
    fputs("</code></p>\n<p>second: <code>", out);
    text(out, b);
    fputs("</code></p>\n", out);
    counts(out, diff);
    figure(out, svg, svg_size);
    if (graft_diff_is_equal(diff))
        fputs("<p>They are equal.</p>\n", out);
    else
        table(out, diff);
    equal_names(out, diff);
    fprintf(out, "<p><small>graft %s</small></p>\n</body>\n</html>\n", graft_version());
}
