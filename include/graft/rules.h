/* graft/rules.h: rules that say how the tensors of one checkpoint become those of another: picking,
 * renaming, reshaping, converting. They are kept in a small text file, are options of the command,
 * and are made here. docs/rules.md has an example of each. */
#ifndef GRAFT_RULES_H
#define GRAFT_RULES_H

#include "graft/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* An ordered list of rules. Each takes the list of named tensors as the ones before it left it.
 * Freed by graft_rules_free. */
typedef struct graft_rules graft_rules;

GRAFT_API graft_rules *graft_rules_new(graft_ctx *g);
GRAFT_API void graft_rules_free(graft_rules *rules); /* NULL is ignored */

/* Adds one rule, as a line of the text has it: "rename ^module\\. \"\"". GRAFT_ERR_ARGUMENT says
 * what is wrong with it and what was expected; nothing is added then. */
GRAFT_API graft_status graft_rules_add(graft_rules *rules, const char *line);

/* Rules from text: one a line, words parted by blanks, quoted as in a shell where they hold blanks,
 * begin with # or are empty ('...' or "..."); a # that begins a word begins a comment. Errors name
 * the line. graft_rules_read takes a file. */
GRAFT_API graft_rules *graft_rules_parse(graft_ctx *g, const char *text);
GRAFT_API graft_rules *graft_rules_read(graft_ctx *g, const char *path);

/* How many there are; rule i as a line (NULL beyond the end; valid while the rules live); all as
 * text that graft_rules_parse takes (free it with graft_text_free). */
GRAFT_API int64_t graft_rules_len(const graft_rules *rules);
GRAFT_API const char *graft_rules_line(const graft_rules *rules, int64_t i);
GRAFT_API char *graft_rules_text(const graft_rules *rules);

/* The rules that lead back: what `rules` made of a dict becomes that dict again, if each of them
 * met something and no name looked like a renamed one before. GRAFT_ERR_ARGUMENT names the first
 * rule that has no inverse (it drops tensors, values or digits) and says why. Freed by
 * graft_rules_free. */
GRAFT_API graft_rules *graft_rules_invert(const graft_rules *rules);

/* ---- What kinds of rules there are: a table, for help and for options ---- */

/* The i-th: its verb "rename", its arguments "REGEX REPLACEMENT", and what it does in a sentence.
 * NULL beyond the end. */
GRAFT_API const char *graft_rule_verb(int64_t i);
GRAFT_API const char *graft_rule_arguments(int64_t i);
GRAFT_API const char *graft_rule_summary(int64_t i);

/* Whether the whole name is one of those that the glob means, as rules have them: * is any run of
 * characters (dots too), ? one, [abc] and [a-z] one of, [!abc] none of, {a,b} either. Takes time
 * that grows with the product of both lengths at most; a glob of more than 1000 bytes means itself.
 * NULL matches nothing. */
GRAFT_API bool graft_glob(const char *glob, const char *name);

#ifdef __cplusplus
}
#endif

#endif
