/* ONNX's external data: files beside the model, which its tensors name. */
#include "file/onnx.h"

#include "base/vector.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* A relative path that does not climb: what it would mean if every folder were what it seems. */
static bool stays_below(const graft__name *location)
{
    const char *p = location->text, *end = p + location->length;
    if (p == end || *p == '/' || memchr(p, 0, (size_t)location->length))
        return false;
    while (p < end) {
        const char *slash = memchr(p, '/', (size_t)(end - p));
        size_t n = (size_t)((slash ? slash : end) - p);
        if (n == 0 || (n == 2 && memcmp(p, "..", 2) == 0))
            return false;
        p += n + 1;
    }
    return location->text[location->length - 1] != '/';
}

static graft_status refuse(graft__onnx *o, const graft__name *location, const char *why)
{
    return graft__fault(o->r, GRAFT_FAULT_NAME, location->offset, "external data in '%.*s': %s",
                        GRAFT__NAME(location), why);
}

static graft_status find_folder(graft__onnx *o)
{
    if (o->folder)
        return GRAFT_OK;
    const char *slash = strrchr(o->r->path, '/');
    size_t n = slash ? (size_t)(slash - o->r->path) + 1 : 2;
    char *path = graft__alloc(o->r->g, n + 1);
    if (!path)
        return graft__fail_memory(o->r->g, n + 1, o->r->op);
    memcpy(path, slash ? o->r->path : "./", n);
    path[n] = 0;
    char resolved[PATH_MAX];
    bool there = realpath(path, resolved) != NULL;
    graft__free(o->r->g, path, n + 1);
    if (!there)
        return graft__fail(o->r->g, GRAFT_ERR_IO, "%s: %s: its folder can't be found", o->r->op,
                           o->r->path);
    o->folder_size = strlen(resolved) + 1;
    o->folder = graft__strdup(o->r->g, resolved);
    return o->folder ? GRAFT_OK : graft__fail_memory(o->r->g, o->folder_size, o->r->op);
}

/* The file's own path, without a symbolic link in it: inside of the folder, or it is refused. */
static graft_status resolve(graft__onnx *o, const graft__name *location, char out[PATH_MAX])
{
    size_t folder = o->folder_size - 1, n = (size_t)location->length;
    bool is_root = folder == 1; /* "/" */
    char path[PATH_MAX];
    if (n >= PATH_MAX || folder + 1 + n >= PATH_MAX)
        return refuse(o, location, "the path is too long");
    memcpy(path, o->folder, folder);
    path[folder] = '/';
    memcpy(path + folder + 1, location->text, n);
    path[folder + 1 + n] = 0;
    if (!realpath(path, out))
        return graft__fault(o->r, GRAFT_FAULT_MEMBER_MISSING, location->offset,
                            "external data in '%.*s': there is no such file beside the model",
                            GRAFT__NAME(location));
    if (!is_root && (strncmp(out, o->folder, folder) != 0 || out[folder] != '/'))
        return refuse(o, location, "the path leads out of the model's folder");
    return GRAFT_OK;
}

static graft_status open_file(graft__onnx *o, const graft__name *location, graft__source **out)
{
    graft__reading *r = o->r;
    if (!r->has_folder)
        return graft__fault(r, GRAFT_FAULT_UNSUPPORTED, location->offset,
                            "external data in '%.*s': a model in memory has no folder",
                            GRAFT__NAME(location));
    if (!stays_below(location))
        return refuse(o, location, "expected a relative path inside of the model's folder");
    char path[PATH_MAX];
    graft_status status = find_folder(o);
    if (status == GRAFT_OK)
        status = resolve(o, location, path);
    if (status != GRAFT_OK)
        return status;
    if (!graft__charge(r, sizeof(graft__onnx_file) + sizeof(graft__source)))
        return graft_error_status(r->g);
    if (!graft__vector_reserve(r->g, (void **)&o->file, o->files, &o->file_capacity,
                               sizeof *o->file))
        return graft__fail_memory(r->g, (o->files + 1) * sizeof *o->file, r->op);
    *out = graft__source_open(r->g, r->op, path, r->options.map);
    if (!*out)
        return graft_error_status(r->g);
    o->file[o->files++] = (graft__onnx_file){location->text, location->length, *out};
    return GRAFT_OK;
}

graft_status graft__onnx_open_file(graft__onnx *o, const graft__name *location, graft__source **out)
{
    /* The last one first: tensors of one file mostly follow each other. */
    for (size_t i = o->files; i-- > 0;)
        if (o->file[i].length == location->length &&
            memcmp(o->file[i].location, location->text, (size_t)location->length) == 0) {
            *out = o->file[i].source;
            return GRAFT_OK;
        }
    return open_file(o, location, out);
}

void graft__onnx_close_files(graft__onnx *o)
{
    graft_ctx *g = o->r->g;
    for (size_t i = 0; i < o->files; i++)
        graft__source_unref(o->file[i].source);
    graft__free(g, o->file, o->file_capacity * sizeof *o->file);
    graft__free(g, o->folder, o->folder_size);
}
