#include "file/zip_record.h"

#include <string.h>

/* Versions of the format as PyTorch gives them: 4.5 has ZIP64. */
enum { MADE_BY = 0x031e, NEEDED = 45 };

static void put16(unsigned char *p, uint16_t v)
{
    p[0] = (unsigned char)v;
    p[1] = (unsigned char)(v >> 8);
}

static void put32(unsigned char *p, uint32_t v)
{
    put16(p, (uint16_t)v);
    put16(p + 2, (uint16_t)(v >> 16));
}

static void put64(unsigned char *p, uint64_t v)
{
    put32(p, (uint32_t)v);
    put32(p + 4, (uint32_t)(v >> 32));
}

static bool is_large(uint64_t v)
{
    return v >= GRAFT__ZIP_MAX32;
}

static uint32_t clip32(uint64_t v)
{
    return is_large(v) ? GRAFT__ZIP_MAX32 : (uint32_t)v;
}

static uint16_t clip16(uint64_t v)
{
    return v >= GRAFT__ZIP_MAX16 ? GRAFT__ZIP_MAX16 : (uint16_t)v;
}

/* The ZIP64 field of an entry, with its head; 0 if it needs none. */
static size_t extra64_size(const graft__zip_entry *e)
{
    size_t size = (is_large(e->size) ? 16u : 0u) + (is_large(e->header) ? 8u : 0u);
    return size ? size + GRAFT__ZIP_EXTRA : 0;
}

static size_t put_extra64(unsigned char *out, const graft__zip_entry *e)
{
    size_t size = extra64_size(e);
    if (size == 0)
        return 0;
    put16(out, GRAFT__ZIP_KIND_64);
    put16(out + 2, (uint16_t)(size - GRAFT__ZIP_EXTRA));
    unsigned char *p = out + GRAFT__ZIP_EXTRA;
    if (is_large(e->size)) {
        put64(p, e->size); /* inflated and stored */
        put64(p + 8, e->size);
        p += 16;
    }
    if (is_large(e->header))
        put64(p, e->header);
    return size;
}

static uint16_t flags_of(const graft__zip_entry *e)
{
    return GRAFT__ZIP_FLAG_UTF8 | (e->size > 0 ? GRAFT__ZIP_FLAG_DESCRIPTOR : 0);
}

size_t graft__zip_local_size(const graft__zip_entry *e)
{
    return GRAFT__ZIP_LOCAL + (size_t)e->name_length + extra64_size(e) + GRAFT__ZIP_EXTRA;
}

size_t graft__zip_put_local(unsigned char *out, const graft__zip_entry *e, uint16_t padding)
{
    memset(out, 0, GRAFT__ZIP_LOCAL); /* checksum and sizes stand behind the data */
    put32(out, GRAFT__ZIP_SIGN_LOCAL);
    put16(out + 6, flags_of(e));
    put16(out + 26, e->name_length);
    put16(out + 28, (uint16_t)(extra64_size(e) + GRAFT__ZIP_EXTRA + padding));
    return GRAFT__ZIP_LOCAL;
}

size_t graft__zip_put_local_extra(unsigned char *out, const graft__zip_entry *e, uint16_t padding)
{
    size_t at = put_extra64(out, e);
    put16(out + at, GRAFT__ZIP_KIND_PADDING);
    put16(out + at + 2, padding);
    return at + GRAFT__ZIP_EXTRA;
}

size_t graft__zip_put_descriptor(unsigned char *out, const graft__zip_entry *e)
{
    if (e->size == 0)
        return 0;
    put32(out, GRAFT__ZIP_SIGN_DESCRIPTOR);
    put32(out + 4, e->crc);
    if (extra64_size(e) == 0) {
        put32(out + 8, (uint32_t)e->size);
        put32(out + 12, (uint32_t)e->size);
        return GRAFT__ZIP_DESCRIPTOR;
    }
    put64(out + 8, e->size);
    put64(out + 16, e->size);
    return GRAFT__ZIP_DESCRIPTOR64;
}

size_t graft__zip_put_central(unsigned char *out, const graft__zip_entry *e)
{
    memset(out, 0, GRAFT__ZIP_CENTRAL);
    put32(out, GRAFT__ZIP_SIGN_CENTRAL);
    put16(out + 8, flags_of(e));
    graft__zip_patch_central(out, e->crc);
    put32(out + 20, clip32(e->size));
    put32(out + 24, clip32(e->size));
    put16(out + 28, e->name_length);
    put16(out + 30, (uint16_t)extra64_size(e));
    put32(out + 42, clip32(e->header));
    return GRAFT__ZIP_CENTRAL;
}

size_t graft__zip_put_central_extra(unsigned char *out, const graft__zip_entry *e)
{
    return put_extra64(out, e);
}

void graft__zip_patch_central(unsigned char *record, uint32_t crc)
{
    put32(record + 16, crc);
}

size_t graft__zip_put_ends(unsigned char *out, uint64_t count, uint64_t offset, uint64_t size)
{
    memset(out, 0, GRAFT__ZIP_ENDS);
    put32(out, GRAFT__ZIP_SIGN_END64);
    put64(out + 4, GRAFT__ZIP_END64 - 12);
    put16(out + 12, MADE_BY);
    put16(out + 14, NEEDED);
    put64(out + 24, count);
    put64(out + 32, count);
    put64(out + 40, size);
    put64(out + 48, offset);

    unsigned char *locator = out + GRAFT__ZIP_END64;
    put32(locator, GRAFT__ZIP_SIGN_LOCATOR);
    put64(locator + 8, offset + size);
    put32(locator + 16, 1); /* disks */

    unsigned char *end = locator + GRAFT__ZIP_LOCATOR;
    put32(end, GRAFT__ZIP_SIGN_END);
    put16(end + 8, clip16(count));
    put16(end + 10, clip16(count));
    put32(end + 12, clip32(size));
    put32(end + 16, clip32(offset));
    return GRAFT__ZIP_ENDS;
}
