#include "file/gzip.h"

#include "base/alloc.h"
#include "base/error.h"
#include "file/inflate.h"
#ifdef GRAFT_DEFLATE
#include <libdeflate.h>
#endif

enum {
    MIN_SIZE = 18 /* header of 10 bytes, trailer of 8 */
};

bool graft__is_gzip(const unsigned char *bytes, size_t size)
{
    return size >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
}

#ifdef GRAFT_DEFLATE

static graft_status inflate_into(graft_ctx *g, const char *op, const char *path,
                                 const unsigned char *bytes, size_t size, unsigned char *out,
                                 size_t out_size)
{
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    if (!d)
        return graft__fail_memory(g, 0, op);
    size_t written = 0;
    enum libdeflate_result r = libdeflate_gzip_decompress(d, bytes, size, out, out_size, &written);
    libdeflate_free_decompressor(d);
    if (r != LIBDEFLATE_SUCCESS || written != out_size)
        return graft__fail(g, GRAFT_ERR_FORMAT,
                           "%s: %s: damaged gzip data: expected %zu bytes with the right checksum",
                           op, path, out_size);
    return GRAFT_OK;
}

graft_status graft__gunzip(graft_ctx *g, const char *op, const char *path,
                           const unsigned char *bytes, size_t size, unsigned char **out,
                           size_t *out_size)
{
    if (size < MIN_SIZE)
        return graft__fail(g, GRAFT_ERR_FORMAT, "%s: %s: gzip data cut off after %zu bytes", op,
                           path, size);
    const unsigned char *p = bytes + size - 4; /* the trailer: the size modulo 2^32 */
    size_t claimed = (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
    if (!graft__may_inflate(size, claimed))
        return graft__fail(
            g, GRAFT_ERR_FORMAT,
            "%s: %s: damaged gzip data: %zu bytes can't inflate to the %zu it claims", op, path,
            size, claimed);
    unsigned char *block = graft__alloc(g, claimed);
    if (!block)
        return graft__fail_memory(g, claimed, op);
    graft_status st = inflate_into(g, op, path, bytes, size, block, claimed);
    if (st != GRAFT_OK) {
        graft__free(g, block, claimed);
        return st;
    }
    *out = block;
    *out_size = claimed;
    return GRAFT_OK;
}

#else

graft_status graft__gunzip(graft_ctx *g, const char *op, const char *path,
                           const unsigned char *bytes, size_t size, unsigned char **out,
                           size_t *out_size)
{
    (void)bytes, (void)size, (void)out, (void)out_size;
    return graft__fail(
        g, GRAFT_ERR_FORMAT,
        "%s: %s: gzipped, and this build of graft has no libdeflate: gunzip it first", op, path);
}

#endif
