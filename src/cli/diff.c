#include "cli/diff.h"

#include "cli/commands.h"
#include "cli/open.h"
#include "cli/progress.h"
#include "cli/rules.h"
#include "cli/say.h"

static const cli_option options[] = {
    {.name = "rtol",
     .letter = 'r',
     .type = CLI_REAL,
     .argument = "X",
     .max = 1e300,
     .offset = offsetof(diff_options, rtol),
     .help = "take elements for equal if |a - b| <= ATOL + X * |b|"},
    {.name = "atol",
     .letter = 't',
     .type = CLI_REAL,
     .argument = "X",
     .max = 1e300,
     .offset = offsetof(diff_options, atol),
     .help = "take elements for equal if |a - b| <= X + RTOL * |b|"},
    {.name = "stat",
     .letter = 's',
     .type = CLI_FLAG,
     .offset = offsetof(diff_options, stat),
     .help = "show for each tensor how large a share of it changed"},
    {.name = "all",
     .letter = 'a',
     .type = CLI_FLAG,
     .offset = offsetof(diff_options, all),
     .help = "list what is equal too"},
    {.name = "rows",
     .type = CLI_INT,
     .argument = "N",
     .max = 1e9,
     .offset = offsetof(diff_options, rows),
     .help = "list the first N changed rows of each tensor, in JSON"},
    {.name = "name-only",
     .type = CLI_FLAG,
     .offset = offsetof(diff_options, name_only),
     .help = "print the names of what differs, and nothing else"},
    {.name = "html",
     .type = CLI_FILE,
     .argument = "OUT",
     .offset = offsetof(diff_options, html),
     .help = "write a page with a heat map by layer and a table, that needs nothing beside it; "
             "prints nothing then, but what is asked for"},
    {.name = "force",
     .letter = 'f',
     .type = CLI_FLAG,
     .offset = offsetof(diff_options, force),
     .help = "replace the page if it is there"},
    {.name = "json",
     .type = CLI_FLAG,
     .offset = offsetof(diff_options, json),
     .help = "print one JSON object"},
};

static int show(cli_call *call, const graft_diff_report *d)
{
    const diff_options *const o = call->options;
    bool ok = true;
    if (o->html)
        ok = diff_page(call, d);
    if (o->json)
        diff_json(call, d);
    else if (o->name_only)
        diff_names(call, d);
    else if (!o->html && !call->common.quiet)
        ok = o->stat ? diff_stat(call, d) : diff_show(call, d);
    return !ok ? CLI_TROUBLE : graft_diff_is_equal(d) ? CLI_OK : CLI_FOUND;
}

static int compare(cli_call *call, const graft_checkpoint *a, const graft_checkpoint *b)
{
    const diff_options *const o = call->options;
    graft_diff_options how = graft_diff_defaults();
    how.rtol = o->rtol;
    how.atol = o->atol;
    how.max_rows = o->rows;
    how.only_bits = call->common.quiet && !o->json;
    graft_rules *const rules = o->rules.count > 0 ? rules_of(call, &o->rules) : NULL;
    if (o->rules.count > 0 && !rules)
        return CLI_TROUBLE;
    how.rules = rules;
    progress bar = progress_of(call, "comparing");
    how.progress = progress_tick;
    how.progress_user = &bar;
    graft_diff_report *const d = graft_diff(open_root(a), open_root(b), &how);
    progress_end(&bar);
    const int status = d ? show(call, d) : say_error(call);
    graft_diff_free(d);
    graft_rules_free(rules);
    return status;
}

static int run(cli_call *call)
{
    const diff_options *const o = call->options;
    if (o->json + o->stat + o->name_only > 1)
        return say_usage(call, "--stat, --name-only and --json: expected one of them");
    graft_checkpoint *const a = open_checkpoint(call, call->operands[0], NULL);
    graft_checkpoint *const b = a ? open_checkpoint(call, call->operands[1], NULL) : NULL;
    const int status = b ? compare(call, a, b) : CLI_TROUBLE;
    graft_checkpoint_free(a);
    graft_checkpoint_free(b);
    return status;
}

static const diff_options defaults = {.rows = 16};

static const cli_example examples[] = {
    {"graft diff model.pt model.safetensors", "the same tensors in two formats: no difference", 0},
    {"graft diff model.pt tuned.pt", "tells which tensors changed, and by how much", 1},
    {"graft diff --atol 1 model.pt tuned.pt", "takes what is near for equal", 0},
    {"graft diff --html differ.html model.pt tuned.pt", "a page for a report", 1},
    {"graft diff --strip module. wrapped.pt model.pt", "compares under names without a prefix", 0},
    {"graft diff --quiet model.pt tuned.pt || echo they differ", "only the exit status", 0},
};

const cli_command cli_diff = {
    .name = "diff",
    .summary = "show how two checkpoint files differ",
    .description =
        "Compares what two files of any formats hold: all tensors by their names, and all other "
        "values. Rules are applied to A first, so that names and shapes meet. Files of any size "
        "pass through a few megabytes of memory.\n"
        "\n"
        "A name is `changed` (other values), of another `dtype` (the numbers compare the values) "
        "or `shape`, `missing` (only in A), `extra` (only in B), or has other `ties`: it is equal, "
        "but one tensor with other names in B than in A. Without tolerances elements are equal if "
        "their bits are.\n"
        "\n"
        "Of changed tensors are told: how many elements changed; the largest |a - b|; the largest "
        "|a - b| / |b|; the most representable values between (ulps); the root of the mean of "
        "(a - b)^2 (rms); and the cosine of both as vectors. NaN and infinities are counted, and "
        "left out of these.\n"
        "\n"
        "JSON is an object: `a`, `b` (the files), `equal`, `counts` (of each kind) and `entries`, "
        "each with `name`, `kind`, `a` and `b` (`dtype`, `shape`, `bytes`; null where it is no "
        "tensor), `numbers` (null where nothing was read), `rows` (the first that changed) and "
        "`note`. Entries that are equal are among them with --all. With --quiet nothing is "
        "printed but JSON, and each comparison ends at the first difference.",
    .operands = "A B",
    .min_operands = 2,
    .max_operands = 2,
    .options = options,
    .option_count = CLI_COUNT(options),
    .takes_rules = true,
    .rules = offsetof(diff_options, rules),
    .defaults = &defaults,
    .options_size = sizeof defaults,
    .status = {"there is no difference", "there are differences"},
    .examples = examples,
    .example_count = CLI_COUNT(examples),
    .run = run,
};
