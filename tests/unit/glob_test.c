/* Globs and patterns, by examples; tests/parity/test_rules.py compares them with Python's. */
#include "copy/rules.h"
#include "test.h"

static void yes(const char *glob, const char *name)
{
    if (!graft_glob(glob, name))
        fail_msg("%s does not match %s", glob, name);
}

static void no(const char *glob, const char *name)
{
    if (graft_glob(glob, name))
        fail_msg("%s matches %s", glob, name);
}

static void globs(void **state)
{
    (void)state;
    yes("", "");
    yes("a.b", "a.b");
    no("a.b", "a.bc");
    yes("*", "");
    yes("*", "a.b.c");
    yes("*.weight", "layers.0.weight");
    no("*.weight", "layers.0.weights");
    yes("a*b*c", "aXbYbZc");
    no("a*b*c", "aXc");
    yes("fc?", "fc1");
    no("fc?", "fc");
    no("fc?", "fc12");
    yes("layer[0-3].*", "layer2.bias");
    no("layer[0-3].*", "layer4.bias");
    no("layer[!0-3].*", "layer2.bias");
    yes("layer[!0-3].*", "layer4.bias");
    yes("[]]x", "]x");
    yes("[a-]", "-");
    yes("[*]", "*");
    no("[*]", "a");
}

static void braces(void **state)
{
    (void)state;
    yes("{q,k,v}_proj", "k_proj");
    no("{q,k,v}_proj", "o_proj");
    yes("{q,k,v}_proj.{weight,bias}", "v_proj.bias");
    yes("x{,y}", "x");
    yes("x{,y}", "xy");
    yes("{a,b{c,d}}e", "bde");
    no("{a,b{c,d}}e", "be");
    yes("{*.weight,bias}", "a.b.weight");
    yes("{[0-3],x,[,]}", ",");
    yes("{a}", "a");
    yes("a,b", "a,b");
    yes("a}", "a}");
}

/* What is not closed is a character. */
static void open_ones(void **state)
{
    (void)state;
    yes("[ab", "[ab");
    yes("{a,b", "{a,b");
    no("{a,b", "a");
    yes("{a,{b,c}", "{a,c");
    yes("*{", "x{");
    yes("{", "{");
    yes("{*", "{abc");
}

/* A character of several bytes is one to ?. */
static void characters(void **state)
{
    (void)state;
    yes("a?b", "a\xC3\xA4"
               "b");
    yes("?", "\xE2\x82\xAC");
    no("??", "\xE2\x82\xAC");
    yes("*\xA4", "\xC3\xA4");
}

/* No glob takes time that grows faster than the product of both lengths, or memory. */
static void hard_ones(void **state)
{
    (void)state;
    char glob[GRAFT__GLOB_MAX + 2], name[4000];
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = 0;
    glob[0] = 0;
    for (int i = 0; i < 100; i++)
        strcat(glob, "{a,a}*");
    yes(glob, name);
    strcat(glob, "b");
    no(glob, name);
    memset(glob, '{', GRAFT__GLOB_MAX);
    glob[GRAFT__GLOB_MAX] = 0;
    no(glob, name);
    yes(glob, glob);
    memset(glob, '*', GRAFT__GLOB_MAX + 1);
    glob[GRAFT__GLOB_MAX + 1] = 0;
    no(glob, name); /* too long: text */
    yes(glob, glob);
    glob[GRAFT__GLOB_MAX] = 0;
    yes(glob, name);
}

static void becomes(graft_ctx *g, const char *pattern, const char *to, const char *name,
                    const char *expected)
{
    char *out;
    const bool met = graft__pattern(g, pattern, name, to, &out);
    assert_true(met == graft__pattern(g, pattern, name, NULL, NULL));
    assert_true(met == (expected != NULL));
    if (met)
        assert_string_equal(out, expected);
    else
        assert_null(out);
    graft_text_free(g, out);
}

static void patterns(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    becomes(g, "a", "b", "a", "b");
    becomes(g, "a", "b", "ab", NULL);
    becomes(g, "*", "x.*", "a.b", "x.a.b");
    becomes(g, "h.*.attn.*", "layers.*.self.*", "h.3.attn.w", "layers.3.self.w");
    becomes(g, "*.*", "*|*", "a.b.c", "a|b.c"); /* as short as it can be */
    becomes(g, "*.q.*", "*.k.*", "q.q.q.w", "q.k.q.w");
    becomes(g, "*.w", "*.v", "a.w.w", "a.w.v");
    becomes(g, "*.w", "*.v", ".w", ".v");
    becomes(g, "**", "*-*", "ab", "-ab");
    becomes(g, "*a*b", "*-*", "b", NULL);
    becomes(g, "*ab*ab", "*-*", "ab", NULL);
    becomes(g, "*ab*ab", "*-*", "xababab", "x-ab");
    becomes(g, "[a]*", "*", "[a]x", "x"); /* only * is special */
    becomes(g, "", "x", "", "x");
    assert_int_equal(graft__pattern_stars("a*b**"), 3);
    assert_no_error(g);
    graft_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(globs),      cmocka_unit_test(braces),    cmocka_unit_test(open_ones),
        cmocka_unit_test(characters), cmocka_unit_test(hard_ones), cmocka_unit_test(patterns),
    };
    return cmocka_run_group_tests_name("glob", tests, NULL, NULL);
}
