#include "test.h"

#include <stdio.h>

#include "failing_allocator.h"
#include "file/sha256.h"
#include "file/writing.h"
#include "fixture.h"
#include "folder.h"

static int open_with_scope(void **state)
{
    fixture_open(state);
    const fixture *f = *state;
    return graft_scope_begin(f->g);
}

static graft_write_options defaults(void)
{
    return (graft_write_options){.format = GRAFT_FORMAT_SAFETENSORS, .sync = false};
}

/* Writes d and tells in *report what was done. */
static graft_status write(fixture *x, const char *name, const graft_dict *d,
                          const graft_write_options *options, graft_write_report *report)
{
    char *path = folder_path(x->folder, name);
    graft__writing w = {
        .g = x->g,
        .op = "save",
        .path = path,
        .dict = d,
        .options = options ? *options : defaults(),
    };
    const graft_status status = graft__write_safetensors(&w);
    if (report)
        *report = w.report;
    if (status == GRAFT_OK)
        assert_true(w.done == w.total);
    free(path);
    return status;
}

static graft_checkpoint *open_file(fixture *x, const char *name, graft_verify verify)
{
    char *path = folder_path(x->folder, name);
    graft_read_options o = graft_read_defaults();
    o.verify = verify;
    graft_checkpoint *c = graft_checkpoint_open(x->g, path, &o);
    free(path);
    return c;
}

static unsigned char *get(fixture *x, const char *name, size_t *size)
{
    char *path = folder_path(x->folder, name);
    unsigned char *bytes = file_get(path, size);
    free(path);
    return bytes;
}

static void assert_file(fixture *x, const char *name, const char *header, const void *data,
                        size_t size)
{
    size_t got;
    unsigned char *bytes = get(x, name, &got);
    assert_non_null(bytes);
    char padded[1024]; /* with spaces to a multiple of 8 */
    const size_t length = (strlen(header) + 7) / 8 * 8;
    snprintf(padded, sizeof padded, "%-*s", (int)length, header);
    assert_true(got >= 8 + length);
    assert_int_equal(bytes[0] | bytes[1] << 8, length);
    if (memcmp(bytes + 8, padded, length) != 0)
        fail_msg("got '%.*s', expected '%s'", (int)length, (const char *)bytes + 8, padded);
    assert_int_equal(got, 8 + length + size);
    assert_memory_equal(bytes + 8 + length, data, size);
    free(bytes);
}

static void put(graft_dict *d, const char *name, graft_tensor *t)
{
    assert_non_null(t);
    assert_int_equal(graft_dict_set_tensor(d, name, t), GRAFT_OK);
}

/* ---- One file ---- */

static void test_bytes(void **state)
{
    fixture *x = *state;
    graft_dict *d = graft_dict_new(x->g), *layer = graft_dict_new(x->g);
    put(layer, "w", graft_from_data(x->g, "\1\2\3\4\5\6\7\10", graft_shape2(1, 2), GRAFT_F32));
    put(layer, "b", graft_from_data(x->g, "abcdefgh", graft_shape2(2, 1), GRAFT_F32));
    graft_dict_set_dict(d, "layer", layer);
    put(d, "n", graft_from_data(x->g, "01234567", graft_shape0(), GRAFT_I64));
    put(d, "e", graft_from_data(x->g, NULL, graft_shape2(3, 0), GRAFT_U8));
    put(d, "\"\\\n\x1F\x7F\xC3\xA9/", graft_from_data(x->g, "\1", graft_shape1(1), GRAFT_BOOL));
    graft_dict *metadata = graft_dict_new(x->g);
    graft_dict_set_string(metadata, "format", "pt");
    graft_dict_set_string(metadata, "graft.sha256", "of the file it was read from");
    graft_write_options o = defaults();
    o.metadata = metadata;
    graft_write_report report;
    assert_int_equal(write(x, "a.safetensors", d, &o, &report), GRAFT_OK);
    assert_file(x, "a.safetensors",
                "{\"__metadata__\":{\"format\":\"pt\"},"
                "\"n\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,8]},"
                "\"layer.b\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[8,16]},"
                "\"layer.w\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[16,24]},"
                "\"e\":{\"dtype\":\"U8\",\"shape\":[3,0],\"data_offsets\":[24,24]},"
                "\"\\\"\\\\\\n\\u001f\x7F\xC3\xA9/\":{\"dtype\":\"BOOL\",\"shape\":[1],"
                "\"data_offsets\":[24,25]}}",
                "01234567abcdefgh\1\2\3\4\5\6\7\10\1", 25);
    assert_int_equal(report.tensors, 5);
    assert_int_equal(report.storages, 5);
    assert_int_equal(report.files, 1);
    size_t size;
    free(get(x, "a.safetensors", &size));
    assert_int_equal(report.bytes, size);
    assert_int_equal(folder_count(x->folder, NULL), 1);
    graft_dict_free(layer);
    graft_dict_free(d);
    d = graft_dict_new(x->g);
    assert_int_equal(write(x, "a.safetensors", d, NULL, NULL), GRAFT_OK);
    assert_file(x, "a.safetensors", "{}", "", 0);
    graft_dict_free(d);
    graft_dict_free(metadata);
}

static void test_views_and_ties(void **state)
{
    fixture *x = *state;
    graft_dict *d = graft_dict_new(x->g);
    graft_tensor *m = graft_reshape(graft_arange(x->g, 0, 6, 1, GRAFT_U8), graft_shape2(2, 3));
    put(d, "turned", graft_transpose(m, 0, 1));
    put(d, "tie", m);
    put(d, "part", graft_narrow(m, 1, 1, 2));
    put(d, "spread",
        graft_expand(graft_narrow(graft_narrow(m, 1, 2, 1), 0, 1, 1), graft_shape2(2, 2)));
    put(d, "one", m);
    assert_int_equal(write(x, "v.safetensors", d, NULL, NULL), GRAFT_OK);
    assert_file(x, "v.safetensors",
                "{\"one\":{\"dtype\":\"U8\",\"shape\":[2,3],\"data_offsets\":[0,6]},"
                "\"part\":{\"dtype\":\"U8\",\"shape\":[2,2],\"data_offsets\":[6,10]},"
                "\"spread\":{\"dtype\":\"U8\",\"shape\":[2,2],\"data_offsets\":[10,14]},"
                "\"tie\":{\"dtype\":\"U8\",\"shape\":[2,3],\"data_offsets\":[14,20]},"
                "\"turned\":{\"dtype\":\"U8\",\"shape\":[3,2],\"data_offsets\":[20,26]}}",
                "\0\1\2\3\4\5\1\2\4\5\5\5\5\5\0\1\2\3\4\5\0\3\1\4\2\5", 26);
    graft_dict_free(d);
}

/* Parts of more than one piece, in every kind of place: the same bytes as contiguous ones. */
static void test_large_views(void **state)
{
    fixture *x = *state;
    graft_tensor *m =
        graft_reshape(graft_arange(x->g, 0, 3 << 20, 1, GRAFT_I32), graft_shape3(3, 1024, 1024));
    const graft_shape orders[] = {graft_shape3(2, 1, 0), graft_shape3(0, 2, 1),
                                  graft_shape3(1, 0, 2)};
    for (int i = 0; i < 3; i++) {
        graft_dict *a = graft_dict_new(x->g), *b = graft_dict_new(x->g);
        graft_tensor *view = graft_permute(m, orders[i]);
        put(a, "t", view);
        put(b, "t", graft_contiguous(view));
        assert_int_equal(write(x, "a.safetensors", a, NULL, NULL), GRAFT_OK);
        assert_int_equal(write(x, "b.safetensors", b, NULL, NULL), GRAFT_OK);
        size_t size;
        unsigned char *bytes = get(x, "b.safetensors", &size);
        char *path = folder_path(x->folder, "a.safetensors");
        assert_true(file_is(path, bytes, size));
        free(path);
        free(bytes);
        graft_dict_free(a);
        graft_dict_free(b);
    }
}

static void test_pairs(void **state)
{
    fixture *x = *state;
    graft_dict *d = graft_dict_new(x->g);
    put(d, "p", graft_from_data(x->g, "\x12\x34", graft_shape2(1, 2), GRAFT_F4_E2M1FN_X2));
    graft_write_options o = defaults();
    o.content_hash = graft__has_sha256();
    assert_int_equal(write(x, "p.safetensors", d, &o, NULL), GRAFT_OK);
    graft_checkpoint *c = open_file(x, "p.safetensors", GRAFT_VERIFY_OPEN);
    assert_no_error(x->g);
    graft_tensor *t = graft_dict_tensor(graft_checkpoint_root(c), "p");
    assert_int_equal(graft_tensor_dtype(t), GRAFT_F4);
    assert_int_equal(graft_size(t, 1), 4);
    assert_memory_equal(graft_data(t), "\x12\x34", 2);
    graft_checkpoint_free(c);
    graft_dict_free(d);
}

static void test_zero_bytes_in_names(void **state)
{
    fixture *x = *state;
    static const char header[] = "{\"a\\u0000b\":{\"dtype\":\"U8\",\"shape\":[1],"
                                 "\"data_offsets\":[0,1]},\"a\":{\"dtype\":\"U8\",\"shape\":[1],"
                                 "\"data_offsets\":[1,2]}}";
    char file[128] = {(char)(sizeof header - 1)};
    memcpy(file + 8, header, sizeof header - 1);
    memcpy(file + 8 + sizeof header - 1, "12", 2);
    graft_checkpoint *c = graft_checkpoint_open_memory(x->g, file, 8 + sizeof header - 1 + 2, NULL);
    assert_no_error(x->g);
    assert_int_equal(write(x, "z.safetensors", graft_checkpoint_root(c), NULL, NULL), GRAFT_OK);
    assert_file(x, "z.safetensors",
                "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                "\"a\\u0000b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}",
                "21", 2);
    graft_checkpoint_free(c);
}

static void test_refused(void **state)
{
    fixture *x = *state;
    graft_ctx *g = x->g;
    graft_dict *d = graft_dict_new(g), *inner = graft_dict_new(g);
    graft_dict_set_dict(d, "state", inner);
    graft_dict_set_int(inner, "step", 3);
    assert_int_equal(write(x, "r.safetensors", d, NULL, NULL), GRAFT_ERR_ARGUMENT);
    assert_error_has(g, GRAFT_ERR_ARGUMENT,
                     "r.safetensors: 'state.step' is an integer: this format holds tensors only");
    graft_dict_drop(inner, "step");
    put(inner, "t", graft_from_data(g, "12345678", graft_shape1(2), GRAFT_C32));
    assert_int_equal(write(x, "r.safetensors", d, NULL, NULL), GRAFT_ERR_ARGUMENT);
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "'state.t' is complex32, which this format lacks");
    put(inner, "t", graft_ones(g, graft_shape0(), GRAFT_F32));
    put(d, "state.t", graft_ones(g, graft_shape0(), GRAFT_F32));
    assert_int_equal(write(x, "r.safetensors", d, NULL, NULL), GRAFT_ERR_NAME);
    assert_error_has(g, GRAFT_ERR_NAME, "two tensors have the name 'state.t'");
    graft_dict_drop(d, "state.t");
    put(d, "\xFF", graft_ones(g, graft_shape0(), GRAFT_F32));
    assert_int_equal(write(x, "r.safetensors", d, NULL, NULL), GRAFT_ERR_NAME);
    assert_error_has(g, GRAFT_ERR_NAME, "is not UTF-8");
    graft_dict_drop(d, "\xFF");
    put(d, "__metadata__", graft_ones(g, graft_shape0(), GRAFT_F32));
    assert_int_equal(write(x, "r.safetensors", d, NULL, NULL), GRAFT_ERR_NAME);
    assert_error_has(g, GRAFT_ERR_NAME, "__metadata__");
    graft_dict_drop(d, "__metadata__");
    graft_dict *metadata = graft_dict_new(g);
    graft_dict_set_int(metadata, "epoch", 1);
    graft_write_options o = defaults();
    o.metadata = metadata;
    assert_int_equal(write(x, "r.safetensors", d, &o, NULL), GRAFT_ERR_ARGUMENT);
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "metadata 'epoch'");
    graft_tensor *w = graft_ones(g, graft_shape1(2), GRAFT_F32);
    graft_set_requires_grad(w, true);
    put(d, "history", graft_mul(w, w));
    assert_int_equal(write(x, "r.safetensors", d, NULL, NULL), GRAFT_ERR_STATE);
    assert_error_has(g, GRAFT_ERR_STATE, "'history' has history");
    assert_int_equal(folder_count(x->folder, "r."), 0);
    graft_dict_free(d);
    graft_dict_free(inner);
    graft_dict_free(metadata);
}

/* ---- Hashes ---- */

static graft_dict *three(graft_ctx *g)
{
    graft_dict *d = graft_dict_new(g);
    put(d, "c", graft_from_data(g, "cccc", graft_shape1(1), GRAFT_F32));
    put(d, "b", graft_from_data(g, "bbbb", graft_shape1(4), GRAFT_U8));
    put(d, "a", graft_from_data(g, "aaaaaaaa", graft_shape1(1), GRAFT_I64));
    return d;
}

static void rewrite(fixture *x, const char *name, const unsigned char *bytes, size_t size)
{
    char *path = folder_path(x->folder, name);
    file_put(path, bytes, size);
    free(path);
}

static void test_hashes_find_every_flip(void **state)
{
    if (!graft__has_sha256())
        skip();
    fixture *x = *state;
    graft_dict *d = three(x->g);
    graft_write_options o = defaults();
    o.content_hash = true;
    assert_int_equal(write(x, "h.safetensors", d, &o, NULL), GRAFT_OK);
    graft_dict_free(d);
    size_t size;
    unsigned char *bytes = get(x, "h.safetensors", &size);
    for (size_t at = size - 16; at < size; at++) {
        bytes[at] ^= 1;
        rewrite(x, "h.safetensors", bytes, size);
        assert_null(open_file(x, "h.safetensors", GRAFT_VERIFY_OPEN));
        assert_int_equal(graft_error_fault(x->g), GRAFT_FAULT_CHECKSUM);
        graft_clear_error(x->g);
        graft_checkpoint *c = open_file(x, "h.safetensors", GRAFT_VERIFY_USE);
        assert_no_error(x->g);
        static const char *const names[] = {"a", "a", "c", "b"}; /* by their place in the data */
        for (int i = 1; i < 4; i++) {
            const bool damaged = strcmp(names[i], names[(at - (size - 16)) / 4]) == 0;
            graft_tensor *t = graft_dict_tensor(graft_checkpoint_root(c), names[i]);
            assert_true(damaged == !t);
            if (damaged) {
                assert_int_equal(graft_error_fault(x->g), GRAFT_FAULT_CHECKSUM);
                assert_non_null(strstr(graft_error(x->g), names[i]));
            }
            graft_clear_error(x->g);
        }
        graft_checkpoint_free(c);
        c = open_file(x, "h.safetensors", GRAFT_VERIFY_NEVER);
        assert_non_null(graft_dict_tensor(graft_checkpoint_root(c), "a"));
        graft_checkpoint_free(c);
        bytes[at] ^= 1;
    }
    free(bytes);
}

/* Headers that are right by themselves, but not the ones that were hashed. */
static void test_hashes_cover_the_header(void **state)
{
    if (!graft__has_sha256())
        skip();
    fixture *x = *state;
    graft_dict *d = three(x->g);
    graft_write_options o = defaults();
    o.content_hash = true;
    assert_int_equal(write(x, "h.safetensors", d, &o, NULL), GRAFT_OK);
    graft_dict_free(d);
    size_t size;
    unsigned char *bytes = get(x, "h.safetensors", &size);
    static const char *const changes[][2] = {
        {"\"a\":{", "\"d\":{"},
        {"\"F32\"", "\"I32\""},
        {"\"shape\":[4]", "\"shape\":[4]"},
        {"\"graft.sha256\":\"", NULL},
        {"\"graft.sha256.tensors\":\"", NULL},
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        unsigned char *copy = malloc(size);
        assert_non_null(copy);
        memcpy(copy, bytes, size);
        char *at = memmem(copy, size, changes[i][0], strlen(changes[i][0]));
        assert_non_null(at);
        if (changes[i][1])
            memcpy(at, changes[i][1], strlen(changes[i][1]));
        else
            at[strlen(changes[i][0])] ^= 1;
        rewrite(x, "h.safetensors", copy, size);
        graft_checkpoint *c = open_file(x, "h.safetensors", GRAFT_VERIFY_USE);
        if (i == 2) {
            assert_no_error(x->g); /* nothing was changed */
            graft_checkpoint_free(c);
        } else {
            assert_null(c);
            assert_int_equal(graft_error_fault(x->g), GRAFT_FAULT_CHECKSUM);
            graft_clear_error(x->g);
        }
        free(copy);
    }
    free(bytes);
}

static void test_no_hash_without_nettle(void **state)
{
    if (graft__has_sha256())
        skip();
    fixture *x = *state;
    graft_dict *d = three(x->g);
    graft_write_options o = defaults();
    o.content_hash = true;
    assert_int_equal(write(x, "h.safetensors", d, &o, NULL), GRAFT_ERR_ARGUMENT);
    assert_error_has(x->g, GRAFT_ERR_ARGUMENT, "it needs nettle (GRAFT_NETTLE)");
    graft_dict_free(d);
}

/* ---- Sets ---- */

/* A dict of `count` tensors of 100 bytes whose elements are `value`. */
static graft_dict *hundreds(graft_ctx *g, int count, int value)
{
    graft_dict *d = graft_dict_new(g);
    for (int i = 0; i < count; i++) {
        char name[8];
        snprintf(name, sizeof name, "t%d", (i * 7) % 10);
        put(d, name, graft_full(g, graft_shape1(100), value, GRAFT_U8));
    }
    return d;
}

static graft_write_options sharded(uint64_t max)
{
    graft_write_options o = defaults();
    o.max_shard_bytes = max;
    return o;
}

static void assert_set(fixture *x, int count, int value, graft_verify verify)
{
    graft_checkpoint *c = open_file(x, "m.safetensors.index.json", verify);
    assert_no_error(x->g);
    assert_int_equal(graft_dict_len(graft_checkpoint_root(c)), count);
    for (int i = 0; i < count; i++) {
        char name[8];
        snprintf(name, sizeof name, "t%d", (i * 7) % 10);
        assert_string_equal(graft_dict_key(graft_checkpoint_root(c), i), name);
        const unsigned char *p = graft_data(graft_dict_tensor_at(graft_checkpoint_root(c), i));
        assert_true(p[0] == value && p[99] == value);
    }
    graft_checkpoint_free(c);
}

static void test_set(void **state)
{
    fixture *x = *state;
    graft_dict *d = hundreds(x->g, 3, 5);
    graft_write_options o = sharded(1000);
    graft_write_report report;
    assert_int_equal(write(x, "m.safetensors", d, &o, &report), GRAFT_OK);
    assert_int_equal(report.files, 3);
    assert_int_equal(report.tensors, 3);
    size_t size, all = 0;
    char *index = (char *)get(x, "m.safetensors.index.json", &size);
    all += size;
    static const char expected[] = "{\n"
                                   "  \"metadata\": {\n"
                                   "    \"total_size\": 300\n"
                                   "  },\n"
                                   "  \"weight_map\": {\n"
                                   "    \"t0\": \"m-00001-of-00002.safetensors\",\n"
                                   "    \"t7\": \"m-00001-of-00002.safetensors\",\n"
                                   "    \"t4\": \"m-00002-of-00002.safetensors\"\n"
                                   "  }\n"
                                   "}\n";
    assert_int_equal(size, sizeof expected - 1);
    assert_memory_equal(index, expected, size);
    free(index);
    for (int i = 1; i <= 2; i++) {
        char name[48];
        snprintf(name, sizeof name, "m-%05d-of-00002.safetensors", i);
        free(get(x, name, &size));
        assert_true(size <= 1000);
        all += size;
    }
    assert_int_equal(report.bytes, all);
    assert_int_equal(folder_count(x->folder, NULL), 3);
    assert_set(x, 3, 5, GRAFT_VERIFY_OPEN);
    graft_dict_free(d);
}

/* One tensor may be larger than a file should be. */
static void test_large_tensors_stand_alone(void **state)
{
    fixture *x = *state;
    graft_dict *d = hundreds(x->g, 4, 6);
    graft_write_options o = sharded(1);
    assert_int_equal(write(x, "m.safetensors.index.json", d, &o, NULL), GRAFT_OK);
    assert_int_equal(folder_count(x->folder, "-of-00004.safetensors"), 4);
    assert_set(x, 4, 6, GRAFT_VERIFY_USE);
    graft_dict_free(d);
}

static bool has(fixture *x, const char *name)
{
    return folder_count(x->folder, name) > 0;
}

/* Saving over a set: new names, the old ones go, what is not the old set's stays. */
static void test_over_a_set(void **state)
{
    fixture *x = *state;
    graft_write_options o = sharded(1000);
    o.content_hash = graft__has_sha256();
    rewrite(x, "other.safetensors", (const unsigned char *)"\2\0\0\0\0\0\0\0{}", 10);
    for (int round = 0; round < 3; round++) {
        graft_dict *d = hundreds(x->g, 3 + round, 10 + round);
        assert_int_equal(write(x, "m.safetensors", d, &o, NULL), GRAFT_OK);
        assert_set(x, 3 + round, 10 + round, GRAFT_VERIFY_OPEN);
        graft_dict_free(d);
    }
    assert_true(has(x, "other.safetensors"));
    assert_true(has(x, "m-00001-of-"));
    assert_false(has(x, "m-v2-"));
    /* The same number of shards again, while a dict that was read from them is still in use. */
    graft_checkpoint *c = open_file(x, "m.safetensors.index.json", GRAFT_VERIFY_USE);
    assert_int_equal(write(x, "m.safetensors", graft_checkpoint_root(c), &o, NULL), GRAFT_OK);
    assert_true(has(x, "m-v2-00001-of-"));
    assert_false(has(x, "m-00001-of-"));
    assert_set(x, 5, 12, GRAFT_VERIFY_OPEN);
    graft_checkpoint_free(c);
    c = open_file(x, "m.safetensors.index.json", GRAFT_VERIFY_USE);
    graft_dict *d = hundreds(x->g, 1, 13);
    assert_int_equal(write(x, "m.safetensors", d, &o, NULL), GRAFT_OK);
    assert_set(x, 1, 13, GRAFT_VERIFY_OPEN);
    assert_int_equal(folder_count(x->folder, NULL), 3);
    graft_dict_free(d);
    graft_checkpoint_free(c);
}

/* An index that names what it should not: nothing of that is deleted. */
static void test_only_shards_are_deleted(void **state)
{
    fixture *x = *state;
    rewrite(x, "precious.txt", (const unsigned char *)"\2\0\0\0\0\0\0\0{}", 10);
    rewrite(x, "text.safetensors", (const unsigned char *)"not what its name says", 22);
    rewrite(x, "shard.safetensors", (const unsigned char *)"\2\0\0\0\0\0\0\0{}", 10);
    static const char index[] =
        "{\"weight_map\":{\"a\":\"precious.txt\",\"b\":\"text.safetensors\","
        "\"c\":\"shard.safetensors\",\"d\":\"./shard.safetensors\","
        "\"e\":\"none.safetensors\"}}";
    rewrite(x, "m.safetensors.index.json", (const unsigned char *)index, sizeof index - 1);
    graft_dict *d = hundreds(x->g, 1, 1);
    graft_write_options o = sharded(1000);
    assert_int_equal(write(x, "m.safetensors", d, &o, NULL), GRAFT_OK);
    assert_true(has(x, "precious.txt"));
    assert_true(has(x, "text.safetensors"));
    assert_false(has(x, "shard.safetensors"));
    rewrite(x, "m.safetensors.index.json", (const unsigned char *)"no index", 8);
    assert_int_equal(write(x, "m.safetensors", d, &o, NULL), GRAFT_OK);
    assert_no_error(x->g);
    assert_true(has(x, "m-00001-of-00001.safetensors"));
    assert_true(has(x, "m-v2-00001-of-00001.safetensors"));
    assert_set(x, 1, 1, GRAFT_VERIFY_OPEN);
    graft_dict_free(d);
}

static void test_no_name(void **state)
{
    fixture *x = *state;
    graft_dict *d = hundreds(x->g, 1, 1);
    graft_write_options o = sharded(1000);
    assert_int_equal(write(x, ".safetensors", d, &o, NULL), GRAFT_ERR_ARGUMENT);
    assert_error_has(x->g, GRAFT_ERR_ARGUMENT, "no name");
    assert_int_equal(write(x, "m.index.json", d, NULL, NULL), GRAFT_ERR_ARGUMENT);
    assert_error_has(x->g, GRAFT_ERR_ARGUMENT, "max_shard_bytes");
    graft_dict_free(d);
}

/* ---- Failures ---- */

typedef struct countdown {
    int left;
} countdown;

static bool stop(void *user, uint64_t done, uint64_t total)
{
    assert_true(done <= total);
    return ((countdown *)user)->left-- > 0;
}

static void test_cancelled(void **state)
{
    fixture *x = *state;
    graft_write_options o = sharded(1000);
    graft_dict *d = hundreds(x->g, 5, 1);
    assert_int_equal(write(x, "m.safetensors", d, &o, NULL), GRAFT_OK);
    const int files = folder_count(x->folder, NULL);
    graft_dict *other = hundreds(x->g, 5, 2);
    for (int calls = 0;; calls++) {
        countdown c = {calls};
        o.progress = stop;
        o.progress_user = &c;
        const graft_status status = write(x, "m.safetensors", other, &o, NULL);
        if (status == GRAFT_OK) {
            assert_true(calls == 5);
            break;
        }
        assert_int_equal(status, GRAFT_ERR_CANCELLED);
        graft_clear_error(x->g);
        assert_int_equal(folder_count(x->folder, NULL), files);
        assert_set(x, 5, 1, GRAFT_VERIFY_OPEN);
    }
    assert_set(x, 5, 2, GRAFT_VERIFY_OPEN);
    graft_dict_free(d);
    graft_dict_free(other);
}

/* Without memory at some place: the old file or set, or the new one, and nothing else. */
static void save_over(failing_allocator *a, uint64_t max)
{
    fixture good = {.g = test_open(), .folder = folder_make()};
    graft_write_options o = sharded(max);
    o.content_hash = graft__has_sha256();
    graft_dict *old = hundreds(good.g, 2, 1);
    assert_int_equal(write(&good, "m.safetensors", old, &o, NULL), GRAFT_OK);
    graft_status status = GRAFT_ERR_MEMORY;
    graft_ctx *g = failing_allocator_open(a);
    if (g) {
        fixture x = {.g = g, .folder = good.folder};
        graft_tensor *m = graft_full(g, graft_shape2(10, 10), 2, GRAFT_U8);
        graft_dict *d = graft_dict_new(g), *inner = graft_dict_new(g);
        graft_dict_set_tensor(d, "t0", graft_transpose(m, 0, 1));
        graft_dict_set_dict(d, "t7", inner);
        graft_dict_set_tensor(inner, "x", m);
        status = graft_error_status(g);
        if (status == GRAFT_OK)
            status = write(&x, "m.safetensors", d, &o, NULL);
        graft_close(g);
    }
    assert_true(status == GRAFT_OK || status == GRAFT_ERR_MEMORY);
    graft_checkpoint *c =
        open_file(&good, max ? "m.safetensors.index.json" : "m.safetensors", GRAFT_VERIFY_OPEN);
    assert_no_error(good.g);
    const graft_dict *root = graft_checkpoint_root(c);
    assert_int_equal(graft_dict_len(root), 2);
    const unsigned char *p = graft_data(graft_dict_tensor(root, "t0"));
    assert_int_equal(p[99], status == GRAFT_OK ? 2 : 1);
    /* After a success there may have been no memory to delete the old shards. */
    if (status != GRAFT_OK || !a->failed)
        assert_int_equal(folder_count(good.folder, NULL), max ? 3 : 1);
    folder_remove(good.folder);
    graft_close(good.g);
}

static void one_file_without_memory(void *user, failing_allocator *a)
{
    (void)user;
    save_over(a, 0);
}

static void set_without_memory(void *user, failing_allocator *a)
{
    (void)user;
    save_over(a, 1);
}

static void test_failing_allocator(void **state)
{
    (void)state;
    failing_allocator_sweep(one_file_without_memory, NULL);
    failing_allocator_sweep(set_without_memory, NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_with_scope, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(test_bytes),
        TEST(test_views_and_ties),
        TEST(test_large_views),
        TEST(test_pairs),
        TEST(test_zero_bytes_in_names),
        TEST(test_refused),
        TEST(test_hashes_find_every_flip),
        TEST(test_hashes_cover_the_header),
        TEST(test_no_hash_without_nettle),
        TEST(test_set),
        TEST(test_large_tensors_stand_alone),
        TEST(test_over_a_set),
        TEST(test_only_shards_are_deleted),
        TEST(test_no_name),
        TEST(test_cancelled),
        TEST(test_failing_allocator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
