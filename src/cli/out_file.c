#include "cli/out_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/open.h"
#include "cli/say.h"
#include "cli/signal.h"

/* Made beside the file, so that it can take its name: of the form that mkstemp wants. */
static char *name_of_part(const char *path)
{
    static const char ending[] = ".XXXXXX";
    const size_t length = strlen(path);
    char *part = malloc(length + sizeof ending);
    if (part) {
        memcpy(part, path, length);
        memcpy(part + length, ending, sizeof ending);
    }
    return part;
}

/* mkstemp's files are for their owner alone; this one is to be as any other. */
static void allow_as_usual(int fd)
{
    const mode_t mask = umask(0);
    umask(mask);
    if (fchmod(fd, 0666 & ~mask) != 0)
        errno = 0; /* then it stays private */
}

static bool open_part(out_file *f)
{
    f->part = name_of_part(f->path);
    const int fd = f->part ? mkstemp(f->part) : -1;
    if (fd >= 0) {
        allow_as_usual(fd);
        f->stream = fdopen(fd, "w");
        if (f->stream)
            return true;
        close(fd);
        unlink(f->part);
    }
    say_trouble(f->call, "%s: %s", f->path, f->part ? strerror(errno) : "out of memory");
    free(f->part);
    return false;
}

bool out_file_open(out_file *f, const cli_call *call, const char *path, bool force, bool text)
{
    *f = (out_file){.call = call, .path = path, .stream = stdout};
    signal_catch();
    if (strcmp(path, "-") != 0)
        return open_may_write(call, path, force) && open_part(f);
    if (!call->out.is_tty || text)
        return true;
    say_trouble(call, "standard output is a terminal, which can't show it: name a file");
    return false;
}

bool out_file_keep(out_file *f)
{
    if (!f->part)
        return true; /* main looks at what became of stdout */
    bool ok = !ferror(f->stream) && fflush(f->stream) == 0 && fsync(fileno(f->stream)) == 0;
    ok = fclose(f->stream) == 0 && ok;
    const bool stopped = signal_caught() != 0;
    ok = ok && !stopped && rename(f->part, f->path) == 0;
    if (!ok) {
        if (!stopped)
            say_trouble(f->call, "%s: %s", f->path, errno ? strerror(errno) : "write error");
        unlink(f->part);
    }
    free(f->part);
    return ok;
}

void out_file_drop(out_file *f)
{
    if (!f->part)
        return;
    fclose(f->stream);
    unlink(f->part);
    free(f->part);
}
