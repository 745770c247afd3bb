#include "file/npy.h"

#include <stdio.h>
#include <string.h>

static bool matches(const graft__source *s)
{
    return s->size >= 6 && memcmp(s->bytes, "\x93NUMPY", 6) == 0;
}

static graft_status read_version(graft__reading *r, const graft__npy *npy)
{
    char version[32];
    int n = snprintf(version, sizeof version, "%d.%d", npy->major, npy->minor);
    graft__value text = graft__file_text(r, version, (uint64_t)n);
    return text.kind == GRAFT_VALUE_NONE ? graft_error_status(r->g)
                                         : graft__put_own(r, r->metadata, "version", text);
}

static graft_dict *read_npy(graft__reading *r)
{
    graft__npy npy;
    if (graft__npy_header(r, r->source->bytes, r->source->size, r->source->size, &npy) !=
            GRAFT_OK ||
        read_version(r, &npy) != GRAFT_OK)
        return NULL;
    const graft__piece piece = {.offset = npy.data,
                                .stored = npy.bytes,
                                .size = npy.bytes,
                                .swap = npy.swap,
                                .align = npy.align};
    graft_tensor *t = graft__piece_tensor(r, &piece, npy.dtype, npy.ndim, npy.size, npy.stride);
    graft_dict *root = t ? graft__dict_new(r->g) : NULL;
    if (!root) {
        graft__tensor_unref(t);
        return NULL;
    }
    if (graft__put_own(r, root, "", graft__tensor_value(t)) != GRAFT_OK) {
        graft__dict_unref(root);
        return NULL;
    }
    r->bare = true;
    return root;
}

const graft__format graft__format_npy = {GRAFT_FORMAT_NPY, matches, read_npy};
