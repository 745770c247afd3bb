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

/* A string or an integer as a value that owns nothing. */
static graft__value value_of(const graft__key *key)
{
    if (key->is_int)
        return graft__int_value(key->number);
    return (graft__value){
        .kind = GRAFT_VALUE_STRING,
        .text = {.data = (char *)(uintptr_t)key->text, .length = key->length},
    };
}

static bool same_text(const graft__value *a, const graft__value *b)
{
    return a->text.length == b->text.length &&
           memcmp(a->text.data, b->text.data, a->text.length) == 0;
}

static bool same_scalar(const graft__value *a, const graft__value *b)
{
    switch (a->kind) {
    case GRAFT_VALUE_NONE:
        return true;
    case GRAFT_VALUE_BOOL:
        return a->boolean == b->boolean;
    case GRAFT_VALUE_INT:
        return a->integer == b->integer;
    case GRAFT_VALUE_FLOAT:
        return a->real == b->real; /* NaN is a new key each time, as in Python */
    case GRAFT_VALUE_COMPLEX:
        return a->parts[0] == b->parts[0] && a->parts[1] == b->parts[1];
    case GRAFT_VALUE_TENSOR:
        return a->tensor == b->tensor;
    default:
        return same_text(a, b);
    }
}

/* Tuples of tuples are compared to this depth, which keys of checkpoints never have. */
enum { TUPLE_DEPTH = 8 };

static bool same_key(const graft__value *a, const graft__value *b, int depth)
{
    if (a->kind != b->kind)
        return false;
    if (!graft__is_nested(a->kind))
        return same_scalar(a, b);
    if (a->dict == b->dict)
        return true;
    if (a->kind != GRAFT_VALUE_TUPLE || depth == 0 || a->dict->count != b->dict->count)
        return false;
    for (size_t i = 0; i < a->dict->count; i++)
        if (!same_key(&a->dict->entry[i].value, &b->dict->entry[i].value, depth - 1))
            return false;
    return true;
}

/* The halves of the product, folded. Without knowing the secret nobody finds keys that share a
 * hash, or puts keys into a file that stand in one row of the table. */
static uint64_t mix(uint64_t secret, uint64_t h)
{
    __extension__ typedef unsigned __int128 wide;
    const wide product = (wide)(h ^ UINT64_C(0x9e3779b97f4a7c15)) * secret;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_bytes(uint64_t secret, const char *bytes, size_t length)
{
    uint64_t h = mix(secret, length), word;
    for (; length >= sizeof word; bytes += sizeof word, length -= sizeof word) {
        memcpy(&word, bytes, sizeof word);
        h = mix(secret, h ^ word);
    }
    word = 0;
    memcpy(&word, bytes, length);
    return mix(secret, h ^ word);
}

/* NaN equals nothing, itself included: such a key is never found, and would only be in the way of
 * others like it, which a file may be full of. */
static bool is_nan(const graft__value *v)
{
    if (v->kind == GRAFT_VALUE_COMPLEX)
        return v->parts[0] != v->parts[0] || v->parts[1] != v->parts[1];
    return v->kind == GRAFT_VALUE_FLOAT && v->real != v->real;
}

static uint64_t hash_real(uint64_t secret, double x)
{
    uint64_t bits;
    x += 0.0; /* -0 is 0 */
    memcpy(&bits, &x, sizeof bits);
    return mix(secret, bits);
}

static uint64_t hash_to(uint64_t secret, const graft__value *key, int depth);

/* By what is in it, as far as same_key looks. With a NaN in it a tuple equals itself alone. */
static uint64_t hash_tuple(uint64_t secret, const graft_dict *tuple, int depth)
{
    uint64_t h = tuple->count;
    for (size_t i = 0; i < tuple->count; i++) {
        const graft__value *v = &tuple->entry[i].value;
        if (is_nan(v))
            return mix(secret, (uintptr_t)tuple);
        h = mix(secret, h + hash_to(secret, v, depth - 1));
    }
    return h;
}

static uint64_t hash_to(uint64_t secret, const graft__value *key, int depth)
{
    const uint64_t h = (uint64_t)key->kind + 1;
    switch (key->kind) {
    case GRAFT_VALUE_STRING:
    case GRAFT_VALUE_BYTES:
    case GRAFT_VALUE_BIG_INT:
        return hash_bytes(secret, key->text.data, key->text.length);
    case GRAFT_VALUE_NONE:
        return h;
    case GRAFT_VALUE_BOOL:
        return mix(secret, h + key->boolean);
    case GRAFT_VALUE_INT:
        return mix(secret, h + (uint64_t)key->integer);
    case GRAFT_VALUE_FLOAT:
        return mix(secret, h + hash_real(secret, key->real));
    case GRAFT_VALUE_COMPLEX:
        return mix(secret,
                   h + hash_real(secret, key->parts[0]) + 3 * hash_real(secret, key->parts[1]));
    case GRAFT_VALUE_TENSOR:
        return mix(secret, h + (uintptr_t)key->tensor);
    case GRAFT_VALUE_TUPLE:
        return depth > 0 ? mix(secret, h + hash_tuple(secret, key->dict, depth)) : mix(secret, h);
    default:
        return mix(secret, h + (uintptr_t)key->dict);
    }
}

static uint32_t hash(const graft_dict *d, const graft__value *key)
{
    return (uint32_t)(hash_to(d->object.ctx->secret, key, TUPLE_DEPTH) >> 32);
}

/* A slot is a hash whose low bits, which say where the slot is, are replaced by the entry's
 * position plus 1: that is less than the capacity. */
static uint32_t low_bits(const graft_dict *d)
{
    return (uint32_t)d->index_capacity - 1;
}

/* The slot that holds the key, or the free one where it would go. There always is a free one. */
static uint32_t *find_slot(const graft_dict *d, const graft__value *key, uint32_t h)
{
    const uint32_t low = low_bits(d);
    for (uint32_t i = h;; i++) {
        uint32_t *slot = d->index + (i & low);
        if (*slot == 0)
            return slot;
        if (((*slot ^ h) & ~low) == 0 &&
            same_key(&d->entry[(*slot & low) - 1].key, key, TUPLE_DEPTH))
            return slot;
    }
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
    if (capacity > (size_t)1 << 31)
        return;
    d->index = graft__alloc_zero(d->object.ctx, capacity * sizeof *d->index);
    if (!d->index)
        return;
    d->index_capacity = capacity;
    for (size_t i = 0; i < d->count; i++)
        graft__index_insert(d, i);
}

/* Lists, tuples and sets have the keys 0..n-1 and no index. */
static int64_t find_in_list(const graft_dict *d, const graft__value *key)
{
    return key->kind == GRAFT_VALUE_INT && key->integer >= 0 && key->integer < (int64_t)d->count
               ? key->integer
               : -1;
}

int64_t graft__dict_find_key(const graft_dict *d, const graft__key *key)
{
    const graft__value value = value_of(key);
    return graft__dict_find_value(d, &value);
}

int64_t graft__dict_find_value(const graft_dict *d, const graft__value *key)
{
    if (graft__is_list(d))
        return find_in_list(d, key);
    if (is_nan(key))
        return -1;
    if (!d->index && d->count > LINEAR_MAX)
        make_index((graft_dict *)(uintptr_t)d); /* which is no change that a caller could see */
    if (d->index)
        return (int64_t)(*find_slot(d, key, hash(d, key)) & low_bits(d)) - 1;
    for (size_t i = 0; i < d->count; i++)
        if (same_key(&d->entry[i].key, key, TUPLE_DEPTH))
            return (int64_t)i;
    return -1;
}

void graft__index_insert(graft_dict *d, size_t i)
{
    const graft__value *key = &d->entry[i].key;
    if (!d->index || is_nan(key))
        return;
    const uint32_t h = hash(d, key);
    *find_slot(d, key, h) = (h & ~low_bits(d)) | ((uint32_t)i + 1);
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
    if (!d->index || is_nan(&d->entry[i].key))
        return;
    const uint32_t low = low_bits(d);
    const graft__value *key = &d->entry[i].key;
    uint32_t gap = (uint32_t)(find_slot(d, key, hash(d, key)) - d->index);
    /* What was pushed behind its home by the one that goes moves back, so that no search stops
     * short. */
    for (uint32_t slot = (gap + 1) & low; d->index[slot]; slot = (slot + 1) & low) {
        const uint32_t home = hash(d, &d->entry[(d->index[slot] & low) - 1].key);
        if (((slot - home) & low) >= ((slot - gap) & low)) {
            d->index[gap] = d->index[slot];
            gap = slot;
        }
    }
    d->index[gap] = 0;
}
