/* A stable sort that needs no memory of its own and no globals. */
#ifndef GRAFT__BASE_SORT_H
#define GRAFT__BASE_SORT_H

#include "graft/base.h"

/* Sorts count numbers by `before`, a strict order; scratch has room for as many. What is in order
 * already takes one pass. */
void graft__sort(uint32_t *item, uint32_t *scratch, size_t count,
                 bool (*before)(const void *user, uint32_t a, uint32_t b), const void *user);

#endif
