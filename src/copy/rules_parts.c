/* fuse and split. */
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "copy/item.h"

/* ---- Fuse ---- */

typedef struct fusing {
    const graft__rule *rule;
    graft__items *items;
    graft__item_index index;
    bool *gone; /* items that have become parts */
} fusing;

/* Which pattern of a part it is, or 0. */
static size_t part_of(const graft__rule *rule, const char *name)
{
    for (size_t i = 1; i < rule->words; i++)
        if (graft__pattern(NULL, rule->word[i], name, NULL, NULL))
            return i;
    return 0;
}

/* Item `at`, of a name like the part-th pattern, and its likes. */
static graft_status find_parts(const fusing *f, size_t at, size_t part,
                               int64_t found[GRAFT__PARTS_MAX])
{
    graft_ctx *g = f->items->g;
    const char *name = f->items->item[at].name;
    graft_status status = GRAFT_OK;
    for (size_t i = 1; i < f->rule->words && !status; i++) {
        char *other;
        graft__pattern(g, f->rule->word[part], name, f->rule->word[i], &other);
        if (!other)
            return GRAFT_ERR_MEMORY;
        found[i - 1] = graft__item_index_find(&f->index, other);
        if (found[i - 1] < 0)
            status = graft__fail(g, GRAFT_ERR_NAME,
                                 "fuse: \"%s\" is there, but \"%s\", which goes with it, is not",
                                 name, other);
        else if (f->gone[found[i - 1]])
            status = graft__fail(g, GRAFT_ERR_NAME, "fuse: \"%s\" would be a part of two tensors",
                                 other);
        graft__text_release(g, other);
    }
    return status;
}

/* Whether the sizes are those that the inverse will suppose. */
static graft_status check_sizes(const fusing *f, const int64_t found[GRAFT__PARTS_MAX])
{
    const graft__rule *r = f->rule;
    const size_t parts = r->words - 1;
    for (size_t i = 0; i < parts && !r->any_sizes; i++) {
        const graft__item *first = &f->items->item[found[0]], *item = &f->items->item[found[i]];
        const int ndim = first->node->shape.ndim, dim = r->dim < 0 ? r->dim + ndim : r->dim;
        if (dim < 0 || dim >= ndim || item->node->shape.ndim != ndim)
            return GRAFT_OK; /* the node says it better */
        const int64_t size = item->node->shape.size[dim];
        const int64_t expected = r->sizes ? r->sizes[i] : first->node->shape.size[dim];
        if (size == expected)
            continue;
        if (r->sizes)
            return graft__fail(f->items->g, GRAFT_ERR_SHAPE,
                               "%s: fuse: size %" PRId64 " along dim %d, expected %" PRId64
                               " of sizes=",
                               item->name, size, dim, expected);
        return graft__fail(f->items->g, GRAFT_ERR_SHAPE,
                           "%s: fuse: size %" PRId64 " along dim %d, but \"%s\" has %" PRId64
                           ": where parts differ, sizes= says how, or sizes=any",
                           item->name, size, dim, first->name, expected);
    }
    return GRAFT_OK;
}

/* Puts the whole in the place of item `at`; the other parts are gone. */
static graft_status fuse_one(fusing *f, size_t at, size_t part, const int64_t *found)
{
    graft_ctx *g = f->items->g;
    const graft__rule *r = f->rule;
    graft__item *item = &f->items->item[at];
    graft__node *node[GRAFT__PARTS_MAX];
    const size_t parts = r->words - 1;
    for (size_t i = 0; i < parts; i++) {
        node[i] = f->items->item[found[i]].node;
        graft_status status = graft__item_check_now(g, &f->items->item[found[i]]);
        if (status)
            return status;
    }
    char *name;
    graft__pattern(g, r->word[part], item->name, r->word[0], &name);
    graft__node *whole = name ? graft__node_fuse(node, (int)parts, name, r->dim, r->groups) : NULL;
    if (!whole) {
        graft__text_release(g, name);
        return graft_error_status(g);
    }
    for (size_t i = 0; i < parts; i++)
        f->gone[found[i]] = (size_t)found[i] != at;
    graft__item_clear(g, item);
    *item = (graft__item){.name = name, .node = whole};
    return GRAFT_OK;
}

static void drop_gone(graft__items *items, const bool *gone)
{
    size_t kept = 0;
    for (size_t i = 0; i < items->count; i++) {
        if (gone[i])
            graft__item_clear(items->g, &items->item[i]);
        else
            items->item[kept++] = items->item[i];
    }
    items->count = kept;
}

static graft_status fuse_all(fusing *f, int64_t *matches)
{
    const size_t parts = f->rule->words - 1;
    graft_status status = GRAFT_OK;
    for (size_t i = 0; i < f->items->count && !status; i++) {
        const size_t part = f->gone[i] ? 0 : part_of(f->rule, f->items->item[i].name);
        int64_t found[GRAFT__PARTS_MAX];
        if (part == 0)
            continue;
        status = find_parts(f, i, part, found);
        if (!status)
            status = check_sizes(f, found);
        if (!status)
            status = fuse_one(f, i, part, found);
        *matches += (int64_t)parts;
    }
    return status;
}

static graft_status fuse(const graft__rule *rule, graft__items *items, int64_t *matches)
{
    fusing f = {.rule = rule, .items = items};
    const size_t count = items->count;
    if (!graft__item_index_open(&f.index, items))
        return GRAFT_ERR_MEMORY;
    f.gone = graft__alloc_zero(items->g, count * sizeof *f.gone);
    graft_status status =
        f.gone ? fuse_all(&f, matches) : graft__fail_memory(items->g, count, "rules");
    graft__item_index_close(&f.index);
    if (f.gone)
        drop_gone(items, f.gone);
    graft__free(items->g, f.gone, count * sizeof *f.gone);
    return status;
}

/* ---- Split ---- */

static graft_status split_one(const graft__rule *r, const graft__item *item, graft__items *out)
{
    graft_ctx *g = out->g;
    const int parts = (int)r->words - 1;
    graft_status status = graft__item_check_now(g, item);
    for (int i = 0; i < parts && !status; i++) {
        char *name;
        graft__pattern(g, r->word[0], item->name, r->word[i + 1], &name);
        graft__node *node =
            name ? graft__node_part(item->node, item->name, r->dim, i, parts, r->sizes, r->groups)
                 : NULL;
        status = graft__items_append(out, name, node, NULL);
    }
    return status;
}

static graft_status split(const graft__rule *rule, graft__items *items, int64_t *matches)
{
    graft__items next = {.g = items->g};
    graft_status status = GRAFT_OK;
    for (size_t i = 0; i < items->count && !status; i++) {
        graft__item *item = &items->item[i];
        if (graft__pattern(items->g, rule->word[0], item->name, NULL, NULL)) {
            status = split_one(rule, item, &next);
            ++*matches;
            continue;
        }
        char *name = item->name;
        graft__node *node = item->node;
        item->name = NULL;
        item->node = NULL;
        status = graft__items_append(&next, name, node, item);
    }
    graft__items_exchange(items, &next);
    return status;
}

graft_status graft__rule_parts(const graft__rule *rule, graft__items *items, int64_t *matches)
{
    graft_status status =
        rule->kind == GRAFT__RULE_FUSE ? fuse(rule, items, matches) : split(rule, items, matches);
    return status || *matches == 0 ? status : graft__items_check(items);
}
