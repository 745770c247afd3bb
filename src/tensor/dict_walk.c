/* Walking over all values below a dict, and the flat dict of its tensors. */
#include <string.h>

#include "base/ctx.h"
#include "base/text.h"
#include "base/vector.h"
#include "tensor/dict.h"

enum { DEPTH_MAX = 1000 };
static const int64_t NAMES_MAX = 10000000;

/* Where the walk stands in one container: first its entries, then attributes, then args. */
typedef struct level {
    graft_dict *d;
    size_t next;
    size_t path;  /* length of the path that leads here */
    bool is_root; /* the root, or its attributes: no step leads here */
    enum { ENTRIES, ATTRIBUTES, ARGS, DONE } part;
} level;

typedef struct walk {
    graft_ctx *g;
    const char *op;
    graft__text path;
    level *stack;
    size_t depth, capacity;
    int64_t left;
    bool (*whole)(const graft_dict *container); /* NULL: none is visited as a value */
    graft__visit_value *visit;
    void *user;
} walk;

static graft_status enter(walk *w, graft_dict *d, bool is_root)
{
    if (w->depth >= DEPTH_MAX)
        return graft__fail(w->g, GRAFT_ERR_ARGUMENT, "%s: nested deeper than %d levels", w->op,
                           DEPTH_MAX);
    if (!graft__vector_reserve(w->g, (void **)&w->stack, w->depth, &w->capacity, sizeof *w->stack))
        return graft__fail_memory(w->g, sizeof *w->stack, w->op);
    w->stack[w->depth++] = (level){.d = d, .path = w->path.length, .is_root = is_root};
    return GRAFT_OK;
}

static void add_step(walk *w, const level *from, const char *name)
{
    if (!from->is_root)
        graft__text_add(&w->path, ".");
    graft__text_add(&w->path, name);
}

static graft_status count_one(walk *w)
{
    if (w->left-- > 0)
        return GRAFT_OK;
    return graft__fail(w->g, GRAFT_ERR_ARGUMENT, "%s: there are too many values", w->op);
}

static graft_status visit_entry(walk *w, level *at)
{
    graft_dict *d = at->d;
    const size_t i = at->next++;
    const char *name = graft__entry_name(d, i);
    graft_status status = name ? count_one(w) : GRAFT_ERR_MEMORY;
    if (status)
        return status;
    graft__text_cut(&w->path, at->path);
    add_step(w, at, name);
    if (w->path.failed)
        return graft__fail_memory(w->g, w->path.length, w->op);
    const graft__value *v = &d->entry[i].value;
    return graft__is_nested(v->kind) && !(w->whole && w->whole(v->dict))
               ? enter(w, v->dict, false)
               : w->visit(w->user, w->path.data, d, i);
}

/* One step; the level may have moved when it returns. */
static graft_status step(walk *w)
{
    level *at = &w->stack[w->depth - 1];
    if (at->part == ENTRIES) {
        if (at->next < at->d->count)
            return visit_entry(w, at);
        at->part = ATTRIBUTES;
    }
    graft__text_cut(&w->path, at->path);
    if (at->part == ATTRIBUTES) {
        at->part = ARGS;
        if (at->d->attributes)
            return enter(w, at->d->attributes, at->is_root);
    }
    if (at->part == ARGS) {
        at->part = DONE;
        if (at->d->args) {
            add_step(w, at, "args");
            return w->path.failed ? graft__fail_memory(w->g, 5, w->op)
                                  : enter(w, at->d->args, false);
        }
    }
    w->depth--;
    return GRAFT_OK;
}

graft_status graft__dict_walk(const graft_dict *d, const char *op, int64_t limit,
                              graft__visit_value *visit, void *user)
{
    return graft__dict_walk_whole(d, op, limit, NULL, visit, user);
}

graft_status graft__dict_walk_whole(const graft_dict *d, const char *op, int64_t limit,
                                    bool (*whole)(const graft_dict *container),
                                    graft__visit_value *visit, void *user)
{
    walk w = {
        .g = d->object.ctx, .op = op, .left = limit, .whole = whole, .visit = visit, .user = user};
    graft__text_init(&w.path, w.g);
    graft_status status =
        enter(&w, (graft_dict *)(uintptr_t)d, true); /* visitors may take tensors */
    while (!status && w.depth > 0)
        status = step(&w);
    graft__free(w.g, w.stack, w.capacity * sizeof *w.stack);
    graft__text_free(&w.path);
    return status;
}

/* ---- Flat ---- */

static graft_status add_tensor(void *user, const char *path, graft_dict *parent, size_t i)
{
    graft_dict *flat = user;
    const graft__value *v = &parent->entry[i].value;
    if (v->kind != GRAFT_VALUE_TENSOR)
        return GRAFT_OK;
    graft_ctx *g = flat->object.ctx;
    graft__value key = graft__text_value(g, "dict_flatten", GRAFT_VALUE_STRING, path, strlen(path));
    if (key.kind == GRAFT_VALUE_NONE)
        return GRAFT_ERR_MEMORY;
    if (graft__dict_find_value(flat, &key) >= 0) {
        graft__value_drop(g, &key);
        return graft__fail(g, GRAFT_ERR_NAME, "dict_flatten: two tensors have the path \"%s\"",
                           path);
    }
    return graft__dict_append(flat, "dict_flatten", key,
                              graft__tensor_value(graft__tensor_ref(v->tensor)));
}

graft_dict *graft_dict_flatten(const graft_dict *d)
{
    graft_dict *flat = d ? graft__dict_new(d->object.ctx) : NULL;
    if (!flat)
        return NULL;
    if (graft__dict_walk(d, "dict_flatten", NAMES_MAX, add_tensor, flat) == GRAFT_OK)
        return graft__dict_result(flat);
    graft__dict_unref(flat);
    return NULL;
}
