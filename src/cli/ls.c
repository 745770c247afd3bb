#include "cli/ls.h"
#include "cli/commands.h"
#include "cli/say.h"

static const char *const orders[] = {"order", "name", "size", "shape", NULL};

static const cli_option options[] = {
    {.name = "name",
     .letter = 'n',
     .type = CLI_TEXTS,
     .argument = "GLOB",
     .offset = offsetof(ls_options, names),
     .help = "list only tensors whose names match; * is any run of characters, dots too, ? one, "
             "[a-z] one of, {a,b} either. May be given again"},
    {.name = "tree",
     .letter = 't',
     .type = CLI_FLAG,
     .offset = offsetof(ls_options, tree),
     .help = "show modules as a tree, each with what is below it, in number and size"},
    {.name = "depth",
     .letter = 'd',
     .type = CLI_INT,
     .argument = "N",
     .min = 1,
     .max = 1000,
     .offset = offsetof(ls_options, depth),
     .help = "of a tree, show the first N levels (default: all)"},
    {.name = "stats",
     .letter = 'S',
     .type = CLI_FLAG,
     .offset = offsetof(ls_options, stats),
     .help = "read the elements, and show their least, largest, mean, standard deviation and L2 "
             "norm, how many are 0, NaN and infinite, and a histogram"},
    {.name = "all",
     .letter = 'a',
     .type = CLI_FLAG,
     .offset = offsetof(ls_options, all),
     .help = "list what is no tensor too, and the file's metadata"},
    {.name = "sort",
     .letter = 's',
     .type = CLI_CHOICE,
     .argument = "KEY",
     .choices = orders,
     .offset = offsetof(ls_options, sort),
     .help =
         "sort tensors: `order` is that of the file, `name` knows numbers (2 before 10), `size` "
         "begins with the largest"},
    {.name = "reverse",
     .letter = 'r',
     .type = CLI_FLAG,
     .offset = offsetof(ls_options, reverse),
     .help = "the other way round"},
    {.name = "json",
     .type = CLI_FLAG,
     .offset = offsetof(ls_options, json),
     .help = "print JSON, one object and one line for each file"},
};

static bool show(cli_call *call, const ls_file *f)
{
    const ls_options *const o = call->options;
    return o->json ? ls_json(call, f) : o->tree ? ls_tree(call, f) : ls_text(call, f);
}

/* One file; false if anything about it went wrong. */
static bool list(cli_call *call, const char *path)
{
    const ls_options *const o = call->options;
    ls_file f = {.path = path};
    const bool is_open = ls_file_open(call, path, &f);
    bool ok = is_open && ls_file_list(call, &f);
    if (ok)
        ls_find_all(call, &f);
    if (ok || o->json)
        ok = show(call, &f) && ok;
    ls_file_close(&f);
    return ok;
}

static int run(cli_call *call)
{
    const ls_options *const o = call->options;
    if (o->json && o->tree)
        return say_usage(call, "--tree and --json: expected one of them");
    if (o->tree && o->stats)
        return say_usage(call, "--tree and --stats: expected one of them");
    int status = CLI_OK;
    for (int i = 0; i < call->operand_count; i++) {
        if (i > 0 && !o->json)
            putchar('\n');
        if (!list(call, call->operands[i]))
            status = CLI_TROUBLE;
    }
    return status;
}

static const ls_options defaults = {.sort = LS_FILE_ORDER};

static const cli_example examples[] = {
    {"graft ls model.pt", "lists names, dtypes, shapes and sizes; no tensor is read", 0},
    {"graft ls --tree --depth 2 model.pt", "shows where the parameters are", 0},
    {"graft ls --stats --name '*.weight' model.pt", "looks at the numbers of all weights", 0},
    {"graft ls --sort size model.pt | head -n 3", "shows the three largest tensors", 0},
    {"graft ls --json model.pt model.safetensors | python3 -c 'import json, sys; "
     "print([len(json.loads(line)[\"tensors\"]) for line in sys.stdin])'",
     "counts the tensors of each file", 0},
    {"cat model.pt | graft ls --all -",
     "lists a file that comes through a pipe, with what is no "
     "tensor",
     0},
};

const cli_command cli_ls = {
    .name = "ls",
    .summary = "list the tensors of checkpoint files",
    .description =
        "Lists what files of any format that graft reads hold: .pt in all its forms, TorchScript, "
        "safetensors and its shards, npy, npz, GGUF, ONNX. The format is known by the content. "
        "Nothing of a file is run, and no element is read unless --stats is given. `-` is standard "
        "input.\n"
        "\n"
        "Names are dotted paths. `= NAME` marks a tensor that is the very same elements as an "
        "earlier one (they are tied), `shares NAME` one that has other elements of the same "
        "storage. Totals count what is tied once. Findings, if there are any, come last: calls "
        "that a pickle would make, bytes of storages that no tensor has, a delta's base.\n"
        "\n"
        "JSON has, for each file, one line with an object: `file`, `format`, `tensors` (each with "
        "`name`, `dtype`, `shape`, `bytes` and `storage`: a number that tensors of one storage "
        "share) and `findings` (each with `kind`, `message` and where there is one `count`). With "
        "--stats each tensor has `stats` too, with --all there are `values` and `metadata`. A file "
        "that can't be read has a finding of kind `fault` and the format null. NaN and infinities "
        "are the strings \"NaN\", \"Infinity\" and \"-Infinity\". Bytes in names that are no UTF-8 "
        "are U+FFFD.\n"
        "\n"
        "Control characters in names, and others that a terminal would obey, are shown as \\x1b "
        "and the like, a backslash as \\\\.",
    .operands = "FILE...",
    .min_operands = 1,
    .max_operands = -1,
    .options = options,
    .option_count = CLI_COUNT(options),
    .defaults = &defaults,
    .options_size = sizeof defaults,
    .status = {"all files were listed, whatever the findings"},
    .examples = examples,
    .example_count = CLI_COUNT(examples),
    .run = run,
};
