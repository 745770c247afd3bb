#include "file/inflate.h"

#ifdef GRAFT_DEFLATE
#include <libdeflate.h>
#endif

enum { MAX_RATIO = 1032 }; /* deflate's best: 258 bytes from a quarter of a byte */

bool graft__may_inflate(uint64_t size, uint64_t out_size)
{
    return out_size / MAX_RATIO + (out_size % MAX_RATIO != 0) <= size;
}

#ifdef GRAFT_DEFLATE

graft__inflated graft__inflate(const void *bytes, size_t size, void *out, size_t out_size)
{
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    if (!d)
        return GRAFT__INFLATE_MEMORY;
    size_t used = 0, written = 0;
    enum libdeflate_result r =
        libdeflate_deflate_decompress_ex(d, bytes, size, out, out_size, &used, &written);
    libdeflate_free_decompressor(d);
    /* Bytes behind the stream would be read by some and not by others. */
    bool whole = r == LIBDEFLATE_SUCCESS && used == size && written == out_size;
    return whole ? GRAFT__INFLATED : GRAFT__INFLATE_DAMAGED;
}

#else

graft__inflated graft__inflate(const void *bytes, size_t size, void *out, size_t out_size)
{
    (void)bytes, (void)size, (void)out, (void)out_size;
    return GRAFT__INFLATE_ABSENT;
}

#endif
