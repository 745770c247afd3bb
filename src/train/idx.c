/* The idx format: two zero bytes, an element type, the number of dimensions, their sizes as
 * big-endian 32-bit numbers, and the elements, big-endian too. Source: yann.lecun.com/exdb/mnist.
 */
#include "graft/data.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "file/gzip.h"
#include "tensor/tensor.h"

typedef struct element_type {
    unsigned char code;
    graft_dtype dtype;
} element_type;

static const element_type element_types[] = {
    {0x08, GRAFT_U8},  {0x09, GRAFT_I8},  {0x0B, GRAFT_I16},
    {0x0C, GRAFT_I32}, {0x0D, GRAFT_F32}, {0x0E, GRAFT_F64},
};

static const element_type *find_type(unsigned char code)
{
    for (size_t i = 0; i < sizeof element_types / sizeof *element_types; i++)
        if (element_types[i].code == code)
            return &element_types[i];
    return NULL;
}

/* Turns n elements of width bytes from big-endian into the machine's order. */
static void from_big_endian(unsigned char *data, size_t n, size_t width)
{
    const uint16_t probe = 1;
    if (*(const unsigned char *)&probe == 0)
        return;
    for (size_t i = 0; i < n; i++, data += width)
        for (size_t a = 0, b = width - 1; a < b; a++, b--) {
            unsigned char c = data[a];
            data[a] = data[b];
            data[b] = c;
        }
}

static graft_tensor *fail(graft_ctx *g, const char *path, const char *why)
{
    graft__fail(g, GRAFT_ERR_FORMAT, "load_idx: %s: %s", path, why);
    return NULL;
}

static graft_tensor *parse(graft_ctx *g, const char *path, const unsigned char *bytes, size_t size)
{
    if (size < 4 || bytes[0] != 0 || bytes[1] != 0)
        return fail(g, path, "not an idx file: expected two zero bytes, a type and a rank first");
    const element_type *type = find_type(bytes[2]);
    graft_shape shape = {.ndim = bytes[3]};
    if (!type)
        return fail(g, path, "unknown element type: expected 0x08, 0x09 or 0x0B to 0x0E in byte 2");
    if (shape.ndim > GRAFT_MAX_DIMS)
        return fail(g, path, "more than 8 dimensions");
    size_t header = 4 + 4 * (size_t)shape.ndim;
    if (size < header)
        return fail(g, path, "cut off within the sizes");
    for (int i = 0; i < shape.ndim; i++) {
        const unsigned char *p = bytes + 4 + 4 * i;
        shape.size[i] = (int64_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
    }
    size_t width = graft_dtype_size(type->dtype);
    int64_t numel = graft__shape_numel(shape.ndim, shape.size);
    if (numel < 0 || (size_t)numel * width != size - header) {
        char text[GRAFT__SHAPE_TEXT];
        graft__fail(g, GRAFT_ERR_FORMAT,
                    "load_idx: %s: %zu bytes of elements: expected those of shape %s in %s", path,
                    size - header, graft__shape_text(shape.ndim, shape.size, text),
                    graft_dtype_name(type->dtype));
        return NULL;
    }
    graft_tensor *t = graft_empty(g, shape, type->dtype);
    unsigned char *data = graft_data_mut(t);
    if (!data)
        return NULL;
    memcpy(data, bytes + header, (size_t)numel * width);
    from_big_endian(data, (size_t)numel, width);
    return t;
}

graft_tensor *graft_load_idx(graft_ctx *g, const char *path)
{
    if (!g)
        return NULL;
    if (!path) {
        graft__fail(g, GRAFT_ERR_ARGUMENT, "load_idx: path is NULL");
        return NULL;
    }
    unsigned char *bytes = NULL;
    size_t size = 0;
    if (graft__file_read(g, "load_idx", path, &bytes, &size) != GRAFT_OK)
        return NULL;
    if (!graft__is_gzip(bytes, size)) {
        graft_tensor *t = parse(g, path, bytes, size);
        graft__free(g, bytes, size);
        return t;
    }
    unsigned char *plain = NULL;
    size_t plain_size = 0;
    graft_status st = graft__gunzip(g, "load_idx", path, bytes, size, &plain, &plain_size);
    graft__free(g, bytes, size);
    if (st != GRAFT_OK)
        return NULL;
    graft_tensor *t = parse(g, path, plain, plain_size);
    graft__free(g, plain, plain_size);
    return t;
}
