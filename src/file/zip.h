/* ZIP archives: the members of one in memory, and writing one. Reading goes by the central
 * directory; ZIP64 everywhere. */
#ifndef GRAFT__FILE_ZIP_H
#define GRAFT__FILE_ZIP_H

#include "base/save.h"
#include "file/reading.h"

/* ---- Reading ---- */

typedef struct graft__zip_member {
    const char *name; /* not 0-terminated: it lies in the source */
    uint32_t name_length;
    uint32_t crc;
    bool deflated;
    uint64_t header; /* offset of the local header */
    uint64_t offset; /* of the data; 0: the header has not been looked at */
    uint64_t end;    /* where the next member or the directory begins; 0: not known */
    uint64_t stored; /* bytes in the file */
    uint64_t size;   /* bytes of the member */
} graft__zip_member;

typedef struct graft__zip {
    graft_ctx *g;
    graft__zip_member *member; /* in the order of the central directory */
    size_t count, capacity;
    uint32_t *index; /* by name */
    size_t index_capacity;
} graft__zip;

/* Checks everything before it gives anything: end records, directory, each local header against the
 * directory, bounds, overlaps (of members with each other and with the directory), duplicate names,
 * names that are absolute or have "..", methods, ratios. Costs about 100 ns a member, and a page of
 * the file for each. On failure the error is set and nothing is to be freed. */
graft_status graft__zip_open(graft__reading *r, graft__zip *zip);

/* The same without the local headers, for large files of which little may be wanted: each member's
 * is looked at by graft__zip_read, or before the first use of its graft__zip_piece, with the same
 * faults. Until then members are known to have room by the directory. */
graft_status graft__zip_open_lazily(graft__reading *r, graft__zip *zip);
void graft__zip_close(graft__zip *zip);

/* The member of that name (0-terminated or not: length counts); NULL, without an error, if there is
 * none. */
const graft__zip_member *graft__zip_find(const graft__zip *zip, const char *name, size_t length);

/* The bytes of a small member (a pickle, a version), checked against its CRC unless
 * GRAFT_VERIFY_NEVER: in the source itself if stored, else in a block of the context that
 * graft__zip_release frees. Takes inflated bytes off the memory budget. */
typedef struct graft__zip_bytes {
    const unsigned char *bytes;
    size_t size;
    void *block; /* NULL: the bytes lie in the source */
} graft__zip_bytes;
graft_status graft__zip_read(graft__reading *r, const graft__zip_member *m, graft__zip_bytes *out);
void graft__zip_release(graft_ctx *g, graft__zip_bytes *b);

/* A piece for graft__piece_storage of a member's bytes. name is 0-terminated and must live as long
 * as the piece; where the archive was opened lazily it is the end of the member's name, as
 * member_length and folder are to say. */
graft__piece graft__zip_piece(const graft__zip_member *m, const char *name);

/* Compares the local header of such a piece with what the directory said, and puts the place of the
 * data into offset; room is 0 then. */
graft_status graft__zip_locate_piece(graft__reading *r, graft__piece *p);

/* What is left of an archive whose end or directory is lost: walks the local headers from the front
 * to the first record of a directory or to the end of the file, over what is damaged, and puts the
 * members into whole whose bytes are all there and pass their checksum, into lost (which may be
 * NULL) the others whose header can be read: sizes are 0 where they are not known, and the member
 * was cut off if offset + stored lies behind the end of the file. The second of two members of one
 * name is lost. Members whose sizes stand behind their data only (as PyTorch writes them) end where
 * a descriptor of that size is: one that holds an archive itself is lost. Reads all bytes, with
 * progress. Both are closed with graft__zip_close; on failure nothing is to be freed. */
graft_status graft__zip_scan(graft__reading *r, graft__zip *whole, graft__zip *lost);

/* ---- Writing ---- */

/* An archive in the making, as PyTorch's own writer lays it out: stored members, flags 0x0808, CRC
 * and sizes in a descriptor behind the data (16 bytes, 24 where 64 bits are needed, none for empty
 * members), data aligned by an extra field "FB", ZIP64 records as needed and the locator always.
 * Times are 0, so that the same members give the same bytes. */
typedef struct graft__zip_writer graft__zip_writer;

/* Appends to save from where it stands, which must be its beginning. NULL with the error set. */
graft__zip_writer *graft__zip_writer_new(graft_ctx *g, const char *op, graft__save *save);

/* Begins a member whose data starts at a multiple of align (1 to 1 MiB, a power of two), and will
 * be exactly size bytes. */
graft_status graft__zip_begin(graft__zip_writer *w, const char *name, uint64_t size,
                              uint32_t align);
graft_status graft__zip_write(graft__zip_writer *w, const void *bytes, size_t size);
graft_status graft__zip_end(graft__zip_writer *w);

/* The checksum of the member that ended last. */
uint32_t graft__zip_crc(const graft__zip_writer *w);

/* Writes the directory and frees w (in any case). */
graft_status graft__zip_finish(graft__zip_writer *w);
void graft__zip_writer_free(graft__zip_writer *w); /* without finishing; NULL is ignored */

#endif
