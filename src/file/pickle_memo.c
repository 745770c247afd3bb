/* The memo, which keeps what will be asked for and nothing else: a first look through the opcodes
 * finds out. */
#include "file/pickle_machine.h"

#include <stdio.h>
#include <string.h>

/* What this machine takes for one entry, so that a huge number costs no more than a small one. */
enum { CAPACITY_MIN = 64, SLOT_COST = 4 * sizeof(graft__pickle_slot) };

static size_t home(const graft__pickle_memo *m, uint64_t number)
{
    const uint64_t x = number * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(x >> 32) & (m->capacity - 1);
}

/* The slot of the number, or the free one where it would go. There always is a free one. */
static graft__pickle_slot *find(const graft__pickle_memo *m, uint64_t number)
{
    size_t i = home(m, number);
    while (m->slot[i].used && m->slot[i].number != number)
        i = (i + 1) & (m->capacity - 1);
    return &m->slot[i];
}

graft__pickle_slot *graft__pickle_memo_find(const graft__pickle *p, uint64_t number)
{
    if (p->memo.capacity == 0)
        return NULL;
    graft__pickle_slot *slot = find(&p->memo, number);
    return slot->used ? slot : NULL;
}

static bool grow(graft__pickle *p)
{
    graft__pickle_memo *m = &p->memo;
    graft__pickle_memo bigger = *m;
    bigger.capacity = m->capacity ? 2 * m->capacity : CAPACITY_MIN;
    const size_t bytes = bigger.capacity * sizeof *m->slot;
    bigger.slot = graft__alloc_zero(p->g, bytes);
    if (!bigger.slot)
        return graft__pickle_no_memory(p, bytes);
    for (size_t i = 0; i < m->capacity; i++)
        if (m->slot[i].used)
            *find(&bigger, m->slot[i].number) = m->slot[i];
    graft__free(p->g, m->slot, m->capacity * sizeof *m->slot);
    *m = bigger;
    return true;
}

/* The slot of a number that is kept from now on. */
static graft__pickle_slot *want(graft__pickle *p, uint64_t number)
{
    graft__pickle_memo *m = &p->memo;
    if (m->capacity > 0) {
        graft__pickle_slot *slot = find(m, number);
        if (slot->used)
            return slot;
    }
    if (!graft__pickle_charge(p, SLOT_COST) || (2 * m->count >= m->capacity && !grow(p)))
        return NULL;
    graft__pickle_slot *slot = find(m, number);
    *slot = (graft__pickle_slot){.number = number, .used = true};
    m->count++;
    return slot;
}

/* ---- The first look ---- */

/* Whether the opcode asks for an entry, and which. */
static bool is_get(unsigned char op, const graft__pickle_argument *a, uint64_t *number)
{
    if (op == 'h' || op == 'j') {
        *number = a->number;
        return true;
    }
    return op == 'g' && graft__pickle_decimal(a->text, a->length, number);
}

/* What the first look needs to know of an opcode: how many bytes it is with what stands behind it,
 * and whether it puts into the memo; or that it has to be looked at. */
enum { STEP = 15, PUTS = 1 << 4, MEMOIZES = 1 << 5, LOOK = 1 << 6 };

static unsigned char glance_of(unsigned char op)
{
    static const unsigned char steps[] = {[GRAFT__PICKLE_NOTHING] = 1,
                                          [GRAFT__PICKLE_U8] = 2,
                                          [GRAFT__PICKLE_U16] = 3,
                                          [GRAFT__PICKLE_U32] = 5,
                                          [GRAFT__PICKLE_U64] = 9};
    const graft__pickle_opcode *o = &graft__pickle_opcodes[op];
    if (op == '.' || op == 'p' || op == 'g' || op == 'h' || op == 'j' || !o->name ||
        o->shape >= sizeof steps)
        return LOOK;
    const bool puts = op == 'q' || op == 'r';
    return (unsigned char)(steps[o->shape] | (puts ? PUTS : 0) | (op == 0x94 ? MEMOIZES : 0));
}

bool graft__pickle_memo_open(graft__pickle *p)
{
    unsigned char glance[256], seen = 0;
    size_t at = p->start;
    for (int op = 0; op < 256; op++)
        glance[op] = glance_of((unsigned char)op);
    while (at < p->size) {
        const unsigned char op = p->bytes[at], what = glance[op];
        seen |= what;
        if (!(what & LOOK)) {
            at += what & STEP;
            continue;
        }
        const graft__pickle_opcode *o = &graft__pickle_opcodes[op];
        graft__pickle_argument a;
        uint64_t number;
        at++;
        /* What is wrong here ends the reading proper at the same place. */
        if (op == '.' || !o->name ||
            !graft__pickle_argument_read(p->bytes, p->size, &at, o->shape, &a))
            break;
        if (op == 'p')
            seen |= PUTS;
        if (is_get(op, &a, &number) && !want(p, number))
            return false;
    }
    p->memo.mixed = (seen & PUTS) && (seen & MEMOIZES);
    return true;
}

void graft__pickle_memo_close(graft__pickle *p)
{
    graft__pickle_memo *m = &p->memo;
    for (size_t i = 0; i < m->capacity; i++)
        if (m->slot[i].used)
            graft__pickle_drop(p, &m->slot[i].value);
    graft__free(p->g, m->slot, m->capacity * sizeof *m->slot);
    *m = (graft__pickle_memo){.slot = NULL};
}

/* ---- Opcodes ---- */

static bool put(graft__pickle *p, uint64_t number)
{
    graft__pickle_memo *m = &p->memo;
    if (!graft__pickle_need(p, 1))
        return false;
    graft__pickle_slot *slot = m->mixed ? want(p, number) : graft__pickle_memo_find(p, number);
    if (!slot) {
        m->puts++;
        return !m->mixed;
    }
    const graft__value *top = graft__pickle_top(p);
    if (graft__is_nested(top->kind)) {
        if (!graft__pickle_share(p, top->dict))
            return false;
        if (graft__is_numpy_array(top->dict)) {
            if (!graft__pickle_reserve(p, (void **)&p->array, p->arrays, &p->array_capacity,
                                       sizeof *p->array))
                return false;
            p->array[p->arrays++] = (graft__pickle_array){.record = top->dict, .number = number};
        }
    }
    m->puts += !slot->filled;
    graft__pickle_drop(p, &slot->value);
    slot->value = graft__pickle_again(top);
    slot->filled = true;
    return true;
}

bool graft__pickle_op_put(graft__pickle *p, const graft__pickle_argument *a)
{
    return put(p, a->number);
}

bool graft__pickle_op_memoize(graft__pickle *p, const graft__pickle_argument *a)
{
    (void)a;
    return put(p, p->memo.puts);
}

static bool get(graft__pickle *p, uint64_t number)
{
    const graft__pickle_slot *slot = graft__pickle_memo_find(p, number);
    if (!slot || !slot->filled)
        return graft__pickle_fail(p, GRAFT_FAULT_PICKLE_MEMO,
                                  "wants memo entry %llu, which was never put",
                                  (unsigned long long)number);
    return graft__pickle_push(p, graft__pickle_again(&slot->value));
}

bool graft__pickle_op_get(graft__pickle *p, const graft__pickle_argument *a)
{
    return get(p, a->number);
}

static bool line_number(graft__pickle *p, const graft__pickle_argument *a, uint64_t *number)
{
    return graft__pickle_decimal(a->text, a->length, number) ||
           graft__pickle_fail(p, GRAFT_FAULT_PICKLE_VALUE,
                              "has a memo entry that is no number of digits alone");
}

bool graft__pickle_op_put_line(graft__pickle *p, const graft__pickle_argument *a)
{
    uint64_t number;
    return line_number(p, a, &number) && put(p, number);
}

bool graft__pickle_op_get_line(graft__pickle *p, const graft__pickle_argument *a)
{
    uint64_t number;
    return line_number(p, a, &number) && get(p, number);
}
