/* Members by name: a table at most half full, searched from where a name's hash says. */
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

/* A slot is a hash whose low bits, which say where the slot is, are replaced by the member's number
 * plus 1: that is less than the capacity. */
static uint32_t low_bits(const graft__zip *zip)
{
    return (uint32_t)zip->index_capacity - 1;
}

/* The slot of the name, or the free one where it would go; NULL at the end of a row. */
static uint32_t *find_slot(const graft__zip *zip, const char *name, size_t length, uint32_t h)
{
    const uint32_t low = low_bits(zip);
    for (uint32_t i = 0; i < ROW_MAX; i++) {
        uint32_t *slot = zip->index + ((h + i) & low);
        if (*slot == 0)
            return slot;
        if (((*slot ^ h) & ~low) != 0)
            continue;
        const graft__zip_member *m = &zip->member[(*slot & low) - 1];
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
    if (!graft__mul_size(capacity, sizeof *zip->index, &size))
        return graft__fail_memory(r->g, SIZE_MAX, r->op);
    if (!graft__charge(r, size))
        return GRAFT_ERR_FORMAT;
    zip->index = graft__alloc_zero(r->g, size);
    if (!zip->index)
        return graft__fail_memory(r->g, size, r->op);
    zip->index_capacity = capacity;
    return GRAFT_OK;
}

static graft__zip_added add(graft__zip *zip, size_t member, uint32_t h)
{
    const graft__zip_member *m = &zip->member[member];
    uint32_t *slot = find_slot(zip, m->name, m->name_length, h);
    if (!slot)
        return GRAFT__ZIP_CROWDED;
    if (*slot != 0)
        return GRAFT__ZIP_TWICE;
    *slot = (h & ~low_bits(zip)) | ((uint32_t)member + 1);
    return GRAFT__ZIP_ADDED;
}

static uint32_t hash_of(const graft__zip *zip, size_t member)
{
    return hash(zip->member[member].name, zip->member[member].name_length);
}

graft__zip_added graft__zip_index_add(graft__zip *zip, size_t member)
{
    return add(zip, member, hash_of(zip, member));
}

/* No two names in a row are near each other in the table: slots are fetched ahead. */
graft__zip_added graft__zip_index_add_all(graft__zip *zip, size_t *which)
{
    enum { AHEAD = 16 };
    uint32_t hashes[AHEAD];
    for (size_t i = 0; i < zip->count + AHEAD; i++) {
        if (i >= AHEAD) {
            *which = i - AHEAD;
            const graft__zip_added added = add(zip, *which, hashes[i % AHEAD]);
            if (added != GRAFT__ZIP_ADDED)
                return added;
        }
        if (i < zip->count) {
            hashes[i % AHEAD] = hash_of(zip, i);
            __builtin_prefetch(zip->index + (hashes[i % AHEAD] & low_bits(zip)), 1);
        }
    }
    return GRAFT__ZIP_ADDED;
}

const graft__zip_member *graft__zip_find(const graft__zip *zip, const char *name, size_t length)
{
    if (!zip->index)
        return NULL;
    const uint32_t *slot = find_slot(zip, name, length, hash(name, length));
    return slot && *slot ? &zip->member[(*slot & low_bits(zip)) - 1] : NULL;
}
