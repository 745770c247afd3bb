/* graft hash: what a checkpoint holds, as one number. */
#include <string.h>

#include "cli/commands.h"
#include "cli/json.h"
#include "cli/open.h"
#include "cli/say.h"
#include "cli/shown.h"

typedef struct hash_options {
    bool tensors, json;
    const char *expect;
} hash_options;

static void print_line(const char *hash, const char *name)
{
    printf("%s  ", hash);
    shown_print(name);
    putchar('\n');
}

static int hash_tensors(cli_call *call, const char *path, const graft_dict *all, json *j)
{
    char hash[GRAFT_HASH_TEXT];
    if (j)
        json_key_object(j, "tensors");
    for (int64_t i = 0; i < graft_dict_len(all); i++) {
        if (graft_tensor_hash(all, i, hash) != GRAFT_OK)
            return say_file_error(call, path);
        if (j)
            json_key_text(j, graft_dict_key(all, i), hash);
        else
            print_line(hash, graft_dict_key(all, i));
    }
    if (j)
        json_close_object(j);
    return CLI_OK;
}

static int hash_open(cli_call *call, const char *path, const graft_checkpoint *c)
{
    const hash_options *o = call->options;
    char hash[GRAFT_HASH_TEXT];
    if (graft_content_hash(open_root(c), hash) != GRAFT_OK)
        return say_file_error(call, path);
    graft_dict *all = o->tensors ? open_tensors(call, path, c) : NULL;
    if (o->tensors && !all)
        return CLI_TROUBLE;
    int status = CLI_OK;
    if (o->json) {
        json j = json_to(stdout, true);
        json_open_object(&j);
        json_key_text(&j, "file", path);
        json_key_text(&j, "sha256", hash);
        if (all)
            status = hash_tensors(call, path, all, &j);
        while (j.depth > 0)
            json_close_object(&j);
    } else if (all) {
        status = hash_tensors(call, path, all, NULL);
    } else {
        print_line(hash, path);
    }
    graft_dict_free(all);
    if (status == CLI_OK && o->expect && strcmp(hash, o->expect) != 0) {
        say(call, "%s: the content hash is %s, and not %s", open_name(path), hash, o->expect);
        return CLI_FOUND;
    }
    return status;
}

static int run(cli_call *call)
{
    int status = CLI_OK;
    for (int i = 0; i < call->operand_count; i++) {
        graft_checkpoint *c = open_checkpoint(call, call->operands[i], NULL);
        const int one = c ? hash_open(call, call->operands[i], c) : CLI_TROUBLE;
        graft_checkpoint_free(c);
        status = one > status ? one : status;
    }
    return status;
}

static const cli_option options[] = {
    {.name = "tensors",
     .letter = 't',
     .type = CLI_FLAG,
     .offset = offsetof(hash_options, tensors),
     .help = "the hash of each tensor's elements, and not one of all"},
    {.name = "expect",
     .type = CLI_TEXT,
     .argument = "HASH",
     .offset = offsetof(hash_options, expect),
     .help = "exit with 1 if the hash is another"},
    {.name = "json",
     .type = CLI_FLAG,
     .offset = offsetof(hash_options, json),
     .help = "an object for each file"},
};

static const cli_example examples[] = {
    {"graft hash model.pt model.safetensors", "one hash, as both hold the same tensors", 0},
};

const cli_command cli_hash = {
    .name = "hash",
    .summary = "hash what checkpoints hold, whatever their format",
    .description =
        "Prints the SHA-256 of the tensors of each file: of their names, dtypes, shapes and "
        "elements. It is the same for the same tensors in any format, in any order and with any "
        "layout in memory. Other values and metadata do not count.",
    .operands = "FILE...",
    .min_operands = 1,
    .max_operands = -1,
    .options = options,
    .option_count = CLI_COUNT(options),
    .options_size = sizeof(hash_options),
    .status = {"all were hashed", "a hash is not the one that --expect says"},
    .examples = examples,
    .example_count = CLI_COUNT(examples),
    .run = run,
};
