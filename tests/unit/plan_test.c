/* Plans: what becomes of every tensor, what stands against it, and what is done in the end. Without
 * rules: those have tests of their own. */
#include <math.h>
#include <stdio.h>

#include "copy_model.h"
#include "failing_allocator.h"
#include "folder.h"
#include "test.h"

static graft_dict *fitting(graft_ctx *g)
{
    return graft_dict_clone(graft_state_dict(net_new(g)), NULL);
}

static graft_plan *plan_into(graft_module *m, const graft_dict *source)
{
    graft_plan *plan = graft_plan_into_module(m, source, NULL, NULL);
    assert_no_error(m->ctx);
    assert_non_null(plan);
    return plan;
}

static int64_t index_of(const graft_plan *plan, const char *name)
{
    for (int64_t i = 0; i < graft_plan_len(plan); i++)
        if (strcmp(graft_plan_name(plan, i), name) == 0)
            return i;
    fail_msg("the plan has no target %s", name);
    return -1;
}

static void assert_target(const graft_plan *plan, const char *name, graft_plan_action action,
                          const char *how)
{
    const int64_t i = index_of(plan, name);
    assert_string_equal(graft_plan_action_name(graft_plan_action_of(plan, i)),
                        graft_plan_action_name(action));
    assert_string_equal(graft_plan_how(plan, i), how);
}

static void assert_source(const graft_plan *plan, const char *name, graft_plan_use use)
{
    for (int64_t i = 0; i < graft_plan_source_len(plan); i++)
        if (strcmp(graft_plan_source_name(plan, i), name) == 0) {
            assert_int_equal(graft_plan_source_use(plan, i), use);
            return;
        }
    fail_msg("the plan has no source %s", name);
}

/* ---- What a plan says ---- */

static void every_action(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *d = fitting(g);
    graft_dict_set_tensor(d, "scale", graft_ones(g, graft_shape1(3), GRAFT_F64));
    graft_dict_set_float(d, "mean", 1);
    graft_dict_set_tensor(d, "seen", graft_ones(g, graft_shape0(), GRAFT_I32));
    graft_dict_set_tensor(d, "fc1.weight", graft_ones(g, graft_shape2(3, 9), GRAFT_F32));
    graft_dict_drop(d, "fc2.weight");
    graft_dict_set_tensor(d, "extra", graft_ones(g, graft_shape1(1), GRAFT_F32));
    graft_dict_set_string(d, "author", "me");
    graft_plan *plan = plan_into(net_new(g), d);
    assert_int_equal(graft_plan_len(plan), 7);
    assert_target(plan, "scale", GRAFT_PLAN_CAST, "float64 to float32");
    assert_target(plan, "mean", GRAFT_PLAN_CONFLICT, "a float in the source, expected a tensor");
    assert_target(plan, "seen", GRAFT_PLAN_CONFLICT, "int64 in the target, int32 in the source");
    assert_target(plan, "fc1.weight", GRAFT_PLAN_CONFLICT,
                  "shape [3, 4] in the target, [3, 9] in the source");
    assert_target(plan, "fc1.bias", GRAFT_PLAN_COPIED, "");
    assert_target(plan, "fc2.weight", GRAFT_PLAN_INITIAL, "");
    assert_string_equal(graft_plan_from(plan, index_of(plan, "fc1.bias")), "fc1.bias");
    assert_null(graft_plan_from(plan, index_of(plan, "fc2.weight")));
    assert_int_equal(graft_plan_source_len(plan), 6); /* tensors only */
    assert_source(plan, "fc1.weight", GRAFT_PLAN_USED);
    assert_source(plan, "extra", GRAFT_PLAN_LEFT);
    assert_int_equal(graft_plan_count(plan, GRAFT_PLAN_CONFLICT), 3);
    assert_int_equal(graft_plan_source_count(plan, GRAFT_PLAN_LEFT), 1);
    assert_int_equal(graft_plan_check(plan), GRAFT_ERR_SHAPE);
    assert_error(g, GRAFT_ERR_SHAPE,
                 "plan into Net: 3 problems:\n"
                 "  \"mean\": a float in the source, expected a tensor\n"
                 "  \"seen\": int64 in the target, int32 in the source\n"
                 "  \"fc1.weight\": shape [3, 4] in the target, [3, 9] in the source");
    assert_string_equal(
        graft_plan_text(plan),
        "plan into Net: 2 copied, 1 cast, 1 initial, 3 conflict; of the source's 6 tensors 5 used, "
        "1 left\n"
        "  conflict: \"mean\" [3] float32: a float in the source, expected a tensor\n"
        "  conflict: \"seen\" [] int64: int64 in the target, int32 in the source\n"
        "  conflict: \"fc1.weight\" [3, 4] float32: shape [3, 4] in the target, [3, 9] in the "
        "source\n"
        "  cast: \"scale\" [3] float32: float64 to float32\n"
        "  initial: \"fc2.weight\" [2, 3] float32\n"
        "  left: \"extra\"\n"
        "  perhaps: cast seen target  (from int32 to int64)\n"
        "  perhaps: resize fc1.weight dim=1  (from [3, 9] to [3, 4])");
    graft_plan_free(plan);
    graft_close(g);
}

static void names_of_actions_and_uses(void **state)
{
    (void)state;
    assert_string_equal(graft_plan_action_name(GRAFT_PLAN_COPIED), "copied");
    assert_string_equal(graft_plan_action_name(GRAFT_PLAN_CONFLICT), "conflict");
    assert_string_equal(graft_plan_use_name(GRAFT_PLAN_LEFT), "left");
    assert_non_null(graft_plan_action_name((graft_plan_action)-1));
    assert_non_null(graft_plan_use_name((graft_plan_use)99));
}

static void nested_dicts_become_dotted_names(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = net_new(g), *b = net_new(g);
    graft_dict *d = graft_dict_new(g), *fc1 = graft_dict_new(g);
    graft_dict_set_tensor(fc1, "weight", graft_get_parameter(a, "fc1.weight"));
    graft_dict_set_dict(d, "fc1", fc1);
    graft_plan *plan = plan_into(b, d);
    assert_target(plan, "fc1.weight", GRAFT_PLAN_COPIED, "");
    assert_int_equal(graft_plan_commit(plan), GRAFT_OK);
    assert_true(
        graft_equal(graft_get_parameter(a, "fc1.weight"), graft_get_parameter(b, "fc1.weight")));
    graft_close(g);
}

static void policies(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *d = fitting(g);
    graft_dict_rename(d, "fc1.bias", "other");
    graft_module *m = net_new(g);
    graft_plan_options o = graft_plan_defaults();
    assert_true(o.cast && o.max_initial == -1 && o.max_left == -1 && o.max_unmatched == -1);
    o.max_initial = o.max_left = 0;
    graft_plan *plan = graft_plan_into_module(m, d, NULL, &o);
    model_bytes before = model_bytes_of(m);
    assert_int_equal(graft_plan_commit(plan), GRAFT_ERR_NAME);
    assert_untouched(m, before);
    assert_error(g, GRAFT_ERR_NAME,
                 "plan into Net: 2 problems:\n"
                 "  1 of the target's tensors keep their initial values, and at most 0 may:\n"
                 "    \"fc1.bias\"\n"
                 "  1 of the source's tensors are left over, and at most 0 may:\n"
                 "    \"other\"");
    assert_null(graft_plan_result(plan));
    graft_clear_error(g);
    graft_plan_free(plan);
    o.max_initial = o.max_left = 1;
    plan = graft_plan_into_module(m, d, NULL, &o);
    assert_int_equal(graft_plan_check(plan), GRAFT_OK);
    graft_plan_free(plan);
    o.cast = false;
    graft_dict_set_tensor(d, "scale", graft_ones(g, graft_shape1(3), GRAFT_F64));
    plan = graft_plan_into_module(m, d, NULL, &o);
    assert_int_equal(graft_plan_check(plan), GRAFT_ERR_DTYPE);
    graft_clear_error(g);
    graft_close(g);
}

/* ---- Ties ---- */

static void ties_of_a_model(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = tied_new(g), *b = tied_new(g);
    graft_dict *d = graft_dict_clone(graft_state_dict(a), NULL);
    graft_dict_drop(d, "in.weight");
    graft_plan *plan = plan_into(b, d);
    assert_target(plan, "out.weight", GRAFT_PLAN_COPIED, "");
    assert_target(plan, "in.weight", GRAFT_PLAN_TIED, "tied with \"out.weight\"");
    assert_target(plan, "b.bias", GRAFT_PLAN_TIED, "tied with \"a.bias\"");
    assert_int_equal(graft_plan_commit(plan), GRAFT_OK);
    assert_true(
        graft_equal(graft_get_parameter(a, "in.weight"), graft_get_parameter(b, "in.weight")));
    /* Two values. */
    float other[4] = {0, 1, 2, 3};
    graft_copy_out(graft_dict_tensor(d, "a.bias"), other, sizeof other, GRAFT_F32);
    other[2] = 7;
    graft_dict_set_tensor(d, "b.bias", test_floats(g, other, 4));
    ((float *)graft_data_mut(graft_dict_tensor(d, "a.bias")))[2] = 5.5F;
    plan = plan_into(b, d);
    assert_target(plan, "b.bias", GRAFT_PLAN_CONFLICT,
                  "tied with \"a.bias\", but the source has two values: \"a.bias\" and \"b.bias\", "
                  "first at [2]: 5.5 and 7");
    model_bytes before = model_bytes_of(b);
    assert_int_equal(graft_plan_commit(plan), GRAFT_ERR_ARGUMENT);
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "\n  \"b.bias\": tied with \"a.bias\"");
    assert_untouched(b, before);
    /* A conflict of the leader is one of the others. */
    graft_dict_drop(d, "b.bias");
    graft_dict_set_tensor(d, "a.bias", graft_ones(g, graft_shape1(5), GRAFT_F32));
    plan = plan_into(b, d);
    assert_target(plan, "b.bias", GRAFT_PLAN_CONFLICT,
                  "tied with \"a.bias\", which is in conflict");
    graft_close(g);
}

static void memory_that_overlaps(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *five = graft_ones(g, graft_shape1(5), GRAFT_F32);
    graft_dict *target = graft_dict_new(g), *d = graft_dict_new(g);
    graft_dict_set_tensor(target, "left", graft_narrow(five, 0, 0, 3));
    graft_dict_set_tensor(target, "right", graft_narrow(five, 0, 2, 3));
    graft_dict_set_tensor(d, "left", test_floats(g, (float[]){1, 2, 3}, 3));
    graft_dict_set_tensor(d, "right", test_floats(g, (float[]){9, 4, 5}, 3));
    graft_plan *plan = graft_plan_into_dict(target, d, NULL, NULL);
    assert_int_equal(graft_plan_commit(plan), GRAFT_ERR_ARGUMENT);
    assert_error_has(g, GRAFT_ERR_ARGUMENT,
                     "\"left\": its memory overlaps that of \"right\", but the source has two");
    assert_elements(five, (double[]){1, 1, 1, 1, 1}, 5);
    graft_plan_free(plan);
    graft_dict_set_tensor(d, "right", test_floats(g, (float[]){3, 4, 5}, 3));
    plan = graft_plan_into_dict(target, d, NULL, NULL);
    assert_int_equal(graft_plan_commit(plan), GRAFT_OK);
    assert_elements(five, (double[]){1, 2, 3, 4, 5}, 5);
    graft_close(g);
}

/* ---- Into dicts ---- */

static void into_a_dict(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *target = graft_dict_new(g), *inner = graft_dict_new(g);
    graft_tensor *w = graft_zeros(g, graft_shape1(2), GRAFT_F32);
    graft_tensor *half = graft_zeros(g, graft_shape1(2), GRAFT_F16);
    graft_dict_set_tensor(inner, "w", w);
    graft_dict_set_tensor(inner, "tied", graft_view(w, graft_shape1(2)));
    graft_dict_set_tensor(inner, "half", half);
    graft_dict_set_dict(target, "model", inner);
    graft_dict_set_int(target, "epoch", 3);
    graft_dict *d = graft_dict_new(g);
    graft_dict_set_tensor(d, "model.w", test_floats(g, (float[]){1, 2}, 2));
    graft_dict_set_tensor(d, "model.half", test_floats(g, (float[]){0.5F, 1e6F}, 2));
    graft_plan *plan = graft_plan_into_dict(target, d, NULL, NULL);
    assert_target(plan, "model.w", GRAFT_PLAN_COPIED, "");
    assert_target(plan, "model.tied", GRAFT_PLAN_TIED, "tied with \"model.w\"");
    assert_target(plan, "model.half", GRAFT_PLAN_CAST, "float32 to float16");
    assert_int_equal(graft_plan_commit(plan), GRAFT_OK);
    assert_elements(w, (double[]){1, 2}, 2);
    assert_elements(half, (double[]){0.5, INFINITY}, 2);
    assert_ptr_equal(graft_dict_tensor(target, "model.half"), half);
    assert_int_equal(graft_plan_overflows(plan, index_of(plan, "model.half")), 1);
    assert_int_equal(graft_plan_overflows(plan, index_of(plan, "model.w")), 0);
    assert_int_equal(graft_plan_commit(plan), GRAFT_ERR_STATE);
    assert_error_has(g, GRAFT_ERR_STATE, "committed already");
    graft_plan_free(plan);
    plan = graft_plan_into_dict(NULL, d, NULL, NULL);
    assert_int_equal(graft_plan_commit(plan), GRAFT_ERR_STATE);
    assert_error_has(g, GRAFT_ERR_STATE, "graft_plan_result");
    assert_int_equal(graft_plan_len(plan), 2);
    assert_target(plan, "model.w", GRAFT_PLAN_COPIED, "");
    graft_close(g);
}

/* ---- What is planned is what is there when it is planned ---- */

static void a_plan_is_of_its_moment(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *m = net_new(g);
    graft_dict *d = fitting(g);
    graft_tensor *w = graft_dict_tensor(d, "fc1.weight");
    graft_tensor *was = graft_tensor_clone(w, NULL);
    graft_plan *plan = plan_into(m, d);
    ((float *)graft_data_mut(w))[0] = 17;
    graft_dict_drop(d, "scale");
    graft_dict_free(d);
    assert_int_equal(graft_plan_commit(plan), GRAFT_OK);
    assert_true(graft_equal(graft_get_parameter(m, "fc1.weight"), was));
    graft_close(g);
}

static void from_another_context(void **state)
{
    (void)state;
    graft_ctx *g = test_open(), *h = test_open();
    graft_module *a = net_new(g), *b = net_new(h);
    graft_plan *plan = plan_into(b, graft_state_dict(a));
    graft_dict *result = graft_plan_result(plan);
    graft_tensor *was = graft_tensor_clone(graft_get_parameter(a, "fc2.weight"), h);
    graft_close(g);
    assert_int_equal(graft_plan_commit(plan), GRAFT_OK);
    assert_true(graft_equal(graft_get_parameter(b, "fc2.weight"), was));
    assert_true(graft_equal(graft_dict_tensor(result, "fc2.weight"), was));
    assert_no_error(h);
    graft_close(h);
}

static void transplant(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *a = net_new(g), *b = net_new(g);
    graft_dict *d = graft_dict_clone(graft_state_dict(a), NULL);
    graft_dict_drop(d, "fc1.bias");
    char *text;
    assert_int_equal(graft_transplant(b, d, NULL, NULL, &text), GRAFT_OK);
    assert_non_null(strstr(text, "plan into Net: 6 copied, 1 initial;"));
    graft_text_free(g, text);
    assert_true(
        graft_equal(graft_get_parameter(a, "fc1.weight"), graft_get_parameter(b, "fc1.weight")));
    graft_dict_set_tensor(d, "fc1.bias", graft_ones(g, graft_shape1(9), GRAFT_F32));
    model_bytes before = model_bytes_of(b);
    assert_int_equal(graft_transplant(b, d, NULL, NULL, &text), GRAFT_ERR_SHAPE);
    assert_non_null(strstr(text, "conflict: \"fc1.bias\""));
    graft_text_free(g, text);
    assert_error_has(g, GRAFT_ERR_SHAPE, "\"fc1.bias\": shape [3] in the target, [9]");
    assert_untouched(b, before);
    graft_close(g);
}

static void damage_leaves_the_target_as_it_was(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    char *folder = folder_make(), path[300];
    snprintf(path, sizeof path, "%s/a.pt", folder);
    graft_module *m = net_new(g);
    graft_dict *d = fitting(g);
    const float sought[] = {39.25F, 40.5F};
    graft_dict_set_tensor(d, "fc2.bias", test_floats(g, sought, 2));
    assert_int_equal(graft_save(g, path, d), GRAFT_OK);
    size_t size, at = 0;
    unsigned char *bytes = file_get(path, &size);
    while (memcmp(bytes + at, sought, sizeof sought) != 0)
        at++;
    bytes[at] ^= 1;
    file_put(path, bytes, size);
    free(bytes);
    graft_checkpoint *c = graft_checkpoint_open(g, path, NULL);
    model_bytes before = model_bytes_of(m);
    graft_plan *plan = plan_into(m, graft_checkpoint_root(c)); /* reads no elements */
    assert_int_equal(graft_plan_count(plan, GRAFT_PLAN_COPIED), 7);
    assert_int_equal(graft_plan_commit(plan), GRAFT_ERR_FORMAT);
    assert_error_has(g, GRAFT_ERR_FORMAT, "(the value of \"fc2.bias\")");
    assert_untouched(m, before);
    graft_plan_free(plan);
    graft_checkpoint_free(c);
    graft_close(g);
    folder_remove(folder);
}

/* ---- No memory ---- */

typedef struct sweep {
    graft_module *(*make)(graft_ctx *g);
    bool into_dict, fresh, result;
} sweep;

/* All bytes of the target, whichever it is. */
static void commit_without_memory(void *user, failing_allocator *f)
{
    const sweep *s = user;
    graft_ctx *g = test_open();
    const uint64_t fail_at = f->fail_at;
    f->fail_at = 0;
    graft_ctx *h = failing_allocator_open(f);
    graft_module *m = s->make(h);
    graft_dict *target = graft_dict_keep(graft_state_dict(m));
    graft_dict *d = graft_dict_clone(graft_state_dict(s->make(s->fresh ? h : g)), NULL);
    if (graft_dict_find(d, "fc1.weight") >= 0) {
        graft_dict_set_tensor(d, "fc1.weight",
                              graft_ones(s->fresh ? h : g, graft_shape2(3, 4), GRAFT_F64));
        graft_dict_rename(d, "fc1.bias", "fc1.baas");
    }
    assert_no_error(h);
    model_bytes before = model_bytes_of(m);
    f->fail_at = f->calls + fail_at;
    graft_plan *plan = s->into_dict ? graft_plan_into_dict(s->fresh ? NULL : target, d, NULL, NULL)
                                    : graft_plan_into_module(m, d, NULL, NULL);
    bool done = false;
    if (plan && s->result)
        done = graft_plan_result(plan);
    else if (plan)
        done = graft_plan_text(plan) && graft_plan_commit(plan) == GRAFT_OK;
    f->fail_at = 0;
    f->keeps_on = false;
    assert_true(done || f->failed); /* a guess may be left out */
    assert_int_equal(graft_error_status(h), done ? GRAFT_OK : GRAFT_ERR_MEMORY);
    if (done && !s->result)
        free(before.data);
    else
        assert_untouched(m, before);
    graft_close(h);
    graft_close(g);
}

static void without_memory_nothing_changes(void **state)
{
    (void)state;
    graft_module *(*make[])(graft_ctx *) = {net_new, tied_new, views_new};
    for (int i = 0; i < 3; i++)
        for (int kind = 0; kind < 4; kind++) {
            sweep s = {
                .make = make[i],
                .into_dict = kind == 1 || kind == 3,
                .fresh = kind == 3,
                .result = kind >= 2,
            };
            failing_allocator_sweep(commit_without_memory, &s);
        }
}

/* ---- Suggestions ---- */

static void assert_suggests(graft_plan *plan, int64_t i, const char *line)
{
    if (i >= graft_plan_suggestions(plan))
        fail_msg("%lld suggestions only, expected '%s'", (long long)graft_plan_suggestions(plan),
                 line);
    assert_string_equal(graft_plan_suggestion(plan, i), line);
    assert_true(strlen(graft_plan_suggestion_why(plan, i)) > 0);
}

static void prefixes_are_suggested(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *d = fitting(g);
    graft_dict_rename_prefix(d, "", "module._orig_mod.", NULL);
    graft_plan *plan = plan_into(net_new(g), d);
    assert_int_equal(graft_plan_suggestions(plan), 1);
    assert_suggests(plan, 0, "strip module._orig_mod.");
    assert_string_equal(graft_plan_suggestion_why(plan, 0),
                        "7 of the 7 names left in the source would meet the target's, as of "
                        "torch.nn.DataParallel and of torch.compile");
    assert_null(graft_plan_suggestion(plan, 1));
    assert_null(graft_plan_suggestion_why(plan, -1));

    graft_dict *checkpoint = graft_dict_new(g);
    graft_dict_set_dict(checkpoint, "model_state_dict", fitting(g));
    plan = plan_into(net_new(g), checkpoint);
    assert_suggests(plan, 0, "strip model_state_dict.");

    d = fitting(g); /* two, one behind the other */
    graft_dict_rename_prefix(d, "fc1.", "encoder.layer.", NULL);
    graft_dict_rename_prefix(d, "fc2.", "head.", NULL);
    plan = plan_into(net_new(g), d);
    assert_int_equal(graft_plan_suggestions(plan), 2);
    assert_suggests(plan, 0, "map encoder.layer.* fc1.*");
    assert_suggests(plan, 1, "map head.* fc2.*");
    graft_close(g);
}

static void wrappers_inside_of_names(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *m = graft_sequential(g);
    for (int i = 0; i < 3; i++)
        graft_sequential_add(m, graft_linear(g, 2, 2, true));
    graft_dict *d = graft_dict_clone(graft_state_dict(m), NULL);
    graft_dict_rename_prefix(d, "1.", "1._orig_mod.", NULL);
    graft_dict_rename_prefix(d, "2.", "2._orig_mod.", NULL);
    graft_plan *plan = plan_into(m, d);
    assert_int_equal(graft_plan_suggestions(plan), 1);
    assert_suggests(plan, 0, "map *._orig_mod.* *.*");
    graft_rules *rules = graft_rules_parse(g, graft_plan_suggestion(plan, 0));
    plan = graft_plan_into_module(m, d, rules, NULL);
    assert_int_equal(graft_plan_count(plan, GRAFT_PLAN_COPIED), 6);
    graft_close(g);
}

static void added_prefixes_leave_alone_what_meets(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *m = graft_sequential(g);
    graft_module *inner = graft_sequential(g);
    graft_sequential_add(inner, graft_linear(g, 2, 3, true));
    graft_sequential_add(m, inner);
    graft_dict *d = graft_dict_clone(graft_state_dict(inner), NULL);
    graft_plan *plan = plan_into(m, d);
    assert_suggests(plan, 0, "add 0.");
    graft_dict *both = graft_dict_clone(d, NULL);
    graft_sequential_add(m, graft_linear(g, 2, 3, true)); /* "1.weight" meets */
    graft_dict_set_tensor(both, "1.weight", graft_ones(g, graft_shape2(3, 2), GRAFT_F32));
    plan = plan_into(m, both);
    assert_suggests(plan, 0, "add 0. 0.*");
    graft_close(g);
}

static void near_names_are_suggested(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *d = fitting(g);
    graft_dict_rename(d, "fc1.weight", "fc1.wieght");
    graft_plan *plan = plan_into(net_new(g), d);
    assert_suggests(plan, 0, "map fc1.wieght fc1.weight");
    graft_dict_rename(d, "fc1.wieght", "fc1 wieght");
    plan = plan_into(net_new(g), d);
    assert_suggests(plan, 0, "map 'fc1 wieght' fc1.weight");
    /* Another name altogether, but nothing else has its shape. */
    graft_dict_rename(d, "fc1 wieght", "embed.table");
    graft_dict_rename(d, "fc1.bias", "one");
    graft_dict_rename(d, "scale", "two"); /* of the same shape as fc1.bias */
    plan = plan_into(net_new(g), d);
    assert_int_equal(graft_plan_suggestions(plan), 1);
    assert_suggests(plan, 0, "map embed.table fc1.weight");
    graft_close(g);
}

static graft_plan *plan_shapes(graft_ctx *g, const char *name, graft_shape from, graft_shape to)
{
    graft_dict *target = graft_dict_new(g), *source = graft_dict_new(g);
    graft_dict_set_tensor(source, name, graft_zeros(g, from, GRAFT_F32));
    graft_dict_set_tensor(target, name, graft_zeros(g, to, GRAFT_F32));
    return graft_plan_into_dict(target, source, NULL, NULL);
}

static void changes_of_shape_are_suggested(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    assert_suggests(plan_shapes(g, "fc.weight", graft_shape2(1000, 8), graft_shape2(10, 8)), 0,
                    "resize fc.weight");
    assert_suggests(plan_shapes(g, "fc.weight", graft_shape2(4, 8), graft_shape2(8, 4)), 0,
                    "transpose fc.weight");
    assert_suggests(plan_shapes(g, "pos_embed", graft_shape3(1, 197, 8), graft_shape3(1, 577, 8)),
                    0, "resample pos_embed");
    assert_suggests(plan_shapes(g, "conv", graft_shape4(4, 3, 3, 3),
                                graft_shape_of(5, (int64_t[]){4, 3, 5, 3, 3})),
                    0, "inflate conv 2 5 divide");
    assert_int_equal(
        graft_plan_suggestions(plan_shapes(g, "w", graft_shape2(4, 8), graft_shape2(5, 9))), 0);
    graft_close(g);
}

static void fusing_and_splitting_are_suggested(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *apart = graft_dict_new(g), *fused = graft_dict_new(g);
    for (int layer = 0; layer < 2; layer++) {
        char name[64];
        for (int k = 0; k < 3; k++) {
            snprintf(name, sizeof name, "l.%d.%c_proj.weight", layer, "qkv"[k]);
            graft_dict_set_tensor(apart, name, graft_zeros(g, graft_shape2(2, 2), GRAFT_F32));
        }
        snprintf(name, sizeof name, "l.%d.in_proj_weight", layer);
        graft_dict_set_tensor(fused, name, graft_zeros(g, graft_shape2(6, 2), GRAFT_F32));
    }
    graft_plan *plan = graft_plan_into_dict(fused, apart, NULL, NULL);
    assert_int_equal(graft_plan_suggestions(plan), 1);
    assert_suggests(plan, 0, "fuse *in_proj_weight 0 *q_proj.weight *k_proj.weight *v_proj.weight");
    assert_string_equal(graft_plan_suggestion_why(plan, 0), "2 times");
    plan = graft_plan_into_dict(apart, fused, NULL, NULL);
    assert_suggests(plan, 0,
                    "split *in_proj_weight 0 *q_proj.weight *k_proj.weight *v_proj.weight");
    graft_close(g);
}

/* ---- Many ---- */

static graft_dict *many(graft_ctx *g, int n, const char *format, graft_tensor *t)
{
    graft_dict *d = graft_dict_new(g);
    for (int i = 0; i < n; i++) {
        char name[64];
        snprintf(name, sizeof name, format, i * 7919 % n);
        graft_dict_set_tensor(d, name, t);
    }
    return d;
}

static void long_lists_are_cut_and_guesses_bounded(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    const int n = test_quick() ? 1000 : 20000;
    graft_tensor *t = graft_zeros(g, graft_shape1(1), GRAFT_F32);
    graft_dict *source = many(g, n, "source.%d.weight", t);
    graft_dict *target = graft_dict_new(g);
    for (int i = 0; i < n; i++) {
        char name[64];
        snprintf(name, sizeof name, "target%d.%d", i, i);
        graft_dict_set_tensor(target, name, graft_zeros(g, graft_shape1(1), GRAFT_F32));
    }
    graft_plan *plan = graft_plan_into_dict(target, source, NULL, NULL);
    assert_int_equal(graft_plan_count(plan, GRAFT_PLAN_INITIAL), n);
    assert_true(strlen(graft_plan_text(plan)) < 10000);
    char more[64];
    snprintf(more, sizeof more, "\n  left: %d more", n - 50);
    assert_non_null(strstr(graft_plan_text(plan), more));
    /* The same names in another order all meet. */
    plan = graft_plan_into_dict(source, many(g, n, "source.%d.weight", t), NULL, NULL);
    assert_int_equal(graft_plan_count(plan, GRAFT_PLAN_COPIED), 1);
    assert_int_equal(graft_plan_count(plan, GRAFT_PLAN_TIED), n - 1);
    graft_close(g);
}

/* ---- Arguments ---- */

static void null_arguments(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *m = net_new(g);
    char *text = (char *)m;
    assert_null(graft_plan_into_module(NULL, graft_state_dict(m), NULL, NULL));
    assert_no_error(g);
    assert_null(graft_plan_into_module(m, NULL, NULL, NULL));
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "the source is NULL");
    assert_null(graft_plan_into_dict(NULL, NULL, NULL, NULL));
    assert_int_equal(graft_transplant(NULL, NULL, NULL, NULL, &text), GRAFT_ERR_ARGUMENT);
    assert_null(text);
    assert_int_equal(graft_plan_commit(NULL), GRAFT_ERR_ARGUMENT);
    assert_int_equal(graft_plan_check(NULL), GRAFT_ERR_ARGUMENT);
    assert_null(graft_plan_result(NULL));
    assert_null(graft_plan_text(NULL));
    assert_int_equal(graft_plan_len(NULL), 0);
    assert_null(graft_plan_name(NULL, 0));
    graft_plan *plan = plan_into(m, graft_state_dict(m));
    assert_null(graft_plan_name(plan, -1));
    assert_null(graft_plan_how(plan, 99));
    assert_null(graft_plan_from(plan, 99));
    assert_null(graft_plan_source_name(plan, 99));
    assert_int_equal(graft_plan_rule_matches(plan, 0), 0);
    assert_int_equal(graft_plan_overflows(plan, 99), 0);
    assert_true(graft_plan_cast_error(plan, -1) == 0);
    graft_plan_free(NULL);
    graft_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_action),
        cmocka_unit_test(names_of_actions_and_uses),
        cmocka_unit_test(nested_dicts_become_dotted_names),
        cmocka_unit_test(policies),
        cmocka_unit_test(ties_of_a_model),
        cmocka_unit_test(memory_that_overlaps),
        cmocka_unit_test(into_a_dict),
        cmocka_unit_test(a_plan_is_of_its_moment),
        cmocka_unit_test(from_another_context),
        cmocka_unit_test(transplant),
        cmocka_unit_test(damage_leaves_the_target_as_it_was),
        cmocka_unit_test(without_memory_nothing_changes),
        cmocka_unit_test(prefixes_are_suggested),
        cmocka_unit_test(wrappers_inside_of_names),
        cmocka_unit_test(added_prefixes_leave_alone_what_meets),
        cmocka_unit_test(near_names_are_suggested),
        cmocka_unit_test(changes_of_shape_are_suggested),
        cmocka_unit_test(fusing_and_splitting_are_suggested),
        cmocka_unit_test(long_lists_are_cut_and_guesses_bounded),
        cmocka_unit_test(null_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
