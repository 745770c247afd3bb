/* graft cp: from one checkpoint to another, through rules. */
#include "cli/cp.h"

#include <string.h>

#include "cli/commands.h"
#include "cli/open.h"
#include "cli/say.h"

static int copy(cli_call *call, cp_job *job)
{
    const cp_options *o = call->options;
    const char *from = call->operands[0], *to = call->operands[1];
    if (o->shards > 0 && !cp_is_safetensors(o, to))
        return say_usage(call, "--shards is for safetensors");
    if (!o->dry_run && strcmp(to, "-") != 0 && !open_may_write(call, to, o->force))
        return CLI_TROUBLE;
    int status = cp_open_source(call, from, &job->source);
    if (status == CLI_OK && o->into)
        status = cp_open_target(call, o->into, &job->target);
    if (status != CLI_OK)
        return status;
    job->result = job->source.dict;
    /* A dry run of a plain copy tells its plan too. */
    if (cp_needs_plan(o) || o->dry_run)
        status = cp_make_plan(call, job);
    if (status == CLI_OK && !o->dry_run)
        status = cp_write(call, job, to);
    if (status == CLI_OK || (status == CLI_FOUND && (o->dry_run || o->json)))
        cp_show(call, job, to);
    return status;
}

static int run(cli_call *call)
{
    cp_job job = {.plan = NULL};
    const int status = copy(call, &job);
    graft_dict_free(job.metadata);
    if (job.owns_result)
        graft_dict_free(job.result);
    graft_moment_report_free(job.moments);
    graft_plan_free(job.plan);
    graft_rules_free(job.rules);
    cp_close(&job.target);
    cp_close(&job.source);
    return status;
}

#define AT(field) offsetof(cp_options, field)

static const cli_option options[] = {
    {.name = "dry-run",
     .letter = 'n',
     .type = CLI_FLAG,
     .offset = AT(dry_run),
     .help = "print the plan and write nothing; exits with 1 if it would be refused"},
    {.name = "into",
     .type = CLI_FILE,
     .argument = "MODEL",
     .offset = AT(into),
     .help = "take the values into the tensors of this file, which says names, shapes and dtypes; "
             "DST is that file with the new values"},
    {.name = "root",
     .type = CLI_TEXT,
     .argument = "PATH",
     .offset = AT(root),
     .help = "copy what is below this path of SRC only, such as model_state_dict"},
    {.name = "optimizer",
     .type = CLI_TEXT,
     .argument = "PATH",
     .offset = AT(optimizer),
     .help = "carry the optimizer's state at this path along through the rules; DST is all of SRC "
             "with the new model at --root"},
    {.name = "optimizer-names",
     .type = CLI_FILE,
     .argument = "FILE",
     .offset = AT(names),
     .help = "the names of the optimizer's parameters in its order, a line each: for torch.optim "
             "with several groups, whose order is not the model's"},
    {.name = "delta",
     .type = CLI_FILE,
     .argument = "BASE",
     .offset = AT(delta),
     .help = "write only what differs from BASE (as safetensors)"},
    {.name = "base",
     .type = CLI_FILE,
     .argument = "BASE",
     .offset = AT(base),
     .help = "SRC is a delta of this file"},
    {.name = "strict",
     .type = CLI_FLAG,
     .offset = AT(strict),
     .help = "refuse, unless every tensor of SRC and DST and every rule finds its match"},
    {.name = "max-initial",
     .type = CLI_INT,
     .argument = "N",
     .min = -1,
     .max = 1e15,
     .offset = AT(initial),
     .help = "refuse if more tensors of DST keep their values for want of others; -1: any number"},
    {.name = "max-left",
     .type = CLI_INT,
     .argument = "N",
     .min = -1,
     .max = 1e15,
     .offset = AT(left),
     .help = "refuse if more tensors of SRC have no place; -1: any number"},
    {.name = "max-unmatched",
     .type = CLI_INT,
     .argument = "N",
     .min = -1,
     .max = 1e15,
     .offset = AT(unmatched),
     .help = "refuse if more rules match nothing; -1: any number"},
    {.name = "no-cast",
     .type = CLI_FLAG,
     .offset = AT(no_cast),
     .help = "refuse other dtypes than those of --into, but where a rule casts"},
    {.name = "format",
     .type = CLI_CHOICE,
     .argument = "FORMAT",
     .choices = cp_formats,
     .offset = AT(format),
     .help = "of DST; auto: by its extension"},
    {.name = "shards",
     .type = CLI_SIZE,
     .argument = "SIZE",
     .offset = AT(shards),
     .help = "safetensors: several files of at most this size, and an index"},
    {.name = "hash",
     .type = CLI_FLAG,
     .offset = AT(hash),
     .help = "safetensors: write hashes of the tensors, which graft verifies"},
    {.name = "whole-storages",
     .type = CLI_FLAG,
     .offset = AT(whole_storages),
     .help = ".pt: views bring all of their storage along, as torch.save has it"},
    {.name = "records",
     .type = CLI_FLAG,
     .offset = AT(records),
     .help = ".pt: write objects of unknown classes too, for which Python runs code again"},
    {.name = "no-sync",
     .type = CLI_FLAG,
     .offset = AT(no_sync),
     .help = "do not wait until the disk has it"},
    {.name = "json", .type = CLI_FLAG, .offset = AT(json), .help = "what was done as JSON"},
    {.name = "force",
     .letter = 'f',
     .type = CLI_FLAG,
     .offset = AT(force),
     .help = "replace DST if it is there"},
};

static const cp_options defaults = {.initial = -1, .left = -1, .unmatched = -1};

static const cli_example examples[] = {
    {"graft cp model.pt new.safetensors", "converts", 0},
    {"graft cp --cast '* f16' model.pt half.pt", "halves the size", 0},
    {"graft cp --dry-run --into model.pt wrapped.pt new.pt",
     "tells what fits a model, and what rule may be meant", 1},
    {"graft cp --delta model.pt tuned.pt change.safetensors", "keeps only what fine-tuning changed",
     0},
};

const cli_command cli_cp = {
    .name = "cp",
    .summary = "convert a checkpoint, or move its weights into another",
    .description =
        "Copies the checkpoint SRC to DST, whose extension or --format says its format: .pt (.pth, "
        ".bin, .ckpt), .safetensors, .npz or .npy. SRC may be of any format that graft reads; - is "
        "standard input, or output.\n\n"
        "Rules change names, shapes and dtypes on the way, in the order in which they are given; "
        "they are listed below. With --into the tensors of a model's file take the values, all or "
        "nothing: every tensor is matched first, what does not fit is told, and nothing is written "
        "if anything does not.\n\n"
        "DST appears under its name when it is whole. A file that is there already is only "
        "replaced with --force.",
    .operands = "SRC DST",
    .min_operands = 2,
    .max_operands = 2,
    .options = options,
    .option_count = CLI_COUNT(options),
    .takes_rules = true,
    .rules = AT(rules),
    .defaults = &defaults,
    .options_size = sizeof defaults,
    .status = {"DST was written, or would have been",
               "the plan was refused: a conflict, or what --strict and --max-... do not allow"},
    .examples = examples,
    .example_count = CLI_COUNT(examples),
    .run = run,
};
