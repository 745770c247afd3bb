/* ONNX files, byte by byte: real ones are tests/parity/test_onnx.py's. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file_bytes.h"

/* ---- Writing protocol buffers ---- */

static void put_varint(file_bytes *f, uint64_t n)
{
    for (; n >= 0x80; n >>= 7)
        put_number(f, (n & 0x7F) | 0x80, 1);
    put_number(f, n, 1);
}

static void put_int(file_bytes *f, uint32_t field, uint64_t n)
{
    put_varint(f, field << 3);
    put_varint(f, n);
}

static void put_field(file_bytes *f, uint32_t field, const void *bytes, size_t size)
{
    put_varint(f, field << 3 | 2);
    put_varint(f, size);
    put_bytes(f, bytes, size);
}

static void put_word(file_bytes *f, uint32_t field, const char *text)
{
    put_field(f, field, text, strlen(text));
}

static void put_message(file_bytes *f, uint32_t field, const file_bytes *m)
{
    put_field(f, field, m->data, m->size);
}

/* ---- Parts of a model. Field numbers as in onnx.proto. ---- */

/* TensorProto of `ndim` sizes and no data. */
static void begin_tensor(file_bytes *t, const char *name, int type, int ndim, const int64_t *size)
{
    t->size = 0;
    for (int i = 0; i < ndim; i++)
        put_int(t, 1, (uint64_t)size[i]);
    put_int(t, 2, (uint64_t)type);
    put_word(t, 8, name);
}

static void begin_model(file_bytes *f)
{
    f->size = 0;
    put_int(f, 1, 8);
    put_word(f, 2, "test");
}

static void end_model(file_bytes *f, const file_bytes *graph)
{
    put_message(f, 7, graph);
}

/* A model with one initializer. */
static void model_of(file_bytes *f, const file_bytes *tensor)
{
    static file_bytes graph;
    graph.size = 0;
    put_message(&graph, 5, tensor);
    begin_model(f);
    end_model(f, &graph);
}

static void put_entry(file_bytes *f, uint32_t field, const char *key, const char *value)
{
    static file_bytes e;
    e.size = 0;
    put_word(&e, 1, key);
    put_word(&e, 2, value);
    put_message(f, field, &e);
}

/* A Constant whose output is `name`, with one attribute, whose fields `attribute` has. */
static void put_constant(file_bytes *graph, const char *name, const char *attribute_name,
                         const file_bytes *attribute)
{
    static file_bytes a, n;
    a.size = n.size = 0;
    put_word(&a, 1, attribute_name);
    put_bytes(&a, attribute->data, attribute->size);
    put_word(&n, 2, name);
    put_word(&n, 4, "Constant");
    put_message(&n, 5, &a);
    put_message(graph, 1, &n);
}

static void put_constant_int(file_bytes *graph, const char *name, int64_t value)
{
    static file_bytes a;
    a.size = 0;
    put_int(&a, 3, (uint64_t)value);
    put_constant(graph, name, "value_int", &a);
}

/* ---- What is read ---- */

static void a_model(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    static file_bytes f, t, graph, o;
    begin_tensor(&t, "w", 1, 2, (const int64_t[]){2, 2});
    put_field(&t, 9, (const float[]){1, 2, 3, 4}, 16);
    graph.size = 0;
    put_message(&graph, 5, &t);
    begin_model(&f);
    put_word(&f, 3, "1.0");
    put_int(&f, 5, 3);
    end_model(&f, &graph);
    o.size = 0;
    put_word(&o, 1, "");
    put_int(&o, 2, 17);
    put_message(&f, 8, &o);
    put_entry(&f, 14, "author", "me");
    put_int(&f, 99, 1); /* of a later version */
    graft_checkpoint *c = open_bytes(g, &f);
    assert_int_equal(graft_checkpoint_format(c), GRAFT_FORMAT_ONNX);
    assert_elements(graft_dict_tensor(graft_checkpoint_root(c), "w"), (const double[]){1, 2, 3, 4},
                    4);
    const graft_dict *m = graft_checkpoint_metadata(c);
    assert_int_equal(graft_dict_int_at(m, graft_dict_find(m, "ir_version")), 8);
    assert_int_equal(graft_dict_int_at(m, graft_dict_find(m, "model_version")), 3);
    assert_string_equal(graft_dict_string_at(m, graft_dict_find(m, "producer_name")), "test");
    assert_string_equal(graft_dict_string_at(m, graft_dict_find(m, "producer_version")), "1.0");
    const graft_dict *opset = graft_dict_dict(m, "opset_import");
    assert_int_equal(graft_dict_int_at(opset, graft_dict_find(opset, "ai.onnx")), 17);
    const graft_dict *props = graft_dict_dict(m, "metadata_props");
    assert_string_equal(graft_dict_string_at(props, graft_dict_find(props, "author")), "me");
    graft_checkpoint_free(c);
    graft_close(g);
}

/* Each data type in its own field, packed or number by number. */
static void typed_data(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    static file_bytes f, t, p;
    static const struct {
        int type;
        uint32_t field;
        graft_dtype dtype;
        size_t numel;
        uint64_t number[2]; /* in the file */
        size_t bytes;
        unsigned char expected[16];
    } cases[] = {
        {2, 5, GRAFT_U8, 2, {0, 255}, 2, {0, 255}},
        {3, 5, GRAFT_I8, 2, {(uint64_t)-128, 127}, 2, {0x80, 0x7F}},
        {3, 5, GRAFT_I8, 2, {255, 128}, 2, {0xFF, 0x80}},
        {4, 5, GRAFT_U16, 2, {65535, 1}, 4, {0xFF, 0xFF, 1, 0}},
        {5, 5, GRAFT_I16, 2, {(uint64_t)-2, 1}, 4, {0xFE, 0xFF, 1, 0}},
        {6, 5, GRAFT_I32, 2, {(uint64_t)-2, 1}, 8, {0xFE, 0xFF, 0xFF, 0xFF, 1}},
        {7, 7, GRAFT_I64, 2, {(uint64_t)-1, 5}, 16, {255, 255, 255, 255, 255, 255, 255, 255, 5}},
        {9, 5, GRAFT_BOOL, 2, {7, 0}, 2, {1, 0}},
        {10, 5, GRAFT_F16, 2, {0x3C00, 0xC000}, 4, {0, 0x3C, 0, 0xC0}},
        {12, 11, GRAFT_U32, 2, {0xFFFFFFFF, 2}, 8, {255, 255, 255, 255, 2}},
        {13, 11, GRAFT_U64, 2, {UINT64_MAX, 3}, 16, {255, 255, 255, 255, 255, 255, 255, 255, 3}},
        {16, 5, GRAFT_BF16, 2, {0x3F80, 0xBF80}, 4, {0x80, 0x3F, 0x80, 0xBF}},
        {17, 5, GRAFT_F8_E4M3FN, 2, {0x38, 0xFF}, 2, {0x38, 0xFF}},
        {18, 5, GRAFT_F8_E4M3FNUZ, 2, {1, 2}, 2, {1, 2}},
        {19, 5, GRAFT_F8_E5M2, 2, {1, 2}, 2, {1, 2}},
        {20, 5, GRAFT_F8_E5M2FNUZ, 2, {1, 2}, 2, {1, 2}},
        {21, 5, GRAFT_U4, 4, {0x21, 0x43}, 2, {0x21, 0x43}},
        {22, 5, GRAFT_I4, 4, {0xF1, 0x43}, 2, {0xF1, 0x43}},
        {23, 5, GRAFT_F4, 4, {0x21, 0x43}, 2, {0x21, 0x43}},
        {24, 5, GRAFT_F8_E8M0FNU, 2, {127, 128}, 2, {127, 128}},
    };
    for (size_t i = 0; i < 2 * (sizeof cases / sizeof *cases); i++) {
        size_t k = i / 2;
        begin_tensor(&t, "t", cases[k].type, 1, &(int64_t){(int64_t)cases[k].numel});
        p.size = 0;
        for (int n = 0; n < 2; n++)
            if (i % 2)
                put_int(&t, cases[k].field, cases[k].number[n]);
            else
                put_varint(&p, cases[k].number[n]);
        if (i % 2 == 0)
            put_message(&t, cases[k].field, &p);
        model_of(&f, &t);
        graft_checkpoint *c = open_bytes(g, &f);
        graft_tensor_info info;
        assert_true(graft_dict_tensor_info(graft_checkpoint_root(c), 0, &info));
        assert_int_equal(info.dtype, cases[k].dtype);
        assert_int_equal(info.bytes, cases[k].bytes);
        assert_memory_equal(graft_data(graft_dict_tensor_at(graft_checkpoint_root(c), 0)),
                            cases[k].expected, cases[k].bytes);
        graft_checkpoint_free(c);
    }
    graft_close(g);
}

static void typed_floats(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    static file_bytes f, t;
    static const float x[] = {1, 2, 3, 4};
    static const double y[] = {5, 6};
    begin_tensor(&t, "t", 1, 1, &(int64_t){4});
    put_field(&t, 4, x, 8); /* in two parts, as protocol buffers allow */
    put_field(&t, 4, x + 2, 8);
    model_of(&f, &t);
    graft_checkpoint *c = open_bytes(g, &f);
    assert_elements(graft_dict_tensor(graft_checkpoint_root(c), "t"), (const double[]){1, 2, 3, 4},
                    4);
    graft_checkpoint_free(c);
    begin_tensor(&t, "t", 14, 1, &(int64_t){2});
    put_field(&t, 4, x, 16);
    model_of(&f, &t);
    c = open_bytes(g, &f);
    assert_memory_equal(graft_data(graft_dict_tensor_at(graft_checkpoint_root(c), 0)), x, 16);
    graft_checkpoint_free(c);
    begin_tensor(&t, "t", 15, 0, NULL);
    put_field(&t, 10, y, 16);
    model_of(&f, &t);
    c = open_bytes(g, &f);
    assert_memory_equal(graft_data(graft_dict_tensor_at(graft_checkpoint_root(c), 0)), y, 16);
    graft_checkpoint_free(c);
    graft_close(g);
}

static void strings_and_nothing(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    static file_bytes f, t;
    begin_tensor(&t, "words", 8, 1, &(int64_t){2});
    put_word(&t, 6, "a");
    put_field(&t, 6, "b\0c", 3);
    model_of(&f, &t);
    graft_checkpoint *c = open_bytes(g, &f);
    const graft_dict *list = graft_dict_dict(graft_checkpoint_root(c), "words");
    size_t size = 0;
    assert_int_equal(graft_dict_len(list), 2);
    assert_memory_equal(graft_dict_bytes_at(list, 1, &size), "b\0c", 3);
    assert_int_equal(size, 3);
    graft_checkpoint_free(c);
    begin_tensor(&t, "empty", 1, 2, (const int64_t[]){0, 4});
    put_field(&t, 9, "", 0);
    model_of(&f, &t);
    c = open_bytes(g, &f);
    assert_int_equal(graft_numel(graft_dict_tensor(graft_checkpoint_root(c), "empty")), 0);
    graft_checkpoint_free(c);
    graft_close(g);
}

static void constants(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    static file_bytes f, graph, t, a, p;
    graph.size = 0;
    begin_tensor(&t, "ignored", 1, 0, NULL);
    put_field(&t, 9, &(float){3}, 4);
    a.size = 0;
    put_message(&a, 5, &t);
    put_constant(&graph, "tensor", "value", &a);
    put_constant_int(&graph, "int", -4);
    a.size = 0;
    put_varint(&a, 2 << 3 | 5);
    put_floats(&a, &(float){0.5F}, 1);
    put_constant(&graph, "float", "value_float", &a);
    a.size = 0;
    put_field(&a, 7, (const float[]){1, 2}, 8);
    put_constant(&graph, "floats", "value_floats", &a);
    p.size = a.size = 0;
    put_varint(&p, 300);
    put_varint(&p, (uint64_t)-1);
    put_message(&a, 8, &p);
    put_int(&a, 8, 9); /* one more, not packed */
    put_constant(&graph, "ints", "value_ints", &a);
    a.size = 0;
    put_word(&a, 4, "hello");
    put_constant(&graph, "string", "value_string", &a);
    a.size = 0;
    put_word(&a, 9, "x");
    put_word(&a, 9, "y");
    put_constant(&graph, "strings", "value_strings", &a);
    a.size = 0;
    put_constant(&graph, "zero", "value_float", &a); /* 0 is left out */
    put_constant(&graph, "none", "value_ints", &a);
    begin_model(&f);
    end_model(&f, &graph);
    graft_checkpoint *c = open_bytes(g, &f);
    const graft_dict *root = graft_checkpoint_root(c);
    assert_int_equal(graft_dict_len(root), 9);
    assert_elements(graft_dict_tensor(root, "tensor"), (const double[]){3}, 1);
    assert_elements(graft_dict_tensor(root, "int"), (const double[]){-4}, 1);
    assert_int_equal(graft_ndim(graft_dict_tensor(root, "int")), 0);
    assert_elements(graft_dict_tensor(root, "float"), (const double[]){0.5}, 1);
    assert_elements(graft_dict_tensor(root, "floats"), (const double[]){1, 2}, 2);
    assert_elements(graft_dict_tensor(root, "ints"), (const double[]){300, -1, 9}, 3);
    assert_elements(graft_dict_tensor(root, "zero"), (const double[]){0}, 1);
    assert_int_equal(graft_numel(graft_dict_tensor(root, "none")), 0);
    size_t size = 0;
    assert_memory_equal(graft_dict_bytes_at(root, graft_dict_find(root, "string"), &size), "hello",
                        5);
    assert_int_equal(graft_dict_len(graft_dict_dict(root, "strings")), 2);
    graft_checkpoint_free(c);
    flip_everywhere(&f);
    fail_everywhere(&f);
    graft_close(g);
}

static void make_sparse(file_bytes *s, bool indices)
{
    static file_bytes t;
    s->size = 0;
    begin_tensor(&t, "s", 1, 1, &(int64_t){2});
    put_field(&t, 9, (const float[]){1, 2}, 8);
    put_message(s, 1, &t);
    begin_tensor(&t, "", 7, 1, &(int64_t){2});
    put_field(&t, 9, (const int64_t[]){0, 3}, 16);
    if (indices)
        put_message(s, 2, &t);
    put_int(s, 3, 5);
}

static void sparse(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    static file_bytes f, graph, s;
    make_sparse(&s, true);
    graph.size = 0;
    put_message(&graph, 15, &s);
    begin_model(&f);
    end_model(&f, &graph);
    graft_checkpoint *c = open_bytes(g, &f);
    const graft_dict *d = graft_dict_dict(graft_checkpoint_root(c), "s");
    assert_elements(graft_dict_tensor(d, "values"), (const double[]){1, 2}, 2);
    assert_elements(graft_dict_tensor(d, "indices"), (const double[]){0, 3}, 2);
    assert_int_equal(graft_dict_int_at(graft_dict_dict(d, "dims"), 0), 5);
    graft_checkpoint_free(c);
    flip_everywhere(&f);
    fail_everywhere(&f);
    make_sparse(&s, false);
    graph.size = 0;
    put_message(&graph, 15, &s);
    begin_model(&f);
    end_model(&f, &graph);
    assert_bytes_fault(g, &f, GRAFT_FAULT_PROTOBUF, 10, "without values and indices");
    graft_close(g);
}

/* A node with two graphs in it, and in each a Constant of that name. */
static void put_if(file_bytes *graph, const char *name, const char *inside)
{
    static file_bytes a, n, sub;
    n.size = 0;
    put_word(&n, 2, "out");
    put_word(&n, 3, name);
    put_word(&n, 4, "If");
    for (int i = 0; i < 2; i++) {
        sub.size = a.size = 0;
        put_constant_int(&sub, inside, i);
        put_word(&a, 1, i ? "else_branch" : "then_branch");
        put_message(&a, 6, &sub);
        put_message(&n, 5, &a);
    }
    put_message(graph, 1, &n);
}

static void graphs_inside(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    static file_bytes f, graph, function, training;
    graph.size = function.size = training.size = 0;
    put_if(&graph, "choice", "c");
    put_constant_int(&graph, "own", 7);
    put_word(&function, 1, "f");
    { /* FunctionProto's nodes are its field 7 */
        static file_bytes other;
        other.size = 0;
        put_constant_int(&other, "own", 8);
        put_field(&function, 7, other.data + 2, other.size - 2);
    }
    put_message(&training, 2, &graph);
    begin_model(&f);
    end_model(&f, &graph);
    put_message(&f, 25, &function);
    put_message(&f, 20, &training);
    graft_checkpoint *c = open_bytes(g, &f);
    const graft_dict *root = graft_checkpoint_root(c);
    static const struct {
        const char *name;
        int64_t value;
    } expected[] = {{"own", 7},
                    {"c", 0},
                    {"choice.else_branch.c", 1},
                    {"f.own", 8},
                    {"algorithm.own", 7},
                    {"algorithm.choice.then_branch.c", 0},
                    {"algorithm.choice.else_branch.c", 1}};
    assert_int_equal(graft_dict_len(root), 7);
    for (int64_t i = 0; i < 7; i++) {
        assert_string_equal(graft_dict_key(root, i), expected[i].name);
        assert_int_equal(graft_item_i64(graft_dict_tensor_at(root, i)), expected[i].value);
    }
    graft_checkpoint_free(c);
    graft_close(g);
}

static void deep_graphs(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    static file_bytes f, graph, n, a;
    for (int depth = 63; depth <= 64; depth++) {
        graph.size = 0;
        for (int i = 0; i < depth; i++) {
            n.size = a.size = 0;
            put_word(&a, 1, "body");
            put_message(&a, 6, &graph);
            put_word(&n, 4, "Loop");
            put_message(&n, 5, &a);
            graph.size = 0;
            put_message(&graph, 1, &n);
        }
        begin_model(&f);
        end_model(&f, &graph);
        if (depth == 63) {
            graft_checkpoint_free(open_bytes(g, &f));
            continue;
        }
        assert_null(graft_checkpoint_open_memory(g, f.data, f.size, NULL));
        assert_int_equal(graft_error_fault(g), GRAFT_FAULT_LIMIT);
        assert_error_has(g, GRAFT_ERR_FORMAT, "nested deeper than 64");
    }
    graft_close(g);
}

/* ---- Faults ---- */

static void faults_of_tensors(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    static file_bytes f, t;
    static const int64_t two[] = {2}, negative[] = {-1}, three[] = {3}, huge[] = {1LL << 62, 4};
    /* The initializer's field begins at byte 10, its fields at 12. */
    begin_tensor(&t, "t", 1, 1, two);
    model_of(&f, &t);
    assert_bytes_fault(g, &f, GRAFT_FAULT_SHAPE, 10, "t: 2 elements too few");
    put_field(&t, 9, "1234", 4);
    model_of(&f, &t);
    assert_bytes_fault(g, &f, GRAFT_FAULT_SHAPE, 21, "4 bytes of raw data, where");
    put_field(&t, 4, "1234", 4);
    model_of(&f, &t);
    assert_bytes_fault(g, &f, GRAFT_FAULT_PROTOBUF, 10, "in more than one place");
    begin_tensor(&t, "t", 1, 1, two);
    put_int(&t, 7, 1);
    model_of(&f, &t);
    assert_bytes_fault(g, &f, GRAFT_FAULT_PROTOBUF, 10, "float32 in field 7: expected field 4");
    put_int(&t, 5, 1);
    model_of(&f, &t);
    assert_bytes_fault(g, &f, GRAFT_FAULT_PROTOBUF, 21, "data in two fields, 7 and 5");
    begin_tensor(&t, "t", 2, 1, two);
    put_int(&t, 5, 256);
    put_int(&t, 5, 0);
    model_of(&f, &t);
    assert_bytes_fault(g, &f, GRAFT_FAULT_PROTOBUF, 19, "256, which does not fit 8 bits");
    begin_tensor(&t, "t", 3, 1, two);
    put_int(&t, 5, (uint64_t)-129);
    put_int(&t, 5, 0);
    model_of(&f, &t);
    assert_bytes_fault(g, &f, GRAFT_FAULT_PROTOBUF, 19, "-129, which does not fit 8 bits");
    begin_tensor(&t, "t", 2, 1, two);
    for (int i = 0; i < 3; i++)
        put_int(&t, 5, 1);
    model_of(&f, &t);
    assert_bytes_fault(g, &f, GRAFT_FAULT_SHAPE, 23, "more elements than the shape");
    begin_tensor(&t, "t", 2, 1, negative);
    model_of(&f, &t);
    assert_bytes_fault(g, &f, GRAFT_FAULT_SHAPE, 10, "[-1] is negative");
    begin_tensor(&t, "t", 1, 2, huge);
    model_of(&f, &t);
    assert_bytes_fault(g, &f, GRAFT_FAULT_OVERFLOW, 10, "does not fit 64 bits");
    begin_tensor(&t, "t", 22, 1, three);
    put_field(&t, 9, "12", 2);
    model_of(&f, &t);
    assert_bytes_fault(g, &f, GRAFT_FAULT_SHAPE, 10, "no whole blocks of 2");
    begin_tensor(&t, "t", 77, 1, two);
    model_of(&f, &t);
    assert_bytes_fault(g, &f, GRAFT_FAULT_DTYPE, 10, "no data type has the number 77");
    begin_tensor(&t, "t", 25, 1, two);
    model_of(&f, &t);
    assert_bytes_fault(g, &f, GRAFT_FAULT_UNSUPPORTED, 10, "elements of 2 bits");
    put_field(&t, 3, "", 0);
    model_of(&f, &t);
    assert_bytes_fault(g, &f, GRAFT_FAULT_UNSUPPORTED, 19, "a tensor in segments");
    begin_tensor(&t, "t", 1, 0, NULL);
    for (int i = 0; i < 9; i++)
        put_int(&t, 1, 1);
    model_of(&f, &t);
    assert_bytes_fault(g, &f, GRAFT_FAULT_SHAPE, 33, "more than 8");
    begin_tensor(&t, "", 1, 0, NULL);
    put_field(&t, 9, "1234", 4);
    model_of(&f, &t);
    assert_bytes_fault(g, &f, GRAFT_FAULT_NAME, 16, "a tensor without a name");
    begin_tensor(&t, "\x1B[31m\xC2\x9B \xFF\xC3\xBC", 1, 0, NULL);
    model_of(&f, &t);
    assert_bytes_fault(g, &f, GRAFT_FAULT_SHAPE, 10, "byte 10: ?[31m?? ?\xC3\xBC: 1 elements");
    begin_tensor(&t, "t", 1, 0, NULL);
    put_int(&t, 9, 4);
    model_of(&f, &t);
    assert_bytes_fault(g, &f, GRAFT_FAULT_PROTOBUF, 17, "field 9 with wire type 0: expected 2");
    graft_close(g);
}

static void faults_of_models(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    static file_bytes f, t, graph;
    graph.size = 0;
    begin_model(&f);
    end_model(&f, &graph);
    end_model(&f, &graph);
    assert_bytes_fault(g, &f, GRAFT_FAULT_PROTOBUF, 10, "a second graph");
    begin_model(&f);
    assert_bytes_fault(g, &f, GRAFT_FAULT_UNKNOWN_FORMAT, 0, "begin like no checkpoint");
    begin_model(&f);
    put_varint(&f, 7 << 3 | 2);
    put_varint(&f, 100);
    assert_bytes_fault(g, &f, GRAFT_FAULT_TRUNCATED, 8, "longer than what it is in");
    begin_tensor(&t, "t", 1, 0, NULL);
    put_field(&t, 9, "1234", 4);
    graph.size = 0;
    put_message(&graph, 5, &t);
    put_message(&graph, 5, &t);
    begin_model(&f);
    end_model(&f, &graph);
    assert_bytes_fault(g, &f, GRAFT_FAULT_DUPLICATE, 29, "two tensors are called 't'");
    graph.size = 0;
    put_text(&graph, "\x2A\x7F");
    begin_model(&f);
    end_model(&f, &graph);
    put_int(&f, 5, 1);
    assert_bytes_fault(g, &f, GRAFT_FAULT_PROTOBUF, 10, "longer than what it is in");
    graft_close(g);
}

/* ---- External data ---- */

static char folder[] = "/tmp/graft_onnx_XXXXXX";

static const char *path_of(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const void *bytes, size_t size)
{
    FILE *out = fopen(path_of(name), "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, size, out), size);
    assert_int_equal(fclose(out), 0);
}

/* A tensor "t" of two floats at byte 4 of a file. */
static void make_external(file_bytes *f, const char *location, const char *offset,
                          const char *length)
{
    static file_bytes t;
    begin_tensor(&t, "t", 1, 1, &(int64_t){2});
    put_entry(&t, 13, "location", location);
    if (offset)
        put_entry(&t, 13, "offset", offset);
    if (length)
        put_entry(&t, 13, "length", length);
    put_int(&t, 14, 1);
    model_of(f, &t);
}

static void assert_external_fault(graft_ctx *g, const file_bytes *f, graft_fault fault,
                                  const char *words)
{
    write_file("model/m.onnx", f->data, f->size);
    assert_null(graft_load(g, path_of("model/m.onnx"), NULL));
    if (graft_error_fault(g) != fault)
        fail_msg("%s", graft_error(g));
    assert_error_has(g, GRAFT_ERR_FORMAT, words);
}

static void external_data(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    static file_bytes f;
    static const float x[] = {9, 1, 2, 3};
    assert_non_null(mkdtemp(folder));
    char outside[512];
    snprintf(outside, sizeof outside, "%s/outside", folder);
    assert_int_equal(mkdir(path_of("model"), 0700), 0);
    assert_int_equal(mkdir(path_of("model/sub"), 0700), 0);
    write_file("outside", x, sizeof x);
    write_file("model/w", x, sizeof x);
    write_file("model/sub/w", x, sizeof x);
    assert_int_equal(symlink("../outside", path_of("model/link")), 0);
    assert_int_equal(symlink("..", path_of("model/up")), 0);
    assert_int_equal(symlink("w", path_of("model/inside")), 0);
    static const struct {
        const char *location, *length;
    } good[] = {{"w", "8"}, {"w", NULL}, {"sub/w", "8"}, {"./w", "8"}, {"inside", "8"}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        make_external(&f, good[i].location, "4", good[i].length);
        write_file("model/m.onnx", f.data, f.size);
        graft_dict *d = graft_load(g, path_of("model/m.onnx"), NULL);
        assert_no_error(g);
        assert_elements(graft_dict_tensor(d, "t"), (const double[]){1, 2}, 2);
        graft_dict_free(d);
    }
    static const char *const bad[] = {
        "../outside", "sub/../../outside", "/etc/passwd", "",      "sub//w",
        "w/",         "up/outside",        "link",        "sub/.."};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        make_external(&f, bad[i], "4", "8");
        assert_external_fault(g, &f, GRAFT_FAULT_NAME, "folder");
    }
    make_external(&f, outside, "4", "8");
    assert_external_fault(g, &f, GRAFT_FAULT_NAME, "a relative path");
    make_external(&f, "nowhere", "4", "8");
    assert_external_fault(g, &f, GRAFT_FAULT_MEMBER_MISSING, "no such file");
    make_external(&f, "w", "12", "8");
    assert_external_fault(g, &f, GRAFT_FAULT_OUT_OF_BOUNDS, "8 bytes at 12 of 'w', which has 16");
    make_external(&f, "w", "18446744073709551615", "8");
    assert_external_fault(g, &f, GRAFT_FAULT_OUT_OF_BOUNDS, "18446744073709551615 of 'w'");
    make_external(&f, "w", "4", "7");
    assert_external_fault(g, &f, GRAFT_FAULT_SHAPE, "7 bytes of external data");
    make_external(&f, "w", "-4", NULL);
    assert_external_fault(g, &f, GRAFT_FAULT_PROTOBUF, "the offset of external data is no number");
    make_external(&f, "w", "4", "8");
    assert_null(graft_checkpoint_open_memory(g, f.data, f.size, NULL));
    assert_error_has(g, GRAFT_ERR_FORMAT, "a model in memory has no folder");
    static const char *const files[] = {"model/m.onnx", "model/w",    "model/sub/w",
                                        "model/sub",    "model/link", "model/up",
                                        "model/inside", "model",      "outside"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        assert_int_equal(remove(path_of(files[i])), 0);
    assert_int_equal(rmdir(folder), 0);
    graft_close(g);
}

static void damage(void **state)
{
    (void)state;
    static file_bytes f, t, graph;
    begin_tensor(&t, "w", 1, 2, (const int64_t[]){2, 2});
    put_field(&t, 9, (const float[]){1, 2, 3, 4}, 16);
    graph.size = 0;
    put_message(&graph, 5, &t);
    put_if(&graph, "choice", "c");
    begin_model(&f);
    put_entry(&f, 14, "author", "me");
    end_model(&f, &graph);
    truncate_everywhere(&f, f.size);
    flip_everywhere(&f);
    fail_everywhere(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model),           cmocka_unit_test(typed_data),
        cmocka_unit_test(typed_floats),      cmocka_unit_test(strings_and_nothing),
        cmocka_unit_test(constants),         cmocka_unit_test(sparse),
        cmocka_unit_test(graphs_inside),     cmocka_unit_test(deep_graphs),
        cmocka_unit_test(faults_of_tensors), cmocka_unit_test(faults_of_models),
        cmocka_unit_test(external_data),     cmocka_unit_test(damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
