#include <inttypes.h>
#include <string.h>

#include "cli/cp.h"
#include "cli/json.h"
#include "cli/open.h"
#include "cli/say.h"
#include "cli/shown.h"
#include "cli/sizes.h"

/* ---- JSON ---- */

static void json_targets(json *j, const graft_plan *plan)
{
    json_key_array(j, "targets");
    for (int64_t i = 0; i < graft_plan_len(plan); i++) {
        json_open_object(j);
        json_key_text(j, "name", graft_plan_name(plan, i));
        json_key_text(j, "action", graft_plan_action_name(graft_plan_action_of(plan, i)));
        json_key_text(j, "from", graft_plan_from(plan, i));
        json_key_text(j, "how", graft_plan_how(plan, i));
        if (graft_plan_overflows(plan, i) > 0)
            json_key_int(j, "overflows", graft_plan_overflows(plan, i));
        if (graft_plan_cast_error(plan, i) > 0)
            json_key_real(j, "cast_error", graft_plan_cast_error(plan, i));
        json_close_object(j);
    }
    json_close_array(j);
}

static void json_sources(json *j, const graft_plan *plan)
{
    json_key_array(j, "sources");
    for (int64_t i = 0; i < graft_plan_source_len(plan); i++) {
        json_open_object(j);
        json_key_text(j, "name", graft_plan_source_name(plan, i));
        json_key_text(j, "use", graft_plan_use_name(graft_plan_source_use(plan, i)));
        json_close_object(j);
    }
    json_close_array(j);
}

static void json_rules(json *j, const cp_job *job)
{
    json_key_array(j, "rules");
    for (int64_t i = 0; i < graft_rules_len(job->rules); i++) {
        json_open_object(j);
        json_key_text(j, "rule", graft_rules_line(job->rules, i));
        json_key_int(j, "matches", graft_plan_rule_matches(job->plan, i));
        json_close_object(j);
    }
    json_close_array(j);
    json_key_array(j, "suggestions");
    for (int64_t i = 0; i < graft_plan_suggestions(job->plan); i++) {
        json_open_object(j);
        json_key_text(j, "rule", graft_plan_suggestion(job->plan, i));
        json_key_text(j, "why", graft_plan_suggestion_why(job->plan, i));
        json_close_object(j);
    }
    json_close_array(j);
}

static void json_moments(json *j, const graft_moment_report *r)
{
    static const char *const actions[] = {"copied", "changed", "dropped"};
    json_key_array(j, "moments");
    for (int64_t i = 0; i < graft_moment_report_len(r); i++) {
        json_open_object(j);
        json_key_text(j, "name", graft_moment_report_name(r, i));
        json_key_text(j, "action", actions[graft_moment_report_action(r, i)]);
        json_key_text(j, "how", graft_moment_report_how(r, i));
        json_close_object(j);
    }
    json_close_array(j);
}

static void show_json(FILE *out, const cp_job *job, const char *path, bool dry_run)
{
    json j = json_to(out, true);
    json_open_object(&j);
    json_key_text(&j, "source", job->source.path);
    json_key_text(&j, "target", path);
    if (job->plan) {
        json_targets(&j, job->plan);
        json_sources(&j, job->plan);
        json_rules(&j, job);
    }
    if (job->moments)
        json_moments(&j, job->moments);
    if (!dry_run && job->written.files > 0) {
        json_key_object(&j, "written");
        json_key_int(&j, "tensors", job->written.tensors);
        json_key_int(&j, "storages", job->written.storages);
        json_key_int(&j, "files", job->written.files);
        json_key_uint(&j, "bytes", job->written.bytes);
        json_key_uint(&j, "bytes_saved", job->written.bytes_saved);
        json_close_object(&j);
    }
    json_close_object(&j);
}

/* ---- For people ---- */

static void tell_casts(const cli_call *call, const graft_plan *plan)
{
    for (int64_t i = 0; i < graft_plan_len(plan); i++) {
        const int64_t lost = graft_plan_overflows(plan, i);
        if (lost > 0)
            say(call, "%s: %" PRId64 " elements were too large for their new dtype",
                graft_plan_name(plan, i), lost);
    }
}

static void tell_written(const cli_call *call, const cp_job *job, const char *path)
{
    char size[SIZE_TEXT], saved[SIZE_TEXT];
    const graft_write_report *w = &job->written;
    say_note(call, "%s: %" PRId64 " tensors, %s%s%s%s", open_name(path), w->tensors,
             size_text(w->bytes, size), w->files > 1 ? " in several files" : "",
             w->bytes_saved > 0 ? "; not copied, as no tensor shows it: " : "",
             w->bytes_saved > 0 ? size_text(w->bytes_saved, saved) : "");
}

void cp_show(cli_call *call, const cp_job *job, const char *path)
{
    const cp_options *o = call->options;
    if (o->json) {
        /* Standard output may be the checkpoint. */
        show_json(strcmp(path, "-") == 0 && !o->dry_run ? stderr : stdout, job, path, o->dry_run);
        return;
    }
    if (o->dry_run && job->plan)
        shown_report(graft_plan_text(job->plan));
    if (job->moments)
        say_note(call, "%s", graft_moment_report_text(job->moments));
    if (job->plan)
        tell_casts(call, job->plan);
    if (!o->dry_run && job->written.files > 0 && call->err.is_tty)
        tell_written(call, job, path);
}
