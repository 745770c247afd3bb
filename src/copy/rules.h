/* Rules, parsed. Files: rules.c (life, list), rule_table.c (the table of kinds: verb, arguments,
 * summary), rule_arguments.c (parsing and printing by it), rule_check.c, rule_parse.c, rules_text.c
 * (words and quotes), rename.c (regexes), rules_invert.c, rules_apply.c, rules_parts.c,
 * rules_stack.c, rules_shape.c, rules_adapt.c (on items), glob.c (patterns). */
#ifndef GRAFT__COPY_RULES_H
#define GRAFT__COPY_RULES_H

#include <regex.h>

#include "base/object.h"
#include "base/text.h"
#include "copy/node.h"
#include "graft/rules.h"

/* The kinds, in the order of the table. GLOB: * any run of characters (dots too), ? one, [abc] and
 * [a-z] one of, {a,b} either. PATTERN: text in which each * stands for any run, as short as it can
 * be from left to right; in the patterns that a rule makes of it, each * is what it stood for. */
typedef enum graft__rule_kind {
    GRAFT__RULE_TAKE,      /* take GLOB...: only tensors that match one */
    GRAFT__RULE_SKIP,      /* skip GLOB... */
    GRAFT__RULE_KEEP,      /* keep GLOB...: of the target: its initial value is meant to stay */
    GRAFT__RULE_STRIP,     /* strip PREFIX: where it stands, once */
    GRAFT__RULE_ADD,       /* add PREFIX [GLOB] */
    GRAFT__RULE_MAP,       /* map PATTERN PATTERN: new names of those that match wholly */
    GRAFT__RULE_RENAME,    /* rename REGEX REPLACEMENT: POSIX extended, \0 to \9 */
    GRAFT__RULE_PERMUTE,   /* permute GLOB DIM... */
    GRAFT__RULE_TRANSPOSE, /* transpose GLOB [DIM DIM]: the last two */
    GRAFT__RULE_RESHAPE,   /* reshape GLOB SIZES (768,-1) */
    GRAFT__RULE_SLICE,     /* slice GLOB DIM START END (END: a number or "end") */
    GRAFT__RULE_PAD,       /* pad GLOB DIM BEFORE AFTER [VALUE] */
    GRAFT__RULE_REPEAT,    /* repeat GLOB DIM TIMES [divide] */
    GRAFT__RULE_INFLATE,   /* inflate GLOB DIM TIMES [divide]: along a new dimension */
    GRAFT__RULE_REDUCE,    /* reduce GLOB DIM sum|mean|first [times=N] [drop]: the whole of dim, or
                              its `times` parts, one behind the other, to one */
    GRAFT__RULE_FUSE,      /* fuse PATTERN DIM PATTERN... [groups=N] [sizes=A,B,C|any]: of the
                              parts, the whole. Without sizes they must be equal, so that the
                              inverse is known */
    GRAFT__RULE_SPLIT,     /* split PATTERN DIM PATTERN... [groups=N] [sizes=A,B,C] */
    GRAFT__RULE_STACK,     /* stack PREFIX FIRST-LAST...: layers PREFIX0., PREFIX1., ... anew */
    GRAFT__RULE_RESIZE,    /* resize GLOB [dim=0] [size=N] [new=zeros|mean|normal|initial]
                              [seed=N]: without size, to the target's */
    GRAFT__RULE_RESAMPLE,  /* resample GLOB [to=HxW] [from=HxW] [prefix=N]
                              [mode=bicubic|bilinear] [antialias=yes|no] */
    GRAFT__RULE_CAST, /* cast GLOB DTYPE|target: float16, bf16, f32, ...; to a floating dtype, a
                         glob means no integers */
    GRAFT__RULE_DEQUANTISE, /* dequantise GLOB: of those, the ones that are quantized */
    GRAFT__RULE_TIES,       /* ties keep|break|check */
    GRAFT__RULES
} graft__rule_kind;

/* keep: names that are tied in the target get one value, conflicts are refused (the default).
 * break: in a new dict every name gets memory of its own. check: names that are tied in the source
 * must be tied in the target and the other way round. */
typedef enum graft__ties { GRAFT__TIES_KEEP = 0, GRAFT__TIES_BREAK, GRAFT__TIES_CHECK } graft__ties;

/* What a reduction keeps of several elements. */
typedef enum graft__reduction {
    GRAFT__REDUCE_SUM = 0,
    GRAFT__REDUCE_MEAN,
    GRAFT__REDUCE_FIRST
} graft__reduction;

enum {
    GRAFT__GLOB_MAX = 1000,     /* bytes of a glob, pattern or regex */
    GRAFT__STARS_MAX = 16,      /* of a pattern */
    GRAFT__PARTS_MAX = 16,      /* of fuse and split: the inputs of a node */
    GRAFT__LAYERS_MAX = 100000, /* of stack */
    GRAFT__RULES_MAX = 10000,   /* a position fits graft__item.adapt */
};

/* END of a slice that goes to the end. */
#define GRAFT__RULE_END INT64_MAX

typedef struct graft__rule {
    graft__rule_kind kind;
    char *line;  /* canonical */
    char **word; /* arguments that are globs, patterns, prefixes: the parts of fuse and split
                    behind the whole; the regex and its replacement */
    size_t words, word_capacity;
    regex_t *regex;                 /* of rename */
    int64_t number[GRAFT_MAX_DIMS]; /* dims; sizes; start and end; before and after; times; size */
    int numbers;
    int dim;
    int64_t (*range)[2]; /* of stack */
    size_t ranges, range_capacity;
    int64_t *sizes; /* of split and fuse: as many as there are parts; NULL: equal */
    size_t size_count;
    int64_t groups; /* 1: none */
    double value;   /* of pad */
    bool any_sizes; /* of fuse */
    bool divide;    /* of repeat and inflate */
    bool drop;      /* of reduce: the dim goes */
    bool antialias; /* of resample */
    bool to_target; /* resize, resample and cast without size or dtype */
    graft__reduction reduction;
    graft__filling fill;
    int mode;               /* of resample */
    uint64_t seed;          /* of resize */
    int64_t from[2], to[2]; /* of resample; 0: not said */
    int64_t prefix;         /* of resample; -1: not said */
    graft_dtype dtype;
    graft__ties ties;
} graft__rule;

struct graft_rules {
    graft__object object;
    graft__rule *rule;
    size_t count, capacity;
};

/* ---- The table (rule_table.c) ---- */

typedef struct graft__rule_verb {
    const char *verb;
    const char *arguments; /* the grammar: see rule_arguments.c */
    const char *summary;
    const char *no_inverse; /* why; NULL: there is one */
} graft__rule_verb;

extern const graft__rule_verb graft__rule_verbs[GRAFT__RULES];

/* The rule that these words make, with its canonical line, in *out, which was empty; GRAFT_OK or
 * the error set, as "WHERE: verb: ...": then *out is empty again. */
graft_status graft__rule_parse(graft_ctx *g, const char *where, char *const *word, size_t words,
                               graft__rule *out);

/* Why the words of a rule, each of which is right, do not go together; NULL: they do. */
const char *graft__rule_fault(const graft__rule *rule);

/* "float16", "f16", "F16". */
bool graft__dtype_of_name(const char *word, graft_dtype *out);

void graft__rule_clear(graft_ctx *g, graft__rule *rule);

/* Adds a word to what a rule has. false without memory. */
bool graft__rule_add_word(graft_ctx *g, graft__rule *rule, const char *word, size_t length);

/* ---- Words (rules_text.c) ---- */

/* The words of a line of `length` bytes, without quotes, in *word (*words; freed by
 * graft__words_free). GRAFT_OK or the error set, as "WHERE: ...". */
typedef struct graft__words {
    graft_ctx *g;
    char **word;
    size_t words, capacity;
} graft__words;

graft_status graft__words_of(graft__words *out, graft_ctx *g, const char *where, const char *line,
                             size_t length);
void graft__words_free(graft__words *w);

/* Appends the word, quoted where it must be, so that graft__words_of reads it. */
void graft__word_quote(graft__text *out, const char *word);

/* An empty list with one reference, the caller's. */
graft_rules *graft__rules_new(graft_ctx *g);

/* Adds the rule of a line; a line without words is passed over. `where` is for errors. */
graft_status graft__rules_add_line(graft_rules *rules, const char *where, const char *line,
                                   size_t length);

/* ---- rename (rename.c) ---- */

/* The parsed regex in *out (freed by graft__regex_free); NULL with *why in words, or without where
 * memory ran out. */
regex_t *graft__regex_new(graft_ctx *g, const char *text, char why[128]);
void graft__regex_free(graft_ctx *g, regex_t *regex);

/* Why a replacement cannot be one for a regex with so many groups; NULL: it can. */
const char *graft__replacement_fault(const char *replacement, size_t groups);

/* Whether the name matches, and then what it becomes: owned by the caller; NULL, with the error
 * set, without memory. */
bool graft__rename(graft_ctx *g, const graft__rule *rule, const char *name, char **out);

/* The line that leads back in *out (of base/text.h); NULL with *why if there is none, or without if
 * memory ran out. */
char *graft__rename_invert(graft_ctx *g, const graft__rule *rule, const char **why);

/* ---- Patterns (glob.c) ---- */

/* How many * it has. */
size_t graft__pattern_stars(const char *pattern);

/* Whether name is the pattern, and the name that `to` makes of it (NULL: only whether), which has
 * no more stars: owned by the caller, of base/text.h. false and *out NULL if it is not; *out NULL
 * and true, with the error set, without memory. */
bool graft__pattern(graft_ctx *g, const char *pattern, const char *name, const char *to,
                    char **out);

#endif
