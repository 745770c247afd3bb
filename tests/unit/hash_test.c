#include "test.h"

#include <stdio.h>

#include "failing_allocator.h"
#include "file/hash.h"

static int open_context(void **state)
{
    *state = test_open();
    return 0;
}

static int close_context(void **state)
{
    graft_close(*state);
    return 0;
}

/* The hash of bytes as text, fed in parts of `part`. */
static void hash_text(const void *bytes, size_t size, size_t part, char out[GRAFT__SHA256_TEXT])
{
    graft__sha256 h;
    unsigned char hash[GRAFT__SHA256_SIZE];
    graft__sha256_begin(&h);
    for (size_t at = 0; at < size; at += part)
        graft__sha256_add(&h, (const char *)bytes + at, size - at < part ? size - at : part);
    graft__sha256_end(&h, hash);
    graft__sha256_to_text(hash, out);
}

/* The examples of FIPS 180-2. */
static void test_sha256(void **state)
{
    (void)state;
    if (!graft__has_sha256())
        skip();
    char text[GRAFT__SHA256_TEXT];
    hash_text("", 0, 1, text);
    assert_string_equal(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    hash_text("abc", 3, 3, text);
    assert_string_equal(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    static const char two[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    for (size_t part = 1; part <= 56; part++) {
        hash_text(two, 56, part, text);
        assert_string_equal(text,
                            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    }
}

static void test_text(void **state)
{
    (void)state;
    unsigned char hash[GRAFT__SHA256_SIZE], back[GRAFT__SHA256_SIZE];
    char text[GRAFT__SHA256_TEXT];
    for (int i = 0; i < GRAFT__SHA256_SIZE; i++)
        hash[i] = (unsigned char)(i * 37);
    graft__sha256_to_text(hash, text);
    assert_true(graft__sha256_from_text(text, back));
    assert_memory_equal(hash, back, sizeof hash);
    text[5] = 'G';
    assert_false(graft__sha256_from_text(text, back));
    text[5] = 'A'; /* lower case only: one hash has one text */
    assert_false(graft__sha256_from_text(text, back));
    text[5] = 0;
    assert_false(graft__sha256_from_text(text, back));
}

static void put(graft_dict *d, const char *name, graft_tensor *t)
{
    assert_non_null(t);
    assert_int_equal(graft_dict_set_tensor(d, name, t), GRAFT_OK);
}

static void content_hash(const graft_dict *d, char out[GRAFT__HASH_TEXT])
{
    assert_int_equal(graft__content_hash(d, "test", out), GRAFT_OK);
}

static void test_same_tensors_same_hash(void **state)
{
    if (!graft__has_sha256())
        skip();
    graft_ctx *g = *state;
    char a[GRAFT__HASH_TEXT], b[GRAFT__HASH_TEXT];
    graft_tensor *m = graft_reshape(graft_arange(g, 0, 6, 1, GRAFT_F32), graft_shape2(2, 3));
    graft_dict *flat = graft_dict_new(g);
    put(flat, "layer.weight", m);
    put(flat, "layer.bias", graft_ones(g, graft_shape1(2), GRAFT_I64));
    content_hash(flat, a);
    /* Nested, in another order, strided, and beside what is no tensor. */
    graft_dict *nested = graft_dict_new(g), *layer = graft_dict_new(g);
    put(layer, "bias", graft_ones(g, graft_shape1(2), GRAFT_I64));
    graft_tensor *turned = graft_contiguous(graft_transpose(m, 0, 1));
    put(layer, "weight", graft_transpose(turned, 0, 1));
    assert_false(graft_is_contiguous(graft_dict_tensor(layer, "weight")));
    graft_dict_set_int(nested, "epoch", 3);
    graft_dict_set_dict(nested, "layer", layer);
    content_hash(nested, b);
    assert_string_equal(a, b);
    graft_dict_free(flat);
    graft_dict_free(layer);
    graft_dict_free(nested);
}

static void test_other_tensors_other_hash(void **state)
{
    if (!graft__has_sha256())
        skip();
    graft_ctx *g = *state;
    char hash[7][GRAFT__HASH_TEXT];
    graft_tensor *zeros[7] = {
        graft_zeros(g, graft_shape2(2, 3), GRAFT_F32),
        graft_zeros(g, graft_shape2(3, 2), GRAFT_F32),
        graft_zeros(g, graft_shape1(6), GRAFT_F32),
        graft_zeros(g, graft_shape2(2, 3), GRAFT_I32),
        graft_zeros(g, graft_shape2(2, 3), GRAFT_F32),
        graft_zeros(g, graft_shape2(2, 3), GRAFT_F32),
        graft_zeros(g, graft_shape2(0, 3), GRAFT_F32),
    };
    ((float *)graft_data_mut(zeros[4]))[5] = -0.0f;
    for (int i = 0; i < 7; i++) {
        graft_dict *d = graft_dict_new(g);
        put(d, i == 5 ? "u" : "t", zeros[i]);
        content_hash(d, hash[i]);
        graft_dict_free(d);
        for (int k = 0; k < i; k++)
            assert_string_not_equal(hash[k], hash[i]);
    }
}

/* More tensors than one batch of the threads, parts of more than one piece, strided ones too. */
static void test_many_and_large(void **state)
{
    if (!graft__has_sha256())
        skip();
    graft_ctx *g = *state;
    graft_dict *d = graft_dict_new(g);
    graft_scope_begin(g);
    graft_tensor *large =
        graft_reshape(graft_arange(g, 0, 3000000, 1, GRAFT_I32), graft_shape3(1000, 3, 1000));
    put(d, "large", large);
    put(d, "turned", graft_permute(large, graft_shape3(1, 2, 0)));
    put(d, "spread",
        graft_expand(graft_ones(g, graft_shape2(1, 3), GRAFT_F64), graft_shape2(400000, 3)));
    for (int i = 0; i < 200; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%d", i);
        put(d, name, graft_full(g, graft_shape1(i), i, GRAFT_U8));
    }
    graft_scope_end(g);
    char a[GRAFT__HASH_TEXT], b[GRAFT__HASH_TEXT];
    content_hash(d, a);
    /* The same, all contiguous, on one thread. */
    graft_dict *contiguous = graft_dict_new(g);
    for (int64_t i = 0; i < graft_dict_len(d); i++)
        put(contiguous, graft_dict_key(d, i), graft_contiguous(graft_dict_tensor_at(d, i)));
    graft_options o = graft_options_defaults();
    o.threads = 1;
    graft_ctx *one = graft_open(&o);
    graft_dict *copy = graft_dict_clone(contiguous, one);
    assert_non_null(copy);
    assert_true(graft_is_contiguous(graft_dict_tensor(copy, "spread")));
    content_hash(copy, b);
    assert_string_equal(a, b);
    graft_close(one);
    graft_dict_free(contiguous);
    graft_dict_free(d);
}

/* float4_e2m1fn_x2 is what safetensors reads back as twice as many F4. */
static void test_pairs(void **state)
{
    if (!graft__has_sha256())
        skip();
    graft_ctx *g = *state;
    const unsigned char bytes[] = {1, 2, 3, 4, 5, 6};
    char hash[2][GRAFT__HASH_TEXT];
    graft_tensor *t[2] = {graft_from_data(g, bytes, graft_shape2(2, 3), GRAFT_F4_E2M1FN_X2),
                          graft_from_data(g, bytes, graft_shape2(2, 6), GRAFT_F4)};
    for (int i = 0; i < 2; i++) {
        graft_dict *d = graft_dict_new(g);
        put(d, "t", t[i]);
        content_hash(d, hash[i]);
        graft_dict_free(d);
    }
    assert_string_equal(hash[0], hash[1]);
}

static void test_two_of_a_name(void **state)
{
    if (!graft__has_sha256())
        skip();
    graft_ctx *g = *state;
    graft_dict *d = graft_dict_new(g), *a = graft_dict_new(g);
    put(a, "b", graft_ones(g, graft_shape0(), GRAFT_F32));
    graft_dict_set_dict(d, "a", a);
    put(d, "a.b", graft_ones(g, graft_shape0(), GRAFT_F32));
    char text[GRAFT__HASH_TEXT];
    assert_int_equal(graft__content_hash(d, "test", text), GRAFT_ERR_NAME);
    assert_error(g, GRAFT_ERR_NAME, "test: two tensors have the name 'a.b'");
    graft_dict_free(a);
    graft_dict_free(d);
}

static void test_without_nettle(void **state)
{
    if (graft__has_sha256())
        skip();
    graft_ctx *g = *state;
    graft_dict *d = graft_dict_new(g);
    char text[GRAFT__HASH_TEXT];
    assert_int_equal(graft__content_hash(d, "test", text), GRAFT_ERR_ARGUMENT);
    assert_error_has(g, GRAFT_ERR_ARGUMENT, "it needs nettle (GRAFT_NETTLE)");
    graft_dict_free(d);
}

static void without_memory(void *user, failing_allocator *a)
{
    (void)user;
    graft_ctx *g = failing_allocator_open(a);
    if (!g)
        return;
    graft_tensor *m = graft_ones(g, graft_shape2(2, 3), GRAFT_F32);
    graft_dict *d = graft_dict_new(g);
    graft_dict_set_tensor(d, "a", m);
    graft_dict_set_tensor(d, "b", graft_transpose(m, 0, 1));
    char text[GRAFT__HASH_TEXT];
    if (!graft_error(g) && graft__content_hash(d, "test", text) == GRAFT_OK)
        assert_int_equal(strlen(text), 64);
    else
        assert_int_equal(graft_error_status(g), GRAFT_ERR_MEMORY);
    graft_close(g);
}

static void test_failing_allocator(void **state)
{
    (void)state;
    if (!graft__has_sha256())
        skip();
    failing_allocator_sweep(without_memory, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha256),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_same_tensors_same_hash),
        cmocka_unit_test(test_other_tensors_other_hash),
        cmocka_unit_test(test_many_and_large),
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_two_of_a_name),
        cmocka_unit_test(test_without_nettle),
        cmocka_unit_test(test_failing_allocator),
    };
    return cmocka_run_group_tests(tests, open_context, close_context);
}
