/* The state dict of a model that was pickled as an object. */
#include <string.h>

#include "base/ctx.h"
#include "base/text.h"
#include "base/vector.h"
#include "graft/file.h"
#include "tensor/dict.h"

enum { DEPTH_MAX = 1000, NAMES_MAX = 10000000 };

static const char op[] = "pickled_state_dict";

/* A module whose submodules are being walked. */
typedef struct level {
    const graft_dict *modules;
    size_t next;   /* of its submodules */
    size_t prefix; /* length of the path that leads to it, with the dot */
} level;

typedef struct walk {
    graft_ctx *g;
    graft_dict *out;
    graft__text path;
    level *level;
    size_t depth, capacity;
    int64_t steps; /* modules and tensors so far: a module may stand in many places */
} walk;

/* The dict that the object has as a field, or NULL. */
static const graft_dict *field(const graft_dict *module, const char *name)
{
    const graft_dict *fields = module->attributes;
    const graft__key key = graft__string_key(name);
    const int64_t i = fields ? graft__dict_find_key(fields, &key) : -1;
    if (i < 0 || !graft__is_nested(fields->entry[i].value.kind))
        return NULL;
    return fields->entry[i].value.dict;
}

static bool is_module(const graft__value *v)
{
    return v->kind == GRAFT_VALUE_RECORD && field(v->dict, "_parameters") &&
           field(v->dict, "_buffers") && field(v->dict, "_modules");
}

static bool holds(const graft_dict *set, const graft__value *name)
{
    for (size_t i = 0; set && i < set->count; i++) {
        const graft__value *v = &set->entry[i].value;
        if (v->kind == GRAFT_VALUE_STRING && v->text.length == name->text.length &&
            memcmp(v->text.data, name->text.data, name->text.length) == 0)
            return true;
    }
    return false;
}

static bool count_step(walk *w)
{
    if (++w->steps <= NAMES_MAX)
        return true;
    graft__fail(w->g, GRAFT_ERR_ARGUMENT, "%s: more than %d modules and tensors", op, NAMES_MAX);
    return false;
}

/* Extends the path by a name; a name that is no string (which nn.Module does not make) by nothing.
 */
static bool add_name(walk *w, size_t prefix, const graft__value *name)
{
    graft__text_cut(&w->path, prefix);
    graft__text_addn(&w->path, name->text.data, name->text.length);
    if (w->path.failed)
        graft__fail_memory(w->g, w->path.length + name->text.length, op);
    return !w->path.failed;
}

/* Puts what is in the dict, except for None and what `without` names, under its path. */
static bool put_all(walk *w, size_t prefix, const graft_dict *values, const graft_dict *without)
{
    for (size_t i = 0; i < values->count; i++) {
        const graft__entry *e = &values->entry[i];
        if (e->value.kind == GRAFT_VALUE_NONE || e->key.kind != GRAFT_VALUE_STRING ||
            holds(without, &e->key))
            continue;
        w->steps += without ? (int64_t)(without->count / 64) : 0; /* which was looked through */
        if (!count_step(w) || !add_name(w, prefix, &e->key))
            return false;
        graft__value key =
            graft__text_value(w->g, op, GRAFT_VALUE_STRING, w->path.data, w->path.length);
        graft__value value;
        if (key.kind == GRAFT_VALUE_NONE)
            return false;
        if (!graft__value_copy(w->g, op, &e->value, &value)) {
            graft__value_drop(w->g, &key);
            return false;
        }
        if (graft__dict_put(w->out, op, key, value) != GRAFT_OK)
            return false;
    }
    return true;
}

/* The module's own tensors; then it waits for its submodules to be walked. */
static bool enter(walk *w, const graft_dict *module, size_t prefix)
{
    if (!count_step(w) || !put_all(w, prefix, field(module, "_parameters"), NULL) ||
        !put_all(w, prefix, field(module, "_buffers"),
                 field(module, "_non_persistent_buffers_set")))
        return false;
    if (w->depth == DEPTH_MAX) {
        graft__fail(w->g, GRAFT_ERR_ARGUMENT, "%s: modules are nested more than %d deep", op,
                    DEPTH_MAX);
        return false;
    }
    if (!graft__vector_reserve(w->g, (void **)&w->level, w->depth, &w->capacity,
                               sizeof *w->level)) {
        graft__fail_memory(w->g, w->capacity * sizeof *w->level, op);
        return false;
    }
    w->level[w->depth++] = (level){.modules = field(module, "_modules"), .prefix = prefix};
    return true;
}

static bool walk_modules(walk *w)
{
    while (w->depth > 0) {
        level *l = &w->level[w->depth - 1];
        if (l->next == l->modules->count) {
            w->depth--;
            continue;
        }
        const graft__entry *e = &l->modules->entry[l->next++];
        if (e->key.kind != GRAFT_VALUE_STRING || !is_module(&e->value))
            continue;
        if (!add_name(w, l->prefix, &e->key))
            return false;
        graft__text_add(&w->path, ".");
        if (w->path.failed) {
            graft__fail_memory(w->g, w->path.length, op);
            return false;
        }
        if (!enter(w, e->value.dict, w->path.length))
            return false;
    }
    return true;
}

graft_dict *graft_pickled_state_dict(const graft_dict *d)
{
    if (!d)
        return NULL;
    graft_ctx *g = d->object.ctx;
    const graft__value root = {.kind = d->container, .dict = (graft_dict *)(uintptr_t)d};
    if (!is_module(&root)) {
        graft__fail(g, GRAFT_ERR_ARGUMENT,
                    "%s: not a pickled model: expected a record with _parameters, _buffers and "
                    "_modules",
                    op);
        return NULL;
    }
    walk w = {.g = g, .out = graft__dict_new(g)};
    graft__text_init(&w.path, g);
    const bool ok = w.out && enter(&w, d, 0) && walk_modules(&w);
    graft__text_free(&w.path);
    graft__free(g, w.level, w.capacity * sizeof *w.level);
    if (!ok) {
        graft__dict_unref(w.out);
        return NULL;
    }
    return graft__dict_result(w.out);
}
