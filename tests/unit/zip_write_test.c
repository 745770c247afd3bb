/* The ZIP writer: PyTorch's bytes, what it wrote read back, and numbers beyond 32 bits. */
#include "zip_maker.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/save.h"
#include "failing_allocator.h"
#include "file/zip_record.h"
#include "fixture.h"
#include "folder.h"

typedef struct part {
    const char *name;
    const void *bytes;
    size_t size;
    uint32_t align;
} part;

static graft_status write_parts(graft__zip_writer *w, const part *p, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        graft__zip_begin(w, p[i].name, p[i].size, p[i].align);
        const size_t half = p[i].size / 2; /* in two pieces, one of which may be empty */
        graft__zip_write(w, p[i].bytes, half);
        graft__zip_write(w, (const char *)p[i].bytes + half, p[i].size - half);
        graft__zip_end(w);
    }
    return graft__zip_finish(w);
}

static graft_status write_file(graft_ctx *g, const char *path, const part *p, size_t count)
{
    graft__save *s = graft__save_begin(g, "save", path);
    graft__zip_writer *w = graft__zip_writer_new(g, "save", s);
    const graft_status st = w ? write_parts(w, p, count) : graft_error_status(g);
    if (s && st == GRAFT_OK)
        return graft__save_commit(s, false);
    graft__save_abort(s);
    return st;
}

/* ---- PyTorch's bytes ---- */

/* What PyTorch 1.13.1 writes for these members: PyTorchFileWriter("t.pt"), write_record("x",
 * b"bytes", 5), write_record("none", b"", 0), write_end_of_file(). */
static const part torch_parts[] = {
    {"t/x", "bytes", 5, 64}, {"t/none", "", 0, 64}, {"t/version", "3\n", 2, 64}};
static const unsigned char torch_bytes[] = {
    0x50, 0x4b, 0x03, 0x04, 0x00, 0x00, 0x08, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0x00, 0x1f, 0x00, 0x74, 0x2f,
    0x78, 0x46, 0x42, 0x1b, 0x00, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a,
    0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a,
    0x62, 0x79, 0x74, 0x65, 0x73, 0x50, 0x4b, 0x07, 0x08, 0xce, 0x43, 0x99, 0xb1, 0x05, 0x00, 0x00,
    0x00, 0x05, 0x00, 0x00, 0x00, 0x50, 0x4b, 0x03, 0x04, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x06,
    0x00, 0x07, 0x00, 0x74, 0x2f, 0x6e, 0x6f, 0x6e, 0x65, 0x46, 0x42, 0x03, 0x00, 0x5a, 0x5a, 0x5a,
    0x50, 0x4b, 0x03, 0x04, 0x00, 0x00, 0x08, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x09, 0x00, 0x19, 0x00, 0x74, 0x2f,
    0x76, 0x65, 0x72, 0x73, 0x69, 0x6f, 0x6e, 0x46, 0x42, 0x15, 0x00, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a,
    0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a,
    0x33, 0x0a, 0x50, 0x4b, 0x07, 0x08, 0xd1, 0x9e, 0x67, 0x55, 0x02, 0x00, 0x00, 0x00, 0x02, 0x00,
    0x00, 0x00, 0x50, 0x4b, 0x01, 0x02, 0x00, 0x00, 0x00, 0x00, 0x08, 0x08, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0xce, 0x43, 0x99, 0xb1, 0x05, 0x00, 0x00, 0x00, 0x05, 0x00, 0x00, 0x00, 0x03, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x74, 0x2f, 0x78, 0x50, 0x4b, 0x01, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x06,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x55, 0x00, 0x00,
    0x00, 0x74, 0x2f, 0x6e, 0x6f, 0x6e, 0x65, 0x50, 0x4b, 0x01, 0x02, 0x00, 0x00, 0x00, 0x00, 0x08,
    0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xd1, 0x9e, 0x67, 0x55, 0x02, 0x00, 0x00, 0x00, 0x02,
    0x00, 0x00, 0x00, 0x09, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x80, 0x00, 0x00, 0x00, 0x74, 0x2f, 0x76, 0x65, 0x72, 0x73, 0x69, 0x6f, 0x6e, 0x50, 0x4b,
    0x06, 0x06, 0x2c, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x1e, 0x03, 0x2d, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x9c, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xd2, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x50, 0x4b, 0x06, 0x07, 0x00, 0x00, 0x00, 0x00, 0x6e, 0x01,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x50, 0x4b, 0x05, 0x06, 0x00, 0x00,
    0x00, 0x00, 0x03, 0x00, 0x03, 0x00, 0x9c, 0x00, 0x00, 0x00, 0xd2, 0x00, 0x00, 0x00, 0x00, 0x00,
};

static void test_torch(void **state)
{
    fixture *f = *state;
    assert_int_equal(write_file(f->g, f->path, torch_parts, 3), GRAFT_OK);
    assert_true(file_is(f->path, torch_bytes, sizeof torch_bytes));
    zip_reading r;
    assert_int_equal(zip_open_bytes(f->g, torch_bytes, sizeof torch_bytes, &r), GRAFT_OK);
    assert_int_equal(r.zip.count, 3);
    for (int i = 0; i < 3; i++)
        assert_zip_member(&r, torch_parts[i].name, torch_parts[i].bytes);
    zip_close_bytes(&r);
}

/* ---- There and back ---- */

static void assert_parts(graft_ctx *g, const char *path, const part *p, size_t count)
{
    graft__reading r = {.g = g,
                        .op = "load",
                        .path = path,
                        .options = graft_read_defaults(),
                        .memory_left = 1 << 20,
                        .source = graft__source_open(g, "load", path, true)};
    assert_non_null(r.source);
    graft__zip zip, whole, lost;
    assert_int_equal(graft__zip_open(&r, &zip), GRAFT_OK);
    assert_int_equal(zip.count, count);
    for (size_t i = 0; i < count; i++) {
        const graft__zip_member *m = &zip.member[i];
        assert_int_equal(m->name_length, strlen(p[i].name));
        assert_memory_equal(m->name, p[i].name, m->name_length);
        assert_int_equal(m->offset % p[i].align, 0);
        graft__zip_bytes b;
        assert_int_equal(graft__zip_read(&r, m, &b), GRAFT_OK);
        assert_int_equal(b.size, p[i].size);
        assert_memory_equal(b.bytes, p[i].bytes, b.size);
        graft__zip_release(g, &b);
    }
    assert_int_equal(graft__zip_scan(&r, &whole, &lost), GRAFT_OK); /* without the directory */
    assert_int_equal(whole.count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(whole.member[i].offset, zip.member[i].offset);
    assert_int_equal(lost.count, 0);
    graft__zip_close(&whole);
    graft__zip_close(&lost);
    graft__zip_close(&zip);
    graft__source_unref(r.source);
}

static void test_there_and_back(void **state)
{
    fixture *f = *state;
    enum { LARGE = 700001 };
    unsigned char *large = malloc(LARGE);
    assert_non_null(large);
    for (size_t i = 0; i < LARGE; i++)
        large[i] = (unsigned char)(i * 31 + i / 251);
    const part parts[] = {{"a/data.pkl", "pickle", 6, 64},
                          {"a/1", large, 1, 1},
                          {"a/large", large, LARGE, 64},
                          {"a/page", large, 4096, 4096},
                          {"a/none", "", 0, 64},
                          {"a/64k", large, 63, 65536},
                          {"a/mega", large, 64, 1 << 20},
                          {"a/no mega", "", 0, 1 << 20},
                          {"a/2", large, 65, 2},
                          {"\xC3\xA9", large, 3, 64},
                          {"a/half", large, 300000, 1 << 19}};
    enum { COUNT = sizeof parts / sizeof *parts };
    for (size_t count = 0; count <= COUNT; count++) {
        assert_int_equal(write_file(f->g, f->path, parts, count), GRAFT_OK);
        assert_parts(f->g, f->path, parts, count);
    }
    free(large);
}

/* The same members give the same bytes. */
static void test_same_bytes(void **state)
{
    fixture *f = *state;
    assert_int_equal(write_file(f->g, f->path, torch_parts, 2), GRAFT_OK);
    size_t size = 0;
    unsigned char *first = file_get(f->path, &size);
    assert_int_equal(write_file(f->g, f->path, torch_parts, 2), GRAFT_OK);
    assert_true(file_is(f->path, first, size));
    free(first);
}

/* More members than the end record's 16 bits count. */
static void test_many(void **state)
{
    fixture *f = *state;
    const size_t many = test_quick() ? 300 : 70000;
    graft__save *s = graft__save_begin(f->g, "save", f->path);
    graft__zip_writer *w = graft__zip_writer_new(f->g, "save", s);
    char name[32];
    for (size_t i = 0; i < many; i++) {
        snprintf(name, sizeof name, "a/data/%zu", i);
        graft__zip_begin(w, name, i % 2, 1);
        graft__zip_write(w, "x", i % 2);
        graft__zip_end(w);
    }
    assert_int_equal(graft__zip_finish(w), GRAFT_OK);
    assert_int_equal(graft__save_commit(s, false), GRAFT_OK);
    graft__reading r = {.g = f->g, .op = "load", .path = "a.pt", .memory_left = 1 << 30};
    r.source = graft__source_open(f->g, "load", f->path, true);
    graft__zip zip;
    assert_int_equal(graft__zip_open(&r, &zip), GRAFT_OK);
    assert_int_equal(zip.count, many);
    const int length = snprintf(name, sizeof name, "a/data/%zu", many - 1);
    assert_ptr_equal(graft__zip_find(&zip, name, (size_t)length), &zip.member[many - 1]);
    graft__zip_close(&zip);
    graft__source_unref(r.source);
}

/* ---- Misuse ---- */

typedef void misuse(graft__zip_writer *w);

static void two_at_once(graft__zip_writer *w)
{
    graft__zip_begin(w, "one", 1, 1);
    graft__zip_begin(w, "two", 1, 1);
}

static void too_many_bytes(graft__zip_writer *w)
{
    graft__zip_begin(w, "one", 5, 1);
    graft__zip_write(w, "123", 3);
    graft__zip_write(w, "456", 3);
}

static void too_few_bytes(graft__zip_writer *w)
{
    graft__zip_begin(w, "one", 5, 1);
    graft__zip_write(w, "123", 3);
    graft__zip_end(w);
}

static void bytes_outside(graft__zip_writer *w)
{
    graft__zip_write(w, "123", 3);
}

static void end_outside(graft__zip_writer *w)
{
    graft__zip_end(w);
}

static void no_end(graft__zip_writer *w)
{
    graft__zip_begin(w, "one", 0, 1);
}

static void no_name(graft__zip_writer *w)
{
    graft__zip_begin(w, "", 0, 1);
}

static void long_name(graft__zip_writer *w)
{
    char *name = malloc(70000);
    assert_non_null(name);
    memset(name, 'n', 69999);
    name[69999] = 0;
    graft__zip_begin(w, name, 0, 1);
    free(name);
}

static void align_3(graft__zip_writer *w)
{
    graft__zip_begin(w, "one", 0, 3);
}

static void align_0(graft__zip_writer *w)
{
    graft__zip_begin(w, "one", 0, 0);
}

static void align_2_mega(graft__zip_writer *w)
{
    graft__zip_begin(w, "one", 0, 2 << 20);
}

static void align_first(graft__zip_writer *w)
{
    graft__zip_begin(w, "one", 0, 1 << 20);
}

static void test_misuse(void **state)
{
    fixture *f = *state;
    const struct {
        misuse *use;
        graft_status status;
        const char *text;
    } cases[] = {
        {two_at_once, GRAFT_ERR_STATE, "save: two: the member before it has not ended"},
        {too_many_bytes, GRAFT_ERR_STATE, "save: one: 6 bytes: expected 5"},
        {too_few_bytes, GRAFT_ERR_STATE, "save: one: 3 bytes: expected 5"},
        {bytes_outside, GRAFT_ERR_STATE, "save: bytes of no member"},
        {end_outside, GRAFT_ERR_STATE, "save: the end of no member"},
        {no_end, GRAFT_ERR_STATE, "save: one: the last member has not ended"},
        {no_name, GRAFT_ERR_ARGUMENT, "save: a name of 0 bytes: expected 1 to 65,535"},
        {long_name, GRAFT_ERR_ARGUMENT, "save: a name of 69999 bytes: expected 1 to 65,535"},
        {align_3, GRAFT_ERR_ARGUMENT,
         "save: one: alignment 3: expected a power of two of 1 to 1048576"},
        {align_0, GRAFT_ERR_ARGUMENT,
         "save: one: alignment 0: expected a power of two of 1 to 1048576"},
        {align_2_mega, GRAFT_ERR_ARGUMENT,
         "save: one: alignment 2097152: expected a power of two of 1 to 1048576"},
        {align_first, GRAFT_ERR_ARGUMENT,
         "save: one: the first member can't be aligned to 1048576 bytes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        graft__save *s = graft__save_begin(f->g, "save", f->path);
        graft__zip_writer *w = graft__zip_writer_new(f->g, "save", s);
        assert_non_null(w);
        cases[i].use(w);
        const bool failed = graft_error(f->g);
        if (failed) { /* and so does whatever follows */
            assert_int_equal(graft__zip_begin(w, "more", 0, 1), cases[i].status);
            assert_int_equal(graft__zip_write(w, "", 0), cases[i].status);
            assert_int_equal(graft__zip_end(w), cases[i].status);
        }
        assert_int_equal(graft__zip_finish(w), cases[i].status);
        assert_error(f->g, cases[i].status, cases[i].text);
        graft__save_abort(s);
    }
    assert_null(graft__zip_writer_new(f->g, "save", NULL));
    graft__zip_writer_free(NULL);
}

static void write_it(void *user, failing_allocator *a)
{
    graft_ctx *g = failing_allocator_open(a);
    if (!g)
        return;
    part parts[40]; /* enough for the directory to grow */
    for (int i = 0; i < 40; i++)
        parts[i] = (part){"a name of some length, as names are", "bytes", 5, 64};
    if (write_file(g, user, parts, 40) != GRAFT_OK)
        assert_int_equal(graft_error_status(g), GRAFT_ERR_MEMORY);
    graft_close(g);
}

static void test_without_memory(void **state)
{
    fixture *f = *state;
    failing_allocator_sweep(write_it, f->path);
}

/* ---- Beyond 32 bits ---- */

#define GIB ((uint64_t)1 << 30)

static void assert_encodes(size_t size, const unsigned char *got, const char *expected,
                           size_t expected_size)
{
    assert_int_equal(size, expected_size);
    assert_memory_equal(got, expected, size);
}

static void test_descriptors(void **state)
{
    (void)state;
    unsigned char out[GRAFT__ZIP_DESCRIPTOR64];
    const char short_one[] = "PK\7\10\x44\x33\x22\x11\xfe\xff\xff\xff\xfe\xff\xff\xff";
    const char large[] = "PK\7\10\x44\x33\x22\x11"
                         "\xff\xff\xff\xff\0\0\0\0\xff\xff\xff\xff\0\0\0";
    const char far[] = "PK\7\10\x44\x33\x22\x11\5\0\0\0\0\0\0\0\5\0\0\0\0\0\0";
    graft__zip_entry e = {.crc = 0x11223344};
    assert_int_equal(graft__zip_put_descriptor(out, &e), 0);
    e.size = 0xfffffffe;
    assert_encodes(graft__zip_put_descriptor(out, &e), out, short_one, 16);
    e.size++;
    assert_encodes(graft__zip_put_descriptor(out, &e), out, large, 24);
    e.size = 5;
    e.header = 0xffffffff;
    assert_encodes(graft__zip_put_descriptor(out, &e), out, far, 24);
}

static void test_extras(void **state)
{
    (void)state;
    unsigned char out[GRAFT__ZIP_EXTRA64 + GRAFT__ZIP_EXTRA];
    const char small[] = "FB\7";
    const char large[] = "\1\0\20\0\0\0\0\0\2\0\0\0\0\0\0\0\2\0\0";
    const char far[] = "\1\0\10\0\0\0\0\0\3\0\0";
    const char both[] = "\1\0\30\0\0\0\0\0\2\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\3\0\0\0FB\7";
    graft__zip_entry e = {.size = 0xfffffffe, .header = 0xfffffffe};
    assert_int_equal(graft__zip_put_central_extra(out, &e), 0);
    assert_encodes(graft__zip_put_local_extra(out, &e, 7), out, small, 4);
    e = (graft__zip_entry){.size = 8 * GIB};
    assert_encodes(graft__zip_put_central_extra(out, &e), out, large, 20);
    e = (graft__zip_entry){.header = 12 * GIB};
    assert_encodes(graft__zip_put_central_extra(out, &e), out, far, 12);
    e.size = 8 * GIB;
    assert_encodes(graft__zip_put_central_extra(out, &e), out, both, 28);
    assert_encodes(graft__zip_put_local_extra(out, &e, 7), out, both, 32);
    e.name_length = 10;
    assert_int_equal(graft__zip_local_size(&e), 30 + 10 + 28 + 4);
}

static void put_at(int fd, const void *bytes, size_t size, uint64_t at)
{
    assert_int_equal(pwrite(fd, bytes, size, (off_t)at), size);
}

/* A local header with its name, at most 64 bytes of it. */
static void put_local_at(int fd, const graft__zip_entry *e, const char *name)
{
    unsigned char out[256];
    size_t size = graft__zip_put_local(out, e, 0);
    memcpy(out + size, name, e->name_length);
    size += e->name_length;
    size += graft__zip_put_local_extra(out + size, e, 0);
    put_at(fd, out, size, e->header);
}

/* A file of 9 GiB with holes instead of tensors: members that are large, far behind, and both. */
static void test_sparse(void **state)
{
    fixture *f = *state;
    graft__zip_entry e[] = {
        {.size = 5 * GIB, .name_length = 5},
        {.size = 2, .crc = 0x55679ed1, .name_length = 5},
        {.size = 0xffffffff, .name_length = 5},
        {.size = 0, .name_length = 5},
    };
    static const char *const entry_names[] = {"large", "faraw", "both.", "empty"};
    enum { COUNT = sizeof e / sizeof *e };
    const int fd = open(f->path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    unsigned char out[1024];
    uint64_t at = 0, data[COUNT];
    for (int i = 0; i < COUNT; i++) {
        e[i].header = at;
        put_local_at(fd, &e[i], entry_names[i]);
        data[i] = at + graft__zip_local_size(&e[i]);
        at = data[i] + e[i].size;
        const size_t n = graft__zip_put_descriptor(out, &e[i]);
        put_at(fd, out, n, at);
        at += n;
    }
    put_at(fd, "3\n", 2, data[1]);
    size_t size = 0;
    for (int i = 0; i < COUNT; i++) {
        size += graft__zip_put_central(out + size, &e[i]);
        memcpy(out + size, entry_names[i], 5);
        size += 5;
        size += graft__zip_put_central_extra(out + size, &e[i]);
    }
    size_t ends = graft__zip_put_ends(out + size, COUNT, at, size);
    put_at(fd, out, size + ends, at);
    close(fd);

    graft__reading r = {.g = f->g, .op = "load", .path = f->path, .memory_left = 1 << 20};
    r.source = graft__source_open(f->g, "load", f->path, true);
    assert_non_null(r.source);
    assert_true(r.source->mapped);
    graft__zip zip;
    if (graft__zip_open(&r, &zip) != GRAFT_OK)
        fail_msg("%s", graft_error(f->g));
    assert_int_equal(zip.count, COUNT);
    for (int i = 0; i < COUNT; i++) {
        assert_true(zip.member[i].size == e[i].size);
        assert_true(zip.member[i].header == e[i].header);
        assert_true(zip.member[i].offset == data[i]);
    }
    graft__zip_bytes b;
    assert_int_equal(graft__zip_read(&r, &zip.member[1], &b), GRAFT_OK);
    assert_memory_equal(b.bytes, "3\n", 2);
    graft__zip_close(&zip);
    graft__source_unref(r.source);
    unlink(f->path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_torch, fixture_open, fixture_check),
        cmocka_unit_test_setup_teardown(test_there_and_back, fixture_open, fixture_check),
        cmocka_unit_test_setup_teardown(test_same_bytes, fixture_open, fixture_check),
        cmocka_unit_test_setup_teardown(test_many, fixture_open, fixture_check),
        cmocka_unit_test_setup_teardown(test_misuse, fixture_open, fixture_check),
        cmocka_unit_test_setup_teardown(test_without_memory, fixture_open, fixture_check),
        cmocka_unit_test(test_descriptors),
        cmocka_unit_test(test_extras),
        cmocka_unit_test_setup_teardown(test_sparse, fixture_open, fixture_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
