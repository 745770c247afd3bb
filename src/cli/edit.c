/* graft edit: changes to a checkpoint where it lies, in one atomic rewrite. */
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/open.h"
#include "cli/progress.h"
#include "cli/rules.h"
#include "cli/say.h"
#include "cli/shown.h"
#include "cli/signal.h"

typedef struct edit_options {
    cli_rules rules;
    cli_texts drop;
    const char *out;
    bool dry_run, force, records, no_sync;
} edit_options;

/* ---- One value of the tree ---- */

static int refuse_place(const cli_call *call, const char *path)
{
    return say_trouble(call,
                       "%s lies in a list or under a key that is no text: only entries of dicts "
                       "with names can be renamed or dropped (graft cp makes a new file)",
                       path);
}

static int drop(cli_call *call, graft_dict *root, const char *path)
{
    int64_t i = 0;
    graft_dict *at = graft_dict_find_path(root, path, &i);
    if (!at)
        return say_trouble(call, "there is nothing at %s", path);
    if (graft_dict_key_kind(at, i) != GRAFT_VALUE_STRING ||
        graft_dict_container(at) != GRAFT_VALUE_DICT)
        return refuse_place(call, path);
    return graft_dict_drop(at, graft_dict_key(at, i)) == GRAFT_OK ? CLI_OK : say_error(call);
}

static int put(cli_call *call, graft_dict *at, int64_t i, graft_tensor *t)
{
    int64_t number = 0;
    const graft_status status = graft_dict_key_is_int(at, i, &number)
                                    ? graft_dict_set_int_key_tensor(at, number, t)
                                    : graft_dict_set_tensor(at, graft_dict_key(at, i), t);
    return status == GRAFT_OK ? CLI_OK : say_error(call);
}

/* A name that changes within its dict: `folder` bytes of its path are the dict's. All leave their
 * old names before any gets its new one, so that names may be exchanged. */
typedef struct renaming {
    graft_dict *at; /* NULL: it keeps its name */
    size_t folder;
} renaming;

enum { NAME_BETWEEN = 40 };

static const char *name_between(int64_t i, char out[NAME_BETWEEN])
{
    snprintf(out, NAME_BETWEEN, "\x01graft edit %lld", (long long)i);
    return out;
}

static int leave_name(cli_call *call, graft_dict *at, int64_t place, const graft_plan *plan,
                      int64_t i, renaming *r)
{
    char between[NAME_BETWEEN];
    const char *from = graft_plan_from(plan, i), *to = graft_plan_name(plan, i);
    const char *key = graft_dict_key(at, place);
    *r = (renaming){at, strlen(from) - strlen(key)};
    if (graft_dict_key_kind(at, place) != GRAFT_VALUE_STRING ||
        graft_dict_container(at) != GRAFT_VALUE_DICT)
        return refuse_place(call, from);
    if (strncmp(from, to, r->folder) != 0)
        return say_trouble(call, "%s can't become %s: that would be in another dict of the file",
                           from, to);
    return graft_dict_rename(at, key, name_between(i, between)) == GRAFT_OK ? CLI_OK
                                                                            : say_error(call);
}

/* ---- The plan, carried out on the tree ---- */

static int change(cli_call *call, graft_dict *root, const graft_plan *plan, const graft_dict *made,
                  int64_t i, renaming *r)
{
    const char *from = graft_plan_from(plan, i), *to = graft_plan_name(plan, i);
    const graft_plan_action action = graft_plan_action_of(plan, i);
    int64_t place = 0;
    graft_dict *at = from ? graft_dict_find_path(root, from, &place) : NULL;
    if (!at || action == GRAFT_PLAN_FUSED || action == GRAFT_PLAN_SPLIT)
        return say_trouble(call,
                           "%s is not one tensor of the file: fusing, splitting and stacking "
                           "layers is for graft cp, or for files that hold tensors alone",
                           to);
    graft_tensor *t = action == GRAFT_PLAN_COPIED ? NULL : graft_dict_tensor_at(made, i);
    if (!t && graft_error(call->g))
        return say_error(call);
    const int status = t ? put(call, at, place, t) : CLI_OK;
    return status == CLI_OK && strcmp(from, to) != 0 ? leave_name(call, at, place, plan, i, r)
                                                     : status;
}

static int change_all(cli_call *call, graft_dict *root, const graft_plan *plan,
                      const graft_dict *made)
{
    const int64_t count = graft_plan_len(plan);
    renaming *r = calloc((size_t)count + 1, sizeof *r);
    int status = r ? CLI_OK : say_trouble(call, "out of memory");
    for (int64_t i = 0; i < count && status == CLI_OK; i++)
        status = change(call, root, plan, made, i, &r[i]);
    for (int64_t i = 0; i < count && status == CLI_OK; i++) {
        char between[NAME_BETWEEN];
        if (r[i].at && graft_dict_rename(r[i].at, name_between(i, between),
                                         graft_plan_name(plan, i) + r[i].folder) != GRAFT_OK)
            status = say_error(call);
    }
    free(r);
    return status;
}

static int drop_skipped(cli_call *call, graft_dict *root, const graft_plan *plan)
{
    int status = CLI_OK;
    for (int64_t i = 0; i < graft_plan_source_len(plan) && status == CLI_OK; i++)
        if (graft_plan_source_use(plan, i) != GRAFT_PLAN_USED)
            status = drop(call, root, graft_plan_source_name(plan, i));
    return status;
}

/* The edited tree in *out: `made`, or root itself. */
static int carry_out(cli_call *call, graft_dict *root, const graft_plan *plan, graft_dict *made,
                     graft_dict **out)
{
    *out = open_is_flat(root) ? made : root;
    if (*out == made)
        return CLI_OK;
    const int status = drop_skipped(call, root, plan);
    return status == CLI_OK ? change_all(call, root, plan, made) : status;
}

/* ---- Saving ---- */

/* The format that the file has, or what it is written as today. */
static bool format_of(const graft_checkpoint *c, graft_format *out)
{
    switch (graft_checkpoint_format(c)) {
    case GRAFT_FORMAT_PT:
    case GRAFT_FORMAT_PT_LEGACY:
    case GRAFT_FORMAT_PT_TAR:
        *out = GRAFT_FORMAT_PT;
        return true;
    case GRAFT_FORMAT_SAFETENSORS:
        *out = GRAFT_FORMAT_SAFETENSORS;
        return true;
    case GRAFT_FORMAT_NPY:
        *out = GRAFT_FORMAT_NPY;
        return true;
    case GRAFT_FORMAT_NPZ:
        *out = GRAFT_FORMAT_NPZ;
        return true;
    default:
        return false;
    }
}

static int save(cli_call *call, const graft_checkpoint *c, const graft_dict *root, const char *path)
{
    const edit_options *o = call->options;
    progress bar = progress_of(call, "writing");
    graft_write_options w = graft_write_defaults();
    if (!format_of(c, &w.format))
        return say_trouble(call, "%s: graft does not write %s: graft cp makes another file of it",
                           call->operands[0], open_format(c));
    graft_dict *metadata = NULL;
    if (open_metadata(call, c, &metadata) != CLI_OK) {
        graft_dict_free(metadata);
        return CLI_TROUBLE;
    }
    w.sync = !o->no_sync;
    w.records = o->records;
    w.metadata = metadata;
    w.progress = progress_tick;
    w.progress_user = &bar;
    const graft_status status = graft_save_as(call->g, path, root, &w, NULL);
    progress_end(&bar);
    graft_dict_free(metadata);
    return status == GRAFT_OK ? CLI_OK : say_error(call);
}

/* ---- The command ---- */

static int drop_values(cli_call *call, graft_dict *root)
{
    const edit_options *o = call->options;
    int status = CLI_OK;
    for (size_t i = 0; i < o->drop.count && status == CLI_OK; i++)
        status = drop(call, root, o->drop.at[i]);
    return status;
}

static int edit(cli_call *call, const graft_checkpoint *c, const graft_plan *plan)
{
    const edit_options *o = call->options;
    graft_dict *root = graft_checkpoint_root(c), *edited = NULL;
    if (graft_plan_check(plan) != GRAFT_OK)
        return say_error(call);
    if (o->dry_run) {
        shown_report(graft_plan_text(plan));
        return CLI_OK;
    }
    graft_dict *made = graft_plan_result((graft_plan *)plan);
    if (!made)
        return say_error(call);
    int status = carry_out(call, root, plan, made, &edited);
    if (status == CLI_OK)
        status = save(call, c, edited, o->out ? o->out : call->operands[0]);
    graft_dict_free(made);
    return status;
}

static int edit_open(cli_call *call, const graft_checkpoint *c)
{
    const edit_options *o = call->options;
    int status = drop_values(call, graft_checkpoint_root(c));
    if (status != CLI_OK)
        return status;
    graft_rules *rules = rules_of(call, &o->rules);
    if (!rules)
        return CLI_TROUBLE;
    graft_plan_options p = graft_plan_defaults();
    p.max_unmatched = 0; /* a rule that does nothing is a slip of the finger */
    graft_plan *plan = graft_plan_into_dict(NULL, graft_checkpoint_root(c), rules, &p);
    status = plan ? edit(call, c, plan) : say_error(call);
    graft_plan_free(plan);
    graft_rules_free(rules);
    return status;
}

static int run(cli_call *call)
{
    const edit_options *o = call->options;
    signal_catch();
    if (o->rules.count == 0 && o->drop.count == 0)
        return say_usage(call, "there is nothing to do: give rules, or --drop");
    if (strcmp(o->out ? o->out : call->operands[0], "-") == 0)
        return say_usage(call,
                         "a stream can't be changed where it lies: name a file with --output");
    if (o->out && !open_may_write(call, o->out, o->force))
        return CLI_TROUBLE;
    graft_checkpoint *c = open_checkpoint(call, call->operands[0], NULL);
    const int status = c ? edit_open(call, c) : CLI_TROUBLE;
    graft_checkpoint_free(c);
    return status;
}

static const cli_option options[] = {
    {.name = "drop",
     .type = CLI_TEXTS,
     .argument = "PATH",
     .offset = offsetof(edit_options, drop),
     .help = "drop the value or dict at this path, whatever it is; --skip drops tensors by glob"},
    {.name = "output",
     .letter = 'o',
     .type = CLI_FILE,
     .argument = "OUT",
     .offset = offsetof(edit_options, out),
     .help = "leave FILE alone and write OUT"},
    {.name = "dry-run",
     .letter = 'n',
     .type = CLI_FLAG,
     .offset = offsetof(edit_options, dry_run),
     .help = "print what would be done to tensors and write nothing"},
    {.name = "records",
     .type = CLI_FLAG,
     .offset = offsetof(edit_options, records),
     .help = ".pt: write objects of unknown classes back, for which Python runs code again"},
    {.name = "no-sync",
     .type = CLI_FLAG,
     .offset = offsetof(edit_options, no_sync),
     .help = "do not wait until the disk has it"},
    {.name = "force",
     .letter = 'f',
     .type = CLI_FLAG,
     .offset = offsetof(edit_options, force),
     .help = "replace OUT if it is there"},
};

static const cli_example examples[] = {
    {"graft edit --map 'fc.* head.*' tuned.pt", "renames", 0},
    {"graft edit --skip 'fc.*' --cast '* bf16' -o small.pt model.pt",
     "drops tensors, and sets a dtype", 0},
};

const cli_command cli_edit = {
    .name = "edit",
    .summary = "rename, drop and cast tensors of a checkpoint where it lies",
    .description =
        "Changes FILE by rules, which are listed below, and replaces it in one step: whatever "
        "happens, the old file or the new one is there and whole. Everything else that a training "
        "checkpoint holds stays as it is. A rule that matches nothing is an error.",
    .operands = "FILE",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .option_count = CLI_COUNT(options),
    .takes_rules = true,
    .rules = offsetof(edit_options, rules),
    .options_size = sizeof(edit_options),
    .status = {"FILE was changed", NULL},
    .examples = examples,
    .example_count = CLI_COUNT(examples),
    .run = run,
};
