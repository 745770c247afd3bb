/* Writing .pt: what is refused and how it is said, that the same dict gives the same bytes, what is
 * left out, cancelling, and doing without memory. What PyTorch makes of the files is in
 * tests/parity/test_save.py. */
#include <stdio.h>

#include "failing_allocator.h"
#include "file/pickle_write.h"
#include "fixture.h"
#include "folder.h"
#include "tensor/dict.h"
#include "test.h"

/* Weights, a view of them, a tie, numbers, lists and a dict in two places. */
static graft_dict *some_dict(graft_ctx *g)
{
    graft_dict *d = graft_dict_new(g), *inner = graft_dict_new(g);
    graft_dict *list = graft_list_new(g), *tuple = graft_tuple_new(g);
    graft_tensor *w = graft_arange(g, 0, 12, 1, GRAFT_F32);
    graft_dict_set_tensor(d, "weight", w);
    graft_dict_set_tensor(d, "tied", w);
    graft_dict_set_tensor(d, "view", graft_narrow(w, 0, 3, 4));
    graft_dict_set_tensor(d, "ints", graft_full(g, graft_shape2(2, 3), 7, GRAFT_I64));
    graft_dict_set_int(inner, "step", 1000000000000);
    graft_dict_set_float(inner, "lr", 0.1);
    graft_dict_set_bytes(inner, "raw", "\0\377a", 3);
    graft_dict_set_int_key_string(inner, 3, "three");
    graft_list_push_bool(list, true);
    graft_list_push_none(list);
    graft_list_push_dict(list, inner);
    for (int i = 0; i < 5; i++)
        graft_list_push_int(tuple, -i * 100);
    graft_dict_set_dict(d, "inner", inner);
    graft_dict_set_dict(d, "list", list);
    graft_dict_set_dict(d, "tuple", tuple);
    graft_dict_free(inner);
    graft_dict_free(list);
    graft_dict_free(tuple);
    return d;
}

static void same_bytes(void **state)
{
    fixture *f = *state;
    char *other = folder_path(f->folder, "quite another name.ckpt");
    graft_dict *d = some_dict(f->g);
    assert_int_equal(graft_save(f->g, f->path, d), GRAFT_OK);
    graft_dict *snapshot = graft_dict_clone(d, NULL); /* and of an equal dict elsewhere */
    assert_int_equal(graft_save(f->g, other, snapshot), GRAFT_OK);
    size_t size = 0;
    unsigned char *bytes = file_get(f->path, &size);
    assert_true(file_is(other, bytes, size));
    /* One bit of one weight is another file, and another id in it. */
    float *w = graft_data_mut(graft_dict_tensor(d, "weight"));
    assert_non_null(w);
    w[5] += 1;
    assert_int_equal(graft_save(f->g, f->path, d), GRAFT_OK);
    size_t now_size = 0;
    unsigned char *now = file_get(f->path, &now_size);
    assert_int_equal(now_size, size);
    size_t different = 0;
    for (size_t i = 0; i < size; i++)
        different += now[i] != bytes[i];
    assert_true(different > 20);
    free(now), free(bytes), free(other);
    graft_dict_free(d);
    graft_dict_free(snapshot);
}

static void reports(void **state)
{
    fixture *f = *state;
    graft_write_report r;
    graft_write_options o = graft_write_defaults();
    graft_dict *d = some_dict(f->g);
    graft_tensor *big = graft_zeros(f->g, graft_shape1(1000), GRAFT_F64);
    graft_dict_set_tensor(d, "some", graft_narrow(big, 0, 100, 10));
    graft_dict_set_tensor(d, "more", graft_narrow(big, 0, 150, 10));
    graft_dict_set_tensor(d, "none", graft_zeros(f->g, graft_shape2(0, 3), GRAFT_F32));
    assert_int_equal(graft_save_as(f->g, f->path, d, NULL, &r), GRAFT_OK);
    size_t size = 0;
    free(file_get(f->path, &size));
    assert_int_equal(r.tensors, 7);
    assert_int_equal(r.storages, 4);
    assert_int_equal(r.files, 1);
    assert_int_equal(r.bytes, size);
    assert_int_equal(r.bytes_saved, 940 * 8);
    o.whole_storages = true;
    assert_int_equal(graft_save_as(f->g, f->path, d, &o, &r), GRAFT_OK);
    assert_int_equal(r.bytes_saved, 0);
    assert_in_range(r.bytes, size + 940 * 8 - 128, size + 940 * 8 + 128); /* as padding goes */
    graft_dict_free(d);
}

/* ---- What is refused ---- */

static void expect(fixture *f, const graft_dict *d, const graft_write_options *o,
                   graft_status status, const char *words)
{
    char all[512];
    snprintf(all, sizeof all, "save: %s: %s", f->path, words);
    graft_write_report r = {.tensors = -1};
    assert_int_equal(graft_save_as(f->g, f->path, d, o, &r), status);
    assert_error(f->g, status, all);
    assert_int_equal(r.tensors, -1);
    assert_int_equal(folder_count(f->folder, NULL), 0);
}

static void tensors_refused(void **state)
{
    fixture *f = *state;
    graft_dict *d = graft_dict_new(f->g), *inner = graft_dict_new(f->g);
    graft_dict_set_dict(d, "model", inner);
    graft_tensor *w = graft_set_requires_grad(graft_ones(f->g, graft_shape1(3), GRAFT_F32), true);
    graft_dict_set_tensor(inner, "fc1.weight", w);
    assert_int_equal(graft_save(f->g, f->path, d), GRAFT_OK); /* a leaf is no history */
    assert_int_equal(remove(f->path), 0);
    graft_dict_set_tensor(inner, "out", graft_add(w, w));
    expect(f, d, NULL, GRAFT_ERR_STATE,
           "model.out: the tensor has autograd history: detach it, from add");
    graft_dict_set_tensor(inner, "out", graft_empty(f->g, graft_shape1(32), GRAFT_Q8_0));
    expect(f, d, NULL, GRAFT_ERR_DTYPE, "model.out: PyTorch has no tensors of q8_0");
    graft_dict_set_string(inner, "out", "\377");
    expect(f, d, NULL, GRAFT_ERR_ARGUMENT, "model.out: a text that is not UTF-8");
    graft_dict_set_string(inner, "out", "half a pair: \xed\xa0\x80"); /* as Python writes it */
    assert_int_equal(graft_save(f->g, f->path, d), GRAFT_OK);
    graft_dict_free(inner);
    graft_dict_free(d);
}

static void set_class(graft_dict *d, const char *name)
{
    const size_t module = (size_t)(strrchr(name, '.') - name);
    assert_true(graft__dict_set_class(d, "test", name, strlen(name), module));
}

static void records(void **state)
{
    fixture *f = *state;
    graft_write_options o = graft_write_defaults();
    graft_dict *d = graft_dict_new(f->g);
    graft_dict *model = graft__container_new(f->g, GRAFT_VALUE_RECORD);
    set_class(model, "evil.module.Thing");
    assert_int_equal(graft_dict_set_dict(d, "model", model), GRAFT_OK);
    expect(f, d, NULL, GRAFT_ERR_ARGUMENT,
           "model: records of a class that graft does not know are written only with "
           "options.records, as Python runs their code: evil.module.Thing");
    o.records = true;
    assert_int_equal(graft_save_as(f->g, f->path, d, &o, NULL), GRAFT_OK);
    set_class(model, "torch.float32");
    assert_int_equal(graft_save(f->g, f->path, d), GRAFT_OK);
    assert_int_equal(remove(f->path), 0);
    graft__dict_unref(model);

    model = graft__container_new(f->g, GRAFT_VALUE_RECORD);
    model->making = GRAFT__MADE_BY_ID;
    assert_int_equal(graft_dict_set_dict(d, "model", model), GRAFT_OK);
    expect(f, d, NULL, GRAFT_ERR_ARGUMENT,
           "model: records of a class that graft does not know are written only with "
           "options.records, as Python runs their code: a persistent id");
    graft__dict_unref(model);

    model = graft__container_new(f->g, GRAFT_VALUE_DICT);
    set_class(model, "evil.Dict");
    assert_int_equal(graft_dict_set_dict(d, "model", model), GRAFT_OK);
    o.records = false;
    expect(f, d, &o, GRAFT_ERR_ARGUMENT,
           "model: records of a class that graft does not know are written only with "
           "options.records, as Python runs their code: evil.Dict");
    graft__dict_unref(model);
    graft_dict_free(d);
}

static void deep(void **state)
{
    fixture *f = *state;
    graft_dict *d = graft_list_new(f->g);
    for (int i = 0; i < 999; i++) {
        graft_dict *outer = graft_list_new(f->g);
        assert_int_equal(graft_list_push_dict(outer, d), GRAFT_OK);
        graft_dict_free(d);
        d = outer;
    }
    assert_int_equal(graft_save(f->g, f->path, d), GRAFT_OK);
    graft_dict *outer = graft_list_new(f->g);
    assert_int_equal(graft_list_push_dict(outer, d), GRAFT_OK);
    assert_int_equal(graft_save(f->g, f->path, outer), GRAFT_ERR_ARGUMENT);
    assert_error_has(f->g, GRAFT_ERR_ARGUMENT, "nested deeper than 1000 levels");
    graft_dict_free(d);
    graft_dict_free(outer);
}

static void arguments(void **state)
{
    fixture *f = *state;
    graft_write_options o = graft_write_defaults();
    graft_dict *d = some_dict(f->g);
    graft_ctx *other = test_open();
    assert_int_equal(graft_save(NULL, f->path, d), GRAFT_ERR_ARGUMENT);
    assert_int_equal(graft_save(f->g, NULL, d), GRAFT_ERR_ARGUMENT);
    assert_error(f->g, GRAFT_ERR_ARGUMENT, "save: path is NULL");
    assert_int_equal(graft_save(f->g, f->path, NULL), GRAFT_ERR_ARGUMENT);
    assert_error(f->g, GRAFT_ERR_ARGUMENT, "save: the dict is NULL");
    assert_int_equal(graft_save(other, f->path, d), GRAFT_ERR_ARGUMENT);
    assert_error_has(other, GRAFT_ERR_ARGUMENT, "model.pt: the dict belongs to another context");
    graft_close(other);
    static const char *const names[] = {"model", "model.txt", "model.pt.gz", ".pt", "pt"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(graft_save(f->g, names[i], d), GRAFT_ERR_ARGUMENT);
        assert_error_has(f->g, GRAFT_ERR_ARGUMENT, "the name does not tell the format");
    }
    static const uint32_t wrong[] = {0, 1, 32, 65, 96, 1 << 21, 3 << 10};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        o.alignment = wrong[i];
        assert_int_equal(graft_save_as(f->g, f->path, d, &o, NULL), GRAFT_ERR_ARGUMENT);
        assert_error_has(f->g, GRAFT_ERR_ARGUMENT, "expected a power of two of 64 to 1048576");
    }
    o = graft_write_defaults();
    o.format = GRAFT_FORMAT_GGUF;
    expect(f, d, &o, GRAFT_ERR_ARGUMENT, "gguf is not a format that is written");
    o.format = GRAFT_FORMAT_PT;
    char *odd = folder_path(f->folder, "model");
    assert_int_equal(graft_save_as(f->g, odd, d, &o, NULL), GRAFT_OK);
    free(odd);
    graft_dict_free(d);
}

/* Tensors of several dtypes over one storage, none of which begins where it does. */
static void several_dtypes(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *name;
        graft_dtype dtype;
        int64_t offset, size;
    } parts[] = {{"bytes", GRAFT_F8_E4M3FN, 37, 5},
                 {"shorts", GRAFT_U16, 19, 4},
                 {"floats", GRAFT_F32, 11, 3}};
    enum { PARTS = 3 };
    for (int first = 0; first < PARTS; first++) {
        graft__storage *s = graft__storage_new(f->g, 128);
        assert_non_null(s);
        unsigned char *all = s->buffer->data;
        for (int i = 0; i < 128; i++)
            all[i] = (unsigned char)i;
        graft_dict *d = graft_dict_new(f->g);
        for (int i = first; i < PARTS; i++) {
            graft_tensor *t = graft__tensor_over(graft__storage_ref(s), parts[i].dtype, 1,
                                                 &parts[i].size, NULL, parts[i].offset);
            assert_int_equal(graft__dict_append_tensor(d, parts[i].name, t), GRAFT_OK);
            graft__tensor_unref(t);
        }
        graft__storage_unref(s);
        graft_write_report r;
        assert_int_equal(graft_save_as(f->g, f->path, d, NULL, &r), GRAFT_OK);
        assert_int_equal(r.storages, 1);
        graft_dict_free(d);
        d = graft_load(f->g, f->path, NULL);
        assert_non_null(d);
        for (int i = first; i < PARTS; i++) {
            const graft_tensor *t = graft_dict_tensor(d, parts[i].name);
            const unsigned char *data = graft_data(t);
            const size_t width = graft_dtype_size(parts[i].dtype);
            assert_int_equal(graft_tensor_dtype(t), parts[i].dtype);
            assert_int_equal(graft_numel(t), parts[i].size);
            for (size_t k = 0; k < (size_t)parts[i].size * width; k++)
                assert_int_equal(data[k], (size_t)parts[i].offset * width + k);
            assert_true(graft_shares_storage(t, graft_dict_tensor(d, parts[first].name)));
        }
        graft_dict_free(d);
    }
}

/* ---- Bytes that wait ---- */

typedef struct supply {
    graft__supply base;
    float data[4];
    int fetched, released;
    bool fails;
} supply;

static void *fetch(graft__supply *s, graft_ctx *g)
{
    supply *own = (supply *)s;
    if (own->fails) {
        graft__fail(g, GRAFT_ERR_IO, "the bytes do not come");
        return NULL;
    }
    own->fetched++;
    return own->data;
}

static void release(void *s, void *data)
{
    (void)data;
    ((supply *)s)->released++;
}

static void promises(void **state)
{
    fixture *f = *state;
    supply s = {.base.fetch = fetch, .base.release = release, .data = {1, 2, 3, 4}, .fails = true};
    const int64_t size = 4;
    graft__storage *storage = graft__storage_promise(f->g, sizeof s.data, &s.base);
    assert_non_null(storage);
    graft_tensor *t = graft__tensor_over(storage, GRAFT_F32, 1, &size, NULL, 0);
    graft_dict *d = graft_dict_new(f->g);
    graft__dict_append_tensor(d, "w", t);
    graft__tensor_unref(t);
    assert_int_equal(graft_save(f->g, f->path, d), GRAFT_ERR_IO);
    assert_error(f->g, GRAFT_ERR_IO, "the bytes do not come");
    assert_int_equal(folder_count(f->folder, NULL), 0);
    s.fails = false;
    assert_int_equal(graft_save(f->g, f->path, d), GRAFT_OK);
    assert_int_equal(graft_save(f->g, f->path, d), GRAFT_OK);
    assert_int_equal(s.fetched, 1);
    size_t n = 0;
    unsigned char *bytes = file_get(f->path, &n);
    assert_non_null(memmem(bytes, n, s.data, sizeof s.data));
    free(bytes);
    graft_dict_free(d);
    assert_int_equal(s.released, 1);
}

/* ---- Progress ---- */

typedef struct progress {
    int calls, stop_at;
    uint64_t done, total;
} progress;

static bool watch(void *user, uint64_t done, uint64_t total)
{
    progress *p = user;
    assert_true(done >= p->done && done <= total);
    assert_true(p->calls == 0 || total == p->total);
    p->done = done;
    p->total = total;
    return ++p->calls != p->stop_at;
}

static void progress_and_cancel(void **state)
{
    fixture *f = *state;
    graft_dict *d = some_dict(f->g);
    graft_dict_set_tensor(d, "large", graft_zeros(f->g, graft_shape1(3 << 20), GRAFT_F32));
    progress p = {0};
    graft_write_options o = graft_write_defaults();
    o.progress = watch;
    o.progress_user = &p;
    o.sync = false;
    file_put(f->path, "old", 3);
    int stop_at = 1;
    for (;; stop_at++) {
        p = (progress){.stop_at = stop_at};
        graft_status status = graft_save_as(f->g, f->path, d, &o, NULL);
        if (status == GRAFT_OK)
            break;
        assert_error_has(f->g, GRAFT_ERR_CANCELLED, "model.pt: cancelled by the progress function");
        assert_int_equal(p.calls, stop_at);
        assert_true(file_is(f->path, "old", 3));
        assert_int_equal(folder_count(f->folder, NULL), 1);
    }
    assert_true(stop_at > 5); /* at the beginning, for each storage, within the large one */
    assert_int_equal(p.done, p.total);
    assert_int_equal(p.total, 12 * 4 + 6 * 8 + (12 << 20));
    graft_dict_free(d);
}

/* ---- Without memory ---- */

static void save_body(void *user, failing_allocator *a)
{
    const fixture *f = user;
    graft_ctx *g = failing_allocator_open(a);
    if (!g)
        return;
    file_put(f->path, "old", 3);
    graft_dict *d = some_dict(g);
    if (graft_error_status(g) == GRAFT_OK) {
        graft_write_options o = graft_write_defaults();
        o.sync = false;
        const graft_status status = graft_save_as(g, f->path, d, &o, NULL);
        assert_int_equal(status, graft_error_status(g));
        assert_true(status == GRAFT_OK || status == GRAFT_ERR_MEMORY);
        assert_int_equal(file_is(f->path, "old", 3), status != GRAFT_OK);
        assert_int_equal(folder_count(f->folder, NULL), 1);
    }
    graft_close(g);
}

static void without_memory(void **state)
{
    failing_allocator_sweep(save_body, *state);
}

/* ---- Opcodes ---- */

typedef struct text {
    char bytes[4096];
    size_t size;
} text;

static graft_status gather(void *user, const void *bytes, size_t size)
{
    text *t = user;
    assert_true(size <= sizeof t->bytes - t->size);
    memcpy(t->bytes + t->size, bytes, size);
    t->size += size;
    return GRAFT_OK;
}

/* The bytes of one integer, given as text, between the head and STOP. */
static void assert_big(graft_ctx *g, const char *decimal, const char *bytes, size_t size)
{
    text t = {.size = 0};
    graft__pickle_writer p;
    graft__pickle_begin(&p, g, "test", gather, &t);
    graft__put_big_int(&p, decimal, strlen(decimal));
    assert_int_equal(graft__pickle_end(&p), GRAFT_OK);
    assert_int_equal(p.size, t.size);
    assert_int_equal(t.size, size + 3);
    assert_memory_equal(t.bytes + 2, bytes, size);
}

static void integers(void **state)
{
    fixture *f = *state;
    static const struct {
        int64_t value;
        const char *bytes;
        size_t size;
    } cases[] = {
        {0, "K\0", 2},
        {255, "K\377", 2},
        {256, "M\0\1", 3},
        {65535, "M\377\377", 3},
        {65536, "J\0\0\1\0", 5},
        {-1, "J\377\377\377\377", 5},
        {INT32_MAX, "J\377\377\377\177", 5},
        {INT32_MIN, "J\0\0\0\200", 5},
        {2147483648, "\212\5\0\0\0\200\0", 7},
        {-2147483649, "\212\5\377\377\377\177\377", 7},
        {INT64_MAX, "\212\10\377\377\377\377\377\377\377\177", 10},
        {INT64_MIN, "\212\10\0\0\0\0\0\0\0\200", 10},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        text t = {.size = 0};
        graft__pickle_writer p;
        graft__pickle_begin(&p, f->g, "test", gather, &t);
        graft__put_int(&p, cases[i].value);
        assert_int_equal(graft__pickle_end(&p), GRAFT_OK);
        assert_int_equal(t.size, cases[i].size + 3);
        assert_memory_equal(t.bytes + 2, cases[i].bytes, cases[i].size);
    }
    assert_big(f->g, "9223372036854775808", "\212\11\0\0\0\0\0\0\0\200\0", 11);
    assert_big(f->g, "-9223372036854775809", "\212\11\377\377\377\377\377\377\377\177\377", 11);
    assert_big(f->g, "128", "\212\2\200\0", 4);
    assert_big(f->g, "-128", "\212\1\200", 3);
    assert_big(f->g, "-4294967296", "\212\5\0\0\0\0\377", 7);
    assert_big(f->g, "0", "\212\1\0", 3);
    assert_big(f->g, "-0", "\212\1\0", 3);
    graft__pickle_writer p;
    text t = {.size = 0};
    graft__pickle_begin(&p, f->g, "test", gather, &t);
    graft__put_big_int(&p, "12a", 3);
    assert_int_equal(graft__pickle_end(&p), GRAFT_ERR_ARGUMENT);
    assert_error(f->g, GRAFT_ERR_ARGUMENT, "test: an integer that is no number");
}

static void memo(void **state)
{
    fixture *f = *state;
    text t = {.size = 0};
    graft__pickle_writer p;
    int object;
    graft__pickle_begin(&p, f->g, "test", gather, &t);
    graft__put_word(&p, "ab");
    graft__put_text(&p, "ab", 2, true);
    graft__put_word(&p, "ab");
    graft__put_global(&p, "ab.c", 2);
    graft__put_word(&p, "ab.c"); /* a text of the same letters is another thing */
    graft__put_global(&p, "ab.c", 2);
    assert_false(graft__put_again(&p, &object));
    graft__put_op(&p, ']');
    graft__put_memo(&p, &object);
    assert_true(graft__put_again(&p, &object));
    assert_int_equal(graft__pickle_end(&p), GRAFT_OK);
    static const char expected[] =
        "\200\2X\2\0\0\0abq\0X\2\0\0\0abh\0cab\nc\nq\1X\4\0\0\0ab.cq\2h\1]q\3h\3.";
    assert_int_equal(t.size, sizeof expected - 1);
    assert_memory_equal(t.bytes, expected, sizeof expected - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(same_bytes, fixture_open, fixture_check),
        cmocka_unit_test_setup_teardown(reports, fixture_open, fixture_check),
        cmocka_unit_test_setup_teardown(tensors_refused, fixture_open, fixture_check),
        cmocka_unit_test_setup_teardown(records, fixture_open, fixture_check),
        cmocka_unit_test_setup_teardown(deep, fixture_open, fixture_check),
        cmocka_unit_test_setup_teardown(arguments, fixture_open, fixture_check),
        cmocka_unit_test_setup_teardown(several_dtypes, fixture_open, fixture_check),
        cmocka_unit_test_setup_teardown(promises, fixture_open, fixture_check),
        cmocka_unit_test_setup_teardown(progress_and_cancel, fixture_open, fixture_check),
        cmocka_unit_test_setup_teardown(without_memory, fixture_open, fixture_check),
        cmocka_unit_test_setup_teardown(integers, fixture_open, fixture_check),
        cmocka_unit_test_setup_teardown(memo, fixture_open, fixture_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
