#include <stdlib.h>
#include <string.h>

#include "cli/cat.h"
#include "cli/commands.h"
#include "cli/dtype.h"
#include "cli/open.h"
#include "cli/say.h"
#include "cli/shown.h"
#include "cli/value.h"

typedef enum cat_format { CAT_TEXT, CAT_CSV, CAT_JSON, CAT_NPY, CAT_RAW } cat_format;
static const char *const formats[] = {"text", "csv", "json", "npy", "raw", NULL};

typedef struct cat_options {
    int format; /* a cat_format */
    bool npy, json, force, no_verify;
    const char *dtype;
} cat_options;

static const cli_option options[] = {
    {.name = "format",
     .type = CLI_CHOICE,
     .argument = "FORMAT",
     .choices = formats,
     .offset = offsetof(cat_options, format),
     .help = "`text` is as PyTorch prints it, summarised beyond 1,000 elements; `csv` has a line "
             "for each row of the last dimension, of one dimension a line for each element; `raw` "
             "is the elements' bytes in C order"},
    {.name = "npy",
     .type = CLI_FLAG,
     .offset = offsetof(cat_options, npy),
     .help = "the same as --format npy"},
    {.name = "json",
     .type = CLI_FLAG,
     .offset = offsetof(cat_options, json),
     .help = "the same as --format json: an object with file, name, dtype, shape and data, which "
             "is nested lists"},
    {.name = "dtype",
     .letter = 'd',
     .type = CLI_TEXT,
     .argument = "DTYPE",
     .offset = offsetof(cat_options, dtype),
     .help = "convert: f32, f64, f16, bf16, i64, i32, i16, i8, u8 or bool"},
    {.name = "force",
     .letter = 'f',
     .type = CLI_FLAG,
     .offset = offsetof(cat_options, force),
     .help = "write npy and raw even to a terminal"},
    {.name = "no-verify",
     .type = CLI_FLAG,
     .offset = offsetof(cat_options, no_verify),
     .help =
         "do not check the file's checksum of the storage: only the bytes needed are read then"},
};

/* ---- Finding it ---- */

static const char *next_tensor(const void *user, size_t i)
{
    return graft_dict_key(user, (int64_t)i);
}

/* Prints a value that is no tensor; a container is refused. */
static int print_value(cli_call *call, const graft_dict *d, int64_t i, const char *name,
                       cat_format format)
{
    const graft_value_kind kind = graft_dict_kind(d, i);
    if (value_is_container(kind))
        return say_trouble(call, "%s is a %s: graft ls --all lists what it holds", name,
                           value_kind(kind));
    if (format == CAT_JSON) {
        json j = json_to(stdout, false);
        json_open_object(&j);
        json_key_text(&j, "file", call->operands[0]);
        json_key_text(&j, "name", name);
        json_key_text(&j, "kind", value_kind(kind));
        json_key(&j, "value");
        value_json(&j, d, i);
        json_close_object(&j);
        return CLI_OK;
    }
    if (format != CAT_TEXT)
        return say_trouble(call, "%s is no tensor, but of kind %s: expected --format text or json",
                           name, value_kind(kind));
    char *text = NULL;
    size_t size = 0;
    FILE *const out = open_memstream(&text, &size);
    if (out)
        value_print(out, d, i, SIZE_MAX);
    if (!out || fclose(out) != 0)
        return say_trouble(call, "out of memory");
    char *const escaped = shown(text, size, false);
    puts(escaped ? escaped : "?");
    free(escaped);
    free(text);
    return CLI_OK;
}

static void tell_missing(cli_call *call, const char *path, const graft_checkpoint *c,
                         const char *name)
{
    graft_dict *const all = open_tensors(call, path, c);
    const char *const guess = all ? cli_guess(name, next_tensor, all) : NULL;
    if (guess)
        say(call, "%s: no tensor is called %s: did you mean %s?", open_name(path), name, guess);
    else if (all)
        say(call, "%s: no tensor is called %s (graft ls lists them)", open_name(path), name);
    graft_dict_free(all);
}

/* The tensor at a path, or NULL after telling why; *there says whether there is one. */
static graft_tensor *find(cli_call *call, const char *path, const graft_checkpoint *c,
                          const char *name, bool *there)
{
    int64_t i;
    graft_dict *const root = graft_checkpoint_root(c);
    graft_dict *d = graft_dict_find_path(root, name, &i);
    if (!d) /* not as the file has it: as a state dict has it */
        d = graft_dict_find_path(open_state(root), name, &i);
    *there = d && graft_dict_kind(d, i) == GRAFT_VALUE_TENSOR;
    if (!*there)
        return NULL;
    graft_tensor *const t = graft_dict_tensor_at(d, i);
    if (!t)
        open_tell(call, path);
    return t;
}

/* The whole of the name first, as a name may have brackets; then without the slice. */
static graft_tensor *find_part(cli_call *call, const char *path, const graft_checkpoint *c,
                               const char *name)
{
    bool there;
    graft_tensor *t = find(call, path, c, name, &there);
    const char *const slice = cat_slice_of(name);
    if (there)
        return t;
    char *const before = slice ? strndup(name, (size_t)(slice - name)) : strdup(name);
    if (!before) {
        say(call, "out of memory");
        return NULL;
    }
    if (slice)
        t = find(call, path, c, before, &there);
    if (!there)
        tell_missing(call, path, c, before);
    free(before);
    return t && slice ? cat_slice(call, t, slice) : t;
}

/* ---- Writing it ---- */

static int write_text(cli_call *call, graft_tensor *t)
{
    return graft_print(t, stdout) == GRAFT_OK || !graft_error(call->g) ? CLI_OK : say_error(call);
}

static int write_tensor(cli_call *call, graft_tensor *t, cat_format format)
{
    switch (format) {
    case CAT_CSV:
        return cat_csv(call, t);
    case CAT_JSON:
        return cat_json(call, t, call->operands[0], call->operands[1]);
    case CAT_NPY:
        return cat_npy(call, t);
    case CAT_RAW:
        return cat_raw(call, t);
    default:
        return write_text(call, t);
    }
}

static int convert_and_write(cli_call *call, graft_tensor *t, cat_format format)
{
    const cat_options *const o = call->options;
    graft_dtype dtype;
    if (o->dtype && dtype_parse(o->dtype, &dtype))
        t = graft_to(t, dtype);
    return t ? write_tensor(call, t, format) : say_error(call);
}

static int print(cli_call *call, const graft_checkpoint *c, cat_format format)
{
    int64_t i;
    const char *const name = call->operands[1] ? call->operands[1] : "";
    const graft_dict *const d = graft_dict_find_path(graft_checkpoint_root(c), name, &i);
    if (d && graft_dict_kind(d, i) != GRAFT_VALUE_TENSOR)
        return print_value(call, d, i, name, format);
    graft_tensor *const t = find_part(call, call->operands[0], c, name);
    return t ? convert_and_write(call, t, format) : CLI_TROUBLE;
}

static int run(cli_call *call)
{
    const cat_options *const o = call->options;
    const char *const path = call->operands[0];
    const cat_format format = o->npy ? CAT_NPY : o->json ? CAT_JSON : (cat_format)o->format;
    graft_dtype dtype;
    if (o->dtype && (!dtype_parse(o->dtype, &dtype) || !graft_dtype_computes(dtype)))
        return say_usage(call,
                         "--dtype %s: expected f32, f64, f16, bf16, i64, i32, i16, i8, u8 or "
                         "bool",
                         o->dtype);
    if (format >= CAT_NPY && call->out.is_tty && !o->force)
        return say_trouble(call, "%s is not for a terminal: redirect it, or --force",
                           formats[format]);
    graft_read_options reading = graft_read_defaults();
    reading.verify = o->no_verify ? GRAFT_VERIFY_NEVER : GRAFT_VERIFY_USE;
    graft_checkpoint *const c = open_checkpoint(call, path, &reading);
    const int status = c ? print(call, c, format) : CLI_TROUBLE;
    graft_checkpoint_free(c);
    return status;
}

static const cat_options defaults = {.format = CAT_TEXT};

static const cli_example examples[] = {
    {"graft cat model.pt fc.weight", "prints a tensor as PyTorch does", 0},
    {"graft cat --format csv model.pt 'fc.weight[0:3,-1]'",
     "prints the last element of the first three rows", 0},
    {"graft cat --npy model.safetensors fc.bias | python3 -c 'import numpy, sys, io; "
     "print(numpy.load(io.BytesIO(sys.stdin.buffer.read())).mean())'",
     "hands a tensor to numpy", 0},
};

const cli_command cli_cat = {
    .name = "cat",
    .summary = "print the elements of a tensor",
    .description =
        "Prints one tensor of a checkpoint file of any format, or a part of it, by the name that "
        "graft ls lists. `-` is standard input. A file that is one tensor alone (an npy, say) "
        "needs no name; a part of it is then `[0:3]`. A value that is no tensor (`epoch`) is "
        "printed as "
        "Python does, by the name that graft ls --all lists.\n"
        "\n"
        "A slice has, for each dimension from the first, an index, or START:END; negative numbers "
        "count from the end, and `...` stands for all dimensions between. There are no steps. "
        "Only the bytes that are needed are read, but for the checksum of a storage, where the "
        "file has one.",
    .operands = "FILE [NAME[SLICE]]",
    .min_operands = 1,
    .max_operands = 2,
    .options = options,
    .option_count = CLI_COUNT(options),
    .defaults = &defaults,
    .options_size = sizeof defaults,
    .status = {"it was printed"},
    .examples = examples,
    .example_count = CLI_COUNT(examples),
    .run = run,
};
