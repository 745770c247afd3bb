/* graft_audit and graft_pickled_state_dict: what the comparison with Python does not reach: NULLs,
 * lack of memory, what is no file, and models that are none. */
#include "test.h"

#include "failing_allocator.h"
#include "file/audit.h"
#include "file/crc.h"

#define P(text) text, sizeof text - 1

/* ---- The least that is a .pt file ---- */

typedef struct archive {
    unsigned char bytes[4096];
    size_t size;
    unsigned char directory[512];
    size_t directory_size;
    unsigned members;
} archive;

static void number(unsigned char *bytes, size_t *size, uint32_t value, size_t width)
{
    for (; width > 0; width--, value >>= 8)
        bytes[(*size)++] = (unsigned char)value;
}

static void text(unsigned char *bytes, size_t *size, const char *from, size_t length)
{
    memcpy(bytes + *size, from, length);
    *size += length;
}

/* What a local header and the directory have in common, from the version on. */
static void fields(unsigned char *bytes, size_t *size, const char *name, const char *data,
                   size_t length)
{
    number(bytes, size, 20, 2);
    number(bytes, size, 0, 8); /* flags, method, time, date */
    number(bytes, size, graft__crc32(0, data, length), 4);
    number(bytes, size, (uint32_t)length, 4);
    number(bytes, size, (uint32_t)length, 4);
    number(bytes, size, (uint32_t)strlen(name), 2);
    number(bytes, size, 0, 2);
}

static void add_member(archive *a, const char *name, const char *data, size_t length)
{
    const uint32_t at = (uint32_t)a->size;
    number(a->bytes, &a->size, 0x04034b50, 4);
    fields(a->bytes, &a->size, name, data, length);
    text(a->bytes, &a->size, name, strlen(name));
    text(a->bytes, &a->size, data, length);
    number(a->directory, &a->directory_size, 0x02014b50, 4);
    number(a->directory, &a->directory_size, 20, 2);
    fields(a->directory, &a->directory_size, name, data, length);
    number(a->directory, &a->directory_size, 0, 10); /* comment, disk, attributes */
    number(a->directory, &a->directory_size, at, 4);
    text(a->directory, &a->directory_size, name, strlen(name));
    a->members++;
}

static archive pt_of(const char *pickle, size_t size)
{
    archive a = {.size = 0};
    add_member(&a, "archive/data.pkl", pickle, size);
    add_member(&a, "archive/version", "3\n", 2);
    const uint32_t at = (uint32_t)a.size;
    text(a.bytes, &a.size, (const char *)a.directory, a.directory_size);
    number(a.bytes, &a.size, 0x06054b50, 4);
    number(a.bytes, &a.size, 0, 4);
    number(a.bytes, &a.size, a.members, 2);
    number(a.bytes, &a.size, a.members, 2);
    number(a.bytes, &a.size, (uint32_t)a.directory_size, 4);
    number(a.bytes, &a.size, at, 4);
    number(a.bytes, &a.size, 0, 2);
    return a;
}

/* ---- The audit ---- */

static void test_lines(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    const archive a = pt_of(P("}(X\1\0\0\0aca\nC\nX\1\0\0\0bcos\nsystem\nX\2\0\0\0id\x85RK\1b"
                              "X\1\0\0\0c\x82\5u."));
    graft_audit_report *r = graft_audit_memory(g, a.bytes, a.size, NULL);
    assert_no_error(g);
    assert_int_equal(graft_audit_len(r), 4);
    const char *const globals[] = {"a.C", "os.system", "os.system.__setstate__",
                                   "copyreg.extension"};
    const char *const args[] = {"", "('id',)", "(1)", "(5,)"};
    const int64_t offsets[] = {8, 38, 41, 48};
    for (int i = 0; i < 4; i++) {
        assert_string_equal(graft_audit_global(r, i), globals[i]);
        assert_string_equal(graft_audit_args(r, i), args[i]);
        assert_int_equal(graft_audit_is_call(r, i), i == 1);
        assert_int_equal(graft_audit_offset(r, i), offsets[i]);
        assert_non_null(strstr(graft_audit_member(r, i), "data.pkl"));
    }
    assert_non_null(strstr(graft_audit_text(r), "data.pkl: byte 38: calls os.system('id',)\n"));
    assert_non_null(strstr(graft_audit_text(r), "data.pkl: byte 8: names a.C\n"));
    assert_null(graft_audit_error(r));
    assert_null(graft_audit_global(r, 4));
    assert_null(graft_audit_global(r, -1));
    assert_null(graft_audit_args(r, 4));
    assert_null(graft_audit_member(r, 4));
    assert_int_equal(graft_audit_offset(r, 4), -1);
    assert_false(graft_audit_is_call(r, 4));
    graft_audit_free(r);
    graft_close(g);
}

static void test_broken(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    const archive a = pt_of(P("cos\nsystem\n)Ra."));
    graft_audit_report *r = graft_audit_memory(g, a.bytes, a.size, NULL);
    assert_no_error(g);
    assert_int_equal(graft_audit_len(r), 1);
    assert_non_null(strstr(graft_audit_error(r), "APPEND wants 2 values"));
    assert_non_null(strstr(graft_audit_text(r), "not read to the end: audit: (memory): "));
    graft_audit_free(r);

    assert_null(graft_audit_memory(g, "what is this?", 13, NULL));
    assert_error_has(g, GRAFT_ERR_FORMAT, "UnknownFormat");
    assert_null(graft_audit_memory(g, NULL, 1, NULL));
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "audit: the bytes are NULL");
    assert_null(graft_audit(g, NULL, NULL));
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "audit: the path is NULL");
    assert_null(graft_audit(g, "/nowhere/at/all", NULL));
    assert_int_equal(graft_error_status(g), GRAFT_ERR_IO);
    /* an error that was there before hides the one of reading: no report that says all is well */
    assert_null(graft_audit_memory(g, a.bytes, a.size, NULL));
    graft_clear_error(g);
    assert_null(graft_audit(NULL, "a", NULL));
    assert_null(graft_audit_memory(NULL, "a", 1, NULL));
    assert_int_equal(graft_audit_len(NULL), 0);
    assert_null(graft_audit_text(NULL));
    assert_null(graft_audit_error(NULL));
    graft_audit_free(NULL);
    graft_close(g);
}

/* Long arguments are cut off, and many lines are charged for. */
static void test_long(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    static char pickle[3000];
    memcpy(pickle, "cos\nsystem\nX\xb8\x0b\0\0", 16);
    const size_t head = 16, length = 2500;
    pickle[12] = (char)(length & 0xff);
    pickle[13] = (char)(length >> 8);
    memset(pickle + head, 'a', length);
    memcpy(pickle + head + length, "\x85R.", 3);
    const archive a = pt_of(pickle, head + length + 3);
    graft_audit_report *r = graft_audit_memory(g, a.bytes, a.size, NULL);
    assert_no_error(g);
    assert_in_range(strlen(graft_audit_args(r, 0)), 1000, 1010);
    assert_non_null(strstr(graft_audit_args(r, 0), "aaa..."));
    graft_audit_free(r);
    graft_close(g);
}

static void audit_once(void *user, failing_allocator *a)
{
    const archive *file = user;
    graft_ctx *g = failing_allocator_open(a);
    if (!g)
        return;
    graft_audit_report *r = graft_audit_memory(g, file->bytes, file->size, NULL);
    if (!r)
        assert_int_equal(graft_error_status(g) == GRAFT_ERR_MEMORY || a->failed, true);
    else if (!a->failed)
        assert_int_equal(graft_audit_len(r), 2);
    graft_audit_free(r);
    graft_close(g);
}

static void test_audit_without_memory(void **state)
{
    (void)state;
    archive whole = pt_of(P("}X\1\0\0\0acos\nsystem\nX\2\0\0\0id\x85RK\1bs."));
    archive broken = pt_of(P("cos\nsystem\nX\2\0\0\0id\x85RK\1bs."));
    failing_allocator_sweep(audit_once, &whole);
    failing_allocator_sweep(audit_once, &broken);
}

/* ---- Models ---- */

#define MODULE(parameters, buffers, modules)                                                       \
    "ca\nM\n)\x81}(X\x0b\0\0\0_parameters" parameters "X\x08\0\0\0_buffers" buffers                \
    "X\x08\0\0\0_modules" modules "ub"
#define VALUES(name, value) "}X\1\0\0\0" name value "s"

static void module_once(void *user, failing_allocator *a)
{
    (void)user;
    static const char pickle[] = MODULE(
        VALUES("w", "K\1"), VALUES("n", "N"),
        "}(X\1\0\0\0a" MODULE(VALUES("w", "K\2"), "}", "}") "q\0X\1\0\0\0bh\0X\1\0\0\0cNu") ".";
    const archive file = pt_of(P(pickle));
    graft_ctx *g = failing_allocator_open(a);
    if (!g)
        return;
    graft_checkpoint *c = graft_checkpoint_open_memory(g, file.bytes, file.size, NULL);
    graft_dict *d = graft_pickled_state_dict(graft_checkpoint_root(c));
    if (d) {
        assert_int_equal(graft_dict_len(d), 3);
        assert_int_equal(graft_dict_int_at(d, graft_dict_find(d, "w")), 1);
        assert_int_equal(graft_dict_int_at(d, graft_dict_find(d, "a.w")), 2);
        assert_int_equal(graft_dict_int_at(d, graft_dict_find(d, "b.w")), 2);
    } else {
        assert_true(a->failed);
    }
    graft_checkpoint_free(c);
    graft_close(g);
}

static void test_models(void **state)
{
    (void)state;
    failing_allocator_sweep(module_once, NULL);
}

static void test_no_models(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    assert_null(graft_pickled_state_dict(NULL));
    assert_no_error(g);
    graft_dict *d = graft_dict_new(g);
    assert_null(graft_pickled_state_dict(d));
    assert_error(g, GRAFT_ERR_ARGUMENT,
                 "pickled_state_dict: not a pickled model: expected a record with _parameters, "
                 "_buffers and _modules");
    graft_dict_free(d);
    const archive file = pt_of(P("ca\nM\n)\x81}X\x0b\0\0\0_parameters}sb."));
    graft_checkpoint *c = graft_checkpoint_open_memory(g, file.bytes, file.size, NULL);
    assert_no_error(g);
    assert_null(graft_pickled_state_dict(graft_checkpoint_root(c)));
    assert_int_equal(graft_error_status(g), GRAFT_ERR_ARGUMENT);
    graft_checkpoint_free(c);
    graft_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),  cmocka_unit_test(test_broken),
        cmocka_unit_test(test_long),   cmocka_unit_test(test_audit_without_memory),
        cmocka_unit_test(test_models), cmocka_unit_test(test_no_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
