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

    /* Whether a moment (exp_avg, ...) of the parameter can go through it: n->moment says that it is
     * one. It has a dtype of its own, input[]'s; new elements are 0; a step that scales by c scales
     * a first moment by c and a second one by its square; a cast leaves it as it is. */
    bool takes_moments;
    bool of_source; /* describe gives a part: " of NAME" may follow */
} graft__step;

/* Where new elements come from. */
typedef enum graft__filling {
    GRAFT__FILL_ZEROS = 0,
    GRAFT__FILL_MEAN,   /* of the old rows */
    GRAFT__FILL_NORMAL, /* mean and 1e-9 times the covariance of the old rows, as Hugging Face */
    GRAFT__FILL_INITIAL /* the target's own */
} graft__filling;

/* What a cast has lost, each element counted once however often it is converted. Shared with what
 * was promised, which outlives nodes and contexts. */
typedef struct graft__losses {
    _Atomic uint32_t refs;
    graft_allocator allocator; /* of this block */
    _Atomic int64_t seen;      /* behind the last element that is counted */
    _Atomic int64_t overflows; /* were finite and no longer are, or do not fit an integer */
    _Atomic uint64_t error;    /* the largest of the others: the bits of a double */
} graft__losses;

struct graft__node {
    uint32_t refs;
    uint32_t steps; /* of the whole tree */
    graft_ctx *ctx;
    const graft__step *step; /* NULL: a source */
    graft_dtype dtype;       /* of the result */
    graft_shape shape;
    graft__node *input[16]; /* held */
    int inputs;

    /* a source: entry `entry` of `dict` (held); the place-th tensor of the source that was walked.
     * Without a dict: `initial`, a tensor that comes along (parameters of a step, no origin) */
    graft_dict *dict;
    size_t entry, place;
    bool quantised; /* a record of a quantized tensor: only dequantise takes it */

    /* what steps were told; each uses what it needs */
    int dim;
    int64_t number[GRAFT_MAX_DIMS]; /* dims of permute; start and end; before and after; ... */
    int64_t groups;                 /* interleaving of fuse and split: heads */
    double value;                   /* pad's, a factor, ... */
    int moment;                     /* while it runs: 0 the value, 1 or 2 a moment */
    graft__filling fill;
    uint64_t seed;
    int mode;              /* of resample: bilinear or bicubic; of repeat: divide or not */
    bool antialias;        /* of resample */
    graft_tensor *initial; /* of a source without a dict (held) */
    graft__losses *losses; /* of a cast (held) */
};

/* Results of these have one reference, the caller's, and hold their input; NULL with the error set:
 * GRAFT_ERR_SHAPE or _ARGUMENT in words that begin with `name` ("fc.weight: slice: dim 2 is out of
 * range for shape [10, 512]"). Negative dims count from the end. */
graft__node *graft__node_source(graft_dict *d, size_t entry, size_t place);

/* Whether a record is one of a quantized tensor, of which a source can be made (whether or not it
 * can be dequantised). */
bool graft__node_is_quantised(const graft_dict *record);

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

/* What its casts have lost by now: all of them together, and the largest error. */
void graft__node_losses(const graft__node *n, int64_t *overflows, double *error);

/* The value: a tensor in g with the caller's reference, without history; of a source the dict's own
 * tensor (g must be its context) or a copy-on-write copy. NULL with the error set. */
graft_tensor *graft__node_run(const graft__node *n, graft_ctx *g);

/* What an optimizer's moment of the value is: of() gives the moment of a source, a tensor in g of
 * its shape with a reference of ours, and it goes through the same steps. second: of the squares of
 * the gradients. NULL without an error if there is none: a source has none (of gave NULL without an
 * error), or a step that moments can't take. */
typedef graft_tensor *graft__moment_of(void *user, const graft__node *source, graft_ctx *g);
graft_tensor *graft__node_moment(const graft__node *n, graft_ctx *g, graft__moment_of *of,
                                 void *user, bool second);

/* A contiguous tensor in g (the caller's reference) whose bytes are computed when they are first
 * wanted, of the sources as they are now: writing to those later does not change it, and it
 * outlives them, the node and their context. Casts, rows and the like are read a piece at a time
 * (tensor/chunks.h). */
graft_tensor *graft__node_promise(graft__node *n, graft_ctx *g);

#endif
