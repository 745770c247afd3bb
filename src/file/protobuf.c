#include "file/protobuf.h"

enum { LARGEST_FIELD = (1 << 29) - 1 };

static bool fail(graft__pb *m, const unsigned char *where, bool cut, const char *error)
{
    m->at = where;
    m->cut = cut;
    m->error = error;
    return false;
}

static bool take_varint(graft__pb *m, uint64_t *out)
{
    const unsigned char *where = m->at;
    uint64_t n = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (m->at == m->end)
            return fail(m, where, true, "a number without an end");
        unsigned char c = *m->at++;
        if (shift == 63 && c > 1)
            break;
        n |= (uint64_t)(c & 0x7F) << shift;
        if (!(c & 0x80)) {
            *out = n;
            return true;
        }
    }
    return fail(m, where, false, "a number of more than 64 bits");
}

static bool take_fixed(graft__pb *m, unsigned width, uint64_t *out)
{
    if ((uint64_t)(m->end - m->at) < width)
        return fail(m, m->at, true, "a number that is cut off");
    *out = 0;
    for (unsigned i = 0; i < width; i++)
        *out |= (uint64_t)m->at[i] << 8 * i;
    m->at += width;
    return true;
}

static bool take_bytes(graft__pb *m, graft__pb_field *f)
{
    if (!take_varint(m, &f->size))
        return false;
    if (f->size > (uint64_t)(m->end - m->at))
        return fail(m, f->where, true, "a field that is longer than what it is in");
    f->bytes = m->at;
    m->at += f->size;
    return true;
}

static bool take_value(graft__pb *m, graft__pb_wire wire, uint64_t *out)
{
    return wire == GRAFT__PB_VARINT ? take_varint(m, out)
                                    : take_fixed(m, wire == GRAFT__PB_FIXED64 ? 8 : 4, out);
}

bool graft__pb_next(graft__pb *m, graft__pb_field *f)
{
    *f = (graft__pb_field){.where = m->at, .bytes = m->at};
    uint64_t tag = 0;
    if (m->error || m->at == m->end || !take_varint(m, &tag))
        return false;
    if (tag >> 3 == 0 || tag >> 3 > LARGEST_FIELD)
        return fail(m, f->where, false, "a field with a number that no field has");
    f->number = (uint32_t)(tag >> 3);
    f->wire = (graft__pb_wire)(tag & 7);
    switch (f->wire) {
    case GRAFT__PB_VARINT:
    case GRAFT__PB_FIXED64:
    case GRAFT__PB_FIXED32:
        return take_value(m, f->wire, &f->value);
    case GRAFT__PB_BYTES:
        return take_bytes(m, f);
    }
    return fail(m, f->where, false, "a field of a wire type that is not in use");
}

bool graft__pb_packed(graft__pb *m, graft__pb_wire wire, uint64_t *out)
{
    return !m->error && m->at != m->end && take_value(m, wire, out);
}
