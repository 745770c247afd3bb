#include "file/elements.h"

enum { PART = 4 << 20 };

typedef graft_status visit_fn(void *user, const void *bytes, size_t size);

uint64_t graft__element_bytes(const graft_tensor *t)
{
    int64_t elements;
    size_t bytes;
    if (!graft_dtype_block(t->dtype, &elements, &bytes))
        return 0;
    return (uint64_t)(t->numel / elements) * bytes;
}

static graft_status show(const char *bytes, uint64_t size, visit_fn *visit, void *user)
{
    graft_status status = GRAFT_OK;
    for (uint64_t at = 0; at < size && status == GRAFT_OK; at += PART)
        status = visit(user, bytes + at, (size_t)(size - at < PART ? size - at : PART));
    return status;
}

/* Where a walk over the parts of a strided tensor stands: one place in each of the dimensions
 * before `dim`, and `rows` of that one at a time, which fit a part. */
typedef struct parts {
    const graft_tensor *t;
    int dim;
    int64_t rows;
    int64_t place[GRAFT_MAX_DIMS];
} parts;

static parts divide(const graft_tensor *t)
{
    parts p = {.t = t, .dim = t->ndim - 1};
    uint64_t row = graft_dtype_size(t->dtype); /* bytes of one step along dim */
    while (p.dim > 0 && row * (uint64_t)t->size[p.dim] <= PART)
        row *= (uint64_t)t->size[p.dim--];
    p.rows = (int64_t)(PART / row);
    return p;
}

/* The next place; false behind the last. */
static bool advance(parts *p)
{
    p->place[p->dim] += p->rows;
    if (p->place[p->dim] < p->t->size[p->dim])
        return true;
    p->place[p->dim] = 0;
    for (int d = p->dim - 1; d >= 0; d--) {
        if (++p->place[d] < p->t->size[d])
            return true;
        p->place[d] = 0;
    }
    return false;
}

static graft_status show_part(const parts *p, visit_fn *visit, void *user)
{
    const graft_tensor *t = p->t;
    int64_t size[GRAFT_MAX_DIMS];
    int64_t offset = t->offset;
    for (int d = 0; d < t->ndim; d++) {
        size[d] = d < p->dim ? 1 : t->size[d];
        offset += p->place[d] * t->stride[d];
    }
    const int64_t left = t->size[p->dim] - p->place[p->dim];
    size[p->dim] = left < p->rows ? left : p->rows;
    graft_tensor *part = graft__tensor_alias(t, t->ndim, size, t->stride, offset);
    graft_tensor *copy = part ? graft__tensor_snapshot(part, t->object.ctx) : NULL;
    graft_status status = copy ? GRAFT_OK : graft_error_status(t->object.ctx);
    if (copy)
        status = visit(user, graft__read(copy).data, (size_t)graft__element_bytes(copy));
    graft__tensor_unref(copy);
    graft__tensor_unref(part);
    return status;
}

graft_status graft__each_part(const graft_tensor *t, visit_fn *visit, void *user)
{
    if (t->numel == 0)
        return GRAFT_OK;
    if (t->contiguous)
        return show(graft__read(t).data, graft__element_bytes(t), visit, user);
    parts p = divide(t);
    graft_status status;
    do
        status = show_part(&p, visit, user);
    while (status == GRAFT_OK && advance(&p));
    return status;
}
