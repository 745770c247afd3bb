#include "base/map.h"

#include "base/alloc.h"
#include "base/error.h"

void graft__map_init(graft__map *m, graft_ctx *g)
{
    *m = (graft__map){.ctx = g};
}

void graft__map_free(graft__map *m)
{
    graft__free(m->ctx, m->slots, m->capacity * sizeof *m->slots);
    graft__map_init(m, m->ctx);
}

static size_t home(const graft__map *m, const void *key)
{
    uint64_t x = (uint64_t)(uintptr_t)key * UINT64_C(0x9E3779B97F4A7C15);
    return (size_t)(x >> 32) & (m->capacity - 1);
}

/* The slot that holds key, or the free one where it would go. There always is a free one. */
static size_t find(const graft__map *m, const void *key)
{
    size_t i = home(m, key);
    while (m->slots[i].key && m->slots[i].key != key)
        i = (i + 1) & (m->capacity - 1);
    return i;
}

void *graft__map_get(const graft__map *m, const void *key)
{
    return m->capacity ? m->slots[find(m, key)].value : NULL;
}

static bool grow(graft__map *m)
{
    graft__map bigger = {.ctx = m->ctx, .capacity = m->capacity ? 2 * m->capacity : 16};
    size_t bytes = 0;
    if (graft__mul_size(bigger.capacity, sizeof *m->slots, &bytes))
        bigger.slots = graft__alloc_zero(m->ctx, bytes);
    if (!bigger.slots) {
        graft__fail_memory(m->ctx, bytes, "map");
        return false;
    }
    for (size_t i = 0; i < m->capacity; i++) {
        if (m->slots[i].key) {
            size_t to = find(&bigger, m->slots[i].key);
            bigger.slots[to].key = m->slots[i].key;
            bigger.slots[to].value = m->slots[i].value;
        }
    }
    bigger.count = m->count;
    graft__map_free(m);
    *m = bigger;
    return true;
}

void graft__map_reserve(graft__map *m, size_t count)
{
    size_t capacity = 16, bytes;
    while (capacity / 2 < count && capacity <= SIZE_MAX / 4)
        capacity *= 2;
    if (m->capacity >= capacity || m->count || !graft__mul_size(capacity, sizeof *m->slots, &bytes))
        return;
    void *slots = graft__alloc_zero(m->ctx, bytes);
    if (!slots)
        return;
    graft__map_free(m);
    m->slots = slots;
    m->capacity = capacity;
}

bool graft__map_set(graft__map *m, const void *key, void *value)
{
    if (2 * (m->count + 1) > m->capacity && !grow(m))
        return false;
    size_t i = find(m, key);
    if (!m->slots[i].key) {
        m->slots[i].key = key;
        m->count++;
    }
    m->slots[i].value = value;
    return true;
}

void graft__map_remove(graft__map *m, const void *key)
{
    if (!m->capacity)
        return;
    size_t gap = find(m, key);
    if (!m->slots[gap].key)
        return;
    m->count--;
    /* Move back what was pushed behind its home by the one that goes, so that no search stops
     * short. */
    size_t mask = m->capacity - 1;
    for (size_t i = (gap + 1) & mask; m->slots[i].key; i = (i + 1) & mask) {
        size_t wanted = home(m, m->slots[i].key);
        if (((i - wanted) & mask) >= ((i - gap) & mask)) {
            m->slots[gap] = m->slots[i];
            gap = i;
        }
    }
    m->slots[gap].key = NULL;
    m->slots[gap].value = NULL;
}
