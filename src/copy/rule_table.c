/* The kinds of rules. */
#include "copy/rules.h"

const graft__rule_verb graft__rule_verbs[GRAFT__RULES] = {
    [GRAFT__RULE_TAKE] = {"take", "GLOB...", "Takes only the tensors that match one of the globs.",
                          "what was not taken is gone"},
    [GRAFT__RULE_SKIP] = {"skip", "GLOB...", "Leaves out the tensors that match one of the globs.",
                          "what was skipped is gone"},
    [GRAFT__RULE_KEEP] = {"keep", "GLOB...",
                          "Keeps the target's tensors that match at their initial value.", NULL},
    [GRAFT__RULE_STRIP] = {"strip", "PREFIX", "Takes the prefix off the names that begin with it.",
                           NULL},
    [GRAFT__RULE_ADD] = {"add", "PREFIX [GLOB]",
                         "Puts the prefix in front of all names, or of those that match.", NULL},
    [GRAFT__RULE_MAP] = {"map", "PATTERN PATTERN",
                         "Renames what matches the first pattern to the second, each * standing "
                         "for the same text.",
                         NULL},
    [GRAFT__RULE_RENAME] = {"rename", "REGEX REPLACEMENT",
                            "Replaces the first match of the regex in each name; \\0 to \\9 are "
                            "the match and its groups.",
                            NULL},
    [GRAFT__RULE_PERMUTE] = {"permute", "GLOB DIMS...", "Puts the dimensions into this order.",
                             NULL},
    [GRAFT__RULE_TRANSPOSE] = {"transpose", "GLOB [DIM1 DIM2]",
                               "Exchanges two dimensions, the last two if none are named.", NULL},
    [GRAFT__RULE_RESHAPE] = {"reshape", "GLOB SHAPE",
                             "Gives the elements another shape; one size may be -1.",
                             "the shape before is not known"},
    [GRAFT__RULE_SLICE] = {"slice", "GLOB DIM START END",
                           "Keeps the elements START to END of a dimension, negative ones counted "
                           "from its end; END may be \"end\".",
                           "what was cut away is gone"},
    [GRAFT__RULE_PAD] = {"pad", "GLOB DIM BEFORE AFTER [VALUE]",
                         "Adds elements before and after a dimension: zeros or VALUE.", NULL},
    [GRAFT__RULE_REPEAT] = {"repeat", "GLOB DIM TIMES [divide]",
                            "Puts copies one behind the other along a dimension; divide: each "
                            "divided by TIMES.",
                            NULL},
    [GRAFT__RULE_INFLATE] = {"inflate", "GLOB DIM TIMES [divide]",
                             "Puts copies side by side along a new dimension; divide: each divided "
                             "by TIMES.",
                             NULL},
    [GRAFT__RULE_REDUCE] = {"reduce", "GLOB DIM sum|mean|first [times=N] [drop]",
                            "Makes one of all elements of a dimension, or of its N copies one "
                            "behind the other; drop takes the dimension away.",
                            "what was summed up or dropped is gone"},
    [GRAFT__RULE_FUSE] = {"fuse", "PATTERN DIM PATTERNS... [groups=N] [sizes=A,B,...|any]",
                          "Makes one tensor of several, one behind the other along a dimension, or "
                          "interleaved in groups.",
                          NULL},
    [GRAFT__RULE_SPLIT] = {"split", "PATTERN DIM PATTERNS... [groups=N] [sizes=A,B,...]",
                           "Makes several tensors of one, of equal sizes if none are given.", NULL},
    [GRAFT__RULE_STACK] = {"stack", "PREFIX FIRST-LAST...",
                           "Takes the numbered layers of these ranges in order and numbers them "
                           "anew.",
                           "layers may be there twice or no more"},
    [GRAFT__RULE_RESIZE] = {"resize",
                            "GLOB [dim=N] [size=N] [new=zeros|mean|normal|initial] "
                            "[seed=N]",
                            "Cuts a dimension or adds to it, to the target's size if none is "
                            "given; new=: what new elements are.",
                            "the size before is not known"},
    [GRAFT__RULE_RESAMPLE] = {"resample",
                              "GLOB [to=HxW] [from=HxW] [prefix=N] [mode=bicubic|bilinear] "
                              "[antialias=yes|no]",
                              "Interpolates a grid of position embeddings, to the target's size if "
                              "none is given.",
                              "it interpolates"},
    [GRAFT__RULE_CAST] = {"cast", "GLOB DTYPE|target",
                          "Converts to a dtype, or to the \"target\"'s.",
                          "the dtype before is not known, and digits are lost"},
    [GRAFT__RULE_DEQUANTISE] = {"dequantise", "GLOB", "Makes float32 of those that are quantized.",
                                "digits are lost"},
    [GRAFT__RULE_TIES] = {"ties", "keep|break|check",
                          "Says what becomes of tied tensors: one value, memory of their own, or "
                          "tied on both sides.",
                          NULL},
};
