/* ZIP archives as others write them, each thing that may be wrong with one, and what no archive may
 * do to its reader. */
#include "zip_maker.h"

#include <stdio.h>

#include "failing_allocator.h"
#include "file/zip_record.h"

#ifdef GRAFT_DEFLATE
enum { CAN_INFLATE = 1 };
#else
enum { CAN_INFLATE = 0 };
#endif

static const char *const names[] = {"a/data.pkl", "a/data/0", "a/version", "a/empty"};
static const char *const datas[] = {"the pickle", "numbers, numbers, numbers", "3\n", ""};

static zip_maker *make(const char *front, int kind, bool wide, const char *comment)
{
    zip_maker *z = zip_maker_new(front);
    for (int i = 0; i < 4; i++)
        zip_maker_add(z, names[i], datas[i], i == 1 && CAN_INFLATE ? kind | ZIP_DEFLATE : kind);
    zip_maker_finish(z, wide, comment);
    return z;
}

static void assert_opens(const zip_maker *z)
{
    graft_ctx *g = test_open();
    zip_reading r;
    if (zip_open_bytes(g, z->bytes, z->size, &r) != GRAFT_OK)
        fail_msg("%s", graft_error(g));
    assert_int_equal(r.zip.count, z->count);
    for (int i = 0; i < z->count; i++)
        assert_zip_member(&r, z->member[i].name, z->member[i].data);
    for (int i = 0; i < z->count; i++) /* in the directory's order, where they are */
        assert_int_equal(r.zip.member[i].offset, z->member[i].payload);
    zip_reading lazy;
    assert_int_equal(zip_open_lazily(g, z->bytes, z->size, &lazy), GRAFT_OK);
    for (int i = 0; i < z->count; i++) {
        const graft__zip_member *m = &lazy.zip.member[i];
        graft__piece p = graft__zip_piece(m, m->name);
        assert_int_equal(m->offset, 0);
        p.member_length = m->name_length;
        assert_int_equal(graft__zip_locate_piece(&lazy.r, &p), GRAFT_OK);
        assert_int_equal(p.offset, z->member[i].payload);
        assert_zip_member(&lazy, z->member[i].name, z->member[i].data);
    }
    zip_close_bytes(&lazy);
    assert_null(graft__zip_find(&r.zip, "a/versio", 8));
    assert_null(graft__zip_find(&r.zip, "", 0));
    zip_close_bytes(&r);
    assert_no_error(g);
    graft_close(g);
}

static void test_kinds(void **state)
{
    (void)state;
    const int kinds[] = {ZIP_PLAIN,
                         ZIP_LATER,
                         ZIP_LATER64,
                         ZIP_WIDE,
                         ZIP_WIDE_LOCAL,
                         ZIP_WIDE | ZIP_LATER64,
                         ZIP_WIDE | ZIP_LATER,
                         ZIP_WIDE_LOCAL | ZIP_LATER64};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        for (int how = 0; how < 8; how++) {
            zip_maker *z = make(how & 1 ? "something in front" : "", kinds[i], how & 2,
                                how & 4 ? "a comment PK\5\6 that is long enough to look in" : "");
            assert_opens(z);
            free(z);
        }
}

static void test_no_member(void **state)
{
    (void)state;
    for (int wide = 0; wide < 2; wide++) {
        zip_maker *z = zip_maker_new("");
        zip_maker_finish(z, wide, "");
        assert_opens(z);
        free(z);
    }
}

/* The order of the directory need not be that of the file. */
static void test_other_order(void **state)
{
    (void)state;
    zip_maker *z = zip_maker_new("");
    const char *const letters[] = {"d", "b", "a", "c", "e", "h", "f", "g"};
    for (int i = 0; i < 8; i++)
        zip_maker_add(z, letters[i], letters[i], ZIP_PLAIN);
    const int order[] = {5, 0, 7, 2, 1, 6, 4, 3};
    zip_maker mixed = *z;
    for (int i = 0; i < 8; i++)
        mixed.member[i] = z->member[order[i]];
    zip_maker_finish(&mixed, false, "");
    assert_opens(&mixed);
    free(z);
}

/* Data between members and behind them, as after a member was deleted. */
static void test_gaps(void **state)
{
    (void)state;
    zip_maker *z = zip_maker_new("");
    zip_maker_add(z, "one", "1", ZIP_PLAIN);
    z->size += 100;
    zip_maker_add(z, "two", "2", ZIP_PLAIN);
    z->size += 10;
    zip_maker_finish(z, false, "");
    assert_opens(z);
    free(z);
}

/* The longest comment and the end record in it that is none, as its comment would reach too far. */
static void test_long_comment(void **state)
{
    (void)state;
    char comment[20000];
    memset(comment, 'c', sizeof comment);
    comment[sizeof comment - 1] = 0;
    memcpy(comment + 10000, "PK\5\6", 4);
    zip_maker *z = make("", ZIP_PLAIN, true, comment);
    assert_opens(z);
    free(z);
}

/* ---- Faults ---- */

static void assert_told(graft_ctx *g, graft_fault fault, int64_t offset, const char *words)
{
    if (graft_error_fault(g) != fault)
        fail_msg("expected %s: %s", graft_fault_name(fault), graft_error(g));
    assert_int_equal(graft_error_offset(g), offset);
    assert_error_has(g, GRAFT_ERR_FORMAT, words);
}

/* Opened lazily the same is told: when it is opened or when the member is used. */
static void assert_fault_lazily(const zip_maker *z, graft_fault fault, int64_t offset,
                                const char *words, bool by_piece)
{
    graft_ctx *g = test_open();
    zip_reading r;
    graft_status status = zip_open_lazily(g, z->bytes, z->size, &r);
    for (size_t i = 0; i < r.zip.count && status == GRAFT_OK; i++) {
        const graft__zip_member *m = &r.zip.member[i];
        graft__piece p = graft__zip_piece(m, m->name + 1);
        graft__zip_bytes bytes;
        p.member_length = m->name_length - 1;
        p.folder = 1;
        status = by_piece ? graft__zip_locate_piece(&r.r, &p) : graft__zip_read(&r.r, m, &bytes);
        if (status == GRAFT_OK && !by_piece)
            graft__zip_release(g, &bytes);
    }
    assert_int_equal(status, GRAFT_ERR_FORMAT);
    assert_told(g, fault, offset, words);
    zip_close_bytes(&r);
    graft_close(g);
}

static void assert_fault(const zip_maker *z, graft_fault fault, int64_t offset, const char *words)
{
    graft_ctx *g = test_open();
    zip_reading r;
    assert_int_equal(zip_open_bytes(g, z->bytes, z->size, &r), GRAFT_ERR_FORMAT);
    assert_told(g, fault, offset, words);
    zip_close_bytes(&r);
    graft_close(g);
    assert_fault_lazily(z, fault, offset, words, false);
    assert_fault_lazily(z, fault, offset, words, true);
}

/* What a fault's place is counted from. */
typedef enum record { LOCAL, CENTRAL, END64, LOCATOR, END } record;

typedef struct poke {
    record record;
    size_t at; /* within it */
    uint64_t value;
    unsigned width;
    graft_fault fault;
    record where; /* the offset that is told */
    const char *words;
} poke;

/* Of the second member; where END64 or LOCATOR are meant the archive has them. */
static const poke pokes[] = {
    {CENTRAL, 0, 0x04034b50, 4, GRAFT_FAULT_ZIP_DIRECTORY, CENTRAL, "the record of a member"},
    {CENTRAL, 8, 1, 2, GRAFT_FAULT_ZIP_METHOD, CENTRAL, "'a/data/0' is encrypted"},
    {CENTRAL, 8, 1 << 6, 2, GRAFT_FAULT_ZIP_METHOD, CENTRAL, "is encrypted"},
    {CENTRAL, 8, 1 << 13, 2, GRAFT_FAULT_ZIP_METHOD, CENTRAL, "is encrypted"},
    {CENTRAL, 8, 1 << 5, 2, GRAFT_FAULT_ZIP_METHOD, CENTRAL, "is packed by method 0"},
    {CENTRAL, 10, 12, 2, GRAFT_FAULT_ZIP_METHOD, CENTRAL, "is packed by method 12: expected 0"},
    {CENTRAL, 10, 8, 2, GRAFT_FAULT_ZIP_LOCAL, LOCAL, "packed otherwise than the directory"},
    {CENTRAL, 16, 1, 4, GRAFT_FAULT_ZIP_LOCAL, LOCAL, "another checksum"},
    {CENTRAL, 20, 24, 4, GRAFT_FAULT_ZIP_DIRECTORY, CENTRAL, "stored, but its 25 bytes take 24"},
    {CENTRAL, 20, 0xffffffff, 4, GRAFT_FAULT_ZIP_DIRECTORY, CENTRAL, "lacks the ZIP64 field"},
    {CENTRAL, 24, 0xffffffff, 4, GRAFT_FAULT_ZIP_DIRECTORY, CENTRAL, "lacks the ZIP64 field"},
    {CENTRAL, 28, 0xffff, 2, GRAFT_FAULT_ZIP_DIRECTORY, CENTRAL, "reaches out of the directory"},
    {CENTRAL, 28, 0, 2, GRAFT_FAULT_NAME, CENTRAL, "an empty name"},
    {CENTRAL, 30, 0xffff, 2, GRAFT_FAULT_ZIP_DIRECTORY, CENTRAL, "reaches out of the directory"},
    {CENTRAL, 32, 0xffff, 2, GRAFT_FAULT_ZIP_DIRECTORY, CENTRAL, "reaches out of the directory"},
    {CENTRAL, 34, 1, 2, GRAFT_FAULT_UNSUPPORTED, CENTRAL, "in several parts"},
    {CENTRAL, 42, 0xfffffff0, 4, GRAFT_FAULT_OUT_OF_BOUNDS, CENTRAL, "behind the end of"},
    {CENTRAL, 42, 0xffffffff, 4, GRAFT_FAULT_ZIP_DIRECTORY, CENTRAL, "lacks the ZIP64 field"},
    {CENTRAL, 46, '/', 1, GRAFT_FAULT_NAME, CENTRAL, "an absolute name"},
    {CENTRAL, 47, '\\', 1, GRAFT_FAULT_NAME, CENTRAL, "'a\\data/0': a name with a backslash"},
    {CENTRAL, 47, 0, 1, GRAFT_FAULT_NAME, CENTRAL, "'a?data/0': a name with a zero byte"},
    {CENTRAL, 47, 0xC3, 1, GRAFT_FAULT_NAME, CENTRAL, "a name that is not UTF-8"},
    {CENTRAL, 46, 0x2f2e2e, 3, GRAFT_FAULT_NAME, CENTRAL, "a name that leaves its folder"},
    {CENTRAL, 51, 0x2e2e2f, 3, GRAFT_FAULT_NAME, CENTRAL, "a name that leaves its folder"},
    {CENTRAL, 49, 0x2f2e2e2f, 4, GRAFT_FAULT_NAME, CENTRAL, "a name that leaves its folder"},
    {LOCAL, 0, 0x02014b50, 4, GRAFT_FAULT_ZIP_LOCAL, LOCAL, "expected the header of 'a/data/0'"},
    {LOCAL, 6, 1, 2, GRAFT_FAULT_ZIP_LOCAL, LOCAL, "packed otherwise"},
    {LOCAL, 8, 8, 2, GRAFT_FAULT_ZIP_LOCAL, LOCAL, "packed otherwise"},
    {LOCAL, 14, 1, 4, GRAFT_FAULT_ZIP_LOCAL, LOCAL, "other sizes or another checksum"},
    {LOCAL, 18, 24, 4, GRAFT_FAULT_ZIP_LOCAL, LOCAL, "other sizes or another checksum"},
    {LOCAL, 22, 0, 4, GRAFT_FAULT_ZIP_LOCAL, LOCAL, "other sizes or another checksum"},
    {LOCAL, 22, 0xffffffff, 4, GRAFT_FAULT_ZIP_LOCAL, LOCAL, "other sizes"},
    {LOCAL, 26, 7, 2, GRAFT_FAULT_ZIP_LOCAL, LOCAL, "has another name: 'a/data/'"},
    {LOCAL, 26, 0xffff, 2, GRAFT_FAULT_OUT_OF_BOUNDS, LOCAL, "reach into the directory"},
    {LOCAL, 28, 0xffff, 2, GRAFT_FAULT_OUT_OF_BOUNDS, LOCAL, "reach into the directory"},
    {LOCAL, 28, 30, 2, GRAFT_FAULT_ZIP_OVERLAP, LOCAL, "begins within 'a/data/0'"},
    {LOCAL, 30, 'b', 1, GRAFT_FAULT_ZIP_LOCAL, LOCAL, "has another name: 'b/data/0'"},
    {END, 4, 1, 2, GRAFT_FAULT_UNSUPPORTED, END, "in several parts"},
    {END, 6, 1, 2, GRAFT_FAULT_UNSUPPORTED, END, "in several parts"},
    {END, 8, 3, 2, GRAFT_FAULT_UNSUPPORTED, END, "in several parts"},
    {END, 8, 0x00030003, 4, GRAFT_FAULT_ZIP_DIRECTORY, CENTRAL, "behind its 3 members"},
    {END, 8, 0x00050005, 4, GRAFT_FAULT_ZIP_DIRECTORY, END, "5 members: a directory of"},
    {END, 12, 0xffffffff, 4, GRAFT_FAULT_ZIP_DIRECTORY, END, "does not fit before it"},
    {END, 16, 0xffffffff, 4, GRAFT_FAULT_ZIP_DIRECTORY, END, "does not fit before it"},
    {END64, 16, 1, 4, GRAFT_FAULT_ZIP_DIRECTORY, END64, "contradicts the end record"},
    {END64, 20, 1, 4, GRAFT_FAULT_ZIP_DIRECTORY, END64, "contradicts the end record"},
    {END64, 24, 3, 8, GRAFT_FAULT_UNSUPPORTED, END64, "in several parts"},
    {END64, 32, UINT64_MAX, 8, GRAFT_FAULT_UNSUPPORTED, END64, "in several parts"},
    {END64, 40, UINT64_MAX, 8, GRAFT_FAULT_ZIP_DIRECTORY, END64, "does not fit before it"},
    {END64, 48, UINT64_MAX, 8, GRAFT_FAULT_ZIP_DIRECTORY, END64, "does not fit before it"},
    {END64, 48, 0, 8, GRAFT_FAULT_ZIP_DIRECTORY, END64, "does not end where the end record begins"},
    {END64, 0, 0, 4, GRAFT_FAULT_ZIP_END, LOCATOR, "no ZIP64 end record where"},
    {END64, 4, 45, 8, GRAFT_FAULT_ZIP_END, LOCATOR, "no ZIP64 end record where"},
    {LOCATOR, 4, 1, 4, GRAFT_FAULT_UNSUPPORTED, LOCATOR, "in several parts"},
    {LOCATOR, 16, 2, 4, GRAFT_FAULT_UNSUPPORTED, LOCATOR, "in several parts"},
    {LOCATOR, 8, UINT64_MAX, 8, GRAFT_FAULT_ZIP_END, LOCATOR, "no ZIP64 end record where"},
    {LOCATOR, 8, 0, 8, GRAFT_FAULT_ZIP_DIRECTORY, END64,
     "does not end where the end record begins"},
    {LOCATOR, 0, 0, 4, GRAFT_FAULT_ZIP_DIRECTORY, END, "does not fit before it"},
};

static size_t place_of(const zip_maker *z, record of)
{
    switch (of) {
    case LOCAL:
        return z->member[1].local;
    case CENTRAL:
        return z->member[1].central;
    case END64:
        return z->end64;
    case LOCATOR:
        return z->locator;
    default:
        return z->end;
    }
}

static void test_pokes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof pokes / sizeof *pokes; i++) {
        const poke *p = &pokes[i];
        zip_maker *z = zip_maker_new("");
        for (int m = 0; m < 4; m++)
            zip_maker_add(z, names[m], datas[m], ZIP_PLAIN);
        const bool wide = p->record == END64 || p->record == LOCATOR;
        zip_maker_finish(z, wide, "");
        zip_maker_poke(z, place_of(z, p->record) + p->at, p->value, p->width);
        int64_t offset = (int64_t)place_of(z, p->where);
        if (p->fault == GRAFT_FAULT_ZIP_OVERLAP)
            offset = (int64_t)z->member[2].local;
        if (strstr(p->words, "behind its 3"))
            offset = (int64_t)z->member[3].central;
        assert_fault(z, p->fault, offset, p->words);
        free(z);
    }
}

static void test_deflated_too_far(void **state)
{
    (void)state;
    zip_maker *z = zip_maker_new("");
    zip_maker_add(z, "x", "12345", ZIP_DEFLATE | ZIP_LATER);
    zip_maker_finish(z, false, "");
    zip_maker_poke(z, z->member[0].central + 24, 10 * 1032, 4);
    graft_ctx *g = test_open();
    zip_reading r;
    assert_int_equal(zip_open_bytes(g, z->bytes, z->size, &r), GRAFT_OK);
    zip_close_bytes(&r);
    graft_close(g);
    zip_maker_poke(z, z->member[0].central + 24, 10 * 1032 + 1, 4);
    assert_fault(z, GRAFT_FAULT_ZIP_INFLATE, (int64_t)z->member[0].central,
                 "'x': 10 bytes can't inflate to 10321");
    free(z);
}

static void test_one_name_twice(void **state)
{
    (void)state;
    zip_maker *z = zip_maker_new("");
    zip_maker_add(z, "one", "1", ZIP_PLAIN);
    zip_maker_add(z, "two", "2", ZIP_PLAIN);
    zip_maker_add(z, "one", "3", ZIP_PLAIN);
    zip_maker_finish(z, false, "");
    assert_fault(z, GRAFT_FAULT_DUPLICATE, (int64_t)z->member[2].central, "'one' twice");
    free(z);
}

/* Two records of the directory that lead to one member. */
static void test_two_names(void **state)
{
    (void)state;
    zip_maker *z = zip_maker_new("");
    zip_maker_add(z, "one", "1", ZIP_PLAIN);
    zip_maker_add(z, "two", "1", ZIP_PLAIN);
    zip_maker_finish(z, false, "");
    zip_maker_poke(z, z->member[1].central + 42, 0, 4);
    assert_fault(z, GRAFT_FAULT_ZIP_LOCAL, 0, "the header of 'two' has another name: 'one'");
    free(z);
}

/* A member within the data of another. */
static void test_member_in_member(void **state)
{
    (void)state;
    zip_maker *inner = zip_maker_new("");
    zip_maker_add(inner, "in", "i", ZIP_PLAIN);
    zip_maker *z = zip_maker_new("");
    zip_maker_add(z, "out", "0123456789012345678901234567890123456789", ZIP_LATER);
    zip_maker_add(z, "in", "i", ZIP_PLAIN);
    zip_maker_finish(z, false, "");
    memcpy(z->bytes + z->member[0].payload + 2, inner->bytes, inner->size);
    zip_maker_poke(z, z->member[1].central + 42, z->member[0].payload + 2, 4);
    assert_fault(z, GRAFT_FAULT_ZIP_OVERLAP, (int64_t)z->member[0].payload + 2,
                 "'in' begins within 'out'");
    free(inner);
    free(z);
}

static void test_bytes_behind(void **state)
{
    (void)state;
    zip_maker *z = make("", ZIP_PLAIN, false, "comment");
    const size_t size = z->size;
    z->size += 3;
    assert_fault(z, GRAFT_FAULT_TRAILING, (int64_t)size, "3 bytes behind the end");
    free(z);
}

/* What a terminal would act on is not in the message, and a long name is cut off. */
static void test_names_shown(void **state)
{
    (void)state;
    char name[301];
    memset(name, 'n', 300);
    name[300] = 0;
    memcpy(name, "\x1b[2J\n", 5);
    memcpy(name + 200, "/../", 4);
    zip_maker *z = zip_maker_new("");
    zip_maker_add(z, name, "1", ZIP_PLAIN);
    zip_maker_finish(z, false, "");
    assert_fault(z, GRAFT_FAULT_NAME, (int64_t)z->member[0].central, "'?[2J?nnnn");
    assert_fault(z, GRAFT_FAULT_NAME, (int64_t)z->member[0].central, "nnn...': a name that leaves");
    free(z);
}

/* Dots that lead nowhere. */
static void test_names_with_dots(void **state)
{
    (void)state;
    zip_maker *z = zip_maker_new("");
    const char *const good[] = {".", "a..b", "..a/b..", "a/...", ".a/.b/c", "\xC3\xA9t\xC3\xA9"};
    for (int i = 0; i < 6; i++)
        zip_maker_add(z, good[i], "1", ZIP_PLAIN);
    zip_maker_finish(z, false, "");
    assert_opens(z);
    free(z);
}

/* ---- Members ---- */

static void test_checksum(void **state)
{
    (void)state;
    zip_maker *z = make("", ZIP_LATER, true, "");
    z->bytes[z->member[0].payload] ^= 1;
    graft_ctx *g = test_open();
    zip_reading r;
    assert_int_equal(zip_open_bytes(g, z->bytes, z->size, &r), GRAFT_OK);
    graft__zip_bytes b;
    assert_int_equal(graft__zip_read(&r.r, &r.zip.member[0], &b), GRAFT_ERR_FORMAT);
    assert_int_equal(graft_error_fault(g), GRAFT_FAULT_CHECKSUM);
    assert_error_has(g, GRAFT_ERR_FORMAT,
                     "load: a.zip: a/data.pkl: the CRC-32 of its 10 bytes is ");
    r.r.options.verify = GRAFT_VERIFY_NEVER;
    assert_int_equal(graft__zip_read(&r.r, &r.zip.member[0], &b), GRAFT_OK);
    assert_int_equal(b.size, 10);
    assert_null(b.block);
    graft__zip_release(g, &b);
    zip_close_bytes(&r);
    graft_close(g);
    free(z);
}

static void test_piece(void **state)
{
    (void)state;
    zip_maker *z = make("in front", ZIP_LATER, false, "");
    graft_ctx *g = test_open();
    zip_reading r;
    assert_int_equal(zip_open_bytes(g, z->bytes, z->size, &r), GRAFT_OK);
    const graft__piece p = graft__zip_piece(&r.zip.member[2], "a/version");
    assert_int_equal(p.offset, z->member[2].payload);
    assert_int_equal(p.stored, 2);
    assert_int_equal(p.size, 2);
    assert_int_equal(p.skip, 0);
    assert_false(p.deflated);
    assert_true(p.has_crc);
    assert_int_equal(p.crc, r.zip.member[2].crc);
    assert_string_equal(p.member, "a/version");
    zip_close_bytes(&r);
    graft_close(g);
    free(z);
}

static void test_deflated(void **state)
{
    (void)state;
    zip_maker *z = zip_maker_new("");
    zip_maker_add(z, "x", "deflated", ZIP_DEFLATE);
    zip_maker_finish(z, false, "");
    graft_ctx *g = test_open();
    zip_reading r;
    graft__zip_bytes b;
    assert_int_equal(zip_open_bytes(g, z->bytes, z->size, &r), GRAFT_OK);
    const graft__zip_member *m = &r.zip.member[0];
    if (!CAN_INFLATE) {
        assert_int_equal(graft__zip_read(&r.r, m, &b), GRAFT_ERR_FORMAT);
        assert_int_equal(graft_error_fault(g), GRAFT_FAULT_UNSUPPORTED);
        assert_error_has(g, GRAFT_ERR_FORMAT, "x: it is deflated, and this build of graft has no");
    } else {
        const uint64_t before = r.r.memory_left;
        assert_zip_member(&r, "x", "deflated");
        assert_int_equal(r.r.memory_left, before - 8);
        r.r.memory_left = 7;
        assert_int_equal(graft__zip_read(&r.r, m, &b), GRAFT_ERR_FORMAT);
        assert_int_equal(graft_error_fault(g), GRAFT_FAULT_LIMIT);
        graft_clear_error(g);
        r.r.memory_left = 100;
        ((unsigned char *)(uintptr_t)r.r.source->bytes)[m->offset] = 7; /* no such block */
        assert_int_equal(graft__zip_read(&r.r, m, &b), GRAFT_ERR_FORMAT);
        assert_int_equal(graft_error_fault(g), GRAFT_FAULT_ZIP_INFLATE);
        assert_error_has(g, GRAFT_ERR_FORMAT, "x: expected deflated data of exactly 8 bytes");
    }
    zip_close_bytes(&r);
    graft_close(g);
    free(z);
}

static void test_budget(void **state)
{
    (void)state;
    zip_maker *z = make("", ZIP_PLAIN, false, "");
    graft_ctx *g = test_open();
    zip_reading r;
    assert_int_equal(zip_open_bytes(g, z->bytes, z->size, &r), GRAFT_OK);
    graft__zip_close(&r.zip);
    r.r.memory_left = 4 * sizeof(graft__zip_member) - 1;
    assert_int_equal(graft__zip_open(&r.r, &r.zip), GRAFT_ERR_FORMAT);
    assert_int_equal(graft_error_fault(g), GRAFT_FAULT_LIMIT);
    zip_close_bytes(&r);
    graft_close(g);
    free(z);
}

/* ---- Anything ---- */

/* Reads all: what passes is what was written, whatever was done to the archive. */
static void read_all(graft_ctx *g, const zip_maker *z, const void *bytes, size_t size, bool cut)
{
    zip_reading r;
    if (zip_open_bytes(g, bytes, size, &r) == GRAFT_OK) {
        assert_false(cut);
        for (size_t i = 0; i < r.zip.count; i++) {
            graft__zip_bytes b;
            if (graft__zip_read(&r.r, &r.zip.member[i], &b) != GRAFT_OK)
                continue;
            assert_int_equal(b.size, strlen(z->member[i].data));
            assert_memory_equal(b.bytes, z->member[i].data, b.size);
            graft__zip_release(g, &b);
        }
    } else {
        assert_int_equal(graft_error_status(g), GRAFT_ERR_FORMAT);
        assert_int_not_equal(graft_error_fault(g), GRAFT_FAULT_NONE);
        assert_true(graft_error_offset(g) <= (int64_t)size);
    }
    graft_clear_error(g);
    zip_close_bytes(&r);
}

static void test_cut_everywhere(void **state)
{
    (void)state;
    for (int kind = 0; kind < 32; kind += ZIP_LATER) {
        graft_ctx *g = test_open();
        zip_maker *z =
            make(kind & 1 ? "front" : "", kind & ~ZIP_DEFLATE, kind & ZIP_WIDE, "comment");
        for (size_t size = 0; size < z->size; size += test_quick() ? 7 : 1)
            read_all(g, z, z->bytes, size, true);
        read_all(g, z, z->bytes, z->size, false);
        free(z);
        graft_close(g);
    }
}

static void test_flip_everywhere(void **state)
{
    (void)state;
    const int kinds[] = {ZIP_PLAIN, ZIP_LATER, ZIP_WIDE | ZIP_LATER64};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        graft_ctx *g = test_open();
        zip_maker *z = make(k == 1 ? "front" : "", kinds[k], k != 0, "comment");
        for (size_t bit = 0; bit < 8 * z->size; bit += test_quick() ? 5 : 1) {
            z->bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
            read_all(g, z, z->bytes, z->size, false);
            z->bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        }
        free(z);
        graft_close(g);
    }
}

/* Bytes of all values in each field of two, as a damaged disk leaves them. */
static void test_overwrite_everywhere(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    zip_maker *z = make("", ZIP_WIDE, true, "");
    const unsigned values[] = {0, 1, 0xff, 0x7f, 0x80};
    for (size_t at = 0; at + 2 < z->size; at += test_quick() ? 7 : 1)
        for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
            unsigned char old[2] = {z->bytes[at], z->bytes[at + 1]};
            memset(z->bytes + at, (int)values[v], 2);
            read_all(g, z, z->bytes, z->size, false);
            memcpy(z->bytes + at, old, 2);
        }
    free(z);
    graft_close(g);
}

static void open_and_read(void *user, failing_allocator *a)
{
    const zip_maker *z = user;
    graft_ctx *g = failing_allocator_open(a);
    if (!g)
        return;
    zip_reading r;
    graft_status st = zip_open_bytes(g, z->bytes, z->size, &r);
    for (size_t i = 0; st == GRAFT_OK && i < r.zip.count; i++) {
        graft__zip_bytes b;
        st = graft__zip_read(&r.r, &r.zip.member[i], &b);
        if (st == GRAFT_OK)
            graft__zip_release(g, &b);
    }
    if (st != GRAFT_OK)
        assert_int_equal(graft_error_status(g), GRAFT_ERR_MEMORY);
    zip_close_bytes(&r);
    graft_close(g);
}

static void test_without_memory(void **state)
{
    (void)state;
    zip_maker *z = zip_maker_new("");
    for (int i = 3; i >= 0; i--)
        zip_maker_add(z, names[i], datas[i], CAN_INFLATE ? ZIP_DEFLATE : ZIP_PLAIN);
    zip_maker other = *z;
    other.member[0] = z->member[3]; /* out of order: the sort needs memory */
    other.member[3] = z->member[0];
    zip_maker_finish(&other, true, "");
    failing_allocator_sweep(open_and_read, &other);
    free(z);
}

/* More members than the index has rows for at first, all found. */
static void test_many(void **state)
{
    (void)state;
    enum { MANY = 5000 };
    const size_t room = MANY * 200;
    unsigned char *bytes = malloc(room);
    assert_non_null(bytes);
    graft__zip_entry e[MANY];
    char name[32];
    size_t at = 0;
    for (int i = 0; i < MANY; i++) {
        e[i] = (graft__zip_entry){.header = at};
        e[i].name_length = (uint16_t)snprintf(name, sizeof name, "archive/data/%d", i);
        at += graft__zip_put_local(bytes + at, &e[i], 0);
        memcpy(bytes + at, name, e[i].name_length);
        at += e[i].name_length;
        at += graft__zip_put_local_extra(bytes + at, &e[i], 0);
    }
    const size_t directory = at;
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "archive/data/%d", i);
        at += graft__zip_put_central(bytes + at, &e[i]);
        memcpy(bytes + at, name, e[i].name_length);
        at += e[i].name_length;
    }
    at += graft__zip_put_ends(bytes + at, MANY, directory, at - directory);
    assert_true(at <= room);
    graft_ctx *g = test_open();
    zip_reading r;
    assert_int_equal(zip_open_bytes(g, bytes, at, &r), GRAFT_OK);
    for (int i = 0; i < MANY; i++) {
        const int length = snprintf(name, sizeof name, "archive/data/%d", i);
        assert_ptr_equal(graft__zip_find(&r.zip, name, (size_t)length), &r.zip.member[i]);
    }
    zip_close_bytes(&r);
    graft_close(g);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_no_member),
        cmocka_unit_test(test_other_order),
        cmocka_unit_test(test_gaps),
        cmocka_unit_test(test_long_comment),
        cmocka_unit_test(test_pokes),
        cmocka_unit_test(test_deflated_too_far),
        cmocka_unit_test(test_one_name_twice),
        cmocka_unit_test(test_two_names),
        cmocka_unit_test(test_member_in_member),
        cmocka_unit_test(test_bytes_behind),
        cmocka_unit_test(test_names_shown),
        cmocka_unit_test(test_names_with_dots),
        cmocka_unit_test(test_checksum),
        cmocka_unit_test(test_piece),
        cmocka_unit_test(test_deflated),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_cut_everywhere),
        cmocka_unit_test(test_flip_everywhere),
        cmocka_unit_test(test_overwrite_everywhere),
        cmocka_unit_test(test_without_memory),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
