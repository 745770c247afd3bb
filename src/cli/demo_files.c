#include "cli/demo_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char demo_file_pt[] = "a.pt";
const char demo_file_safetensors[] = "a.safetensors";
const char demo_file_checkpoint[] = "checkpoint.pt";

static bool fail(const char *folder, const char *why)
{
    fprintf(stderr, "graft demo: %s: nothing can be saved there: %s\n", folder, why);
    return false;
}

static bool open_temporary(demo_folder *out)
{
    const char *tmp = getenv("TMPDIR");
    if (!tmp || !*tmp)
        tmp = "/tmp";
    int n = snprintf(out->path, DEMO_PATH, "%s/graft-demo-XXXXXX", tmp);
    if (n < 0 || n >= DEMO_PATH)
        return fail(tmp, strerror(ENAMETOOLONG));
    if (!mkdtemp(out->path))
        return fail(tmp, strerror(errno));
    out->temporary = true;
    return true;
}

bool demo_folder_open(const char *named, demo_folder *out)
{
    *out = (demo_folder){.temporary = false};
    if (!named)
        return open_temporary(out);
    int n = snprintf(out->path, DEMO_PATH, "%s", named);
    if (n < 0 || n >= DEMO_PATH)
        return fail(named, strerror(ENAMETOOLONG));
    struct stat there;
    if (mkdir(named, 0777) != 0 && errno != EEXIST)
        return fail(named, strerror(errno));
    if (stat(named, &there) != 0)
        return fail(named, strerror(errno));
    if (!S_ISDIR(there.st_mode))
        return fail(named, strerror(ENOTDIR));
    return access(named, W_OK | X_OK) == 0 || fail(named, strerror(errno));
}

bool demo_folder_path(const demo_folder *folder, const char *file, char path[DEMO_PATH])
{
    int n = snprintf(path, DEMO_PATH, "%s/%s", folder->path, file);
    return n > 0 && n < DEMO_PATH;
}

void demo_folder_close(const demo_folder *folder)
{
    const char *const files[] = {demo_file_pt, demo_file_safetensors, demo_file_checkpoint};
    char path[DEMO_PATH];
    if (!folder->temporary)
        return;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (demo_folder_path(folder, files[i], path))
            unlink(path);
    rmdir(folder->path);
}
