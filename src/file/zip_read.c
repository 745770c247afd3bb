#include <stdio.h>
#include <string.h>

#include "base/ctx.h"
#include "file/crc.h"
#include "file/inflate.h"
#include "file/json.h"
#include "file/zip_parts.h"

typedef graft__zip_directory directory;
typedef graft__zip_member member;
typedef unsigned long long ull;

/* ---- Names ---- */

graft__zip_shown graft__zip_show(const char *name, size_t length)
{
    graft__zip_shown s;
    const size_t room = sizeof s.text - sizeof "...";
    const size_t n = length < room ? length : room;
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)name[i];
        s.text[i] = c < 0x20 || c >= 0x7f ? '?' : (char)c;
    }
    strcpy(s.text + n, n < length ? "..." : "");
    return s;
}

static graft__zip_shown shown(const member *m)
{
    return graft__zip_show(m->name, m->name_length);
}

/* Whether the name has a ".." between slashes or ends. */
static bool goes_up(const char *name, size_t length)
{
    for (size_t i = 0; i + 1 < length; i++) {
        const bool begins = i == 0 || name[i - 1] == '/';
        const bool ends = i + 2 == length || name[i + 2] == '/';
        if (name[i] == '.' && name[i + 1] == '.' && begins && ends)
            return true;
    }
    return false;
}

const char *graft__zip_name_fault(const char *name, size_t length)
{
    if (length == 0)
        return "an empty name";
    if (name[0] == '/')
        return "an absolute name";
    unsigned char high = 0;
    bool dots = false;
    for (size_t i = 0; i < length; i++) {
        high |= (unsigned char)name[i];
        dots |= name[i] == '.';
        if (name[i] == '\\' || name[i] == 0)
            return name[i] ? "a name with a backslash" : "a name with a zero byte";
    }
    if (dots && goes_up(name, length))
        return "a name that leaves its folder";
    size_t bad = 0;
    if (high >= 0x80 && !graft__is_utf8(name, length, &bad))
        return "a name that is not UTF-8";
    return NULL;
}

/* ---- Records of the directory ---- */

const unsigned char *graft__zip_extra(const unsigned char *extra, size_t size, uint16_t kind,
                                      size_t *part_size)
{
    while (size >= GRAFT__ZIP_EXTRA) {
        const size_t n = graft__le16(extra + 2);
        if (n > size - GRAFT__ZIP_EXTRA)
            return NULL;
        if (graft__le16(extra) == kind) {
            *part_size = n;
            return extra + GRAFT__ZIP_EXTRA;
        }
        extra += GRAFT__ZIP_EXTRA + n;
        size -= GRAFT__ZIP_EXTRA + n;
    }
    return NULL;
}

/* Takes the numbers that do not fit 32 bits out of the ZIP64 field, in which only they stand. */
static bool widen(uint64_t *const *fields, size_t count, const unsigned char *extra, size_t size)
{
    size_t left = 0;
    const unsigned char *p = graft__zip_extra(extra, size, GRAFT__ZIP_KIND_64, &left);
    for (size_t i = 0; i < count; i++) {
        if (*fields[i] != GRAFT__ZIP_MAX32)
            continue;
        if (!p || left < 8)
            return false;
        *fields[i] = graft__le64(p);
        p += 8;
        left -= 8;
    }
    return true;
}

static graft_status check_member(graft__reading *r, const directory *d, uint64_t at,
                                 const member *m, uint16_t flags, uint16_t method)
{
    const int64_t place = (int64_t)at;
    if (flags & GRAFT__ZIP_FLAG_ENCRYPTED)
        return graft__fault(r, GRAFT_FAULT_ZIP_METHOD, place, "'%s' is encrypted", shown(m).text);
    if ((method != GRAFT__ZIP_STORED && method != GRAFT__ZIP_DEFLATED) ||
        (flags & GRAFT__ZIP_FLAG_PATCH))
        return graft__fault(r, GRAFT_FAULT_ZIP_METHOD, place,
                            "'%s' is packed by method %u: expected 0 (stored) or 8 (deflated)",
                            shown(m).text, method);
    const char *bad_name = graft__zip_name_fault(m->name, m->name_length);
    if (bad_name)
        return graft__fault(r, GRAFT_FAULT_NAME, place, "'%s': %s", shown(m).text, bad_name);
    if (!m->deflated && m->stored != m->size)
        return graft__fault(r, GRAFT_FAULT_ZIP_DIRECTORY, place,
                            "'%s' is stored, but its %llu bytes take %llu", shown(m).text,
                            (ull)m->size, (ull)m->stored);
    if (m->deflated && !graft__may_inflate(m->stored, m->size))
        return graft__fault(r, GRAFT_FAULT_ZIP_INFLATE, place,
                            "'%s': %llu bytes can't inflate to %llu", shown(m).text, (ull)m->stored,
                            (ull)m->size);
    if (m->header > d->offset - d->base || d->offset - d->base - m->header < GRAFT__ZIP_LOCAL)
        return graft__fault(r, GRAFT_FAULT_OUT_OF_BOUNDS, place,
                            "'%s' begins at byte %llu, behind the end of the members",
                            shown(m).text, (ull)m->header);
    return GRAFT_OK;
}

/* Reads the record at *at, which moves on. */
static graft_status read_record(graft__reading *r, const directory *d, uint64_t *at, member *m)
{
    const uint64_t left = d->offset + d->size - *at;
    const unsigned char *p = r->source->bytes + *at;
    if (left < GRAFT__ZIP_CENTRAL || graft__le32(p) != GRAFT__ZIP_SIGN_CENTRAL)
        return graft__fault(r, GRAFT_FAULT_ZIP_DIRECTORY, (int64_t)*at,
                            "expected the record of a member");
    const uint16_t flags = graft__le16(p + 8), method = graft__le16(p + 10);
    const size_t name = graft__le16(p + 28), extra = graft__le16(p + 30);
    const size_t record = GRAFT__ZIP_CENTRAL + name + extra + graft__le16(p + 32);
    if (record > left)
        return graft__fault(r, GRAFT_FAULT_ZIP_DIRECTORY, (int64_t)*at,
                            "the record of a member reaches out of the directory");
    *m = (member){
        .name = (const char *)p + GRAFT__ZIP_CENTRAL,
        .name_length = (uint32_t)name,
        .crc = graft__le32(p + 16),
        .deflated = method == GRAFT__ZIP_DEFLATED,
        .header = graft__le32(p + 42),
        .stored = graft__le32(p + 20),
        .size = graft__le32(p + 24),
    };
    uint64_t disk = graft__le16(p + 34);
    uint64_t *const fields[] = {&m->size, &m->stored, &m->header};
    if (!widen(fields, 3, p + GRAFT__ZIP_CENTRAL + name, extra))
        return graft__fault(r, GRAFT_FAULT_ZIP_DIRECTORY, (int64_t)*at,
                            "'%s' lacks the ZIP64 field that it needs", shown(m).text);
    if (disk != 0 && disk != GRAFT__ZIP_MAX16)
        return graft__fault(r, GRAFT_FAULT_UNSUPPORTED, (int64_t)*at,
                            "a ZIP archive in several parts");
    const graft_status st = check_member(r, d, *at, m, flags, method);
    m->header += d->base;
    *at += record;
    return st;
}

static graft_status read_directory(graft__reading *r, const directory *d, graft__zip *zip)
{
    uint64_t at = d->offset;
    for (size_t i = 0; i < d->count; i++) {
        const graft_status st = read_record(r, d, &at, &zip->member[i]);
        if (st != GRAFT_OK)
            return st;
    }
    zip->count = (size_t)d->count;
    if (at != d->offset + d->size)
        return graft__fault(r, GRAFT_FAULT_ZIP_DIRECTORY, (int64_t)at,
                            "%llu bytes in the directory behind its %llu members",
                            (ull)(d->offset + d->size - at), (ull)d->count);
    return GRAFT_OK;
}

static graft_status index_members(graft__reading *r, graft__zip *zip)
{
    size_t which = 0;
    const graft__zip_added added = graft__zip_index_add_all(zip, &which);
    if (added == GRAFT__ZIP_ADDED)
        return GRAFT_OK;
    const member *m = &zip->member[which];
    const int64_t record = (const unsigned char *)m->name - r->source->bytes - GRAFT__ZIP_CENTRAL;
    if (added == GRAFT__ZIP_TWICE)
        return graft__fault(r, GRAFT_FAULT_DUPLICATE, record, "'%s' twice", shown(m).text);
    return graft__fault(r, GRAFT_FAULT_LIMIT, record, "names that were made to be slow to find");
}

/* ---- Local headers ---- */

/* Whether sizes and checksum of a local header fit the directory. Where they follow the data in a
 * descriptor (flag bit 3) the header may leave them 0. */
static bool local_agrees(const member *m, const unsigned char *p, size_t name, size_t extra)
{
    const bool later = graft__le16(p + 6) & GRAFT__ZIP_FLAG_DESCRIPTOR;
    uint64_t stored = graft__le32(p + 18), size = graft__le32(p + 22);
    const uint32_t crc = graft__le32(p + 14);
    if (stored == GRAFT__ZIP_MAX32 || size == GRAFT__ZIP_MAX32) {
        uint64_t *const fields[] = {&size, &stored};
        if (!widen(fields, 2, p + GRAFT__ZIP_LOCAL + name, extra))
            return false;
    }
    if (later && stored == 0 && size == 0 && crc == 0)
        return true;
    return stored == m->stored && size == m->size && (crc == m->crc || (later && crc == 0));
}

/* Whether the data behind a header of so many bytes ends before end. */
static bool has_room(const member *m, uint64_t header, uint64_t end)
{
    const uint64_t room = end - m->header; /* at least a header's size */
    return header <= room && m->stored <= room - header;
}

static graft_status fail_bounds(graft__reading *r, const member *m)
{
    return graft__fault(r, GRAFT_FAULT_OUT_OF_BOUNDS, (int64_t)m->header,
                        "'%s': its %llu bytes reach into the directory", shown(m).text,
                        (ull)m->stored);
}

/* Of a member that has no room before end: that it has before the directory. */
static graft_status check_bounds(graft__reading *r, const member *m, uint64_t header)
{
    directory d;
    const graft_status st = graft__zip_locate(r, &d);
    return st == GRAFT_OK && !has_room(m, header, d.offset) ? fail_bounds(r, m) : st;
}

/* Compares a member's local header (p) with the directory and finds its data, which ends before
 * end, where the next member or the directory begins. */
static graft_status check_local(graft__reading *r, const unsigned char *p, uint64_t end, member *m)
{
    const int64_t at = (int64_t)m->header;
    if (graft__le32(p) != GRAFT__ZIP_SIGN_LOCAL)
        return graft__fault(r, GRAFT_FAULT_ZIP_LOCAL, at, "expected the header of '%s'",
                            shown(m).text);
    const size_t name = graft__le16(p + 26), extra = graft__le16(p + 28);
    const uint64_t header = GRAFT__ZIP_LOCAL + (uint64_t)name + extra;
    const uint16_t method = graft__le16(p + 8);
    const bool overlaps = !has_room(m, header, end);
    const graft_status st = overlaps ? check_bounds(r, m, header) : GRAFT_OK;
    if (st != GRAFT_OK)
        return st;
    if (name != m->name_length || memcmp(p + GRAFT__ZIP_LOCAL, m->name, name) != 0)
        return graft__fault(r, GRAFT_FAULT_ZIP_LOCAL, at,
                            "the header of '%s' has another name: '%s'", shown(m).text,
                            graft__zip_show((const char *)p + GRAFT__ZIP_LOCAL, name).text);
    if ((graft__le16(p + 6) & GRAFT__ZIP_FLAG_ENCRYPTED) ||
        method != (m->deflated ? GRAFT__ZIP_DEFLATED : GRAFT__ZIP_STORED))
        return graft__fault(r, GRAFT_FAULT_ZIP_LOCAL, at,
                            "the header of '%s' says it is packed otherwise than the directory",
                            shown(m).text);
    if (!local_agrees(m, p, name, extra))
        return graft__fault(r, GRAFT_FAULT_ZIP_LOCAL, at,
                            "the header of '%s' has other sizes or another checksum than the "
                            "directory",
                            shown(m).text);
    if (overlaps)
        return graft__fault(r, GRAFT_FAULT_ZIP_OVERLAP, (int64_t)end, "a member begins within '%s'",
                            shown(m).text);
    m->offset = m->header + header;
    return GRAFT_OK;
}

/* All, so that nothing is given of an archive that contradicts itself. The price is a page of the
 * file for each member (the kernel maps 16 at a time, so that small members share). They are
 * fetched ahead, as no two are in one cache line and the directory's order is the file's. */
static graft_status check_locals(graft__reading *r, const directory *d, graft__zip *zip)
{
    enum { AHEAD = 8 };
    for (size_t i = 0; i < zip->count; i++) {
        if (i + AHEAD < zip->count)
            __builtin_prefetch(r->source->bytes + zip->member[i + AHEAD].header);
        const graft_status st =
            check_local(r, r->source->bytes + zip->member[i].header, d->offset, &zip->member[i]);
        if (st != GRAFT_OK)
            return st;
    }
    return GRAFT_OK;
}

/* ---- Overlaps ---- */

static bool in_order(const graft__zip *zip)
{
    for (size_t i = 1; i < zip->count; i++)
        if (zip->member[i].header < zip->member[i - 1].header)
            return false;
    return true;
}

static void sink(uint32_t *heap, size_t i, size_t count, const member *m)
{
    for (size_t child; (child = 2 * i + 1) < count; i = child) {
        if (child + 1 < count && m[heap[child + 1]].header > m[heap[child]].header)
            child++;
        if (m[heap[i]].header >= m[heap[child]].header)
            return;
        const uint32_t t = heap[i];
        heap[i] = heap[child];
        heap[child] = t;
    }
}

/* Heapsort: no file makes it slow, and it needs no memory. */
static void sort_by_header(uint32_t *order, size_t count, const member *m)
{
    for (size_t i = count / 2; i-- > 0;)
        sink(order, i, count, m);
    for (size_t n = count; n-- > 1;) {
        const uint32_t t = order[0];
        order[0] = order[n];
        order[n] = t;
        sink(order, 0, n, m);
    }
}

/* Where the data begins, or before which it cannot. */
static uint64_t first_byte(const member *m)
{
    return m->offset ? m->offset : m->header + GRAFT__ZIP_LOCAL + m->name_length;
}

/* Members that share bytes make a small file inflate to anything. */
static graft_status check_pair(graft__reading *r, member *a, const member *b)
{
    const uint64_t first = first_byte(a);
    a->end = b->header;
    if (first <= a->end && a->stored <= a->end - first)
        return GRAFT_OK;
    return graft__fault(r, GRAFT_FAULT_ZIP_OVERLAP, (int64_t)b->header, "'%s' begins within '%s'",
                        shown(b).text, shown(a).text);
}

static graft_status check_last(graft__reading *r, const directory *d, member *m)
{
    m->end = d->offset;
    return has_room(m, first_byte(m) - m->header, m->end) ? GRAFT_OK : fail_bounds(r, m);
}

/* Each against the one that follows it in the file; order: NULL if they are in order. */
static graft_status check_pairs(graft__reading *r, const directory *d, graft__zip *zip,
                                const uint32_t *order)
{
    member *before = NULL;
    graft_status st = GRAFT_OK;
    for (size_t i = 0; i < zip->count && st == GRAFT_OK; i++) {
        member *m = &zip->member[order ? order[i] : i];
        if (before)
            st = check_pair(r, before, m);
        before = m;
    }
    return st == GRAFT_OK && before ? check_last(r, d, before) : st;
}

static graft_status check_overlaps(graft__reading *r, const directory *d, graft__zip *zip)
{
    if (in_order(zip))
        return check_pairs(r, d, zip, NULL);
    const size_t size = zip->count * sizeof(uint32_t);
    if (!graft__charge(r, size))
        return GRAFT_ERR_FORMAT;
    uint32_t *order = graft__alloc(r->g, size);
    if (!order)
        return graft__fail_memory(r->g, size, r->op);
    for (size_t i = 0; i < zip->count; i++)
        order[i] = (uint32_t)i;
    sort_by_header(order, zip->count, zip->member);
    const graft_status st = check_pairs(r, d, zip, order);
    graft__free(r->g, order, size);
    return st;
}

/* ---- Opening ---- */

static graft_status make_room(graft__reading *r, const directory *d, graft__zip *zip)
{
    size_t size = 0;
    if (d->count > SIZE_MAX || !graft__mul_size((size_t)d->count, sizeof(member), &size))
        return graft__fail_memory(r->g, SIZE_MAX, r->op);
    if (!graft__charge(r, size))
        return GRAFT_ERR_FORMAT;
    zip->member = graft__alloc(r->g, size);
    if (!zip->member)
        return graft__fail_memory(r->g, size, r->op);
    zip->capacity = (size_t)d->count;
    return graft__zip_index_new(r, zip, (size_t)d->count);
}

static graft_status check_members(graft__reading *r, const directory *d, graft__zip *zip,
                                  bool lazily)
{
    if (lazily) {
        const graft_status st = check_overlaps(r, d, zip);
        if (st != GRAFT_ERR_FORMAT)
            return st;
        /* What does not fit by the directory alone: all is looked at, to say what is wrong. */
        graft_clear_error(r->g);
    }
    const graft_status st = check_locals(r, d, zip);
    return st == GRAFT_OK ? check_overlaps(r, d, zip) : st;
}

static graft_status open_archive(graft__reading *r, graft__zip *zip, bool lazily)
{
    *zip = (graft__zip){.g = r->g};
    directory d;
    graft_status st = graft__zip_locate(r, &d);
    if (st == GRAFT_OK)
        st = make_room(r, &d, zip);
    if (st == GRAFT_OK)
        st = read_directory(r, &d, zip);
    if (st == GRAFT_OK)
        st = index_members(r, zip);
    if (st == GRAFT_OK)
        st = check_members(r, &d, zip, lazily);
    if (st != GRAFT_OK)
        graft__zip_close(zip);
    return st;
}

graft_status graft__zip_open(graft__reading *r, graft__zip *zip)
{
    return open_archive(r, zip, false);
}

graft_status graft__zip_open_lazily(graft__reading *r, graft__zip *zip)
{
    return open_archive(r, zip, true);
}

void graft__zip_close(graft__zip *zip)
{
    if (!zip->g)
        return;
    graft__free(zip->g, zip->member, zip->capacity * sizeof *zip->member);
    graft__free(zip->g, zip->index, zip->index_capacity * sizeof *zip->index);
    *zip = (graft__zip){0};
}

/* ---- Members ---- */

graft__piece graft__zip_piece(const graft__zip_member *m, const char *name)
{
    return (graft__piece){
        .offset = m->offset ? m->offset : m->header,
        .room = m->offset ? 0 : m->end,
        .stored = m->stored,
        .size = m->size,
        .deflated = m->deflated,
        .has_crc = true,
        .crc = m->crc,
        .member = name,
    };
}

/* Read beside the mapping where that goes: so the first use of one member of many does not bring in
 * the pages around each header. */
static const unsigned char *local_header(graft__reading *r, uint64_t at, uint64_t end,
                                         unsigned char *block, size_t size)
{
    const unsigned char *mapped = r->source->bytes + at;
    if (!graft__source_origin(r->source))
        return mapped;
    if (end - at < size)
        size = (size_t)(end - at);
    if (size < GRAFT__ZIP_LOCAL || !graft__source_read(r->source, r->g, at, block, size))
        return size < GRAFT__ZIP_LOCAL ? mapped : NULL;
    return (size_t)GRAFT__ZIP_LOCAL + graft__le16(block + 26) + graft__le16(block + 28) <= size
               ? block
               : mapped;
}

graft_status graft__zip_locate_piece(graft__reading *r, graft__piece *p)
{
    member m = {
        .name = p->member - p->folder,
        .name_length = p->folder + p->member_length,
        .crc = p->crc,
        .deflated = p->deflated,
        .header = p->offset,
        .stored = p->stored,
        .size = p->size,
    };
    unsigned char read[1 << 10];
    const unsigned char *header = local_header(r, p->offset, p->room, read, sizeof read);
    const graft_status st = header ? check_local(r, header, p->room, &m) : graft_error_status(r->g);
    if (st != GRAFT_OK)
        return st;
    p->offset = m.offset;
    p->room = 0;
    return GRAFT_OK;
}

static graft_status unpack(graft__reading *r, const member *m, graft__zip_bytes *out)
{
    const unsigned char *in = r->source->bytes + m->offset;
    *out = (graft__zip_bytes){0};
    if (m->size > SIZE_MAX)
        return graft__fail_memory(r->g, SIZE_MAX, r->op);
    *out = (graft__zip_bytes){.bytes = in, .size = (size_t)m->size};
    if (!m->deflated)
        return GRAFT_OK;
    if (!graft__charge(r, m->size))
        return GRAFT_ERR_FORMAT;
    out->block = graft__alloc(r->g, out->size);
    if (!out->block)
        return graft__fail_memory(r->g, out->size, r->op);
    out->bytes = out->block;
    switch (graft__inflate(in, (size_t)m->stored, out->block, out->size)) {
    case GRAFT__INFLATED:
        return GRAFT_OK;
    case GRAFT__INFLATE_MEMORY:
        return graft__fail_memory(r->g, out->size, r->op);
    case GRAFT__INFLATE_ABSENT:
        return graft__fault(r, GRAFT_FAULT_UNSUPPORTED, -1,
                            "it is deflated, and this build of graft has no libdeflate");
    case GRAFT__INFLATE_DAMAGED:
        break;
    }
    return graft__fault(r, GRAFT_FAULT_ZIP_INFLATE, -1,
                        "expected deflated data of exactly %zu bytes", out->size);
}

static graft_status check_crc(graft__reading *r, const member *m, const graft__zip_bytes *b)
{
    if (r->options.verify == GRAFT_VERIFY_NEVER)
        return GRAFT_OK;
    const uint32_t crc = graft__crc32(0, b->bytes, b->size);
    if (crc == m->crc)
        return GRAFT_OK;
    return graft__fault(r, GRAFT_FAULT_CHECKSUM, -1,
                        "the CRC-32 of its %zu bytes is %08x, the file says %08x: they are damaged",
                        b->size, crc, m->crc);
}

graft_status graft__zip_read(graft__reading *r, const graft__zip_member *m, graft__zip_bytes *out)
{
    const graft__zip_shown name = shown(m);
    const char *outer = r->member;
    member found = *m;
    *out = (graft__zip_bytes){0};
    graft_status st =
        m->offset ? GRAFT_OK : check_local(r, r->source->bytes + m->header, m->end, &found);
    r->member = name.text;
    if (st == GRAFT_OK)
        st = unpack(r, &found, out);
    if (st == GRAFT_OK)
        st = check_crc(r, &found, out);
    r->member = outer;
    if (st != GRAFT_OK)
        graft__zip_release(r->g, out);
    return st;
}

void graft__zip_release(graft_ctx *g, graft__zip_bytes *b)
{
    if (b->block)
        graft__free(g, b->block, b->size);
    *b = (graft__zip_bytes){0};
}
