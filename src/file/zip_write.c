#include <string.h>

#include "base/ctx.h"
#include "file/crc.h"
#include "file/zip.h"
#include "file/zip_record.h"

enum {
    MAX_ALIGN = 1 << 20,
    /* What an extra field may hold beside its head and the ZIP64 field. */
    MAX_PADDING = 0xffff - GRAFT__ZIP_EXTRA64 - GRAFT__ZIP_EXTRA,
    /* Bytes whose checksum is taken and which are then written, while they are in the cache. */
    CHUNK = 256 << 10,
    BLOCK = 256 << 10 /* of the directory, at most, unless a record is larger */
};

/* The directory in the making: of very many members, nothing is moved when it grows. */
typedef struct block {
    struct block *next;
    size_t used, size;
    unsigned char bytes[];
} block;

struct graft__zip_writer {
    graft_ctx *g;
    const char *op;
    graft__save *save;
    graft_status status;    /* the first failure: all that follows fails too */
    bool open;              /* within a member */
    graft__zip_entry entry; /* of that one */
    uint64_t left;          /* bytes that it still wants */
    uint64_t count;         /* members begun */
    block *first, *last;    /* of the directory so far */
    uint64_t size;          /* its bytes */
    unsigned char *record;  /* the open member's */
};

graft__zip_writer *graft__zip_writer_new(graft_ctx *g, const char *op, graft__save *save)
{
    if (!save)
        return NULL;
    graft__zip_writer *w = graft__alloc(g, sizeof *w);
    if (!w) {
        graft__fail_memory(g, sizeof *w, op);
        return NULL;
    }
    *w = (graft__zip_writer){.g = g, .op = op, .save = save};
    return w;
}

void graft__zip_writer_free(graft__zip_writer *w)
{
    if (!w)
        return;
    while (w->first) {
        block *b = w->first;
        w->first = b->next;
        graft__free(w->g, b, sizeof *b + b->size);
    }
    graft__free(w->g, w, sizeof *w);
}

/* Room for `more` bytes at the directory's end, in one piece. */
static graft_status reserve(graft__zip_writer *w, size_t more)
{
    if (w->last && w->last->size - w->last->used >= more)
        return GRAFT_OK;
    size_t size = w->last ? 2 * w->last->size : 1024;
    if (size > BLOCK)
        size = BLOCK;
    size = size > more + sizeof(block) ? size - sizeof(block) : more;
    block *b = graft__alloc(w->g, sizeof *b + size);
    if (!b)
        return graft__fail_memory(w->g, sizeof *b + size, w->op);
    *b = (block){.size = size};
    if (w->last)
        w->last->next = b;
    else
        w->first = b;
    w->last = b;
    return GRAFT_OK;
}

/* The member's record, but for its checksum, goes into the directory when it begins: its name need
 * not live longer, and a lack of memory shows early. */
static graft_status add_record(graft__zip_writer *w, const char *name)
{
    size_t length = w->entry.name_length;
    graft_status st = reserve(w, GRAFT__ZIP_CENTRAL + length + GRAFT__ZIP_EXTRA64);
    if (st != GRAFT_OK)
        return st;
    block *b = w->last;
    w->record = b->bytes + b->used;
    size_t size = graft__zip_put_central(w->record, &w->entry);
    memcpy(w->record + size, name, length);
    size += length;
    size += graft__zip_put_central_extra(w->record + size, &w->entry);
    b->used += size;
    w->size += size;
    w->count++;
    return GRAFT_OK;
}

/* How many bytes of padding bring the data to a multiple of align. Where they are more than an
 * extra field holds, the header itself moves, and zeros stand before it. */
static size_t place(graft__zip_entry *e, uint32_t align)
{
    for (;;) {
        uint64_t start = e->header + graft__zip_local_size(e);
        size_t padding = (size_t)(-start & (align - 1));
        if (padding <= MAX_PADDING)
            return padding;
        e->header += padding; /* which may make it large, and its ZIP64 field longer: again */
    }
}

static graft_status write_padding(graft__zip_writer *w, size_t padding)
{
    char z[256];
    memset(z, 'Z', sizeof z);
    graft_status st = GRAFT_OK;
    while (st == GRAFT_OK && padding > 0) {
        size_t n = padding < sizeof z ? padding : sizeof z;
        st = graft__save_write(w->save, z, n);
        padding -= n;
    }
    return st;
}

static graft_status write_header(graft__zip_writer *w, const char *name, uint32_t align)
{
    uint64_t at = w->entry.header;
    size_t padding = place(&w->entry, align);
    uint64_t gap = w->entry.header - at;
    if (gap > 0 && w->count == 0)
        return graft__fail(w->g, GRAFT_ERR_ARGUMENT,
                           "%s: %s: the first member can't be aligned to %u bytes", w->op, name,
                           (unsigned)align);
    unsigned char head[GRAFT__ZIP_LOCAL], extra[GRAFT__ZIP_EXTRA64 + GRAFT__ZIP_EXTRA];
    size_t head_size = graft__zip_put_local(head, &w->entry, (uint16_t)padding);
    size_t extra_size = graft__zip_put_local_extra(extra, &w->entry, (uint16_t)padding);
    graft_status st = graft__save_zeros(w->save, (size_t)gap);
    if (st == GRAFT_OK)
        st = graft__save_write(w->save, head, head_size);
    if (st == GRAFT_OK)
        st = graft__save_write(w->save, name, w->entry.name_length);
    if (st == GRAFT_OK)
        st = graft__save_write(w->save, extra, extra_size);
    return st == GRAFT_OK ? write_padding(w, padding) : st;
}

static graft_status begin(graft__zip_writer *w, const char *name, uint64_t size, uint32_t align)
{
    size_t length = strlen(name);
    if (w->open)
        return graft__fail(w->g, GRAFT_ERR_STATE, "%s: %s: the member before it has not ended",
                           w->op, name);
    if (length == 0 || length > GRAFT__ZIP_MAX16)
        return graft__fail(w->g, GRAFT_ERR_ARGUMENT,
                           "%s: a name of %zu bytes: expected 1 to 65,535", w->op, length);
    if (align == 0 || align > MAX_ALIGN || (align & (align - 1)) != 0)
        return graft__fail(w->g, GRAFT_ERR_ARGUMENT,
                           "%s: %s: alignment %u: expected a power of two of 1 to %d", w->op, name,
                           (unsigned)align, MAX_ALIGN);
    w->entry = (graft__zip_entry){
        .header = graft__save_offset(w->save),
        .size = size,
        .name_length = (uint16_t)length,
    };
    graft_status st = write_header(w, name, align);
    if (st == GRAFT_OK)
        st = add_record(w, name);
    w->left = size;
    w->open = st == GRAFT_OK;
    return st;
}

graft_status graft__zip_begin(graft__zip_writer *w, const char *name, uint64_t size, uint32_t align)
{
    if (w->status == GRAFT_OK)
        w->status = begin(w, name, size, align);
    return w->status;
}

/* The name of the open member, for errors. */
static const char *open_name(const graft__zip_writer *w)
{
    return (const char *)w->record + GRAFT__ZIP_CENTRAL;
}

static graft_status fail_size(graft__zip_writer *w, uint64_t size)
{
    return graft__fail(w->g, GRAFT_ERR_STATE, "%s: %.*s: %llu bytes: expected %llu", w->op,
                       w->entry.name_length, open_name(w), (unsigned long long)size,
                       (unsigned long long)w->entry.size);
}

static graft_status write_chunks(graft__zip_writer *w, const unsigned char *p, size_t size)
{
    while (size > 0) {
        size_t n = size < CHUNK ? size : CHUNK;
        w->entry.crc = graft__crc32(w->entry.crc, p, n);
        graft_status st = graft__save_write(w->save, p, n);
        if (st != GRAFT_OK)
            return st;
        w->left -= n;
        p += n;
        size -= n;
    }
    return GRAFT_OK;
}

graft_status graft__zip_write(graft__zip_writer *w, const void *bytes, size_t size)
{
    if (w->status != GRAFT_OK)
        return w->status;
    if (!w->open)
        w->status = graft__fail(w->g, GRAFT_ERR_STATE, "%s: bytes of no member", w->op);
    else if (size > w->left)
        w->status = fail_size(w, w->entry.size - w->left + size);
    else
        w->status = write_chunks(w, bytes, size);
    return w->status;
}

static graft_status end(graft__zip_writer *w)
{
    if (!w->open)
        return graft__fail(w->g, GRAFT_ERR_STATE, "%s: the end of no member", w->op);
    if (w->left > 0)
        return fail_size(w, w->entry.size - w->left);
    unsigned char descriptor[GRAFT__ZIP_DESCRIPTOR64];
    size_t size = graft__zip_put_descriptor(descriptor, &w->entry);
    graft__zip_patch_central(w->record, w->entry.crc);
    w->open = false;
    return graft__save_write(w->save, descriptor, size);
}

graft_status graft__zip_end(graft__zip_writer *w)
{
    if (w->status == GRAFT_OK)
        w->status = end(w);
    return w->status;
}

uint32_t graft__zip_crc(const graft__zip_writer *w)
{
    return w->entry.crc;
}

static graft_status write_directory(graft__zip_writer *w)
{
    if (w->open)
        return graft__fail(w->g, GRAFT_ERR_STATE, "%s: %.*s: the last member has not ended", w->op,
                           w->entry.name_length, open_name(w));
    unsigned char ends[GRAFT__ZIP_ENDS];
    size_t size = graft__zip_put_ends(ends, w->count, graft__save_offset(w->save), w->size);
    graft_status st = GRAFT_OK;
    for (const block *b = w->first; b && st == GRAFT_OK; b = b->next)
        st = graft__save_write(w->save, b->bytes, b->used);
    return st == GRAFT_OK ? graft__save_write(w->save, ends, size) : st;
}

graft_status graft__zip_finish(graft__zip_writer *w)
{
    if (w->status == GRAFT_OK)
        w->status = write_directory(w);
    graft_status st = w->status;
    graft__zip_writer_free(w);
    return st;
}
