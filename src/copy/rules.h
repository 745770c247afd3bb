/* Rules, parsed. Files: rules.c (life, list), rule_table.c (the table of kinds: verb, arguments,
 * summary, parser, inverse), rules_text.c (words and quotes), rules_invert.c, rules_apply.c (on
 * items), glob.c (patterns). */
#ifndef GRAFT__COPY_RULES_H
#define GRAFT__COPY_RULES_H

#include <regex.h>

#include "base/object.h"
#include "copy/node.h"
#include "graft/rules.h"

/* The kinds, in the order of the table. GLOB: * any run of characters (dots too), ? one, [abc] and
 * [a-z] one of, {a,b} either. PATTERN: text in which each * stands for any run, as short as it can
 * be from left to right; in the patterns that a rule makes of it, each * is what it stood for. */
typedef enum graft__rule_kind {
    GRAFT__RULE_TAKE,       /* take GLOB...: only tensors that match one */
    GRAFT__RULE_SKIP,       /* skip GLOB... */
    GRAFT__RULE_KEEP,       /* keep GLOB...: of the target: its initial value is meant to stay */
    GRAFT__RULE_STRIP,      /* strip PREFIX: where it stands, once */
    GRAFT__RULE_ADD,        /* add PREFIX [GLOB] */
    GRAFT__RULE_MAP,        /* map PATTERN PATTERN: new names of those that match wholly */
    GRAFT__RULE_RENAME,     /* rename REGEX REPLACEMENT: POSIX extended, \0 to \9 */
    GRAFT__RULE_PERMUTE,    /* permute GLOB DIM... */
    GRAFT__RULE_TRANSPOSE,  /* transpose GLOB [DIM DIM]: the last two */
    GRAFT__RULE_RESHAPE,    /* reshape GLOB SIZES (768,-1) */
    GRAFT__RULE_SLICE,      /* slice GLOB DIM START END (END: a number or "end") */
    GRAFT__RULE_PAD,        /* pad GLOB DIM BEFORE AFTER [VALUE] */
    GRAFT__RULE_REPEAT,     /* repeat GLOB DIM TIMES [divide] */
    GRAFT__RULE_INFLATE,    /* inflate GLOB DIM TIMES [divide]: along a new dimension */
    GRAFT__RULE_REDUCE,     /* reduce GLOB DIM sum|mean */
    GRAFT__RULE_FUSE,       /* fuse PATTERN DIM PATTERN... [groups=N]: of the parts, the whole */
    GRAFT__RULE_SPLIT,      /* split PATTERN DIM PATTERN... [groups=N] [sizes=A,B,C] */
    GRAFT__RULE_STACK,      /* stack PREFIX FIRST-LAST...: layers PREFIX0., PREFIX1., ... anew */
    GRAFT__RULE_RESIZE,     /* resize GLOB [dim=0] [size=N] [new=zeros|mean|normal|initial]
                               [seed=0]: without size, to the target's */
    GRAFT__RULE_RESAMPLE,   /* resample GLOB [to=HxW] [from=HxW] [prefix=N]
                               [mode=bicubic|bilinear] [antialias=yes|no] */
    GRAFT__RULE_CAST,       /* cast GLOB DTYPE|target: float16, bf16, f32, ... */
    GRAFT__RULE_DEQUANTISE, /* dequantise GLOB */
    GRAFT__RULE_TIES,       /* ties keep|break|check */
    GRAFT__RULES
} graft__rule_kind;

/* keep: names that are tied in the target get one value, conflicts are refused (the default).
 * break: in a new dict every name gets memory of its own. check: names that are tied in the source
 * must be tied in the target and the other way round. */
typedef enum graft__ties { GRAFT__TIES_KEEP = 0, GRAFT__TIES_BREAK, GRAFT__TIES_CHECK } graft__ties;

typedef struct graft__rule {
    graft__rule_kind kind;
    char *line;  /* canonical */
    char **word; /* arguments that are globs, patterns, prefixes: the parts of fuse and split
                    behind the whole */
    size_t words;
    regex_t *regex; /* of rename */
    int dims;
    int64_t number[GRAFT_MAX_DIMS]; /* dims, sizes, start and end, before and after, times */
    int dim;
    int64_t (*range)[2]; /* of stack */
    size_t ranges;
    int64_t *sizes; /* of split; NULL: equal */
    int64_t groups; /* 1: none */
    double value;
    bool divide, mean, antialias, to_target; /* to_target: resize, resample and cast without size */
    graft__filling fill;
    int mode;
    uint64_t seed;
    int64_t from[2], to[2], prefix; /* of resample */
    graft_dtype dtype;
    graft__ties ties;
} graft__rule;

struct graft_rules {
    graft__object object;
    graft__rule *rule;
    size_t count, capacity;
};

/* ---- Patterns (glob.c) ---- */

bool graft__glob(const char *glob, const char *name);

/* Whether name is the pattern, and the name that `to` makes of it (NULL: only whether): owned by
 * the caller, of base/text.h. false and *out NULL if it is not; *out NULL and true without memory.
 */
bool graft__pattern(graft_ctx *g, const char *pattern, const char *name, const char *to,
                    char **out);

#endif
