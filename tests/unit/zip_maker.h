/* ZIP archives of all the kinds that others write, and damaged ones. */
#ifndef TESTS_UNIT_ZIP_MAKER_H
#define TESTS_UNIT_ZIP_MAKER_H

#include "test.h"

#include "file/zip.h"

enum { ZIP_MAKER_MEMBERS = 8 };

typedef enum zip_kind {
    ZIP_PLAIN = 0,
    ZIP_LATER = 1,      /* sizes in a descriptor behind the data only */
    ZIP_LATER64 = 2,    /* the same, of 24 bytes */
    ZIP_DEFLATE = 4,    /* as deflate's stored blocks */
    ZIP_WIDE = 8,       /* all numbers in ZIP64 fields */
    ZIP_WIDE_LOCAL = 16 /* those of the local header only, as numpy does */
} zip_kind;

typedef struct zip_maker {
    unsigned char bytes[1 << 15];
    size_t size;
    size_t base; /* what stands in front */
    int count;
    struct {
        const char *name;
        const char *data;
        int kind;
        size_t local, payload, stored; /* where, and how many bytes */
        size_t central;
    } member[ZIP_MAKER_MEMBERS];
    size_t directory, end64, locator, end;
} zip_maker;

/* An archive with `front` in front of it. */
zip_maker *zip_maker_new(const char *front);
void zip_maker_add(zip_maker *z, const char *name, const char *data, int kind);

/* Directory and end records: ZIP64 ones too if wide. comment may be "". */
void zip_maker_finish(zip_maker *z, bool wide, const char *comment);

/* Little-endian, at a place. */
void zip_maker_poke(zip_maker *z, size_t at, uint64_t value, unsigned width);
uint64_t zip_maker_peek(const zip_maker *z, size_t at, unsigned width);

/* A reading of the first size bytes of it, which end where the memory ends. */
typedef struct zip_reading {
    graft__reading r;
    graft__zip zip;
} zip_reading;
graft_status zip_open_bytes(graft_ctx *g, const void *bytes, size_t size, zip_reading *z);
graft_status zip_open_lazily(graft_ctx *g, const void *bytes, size_t size, zip_reading *z);
void zip_close_bytes(zip_reading *z);

/* That the member is there and has these bytes. */
void assert_zip_member(zip_reading *z, const char *name, const char *data);

#endif
