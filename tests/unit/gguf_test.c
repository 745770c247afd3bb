/* GGUF files, byte by byte. */
#include "file_bytes.h"

enum { U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 };

static void put_string(file_bytes *f, const char *text)
{
    put_number(f, strlen(text), 8);
    put_text(f, text);
}

static void begin(file_bytes *f, uint32_t version, uint64_t tensors, uint64_t keys)
{
    f->size = 0;
    put_text(f, "GGUF");
    put_number(f, version, 4);
    put_number(f, tensors, 8);
    put_number(f, keys, 8);
}

static void put_key(file_bytes *f, const char *key, uint32_t type)
{
    put_string(f, key);
    put_number(f, type, 4);
}

static void put_info(file_bytes *f, const char *name, int ndim, const uint64_t *size, uint32_t type,
                     uint64_t offset)
{
    put_string(f, name);
    put_number(f, (uint64_t)ndim, 4);
    for (int i = 0; i < ndim; i++)
        put_number(f, size[i], 8);
    put_number(f, type, 4);
    put_number(f, offset, 8);
}

static void align(file_bytes *f, size_t to)
{
    while (f->size % to != 0)
        put_number(f, 0, 1);
}

/* Two tensors: [2, 3] of floats, and [1, 32] of Q8_0 with its 34 bytes. */
static void make(file_bytes *f, uint32_t version)
{
    static const float x[] = {1, 2, 3, 4, 5, 6};
    begin(f, version, 2, 1);
    put_key(f, "general.name", STRING);
    put_string(f, "tiny");
    put_info(f, "a", 2, (const uint64_t[]){3, 2}, 0, 0);
    put_info(f, "b.weight", 2, (const uint64_t[]){32, 1}, 8, 32);
    align(f, 32);
    put_floats(f, x, 6);
    align(f, 32);
    for (int i = 0; i < 34; i++)
        put_number(f, (uint64_t)i, 1);
}

static void tensors(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    static file_bytes f;
    for (uint32_t version = 2; version <= 3; version++) {
        make(&f, version);
        graft_checkpoint *c = open_bytes(g, &f);
        assert_int_equal(graft_checkpoint_format(c), GRAFT_FORMAT_GGUF);
        const graft_dict *root = graft_checkpoint_root(c);
        const graft_tensor *a = graft_dict_tensor(root, "a");
        assert_elements(a, (const double[]){1, 2, 3, 4, 5, 6}, 6);
        assert_int_equal(graft_size(a, 0), 2);
        graft_tensor_info info;
        assert_true(graft_dict_tensor_info(root, 1, &info));
        assert_int_equal(info.dtype, GRAFT_Q8_0);
        assert_int_equal(info.shape.size[0], 1);
        assert_int_equal(info.shape.size[1], 32);
        assert_int_equal(info.bytes, 34);
        const unsigned char *b = graft_data(graft_dict_tensor(root, "b.weight"));
        assert_int_equal(b[33], 33);
        const graft_dict *m = graft_checkpoint_metadata(c);
        assert_int_equal(graft_dict_int_at(m, graft_dict_find(m, "GGUF.version")), version);
        graft_checkpoint_free(c);
    }
    graft_close(g);
}

/* Every type that a value can have. */
static void values(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    static file_bytes f;
    begin(&f, 3, 0, 15);
    static const struct {
        const char *key;
        uint32_t type, width;
        uint64_t number;
        int64_t expected;
    } numbers[] = {{"u8", U8, 1, 200, 200},
                   {"i8", I8, 1, 200, -56},
                   {"u16", U16, 2, 40000, 40000},
                   {"i16", I16, 2, 40000, -25536},
                   {"u32", U32, 4, 1u << 31, 1LL << 31},
                   {"i32", I32, 4, 1u << 31, -(1LL << 31)},
                   {"u64", U64, 8, 7, 7},
                   {"i64", I64, 8, UINT64_MAX, -1}};
    for (size_t i = 0; i < 8; i++) {
        put_key(&f, numbers[i].key, numbers[i].type);
        put_number(&f, numbers[i].number, numbers[i].width);
    }
    put_key(&f, "f32", F32);
    put_floats(&f, &(float){0.5F}, 1);
    put_key(&f, "f64", F64);
    put_bytes(&f, &(double){0.1}, 8);
    put_key(&f, "bool", BOOL);
    put_number(&f, 1, 1);
    put_key(&f, "big", U64);
    put_number(&f, UINT64_MAX, 8);
    put_key(&f, "text", STRING);
    put_string(&f, "gr\xC3\xBCn");
    put_key(&f, "raw", STRING);
    put_string(&f, "\xFF");
    put_key(&f, "list", ARRAY);
    put_number(&f, ARRAY, 4);
    put_number(&f, 2, 8);
    put_number(&f, STRING, 4);
    put_number(&f, 1, 8);
    put_string(&f, "x");
    put_number(&f, U8, 4);
    put_number(&f, 3, 8);
    put_text(&f, "\1\2\3");
    graft_checkpoint *c = open_bytes(g, &f);
    const graft_dict *m = graft_checkpoint_metadata(c);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(graft_dict_int_at(m, graft_dict_find(m, numbers[i].key)),
                         numbers[i].expected);
    assert_true(graft_dict_float_at(m, graft_dict_find(m, "f32")) == 0.5);
    assert_true(graft_dict_float_at(m, graft_dict_find(m, "f64")) == 0.1);
    assert_true(graft_dict_bool_at(m, graft_dict_find(m, "bool")));
    assert_int_equal(graft_dict_kind(m, graft_dict_find(m, "big")), GRAFT_VALUE_BIG_INT);
    assert_string_equal(graft_dict_string_at(m, graft_dict_find(m, "big")), "18446744073709551615");
    assert_string_equal(graft_dict_string_at(m, graft_dict_find(m, "text")), "gr\xC3\xBCn");
    assert_int_equal(graft_dict_kind(m, graft_dict_find(m, "raw")), GRAFT_VALUE_BYTES);
    const graft_dict *list = graft_dict_dict_at(m, graft_dict_find(m, "list"));
    assert_int_equal(graft_dict_container(list), GRAFT_VALUE_LIST);
    assert_string_equal(graft_dict_string_at(graft_dict_dict_at(list, 0), 0), "x");
    assert_int_equal(graft_dict_int_at(graft_dict_dict_at(list, 1), 2), 3);
    graft_checkpoint_free(c);
    flip_everywhere(&f);
    truncate_everywhere(&f, f.size);
    fail_everywhere(&f);
    graft_close(g);
}

/* ---- Faults ---- */

static void faults_of_the_head(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    static file_bytes f;
    begin(&f, 1, 0, 0);
    assert_bytes_fault(g, &f, GRAFT_FAULT_UNSUPPORTED, 4, "GGUF version 1: expected 2 or 3");
    begin(&f, 0x03000000, 0, 0);
    assert_bytes_fault(g, &f, GRAFT_FAULT_UNSUPPORTED, 4, "a big-endian file");
    begin(&f, 3, UINT64_MAX, 0);
    assert_bytes_fault(g, &f, GRAFT_FAULT_TRUNCATED, 8, "18446744073709551615 tensors");
    begin(&f, 3, 0, UINT64_MAX);
    assert_bytes_fault(g, &f, GRAFT_FAULT_TRUNCATED, 24, "a key of 8 bytes");
    graft_close(g);
}

/* The file after a key "k" whose value is of that type; values begin at byte 37. */
static void with_key(file_bytes *f, uint32_t type, uint64_t number, unsigned width)
{
    begin(f, 3, 0, 1);
    put_key(f, "k", type);
    put_number(f, number, width);
}

static void faults_of_values(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    static file_bytes f;
    with_key(&f, 13, 0, 8);
    assert_bytes_fault(g, &f, GRAFT_FAULT_GGUF, 33, "a value of type 13: expected 0 to 12");
    with_key(&f, BOOL, 2, 1);
    assert_bytes_fault(g, &f, GRAFT_FAULT_GGUF, 37, "a bool of 2");
    with_key(&f, STRING, UINT64_MAX, 8);
    assert_bytes_fault(g, &f, GRAFT_FAULT_TRUNCATED, 45, "a string of 18446744073709551615 bytes");
    with_key(&f, ARRAY, 99, 4);
    assert_bytes_fault(g, &f, GRAFT_FAULT_GGUF, 37, "a value of type 99");
    with_key(&f, ARRAY, U64, 4);
    put_number(&f, UINT64_MAX / 8, 8);
    assert_bytes_fault(g, &f, GRAFT_FAULT_TRUNCATED, 41, "an array of 2305843009213693951");
    with_key(&f, ARRAY, ARRAY, 4);
    for (int i = 0; i < 200; i++) {
        put_number(&f, 1, 8);
        put_number(&f, ARRAY, 4);
    }
    assert_bytes_fault(g, &f, GRAFT_FAULT_LIMIT, 37 + 64 * 12, "nested deeper than 64");
    begin(&f, 3, 0, 1);
    put_key(&f, "", U8);
    put_number(&f, 0, 1);
    assert_bytes_fault(g, &f, GRAFT_FAULT_NAME, 32, "a key without a name");
    begin(&f, 3, 0, 1);
    put_key(&f, "a\xC0", U8);
    put_number(&f, 0, 1);
    assert_bytes_fault(g, &f, GRAFT_FAULT_NAME, 33, "not UTF-8");
    begin(&f, 3, 0, 2);
    for (int i = 0; i < 2; i++) {
        put_key(&f, "k", U8);
        put_number(&f, 0, 1);
    }
    assert_bytes_fault(g, &f, GRAFT_FAULT_DUPLICATE, 46, "two keys are called 'k'");
    graft_close(g);
}

static void alignments(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    static file_bytes f;
    static const struct {
        uint32_t type, value;
    } bad[] = {{U32, 0}, {U32, 24}, {I32, 32}, {F32, 32}};
    for (size_t i = 0; i < 4; i++) {
        begin(&f, 3, 0, 1);
        put_key(&f, "general.alignment", bad[i].type);
        put_number(&f, bad[i].value, 4);
        assert_bytes_fault(g, &f, GRAFT_FAULT_GGUF, 53, "a power of two");
    }
    begin(&f, 3, 2, 1);
    put_key(&f, "general.alignment", U32);
    put_number(&f, 64, 4);
    put_info(&f, "a", 1, (const uint64_t[]){2}, 0, 0);
    put_info(&f, "b", 0, NULL, 0, 64);
    align(&f, 64);
    put_floats(&f, (const float[]){1, 2}, 2);
    align(&f, 64);
    put_floats(&f, (const float[]){7}, 1);
    graft_checkpoint *c = open_bytes(g, &f);
    assert_true(graft_item(graft_dict_tensor(graft_checkpoint_root(c), "b")) == 7);
    graft_checkpoint_free(c);
    graft_close(g);
}

/* A file of one tensor "t", whose name begins at byte 32, its sizes at 37. */
static void with_info(file_bytes *f, int ndim, const uint64_t *size, uint32_t type, uint64_t offset,
                      size_t data)
{
    begin(f, 3, 1, 0);
    put_info(f, "t", ndim, size, type, offset);
    align(f, 32);
    for (size_t i = 0; i < data; i++)
        put_number(f, 0, 1);
}

static void faults_of_infos(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    static file_bytes f;
    static const struct {
        int ndim;
        uint64_t size[2];
        uint32_t type;
        uint64_t offset;
        graft_fault fault;
        int64_t where;
        const char *words;
    } cases[] = {
        {1, {4}, 4, 0, GRAFT_FAULT_UNSUPPORTED, 45, "t: ggml's type 4, which ggml has dropped"},
        {1, {4}, 38, 0, GRAFT_FAULT_UNSUPPORTED, 45, "has dropped"},
        {1, {4}, 99, 0, GRAFT_FAULT_DTYPE, 45, "no type of ggml has the number 99"},
        {1, {33}, 2, 0, GRAFT_FAULT_SHAPE, 32, "rows of 33 elements are no whole blocks of 32"},
        {2, {16, 2}, 2, 0, GRAFT_FAULT_SHAPE, 32, "rows of 16"},
        {0, {0}, 2, 0, GRAFT_FAULT_SHAPE, 32, "rows of 1 "},
        {1, {UINT64_MAX}, 0, 0, GRAFT_FAULT_OVERFLOW, 37, "a size of 18446744073709551615"},
        {2, {1ULL << 62, 4}, 0, 0, GRAFT_FAULT_OVERFLOW, 32, "does not fit 64 bits"},
        {1, {4}, 0, 16, GRAFT_FAULT_GGUF, 49, "an offset of 16: expected a multiple of 32"},
        {1, {4}, 0, 32, GRAFT_FAULT_TRUNCATED, 49, "16 bytes at 32, where the data has 32"},
        {1, {9}, 0, 0, GRAFT_FAULT_TRUNCATED, 49, "36 bytes at 0, where the data has 32"},
        {1, {4}, 0, 1ULL << 63, GRAFT_FAULT_TRUNCATED, 49, "where the data has 32"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        with_info(&f, cases[i].ndim, cases[i].size, cases[i].type, cases[i].offset, 32);
        assert_bytes_fault(g, &f, cases[i].fault, cases[i].where, cases[i].words);
    }
    static const uint64_t ones[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    with_info(&f, 9, ones, 0, 0, 32);
    assert_bytes_fault(g, &f, GRAFT_FAULT_SHAPE, 33, "9 dimensions: expected at most 8");
    with_info(&f, 8, ones, 0, 0, 32);
    graft_checkpoint_free(open_bytes(g, &f));
    begin(&f, 3, 2, 0);
    put_info(&f, "a", 1, (const uint64_t[]){9}, 0, 0);
    put_info(&f, "b", 1, (const uint64_t[]){1}, 0, 32);
    align(&f, 32);
    for (int i = 0; i < 64; i++)
        put_number(&f, 0, 1);
    assert_bytes_fault(g, &f, GRAFT_FAULT_GGUF, 82, "b begins inside of a");
    begin(&f, 3, 2, 0);
    for (int i = 0; i < 2; i++)
        put_info(&f, "a", 1, (const uint64_t[]){1}, 0, (uint64_t)i * 32);
    align(&f, 32);
    for (int i = 0; i < 64; i++)
        put_number(&f, 0, 1);
    assert_bytes_fault(g, &f, GRAFT_FAULT_DUPLICATE, 65, "two tensors are called 'a'");
    begin(&f, 3, 1, 0);
    put_info(&f, "abcdefghijk", 0, NULL, 0, 0);
    assert_bytes_fault(g, &f, GRAFT_FAULT_TRUNCATED, (int64_t)f.size, "ends before the data");
    graft_close(g);
}

static void damage(void **state)
{
    (void)state;
    static file_bytes f;
    make(&f, 3);
    truncate_everywhere(&f, f.size);
    flip_everywhere(&f);
    fail_everywhere(&f);
}

/* A budget that does not last is an error and nothing more. */
static void limits(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    static file_bytes f;
    make(&f, 3);
    graft_read_options o = graft_read_defaults();
    uint64_t enough = 1;
    for (; enough < 100000; enough++) {
        o.max_memory = enough;
        graft_checkpoint *c = graft_checkpoint_open_memory(g, f.data, f.size, &o);
        if (c) {
            graft_checkpoint_free(c);
            break;
        }
        assert_int_equal(graft_error_fault(g), GRAFT_FAULT_LIMIT);
        graft_clear_error(g);
    }
    assert_in_range(enough, 100, 10000);
    o = graft_read_defaults();
    o.max_names = 1;
    assert_null(graft_checkpoint_open_memory(g, f.data, f.size, &o));
    assert_int_equal(graft_error_fault(g), GRAFT_FAULT_LIMIT);
    graft_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors),
        cmocka_unit_test(values),
        cmocka_unit_test(faults_of_the_head),
        cmocka_unit_test(faults_of_values),
        cmocka_unit_test(alignments),
        cmocka_unit_test(faults_of_infos),
        cmocka_unit_test(damage),
        cmocka_unit_test(limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
