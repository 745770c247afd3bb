/* How a tensor is made of tensors of a source: an expression that knows the dtype and shape of its
 * result without any bytes, and is computed when they are wanted.
 *
 * One file per family of steps: node_layout.c (permute, reshape, slice, pad, repeat, inflate,
 * reduce), node_parts.c (fuse, split), node_rows.c (resize), node_resample.c, node_cast.c (cast,
 * dequantise). Each step has its shape rule and its computing in one place, behind one
 * graft__step. */
#ifndef GRAFT__COPY_NODE_H
#define GRAFT__COPY_NODE_H

#include "base/text.h"
#include "tensor/dict.h"

typedef struct graft__node graft__node;

typedef struct graft__step {
    const char *verb; /* as rules and plans call it */

    /* The result as a new contiguous tensor (the caller's reference) without history, in g; the
     * inputs are computed and in input[]. NULL with the error set. */
    graft_tensor *(*run)(const graft__node *n, graft_ctx *g, graft_tensor *const *input);

    /* Appends what is done, for people: "rows 0 to 9", "dim 0 padded by 3". */
    void (*describe)(const graft__node *n, graft__text *out);

    /* Whether the bytes of a moment (exp_avg, ...) of the parameter can go through it; a step that
     * scales by c has moment_scale c. New elements of a moment are 0. */
    bool takes_moments;
} graft__step;

/* Where new elements come from. */
typedef enum graft__filling {
    GRAFT__FILL_ZEROS = 0,
    GRAFT__FILL_MEAN,   /* of the old rows */
    GRAFT__FILL_NORMAL, /* mean and 1e-9 times the covariance of the old rows, as Hugging Face */
    GRAFT__FILL_INITIAL /* the target's own */
} graft__filling;

struct graft__node {
    uint32_t refs;
    graft_ctx *ctx;
    const graft__step *step; /* NULL: a source */
    graft_dtype dtype;       /* of the result */
    graft_shape shape;
    graft__node *input[16]; /* held */
    int inputs;

    /* a source: entry `entry` of `dict` (held); the place-th tensor of the source that was walked
     */
    graft_dict *dict;
    size_t entry, place;
    bool quantised; /* a record of a quantized tensor: only dequantise takes it */

    /* what steps were told; each uses what it needs */
    int dim;
    int64_t number[GRAFT_MAX_DIMS]; /* dims of permute; start and end; before and after; ... */
    int64_t groups;                 /* interleaving of fuse and split: heads */
    double value;                   /* pad's, a factor, ... */
    double moment_scale;            /* of first moments: 1 where nothing is scaled */
    graft__filling fill;
    uint64_t seed;
    int mode;                  /* of resample: bilinear or bicubic; of repeat: divide or not */
    bool antialias;            /* of resample */
    graft_tensor *initial;     /* for GRAFT__FILL_INITIAL (held) */
    _Atomic int64_t overflows; /* of cast, when it has run */
    _Atomic uint64_t error;    /* the largest error of it: the bits of a double */
};

/* Results of these have one reference, the caller's, and hold their input; NULL with the error set:
 * GRAFT_ERR_SHAPE or _ARGUMENT in words that begin with `name` ("fc.weight: slice: dim 2 is out of
 * range for shape [10, 512]"). Negative dims count from the end. */
graft__node *graft__node_source(graft_dict *d, size_t entry, size_t place);
graft__node *graft__node_permute(graft__node *in, const char *name, graft_shape dims);
graft__node *graft__node_reshape(graft__node *in, const char *name, graft_shape shape); /* one -1 */
graft__node *graft__node_slice(graft__node *in, const char *name, int dim, int64_t start,
                               int64_t end);
graft__node *graft__node_pad(graft__node *in, const char *name, int dim, int64_t before,
                             int64_t after, double value);

/* `times` copies one behind the other along dim, or along a new dimension dim; divided by `times`
 * if divide. */
graft__node *graft__node_repeat(graft__node *in, const char *name, int dim, int64_t times,
                                bool divide);
graft__node *graft__node_inflate(graft__node *in, const char *name, int dim, int64_t times,
                                 bool divide);

/* The sum or mean along dim, which stays with size 1. */
graft__node *graft__node_reduce(graft__node *in, const char *name, int dim, bool mean);

/* One behind the other along dim; part `which` of `count` along dim, sizes as given (NULL: equal).
 * With groups > 1 dim is [groups, parts, ...] and not [parts, groups, ...]: fused q, k, v of each
 * head lie together. */
graft__node *graft__node_fuse(graft__node *const *in, int count, const char *name, int dim,
                              int64_t groups);
graft__node *graft__node_part(graft__node *in, const char *name, int dim, int which, int count,
                              const int64_t *sizes, int64_t groups);

/* The first `size` of dim, or all of them and new ones behind. initial (for FILL_INITIAL) has the
 * result's shape. */
graft__node *graft__node_resize(graft__node *in, const char *name, int dim, int64_t size,
                                graft__filling fill, uint64_t seed, graft_tensor *initial);

/* [1, prefix + h*w, D] (or [prefix + h*w, D]) as a grid of h x w vectors behind `prefix` tokens
 * that stay, resampled to height x width: torch's interpolate with align_corners=False. from_h 0: a
 * square. */
enum { GRAFT__BILINEAR, GRAFT__BICUBIC };
graft__node *graft__node_resample(graft__node *in, const char *name, int64_t prefix, int64_t from_h,
                                  int64_t from_w, int64_t height, int64_t width, int mode,
                                  bool antialias);
graft__node *graft__node_cast(graft__node *in, const char *name, graft_dtype dtype);

/* Of torch's quantized tensors (records) and of ggml's linear block dtypes: float32. */
graft__node *graft__node_dequantise(graft__node *in, const char *name);

graft__node *graft__node_ref(graft__node *n);
void graft__node_unref(graft__node *n); /* NULL is ignored */

/* "rows 0 to 9 of fc.weight, float32 to float16": all steps from the sources on; "" for a source.
 * The names of sources are their dotted paths, by place. */
void graft__node_describe(const graft__node *n, const char *const *names, graft__text *out);

/* The first source beneath. */
const graft__node *graft__node_origin(const graft__node *n);

/* The value: a tensor in g with the caller's reference, without history; of a source the dict's own
 * tensor (g must be its context) or a copy-on-write copy. NULL with the error set. */
graft_tensor *graft__node_run(const graft__node *n, graft_ctx *g);

/* A tensor in g whose bytes are computed when they are first wanted: a promised storage, which
 * holds the node. A source or a cast of one is read a piece at a time (tensor/chunks.h). */
graft_tensor *graft__node_promise(graft__node *n, graft_ctx *g);

#endif
