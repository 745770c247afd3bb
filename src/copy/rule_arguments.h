/* The arguments of rules: each has a way to take a word and one to print what was taken. */
#ifndef GRAFT__COPY_RULE_ARGUMENTS_H
#define GRAFT__COPY_RULE_ARGUMENTS_H

#include "copy/rules.h"

/* A rule that is being made of words, or printed. */
typedef struct graft__rule_text {
    graft_ctx *g;
    graft__rule *rule;
    bool no_memory;
    char why[128]; /* instead of what was expected; "": nothing */
    /* when printing: where to, and what comes next of what may be there several times */
    graft__text *out;
    size_t next_word, next_range;
    int next_number;
} graft__rule_text;

typedef struct graft__argument graft__argument;

struct graft__argument {
    const char *name; /* as it stands in the table of kinds; of an option up to its = */
    bool (*take)(graft__rule_text *t, const graft__argument *a, const char *word);
    /* Of an option: only if it is not the default, with a blank in front. */
    void (*print)(graft__rule_text *t, const graft__argument *a);
    const char *expected; /* NULL: one of the words of the name */
};

/* NULL if there is none. */
const graft__argument *graft__argument_named(const char *name, size_t length);

/* Whether there is something left to print. */
bool graft__argument_left(const graft__rule_text *t, const graft__argument *a);

#endif
