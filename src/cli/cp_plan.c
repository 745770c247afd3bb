#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cp.h"
#include "cli/open.h"
#include "cli/rules.h"
#include "cli/say.h"

bool cp_needs_plan(const cp_options *o)
{
    return o->rules.count > 0 || o->into || o->optimizer || o->strict || o->initial >= 0 ||
           o->left >= 0 || o->unmatched >= 0;
}

static graft_plan_options policy(const cp_options *o)
{
    graft_plan_options p = graft_plan_defaults();
    p.cast = !o->no_cast;
    p.max_initial = o->initial >= 0 ? o->initial : o->strict ? 0 : -1;
    p.max_left = o->left >= 0 ? o->left : o->strict ? 0 : -1;
    p.max_unmatched = o->unmatched >= 0 ? o->unmatched : o->strict ? 0 : -1;
    return p;
}

/* ---- What is written ---- */

/* Puts a dict where another stood in the file that was read (in memory). */
static bool put(graft_dict *root, const char *path, graft_dict *value)
{
    int64_t i = 0, number = 0;
    graft_dict *at = graft_dict_find_path(root, path, &i);
    if (!at)
        return false;
    const graft_status status = graft_dict_key_is_int(at, i, &number)
                                    ? graft_dict_set_int_key_dict(at, number, value)
                                    : graft_dict_set_dict(at, graft_dict_key(at, i), value);
    return status == GRAFT_OK;
}

/* A list of the lines of a file; NULL after telling why. */
static graft_dict *read_names(cli_call *call, const char *path)
{
    FILE *in = fopen(path, "r");
    graft_dict *names = in ? graft_list_new(call->g) : NULL;
    graft_status status = names ? GRAFT_OK : GRAFT_ERR_MEMORY;
    char *line = NULL;
    size_t room = 0;
    for (ssize_t n; status == GRAFT_OK && (n = getline(&line, &room, in)) > 0;) {
        line[strcspn(line, "\r\n")] = 0;
        if (*line)
            status = graft_list_push_string(names, line);
    }
    if (!in || ferror(in))
        say_trouble(call, "%s: %s", path, strerror(errno));
    else if (status != GRAFT_OK)
        say_error(call);
    const bool ok = in && !ferror(in) && status == GRAFT_OK;
    if (in)
        fclose(in);
    free(line);
    if (ok)
        return names;
    graft_dict_free(names);
    return NULL;
}

/* The source's checkpoint with its model and its optimizer exchanged for the new ones. */
static int make_checkpoint(cli_call *call, cp_job *job)
{
    const cp_options *o = call->options;
    const graft_dict *state = graft_dict_dict(job->source.root, o->optimizer);
    if (!state)
        return say_trouble(call, "%s: there is no dict at %s", open_name(job->source.path),
                           o->optimizer);
    graft_dict *names = o->names ? read_names(call, o->names) : NULL;
    if (o->names && !names)
        return CLI_TROUBLE;
    graft_dict *model = graft_plan_result(job->plan);
    graft_dict *moments =
        model ? graft_transplant_optimizer_dict(state, job->plan, names, &job->moments) : NULL;
    const bool ok = moments && put(job->source.root, o->root, model) &&
                    put(job->source.root, o->optimizer, moments);
    graft_dict_free(model);
    graft_dict_free(moments);
    graft_dict_free(names);
    job->result = job->source.root;
    return ok ? CLI_OK : say_error(call);
}

static int make_result(cli_call *call, cp_job *job)
{
    const cp_options *o = call->options;
    if (o->optimizer)
        return make_checkpoint(call, job);
    if (!o->into || open_is_flat(job->target.dict)) {
        job->result = graft_plan_result(job->plan);
        job->owns_result = true;
        return job->result ? CLI_OK : say_error(call);
    }
    job->result = job->target.root; /* with everything else that it holds */
    return graft_plan_commit(job->plan) == GRAFT_OK ? CLI_OK : say_error(call);
}

/* ---- The plan ---- */

/* Nothing at all is seldom what was meant. */
static int check_any(const cli_call *call, const cp_job *job)
{
    const cp_options *o = call->options;
    const graft_plan *plan = job->plan;
    if (graft_plan_source_len(plan) == 0 || graft_plan_source_count(plan, GRAFT_PLAN_USED) > 0)
        return CLI_OK;
    if (o->dry_run) /* the plan is shown, and says so */
        return CLI_FOUND;
    say(call, o->into ? "no tensor of SRC meets one of %s" : "the rules leave no tensor of %s",
        open_name(o->into ? o->into : job->source.path));
    for (int64_t i = 0; i < graft_plan_suggestions(plan); i++)
        say_note(call, "perhaps `%s`: %s", graft_plan_suggestion(plan, i),
                 graft_plan_suggestion_why(plan, i));
    return CLI_FOUND;
}

/* A refusal is a finding, and no trouble: it is told as the plan is. */
static int check(cli_call *call, const cp_job *job)
{
    if (graft_plan_check(job->plan) == GRAFT_OK)
        return check_any(call, job);
    say(call, "%s", graft_error(call->g));
    graft_clear_error(call->g);
    return CLI_FOUND;
}

int cp_make_plan(cli_call *call, cp_job *job)
{
    const cp_options *o = call->options;
    const graft_plan_options p = policy(o);
    if (o->names && !o->optimizer)
        return say_usage(call, "--optimizer-names is for --optimizer");
    if (o->optimizer && !o->root)
        return say_usage(call, "--optimizer wants --root: where the model is beside it");
    if (o->optimizer && o->into)
        return say_usage(call, "--optimizer and --into do not go together");
    if (o->rules.count > 0 && !(job->rules = rules_of(call, &o->rules)))
        return CLI_TROUBLE;
    job->plan =
        graft_plan_into_dict(o->into ? job->target.dict : NULL, job->source.dict, job->rules, &p);
    if (!job->plan)
        return say_error(call);
    const int status = check(call, job);
    return status == CLI_OK && !o->dry_run ? make_result(call, job) : status;
}
