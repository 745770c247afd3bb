/* What became of what. */
#ifndef GRAFT__COPY_COPY_MAP_H
#define GRAFT__COPY_COPY_MAP_H

#include "base/map.h"
#include "base/object.h"
#include "graft/copy.h"
#include "tensor/tensor.h"

/* One copied tensor. The copy is held; the source too if it is of the map's context: the counts of
 * another context's tensors belong to another thread. */
typedef struct graft__copy_pair {
    const char *path; /* its first name */
    graft_tensor *source;
    graft_tensor *copy;
    bool holds_source;
} graft__copy_pair;

/* Every name of every tensor. */
typedef struct graft__copy_name {
    char *path;
    const graft_tensor *source;
} graft__copy_name;

struct graft_copy_map {
    graft__object object;
    graft__copy_pair *pair;
    size_t pairs, pair_capacity;
    graft__copy_name *name;
    size_t names, name_capacity;
    graft__map tensors, modules; /* source to copy */
};

/* An empty map with one reference, the caller's; NULL with the error set. */
graft_copy_map *graft__copy_map_new(graft_ctx *g);
void graft__copy_map_unref(graft_copy_map *map); /* NULL is ignored */

/* Notes that source, under this path, became copy. */
graft_status graft__copy_map_add_tensor(graft_copy_map *map, const char *path,
                                        const graft_tensor *source, graft_tensor *copy);
graft_status graft__copy_map_add_module(graft_copy_map *map, const graft_module *source,
                                        graft_module *copy);

#endif
