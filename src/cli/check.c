/* graft check: whether a checkpoint is what one may rely on. */
#include "cli/check.h"

#include <string.h>

#include "cli/commands.h"
#include "cli/json.h"
#include "cli/open.h"
#include "cli/say.h"
#include "cli/shown.h"
#include "cli/signal.h"

static void show_json(const char *path, const graft_checkpoint *c, const findings *f)
{
    json j = json_to(stdout, false);
    json_open_object(&j);
    json_key_text(&j, "file", path);
    json_key_text(&j, "format", c ? open_format(c) : NULL);
    json_key_array(&j, "findings");
    for (size_t i = 0; i < f->count; i++) {
        json_open_object(&j);
        json_key_text(&j, "kind", finding_name(f->at[i].kind));
        json_key_text(&j, "name", f->at[i].name);
        json_key_text(&j, "what", f->at[i].what);
        json_close_object(&j);
    }
    json_close_array(&j);
    json_close_object(&j);
}

static void show_text(const cli_call *call, const char *path, const findings *f)
{
    for (size_t i = 0; i < f->count; i++) {
        const finding *one = &f->at[i];
        shown_print(open_name(path));
        printf(": %s%s%s: ", terminal_code(&call->out, TERMINAL_YELLOW), finding_name(one->kind),
               terminal_code(&call->out, TERMINAL_PLAIN));
        if (*one->name) {
            shown_print(one->name);
            printf(": ");
        }
        shown_print(one->what);
        putchar('\n');
    }
}

static int look_inside(cli_call *call, const char *path, const graft_checkpoint *c, findings *f)
{
    const check_options *o = call->options;
    graft_dict *all = open_tensors(call, path, c);
    if (!all)
        return CLI_TROUBLE;
    int status = check_code(call, path, f);
    if (status == CLI_OK)
        status = check_storages(call, all, f);
    if (status == CLI_OK && !o->quick)
        status = check_values(call, path, all, f);
    if (status == CLI_OK && o->like)
        status = check_like(call, open_root(c), f);
    graft_dict_free(all);
    return status;
}

/* A file that can't be opened because of its bytes is a finding. */
static int check_file(cli_call *call, const char *path, findings *f)
{
    const check_options *o = call->options;
    graft_checkpoint *c = graft_checkpoint_open(call->g, path, NULL);
    int status = CLI_OK;
    if (c) {
        status = look_inside(call, path, c, f);
    } else if (graft_error_status(call->g) == GRAFT_ERR_FORMAT) {
        find(f, FINDING_DAMAGED, "", "%s", say_reason(call, path));
        graft_clear_error(call->g);
    } else {
        status = say_file_error(call, path);
    }
    if (status == CLI_OK && f->out_of_memory)
        status = say_trouble(call, "out of memory");
    if (status == CLI_OK && !signal_caught() && o->json)
        show_json(path, c, f);
    else if (status == CLI_OK && !signal_caught())
        show_text(call, path, f);
    graft_checkpoint_free(c);
    return status == CLI_OK && f->count > 0 ? CLI_FOUND : status;
}

static bool ignore(const cli_call *call, findings *f)
{
    const check_options *o = call->options;
    for (size_t i = 0; i < o->ignore.count; i++) {
        int kind = 0;
        while (kind < FINDING_KINDS &&
               strcmp(finding_name((finding_kind)kind), o->ignore.at[i]) != 0)
            kind++;
        if (kind == FINDING_KINDS) {
            say_usage(call,
                      "--ignore %s: the kinds are damaged, code, class, nan, infinite, overlap, "
                      "waste, tie and unlike",
                      o->ignore.at[i]);
            return false;
        }
        f->ignored[kind] = true;
    }
    return true;
}

static int run(cli_call *call)
{
    findings f = {.count = 0};
    int status = CLI_OK;
    signal_catch();
    if (!ignore(call, &f))
        return CLI_TROUBLE;
    for (int i = 0; i < call->operand_count && !signal_caught(); i++) {
        const int one = check_file(call, call->operands[i], &f);
        status = one > status ? one : status;
        findings_free(&f);
    }
    return status;
}

static const cli_option options[] = {
    {.name = "like",
     .type = CLI_FILE,
     .argument = "MODEL",
     .offset = offsetof(check_options, like),
     .help = "also find what does not fit the tensors of this file: names, shapes, dtypes, and two "
             "values for names that are tied there"},
    {.name = "ignore",
     .letter = 'i',
     .type = CLI_TEXTS,
     .argument = "KIND",
     .offset = offsetof(check_options, ignore),
     .help = "do not look at findings of this kind"},
    {.name = "waste",
     .type = CLI_SIZE,
     .argument = "SIZE",
     .offset = offsetof(check_options, waste),
     .help = "bytes of a storage that may be shown by no tensor"},
    {.name = "quick",
     .type = CLI_FLAG,
     .offset = offsetof(check_options, quick),
     .help = "do not read the elements: no checksums, no NaN"},
    {.name = "json",
     .type = CLI_FLAG,
     .offset = offsetof(check_options, json),
     .help = "an object for each file, a line each"},
};

static const check_options defaults = {.waste = 4096};

static const cli_example examples[] = {
    {"graft check model.pt", "whether it may be relied on", 0},
    {"graft check untrusted.pt", "what Python would run if it loaded the file", 1},
};

const cli_command cli_check = {
    .name = "check",
    .summary = "find damage, code, NaN and waste in checkpoints",
    .description =
        "Reads all of each file and prints what one would rather know, a line each:\n\n"
        "  damaged   bytes that are not those that were written, or no checkpoint at all\n"
        "  code      what Python would call if it unpickled the file\n"
        "  class     what Python would import and fill in\n"
        "  nan, infinite\n"
        "            elements that are\n"
        "  overlap   tensors that share some of their elements, but not all\n"
        "  waste     bytes of a storage that no tensor shows\n"
        "  tie       with --like: two values for names that are one tensor in the model\n"
        "  unlike    with --like: names, shapes and dtypes that are not the model's\n\n"
        "Nothing in a file is ever run. For pipelines: exits with 1 if anything was found.",
    .operands = "FILE...",
    .min_operands = 1,
    .max_operands = -1,
    .options = options,
    .option_count = CLI_COUNT(options),
    .defaults = &defaults,
    .options_size = sizeof defaults,
    .status = {"nothing was found", "something was found"},
    .examples = examples,
    .example_count = CLI_COUNT(examples),
    .run = run,
};
