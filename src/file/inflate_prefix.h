/* The first bytes of deflated data, without the rest: what stands at the head of a large member. */
#ifndef GRAFT__FILE_INFLATE_PREFIX_H
#define GRAFT__FILE_INFLATE_PREFIX_H

#include "graft/base.h"

/* Inflates until out is full. false if the data is damaged before that, or ends. Slower than
 * graft__inflate; needs no memory and no library. */
bool graft__inflate_prefix(const void *bytes, size_t size, void *out, size_t out_size);

#endif
