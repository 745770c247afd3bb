/* A load that does not fit says all that is wrong and changes not one byte; the report says what
 * was, or would have been, done with every tensor. */
#include "copy_model.h"
#include "failing_allocator.h"
#include "test.h"

static graft_dict *fitting(graft_ctx *g)
{
    return graft_dict_clone(graft_state_dict(net_new(g)), NULL);
}

/* Loads d into a new net and asserts that it fails with status and exactly this text behind the
 * first line, that the report agrees, and that nothing changed. */
static void assert_refused(graft_ctx *g, const graft_dict *d, const graft_load_options *o,
                           graft_status status, const char *text)
{
    graft_module *m = net_new(g);
    model_bytes before = model_bytes_of(m);
    graft_load_report *report;
    assert_int_equal(graft_load_state_dict(m, d, o, &report), status);
    assert_int_equal(graft_error_status(g), status);
    const char *lines = strchr(graft_error(g), '\n');
    assert_non_null(lines);
    assert_string_equal(lines + 1, text);
    assert_string_equal(graft_load_report_text(report), graft_error(g));
    assert_false(graft_load_report_ok(report));
    graft_load_report_free(report);
    graft_clear_error(g);
    /* And without a report. */
    assert_int_equal(graft_load_state_dict(m, d, o, NULL), status);
    assert_string_equal(strchr(graft_error(g), '\n') + 1, text);
    graft_clear_error(g);
    assert_untouched(m, before);
    graft_module_free(m);
}

static void a_missing_name(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *d = fitting(g);
    graft_dict_drop(d, "fc2.bias");
    assert_refused(g, d, NULL, GRAFT_ERR_NAME, "  missing: \"fc2.bias\" [2] float32");
    graft_close(g);
}

static void unexpected_names(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *d = fitting(g), *nested = graft_dict_new(g);
    graft_dict_set_tensor(d, "fc3.weight", graft_ones(g, graft_shape2(2, 3), GRAFT_F64));
    graft_dict_set_int(d, "epoch", 3);
    graft_dict_set_dict(d, "args", nested);
    graft_dict_set_int_key_dict(d, 5, nested);
    assert_refused(g, d, NULL, GRAFT_ERR_NAME,
                   "  unexpected: \"fc3.weight\" [2, 3] float64\n"
                   "  unexpected: \"epoch\" an integer\n"
                   "  unexpected: \"args\" a dict\n"
                   "  unexpected: \"5\" a dict");
    graft_close(g);
}

static void non_persistent_buffers_are_not_expected(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *d = fitting(g);
    graft_dict_set_tensor(d, "mask", graft_ones(g, graft_shape1(3), GRAFT_F32));
    assert_refused(g, d, NULL, GRAFT_ERR_NAME, "  unexpected: \"mask\" [3] float32");
    graft_close(g);
}

static void a_shape(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *d = fitting(g);
    graft_dict_set_tensor(d, "fc1.weight", graft_ones(g, graft_shape2(3, 5), GRAFT_F32));
    graft_dict_set_tensor(d, "seen", graft_ones(g, graft_shape1(1), GRAFT_F32));
    assert_refused(
        g, d, NULL, GRAFT_ERR_SHAPE,
        "  shape of \"seen\": [] in the model, [1] in the dict (and float32 there, int64 here)\n"
        "  shape of \"fc1.weight\": [3, 4] in the model, [3, 5] in the dict");
    graft_close(g);
}

static void a_dtype(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *d = fitting(g);
    graft_dict_set_tensor(d, "fc1.bias", graft_ones(g, graft_shape1(3), GRAFT_F64));
    graft_dict_set_tensor(d, "seen", graft_ones(g, graft_shape0(), GRAFT_I32));
    assert_refused(g, d, NULL, GRAFT_ERR_DTYPE,
                   "  dtype of \"seen\": int64 in the model, int32 in the dict\n"
                   "  dtype of \"fc1.bias\": float32 in the model, float64 in the dict (the option "
                   "cast converts)");
    graft_load_options o = graft_load_defaults();
    o.cast = true; /* between floating dtypes only */
    assert_refused(g, d, &o, GRAFT_ERR_DTYPE,
                   "  dtype of \"seen\": int64 in the model, int32 in the dict");
    graft_close(g);
}

static void a_kind(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *d = fitting(g);
    graft_dict_set_float(d, "fc1.bias", 1.5);
    graft_dict_set_none(d, "scale");
    assert_refused(g, d, NULL, GRAFT_ERR_ARGUMENT,
                   "  kind of \"scale\": None in the dict, expected a tensor [3] float32\n"
                   "  kind of \"fc1.bias\": a float in the dict, expected a tensor [3] float32");
    graft_close(g);
}

static void everything_at_once(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *d = fitting(g);
    graft_dict_drop(d, "fc2.bias");
    graft_dict_set_tensor(d, "extra", graft_ones(g, graft_shape1(9), GRAFT_F32));
    graft_dict_set_tensor(d, "fc1.weight", graft_ones(g, graft_shape2(3, 5), GRAFT_F32));
    graft_dict_set_tensor(d, "mean", graft_ones(g, graft_shape1(3), GRAFT_F16));
    graft_dict_set_bool(d, "scale", true);
    graft_module *m = net_new(g);
    model_bytes before = model_bytes_of(m);
    graft_load_report *report;
    assert_int_equal(graft_load_state_dict(m, d, NULL, &report), GRAFT_ERR_NAME);
    assert_error(g, GRAFT_ERR_NAME,
                 "load_state_dict into Net: nothing was loaded, 5 problems:\n"
                 "  missing: \"fc2.bias\" [2] float32\n"
                 "  unexpected: \"extra\" [9] float32\n"
                 "  shape of \"fc1.weight\": [3, 4] in the model, [3, 5] in the dict\n"
                 "  dtype of \"mean\": float32 in the model, float16 in the dict (the option cast "
                 "converts)\n"
                 "  kind of \"scale\": a bool in the dict, expected a tensor [3] float32");
    assert_untouched(m, before);
    /* The report has every tensor, in the model's order, then the rest of the dict. */
    static const struct {
        const char *name;
        graft_load_action action;
    } expected[] = {
        {"scale", GRAFT_LOAD_KIND},       {"mean", GRAFT_LOAD_DTYPE},
        {"seen", GRAFT_LOAD_COPIED},      {"fc1.weight", GRAFT_LOAD_SHAPE},
        {"fc1.bias", GRAFT_LOAD_COPIED},  {"fc2.weight", GRAFT_LOAD_COPIED},
        {"fc2.bias", GRAFT_LOAD_MISSING}, {"extra", GRAFT_LOAD_UNEXPECTED},
    };
    assert_int_equal(graft_load_report_len(report), 8);
    for (int i = 0; i < 8; i++) {
        assert_string_equal(graft_load_report_name(report, i), expected[i].name);
        assert_int_equal(graft_load_report_action(report, i), expected[i].action);
    }
    assert_null(graft_load_report_name(report, 8));
    assert_null(graft_load_report_name(report, -1));
    assert_int_equal(graft_load_report_count(report, GRAFT_LOAD_COPIED), 3);
    assert_int_equal(graft_load_report_count(report, GRAFT_LOAD_TIE), 0);
    graft_close(g);
}

static void without_strict_names_are_reported_only(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_load_options o = graft_load_defaults();
    assert_true(o.strict);
    assert_false(o.cast);
    o.strict = false;
    graft_dict *d = fitting(g);
    graft_tensor *weight = graft_dict_tensor(d, "fc1.weight");
    graft_dict_drop(d, "scale");
    graft_dict_set_string(d, "author", "me");
    graft_module *m = net_new(g);
    graft_tensor *scale = graft_tensor_clone(((net *)m)->scale, NULL);
    graft_load_report *report;
    assert_int_equal(graft_load_state_dict(m, d, &o, &report), GRAFT_OK);
    assert_no_error(g);
    assert_true(graft_load_report_ok(report));
    assert_true(graft_equal(((net *)m)->scale, scale));
    assert_true(graft_equal(graft_get_parameter(m, "fc1.weight"), weight));
    assert_string_equal(graft_load_report_text(report),
                        "load_state_dict into Net: 6 copied, 1 missing, 1 unexpected\n"
                        "  missing: \"scale\" [3] float32, kept as it was\n"
                        "  copied: \"mean\" [3] float32\n"
                        "  copied: \"seen\" [] int64\n"
                        "  copied: \"fc1.weight\" [3, 4] float32\n"
                        "  copied: \"fc1.bias\" [3] float32\n"
                        "  copied: \"fc2.weight\" [2, 3] float32\n"
                        "  copied: \"fc2.bias\" [2] float32\n"
                        "  unexpected: \"author\" a string, not taken");
    /* Everything else still counts. */
    graft_dict_set_tensor(d, "fc1.bias", graft_ones(g, graft_shape1(4), GRAFT_F32));
    assert_refused(g, d, &o, GRAFT_ERR_SHAPE,
                   "  shape of \"fc1.bias\": [3] in the model, [4] in the dict");
    graft_close(g);
}

static void with_cast_floating_dtypes_are_converted(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_load_options o = graft_load_defaults();
    o.cast = true;
    const double value[] = {1.0 / 3, -1e-3, 70000.125};
    graft_dict *d = fitting(g);
    graft_dict_set_tensor(d, "scale", graft_from_data(g, value, graft_shape1(3), GRAFT_F64));
    graft_dict_set_tensor(d, "mean", graft_full(g, graft_shape1(3), 0.5, GRAFT_BF16));
    graft_module *m = net_new(g);
    graft_load_report *report;
    assert_int_equal(graft_load_state_dict(m, d, &o, &report), GRAFT_OK);
    assert_elements(((net *)m)->scale,
                    (double[]){(float)value[0], (float)value[1], (float)value[2]}, 3);
    assert_elements(((net *)m)->mean, (double[]){0.5, 0.5, 0.5}, 3);
    assert_int_equal(graft_load_report_count(report, GRAFT_LOAD_CAST), 2);
    assert_int_equal(graft_load_report_count(report, GRAFT_LOAD_COPIED), 5);
    assert_non_null(strstr(graft_load_report_text(report), "5 copied, 2 cast\n"));
    assert_non_null(
        strstr(graft_load_report_text(report), "  cast: \"scale\" [3] float32 from float64\n"));
    assert_no_error(g);
    graft_close(g);
}

/* ---- Likely causes ---- */

static void keys_of_data_parallel(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *d = graft_dict_new(g), *sd = graft_state_dict(graft_linear(g, 3, 2, true));
    graft_dict_set_tensor(d, "module.weight", graft_dict_tensor(sd, "weight"));
    graft_dict_set_tensor(d, "module.bias", graft_dict_tensor(sd, "bias"));
    graft_module *m = graft_linear(g, 3, 2, true);
    assert_int_equal(graft_load_state_dict(m, d, NULL, NULL), GRAFT_ERR_NAME);
    assert_error(g, GRAFT_ERR_NAME,
                 "load_state_dict into Linear: nothing was loaded, 4 problems:\n"
                 "  missing: \"weight\" [2, 3] float32\n"
                 "  missing: \"bias\" [2] float32\n"
                 "  unexpected: \"module.weight\" [2, 3] float32\n"
                 "  unexpected: \"module.bias\" [2] float32\n"
                 "  all of the 2 unexpected names start with \"module.\", as torch.nn.DataParallel "
                 "saves them: graft_dict_rename_prefix(state, \"module.\", \"\", NULL) would give "
                 "them the model's names");
    assert_int_equal(graft_dict_rename_prefix(d, "module.", "", NULL), GRAFT_OK);
    assert_int_equal(graft_load_state_dict(m, d, NULL, NULL), GRAFT_OK);
    assert_no_error(g);
    graft_close(g);
}

static void keys_that_lack_a_prefix(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *d = graft_dict_clone(graft_state_dict(graft_linear(g, 3, 2, true)), NULL);
    graft_module *m = graft_sequential(g);
    graft_sequential_add(m, graft_linear(g, 3, 2, true));
    assert_int_equal(graft_load_state_dict(m, d, NULL, NULL), GRAFT_ERR_NAME);
    assert_error_has(g, GRAFT_ERR_NAME,
                     "\n  all of the 2 unexpected names lack \"0.\": "
                     "graft_dict_rename_prefix(state, \"\", \"0.\", NULL) would");
    assert_int_equal(graft_dict_rename_prefix(d, "", "0.", NULL), GRAFT_OK);
    assert_int_equal(graft_load_state_dict(m, d, NULL, NULL), GRAFT_OK);
    assert_no_error(g);
    graft_close(g);
}

static void keys_with_another_prefix(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *d = fitting(g);
    graft_dict_rename_prefix(d, "fc1.", "encoder.layer.", NULL);
    assert_refused(g, d, NULL, GRAFT_ERR_NAME,
                   "  missing: \"fc1.weight\" [3, 4] float32\n"
                   "  missing: \"fc1.bias\" [3] float32\n"
                   "  unexpected: \"encoder.layer.weight\" [3, 4] float32\n"
                   "  unexpected: \"encoder.layer.bias\" [3] float32\n"
                   "  all of the 2 unexpected names start with \"encoder.layer.\": "
                   "graft_dict_rename_prefix(state, \"encoder.layer.\", \"fc1.\", NULL) would give "
                   "them the model's names");
    graft_close(g);
}

static void near_misses(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *d = fitting(g);
    graft_dict_rename(d, "fc1.weight", "fc1.weigth");
    graft_dict_rename(d, "scale", "scales");
    assert_refused(g, d, NULL, GRAFT_ERR_NAME,
                   "  missing: \"scale\" [3] float32 (did you mean \"scales\"?)\n"
                   "  missing: \"fc1.weight\" [3, 4] float32 (did you mean \"fc1.weigth\"?)\n"
                   "  unexpected: \"scales\" [3] float32\n"
                   "  unexpected: \"fc1.weigth\" [3, 4] float32");
    graft_dict_set_tensor(d, "scales", graft_ones(g, graft_shape1(4), GRAFT_F32));
    graft_module *m = net_new(g);
    graft_load_state_dict(m, d, NULL, NULL);
    assert_null(
        strstr(graft_error(g), "did you mean \"scales\"")); /* another shape: another thing */
    graft_clear_error(g);
    graft_close(g);
}

static void a_checkpoint_instead_of_its_state_dict(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *d = fitting(g), *checkpoint = graft_dict_new(g);
    graft_dict_set_int(checkpoint, "epoch", 3);
    graft_dict_set_dict(checkpoint, "model_state_dict", d);
    graft_module *m = net_new(g);
    assert_int_equal(graft_load_state_dict(m, checkpoint, NULL, NULL), GRAFT_ERR_NAME);
    assert_error_has(g, GRAFT_ERR_NAME,
                     "\n  the dict under \"model_state_dict\" has 7 of the 7 missing names: "
                     "graft_dict_dict(state, \"model_state_dict\") may be what is to be loaded");
    assert_int_equal(
        graft_load_state_dict(m, graft_dict_dict(checkpoint, "model_state_dict"), NULL, NULL),
        GRAFT_OK);
    assert_no_error(g);
    graft_close(g);
}

static void thousands_of_names_are_all_named(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    enum { LAYERS = 2000 };
    graft_module *m = graft_sequential(g);
    for (int i = 0; i < LAYERS; i++)
        graft_sequential_add(m, graft_linear(g, 1, 1, true));
    graft_dict *d = graft_dict_clone(graft_state_dict(m), NULL);
    graft_dict_rename_prefix(d, "", "net.", NULL);
    assert_int_equal(graft_load_state_dict(m, d, NULL, NULL), GRAFT_ERR_NAME);
    assert_non_null(strstr(graft_error(g), "\n  missing: \"1999.bias\" [1] float32"));
    assert_error_has(g, GRAFT_ERR_NAME, "\n  all of the 4000 unexpected names start with \"net.\"");
    graft_close(g);
}

/* ---- Arguments ---- */

static void null_arguments(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_module *m = net_new(g);
    graft_load_report *report = (graft_load_report *)m;
    assert_int_equal(graft_load_state_dict(NULL, NULL, NULL, &report), GRAFT_ERR_ARGUMENT);
    assert_null(report);
    assert_int_equal(graft_load_state_dict(m, NULL, NULL, NULL), GRAFT_ERR_ARGUMENT);
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "load_state_dict into Net: the dict is NULL");
    assert_int_equal(graft_load_state_dict(NULL, graft_state_dict(m), NULL, NULL),
                     GRAFT_ERR_ARGUMENT);
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "the module is NULL");
    /* What could not be made for want of memory, a name, ... hands its own error on. */
    graft_dict_drop(graft_state_dict(m), "nothing");
    assert_int_equal(graft_load_state_dict(m, NULL, NULL, NULL), GRAFT_ERR_NAME);
    graft_clear_error(g);
    assert_int_equal(graft_load_report_len(NULL), 0);
    assert_null(graft_load_report_text(NULL));
    assert_false(graft_load_report_ok(NULL));
    graft_load_report_free(NULL);
    graft_close(g);
}

static void actions_have_names(void **state)
{
    (void)state;
    assert_string_equal(graft_load_action_name(GRAFT_LOAD_COPIED), "copied");
    assert_string_equal(graft_load_action_name(GRAFT_LOAD_CAST), "cast");
    assert_string_equal(graft_load_action_name(GRAFT_LOAD_KIND), "kind");
    assert_non_null(graft_load_action_name((graft_load_action)99));
}

/* ---- No memory ---- */

static void load_without_memory(void *user, failing_allocator *f)
{
    graft_module *(*make)(graft_ctx * g) = *(graft_module * (**)(graft_ctx *)) user;
    graft_ctx *g = test_open(), *h = failing_allocator_open(f);
    uint64_t made = 0;
    if (h) {
        uint64_t fail_at = f->fail_at;
        f->fail_at = 0;
        made = f->calls;
        graft_module *m = make(h);
        assert_no_error(h);
        model_bytes before = model_bytes_of(m);
        f->fail_at = fail_at + f->calls - made; /* of the load's own allocations */
        graft_dict *d = graft_dict_clone(graft_state_dict(make(g)), NULL);
        graft_load_options o = graft_load_defaults();
        o.cast = true;
        if (graft_dict_find(d, "fc1.weight") >= 0)
            graft_dict_set_tensor(d, "fc1.weight", graft_ones(g, graft_shape2(3, 4), GRAFT_F64));
        graft_load_report *report;
        graft_status st = graft_load_state_dict(m, d, &o, &report);
        f->fail_at = 0;
        f->keeps_on = false;
        assert_int_equal(st, f->failed ? GRAFT_ERR_MEMORY : GRAFT_OK);
        assert_int_equal(graft_error_status(h), st);
        if (st == GRAFT_OK) {
            assert_true(graft_load_report_ok(report));
            free(before.data);
        } else {
            assert_true(!report || !graft_load_report_ok(report));
            assert_untouched(m, before);
        }
        graft_close(h);
    }
    graft_close(g);
}

/* Of a load that is refused in any case, memory or not. */
static void refused_without_memory(void *user, failing_allocator *f)
{
    (void)user;
    uint64_t fail_at = f->fail_at;
    f->fail_at = 0;
    graft_ctx *g = failing_allocator_open(f);
    graft_module *m = net_new(g);
    graft_dict *d = graft_dict_clone(graft_state_dict(m), NULL);
    graft_dict_rename_prefix(d, "fc1.", "module.fc1.", NULL);
    graft_dict_rename(d, "scale", "scales");
    assert_no_error(g);
    model_bytes before = model_bytes_of(m);
    f->fail_at = f->calls + fail_at;
    graft_load_report *report;
    graft_status st = graft_load_state_dict(m, d, NULL, &report);
    f->fail_at = 0;
    f->keeps_on = false;
    assert_true(st == GRAFT_ERR_NAME || (f->failed && st == GRAFT_ERR_MEMORY));
    assert_int_equal(graft_error_status(g), st);
    assert_true(report || f->failed);
    assert_false(graft_load_report_ok(report));
    assert_untouched(m, before);
    graft_close(g);
}

static void a_refused_load_without_memory_is_still_refused(void **state)
{
    (void)state;
    failing_allocator_sweep(refused_without_memory, NULL);
}

static void a_load_that_runs_out_of_memory_changes_nothing(void **state)
{
    (void)state;
    graft_module *(*make[])(graft_ctx *) = {net_new, tied_new, views_new};
    for (int i = 0; i < 3; i++)
        failing_allocator_sweep(load_without_memory, &make[i]);
}

/* Nodes are made in the dict's context: what fails there fails the load. */
static void a_dict_of_a_context_without_memory(void **state)
{
    (void)state;
    for (uint64_t fail_at = 1;; fail_at++) {
        failing_allocator f = {.calls = 0};
        graft_ctx *g = test_open(), *h = failing_allocator_open(&f);
        assert_non_null(h);
        graft_module *m = net_new(g);
        graft_dict *d = graft_dict_clone(graft_state_dict(net_new(g)), h);
        graft_dict_set_tensor(d, "fc2.weight", graft_ones(h, graft_shape2(2, 3), GRAFT_F16));
        assert_no_error(h);
        model_bytes before = model_bytes_of(m);
        graft_load_options o = graft_load_defaults();
        o.cast = true;
        f.fail_at = f.calls + fail_at;
        const graft_status st = graft_load_state_dict(m, d, &o, NULL);
        f.fail_at = 0;
        assert_int_equal(graft_error_status(g), st);
        assert_int_equal(st, f.failed ? GRAFT_ERR_MEMORY : GRAFT_OK);
        if (st == GRAFT_OK)
            free(before.data);
        else
            assert_untouched(m, before);
        graft_close(g);
        graft_close(h);
        if (!f.failed)
            return;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_name),
        cmocka_unit_test(unexpected_names),
        cmocka_unit_test(non_persistent_buffers_are_not_expected),
        cmocka_unit_test(a_shape),
        cmocka_unit_test(a_dtype),
        cmocka_unit_test(a_kind),
        cmocka_unit_test(everything_at_once),
        cmocka_unit_test(without_strict_names_are_reported_only),
        cmocka_unit_test(with_cast_floating_dtypes_are_converted),
        cmocka_unit_test(keys_of_data_parallel),
        cmocka_unit_test(keys_that_lack_a_prefix),
        cmocka_unit_test(keys_with_another_prefix),
        cmocka_unit_test(near_misses),
        cmocka_unit_test(a_checkpoint_instead_of_its_state_dict),
        cmocka_unit_test(thousands_of_names_are_all_named),
        cmocka_unit_test(a_dict_of_a_context_without_memory),
        cmocka_unit_test(null_arguments),
        cmocka_unit_test(actions_have_names),
        cmocka_unit_test(a_refused_load_without_memory_is_still_refused),
        cmocka_unit_test(a_load_that_runs_out_of_memory_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
