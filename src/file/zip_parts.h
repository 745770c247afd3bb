/* What the parts of the ZIP reader share. */
#ifndef GRAFT__FILE_ZIP_PARTS_H
#define GRAFT__FILE_ZIP_PARTS_H

#include "file/zip.h"
#include "file/zip_record.h"

/* Where the central directory lies. */
typedef struct graft__zip_directory {
    uint64_t base; /* what stands in front of the archive: offsets in it count from here */
    uint64_t offset, size;
    uint64_t count;
} graft__zip_directory;

graft_status graft__zip_locate(graft__reading *r, graft__zip_directory *d);

/* A name as a message may show it: cut off, and without what a terminal would act on. */
typedef struct graft__zip_shown {
    char text[96];
} graft__zip_shown;
graft__zip_shown graft__zip_show(const char *name, size_t length);

/* What is wrong with a member's name, in words; NULL if nothing is. */
const char *graft__zip_name_fault(const char *name, size_t length);

/* The data of an extra field's part of that kind, and its size; NULL if there is none. */
const unsigned char *graft__zip_extra(const unsigned char *extra, size_t size, uint16_t kind,
                                      size_t *part_size);

/* ---- The index by name ---- */

/* Room for so many members, charged. */
graft_status graft__zip_index_new(graft__reading *r, graft__zip *zip, size_t members);

typedef enum graft__zip_added {
    GRAFT__ZIP_ADDED,
    GRAFT__ZIP_TWICE,
    GRAFT__ZIP_CROWDED /* so many names share a hash that somebody made them to */
} graft__zip_added;
graft__zip_added graft__zip_index_add(graft__zip *zip, size_t member);

/* All members; *which is the one that could not be added. */
graft__zip_added graft__zip_index_add_all(graft__zip *zip, size_t *which);

#endif
