/* Deflated data: the library's own decoder of a beginning beside libdeflate. The first two bytes
 * say how much is wanted. What libdeflate takes may be refused, as zlib does: it knows lengths that
 * deflate has no codes for. */
#include "file/inflate.h"

#include <stdlib.h>
#include <string.h>

#include "file/inflate_prefix.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    const size_t wanted = graft__le16(data);
    unsigned char *all = malloc(wanted + 1);
    if (!all)
        fuzz_die("no memory for %zu bytes", wanted);
    const bool whole = graft__inflate(data + 2, size - 2, all, wanted) == GRAFT__INFLATED;
    for (size_t have = wanted;; have /= 2) {
        unsigned char *exact = malloc(have ? have : 1);
        if (!exact)
            fuzz_die("no memory for %zu bytes", have);
        const bool good = graft__inflate_prefix(data + 2, size - 2, exact, have);
        if (whole && good && memcmp(exact, all, have) != 0)
            fuzz_die("the first %zu of %zu bytes are not those of libdeflate", have, wanted);
        free(exact);
        if (have == 0)
            break;
    }
    free(all);
    return 0;
}
