/* Dicts whose tensors are computed as they are written: the same bytes as from memory, and little
 * memory. */
#include "test.h"

#include <stdio.h>

#include "file/sha256.h"
#include "fixture.h"
#include "folder.h"
#include "tensor/chunks.h"
#include "tensor/dict.h"

enum { ROWS = 2000, COLUMNS = 700 };

/* f32 element i of the storage is i * 0.5. */
typedef struct promise {
    graft__supply base;
    int64_t fail_at; /* byte from which on reading fails; -1: none */
    int fetched;
    size_t largest;
} promise;

static void *fetch(graft__supply *base, graft_ctx *g)
{
    (void)g;
    ((promise *)base)->fetched++;
    float *out = malloc((size_t)ROWS * COLUMNS * sizeof *out);
    assert_non_null(out);
    for (int64_t i = 0; i < (int64_t)ROWS * COLUMNS; i++)
        out[i] = (float)i * 0.5F;
    return out;
}

static bool read_bytes(graft__supply *base, graft_ctx *g, uint64_t begin, void *out, size_t size)
{
    promise *p = (promise *)base;
    p->largest = size > p->largest ? size : p->largest;
    if (p->fail_at >= 0 && begin + size > (uint64_t)p->fail_at) {
        graft__fail(g, GRAFT_ERR_IO, "computing went wrong");
        return false;
    }
    assert_int_equal(begin % 4 + size % 4, 0);
    for (size_t i = 0; i < size / 4; i++)
        ((float *)out)[i] = (float)((int64_t)(begin / 4 + i)) * 0.5F;
    return true;
}

static void release(void *supply, void *data)
{
    free(data);
    pthread_mutex_destroy(&((promise *)supply)->base.lock);
}

/* x, a view of every second column of it, y, and a second name of x. */
static graft_dict *make_dict(graft_ctx *g, promise *p, bool reads, int64_t fail_at)
{
    *p = (promise){.base = {.fetch = fetch, .release = release}, .fail_at = fail_at};
    p->base.read = reads ? read_bytes : NULL;
    pthread_mutex_init(&p->base.lock, NULL);
    graft__storage *s = graft__storage_promise(g, (size_t)ROWS * COLUMNS * sizeof(float), &p->base);
    const int64_t size[] = {ROWS, COLUMNS}, half[] = {ROWS, COLUMNS / 2}, stride[] = {COLUMNS, 2};
    graft_tensor *x = graft__result(graft__tensor_over(s, GRAFT_F32, 2, size, NULL, 0));
    graft_tensor *y = graft__result(graft__tensor_alias(x, 2, half, stride, 1));
    graft_dict *d = graft_dict_new(g);
    assert_int_equal(graft_dict_set_tensor(d, "x", x), GRAFT_OK);
    assert_int_equal(graft_dict_set_tensor(d, "y", y), GRAFT_OK);
    assert_int_equal(graft_dict_set_tensor(d, "z", x), GRAFT_OK);
    return d;
}

static const struct {
    const char *name;
    bool hash;

} kinds[] = {
    {"a.pt", false},
    {"a.npz", false},
    {"a.safetensors", false},
    {"b.safetensors", true},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static graft_status write(fixture *f, const graft_dict *d, const char *name, int kind)
{
    graft_write_options o = graft_write_defaults();
    o.sync = false;
    o.content_hash = kinds[kind].hash;
    char *path = folder_path(f->folder, name);
    const graft_status status = graft_save_as(f->g, path, d, &o, NULL);
    free(path);
    return status;
}

static bool are_same(const fixture *f, const char *a, const char *b)
{
    char *one = folder_path(f->folder, a), *two = folder_path(f->folder, b);
    size_t size;
    unsigned char *bytes = file_get(one, &size);
    const bool same = bytes && file_is(two, bytes, size);
    free(bytes);
    free(one);
    free(two);
    return same;
}

static void what_is_computed_gives_the_same_files(void **state)
{
    fixture *f = *state;
    for (int kind = 0; kind < KINDS; kind++) {
        if (kinds[kind].hash && !graft__has_sha256())
            continue;
        char other[64];
        snprintf(other, sizeof other, "other-%s", kinds[kind].name);
        for (int reads = 0; reads < 2; reads++) {
            promise p;
            graft_scope_begin(f->g);
            graft_dict *d = make_dict(f->g, &p, reads, -1);
            graft_memory before, after;
            graft_memory_stats(f->g, &before);
            assert_int_equal(write(f, d, reads ? other : kinds[kind].name, kind), GRAFT_OK);
            graft_memory_stats(f->g, &after);
            assert_int_equal(p.fetched, !reads);
            if (reads) {
                assert_true(p.largest <= 4 * GRAFT__CHUNK);
                assert_true(after.peak == before.peak || after.peak - before.in_use < (size_t)5
                                                                                          << 20);
            }
            graft_dict_free(d);
            graft_scope_end(f->g);
        }
        assert_true(are_same(f, kinds[kind].name, other));
    }
}

static void what_fails_in_the_middle_leaves_the_old_file(void **state)
{
    fixture *f = *state;
    for (int kind = 0; kind < KINDS; kind++) {
        char *path = folder_path(f->folder, kinds[kind].name);
        file_put(path, "old", 3);
        for (int64_t at = 0; at <= (int64_t)4 * ROWS * COLUMNS; at += 4 * ROWS * COLUMNS / 3) {
            promise p;
            graft_scope_begin(f->g);
            graft_dict *d = make_dict(f->g, &p, true, at > 4 ? at - 4 : at);
            if (!kinds[kind].hash || graft__has_sha256()) {
                assert_int_equal(write(f, d, kinds[kind].name, kind), GRAFT_ERR_IO);
                assert_error(f->g, GRAFT_ERR_IO, "computing went wrong");
            }
            graft_dict_free(d);
            graft_scope_end(f->g);
        }
        assert_true(file_is(path, "old", 3));
        free(path);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_check)
    const struct CMUnitTest tests[] = {
        TEST(what_is_computed_gives_the_same_files),
        TEST(what_fails_in_the_middle_leaves_the_old_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
