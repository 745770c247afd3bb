/* The one thing that a tensor must know of the tape: how to let go of the operation that made it.
 */
#ifndef GRAFT__TENSOR_HISTORY_H
#define GRAFT__TENSOR_HISTORY_H

struct graft__taped;

/* Drops a reference of a tensor's history (ops/tape.c; the names of the tape's types live here). */
void graft__history_drop(struct graft__taped *node);

/* The name of the operation, as errors and prints call it. */
const char *graft__history_name(const struct graft__taped *node);

#endif
