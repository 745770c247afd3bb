/* Rules on the names and shapes of a dict. Values are the business of node_test.c and of
 * tests/parity/test_rules.py. */
#include "copy/item.h"
#include "failing_allocator.h"
#include "test.h"

/* A dict of float32 tensors: "a.b 2 3, c 4, ..." */
static graft_dict *dict_of(graft_ctx *g, const char *names)
{
    graft_dict *d = graft_dict_new(g);
    while (d && *names) {
        char name[64];
        graft_shape shape = {.ndim = 0};
        size_t length = strcspn(names, " ,");
        memcpy(name, names, length);
        name[length] = 0;
        for (names += length; *names == ' ' && names[1] >= '0' && names[1] <= '9';)
            shape.size[shape.ndim++] = strtol(names + 1, (char **)(uintptr_t)&names, 10);
        names += strspn(names, ", ");
        graft_tensor *t = graft_zeros(g, shape, GRAFT_F32);
        if (!t || graft_dict_set_tensor(d, name, t) != GRAFT_OK)
            return NULL;
        graft_tensor_free(t);
    }
    return d;
}

/* The items in the same form, in a buffer. */
static const char *text_of(const graft__items *items, char *out)
{
    out[0] = 0;
    for (size_t i = 0; i < items->count; i++) {
        strcat(strcat(out, i ? ", " : ""), items->item[i].name);
        for (int d = 0; d < items->item[i].node->shape.ndim; d++)
            sprintf(out + strlen(out), " %lld", (long long)items->item[i].node->shape.size[d]);
        if (items->item[i].adapts)
            sprintf(out + strlen(out), " +%d", items->item[i].adapts);
    }
    return out;
}

/* What the rules make of the dict is `expected`; the number of matches of all rules. */
static int64_t becomes(const char *before, const char *rules_text, const char *expected)
{
    char got[2000];
    int64_t matches = 0;
    graft_ctx *g = test_open();
    graft_dict *d = dict_of(g, before);
    graft_rules *rules = graft_rules_parse(g, rules_text);
    graft__items items;
    assert_no_error(g);
    assert_int_equal(graft__items_of(&items, d), GRAFT_OK);
    assert_int_equal(graft__rules_apply(rules, &items), GRAFT_OK);
    assert_no_error(g);
    assert_string_equal(text_of(&items, got), expected);
    for (size_t i = 0; i < items.rules; i++)
        matches += items.matches[i];
    graft__items_free(&items);
    graft_close(g);
    return matches;
}

/* The rules cannot be applied. */
static void fails(const char *before, const char *rules_text, graft_status status,
                  const char *message)
{
    graft_ctx *g = test_open();
    graft_dict *d = dict_of(g, before);
    graft_rules *rules = graft_rules_parse(g, rules_text);
    graft__items items;
    assert_no_error(g);
    assert_int_equal(graft__items_of(&items, d), GRAFT_OK);
    assert_int_equal(graft__rules_apply(rules, &items), status);
    assert_error(g, status, message);
    graft__items_free(&items);
    graft_close(g);
}

/* ---- Names ---- */

static void names(void **state)
{
    (void)state;
    assert_int_equal(becomes("a.w, b, c", "", "a.w, b, c"), 0);
    assert_int_equal(becomes("a.w, b, a.c", "take a.* c\n", "a.w, a.c"), 2);
    assert_int_equal(becomes("a.w, b, a.c", "skip a.* c", "b"), 2);
    assert_int_equal(becomes("m.w, b, m.m.c", "strip m.", "w, b, m.c"), 2);
    assert_int_equal(becomes("w, m.c", "add m. w\nadd n.", "n.m.w, n.m.c"), 3);
    assert_int_equal(becomes("h.0.w, h.1.w, x", "map h.*.w l.*.v", "l.0.v, l.1.v, x"), 2);
    assert_int_equal(becomes("h.0.h, x", "rename h(.) g\\1", "g.0.h, x"), 1);
    assert_int_equal(becomes("abc", "rename b* -\\0-", "--abc"), 1);
    assert_int_equal(becomes("ac", "rename a(b)?c x\\1y", "xy"), 1);
    /* A name may pass through one that is taken later. */
    becomes("a, b", "map a t\nmap b a\nmap t b", "b, a");
    assert_int_equal(becomes("a", "keep a\nties check", "a"), 1);
}

static void wrong_names(void **state)
{
    (void)state;
    fails("m.w, w", "take *\nstrip m.", GRAFT_ERR_NAME,
          "two tensors come to have the name \"w\": \"m.w\" and \"w\" of the source (by the rule: "
          "strip m.)");
    fails("m", "map m x\nstrip x", GRAFT_ERR_NAME,
          "nothing would be left of the name \"x\" (\"m\" of the source) (by the rule: strip x)");
}

/* ---- Parts ---- */

static void parts(void **state)
{
    (void)state;
    assert_int_equal(becomes("x, l.0.k 2 3, l.0.q 2 3, l.0.v 2 3, l.1.q 4 3, l.1.v 4 3, l.1.k 4 3",
                             "fuse l.*.qkv 0 l.*.q l.*.k l.*.v", "x, l.0.qkv 6 3, l.1.qkv 12 3"),
                     6);
    assert_int_equal(
        becomes("l.qkv 6 3, x", "split *.qkv 0 *.q *.k *.v", "l.q 2 3, l.k 2 3, l.v 2 3, x"), 1);
    becomes("l.qkv 8 3", "split *.qkv 0 *.q *.k *.v sizes=4,2,2", "l.q 4 3, l.k 2 3, l.v 2 3");
    becomes("q 4 3, k 2 3", "fuse qk 0 q k sizes=4,2", "qk 6 3");
    becomes("q 4 3, k 2 3", "fuse qk -2 q k sizes=any", "qk 6 3");
    becomes("q 4, k 4", "fuse qk 0 q k groups=2\nsplit qk 0 a b groups=2", "a 4, b 4");
    assert_int_equal(becomes("x", "fuse *.qk 0 *.q *.k", "x"), 0);
    assert_int_equal(becomes("x", "split *.qk 0 *.q *.k", "x"), 0);
    /* One tensor may be a part twice. */
    becomes("q 4", "fuse qq 0 q q", "qq 8");
}

static void wrong_parts(void **state)
{
    (void)state;
    fails("l.q 2, l.v 2", "fuse *.qkv 0 *.q *.k *.v", GRAFT_ERR_NAME,
          "fuse: \"l.q\" is there, but \"l.k\", which goes with it, is not (by the rule: fuse "
          "*.qkv 0 "
          "*.q *.k *.v)");
    fails("q 4 3, k 2 3", "fuse qk 0 q k", GRAFT_ERR_SHAPE,
          "k: fuse: size 2 along dim 0, but \"q\" has 4: where parts differ, sizes= says how, or "
          "sizes=any (by the rule: fuse qk 0 q k)");
    fails(
        "q 4 3, k 2 3", "fuse qk 0 q k sizes=4,3", GRAFT_ERR_SHAPE,
        "k: fuse: size 2 along dim 0, expected 3 of sizes= (by the rule: fuse qk 0 q k sizes=4,3)");
    fails("qk 3, q", "split qk 0 q k sizes=1,2", GRAFT_ERR_NAME,
          "two tensors come to have the name \"q\": \"qk\" and \"q\" of the source (by the rule: "
          "split "
          "qk 0 q k sizes=1,2)");
    fails(
        "w 3", "resize w\nsplit w 0 a b", GRAFT_ERR_ARGUMENT,
        "w: a rule before this one waits for the target's shape or dtype: such rules come last (by "
        "the rule: split w 0 a b)");
}

/* ---- Layers ---- */

static void layers(void **state)
{
    (void)state;
    assert_int_equal(becomes("e, h.0.a, h.0.b, h.1.a, h.1.b, h.2.a, h.2.b, f", "stack h. 0-1 1-2",
                             "e, h.0.a, h.0.b, h.1.a, h.1.b, h.2.a, h.2.b, h.3.a, h.3.b, f"),
                     6);
    becomes("h.10.a, h.9.a, h.x, h.01.a, hh.3", "stack h. 9-10", "h.0.a, h.1.a, h.x, h.01.a, hh.3");
    becomes("m.h.0, m.h.1", "stack m.h 1 0 1", "m.h.0, m.h.1, m.h.2");
    assert_int_equal(becomes("x", "stack h. 0-3", "x"), 0);
    fails("h.0.a, h.1.a", "stack h. 0-2", GRAFT_ERR_NAME,
          "stack: no tensor is of layer h.2 (by the rule: stack h. 0-2)");
}

/* Which sources were taken out. */
static void skipped(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *d = dict_of(g, "h.0, h.1, h.2, a, q 2, k 2");
    graft_rules *rules = graft_rules_parse(g, "stack h. 1-2\nfuse qk 0 q k\nskip a qk");
    graft__items items;
    assert_int_equal(graft__items_of(&items, d), GRAFT_OK);
    assert_int_equal(graft__rules_apply(rules, &items), GRAFT_OK);
    assert_no_error(g);
    const bool expected[] = {true, false, false, true, true, true};
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(items.skipped[i], expected[i]);
    assert_int_equal(items.sources, 6);
    assert_string_equal(items.source[1], "h.1");
    graft__items_free(&items);
    graft_close(g);
}

/* ---- Shapes ---- */

static void shapes(void **state)
{
    (void)state;
    becomes("w 2 3 4", "permute w 2 0 1", "w 4 2 3");
    becomes("w 2 3 4", "transpose w", "w 2 4 3");
    becomes("w 2 3 4", "transpose w 0 -1", "w 4 3 2");
    becomes("w 2 3 4", "reshape w 6,-1", "w 6 4");
    becomes("w 2 3 4", "slice w 2 -3 -1", "w 2 3 2");
    becomes("w 2 3 4", "slice w -2 1 end", "w 2 2 4");
    becomes("w 2 3 4", "pad w 0 1 2", "w 5 3 4");
    becomes("w 2 3", "repeat w 1 3 divide", "w 2 9");
    becomes("w 2 3", "inflate w 1 4", "w 2 4 3");
    becomes("w 2 3", "inflate w -1 4", "w 2 3 4");
    becomes("w 2 3", "reduce w 1 sum", "w 2 1");
    becomes("w 2 3", "reduce w 0 mean drop", "w 3");
    becomes("w 2 3", "reduce w -1 first drop", "w 2");
    becomes("w 2 6", "reduce w 1 sum times=3", "w 2 2");
    becomes("w 2 6", "reduce w -1 first times=2", "w 2 3");
    becomes("w 2 3", "resize w size=5 new=mean", "w 5 3");
    becomes("w 2 3", "resize w dim=1 size=1", "w 2 1");
    becomes("p 1 17 8", "resample p to=2x3", "p 1 7 8");
    becomes("p 16 8", "resample p to=2x3", "p 6 8");
    becomes("p 1 8 8", "resample p from=2x3 to=4x4", "p 1 18 8");
    assert_int_equal(
        becomes("w 2, v 2, x 3", "reshape {w,v} 1,2\nreshape x 3,1", "w 1 2, v 1 2, x 3 1"), 3);
    becomes("w 2 3, v", "resize w\ncast *\ttarget\ncast w f16\nresize w new=initial size=4",
            "w 2 3 +4, v +1");
}

/* cast to a floating dtype leaves integers alone unless one is named; dequantise what is not
 * quantized. */
static void dtypes(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *d = dict_of(g, "w 2");
    graft_dict_set_tensor(d, "n", graft_zeros(g, graft_shape0(), GRAFT_I64));
    graft_dict_set_tensor(d, "m", graft_zeros(g, graft_shape0(), GRAFT_BOOL));
    graft_rules *rules =
        graft_rules_parse(g, "cast * f16\ncast m f16\ncast * i32\ndequantise *\ncast n f64");
    graft__items items;
    assert_int_equal(graft__items_of(&items, d), GRAFT_OK);
    assert_int_equal(graft__rules_apply(rules, &items), GRAFT_OK);
    const int64_t matches[] = {1, 1, 3, 0, 1};
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(items.matches[i], matches[i]);
    assert_int_equal(items.item[0].node->dtype, GRAFT_I32);
    assert_int_equal(items.item[1].node->dtype, GRAFT_F64);
    assert_int_equal(items.item[2].node->dtype, GRAFT_I32);
    graft__items_free(&items);
    graft_close(g);
}

static void wrong_shapes(void **state)
{
    (void)state;
    fails(
        "w 2 3", "transpose w 0 2", GRAFT_ERR_SHAPE,
        "w: transpose: shape [2, 3] does not have both dimensions (by the rule: transpose w 0 2)");
    fails("w 2", "transpose w", GRAFT_ERR_SHAPE,
          "w: transpose: shape [2] does not have both dimensions (by the rule: transpose w)");
    fails(
        "w 2 3", "reduce w 1 sum times=2", GRAFT_ERR_SHAPE,
        "w: reduce: shape [2, 3] does not come in 2 parts along dim 1, or has 8 dimensions (by the "
        "rule: reduce w 1 sum times=2)");
    fails(
        "w 2 3", "slice w 0 0 3", GRAFT_ERR_SHAPE,
        "w: slice: 0 to 3 of dim 0 of shape [2, 3]: expected 0 <= start <= end <= 2 (by the rule: "
        "slice w 0 0 3)");
    fails(
        "w 2", "cast w target\nreshape w 1,2", GRAFT_ERR_ARGUMENT,
        "w: a rule before this one waits for the target's shape or dtype: such rules come last (by "
        "the rule: reshape w 1,2)");
    fails("w 2",
          "cast w target\ncast w target\ncast w target\ncast w target\ncast w target\ncast w "
          "target\ncast w target\ncast w target\ncast w target",
          GRAFT_ERR_ARGUMENT,
          "w: more than 8 rules wait for the target's shape or dtype (by the rule: cast w target)");
}

/* ---- To a target ---- */

/* What the only item becomes for a target of that shape, as text; or the error. */
static void adapts(const char *before, const char *rules_text, graft_shape shape, bool has_initial,
                   const char *expected)
{
    graft_ctx *g = test_open();
    graft_rules *rules = graft_rules_parse(g, rules_text);
    graft__items items;
    assert_int_equal(graft__items_of(&items, dict_of(g, before)), GRAFT_OK);
    assert_int_equal(graft__rules_apply(rules, &items), GRAFT_OK);
    graft_tensor *initial = has_initial ? graft_ones(g, shape, GRAFT_F32) : NULL;
    graft__node *n = graft__item_adapt(rules, &items.item[0], &shape, GRAFT_F16, initial);
    if (n) {
        char got[200] = "";
        for (int i = 0; i < n->shape.ndim; i++)
            sprintf(got + strlen(got), "%lld ", (long long)n->shape.size[i]);
        strcat(got, graft_dtype_name(n->dtype));
        assert_string_equal(got, expected);
        graft_tensor *t = graft__node_run(n, g);
        assert_no_error(g);
        assert_non_null(t);
        graft__tensor_unref(t);
    } else {
        assert_string_equal(graft_error(g), expected);
    }
    graft__node_unref(n);
    graft__items_free(&items);
    graft_close(g);
}

static void targets(void **state)
{
    (void)state;
    adapts("w 2 3", "", graft_shape2(4, 3), false, "2 3 float32");
    adapts("w 2 3", "resize w", graft_shape2(4, 3), false, "4 3 float32");
    adapts("w 2 3", "resize w\ncast w target", graft_shape2(1, 3), false, "1 3 float16");
    adapts("w 2 3", "cast w bf16\nresize w dim=-1 new=mean", graft_shape2(2, 5), false,
           "2 5 bfloat16");
    adapts("w 2 3", "resize w new=initial\nresize w dim=1 new=initial", graft_shape2(4, 5), true,
           "4 5 float32");
    adapts("w 2 3", "resize w new=initial\nresize w dim=1", graft_shape2(1, 5), true,
           "1 5 float32");
    adapts("w 2 3", "resize w new=initial", graft_shape2(4, 3), false,
           "w: resize: new=initial, but the target has no rows of its own for shape [4, 3] (by the "
           "rule: resize w new=initial)");
    adapts("w 2 3", "resize w", graft_shape1(4), false,
           "w: resize: shape [2, 3] cannot come to be [4] along dim 0: expected as many dimensions "
           "(by the rule: resize w)");
    adapts("p 1 17 8", "resample p", graft_shape3(1, 10, 8), false, "1 10 8 float32");
    adapts("p 16 8", "resample p mode=bilinear", graft_shape2(9, 8), false, "9 8 float32");
    adapts(
        "p 1 17 8", "resample p", graft_shape3(1, 9, 8), false,
        "p: resample: shape [1, 17, 8] to [1, 9, 8]: expected a square grid behind 1 tokens of the "
        "target, or to=HxW (by the rule: resample p)");
    adapts("p 1 17 8", "resample p", graft_shape1(9), false,
           "p: resample: shape [1, 17, 8] to [9]: expected a square grid behind 1 tokens of the "
           "target, or to=HxW (by the rule: resample p)");
}

static void no_target(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_rules *rules = graft_rules_parse(g, "resize w");
    graft__items items;
    assert_int_equal(graft__items_of(&items, dict_of(g, "w 2")), GRAFT_OK);
    assert_int_equal(graft__rules_apply(rules, &items), GRAFT_OK);
    assert_null(graft__item_adapt(rules, &items.item[0], NULL, GRAFT_F32, NULL));
    assert_error(g, GRAFT_ERR_ARGUMENT, "w: resize needs a target (by the rule: resize w)");
    graft__items_free(&items);
    graft_close(g);
}

/* ---- Of the target; nested sources ---- */

static void asked(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_rules *rules = graft_rules_parse(g, "keep fc.*\nties check\nkeep fc.w\nkeep x");
    graft__items items;
    assert_int_equal(graft__items_of(&items, dict_of(g, "a")), GRAFT_OK);
    assert_int_equal(graft__rules_apply(rules, &items), GRAFT_OK);
    assert_true(graft__rules_keeps(rules, &items, "fc.w"));
    assert_true(graft__rules_keeps(rules, &items, "fc.b"));
    assert_false(graft__rules_keeps(rules, &items, "a"));
    assert_int_equal(items.matches[0], 2);
    assert_int_equal(items.matches[2], 1);
    assert_int_equal(items.matches[3], 0);
    assert_int_equal(graft__rules_ties(rules), GRAFT__TIES_CHECK);
    assert_false(graft__rules_keeps(NULL, &items, "fc.w"));
    assert_int_equal(graft__rules_ties(NULL), GRAFT__TIES_KEEP);
    graft__items_free(&items);
    graft_close(g);
}

static void nested(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *d = graft_dict_new(g), *list = graft_list_new(g);
    graft_dict_set_dict(d, "model", dict_of(g, "fc.w 2, b"));
    graft_dict_set_int(d, "epoch", 3);
    graft_list_push_tensor(list, graft_zeros(g, graft_shape1(1), GRAFT_F32));
    graft_dict_set_dict(d, "list", list);
    graft_dict_set_tensor(d, "model.b", graft_zeros(g, graft_shape1(1), GRAFT_F32));
    graft__items items;
    char got[200];
    assert_int_equal(graft__items_of(&items, d), GRAFT_OK);
    assert_string_equal(text_of(&items, got), "model.fc.w 2, model.b, list.0 1, model.b 1");
    assert_int_equal(graft__rules_apply(NULL, &items), GRAFT_ERR_NAME);
    assert_error(
        g, GRAFT_ERR_NAME,
        "two tensors come to have the name \"model.b\": \"model.b\" and \"model.b\" of the "
        "source");
    graft__items_free(&items);
    graft_close(g);
}

/* ---- Memory ---- */

static void apply_all(void *user, failing_allocator *a)
{
    (void)user;
    graft_ctx *g = failing_allocator_open(a);
    if (!g)
        return;
    graft_dict *d = dict_of(g, "m.h.0.q 2 3, m.h.0.k 2 3, m.h.1.q 2 3, m.h.1.k 2 3, m.w 4 3, m.x");
    graft_rules *rules =
        graft_rules_parse(g, "strip m.\nstack h. 0-1 1\nfuse h.*.qk 0 h.*.q h.*.k\n"
                             "split h.0.qk 0 a b\nrename ^w v\nreduce v 0 sum times=2\nskip x\n"
                             "add n.\nmap *.v *.u\nresize n.u new=initial\ncast n.u target\n");
    const graft_shape shape = graft_shape2(5, 3);
    graft_tensor *initial = graft_ones(g, shape, GRAFT_F32);
    graft__items items;
    if (d && rules && initial && graft__items_of(&items, d) == GRAFT_OK) {
        if (graft__rules_apply(rules, &items) == GRAFT_OK) {
            char got[500];
            assert_string_equal(text_of(&items, got),
                                "n.a 2 3, n.b 2 3, n.h.1.qk 4 3, n.h.2.qk 4 3, n.u 2 3 +2");
            graft__node_unref(graft__item_adapt(rules, &items.item[4], &shape, GRAFT_F16, initial));
        } else {
            assert_int_equal(graft_error_status(g), GRAFT_ERR_MEMORY);
        }
        graft__items_free(&items);
    }
    graft_close(g);
}

static void out_of_memory(void **state)
{
    (void)state;
    failing_allocator_sweep(apply_all, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),        cmocka_unit_test(wrong_names),
        cmocka_unit_test(parts),        cmocka_unit_test(wrong_parts),
        cmocka_unit_test(layers),       cmocka_unit_test(skipped),
        cmocka_unit_test(shapes),       cmocka_unit_test(dtypes),
        cmocka_unit_test(wrong_shapes), cmocka_unit_test(targets),
        cmocka_unit_test(no_target),    cmocka_unit_test(asked),
        cmocka_unit_test(nested),       cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests_name("items", tests, NULL, NULL);
}
