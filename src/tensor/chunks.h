/* The elements of a tensor in order, a piece at a time and in bounded memory, wherever they lie: in
 * memory, in a file, or nowhere yet because they are computed when they are wanted. */
#ifndef GRAFT__TENSOR_CHUNKS_H
#define GRAFT__TENSOR_CHUNKS_H

#include "tensor/tensor.h"

/* Bytes that a reader asks for at once: of two or three streams this many stay in a cache. */
enum { GRAFT__CHUNK = 256 << 10 };

typedef struct graft__chunks {
    graft_ctx *g; /* whose errors and memory: the tensor's may be another's */
    const graft_tensor *tensor;
    void *buffer; /* of our own, where elements can't be used where they lie */
    size_t buffer_size;
    void *span; /* of a storage, from which elements are picked into the buffer */
    size_t span_size;
    bool whole;            /* to read it in pieces would read most of them many times */
    graft__supply *lender; /* of `lent`, where all bytes had to come at once */
    void *lent;
} graft__chunks;

/* Gets ready to read t, whose bytes may still wait (it need not have gone through
 * graft__take_tensor). Checksums are verified as the reader's options say before the first bytes
 * are handed out, or as they pass: then the last bytes are refused. false with the error set. Ended
 * by graft__chunks_end in either case. */
bool graft__chunks_begin(graft__chunks *c, graft_ctx *g, const graft_tensor *t);

/* Elements first to first + count - 1 in C order, packed, in t's dtype, aligned to it: valid until
 * the next call. Reading in order is fast; elements of a block dtype come in whole blocks. What was
 * read of a file does not stay in memory. NULL with the error set. */
const void *graft__chunks_at(graft__chunks *c, int64_t first, int64_t count);

/* How many elements to ask for: GRAFT__CHUNK bytes' worth, at least one block. */
int64_t graft__chunks_step(const graft_tensor *t);

void graft__chunks_end(graft__chunks *c);

#endif
