/* A module's life: made, given to parents, freed with the last of them. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/vector.h"
#include "nn/module.h"
#include "nn/register.h"

/* Frees one module, and puts the children that only it held at the front of the list. */
static graft__object *destroy_one(graft__module_state *s, graft__object *list)
{
    graft_module *m = s->module;
    graft_ctx *g = m->ctx;
    if (s->frees && m->type->free)
        m->type->free(m);
    for (size_t i = 0; i < s->slots; i++) {
        if (s->slot[i].tensor)
            graft__tensor_release_name(s->slot[i].tensor);
        graft__strfree(g, s->slot[i].name);
    }
    for (size_t i = s->children; i-- > 0;) {
        graft__object *child = &s->child[i].module->state->object;
        if (child->refs == 1) {
            child->next = list;
            list = child;
        } else {
            graft__unref(child);
        }
        graft__strfree(g, s->child[i].name);
    }
    graft__free(g, s->slot, s->slot_capacity * sizeof *s->slot);
    graft__free(g, s->child, s->child_capacity * sizeof *s->child);
    graft__free(g, m, m->type->size);
    graft__free(g, s, sizeof *s);
    return list;
}

/* Iterative, so that a tree of any depth goes without deep recursion. A child whose last reference
 * is the parent's has no owner, so the links of the owner's list are free to be used here. */
static void destroy(graft__object *o)
{
    o->next = NULL;
    while (o) {
        graft__object *rest = o->next;
        o = destroy_one((graft__module_state *)o, rest);
    }
}

static const graft__kind module_kind = {"module", destroy};

/* A module of a checked class, with one reference, the caller's. */
static graft_module *make(graft_ctx *g, const graft_module_class *type)
{
    graft_module *m = graft__alloc_zero(g, type->size);
    graft__module_state *s = graft__alloc_zero(g, sizeof *s);
    if (!m || !s) {
        graft__free(g, m, type->size);
        graft__free(g, s, sizeof *s);
        graft__fail_memory(g, type->size, type->name);
        return NULL;
    }
    graft__object_init(&s->object, g, &module_kind);
    s->module = m;
    s->training = true;
    s->frees = true;
    m->type = type;
    m->ctx = g;
    m->state = s;
    return m;
}

void *graft_module_new(graft_ctx *g, const graft_module_class *type)
{
    if (!g)
        return NULL;
    if (!type || !type->name || !*type->name) {
        graft__fail(g, GRAFT_ERR_ARGUMENT, "module_new: %s",
                    type ? "the class has no name" : "the class is NULL");
        return NULL;
    }
    if (type->size < sizeof(graft_module)) {
        graft__fail(g, GRAFT_ERR_ARGUMENT,
                    "module_new: the size of class %s is %zu: expected that of a struct whose "
                    "first member is a graft_module, at least %zu",
                    type->name, type->size, sizeof(graft_module));
        return NULL;
    }
    graft_module *m = make(g, type);
    if (m)
        graft__own_by_context(&m->state->object);
    return m;
}

graft_module *graft__module_shell(graft_ctx *g, const graft_module *source)
{
    graft_module *m = make(g, source->type);
    if (!m)
        return NULL;
    const graft_module base = *m;
    memcpy(m, source, source->type->size);
    *m = base;
    m->state->training = source->state->training;
    m->state->frees = false;
    graft__own_by_context(&m->state->object);
    return m;
}

void graft_module_free(graft_module *m)
{
    if (m && graft__disown(&m->state->object))
        graft__module_unref(m);
}

graft_module *graft__module_ref(graft_module *m)
{
    graft__ref(&m->state->object);
    return m;
}

void graft__module_unref(graft_module *m)
{
    if (m)
        graft__unref(&m->state->object);
}

int64_t graft_module_len(const graft_module *m)
{
    return m ? (int64_t)m->state->children : 0;
}

graft_module *graft_module_child(const graft_module *m, int64_t i)
{
    return i >= 0 && i < graft_module_len(m) ? m->state->child[i].module : NULL;
}

const char *graft_module_child_name(const graft_module *m, int64_t i)
{
    return i >= 0 && i < graft_module_len(m) ? m->state->child[i].name : NULL;
}

bool graft_is_training(const graft_module *m)
{
    return m && m->state->training;
}
