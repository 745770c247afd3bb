/* A growing array of plain values, in a context's memory. */
#ifndef GRAFT__BASE_VECTOR_H
#define GRAFT__BASE_VECTOR_H

#include "graft/base.h"

/* Makes room for one more element behind *count in *items (capacity *capacity, element size
 * item_size). false, without an error set, if there is no memory: all is as before. */
bool graft__vector_reserve(graft_ctx *g, void **items, size_t count, size_t *capacity,
                           size_t item_size);

#endif
