/* A pool of threads that share the parts of one piece of work. */
#ifndef GRAFT__BASE_POOL_H
#define GRAFT__BASE_POOL_H

#include <stddef.h>

#include "graft/base.h"

typedef struct graft__pool graft__pool;

/* Makes a pool for `threads` threads, the caller's included (1 to 64). The workers start at the
 * first run that needs them, so that small programs never pay for them. NULL: no memory. */
graft__pool *graft__pool_new(const graft_allocator *allocator, int threads);

/* Stops and joins the workers. NULL is ignored. */
void graft__pool_free(graft__pool *pool);

int graft__pool_threads(const graft__pool *pool);

/* Calls work(arg, part) once for each part of 0..parts-1 and returns when all have returned. Parts
 * run on any thread in any order, the caller takes parts too, and a worker that the system does
 * not schedule costs nothing but its help: results must depend on the partition only. Never fails:
 * with no thread to be had the caller does it all. pool may be NULL (one thread). Not reentrant:
 * work must not call graft__pool_run on the same pool. */
void graft__pool_run(graft__pool *pool, int parts, void (*work)(void *arg, int part), void *arg);

#endif
