/* Plans, results and commits, comparisons, merges and optimizers that go along, over made-up dicts
 * and models. An input is the text of rules, a 0 byte, and bytes of which the rest is made. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ctx.h"
#include "file/json.h"
#include "made.h"

/* What failed says why, in words that can be shown. */
static void expect_error(fuzz_run *f, const char *what)
{
    const char *error = graft_error(f->g);
    if (!error || !*error)
        fuzz_die("%s: it failed without an error", what);
    if (strchr(error, '\x1b') || !graft__is_utf8(error, strlen(error), &(size_t){0}))
        fuzz_die("%s: the words of an error cannot be shown", what);
    if (graft_error_status(f->g) == GRAFT_ERR_MEMORY && !f->failed)
        fuzz_die("%s: %s", what, error);
    graft_clear_error(f->g);
}

static void expect(fuzz_run *f, bool right, const char *what)
{
    if (!right && !f->failed)
        fuzz_die("%s (%s)", what, graft_error(f->g) ? graft_error(f->g) : "no error");
}

/* ---- All bytes of a dict ---- */

static uint64_t mix(uint64_t h, const void *bytes, size_t size)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < size; i++)
        h = (h ^ p[i]) * UINT64_C(1099511628211);
    return h;
}

/* Of tensors whose elements are there already: takes no memory. */
static uint64_t digest(const graft_dict *d, uint64_t h)
{
    for (int64_t i = 0; i < graft_dict_len(d); i++) {
        graft_tensor_info info;
        const char *key = graft_dict_key(d, i);
        h = mix(h, key, strlen(key));
        if (graft_dict_tensor_info(d, i, &info)) {
            const graft_tensor *t = graft_dict_tensor_at(d, i);
            const unsigned char *data = graft_data(t);
            const void *const tensor = t;
            h = mix(h, &tensor, sizeof tensor);
            int64_t last = 0;
            for (int k = 0; k < info.shape.ndim; k++)
                last += (info.shape.size[k] - 1) * info.stride[k];
            const bool whole = graft_numel(t) > 0 && last >= 0 && graft_dtype_computes(info.dtype);
            h = mix(h, data, whole ? (size_t)(last + 1) * graft_dtype_size(info.dtype) : 0);
        }
        h = digest(graft_dict_dict_at(d, i), h);
    }
    return h;
}

static int64_t take_all(fuzz_run *f, const graft_dict *d, bool may_fail, const char *what)
{
    int64_t failed = 0;
    for (int64_t i = 0; i < graft_dict_len(d); i++) {
        if (graft_dict_kind(d, i) != GRAFT_VALUE_TENSOR)
            continue;
        const graft_tensor *t = graft_dict_tensor_at(d, i);
        graft_tensor_info info;
        if (t && (!graft_dict_tensor_info(d, i, &info) || info.dtype != graft_tensor_dtype(t) ||
                  info.shape.ndim != graft_ndim(t)))
            fuzz_die("%s: a tensor is not what was said of it", what);
        if (t)
            continue;
        failed++;
        if (!may_fail && !f->failed)
            fuzz_die("%s: %s", what, graft_error(f->g));
        expect_error(f, what);
    }
    return failed;
}

/* ---- Comparing ---- */

static int64_t compare(fuzz_run *f, const graft_dict *a, const graft_dict *b,
                       const graft_diff_options *o)
{
    graft_diff_report *d = graft_diff(a, b, o);
    if (!d) {
        expect_error(f, "diff");
        return -1;
    }
    int64_t sum = 0, different = 0;
    const int64_t count = graft_diff_len(d);
    for (int kind = 0; kind <= GRAFT_DIFF_TIES; kind++)
        sum += graft_diff_count(d, (graft_diff_kind)kind);
    for (int64_t i = 0; i < count; i++) {
        graft_diff_numbers n = {0};
        graft_tensor_info info;
        if (!graft_diff_name(d, i) || !graft_diff_note(d, i))
            fuzz_die("an entry of a comparison lacks something");
        if (graft_diff_numbers_of(d, i, &n) && (n.changed < 0 || n.changed > n.elements))
            fuzz_die("%lld of %lld elements have changed", (long long)n.changed,
                     (long long)n.elements);
        for (int64_t j = 0; j < graft_diff_rows(d, i); j++)
            if (graft_diff_row(d, i, j) < 0)
                fuzz_die("a row below 0");
        (void)graft_diff_info_a(d, i, &info);
        (void)graft_diff_info_b(d, i, &info);
        different += graft_diff_kind_of(d, i) != GRAFT_DIFF_EQUAL;
    }
    if (sum != count || graft_diff_is_equal(d) != (different == 0))
        fuzz_die("the entries of a comparison do not add up");
    if (!graft_diff_text(d))
        expect_error(f, "diff_text");
    graft_diff_free(d);
    return different;
}

/* ---- Plans ---- */

static void look(fuzz_run *f, const graft_plan *plan, const graft_rules *rules)
{
    int64_t sum = 0;
    for (int action = 0; action <= GRAFT_PLAN_CONFLICT; action++)
        sum += graft_plan_count(plan, (graft_plan_action)action);
    for (int use = 0; use <= GRAFT_PLAN_LEFT; use++)
        sum += graft_plan_source_count(plan, (graft_plan_use)use);
    if (sum != graft_plan_len(plan) + graft_plan_source_len(plan))
        fuzz_die("what a plan counts does not add up");
    for (int64_t i = 0; i < graft_plan_len(plan); i++) {
        const graft_plan_action action = graft_plan_action_of(plan, i);
        if (!graft_plan_name(plan, i) || !graft_plan_how(plan, i))
            fuzz_die("a target of a plan lacks something");
        if (action <= GRAFT_PLAN_SPLIT && !graft_plan_from(plan, i))
            fuzz_die("%s is made of nothing", graft_plan_name(plan, i));
    }
    for (int64_t i = 0; i < graft_plan_source_len(plan); i++)
        if (!graft_plan_source_name(plan, i))
            fuzz_die("a source without a name");
    for (int64_t i = 0; i < graft_rules_len(rules); i++)
        if (graft_plan_rule_matches(plan, i) < 0)
            fuzz_die("a rule met fewer than none");
    for (int64_t i = 0; i < graft_plan_suggestions(plan); i++) {
        graft_rules *one = graft_rules_parse(f->g, graft_plan_suggestion(plan, i));
        expect(f, one && graft_rules_len(one) == 1, "a suggestion is no rule");
        graft_clear_error(f->g);
        graft_rules_free(one);
        if (!graft_plan_suggestion_why(plan, i))
            fuzz_die("a suggestion without a reason");
    }
    if (!graft_plan_text(plan))
        expect_error(f, "plan_text");
}

/* The rules that lead back, where every rule has met something and no name is another's. */
static void lead_back(fuzz_run *f, const graft_plan *plan, const graft_rules *rules,
                      const graft_dict *source, const graft_dict *made)
{
    for (int64_t i = 0; i < graft_rules_len(rules); i++)
        if (graft_plan_rule_matches(plan, i) == 0 || strstr(graft_rules_line(rules, i), "divide"))
            return;
    graft_rules *back = rules ? graft_rules_invert(rules) : NULL;
    graft_plan *again = back ? graft_plan_into_dict(NULL, made, back, NULL) : NULL;
    graft_dict *was = again ? graft_plan_result(again) : NULL;
    graft_clear_error(f->g);
    graft_diff_report *d = was ? graft_diff(source, was, NULL) : NULL;
    if (d && graft_diff_count(d, GRAFT_DIFF_MISSING) == 0 &&
        graft_diff_count(d, GRAFT_DIFF_EXTRA) == 0 &&
        graft_diff_count(d, GRAFT_DIFF_CHANGED) + graft_diff_count(d, GRAFT_DIFF_SHAPE) > 0)
        fuzz_die("the way back leads elsewhere: %s", graft_diff_text(d));
    graft_clear_error(f->g);
    graft_diff_free(d);
    graft_dict_free(was);
    graft_plan_free(again);
    graft_rules_free(back);
}

/* What the result's names are in the target as a flat dict. */
static void commit(fuzz_run *f, graft_plan *plan, const graft_dict *target)
{
    const bool may = graft_plan_check(plan) == GRAFT_OK;
    if (!may)
        expect_error(f, "plan_check");
    graft_dict *result = graft_plan_result(plan);
    if (!result)
        expect_error(f, "plan_result");
    expect(f, (result != NULL) == may, "plan_check and plan_result do not agree");
    const bool late = f->fail_at & 1; /* taken behind the commit */
    if (result && !late)
        take_all(f, result, false, "plan_result");
    const uint64_t before = digest(target, 1);
    const graft_status status = graft_plan_commit(plan);
    if (status != GRAFT_OK) {
        expect_error(f, "plan_commit");
        expect(f, !may, "a plan that may be committed was not");
        if (digest(target, 1) != before)
            fuzz_die("a commit that failed has changed its target");
    } else {
        expect(f, may, "a plan that may not be committed was");
        if (graft_plan_commit(plan) == GRAFT_OK)
            fuzz_die("a plan was committed twice");
        graft_clear_error(f->g);
    }
    if (result && status == GRAFT_OK && graft_plan_len(plan) != graft_dict_len(result))
        fuzz_die("a result of another length");
    if (result && status == GRAFT_OK) {
        graft_dict *flat = graft_dict_flatten(target);
        graft_diff_options o = graft_diff_defaults();
        o.only_bits = true;
        if (flat)
            for (int64_t i = 0; i < graft_dict_len(result); i++) {
                const graft_tensor *a = graft_dict_tensor_at(result, i);
                const graft_tensor *b = graft_dict_tensor(target, graft_dict_key(result, i));
                expect(f, a && b && graft_tensor_dtype(a) == graft_tensor_dtype(b),
                       "the target lacks a tensor of the result");
            }
        graft_diff_report *d = flat ? graft_diff(flat, result, &o) : NULL;
        if (d && graft_diff_count(d, GRAFT_DIFF_EQUAL) + graft_diff_count(d, GRAFT_DIFF_TIES) +
                         graft_diff_count(d, GRAFT_DIFF_MISSING) <
                     graft_diff_len(d))
            fuzz_die("what was committed is not the result: %s", graft_diff_text(d));
        graft_clear_error(f->g);
        graft_diff_free(d);
    }
    graft_clear_error(f->g);
    graft_dict_free(result);
}

/* A checkpoint of what differs; seldom, as it is a file. */
static void save_delta(fuzz_run *f, const graft_dict *d, const graft_dict *base)
{
    char path[256];
    snprintf(path, sizeof path, "%s/delta.safetensors", fuzz_folder());
    graft_write_options o = graft_write_defaults();
    o.sync = false;
    if (graft_save_delta(f->g, path, d, base, "base", &o, NULL) != GRAFT_OK) {
        expect_error(f, "save_delta");
        return;
    }
    graft_checkpoint *c = graft_checkpoint_open(f->g, path, NULL);
    graft_dict *whole = c ? graft_load_delta(c, base) : NULL;
    expect(f, c && graft_delta_base(c) && whole, "what was saved cannot be loaded");
    char a[GRAFT_HASH_TEXT], b[GRAFT_HASH_TEXT];
    if (whole && graft_content_hash(whole, a) == GRAFT_OK && graft_content_hash(d, b) == GRAFT_OK &&
        strcmp(a, b) != 0)
        fuzz_die("a delta that is not what was saved");
    graft_clear_error(f->g);
    graft_dict_free(whole);
    graft_checkpoint_free(c);
    unlink(path);
}

static void into_new(fuzz_run *f, const graft_dict *source, const graft_rules *rules,
                     const graft_plan_options *o)
{
    graft_plan *plan = graft_plan_into_dict(NULL, source, rules, o);
    if (!plan) {
        expect_error(f, "plan_into_dict");
        return;
    }
    look(f, plan, rules);
    graft_dict *made = graft_plan_result(plan);
    if (!made) {
        expect_error(f, "plan_result");
    } else {
        take_all(f, made, false, "plan_result");
        lead_back(f, plan, rules, source, made);
        compare(f, source, made, NULL);
        char hash[GRAFT_HASH_TEXT];
        if (graft_content_hash(made, hash) != GRAFT_OK)
            expect_error(f, "content_hash");
        for (int64_t i = 0; i < graft_dict_len(made); i++) {
            graft_tensor_stats s;
            if (graft_dict_stats(made, i, &s) != GRAFT_OK)
                expect_error(f, "dict_stats");
            else if (s.zeros + s.nans + s.infinities > s.elements)
                fuzz_die("more elements of one kind than there are");
        }
        if (f->values_left % 16 == 1)
            save_delta(f, made, source);
    }
    graft_dict_free(made);
    if (graft_plan_commit(plan) == GRAFT_OK)
        fuzz_die("a plan without a target was committed");
    graft_clear_error(f->g);
    graft_plan_free(plan);
}

/* ---- Merging ---- */

static void merge(fuzz_run *f, made_bytes *b, const graft_dict *first, const graft_dict *base)
{
    const double weights[] = {(double)made_number(b, 9) / 4 - 1, 2, 0.5};
    const graft_merge_layer layer = {"*.weight", made_number(b, 2) ? weights : NULL,
                                     made_number(b, 2) ? (double)NAN : 0.25, 0.5};
    graft_dict *sources[3] = {NULL};
    const int64_t n = 1 + made_number(b, 3);
    graft_merge_options o = graft_merge_defaults();
    o.method = (graft_merge_method)made_number(b, 8);
    o.base = made_number(b, 8) == 1 ? NULL : base;
    o.weights = made_number(b, 2) ? weights : NULL;
    o.normalise = made_number(b, 2);
    o.decay = (double)made_number(b, 12) / 10;
    o.t = (double)made_number(b, 12) / 10;
    o.scale = (double)made_number(b, 12) / 4 - 1;
    o.density = (double)made_number(b, 12) / 10;
    o.seed = made_number(b, 256);
    o.f64 = made_number(b, 2);
    o.integers = (graft_merge_integers)made_number(b, 4);
    o.layers = made_number(b, 2) ? &layer : NULL;
    o.layer_count = o.layers ? 1 : 0;
    bool all = true;
    for (int64_t i = 0; i < n; i++) {
        sources[i] = i ? made_sibling(f->g, b, first) : graft_dict_clone(first, NULL);
        all = all && sources[i];
    }
    graft_clear_error(f->g);
    graft_dict *merged = all ? graft_merge(f->g, (const graft_dict *const *)sources, n, &o) : NULL;
    if (!merged && all)
        expect_error(f, "merge");
    for (int64_t i = 0; i < n; i++)
        graft_dict_free(sources[i]);
    if (merged) {
        take_all(f, merged, true, "merge");
        compare(f, merged, first, NULL);
    }
    graft_clear_error(f->g);
    graft_dict_free(merged);
}

/* ---- Optimizers ---- */

static void look_at_moments(graft_moment_report *r, const char *what)
{
    for (int64_t i = 0; i < graft_moment_report_len(r); i++)
        if (!graft_moment_report_name(r, i) || !graft_moment_report_how(r, i))
            fuzz_die("%s: a line of the report lacks something", what);
    if (!graft_moment_report_text(r))
        fuzz_die("%s: a report without a text", what);
    graft_moment_report_free(r);
}

static void carry(fuzz_run *f, made_bytes *b, graft_module *m, const graft_plan *plan)
{
    graft_dict *state = made_optimizer_state(f->g, b, m);
    const unsigned kind = made_number(b, 3);
    graft_dict *parameters = m ? graft_parameters(m) : NULL;
    graft_optimizer *opt = !m || !parameters ? NULL
                           : kind == 0       ? graft_adam(parameters, NULL)
                           : kind == 1       ? graft_sgd(parameters, NULL)
                                             : graft_adamw(parameters, NULL);
    graft_clear_error(f->g);
    graft_moment_report *r = NULL;
    if (opt && state) {
        graft_dict *before = graft_optimizer_state_dict(opt);
        graft_dict *kept = before ? graft_dict_clone(before, NULL) : NULL;
        graft_clear_error(f->g);
        if (graft_transplant_optimizer(opt, state, plan, NULL, &r) == GRAFT_OK) {
            look_at_moments(r, "transplant_optimizer");
        } else {
            expect_error(f, "transplant_optimizer");
            graft_dict *after = graft_optimizer_state_dict(opt);
            graft_diff_report *d = kept && after ? graft_diff(kept, after, NULL) : NULL;
            if (r || (d && !graft_diff_is_equal(d)))
                fuzz_die("an optimizer has changed although it failed");
            graft_diff_free(d);
        }
        graft_clear_error(f->g);
        graft_dict_free(kept);
    }
    r = NULL;
    graft_dict *made = state ? graft_transplant_optimizer_dict(state, plan, NULL, &r) : NULL;
    if (made)
        look_at_moments(r, "transplant_optimizer_dict");
    else if (state)
        expect_error(f, "transplant_optimizer_dict");
    graft_dict *flat = made ? graft_dict_flatten(made) : NULL;
    if (flat)
        take_all(f, flat, false, "transplant_optimizer_dict");
    graft_clear_error(f->g);
    graft_dict_free(made);
    graft_dict_free(state);
    graft_optimizer_free(opt);
}

/* ---- All of it ---- */

static void into_target(fuzz_run *f, made_bytes *b, const graft_dict *source,
                        const graft_rules *rules, const graft_plan_options *o, size_t fail_in)
{
    const unsigned kind = made_number(b, 4);
    graft_module *m = kind == 1 ? made_module(f->g, b) : NULL;
    graft_dict *target = m           ? graft_dict_keep(graft_state_dict(m))
                         : kind == 2 ? made_sibling(f->g, b, source)
                         : kind == 3 ? graft_dict_clone(source, NULL)
                                     : made_dict(f->g, b);
    graft_clear_error(f->g);
    f->fail_at = fail_in ? f->calls + fail_in : 0;
    graft_plan *plan = !target ? NULL
                       : m     ? graft_plan_into_module(m, source, rules, o)
                               : graft_plan_into_dict(target, source, rules, o);
    if (!plan && target)
        expect_error(f, "plan");
    if (plan) {
        look(f, plan, rules);
        const bool first = made_number(b, 2);
        if (first)
            carry(f, b, m, plan);
        commit(f, plan, target);
        if (!first && made_number(b, 2))
            carry(f, b, m, plan);
        graft_diff_options d = graft_diff_defaults();
        d.rules = made_number(b, 2) ? rules : NULL;
        d.rtol = made_number(b, 2) ? 0.01 : 0;
        compare(f, source, target, &d);
    }
    graft_plan_free(plan);
    graft_dict_free(target);
    graft_module_free(m);
}

static void use(fuzz_run *f, const uint8_t *data, size_t size)
{
    const uint8_t *zero = size ? memchr(data, 0, size) : NULL;
    const size_t length = zero ? (size_t)(zero - data) : size;
    made_bytes b = {data + length + (zero != NULL), data + size};
    char *text = malloc(length + 1);
    if (!text)
        abort();
    memcpy(text, data, length);
    text[length] = 0;
    graft_rules *rules = graft_rules_parse(f->g, text);
    free(text);
    if (!rules)
        expect_error(f, "rules_parse");
    const unsigned way = made_number(&b, 4), bound = made_number(&b, 16);
    const size_t fail_in = made_number(&b, 4) == 1 ? 1 + made_number(&b, 256) * 2u : 0;
    graft_plan_options o = graft_plan_defaults();
    o.cast = made_number(&b, 4) != 1;
    o.max_initial = bound == 1 ? 0 : -1;
    o.max_left = bound == 2 ? 1 : -1;
    o.max_unmatched = bound == 3 ? 0 : -1;
    graft_dict *source = made_dict(f->g, &b);
    graft_clear_error(f->g);
    if (source && way != 1)
        into_target(f, &b, source, rules, &o, way == 0 ? fail_in : 0);
    f->fail_at = fail_in && way ? f->calls + fail_in : 0;
    if (source && way != 2) {
        f->values_left = bound;
        into_new(f, source, rules, &o);
    }
    if (source && way != 0)
        merge(f, &b, source, source);
    graft_dict_free(source);
    graft_rules_free(rules);
}

/* What the stack of scopes has in memory: it grows, and stays as large as it was. */
static size_t scopes(const graft_ctx *g)
{
    return g->slot_capacity * sizeof *g->slots + g->mark_capacity * sizeof *g->marks;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_run f;
    fuzz_open(&f, 0);
    f.begin_live -= scopes(f.g);
    graft_scope_begin(f.g);
    use(&f, data, size);
    graft_scope_end(f.g);
    graft_clear_error(f.g);
    f.begin_live += scopes(f.g);
    fuzz_close(&f);
    return 0;
}
