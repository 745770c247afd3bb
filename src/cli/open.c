#include "cli/open.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/say.h"

enum { FIRST = 1 << 20 };

static bool is_stdin(const char *path)
{
    return strcmp(path, "-") == 0;
}

const char *open_name(const char *path)
{
    return is_stdin(path) ? "standard input" : path;
}

const char *open_format(const graft_checkpoint *c)
{
    return graft_format_name(graft_checkpoint_format(c));
}

/* All of a stream, in memory that is to be freed; NULL after telling why. */
static unsigned char *read_all(const cli_call *call, FILE *in, size_t *size)
{
    unsigned char *bytes = NULL;
    size_t used = 0, room = 0;
    for (;;) {
        if (used == room) {
            room = room ? 2 * room : FIRST;
            unsigned char *const more = room > used ? realloc(bytes, room) : NULL;
            if (!more) {
                free(bytes);
                say(call, "standard input: out of memory behind %zu bytes", used);
                return NULL;
            }
            bytes = more;
        }
        const size_t got = fread(bytes + used, 1, room - used, in);
        used += got;
        if (got == 0)
            break;
    }
    if (ferror(in)) {
        say(call, "standard input: %s", strerror(errno));
        free(bytes);
        return NULL;
    }
    *size = used;
    return bytes;
}

/* A regular file at its beginning needs no memory. */
static bool stdin_is_file(void)
{
    struct stat s;
    return fstat(STDIN_FILENO, &s) == 0 && S_ISREG(s.st_mode) &&
           lseek(STDIN_FILENO, 0, SEEK_CUR) == 0 && access("/dev/stdin", R_OK) == 0;
}

/* Where a path leads: a file that was redirected has one too. NULL: to a pipe. */
static const char *path_of(const char *path)
{
    return !is_stdin(path) ? path : stdin_is_file() ? "/dev/stdin" : NULL;
}

const char *open_reason(const cli_call *call, const char *path)
{
    static const char flatten[] = "dict_flatten: ";
    const char *const named = path_of(path);
    const char *const reason = say_reason(call, named ? named : "(memory)");
    const size_t length = sizeof flatten - 1;
    return strncmp(reason, flatten, length) == 0 ? reason + length : reason;
}

bool open_file(cli_call *call, const char *path, const graft_read_options *options, opened *out)
{
    *out = (opened){.c = NULL};
    const char *const named = path_of(path);
    if (named) {
        out->c = graft_checkpoint_open(call->g, named, options);
        return out->c;
    }
    out->bytes = read_all(call, stdin, &out->size);
    if (!out->bytes)
        return false;
    out->c = graft_checkpoint_open_memory(call->g, out->bytes, out->size, options);
    if (!out->c)
        open_close(out);
    return out->c;
}

void open_tell(cli_call *call, const char *path)
{
    if (!graft_error(call->g))
        return;
    if (graft_error_status(call->g) != GRAFT_ERR_CANCELLED)
        say(call, "%s: %s", open_name(path), open_reason(call, path));
    graft_clear_error(call->g);
}

void open_close(opened *o)
{
    graft_checkpoint_free(o->c);
    free(o->bytes);
    *o = (opened){.c = NULL};
}

graft_audit_report *open_audit(cli_call *call, const char *path, const opened *o)
{
    const char *const named = path_of(path);
    graft_audit_report *const a = o->bytes ? graft_audit_memory(call->g, o->bytes, o->size, NULL)
                                           : graft_audit(call->g, named ? named : path, NULL);
    graft_clear_error(call->g);
    return a;
}

graft_checkpoint *open_checkpoint(cli_call *call, const char *path,
                                  const graft_read_options *options)
{
    opened o;
    if (!open_file(call, path, options, &o)) {
        open_tell(call, path);
        return NULL;
    }
    free(o.bytes);
    return o.c;
}

enum { MAX_DEPTH = 1000 }; /* as deep as readers go */

static graft_dict *state_at(graft_dict *d, int depth)
{
    if (graft_dict_container(d) == GRAFT_VALUE_RECORD) {
        graft_dict *const state = graft_pickled_state_dict(d);
        if (!state)
            graft_clear_error(graft_dict_ctx(d)); /* another object: its paths are as they are */
        return state ? state : d;
    }
    for (int64_t i = 0; i < graft_dict_len(d) && depth < MAX_DEPTH; i++) {
        graft_dict *const inner = graft_dict_dict_at(d, i);
        graft_dict *const state = inner ? state_at(inner, depth + 1) : NULL;
        int64_t number;
        if (state == inner)
            continue;
        if (graft_dict_key_is_int(d, i, &number))
            graft_dict_set_int_key_dict(d, number, state);
        else if (graft_dict_key_kind(d, i) == GRAFT_VALUE_STRING)
            graft_dict_set_dict(d, graft_dict_key(d, i), state);
        graft_clear_error(graft_dict_ctx(d)); /* of a tuple: it stays what it is */
    }
    return d;
}

graft_dict *open_state(graft_dict *d)
{
    return d ? state_at(d, 0) : NULL;
}

graft_dict *open_root(const graft_checkpoint *c)
{
    return open_state(graft_checkpoint_root(c));
}

int open_metadata(cli_call *call, const graft_checkpoint *c, graft_dict **out)
{
    static const char own[] = "graft.";
    const graft_dict *from = graft_checkpoint_metadata(c);
    const graft_format format = graft_checkpoint_format(c);
    *out = NULL;
    if (format != GRAFT_FORMAT_SAFETENSORS && format != GRAFT_FORMAT_SAFETENSORS_INDEX)
        return CLI_OK;
    graft_dict *metadata = graft_dict_new(call->g);
    graft_status status = metadata ? GRAFT_OK : GRAFT_ERR_MEMORY;
    for (int64_t i = 0; i < graft_dict_len(from) && status == GRAFT_OK; i++) {
        const char *key = graft_dict_key(from, i), *value = graft_dict_string_at(from, i);
        if (key && value && strncmp(key, own, sizeof own - 1) != 0)
            status = graft_dict_set_string(metadata, key, value);
    }
    *out = metadata;
    return status == GRAFT_OK ? CLI_OK : say_error(call);
}

bool open_is_flat(const graft_dict *d)
{
    for (int64_t i = 0; i < graft_dict_len(d); i++)
        if (graft_dict_kind(d, i) != GRAFT_VALUE_TENSOR)
            return false;
    return graft_dict_container(d) == GRAFT_VALUE_DICT;
}

graft_dict *open_tensors(cli_call *call, const char *path, const graft_checkpoint *c)
{
    graft_dict *const all = graft_dict_keep(graft_dict_flatten(open_root(c)));
    if (all)
        return all;
    say(call, "%s: %s", open_name(path), open_reason(call, path));
    graft_clear_error(call->g);
    return NULL;
}

bool open_may_write(const cli_call *call, const char *path, bool force)
{
    struct stat s;
    if (stat(path, &s) == 0 && S_ISDIR(s.st_mode)) {
        say(call, "%s is a folder: expected the name of a file", path);
        return false;
    }
    if (force || lstat(path, &s) != 0)
        return true;
    say(call, "%s is there already: --force replaces it", path);
    return false;
}
