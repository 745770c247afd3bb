/* npy files, byte by byte. */
#include "file_bytes.h"

/* A file of that version with this dict in its header, and so many bytes of data: 0, 1, 2, ... */
static void make(file_bytes *f, int version, const char *dict, size_t data)
{
    f->size = 0;
    put_text(f, "\x93NUMPY");
    put_number(f, (uint64_t)version, 2);
    put_number(f, strlen(dict) + 1, version == 1 ? 2 : 4);
    put_text(f, dict);
    put_text(f, "\n");
    for (size_t i = 0; i < data; i++)
        put_number(f, i & 0xFF, 1);
}

static const char plain[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";

static void a_plain_array(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    static file_bytes f;
    static const float x[] = {1, 2, 3, 4, 5, 6};
    for (int version = 1; version <= 3; version++) {
        make(&f, version, plain, 0);
        put_floats(&f, x, 6);
        graft_checkpoint *c = open_bytes(g, &f);
        assert_int_equal(graft_checkpoint_format(c), GRAFT_FORMAT_NPY);
        assert_true(graft_checkpoint_is_bare(c));
        const graft_tensor *t = graft_dict_tensor(graft_checkpoint_root(c), "");
        assert_elements(t, (const double[]){1, 2, 3, 4, 5, 6}, 6);
        assert_int_equal(graft_size(t, 0), 2);
        assert_int_equal(graft_size(t, 1), 3);
        const graft_dict *m = graft_checkpoint_metadata(c);
        assert_string_equal(graft_dict_string_at(m, graft_dict_find(m, "version")),
                            version == 1   ? "1.0"
                            : version == 2 ? "2.0"
                                           : "3.0");
        graft_checkpoint_free(c);
    }
    graft_close(g);
}

/* What numpy's order means for strides, and a byte order that is not the machine's. */
static void orders(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    static file_bytes f;
    make(&f, 1, "{'shape':(2,3),'fortran_order':True,\"descr\":\">i2\"}", 12);
    graft_checkpoint *c = open_bytes(g, &f);
    const graft_tensor *t = graft_dict_tensor(graft_checkpoint_root(c), "");
    assert_int_equal(graft_stride(t, 0), 1);
    assert_int_equal(graft_stride(t, 1), 2);
    assert_elements(t, (const double[]){0x0001, 0x0405, 0x0809, 0x0203, 0x0607, 0x0A0B}, 6);
    graft_checkpoint_free(c);
    graft_close(g);
}

static void shapes(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    static file_bytes f;
    static const struct {
        const char *shape;
        int ndim;
        size_t bytes;
    } cases[] = {{"()", 0, 1},        {"(0,)", 1, 0},      {"(3L, 2L)", 2, 6},
                 {"(2, 0, 3)", 3, 0}, {" ( 4 , ) ", 1, 4}, {"(1,1,1,1,1,1,1,2)", 8, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char dict[200];
        snprintf(dict, sizeof dict, "{'descr': '|u1', 'fortran_order': False, 'shape': %s}   ",
                 cases[i].shape);
        make(&f, 1, dict, cases[i].bytes);
        graft_checkpoint *c = open_bytes(g, &f);
        const graft_tensor *t = graft_dict_tensor(graft_checkpoint_root(c), "");
        assert_int_equal(graft_ndim(t), cases[i].ndim);
        assert_int_equal(graft_numel(t), cases[i].bytes);
        graft_checkpoint_free(c);
    }
    graft_close(g);
}

static void dtypes(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    static file_bytes f;
    static const struct {
        const char *descr;
        graft_dtype dtype;
    } cases[] = {{"|b1", GRAFT_BOOL}, {"|i1", GRAFT_I8},  {"|u1", GRAFT_U8},    {"<i2", GRAFT_I16},
                 {">u2", GRAFT_U16},  {"<i4", GRAFT_I32}, {">u4", GRAFT_U32},   {"<i8", GRAFT_I64},
                 {"<u8", GRAFT_U64},  {"<f2", GRAFT_F16}, {"<f4", GRAFT_F32},   {">f8", GRAFT_F64},
                 {"<c8", GRAFT_C64},  {"=f4", GRAFT_F32}, {">c16", GRAFT_C128}, {"f8", GRAFT_F64}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char dict[200];
        snprintf(dict, sizeof dict, "{'descr': '%s', 'fortran_order': False, 'shape': (2,)}",
                 cases[i].descr);
        make(&f, 1, dict, 2 * graft_dtype_size(cases[i].dtype));
        graft_checkpoint *c = open_bytes(g, &f);
        graft_tensor_info info;
        assert_true(graft_dict_tensor_info(graft_checkpoint_root(c), 0, &info));
        assert_int_equal(info.dtype, cases[i].dtype);
        graft_checkpoint_free(c);
    }
    graft_close(g);
}

/* A big-endian complex number is two numbers. */
static void swapped_complex(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    static file_bytes f;
    make(&f, 1, "{'descr': '>c8', 'fortran_order': False, 'shape': ()}", 8);
    graft_checkpoint *c = open_bytes(g, &f);
    const unsigned char *bytes = graft_data(graft_dict_tensor(graft_checkpoint_root(c), ""));
    assert_memory_equal(bytes, ((const unsigned char[]){3, 2, 1, 0, 7, 6, 5, 4}), 8);
    graft_checkpoint_free(c);
    graft_close(g);
}

#define HEAD "{'descr': '<f4', 'fortran_order': False, 'shape': "
#define DESCR(d) "{'descr': " d ", 'fortran_order': False, 'shape': ()}"

static void faults(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    static file_bytes f;
    static const struct {
        const char *dict;
        graft_fault fault;
        int64_t offset; /* in the dict */
        const char *words;
    } cases[] = {
        {"", GRAFT_FAULT_NPY, 1, "expected '{'"},
        {"[1]", GRAFT_FAULT_NPY, 0, "expected '{'"},
        {"{}", GRAFT_FAULT_NPY, 2, "no 'descr'"},
        {"{'descr': '<f4'}", GRAFT_FAULT_NPY, 16, "no 'fortran_order'"},
        {"{'descr': '<f4', 'fortran_order': True}", GRAFT_FAULT_NPY, 39, "no 'shape'"},
        {"{'descr': '<f4' 'x'", GRAFT_FAULT_NPY, 16, "expected ',' or '}'"},
        {"{'descr' '<f4'", GRAFT_FAULT_NPY, 9, "expected ':'"},
        {"{descr: '<f4'", GRAFT_FAULT_NPY, 1, "expected a string"},
        {"{'descr", GRAFT_FAULT_NPY, 7, "escapes"},
        {"{'de\\x73cr': '<f4'", GRAFT_FAULT_NPY, 4, "escapes"},
        {"{'what': 1}", GRAFT_FAULT_NPY, 2, "a key 'what'"},
        {"{'descr': '<f4', 'descr': '<f4'}", GRAFT_FAULT_DUPLICATE, 18, "two keys 'descr'"},
        {"{'fortran_order': 0}", GRAFT_FAULT_NPY, 18, "True or False"},
        {DESCR("'|O'"), GRAFT_FAULT_UNSUPPORTED, 11, "a pickle, which could run code"},
        {DESCR("[('a', '<f4')]"), GRAFT_FAULT_UNSUPPORTED, 10, "structured"},
        {DESCR("('<f4', (2,))"), GRAFT_FAULT_UNSUPPORTED, 10, "structured"},
        {DESCR("'<V2'"), GRAFT_FAULT_DTYPE, 11, "no name for bfloat16"},
        {DESCR("'<U5'"), GRAFT_FAULT_DTYPE, 11, "text is no tensor"},
        {DESCR("'|S5'"), GRAFT_FAULT_DTYPE, 11, "text is no tensor"},
        {DESCR("'<M8[ns]'"), GRAFT_FAULT_DTYPE, 11, "dates"},
        {DESCR("'<f16'"), GRAFT_FAULT_DTYPE, 11, "long double"},
        {DESCR("'<i3'"), GRAFT_FAULT_DTYPE, 11, "no such dtype"},
        {DESCR("''"), GRAFT_FAULT_DTYPE, 11, "no such dtype"},
        {DESCR("4"), GRAFT_FAULT_NPY, 10, "expected a string"},
        {HEAD "[2]}", GRAFT_FAULT_NPY, 50, "as a tuple"},
        {HEAD "(2)}", GRAFT_FAULT_NPY, 53, "a shape of one dimension is (n,)"},
        {HEAD "(2 3)}", GRAFT_FAULT_NPY, 53, "expected ',' or ')'"},
        {HEAD "(,)}", GRAFT_FAULT_NPY, 51, "expected a number"},
        {HEAD "(07,)}", GRAFT_FAULT_NPY, 53, "begins with 0"},
        {HEAD "(-7,)}", GRAFT_FAULT_SHAPE, 52, "a negative size: -7"},
        {HEAD "(1,1,1,1,1,1,1,1,1)}", GRAFT_FAULT_SHAPE, 67, "more than 8"},
        {HEAD "(9223372036854775808,)}", GRAFT_FAULT_OVERFLOW, 51, "64 bits"},
        {HEAD "(4611686018427387904,4)}", GRAFT_FAULT_OVERFLOW, 75, "does not fit"},
        {HEAD "(1,)} x", GRAFT_FAULT_NPY, 56, "something behind"},
        {HEAD "(1,)", GRAFT_FAULT_NPY, 55, "expected ',' or '}'"},
        {HEAD "(1,)}", GRAFT_FAULT_TRUNCATED, 56, "0 bytes of data, where [1] of float32 takes 4"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        make(&f, 1, cases[i].dict, 0);
        assert_bytes_fault(g, &f, cases[i].fault, 10 + cases[i].offset, cases[i].words);
    }
    graft_close(g);
}

static void faults_around_the_dict(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    static file_bytes f;
    make(&f, 4, plain, 24);
    assert_bytes_fault(g, &f, GRAFT_FAULT_UNSUPPORTED, 6, "npy version 4.0");
    make(&f, 0x101, plain, 24);
    assert_bytes_fault(g, &f, GRAFT_FAULT_UNSUPPORTED, 6, "npy version 1.1");
    make(&f, 3, "{'descr': '<f4', 'fortran_order': False, 'shape': (2L,)}", 8);
    assert_bytes_fault(g, &f, GRAFT_FAULT_NPY, 12 + 52, "expected ',' or ')'");
    make(&f, 1, plain, 25);
    assert_bytes_fault(g, &f, GRAFT_FAULT_TRAILING, (int64_t)f.size - 1,
                       "25 bytes of data, where [2, 3] of float32 takes 24");
    make(&f, 1, plain, 24);
    f.data[9] = 0xFF; /* of the length of the header */
    assert_bytes_fault(g, &f, GRAFT_FAULT_TRUNCATED, (int64_t)f.size, "inside of its header");
    graft_close(g);
}

static void damage(void **state)
{
    (void)state;
    static file_bytes f;
    for (int version = 1; version <= 2; version++) {
        make(&f, version, plain, 24);
        truncate_everywhere(&f, f.size);
        flip_everywhere(&f);
    }
    make(&f, 1, "{'descr': '>f4', 'fortran_order': True, 'shape': (2, 3), }", 24);
    flip_everywhere(&f);
    fail_everywhere(&f);
    make(&f, 1, plain, 24);
    fail_everywhere(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_array),
        cmocka_unit_test(orders),
        cmocka_unit_test(shapes),
        cmocka_unit_test(dtypes),
        cmocka_unit_test(swapped_complex),
        cmocka_unit_test(faults),
        cmocka_unit_test(faults_around_the_dict),
        cmocka_unit_test(damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
