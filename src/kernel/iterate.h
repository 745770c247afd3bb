/* Walks up to four arrays of one shape together and calls a loop on runs of their elements. */
#ifndef GRAFT__KERNEL_ITERATE_H
#define GRAFT__KERNEL_ITERATE_H

#include "base/pool.h"
#include "kernel/array.h"

enum { GRAFT__ITERATE_MAX = 4 };

/* n > 0 elements: element i of operand k lies at p[k] + i * step[k] (bytes; 0 repeats). Contiguous
 * operands come with step[k] == the size of an element, in runs as long as the layout allows. */
typedef void graft__loop(int64_t n, char *const *p, const int64_t *step, const void *arg);

/* Calls the loop until every element of `count` arrays, all of the shape of the first (repeat with
 * stride 0), was met exactly once. In which order, in which runs and on which threads is a matter
 * of layout, so that one element's result must depend on nothing but its inputs: then it is the
 * same for every thread count. With a pool, no two elements of an array that the loop writes may
 * share memory; with NULL all runs on the caller's thread and they may.
 *
 * weight: about how long an element takes, in units of the time of adding two numbers: 1 for
 * arithmetic, 10 for exp. Work of less than some ten microseconds stays on the caller's thread. */
void graft__iterate(graft__pool *pool, int count, const graft__array *const *array, int weight,
                    graft__loop *loop, const void *arg);

/* The same for n elements at given steps. */
void graft__iterate_flat(graft__pool *pool, int count, char *const *p, const int64_t *step,
                         int64_t n, int weight, graft__loop *loop, const void *arg);

#endif
