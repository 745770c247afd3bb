/* Lists of named tensors. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/sort.h"
#include "base/vector.h"
#include "copy/item.h"

static const int64_t NAMES_MAX = 10000000;

/* ---- Life ---- */

void graft__item_clear(graft_ctx *g, graft__item *item)
{
    graft__text_release(g, item->name);
    graft__node_unref(item->node);
    *item = (graft__item){.name = NULL};
}

static void items_clear(graft__items *items)
{
    for (size_t i = 0; i < items->count; i++)
        graft__item_clear(items->g, &items->item[i]);
    graft__free(items->g, items->item, items->capacity * sizeof *items->item);
    items->item = NULL;
    items->count = items->capacity = 0;
}

void graft__items_free(graft__items *items)
{
    graft_ctx *g = items->g;
    items_clear(items);
    for (size_t i = 0; i < items->sources; i++)
        graft__text_release(g, items->source[i]);
    graft__free(g, items->source, items->source_capacity * sizeof *items->source);
    graft__free(g, items->skipped, items->sources * sizeof *items->skipped);
    graft__free(g, items->matches, items->rules * sizeof *items->matches);
    *items = (graft__items){.g = g};
}

graft_status graft__items_append(graft__items *items, char *name, graft__node *node,
                                 const graft__item *like)
{
    graft__item item = {.name = name, .node = node};
    if (like) {
        memcpy(item.adapt, like->adapt, sizeof item.adapt);
        item.adapts = like->adapts;
    }
    void *all = items->item;
    bool good = name && node;
    if (good && items->count >= UINT32_MAX - 1) {
        graft__fail(items->g, GRAFT_ERR_ARGUMENT, "there are too many tensors");
        good = false;
    } else if (good) {
        good = graft__vector_reserve(items->g, &all, items->count, &items->capacity,
                                     sizeof *items->item);
        items->item = all;
        if (!good)
            graft__fail_memory(items->g, sizeof *items->item, "rules");
    }
    if (!good) {
        graft__item_clear(items->g, &item);
        return graft_error_status(items->g);
    }
    items->item[items->count++] = item;
    return GRAFT_OK;
}

void graft__items_exchange(graft__items *items, graft__items *next)
{
    items_clear(items);
    items->item = next->item;
    items->count = next->count;
    items->capacity = next->capacity;
    *next = (graft__items){.g = items->g};
}

void graft__items_skip(graft__items *items, const graft__node *node)
{
    if (node->dict)
        items->skipped[node->place] = true;
    for (int i = 0; i < node->inputs; i++)
        graft__items_skip(items, node->input[i]);
}

/* ---- Walking ---- */

static char *copy_of(graft_ctx *g, const char *text)
{
    char *copy = graft__strdup(g, text);
    if (!copy)
        graft__fail_memory(g, strlen(text) + 1, "rules");
    return copy;
}

static graft_status add_source(void *user, const char *path, graft_dict *parent, size_t i)
{
    graft__items *items = user;
    const graft_value_kind kind = parent->entry[i].value.kind;
    if (kind != GRAFT_VALUE_TENSOR && kind != GRAFT_VALUE_RECORD)
        return GRAFT_OK;
    void *sources = items->source;
    const bool room = graft__vector_reserve(items->g, &sources, items->sources,
                                            &items->source_capacity, sizeof *items->source);
    items->source = sources;
    if (!room)
        return graft__fail_memory(items->g, sizeof *items->source, "rules");
    char *source = copy_of(items->g, path);
    if (!source)
        return GRAFT_ERR_MEMORY;
    const size_t place = items->sources;
    items->source[items->sources++] = source;
    graft__node *node = graft__node_source(parent, i, place);
    return graft__items_append(items, node ? copy_of(items->g, path) : NULL, node, NULL);
}

graft_status graft__items_of(graft__items *out, graft_dict *d)
{
    graft_ctx *g = d->object.ctx;
    *out = (graft__items){.g = g};
    graft_status status =
        graft__dict_walk_whole(d, "rules", NAMES_MAX, graft__node_is_quantised, add_source, out);
    const size_t sources = out->sources;
    if (!status) {
        out->skipped = graft__alloc_zero(g, sources * sizeof *out->skipped);
        if (!out->skipped)
            status = graft__fail_memory(g, sources * sizeof *out->skipped, "rules");
    }
    if (status)
        graft__items_free(out);
    return status;
}

/* ---- By name ---- */

static bool before(const void *user, uint32_t a, uint32_t b)
{
    const graft__items *items = user;
    return strcmp(items->item[a].name, items->item[b].name) < 0;
}

bool graft__item_index_open(graft__item_index *index, const graft__items *items)
{
    const size_t bytes = items->count * sizeof *index->order;
    uint32_t *scratch = graft__alloc(items->g, bytes);
    *index = (graft__item_index){items, graft__alloc(items->g, bytes), items->count};
    const bool good = index->order && scratch;
    for (size_t i = 0; good && i < items->count; i++)
        index->order[i] = (uint32_t)i;
    if (good)
        graft__sort(index->order, scratch, items->count, before, items);
    graft__free(items->g, scratch, bytes);
    if (good)
        return true;
    graft__item_index_close(index);
    graft__fail_memory(items->g, bytes, "rules");
    return false;
}

void graft__item_index_close(graft__item_index *index)
{
    graft__free(index->items->g, index->order, index->count * sizeof *index->order);
    index->order = NULL;
}

int64_t graft__item_index_find(const graft__item_index *index, const char *name)
{
    size_t low = 0, high = index->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = strcmp(index->items->item[index->order[middle]].name, name);
        if (order == 0)
            return index->order[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

static const char *source_of(const graft__items *items, uint32_t i)
{
    return items->source[graft__node_origin(items->item[i].node)->place];
}

graft_status graft__items_check(const graft__items *items)
{
    graft__item_index index;
    if (!graft__item_index_open(&index, items))
        return GRAFT_ERR_MEMORY;
    graft_status status = GRAFT_OK;
    for (size_t i = 1; i < index.count && !status; i++) {
        const uint32_t a = index.order[i - 1], b = index.order[i];
        if (strcmp(items->item[a].name, items->item[b].name) == 0)
            status = graft__fail(items->g, GRAFT_ERR_NAME,
                                 "two tensors come to have the name \"%s\": \"%s\" and \"%s\" of "
                                 "the source",
                                 items->item[a].name, source_of(items, a), source_of(items, b));
    }
    graft__item_index_close(&index);
    return status;
}
