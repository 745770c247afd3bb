/* The members of an archive without its directory. */
#include <string.h>

#include "base/ctx.h"
#include "base/vector.h"
#include "file/crc.h"
#include "file/inflate.h"
#include "file/zip_parts.h"

typedef graft__zip_member member;

typedef struct scan {
    graft__reading *r;
    const graft__source *s;
    graft__zip *whole, *lost;
    uint64_t
        work; /* bytes that may still be checksummed: headers may be made to share their data */
} scan;

/* ---- What stands at a place ---- */

static uint64_t room(const scan *c, uint64_t at)
{
    return c->s->size - at;
}

static uint32_t sign_at(const scan *c, uint64_t at)
{
    return room(c, at) >= 4 ? graft__le32(c->s->bytes + at) : 0;
}

/* The signature of four bytes comes by chance in tensors of gigabytes, so that the rest of a record
 * must make sense as well. */
static bool makes_sense(uint16_t flags, uint16_t method, const unsigned char *name, size_t length)
{
    return !(flags & (GRAFT__ZIP_FLAG_ENCRYPTED | GRAFT__ZIP_FLAG_PATCH)) &&
           (method == GRAFT__ZIP_STORED || method == GRAFT__ZIP_DEFLATED) &&
           !graft__zip_name_fault((const char *)name, length);
}

/* Whether extra fields fill their space: one that is wrong about its length may reach from a header
 * to just where the next member's data begins. */
static bool is_extra(const unsigned char *extra, size_t size)
{
    while (size >= GRAFT__ZIP_EXTRA) {
        const size_t part = GRAFT__ZIP_EXTRA + (size_t)graft__le16(extra + 2);
        if (part > size)
            return false;
        extra += part;
        size -= part;
    }
    return true; /* up to three bytes that align something */
}

static bool is_central(const scan *c, uint64_t at)
{
    if (sign_at(c, at) != GRAFT__ZIP_SIGN_CENTRAL || room(c, at) < GRAFT__ZIP_CENTRAL)
        return false;
    const unsigned char *p = c->s->bytes + at;
    const size_t name = graft__le16(p + 28);
    return name <= room(c, at) - GRAFT__ZIP_CENTRAL &&
           makes_sense(graft__le16(p + 8), graft__le16(p + 10), p + GRAFT__ZIP_CENTRAL, name);
}

/* Sizes from the ZIP64 field, if that is where they are. */
static bool widen(member *m, const unsigned char *extra, size_t extra_size)
{
    if (m->stored != GRAFT__ZIP_MAX32 && m->size != GRAFT__ZIP_MAX32)
        return true;
    size_t size = 0;
    const unsigned char *p = graft__zip_extra(extra, extra_size, GRAFT__ZIP_KIND_64, &size);
    if (!p || size < 16)
        return false;
    m->size = graft__le64(p);
    m->stored = graft__le64(p + 8);
    return true;
}

/* A member's header; *known is whether it says the sizes and the checksum. */
static bool read_local(const scan *c, uint64_t at, member *m, bool *known)
{
    if (sign_at(c, at) != GRAFT__ZIP_SIGN_LOCAL || room(c, at) < GRAFT__ZIP_LOCAL)
        return false;
    const unsigned char *p = c->s->bytes + at;
    const uint16_t flags = graft__le16(p + 6), method = graft__le16(p + 8);
    const size_t name = graft__le16(p + 26), extra = graft__le16(p + 28);
    if (name + extra > room(c, at) - GRAFT__ZIP_LOCAL ||
        !makes_sense(flags, method, p + GRAFT__ZIP_LOCAL, name) ||
        !is_extra(p + GRAFT__ZIP_LOCAL + name, extra))
        return false;
    *m = (member){
        .name = (const char *)p + GRAFT__ZIP_LOCAL,
        .name_length = (uint32_t)name,
        .crc = graft__le32(p + 14),
        .deflated = method == GRAFT__ZIP_DEFLATED,
        .header = at,
        .offset = at + GRAFT__ZIP_LOCAL + name + extra,
        .stored = graft__le32(p + 18),
        .size = graft__le32(p + 22),
    };
    if (!widen(m, p + GRAFT__ZIP_LOCAL + name, extra))
        return false;
    *known = !(flags & GRAFT__ZIP_FLAG_DESCRIPTOR) || m->crc != 0;
    if (!*known)
        m->crc = 0, m->stored = 0, m->size = 0;
    return m->deflated || m->stored == m->size;
}

static bool is_header(const scan *c, uint64_t at)
{
    member m;
    bool known = false;
    return is_central(c, at) || read_local(c, at, &m, &known);
}

/* The next place from `at` where a record of any kind may begin; the end of the file if there is
 * none. */
static uint64_t next_sign(const scan *c, uint64_t at)
{
    while (room(c, at) > 0) {
        const unsigned char *p = memchr(c->s->bytes + at, 'P', (size_t)room(c, at));
        if (!p)
            break;
        at = (uint64_t)(p - c->s->bytes);
        if (room(c, at) > 1 && p[1] == 'K')
            return at;
        at++;
    }
    return c->s->size;
}

/* ---- Whether a member is whole ---- */

/* GRAFT_OK with *whole, or GRAFT_ERR_MEMORY. */
static graft_status inflates(scan *c, const member *m, bool *whole)
{
    if (m->size > c->r->memory_left || !graft__may_inflate(m->stored, m->size))
        return GRAFT_OK;
    const size_t size = (size_t)m->size;
    void *block = graft__alloc(c->r->g, size);
    if (!block)
        return graft__fail_memory(c->r->g, size, c->r->op);
    const graft__inflated result =
        graft__inflate(c->s->bytes + m->offset, (size_t)m->stored, block, size);
    *whole = result == GRAFT__INFLATED && graft__crc32(0, block, size) == m->crc;
    graft__free(c->r->g, block, size);
    return result == GRAFT__INFLATE_MEMORY ? graft__fail_memory(c->r->g, size, c->r->op) : GRAFT_OK;
}

static graft_status check(scan *c, const member *m, bool *whole)
{
    *whole = false;
    if (m->stored > room(c, m->offset) || m->stored > c->work)
        return GRAFT_OK;
    c->work -= m->stored;
    if (m->deflated)
        return inflates(c, m, whole);
    *whole = graft__crc32(0, c->s->bytes + m->offset, (size_t)m->stored) == m->crc;
    return GRAFT_OK;
}

/* Whether a descriptor at `at` says that the member ends there; fills in what it says. wide: one of
 * 64-bit sizes. */
static bool descriptor_fits(const scan *c, uint64_t at, bool wide, member *m)
{
    const unsigned char *p = c->s->bytes + at;
    if (sign_at(c, at) != GRAFT__ZIP_SIGN_DESCRIPTOR ||
        room(c, at) < (wide ? GRAFT__ZIP_DESCRIPTOR64 : GRAFT__ZIP_DESCRIPTOR))
        return false;
    const uint64_t stored = wide ? graft__le64(p + 8) : graft__le32(p + 8);
    const uint64_t size = wide ? graft__le64(p + 16) : graft__le32(p + 12);
    if (stored != at - m->offset || (!m->deflated && size != stored))
        return false;
    m->crc = graft__le32(p + 4);
    m->stored = stored;
    m->size = size;
    return true;
}

/* Looks for the end of a member of unknown size: a descriptor of that size, or what follows a
 * member whose descriptor is damaged. *next is where to go on: where the end was not found the
 * header may be wrong about its own length, and others follow it sooner. */
static graft_status find_end(scan *c, member *m, bool *whole, uint64_t *next)
{
    graft_status st = GRAFT_OK;
    *whole = false;
    *next = m->header + GRAFT__ZIP_LOCAL;
    for (uint64_t from = m->offset, at; st == GRAFT_OK; from = at + 1) {
        at = next_sign(c, from);
        if (at == c->s->size || is_header(c, at) || at - from >= c->work)
            break;
        c->work -= at - from;
        bool fits = false;
        for (int wide = 0; wide < 2 && !*whole && st == GRAFT_OK; wide++)
            if (descriptor_fits(c, at, wide, m)) {
                fits = true;
                st = check(c, m, whole);
            }
        if (fits) {
            *next = at;
            break;
        }
    }
    return st;
}

/* A member that is said to be empty. It has no checksum to tell it from one whose header lost the
 * flag that its size comes later: then a descriptor is found. */
static graft_status check_empty(scan *c, member *m, bool *whole, uint64_t *next)
{
    member longer = *m;
    const graft_status st = find_end(c, &longer, whole, next);
    if (*whole || longer.stored > 0) {
        *m = longer;
        return st;
    }
    *whole = !m->deflated && m->crc == 0;
    return st;
}

/* A member whose header says how long it is. If its bytes are not whole it may be that the size is
 * what was damaged: then the next header may lie among them. */
static graft_status check_known(scan *c, member *m, bool *whole, uint64_t *next)
{
    if (m->stored == 0)
        return check_empty(c, m, whole, next);
    *next = m->header + GRAFT__ZIP_LOCAL;
    const graft_status st = check(c, m, whole);
    if (st != GRAFT_OK || m->stored > room(c, m->offset))
        return st;
    const uint64_t end = m->offset + m->stored;
    if (*whole || is_header(c, end) || sign_at(c, end) == GRAFT__ZIP_SIGN_DESCRIPTOR)
        *next = end;
    return GRAFT_OK;
}

/* ---- The walk ---- */

static graft_status add(scan *c, graft__zip *to, const member *m)
{
    if (!to)
        return GRAFT_OK;
    if (!graft__charge(c->r, sizeof *m))
        return GRAFT_ERR_FORMAT;
    if (!graft__vector_reserve(c->r->g, (void **)&to->member, to->count, &to->capacity, sizeof *m))
        return graft__fail_memory(c->r->g, sizeof *m, c->r->op);
    to->member[to->count++] = *m;
    return GRAFT_OK;
}

static graft_status walk(scan *c)
{
    for (uint64_t at = next_sign(c, 0); at < c->s->size;) {
        member m;
        bool known = false, whole = false;
        uint64_t next = at + 1;
        graft_status st = GRAFT_OK;
        if (is_central(c, at))
            return GRAFT_OK;
        if (read_local(c, at, &m, &known)) {
            st = known ? check_known(c, &m, &whole, &next) : find_end(c, &m, &whole, &next);
            if (st == GRAFT_OK)
                st = add(c, whole ? c->whole : c->lost, &m);
        }
        if (st != GRAFT_OK)
            return st;
        next = next_sign(c, next);
        if (!graft__advance(c->r, next - at))
            return GRAFT_ERR_CANCELLED;
        at = next;
    }
    return GRAFT_OK;
}

/* Names the members found, the first of each name. */
static graft_status name_all(scan *c)
{
    graft__zip *z = c->whole;
    graft_status st = graft__zip_index_new(c->r, z, z->count);
    size_t kept = 0;
    for (size_t i = 0; i < z->count && st == GRAFT_OK; i++) {
        const member m = z->member[i];
        z->member[kept] = m;
        if (graft__zip_index_add(z, kept) == GRAFT__ZIP_ADDED)
            kept++;
        else
            st = add(c, c->lost, &m);
    }
    z->count = kept;
    return st;
}

graft_status graft__zip_scan(graft__reading *r, graft__zip *whole, graft__zip *lost)
{
    *whole = (graft__zip){.g = r->g};
    if (lost)
        *lost = (graft__zip){.g = r->g};
    scan c = {.r = r, .s = r->source, .whole = whole, .lost = lost};
    c.work = c.s->size > UINT64_MAX / 4 ? UINT64_MAX : c.s->size * 4;
    graft_status st = walk(&c);
    if (st == GRAFT_OK)
        st = name_all(&c);
    if (st != GRAFT_OK) {
        graft__zip_close(whole);
        if (lost)
            graft__zip_close(lost);
    }
    return st;
}
