/* The content hash: SHA-256 over tensors, the same for the same tensors in any format. */
#ifndef GRAFT__FILE_HASH_H
#define GRAFT__FILE_HASH_H

#include "file/sha256.h"
#include "file/tensor_list.h"

enum { GRAFT__HASH_TEXT = GRAFT__SHA256_TEXT };

/* What is known of a tensor without its bytes: dtype and shape, and the hash of its elements in C
 * order as little-endian bytes. */
typedef struct graft__hashed {
    graft_dtype dtype;
    int ndim;
    int64_t size[GRAFT_MAX_DIMS];
    unsigned char hash[GRAFT__SHA256_SIZE];
} graft__hashed;

/* One hash of all: over the tensors in the order of their names (memcmp), and for each: name, 0,
 * dtype name, 0, the number of dimensions and the sizes as u64 little-endian, the hash of its
 * elements. So that names, dtypes and shapes can be checked without reading the elements, and each
 * tensor for itself. torch's float4_e2m1fn_x2 counts as what it holds: twice as many float4. */
void graft__content_begin(graft__sha256 *h);
void graft__content_add(graft__sha256 *h, const char *name, size_t length, const graft__hashed *t);

/* What float4_e2m1fn_x2 counts as; everything else stays what it is. */
void graft__content_shape(const graft_tensor *t, graft__hashed *out);

/* The hashes of the elements of all tensors of a list, each at its place in out; on the context's
 * threads. advance (may be NULL) is told the bytes that were hashed; what is not GRAFT_OK ends it.
 */
graft_status graft__hash_tensors(const graft__tensor_list *l, unsigned char *out,
                                 graft_status (*advance)(void *user, uint64_t bytes), void *user);

/* The content hash of a sorted list whose tensors have these hashes. */
void graft__hash_list(const graft__tensor_list *l, const unsigned char *hashes,
                      unsigned char out[GRAFT__SHA256_SIZE]);

/* The content hash of all tensors below a dict, those of attributes and arguments too, by their
 * dotted names, as lower-case hexadecimal. GRAFT_ERR_NAME if two names are the same;
 * GRAFT_ERR_ARGUMENT in a build without nettle. */
graft_status graft__content_hash(const graft_dict *d, const char *op, char out[GRAFT__HASH_TEXT]);

#endif
