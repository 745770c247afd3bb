/* graft plot: pictures of checkpoints. */
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/open.h"
#include "cli/out_file.h"
#include "cli/plot_draw.h"
#include "cli/progress.h"
#include "cli/say.h"
#include "cli/signal.h"

enum { MAX_FILES = 8 };

typedef struct plot_options {
    const char *out;
    int kind; /* which of kinds */
    bool distributions, force;
} plot_options;

/* The pictures of a page, one below the other. */
typedef struct page {
    const char *const *names;
    graft_checkpoint *file[MAX_FILES];
    plot_rows rows[MAX_FILES];
    int files;
    bool has_rows; /* of each file; norms of several */
    bool has_grid;
    grid grid;
} page;

/* ---- Gathering ---- */

static bool not_stopped(void)
{
    return signal_caught() == 0;
}

static int gather_rows(cli_call *call, page *p)
{
    for (int i = 0; i < p->files; i++) {
        const graft_status status = plot_rows_make(&p->rows[i], open_root(p->file[i]), not_stopped);
        if (status == GRAFT_ERR_CANCELLED)
            return CLI_TROUBLE;
        if (status != GRAFT_OK)
            return graft_error(call->g) ? say_file_error(call, p->names[i])
                                        : say_trouble(call, "out of memory");
    }
    return CLI_OK;
}

static int gather_grid(cli_call *call, page *p)
{
    graft_diff_options o = graft_diff_defaults();
    progress bar = progress_of(call, "comparing");
    o.progress = progress_tick;
    o.progress_user = &bar;
    graft_diff_report *diff = graft_diff(open_root(p->file[0]), open_root(p->file[1]), &o);
    progress_end(&bar);
    if (!diff)
        return say_error(call);
    const bool ok = grid_make(&p->grid, diff);
    graft_diff_free(diff);
    return ok ? CLI_OK : say_trouble(call, "out of memory");
}

static int gather(cli_call *call, page *p)
{
    const int status = gather_rows(call, p);
    return status == CLI_OK && p->has_grid ? gather_grid(call, p) : status;
}

/* ---- Drawing ---- */

/* Draws the page; without a picture it only adds up the height, which is returned. */
static double lay_out(picture *on, const page *p)
{
    double top = 0;
    for (int i = 0; i < p->files && p->has_rows; i++) {
        if (on)
            plot_draw_rows(on, top, &p->rows[i], p->names[i]);
        top += plot_rows_height(&p->rows[i]);
    }
    if (p->has_grid) {
        if (on)
            plot_draw_grid(on, top, &p->grid, p->names[0], p->names[1]);
        top += plot_grid_height(&p->grid);
    }
    if (p->files > 1) {
        if (on)
            plot_draw_norms(on, top, p->rows, p->names, p->files);
        top += plot_norms_height(p->rows, p->files);
    }
    return top;
}

static int draw(cli_call *call, const page *p, picture_kind kind, out_file *out)
{
    picture *on = picture_open(kind, PLOT_WIDTH, lay_out(NULL, p));
    if (!on)
        return say_trouble(call, "out of memory");
    lay_out(on, p);
    size_t size = 0;
    const unsigned char *bytes = picture_finish(on, &size);
    const bool ok = bytes != NULL;
    if (ok)
        fwrite(bytes, 1, size, out->stream); /* errors stay in the stream */
    picture_free(on);
    return ok ? CLI_OK : say_trouble(call, "the picture could not be drawn: out of memory");
}

/* ---- The command ---- */

static const char *const kinds[] = {"auto", "svg", "png", NULL};
enum { KIND_AUTO, KIND_SVG, KIND_PNG };

static picture_kind kind_of(const plot_options *o)
{
    const size_t length = strlen(o->out);
    const bool ends_png = length > 4 && strcmp(o->out + length - 4, ".png") == 0;
    return o->kind == KIND_PNG || (o->kind == KIND_AUTO && ends_png) ? PICTURE_PNG : PICTURE_SVG;
}

static int open_all(cli_call *call, page *p)
{
    for (int i = 0; i < call->operand_count; i++) {
        p->file[i] = open_checkpoint(call, call->operands[i], NULL);
        if (!p->file[i])
            return CLI_TROUBLE;
        p->files++;
    }
    return CLI_OK;
}

static int plot(cli_call *call, page *p)
{
    const plot_options *o = call->options;
    out_file out;
    int status = open_all(call, p);
    if (status != CLI_OK)
        return status;
    if (!out_file_open(&out, call, o->out, o->force, false))
        return CLI_TROUBLE;
    status = gather(call, p);
    if (status == CLI_OK)
        status = draw(call, p, kind_of(o), &out);
    if (status == CLI_OK)
        return out_file_keep(&out) ? CLI_OK : CLI_TROUBLE;
    out_file_drop(&out);
    return status;
}

static int run(cli_call *call)
{
    const plot_options *o = call->options;
    if (!picture_is_supported())
        return say_trouble(call, "this build of graft has no cairo, which draws its pictures");
    page p = {
        .names = (const char *const *)call->operands,
        .has_rows = o->distributions || call->operand_count == 1,
        .has_grid = call->operand_count == 2,
    };
    const int status = plot(call, &p);
    for (int i = 0; i < p.files; i++) {
        plot_rows_free(&p.rows[i]);
        graft_checkpoint_free(p.file[i]);
    }
    grid_free(&p.grid);
    return status;
}

static const cli_option options[] = {
    {.name = "output",
     .letter = 'o',
     .type = CLI_FILE,
     .argument = "OUT",
     .offset = offsetof(plot_options, out),
     .help = "the picture; - is standard output"},
    {.name = "format",
     .type = CLI_CHOICE,
     .argument = "FORMAT",
     .choices = kinds,
     .offset = offsetof(plot_options, kind),
     .help = "auto: PNG if OUT ends in .png, else SVG"},
    {.name = "distributions",
     .type = CLI_FLAG,
     .offset = offsetof(plot_options, distributions),
     .help = "of several files, too, how the values of each are distributed"},
    {.name = "force",
     .letter = 'f',
     .type = CLI_FLAG,
     .offset = offsetof(plot_options, force),
     .help = "replace OUT if it is there"},
};

static const plot_options defaults = {.out = "-"};

static const cli_example examples[] = {
    {"graft plot -o model.png model.pt", "a picture for a report", 0},
    {"graft plot model.pt tuned.pt >differ.svg",
     "where two checkpoints differ, as a heat map by layer", 0},
};

const cli_command cli_plot = {
    .name = "plot",
    .summary = "draw how weights are distributed and where files differ",
    .description =
        "Of one file, draws for each tensor how its values are distributed, with their least, "
        "largest, mean, standard deviation and norm. Where there are too many tensors a row is a "
        "module.\n\n"
        "Of two files, draws where they differ: a heat map of the relative change, layers down, "
        "their parts across; and the norms of both by layer.\n\n"
        "Of up to eight files, draws the norms of each by layer.",
    .operands = "FILE...",
    .min_operands = 1,
    .max_operands = MAX_FILES,
    .options = options,
    .option_count = CLI_COUNT(options),
    .defaults = &defaults,
    .options_size = sizeof defaults,
    .status = {"the picture was written", NULL},
    .examples = examples,
    .example_count = CLI_COUNT(examples),
    .run = run,
};
