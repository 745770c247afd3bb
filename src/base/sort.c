#include "base/sort.h"

#include <string.h>

typedef bool before_fn(const void *user, uint32_t a, uint32_t b);

static bool is_sorted(const uint32_t *item, size_t count, before_fn *before, const void *user)
{
    for (size_t i = 1; i < count; i++)
        if (before(user, item[i], item[i - 1]))
            return false;
    return true;
}

/* Merges from[0..middle) and from[middle..count), each in order, into `to`. */
static void merge(const uint32_t *from, size_t middle, size_t count, uint32_t *to,
                  before_fn *before, const void *user)
{
    size_t a = 0, b = middle;
    for (size_t i = 0; i < count; i++) {
        if (a < middle && (b == count || !before(user, from[b], from[a])))
            to[i] = from[a++];
        else
            to[i] = from[b++];
    }
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

void graft__sort(uint32_t *item, uint32_t *scratch, size_t count, before_fn *before,
                 const void *user)
{
    if (is_sorted(item, count, before, user))
        return;
    uint32_t *from = item, *to = scratch;
    for (size_t run = 1; run < count; run *= 2) {
        for (size_t i = 0; i < count; i += 2 * run)
            merge(from + i, smaller(run, count - i), smaller(2 * run, count - i), to + i, before,
                  user);
        uint32_t *const merged = to;
        to = from;
        from = merged;
    }
    if (from != item)
        memcpy(item, from, count * sizeof *item);
}
