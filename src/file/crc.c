#include "file/crc.h"

#ifdef GRAFT_DEFLATE

#include <libdeflate.h>

uint32_t graft__crc32(uint32_t crc, const void *bytes, size_t size)
{
    return size ? libdeflate_crc32(crc, bytes, size) : crc; /* NULL is no error with size 0 */
}

#else

#include "file/crc_slice.h"

uint32_t graft__crc32(uint32_t crc, const void *bytes, size_t size)
{
    return graft__crc32_slice(crc, bytes, size);
}

#endif
