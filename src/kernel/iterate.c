#include "kernel/iterate.h"

#include <string.h>

/* In units of weight: what a part is worth at least, some 5 us, so that handing it to another
 * thread pays. */
static const int64_t PART_WORK = 65536;
enum { PARTS_PER_THREAD = 4 };

/* Parts begin at multiples of this, so that no two write to one cache line of contiguous memory
 * that begins on a line. */
static const int64_t PART_ALIGN = 64;

/* Dimensions innermost first, without those of size 1 and with those joined that lie behind each
 * other in every array. */
typedef struct walk {
    graft__loop *loop;
    const void *arg;
    int count, ndim, parts;
    int64_t numel;
    char *base[GRAFT__ITERATE_MAX];
    int64_t size[GRAFT_MAX_DIMS];
    int64_t step[GRAFT_MAX_DIMS][GRAFT__ITERATE_MAX]; /* bytes */
} walk;

static int64_t min_i64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* By sizes and thread count only: the partition decides nothing about the results, but a fixed one
 * keeps each thread at the memory that its caches hold. */
static int part_count(const graft__pool *pool, int64_t n, int weight)
{
    const int64_t work = n * weight;
    if (work < 2 * PART_WORK)
        return 1;
    const int threads = graft__pool_threads(pool);
    if (threads == 1)
        return 1;
    return (int)min_i64(work / PART_WORK, (int64_t)threads * PARTS_PER_THREAD);
}

static void walk_flat(const walk *w, int64_t begin, int64_t end)
{
    char *p[GRAFT__ITERATE_MAX];
    for (int k = 0; k < w->count; k++)
        p[k] = w->base[k] + begin * w->step[0][k];
    w->loop(end - begin, p, w->step[0], w->arg);
}

/* Moves on by `steps` along dimension d. All four, used or not: no loop to count. */
static void advance(char *p[GRAFT__ITERATE_MAX], const walk *w, int d, int64_t steps)
{
    for (int k = 0; k < GRAFT__ITERATE_MAX; k++)
        p[k] += steps * w->step[d][k];
}

/* Whole rows, as many as dimension 1 has or fewer: the loop that most calls are made from. */
static void walk_rows(const walk *w, char *p[GRAFT__ITERATE_MAX], int64_t rows)
{
    for (int64_t i = 0; i < rows; i++) {
        w->loop(w->size[0], p, w->step[0], w->arg);
        advance(p, w, 1, 1);
    }
}

/* Elements begin..end-1, counted along the dimensions innermost first. */
static void walk_range(const walk *w, int64_t begin, int64_t end)
{
    if (w->ndim == 1) {
        walk_flat(w, begin, end);
        return;
    }
    int64_t at[GRAFT_MAX_DIMS], rest = begin;
    char *p[GRAFT__ITERATE_MAX];
    memcpy(p, w->base, sizeof p);
    for (int d = 0; d < w->ndim; d++) {
        at[d] = rest % w->size[d];
        rest /= w->size[d];
        advance(p, w, d, at[d]);
    }
    for (int64_t left = end - begin; left > 0;) {
        if (at[0] > 0 || left < w->size[0]) { /* a part of a row, at either end */
            const int64_t n = min_i64(w->size[0] - at[0], left);
            w->loop(n, p, w->step[0], w->arg);
            advance(p, w, 0, -at[0]);
            advance(p, w, 1, 1);
            at[0] = 0;
            at[1]++;
            left -= n;
        } else {
            const int64_t rows = min_i64(w->size[1] - at[1], left / w->size[0]);
            walk_rows(w, p, rows);
            at[1] += rows;
            left -= rows * w->size[0];
        }
        for (int d = 1; at[d] == w->size[d] && d + 1 < w->ndim; d++) {
            advance(p, w, d, -at[d]);
            advance(p, w, d + 1, 1);
            at[d] = 0;
            at[d + 1]++;
        }
    }
}

static void walk_part(void *arg, int part)
{
    const walk *w = arg;
    const int64_t share = w->numel / w->parts / PART_ALIGN * PART_ALIGN;
    const int64_t begin = share * part;
    walk_range(w, begin, part == w->parts - 1 ? w->numel : begin + share);
}

static void walk_run(graft__pool *pool, walk *w, int weight)
{
    w->parts = part_count(pool, w->numel, weight);
    if (w->parts > 1)
        graft__pool_run(pool, w->parts, walk_part, w);
    else
        walk_range(w, 0, w->numel);
}

void graft__iterate_flat(graft__pool *pool, int count, char *const *p, const int64_t *step,
                         int64_t n, int weight, graft__loop *loop, const void *arg)
{
    if (n <= 0)
        return;
    const int parts = part_count(pool, n, weight);
    if (parts == 1) {
        loop(n, p, step, arg);
        return;
    }
    walk w = {.loop = loop, .arg = arg, .count = count, .ndim = 1, .parts = parts, .numel = n};
    w.size[0] = n;
    for (int k = 0; k < count; k++) {
        w.base[k] = p[k];
        w.step[0][k] = step[k];
    }
    graft__pool_run(pool, parts, walk_part, &w);
}

/* Whether all arrays are contiguous; *n is then the number of elements. */
static bool all_contiguous(int count, const graft__array *const *array, int64_t *n)
{
    int64_t expected = 1;
    for (int d = array[0]->ndim - 1; d >= 0; d--) {
        const int64_t size = array[0]->size[d];
        if (size == 1)
            continue;
        for (int k = 0; k < count; k++) {
            if (array[k]->stride[d] != expected)
                return false;
        }
        expected *= size;
    }
    *n = expected;
    return true;
}

static int64_t magnitude(int64_t a)
{
    return a < 0 ? -a : a;
}

/* > 0 if dimension a should lie outside of dimension b, < 0 if inside, 0 if no array has a say:
 * the first array that repeats in neither decides, so that what is written is written in order. */
static int compare_dims(const walk *w, int a, int b)
{
    for (int k = 0; k < w->count; k++) {
        const int64_t sa = magnitude(w->step[a][k]), sb = magnitude(w->step[b][k]);
        if (sa == 0 || sb == 0 || sa == sb)
            continue;
        return sa > sb ? 1 : -1;
    }
    return 0;
}

static void swap_dims(walk *w, int a, int b)
{
    const int64_t size = w->size[a];
    w->size[a] = w->size[b];
    w->size[b] = size;
    for (int k = 0; k < w->count; k++) {
        const int64_t step = w->step[a][k];
        w->step[a][k] = w->step[b][k];
        w->step[b][k] = step;
    }
}

static void sort_dims(walk *w)
{
    for (int i = 1; i < w->ndim; i++) {
        int moving = i;
        for (int d = i - 1; d >= 0; d--) {
            const int order = compare_dims(w, d, moving);
            if (order < 0)
                break;
            if (order > 0) {
                swap_dims(w, d, moving);
                moving = d;
            }
        }
    }
}

static void join_dims(walk *w)
{
    int last = 0;
    for (int d = 1; d < w->ndim; d++) {
        bool joins = true;
        for (int k = 0; k < w->count; k++)
            joins = joins && w->step[d][k] == w->size[last] * w->step[last][k];
        if (joins) {
            w->size[last] *= w->size[d];
            continue;
        }
        last++;
        if (last != d)
            swap_dims(w, last, d);
    }
    w->ndim = last + 1;
}

void graft__iterate(graft__pool *pool, int count, const graft__array *const *array, int weight,
                    graft__loop *loop, const void *arg)
{
    char *p[GRAFT__ITERATE_MAX];
    int64_t item[GRAFT__ITERATE_MAX], n;
    for (int k = 0; k < count; k++) {
        p[k] = array[k]->data;
        item[k] = (int64_t)graft__width(array[k]->dtype);
    }
    if (all_contiguous(count, array, &n)) {
        graft__iterate_flat(pool, count, p, item, n, weight, loop, arg);
        return;
    }
    walk w = {.loop = loop, .arg = arg, .count = count, .numel = 1};
    for (int d = array[0]->ndim - 1; d >= 0; d--) {
        const int64_t size = array[0]->size[d];
        w.numel *= size;
        if (size == 1)
            continue;
        w.size[w.ndim] = size;
        for (int k = 0; k < count; k++)
            w.step[w.ndim][k] = array[k]->stride[d] * item[k];
        w.ndim++;
    }
    if (w.numel == 0)
        return;
    for (int k = 0; k < GRAFT__ITERATE_MAX; k++)
        w.base[k] = p[k < count ? k : 0]; /* what is unused moves nowhere */
    sort_dims(&w);
    join_dims(&w);
    walk_run(pool, &w, weight);
}
