#include "file/pickle_write.h"

#include <string.h>

#include "base/alloc.h"
#include "base/ctx.h"
#include "file/json.h"

/* ---- Bytes ---- */

static void flush(graft__pickle_writer *p)
{
    if (p->status == GRAFT_OK && p->sink && p->filled > 0)
        p->status = p->sink(p->user, p->buffer, p->filled);
    p->filled = 0;
}

static void put(graft__pickle_writer *p, const void *bytes, size_t size)
{
    if (p->status != GRAFT_OK)
        return;
    p->size += size;
    if (!p->sink)
        return;
    if (size > sizeof p->buffer - p->filled)
        flush(p);
    if (size > sizeof p->buffer) {
        if (p->status == GRAFT_OK)
            p->status = p->sink(p->user, bytes, size);
        return;
    }
    memcpy(p->buffer + p->filled, bytes, size);
    p->filled += size;
}

void graft__put_op(graft__pickle_writer *p, int opcode)
{
    const unsigned char byte = (unsigned char)opcode;
    put(p, &byte, 1);
}

/* An opcode and a number of `width` bytes behind it, the low ones first. */
static void put_number(graft__pickle_writer *p, int opcode, uint64_t number, int width)
{
    unsigned char bytes[9] = {(unsigned char)opcode};
    for (int i = 0; i < width; i++)
        bytes[1 + i] = (unsigned char)(number >> 8 * i);
    put(p, bytes, 1 + (size_t)width);
}

void graft__pickle_begin(graft__pickle_writer *p, graft_ctx *g, const char *op,
                         graft__pickle_sink *sink, void *user)
{
    *p = (graft__pickle_writer){.g = g, .op = op, .sink = sink, .user = user};
    graft__map_init(&p->objects, g);
    put_number(p, 0x80, 2, 1); /* PROTO */
}

graft_status graft__pickle_end(graft__pickle_writer *p)
{
    graft__put_op(p, '.');
    flush(p);
    graft__map_free(&p->objects);
    graft__free(p->g, p->texts, p->text_capacity * sizeof *p->texts);
    p->texts = NULL;
    return p->status;
}

/* ---- The memo ---- */

static void put_get(graft__pickle_writer *p, uint32_t index)
{
    if (index < 256)
        put_number(p, 'h', index, 1); /* BINGET */
    else
        put_number(p, 'j', index, 4); /* LONG_BINGET */
}

/* Puts the top of the stack into the memo, where it is the returned index. */
static uint32_t put_put(graft__pickle_writer *p)
{
    const uint32_t index = p->memo++;
    if (p->memo == INT32_MAX)
        p->status =
            graft__fail(p->g, GRAFT_ERR_ARGUMENT, "%s: too many values for a pickle", p->op);
    else if (index < 256)
        put_number(p, 'q', index, 1); /* BINPUT */
    else
        put_number(p, 'r', index, 4); /* LONG_BINPUT */
    return index;
}

bool graft__put_again(graft__pickle_writer *p, const void *object)
{
    const uintptr_t known = (uintptr_t)graft__map_get(&p->objects, object);
    if (known)
        put_get(p, (uint32_t)(known - 1));
    return known != 0;
}

void graft__put_memo(graft__pickle_writer *p, const void *object)
{
    const uintptr_t index = put_put(p);
    if (p->status == GRAFT_OK && !graft__map_set(&p->objects, object, (void *)(index + 1)))
        p->status = GRAFT_ERR_MEMORY;
}

static size_t hash_of(const char *text, size_t length, bool global)
{
    uint64_t h = 0xcbf29ce484222325 + global;
    for (size_t i = 0; i < length; i++)
        h = (h ^ (unsigned char)text[i]) * 0x100000001b3;
    return (size_t)(h ^ h >> 29);
}

/* Where the text is or would be; there is a free slot. */
static graft__memo_text *slot_of(const graft__pickle_writer *p, const char *text, size_t length,
                                 bool global)
{
    for (size_t i = hash_of(text, length, global);; i++) {
        graft__memo_text *t = &p->texts[i & (p->text_capacity - 1)];
        if (!t->index ||
            (t->length == length && t->global == global && memcmp(t->text, text, length) == 0))
            return t;
    }
}

static bool grow(graft__pickle_writer *p, size_t capacity)
{
    graft__pickle_writer larger = *p;
    size_t bytes;
    larger.text_capacity = capacity;
    larger.texts = graft__mul_size(larger.text_capacity, sizeof *p->texts, &bytes)
                       ? graft__alloc_zero(p->g, bytes)
                       : NULL;
    if (!larger.texts) {
        p->status = graft__fail_memory(p->g, bytes, p->op);
        return false;
    }
    for (size_t i = 0; i < p->text_capacity; i++)
        if (p->texts[i].index)
            *slot_of(&larger, p->texts[i].text, p->texts[i].length, p->texts[i].global) =
                p->texts[i];
    graft__free(p->g, p->texts, p->text_capacity * sizeof *p->texts);
    p->texts = larger.texts;
    p->text_capacity = larger.text_capacity;
    return true;
}

void graft__put_reserve(graft__pickle_writer *p, size_t objects)
{
    size_t capacity = 64;
    while (capacity / 2 <= objects && capacity < (size_t)1 << 31)
        capacity *= 2;
    graft__map_reserve(&p->objects, objects);
    if (capacity > 64 && p->text_capacity == 0)
        grow(p, capacity);
}

/* Refers to the text if it was written before; else *slot is where to remember it. */
static bool put_text_again(graft__pickle_writer *p, const char *text, size_t length, bool global,
                           graft__memo_text **slot)
{
    *slot = NULL;
    if (p->status != GRAFT_OK || (2 * p->text_count >= p->text_capacity &&
                                  !grow(p, p->text_capacity ? 2 * p->text_capacity : 64)))
        return true;
    *slot = slot_of(p, text, length, global);
    if ((*slot)->index)
        put_get(p, (*slot)->index - 1);
    return (*slot)->index != 0;
}

static void remember_text(graft__pickle_writer *p, graft__memo_text *slot, const char *text,
                          size_t length, bool global)
{
    *slot = (graft__memo_text){text, (uint32_t)length, (put_put(p) + 1) & INT32_MAX, global};
    p->text_count++;
}

/* ---- Values ---- */

void graft__put_bool(graft__pickle_writer *p, bool value)
{
    graft__put_op(p, value ? 0x88 : 0x89);
}

void graft__put_int(graft__pickle_writer *p, int64_t value)
{
    if (value >= 0 && value <= 0xff) {
        put_number(p, 'K', (uint64_t)value, 1);
    } else if (value >= 0 && value <= 0xffff) {
        put_number(p, 'M', (uint64_t)value, 2);
    } else if (value >= INT32_MIN && value <= INT32_MAX) {
        put_number(p, 'J', (uint64_t)value, 4);
    } else {
        int width = 5;
        while (width < 8 &&
               (value < -((int64_t)1 << (8 * width - 1)) || value >= (int64_t)1 << (8 * width - 1)))
            width++;
        put_number(p, 0x8a, (uint64_t)width, 1); /* LONG1 */
        unsigned char bytes[8];
        for (int i = 0; i < width; i++)
            bytes[i] = (unsigned char)((uint64_t)value >> 8 * i);
        put(p, bytes, (size_t)width);
    }
}

void graft__put_float(graft__pickle_writer *p, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_number(p, 'G', __builtin_bswap64(bits), 8); /* the high bytes first */
}

/* limbs = limbs * factor + add; returns how many there are then. */
static size_t multiply_add(uint32_t *limbs, size_t count, uint32_t factor, uint32_t add)
{
    uint64_t carry = add;
    for (size_t i = 0; i < count; i++) {
        carry += (uint64_t)limbs[i] * factor;
        limbs[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry)
        limbs[count++] = (uint32_t)carry;
    return count;
}

static size_t limbs_of(const char *digits, size_t length, uint32_t *limbs)
{
    size_t count = 0;
    while (length > 0) {
        uint32_t factor = 1, part = 0;
        for (int i = 0; i < 9 && length > 0; i++, length--) {
            factor *= 10;
            part = part * 10 + (uint32_t)(*digits++ - '0');
        }
        count = multiply_add(limbs, count, factor, part);
    }
    return count;
}

/* LONG1 and LONG4 have two's complement, the low bytes first, in as few bytes as hold the sign. */
static void put_limbs(graft__pickle_writer *p, uint32_t *limbs, size_t count, bool negative)
{
    uint32_t carry = negative;
    for (size_t i = 0; i < count && negative; i++) {
        limbs[i] = ~limbs[i] + carry;
        carry = carry && limbs[i] == 0;
    }
    unsigned char *bytes = (unsigned char *)limbs;
    for (size_t i = 0; i < count; i++) {
        const uint32_t limb = limbs[i];
        for (size_t k = 0; k < 4; k++)
            bytes[4 * i + k] = (unsigned char)(limb >> 8 * k);
    }
    const unsigned char fill = negative ? 0xff : 0;
    size_t size = 4 * count;
    bytes[size++] = fill; /* there is room: see below */
    while (size > 1 && bytes[size - 1] == fill && (bytes[size - 2] & 0x80) == (fill & 0x80))
        size--;
    if (size < 256)
        put_number(p, 0x8a, size, 1);
    else
        put_number(p, 0x8b, size, 4);
    put(p, bytes, size);
}

void graft__put_big_int(graft__pickle_writer *p, const char *decimal, size_t length)
{
    const bool negative = length > 0 && decimal[0] == '-';
    decimal += negative;
    length -= negative;
    if (p->status != GRAFT_OK)
        return;
    if (length == 0 || strspn(decimal, "0123456789") != length || length > INT32_MAX) {
        p->status =
            graft__fail(p->g, GRAFT_ERR_ARGUMENT, "%s: an integer that is no number", p->op);
        return;
    }
    /* A limb for each 9 digits is more than enough; one more for the sign. */
    const size_t bytes = (length / 9 + 2) * sizeof(uint32_t);
    uint32_t *limbs = graft__alloc(p->g, bytes);
    if (!limbs) {
        p->status = graft__fail_memory(p->g, bytes, p->op);
        return;
    }
    const size_t count = limbs_of(decimal, length, limbs);
    put_limbs(p, limbs, count, negative && count > 0);
    graft__free(p->g, limbs, bytes);
}

void graft__put_text(graft__pickle_writer *p, const char *text, size_t length, bool once)
{
    graft__memo_text *slot = NULL;
    if (p->status == GRAFT_OK && length > UINT32_MAX)
        p->status =
            graft__fail(p->g, GRAFT_ERR_ARGUMENT,
                        "%s: a text of %zu bytes: a pickle holds less than 4 GiB", p->op, length);
    if (!once && put_text_again(p, text, length, false, &slot))
        return;
    put_number(p, 'X', length, 4);
    put(p, text, length);
    if (slot)
        remember_text(p, slot, text, length, false);
}

void graft__put_word(graft__pickle_writer *p, const char *text)
{
    graft__put_text(p, text, strlen(text), false);
}

void graft__put_name(graft__pickle_writer *p, const char *module, const char *name)
{
    graft__put_op(p, 'c');
    put(p, module, strlen(module));
    put(p, "\n", 1);
    put(p, name, strlen(name));
    put(p, "\n", 1);
}

void graft__put_global(graft__pickle_writer *p, const char *name, size_t module_length)
{
    graft__memo_text *slot;
    const size_t length = strlen(name);
    if (put_text_again(p, name, length, true, &slot))
        return;
    graft__put_op(p, 'c');
    put(p, name, module_length);
    put(p, "\n", 1);
    put(p, name + module_length + 1, length - module_length - 1);
    put(p, "\n", 1);
    remember_text(p, slot, name, length, true);
}

void graft__put_bytes(graft__pickle_writer *p, const void *bytes, size_t length)
{
    const unsigned char *from = bytes;
    size_t high = 0;
    for (size_t i = 0; i < length; i++)
        high += from[i] >> 7;
    graft__put_global(p, "_codecs.encode", 7);
    if (p->status == GRAFT_OK && (uint64_t)length + high > UINT32_MAX)
        p->status = graft__fail(p->g, GRAFT_ERR_ARGUMENT,
                                "%s: %zu bytes in one value: a pickle holds less than 4 GiB", p->op,
                                length);
    put_number(p, 'X', length + high, 4);
    for (size_t i = 0; i < length; i++) {
        const unsigned char two[2] = {(unsigned char)(0xc0 | from[i] >> 6),
                                      0x80 | (from[i] & 0x3f)};
        if (from[i] < 0x80)
            put(p, &from[i], 1);
        else
            put(p, two, 2);
    }
    graft__put_word(p, "latin1");
    graft__put_tuple(p, 2);
    graft__put_op(p, 'R');
}

void graft__put_complex(graft__pickle_writer *p, double real, double imaginary)
{
    graft__put_global(p, "__builtin__.complex", 11);
    graft__put_float(p, real);
    graft__put_float(p, imaginary);
    graft__put_tuple(p, 2);
    graft__put_op(p, 'R');
}

void graft__put_tuple_begin(graft__pickle_writer *p, size_t count)
{
    if (count > 3)
        graft__put_op(p, '(');
}

void graft__put_tuple(graft__pickle_writer *p, size_t count)
{
    static const unsigned char few[] = {')', 0x85, 0x86, 0x87};
    graft__put_op(p, count > 3 ? 't' : few[count]);
}

bool graft__is_pickle_text(const char *text, size_t length)
{
    size_t bad = 0;
    while (!graft__is_utf8(text, length, &bad)) {
        const unsigned char *at = (const unsigned char *)text + bad;
        const bool is_half =
            length - bad >= 3 && at[0] == 0xed && (at[1] & 0xe0) == 0xa0 && (at[2] & 0xc0) == 0x80;
        if (!is_half)
            return false;
        text += bad + 3;
        length -= bad + 3;
    }
    return true;
}
