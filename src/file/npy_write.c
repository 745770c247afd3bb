/* Writing npy: one array alone; and the header, which the members of an npz have too. */
#include <stdio.h>
#include <string.h>

#include "file/elements.h"
#include "file/npy.h"
#include "file/tensor_list.h"
#include "file/writing.h"

enum { ALIGN = 64, START = 10 };

/* numpy's names of dtypes; NULL where it has none. */
static const char *const descrs[GRAFT_DTYPES] = {
    [GRAFT_BOOL] = "|b1", [GRAFT_I8] = "|i1",    [GRAFT_U8] = "|u1",  [GRAFT_I16] = "<i2",
    [GRAFT_I32] = "<i4",  [GRAFT_I64] = "<i8",   [GRAFT_U16] = "<u2", [GRAFT_U32] = "<u4",
    [GRAFT_U64] = "<u8",  [GRAFT_F16] = "<f2",   [GRAFT_F32] = "<f4", [GRAFT_F64] = "<f8",
    [GRAFT_C64] = "<c8",  [GRAFT_C128] = "<c16",
};

bool graft__npy_has(graft_dtype dtype)
{
    return descrs[dtype];
}

/* It leaves room for the first size to grow to 21 digits, and then fills up to a multiple of 64,
 * with 64 where it is one. */
size_t graft__npy_make_header(const graft_tensor *t, char out[GRAFT__NPY_HEADER])
{
    char *text = out + START;
    size_t room = GRAFT__NPY_HEADER - START;
    int n = snprintf(text, room, "{'descr': '%s', 'fortran_order': False, 'shape': (",
                     descrs[t->dtype]);
    int first = 0;
    for (int i = 0; i < t->ndim; i++) {
        int digits =
            snprintf(text + n, room - (size_t)n, "%s%lld", i ? ", " : "", (long long)t->size[i]);
        first = i ? first : digits;
        n += digits;
    }
    n += snprintf(text + n, room - (size_t)n, "%s), }", t->ndim == 1 ? "," : "");
    size_t used = START + (size_t)n + (t->ndim ? 21 - (size_t)first : 0) + 1;
    size_t size = used + ALIGN - used % ALIGN;
    memset(text + n, ' ', size - START - (size_t)n);
    out[size - 1] = '\n';
    memcpy(out, "\x93NUMPY\1\0", 8);
    out[8] = (char)((size - START) & 0xFF);
    out[9] = (char)((size - START) >> 8);
    return size;
}

typedef struct npy {
    graft__writing *w;
    graft__save *save;
} npy;

static graft_status write_part(void *user, const void *bytes, size_t size)
{
    npy *n = user;
    const graft_status status = graft__save_write(n->save, bytes, size);
    return status == GRAFT_OK ? graft__written(n->w, size) : status;
}

static graft_status write_file(graft__writing *w, const graft_tensor *t)
{
    npy n = {.w = w, .save = graft__save_begin(w->g, w->op, w->path)};
    if (!n.save)
        return graft_error_status(w->g);
    char header[GRAFT__NPY_HEADER];
    graft_status status = graft__save_write(n.save, header, graft__npy_make_header(t, header));
    w->total = graft__element_bytes(t);
    if (status == GRAFT_OK)
        status = graft__each_part(w->g, t, write_part, &n);
    if (status != GRAFT_OK) {
        graft__save_abort(n.save);
        return status;
    }
    w->report.tensors = w->report.storages = w->report.files = 1;
    w->report.bytes = graft__save_offset(n.save);
    return graft__save_commit(n.save, w->options.sync);
}

static graft_status write_one(graft__writing *w, const graft__tensor_list *list)
{
    if (list->count != 1)
        return graft__fail(w->g, GRAFT_ERR_ARGUMENT,
                           "%s: %s: %zu tensors: an npy holds one; npz holds several", w->op,
                           w->path, list->count);
    const graft_tensor *t = list->item[0].tensor;
    if (!graft__npy_has(t->dtype))
        return graft__fail(w->g, GRAFT_ERR_DTYPE,
                           "%s: %s: numpy has no %s: expected another dtype (graft_to), or another "
                           "format",
                           w->op, w->path, graft_dtype_name(t->dtype));
    return write_file(w, t);
}

graft_status graft__write_npy(graft__writing *w)
{
    graft__text begin;
    graft__tensor_list list;
    graft__text_init(&begin, w->g);
    graft__text_addf(&begin, "%s: %s", w->op, w->path);
    graft_status status = begin.failed ? graft__fail_memory(w->g, strlen(w->path), w->op)
                                       : graft__tensor_list_of(w->dict, begin.data, &list);
    if (status == GRAFT_OK) {
        status = write_one(w, &list);
        graft__tensor_list_free(&list);
    }
    graft__text_free(&begin);
    return status;
}
