/* Deep copies of module trees: everything is checked, then everything is built. */
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "base/vector.h"
#include "copy/both.h"
#include "copy/copier.h"
#include "copy/copy_map.h"
#include "nn/module.h"
#include "tensor/history.h"

/* A module of the tree. */
typedef struct member {
    const graft_module *source;
    graft_module *copy; /* held until the clone is done */
    char *path;         /* its first name */
    bool complete;      /* the children are complete and the class's hook was called */
} member;

typedef struct cloning {
    graft_ctx *g; /* of the copy */
    bool drop_gradients;
    member *member; /* parents first */
    size_t members, capacity;
    graft__map index; /* source module to its member */
    graft__copier copier;
    graft_copy_map *map;   /* NULL: not wanted */
    graft__text histories; /* the tensors that cannot be copied */
} cloning;

graft_clone_options graft_clone_defaults(void)
{
    return (graft_clone_options){.into = NULL, .drop_gradients = false};
}

/* ---- Check ---- */

static graft_status meet_module(void *user, const char *path, graft_module *m, bool first)
{
    cloning *c = user;
    if (!first)
        return GRAFT_OK;
    if (m->type->free && !m->type->clone)
        return graft__fail(
            c->g, GRAFT_ERR_STATE,
            "clone: %s at \"%s\" frees what a copy would share with it: a class with "
            "a free hook needs a clone hook",
            m->type->name, path);
    void *members = c->member;
    bool room = graft__vector_reserve(c->g, &members, c->members, &c->capacity, sizeof *c->member);
    c->member = members;
    char *kept = room ? graft__strdup(c->g, path) : NULL;
    if (!kept)
        return graft__fail_memory(c->g, sizeof *c->member, "clone");
    c->member[c->members++] = (member){.source = m, .path = kept};
    return GRAFT_OK;
}

static void refuse_history(cloning *c, const char *what, const char *path, const graft_tensor *t)
{
    graft__text_addf(&c->histories, "%s%s \"%s\" (made by %s)", c->histories.length ? ", " : "",
                     what, path, graft__history_name(t->history));
}

static graft_status meet_slot(void *user, const char *path, graft_module *owner, graft__slot *slot,
                              bool first)
{
    cloning *c = user;
    const graft_tensor *t = slot->tensor;
    (void)owner;
    if (!first || !t)
        return GRAFT_OK;
    if (t->history)
        refuse_history(c, slot->is_buffer ? "buffer" : "parameter", path, t);
    if (t->grad_is_set && !c->drop_gradients && t->grad->history)
        refuse_history(c, "the gradient of", path, t->grad);
    return GRAFT_OK;
}

static graft_status check(cloning *c, const graft_module *m)
{
    const graft__visitor visitor = {.user = c, .module = meet_module, .slot = meet_slot};
    graft_status st = graft__visit(m, &visitor);
    if (st == GRAFT_OK && (c->histories.length || c->histories.failed))
        st =
            graft__fail(c->g, GRAFT_ERR_STATE,
                        "clone of %s: only leaves of the graph can be copied, but there is history "
                        "behind %s%s: detach first",
                        m->type->name, c->histories.data ? c->histories.data : "",
                        c->histories.failed ? "..." : "");
    return st;
}

/* ---- Build ---- */

static graft_status make_shells(cloning *c)
{
    for (size_t i = 0; i < c->members; i++) {
        member *k = &c->member[i];
        k->copy = graft__module_shell(c->g, k->source);
        if (!k->copy)
            return GRAFT_ERR_MEMORY;
        graft__module_ref(k->copy);
        if (!graft__map_set(&c->index, k->source, k))
            return GRAFT_ERR_MEMORY;
    }
    return GRAFT_OK;
}

static graft_status copy_slot(cloning *c, graft_module *to, const graft__slot *slot)
{
    if (!slot->tensor)
        return graft__module_add_slot(to, slot, NULL);
    graft_tensor *t = graft__copier_tensor(&c->copier, slot->tensor);
    if (!t)
        return GRAFT_ERR_MEMORY;
    graft_status st = graft__module_add_slot(to, slot, t);
    if (st == GRAFT_OK && !c->drop_gradients)
        st = graft__copier_gradient(&c->copier, slot->tensor, t);
    graft__tensor_unref(t);
    return st;
}

static graft_status fill_shells(cloning *c)
{
    graft_status st = GRAFT_OK;
    for (size_t i = 0; i < c->members && st == GRAFT_OK; i++) {
        const graft__module_state *from = c->member[i].source->state;
        graft_module *to = c->member[i].copy;
        for (size_t j = 0; j < from->slots && st == GRAFT_OK; j++)
            st = copy_slot(c, to, &from->slot[j]);
        for (size_t j = 0; j < from->children && st == GRAFT_OK; j++) {
            const member *child = graft__map_get(&c->index, from->child[j].module);
            st = graft__module_add_child(to, &from->child[j], child->copy);
        }
    }
    return st;
}

/* ---- Complete: the hooks of the classes, children first ---- */

static graft_status complete(cloning *c, member *k)
{
    const graft_module_class *type = k->source->type;
    bool had_error = graft_error(c->g) != NULL;
    graft_status st = type->clone ? type->clone(k->copy, k->source) : GRAFT_OK;
    k->complete = true;
    if (st == GRAFT_OK)
        k->copy->state->frees = true;
    else if (!had_error && graft_error(c->g))
        graft__error_append(c->g, " (in the clone hook of %s at \"%s\")", type->name, k->path);
    else
        graft__fail(c->g, st, "clone: the clone hook of %s at \"%s\" failed", type->name, k->path);
    return st;
}

/* Modules on the way from the root, and which child of each is next. */
typedef struct step {
    member *k;
    size_t next;
} step;

/* Iterative, as trees may be of any depth; a module is on the way once at most, so that the stack
 * needs no more than one step for each. */
static graft_status walk(cloning *c, step *stack)
{
    size_t depth = 0;
    stack[depth++] = (step){.k = c->member};
    while (depth > 0) {
        step *top = &stack[depth - 1];
        const graft__module_state *s = top->k->source->state;
        if (top->next < s->children) {
            member *child = graft__map_get(&c->index, s->child[top->next++].module);
            if (!child->complete)
                stack[depth++] = (step){.k = child};
            continue;
        }
        graft_status st = complete(c, top->k);
        if (st != GRAFT_OK)
            return st;
        depth--;
    }
    return GRAFT_OK;
}

static graft_status complete_all(cloning *c)
{
    size_t bytes = c->members * sizeof(step);
    step *stack = graft__alloc(c->g, bytes);
    if (!stack)
        return graft__fail_memory(c->g, bytes, "clone");
    graft_status st = walk(c, stack);
    graft__free(c->g, stack, bytes);
    return st;
}

/* ---- The map ---- */

static graft_status map_module(void *user, const char *path, graft_module *m, bool first)
{
    const cloning *c = user;
    const member *k = graft__map_get(&c->index, m);
    (void)path;
    return first ? graft__copy_map_add_module(c->map, m, k->copy) : GRAFT_OK;
}

/* By place, and after the hooks, which may put another tensor there. */
static graft_status map_slot(void *user, const char *path, graft_module *owner, graft__slot *slot,
                             bool first)
{
    const cloning *c = user;
    const member *k = graft__map_get(&c->index, owner);
    size_t place = (size_t)(slot - owner->state->slot);
    (void)first;
    if (!slot->tensor)
        return GRAFT_OK;
    return graft__copy_map_add_tensor(c->map, path, slot->tensor,
                                      k->copy->state->slot[place].tensor);
}

static graft_status fill_map(cloning *c, const graft_module *m)
{
    const graft__visitor visitor = {
        .all_names = true, .user = c, .module = map_module, .slot = map_slot};
    c->map = graft__copy_map_new(c->g);
    return c->map ? graft__visit(m, &visitor) : GRAFT_ERR_MEMORY;
}

/* ---- All together ---- */

static void release(cloning *c, bool succeeded)
{
    for (size_t i = 0; i < c->members && !succeeded; i++)
        graft_module_free(c->member[i].copy); /* the context's claim, where there still is one */
    for (size_t i = 0; i < c->members; i++) {
        graft__module_unref(c->member[i].copy);
        graft__free(c->g, c->member[i].path, strlen(c->member[i].path) + 1);
    }
    graft__free(c->g, c->member, c->capacity * sizeof *c->member);
    graft__map_free(&c->index);
    graft__copier_free(&c->copier);
    graft__text_free(&c->histories);
    if (!succeeded)
        graft__copy_map_unref(c->map);
}

graft_module *graft_clone(const graft_module *m, const graft_clone_options *options,
                          graft_copy_map **map)
{
    if (map)
        *map = NULL;
    if (!m)
        return NULL;
    const graft_clone_options o = options ? *options : graft_clone_defaults();
    cloning c = {.g = o.into ? o.into : m->ctx, .drop_gradients = o.drop_gradients};
    graft__map_init(&c.index, c.g);
    graft__copier_init(&c.copier, c.g);
    graft__text_init(&c.histories, c.g);
    graft_status st = check(&c, m);
    if (st == GRAFT_OK)
        st = make_shells(&c);
    if (st == GRAFT_OK)
        st = fill_shells(&c);
    if (st == GRAFT_OK)
        st = complete_all(&c);
    if (st == GRAFT_OK && map)
        st = fill_map(&c, m);
    graft_module *copy = st == GRAFT_OK ? c.member[0].copy : NULL;
    release(&c, copy != NULL);
    if (!copy) {
        graft__tell_both(c.g, m->ctx);
        return NULL;
    }
    if (map) {
        graft__own_by_context(&c.map->object);
        *map = c.map;
    }
    return copy;
}
