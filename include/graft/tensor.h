/* graft/tensor.h: dtypes, shapes, tensors: making, viewing, reading, comparing and printing them.
 */
#ifndef GRAFT_TENSOR_H
#define GRAFT_TENSOR_H

#include <stdio.h>

#include "graft/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The first ten are those that graft computes in. The others are carried: they are read, written,
 * copied, viewed and compared bit for bit, and anything else refuses them. */
typedef enum graft_dtype {
    GRAFT_F32 = 0, /* torch.float32: the default */
    GRAFT_F64,     /* torch.float64 */
    GRAFT_F16,     /* torch.float16 */
    GRAFT_BF16,    /* torch.bfloat16 */
    GRAFT_I64,     /* torch.int64 */
    GRAFT_I32,     /* torch.int32 */
    GRAFT_I16,     /* torch.int16 */
    GRAFT_I8,      /* torch.int8 */
    GRAFT_U8,      /* torch.uint8 */
    GRAFT_BOOL,    /* torch.bool: one byte, 0 or 1 */
    /* carried */
    GRAFT_U16,
    GRAFT_U32,
    GRAFT_U64,
    GRAFT_C32,  /* torch.complex32: two f16 */
    GRAFT_C64,  /* torch.complex64: two f32 */
    GRAFT_C128, /* torch.complex128: two f64 */
    GRAFT_F8_E4M3FN,
    GRAFT_F8_E5M2,
    GRAFT_F8_E4M3FNUZ,
    GRAFT_F8_E5M2FNUZ,
    GRAFT_F8_E8M0FNU,
    GRAFT_F4_E2M1FN_X2, /* torch's: an element is a byte of two */
    GRAFT_BITS8,
    GRAFT_BITS16,
    GRAFT_BITS1X8,
    GRAFT_BITS2X4,
    GRAFT_BITS4X2,
    /* carried, in blocks of several elements; always contiguous, never viewed */
    GRAFT_F4,      /* two in a byte, the first in the low half */
    GRAFT_F6_E2M3, /* four in three bytes */
    GRAFT_F6_E3M2,
    GRAFT_I4, /* two in a byte */
    GRAFT_U4,
    GRAFT_Q4_0, /* this and the following: ggml's, by its names */
    GRAFT_Q4_1,
    GRAFT_Q5_0,
    GRAFT_Q5_1,
    GRAFT_Q8_0,
    GRAFT_Q8_1,
    GRAFT_Q2_K,
    GRAFT_Q3_K,
    GRAFT_Q4_K,
    GRAFT_Q5_K,
    GRAFT_Q6_K,
    GRAFT_Q8_K,
    GRAFT_IQ2_XXS,
    GRAFT_IQ2_XS,
    GRAFT_IQ3_XXS,
    GRAFT_IQ1_S,
    GRAFT_IQ4_NL,
    GRAFT_IQ3_S,
    GRAFT_IQ2_S,
    GRAFT_IQ4_XS,
    GRAFT_IQ1_M,
    GRAFT_TQ1_0,
    GRAFT_TQ2_0,
    GRAFT_MXFP4,
    GRAFT_DTYPES /* how many there are */
} graft_dtype;

/* Bytes of one element; 0 for a value that is no dtype and for those in blocks. */
GRAFT_API size_t graft_dtype_size(graft_dtype dtype);

/* Elements and bytes of one block: 1 and the size for a dtype without blocks. false for a value
 * that is no dtype. */
GRAFT_API bool graft_dtype_block(graft_dtype dtype, int64_t *elements, size_t *bytes);

/* Whether graft computes in it: one of the first ten. */
GRAFT_API bool graft_dtype_computes(graft_dtype dtype);

/* PyTorch's name ("float32"); "?" for a value that is no dtype. */
GRAFT_API const char *graft_dtype_name(graft_dtype dtype);

/* f32, f64, f16 and bf16. */
GRAFT_API bool graft_dtype_is_floating(graft_dtype dtype);

enum { GRAFT_MAX_DIMS = 8 };

/* The sizes of a tensor, outermost first. ndim 0 is a scalar. Also used for lists of dimensions. */
typedef struct graft_shape {
    int ndim;
    int64_t size[GRAFT_MAX_DIMS];
} graft_shape;

/* Shapes by their number of dimensions: graft_shape2(64, 784). graft_shape_of takes ndim sizes
 * from memory (an ndim outside of 0..8 or NULL sizes give a shape of ndim -1, which every call
 * refuses). */
GRAFT_API graft_shape graft_shape0(void);
GRAFT_API graft_shape graft_shape1(int64_t a);
GRAFT_API graft_shape graft_shape2(int64_t a, int64_t b);
GRAFT_API graft_shape graft_shape3(int64_t a, int64_t b, int64_t c);
GRAFT_API graft_shape graft_shape4(int64_t a, int64_t b, int64_t c, int64_t d);
GRAFT_API graft_shape graft_shape_of(int ndim, const int64_t *sizes);

/* A tensor: a dtype, a shape, strides and an offset into a storage. It belongs to the scope that
 * was innermost when it was made, or to the context if there was none, until graft_keep. */
typedef struct graft_tensor graft_tensor;

/* ---- Ownership ---- */

/* Takes t out of its scope: it lives until graft_tensor_free or graft_close. Returns t. */
GRAFT_API graft_tensor *graft_keep(graft_tensor *t);

/* Frees t now rather than at the end of its scope. What the graph, a module or a dict still needs
 * of it stays alive. Parameters and buffers of a module, and gradients, are not freed this way
 * (GRAFT_ERR_STATE). NULL is ignored. */
GRAFT_API graft_status graft_tensor_free(graft_tensor *t);

/* The context that t belongs to; NULL if t is NULL. */
GRAFT_API graft_ctx *graft_tensor_ctx(const graft_tensor *t);

/* ---- Making tensors. All belong to the current scope. A negative size is GRAFT_ERR_SHAPE. ---- */

GRAFT_API graft_tensor *graft_empty(graft_ctx *g, graft_shape shape, graft_dtype dtype);
GRAFT_API graft_tensor *graft_zeros(graft_ctx *g, graft_shape shape, graft_dtype dtype);
GRAFT_API graft_tensor *graft_ones(graft_ctx *g, graft_shape shape, graft_dtype dtype);

/* Every element is value, converted as graft_to converts. */
GRAFT_API graft_tensor *graft_full(graft_ctx *g, graft_shape shape, double value,
                                   graft_dtype dtype);

/* A 0-d tensor. */
GRAFT_API graft_tensor *graft_scalar(graft_ctx *g, double value, graft_dtype dtype);

/* start, start + step, ... while short of end: shape [ceil((end - start) / step)], and the numbers
 * of torch.arange to the last bit. Integer dtypes take start and step without their fractions, i64
 * end too. step must not be 0 and must lead from start towards end. Not for bool. */
GRAFT_API graft_tensor *graft_arange(graft_ctx *g, double start, double end, double step,
                                     graft_dtype dtype);

/* [n, m], ones on the diagonal. */
GRAFT_API graft_tensor *graft_eye(graft_ctx *g, int64_t n, int64_t m, graft_dtype dtype);

/* A tensor over a copy of the caller's elements, contiguous in C order. graft_empty,
 * graft_from_data and graft_from_borrowed make tensors of dtypes that are only carried, too. data
 * may be NULL only if the shape is empty. Any byte but 0 is a true bool. */
GRAFT_API graft_tensor *graft_from_data(graft_ctx *g, const void *data, graft_shape shape,
                                        graft_dtype dtype);

/* A tensor over the caller's memory itself, which must be aligned to its elements and outlive
 * every tensor, view, clone and graph over it, or until `release(user, data)` was called, where
 * given: then nothing points at it any more. In-place operations write into it (as long as no
 * clone shares it; from then on the writer gets memory of its own). If the call fails, release
 * is not called. */
GRAFT_API graft_tensor *graft_from_borrowed(graft_ctx *g, void *data, graft_shape shape,
                                            graft_dtype dtype,
                                            void (*release)(void *user, void *data), void *user);

/* Uniform in [0, 1): torch.rand. Floating dtypes. */
GRAFT_API graft_tensor *graft_rand(graft_ctx *g, graft_shape shape, graft_dtype dtype);

/* Normal with mean 0 and deviation 1: torch.randn. Floating dtypes. */
GRAFT_API graft_tensor *graft_randn(graft_ctx *g, graft_shape shape, graft_dtype dtype);

/* Integers of low..high-1: torch.randint(low, high, shape). Any dtype that holds them;
 * GRAFT_ERR_ARGUMENT else, and if the range is empty. */
GRAFT_API graft_tensor *graft_randint(graft_ctx *g, int64_t low, int64_t high, graft_shape shape,
                                      graft_dtype dtype);

/* 0..n-1 in random order, i64: torch.randperm. */
GRAFT_API graft_tensor *graft_randperm(graft_ctx *g, int64_t n);

/* ---- What a tensor is ---- */

GRAFT_API graft_dtype graft_tensor_dtype(const graft_tensor *t); /* no dtype if t is NULL */
GRAFT_API graft_shape graft_tensor_shape(const graft_tensor *t); /* ndim -1 if t is NULL */
GRAFT_API int graft_ndim(const graft_tensor *t);                 /* -1 if t is NULL */
GRAFT_API int64_t graft_numel(const graft_tensor *t);            /* -1 if t is NULL */

/* The size of one dimension; negative dims count from the end. -1 if there is no such dim. */
GRAFT_API int64_t graft_size(const graft_tensor *t, int dim);

/* The distance in elements between neighbours along dim; 0 if there is no such dim. */
GRAFT_API int64_t graft_stride(const graft_tensor *t, int dim);

/* The first element's place in the storage, in elements. -1 if t is NULL. */
GRAFT_API int64_t graft_storage_offset(const graft_tensor *t);

GRAFT_API bool graft_is_contiguous(const graft_tensor *t);

/* Whether writing into one is seen through the other: they are views of one storage. */
GRAFT_API bool graft_shares_storage(const graft_tensor *a, const graft_tensor *b);

/* Whether both lie in the same memory at this moment: one storage, or a copy-on-write clone that
 * neither side has written yet. */
GRAFT_API bool graft_shares_memory(const graft_tensor *a, const graft_tensor *b);

/* ---- Reading and writing elements ---- */

/* The first element, for reading; elements lie as the strides say. NULL if t is NULL; not NULL
 * for an empty tensor. Valid until the tensor is written or freed. */
GRAFT_API const void *graft_data(const graft_tensor *t);

/* The first element, for writing. Separates t from its copy-on-write clones first and counts as a
 * write for the graph. NULL on failure. Good for writing until t is copied (cloned, loaded from,
 * taken into a snapshot): ask again then, or the copy would be written too. */
GRAFT_API void *graft_data_mut(graft_tensor *t);

/* The only element of a tensor of one element, as a double (i64 beyond 2^53 is rounded). NaN and
 * an error if it has more or fewer. */
GRAFT_API double graft_item(const graft_tensor *t);

/* The same as an integer; floats are truncated. 0 and an error on failure. */
GRAFT_API int64_t graft_item_i64(const graft_tensor *t);

/* Copies all elements in C order into out, converted to dtype; out_bytes must be exactly
 * numel * size of dtype. A dtype that is only carried is copied as its bytes, into itself alone. */
GRAFT_API graft_status graft_copy_out(const graft_tensor *t, void *out, size_t out_bytes,
                                      graft_dtype dtype);

/* ---- Views: share the storage, and take part in the graph ---- */

/* The same elements in another shape, without copying. One size may be -1: it is inferred.
 * GRAFT_ERR_SHAPE if the strides do not allow it (graft_reshape copies then). */
GRAFT_API graft_tensor *graft_view(graft_tensor *t, graft_shape shape);

/* graft_view where possible, else of a contiguous copy. */
GRAFT_API graft_tensor *graft_reshape(graft_tensor *t, graft_shape shape);

/* Dimensions in the order given: dims.size[i] is the source of dimension i. */
GRAFT_API graft_tensor *graft_permute(graft_tensor *t, graft_shape dims);
GRAFT_API graft_tensor *graft_transpose(graft_tensor *t, int dim0, int dim1);

/* Elements start..start+length-1 of dimension dim. A negative start counts from the end. */
GRAFT_API graft_tensor *graft_narrow(graft_tensor *t, int dim, int64_t start, int64_t length);

/* Element index of dimension dim, which goes away. A negative index counts from the end. */
GRAFT_API graft_tensor *graft_select(graft_tensor *t, int dim, int64_t index);

/* Repeats dimensions of size 1 (and new leading ones) without copying; -1 keeps a size. */
GRAFT_API graft_tensor *graft_expand(graft_tensor *t, graft_shape shape);

/* Dimensions start_dim..end_dim become one; a copy where a view is not possible. */
GRAFT_API graft_tensor *graft_flatten(graft_tensor *t, int start_dim, int end_dim);

/* Drops dimension dim if its size is 1; graft_squeeze_all drops all of size 1. */
GRAFT_API graft_tensor *graft_squeeze(graft_tensor *t, int dim);
GRAFT_API graft_tensor *graft_squeeze_all(graft_tensor *t);

/* Inserts a dimension of size 1 before dim (-ndim-1 .. ndim). */
GRAFT_API graft_tensor *graft_unsqueeze(graft_tensor *t, int dim);

/* ---- Copies ---- */

/* t itself if it is contiguous, else a contiguous copy. Takes part in the graph. */
GRAFT_API graft_tensor *graft_contiguous(graft_tensor *t);

/* t itself if it has that dtype, else a converted copy. Floats round to nearest even; floats to
 * integers truncate, and what does not fit is unspecified but not an error; to bool is != 0.
 * Takes part in the graph between floating dtypes. */
GRAFT_API graft_tensor *graft_to(graft_tensor *t, graft_dtype dtype);

/* A deep copy: own memory (copy-on-write: shared until one side writes), its own leaf with the
 * requires_grad and the gradient of t, no history. Contiguous views are copied as they are, others
 * are made contiguous. Into ctx `into`, or t's own if NULL; freed by graft_tensor_free. A tensor
 * with history is refused (GRAFT_ERR_STATE): detach it first. For a copy that stays in the graph
 * see graft_copy in graft/ops.h. */
GRAFT_API graft_tensor *graft_tensor_clone(graft_tensor *t, graft_ctx *into);

/* ---- Comparing and printing ---- */

/* torch.equal: same shape and all elements equal (NaN is equal to nothing). dtypes may differ: they
 * are promoted. Dtypes that are only carried are compared bit for bit, each with itself alone.
 * False if either is NULL. */
GRAFT_API bool graft_equal(const graft_tensor *a, const graft_tensor *b);

/* torch.allclose: |a - b| <= atol + rtol * |b| everywhere, after broadcasting; NaN equals NaN if
 * equal_nan. False, with an error, if the shapes do not broadcast. */
GRAFT_API bool graft_allclose(const graft_tensor *a, const graft_tensor *b, double rtol,
                              double atol, bool equal_nan);

/* What PyTorch's print shows for the tensor, summarised beyond 1,000 elements; of the graph it
 * shows requires_grad=True, or grad_fn=<MulBackward0> with the name of the operation as errors call
 * it. The text belongs to the caller: free it with graft_text_free. */
GRAFT_API char *graft_tensor_text(const graft_tensor *t);

/* The same, and a newline, to a stream. */
GRAFT_API graft_status graft_print(const graft_tensor *t, FILE *stream);

#ifdef __cplusplus
}
#endif

#endif
