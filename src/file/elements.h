/* The bytes of a tensor's elements in C order, a part at a time. */
#ifndef GRAFT__FILE_ELEMENTS_H
#define GRAFT__FILE_ELEMENTS_H

#include "tensor/tensor.h"

/* Calls visit for one part after the other, each of about GRAFT__CHUNK bytes; what is not GRAFT_OK
 * ends it and comes back. The bytes may still wait: they pass through, in little memory where they
 * can be read in pieces (tensor/chunks.h). */
graft_status graft__each_part(graft_ctx *g, const graft_tensor *t,
                              graft_status (*visit)(void *user, const void *bytes, size_t size),
                              void *user);

/* The same for bytes begin to end - 1 of a storage. */
graft_status graft__each_storage_part(graft_ctx *g, graft__storage *s, uint64_t begin, uint64_t end,
                                      graft_status (*visit)(void *user, const void *bytes,
                                                            size_t size),
                                      void *user);

/* Bytes of the elements: what the parts add up to. */
uint64_t graft__element_bytes(const graft_tensor *t);

#endif
