#include "test.h"

#include <stdio.h>

#include "failing_allocator.h"
#include "fixture.h"
#include "folder.h"

/* Writes a file and loads it. */
static graft_dict *load(fixture *x, const char *name, const void *bytes, size_t size)
{
    char *path = folder_path(x->folder, name);
    file_put(path, bytes, size);
    graft_dict *d = graft_load(x->g, path, NULL);
    free(path);
    return d;
}

/* A file: the header's length, the header, `data` bytes 1, 2, 3, ... */
typedef struct file {
    unsigned char bytes[4096];
    size_t size;
} file;

static file make_file(const char *header, size_t data)
{
    file out = {.size = 8 + strlen(header) + data};
    assert_true(out.size <= sizeof out.bytes);
    for (size_t i = 0; i < 8; i++)
        out.bytes[i] = (unsigned char)((uint64_t)strlen(header) >> (8 * i));
    memcpy(out.bytes + 8, header, strlen(header));
    for (size_t i = 0; i < data; i++)
        out.bytes[8 + strlen(header) + i] = (unsigned char)(i + 1);
    return out;
}

static graft_checkpoint *open_memory(graft_ctx *g, const file *f)
{
    return graft_checkpoint_open_memory(g, f->bytes, f->size, NULL);
}

/* ---- What is right ---- */

static void test_tensors(void **state)
{
    graft_ctx *g = ((fixture *)*state)->g;
    const file f = make_file("{\"__metadata__\":{\"format\":\"pt\",\"a\\u0000b\":\"\\n\"},"
                             "\"second\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[8,11]},"
                             "\"first\":{\"dtype\":\"I16\",\"shape\":[2,2],\"data_offsets\":[0,8]},"
                             "\"none\":{\"shape\":[0,5],\"dtype\":\"F64\",\"data_offsets\":[8,8]},"
                             "\"\":{\"data_offsets\":[11,12],\"more\":[{}],\"dtype\":\"BOOL\","
                             "\"shape\":[]}}   ",
                             12);
    graft_checkpoint *c = open_memory(g, &f);
    assert_no_error(g);
    assert_int_equal(graft_checkpoint_format(c), GRAFT_FORMAT_SAFETENSORS);
    assert_false(graft_checkpoint_is_bare(c));
    graft_dict *d = graft_checkpoint_root(c);
    assert_int_equal(graft_dict_len(d), 4);
    assert_string_equal(graft_dict_key(d, 0), "second");
    assert_string_equal(graft_dict_key(d, 3), "");
    assert_elements(graft_dict_tensor(d, "second"), (const double[]){9, 10, 11}, 3);
    assert_elements(graft_dict_tensor(d, "first"), (const double[]){513, 1027, 1541, 2055}, 4);
    assert_int_equal(graft_tensor_shape(graft_dict_tensor(d, "none")).size[1], 5);
    assert_int_equal(graft_tensor_dtype(graft_dict_tensor_at(d, 3)), GRAFT_BOOL);
    assert_int_equal(graft_ndim(graft_dict_tensor_at(d, 3)), 0);
    assert_false(graft_shares_storage(graft_dict_tensor_at(d, 0), graft_dict_tensor_at(d, 1)));
    graft_dict *m = graft_checkpoint_metadata(c);
    assert_int_equal(graft_dict_len(m), 2);
    assert_string_equal(graft_dict_string_at(m, graft_dict_find(m, "format")), "pt");
    assert_string_equal(graft_dict_string_at(m, 1), "\n");
    graft_checkpoint_free(c);
}

/* The data begins at any address: tensors are moved where their elements have to be aligned. */
static void test_misaligned(void **state)
{
    graft_ctx *g = ((fixture *)*state)->g;
    for (size_t spaces = 0; spaces < 16; spaces++) {
        char header[256];
        snprintf(header, sizeof header,
                 "{\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                 "\"x\":{\"dtype\":\"I64\",\"shape\":[2],\"data_offsets\":[1,17]},"
                 "\"c\":{\"dtype\":\"C64\",\"shape\":[1],\"data_offsets\":[17,25]}}%*s",
                 (int)spaces, "");
        const file f = make_file(header, 25);
        graft_dict *d = graft_checkpoint_root(open_memory(g, &f));
        assert_no_error(g);
        const double expected[] = {(double)0x0908070605040302, (double)0x11100F0E0D0C0B0A};
        assert_elements(graft_dict_tensor(d, "x"), expected, 2);
        const void *c = graft_data(graft_dict_tensor(d, "c"));
        assert_int_equal((uintptr_t)c % 4, 0);
        assert_memory_equal(c, f.bytes + f.size - 8, 8);
        int64_t *own = graft_data_mut(graft_dict_tensor(d, "x"));
        assert_non_null(own);
        own[0] = 7; /* nothing else is written */
        assert_memory_equal(graft_data(graft_dict_tensor(d, "b")), "\1", 1);
    }
}

static void test_dtypes(void **state)
{
    graft_ctx *g = ((fixture *)*state)->g;
    static const struct {
        const char *name;
        graft_dtype dtype;
        int n, bytes;
    } cases[] = {
        {"BOOL", GRAFT_BOOL, 4, 4},
        {"F4", GRAFT_F4, 4, 2},
        {"F6_E2M3", GRAFT_F6_E2M3, 4, 3},
        {"F6_E3M2", GRAFT_F6_E3M2, 8, 6},
        {"U8", GRAFT_U8, 4, 4},
        {"I8", GRAFT_I8, 4, 4},
        {"F8_E5M2", GRAFT_F8_E5M2, 4, 4},
        {"F8_E4M3", GRAFT_F8_E4M3FN, 4, 4},
        {"F8_E8M0", GRAFT_F8_E8M0FNU, 4, 4},
        {"F8_E4M3FNUZ", GRAFT_F8_E4M3FNUZ, 4, 4},
        {"F8_E5M2FNUZ", GRAFT_F8_E5M2FNUZ, 4, 4},
        {"I16", GRAFT_I16, 4, 8},
        {"U16", GRAFT_U16, 4, 8},
        {"F16", GRAFT_F16, 4, 8},
        {"BF16", GRAFT_BF16, 4, 8},
        {"I32", GRAFT_I32, 4, 16},
        {"U32", GRAFT_U32, 4, 16},
        {"F32", GRAFT_F32, 4, 16},
        {"C64", GRAFT_C64, 4, 32},
        {"F64", GRAFT_F64, 4, 32},
        {"I64", GRAFT_I64, 4, 32},
        {"U64", GRAFT_U64, 4, 32},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char header[128];
        snprintf(header, sizeof header,
                 "{\"t\":{\"dtype\":\"%s\",\"shape\":[%d],\"data_offsets\":[0,%d]}}", cases[i].name,
                 cases[i].n, cases[i].bytes);
        const file f = make_file(header, (size_t)cases[i].bytes);
        graft_checkpoint *c = open_memory(g, &f);
        graft_tensor *t = graft_dict_tensor(graft_checkpoint_root(c), "t");
        assert_no_error(g);
        assert_int_equal(graft_tensor_dtype(t), cases[i].dtype);
        assert_int_equal(graft_numel(t), cases[i].n);
        assert_memory_equal(graft_data(t), f.bytes + f.size - cases[i].bytes,
                            (size_t)cases[i].bytes);
        graft_checkpoint_free(c);
    }
}

/* ---- What is wrong ---- */

typedef struct wrong {
    const char *header;
    size_t data;
    graft_fault fault;
    int64_t offset; /* in the header; -2: not looked at */
} wrong;

#define INFO(dtype, shape, begin, end)                                                             \
    "{\"dtype\":\"" dtype "\",\"shape\":[" shape "],\"data_offsets\":[" #begin "," #end "]}"
#define NOT_WANTED GRAFT_FAULT_INVALID_HEADER_DESERIALIZATION

static const wrong wrongs[] = {
    {"{", 0, NOT_WANTED, 1},
    {"[]", 0, NOT_WANTED, -2},
    {"{}x", 0, NOT_WANTED, 2},
    {"{} {}", 0, NOT_WANTED, 3},
    {"{\"a\":1}", 0, NOT_WANTED, -2},
    {"{\"a\":null}", 0, NOT_WANTED, -2},
    {"{\"a\":{}}", 0, NOT_WANTED, -2},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1, NOT_WANTED, -2},
    {"{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1, NOT_WANTED, -2},
    {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,1]}}", 1, NOT_WANTED, -2},
    {"{\"a\":" INFO("Q9", "1", 0, 1) "}", 1, NOT_WANTED, -2},
    {"{\"a\":" INFO("u8", "1", 0, 1) "}", 1, NOT_WANTED, -2},
    {"{\"a\":" INFO("U8", "1.0", 0, 1) "}", 1, NOT_WANTED, -2},
    {"{\"a\":" INFO("U8", "-1", 0, 1) "}", 1, NOT_WANTED, -2},
    {"{\"a\":" INFO("U8", "\"1\"", 0, 1) "}", 1, NOT_WANTED, -2},
    {"{\"a\":" INFO("U8", "18446744073709551616", 0, 1) "}", 1, NOT_WANTED, -2},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0]}}", 1, NOT_WANTED, -2},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1,2]}}", 1, NOT_WANTED, -2},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":1,\"data_offsets\":[0,1]}}", 1, NOT_WANTED, -2},
    {"{\"a\":{\"dtype\":8,\"shape\":[1],\"data_offsets\":[0,1]}}", 1, NOT_WANTED, -2},
    {"{\"__metadata__\":{\"n\":1}}", 0, NOT_WANTED, -2},
    {"{\"__metadata__\":[]}", 0, NOT_WANTED, -2},
    {"{\"\\uD800\":" INFO("U8", "1", 0, 1) "}", 1, NOT_WANTED, 2},
    {"{\xFF}", 0, GRAFT_FAULT_INVALID_HEADER, 1},
    {"{\"a\":" INFO("U8", "1", 0, 1) ",\"a\":" INFO("U8", "1", 1, 2) "}", 2, GRAFT_FAULT_DUPLICATE,
     -2},
    {"{\"a\":" INFO("U8", "1", 0, 1) ",\"\\u0061\":" INFO("U8", "1", 1, 2) "}", 2,
     GRAFT_FAULT_DUPLICATE, -2},
    {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, GRAFT_FAULT_DUPLICATE, -2},
    {"{\"__metadata__\":{\"a\":\"\",\"a\":\"\"}}", 0, GRAFT_FAULT_DUPLICATE, -2},
    {"{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
     GRAFT_FAULT_DUPLICATE, -2},
    {"{\"a\":" INFO("U8", "1", 0, 1) ",\"b\":" INFO("U8", "1", 2, 3) "}", 3,
     GRAFT_FAULT_INVALID_OFFSET, 54},
    {"{\"a\":" INFO("U8", "2", 0, 2) ",\"b\":" INFO("U8", "2", 1, 3) "}", 3,
     GRAFT_FAULT_INVALID_OFFSET, 54},
    {"{\"a\":" INFO("U8", "1", 0, 1) ",\"b\":" INFO("U8", "1", 0, 1) "}", 1,
     GRAFT_FAULT_INVALID_OFFSET, -2},
    {"{\"a\":" INFO("U8", "1", 1, 2) "}", 2, GRAFT_FAULT_INVALID_OFFSET, 2},
    {"{\"a\":" INFO("U8", "0", 4, 0) "}", 4, GRAFT_FAULT_INVALID_OFFSET, 2},
    {"{\"a\":" INFO("I32", "2,2", 0, 4) "}", 4, GRAFT_FAULT_TENSOR_INVALID_INFO, 2},
    {"{\"a\":" INFO("U8", "", 0, 0) "}", 0, GRAFT_FAULT_TENSOR_INVALID_INFO, 2},
    {"{\"a\":" INFO("U8", "2305843009213693951", 0, 1) "}", 1, GRAFT_FAULT_TENSOR_INVALID_INFO, 2},
    {"{\"a\":" INFO("I32", "2,18446744073709551614", 0, 16) "}", 16,
     GRAFT_FAULT_VALIDATION_OVERFLOW, 2},
    {"{\"a\":" INFO("I32", "2,9223372036854775807", 0, 16) "}", 16, GRAFT_FAULT_VALIDATION_OVERFLOW,
     2},
    {"{\"a\":" INFO("F4", "1,3", 0, 2) "}", 2, GRAFT_FAULT_MISALIGNED_SLICE, 2},
    {"{\"a\":" INFO("F6_E2M3", "2", 0, 2) "}", 2, GRAFT_FAULT_MISALIGNED_SLICE, 2},
    {"{\"a\":" INFO("U8", "1,1,1,1,1,1,1,1,1", 0, 1) "}", 1, GRAFT_FAULT_SHAPE, -2},
    {"{\"a\":" INFO("U8", "0,18446744073709551615", 0, 0) "}", 0, GRAFT_FAULT_SHAPE, 2},
    {"{\"a\":" INFO("U8", "2", 0, 2) "}", 1, GRAFT_FAULT_METADATA_INCOMPLETE_BUFFER, -2},
    {"{\"a\":" INFO("U8", "2", 0, 2) "}", 3, GRAFT_FAULT_METADATA_INCOMPLETE_BUFFER, -2},
    {"{}", 1, GRAFT_FAULT_METADATA_INCOMPLETE_BUFFER, 2},
    {"{\"a\":" INFO("U8", "1152921504606846976", 0, 1152921504606846976) "}", 1,
     GRAFT_FAULT_METADATA_INCOMPLETE_BUFFER, -2},
};

static void assert_fault(fixture *x, const file *f, graft_fault fault, int64_t offset)
{
    assert_null(load(x, "wrong.safetensors", f->bytes, f->size));
    if (graft_error_fault(x->g) != fault || (offset >= -1 && graft_error_offset(x->g) != offset))
        fail_msg("expected %s at %lld, got at %lld: %s", graft_fault_name(fault), (long long)offset,
                 (long long)graft_error_offset(x->g), graft_error(x->g));
    assert_int_equal(graft_error_status(x->g), GRAFT_ERR_FORMAT);
    assert_non_null(strstr(graft_error(x->g), "wrong.safetensors: "));
    graft_clear_error(x->g);
}

static void test_faults(void **state)
{
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        const file f = make_file(wrongs[i].header, wrongs[i].data);
        assert_fault(*state, &f, wrongs[i].fault,
                     wrongs[i].offset >= 0 ? 8 + wrongs[i].offset : -2);
    }
}

static void test_header_lengths(void **state)
{
    for (size_t size = 0; size < 8; size++)
        assert_fault(*state, &(file){.bytes = "\2\0\0\0\0\0\0", .size = size},
                     GRAFT_FAULT_HEADER_TOO_SMALL, (int64_t)size);
    file f = make_file("{}", 0);
    f.bytes[0] = 3;
    assert_fault(*state, &f, GRAFT_FAULT_INVALID_HEADER_LENGTH, 0);
    f.bytes[0] = 0;
    assert_fault(*state, &f, NOT_WANTED, -2); /* an empty text is no JSON */
    const uint64_t limit = 100000000, lengths[] = {limit + 1, UINT64_MAX, UINT64_MAX - 7};
    for (size_t k = 0; k < 3; k++) {
        for (size_t i = 0; i < 8; i++)
            f.bytes[i] = (unsigned char)(lengths[k] >> (8 * i));
        assert_fault(*state, &f, GRAFT_FAULT_HEADER_TOO_LARGE, 0);
    }
    for (size_t i = 0; i < 8; i++)
        f.bytes[i] = (unsigned char)(limit >> (8 * i));
    assert_fault(*state, &f, GRAFT_FAULT_INVALID_HEADER_LENGTH, 0);
}

static void test_limits(void **state)
{
    graft_ctx *g = ((fixture *)*state)->g;
    const file f =
        make_file("{\"a\":" INFO("U8", "1", 0, 1) ",\"b\":" INFO("U8", "1", 1, 2) "}", 2);
    graft_read_options o = graft_read_defaults();
    o.max_names = 1;
    assert_null(graft_checkpoint_open_memory(g, f.bytes, f.size, &o));
    assert_int_equal(graft_error_fault(g), GRAFT_FAULT_LIMIT);
    graft_clear_error(g);
    o.max_names = 2;
    o.max_memory = 100;
    assert_null(graft_checkpoint_open_memory(g, f.bytes, f.size, &o));
    assert_int_equal(graft_error_fault(g), GRAFT_FAULT_LIMIT);
    graft_clear_error(g);
    o.max_memory = 10000;
    graft_checkpoint_free(graft_checkpoint_open_memory(g, f.bytes, f.size, &o));
    assert_no_error(g);
}

/* ---- All cuts and flips ---- */

static file small_file(void)
{
    return make_file("{\"__metadata__\":{\"k\":\"v\"},\"a.b\":" INFO(
                         "F32", "2", 0, 8) ",\"c\":" INFO("I16", "1,2", 8, 12) "}",
                     12);
}

static void test_every_cut(void **state)
{
    graft_ctx *g = ((fixture *)*state)->g;
    const file whole = small_file();
    for (size_t size = 0; size < whole.size; size++) {
        unsigned char *exact = malloc(size ? size : 1);
        assert_non_null(exact);
        memcpy(exact, whole.bytes, size);
        assert_null(graft_checkpoint_open_memory(g, exact, size, NULL));
        assert_int_equal(graft_error_status(g), GRAFT_ERR_FORMAT);
        assert_int_not_equal(graft_error_fault(g), GRAFT_FAULT_NONE);
        graft_clear_error(g);
        free(exact);
    }
}

/* Whatever comes of it, what can be taken out lies within the file. */
static void test_every_flip(void **state)
{
    graft_ctx *g = ((fixture *)*state)->g;
    for (size_t bit = 0; bit < 8 * small_file().size; bit++) {
        file f = small_file();
        f.bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        graft_checkpoint *c = open_memory(g, &f);
        const graft_dict *d = graft_checkpoint_root(c);
        for (int64_t i = 0; i < graft_dict_len(d); i++) {
            graft_tensor_info info;
            assert_true(graft_dict_tensor_info(d, i, &info));
            unsigned char sum = 0;
            const unsigned char *p = graft_data(graft_dict_tensor_at(d, i));
            for (uint64_t k = 0; k < info.bytes; k++)
                sum ^= p[k];
            (void)sum;
        }
        assert_true(c || graft_error_fault(g) != GRAFT_FAULT_NONE);
        graft_checkpoint_free(c);
        graft_clear_error(g);
    }
}

/* What lies before the cut is got out, and the rest is named. */
static void test_salvage(void **state)
{
    fixture *x = *state;
    const file whole = small_file();
    char *path = folder_path(x->folder, "cut.safetensors");
    for (size_t cut = 0; cut <= 12; cut++) {
        file_put(path, whole.bytes, whole.size - cut);
        graft_salvage_report *s = graft_salvage(x->g, path, NULL);
        assert_no_error(x->g);
        const int64_t lost = cut > 4 ? 2 : cut > 0;
        assert_int_equal(graft_salvage_lost(s), lost);
        assert_int_equal(graft_dict_len(graft_salvage_dict(s)), 2 - lost);
        if (lost > 0)
            assert_string_equal(graft_salvage_lost_name(s, lost - 1), "c");
        if (lost < 2)
            assert_memory_equal(graft_data(graft_dict_tensor_at(graft_salvage_dict(s), 0)),
                                whole.bytes + whole.size - 12, 8);
        graft_salvage_free(s);
    }
    file_put(path, whole.bytes, whole.size - 13); /* inside of the header */
    assert_null(graft_salvage(x->g, path, NULL));
    assert_int_equal(graft_error_fault(x->g), GRAFT_FAULT_INVALID_HEADER_LENGTH);
    graft_clear_error(x->g);
    free(path);
}

/* ---- Memory ---- */

static void without_memory(void *user, failing_allocator *a)
{
    (void)user;
    graft_ctx *g = failing_allocator_open(a);
    if (!g)
        return;
    const file f = make_file("{\"__metadata__\":{\"\\n\":\"\\t\"},\"b\":" INFO(
                                 "U8", "1", 8, 9) ",\"a\":" INFO("I64", "1", 0, 8) "}",
                             9);
    graft_checkpoint *c = open_memory(g, &f);
    graft_tensor *t = graft_dict_tensor(graft_checkpoint_root(c), "a");
    if (!t)
        assert_int_equal(graft_error_status(g), GRAFT_ERR_MEMORY);
    else
        assert_true(graft_item_i64(t) == 0x0807060504030201);
    graft_close(g);
}

static void test_failing_allocator(void **state)
{
    (void)state;
    failing_allocator_sweep(without_memory, NULL);
}

/* ---- Size ---- */

static void test_many_tensors(void **state)
{
    fixture *x = *state;
    const size_t count = test_quick() ? 1000 : 100000;
    char *bytes = malloc(8 + count * 100);
    assert_non_null(bytes);
    size_t at = 8;
    at += (size_t)sprintf(bytes + at, "{");
    for (size_t i = 0; i < count; i++)
        at += (size_t)sprintf(bytes + at,
                              "%s\"layers.%zu.w\":{\"dtype\":\"U8\",\"shape\":[1],"
                              "\"data_offsets\":[%zu,%zu]}",
                              i ? "," : "", i, i, i + 1);
    at += (size_t)sprintf(bytes + at, "}");
    for (size_t i = 0; i < 8; i++)
        bytes[i] = (char)((uint64_t)(at - 8) >> (8 * i));
    for (size_t i = 0; i < count; i++)
        bytes[at++] = (char)i;
    graft_dict *d = load(x, "many.safetensors", bytes, at);
    free(bytes);
    assert_no_error(x->g);
    assert_int_equal(graft_dict_len(d), (int64_t)count);
    assert_int_equal(graft_item_i64(graft_dict_tensor(d, "layers.998.w")), 998 & 255);
    graft_dict_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tensors),        cmocka_unit_test(test_misaligned),
        cmocka_unit_test(test_dtypes),         cmocka_unit_test(test_faults),
        cmocka_unit_test(test_header_lengths), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_every_cut),      cmocka_unit_test(test_every_flip),
        cmocka_unit_test(test_salvage),        cmocka_unit_test(test_failing_allocator),
        cmocka_unit_test(test_many_tensors),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
