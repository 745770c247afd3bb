/* The records that a ZIP archive is made of. Source: PKWARE's APPNOTE.TXT 6.3. */
#ifndef GRAFT__FILE_ZIP_RECORD_H
#define GRAFT__FILE_ZIP_RECORD_H

#include "graft/base.h"

enum {
    GRAFT__ZIP_SIGN_LOCAL = 0x04034b50,
    GRAFT__ZIP_SIGN_DESCRIPTOR = 0x08074b50,
    GRAFT__ZIP_SIGN_CENTRAL = 0x02014b50,
    GRAFT__ZIP_SIGN_END = 0x06054b50,
    GRAFT__ZIP_SIGN_END64 = 0x06064b50,
    GRAFT__ZIP_SIGN_LOCATOR = 0x07064b50
};

/* Their sizes, without what varies. */
enum {
    GRAFT__ZIP_LOCAL = 30,
    GRAFT__ZIP_DESCRIPTOR = 16,
    GRAFT__ZIP_DESCRIPTOR64 = 24,
    GRAFT__ZIP_CENTRAL = 46,
    GRAFT__ZIP_END = 22,
    GRAFT__ZIP_END64 = 56,
    GRAFT__ZIP_LOCATOR = 20,
    GRAFT__ZIP_EXTRA = 4,    /* head of an extra field: its kind and size */
    GRAFT__ZIP_EXTRA64 = 28, /* the largest ZIP64 field that is written, head and all */
    GRAFT__ZIP_ENDS = GRAFT__ZIP_END64 + GRAFT__ZIP_LOCATOR + GRAFT__ZIP_END
};

enum {
    GRAFT__ZIP_FLAG_ENCRYPTED = 1 << 0 | 1 << 6 | 1 << 13, /* any of them */
    GRAFT__ZIP_FLAG_DESCRIPTOR = 1 << 3,
    GRAFT__ZIP_FLAG_PATCH = 1 << 5,
    GRAFT__ZIP_FLAG_UTF8 = 1 << 11
};

enum { GRAFT__ZIP_STORED = 0, GRAFT__ZIP_DEFLATED = 8 };
enum { GRAFT__ZIP_KIND_64 = 1, GRAFT__ZIP_KIND_PADDING = 'F' | 'B' << 8 };

/* What stands in a 16 or 32-bit field whose number is in a ZIP64 record. */
#define GRAFT__ZIP_MAX16 UINT16_C(0xffff)
#define GRAFT__ZIP_MAX32 UINT32_C(0xffffffff)

/* ---- Encoding, as PyTorch does it. Each returns how many bytes it wrote. ---- */

typedef struct graft__zip_entry {
    uint64_t header; /* offset of the local header */
    uint64_t size;
    uint32_t crc;
    uint16_t name_length;
} graft__zip_entry;

/* How long the local header is, padding's head included: where the data would begin without
 * padding. */
size_t graft__zip_local_size(const graft__zip_entry *e);

/* The parts of a local header around the name: GRAFT__ZIP_LOCAL bytes before it; behind it at most
 * GRAFT__ZIP_EXTRA64 + GRAFT__ZIP_EXTRA, after which `padding` bytes of any kind follow. */
size_t graft__zip_put_local(unsigned char *out, const graft__zip_entry *e, uint16_t padding);
size_t graft__zip_put_local_extra(unsigned char *out, const graft__zip_entry *e, uint16_t padding);

/* At most GRAFT__ZIP_DESCRIPTOR64 bytes; none for an empty member. */
size_t graft__zip_put_descriptor(unsigned char *out, const graft__zip_entry *e);

/* A record of the directory: GRAFT__ZIP_CENTRAL bytes before the name, at most GRAFT__ZIP_EXTRA64
 * behind it. */
size_t graft__zip_put_central(unsigned char *out, const graft__zip_entry *e);
size_t graft__zip_put_central_extra(unsigned char *out, const graft__zip_entry *e);

/* The checksum of a record of the directory, which is known last. */
void graft__zip_patch_central(unsigned char *record, uint32_t crc);

/* All end records, GRAFT__ZIP_ENDS bytes, which stand right behind the directory. */
size_t graft__zip_put_ends(unsigned char *out, uint64_t count, uint64_t offset, uint64_t size);

#endif
