/* Files of torch.save, byte by byte: what reading them gives, and by which fault it fails. */
#include "test.h"

#include <stdio.h>

#include "failing_allocator.h"
#include "file/crc.h"

/* ---- Bytes in the making ---- */

typedef struct bytes {
    unsigned char data[16384];
    size_t size;
} bytes;

static void add(bytes *b, const void *data, size_t size)
{
    assert_true(size <= sizeof b->data - b->size);
    memcpy(b->data + b->size, data, size);
    b->size += size;
}

static void add_number(bytes *b, uint64_t number, size_t width)
{
    for (size_t i = 0; i < width; i++, number >>= 8)
        add(b, &(unsigned char){(unsigned char)(number & 0xff)}, 1);
}

/* A literal, with the 0 bytes inside and without the one behind. */
#define ADD(b, text) add(b, text, sizeof(text) - 1)

static void add_floats(bytes *b, int count)
{
    for (int i = 0; i < count; i++) {
        const float f = (float)i + 0.5F;
        add(b, &f, sizeof f);
    }
}

/* ---- Pickles ---- */

/* The persistent id of storage "k" with 6 elements; what a seventh part would be is text too. */
#define STORAGE(kind, numel) "(U\7storagectorch\n" kind "\nU\1kU\3cpuK" numel "tQ"
#define FLOATS STORAGE("FloatStorage", "\6")
#define V2 "ctorch._utils\n_rebuild_tensor_v2\n"
#define REST "\x89NtR" /* requires_grad, hooks, and the call */
#define TENSOR V2 "(" FLOATS "K\0K\2K\3\x86K\3K\1\x86" REST
#define ROOT(value) "\x80\2}U\1x" value "s."

static const char plain[] = ROOT(TENSOR);

/* ---- The three forms ---- */

typedef struct member {
    const char *name;
    const void *data;
    size_t size;
} member;

static void add_entry(bytes *b, const member *m, uint64_t header, bool central)
{
    const uint32_t crc = graft__crc32(0, m->data, m->size);
    add_number(b, central ? 0x02014b50 : 0x04034b50, 4);
    if (central)
        add_number(b, 20, 2);
    add_number(b, 20, 2);
    add_number(b, 0, 2 + 2 + 2 + 2); /* flags, method, time, date */
    add_number(b, crc, 4);
    add_number(b, m->size, 4);
    add_number(b, m->size, 4);
    add_number(b, strlen(m->name), 2);
    add_number(b, 0, 2);
    if (central) {
        add_number(b, 0, 2 + 2 + 2 + 4); /* comment, disk, attributes */
        add_number(b, header, 4);
    }
    add(b, m->name, strlen(m->name));
}

static void make_zip(bytes *b, const member *members, size_t count)
{
    uint64_t header[8];
    b->size = 0;
    assert_true(count <= 8);
    for (size_t i = 0; i < count; i++) {
        header[i] = b->size;
        add_entry(b, &members[i], 0, false);
        add(b, members[i].data, members[i].size);
    }
    const size_t directory = b->size;
    for (size_t i = 0; i < count; i++)
        add_entry(b, &members[i], header[i], true);
    const size_t size = b->size - directory;
    add_number(b, 0x06054b50, 4);
    add_number(b, 0, 4);
    add_number(b, count, 2);
    add_number(b, count, 2);
    add_number(b, size, 4);
    add_number(b, directory, 4);
    add_number(b, 0, 2);
}

static void make_pt(bytes *b, const char *pickle, size_t size)
{
    const float data[] = {0.5F, 1.5F, 2.5F, 3.5F, 4.5F, 5.5F};
    const member members[] = {
        {"a/data.pkl", pickle, size}, {"a/data/k", data, sizeof data}, {"a/version", "3\n", 2}};
    make_zip(b, members, 3);
}

static void make_legacy_head(bytes *b, const char *version, size_t size)
{
    b->size = 0;
    ADD(b, "\x80\2\x8a\n\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\2");
    add(b, version, size);
    ADD(b, ".\x80\2}.");
}

/* keys: a pickle. numel: of storage "k" in the data. */
static void make_legacy(bytes *b, const char *pickle, size_t size, const char *keys,
                        size_t keys_size, uint64_t numel)
{
    make_legacy_head(b, "M\xe9\3", 3);
    add(b, pickle, size);
    add(b, keys, keys_size);
    add_number(b, numel, 8);
    add_floats(b, 6);
}

static const char one_key[] = "\x80\2]U\1ka.";

static void add_tar(bytes *b, const char *name, const bytes *part)
{
    unsigned char header[512] = {0};
    memcpy(header, name, strlen(name));
    snprintf((char *)header + 124, 12, "%011o", (unsigned)part->size);
    memset(header + 148, ' ', 8);
    header[156] = '0';
    unsigned sum = 0;
    for (size_t i = 0; i < sizeof header; i++)
        sum += header[i];
    snprintf((char *)header + 148, 8, "%06o", sum);
    add(b, header, sizeof header);
    add(b, part->data, part->size);
    static const unsigned char zeros[512];
    add(b, zeros, (512 - part->size % 512) % 512);
}

typedef struct tar_parts {
    bytes storages, tensors, pickle;
} tar_parts;

static void make_tar_parts(tar_parts *p)
{
    p->storages.size = p->tensors.size = p->pickle.size = 0;
    ADD(&p->storages, "\x80\2K\1." /* one */
                      "\x80\2K\7U\3cpuctorch\nFloatStorage\n\x87.");
    add_number(&p->storages, 6, 8);
    add_floats(&p->storages, 6);
    ADD(&p->storages, "\x80\2](K\x08K\7K\2K\3ta."); /* 8 is 3 elements of 7 from 2 on */
    ADD(&p->tensors, "\x80\2K\1."
                     "\x80\2K\x09K\7ctorch\nFloatTensor\n\x87.");
    add_number(&p->tensors, 2, 8);
    const int64_t place[] = {2, 2, 3, 1, 1};
    for (int i = 0; i < 5; i++)
        add_number(&p->tensors, (uint64_t)place[i], 8);
    ADD(&p->pickle, "\x80\2}(U\1xK\x09QU\1yK\x08Qu.");
}

static void make_tar(bytes *b, const tar_parts *p)
{
    static const unsigned char zeros[1024];
    b->size = 0;
    add_tar(b, "storages", &p->storages);
    add_tar(b, "tensors", &p->tensors);
    add_tar(b, "pickle", &p->pickle);
    add(b, zeros, sizeof zeros);
}

/* ---- Reading them ---- */

static void assert_fault(const bytes *b, graft_fault fault)
{
    graft_ctx *g = test_open();
    graft_checkpoint *c = graft_checkpoint_open_memory(g, b->data, b->size, NULL);
    if (c || graft_error_fault(g) != fault)
        fail_msg("expected %s, got %s", graft_fault_name(fault),
                 graft_error(g) ? graft_error(g) : "a checkpoint");
    assert_int_equal(graft_error_status(g), GRAFT_ERR_FORMAT);
    graft_close(g);
}

static void assert_x(const bytes *b, graft_format format, const double *elements, int64_t count)
{
    graft_ctx *g = test_open();
    graft_checkpoint *c = graft_checkpoint_open_memory(g, b->data, b->size, NULL);
    assert_no_error(g);
    assert_int_equal(graft_checkpoint_format(c), format);
    assert_elements(graft_dict_tensor(graft_checkpoint_root(c), "x"), elements, count);
    graft_checkpoint_free(c);
    graft_close(g);
}

static const double six[] = {0.5, 1.5, 2.5, 3.5, 4.5, 5.5};

static void the_three_forms_are_read(void **state)
{
    (void)state;
    bytes b;
    make_pt(&b, plain, sizeof plain - 1);
    assert_x(&b, GRAFT_FORMAT_PT, six, 6);
    make_legacy(&b, plain, sizeof plain - 1, one_key, sizeof one_key - 1, 6);
    assert_x(&b, GRAFT_FORMAT_PT_LEGACY, six, 6);
    ADD(&b, "whatever is behind");
    assert_x(&b, GRAFT_FORMAT_PT_LEGACY, six, 6);
    tar_parts parts;
    make_tar_parts(&parts);
    make_tar(&b, &parts);
    assert_x(&b, GRAFT_FORMAT_PT_TAR, (const double[]){1.5, 2.5, 4.5, 5.5}, 4);
}

/* ---- Tensors that do not fit ---- */

typedef struct refused {
    const char *pickle;
    size_t size;
    graft_fault fault;
} refused;

#define REFUSED(value, fault)                                                                      \
    {                                                                                              \
        ROOT(value), sizeof(ROOT(value)) - 1, fault                                                \
    }
#define PLACE(place) V2 "(" FLOATS place REST

static const refused tensors[] = {
    REFUSED(PLACE("K\0K\7\x85K\1\x85"), GRAFT_FAULT_TENSOR),               /* 7 of 6 */
    REFUSED(PLACE("K\1K\6\x85K\1\x85"), GRAFT_FAULT_TENSOR),               /* from 1 on */
    REFUSED(PLACE("K\0K\3\x85K\3\x85"), GRAFT_FAULT_TENSOR),               /* 0, 3, 6 */
    REFUSED(PLACE("K\7)K\1\x85"), GRAFT_FAULT_TENSOR),                     /* no size, one stride */
    REFUSED(PLACE("J\xff\xff\xff\xffK\1\x85K\1\x85"), GRAFT_FAULT_TENSOR), /* from -1 on */
    REFUSED(PLACE("K\5K\2\x85J\xff\xff\xff\xff\x85"), GRAFT_FAULT_TENSOR), /* stride -1 */
    REFUSED(PLACE("K\0J\xff\xff\xff\xff\x85K\1\x85"), GRAFT_FAULT_SHAPE),  /* size -1 */
    REFUSED(PLACE("K\0(K\1K\1K\1K\1K\1K\1K\1K\1K\1t(K\1K\1K\1K\1K\1K\1K\1K\1K\1t"),
            GRAFT_FAULT_SHAPE), /* nine dimensions */
    REFUSED(PLACE("K\0\x8a\6\0\0\0\0\0\1\x8a\6\0\0\0\0\0\1\x86K\0K\0\x86"),
            GRAFT_FAULT_OVERFLOW), /* 2^40 x 2^40 */
    REFUSED(PLACE("K\0K\2\x85\x8a\x08\0\0\0\0\0\0\0\x40\x85"),
            GRAFT_FAULT_OVERFLOW), /* stride 2^62 */
    REFUSED(PLACE("\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7fK\1\x85K\1\x85"),
            GRAFT_FAULT_TENSOR),                                  /* from 2^63 - 1 on */
    REFUSED(PLACE("K\0U\1a\x85K\1\x85"), GRAFT_FAULT_TENSOR),     /* size 'a' */
    REFUSED(PLACE("NK\1\x85K\1\x85"), GRAFT_FAULT_TENSOR),        /* offset None */
    REFUSED(PLACE("K\0K\1K\1\x85"), GRAFT_FAULT_TENSOR),          /* size 1 */
    REFUSED(V2 "(K\1K\0K\1\x85K\1\x85" REST, GRAFT_FAULT_TENSOR), /* storage 1 */
    REFUSED(V2 ")R", GRAFT_FAULT_TENSOR),
    REFUSED(V2 "(" STORAGE("LongStorage", "\3") "K\0K\1\x85K\1\x85\x88NtR",
            GRAFT_FAULT_TENSOR), /* a gradient of integers */
    REFUSED("ctorch._utils\n_rebuild_tensor_v3\n(" FLOATS
            "K\0K\1\x85K\1\x85\x89Nctorch\nfloat64\ntR",
            GRAFT_FAULT_TENSOR),
    REFUSED("ctorch._utils\n_rebuild_parameter\n(K\1\x88NtR", GRAFT_FAULT_TENSOR),
    REFUSED("ctorch._utils\n_rebuild_sparse_tensor\n(ctorch\nstrided\n)tR", GRAFT_FAULT_TENSOR),
    REFUSED("ctorch._utils\n_rebuild_qtensor\n(" FLOATS "K\0K\1\x85K\1\x85"
            "ctorch\nper_tensor_affine\nG?\xf0\0\0\0\0\0\0K\0\x87\x89NtR",
            GRAFT_FAULT_TENSOR), /* quantized floats */
    /* storages */
    REFUSED(STORAGE("FloatStorage", "\7"), GRAFT_FAULT_STORAGE),
    REFUSED(STORAGE("FooStorage", "\6"), GRAFT_FAULT_DTYPE),
    REFUSED("(U\7storageK\1U\1kU\3cpuK\6tQ", GRAFT_FAULT_DTYPE),
    REFUSED("(U\7storagectorch\nFloatStorage\nU\1lU\3cpuK\6tQ", GRAFT_FAULT_MEMBER_MISSING),
    REFUSED("(U\7storagectorch\nFloatStorage\nK\1U\3cpuK\6tQ", GRAFT_FAULT_STORAGE),
    REFUSED("(U\7storagectorch\nFloatStorage\nU\1kU\3cputQ", GRAFT_FAULT_STORAGE),
    REFUSED("(U\7storagectorch\nFloatStorage\nU\1kU\3cpuJ\xff\xff\xff\xfftQ", GRAFT_FAULT_STORAGE),
    REFUSED("(U\7storagectorch\nFloatStorage\nU\1kU\3cpu\x8a\x08\0\0\0\0\0\0\0\x40tQ",
            GRAFT_FAULT_OVERFLOW),
    REFUSED("(" FLOATS STORAGE("FloatStorage", "\5") "t", GRAFT_FAULT_STORAGE),
    REFUSED("(U\7storagectorch\nFloatStorage\nU\1kU\3cpuK\6(U\1vK\4K\3ttQ",
            GRAFT_FAULT_STORAGE), /* elements 4 to 6 of 6 */
    REFUSED("(U\7storagectorch\nFloatStorage\nU\1kU\3cpuK\6K\1tQ", GRAFT_FAULT_STORAGE),
    REFUSED("(U\6tensorK\1tQ", GRAFT_FAULT_STORAGE),
    REFUSED("K\1Q", GRAFT_FAULT_STORAGE),
};

static void tensors_and_storages_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    bytes b;
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++) {
        make_pt(&b, tensors[i].pickle, tensors[i].size);
        assert_fault(&b, tensors[i].fault);
    }
}

static void the_offset_is_that_of_the_call(void **state)
{
    (void)state;
    static const char pickle[] = ROOT(PLACE("K\0K\7\x85K\1\x85"));
    bytes b;
    make_pt(&b, pickle, sizeof pickle - 1);
    graft_ctx *g = test_open();
    assert_null(graft_checkpoint_open_memory(g, b.data, b.size, NULL));
    assert_int_equal(graft_error_offset(g), (int64_t)sizeof pickle - 4);
    assert_string_equal(graft_error(g),
                        "load: (memory): data.pkl: byte 93: torch._utils._rebuild_tensor_v2: a "
                        "tensor of shape [7], strides [1] and storage_offset 0 does not fit its "
                        "storage of 6 elements (Tensor)");
    graft_close(g);
}

/* ---- ZIP ---- */

static void archives_that_are_refused(void **state)
{
    (void)state;
    bytes b;
    const member nothing[] = {{"a/version", "3\n", 2}};
    make_zip(&b, nothing, 1);
    assert_fault(&b, GRAFT_FAULT_MEMBER_MISSING);
    static const char none[] = "\x80\2N.";
    const char *const about[][2] = {
        {"a/version", "11"}, {"a/version", "0"}, {"a/version", "x"}, {"a/byteorder", "middle"}};
    for (size_t i = 0; i < 4; i++) {
        const member members[] = {{"a/data.pkl", none, sizeof none - 1},
                                  {about[i][0], about[i][1], strlen(about[i][1])}};
        make_zip(&b, members, 2);
        assert_fault(&b, GRAFT_FAULT_UNSUPPORTED);
    }
    b.size = 0;
    ADD(&b, "PYTORCH1 and more");
    assert_fault(&b, GRAFT_FAULT_UNSUPPORTED);
}

static void the_root_may_be_any_folder(void **state)
{
    (void)state;
    bytes b;
    const float data[] = {0.5F, 1.5F, 2.5F, 3.5F, 4.5F, 5.5F};
    const member late[] = {{"other/file", "?", 1},
                           {"b/c/data.pkl", plain, sizeof plain - 1},
                           {"b/c/data/k", data, sizeof data}};
    make_zip(&b, late, 3);
    assert_x(&b, GRAFT_FORMAT_PT, six, 6);
    const member bare[] = {{"data.pkl", plain, sizeof plain - 1}, {"data/k", data, sizeof data}};
    make_zip(&b, bare, 2);
    assert_x(&b, GRAFT_FORMAT_PT, six, 6);
}

static void a_damaged_storage_is_noticed_when_it_is_used(void **state)
{
    (void)state;
    bytes b;
    make_pt(&b, plain, sizeof plain - 1);
    const float third = 2.5F;
    unsigned char *at = b.data;
    while (memcmp(at, &third, sizeof third) != 0)
        at++;
    *at ^= 1;
    graft_ctx *g = test_open();
    graft_read_options o = graft_read_defaults();
    o.verify = GRAFT_VERIFY_OPEN;
    assert_null(graft_checkpoint_open_memory(g, b.data, b.size, &o));
    assert_int_equal(graft_error_fault(g), GRAFT_FAULT_CHECKSUM);
    graft_clear_error(g);
    graft_checkpoint *c = graft_checkpoint_open_memory(g, b.data, b.size, NULL);
    assert_non_null(c);
    assert_null(graft_dict_tensor(graft_checkpoint_root(c), "x"));
    assert_int_equal(graft_error_fault(g), GRAFT_FAULT_CHECKSUM);
    assert_error_has(g, GRAFT_ERR_FORMAT, "data/k");
    graft_checkpoint_free(c);
    o.verify = GRAFT_VERIFY_NEVER;
    c = graft_checkpoint_open_memory(g, b.data, b.size, &o);
    assert_non_null(graft_dict_tensor(graft_checkpoint_root(c), "x"));
    assert_no_error(g);
    graft_checkpoint_free(c);
    graft_close(g);
}

static void elements_of_the_other_byte_order_are_turned(void **state)
{
    (void)state;
    bytes b, data = {.size = 0};
    for (int i = 0; i < 6; i++) {
        const float f = (float)i + 0.5F;
        unsigned char in[4];
        memcpy(in, &f, 4);
        const unsigned char out[] = {in[3], in[2], in[1], in[0]};
        add(&data, out, 4);
    }
    const member members[] = {{"a/data.pkl", plain, sizeof plain - 1},
                              {"a/byteorder", "big", 3},
                              {"a/data/k", data.data, data.size}};
    make_zip(&b, members, 3);
    assert_x(&b, GRAFT_FORMAT_PT, six, 6);
}

static void what_is_told_of_a_file(void **state)
{
    (void)state;
    bytes b;
    make_pt(&b, plain, sizeof plain - 1);
    graft_ctx *g = test_open();
    graft_checkpoint *c = graft_checkpoint_open_memory(g, b.data, b.size, NULL);
    graft_dict *told = graft_checkpoint_metadata(c);
    assert_string_equal(graft_dict_string_at(told, graft_dict_find(told, "root")), "a");
    assert_string_equal(graft_dict_string_at(told, graft_dict_find(told, "version")), "3");
    graft_checkpoint_free(c);
    graft_close(g);
}

/* ---- Streams ---- */

static void streams_that_are_refused(void **state)
{
    (void)state;
    bytes b;
    const size_t size = sizeof plain - 1;
    make_legacy(&b, plain, size, one_key, sizeof one_key - 1, 5);
    assert_fault(&b, GRAFT_FAULT_STORAGE);
    make_legacy(&b, plain, size, one_key, sizeof one_key - 1, UINT64_MAX);
    assert_fault(&b, GRAFT_FAULT_STORAGE);
    make_legacy(&b, plain, size, "\x80\2]U\1la.", 8, 6); /* another key */
    assert_fault(&b, GRAFT_FAULT_STORAGE);
    make_legacy(&b, plain, size, "\x80\2].", 4, 6); /* no key */
    assert_fault(&b, GRAFT_FAULT_STORAGE);
    make_legacy(&b, plain, size, "\x80\2]K\1a.", 7, 6); /* a number */
    assert_fault(&b, GRAFT_FAULT_STORAGE);
    make_legacy(&b, plain, size, "\x80\2N.", 4, 6); /* no list */
    assert_fault(&b, GRAFT_FAULT_PICKLE_VALUE);
    static const char twice[] = "\x80\2](U\1kU\1ke.";
    make_legacy(&b, plain, size, twice, sizeof twice - 1, 6);
    assert_fault(&b, GRAFT_FAULT_DUPLICATE);
    make_legacy_head(&b, "M\xea\3", 3); /* 1002 */
    assert_fault(&b, GRAFT_FAULT_UNSUPPORTED);
    make_legacy_head(&b, "N", 1);
    assert_fault(&b, GRAFT_FAULT_UNSUPPORTED);
}

static void a_stream_may_end_nowhere_before_its_end(void **state)
{
    (void)state;
    bytes b;
    make_legacy(&b, plain, sizeof plain - 1, one_key, sizeof one_key - 1, 6);
    graft_ctx *g = test_open();
    for (size_t size = 0; size < b.size; size++) {
        assert_null(graft_checkpoint_open_memory(g, b.data, size, NULL));
        assert_int_equal(graft_error_status(g), GRAFT_ERR_FORMAT);
        if (size >= b.size - 32)
            assert_int_equal(graft_error_fault(g), GRAFT_FAULT_TRUNCATED);
        graft_clear_error(g);
    }
    graft_close(g);
}

static void the_magic_number_is_known_in_every_protocol(void **state)
{
    (void)state;
    const char *const magics[] = {"L119547037146038801333356L\n.",
                                  "\x80\3\x8a\n\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."};
    const size_t sizes[] = {28, 15};
    for (int i = 0; i < 2; i++) {
        bytes b = {.size = 0};
        add(&b, magics[i], sizes[i]);
        ADD(&b, "I1001\n.}.");
        add(&b, plain, sizeof plain - 1);
        add(&b, one_key, sizeof one_key - 1);
        add_number(&b, 6, 8);
        add_floats(&b, 6);
        assert_x(&b, GRAFT_FORMAT_PT_LEGACY, six, 6);
    }
}

/* XLA's tensors are converted while the pickle is read: before the bytes of a stream's storages are
 * known. */
static void elements_that_are_needed_too_early_are_an_error(void **state)
{
    (void)state;
    static const char pickle[] =
        ROOT("ctorch._utils\n_rebuild_device_tensor_from_cpu_tensor\n(" TENSOR
             "ctorch\nbfloat16\nU\3xla\x89tR");
    bytes b;
    make_pt(&b, pickle, sizeof pickle - 1);
    assert_x(&b, GRAFT_FORMAT_PT, six, 6);
    make_legacy(&b, pickle, sizeof pickle - 1, one_key, sizeof one_key - 1, 6);
    graft_ctx *g = test_open();
    assert_null(graft_checkpoint_open_memory(g, b.data, b.size, NULL));
    assert_error_has(g, GRAFT_ERR_STATE, "while the pickle before it is being read");
    graft_close(g);
}

/* ---- Tars ---- */

/* Replaces the first `size` bytes like `from` by those of `to`. */
static void replace(bytes *b, const char *from, const char *to, size_t size)
{
    for (size_t i = 0; i + size <= b->size; i++)
        if (memcmp(b->data + i, from, size) == 0) {
            memcpy(b->data + i, to, size);
            return;
        }
    fail_msg("nothing to replace");
}

typedef struct change {
    int part; /* 0: storages, 1: tensors, 2: pickle */
    const char *from, *to;
    size_t size;
    graft_fault fault;
} change;

static const change changes[] = {
    {0, "FloatS", "FlootS", 6, GRAFT_FAULT_DTYPE},
    {0, "K\1.", "N\x30\x2e", 3, GRAFT_FAULT_PICKLE_STACK},        /* no count */
    {0, "\x80\2K\1", "\x80\2\x89.", 4, GRAFT_FAULT_PICKLE_VALUE}, /* False storages */
    {0, "\6\0\0\0\0\0\0\0", "\7\0\0\0\0\0\0\0", 8,
     GRAFT_FAULT_PICKLE_STACK}, /* eats of the views */
    {0, "\6\0\0\0\0\0\0\0", "\6\0\0\0\0\0\0\x40", 8, GRAFT_FAULT_TRUNCATED},
    {0, "K\x08K\7", "K\x07K\7", 4, GRAFT_FAULT_STORAGE}, /* the view's key is taken */
    {0, "K\x08K\7", "K\x08K\6", 4, GRAFT_FAULT_STORAGE}, /* a view of nothing */
    {0, "K\2K\3", "K\4K\3", 4, GRAFT_FAULT_TENSOR},      /* beyond the end */
    {1, "K\x09K\7", "K\x09K\6", 4, GRAFT_FAULT_STORAGE}, /* a tensor of nothing */
    {1, "K\x09K\7", "K\x07K\7", 4, GRAFT_FAULT_STORAGE}, /* its key is taken */
    {1, "\2\0\0\0\0\0\0\0", "\x09\0\0\0\0\0\0\0", 8, GRAFT_FAULT_SHAPE},
    {1, "\2\0\0\0\0\0\0\0", "\3\0\0\0\0\0\0\0", 8, GRAFT_FAULT_TRUNCATED},
    {1, "\3\0\0\0\0\0\0\0", "\4\0\0\0\0\0\0\0", 8, GRAFT_FAULT_TENSOR},
    {1, "\3\0\0\0\0\0\0\0", "\xff\xff\xff\xff\xff\xff\xff\xff", 8, GRAFT_FAULT_TENSOR},
    {2, "K\x09Q", "K\x0aQ", 3, GRAFT_FAULT_STORAGE},
    {2, "K\x09Q", "NNQ", 3, GRAFT_FAULT_STORAGE},
};

static void tars_that_are_refused(void **state)
{
    (void)state;
    bytes b;
    tar_parts parts;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        const change *c = &changes[i];
        make_tar_parts(&parts);
        bytes *part = c->part == 0   ? &parts.storages
                      : c->part == 1 ? &parts.tensors
                                     : &parts.pickle;
        replace(part, c->from, c->to, c->size);
        make_tar(&b, &parts);
        assert_fault(&b, c->fault);
    }
    make_tar_parts(&parts);
    make_tar(&b, &parts);
    replace(&b, "tensors", "tensorz", 7); /* which the sum does not know */
    assert_fault(&b, GRAFT_FAULT_TAR);
    b.size = 0;
    add_tar(&b, "storages", &parts.storages);
    add_tar(&b, "pickle", &parts.pickle);
    assert_fault(&b, GRAFT_FAULT_MEMBER_MISSING);
    b.size -= 512; /* within the pickle */
    assert_fault(&b, GRAFT_FAULT_TRUNCATED);
}

static void views_of_a_tar_share(void **state)
{
    (void)state;
    bytes b;
    tar_parts parts;
    make_tar_parts(&parts);
    make_tar(&b, &parts);
    graft_ctx *g = test_open();
    graft_checkpoint *c = graft_checkpoint_open_memory(g, b.data, b.size, NULL);
    graft_dict *root = graft_checkpoint_root(c);
    graft_tensor *x = graft_dict_tensor(root, "x"), *y = graft_dict_tensor(root, "y");
    assert_elements(y, (const double[]){2.5, 3.5, 4.5}, 3);
    assert_true(graft_shares_storage(x, y));
    graft_checkpoint_free(c);
    graft_close(g);
}

/* ---- Without memory ---- */

/* Everything that is made on the way: views, parameters, records, sizes. */
#define INTS                                                                                       \
    "(U\7storagectorch\nQInt8Storage\nU\1kU\3cpuK\x18"                                             \
    "tQ"
static const char rich[] =
    "\x80\2}("
    "U\1x" TENSOR "U\1p"
    "ctorch._utils\n_rebuild_parameter\n(" TENSOR "\x88NtR"
    "U\1s"
    "ctorch._utils\n_rebuild_parameter_with_state\n(" TENSOR "\x88N}U\1aK\1stR"
    "U\1q"
    "ctorch._utils\n_rebuild_qtensor\n(" INTS "K\0K\4\x85K\1\x85"
    "ctorch\nper_tensor_affine\nG?\xf0\0\0\0\0\0\0K\0\x87\x89NtR"
    "U\1c"
    "ctorch._utils\n_rebuild_sparse_tensor\n(ctorch.serialization\n_get_layout\n"
    "U\x10torch.sparse_coo\x85R(" TENSOR TENSOR "ctorch\nSize\nK\3\x85\x85RttR"
    "U\1t"
    "ctorch._tensor\n_rebuild_from_type_v2\n(" V2 "csomewhere\nTensor\n(" FLOATS
    "K\0K\6\x85K\1\x85\x89Nt}tR"
    "U\1v"
    "(U\7storagectorch\nFloatStorage\nU\1kU\3cpuK\6(U\1vK\4K\2ttQ"
    "u.";

static void load(failing_allocator *a, const bytes *b)
{
    graft_ctx *g = failing_allocator_open(a);
    if (!g)
        return;
    graft_checkpoint *c = graft_checkpoint_open_memory(g, b->data, b->size, NULL);
    assert_int_equal(c == NULL, graft_error(g) != NULL);
    if (!c && graft_error_status(g) != GRAFT_ERR_MEMORY)
        fail_msg("without memory: %s", graft_error(g));
    graft_checkpoint_free(c);
    graft_close(g);
}

static void load_it(void *user, failing_allocator *a)
{
    load(a, user);
}

static void without_memory_nothing_is_left(void **state)
{
    (void)state;
    bytes b;
    tar_parts parts;
    make_pt(&b, rich, sizeof rich - 1);
    failing_allocator_sweep(load_it, &b);
    make_legacy(&b, rich, sizeof rich - 1, one_key, sizeof one_key - 1, 6);
    failing_allocator_sweep(load_it, &b);
    make_tar_parts(&parts);
    make_tar(&b, &parts);
    failing_allocator_sweep(load_it, &b);
}

static void parts_of_records_are_found(void **state)
{
    (void)state;
    bytes b;
    make_pt(&b, rich, sizeof rich - 1);
    graft_ctx *g = test_open();
    graft_checkpoint *c = graft_checkpoint_open_memory(g, b.data, b.size, NULL);
    assert_no_error(g);
    graft_dict *root = graft_checkpoint_root(c);
    const char *const paths[] = {"p", "s.data", "c.indices", "c.values", "t.data"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        assert_elements(graft_dict_tensor(root, paths[i]), six, 6);
    assert_int_equal(graft_numel(graft_dict_tensor(root, "q.int_repr")), 4);
    assert_int_equal(graft_tensor_dtype(graft_dict_tensor(root, "q.int_repr")), GRAFT_I8);
    assert_elements(graft_dict_tensor(root, "v"), (const double[]){4.5, 5.5}, 2);
    assert_string_equal(graft_dict_class(graft_dict_dict(root, "c.size")), "torch.Size");
    graft_checkpoint_free(c);
    graft_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_three_forms_are_read),
        cmocka_unit_test(tensors_and_storages_that_do_not_fit_are_refused),
        cmocka_unit_test(the_offset_is_that_of_the_call),
        cmocka_unit_test(archives_that_are_refused),
        cmocka_unit_test(the_root_may_be_any_folder),
        cmocka_unit_test(a_damaged_storage_is_noticed_when_it_is_used),
        cmocka_unit_test(elements_of_the_other_byte_order_are_turned),
        cmocka_unit_test(what_is_told_of_a_file),
        cmocka_unit_test(streams_that_are_refused),
        cmocka_unit_test(a_stream_may_end_nowhere_before_its_end),
        cmocka_unit_test(the_magic_number_is_known_in_every_protocol),
        cmocka_unit_test(elements_that_are_needed_too_early_are_an_error),
        cmocka_unit_test(tars_that_are_refused),
        cmocka_unit_test(views_of_a_tar_share),
        cmocka_unit_test(parts_of_records_are_found),
        cmocka_unit_test(without_memory_nothing_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
