/* A hash map from pointers to pointers, in a context's memory. */
#ifndef GRAFT__BASE_MAP_H
#define GRAFT__BASE_MAP_H

#include "graft/base.h"

typedef struct graft__map {
    graft_ctx *ctx;
    struct {
        const void *key;
        void *value;
    } * slots;
    size_t count, capacity; /* capacity: a power of two, or 0 */
} graft__map;

void graft__map_init(graft__map *m, graft_ctx *g);
void graft__map_free(graft__map *m);

/* Makes room for count keys in a map that is empty, so that it need not grow, which leaves blocks
 * of all smaller sizes behind. Without memory nothing happens. */
void graft__map_reserve(graft__map *m, size_t count);

/* The value of key (not NULL), or NULL. */
void *graft__map_get(const graft__map *m, const void *key);

/* Sets the value (not NULL) of key. false, with the error set, if there is no memory. */
bool graft__map_set(graft__map *m, const void *key, void *value);

void graft__map_remove(graft__map *m, const void *key);

#endif
