/* Elements that are converted a piece at a time: what node_promise.c shares with the steps. */
#ifndef GRAFT__COPY_NODE_CAST_H
#define GRAFT__COPY_NODE_CAST_H

#include "copy/node_make.h"

extern const graft__step graft__dequantise_step;

/* Elements first to first + count - 1, of dtypes that graft computes in, and what they lose. pool
 * NULL: on this thread. */
void graft__cast_elements(graft__pool *pool, graft__losses *l, int64_t first, int64_t count,
                          const void *in, graft_dtype from, void *out, graft_dtype to);

#endif
