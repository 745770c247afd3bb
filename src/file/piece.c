/* Bytes of a file that become the bytes of a storage: as they lie there, or when they are first
 * used, after what has to be done to them. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/ctx.h"
#include "file/crc.h"
#include "file/inflate.h"
#include "file/reading.h"
#include "file/sha256.h"
#include "file/zip.h"

/* What is known of a piece after the reading is over. It and what it points to, but for sha256,
 * live as long as the source, which it holds. */
typedef struct supply {
    graft__supply base;
    graft__buffer buffer; /* of the storage */
    graft__source *source;
    graft__piece piece;
    size_t block_size; /* of the bytes where they had to be made; 0: they lie in the source */
    bool lost;
    bool checked;          /* the checksums were found right, or there are none */
    uint32_t crc;          /* of bytes that were read so far, */
    uint64_t summed;       /* so many, counted from the first that is skipped */
    graft__sha256 *sha256; /* a block of the source's allocator; NULL: not begun */
    const char *path;
} supply;

/* ---- Faults ---- */

static void fault(const supply *s, graft_ctx *g, graft_fault what, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void fault(const supply *s, graft_ctx *g, graft_fault what, const char *format, ...)
{
    char name[256];
    const size_t length = s->piece.member_length;
    if (length > 0)
        snprintf(name, sizeof name, "%.*s", (int)(length < sizeof name ? length : sizeof name),
                 s->piece.member);
    const graft__where where = {"load", s->path, length > 0 ? name : s->piece.member, -1};
    va_list args;
    va_start(args, format);
    graft__fault_at(g, &where, what, format, args);
    va_end(args);
}

/* ---- Making the bytes ---- */

/* Finds the data of a ZIP's member, the first time that it is wanted. */
static bool locate(supply *s, graft_ctx *g)
{
    if (s->piece.room == 0)
        return true;
    graft__reading r = {.g = g, .op = "load", .path = s->path, .source = s->source};
    return graft__zip_locate_piece(&r, &s->piece) == GRAFT_OK;
}

static bool is_aligned(const void *p, uint32_t align)
{
    return align < 2 || (uintptr_t)p % align == 0;
}

/* Whether the bytes can be used where they lie. */
static bool fits_in_place(const graft__source *source, const graft__piece *p)
{
    return !p->deflated && p->swap == 0 && source->writable && p->room == 0 &&
           is_aligned(source->bytes + p->offset + p->skip, p->align);
}

static void swap_bytes(unsigned char *bytes, size_t size, uint32_t width)
{
    for (size_t i = 0; i + width <= size; i += width) {
        for (uint32_t a = 0, b = width - 1; a < b; a++, b--) {
            const unsigned char t = bytes[i + a];
            bytes[i + a] = bytes[i + b];
            bytes[i + b] = t;
        }
    }
}

static bool unpack(const supply *s, graft_ctx *g, void *out)
{
    const graft__piece *p = &s->piece;
    const unsigned char *in = s->source->bytes + p->offset;
    if (!p->deflated) {
        memcpy(out, in, (size_t)(p->skip + p->size));
        return true;
    }
    switch (graft__inflate(in, (size_t)p->stored, out, (size_t)(p->skip + p->size))) {
    case GRAFT__INFLATED:
        return true;
    case GRAFT__INFLATE_MEMORY:
        graft__fail_memory(g, (size_t)(p->skip + p->size), "load");
        return false;
    case GRAFT__INFLATE_ABSENT:
        fault(s, g, GRAFT_FAULT_UNSUPPORTED,
              "it is deflated, and this build of graft has no libdeflate");
        return false;
    default:
        fault(s, g, GRAFT_FAULT_ZIP_INFLATE, "the deflated data is damaged");
        return false;
    }
}

static bool is_right_crc(const supply *s, graft_ctx *g, uint32_t crc)
{
    const graft__piece *p = &s->piece;
    const uint64_t size = p->skip + p->size;
    if (crc == p->crc)
        return true;
    fault(s, g, GRAFT_FAULT_CHECKSUM,
          "the CRC-32 of its %llu bytes is %08x, the file says %08x: they are damaged",
          (unsigned long long)size, crc, p->crc);
    return false;
}

static bool is_right_hash(const supply *s, graft_ctx *g, graft__sha256 *h)
{
    const graft__piece *p = &s->piece;
    unsigned char hash[GRAFT__SHA256_SIZE];
    graft__sha256_end(h, hash);
    if (memcmp(hash, p->sha256, sizeof hash) == 0)
        return true;
    fault(s, g, GRAFT_FAULT_CHECKSUM,
          "the SHA-256 of its %llu bytes is not the one that the file says: they are damaged",
          (unsigned long long)p->size);
    return false;
}

static bool is_undamaged(supply *s, graft_ctx *g, const void *bytes)
{
    const graft__piece *p = &s->piece;
    if (s->checked)
        return true;
    if (p->has_crc && !is_right_crc(s, g, graft__crc32(0, bytes, (size_t)(p->skip + p->size))))
        return false;
    if (p->sha256) {
        graft__sha256 h;
        graft__sha256_begin(&h);
        graft__sha256_add(&h, bytes, (size_t)p->size);
        if (!is_right_hash(s, g, &h))
            return false;
    }
    s->checked = true;
    return true;
}

/* Bytes of our own: inflated, swapped or moved to an aligned address. What is skipped is there
 * until it is checked. */
static void *make_bytes(supply *s, graft_ctx *g)
{
    const uint64_t all = s->piece.skip + s->piece.size;
    const size_t size = graft__arena_block_size(all > 0 ? (size_t)all : 1);
    const graft_allocator allocator = s->source->allocator;
    void *out = size ? allocator.alloc(allocator.user, size, GRAFT__ALIGN) : NULL;
    if (!out) {
        graft__fail_memory(g, (size_t)all, "load");
        return NULL;
    }
    if (!unpack(s, g, out) || !is_undamaged(s, g, out)) {
        allocator.free(allocator.user, out, size);
        return NULL;
    }
    if (s->piece.skip > 0)
        memmove(out, (unsigned char *)out + s->piece.skip, (size_t)s->piece.size);
    if (s->piece.swap > 1)
        swap_bytes(out, (size_t)s->piece.size, s->piece.swap);
    s->block_size = size;
    return out;
}

static void *fetch(graft__supply *base, graft_ctx *g)
{
    supply *s = (supply *)base;
    if (s->lost) {
        fault(s, g, GRAFT_FAULT_TRUNCATED, "its bytes are not all there");
        return NULL;
    }
    if (!locate(s, g))
        return NULL;
    unsigned char *in_place = (unsigned char *)(uintptr_t)(s->source->bytes + s->piece.offset);
    if (!fits_in_place(s->source, &s->piece))
        return make_bytes(s, g);
    if (!is_undamaged(s, g, in_place))
        return NULL;
    s->base.origin = graft__source_origin(s->source);
    return in_place + s->piece.skip;
}

static void take_back(graft__supply *base, void *data)
{
    supply *s = (supply *)base;
    const graft_allocator allocator = s->source->allocator;
    pthread_mutex_lock(&base->lock);
    const size_t size = s->block_size;
    pthread_mutex_unlock(&base->lock);
    if (size > 0)
        allocator.free(allocator.user, data, size);
    else
        graft__source_forget(s->source, data, (size_t)s->piece.size);
}

/* ---- Reading a piece of the piece ---- */

/* Takes bytes that follow on those that were summed into the checksums; behind the last, compares
 * them. */
static bool sum(supply *s, graft_ctx *g, const void *bytes, size_t size)
{
    const graft__piece *p = &s->piece;
    const graft_allocator allocator = s->source->allocator;
    if (p->sha256 && !s->sha256) {
        s->sha256 = allocator.alloc(allocator.user, sizeof *s->sha256, GRAFT__ALIGN);
        if (!s->sha256) {
            graft__fail_memory(g, sizeof *s->sha256, "load");
            return false;
        }
        graft__sha256_begin(s->sha256);
    }
    if (p->has_crc)
        s->crc = graft__crc32(s->crc, bytes, size);
    if (p->sha256)
        graft__sha256_add(s->sha256, bytes, size);
    s->summed += size;
    if (s->summed < p->skip + p->size)
        return true;
    s->checked = (!p->has_crc || is_right_crc(s, g, s->crc)) &&
                 (!p->sha256 || is_right_hash(s, g, s->sha256));
    if (s->sha256)
        allocator.free(allocator.user, s->sha256, sizeof *s->sha256);
    s->sha256 = NULL;
    if (!s->checked) { /* so that whoever asks again is told again */
        s->summed = 0;
        s->crc = 0;
    }
    return s->checked;
}

/* Sums what lies between that and `end`, counted from the first byte that is skipped. */
static bool sum_up_to(supply *s, graft_ctx *g, uint64_t end)
{
    unsigned char bytes[32 << 10];
    while (!s->checked && s->summed < end) {
        const uint64_t left = end - s->summed;
        const size_t n = left < sizeof bytes ? (size_t)left : sizeof bytes;
        if (!graft__source_read(s->source, g, s->piece.offset + s->summed, bytes, n) ||
            !sum(s, g, bytes, n))
            return false;
    }
    return true;
}

/* In order, the checksums go along with the bytes, and the last are refused if they are wrong; out
 * of order all is summed before. */
static bool read_piece(graft__supply *base, graft_ctx *g, uint64_t begin, void *out, size_t size)
{
    supply *s = (supply *)base;
    const graft__piece *p = &s->piece;
    const uint64_t at = p->skip + begin;
    if (!locate(s, g))
        return false;
    if (begin > p->size || size > p->size - begin) {
        fault(s, g, GRAFT_FAULT_TRUNCATED, "its bytes are not all there");
        return false;
    }
    if (!s->checked && s->summed < p->skip && begin == 0 && !sum_up_to(s, g, p->skip))
        return false;
    const bool in_order = !s->checked && s->summed == at;
    if (!s->checked && !in_order && !sum_up_to(s, g, p->skip + p->size))
        return false;
    if (!graft__source_read(s->source, g, p->offset + at, out, size))
        return false;
    return !in_order || sum(s, g, out, size);
}

/* Whether the bytes are those of the file, be they aligned or not. */
static bool is_plain(graft__source *source, const graft__piece *p)
{
    return graft__source_origin(source) && !p->deflated && p->swap == 0;
}

static void release(void *base, void *data)
{
    supply *s = base;
    const graft_allocator allocator = s->source->allocator;
    if (s->block_size > 0 && data)
        allocator.free(allocator.user, data, s->block_size);
    if (s->sha256)
        allocator.free(allocator.user, s->sha256, sizeof *s->sha256);
    pthread_mutex_destroy(&s->base.lock);
    graft__source_unref(s->source); /* s may go with it */
}

/* ---- Promises ---- */

static const void *keep(graft__source *source, const void *bytes, size_t size)
{
    void *copy = graft__source_room(source, size);
    return copy ? memcpy(copy, bytes, size) : NULL;
}

/* Copies what the piece points to and the source does not hold. */
static bool keep_words(graft__source *source, graft__piece *p)
{
    if (p->member && p->member_length == 0) {
        p->member = keep(source, p->member, strlen(p->member) + 1);
        if (!p->member)
            return false;
    }
    if (!p->sha256)
        return true;
    p->sha256 = keep(source, p->sha256, GRAFT__SHA256_SIZE);
    return p->sha256 != NULL;
}

static supply *supply_new(graft__reading *r, const graft__piece *p)
{
    graft__piece piece = *p;
    const char *path = graft__source_path(r->source, r->path);
    supply *s =
        path && keep_words(r->source, &piece) ? graft__source_room(r->source, sizeof *s) : NULL;
    if (!s) {
        graft__fail_memory(r->g, sizeof *s, "load");
        return NULL;
    }
    *s = (supply){
        .base = {.fetch = fetch, .release = release, .take_back = take_back},
        .source = graft__source_ref(r->source),
        .piece = piece,
        .checked = !piece.has_crc && !piece.sha256,
        .path = path,
    };
    if (is_plain(r->source, &piece))
        s->base.read = read_piece;
    pthread_mutex_init(&s->base.lock, NULL);
    return s;
}

static void release_source(void *source, void *data)
{
    (void)data;
    graft__source_unref(source);
}

static graft__storage *in_place(graft__reading *r, const graft__piece *p)
{
    void *bytes = (void *)(uintptr_t)(r->source->bytes + p->offset + p->skip);
    graft__buffer *room = graft__source_room(r->source, sizeof *room);
    if (!room) {
        graft__fail_memory(r->g, sizeof *room, "load");
        return NULL;
    }
    graft__storage *s =
        graft__storage_supplied_in(r->g, room, bytes, (size_t)p->size, release_source, r->source);
    if (s) {
        graft__source_ref(r->source);
        s->buffer->origin = graft__source_origin(r->source);
    }
    return s;
}

graft__storage *graft__piece_storage(graft__reading *r, const graft__piece *p)
{
    graft__piece piece = *p;
    const bool verify = (p->has_crc || p->sha256) && r->options.verify != GRAFT_VERIFY_NEVER;
    if (!verify) {
        piece.has_crc = false;
        piece.sha256 = NULL;
    }
    if (!verify && fits_in_place(r->source, &piece))
        return in_place(r, &piece);
    supply *waiting = supply_new(r, &piece);
    graft__storage *s =
        waiting ? graft__storage_promise_in(r->g, &waiting->buffer, (size_t)p->size, &waiting->base)
                : NULL;
    if (!s) {
        if (waiting)
            release(waiting, NULL);
        return NULL;
    }
    const bool now = r->options.verify == GRAFT_VERIFY_OPEN;
    if (now && !(graft__storage_ready(s, r->g) && graft__advance(r, p->size))) {
        graft__storage_unref(s);
        return NULL;
    }
    return s;
}

graft__storage *graft__lost_storage(graft__reading *r, uint64_t size, const char *member)
{
    const graft__piece piece = {.size = size, .member = member};
    supply *waiting = supply_new(r, &piece);
    if (!waiting)
        return NULL;
    waiting->lost = true;
    waiting->base.read = NULL;
    graft__storage *s =
        graft__storage_promise_in(r->g, &waiting->buffer, (size_t)size, &waiting->base);
    if (!s)
        release(waiting, NULL);
    return s;
}
