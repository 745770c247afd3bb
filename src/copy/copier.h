/* Copies of tensors that keep among themselves what their sources share. */
#ifndef GRAFT__COPY_COPIER_H
#define GRAFT__COPY_COPIER_H

#include "base/map.h"
#include "tensor/tensor.h"

typedef struct graft__copier {
    graft_ctx *into;
    graft__map storages; /* source storage to the storage of the copies */
    graft__map tensors;  /* source tensor to its copy */
} graft__copier;

void graft__copier_init(graft__copier *c, graft_ctx *into);
void graft__copier_free(graft__copier *c);

/* The copy of t: made the first time, the same one afterwards. Copy-on-write, with t's shape,
 * strides, place in the storage and requires_grad; without history and gradient. Views of one
 * storage become views of one storage. The caller's reference; NULL with the error set.
 *
 * The maps hold no references: copies must live until the last call, and after a failure there must
 * not be another. */
graft_tensor *graft__copier_tensor(graft__copier *c, const graft_tensor *t);

/* Gives copy a copy of t's gradient, if t has one. */
graft_status graft__copier_gradient(graft__copier *c, const graft_tensor *t, graft_tensor *copy);

#endif
