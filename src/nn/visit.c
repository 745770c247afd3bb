/* The one ordered visitor over a tree of modules. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/map.h"
#include "base/vector.h"
#include "nn/module.h"

/* A module on the way from the root to where the visitor is. */
typedef struct level {
    graft_module *m;
    size_t next;   /* the child to go to */
    size_t length; /* of the module's path */
} level;

typedef struct walk {
    const graft__visitor *visitor;
    graft_ctx *ctx;
    graft__map met; /* modules and tensors */
    graft__text path;
    level *level;
    size_t count, capacity;
} walk;

static graft_status meet(walk *w, const void *what, bool *first)
{
    *first = !graft__map_get(&w->met, what);
    if (*first && !graft__map_set(&w->met, what, w))
        return GRAFT_ERR_MEMORY;
    return GRAFT_OK;
}

/* Puts name behind the first `length` bytes of the path. */
static graft_status set_path(walk *w, size_t length, const char *name)
{
    graft__text_cut(&w->path, length);
    if (length)
        graft__text_add(&w->path, ".");
    graft__text_add(&w->path, name);
    if (w->path.failed)
        return graft__fail_memory(w->ctx, length + strlen(name) + 2, "the path of a module");
    return GRAFT_OK;
}

static const char *path_text(const walk *w)
{
    return w->path.data ? w->path.data : "";
}

static graft_status visit_slots(walk *w, graft_module *m, size_t length, bool buffers,
                                bool first_module)
{
    for (size_t i = 0; i < m->state->slots; i++) {
        graft__slot *slot = &m->state->slot[i];
        if (slot->is_buffer != buffers)
            continue;
        bool first = first_module;
        graft_status status = slot->tensor ? meet(w, slot->tensor, &first) : GRAFT_OK;
        if (!status)
            status = set_path(w, length, slot->name);
        if (!status)
            status = w->visitor->slot(w->visitor->user, path_text(w), m, slot, first);
        if (status)
            return status;
    }
    return GRAFT_OK;
}

/* The module that the path names: itself, its slots, and its children onto the stack. */
static graft_status enter(walk *w, graft_module *m)
{
    const graft__visitor *v = w->visitor;
    const size_t length = w->path.length;
    bool first;
    graft_status status = meet(w, m, &first);
    if (!status && v->module)
        status = v->module(v->user, path_text(w), m, first);
    if (status || (!first && !v->all_names))
        return status;
    if (v->slot) {
        status = visit_slots(w, m, length, false, first);
        if (!status)
            status = visit_slots(w, m, length, true, first);
        if (status)
            return status;
    }
    if (!m->state->children)
        return GRAFT_OK;
    void *array = w->level;
    const bool room = graft__vector_reserve(w->ctx, &array, w->count, &w->capacity, sizeof(level));
    w->level = array;
    if (!room)
        return graft__fail_memory(w->ctx, (w->count + 1) * sizeof(level), "a walk over modules");
    w->level[w->count++] = (level){.m = m, .length = length};
    return GRAFT_OK;
}

graft_status graft__visit(const graft_module *m, const graft__visitor *visitor)
{
    walk w = {.visitor = visitor, .ctx = m->ctx};
    graft__map_init(&w.met, m->ctx);
    graft__text_init(&w.path, m->ctx);
    graft_status status = enter(&w, (graft_module *)m);
    while (!status && w.count) {
        level *top = &w.level[w.count - 1];
        if (top->next == top->m->state->children) {
            w.count--;
            continue;
        }
        const graft__child *child = &top->m->state->child[top->next++];
        status = set_path(&w, top->length, child->name);
        if (!status)
            status = enter(&w, child->module);
    }
    graft__free(w.ctx, w.level, w.capacity * sizeof(level));
    graft__text_free(&w.path);
    graft__map_free(&w.met);
    return status;
}
