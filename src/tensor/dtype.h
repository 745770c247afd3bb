/* Sizes of elements that come in blocks, and who may compute. */
#ifndef GRAFT__TENSOR_DTYPE_H
#define GRAFT__TENSOR_DTYPE_H

#include "base/error.h"
#include "graft/tensor.h"

/* The bytes of numel elements; false if they fill no whole blocks or more than 64 bits. */
bool graft__dtype_bytes(graft_dtype dtype, int64_t numel, uint64_t *bytes);

/* false, with the error set, for a dtype that is only carried, or none. */
bool graft__check_computes(graft_ctx *g, const char *op, graft_dtype dtype);

#endif
