/* A pool of threads that share the parts of one piece of work. */
#ifndef GRAFT__BASE_POOL_H
#define GRAFT__BASE_POOL_H

#include <stddef.h>

#include "graft/base.h"

typedef struct graft__pool graft__pool;

/* Makes a pool for `threads` threads, the caller's included (1 to 64). The workers start at the
 * first run that needs them, so that small programs never pay for them. The allocator is copied;
 * NULL, or one without alloc, means the system's. NULL: no memory, or threads out of range. */
graft__pool *graft__pool_new(const graft_allocator *allocator, int threads);

/* Stops and joins the workers. NULL is ignored. */
void graft__pool_free(graft__pool *pool);

/* 1 for NULL. */
int graft__pool_threads(const graft__pool *pool);

/* Calls work(arg, part) once for each part of 0..parts-1 and returns when all have returned. Parts
 * run on any thread in any order, the caller takes parts too, and a worker that the system does
 * not schedule costs nothing but its help: results must depend on the partition only. Never fails:
 * with no thread to be had the caller does it all. pool may be NULL (one thread). Not reentrant:
 * work must not call graft__pool_run on the same pool.
 *
 * Where help turns out to cost more than it brings (another process keeps the cores busy, or the
 * parts are too small) the caller works alone for a while and then tries again. Make more parts
 * than threads (3 or 4 a thread, none shorter than some 5 us): a worker that is taken off its core
 * in the middle of a part holds up the caller for that part. The caller takes parts from the front
 * and the workers from the back, so that equal partitions of the same data tend to meet the caches
 * that hold it. In the child of a fork() the workers are gone, and the caller works alone. */
void graft__pool_run(graft__pool *pool, int parts, void (*work)(void *arg, int part), void *arg);

/* The same for work that keeps something for each thread: `thread` is the number of the one that
 * runs the part, 0 (the caller) to graft__pool_threads - 1. */
void graft__pool_run_indexed(graft__pool *pool, int parts,
                             void (*work)(void *arg, int part, int thread), void *arg);

/* At least `size` bytes, aligned to 64, that stay until the next call and whose contents do not;
 * freed with the pool. Grows and never shrinks, so that repeated work allocates nothing. For the
 * thread that owns the pool, outside graft__pool_run. NULL: no pool or no memory. */
void *graft__pool_scratch(graft__pool *pool, size_t size);

#endif
