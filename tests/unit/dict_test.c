#include "test.h"

#include <stdio.h>

#include "base/ctx.h"
#include "tensor/dict.h"

static graft_tensor *number(graft_ctx *g, double value)
{
    return graft_scalar(g, value, GRAFT_F32);
}

/* The keys in order, joined by blanks. */
static const char *keys(const graft_dict *d)
{
    static char text[1000];
    text[0] = 0;
    for (int64_t i = 0; i < graft_dict_len(d); i++) {
        strcat(text, i ? " " : "");
        strcat(text, graft_dict_key(d, i));
    }
    return text;
}

/* ---- Values ---- */

static void values_come_back_by_kind(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *d = graft_dict_new(g), *nested = graft_dict_new(g);
    graft_tensor *t = number(g, 4);
    assert_int_equal(graft_dict_set_none(d, "none"), GRAFT_OK);
    assert_int_equal(graft_dict_set_bool(d, "bool", true), GRAFT_OK);
    assert_int_equal(graft_dict_set_int(d, "int", INT64_MIN), GRAFT_OK);
    assert_int_equal(graft_dict_set_float(d, "float", 0.5), GRAFT_OK);
    assert_int_equal(graft_dict_set_string(d, "string", "text"), GRAFT_OK);
    assert_int_equal(graft_dict_set_tensor(d, "tensor", t), GRAFT_OK);
    assert_int_equal(graft_dict_set_dict(d, "dict", nested), GRAFT_OK);
    assert_int_equal(graft_dict_len(d), 7);
    assert_string_equal(keys(d), "none bool int float string tensor dict");
    for (int64_t i = 0; i < 7; i++) {
        assert_int_equal(graft_dict_kind(d, i), (graft_value_kind)i);
        assert_int_equal(graft_dict_find(d, graft_dict_key(d, i)), i);
        assert_int_equal(graft_dict_bool_at(d, i), i == 1);
        assert_true(graft_dict_int_at(d, i) == (i == 2 ? INT64_MIN : 0));
        assert_true(graft_dict_float_at(d, i) == (i == 1   ? 1.0
                                                  : i == 2 ? -0x1p63
                                                  : i == 3 ? 0.5
                                                           : 0.0));
        assert_ptr_equal(graft_dict_tensor_at(d, i), i == 5 ? t : NULL);
        assert_ptr_equal(graft_dict_dict_at(d, i), i == 6 ? nested : NULL);
        if (i == 4)
            assert_string_equal(graft_dict_string_at(d, i), "text");
        else
            assert_null(graft_dict_string_at(d, i));
        assert_false(graft_dict_key_is_int(d, i, NULL));
    }
    assert_null(graft_dict_key(d, 7));
    assert_null(graft_dict_key(d, -1));
    assert_int_equal(graft_dict_kind(d, 7), GRAFT_VALUE_NONE);
    assert_int_equal(graft_dict_find(d, "other"), -1);
    assert_no_error(g);
    graft_close(g);
}

static void a_new_value_stands_where_the_old_one_did(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *d = graft_dict_new(g);
    graft_dict_set_tensor(d, "a", number(g, 1));
    graft_dict_set_string(d, "b", "x");
    graft_dict_set_int(d, "c", 3);
    assert_int_equal(graft_dict_set_string(d, "a", "now a string"), GRAFT_OK);
    assert_int_equal(graft_dict_set_dict(d, "b", graft_dict_new(g)), GRAFT_OK);
    /* A value may be made of itself. */
    assert_int_equal(graft_dict_set_string(d, "a", graft_dict_string_at(d, 0)), GRAFT_OK);
    assert_int_equal(graft_dict_set_dict(d, "b", graft_dict_dict_at(d, 1)), GRAFT_OK);
    assert_string_equal(keys(d), "a b c");
    assert_string_equal(graft_dict_string_at(d, 0), "now a string");
    assert_int_equal(graft_dict_kind(d, 1), GRAFT_VALUE_DICT);
    graft_close(g);
}

static void integers_and_strings_are_two_keys(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *d = graft_dict_new(g), *nested = graft_dict_new(g);
    graft_tensor *a = number(g, 1), *b = number(g, 2);
    assert_int_equal(graft_dict_set_int_key_tensor(d, 3, a), GRAFT_OK);
    assert_int_equal(graft_dict_set_tensor(d, "3", b), GRAFT_OK);
    assert_int_equal(graft_dict_set_int_key_dict(d, INT64_MIN, nested), GRAFT_OK);
    assert_int_equal(graft_dict_len(d), 3);
    assert_int_equal(graft_dict_find(d, "3"), 1);
    assert_int_equal(graft_dict_find_int(d, 3), 0);
    assert_int_equal(graft_dict_find_int(d, 4), -1);
    int64_t key = 0;
    assert_true(graft_dict_key_is_int(d, 2, &key));
    assert_true(key == INT64_MIN);
    assert_string_equal(keys(d), "3 3 -9223372036854775808");
    assert_ptr_equal(graft_dict_dict(d, "-9223372036854775808"), nested);
    /* At a path the string goes first. */
    assert_ptr_equal(graft_dict_tensor(d, "3"), b);
    assert_int_equal(graft_dict_drop(d, "3"), GRAFT_OK);
    assert_ptr_equal(graft_dict_tensor(d, "3"), a);
    assert_null(graft_dict_tensor(d, "03"));
    assert_null(graft_dict_tensor(d, "-3"));
    assert_null(graft_dict_tensor(d, "92233720368547758089"));
    graft_close(g);
}

static void a_dict_holds_its_values(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *d = graft_dict_new(g);
    graft_scope_begin(g);
    graft_dict *nested = graft_dict_new(g);
    graft_dict_set_tensor(nested, "x", number(g, 7));
    graft_dict_set_dict(d, "nested", nested);
    graft_dict_free(nested);
    graft_scope_end(g);
    assert_true(graft_item(graft_dict_tensor(d, "nested.x")) == 7.0);
    graft_dict_free(graft_dict_dict(d, "nested"));
    assert_error(g, GRAFT_ERR_STATE,
                 "dict_free: the dict belongs to what holds it and is freed with it");
    graft_dict_free(d);
    graft_dict_free(NULL);
    assert_no_error(g);
    graft_close(g);
}

/* ---- Paths ---- */

static void paths_lead_through_nested_dicts(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *d = graft_dict_new(g), *model = graft_dict_new(g), *moments = graft_dict_new(g);
    graft_dict *moment = graft_dict_new(g);
    graft_tensor *weight = number(g, 1), *bias = number(g, 2), *avg = number(g, 3);
    graft_dict_set_tensor(model, "fc1.weight", weight);
    graft_dict_set_tensor(model, "fc1", bias);
    graft_dict_set_dict(d, "model.state", model);
    graft_dict_set_tensor(moment, "exp_avg", avg);
    graft_dict_set_int_key_dict(moments, 3, moment);
    graft_dict_set_dict(d, "state", moments);
    graft_dict_set_dict(d, "model", moments);
    assert_ptr_equal(graft_dict_tensor(d, "model.state.fc1.weight"), weight);
    assert_ptr_equal(graft_dict_tensor(d, "model.state.fc1"), bias);
    assert_ptr_equal(graft_dict_tensor(d, "state.3.exp_avg"), avg);
    assert_ptr_equal(graft_dict_tensor(d, "model.3.exp_avg"), avg);
    assert_ptr_equal(graft_dict_dict(d, "state.3"), moment);
    assert_ptr_equal(graft_dict_dict(d, "model.state"), model);
    assert_null(graft_dict_tensor(d, "state.3"));
    assert_null(graft_dict_dict(d, "state.3.exp_avg"));
    assert_null(graft_dict_tensor(d, "model.state.fc1.bias"));
    assert_null(graft_dict_tensor(d, ""));
    assert_null(graft_dict_tensor(d, "."));
    assert_null(graft_dict_tensor(d, "state.3.exp_avg."));
    assert_no_error(g);
    graft_close(g);
}

static void the_longest_key_goes_first_but_not_alone(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *d = graft_dict_new(g), *ab = graft_dict_new(g), *a = graft_dict_new(g);
    graft_tensor *through_ab = number(g, 1), *through_a = number(g, 2), *whole = number(g, 3);
    graft_dict_set_tensor(ab, "c", through_ab);
    graft_dict_set_tensor(a, "b.c", through_a);
    graft_dict_set_tensor(a, "b.d", through_a);
    graft_dict_set_dict(d, "a", a);
    assert_ptr_equal(graft_dict_tensor(d, "a.b.c"), through_a);
    graft_dict_set_dict(d, "a.b", ab);
    assert_ptr_equal(graft_dict_tensor(d, "a.b.c"), through_ab);
    assert_ptr_equal(graft_dict_tensor(d, "a.b.d"), through_a); /* "a.b" led nowhere */
    graft_dict_set_tensor(d, "a.b.c", whole);
    assert_ptr_equal(graft_dict_tensor(d, "a.b.c"), whole);
    graft_dict_set_int(d, "a.b.d", 5); /* no tensor: the search goes on */
    assert_ptr_equal(graft_dict_tensor(d, "a.b.d"), through_a);
    graft_close(g);
}

/* ---- Renaming and dropping ---- */

static void renaming_and_dropping_keep_the_order(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *d = graft_dict_new(g);
    for (const char *c = "abcde"; *c; c++)
        graft_dict_set_int(d, (char[]){*c, 0}, *c);
    assert_int_equal(graft_dict_rename(d, "b", "x"), GRAFT_OK);
    assert_int_equal(graft_dict_drop(d, "d"), GRAFT_OK);
    assert_int_equal(graft_dict_rename(d, "c", "c"), GRAFT_OK);
    assert_string_equal(keys(d), "a x c e");
    assert_int_equal(graft_dict_int_at(d, 1), 'b');
    assert_int_equal(graft_dict_find(d, "e"), 3);
    assert_int_equal(graft_dict_rename(d, "b", "y"), GRAFT_ERR_NAME);
    assert_error(g, GRAFT_ERR_NAME, "dict_rename: there is no \"b\"");
    assert_int_equal(graft_dict_rename(d, "a", "e"), GRAFT_ERR_NAME);
    assert_error(g, GRAFT_ERR_NAME, "dict_rename: \"a\" can't become \"e\": that name is taken");
    assert_int_equal(graft_dict_drop(d, "d"), GRAFT_ERR_NAME);
    assert_error(g, GRAFT_ERR_NAME, "dict_drop: there is no \"d\"");
    assert_string_equal(keys(d), "a x c e");
    graft_close(g);
}

static void prefixes_change_all_or_none(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *d = graft_dict_new(g);
    graft_dict_set_int(d, "module.a", 1);
    graft_dict_set_int(d, "b", 2);
    graft_dict_set_int(d, "module.c", 3);
    graft_dict_set_int(d, "modul", 4);
    int64_t count = -1;
    assert_int_equal(graft_dict_rename_prefix(d, "module.", "", &count), GRAFT_OK);
    assert_int_equal(count, 2);
    assert_string_equal(keys(d), "a b c modul");
    assert_int_equal(graft_dict_rename_prefix(d, "", "net.", &count), GRAFT_OK);
    assert_int_equal(count, 4);
    assert_string_equal(keys(d), "net.a net.b net.c net.modul");
    /* One takes the name that another gives up: no collision. */
    graft_dict_set_int(d, "net.net.a", 5);
    assert_int_equal(graft_dict_rename_prefix(d, "net.", "", NULL), GRAFT_OK);
    assert_string_equal(keys(d), "a b c modul net.a");
    assert_int_equal(graft_dict_find(d, "net.a"), 4);
    assert_int_equal(graft_dict_rename_prefix(d, "none", "x", &count), GRAFT_OK);
    assert_int_equal(count, 0);
    graft_dict_set_int(d, "net.z", 6);
    assert_int_equal(graft_dict_rename_prefix(d, "net.", "", &count), GRAFT_ERR_NAME);
    assert_error(g, GRAFT_ERR_NAME,
                 "dict_rename_prefix: \"net.a\" can't become \"a\": that name is taken");
    assert_int_equal(count, 0);
    assert_string_equal(keys(d), "a b c modul net.a net.z");
    graft_close(g);
}

/* ---- Large dicts, where keys are hashed ---- */

enum { MANY = 3000 };

static const char *name_of(char out[32], const char *prefix, int i)
{
    snprintf(out, 32, "%s%d", prefix, i);
    return out;
}

static void check_all(const graft_dict *d, const char *prefix, int step)
{
    char name[32];
    int64_t at = 0;
    for (int i = 0; i < MANY; i++) {
        const int64_t found = graft_dict_find(d, name_of(name, prefix, i));
        assert_int_equal(found, i % step ? at : -1);
        if (i % step) {
            assert_string_equal(graft_dict_key(d, at), name);
            assert_int_equal(graft_dict_int_at(d, at++), i);
        }
    }
    assert_int_equal(graft_dict_len(d), at);
}

static void large_dicts_find_what_they_hold(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *d = graft_dict_new(g);
    char name[32], other[32];
    for (int i = 0; i < MANY; i++)
        assert_int_equal(graft_dict_set_int(d, name_of(name, "layer.", i), i), GRAFT_OK);
    for (int i = MANY - 1; i >= 0; i--) /* replaced where they stand */
        assert_int_equal(graft_dict_set_int(d, name_of(name, "layer.", i), i), GRAFT_OK);
    for (int i = 0; i < MANY; i += 3)
        assert_int_equal(graft_dict_drop(d, name_of(name, "layer.", i)), GRAFT_OK);
    check_all(d, "layer.", 3);
    for (int i = 0; i < MANY; i++)
        if (i % 3)
            assert_int_equal(
                graft_dict_rename(d, name_of(name, "layer.", i), name_of(other, "", i)), GRAFT_OK);
    check_all(d, "", 3);
    assert_int_equal(graft_dict_rename_prefix(d, "", "block.", NULL), GRAFT_OK);
    check_all(d, "block.", 3);
    graft_dict *clone = graft_dict_clone(d, NULL);
    check_all(clone, "block.", 3);

    graft_dict *numbers = graft_dict_new(g);
    graft_tensor *t = number(g, 1);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(graft_dict_set_int_key_tensor(numbers, (int64_t)i << 40, t), GRAFT_OK);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(graft_dict_find_int(numbers, (int64_t)i << 40), i);
    assert_int_equal(graft_dict_find_int(numbers, 1), -1);
    graft_close(g);
}

static void appending_does_not_look(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *d = graft__dict_new(g);
    graft_tensor *t = number(g, 1);
    char name[32];
    for (int i = 0; i < 100; i++) {
        assert_int_equal(graft__dict_append_tensor(d, name_of(name, "", i), t), GRAFT_OK);
        assert_int_equal(graft_dict_find(d, name), i);
    }
    assert_int_equal(graft__dict_append_tensor(d, "x", NULL), GRAFT_ERR_ARGUMENT);
    graft__dict_unref(d);
    graft_close(g);
}

static void lists_are_dicts_with_the_keys_0_to_n(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *list = graft_list_new(g), *tuple = graft_tuple_new(g), *d = graft_dict_new(g);
    assert_int_equal(graft_list_push_int(list, 5), GRAFT_OK);
    assert_int_equal(graft_list_push_float(list, 0.9), GRAFT_OK);
    assert_int_equal(graft_list_push_string(list, "s"), GRAFT_OK);
    assert_int_equal(graft_list_push_bool(tuple, true), GRAFT_OK);
    assert_int_equal(graft_list_push_none(tuple), GRAFT_OK);
    assert_int_equal(graft_list_push_dict(tuple, list), GRAFT_OK);
    assert_int_equal(graft_list_push_tensor(tuple, number(g, 7)), GRAFT_OK);
    assert_int_equal(graft_dict_set_dict(d, "tuple", tuple), GRAFT_OK);
    assert_int_equal(graft_dict_set_int_key_dict(d, 8, list), GRAFT_OK);
    assert_int_equal(graft_dict_kind(d, 0), GRAFT_VALUE_TUPLE);
    assert_int_equal(graft_dict_kind(d, 1), GRAFT_VALUE_LIST);
    const graft_dict *read = graft_dict_dict(d, "tuple.2");
    assert_ptr_equal(read, list);
    assert_int_equal(graft_dict_container(read), GRAFT_VALUE_LIST);
    assert_int_equal(graft_dict_len(read), 3);
    assert_int_equal(graft_dict_find_int(read, 2), 2);
    assert_int_equal(graft_dict_find_int(read, 3), -1);
    assert_int_equal(graft_dict_find(read, "2"), -1);
    assert_string_equal(graft_dict_key(read, 2), "2");
    assert_true(graft_dict_float_at(read, 1) == 0.9);
    assert_string_equal(graft_dict_string_at(read, 2), "s");
    assert_elements(graft_dict_tensor(d, "tuple.3"), (const double[]){7}, 1);
    assert_no_error(g);

    assert_int_equal(graft_list_push_string(list, NULL), GRAFT_ERR_ARGUMENT);
    assert_error(g, GRAFT_ERR_ARGUMENT, "list_push_string: the string is NULL");
    assert_int_equal(graft_list_push_int(NULL, 1), GRAFT_ERR_ARGUMENT);
    assert_int_equal(graft_list_push_int(d, 1), GRAFT_ERR_ARGUMENT);
    assert_error(g, GRAFT_ERR_ARGUMENT, "list_push_int: a dict has no end: expected a list");
    assert_int_equal(graft_dict_set_int(list, "x", 1), GRAFT_ERR_ARGUMENT);
    assert_error(g, GRAFT_ERR_ARGUMENT,
                 "dict_set_int: a list takes values at its end only: expected a dict");
    assert_int_equal(graft_dict_set_int_key_int(list, 100, 1), GRAFT_ERR_ARGUMENT);
    assert_error(g, GRAFT_ERR_ARGUMENT,
                 "dict_set_int_key_int: a list takes values at its end only: expected a dict");
    const int64_t length = graft_dict_len(list); /* a place that is there may be set */
    assert_int_equal(graft_dict_set_int_key_int(list, 0, 77), GRAFT_OK);
    assert_int_equal(graft_dict_int_at(list, 0), 77);
    assert_int_equal(graft_dict_len(list), length);
    assert_int_equal(graft_list_push_dict(list, tuple), GRAFT_ERR_ARGUMENT);
    assert_error(g, GRAFT_ERR_ARGUMENT,
                 "list_push_dict: with \"3\" the dict would come to contain itself");
    assert_int_equal(graft_dict_drop(list, "2"), GRAFT_ERR_ARGUMENT);
    assert_error(g, GRAFT_ERR_ARGUMENT, "dict_drop: \"2\" of a list: expected a dict");
    graft_close(g);
}

static void attributes_and_paths_lead_to_all_values(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *d = graft_dict_new(g), *meta = graft_dict_new(g), *list = graft_list_new(g);
    graft_dict_set_int(meta, "version", 2);
    graft_dict_set_tensor(d, "w", number(g, 1));
    graft_list_push_tensor(list, number(g, 2));
    graft_dict_set_dict(d, "more", list);
    graft_dict_set_bytes(d, "bytes", "a\0b", 3);
    graft_dict_set_int_key_string(d, -3, "minus");
    assert_int_equal(graft_dict_set_attributes(d, meta), GRAFT_OK);
    assert_ptr_equal(graft_dict_attributes(d), meta);
    int64_t i = -1;
    assert_ptr_equal(graft_dict_find_path(d, "version", &i), meta);
    assert_int_equal(i, 0);
    assert_ptr_equal(graft_dict_find_path(d, "-3", &i), d);
    assert_string_equal(graft_dict_string_at(d, i), "minus");
    assert_null(graft_dict_find_path(d, "more.1", &i));
    size_t size = 0;
    assert_memory_equal(graft_dict_bytes_at(d, 2, &size), "a\0b", 3);
    assert_int_equal(size, 3);

    graft_dict *flat = graft_dict_flatten(d);
    assert_string_equal(keys(flat), "w more.0");
    assert_ptr_equal(graft_dict_tensor_at(flat, 1), graft_dict_tensor_at(list, 0));
    assert_int_equal(graft_dict_set_attributes(meta, d), GRAFT_ERR_ARGUMENT);
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "would come to contain itself");
    graft_dict_set_tensor(d, "more.0", number(g, 3));
    assert_null(graft_dict_flatten(d));
    assert_error(g, GRAFT_ERR_NAME, "dict_flatten: two tensors have the path \"more.0\"");
    assert_int_equal(graft_dict_set_attributes(d, NULL), GRAFT_OK);
    assert_null(graft_dict_attributes(d));
    graft_close(g);
}

/* ---- What is refused ---- */

static void wrong_arguments_are_refused(void **state)
{
    (void)state;
    graft_ctx *g = test_open(), *other = test_open();
    graft_dict *d = graft_dict_new(g);
    assert_int_equal(graft_dict_set_int(d, NULL, 1), GRAFT_ERR_ARGUMENT);
    assert_error(g, GRAFT_ERR_ARGUMENT, "dict_set_int: the key is NULL");
    assert_int_equal(graft_dict_set_string(d, "s", NULL), GRAFT_ERR_ARGUMENT);
    assert_error(g, GRAFT_ERR_ARGUMENT, "dict_set_string: the string is NULL");
    assert_int_equal(graft_dict_set_tensor(d, "t", NULL), GRAFT_ERR_ARGUMENT);
    assert_error(g, GRAFT_ERR_ARGUMENT, "dict_set_tensor: the tensor for \"t\" is NULL");
    assert_int_equal(graft_dict_set_dict(d, "d", NULL), GRAFT_ERR_ARGUMENT);
    assert_error(g, GRAFT_ERR_ARGUMENT, "dict_set_dict: the dict for \"d\" is NULL");
    assert_int_equal(graft_dict_set_tensor(d, "t", number(other, 1)), GRAFT_ERR_ARGUMENT);
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "the tensor for \"t\" belongs to another context");
    assert_int_equal(graft_dict_set_int_key_dict(d, 4, graft_dict_new(other)), GRAFT_ERR_ARGUMENT);
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "the dict for \"4\" belongs to another context");
    assert_int_equal(graft_dict_rename(d, "a", NULL), GRAFT_ERR_ARGUMENT);
    assert_error(g, GRAFT_ERR_ARGUMENT, "dict_rename: the key is NULL");
    assert_int_equal(graft_dict_drop(d, NULL), GRAFT_ERR_ARGUMENT);
    assert_error(g, GRAFT_ERR_ARGUMENT, "dict_drop: the key is NULL");
    assert_int_equal(graft_dict_rename_prefix(d, NULL, "", NULL), GRAFT_ERR_ARGUMENT);
    assert_error(g, GRAFT_ERR_ARGUMENT, "dict_rename_prefix: a prefix is NULL");
    assert_int_equal(graft_dict_len(d), 0);
    graft_close(g);
    graft_close(other);

    assert_null(graft_dict_new(NULL));
    assert_int_equal(graft_dict_set_int(NULL, "a", 1), GRAFT_ERR_ARGUMENT);
    assert_int_equal(graft_dict_set_int_key_tensor(NULL, 1, NULL), GRAFT_ERR_ARGUMENT);
    assert_int_equal(graft_dict_set_int_key_dict(NULL, 1, NULL), GRAFT_ERR_ARGUMENT);
    assert_int_equal(graft_dict_rename(NULL, "a", "b"), GRAFT_ERR_ARGUMENT);
    assert_int_equal(graft_dict_drop(NULL, "a"), GRAFT_ERR_ARGUMENT);
    assert_int_equal(graft_dict_rename_prefix(NULL, "a", "b", NULL), GRAFT_ERR_ARGUMENT);
    assert_int_equal(graft_dict_len(NULL), 0);
    assert_int_equal(graft_dict_find(NULL, "a"), -1);
    assert_int_equal(graft_dict_find_int(NULL, 1), -1);
    assert_null(graft_dict_key(NULL, 0));
    assert_null(graft_dict_tensor(NULL, "a"));
    assert_null(graft_dict_dict(NULL, "a"));
    assert_null(graft_dict_ctx(NULL));
    assert_null(graft_dict_keep(NULL));
    assert_null(graft_dict_clone(NULL, NULL));
}

static void no_dict_contains_itself(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *a = graft_dict_new(g), *b = graft_dict_new(g), *c = graft_dict_new(g);
    assert_int_equal(graft_dict_set_dict(a, "a", a), GRAFT_ERR_ARGUMENT);
    assert_error(g, GRAFT_ERR_ARGUMENT,
                 "dict_set_dict: with \"a\" the dict would come to contain itself");
    assert_int_equal(graft_dict_set_dict(a, "b", b), GRAFT_OK);
    assert_int_equal(graft_dict_set_dict(b, "c", c), GRAFT_OK);
    assert_int_equal(graft_dict_set_dict(b, "again", c), GRAFT_OK);
    assert_int_equal(graft_dict_set_dict(a, "c", c), GRAFT_OK); /* twice is no cycle */
    assert_int_equal(graft_dict_set_int_key_dict(c, 1, a), GRAFT_ERR_ARGUMENT);
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "with \"1\" the dict would come to contain itself");
    assert_int_equal(graft_dict_len(c), 0);
    graft_close(g);
}

/* Neither the stack nor the time may depend on how deep or how often dicts are nested. */
static void deep_and_wide_nesting(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_dict *inner = graft_dict_new(g);
    for (int i = 0; i < 50000; i++) {
        graft_dict *outer = graft_dict_new(g);
        /* Twice: 2^50000 paths lead to the innermost. */
        assert_int_equal(graft_dict_set_dict(outer, "a", inner), GRAFT_OK);
        assert_int_equal(graft_dict_set_dict(outer, "b", inner), GRAFT_OK);
        graft_dict_free(inner);
        inner = outer;
    }
    graft_dict *clone = graft_dict_clone(inner, NULL);
    assert_ptr_equal(graft_dict_dict(clone, "a"), graft_dict_dict(clone, "b"));
    graft_dict *held = graft_dict_dict(clone, "a");
    assert_int_equal(graft_dict_set_dict(held, "clone", clone), GRAFT_ERR_ARGUMENT);
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "would come to contain itself");
    graft_dict_free(inner);
    graft_dict_free(clone);
    graft_close(g);
}

/* Each level can be passed by one part of the path or by two: all ways together are 10^20. */
static void a_path_of_very_many_ways_ends(void **state)
{
    (void)state;
    enum { LEVELS = 100 };
    graft_ctx *g = test_open();
    graft_dict *inner = graft_dict_new(g);
    graft_dict_set_tensor(inner, "x", number(g, 1));
    for (int i = 0; i < LEVELS; i++) {
        graft_dict *outer = graft_dict_new(g);
        assert_int_equal(graft_dict_set_dict(outer, "a", inner), GRAFT_OK);
        assert_int_equal(graft_dict_set_dict(outer, "a.a", inner), GRAFT_OK);
        graft_dict_free(inner);
        inner = outer;
    }
    char path[2 * LEVELS + 2];
    for (int i = 0; i < LEVELS; i++)
        memcpy(path + (size_t)i * 2, "a.", 2);
    memcpy(path + (size_t)LEVELS * 2, "y", 2);
    assert_null(graft_dict_tensor(inner, path));
    assert_null(graft_error(g));
    memcpy(path + (size_t)LEVELS * 2 - 2 * 90, "x",
           2); /* by ten parts: all levels can't be passed */
    assert_null(graft_dict_tensor(inner, path));
    graft_dict_free(inner);
    graft_close(g);
}

static void contexts_hash_differently(void **state)
{
    (void)state;
    graft_ctx *a = test_open(), *b = test_open();
    assert_int_not_equal(a->secret, b->secret);
    assert_int_equal(a->secret & 1, 1);
    graft_close(a);
    graft_close(b);
}

/* ---- Scopes ---- */

static void kept_dicts_outlive_their_scope(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_scope_begin(g);
    graft_dict *d = graft__dict_result(graft__dict_new(g));
    graft_dict_set_tensor(d, "x", number(g, 2));
    assert_ptr_equal(graft_dict_keep(d), d);
    assert_non_null(graft__dict_result(graft__dict_new(g)));
    graft_scope_end(g);
    assert_true(graft_item(graft_dict_tensor(d, "x")) == 2.0);
    assert_ptr_equal(graft_dict_ctx(d), g);
    graft_dict_free(d);
    graft_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_come_back_by_kind),
        cmocka_unit_test(a_new_value_stands_where_the_old_one_did),
        cmocka_unit_test(integers_and_strings_are_two_keys),
        cmocka_unit_test(a_dict_holds_its_values),
        cmocka_unit_test(paths_lead_through_nested_dicts),
        cmocka_unit_test(the_longest_key_goes_first_but_not_alone),
        cmocka_unit_test(renaming_and_dropping_keep_the_order),
        cmocka_unit_test(prefixes_change_all_or_none),
        cmocka_unit_test(large_dicts_find_what_they_hold),
        cmocka_unit_test(appending_does_not_look),
        cmocka_unit_test(lists_are_dicts_with_the_keys_0_to_n),
        cmocka_unit_test(attributes_and_paths_lead_to_all_values),
        cmocka_unit_test(wrong_arguments_are_refused),
        cmocka_unit_test(no_dict_contains_itself),
        cmocka_unit_test(deep_and_wide_nesting),
        cmocka_unit_test(a_path_of_very_many_ways_ends),
        cmocka_unit_test(contexts_hash_differently),
        cmocka_unit_test(kept_dicts_outlive_their_scope),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
