#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cp.h"
#include "cli/open.h"
#include "cli/progress.h"
#include "cli/say.h"
#include "cli/signal.h"

const char *const cp_formats[] = {"auto", "pt", "safetensors", "npz", "npy", NULL};

graft_format cp_format(const cp_options *o)
{
    static const graft_format formats[] = {GRAFT_FORMAT_AUTO, GRAFT_FORMAT_PT,
                                           GRAFT_FORMAT_SAFETENSORS, GRAFT_FORMAT_NPZ,
                                           GRAFT_FORMAT_NPY};
    return formats[o->format];
}

static bool ends_with(const char *text, const char *end)
{
    const size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

bool cp_is_safetensors(const cp_options *o, const char *path)
{
    return cp_format(o) == GRAFT_FORMAT_SAFETENSORS ||
           (cp_format(o) == GRAFT_FORMAT_AUTO &&
            (ends_with(path, ".safetensors") || ends_with(path, ".safetensors.index.json")));
}

/* Whether the new file holds nothing but tensors. */
static bool is_plain(const cp_options *o, const char *path)
{
    const graft_format format = cp_format(o);
    if (format != GRAFT_FORMAT_AUTO)
        return format != GRAFT_FORMAT_PT;
    return cp_is_safetensors(o, path) || ends_with(path, ".npz") || ends_with(path, ".npy");
}

/* ---- Values that are no tensors ---- */

enum { MAX_DEPTH = 1000 }; /* as deep as readers go */

typedef struct others {
    int64_t count;
    const char *first; /* the name of one, as its dict has it */
} others;

static void count_others(const graft_dict *d, int depth, others *o)
{
    for (int64_t i = 0; i < graft_dict_len(d) && depth < MAX_DEPTH; i++) {
        const graft_dict *inner = graft_dict_dict_at(d, i);
        if (inner && graft_dict_kind(d, i) != GRAFT_VALUE_RECORD) {
            count_others(inner, depth + 1, o);
        } else if (graft_dict_kind(d, i) != GRAFT_VALUE_TENSOR) {
            o->first = o->count++ ? o->first : graft_dict_key(d, i);
        }
    }
}

/* Leaves behind what the new file can't hold, and says so. */
static int keep_tensors(cli_call *call, cp_job *job)
{
    others left = {.count = 0};
    count_others(job->result, 0, &left);
    graft_dict *flat = graft_dict_keep(graft_dict_flatten(job->result));
    if (!flat)
        return say_file_error(call, job->source.path);
    if (left.count > 0)
        say_note(call, "%lld values that are no tensors (%s%s) are left out", (long long)left.count,
                 left.first ? left.first : "", left.count > 1 ? ", ..." : "");
    if (job->owns_result)
        graft_dict_free(job->result);
    job->result = flat;
    job->owns_result = true;
    return CLI_OK;
}

/* ---- Writing ---- */

static int save(cli_call *call, cp_job *job, const char *path)
{
    const cp_options *o = call->options;
    progress bar = progress_of(call, "writing");
    graft_write_options w = graft_write_defaults();
    w.format = cp_format(o);
    w.sync = !o->no_sync;
    w.whole_storages = o->whole_storages;
    w.records = o->records;
    w.content_hash = o->hash;
    w.max_shard_bytes = o->shards;
    w.metadata = job->metadata;
    w.progress = progress_tick;
    w.progress_user = &bar;
    graft_status status;
    if (o->delta) {
        graft_checkpoint *base = open_checkpoint(call, o->delta, NULL);
        if (!base)
            return CLI_TROUBLE;
        status = graft_save_delta(call->g, path, job->result, open_root(base), o->delta, &w,
                                  &job->written);
        graft_checkpoint_free(base);
    } else {
        status = graft_save_as(call->g, path, job->result, &w, &job->written);
    }
    progress_end(&bar);
    return status == GRAFT_OK ? CLI_OK : say_error(call);
}

static bool pour(FILE *from)
{
    char bytes[1 << 16];
    size_t got;
    while ((got = fread(bytes, 1, sizeof bytes, from)) > 0)
        if (fwrite(bytes, 1, got, stdout) != got)
            return true; /* main looks at what became of stdout */
    return !ferror(from);
}

/* Formats are not written from front to back, so a stream gets a finished file. */
static int save_to_stdout(cli_call *call, cp_job *job)
{
    const cp_options *o = call->options;
    if (call->out.is_tty)
        return say_trouble(call, "standard output is a terminal, which can't show a checkpoint");
    if (o->format == 0 || o->shards > 0)
        return say_usage(call, "standard output wants --format, and takes one file only");
    const char *folder = getenv("TMPDIR");
    char path[4096];
    const int length =
        snprintf(path, sizeof path, "%s/graft-cp.XXXXXX", folder && *folder ? folder : "/tmp");
    const int fd = length > 0 && (size_t)length < sizeof path ? mkstemp(path) : -1;
    if (fd < 0)
        return say_trouble(call, "no temporary file could be made in %s",
                           folder && *folder ? folder : "/tmp");
    close(fd);
    int status = save(call, job, path);
    FILE *from = status == CLI_OK ? fopen(path, "r") : NULL;
    if (status == CLI_OK && (!from || !pour(from)))
        status = say_trouble(call, "%s could not be read back", path);
    if (from)
        fclose(from);
    unlink(path);
    return status;
}

int cp_write(cli_call *call, cp_job *job, const char *path)
{
    const cp_options *o = call->options;
    int status = CLI_OK;
    signal_catch();
    if (is_plain(o, path) || o->delta)
        status = keep_tensors(call, job);
    if (status == CLI_OK)
        status = open_metadata(call, job->source.checkpoint, &job->metadata);
    if (status != CLI_OK)
        return status;
    return strcmp(path, "-") == 0 ? save_to_stdout(call, job) : save(call, job, path);
}
