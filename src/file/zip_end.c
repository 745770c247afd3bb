/* From the end of a ZIP archive to its central directory. */
#include "file/zip_parts.h"

typedef graft__zip_directory directory;

/* The end record's fields, 32 bits wide or, from the ZIP64 record, 64. */
typedef struct end {
    uint64_t at; /* of the record behind the directory */
    uint64_t disk, directory_disk, disk_count, count, size, offset;
} end;

static uint32_t sign_at(const graft__source *s, uint64_t at)
{
    return graft__le32(s->bytes + at);
}

/* The last end record whose comment reaches exactly to the end of the file. Where there is none,
 * *behind is the first byte behind the last one whose comment is shorter, or 0. */
static bool find_end(const graft__source *s, uint64_t *at, uint64_t *behind)
{
    *behind = 0;
    if (s->size < GRAFT__ZIP_END)
        return false;
    const uint64_t last = s->size - GRAFT__ZIP_END;
    const uint64_t first = last > GRAFT__ZIP_MAX16 ? last - GRAFT__ZIP_MAX16 : 0;
    for (uint64_t p = last + 1; p-- > first;) {
        if (s->bytes[p] != 'P' || sign_at(s, p) != GRAFT__ZIP_SIGN_END)
            continue;
        const uint64_t comment = graft__le16(s->bytes + p + 20);
        *at = p;
        if (comment == last - p)
            return true;
        if (comment < last - p && *behind == 0)
            *behind = p + GRAFT__ZIP_END + comment;
    }
    return false;
}

static end read_end(const graft__source *s, uint64_t at)
{
    const unsigned char *p = s->bytes + at;
    return (end){
        .at = at,
        .disk = graft__le16(p + 4),
        .directory_disk = graft__le16(p + 6),
        .disk_count = graft__le16(p + 8),
        .count = graft__le16(p + 10),
        .size = graft__le32(p + 12),
        .offset = graft__le32(p + 16),
    };
}

static end read_end64(const graft__source *s, uint64_t at)
{
    const unsigned char *p = s->bytes + at;
    return (end){
        .at = at,
        .disk = graft__le32(p + 16),
        .directory_disk = graft__le32(p + 20),
        .disk_count = graft__le64(p + 24),
        .count = graft__le64(p + 32),
        .size = graft__le64(p + 40),
        .offset = graft__le64(p + 48),
    };
}

/* Whether a field of the short record says what the long one does, or that the long one does. */
static bool agree(uint64_t small, uint64_t large, uint64_t max)
{
    return small == large || small == max;
}

static bool ends_agree(const end *e, const end *e64)
{
    return agree(e->disk, e64->disk, GRAFT__ZIP_MAX16) &&
           agree(e->directory_disk, e64->directory_disk, GRAFT__ZIP_MAX16) &&
           agree(e->disk_count, e64->disk_count, GRAFT__ZIP_MAX16) &&
           agree(e->count, e64->count, GRAFT__ZIP_MAX16) &&
           agree(e->size, e64->size, GRAFT__ZIP_MAX32) &&
           agree(e->offset, e64->offset, GRAFT__ZIP_MAX32);
}

/* Whether a ZIP64 end record begins there and reaches to the locator. */
static bool is_end64(const graft__source *s, uint64_t at, uint64_t locator)
{
    return at <= locator && locator - at >= GRAFT__ZIP_END64 &&
           sign_at(s, at) == GRAFT__ZIP_SIGN_END64 &&
           graft__le64(s->bytes + at + 4) == locator - at - 12;
}

/* Replaces *e by the ZIP64 record where there is one; *moved is how far it lies behind the place
 * where the locator says it is. */
static graft_status use_end64(graft__reading *r, end *e, uint64_t *moved)
{
    const graft__source *s = r->source;
    *moved = 0;
    if (e->at < GRAFT__ZIP_LOCATOR ||
        sign_at(s, e->at - GRAFT__ZIP_LOCATOR) != GRAFT__ZIP_SIGN_LOCATOR)
        return GRAFT_OK;
    const uint64_t locator = e->at - GRAFT__ZIP_LOCATOR;
    const unsigned char *p = s->bytes + locator;
    const uint64_t claimed = graft__le64(p + 8);
    if (graft__le32(p + 4) != 0 || graft__le32(p + 16) > 1)
        return graft__fault(r, GRAFT_FAULT_UNSUPPORTED, (int64_t)locator,
                            "a ZIP archive in several parts");
    uint64_t at = claimed;
    if (!is_end64(s, at, locator) && locator >= GRAFT__ZIP_END64)
        at = locator - GRAFT__ZIP_END64;
    if (at < claimed || !is_end64(s, at, locator))
        return graft__fault(r, GRAFT_FAULT_ZIP_END, (int64_t)locator,
                            "no ZIP64 end record where its locator says it is, at byte %llu",
                            (unsigned long long)claimed);
    const end e64 = read_end64(s, at);
    if (!ends_agree(e, &e64))
        return graft__fault(r, GRAFT_FAULT_ZIP_DIRECTORY, (int64_t)at,
                            "the ZIP64 end record contradicts the end record");
    *e = e64;
    *moved = at - claimed;
    return GRAFT_OK;
}

static graft_status check_end(graft__reading *r, const end *e)
{
    const int64_t at = (int64_t)e->at;
    if (e->disk != 0 || e->directory_disk != 0 || e->disk_count != e->count)
        return graft__fault(r, GRAFT_FAULT_UNSUPPORTED, at, "a ZIP archive in several parts");
    if (e->size > e->at || e->offset > e->at - e->size)
        return graft__fault(r, GRAFT_FAULT_ZIP_DIRECTORY, at,
                            "a directory of %llu bytes at byte %llu does not fit before it",
                            (unsigned long long)e->size, (unsigned long long)e->offset);
    if (e->count > e->size / GRAFT__ZIP_CENTRAL)
        return graft__fault(r, GRAFT_FAULT_ZIP_DIRECTORY, at,
                            "%llu members: a directory of %llu bytes holds fewer",
                            (unsigned long long)e->count, (unsigned long long)e->size);
    return GRAFT_OK;
}

graft_status graft__zip_locate(graft__reading *r, graft__zip_directory *d)
{
    uint64_t at = 0, behind = 0, moved = 0;
    if (!find_end(r->source, &at, &behind)) {
        if (behind)
            return graft__fault(r, GRAFT_FAULT_TRAILING, (int64_t)behind,
                                "%llu bytes behind the end of the ZIP archive",
                                (unsigned long long)(r->source->size - behind));
        return graft__fault(r, GRAFT_FAULT_ZIP_END, -1,
                            "no end of a ZIP archive: the file is cut off, or not one");
    }
    end e = read_end(r->source, at);
    graft_status st = use_end64(r, &e, &moved);
    if (st == GRAFT_OK)
        st = check_end(r, &e);
    if (st != GRAFT_OK)
        return st;
    /* The directory ends where the end record begins; what is left over stands in front. */
    const bool has64 = e.at != at;
    *d = (directory){
        .base = e.at - e.size - e.offset,
        .offset = e.at - e.size,
        .size = e.size,
        .count = e.count,
    };
    if (has64 && d->base != moved)
        return graft__fault(r, GRAFT_FAULT_ZIP_DIRECTORY, (int64_t)e.at,
                            "the directory does not end where the end record begins");
    return GRAFT_OK;
}
