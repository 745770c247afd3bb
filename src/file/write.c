/* The functions that write: checks, the format by the name, and what the writers share. */
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "file/writing.h"

typedef graft_status writer(graft__writing *w);

static const struct {
    const char *ending; /* of the path, in small letters */
    graft_format format;
} endings[] = {
    {".pt", GRAFT_FORMAT_PT},
    {".pth", GRAFT_FORMAT_PT},
    {".bin", GRAFT_FORMAT_PT},
    {".ckpt", GRAFT_FORMAT_PT},
    {".safetensors", GRAFT_FORMAT_SAFETENSORS},
    {".safetensors.index.json", GRAFT_FORMAT_SAFETENSORS},
    {".npz", GRAFT_FORMAT_NPZ},
    {".npy", GRAFT_FORMAT_NPY},
};

static const struct {
    graft_format format;
    writer *write;
} writers[] = {
    {GRAFT_FORMAT_PT, graft__write_pt},
    {GRAFT_FORMAT_SAFETENSORS, graft__write_safetensors},
    {GRAFT_FORMAT_NPZ, graft__write_npz},
    {GRAFT_FORMAT_NPY, graft__write_npy},
};

graft_write_options graft_write_defaults(void)
{
    return (graft_write_options){.format = GRAFT_FORMAT_AUTO, .sync = true, .alignment = 64};
}

static graft_format format_of(const char *path)
{
    const size_t length = strlen(path);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        const size_t n = strlen(endings[i].ending);
        if (length > n && strcasecmp(path + length - n, endings[i].ending) == 0)
            return endings[i].format;
    }
    return GRAFT_FORMAT_AUTO;
}

static graft_status check(graft_ctx *g, const char *op, const char *path, const graft_dict *d,
                          const graft_write_options *o)
{
    if (!path || !d)
        return graft__fail(g, GRAFT_ERR_ARGUMENT, "%s: %s is NULL", op, path ? "the dict" : "path");
    if (d->object.ctx != g)
        return graft__fail(g, GRAFT_ERR_ARGUMENT, "%s: %s: the dict belongs to another context", op,
                           path);
    if (o->alignment < 64 || o->alignment > 1 << 20 || (o->alignment & (o->alignment - 1)) != 0)
        return graft__fail(g, GRAFT_ERR_ARGUMENT,
                           "%s: %s: alignment %u: expected a power of two of 64 to 1048576", op,
                           path, (unsigned)o->alignment);
    return GRAFT_OK;
}

static writer *writer_of(graft_format format)
{
    for (size_t i = 0; i < sizeof writers / sizeof *writers; i++)
        if (writers[i].format == format)
            return writers[i].write;
    return NULL;
}

static graft_status save(graft_ctx *g, const char *op, const char *path, const graft_dict *d,
                         const graft_write_options *options, graft_write_report *report)
{
    if (!g)
        return GRAFT_ERR_ARGUMENT;
    graft__writing w = {.g = g, .op = op, .path = path, .dict = d};
    w.options = options ? *options : graft_write_defaults();
    graft_status status = check(g, op, path, d, &w.options);
    if (status != GRAFT_OK)
        return status;
    if (w.options.format == GRAFT_FORMAT_AUTO)
        w.options.format = format_of(path);
    if (w.options.format == GRAFT_FORMAT_AUTO)
        return graft__fail(g, GRAFT_ERR_ARGUMENT,
                           "%s: %s: the name does not tell the format: expected .pt, .pth, .bin, "
                           ".ckpt, .safetensors, .npz or .npy, or options.format",
                           op, path);
    writer *const write = writer_of(w.options.format);
    if (!write)
        return graft__fail(g, GRAFT_ERR_ARGUMENT, "%s: %s: %s is not a format that is written", op,
                           path, graft_format_name(w.options.format));
    status = write(&w);
    if (status == GRAFT_OK && report)
        *report = w.report;
    return status;
}

graft_status graft_save(graft_ctx *g, const char *path, const graft_dict *d)
{
    return save(g, "save", path, d, NULL, NULL);
}

graft_status graft_save_as(graft_ctx *g, const char *path, const graft_dict *d,
                           const graft_write_options *options, graft_write_report *report)
{
    return save(g, "save", path, d, options, report);
}
