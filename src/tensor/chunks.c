#include "tensor/chunks.h"

#include "kernel/copy.h"
#include "tensor/dtype.h"

/* What a chunk of no elements points to. */
static const uint64_t nothing[2];

enum {
    SPAN = 4 * GRAFT__CHUNK, /* most bytes of a storage that are read to pick elements from */
    WASTE = 4                /* how many times the bytes of a tensor may be read for that */
};

void graft__chunks_end(graft__chunks *c)
{
    graft__free(c->g, c->buffer, c->buffer_size);
    graft__free(c->g, c->span, c->span_size);
    if (c->lent)
        c->lender->take_back(c->lender, c->lent);
    *c = (graft__chunks){.g = c->g};
}

int64_t graft__chunks_step(const graft_tensor *t)
{
    int64_t elements = 1;
    size_t bytes = 1;
    graft_dtype_block(t->dtype, &elements, &bytes);
    const int64_t blocks = (int64_t)(GRAFT__CHUNK / bytes);
    return elements * (blocks > 0 ? blocks : 1);
}

/* At least size bytes in *block. */
static bool make_room(graft__chunks *c, void **block, size_t *block_size, size_t size)
{
    if (size <= *block_size)
        return true;
    graft__free(c->g, *block, *block_size);
    *block_size = 0;
    *block = graft__alloc(c->g, size);
    if (!*block) {
        graft__fail_memory(c->g, size, "chunk of a tensor");
        return false;
    }
    *block_size = size;
    return true;
}

/* ---- Bytes of the storage ---- */

/* All of them, where they can't be read in pieces: for as long as we need them, unless few of them
 * are ours, as others may want the rest. */
static const char *whole_storage(graft__chunks *c)
{
    graft__storage *s = c->tensor->storage;
    if (c->lent)
        return c->lent;
    if (graft__tensor_bytes(c->tensor) >= s->buffer->size / 2) {
        c->lent = graft__storage_lend(s, c->g, &c->lender);
        if (c->lent || c->lender)
            return c->lent;
    }
    return graft__storage_ready(s, c->g) ? s->buffer->data : NULL;
}

/* size bytes of the storage: where they lie, or read into a block. */
static const void *storage_bytes(graft__chunks *c, uint64_t begin, size_t size, void **block,
                                 size_t *block_size)
{
    graft__storage *s = c->tensor->storage;
    if (!c->lent && !c->whole && graft__storage_can_read(s)) {
        if (!make_room(c, block, block_size, size))
            return NULL;
        const graft__read_result result = graft__storage_read(s, c->g, begin, *block, size);
        if (result != GRAFT__READ_NOT)
            return result == GRAFT__READ ? *block : NULL;
    }
    const char *all = whole_storage(c);
    return all ? all + begin : NULL;
}

/* ---- Elements that lie one behind the other ---- */

static const void *in_order(graft__chunks *c, int64_t first, int64_t count)
{
    const graft_tensor *t = c->tensor;
    int64_t elements = 1;
    size_t bytes = 0;
    graft_dtype_block(t->dtype, &elements, &bytes);
    if (first % elements != 0 || count % elements != 0) {
        graft__fail(c->g, GRAFT_ERR_ARGUMENT,
                    "%lld elements of %s from element %lld on: expected whole blocks of %lld",
                    (long long)count, graft_dtype_name(t->dtype), (long long)first,
                    (long long)elements);
        return NULL;
    }
    const uint64_t begin = (uint64_t)((t->offset + first) / elements) * bytes;
    return storage_bytes(c, begin, (size_t)(count / elements) * bytes, &c->buffer, &c->buffer_size);
}

/* ---- Elements at any distance ---- */

/* A part of the tensor that has the shape of a box: places before dim, `rows` of dim, all of those
 * behind. */
typedef struct box {
    int dim;
    int64_t place[GRAFT_MAX_DIMS];
    int64_t rows;
    int64_t inner; /* elements of one row */
} box;

/* The largest box that begins with element first and has at most count elements. */
static box find_box(const graft_tensor *t, int64_t first, int64_t count)
{
    box b = {.dim = t->ndim - 1, .inner = 1};
    int64_t rest = first;
    for (int d = t->ndim - 1; d >= 0; d--) {
        b.place[d] = rest % t->size[d];
        rest /= t->size[d];
    }
    while (b.dim > 0 && b.place[b.dim] == 0 && count >= b.inner * t->size[b.dim])
        b.inner *= t->size[b.dim--];
    const int64_t left = t->size[b.dim] - b.place[b.dim];
    b.rows = count / b.inner < left ? count / b.inner : left;
    return b;
}

/* The elements of the storage, from *begin on, among which those of the box lie. */
static int64_t span_of(const graft_tensor *t, const box *b, int64_t *begin)
{
    int64_t last = (b->rows - 1) * t->stride[b->dim];
    *begin = t->offset;
    for (int d = 0; d <= b->dim; d++)
        *begin += b->place[d] * t->stride[d];
    for (int d = b->dim + 1; d < t->ndim; d++)
        last += (t->size[d] - 1) * t->stride[d];
    return last + 1;
}

/* Whether few more bytes than those of the tensor are read where boxes are read one by one: rows
 * that lie one behind the other, perhaps with gaps, or that are repeated. */
static bool suits_reading(const graft_tensor *t)
{
    int64_t last = 0, outer = INT64_MAX;
    for (int d = 0; d < t->ndim; d++) {
        if (t->size[d] == 1 || t->stride[d] == 0)
            continue;
        if (t->stride[d] < 0 || t->stride[d] > outer)
            return false;
        outer = t->stride[d];
        last += (t->size[d] - 1) * t->stride[d];
    }
    return last / WASTE < t->numel;
}

static void copy_box(const graft_tensor *t, const box *b, const char *from, char *to)
{
    graft__array dst = {.data = to, .dtype = t->dtype, .ndim = t->ndim - b->dim};
    graft__array src = dst;
    src.data = (void *)(uintptr_t)from; /* read only, as src */
    for (int d = 0; d < dst.ndim; d++) {
        dst.size[d] = src.size[d] = d == 0 ? b->rows : t->size[b->dim + d];
        src.stride[d] = t->stride[b->dim + d];
    }
    graft__contiguous_strides(dst.ndim, dst.size, dst.stride);
    graft__copy(NULL, &dst, &src); /* no pool: we may be on one of its threads */
}

/* Whether the elements of a box lie one behind the other. */
static bool is_compact(const graft_tensor *t, const box *b)
{
    int64_t step = 1;
    for (int d = t->ndim - 1; d > b->dim; d--) {
        if (t->size[d] != 1 && t->stride[d] != step)
            return false;
        step *= t->size[d];
    }
    return b->rows == 1 || t->stride[b->dim] == step;
}

/* A box of the first elements whose span is short. */
static box short_box(const graft_tensor *t, int64_t first, int64_t count)
{
    const int64_t most = SPAN / (int64_t)graft__width(t->dtype);
    box b = find_box(t, first, count);
    int64_t begin;
    while (b.rows * b.inner > 1 && span_of(t, &b, &begin) > most) {
        if (b.rows > 1)
            b.rows /= 2;
        else
            b = find_box(t, first, b.inner - 1);
    }
    return b;
}

static const void *gathered(graft__chunks *c, int64_t first, int64_t count)
{
    const graft_tensor *t = c->tensor;
    const size_t width = graft__width(t->dtype);
    int64_t begin, span;
    box b = find_box(t, first, count);
    if (b.rows * b.inner == count && is_compact(t, &b)) {
        span_of(t, &b, &begin);
        return storage_bytes(c, (uint64_t)begin * width, (size_t)count * width, &c->buffer,
                             &c->buffer_size);
    }
    if (!make_room(c, &c->buffer, &c->buffer_size, (size_t)count * width))
        return NULL;
    for (char *to = c->buffer; count > 0;) {
        b = c->whole ? find_box(t, first, count) : short_box(t, first, count);
        span = span_of(t, &b, &begin);
        const char *from = storage_bytes(c, (uint64_t)begin * width, (size_t)span * width, &c->span,
                                         &c->span_size);
        if (!from)
            return NULL;
        copy_box(t, &b, from, to);
        const int64_t done = b.rows * b.inner;
        first += done;
        count -= done;
        to += (size_t)done * width;
    }
    return c->buffer;
}

bool graft__chunks_begin(graft__chunks *c, graft_ctx *g, const graft_tensor *t)
{
    *c = (graft__chunks){.g = g, .tensor = t, .whole = !t->contiguous && !suits_reading(t)};
    return true;
}

const void *graft__chunks_at(graft__chunks *c, int64_t first, int64_t count)
{
    const graft_tensor *t = c->tensor;
    if (first < 0 || count < 0 || count > t->numel || first > t->numel - count) {
        graft__fail(c->g, GRAFT_ERR_ARGUMENT,
                    "%lld elements from element %lld on, of a tensor that has %lld",
                    (long long)count, (long long)first, (long long)t->numel);
        return NULL;
    }
    if (count == 0)
        return nothing;
    return t->contiguous ? in_order(c, first, count) : gathered(c, first, count);
}
