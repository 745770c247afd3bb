/* torch.save's ZIP form being written. Files: torch_write.c (the archive), torch_write_see.c (what
 * will be written is looked at first: what can't be is refused, and the storages are gathered),
 * torch_write_value.c (values as opcodes). */
#ifndef GRAFT__FILE_TORCH_WRITE_H
#define GRAFT__FILE_TORCH_WRITE_H

#include "file/pickle_write.h"
#include "file/writing.h"

/* The part of a storage that is written, under its number as its key. */
typedef struct graft__torch_span {
    graft__storage *storage; /* held by the dict */
    const char *class_name;  /* "torch.FloatStorage"; of bytes where dtypes differ or are too new */
    uint64_t begin, end;     /* bytes */
    bool any;                /* begin and end are of some element */
    bool mixed;              /* tensors of several dtypes lie over it */
} graft__torch_span;

typedef struct graft__torch_out {
    graft__writing *w;
    graft__torch_span *span;
    size_t count, capacity;
    graft__map spans; /* storage -> its number, plus 1 */
    graft__pickle_writer pickle;
    const graft__value *root; /* the value of a dict with the one key "", else as_root */
    graft__value as_root;
} graft__torch_out;

/* Looks at all that will be written: GRAFT_OK, or the error with the path of what can't be. */
graft_status graft__torch_see(graft__torch_out *o);

/* The whole pickle, counted or into the sink; *size is its size. */
graft_status graft__torch_pickle(graft__torch_out *o, graft__pickle_sink *sink, void *user,
                                 uint64_t *size);

/* The number of a storage that was seen. */
size_t graft__torch_key(const graft__torch_out *o, const graft__storage *s);

/* The class of the storages of a dtype in PyTorch 1.13; NULL: there is none, and it takes
 * graft__torch_untyped and _rebuild_tensor_v3. */
const char *graft__torch_storage_class(graft_dtype dtype);
extern const char graft__torch_untyped[];

/* ---- Records of PyTorch's calls ---- */

/* The tensor of all of a quantized storage, which the record stands for; NULL if it does not. */
const graft_tensor *graft__torch_quantized(const graft_dict *record);

/* Of a record of a call that makes a tensor of a storage: the tuple (storage, offset, ...), which
 * is its args or, of _rebuild_from_type, among them. NULL: it is none. */
const graft_dict *graft__torch_storage_call(const graft_dict *record);

/* The storage that such a call is given as a tensor of all of it; NULL: as something else. */
const graft_tensor *graft__torch_call_storage(const graft_dict *call);

#endif
