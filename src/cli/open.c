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

static graft_checkpoint *open_stdin(cli_call *call, const graft_read_options *options)
{
    if (stdin_is_file()) {
        graft_checkpoint *const c = graft_checkpoint_open(call->g, "/dev/stdin", options);
        if (!c)
            say_file_error(call, "/dev/stdin");
        return c;
    }
    size_t size;
    unsigned char *const bytes = read_all(call, stdin, &size);
    if (!bytes)
        return NULL;
    graft_checkpoint *const c = graft_checkpoint_open_memory(call->g, bytes, size, options);
    free(bytes);
    if (!c)
        say_error(call);
    return c;
}

graft_checkpoint *open_checkpoint(cli_call *call, const char *path,
                                  const graft_read_options *options)
{
    if (is_stdin(path))
        return open_stdin(call, options);
    graft_checkpoint *const c = graft_checkpoint_open(call->g, path, options);
    if (!c)
        say_file_error(call, path);
    return c;
}

graft_dict *open_tensors(cli_call *call, const char *path, const graft_checkpoint *c)
{
    graft_dict *const all = graft_dict_keep(graft_dict_flatten(graft_checkpoint_root(c)));
    if (all)
        return all;
    const char *const error = graft_error(call->g);
    say(call, "%s: %s", open_name(path), error ? error : "out of memory");
    graft_clear_error(call->g);
    return NULL;
}

bool open_may_write(const cli_call *call, const char *path, bool force)
{
    struct stat s;
    if (force || lstat(path, &s) != 0)
        return true;
    say(call, "%s is there already: --force replaces it", path);
    return false;
}
