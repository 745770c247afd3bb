/* What is found of archives that are cut off or damaged. */
#include "zip_maker.h"

#include <stdio.h>

#include "failing_allocator.h"
#include "file/zip_record.h"

#ifdef GRAFT_DEFLATE
enum { CAN_INFLATE = 1 };
#else
enum { CAN_INFLATE = 0 };
#endif

typedef struct scanned {
    graft__reading r;
    graft__zip whole, lost;
} scanned;

static graft_status scan_bytes(graft_ctx *g, const void *bytes, size_t size, scanned *s)
{
    memset(s, 0, sizeof *s);
    s->r = (graft__reading){
        .g = g,
        .op = "salvage",
        .path = "a.zip",
        .options = graft_read_defaults(),
        .memory_left = 1 << 20,
        .total = size,
        .source = graft__source_copy(g, "salvage", bytes, size),
    };
    return s->r.source ? graft__zip_scan(&s->r, &s->whole, &s->lost) : GRAFT_ERR_MEMORY;
}

static void close_scan(scanned *s)
{
    graft__zip_close(&s->whole);
    graft__zip_close(&s->lost);
    graft__source_unref(s->r.source);
}

static zip_maker *make(const char *front, int kind)
{
    zip_maker *z = zip_maker_new(front);
    const int deflate = CAN_INFLATE ? ZIP_DEFLATE : 0;
    zip_maker_add(z, "a/data.pkl", "the pickle", kind);
    zip_maker_add(z, "a/data/0", "numbers, numbers, numbers", kind | deflate);
    zip_maker_add(z, "a/data/1", "PKPK PK\1\2 PK\3\4 PK\7\10 and PK\5\6", kind);
    zip_maker_add(z, "a/empty", "", kind);
    zip_maker_add(z, "a/version", "3\n", kind);
    zip_maker_finish(z, false, "");
    return z;
}

static const int kinds[] = {ZIP_PLAIN,
                            ZIP_LATER,
                            ZIP_LATER64,
                            ZIP_WIDE,
                            ZIP_WIDE_LOCAL | ZIP_LATER,
                            ZIP_WIDE | ZIP_LATER64};
enum { KINDS = sizeof kinds / sizeof *kinds };

static void assert_is(const scanned *s, const graft__zip_member *m, const zip_maker *z, int i)
{
    assert_int_equal(m->header, z->member[i].local);
    assert_int_equal(m->offset, z->member[i].payload);
    assert_int_equal(m->stored, z->member[i].stored);
    assert_int_equal(m->size, strlen(z->member[i].data));
    assert_ptr_equal(graft__zip_find(&s->whole, m->name, m->name_length), m);
}

static void test_undamaged(void **state)
{
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        graft_ctx *g = test_open();
        zip_maker *z = make(k & 1 ? "" : "PKPP something in front", kinds[k]);
        scanned s;
        assert_int_equal(scan_bytes(g, z->bytes, z->size, &s), GRAFT_OK);
        assert_int_equal(s.whole.count, z->count);
        assert_int_equal(s.lost.count, 0);
        for (int i = 0; i < z->count; i++)
            assert_is(&s, &s.whole.member[i], z, i);
        close_scan(&s);
        free(z);
        graft_close(g);
    }
}

/* Where the member and what says how long it is end. Of zeros, the first 16 bytes of 24 will do. */
static size_t end_of(const zip_maker *z, int i)
{
    const int kind = z->member[i].kind;
    const size_t end = z->member[i].payload + z->member[i].stored;
    return end + ((kind & ZIP_LATER64) && z->member[i].stored ? 24
                  : kind & (ZIP_LATER | ZIP_LATER64)          ? 16
                                                              : 0);
}

static void test_cut_everywhere(void **state)
{
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        graft_ctx *g = test_open();
        zip_maker *z = make("", kinds[k]);
        for (size_t size = 0; size <= z->directory; size += test_quick() ? 7 : 1) {
            scanned s;
            assert_int_equal(scan_bytes(g, z->bytes, size, &s), GRAFT_OK);
            size_t whole = 0, begun = 0;
            for (int i = 0; i < z->count; i++) {
                begun += z->member[i].payload <= size;
                whole += end_of(z, i) <= size;
            }
            if (s.whole.count != whole)
                fail_msg("kind %d, cut to %zu: %zu members are left of %zu", kinds[k], size,
                         s.whole.count, whole);
            assert_int_equal(s.lost.count, begun - whole);
            for (size_t i = 0; i < whole; i++)
                assert_is(&s, &s.whole.member[i], z, (int)i);
            for (size_t i = 0; i < s.lost.count; i++)
                assert_int_equal(s.lost.member[i].offset, z->member[whole + i].payload);
            close_scan(&s);
        }
        assert_no_error(g);
        free(z);
        graft_close(g);
    }
}

/* A bit costs one member at most, and no other bytes pass for a member's. */
static void test_flip_everywhere(void **state)
{
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        graft_ctx *g = test_open();
        zip_maker *z = make("", kinds[k]);
        for (size_t bit = 0; bit < 8 * z->size; bit += test_quick() ? 5 : 1) {
            z->bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
            scanned s;
            assert_int_equal(scan_bytes(g, z->bytes, z->size, &s), GRAFT_OK);
            if (s.whole.count + 1 < (size_t)z->count)
                fail_msg("kind %d, bit %zu: %zu members are left", kinds[k], bit, s.whole.count);
            for (size_t i = 0; i < s.whole.count; i++) {
                const graft__zip_member *m = &s.whole.member[i];
                int j = 0;
                while (z->member[j].local != m->header)
                    assert_true(++j < z->count);
                const char *data = z->member[j].data;
                graft__zip_bytes b;
                assert_int_equal(graft__zip_read(&s.r, m, &b), GRAFT_OK);
                assert_int_equal(b.size, strlen(data));
                assert_memory_equal(b.bytes, data, b.size);
                graft__zip_release(g, &b);
            }
            close_scan(&s);
            z->bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        }
        assert_no_error(g);
        free(z);
        graft_close(g);
    }
}

static void test_one_name_twice(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    zip_maker *z = zip_maker_new("");
    zip_maker_add(z, "one", "1", ZIP_LATER);
    zip_maker_add(z, "two", "2", ZIP_LATER);
    zip_maker_add(z, "one", "3", ZIP_LATER);
    zip_maker_add(z, "three", "4", ZIP_LATER);
    scanned s;
    assert_int_equal(scan_bytes(g, z->bytes, z->size, &s), GRAFT_OK);
    assert_int_equal(s.whole.count, 3);
    assert_is(&s, &s.whole.member[0], z, 0);
    assert_is(&s, &s.whole.member[1], z, 1);
    assert_is(&s, &s.whole.member[2], z, 3);
    assert_int_equal(s.lost.count, 1);
    assert_int_equal(s.lost.member[0].offset, z->member[2].payload);
    close_scan(&s);
    graft_close(g);
    free(z);
}

static void test_without_a_list_of_the_lost(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    zip_maker *z = make("", ZIP_LATER);
    scanned s;
    assert_int_equal(scan_bytes(g, z->bytes, z->member[2].payload, &s), GRAFT_OK);
    graft__zip_close(&s.whole);
    assert_int_equal(graft__zip_scan(&s.r, &s.whole, NULL), GRAFT_OK);
    assert_int_equal(s.whole.count, 2);
    assert_int_equal(s.lost.count, 1);
    close_scan(&s);
    graft_close(g);
    free(z);
}

/* Headers that lie about how long they are cost no more than the file is long, many times. */
static void test_made_to_be_slow(void **state)
{
    (void)state;
    enum { HEADERS = 2000, SIZE = 1 << 21 };
    graft_ctx *g = test_open();
    unsigned char *bytes = calloc(1, SIZE);
    assert_non_null(bytes);
    size_t at = 0;
    for (int i = 0; i < HEADERS; i++) {
        const bool later = i & 1;
        graft__zip_entry e = {.size = later, .name_length = 1};
        at += graft__zip_put_local(bytes + at, &e, 65000);
        if (!later) { /* a size that reaches far, and a checksum that is wrong */
            memset(bytes + at - 16, 0x11, 4);
            memcpy(bytes + at - 12, "\0\0\x10\0\0\0\x10\0", 8);
        }
        bytes[at++] = 'x';
        at += graft__zip_put_local_extra(bytes + at, &e, 65000);
    }
    scanned s;
    assert_int_equal(scan_bytes(g, bytes, SIZE, &s), GRAFT_OK);
    assert_int_equal(s.whole.count, 0);
    assert_int_equal(s.lost.count, HEADERS);
    close_scan(&s);
    graft_close(g);
    free(bytes);
}

static bool stop(void *user, uint64_t done, uint64_t total)
{
    assert_true(done <= total);
    return --*(int *)user > 0;
}

static void test_progress(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    zip_maker *z = make("", ZIP_LATER);
    for (int calls = 1; calls < 4; calls++) {
        int left = calls;
        scanned s;
        assert_int_equal(scan_bytes(g, z->bytes, 0, &s), GRAFT_OK);
        close_scan(&s);
        s.r.source = graft__source_copy(g, "salvage", z->bytes, z->size);
        s.r.total = z->size;
        s.r.options.progress = stop;
        s.r.options.progress_user = &left;
        assert_int_equal(graft__zip_scan(&s.r, &s.whole, &s.lost), GRAFT_ERR_CANCELLED);
        assert_null(s.whole.member);
        assert_null(s.lost.member);
        assert_error_has(g, GRAFT_ERR_CANCELLED, "cancelled");
        close_scan(&s);
    }
    graft_close(g);
    free(z);
}

static void scan_it(void *user, failing_allocator *a)
{
    const zip_maker *z = user;
    graft_ctx *g = failing_allocator_open(a);
    if (!g)
        return;
    scanned s;
    if (scan_bytes(g, z->bytes, z->member[3].payload, &s) != GRAFT_OK)
        assert_int_equal(graft_error_status(g), GRAFT_ERR_MEMORY);
    close_scan(&s);
    graft_close(g);
}

static void test_without_memory(void **state)
{
    (void)state;
    zip_maker *z = make("", ZIP_LATER);
    failing_allocator_sweep(scan_it, z);
    free(z);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_undamaged),
        cmocka_unit_test(test_cut_everywhere),
        cmocka_unit_test(test_flip_everywhere),
        cmocka_unit_test(test_one_name_twice),
        cmocka_unit_test(test_without_a_list_of_the_lost),
        cmocka_unit_test(test_made_to_be_slow),
        cmocka_unit_test(test_progress),
        cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
