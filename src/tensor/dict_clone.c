/* Snapshots of dicts. Three maps keep what belongs together together: a storage is shared into one
 * new storage, so that views of it stay views; a tensor, and a nested dict, that stands under
 * several keys becomes one. */
#include <string.h>

#include "base/ctx.h"
#include "base/map.h"
#include "base/vector.h"
#include "tensor/dict.h"
#include "tensor/history.h"

/* The maps hold a reference of each copy until the end; the dicts made are also in a list, in which
 * those behind `done` wait to be filled. */
typedef struct snapshot {
    graft_ctx *from, *into;
    graft__map storages, tensors, dicts;
    struct {
        const graft_dict *source;
        graft_dict *copy;
    } * dict;
    size_t count, capacity;
} snapshot;

typedef void unref_fn(void *object);

static void unref_storage(void *object)
{
    graft__storage_unref(object);
}

static void unref_tensor(void *object)
{
    graft__tensor_unref(object);
}

static void free_map(graft__map *map, unref_fn *unref)
{
    for (size_t i = 0; i < map->capacity; i++)
        if (map->slots[i].key)
            unref(map->slots[i].value);
    graft__map_free(map);
}

/* Maps source to copy, whose reference goes to the map. NULL if copy is or if there is no memory:
 * the reference is then dropped. */
static void *remember(graft__map *map, const void *source, void *copy, unref_fn *unref)
{
    if (copy && !graft__map_set(map, source, copy)) {
        unref(copy);
        return NULL;
    }
    return copy;
}

static graft__storage *storage_copy(snapshot *s, const graft__storage *source)
{
    graft__storage *known = graft__map_get(&s->storages, source);
    if (known)
        return known;
    return remember(&s->storages, source, graft__storage_share(source, s->into), unref_storage);
}

/* The copy of a tensor, borrowed from the map, without its gradient. */
static graft_tensor *bare_copy(snapshot *s, const graft_tensor *source)
{
    graft_tensor *known = graft__map_get(&s->tensors, source);
    if (known)
        return known;
    graft__storage *storage = storage_copy(s, source->storage);
    if (!storage)
        return NULL;
    graft_tensor *copy =
        graft__tensor_over(graft__storage_ref(storage), source->dtype, source->ndim, source->size,
                           source->stride, source->offset);
    if (copy) {
        copy->requires_grad = source->requires_grad;
        copy->parameter = source->parameter;
    }
    return remember(&s->tensors, source, copy, unref_tensor);
}

static graft_tensor *tensor_copy(snapshot *s, const graft_tensor *source, const char *name)
{
    if (source->history) {
        graft__fail(s->from, GRAFT_ERR_STATE,
                    "dict_clone: the tensor \"%s\" is the result of %s and has a history: detach "
                    "it first",
                    name, graft__history_name(source->history));
        return NULL;
    }
    graft_tensor *copy = bare_copy(s, source);
    if (!copy || !source->grad_is_set || copy->grad)
        return copy;
    graft_tensor *gradient = bare_copy(s, source->grad);
    if (!gradient)
        return NULL;
    gradient->is_gradient = true;
    copy->grad = graft__tensor_ref(gradient);
    copy->grad_is_set = true;
    return copy;
}

/* The copy of a nested dict, borrowed from the list, to be filled when its turn comes. */
static graft_dict *dict_copy(snapshot *s, const graft_dict *source)
{
    graft_dict *known = graft__map_get(&s->dicts, source);
    if (known)
        return known;
    if (!graft__vector_reserve(s->into, (void **)&s->dict, s->count, &s->capacity,
                               sizeof *s->dict)) {
        graft__fail_memory(s->into, sizeof *s->dict, "dict_clone");
        return NULL;
    }
    graft_dict *copy = graft__container_new(s->into, source->container);
    if (!copy)
        return NULL;
    s->dict[s->count].source = source;
    s->dict[s->count++].copy = copy;
    return graft__map_set(&s->dicts, source, copy) ? copy : NULL;
}

/* A copy of v in *out, with references of its own. name is for errors. */
static bool copy_value(snapshot *s, const graft__value *v, const char *name, graft__value *out)
{
    *out = (graft__value){.kind = GRAFT_VALUE_NONE};
    if (v->kind == GRAFT_VALUE_TENSOR) {
        graft_tensor *copy = tensor_copy(s, v->tensor, name);
        if (copy)
            *out = graft__tensor_value(graft__tensor_ref(copy));
        return copy;
    }
    if (graft__is_nested(v->kind)) {
        graft_dict *copy = dict_copy(s, v->dict);
        if (copy)
            *out = graft__dict_value((graft_dict *)graft__ref(&copy->object));
        return copy;
    }
    return graft__value_copy(s->into, "dict_clone", v, out);
}

static bool copy_entry(snapshot *s, const graft_dict *source, size_t i, graft_dict *copy)
{
    const graft__entry *e = &source->entry[i];
    const char *name = graft__entry_name(source, i);
    graft__value key, value;
    if (!name || !copy_value(s, &e->key, name, &key))
        return false;
    if (!copy_value(s, &e->value, name, &value)) {
        graft__value_drop(s->into, &key);
        return false;
    }
    return graft__dict_append(copy, "dict_clone", key, value) == GRAFT_OK;
}

/* Another copy of a dict that hangs on the side, or NULL. */
static bool copy_side(snapshot *s, const graft_dict *source, graft_dict **copy)
{
    if (!source)
        return true;
    graft_dict *made = dict_copy(s, source);
    if (made)
        *copy = (graft_dict *)graft__ref(&made->object);
    return made;
}

static bool fill(snapshot *s, const graft_dict *source, graft_dict *copy)
{
    copy->making = source->making;
    if (source->class_name &&
        !graft__dict_set_class(copy, "dict_clone", source->class_name, strlen(source->class_name),
                               source->module_length))
        return false;
    for (size_t i = 0; i < source->count; i++)
        if (!copy_entry(s, source, i, copy))
            return false;
    return copy_side(s, source->attributes, &copy->attributes) &&
           copy_side(s, source->args, &copy->args);
}

/* Where the two contexts differ, the source's must know too that it failed. */
static void tell(const snapshot *s)
{
    graft__fail(s->from, GRAFT_ERR_MEMORY, "dict_clone: out of memory in the copy's context");
}

graft_dict *graft_dict_clone(const graft_dict *d, graft_ctx *into)
{
    if (!d)
        return NULL;
    snapshot s = {.from = d->object.ctx, .into = into ? into : d->object.ctx};
    graft__map_init(&s.storages, s.into);
    graft__map_init(&s.tensors, s.into);
    graft__map_init(&s.dicts, s.into);
    graft_dict *copy = dict_copy(&s, d);
    bool ok = copy;
    for (size_t done = 0; ok && done < s.count; done++)
        ok = fill(&s, s.dict[done].source, s.dict[done].copy);
    if (ok)
        graft__ref(&copy->object);
    else
        tell(&s);
    for (size_t i = 0; i < s.count; i++)
        graft__dict_unref(s.dict[i].copy);
    graft__free(s.into, s.dict, s.capacity * sizeof *s.dict);
    free_map(&s.storages, unref_storage);
    free_map(&s.tensors, unref_tensor);
    graft__map_free(&s.dicts);
    if (!ok)
        return NULL;
    graft__own_by_context(&copy->object);
    return copy;
}
