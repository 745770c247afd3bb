/* graft/merge.h: one model out of several. docs/merging.md has the formulas and their sources. */
#ifndef GRAFT_MERGE_H
#define GRAFT_MERGE_H

#include "graft/dict.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum graft_merge_method {
    GRAFT_MERGE_MEAN = 0, /* sum of x_i / n; stochastic weight averaging over its checkpoints */
    GRAFT_MERGE_WEIGHTED, /* sum of w_i x_i (divided by the sum of w_i with normalise) */
    GRAFT_MERGE_EMA,      /* decay * x_0 + (1 - decay) * x_1; of more: step after step */
    GRAFT_MERGE_SLERP,    /* along the arc from x_0 to x_1, by t */
    GRAFT_MERGE_TASK,     /* base + scale * sum of w_i (x_i - base) */
    GRAFT_MERGE_TIES,     /* base + scale * the trimmed deltas of the elected sign, averaged */
    GRAFT_MERGE_DARE /* base + scale * sum of w_i (x_i - base), dropped at random and rescaled */
} graft_merge_method;

/* "mean", ...; never NULL. */
GRAFT_API const char *graft_merge_method_name(graft_merge_method method);

/* What becomes of tensors that are not floating. */
typedef enum graft_merge_integers {
    GRAFT_MERGE_AGREE = 0, /* they must be equal in all sources, or it is an error by name */
    GRAFT_MERGE_FIRST,     /* the first source's */
    GRAFT_MERGE_MAX        /* the largest, element by element, of integers and bool only */
} graft_merge_integers;

/* Weights (or t, or scale: what the method has) of some layers only: the last glob that matches a
 * name counts, alone: what it does not say is the method's. */
typedef struct graft_merge_layer {
    const char *glob;
    const double *weights; /* one for each source; NULL: the method's */
    double t, scale;       /* NaN: the method's */
} graft_merge_layer;

typedef struct graft_merge_options {
    graft_merge_method method;
    const graft_dict *base; /* of TASK, TIES and DARE */
    const double *weights;  /* one for each source; NULL: all 1 */
    bool normalise;         /* WEIGHTED, TIES: divide by the sum of the weights (true) */
    double decay;           /* EMA: 0.999 */
    double t;               /* SLERP: 0.5 */
    double scale;           /* lambda of TASK, TIES, DARE: 1 */
    double density;         /* TIES: the share of each delta that stays, by magnitude: 0.2;
                               DARE: 1 - p, the share that is kept: 0.2 too */
    uint64_t seed;          /* DARE: the same seed, the same bits */
    bool f64;               /* compute in f64 and not in f32 */
    graft_merge_integers integers;
    const graft_merge_layer *layers; /* may be NULL */
    int64_t layer_count;
} graft_merge_options;

GRAFT_API graft_merge_options graft_merge_defaults(void);

/* The merge of n dicts (state dicts or roots of open checkpoints, by dotted names), in the order,
 * dtypes and ties of the first. All must have the same names and shapes (the error lists what
 * differs). Nothing is computed yet: each tensor is when it is first used or, a piece at a time,
 * when it is written, so that models larger than memory merge into a file in bounded memory. Holds
 * the sources' tensors. Freed by graft_dict_free. */
GRAFT_API graft_dict *graft_merge(graft_ctx *g, const graft_dict *const *sources, int64_t n,
                                  const graft_merge_options *options);

#ifdef __cplusplus
}
#endif

#endif
