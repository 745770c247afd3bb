/* Opening files of any format. */
#include <string.h>
#include <strings.h>

#include "base/ctx.h"
#include "file/formats.h"
#include "file/load.h"

const char *graft_format_name(graft_format format)
{
    static const char *const names[] = {
        [GRAFT_FORMAT_AUTO] = "auto",
        [GRAFT_FORMAT_PT] = "pt",
        [GRAFT_FORMAT_PT_LEGACY] = "pt-legacy",
        [GRAFT_FORMAT_PT_TAR] = "pt-tar",
        [GRAFT_FORMAT_TORCHSCRIPT] = "torchscript",
        [GRAFT_FORMAT_SAFETENSORS] = "safetensors",
        [GRAFT_FORMAT_SAFETENSORS_INDEX] = "safetensors-index",
        [GRAFT_FORMAT_NPY] = "npy",
        [GRAFT_FORMAT_NPZ] = "npz",
        [GRAFT_FORMAT_GGUF] = "gguf",
        [GRAFT_FORMAT_ONNX] = "onnx",
    };
    return (unsigned)format < sizeof names / sizeof *names ? names[format] : "?";
}

graft_read_options graft_read_defaults(void)
{
    return (graft_read_options){
        .verify = GRAFT_VERIFY_USE, .map = true, .max_depth = 1000, .max_names = 10000000};
}

bool graft__ends_with(const char *text, const char *end)
{
    const size_t length = strlen(text), wanted = strlen(end);
    return length >= wanted && strcasecmp(text + length - wanted, end) == 0;
}

static const graft__format *find_format(graft__reading *r)
{
    for (const graft__format *const *f = graft__formats; *f; f++)
        if ((*f)->matches(r->source))
            return *f;
    for (const graft__ending *e = graft__endings; e->text; e++)
        if (graft__ends_with(r->path, e->text))
            return e->format;
    graft__fault(r, GRAFT_FAULT_UNKNOWN_FORMAT, 0,
                 "%llu bytes that begin like no checkpoint: expected .pt, safetensors, npy, npz, "
                 "GGUF or ONNX",
                 (unsigned long long)r->source->size);
    return NULL;
}

/* ---- Checkpoints ---- */

struct graft_checkpoint {
    graft__object object;
    graft_format format;
    bool bare;
    graft_dict *root, *metadata;
};

static void destroy(graft__object *o)
{
    graft_checkpoint *c = (graft_checkpoint *)o;
    graft__dict_unref(c->root);
    graft__dict_unref(c->metadata);
    graft__free(o->ctx, c, sizeof *c);
}

static const graft__kind kind = {.name = "checkpoint", .destroy = destroy};

/* Takes over root and metadata, also on failure. */
static graft_checkpoint *checkpoint_new(graft_ctx *g, graft_dict *root, graft_dict *metadata)
{
    graft_checkpoint *c = root && metadata ? graft__alloc_zero(g, sizeof *c) : NULL;
    if (!c) {
        if (root && metadata)
            graft__fail_memory(g, sizeof *c, "load");
        graft__dict_unref(root);
        graft__dict_unref(metadata);
        return NULL;
    }
    graft__object_init(&c->object, g, &kind);
    c->root = root;
    c->metadata = metadata;
    return c;
}

static uint64_t default_memory(uint64_t size)
{
    const uint64_t base = (uint64_t)64 << 20;
    return size > (UINT64_MAX - base) / 256 ? UINT64_MAX : base + 256 * size;
}

graft_checkpoint *graft__open(graft_ctx *g, const graft__open_args *args)
{
    graft__source *source = args->path
                                ? graft__source_open(g, args->op, args->path, args->options.map)
                                : graft__source_copy(g, args->op, args->bytes, args->size);
    if (!source)
        return NULL;
    graft__reading r = {
        .g = g,
        .op = args->op,
        .path = args->path ? args->path : "(memory)",
        .has_folder = args->path != NULL,
        .source = source,
        .options = args->options,
        .memory_left =
            args->options.max_memory ? args->options.max_memory : default_memory(source->size),
        .total = source->size,
        .metadata = graft__dict_new(g),
        .audit = args->audit,
        .lenient = args->lenient,
    };
    const graft__format *format = r.metadata ? find_format(&r) : NULL;
    if (format)
        r.format = format->format;
    graft_dict *root = format ? format->read(&r) : NULL;
    graft_checkpoint *c = checkpoint_new(g, root, r.metadata);
    graft__source_unref(source);
    if (c) {
        c->format = r.format;
        c->bare = r.bare;
    }
    return c;
}

static bool check_options(graft_ctx *g, const char *op, const graft_read_options *options,
                          graft_read_options *out)
{
    *out = options ? *options : graft_read_defaults();
    if ((unsigned)out->verify <= GRAFT_VERIFY_NEVER && out->max_depth > 0 && out->max_names > 0)
        return true;
    graft__fail(g, GRAFT_ERR_ARGUMENT,
                "%s: options make no sense: expected a verify of graft_verify, max_depth and "
                "max_names of 1 or more; begin with graft_read_defaults()",
                op);
    return false;
}

graft_checkpoint *graft__open_path(graft_ctx *g, const char *op, const char *path,
                                   const graft_read_options *options,
                                   struct graft_audit_report *audit)
{
    if (!g)
        return NULL;
    if (!path) {
        graft__fail(g, GRAFT_ERR_ARGUMENT, "%s: the path is NULL", op);
        return NULL;
    }
    graft__open_args args = {.op = op, .path = path, .audit = audit};
    return check_options(g, op, options, &args.options) ? graft__open(g, &args) : NULL;
}

graft_checkpoint *graft__open_bytes(graft_ctx *g, const char *op, const void *bytes, size_t size,
                                    const graft_read_options *options,
                                    struct graft_audit_report *audit)
{
    if (!g)
        return NULL;
    if (!bytes && size > 0) {
        graft__fail(g, GRAFT_ERR_ARGUMENT, "%s: the bytes are NULL", op);
        return NULL;
    }
    graft__open_args args = {.op = op, .bytes = bytes, .size = size, .audit = audit};
    return check_options(g, op, options, &args.options) ? graft__open(g, &args) : NULL;
}

static graft_checkpoint *own(graft_checkpoint *c)
{
    if (c)
        graft__own_by_context(&c->object);
    return c;
}

graft_checkpoint *graft_checkpoint_open(graft_ctx *g, const char *path,
                                        const graft_read_options *options)
{
    return own(graft__open_path(g, "load", path, options, NULL));
}

graft_checkpoint *graft_checkpoint_open_memory(graft_ctx *g, const void *bytes, size_t size,
                                               const graft_read_options *options)
{
    return own(graft__open_bytes(g, "load", bytes, size, options, NULL));
}

void graft__checkpoint_unref(graft_checkpoint *c)
{
    if (c)
        graft__unref(&c->object);
}

void graft_checkpoint_free(graft_checkpoint *c)
{
    if (c && graft__disown(&c->object))
        graft__unref(&c->object);
}

graft_format graft_checkpoint_format(const graft_checkpoint *c)
{
    return c ? c->format : GRAFT_FORMAT_AUTO;
}

graft_dict *graft_checkpoint_root(const graft_checkpoint *c)
{
    return c ? c->root : NULL;
}

bool graft_checkpoint_is_bare(const graft_checkpoint *c)
{
    return c && c->bare;
}

graft_dict *graft_checkpoint_metadata(const graft_checkpoint *c)
{
    return c ? c->metadata : NULL;
}

/* ---- Parts of checkpoints ---- */

graft_dict *graft_load(graft_ctx *g, const char *path, const graft_read_options *options)
{
    graft_checkpoint *c = graft__open_path(g, "load", path, options, NULL);
    if (!c)
        return NULL;
    graft_dict *root = (graft_dict *)graft__ref(&c->root->object);
    graft__checkpoint_unref(c);
    graft__own_by_context(&root->object);
    return root;
}

/* The tensor by its path, with a reference of the caller's; its bytes are there. */
static graft_tensor *load_tensor(graft_ctx *g, const char *op, const char *path, const char *name,
                                 const graft_read_options *options)
{
    if (g && !name) {
        graft__fail(g, GRAFT_ERR_ARGUMENT, "%s: the name is NULL", op);
        return NULL;
    }
    graft_read_options lazy = options ? *options : graft_read_defaults();
    if (lazy.verify == GRAFT_VERIFY_OPEN) /* of this one tensor: when it is taken */
        lazy.verify = GRAFT_VERIFY_USE;
    graft_checkpoint *c = graft__open_path(g, op, path, &lazy, NULL);
    if (!c)
        return NULL;
    graft_tensor *t = graft_dict_tensor(c->root, name);
    if (t)
        graft__tensor_ref(t);
    else
        graft__fail(g, GRAFT_ERR_NAME, "%s: %s: there is no tensor \"%s\"", op, path, name);
    graft__checkpoint_unref(c);
    return t;
}

graft_tensor *graft_load_tensor(graft_ctx *g, const char *path, const char *name,
                                const graft_read_options *options)
{
    return graft__result(load_tensor(g, "load_tensor", path, name, options));
}

graft_tensor *graft_load_rows(graft_ctx *g, const char *path, const char *name, int64_t start,
                              int64_t count, const graft_read_options *options)
{
    graft_tensor *t = load_tensor(g, "load_rows", path, name, options);
    if (!t)
        return NULL;
    graft_tensor *rows = NULL;
    if (t->ndim == 0 || start < 0 || count < 0 || start > t->size[0] ||
        count > t->size[0] - start) {
        char shape[GRAFT__SHAPE_TEXT];
        graft__fail(g, GRAFT_ERR_SHAPE,
                    "load_rows: %s: %lld rows from row %lld of \"%s\" of shape %s: expected rows "
                    "that are there",
                    path, (long long)count, (long long)start, name,
                    graft__tensor_shape_text(t, shape));
    } else {
        int64_t size[GRAFT_MAX_DIMS];
        memcpy(size, t->size, sizeof size);
        size[0] = count;
        rows = graft__tensor_view(t, "load_rows", t->ndim, size, t->stride,
                                  t->offset + start * t->stride[0]);
    }
    graft__tensor_unref(t);
    return graft__result(rows);
}
