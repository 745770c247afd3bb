/* Rules as text: parsed, printed, refused, inverted. */
#include "copy/rules.h"
#include "failing_allocator.h"
#include "folder.h"
#include "test.h"

/* ---- Lines: as they are printed ---- */

static const char *const lines[][2] = {
    /* NULL: as it was */
    {"take *.weight *.bias", NULL},
    {"skip  optimizer.*\t# the rest", "skip optimizer.*"},
    {"keep head.*", NULL},
    {"strip module.", NULL},
    {"add model.", NULL},
    {"add model. fc*", NULL},
    {"map h.*.ln_1.* layers.*.norm1.*", NULL},
    {"rename ^module\\. \"\"", NULL},
    {"rename '^module\\.' ''", "rename ^module\\. \"\""},
    {"rename \"a b\" 'c'", "rename 'a b' c"},
    {"rename \"a\\\\.\\\"\" x", "rename 'a\\.\"' x"},
    {"rename \"a'\\\\.\\\"\" x", "rename \"a'\\\\.\\\"\" x"},
    {"rename it's' x", NULL}, /* see below: refused */
    {"rename (a)(b) \\2\\1\\\\", NULL},
    {"rename a#b '#'", "rename a#b '#'"},
    {"permute fc.weight 1 0", NULL},
    {"permute fc.weight -1 0", NULL},
    {"transpose *.weight", NULL},
    {"transpose *.weight 0 2", NULL},
    {"reshape head.weight 768,-1", NULL},
    {"reshape head.weight 768x-1", "reshape head.weight 768,-1"},
    {"slice fc.weight 0 0 10", NULL},
    {"slice fc.weight -1 -20 end", NULL},
    {"pad fc.weight 0 1 2", NULL},
    {"pad fc.weight 0 1 2 0.5", NULL},
    {"pad fc.weight 0 1 2 .1", "pad fc.weight 0 1 2 0.1"},
    {"pad fc.weight 0 1 2 1e400", "pad fc.weight 0 1 2 inf"},
    {"repeat conv1.weight 1 3 divide", NULL},
    {"repeat divide 1 3", NULL},
    {"inflate *.weight 2 3", NULL},
    {"reduce conv1.weight 1 mean", NULL},
    {"reduce conv1.weight 1 sum times=3", NULL},
    {"reduce conv1.weight 1 first drop", NULL},
    {"fuse *.in_proj_weight 0 *.q.weight *.k.weight *.v.weight", NULL},
    {"fuse *.qkv 0 *.q *.k *.v groups=12 sizes=24,12,12", NULL},
    {"fuse *.qkv 0 *.q *.k sizes=any groups=2", "fuse *.qkv 0 *.q *.k groups=2 sizes=any"},
    {"split *.qkv 0 *.q *.k *.v", NULL},
    {"split *.qkv -2 *.q *.k *.v groups=12 sizes=24,12,12", NULL},
    {"stack encoder.layer. 0-11 6-17", NULL},
    {"stack encoder.layer. 3", "stack encoder.layer. 3-3"},
    {"resize wte.weight", NULL},
    {"resize wte.weight dim=0 size=10 new=zeros seed=0", "resize wte.weight size=10"},
    {"resize wte.weight seed=7 new=normal dim=1", "resize wte.weight dim=1 new=normal seed=7"},
    {"resample pos_embed", NULL},
    {"resample pos_embed to=24x24 from=14,14 prefix=0 mode=bilinear antialias=no",
     "resample pos_embed to=24x24 from=14x14 prefix=0 mode=bilinear antialias=no"},
    {"resample pos_embed mode=bicubic antialias=yes", "resample pos_embed"},
    {"cast * target", NULL},
    {"cast * bf16", "cast * bfloat16"},
    {"cast * F32", "cast * float32"},
    {"cast * u8", "cast * uint8"},
    {"cast * float8_e4m3fn", NULL},
    {"cast * f8_e4m3fn", "cast * float8_e4m3fn"},
    {"dequantize *", "dequantise *"},
    {"ties break", NULL},
};

static void canonical_lines(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        graft_rules *rules = graft_rules_new(g);
        if (strstr(lines[i][0], "it's'")) {
            assert_int_equal(graft_rules_add(rules, lines[i][0]), GRAFT_OK);
            assert_string_equal(graft_rules_line(rules, 0), "rename its x");
            graft_rules_free(rules);
            continue;
        }
        const char *expected = lines[i][1] ? lines[i][1] : lines[i][0];
        graft_rules_add(rules, lines[i][0]);
        assert_no_error(g);
        assert_int_equal(graft_rules_len(rules), 1);
        assert_string_equal(graft_rules_line(rules, 0), expected);
        assert_null(graft_rules_line(rules, 1));
        assert_null(graft_rules_line(rules, -1));
        /* What is printed is read as the same. */
        assert_int_equal(graft_rules_add(rules, expected), GRAFT_OK);
        assert_string_equal(graft_rules_line(rules, 1), expected);
        graft_rules_free(rules);
    }
    graft_close(g);
}

/* ---- Errors ---- */

static const char *const errors[][2] = {
    {"", "rules_add: expected a rule, got \"\""},
    {"# a comment", "rules_add: expected a rule, got \"# a comment\""},
    {"a\nb", "rules_add: expected one line of text, got a line break in it"},
    {"renam a b",
     "rules_add: no rule is called \"renam\": expected one of take, skip, keep, strip, add, map, "
     "rename, permute, transpose, reshape, slice, pad, repeat, inflate, reduce, fuse, split, "
     "stack, resize, resample, cast, dequantise, ties"},
    {"take", "rules_add: take: expected GLOB..., got 0 words"},
    {"strip a b", "rules_add: strip: expected PREFIX, got 2 words"},
    {"strip ''", "rules_add: strip: PREFIX \"\": expected 1 to 1000 bytes"},
    {"strip \x01", "rules_add: expected one line of text, got a control character in it"},
    {"strip a\xE4", "rules_add: expected UTF-8, byte 8 is not"},
    {"strip 'a", "rules_add: a quote ' is not closed"},
    {"slice fc 0 1", "rules_add: slice: expected GLOB DIM START END, got 3 words"},
    {"slice fc x 1 2", "rules_add: slice: DIM \"x\": expected a dimension from -8 to 7"},
    {"slice fc 8 1 2", "rules_add: slice: DIM \"8\": expected a dimension from -8 to 7"},
    {"slice fc 0 1 9223372036854775808",
     "rules_add: slice: END \"9223372036854775808\": expected a whole number or \"end\""},
    {"pad fc 0 -1 2", "rules_add: pad: BEFORE \"-1\": expected a whole number, at least 0"},
    {"pad fc 0 1 2 0,5", "rules_add: pad: VALUE \"0,5\": expected a number"},
    {"pad fc 0 1 2 -", "rules_add: pad: VALUE \"-\": expected a number"},
    {"repeat fc 0 0", "rules_add: repeat: TIMES \"0\": expected a whole number, at least 1"},
    {"repeat fc 0 2 divde", "rules_add: repeat: expected GLOB DIM TIMES [divide], got 4 words"},
    {"reduce fc 0 max", "rules_add: reduce: sum|mean|first \"max\": expected sum|mean|first"},
    {"reduce fc 0 sum times=2 drop",
     "rules_add: reduce: drop needs all of the dimension, without times="},
    {"reshape fc 3,-1,-1", "rules_add: reshape: SHAPE \"3,-1,-1\": expected at most 8 sizes as in "
                           "768,-1 with at most one "
                           "-1"},
    {"permute fc 0 0", "rules_add: permute: each of the dimensions must be there once"},
    {"permute fc 0 2", "rules_add: permute: each of the dimensions must be there once"},
    {"transpose fc 1", "rules_add: transpose: expected two dimensions or none, got one"},
    {"map a* b**", "rules_add: map: the second pattern has more * than the first"},
    {"rename ( x", "rules_add: rename: REGEX \"(\": Unmatched ( or \\("},
    {"rename (a)\\1 x",
     "rules_add: rename: REGEX \"(a)\\1\": back references are not POSIX extended"},
    {"rename ((a{99}){99}) x", "rules_add: rename: REGEX \"((a{99}){99})\": with its repetitions "
                               "spelled out it is longer than 2000 characters"},
    {"rename a{99}{99} x",
     "rules_add: rename: REGEX \"a{99}{99}\": with its repetitions spelled out "
     "it is longer than 2000 characters"},
    {"rename a+++++++++++++++++++++++++++++ x",
     "rules_add: rename: REGEX \"a+++++++++++++++++++++++++++++\": with its repetitions spelled "
     "out "
     "it is longer than 2000 characters"},
    {"rename ((((((((((((a+)+)+)+)+)+)+)+)+)+)+)+) x",
     "rules_add: rename: REGEX \"((((((((((((a+)+)+)+)+)+)+)+)+)+)+)+)\": with its repetitions "
     "spelled out it is longer than 2000 characters"},
    {"rename (a) \\2", "rules_add: rename: REPLACEMENT \"\\2\": the regex has fewer groups"},
    {"rename (a) \\x",
     "rules_add: rename: REPLACEMENT \"\\x\": expected \\0 to \\9 or \\\\ after a backslash"},
    {"fuse w* 0 a b*", "rules_add: fuse: the patterns of the parts need as many * as that of the "
                       "whole"},
    {"fuse w 0 a b sizes=1,2,3", "rules_add: fuse: sizes= needs one size for each part"},
    {"split w 0 a b sizes=any",
     "rules_add: split: sizes= \"any\": expected a size for each part as in 768,256,256"},
    {"split w 0 a b groups=2 sizes=4,3",
     "rules_add: split: each of sizes= must be a multiple of groups="},
    {"stack h. 5-4",
     "rules_add: stack: FIRST-LAST \"5-4\": expected numbers of layers as in 0-11, at most 100000"},
    {"resize fc size=x", "rules_add: resize: size= \"x\": expected a whole number, at least 0"},
    {"resize fc new=ones", "rules_add: resize: new= \"ones\": expected zeros|mean|normal|initial"},
    {"resample fc to=24",
     "rules_add: resample: to= \"24\": expected a height and a width as in 24x24"},
    {"cast * float12", "rules_add: cast: DTYPE|target \"float12\": expected a dtype as in float16 "
                       "or f16, or \"target\""},
    {"ties cut", "rules_add: ties: keep|break|check \"cut\": expected keep|break|check"},
};

static void wrong_lines(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_rules *rules = graft_rules_new(g);
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        assert_int_equal(graft_rules_add(rules, errors[i][0]), GRAFT_ERR_ARGUMENT);
        assert_error(g, GRAFT_ERR_ARGUMENT, errors[i][1]);
        assert_int_equal(graft_rules_len(rules), 0);
    }
    assert_int_equal(graft_rules_add(rules, NULL), GRAFT_ERR_ARGUMENT);
    assert_error(g, GRAFT_ERR_ARGUMENT, "rules_add: line is NULL");
    graft_close(g);
}

/* ---- Texts ---- */

static const char text[] = "\xEF\xBB\xBF# GPT-2 into ours\r\n"
                           "strip transformer.   # of Hugging Face\r\n"
                           "\r\n"
                           "  map h.*.ln_1.* layers.*.norm1.*\n"
                           "rename '' \"\"\n"
                           "slice wte.weight 0 1";

static void texts(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    assert_null(graft_rules_parse(g, text));
    assert_error(g, GRAFT_ERR_ARGUMENT,
                 "rules: line 5: rename: REGEX \"\": expected 1 to 1000 bytes");
    graft_rules *rules = graft_rules_parse(g, "strip a.\n\n add b.");
    char *all = graft_rules_text(rules);
    assert_string_equal(all, "strip a.\nadd b.\n");
    graft_rules *again = graft_rules_parse(g, all);
    assert_int_equal(graft_rules_len(again), 2);
    graft_text_free(g, all);
    rules = graft_rules_parse(g, "");
    assert_int_equal(graft_rules_len(rules), 0);
    all = graft_rules_text(rules);
    assert_string_equal(all, "");
    graft_text_free(g, all);
    assert_null(graft_rules_parse(g, NULL));
    assert_error(g, GRAFT_ERR_ARGUMENT, "rules_parse: text is NULL");
    graft_close(g);
}

static void files(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    char *folder = folder_make(), *path = folder_path(folder, "rules.txt"), expected[600];
    file_put(path, text, sizeof text - 1);
    assert_null(graft_rules_read(g, path));
    snprintf(expected, sizeof expected, "%s: line 5: rename: REGEX \"\": expected 1 to 1000 bytes",
             path);
    assert_error(g, GRAFT_ERR_ARGUMENT, expected);
    file_put(path, "strip a.\nadd \0b\n", 16);
    assert_null(graft_rules_read(g, path));
    assert_error_has(g, GRAFT_ERR_ARGUMENT,
                     "line 2: expected one line of text, got a control character in it");
    file_put(path, "strip a.\nadd b.\n", 16);
    assert_int_equal(graft_rules_len(graft_rules_read(g, path)), 2);
    assert_null(graft_rules_read(g, folder));
    assert_error_has(g, GRAFT_ERR_IO, "expected a regular file");
    assert_null(graft_rules_read(g, NULL));
    assert_error(g, GRAFT_ERR_ARGUMENT, "rules_read: path is NULL");
    free(path);
    folder_remove(folder);
    graft_close(g);
}

/* Each name of the table's grammar is one that can be taken and printed. */
static void table(void **state)
{
    (void)state;
    for (int64_t i = 0; i < GRAFT__RULES; i++) {
        bool met = false;
        assert_non_null(graft_rule_arguments(i));
        assert_true(strlen(graft_rule_summary(i)) > 10);
        for (size_t k = 0; k < sizeof lines / sizeof *lines; k++)
            met |= strncmp(lines[k][1] ? lines[k][1] : lines[k][0], graft_rule_verb(i),
                           strlen(graft_rule_verb(i))) == 0;
        assert_true(met);
    }
    assert_null(graft_rule_verb(GRAFT__RULES));
    assert_null(graft_rule_verb(-1));
    assert_null(graft_rule_arguments(GRAFT__RULES));
    assert_null(graft_rule_summary(-1));
}

/* ---- Inverses ---- */

static const char *const inverses[][2] = {
    {"strip a.", "add a."},
    {"add a.", "strip a."},
    {"map a.*.b.* c.*.*", "map c.*.*  a.*.b.*"},
    {"rename ^module\\. \"\"", "rename ^ module."},
    {"rename \\.gamma$ .weight", "rename \\.weight$ .gamma"},
    {"rename '^h\\.([0-9]+)\\.' 'layers.\\1.'", "rename ^layers\\.([0-9]+)\\. h.\\1."},
    {"rename '([a-z]+)[.]([0-9]+)' 'x\\2_\\1'", "rename x([0-9]+)_([a-z]+) \\2.\\1"},
    {"rename a\\\\b 'c\\\\d'", "rename c\\\\d a\\\\b"},
    {"rename a[[][.]b x", "rename x a[.b"},
    {"permute w 2 0 1", "permute w 1 2 0"},
    {"permute w -1 0 1", "permute w 1 2 0"},
    {"transpose w 0 1", "transpose w 0 1"},
    {"pad w 1 2 3", "slice w 1 2 -3"},
    {"pad w -1 2 0 5", "slice w -1 2 end"},
    {"repeat w 1 3", "reduce w 1 first times=3"},
    {"repeat w 1 3 divide", "reduce w 1 sum times=3"},
    {"inflate w 2 3", "reduce w 2 first drop"},
    {"inflate w -1 3 divide", "reduce w -1 sum drop"},
    {"fuse *.w 0 *.a *.b groups=2", "split *.w 0 *.a *.b groups=2"},
    {"fuse *.w 0 *.a *.b sizes=1,2", "split *.w 0 *.a *.b sizes=1,2"},
    {"split *.w 0 *.a *.b sizes=2,4 groups=2", "fuse *.w 0 *.a *.b groups=2 sizes=2,4"},
    {"keep a", "keep a"},
    {"ties check", "ties check"},
};

static const char *const final_ones[][2] = {
    {"take a", "what was not taken is gone"},
    {"skip a", "what was skipped is gone"},
    {"map *.* *", "the second pattern has fewer * than the first, so the text of one is gone"},
    {"rename module\\. \"\"", "where the text stood is not known: ^ or $ would say it"},
    {"rename a.c x",
     "outside of its groups the regex is not plain text, so the text before is not known"},
    {"rename (a)+ x\\1",
     "outside of its groups the regex is not plain text, so the text before is not known"},
    {"rename \\w x",
     "outside of its groups the regex is not plain text, so the text before is not known"},
    {"rename (a) x", "the replacement drops a group of the regex"},
    {"rename (a) \\1\\1", "the replacement has a group twice, or all of the match"},
    {"rename a \\0", "the replacement has a group twice, or all of the match"},
    {"rename (a(b)) \\1\\2", "a group of the regex has a group inside"},
    {"rename (^a|b) \\1", "a group of the regex has ^ or $ inside"},
    {"reshape w 1,2", "the shape before is not known"},
    {"slice w 0 1 2", "what was cut away is gone"},
    {"reduce w 0 sum", "what was summed up or dropped is gone"},
    {"fuse w 0 a b sizes=any", "the sizes of its parts are not known"},
    {"stack h. 0-1", "layers may be there twice or no more"},
    {"resize w", "the size before is not known"},
    {"resample w", "it interpolates"},
    {"cast w f16", "the dtype before is not known, and digits are lost"},
    {"dequantise w", "digits are lost"},
    {"ties break", "what was tied is not known"},
};

static void inverting(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_rules *all = graft_rules_new(g);
    const size_t count = sizeof inverses / sizeof *inverses;
    for (size_t i = 0; i < count; i++)
        assert_int_equal(graft_rules_add(all, inverses[i][0]), GRAFT_OK);
    graft_rules *back = graft_rules_invert(all);
    assert_no_error(g);
    assert_int_equal(graft_rules_len(back), (int64_t)count);
    for (size_t i = 0; i < count; i++) {
        graft_rules *one = graft_rules_parse(g, inverses[count - 1 - i][1]);
        assert_string_equal(graft_rules_line(back, (int64_t)i), graft_rules_line(one, 0));
    }
    graft_close(g);
}

static void no_inverses(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    for (size_t i = 0; i < sizeof final_ones / sizeof *final_ones; i++) {
        graft_rules *rules = graft_rules_new(g);
        graft_rules_add(rules, "strip a.");
        assert_int_equal(graft_rules_add(rules, final_ones[i][0]), GRAFT_OK);
        graft_rules_add(rules, "take never");
        assert_null(graft_rules_invert(rules));
        char expected[400];
        snprintf(expected, sizeof expected, "rules_invert: \"%s\" has no inverse: %s",
                 graft_rules_line(rules, 1), final_ones[i][1]);
        assert_error(g, GRAFT_ERR_ARGUMENT, expected);
    }
    graft_close(g);
}

/* ---- Memory ---- */

static void make_and_invert(void *user, failing_allocator *a)
{
    (void)user;
    graft_ctx *g = failing_allocator_open(a);
    if (!g)
        return;
    graft_rules *rules = graft_rules_parse(
        g, "strip 'module.'\nfuse w 0 a b sizes=1,2\nrename ^(a)b c\\1\nstack x. 0-1 2-3 4 5 6\n");
    if (!rules) {
        assert_int_equal(graft_error_status(g), GRAFT_ERR_MEMORY);
        graft_close(g);
        return;
    }
    const int64_t count = graft_rules_len(rules);
    if (graft_rules_add(rules, "add \"b.\" c*") != GRAFT_OK)
        assert_int_equal(graft_rules_len(rules), count);
    graft_text_free(g, graft_rules_text(rules));
    graft_rules_free(rules);
    rules = graft_rules_parse(g, "strip a.\nrename ^(a)b c\\1\nsplit w 0 a b\npad w 0 1 2\n");
    graft_rules_free(graft_rules_invert(rules));
    graft_close(g);
}

static void out_of_memory(void **state)
{
    (void)state;
    failing_allocator_sweep(make_and_invert, NULL);
}

static void nothing(void **state)
{
    (void)state;
    assert_null(graft_rules_new(NULL));
    assert_null(graft_rules_parse(NULL, ""));
    assert_null(graft_rules_read(NULL, "x"));
    assert_null(graft_rules_invert(NULL));
    assert_null(graft_rules_text(NULL));
    assert_null(graft_rules_line(NULL, 0));
    assert_int_equal(graft_rules_len(NULL), 0);
    assert_int_equal(graft_rules_add(NULL, "strip a"), GRAFT_ERR_ARGUMENT);
    graft_rules_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(canonical_lines), cmocka_unit_test(wrong_lines),
        cmocka_unit_test(texts),           cmocka_unit_test(files),
        cmocka_unit_test(table),           cmocka_unit_test(inverting),
        cmocka_unit_test(no_inverses),     cmocka_unit_test(out_of_memory),
        cmocka_unit_test(nothing),
    };
    return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
