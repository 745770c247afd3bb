/* What reading, writing, sharding and salvaging of safetensors share. */
#ifndef GRAFT__FILE_SAFETENSORS_H
#define GRAFT__FILE_SAFETENSORS_H

#include "file/reading.h"
#include "file/sha256.h"

enum { GRAFT__SAFETENSORS_PREFIX = 8 }; /* bytes of the header's length */
#define GRAFT__SAFETENSORS_MAX_HEADER UINT64_C(100000000)

/* ---- Dtypes ---- */

typedef struct graft__safetensors_dtype {
    const char *name; /* "F32" */
    graft_dtype dtype;
    uint32_t bits; /* of an element */
} graft__safetensors_dtype;

/* By the place in the reference implementation's order, which its writer sorts by; NULL beyond the
 * last. */
const graft__safetensors_dtype *graft__safetensors_dtype_at(int rank);

/* -1: there is none. */
int graft__safetensors_rank_of_name(const char *name, size_t length);
int graft__safetensors_rank_of_dtype(graft_dtype dtype);

/* ---- Headers ---- */

typedef struct graft__safetensor {
    uint64_t at;         /* of its name in the file, for errors */
    uint64_t begin, end; /* in the data */
    uint64_t size[GRAFT_MAX_DIMS];
    int ndim;
    int rank; /* of the dtype */
} graft__safetensor;

/* A header, read and checked but for the data behind it. */
typedef struct graft__safetensors {
    graft_ctx *g;
    graft_dict *dict;          /* the names in the header's order; their values are None yet */
    graft__safetensor *tensor; /* beside the dict's entries */
    size_t count, capacity;
    uint32_t *order;    /* by offset */
    uint64_t data;      /* where it begins in the file */
    uint64_t data_size; /* that the header speaks of */
} graft__safetensors;

/* Reads the header: its length, the JSON, `__metadata__` into r->metadata. */
graft_status graft__safetensors_parse(graft__reading *r, graft__safetensors *out);

/* Whether offsets, shapes and dtypes fit together, by offset and in the order in which the
 * reference implementation checks. Fills data_size and order. */
graft_status graft__safetensors_check(graft__reading *r, graft__safetensors *s);

/* A tensor over the bytes of tensor i, which must lie within the file; the caller's reference.
 * sha256 may be NULL. */
graft_tensor *graft__safetensors_tensor(graft__reading *r, const graft__safetensors *s, size_t i,
                                        const unsigned char *sha256);

/* The hashes of the tensors' bytes as r->metadata has them, one behind the other (freed by
 * graft__free, count of GRAFT__SHA256_SIZE bytes); NULL if there are none or if they are not asked
 * for. CHECKSUM if names, dtypes and shapes are not those that were hashed. */
graft_status graft__safetensors_hashes(graft__reading *r, const graft__safetensors *s,
                                       unsigned char **out);

/* Frees what parse made, also the dict where it is still there. */
void graft__safetensors_free(graft__safetensors *s);

/* Whether the bytes look like a header of safetensors: a length that may be and a brace. */
bool graft__safetensors_matches(const unsigned char *bytes, uint64_t size);

/* The keys of `__metadata__` that hold hashes: of all, and of each tensor in the order of names. */
#define GRAFT__SHA256_KEY "graft.sha256"
#define GRAFT__SHA256_TENSORS_KEY "graft.sha256.tensors"

#endif
