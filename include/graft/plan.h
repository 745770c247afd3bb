/* graft/plan.h: moving weights: a plan says what would become of every tensor, and is then
 * committed, all or nothing. */
#ifndef GRAFT_PLAN_H
#define GRAFT_PLAN_H

#include "graft/dict.h"
#include "graft/file.h"
#include "graft/module.h"
#include "graft/optim.h"
#include "graft/rules.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What becomes of a tensor of the target. */
typedef enum graft_plan_action {
    GRAFT_PLAN_COPIED = 0,
    GRAFT_PLAN_CAST,    /* copied, converted to the target's dtype */
    GRAFT_PLAN_CHANGED, /* resized, permuted, sliced, ...: graft_plan_how says how */
    GRAFT_PLAN_FUSED,   /* made of several sources */
    GRAFT_PLAN_SPLIT,   /* a part of one source */
    GRAFT_PLAN_TIED,    /* one memory with an earlier name, whose value it gets */
    GRAFT_PLAN_KEPT,    /* left at its initial value because a rule says so */
    GRAFT_PLAN_INITIAL, /* left at its initial value because nothing was found for it */
    GRAFT_PLAN_CONFLICT /* something was found that does not fit: graft_plan_how says why */
} graft_plan_action;

/* What becomes of a tensor of the source. */
typedef enum graft_plan_use {
    GRAFT_PLAN_USED = 0,
    GRAFT_PLAN_SKIPPED, /* a rule (take, skip, stack) left it out */
    GRAFT_PLAN_LEFT     /* the target has no place for it */
} graft_plan_use;

/* "copied", "cast", ...; "used", ...; never NULL. */
GRAFT_API const char *graft_plan_action_name(graft_plan_action action);
GRAFT_API const char *graft_plan_use_name(graft_plan_use use);

/* What a plan must not hold, or its commit is refused. -1: any number. Conflicts are always
 * refused. */
typedef struct graft_plan_options {
    int64_t max_initial;   /* targets left at their initial value for want of a source: -1 */
    int64_t max_left;      /* sources without a place: -1 */
    int64_t max_unmatched; /* rules that met no tensor: -1 */
    bool cast;             /* a floating dtype may become the target's (default true); else only
                              where a rule says so */
} graft_plan_options;

GRAFT_API graft_plan_options graft_plan_defaults(void);

/* Holds its source and target. Freed by graft_plan_free. */
typedef struct graft_plan graft_plan;

/* Plans the tensors of a source (a state dict, or the root of an open checkpoint: nested dicts
 * become dotted names, and no tensor's bytes are read but where ties have to be compared) into the
 * parameters and persistent buffers of a model. rules and options may be NULL. A plan with
 * conflicts is a plan: NULL only without memory, or if a rule cannot be applied (GRAFT_ERR_NAME or
 * _SHAPE: two tensors of one name, parts that are not there). */
GRAFT_API graft_plan *graft_plan_into_module(graft_module *target, const graft_dict *source,
                                             const graft_rules *rules,
                                             const graft_plan_options *options);

/* The same into a dict, whose tensors (by dotted names) take the values; or, if target is NULL,
 * into a new dict that has what the rules make of the source, under those names. */
GRAFT_API graft_plan *graft_plan_into_dict(graft_dict *target, const graft_dict *source,
                                           const graft_rules *rules,
                                           const graft_plan_options *options);

GRAFT_API void graft_plan_free(graft_plan *plan); /* NULL is ignored */

/* ---- Looking: targets in the target's order, sources in the source's ---- */

GRAFT_API int64_t graft_plan_len(const graft_plan *plan);
GRAFT_API const char *graft_plan_name(const graft_plan *plan, int64_t i);
GRAFT_API graft_plan_action graft_plan_action_of(const graft_plan *plan, int64_t i);
GRAFT_API const char *graft_plan_from(const graft_plan *plan, int64_t i); /* first source or NULL */

/* In words: what is done ("rows 0 to 9 of fc.weight, float32 to float16"), or why it conflicts
 * ("shape [10, 512] in the target, [1000, 512] in the source: ..."); "" for a plain copy. */
GRAFT_API const char *graft_plan_how(const graft_plan *plan, int64_t i);

GRAFT_API int64_t graft_plan_source_len(const graft_plan *plan);
GRAFT_API const char *graft_plan_source_name(const graft_plan *plan, int64_t i);
GRAFT_API graft_plan_use graft_plan_source_use(const graft_plan *plan, int64_t i);

GRAFT_API int64_t graft_plan_count(const graft_plan *plan, graft_plan_action action);
GRAFT_API int64_t graft_plan_source_count(const graft_plan *plan, graft_plan_use use);

/* How many tensors rule i met. */
GRAFT_API int64_t graft_plan_rule_matches(const graft_plan *plan, int64_t i);

/* Rules that might be meant, as lines, with why: a prefix that would make names meet ("strip
 * module."), a near name of the same shape ("map fc.wieght fc.weight"). NULL beyond the end. */
GRAFT_API int64_t graft_plan_suggestions(const graft_plan *plan);
GRAFT_API const char *graft_plan_suggestion(const graft_plan *plan, int64_t i);
GRAFT_API const char *graft_plan_suggestion_why(const graft_plan *plan, int64_t i);

/* GRAFT_OK if it may be committed; else the status and, as the context's error, all that stands
 * against it: conflicts and what options do not allow. */
GRAFT_API graft_status graft_plan_check(const graft_plan *plan);

/* All of it as text for a person, with the rules that met nothing and the suggestions. Valid while
 * the plan lives. */
GRAFT_API const char *graft_plan_text(const graft_plan *plan);

/* ---- Doing ---- */

/* Takes all values into the target, or changes nothing: checks, makes every value, then exchanges
 * memory. As graft_load_state_dict leaves the tensors, their storages, gradients and modes as they
 * are, and copies on write. Once only (GRAFT_ERR_STATE); not for a plan without a target
 * (graft_plan_result). */
GRAFT_API graft_status graft_plan_commit(graft_plan *plan);

/* What the target would be, as a new flat OrderedDict in its order, the target's own values where
 * they stay; the target is not changed. Tensors are computed when they are first used or written,
 * one at a time and in bounded memory where nothing but a copy or cast is done to them: this is how
 * a file becomes another. Freed by graft_dict_free; lives on without the plan. */
GRAFT_API graft_dict *graft_plan_result(graft_plan *plan);

/* What casts have lost, once committed (or saved): elements that were finite and no longer are, and
 * the largest error. 0 and 0 before. */
GRAFT_API int64_t graft_plan_overflows(const graft_plan *plan, int64_t i);
GRAFT_API double graft_plan_cast_error(const graft_plan *plan, int64_t i);

/* Plan and commit in one. target must be a module. If text is not NULL, *text is the plan's text in
 * either case (free it with graft_text_free). */
GRAFT_API graft_status graft_transplant(graft_module *target, const graft_dict *source,
                                        const graft_rules *rules, const graft_plan_options *options,
                                        char **text);

/* ---- The optimizer goes along ---- */

typedef enum graft_moment_action {
    GRAFT_MOMENT_COPIED = 0,
    GRAFT_MOMENT_CHANGED, /* through the same steps as its parameter; new places are zero */
    GRAFT_MOMENT_DROPPED, /* no state: the parameter is new, or a step that moments can't take */
} graft_moment_action;

/* Freed by graft_moment_report_free. */
typedef struct graft_moment_report graft_moment_report;

/* Carries the state of an optimizer (moments and step counts) from a source state dict, graft's or
 * torch.optim's, into the optimizer of the plan's target model, by name through the plan's steps.
 * Names are those of the dict's param_names; where it has none (torch), position i is the i-th of
 * `names` (a list of strings) or, if that is NULL, of the source's tensors that are no buffers:
 * checked against the shapes of the state. Where parameters are fused their step counts must agree,
 * or the state is dropped. Hyperparameters stay the target's. All or nothing: GRAFT_ERR_NAME,
 * _SHAPE or _ARGUMENT says what does not fit. The plan may have been committed or not. report may
 * be NULL. */
GRAFT_API graft_status graft_transplant_optimizer(graft_optimizer *target, const graft_dict *state,
                                                  const graft_plan *plan, const graft_dict *names,
                                                  graft_moment_report **report);

GRAFT_API int64_t graft_moment_report_len(const graft_moment_report *r);
GRAFT_API const char *graft_moment_report_name(const graft_moment_report *r, int64_t i);
GRAFT_API graft_moment_action graft_moment_report_action(const graft_moment_report *r, int64_t i);
GRAFT_API const char *graft_moment_report_how(const graft_moment_report *r, int64_t i);
GRAFT_API const char *graft_moment_report_text(const graft_moment_report *r);
GRAFT_API void graft_moment_report_free(graft_moment_report *r);

/* The same for checkpoints alone, without a model: the state dict of torch.optim that goes with
 * graft_plan_result. Moments are keyed by position in the target's order, with param_names beside;
 * groups keep the source's hyperparameters. Freed by graft_dict_free. */
GRAFT_API graft_dict *graft_transplant_optimizer_dict(const graft_dict *state,
                                                      const graft_plan *plan,
                                                      const graft_dict *names,
                                                      graft_moment_report **report);

#ifdef __cplusplus
}
#endif

#endif
