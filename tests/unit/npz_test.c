/* npz files, byte by byte. */
#include "file/crc.h"
#include "file_bytes.h"

#include <stdio.h>

#ifdef GRAFT_DEFLATE
enum { CAN_INFLATE = true };
#else
enum { CAN_INFLATE = false };
#endif

/* An npy of `count` floats, which are 0, 1, 2, ..., whose header has `header` bytes. */
static void make_npy(file_bytes *f, size_t count, size_t header)
{
    char dict[100];
    snprintf(dict, sizeof dict, "{'descr':'<f4','fortran_order':False,'shape':(%zu,)}", count);
    f->size = 0;
    put_text(f, "\x93NUMPY\1");
    put_number(f, 0, 1);
    put_number(f, header - 10, 2);
    put_text(f, dict);
    assert_true(f->size < header);
    while (f->size < header - 1)
        put_text(f, " ");
    put_text(f, "\n");
    for (size_t i = 0; i < count; i++)
        put_floats(f, &(float){(float)i}, 1);
}

typedef struct member {
    const char *name;
    const file_bytes *data;
    bool deflated; /* as one stored block of deflate */
    size_t header, stored;
} member;

/* What local and central headers have in common, from the version on. */
static void put_common(file_bytes *z, const member *m)
{
    put_number(z, 20, 2);
    put_number(z, 0, 2);
    put_number(z, m->deflated ? 8 : 0, 2);
    put_number(z, 0, 4);
    put_number(z, graft__crc32(0, m->data->data, m->data->size), 4);
    put_number(z, m->stored, 4);
    put_number(z, m->data->size, 4);
    put_number(z, strlen(m->name), 2);
    put_number(z, 0, 2);
}

static void make_zip(file_bytes *z, member *m, size_t count)
{
    z->size = 0;
    for (size_t i = 0; i < count; i++) {
        m[i].header = z->size;
        m[i].stored = m[i].data->size + (m[i].deflated ? 5 : 0);
        put_text(z, "PK\3\4");
        put_common(z, &m[i]);
        put_text(z, m[i].name);
        if (m[i].deflated) {
            put_number(z, 1, 1);
            put_number(z, m[i].data->size, 2);
            put_number(z, ~m[i].data->size, 2);
        }
        put_bytes(z, m[i].data->data, m[i].data->size);
    }
    size_t directory = z->size;
    for (size_t i = 0; i < count; i++) {
        put_text(z, "PK\1\2");
        put_number(z, 20, 2);
        put_common(z, &m[i]);
        put_number(z, 0, 6); /* comment, disk, attributes */
        put_number(z, 0, 4);
        put_number(z, m[i].header, 4);
        put_text(z, m[i].name);
    }
    size_t size = z->size - directory;
    put_text(z, "PK\5\6");
    put_number(z, 0, 4);
    put_number(z, count, 2);
    put_number(z, count, 2);
    put_number(z, size, 4);
    put_number(z, directory, 4);
    put_number(z, 0, 2);
}

static void arrays(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    static file_bytes a, b, c, empty, z;
    make_npy(&a, 3, 64);
    make_npy(&b, 2, 80);
    make_npy(&c, 1, 79); /* the elements are not aligned */
    empty.size = 0;
    member m[] = {{"a.npy", &a, false, 0, 0},
                  {"folder/", &empty, false, 0, 0},
                  {"folder/b.x.npy", &b, true, 0, 0},
                  {"c.npy", &c, false, 0, 0},
                  {"d.npy", &c, true, 0, 0}};
    make_zip(&z, m, 5);
    graft_checkpoint *k = open_bytes(g, &z);
    assert_int_equal(graft_checkpoint_format(k), GRAFT_FORMAT_NPZ);
    assert_false(graft_checkpoint_is_bare(k));
    const graft_dict *root = graft_checkpoint_root(k);
    assert_int_equal(graft_dict_len(root), 4);
    assert_elements(graft_dict_tensor(root, "a"), (const double[]){0, 1, 2}, 3);
    assert_elements(graft_dict_tensor(root, "c"), (const double[]){0}, 1);
    if (CAN_INFLATE) {
        assert_elements(graft_dict_tensor(root, "folder/b.x"), (const double[]){0, 1}, 2);
        assert_elements(graft_dict_tensor(root, "d"), (const double[]){0}, 1);
    } else {
        assert_null(graft_dict_tensor(root, "d"));
        assert_int_equal(graft_error_fault(g), GRAFT_FAULT_UNSUPPORTED);
        assert_error_has(g, GRAFT_ERR_FORMAT, "d.npy: ");
    }
    assert_int_equal((uintptr_t)graft_data(graft_dict_tensor(root, "c")) % 4, 0);
    graft_checkpoint_free(k);
    make_zip(&z, m, 0);
    k = open_bytes(g, &z);
    assert_int_equal(graft_checkpoint_format(k), GRAFT_FORMAT_NPZ);
    assert_int_equal(graft_dict_len(graft_checkpoint_root(k)), 0);
    graft_checkpoint_free(k);
    graft_close(g);
}

/* The checksum covers the header too, but is asked for when the elements are. */
static void checksums(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    static file_bytes a, z;
    make_npy(&a, 3, 64);
    for (int deflated = 0; deflated <= CAN_INFLATE; deflated++) {
        member m = {"a.npy", &a, deflated, 0, 0};
        make_zip(&z, &m, 1);
        size_t data = 35 + (deflated ? 5 : 0);
        static const size_t places[] = {62, 75}; /* a space of the header, an element */
        for (size_t i = 0; i < 2; i++) {
            unsigned char *at = z.data + data + places[i];
            unsigned char before = *at;
            *at = i ? before ^ 1 : '\t';
            graft_checkpoint *k = open_bytes(g, &z);
            assert_null(graft_dict_tensor(graft_checkpoint_root(k), "a"));
            assert_int_equal(graft_error_fault(g), GRAFT_FAULT_CHECKSUM);
            assert_error_has(g, GRAFT_ERR_FORMAT, "a.npy: the CRC-32 of its 76 bytes");
            graft_checkpoint_free(k);
            *at = before;
        }
    }
    graft_close(g);
}

static void faults(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    static file_bytes a, b, z;
    make_npy(&a, 3, 64);
    member nameless = {".npy", &a, false, 0, 0};
    make_zip(&z, &nameless, 1);
    assert_bytes_fault(g, &z, GRAFT_FAULT_NAME, -1, "array without a name");
    member other[] = {{"a.npy", &a, false, 0, 0}, {"a.txt", &a, false, 0, 0}};
    make_zip(&z, other, 2);
    assert_bytes_fault(g, &z, GRAFT_FAULT_UNSUPPORTED, 35 + 76, "a member 'a.txt'");
    for (int deflated = 0; deflated < 2; deflated++) {
        member m = {"b.npy", &b, deflated, 0, 0};
        b = a;
        b.size = 75;
        make_zip(&z, &m, 1);
        assert_bytes_fault(g, &z, GRAFT_FAULT_TRUNCATED, 75, "b.npy: byte 75: 11 bytes of data");
        b.size = 40;
        make_zip(&z, &m, 1);
        assert_bytes_fault(g, &z, GRAFT_FAULT_TRUNCATED, deflated ? 12 : 40, "b.npy: ");
        b.size = 0;
        make_zip(&z, &m, 1);
        assert_bytes_fault(g, &z, GRAFT_FAULT_TRUNCATED, 0, "ends before its version");
        b = a;
        b.data[0] = 'x';
        make_zip(&z, &m, 1);
        assert_bytes_fault(g, &z, GRAFT_FAULT_NPY, 0, "no npy file");
    }
    member m = {"b.npy", &a, true, 0, 0};
    make_zip(&z, &m, 1);
    z.data[35] = 7;
    assert_bytes_fault(g, &z, GRAFT_FAULT_ZIP_INFLATE, 35, "b.npy: byte 35: deflated data");
    graft_close(g);
}

static void damage(void **state)
{
    (void)state;
    static file_bytes a, z;
    make_npy(&a, 2, 80);
    member m[] = {{"a.npy", &a, false, 0, 0}, {"b.npy", &a, CAN_INFLATE, 0, 0}};
    make_zip(&z, m, 2);
    truncate_everywhere(&z, z.size);
    flip_everywhere(&z);
    fail_everywhere(&z);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays),
        cmocka_unit_test(checksums),
        cmocka_unit_test(faults),
        cmocka_unit_test(damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
