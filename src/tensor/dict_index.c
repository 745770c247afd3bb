/* Finding keys. Small dicts are searched from the front; for large ones there is a hash table,
 * which is made when it is first wanted: dicts that are only walked through never pay for it.
 * Nothing depends on it, so that a lack of memory only makes finding slower. */
#include <string.h>

#include "base/ctx.h"
#include "tensor/dict.h"

enum { LINEAR_MAX = 16, CAPACITY_MIN = 64 };

graft__key graft__string_key(const char *text)
{
    return (graft__key){.text = text, .length = strlen(text)};
}

graft__key graft__int_key(int64_t number)
{
    return (graft__key){.is_int = true, .number = number};
}

static graft__key key_of(const graft__entry *e)
{
    return e->int_key ? graft__int_key(e->key) : graft__string_key(e->name);
}

static bool is_key(const graft__entry *e, const graft__key *key)
{
    if (e->int_key != key->is_int)
        return false;
    if (key->is_int)
        return e->key == key->number;
    return strncmp(e->name, key->text, key->length) == 0 && e->name[key->length] == 0;
}

static size_t hash(const graft__key *key)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    if (key->is_int)
        h ^= (uint64_t)key->number * UINT64_C(0x9e3779b97f4a7c15);
    for (size_t i = 0; i < key->length; i++)
        h = (h ^ (unsigned char)key->text[i]) * UINT64_C(0x100000001b3);
    return (size_t)(h ^ h >> 32);
}

/* The slot that holds the key, or the free one where it would go. There always is a free one. */
static size_t find_slot(const graft_dict *d, const graft__key *key)
{
    size_t slot = hash(key) & (d->index_capacity - 1);
    while (d->index[slot] && !is_key(&d->entry[d->index[slot] - 1], key))
        slot = (slot + 1) & (d->index_capacity - 1);
    return slot;
}

void graft__index_drop(graft_dict *d)
{
    graft__free(d->object.ctx, d->index, d->index_capacity * sizeof *d->index);
    d->index = NULL;
    d->index_capacity = 0;
}

static void make_index(graft_dict *d)
{
    size_t capacity = CAPACITY_MIN;
    while (capacity < 4 * d->count) /* at most half full when the dict has doubled */
        capacity *= 2;
    d->index = graft__alloc_zero(d->object.ctx, capacity * sizeof *d->index);
    if (!d->index)
        return;
    d->index_capacity = capacity;
    for (size_t i = 0; i < d->count; i++)
        graft__index_insert(d, i);
}

int64_t graft__dict_find_key(const graft_dict *d, const graft__key *key)
{
    if (!d->index && d->count > LINEAR_MAX)
        make_index((graft_dict *)(uintptr_t)d); /* which is no change that a caller could see */
    if (d->index)
        return (int64_t)d->index[find_slot(d, key)] - 1;
    for (size_t i = 0; i < d->count; i++)
        if (is_key(&d->entry[i], key))
            return (int64_t)i;
    return -1;
}

void graft__index_insert(graft_dict *d, size_t i)
{
    if (!d->index)
        return;
    const graft__key key = key_of(&d->entry[i]);
    d->index[find_slot(d, &key)] = (uint32_t)i + 1;
}

void graft__index_append(graft_dict *d, size_t i)
{
    if (2 * d->count > d->index_capacity)
        graft__index_drop(d);
    else
        graft__index_insert(d, i);
}

void graft__index_remove(graft_dict *d, size_t i)
{
    if (!d->index)
        return;
    const graft__key key = key_of(&d->entry[i]);
    const size_t mask = d->index_capacity - 1;
    size_t gap = find_slot(d, &key);
    /* What was pushed behind its home by the one that goes moves back, so that no search stops
     * short. */
    for (size_t slot = (gap + 1) & mask; d->index[slot]; slot = (slot + 1) & mask) {
        const graft__key other = key_of(&d->entry[d->index[slot] - 1]);
        const size_t home = hash(&other) & mask;
        if (((slot - home) & mask) >= ((slot - gap) & mask)) {
            d->index[gap] = d->index[slot];
            gap = slot;
        }
    }
    d->index[gap] = 0;
}
