/* graft salvage: what is whole in a damaged file. */
#include <inttypes.h>

#include "cli/commands.h"
#include "cli/json.h"
#include "cli/open.h"
#include "cli/progress.h"
#include "cli/say.h"
#include "cli/shown.h"
#include "cli/signal.h"

typedef struct salvage_options {
    bool force, json;
} salvage_options;

static void show_json(const graft_salvage_report *s, const char *from, const char *to)
{
    json j = json_to(stdout, true);
    const graft_dict *saved = graft_salvage_dict(s);
    json_open_object(&j);
    json_key_text(&j, "file", from);
    json_key_text(&j, "saved_to", to);
    json_key_array(&j, "saved");
    for (int64_t i = 0; i < graft_dict_len(saved); i++)
        json_text(&j, graft_dict_key(saved, i));
    json_close_array(&j);
    json_key_array(&j, "lost");
    for (int64_t i = 0; i < graft_salvage_lost(s); i++) {
        json_open_object(&j);
        json_key_text(&j, "name", graft_salvage_lost_name(s, i));
        json_key_text(&j, "reason", graft_salvage_lost_reason(s, i));
        json_close_object(&j);
    }
    json_close_array(&j);
    json_close_object(&j);
}

static int save(cli_call *call, const graft_salvage_report *s, const char *to)
{
    progress bar = progress_of(call, "writing");
    graft_write_options w = graft_write_defaults();
    w.progress = progress_tick;
    w.progress_user = &bar;
    const graft_status status = graft_save_as(call->g, to, graft_salvage_dict(s), &w, NULL);
    progress_end(&bar);
    return status == GRAFT_OK ? CLI_OK : say_error(call);
}

static int salvage(cli_call *call, const graft_salvage_report *s)
{
    const salvage_options *o = call->options;
    const char *from = call->operands[0], *to = call->operands[1];
    if (to && graft_dict_len(graft_salvage_dict(s)) == 0) {
        say(call, "%s: nothing is whole, so nothing was written", from);
        return CLI_FOUND;
    }
    const int status = to ? save(call, s, to) : CLI_OK;
    if (status != CLI_OK)
        return status;
    if (o->json)
        show_json(s, from, to);
    else
        shown_report(graft_salvage_text(s));
    return graft_salvage_lost(s) > 0 ? CLI_FOUND : CLI_OK;
}

static int run(cli_call *call)
{
    const salvage_options *o = call->options;
    const char *to = call->operands[1];
    signal_catch();
    if (to && !open_may_write(call, to, o->force))
        return CLI_TROUBLE;
    graft_salvage_report *s = graft_salvage(call->g, call->operands[0], NULL);
    const int status = s ? salvage(call, s) : say_error(call);
    graft_salvage_free(s);
    return status;
}

static const cli_option options[] = {
    {.name = "json",
     .type = CLI_FLAG,
     .offset = offsetof(salvage_options, json),
     .help = "what was saved and what is lost as JSON"},
    {.name = "force",
     .letter = 'f',
     .type = CLI_FLAG,
     .offset = offsetof(salvage_options, force),
     .help = "replace OUT if it is there"},
};

static const cli_example examples[] = {
    {"graft salvage cut.pt saved.safetensors", "saves the tensors that are all there", 1},
};

const cli_command cli_salvage = {
    .name = "salvage",
    .summary = "save what is whole in a damaged or cut-off file",
    .description =
        "Writes every tensor of a damaged .pt or safetensors file whose bytes are all there and "
        "pass their checksum to OUT, and tells of the others why they are lost. Without OUT only "
        "tells. Where the names of a .pt are lost, its storages are saved under their keys.",
    .operands = "FILE [OUT]",
    .min_operands = 1,
    .max_operands = 2,
    .options = options,
    .option_count = CLI_COUNT(options),
    .options_size = sizeof(salvage_options),
    .status = {"nothing was lost", "something is lost"},
    .examples = examples,
    .example_count = CLI_COUNT(examples),
    .run = run,
};
