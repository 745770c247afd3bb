/* Values a piece at a time, in little memory: of steps whose elements in order are made of elements
 * in order. */
#include <string.h>

#include "copy/node_cast.h"
#include "kernel/dequantise.h"
#include "tensor/chunks.h"

/* Elements that are converted at once: with what they are made of they stay in a cache. */
enum { PIECE = GRAFT__CHUNK / 8 };

typedef struct reader {
    graft_ctx *g;
    const graft__node_values *values;
} reader;

/* Whether the step joins or takes rows that lie one behind the other. */
static bool moves_rows(const graft__node *n)
{
    if (n->step != &graft__slice_step && n->step != &graft__part_step &&
        n->step != &graft__fuse_step)
        return false;
    for (int d = 0; d < n->dim; d++)
        if (n->shape.size[d] != 1)
            return false;
    return n->groups == 1;
}

static bool converts(const graft__node *n)
{
    return n->step == &graft__cast_step ||
           (n->step == &graft__dequantise_step && !n->input[0]->quantised);
}

bool graft__node_is_piecewise(const graft__node *n)
{
    if (n->step && n->step != &graft__reshape_step && !converts(n) && !moves_rows(n))
        return false;
    for (int i = 0; i < n->inputs; i++)
        if (!graft__node_is_piecewise(n->input[i]))
            return false;
    return true;
}

/* The bytes of count elements, which are whole blocks. */
static size_t bytes_of(graft_dtype dtype, int64_t count)
{
    int64_t elements = 1;
    size_t bytes = 0;
    graft_dtype_block(dtype, &elements, &bytes);
    return (size_t)(count / elements) * bytes;
}

static bool read_elements(const reader *r, const graft__node *n, int64_t first, int64_t count,
                          char *out);

static bool read_source(const reader *r, const graft__node *n, int64_t first, int64_t count,
                        char *out)
{
    graft_tensor *t = r->values->of(r->values->user, n, r->g);
    if (!t)
        return false;
    graft__chunks c;
    bool ok = graft__chunks_begin(&c, r->g, t);
    const int64_t step = graft__chunks_step(t);
    for (int64_t some; ok && count > 0; count -= some, first += some) {
        some = count < step ? count : step;
        const void *const data = graft__chunks_at(&c, first, some);
        const size_t bytes = bytes_of(t->dtype, some);
        ok = data != NULL;
        if (ok)
            memcpy(out, data, bytes);
        out += bytes;
    }
    graft__chunks_end(&c);
    graft__tensor_unref(t);
    return ok;
}

/* memory has room for PIECE elements of in->dtype, and behind them for as many of n->dtype. first
 * and count are whole blocks. */
static const char *convert_piece(const reader *r, const graft__node *n, int64_t first,
                                 int64_t count, char *memory)
{
    const graft__node *const in = n->input[0];
    char *const made = memory + bytes_of(in->dtype, PIECE);
    if (!read_elements(r, in, first, count, memory))
        return NULL;
    if (n->step == &graft__cast_step)
        graft__cast_elements(NULL, n->losses, first, count, memory, in->dtype, made, n->dtype);
    else
        graft__dequantise_blocks(NULL, in->dtype, count, memory, (float *)(void *)made);
    return made;
}

static bool read_converted(const reader *r, const graft__node *n, int64_t first, int64_t count,
                           char *out)
{
    int64_t block = 1;
    graft_dtype_block(n->input[0]->dtype, &block, NULL);
    const size_t width = graft_dtype_size(n->dtype);
    const size_t size = bytes_of(n->input[0]->dtype, PIECE) + PIECE * width;
    char *const memory = graft__alloc(r->g, size);
    if (!memory) {
        graft__fail_memory(r->g, size, "plan");
        return false;
    }
    const int64_t end = (first + count + block - 1) / block * block;
    bool ok = true;
    for (int64_t at = first / block * block, some; ok && at < end; at += some) {
        some = end - at < PIECE ? end - at : PIECE;
        const char *const made = convert_piece(r, n, at, some, memory);
        const int64_t from = at < first ? first : at;
        const int64_t to = at + some < first + count ? at + some : first + count;
        ok = made != NULL;
        if (ok)
            memcpy(out + (size_t)(from - first) * width, made + (size_t)(from - at) * width,
                   (size_t)(to - from) * width);
    }
    graft__free(r->g, memory, size);
    return ok;
}

static int64_t numel_of(const graft__node *n)
{
    return graft__shape_numel(n->shape.ndim, n->shape.size);
}

/* Those of the inputs that lie in first to first + count - 1 of them all. */
static bool read_joined(const reader *r, const graft__node *n, int64_t first, int64_t count,
                        char *out)
{
    for (int i = 0; i < n->inputs && count > 0; i++) {
        const int64_t numel = numel_of(n->input[i]);
        if (first < numel) {
            const int64_t some = numel - first < count ? numel - first : count;
            if (!read_elements(r, n->input[i], first, some, out))
                return false;
            out += bytes_of(n->dtype, some);
            first += some;
            count -= some;
        }
        first -= numel;
    }
    return true;
}

static bool read_elements(const reader *r, const graft__node *n, int64_t first, int64_t count,
                          char *out)
{
    if (!n->step)
        return read_source(r, n, first, count, out);
    if (converts(n))
        return read_converted(r, n, first, count, out);
    if (n->step == &graft__fuse_step)
        return read_joined(r, n, first, count, out);
    int64_t start = 0;
    if (n->step != &graft__reshape_step) {
        start = n->number[0];
        for (int d = n->dim + 1; d < n->shape.ndim; d++)
            start *= n->shape.size[d];
    }
    return read_elements(r, n->input[0], start + first, count, out);
}

/* Pieces that begin or end within an element go by way of whole ones. */
static bool read_unaligned(const reader *r, const graft__node *n, uint64_t begin, char *out,
                           size_t size)
{
    int64_t elements = 1;
    size_t bytes = 1;
    graft_dtype_block(n->dtype, &elements, &bytes);
    const uint64_t first = begin / bytes, end = (begin + size + bytes - 1) / bytes;
    const size_t whole = (size_t)(end - first) * bytes;
    char *const memory = graft__alloc(r->g, whole);
    if (!memory) {
        graft__fail_memory(r->g, whole, "plan");
        return false;
    }
    const bool ok =
        read_elements(r, n, (int64_t)first * elements, (int64_t)(end - first) * elements, memory);
    if (ok)
        memcpy(out, memory + (begin - first * bytes), size);
    graft__free(r->g, memory, whole);
    return ok;
}

bool graft__node_read(const graft__node *n, graft_ctx *g, const graft__node_values *values,
                      uint64_t begin, void *out, size_t size)
{
    const reader r = {g, values};
    int64_t elements = 1;
    size_t bytes = 1;
    graft_dtype_block(n->dtype, &elements, &bytes);
    if (begin % bytes != 0 || size % bytes != 0)
        return read_unaligned(&r, n, begin, out, size);
    return read_elements(&r, n, (int64_t)(begin / bytes) * elements,
                         (int64_t)(size / bytes) * elements, out);
}
