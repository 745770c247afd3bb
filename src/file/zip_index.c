/* Members by name: slots of a hash and a member's number plus 1, searched one after the other. */
#include <string.h>

#include "base/ctx.h"
#include "file/zip_parts.h"

enum {
    CAPACITY_MIN = 8,
    /* Names that share a hash stand in a row. Rows of honest names are far shorter in a table that
     * is at most half full; without an end, a file of such names would take hours. */
    ROW_MAX = 512
};

static uint32_t hash(const char *name, size_t length)
{
    const uint64_t k = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t h = length * k, word;
    for (; length >= sizeof word; length -= sizeof word, name += sizeof word) {
        memcpy(&word, name, sizeof word);
        h = (h ^ word) * k;
        h ^= h >> 29;
    }
    word = 0;
    memcpy(&word, name, length);
    h = (h ^ word) * k;
    h ^= h >> 32;
    return (uint32_t)(h * k >> 32);
}

/* The slot of the name, or the free one where it would go; NULL at the end of a row. */
static uint32_t *find_slot(const graft__zip *zip, const char *name, size_t length, uint32_t h)
{
    for (size_t i = 0; i < ROW_MAX; i++) {
        uint32_t *slot = zip->index + 2 * ((h + i) & (zip->index_capacity - 1));
        if (slot[1] == 0)
            return slot;
        if (slot[0] != h)
            continue;
        const graft__zip_member *m = &zip->member[slot[1] - 1];
        if (m->name_length == length && memcmp(m->name, name, length) == 0)
            return slot;
    }
    return NULL;
}

graft_status graft__zip_index_new(graft__reading *r, graft__zip *zip, size_t members)
{
    if (members >= UINT32_MAX / 4)
        return graft__fault(r, GRAFT_FAULT_LIMIT, -1, "more than 2^30 members");
    size_t capacity = CAPACITY_MIN, size = 0;
    while (capacity < 2 * members)
        capacity *= 2;
    if (!graft__mul_size(capacity, 2 * sizeof *zip->index, &size))
        return graft__fail_memory(r->g, SIZE_MAX, r->op);
    if (!graft__charge(r, size))
        return GRAFT_ERR_FORMAT;
    zip->index = graft__alloc_zero(r->g, size);
    if (!zip->index)
        return graft__fail_memory(r->g, size, r->op);
    zip->index_capacity = capacity;
    return GRAFT_OK;
}

graft__zip_added graft__zip_index_add(graft__zip *zip, size_t member)
{
    const graft__zip_member *m = &zip->member[member];
    const uint32_t h = hash(m->name, m->name_length);
    uint32_t *slot = find_slot(zip, m->name, m->name_length, h);
    if (!slot)
        return GRAFT__ZIP_CROWDED;
    if (slot[1] != 0)
        return GRAFT__ZIP_TWICE;
    slot[0] = h;
    slot[1] = (uint32_t)member + 1;
    return GRAFT__ZIP_ADDED;
}

const graft__zip_member *graft__zip_find(const graft__zip *zip, const char *name, size_t length)
{
    if (!zip->index)
        return NULL;
    const uint32_t *slot = find_slot(zip, name, length, hash(name, length));
    return slot && slot[1] ? &zip->member[slot[1] - 1] : NULL;
}
