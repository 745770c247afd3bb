/* The header of an npy file, for npy files and for the members of an npz. */
#ifndef GRAFT__FILE_NPY_H
#define GRAFT__FILE_NPY_H

#include "file/named.h"

typedef struct graft__npy {
    int major, minor;
    graft_dtype dtype;
    uint32_t swap, align; /* as a graft__piece has them */
    int ndim;
    int64_t size[GRAFT_MAX_DIMS], stride[GRAFT_MAX_DIMS];
    uint64_t data, bytes; /* where the elements begin, and how many bytes they are */
} graft__npy;

enum { GRAFT__NPY_START = 12 }; /* bytes that tell how long the header is */

/* Where the header ends, by the first bytes; 0 if they are of no npy file or too few. */
uint64_t graft__npy_header_end(const unsigned char *bytes, uint64_t size);

/* Reads the header of an npy file of `total` bytes, of which the first `have` are at hand: all of
 * the header, if there are so many. Checks that the elements are exactly the rest. */
graft_status graft__npy_header(graft__reading *r, const unsigned char *bytes, uint64_t have,
                               uint64_t total, graft__npy *out);

/* ---- Writing ---- */

enum { GRAFT__NPY_HEADER = 512 }; /* bytes that no header is longer than */

/* Whether numpy has such elements. */
bool graft__npy_has(graft_dtype dtype);

/* The header of a tensor of such elements, to the byte as numpy writes it. Returns its size. */
size_t graft__npy_make_header(const graft_tensor *t, char out[GRAFT__NPY_HEADER]);

#endif
