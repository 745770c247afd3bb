/* Raw deflate data, as ZIP members have it. */
#ifndef GRAFT__FILE_INFLATE_H
#define GRAFT__FILE_INFLATE_H

#include "graft/base.h"

typedef enum graft__inflated {
    GRAFT__INFLATED = 0,
    GRAFT__INFLATE_DAMAGED, /* no deflate data, or not exactly out_size bytes of it */
    GRAFT__INFLATE_MEMORY,
    GRAFT__INFLATE_ABSENT /* this build has no libdeflate */
} graft__inflated;

graft__inflated graft__inflate(const void *bytes, size_t size, void *out, size_t out_size);

/* Whether so many bytes can be deflated data of out_size: no stream expands by more than 1032. */
bool graft__may_inflate(uint64_t size, uint64_t out_size);

#endif
