#include "copy/copy_map.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/vector.h"

/* ---- Making ---- */

static void path_free(graft_ctx *g, char *path)
{
    graft__free(g, path, strlen(path) + 1);
}

static void pair_release(graft__copy_pair *pair)
{
    if (pair->holds_source)
        graft__tensor_unref(pair->source);
    graft__tensor_unref(pair->copy);
}

static void map_destroy(graft__object *o)
{
    graft_copy_map *map = (graft_copy_map *)o;
    graft_ctx *g = o->ctx;
    for (size_t i = 0; i < map->pairs; i++)
        pair_release(&map->pair[i]);
    for (size_t i = 0; i < map->names; i++)
        path_free(g, map->name[i].path);
    graft__free(g, map->pair, map->pair_capacity * sizeof *map->pair);
    graft__free(g, map->name, map->name_capacity * sizeof *map->name);
    graft__map_free(&map->tensors);
    graft__map_free(&map->modules);
    graft__free(g, map, sizeof *map);
}

static const graft__kind map_kind = {.name = "copy map", .destroy = map_destroy};

graft_copy_map *graft__copy_map_new(graft_ctx *g)
{
    graft_copy_map *map = graft__alloc_zero(g, sizeof *map);
    if (!map) {
        graft__fail_memory(g, sizeof *map, "copy map");
        return NULL;
    }
    graft__object_init(&map->object, g, &map_kind);
    graft__map_init(&map->tensors, g);
    graft__map_init(&map->modules, g);
    return map;
}

void graft__copy_map_unref(graft_copy_map *map)
{
    if (map)
        graft__unref(&map->object);
}

/* The path as the map keeps it; NULL with the error set. */
static const char *add_name(graft_copy_map *map, const char *path, const graft_tensor *source)
{
    graft_ctx *g = map->object.ctx;
    char *kept = NULL;
    if (graft__vector_reserve(g, (void **)&map->name, map->names, &map->name_capacity,
                              sizeof *map->name))
        kept = graft__strdup(g, path);
    if (kept)
        map->name[map->names++] = (graft__copy_name){.path = kept, .source = source};
    else
        graft__fail_memory(g, strlen(path) + 1, "copy map");
    return kept;
}

graft_status graft__copy_map_add_tensor(graft_copy_map *map, const char *path,
                                        const graft_tensor *source, graft_tensor *copy)
{
    graft_ctx *g = map->object.ctx;
    const char *kept = add_name(map, path, source);
    if (!kept)
        return GRAFT_ERR_MEMORY;
    if (graft__map_get(&map->tensors, source))
        return GRAFT_OK;
    if (!graft__vector_reserve(g, (void **)&map->pair, map->pairs, &map->pair_capacity,
                               sizeof *map->pair))
        return graft__fail_memory(g, (map->pairs + 1) * sizeof *map->pair, "copy map");
    if (!graft__map_set(&map->tensors, source, copy))
        return GRAFT_ERR_MEMORY;
    graft__copy_pair *pair = &map->pair[map->pairs++];
    *pair = (graft__copy_pair){
        .path = kept,
        .source = (graft_tensor *)source,
        .copy = graft__tensor_ref(copy),
        .holds_source = source->object.ctx == g,
    };
    if (pair->holds_source)
        graft__tensor_ref(pair->source);
    return GRAFT_OK;
}

graft_status graft__copy_map_add_module(graft_copy_map *map, const graft_module *source,
                                        graft_module *copy)
{
    return graft__map_set(&map->modules, source, copy) ? GRAFT_OK : GRAFT_ERR_MEMORY;
}

/* ---- Reading ---- */

graft_tensor *graft_copy_map_tensor(const graft_copy_map *map, const graft_tensor *source)
{
    return map && source ? graft__map_get(&map->tensors, source) : NULL;
}

graft_module *graft_copy_map_module(const graft_copy_map *map, const graft_module *source)
{
    return map && source ? graft__map_get(&map->modules, source) : NULL;
}

graft_ctx *graft_copy_map_ctx(const graft_copy_map *map)
{
    return map ? map->object.ctx : NULL;
}

int64_t graft_copy_map_len(const graft_copy_map *map)
{
    return map ? (int64_t)map->pairs : 0;
}

static const graft__copy_pair *pair_at(const graft_copy_map *map, int64_t i)
{
    return map && i >= 0 && (uint64_t)i < map->pairs ? &map->pair[i] : NULL;
}

const char *graft_copy_map_path(const graft_copy_map *map, int64_t i)
{
    const graft__copy_pair *pair = pair_at(map, i);
    return pair ? pair->path : NULL;
}

const graft_tensor *graft_copy_map_source(const graft_copy_map *map, int64_t i)
{
    const graft__copy_pair *pair = pair_at(map, i);
    return pair ? pair->source : NULL;
}

graft_tensor *graft_copy_map_copy(const graft_copy_map *map, int64_t i)
{
    const graft__copy_pair *pair = pair_at(map, i);
    return pair ? pair->copy : NULL;
}

/* ---- Dropping and freeing ---- */

static const graft_tensor *source_named(const graft_copy_map *map, const char *path)
{
    for (size_t i = 0; i < map->names; i++)
        if (strcmp(map->name[i].path, path) == 0)
            return map->name[i].source;
    return NULL;
}

static void drop_pair(graft_copy_map *map, const graft_tensor *source)
{
    size_t i = 0;
    while (map->pair[i].source != source)
        i++;
    pair_release(&map->pair[i]);
    map->pairs--;
    memmove(&map->pair[i], &map->pair[i + 1], (map->pairs - i) * sizeof *map->pair);
}

static void drop_names(graft_copy_map *map, const graft_tensor *source)
{
    size_t kept = 0;
    for (size_t i = 0; i < map->names; i++) {
        if (map->name[i].source == source)
            path_free(map->object.ctx, map->name[i].path);
        else
            map->name[kept++] = map->name[i];
    }
    map->names = kept;
}

graft_status graft_copy_map_drop(graft_copy_map *map, const char *path)
{
    if (!map)
        return GRAFT_ERR_ARGUMENT;
    if (!path)
        return graft__fail(map->object.ctx, GRAFT_ERR_ARGUMENT, "copy_map_drop: path is NULL");
    const graft_tensor *source = source_named(map, path);
    if (!source)
        return graft__fail(map->object.ctx, GRAFT_ERR_NAME,
                           "copy_map_drop: no tensor \"%s\" is in the map of %zu", path,
                           map->pairs);
    graft__map_remove(&map->tensors, source);
    drop_pair(map, source);
    drop_names(map, source);
    return GRAFT_OK;
}

void graft_copy_map_free(graft_copy_map *map)
{
    if (map && graft__disown(&map->object))
        graft__unref(&map->object);
}
