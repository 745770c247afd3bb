/* What a tree of modules holds, by name. */
#include <string.h>

#include "base/error.h"
#include "nn/module.h"

/* ---- Dicts ---- */

typedef struct listing {
    graft_dict *dict;
    bool buffers; /* rather than parameters */
} listing;

static graft_status list_slot(void *user, const char *path, graft_module *owner, graft__slot *slot,
                              bool first)
{
    (void)owner;
    const listing *l = user;
    if (!first || !slot->tensor || slot->is_buffer != l->buffers)
        return GRAFT_OK;
    return graft__dict_append_tensor(l->dict, path, slot->tensor);
}

/* The dict that a visit filled: to the scope, or gone if it failed. */
static graft_dict *filled(graft_dict *d, graft_status status)
{
    if (!status)
        return graft__dict_result(d);
    graft__dict_unref(d);
    return NULL;
}

static graft_dict *list(const graft_module *m, bool buffers)
{
    listing l = {.dict = m ? graft__dict_new(m->ctx) : NULL, .buffers = buffers};
    if (!l.dict)
        return NULL;
    const graft__visitor v = {.user = &l, .slot = list_slot};
    return filled(l.dict, graft__visit(m, &v));
}

graft_dict *graft_parameters(const graft_module *m)
{
    return list(m, false);
}

graft_dict *graft_buffers(const graft_module *m)
{
    return list(m, true);
}

static graft_status list_state(void *user, const char *path, graft_module *owner, graft__slot *slot,
                               bool first)
{
    (void)owner, (void)first;
    const graft_tensor *t = slot->tensor;
    if (!t || !slot->persistent)
        return GRAFT_OK;
    graft_tensor *alias = graft__tensor_alias(t, t->ndim, t->size, t->stride, t->offset);
    if (!alias)
        return GRAFT_ERR_MEMORY;
    const graft_status status = graft__dict_append_tensor(user, path, alias);
    graft__tensor_unref(alias);
    return status;
}

/* _metadata as PyTorch has it: the version of each module's class by its path. All of graft's are
 * of version 1. */
static graft_status list_version(void *user, const char *path, graft_module *m, bool first)
{
    (void)first;
    graft_dict *local = graft__dict_new(m->ctx);
    graft_status status = local ? graft_dict_set_int(local, "version", 1) : GRAFT_ERR_MEMORY;
    if (!status)
        status = graft_dict_set_dict(user, path, local);
    graft__dict_unref(local);
    return status;
}

static graft_dict *ordered_dict(graft_ctx *g)
{
    static const char name[] = "collections.OrderedDict";
    graft_dict *d = graft__dict_new(g);
    if (d && !graft__dict_set_class(d, "state_dict", name, strlen(name), strlen("collections"))) {
        graft__dict_unref(d);
        return NULL;
    }
    return d;
}

static graft_status add_metadata(const graft_module *m, graft_dict *d)
{
    graft_dict *attributes = graft__dict_new(m->ctx), *metadata = ordered_dict(m->ctx);
    const graft__visitor v = {.all_names = true, .user = metadata, .module = list_version};
    graft_status status = attributes && metadata ? graft__visit(m, &v) : GRAFT_ERR_MEMORY;
    if (!status)
        status = graft_dict_set_dict(attributes, "_metadata", metadata);
    if (!status)
        status = graft_dict_set_attributes(d, attributes);
    graft__dict_unref(attributes);
    graft__dict_unref(metadata);
    return status;
}

graft_dict *graft_state_dict(const graft_module *m)
{
    graft_dict *d = m ? ordered_dict(m->ctx) : NULL;
    if (!d)
        return NULL;
    const graft__visitor v = {.all_names = true, .user = d, .slot = list_state};
    const graft_status status = graft__visit(m, &v);
    return filled(d, status ? status : add_metadata(m, d));
}

/* ---- Modules ---- */

typedef struct named {
    graft_status (*visit)(void *user, const char *path, graft_module *module);
    void *user;
} named;

static graft_status visit_named(void *user, const char *path, graft_module *m, bool first)
{
    const named *n = user;
    return first ? n->visit(n->user, path, m) : GRAFT_OK;
}

graft_status graft_named_modules(graft_module *m,
                                 graft_status (*visit)(void *user, const char *path,
                                                       graft_module *module),
                                 void *user)
{
    if (!m)
        return GRAFT_ERR_ARGUMENT;
    if (!visit)
        return graft__fail(m->ctx, GRAFT_ERR_ARGUMENT, "named_modules: visit is NULL");
    named n = {visit, user};
    const graft__visitor v = {.user = &n, .module = visit_named};
    return graft__visit(m, &v);
}

static graft_status count_slot(void *user, const char *path, graft_module *owner, graft__slot *slot,
                               bool first)
{
    (void)path, (void)owner;
    int64_t *count = user; /* of all, and of those that require grad */
    if (first && slot->tensor && !slot->is_buffer) {
        count[0] += slot->tensor->numel;
        count[1] += slot->tensor->requires_grad ? slot->tensor->numel : 0;
    }
    return GRAFT_OK;
}

int64_t graft_parameter_count(const graft_module *m, bool trainable_only)
{
    int64_t count[2] = {0, 0};
    const graft__visitor v = {.user = count, .slot = count_slot};
    if (!m || graft__visit(m, &v))
        return -1;
    return count[trainable_only];
}

/* ---- Paths ---- */

/* "expected 'fc1' or 'fc2'": the children, and the parameters and buffers too where they are asked
 * for. */
static void add_choices(graft_module *m, bool slots, graft__text *out)
{
    const graft__module_state *s = m->state;
    size_t n = 0;
    const size_t all = s->children + (slots ? s->slots : 0);
    for (size_t i = 0; i < all; i++) {
        const size_t own = slots ? s->slots : 0;
        const char *name = i < own ? s->slot[i].name : s->child[i - own].name;
        graft__text_addf(out, "%s'%s'", n++ == 0 ? "" : i + 1 < all ? ", " : " or ", name);
    }
}

static graft_status not_there(graft_module *root, const char *op, const char *path,
                              graft_module *at, const char *name, size_t length, bool slots)
{
    graft__text choices;
    graft__text_init(&choices, root->ctx);
    add_choices(at, slots, &choices);
    const graft_status status =
        graft__fail(root->ctx, GRAFT_ERR_NAME, "%s: there is no '%s': %s has no '%.*s'%s%s", op,
                    path, at->type->name, (int)length, name,
                    choices.length ? ": expected "
                    : slots        ? " (and nothing else)"
                                   : " (and no children)",
                    choices.data ? choices.data : "");
    graft__text_free(&choices);
    return status;
}

static graft_module *find_child(const graft_module *m, const char *name, size_t length)
{
    const graft__module_state *s = m->state;
    for (size_t i = 0; i < s->children; i++) {
        if (strncmp(s->child[i].name, name, length) == 0 && !s->child[i].name[length])
            return s->child[i].module;
    }
    return NULL;
}

/* Goes down the path to its end, or to its last name; *last is what is left. */
static graft_status descend(graft_module *m, const char *op, const char *path, bool to_slot,
                            graft_module **at, const char **last)
{
    if (!path)
        return graft__fail(m->ctx, GRAFT_ERR_ARGUMENT, "%s: the path is NULL", op);
    *at = m;
    *last = path;
    if (!*path)
        return GRAFT_OK;
    for (;;) {
        const size_t length = strcspn(*last, ".");
        const bool end = !(*last)[length];
        if (end && to_slot)
            return GRAFT_OK;
        graft_module *child = find_child(*at, *last, length);
        if (!child)
            return not_there(m, op, path, *at, *last, length, to_slot && end);
        *at = child;
        *last += length + !end;
        if (end)
            return GRAFT_OK;
    }
}

graft_module *graft_get_module(graft_module *m, const char *path)
{
    graft_module *at;
    const char *last;
    return m && !descend(m, "get_module", path, false, &at, &last) ? at : NULL;
}

graft_status graft__find_slot(graft_module *m, const char *op, const char *path,
                              graft_module **owner, graft__slot **slot)
{
    const char *last;
    graft_status status = descend(m, op, path, true, owner, &last);
    if (status)
        return status;
    graft__module_state *s = (*owner)->state;
    for (size_t i = 0; i < s->slots; i++) {
        if (strcmp(s->slot[i].name, last) != 0)
            continue;
        *slot = &s->slot[i];
        if (s->slot[i].tensor)
            return GRAFT_OK;
        return graft__fail(m->ctx, GRAFT_ERR_NAME, "%s: '%s' of %s is absent", op, path,
                           (*owner)->type->name);
    }
    if (find_child(*owner, last, strlen(last)))
        return graft__fail(m->ctx, GRAFT_ERR_NAME,
                           "%s: '%s' is a module, not a parameter or a buffer", op, path);
    return not_there(m, op, path, *owner, last, strlen(last), true);
}

graft_tensor *graft_get_parameter(graft_module *m, const char *path)
{
    graft_module *owner;
    graft__slot *slot = NULL;
    return m && !graft__find_slot(m, "get_parameter", path, &owner, &slot) ? slot->tensor : NULL;
}
