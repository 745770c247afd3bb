/* Merging. Files: merge.c (sources and what they must have in common), merge_options.c (options and
 * layers), merge_methods.c (the table of methods, and what each computes of a block),
 * merge_supply.c (jobs: bytes that are computed when they are wanted), merge_select.c (the
 * threshold of TIES). */
#ifndef GRAFT__COPY_MERGE_H
#define GRAFT__COPY_MERGE_H

#include "graft/merge.h"
#include "kernel/merge.h"
#include "tensor/tensor.h"

typedef struct graft__merge_job graft__merge_job;

/* Elements that are computed at once, by one thread and in a cache. */
enum { GRAFT__MERGE_BLOCK = 4096 };

/* Arrays of a block's elements that a method may use: the sources, the base and the result in the
 * dtype that is computed in, and four for sums. */
enum {
    GRAFT__MERGE_X,
    GRAFT__MERGE_BASE,
    GRAFT__MERGE_OUT,
    GRAFT__MERGE_SUMS,
    GRAFT__MERGE_ARRAYS = 7
};

typedef struct graft__merge_block {
    const graft__merge_job *job;
    int64_t first, count;   /* elements of the tensor */
    const void *const *raw; /* the sources' elements, and the base's, in their own dtypes: of the */
    int64_t skip;           /* piece, in which the block begins here */
    char *scratch;          /* the arrays */
    int thread;             /* of those of the context */
} graft__merge_block;

typedef struct graft__merge_method {
    const char *name;
    bool base, weights, t, scale, density; /* what it has */
    bool in_dtype;   /* it works in the tensor's own dtype, on raw elements, into *_OUT */
    int64_t sources; /* exactly so many; 0: any number */

    /* What has to be known of the whole tensor first; NULL: nothing. false with the error set. */
    bool (*prepare)(graft__merge_job *job, graft_ctx *g);

    /* The block's result in its array GRAFT__MERGE_OUT. */
    void (*compute)(const graft__merge_block *b);
} graft__merge_method;

/* NULL for a number that is no method. */
const graft__merge_method *graft__merge_method_of(graft_merge_method method);

/* The largest, of integers. */
extern const graft__merge_method graft__merge_largest;

/* An array of the block, and source i (the base: i == n) in the dtype that is computed in: where it
 * lies, or in array `place`. */
void *graft__merge_array(const graft__merge_block *b, int place);
const void *graft__merge_source_of(const graft__merge_block *b, int64_t i, int place);

/* ---- Jobs ---- */

/* A tensor of a source, by what other threads may let go of: its buffer. */
typedef struct graft__merge_source {
    graft__buffer *buffer; /* held */
    graft_dtype dtype;
    int ndim;
    int64_t size[GRAFT_MAX_DIMS], stride[GRAFT_MAX_DIMS], offset;
} graft__merge_source;

/* One tensor of the result. It holds all that it needs, and outlives contexts. */
struct graft__merge_job {
    graft__supply supply; /* first */
    graft_allocator allocator;
    size_t block_size; /* of the job itself */
    size_t data_size;  /* of what fetch has made */
    const graft__merge_method *method;
    graft_dtype dtype;
    int64_t numel;
    bool f64, normalise, prepared;
    double t, scale, decay, density;
    uint64_t seed, stream; /* of DARE: stream is the hash of the name */
    int64_t n;             /* sources; the base, where the method has one, is behind them */
    double *weight;        /* n */
    uint64_t *threshold;   /* n, of TIES */
    int64_t held;          /* sources whose buffers it holds: none once all was fetched */
    graft__merge_source *source;
};

/* A job without sources, weights all 1; tensor[0..n-1] and base (or NULL) are what is merged. Its
 * result is a contiguous tensor of the first's shape and dtype: graft__merge_promise, which takes
 * over the job (also on failure). NULL with the error set. */
graft__merge_job *graft__merge_job_new(graft_ctx *g, const graft__merge_method *method, int64_t n,
                                       graft_tensor *const *tensor, graft_tensor *base);
graft_tensor *graft__merge_promise(graft_ctx *g, graft__merge_job *job, const graft_tensor *like);

/* Calls visit for the elements from first on, block by block, on the context's threads. false with
 * the error set. */
typedef void graft__merge_visit(void *user, const graft__merge_block *b);
bool graft__merge_walk(const graft__merge_job *job, graft_ctx *g, int64_t first, int64_t count,
                       graft__merge_visit *visit, void *user);

/* The threshold of each source: the bits of the smallest magnitude of (x - base) that stays. */
bool graft__merge_select(graft__merge_job *job, graft_ctx *g);

/* ---- Options ---- */

/* Checks them for n sources; NULL with the error set. */
const graft__merge_method *graft__merge_check(graft_ctx *g, const graft_merge_options *o,
                                              int64_t n);

/* What a job of that name is told. */
void graft__merge_tell(const graft_merge_options *o, const char *name, graft__merge_job *job);

#endif
