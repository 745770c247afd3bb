/* Elements in C order, for kernels that want them so: where they lie, or in a copy. */
#ifndef GRAFT__OPS_DENSE_H
#define GRAFT__OPS_DENSE_H

#include "tensor/tensor.h"

/* The first element: what graft__read and, for a new tensor, graft__fresh would point at. */
static inline void *graft__first(const graft_tensor *t)
{
    return (char *)t->storage->buffer->data + (size_t)t->offset * graft_dtype_size(t->dtype);
}

/* As graft_tensor_shape, without the sizes that are not there. */
static inline graft_shape graft__shape(const graft_tensor *t)
{
    graft_shape shape;
    shape.ndim = t->ndim;
    for (int i = 0; i < t->ndim; i++)
        shape.size[i] = t->size[i];
    return shape;
}

typedef struct graft__dense {
    const void *data;
    void *block; /* the copy, if there is one */
    size_t size;
} graft__dense;

/* The elements of t. false, with the error set, if there is no memory for a copy. Freed by
 * graft__dense_free; freeing a zeroed one does nothing. */
bool graft__dense_read(const char *op, const graft_tensor *t, graft__dense *out);

/* The same of an array, whose dimensions of stride 0 may be kept as such: a bit of `repeated` for
 * each dimension that the copy need not repeat (its size counts as 1). */
bool graft__dense_array(graft_ctx *g, const char *op, const graft__array *from, unsigned repeated,
                        graft__dense *out, graft__array *array);

void graft__dense_free(graft_ctx *g, graft__dense *dense);

#endif
