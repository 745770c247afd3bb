/* graft/data.h: data sets from files and batches out of them. */
#ifndef GRAFT_DATA_H
#define GRAFT_DATA_H

#include "graft/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Reads an idx file (the format of MNIST and its kin), plain or gzipped, recognised by content: u8
 * (and the other element types of the format) in the shape the file says. The tensor belongs to the
 * scope. GRAFT_ERR_IO and GRAFT_ERR_FORMAT name the file and what was wrong with it. */
GRAFT_API graft_tensor *graft_load_idx(graft_ctx *g, const char *path);

/* Rows index[0..n-1] of x (dimension 0), index being i64 [n]: x[index] without a gradient. */
GRAFT_API graft_tensor *graft_take_rows(const graft_tensor *x, const graft_tensor *index);

#ifdef __cplusplus
}
#endif

#endif
