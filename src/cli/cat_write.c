/* Elements as they are, and as npy. */
#include <stdlib.h>
#include <string.h>

#include "cli/cat.h"
#include "cli/say.h"

enum { PIECE = 1 << 20 }; /* elements */

static bool small_piece(graft_tensor *t, cat_each *each, void *user)
{
    const int64_t count = graft_numel(t);
    const size_t size = (size_t)count * graft_dtype_size(graft_tensor_dtype(t));
    void *const copy = malloc(size + 1);
    const bool ok = copy && graft_copy_out(t, copy, size, graft_tensor_dtype(t)) == GRAFT_OK &&
                    each(user, copy, count);
    free(copy);
    return ok;
}

bool cat_pieces(graft_tensor *t, cat_each *each, void *user)
{
    const int64_t count = graft_numel(t);
    if (!t)
        return false;
    if (graft_is_contiguous(t))
        return each(user, graft_data(t), count);
    if (count <= PIECE)
        return small_piece(t, each, user);
    const int64_t rows = graft_size(t, 0), row = count / rows;
    const int64_t step = row < PIECE ? PIECE / row : 1;
    bool ok = true;
    for (int64_t i = 0; ok && i < rows; i += step) {
        const int64_t n = rows - i < step ? rows - i : step;
        graft_scope_begin(graft_tensor_ctx(t));
        ok = cat_pieces(n == 1 ? graft_select(t, 0, i) : graft_narrow(t, 0, i, n), each, user);
        graft_scope_end(graft_tensor_ctx(t));
    }
    return ok;
}

typedef struct writer {
    size_t element;
} writer;

static bool write_elements(void *user, const void *elements, int64_t count)
{
    const writer *const w = user;
    return fwrite(elements, w->element, (size_t)count, stdout) == (size_t)count;
}

static int write_all(cli_call *call, graft_tensor *t)
{
    writer w = {.element = graft_dtype_size(graft_tensor_dtype(t))};
    int64_t elements = 1;
    size_t bytes = w.element;
    graft_dtype_block(graft_tensor_dtype(t), &elements, &bytes);
    if (w.element == 0) { /* blocks are contiguous */
        fwrite(graft_data(t), bytes, (size_t)(graft_numel(t) / elements), stdout);
        return CLI_OK;
    }
    cat_pieces(t, write_elements, &w);
    return graft_error(call->g) ? say_error(call) : CLI_OK; /* a full disk is told by main */
}

int cat_raw(cli_call *call, graft_tensor *t)
{
    return write_all(call, t);
}

/* numpy's names of dtypes; NULL where it has none. */
static const char *const descrs[GRAFT_DTYPES] = {
    [GRAFT_BOOL] = "|b1", [GRAFT_I8] = "|i1",    [GRAFT_U8] = "|u1",  [GRAFT_I16] = "<i2",
    [GRAFT_I32] = "<i4",  [GRAFT_I64] = "<i8",   [GRAFT_U16] = "<u2", [GRAFT_U32] = "<u4",
    [GRAFT_U64] = "<u8",  [GRAFT_F16] = "<f2",   [GRAFT_F32] = "<f4", [GRAFT_F64] = "<f8",
    [GRAFT_C64] = "<c8",  [GRAFT_C128] = "<c16",
};

enum { HEADER = 512, START = 10, ALIGN = 64 };

/* To the byte as numpy writes it, which leaves room for the first size to grow to 21 digits. */
static void write_header(const char *descr, const graft_shape *shape)
{
    char header[HEADER];
    char *const text = header + START;
    const size_t room = HEADER - START;
    size_t first = 0, n = (size_t)snprintf(
                          text, room, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
    for (int i = 0; i < shape->ndim; i++) {
        const size_t digits = (size_t)snprintf(text + n, room - n, "%s%lld", i ? ", " : "",
                                               (long long)shape->size[i]);
        first = i ? first : digits;
        n += digits;
    }
    n += (size_t)snprintf(text + n, room - n, "%s), }", shape->ndim == 1 ? "," : "");
    const size_t used = START + n + (shape->ndim ? 21 - first : 0) + 1;
    const size_t size = used + ALIGN - used % ALIGN;
    memset(text + n, ' ', size - START - n);
    header[size - 1] = '\n';
    memcpy(header, "\x93NUMPY\1\0", 8);
    header[8] = (char)((size - START) & 0xFF);
    header[9] = (char)((size - START) >> 8);
    fwrite(header, 1, size, stdout);
}

int cat_npy(cli_call *call, graft_tensor *t)
{
    const graft_dtype dtype = graft_tensor_dtype(t);
    const graft_shape shape = graft_tensor_shape(t);
    if (!descrs[dtype])
        return say_trouble(call, "numpy has no %s: --dtype f32 converts, --format raw is as it is",
                           graft_dtype_name(dtype));
    write_header(descrs[dtype], &shape);
    return write_all(call, t);
}
