/* The tensor's insides, and what other folders may do with them. */
#ifndef GRAFT__TENSOR_TENSOR_H
#define GRAFT__TENSOR_TENSOR_H

#include "graft/tensor.h"
#include "kernel/array.h"
#include "tensor/storage.h"

struct graft__taped; /* ops/tape.h */

struct graft_tensor {
    graft__object object; /* first: a tensor is an object */
    graft__storage *storage;
    int64_t offset; /* elements */
    int64_t numel;
    graft_dtype dtype;
    int8_t ndim;
    bool requires_grad; /* of a leaf; tensors with history always do */
    bool grad_is_set;   /* grad holds a gradient, rather than memory for the next one */
    bool contiguous;
    bool is_gradient;       /* of some leaf */
    bool parameter;         /* read from a file as a torch.nn.Parameter */
    uint16_t registrations; /* names in modules: such a tensor is not freed by its handle */
    int64_t size[GRAFT_MAX_DIMS];
    int64_t stride[GRAFT_MAX_DIMS];
    struct graft__taped *history; /* the operation that made it; NULL for a leaf */
    graft_tensor *grad;           /* contiguous, the tensor's shape and dtype */
};

/* ---- Making. The result has one reference, the caller's: hand it to the scope with graft__result.
 * All return NULL with the error set. ---- */

/* A contiguous tensor over new memory, not initialised. op names the caller in errors; checks ndim,
 * sizes and overflow. */
graft_tensor *graft__tensor_new(graft_ctx *g, const char *op, int ndim, const int64_t *size,
                                graft_dtype dtype);

/* The number of elements of a tensor to be made; -1 with the error set if it cannot be: the checks
 * of graft__tensor_new alone. */
int64_t graft__check_new(graft_ctx *g, const char *op, int ndim, const int64_t *size,
                         graft_dtype dtype);

/* The same two for a dtype that is only carried, too. */
int64_t graft__check_carried(graft_ctx *g, const char *op, int ndim, const int64_t *size,
                             graft_dtype dtype, size_t *bytes);
graft_tensor *graft__tensor_carried(graft_ctx *g, const char *op, int ndim, const int64_t *size,
                                    graft_dtype dtype);

/* A contiguous tensor with t's shape and the dtype, not initialised. */
graft_tensor *graft__tensor_like(const graft_tensor *t, graft_dtype dtype);

/* A tensor over the storage of t; offset counts from the start of the storage; no history. */
graft_tensor *graft__tensor_alias(const graft_tensor *t, int ndim, const int64_t *size,
                                  const int64_t *stride, int64_t offset);

/* The same for the operation op, of another shape or place: a dtype in blocks can't be viewed so
 * (GRAFT_ERR_DTYPE). */
graft_tensor *graft__tensor_view(const graft_tensor *t, const char *op, int ndim,
                                 const int64_t *size, const int64_t *stride, int64_t offset);

/* A tensor over a storage, whose reference it takes over (also on failure). NULL stride:
 * contiguous. */
graft_tensor *graft__tensor_over(graft__storage *s, graft_dtype dtype, int ndim,
                                 const int64_t *size, const int64_t *stride, int64_t offset);

/* Gives the caller's reference to the scope and returns t; NULL if t is NULL or the scope can't
 * take it. */
graft_tensor *graft__result(graft_tensor *t);

graft_tensor *graft__tensor_ref(graft_tensor *t);
void graft__tensor_unref(graft_tensor *t); /* NULL is ignored */

/* ---- Elements ---- */

/* Not a loop: compilers make a call or a slow instruction of one that copies, which takes longer
 * than many a small operation. */
static inline void graft__copy_dims(graft__array *to, const graft_tensor *from)
{
    _Static_assert(GRAFT_MAX_DIMS == 8, "one case for each dimension");
    switch (from->ndim) {
    case 8:
        to->size[7] = from->size[7];
        to->stride[7] = from->stride[7];
        /* fall through */
    case 7:
        to->size[6] = from->size[6];
        to->stride[6] = from->stride[6];
        /* fall through */
    case 6:
        to->size[5] = from->size[5];
        to->stride[5] = from->stride[5];
        /* fall through */
    case 5:
        to->size[4] = from->size[4];
        to->stride[4] = from->stride[4];
        /* fall through */
    case 4:
        to->size[3] = from->size[3];
        to->stride[3] = from->stride[3];
        /* fall through */
    case 3:
        to->size[2] = from->size[2];
        to->stride[2] = from->stride[2];
        /* fall through */
    case 2:
        to->size[1] = from->size[1];
        to->stride[1] = from->stride[1];
        /* fall through */
    case 1:
        to->size[0] = from->size[0];
        to->stride[0] = from->stride[0];
        /* fall through */
    default:
        break;
    }
}

/* The array of a tensor, for kernels that read: its data is not const, but must not be written
 * through. Entries behind the dimensions are left as they are. */
static inline void graft__read_into(const graft_tensor *t, graft__array *out)
{
    out->data = (char *)t->storage->buffer->data + t->offset * (int64_t)graft__width(t->dtype);
    out->dtype = t->dtype;
    out->ndim = t->ndim;
    graft__copy_dims(out, t);
}

/* The same as a value, which costs a copy. */
graft__array graft__read(const graft_tensor *t);

/* For kernels that write: separates the storage from its copies and counts a write. false, with the
 * error set, if there is no memory. */
bool graft__write(graft_tensor *t, graft__array *out);

/* As graft__write, but the old elements are not needed: none is copied if t is all of its storage.
 */
bool graft__overwrite(graft_tensor *t, graft__array *out);

/* The array of a tensor whose storage is new and unshared: a result in the making. */
graft__array graft__fresh(graft_tensor *t);

/* ---- Shapes ---- */

/* The bytes of its elements. */
size_t graft__tensor_bytes(const graft_tensor *t);

/* Whether t is contiguous and all of its storage. */
bool graft__covers_storage(const graft_tensor *t);

bool graft__same_shape(const graft_tensor *a, const graft_tensor *b);
bool graft__equal_shapes(const graft_shape *a, const graft_shape *b);

/* The strides of a contiguous tensor. */
void graft__contiguous_strides(int ndim, const int64_t *size, int64_t *stride);

/* The number of elements, or -1 if a size is negative or if the bytes of the widest dtype would not
 * fit a ptrdiff_t. */
int64_t graft__shape_numel(int ndim, const int64_t *size);

/* dim counted from the front, or -1 with the error set ("softmax: dim 3 is out of range for shape
 * [2, 4]: expected -2 to 1"). For a 0-d tensor, -1 and 0 are allowed and give 0, as in PyTorch. */
int graft__check_dim(const graft_tensor *t, const char *op, int dim);

/* "[2, 3]" into out, which is returned. */
enum { GRAFT__SHAPE_TEXT = GRAFT_MAX_DIMS * 22 + 3 };
const char *graft__shape_text(int ndim, const int64_t *size, char out[GRAFT__SHAPE_TEXT]);
const char *graft__tensor_shape_text(const graft_tensor *t, char out[GRAFT__SHAPE_TEXT]);

/* The shape that two broadcast to; false, with the error set, if they do not. */
bool graft__broadcast(const char *op, const graft_tensor *a, const graft_tensor *b, int *ndim,
                      int64_t *size);

/* The array seen with that (broadcast) shape: stride 0 where it repeats. */
graft__array graft__broadcast_array(const graft__array *a, int ndim, const int64_t *size);

/* torch.promote_types, and torch.result_type (where a 0-d tensor yields to one with dimensions of
 * the same or a higher category). */
graft_dtype graft__promote(graft_dtype a, graft_dtype b);
graft_dtype graft__result_dtype(const graft_tensor *a, const graft_tensor *b);

/* false, with the error set, if either is NULL (no error then: it is there already) or if they
 * belong to different contexts. */
bool graft__same_context(const char *op, const graft_tensor *a, const graft_tensor *b);

/* A copy with memory of its own (copy-on-write where t is all of its storage, else compacted) and
 * without history, gradient or requires_grad, into a context. The caller's reference. */
graft_tensor *graft__tensor_snapshot(const graft_tensor *t, graft_ctx *into);

/* Copies elements, with broadcasting and conversion, without history: dst[i] = src[i]. */
graft_status graft__tensor_assign(graft_tensor *dst, const graft_tensor *src);

#endif
