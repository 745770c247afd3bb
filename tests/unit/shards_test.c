#include "test.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failing_allocator.h"
#include "fixture.h"
#include "folder.h"

static void put(const fixture *x, const char *name, const void *bytes, size_t size)
{
    char *path = folder_path(x->folder, name);
    file_put(path, bytes, size);
    free(path);
}

/* A shard of tensors of one byte each: name and byte alternate. */
static void put_shard(const fixture *x, const char *file, const char *tensors)
{
    char bytes[1024] = {0};
    size_t at = 8, count = 0;
    bytes[at++] = '{';
    at += (size_t)sprintf(bytes + at, "\"__metadata__\":{\"format\":\"pt\",\"from\":\"%s\"}", file);
    for (const char *t = tensors; *t; t += 2, count++)
        at += (size_t)sprintf(bytes + at,
                              ",\"%c\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[%zu,%zu]}",
                              *t, count, count + 1);
    bytes[at++] = '}';
    bytes[0] = (char)((at - 8) & 255);
    bytes[1] = (char)((at - 8) >> 8);
    for (const char *t = tensors; *t; t += 2)
        bytes[at++] = t[1];
    put(x, file, bytes, at);
}

static graft_checkpoint *open_index(const fixture *x, const char *index)
{
    put(x, "m.safetensors.index.json", index, strlen(index));
    char *path = folder_path(x->folder, "m.safetensors.index.json");
    graft_checkpoint *c = graft_checkpoint_open(x->g, path, NULL);
    free(path);
    return c;
}

static void assert_fault(const fixture *x, const char *index, graft_fault fault, const char *words)
{
    assert_null(open_index(x, index));
    if (graft_error_fault(x->g) != fault || !strstr(graft_error(x->g), words))
        fail_msg("%s: expected %s and '%s', got: %s", index, graft_fault_name(fault), words,
                 graft_error(x->g));
    graft_clear_error(x->g);
}

static void test_set(void **state)
{
    fixture *x = *state;
    put_shard(x, "one.safetensors", "a1b2");
    put_shard(x, "two.safetensors", "c3");
    char *below = folder_path(x->folder, "below");
    assert_int_equal(mkdir(below, 0700), 0);
    free(below);
    put_shard(x, "below/three.safetensors", "d4");
    graft_checkpoint *c = open_index(
        x, " {\"more\":[1,{}], \"metadata\": {\"total_size\": 4, \"x\": [1, 2], \"y\": 1.5, "
           "\"z\": \"w\", \"n\": null, \"t\": true},\n\"weight_map\": {"
           "\"c\": \"two.safetensors\", \"a\": \"one.safetensors\", "
           "\"d\": \"below/three.safetensors\", \"b\": \"one.safetensors\"}}\n");
    assert_no_error(x->g);
    assert_int_equal(graft_checkpoint_format(c), GRAFT_FORMAT_SAFETENSORS_INDEX);
    graft_dict *d = graft_checkpoint_root(c);
    assert_int_equal(graft_dict_len(d), 4);
    static const char *const keys[] = {"c", "a", "d", "b"};
    static const char values[] = "3142";
    for (int i = 0; i < 4; i++) {
        assert_string_equal(graft_dict_key(d, i), keys[i]);
        assert_int_equal(graft_item_i64(graft_dict_tensor_at(d, i)), values[i]);
    }
    graft_dict *m = graft_checkpoint_metadata(c);
    assert_int_equal(graft_dict_int_at(m, graft_dict_find(m, "total_size")), 4);
    assert_string_equal(graft_dict_string_at(m, graft_dict_find(m, "x")), "[1, 2]");
    assert_string_equal(graft_dict_string_at(m, graft_dict_find(m, "y")), "1.5");
    assert_string_equal(graft_dict_string_at(m, graft_dict_find(m, "z")), "w");
    assert_string_equal(graft_dict_string_at(m, graft_dict_find(m, "format")), "pt");
    assert_string_equal(graft_dict_string_at(m, graft_dict_find(m, "from")), "two.safetensors");
    assert_int_equal(graft_dict_kind(m, graft_dict_find(m, "n")), GRAFT_VALUE_NONE);
    assert_true(graft_dict_bool_at(m, graft_dict_find(m, "t")));
    assert_int_equal(graft_dict_find(m, "graft.total_size"), -1);
    graft_checkpoint_free(c);
}

static void test_total_size_is_information(void **state)
{
    fixture *x = *state;
    put_shard(x, "one.safetensors", "a1b2");
    graft_checkpoint *c = open_index(x, "{\"metadata\":{\"total_size\":99},\"weight_map\":{\"a\":"
                                        "\"one.safetensors\",\"b\":\"one.safetensors\"}}");
    assert_no_error(x->g);
    graft_dict *m = graft_checkpoint_metadata(c);
    assert_int_equal(graft_dict_int_at(m, graft_dict_find(m, "total_size")), 99);
    assert_int_equal(graft_dict_int_at(m, graft_dict_find(m, "graft.total_size")), 2);
    graft_checkpoint_free(c);
    c = open_index(x, "{\"weight_map\":{}}");
    assert_no_error(x->g);
    assert_int_equal(graft_dict_len(graft_checkpoint_root(c)), 0);
    graft_checkpoint_free(c);
}

static void test_both_directions(void **state)
{
    const fixture *x = *state;
    put_shard(x, "one.safetensors", "a1b2");
    put_shard(x, "two.safetensors", "c3");
    assert_fault(x, "{\"weight_map\":{\"a\":\"none.safetensors\"}}", GRAFT_FAULT_SHARD_MISSING,
                 "'none.safetensors'");
    assert_fault(x, "{\"weight_map\":{\"a\":\"one.safetensors/x\"}}", GRAFT_FAULT_SHARD_MISSING,
                 "'one.safetensors/x'");
    assert_fault(x,
                 "{\"weight_map\":{\"a\":\"one.safetensors\",\"b\":\"one.safetensors\","
                 "\"z\":\"one.safetensors\"}}",
                 GRAFT_FAULT_SHARD_LACKS, "'z' into one.safetensors");
    assert_fault(x, "{\"weight_map\":{\"a\":\"one.safetensors\"}}", GRAFT_FAULT_SHARD_UNLISTED,
                 "one.safetensors: the shard has 'b', which the index lacks");
    assert_fault(x,
                 "{\"weight_map\":{\"a\":\"one.safetensors\",\"b\":\"two.safetensors\","
                 "\"c\":\"two.safetensors\"}}",
                 GRAFT_FAULT_SHARD_UNLISTED, "'b', which the index puts into two.safetensors");
    put(x, "bad.safetensors", "\2\0\0\0\0\0\0\0{}x", 11);
    assert_fault(x, "{\"weight_map\":{\"a\":\"bad.safetensors\"}}",
                 GRAFT_FAULT_METADATA_INCOMPLETE_BUFFER, "bad.safetensors: byte 10");
}

static void test_names_stay_in_the_folder(void **state)
{
    const fixture *x = *state;
    static const char *const names[] = {
        "/etc/passwd", "../up.safetensors", "a/../../b", "..", "a/..", "", "a\\u0000b", "../",
        "/",           "a//../b",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char index[128];
        snprintf(index, sizeof index, "{\"weight_map\":{\"a\":\"%s\"}}", names[i]);
        assert_fault(x, index, GRAFT_FAULT_NAME, "not below its folder");
    }
    assert_fault(x, "{\"weight_map\":{\"a\":\"..a/b..\"}}", GRAFT_FAULT_SHARD_MISSING, "..a/b..");
}

static void test_links_are_followed(void **state)
{
    fixture *x = *state;
    put_shard(x, "blob", "a1");
    char *link = folder_path(x->folder, "linked.safetensors");
    assert_int_equal(symlink("blob", link), 0);
    free(link);
    graft_checkpoint *c = open_index(x, "{\"weight_map\":{\"a\":\"linked.safetensors\"}}");
    assert_no_error(x->g);
    graft_checkpoint_free(c);
}

static void test_index_faults(void **state)
{
    const fixture *x = *state;
    put_shard(x, "one.safetensors", "a1b2");
    static const char *const wrong[] = {
        "{\"weight_map\":{\"a\":1}}",
        "{\"weight_map\":[\"a\"]}",
        "{\"weight_map\":{}",
        "{\"weight_map\":{}} x",
        "{\"weight_map\":{},}",
        "{\"metadata\":[],\"weight_map\":{}}",
        "{\"metadata\":{\"x\":[},\"weight_map\":{}}",
        "{\"not\":\"\\\"weight_map\\\"\", \"x\":{\"weight_map\":{}}}",
        "{\"weight_map\":{\"\xFF\":\"one.safetensors\"}}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_fault(x, wrong[i], GRAFT_FAULT_INDEX, "the index");
    assert_fault(x, "{\"weight_map\":{\"a\":\"one.safetensors\",\"a\":\"one.safetensors\"}}",
                 GRAFT_FAULT_DUPLICATE, "'a' twice");
    assert_fault(x, "{\"weight_map\":{},\"weight_map\":{}}", GRAFT_FAULT_DUPLICATE, "weight_map");
    assert_fault(x, "{\"metadata\":{\"a\":1,\"a\":2},\"weight_map\":{}}", GRAFT_FAULT_DUPLICATE,
                 "'a' twice");
}

static void test_not_from_memory(void **state)
{
    const fixture *x = *state;
    static const char index[] = "{\"weight_map\":{}}";
    assert_null(graft_checkpoint_open_memory(x->g, index, sizeof index - 1, NULL));
    assert_int_equal(graft_error_fault(x->g), GRAFT_FAULT_UNSUPPORTED);
    graft_clear_error(x->g);
}

static void without_memory(void *user, failing_allocator *a)
{
    graft_ctx *g = failing_allocator_open(a);
    if (!g)
        return;
    graft_dict *d = graft_load(g, user, NULL);
    if (d)
        assert_int_equal(graft_dict_len(d), 3);
    else
        assert_int_equal(graft_error_status(g), GRAFT_ERR_MEMORY);
    graft_close(g);
}

static void test_failing_allocator(void **state)
{
    const fixture *x = *state;
    put_shard(x, "one.safetensors", "a1b2");
    put_shard(x, "two.safetensors", "c3");
    static const char index[] =
        "{\"metadata\":{\"\\n\":\"\\t\",\"x\":[1]},\"weight_map\":{\"a\":\"one.safetensors\","
        "\"b\":\"one.safetensors\",\"c\":\"two.safetensors\"}}";
    put(x, "m.safetensors.index.json", index, sizeof index - 1);
    char *path = folder_path(x->folder, "m.safetensors.index.json");
    failing_allocator_sweep(without_memory, path);
    free(path);
}

/* Cuts and flips of the index: refused, or a set that is whole. */
static void test_damaged_index(void **state)
{
    fixture *x = *state;
    put_shard(x, "one.safetensors", "a1b2");
    put_shard(x, "two.safetensors", "c3");
    static const char whole[] = "{\"metadata\":{\"total_size\":3},\"weight_map\":{\"a\":"
                                "\"one.safetensors\",\"b\":\"one.safetensors\",\"c\":"
                                "\"two.safetensors\"}}";
    const size_t size = sizeof whole - 1;
    char *path = folder_path(x->folder, "m.safetensors.index.json");
    for (size_t cut = 0; cut < size; cut++) {
        file_put(path, whole, cut);
        assert_null(graft_load(x->g, path, NULL));
        assert_int_equal(graft_error_status(x->g), GRAFT_ERR_FORMAT);
        graft_clear_error(x->g);
    }
    for (size_t bit = 0; bit < 8 * size; bit += test_quick() ? 7 : 1) {
        char flipped[sizeof whole];
        memcpy(flipped, whole, size);
        flipped[bit / 8] = (char)(flipped[bit / 8] ^ 1 << bit % 8);
        file_put(path, flipped, size);
        graft_dict *d = graft_load(x->g, path, NULL);
        if (d)
            assert_int_equal(graft_dict_len(d), 3);
        else
            assert_int_not_equal(graft_error_fault(x->g), GRAFT_FAULT_NONE);
        graft_dict_free(d);
        graft_clear_error(x->g);
    }
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_total_size_is_information),
        cmocka_unit_test(test_both_directions),
        cmocka_unit_test(test_names_stay_in_the_folder),
        cmocka_unit_test(test_links_are_followed),
        cmocka_unit_test(test_index_faults),
        cmocka_unit_test(test_not_from_memory),
        cmocka_unit_test(test_failing_allocator),
        cmocka_unit_test(test_damaged_index),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
