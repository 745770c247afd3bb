#include "zip_maker.h"

#include "file/crc.h"
#include "file/zip_record.h"

static void put(zip_maker *z, uint64_t value, unsigned width)
{
    assert_true(z->size + width <= sizeof z->bytes);
    zip_maker_poke(z, z->size, value, width);
    z->size += width;
}

static void put_text(zip_maker *z, const char *text)
{
    const size_t n = strlen(text);
    assert_true(z->size + n <= sizeof z->bytes);
    memcpy(z->bytes + z->size, text, n);
    z->size += n;
}

void zip_maker_poke(zip_maker *z, size_t at, uint64_t value, unsigned width)
{
    for (unsigned i = 0; i < width; i++)
        z->bytes[at + i] = (unsigned char)(value >> 8 * i);
}

uint64_t zip_maker_peek(const zip_maker *z, size_t at, unsigned width)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < width; i++)
        value |= (uint64_t)z->bytes[at + i] << 8 * i;
    return value;
}

zip_maker *zip_maker_new(const char *front)
{
    zip_maker *z = calloc(1, sizeof *z);
    assert_non_null(z);
    put_text(z, front);
    z->base = z->size;
    return z;
}

static bool later(int kind)
{
    return kind & (ZIP_LATER | ZIP_LATER64);
}

static unsigned flags_of(int kind)
{
    return later(kind) ? GRAFT__ZIP_FLAG_DESCRIPTOR : 0;
}

static unsigned method_of(int kind)
{
    return kind & ZIP_DEFLATE ? GRAFT__ZIP_DEFLATED : GRAFT__ZIP_STORED;
}

static uint32_t crc_of(const char *data)
{
    return graft__crc32(0, data, strlen(data));
}

static void put_local(zip_maker *z, const char *name, const char *data, int kind, size_t stored)
{
    const bool wide = kind & (ZIP_WIDE | ZIP_WIDE_LOCAL), hidden = later(kind);
    const uint64_t sizes[2] = {hidden ? 0 : strlen(data), hidden ? 0 : stored};
    put(z, GRAFT__ZIP_SIGN_LOCAL, 4);
    put(z, wide ? 45 : 20, 2);
    put(z, flags_of(kind), 2);
    put(z, method_of(kind), 2);
    put(z, 0, 4);
    put(z, hidden ? 0 : crc_of(data), 4);
    put(z, wide ? GRAFT__ZIP_MAX32 : sizes[1], 4);
    put(z, wide ? GRAFT__ZIP_MAX32 : sizes[0], 4);
    put(z, strlen(name), 2);
    put(z, wide ? 20 : 0, 2);
    put_text(z, name);
    if (wide) {
        put(z, GRAFT__ZIP_KIND_64, 2);
        put(z, 16, 2);
        put(z, sizes[0], 8);
        put(z, sizes[1], 8);
    }
}

void zip_maker_add(zip_maker *z, const char *name, const char *data, int kind)
{
    const size_t size = strlen(data), stored = size + (kind & ZIP_DEFLATE ? 5 : 0);
    assert_true(z->count < ZIP_MAKER_MEMBERS);
    const int i = z->count++;
    z->member[i].name = name;
    z->member[i].data = data;
    z->member[i].kind = kind;
    z->member[i].stored = stored;
    z->member[i].local = z->size;
    put_local(z, name, data, kind, stored);
    z->member[i].payload = z->size;
    if (kind & ZIP_DEFLATE) {
        put(z, 1, 1); /* the last block, stored */
        put(z, size, 2);
        put(z, ~size, 2);
    }
    put_text(z, data);
    if (later(kind)) {
        const unsigned width = kind & ZIP_LATER64 ? 8 : 4;
        put(z, GRAFT__ZIP_SIGN_DESCRIPTOR, 4);
        put(z, crc_of(data), 4);
        put(z, stored, width);
        put(z, size, width);
    }
}

static void put_central(zip_maker *z, int i)
{
    const int kind = z->member[i].kind;
    const bool wide = kind & ZIP_WIDE;
    const uint64_t numbers[3] = {strlen(z->member[i].data), z->member[i].stored,
                                 z->member[i].local - z->base};
    z->member[i].central = z->size;
    put(z, GRAFT__ZIP_SIGN_CENTRAL, 4);
    put(z, 0x031e, 2);
    put(z, wide ? 45 : 20, 2);
    put(z, flags_of(kind), 2);
    put(z, method_of(kind), 2);
    put(z, 0, 4);
    put(z, crc_of(z->member[i].data), 4);
    put(z, wide ? GRAFT__ZIP_MAX32 : numbers[1], 4);
    put(z, wide ? GRAFT__ZIP_MAX32 : numbers[0], 4);
    put(z, strlen(z->member[i].name), 2);
    put(z, wide ? 6 + 28 : 0, 2);
    put(z, 0, 2); /* comment */
    put(z, 0, 2); /* disk */
    put(z, 0, 6);
    put(z, wide ? GRAFT__ZIP_MAX32 : numbers[2], 4);
    put_text(z, z->member[i].name);
    if (wide) {
        put(z, 0x5455, 2); /* something else first: a time */
        put(z, 2, 2);
        put(z, 0, 2);
        put(z, GRAFT__ZIP_KIND_64, 2);
        put(z, 24, 2);
        for (int n = 0; n < 3; n++)
            put(z, numbers[n], 8);
    }
}

static void put_end64(zip_maker *z, size_t size)
{
    z->end64 = z->size;
    put(z, GRAFT__ZIP_SIGN_END64, 4);
    put(z, 44, 8);
    put(z, 45, 2);
    put(z, 45, 2);
    put(z, 0, 8); /* disks */
    put(z, (uint64_t)z->count, 8);
    put(z, (uint64_t)z->count, 8);
    put(z, size, 8);
    put(z, z->directory - z->base, 8);
    z->locator = z->size;
    put(z, GRAFT__ZIP_SIGN_LOCATOR, 4);
    put(z, 0, 4);
    put(z, z->end64 - z->base, 8);
    put(z, 1, 4);
}

void zip_maker_finish(zip_maker *z, bool wide, const char *comment)
{
    z->directory = z->size;
    for (int i = 0; i < z->count; i++)
        put_central(z, i);
    const size_t size = z->size - z->directory;
    if (wide)
        put_end64(z, size);
    z->end = z->size;
    put(z, GRAFT__ZIP_SIGN_END, 4);
    put(z, 0, 4); /* disks */
    put(z, wide ? GRAFT__ZIP_MAX16 : (uint64_t)z->count, 2);
    put(z, wide ? GRAFT__ZIP_MAX16 : (uint64_t)z->count, 2);
    put(z, wide ? GRAFT__ZIP_MAX32 : size, 4);
    put(z, wide ? GRAFT__ZIP_MAX32 : z->directory - z->base, 4);
    put(z, strlen(comment), 2);
    put_text(z, comment);
}

static graft_status open_bytes(graft_ctx *g, const void *bytes, size_t size, zip_reading *z,
                               graft_status (*open)(graft__reading *r, graft__zip *zip))
{
    memset(z, 0, sizeof *z);
    z->r = (graft__reading){
        .g = g,
        .op = "load",
        .path = "a.zip",
        .options = graft_read_defaults(),
        .memory_left = 1 << 20,
        .total = size,
        .source = graft__source_copy(g, "load", bytes, size),
    };
    if (!z->r.source)
        return GRAFT_ERR_MEMORY;
    const graft_status st = open(&z->r, &z->zip);
    if (st != GRAFT_OK)
        assert_null(z->zip.member);
    return st;
}

graft_status zip_open_bytes(graft_ctx *g, const void *bytes, size_t size, zip_reading *z)
{
    return open_bytes(g, bytes, size, z, graft__zip_open);
}

graft_status zip_open_lazily(graft_ctx *g, const void *bytes, size_t size, zip_reading *z)
{
    return open_bytes(g, bytes, size, z, graft__zip_open_lazily);
}

void zip_close_bytes(zip_reading *z)
{
    graft__zip_close(&z->zip);
    graft__source_unref(z->r.source);
    z->r.source = NULL;
}

void assert_zip_member(zip_reading *z, const char *name, const char *data)
{
    const graft__zip_member *m = graft__zip_find(&z->zip, name, strlen(name));
    if (!m)
        fail_msg("there is no member '%s'", name);
    graft__zip_bytes b;
    if (graft__zip_read(&z->r, m, &b) != GRAFT_OK)
        fail_msg("'%s': %s", name, graft_error(z->r.g));
    assert_int_equal(b.size, strlen(data));
    assert_memory_equal(b.bytes, data, b.size);
    assert_int_equal(b.block != NULL, m->deflated);
    graft__zip_release(z->r.g, &b);
}
