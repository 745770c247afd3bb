/* The bytes of a tensor's elements in C order, a part at a time. */
#ifndef GRAFT__FILE_ELEMENTS_H
#define GRAFT__FILE_ELEMENTS_H

#include "tensor/tensor.h"

/* Calls visit for one part after the other, each of at most 4 MiB; what is not GRAFT_OK ends it and
 * comes back. Contiguous tensors are shown as they lie; of others each part is made contiguous, so
 * that it takes no more than 4 MiB of memory. The bytes must be there (graft__take_tensor). */
graft_status graft__each_part(const graft_tensor *t,
                              graft_status (*visit)(void *user, const void *bytes, size_t size),
                              void *user);

/* Bytes of the elements: what the parts add up to. */
uint64_t graft__element_bytes(const graft_tensor *t);

#endif
