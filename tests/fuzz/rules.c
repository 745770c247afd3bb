/* Rules: what is parsed is printed and parsed as the same, inverted, and applied to some tensors.
 */
#include <string.h>

#include "copy/item.h"
#include "file/json.h"
#include "fuzz.h"

static const char *const names[] = {
    "model.embed.weight", "model.h.0.q.weight", "model.h.0.k.weight", "model.h.0.v.weight",
    "model.h.1.q.weight", "model.h.1.k.weight", "model.h.1.v.weight", "model.norm.bias",
    "model.pos_embed",    "head.weight",        "head.bias",          "a",
};

static graft_dict *make_dict(graft_ctx *g)
{
    static const int64_t sizes[][3] = {{6, 4, 0}, {4, 4, 0}, {4, 4, 0}, {4, 4, 0},
                                       {4, 4, 0}, {4, 4, 0}, {4, 4, 0}, {4, 0, 0},
                                       {1, 5, 4}, {3, 4, 0}, {3, 0, 0}, {2, 3, 4}};
    graft_dict *d = graft_dict_new(g);
    for (size_t i = 0; i < sizeof names / sizeof *names && d; i++) {
        const int ndim = sizes[i][2] ? 3 : sizes[i][1] ? 2 : 1;
        graft_tensor *t = graft_zeros(g, graft_shape_of(ndim, sizes[i]), GRAFT_F32);
        if (t)
            graft_dict_set_tensor(d, names[i], t);
        graft_tensor_free(t);
    }
    return d;
}

/* What failed says why, in words that can be shown. */
static void expect_error(fuzz_run *f, const char *what)
{
    const char *error = graft_error(f->g);
    if (!error || !*error)
        fuzz_die("%s: it failed without an error", what);
    if (strpbrk(error, "\n\x1b") || !graft__is_utf8(error, strlen(error), &(size_t){0}))
        fuzz_die("%s: the words of an error cannot be shown", what);
    if (graft_error_status(f->g) == GRAFT_ERR_MEMORY && !f->failed &&
        !strstr(error, "out of memory"))
        fuzz_die("%s: %s", what, error);
    graft_clear_error(f->g);
}

static void apply(fuzz_run *f, const graft_rules *rules)
{
    graft__items items;
    const graft_shape shape = graft_shape2(5, 4);
    graft_dict *d = make_dict(f->g);
    graft_clear_error(f->g);
    if (d && graft__items_of(&items, d) == GRAFT_OK) {
        const graft_status status = graft__rules_apply(rules, &items);
        for (size_t i = 0; i < items.count && !status; i++) {
            if (!items.item[i].name[0] || !items.item[i].node)
                fuzz_die("an item without a name or node");
            graft__node *n = graft__item_adapt(rules, &items.item[i], &shape, GRAFT_F16, NULL);
            if (!n)
                expect_error(f, "item_adapt");
            graft__node_unref(n);
        }
        if (status)
            expect_error(f, "rules_apply");
        graft__items_free(&items);
    }
    graft_clear_error(f->g);
    graft_dict_free(d);
}

static void again(fuzz_run *f, const graft_rules *rules, const char *what)
{
    char *text = graft_rules_text(rules);
    graft_rules *other = text ? graft_rules_parse(f->g, text) : NULL;
    char *back = graft_rules_text(other);
    if (text && back && strcmp(text, back) != 0)
        fuzz_die("%s: printed as %s and then as %s", what, text, back);
    if (!back && !f->failed)
        fuzz_die("%s: %s: %s", what, text, graft_error(f->g));
    graft_clear_error(f->g);
    graft_text_free(f->g, text);
    graft_text_free(f->g, back);
    graft_rules_free(other);
}

static void use(fuzz_run *f, const uint8_t *data, size_t size)
{
    char *text = graft__alloc(f->g, size + 1);
    if (!text)
        return;
    memcpy(text, data, size);
    text[size] = 0;
    graft_rules *rules = graft_rules_parse(f->g, text);
    if (rules) {
        again(f, rules, "rules_text");
        graft_rules *back = graft_rules_invert(rules);
        if (back)
            again(f, back, "rules_invert");
        else
            expect_error(f, "rules_invert");
        graft_rules_free(back);
        apply(f, rules);
    } else {
        expect_error(f, "rules_parse");
    }
    graft_rules_free(rules);
    graft__free(f->g, text, size + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint64_t hash = fuzz_hash(data, size);
    fuzz_run f;
    fuzz_open(&f, hash % 4 ? 0 : 1 + hash / 4 % 200);
    use(&f, data, size);
    fuzz_close(&f);
    return 0;
}
