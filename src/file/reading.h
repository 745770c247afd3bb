/* What every reader is given, and how it says what is wrong with a file. */
#ifndef GRAFT__FILE_READING_H
#define GRAFT__FILE_READING_H

#include <stdarg.h>

#include "base/ctx.h"
#include "file/source.h"
#include "graft/file.h"
#include "tensor/dict.h"

typedef struct graft__reading {
    graft_ctx *g;
    const char *op;        /* "load", for errors */
    const char *path;      /* as the caller named it; "(memory)" */
    bool has_folder;       /* path is a file, beside which others may lie */
    graft__source *source; /* borrowed */
    graft_read_options options;
    const char *member;   /* of an archive, or the shard, that is being read; NULL: the file */
    uint64_t memory_left; /* of options.max_memory */
    uint64_t done, total; /* progress */
    graft_dict *metadata; /* to be filled */
    graft_format format;  /* of the reader; set by one that finds a nearer one */
    bool lenient; /* for salvage: what is missing becomes a storage that fails when it is used */
    bool bare;    /* set by a reader whose root is a value alone */
    struct graft_audit_report *audit; /* where to write what Python would run; NULL: nowhere */
    int64_t pickle_offset;     /* of the opcode that is being run, for faults of what it calls */
    const char *pickle_global; /* what it calls: "collections.OrderedDict" */
} graft__reading;

/* Sets the error "load: a.pt: data.pkl: byte 17: <words> (PickleStack)" with fault and offset;
 * GRAFT_ERR_FORMAT. offset -1: no place. */
graft_status graft__fault(graft__reading *r, graft_fault fault, int64_t offset, const char *format,
                          ...) __attribute__((format(printf, 4, 5)));

/* The same where there is no reading any more: for bytes that are looked at later. */
typedef struct graft__where {
    const char *op, *path, *member; /* member may be NULL */
    int64_t offset;
} graft__where;
graft_status graft__fault_at(graft_ctx *g, const graft__where *where, graft_fault fault,
                             const char *format, va_list args)
    __attribute__((format(printf, 4, 0)));

/* Takes bytes off the memory budget; false with GRAFT_FAULT_LIMIT if it does not last. */
bool graft__charge(graft__reading *r, uint64_t bytes);

/* Tells the progress; false with GRAFT_ERR_CANCELLED if the caller says stop. */
bool graft__advance(graft__reading *r, uint64_t bytes);

/* A reader: by the first bytes, whether the file is its; then the root, with one reference of the
 * caller's. NULL with the error set. */
typedef struct graft__format {
    graft_format format;
    bool (*matches)(const graft__source *s);
    graft_dict *(*read)(graft__reading *r);
} graft__format;

extern const graft__format graft__format_pt, graft__format_pt_legacy, graft__format_pt_tar,
    graft__format_safetensors, graft__format_safetensors_index, graft__format_npy,
    graft__format_npz, graft__format_gguf, graft__format_onnx;

/* ---- Bytes that become a storage ---- */

/* A range of the source, and what has to be done to it before it can be used. */
typedef struct graft__piece {
    uint64_t offset, stored; /* in the source */
    uint64_t room;           /* not 0: of a ZIP's member whose local header is at offset, and what
                                follows it here; where the data lies is found before it is used */
    uint64_t skip;           /* bytes before the storage's, once inflated: an npy's header */
    uint64_t size;           /* of the storage; skip + size == stored unless deflated */
    bool deflated;
    bool has_crc;
    uint32_t crc;                /* of the skip + size bytes, inflated and not swapped */
    uint32_t swap;               /* width of the elements whose bytes are to be reversed; 0: none */
    uint32_t align;              /* that the elements need: their width, at most 8 */
    const char *member;          /* for errors; copied where the storage has to wait, */
    uint32_t member_length;      /* unless it is not 0: then it lies in the source, and has no 0, */
    uint32_t folder;             /* behind so many bytes that are the member's name too */
    const unsigned char *sha256; /* of the size bytes; NULL: none; copied. No skip then */
} graft__piece;

/* A storage of those bytes, which must lie within the source: at once where nothing is to be done
 * to them, else when they are first used or, with GRAFT_VERIFY_OPEN, now (with progress). NULL with
 * the error set. */
graft__storage *graft__piece_storage(graft__reading *r, const graft__piece *p);

/* A storage of bytes that are lost: using it is the fault TRUNCATED. */
graft__storage *graft__lost_storage(graft__reading *r, uint64_t size, const char *member);

/* ---- Little-endian numbers at any address ---- */

static inline uint16_t graft__le16(const unsigned char *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t graft__le32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t graft__le64(const unsigned char *p)
{
    return (uint64_t)graft__le32(p) | (uint64_t)graft__le32(p + 4) << 32;
}

#endif
