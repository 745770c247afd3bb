#include "cli/diff.h"
#include "cli/diff_html.h"
#include "cli/open.h"
#include "cli/out_file.h"
#include "cli/plot_draw.h"
#include "cli/say.h"

/* The heat map; NULL without memory, and in a build without cairo. */
static picture *draw(const grid *g, const char *a, const char *b)
{
    picture *p = picture_open(PICTURE_SVG, PLOT_WIDTH, plot_grid_height(g));
    if (p)
        plot_draw_grid(p, 0, g, a, b);
    return p;
}

static bool write(cli_call *call, const graft_diff_report *d, FILE *out)
{
    const char *a = open_name(call->operands[0]), *b = open_name(call->operands[1]);
    grid g;
    picture *p = grid_make(&g, d) ? draw(&g, a, b) : NULL;
    size_t size = 0;
    const unsigned char *svg = p ? picture_finish(p, &size) : NULL;
    diff_html_write(out, d, a, b, svg, size);
    picture_free(p);
    grid_free(&g);
    if (!svg && picture_is_supported())
        say(call, "out of memory");
    else if (!svg)
        say_note(call, "this build of graft has no cairo: the page has no picture");
    return svg || !picture_is_supported();
}

bool diff_page(cli_call *call, const graft_diff_report *d)
{
    const diff_options *const o = call->options;
    out_file out;
    if (!out_file_open(&out, call, o->html, o->force, true))
        return false;
    if (write(call, d, out.stream))
        return out_file_keep(&out);
    out_file_drop(&out);
    return false;
}
