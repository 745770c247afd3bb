/* graft merge: one model out of several. */
#include "cli/merge.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/commands.h"
#include "cli/json.h"
#include "cli/open.h"
#include "cli/progress.h"
#include "cli/say.h"
#include "cli/shown.h"
#include "cli/signal.h"
#include "cli/sizes.h"

/* In the order of the enums. */
static const char *const methods[] = {"mean", "weighted", "ema",  "slerp",
                                      "task", "ties",     "dare", NULL};
static const char *const policies[] = {"agree", "first", "max", NULL};
static const char *const format_names[] = {"auto", "pt", "safetensors", "npz", NULL};
static const graft_format formats[] = {GRAFT_FORMAT_AUTO, GRAFT_FORMAT_PT, GRAFT_FORMAT_SAFETENSORS,
                                       GRAFT_FORMAT_NPZ};

typedef struct sources {
    graft_checkpoint **file; /* the operands', and behind them the base's */
    const graft_dict **dict; /* what is merged of each */
    size_t count;
} sources;

static bool open_one(cli_call *call, sources *s, size_t i, const char *path)
{
    const merge_options *o = call->options;
    s->file[i] = open_checkpoint(call, path, NULL);
    if (!s->file[i])
        return false;
    s->dict[i] = open_root(s->file[i]);
    if (o->root)
        s->dict[i] = graft_dict_dict(s->dict[i], o->root);
    if (!s->dict[i])
        say(call, "%s: there is nothing at %s", open_name(path), o->root);
    return s->dict[i] != NULL;
}

static bool open_all(cli_call *call, sources *s)
{
    const merge_options *o = call->options;
    const size_t n = (size_t)call->operand_count;
    s->count = n + (o->base != NULL);
    s->file = calloc(s->count, sizeof *s->file);
    s->dict = calloc(s->count, sizeof *s->dict);
    if (!s->file || !s->dict) {
        say_trouble(call, "out of memory");
        return false;
    }
    for (size_t i = 0; i < s->count; i++)
        if (!open_one(call, s, i, i < n ? call->operands[i] : o->base))
            return false;
    return true;
}

static void close_all(sources *s)
{
    for (size_t i = 0; s->file && i < s->count; i++)
        graft_checkpoint_free(s->file[i]);
    free(s->file);
    free(s->dict);
}

static void fill_options(const merge_options *o, graft_merge_options *m)
{
    *m = graft_merge_defaults();
    m->method = (graft_merge_method)o->method;
    m->integers = (graft_merge_integers)o->integers;
    m->normalise = !o->plain_sum;
    m->decay = o->decay;
    m->t = o->t;
    m->scale = o->scale;
    m->density = o->density;
    m->seed = (uint64_t)o->seed;
    m->f64 = o->f64;
}

static int save(cli_call *call, const graft_dict *merged, graft_write_report *report)
{
    const merge_options *o = call->options;
    progress bar = progress_of(call, "merging");
    graft_write_options w = graft_write_defaults();
    w.format = formats[o->format];
    w.sync = !o->no_sync;
    w.content_hash = o->hash;
    w.max_shard_bytes = o->shards;
    w.progress = progress_tick;
    w.progress_user = &bar;
    signal_catch();
    const graft_status status = graft_save_as(call->g, o->out, merged, &w, report);
    progress_end(&bar);
    return status == GRAFT_OK ? CLI_OK : say_error(call);
}

static void show_json(const cli_call *call, const graft_write_report *report)
{
    const merge_options *o = call->options;
    json j = json_to(stdout, true);
    json_open_object(&j);
    json_key_text(&j, "method", methods[o->method]);
    json_key_array(&j, "sources");
    for (int i = 0; i < call->operand_count; i++)
        json_text(&j, call->operands[i]);
    json_close_array(&j);
    json_key_text(&j, "base", o->base);
    json_key_text(&j, "file", o->out);
    json_key_int(&j, "tensors", report->tensors);
    json_key_int(&j, "files", report->files);
    json_key_uint(&j, "bytes", report->bytes);
    json_close_object(&j);
}

static void show(const cli_call *call, const graft_write_report *report)
{
    const merge_options *o = call->options;
    char tensors[SIZE_TEXT], bytes[SIZE_TEXT];
    if (o->json) {
        show_json(call, report);
        return;
    }
    shown_print(o->out);
    printf(": %s of %d files, %s tensors, %s\n", methods[o->method], call->operand_count,
           count_text((uint64_t)report->tensors, tensors), size_text(report->bytes, bytes));
}

static int merge(cli_call *call, sources *s, merge_numbers *numbers)
{
    const merge_options *o = call->options;
    const size_t n = (size_t)call->operand_count;
    graft_merge_options m;
    fill_options(o, &m);
    if (!merge_numbers_read(call, n, numbers, &m) || !open_may_write(call, o->out, o->force) ||
        !open_all(call, s))
        return CLI_TROUBLE;
    m.base = o->base ? s->dict[n] : NULL;
    graft_dict *merged = graft_merge(call->g, s->dict, (int64_t)n, &m);
    graft_write_report report;
    const int status = merged ? save(call, merged, &report) : say_error(call);
    graft_dict_free(merged);
    if (status == CLI_OK)
        show(call, &report);
    return status;
}

static int run(cli_call *call)
{
    const merge_options *o = call->options;
    if (!o->out)
        return say_usage(call, "expected --output FILE");
    sources s = {.file = NULL};
    merge_numbers numbers = {.weights = NULL};
    const int status = merge(call, &s, &numbers);
    close_all(&s);
    merge_numbers_free(&numbers);
    return status;
}

#define AT(field) offsetof(merge_options, field)

static const cli_option options[] = {
    {.name = "output",
     .letter = 'o',
     .type = CLI_FILE,
     .argument = "OUT",
     .offset = AT(out),
     .help = "write the merge to this file"},
    {.name = "method",
     .letter = 'm',
     .type = CLI_CHOICE,
     .argument = "METHOD",
     .choices = methods,
     .offset = AT(method),
     .help = "how to merge"},
    {.name = "base",
     .letter = 'b',
     .type = CLI_FILE,
     .argument = "BASE",
     .offset = AT(base),
     .help = "task, ties, dare: the model that the files were tuned from"},
    {.name = "root",
     .type = CLI_TEXT,
     .argument = "PATH",
     .offset = AT(root),
     .help = "merge what is below this path of each file only, such as model_state_dict"},
    {.name = "weights",
     .letter = 'w',
     .type = CLI_TEXT,
     .argument = "A,B,...",
     .offset = AT(weights),
     .help = "weighted, task, ties, dare: one number for each file (default: all 1)"},
    {.name = "layer",
     .letter = 'l',
     .type = CLI_TEXTS,
     .argument = "GLOB WHAT",
     .offset = AT(layers),
     .help = "other weights (A,B,...), t=T or scale=S for the tensors whose names match. May be "
             "given again; the last that matches counts"},
    {.name = "plain-sum",
     .type = CLI_FLAG,
     .offset = AT(plain_sum),
     .help = "weighted, ties: do not divide by the sum of the weights"},
    {.name = "decay",
     .type = CLI_REAL,
     .argument = "D",
     .max = 1,
     .offset = AT(decay),
     .help = "ema: how much of the average stays at each file"},
    {.name = "t",
     .letter = 't',
     .type = CLI_REAL,
     .argument = "T",
     .max = 1,
     .offset = AT(t),
     .help = "slerp: how far from the first file (0) to the second (1)"},
    {.name = "scale",
     .type = CLI_REAL,
     .argument = "S",
     .offset = AT(scale),
     .help = "task, ties, dare: how much of what the files differ from the base by is added to it"},
    {.name = "density",
     .type = CLI_REAL,
     .argument = "D",
     .max = 1,
     .offset = AT(density),
     .help = "ties: the share of each difference that stays, the largest; dare: the share that is "
             "kept at random"},
    {.name = "seed",
     .type = CLI_INT,
     .argument = "N",
     .max = 9e15,
     .offset = AT(seed),
     .help = "dare: the same seed, the same bits"},
    {.name = "f64",
     .type = CLI_FLAG,
     .offset = AT(f64),
     .help = "compute in float64 and not in float32"},
    {.name = "integers",
     .type = CLI_CHOICE,
     .argument = "POLICY",
     .choices = policies,
     .offset = AT(integers),
     .help = "of tensors that are not floating: `agree` wants them equal in all files, `first` "
             "takes the first file's, `max` the largest of each element"},
    {.name = "format",
     .type = CLI_CHOICE,
     .argument = "FORMAT",
     .choices = format_names,
     .offset = AT(format),
     .help = "of OUT; auto: by its extension"},
    {.name = "shards",
     .type = CLI_SIZE,
     .argument = "SIZE",
     .offset = AT(shards),
     .help = "safetensors: several files of at most this size, and an index"},
    {.name = "hash",
     .type = CLI_FLAG,
     .offset = AT(hash),
     .help = "safetensors: write hashes of the tensors, which graft verifies"},
    {.name = "no-sync",
     .type = CLI_FLAG,
     .offset = AT(no_sync),
     .help = "do not wait until the disk has it"},
    {.name = "json",
     .type = CLI_FLAG,
     .offset = AT(json),
     .help = "print JSON: what was merged into what"},
    {.name = "force",
     .letter = 'f',
     .type = CLI_FLAG,
     .offset = AT(force),
     .help = "replace OUT if it is there"},
};

static const merge_options defaults = {.decay = 0.999, .t = 0.5, .scale = 1, .density = 0.2};

static const cli_example examples[] = {
    {"graft merge model.pt model.safetensors -o soup.pt", "averages two models", 0},
    {"graft merge -m slerp -t 0.3 --layer 'fc.* t=0.9' model.pt model.safetensors -o between.pt",
     "goes 0.3 of the way from one to the other, and 0.9 in the last layer", 0},
    {"graft merge -m ties --base model.pt -w 1,0.5 model.pt model.safetensors -o tuned.safetensors",
     "adds what two models have learnt beyond model.pt", 0},
};

const cli_command cli_merge = {
    .name = "merge",
    .summary = "make one model out of several",
    .description =
        "Merges files that have the same names and shapes, in any formats. The result has the "
        "names, order, dtypes and ties of the first; what is no tensor is left out. It is computed "
        "a piece at a time, in float32 (or float64 with --f64) whatever the dtypes, and rounded "
        "once, so that models larger than memory can be merged.\n"
        "\n"
        "Methods:\n"
        "\n"
        "  mean      sum of x / n: model soups, stochastic weight averaging\n"
        "  weighted  sum of w x / sum of w\n"
        "  ema       decay * average + (1 - decay) * x, file after file\n"
        "  slerp     along the arc from the first file to the second\n"
        "  task      base + scale * sum of w (x - base)\n"
        "  ties      the same of the largest differences, by majority of signs\n"
        "  dare      the same of differences dropped at random and rescaled\n"
        "\n"
        "JSON is an object: `method`, `sources`, `base` (or null), `file`, `tensors`, `files` and "
        "`bytes`.",
    .operands = "FILE...",
    .min_operands = 1,
    .max_operands = -1,
    .options = options,
    .option_count = CLI_COUNT(options),
    .defaults = &defaults,
    .options_size = sizeof defaults,
    .status = {"the merge was written"},
    .examples = examples,
    .example_count = CLI_COUNT(examples),
    .run = run,
};
