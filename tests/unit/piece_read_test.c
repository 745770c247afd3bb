/* Tensors of files read a piece at a time: checked on the way, and without coming to stay. */
#include "test.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "file/sha256.h"
#include "fixture.h"
#include "folder.h"
#include "tensor/chunks.h"
#include "tensor/dict.h"

enum { COUNT = 100000, STEP = 1000 };

static float value_at(int64_t i)
{
    return (float)((i * 7919) % 10007);
}

/* A dict of one tensor, x. */
static graft_dict *make_dict(graft_ctx *g, int64_t count)
{
    graft_tensor *x = graft_empty(g, graft_shape2(count / 100, 100), GRAFT_F32);
    assert_non_null(x);
    float *to = graft_data_mut(x);
    for (int64_t i = 0; i < count; i++)
        to[i] = value_at(i);
    graft_dict *d = graft_dict_new(g);
    assert_int_equal(graft_dict_set_tensor(d, "x", x), GRAFT_OK);
    return d;
}

static const char *const kinds[] = {"model.pt", "model.safetensors", "model.npz"};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* A file of that kind, with checksums where the kind has some. */
static void write_file(fixture *f, int kind, int64_t count)
{
    free(f->path);
    f->path = folder_path(f->folder, kinds[kind]);
    graft_write_options o = graft_write_defaults();
    o.sync = false;
    o.content_hash = kind == 1 && graft__has_sha256();
    graft_scope_begin(f->g);
    assert_int_equal(graft_save_as(f->g, f->path, make_dict(f->g, count), &o, NULL), GRAFT_OK);
    graft_scope_end(f->g);
}

static graft_tensor *open_tensor(fixture *f, graft_verify verify, bool map, graft_dict **d)
{
    graft_read_options o = graft_read_defaults();
    o.verify = verify;
    o.map = map;
    *d = graft_load(f->g, f->path, &o);
    assert_non_null(*d);
    assert_int_equal((*d)->entry[0].value.kind, GRAFT_VALUE_TENSOR);
    return (*d)->entry[0].value.tensor; /* its bytes wait */
}

static void damage(const fixture *f, int64_t element)
{
    const float wanted[2] = {value_at(element), value_at(element + 1)};
    size_t size;
    unsigned char *bytes = file_get(f->path, &size);
    assert_non_null(bytes);
    size_t at = 0;
    while (at + sizeof wanted <= size && memcmp(bytes + at, wanted, sizeof wanted) != 0)
        at++;
    assert_true(at + sizeof wanted <= size);
    bytes[at] ^= 1;
    file_put(f->path, bytes, size);
    free(bytes);
}

static bool is_right(const float *got, int64_t first, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (got[i] != value_at(first + i))
            return false;
    return true;
}

static void files_are_read_in_and_out_of_order(void **state)
{
    fixture *f = *state;
    for (int kind = 0; kind < KINDS; kind++) {
        write_file(f, kind, COUNT);
        for (int way = 0; way < 8; way++) {
            graft_dict *d;
            const graft_verify verify = way & 1 ? GRAFT_VERIFY_USE : GRAFT_VERIFY_NEVER;
            graft_tensor *t = open_tensor(f, verify, (way & 2) == 0, &d);
            graft__chunks c;
            assert_true(graft__chunks_begin(&c, f->g, t));
            for (int64_t k = 0; k < COUNT / STEP; k++) {
                const int64_t at = (way & 4 ? (k * 37) % (COUNT / STEP) : k) * STEP;
                const float *got = graft__chunks_at(&c, at, STEP);
                assert_non_null(got);
                assert_true(is_right(got, at, STEP));
            }
            graft__chunks_end(&c);
            assert_true(is_right(graft_data(graft_dict_tensor(d, "x")), 0, COUNT));
            graft_dict_free(d);
        }
    }
    assert_no_error(f->g);
}

/* Asserts that reading ends with the fault, and where: the last bytes in order, at once out of
 * order. */
static void assert_refused(fixture *f, graft_tensor *t)
{
    graft__chunks c;
    assert_true(graft__chunks_begin(&c, f->g, t));
    for (int64_t at = 0; at < COUNT - STEP; at += STEP)
        assert_non_null(graft__chunks_at(&c, at, STEP));
    for (int i = 0; i < 2; i++) {
        assert_null(graft__chunks_at(&c, COUNT - STEP, STEP));
        assert_int_equal(graft_error_fault(f->g), GRAFT_FAULT_CHECKSUM);
        graft_clear_error(f->g);
    }
    assert_null(graft__chunks_at(&c, 5 * STEP, STEP));
    assert_int_equal(graft_error_fault(f->g), GRAFT_FAULT_CHECKSUM);
    graft_clear_error(f->g);
    graft__chunks_end(&c);
}

static void damage_is_seen_on_the_way(void **state)
{
    fixture *f = *state;
    for (int kind = 0; kind < KINDS; kind++) {
        if (kind == 1 && !graft__has_sha256())
            continue;
        write_file(f, kind, COUNT);
        damage(f, COUNT / 2);
        graft_dict *d;
        assert_refused(f, open_tensor(f, GRAFT_VERIFY_USE, true, &d));
        assert_null(graft_dict_tensor(d, "x"));
        assert_int_equal(graft_error_fault(f->g), GRAFT_FAULT_CHECKSUM);
        graft_clear_error(f->g);
        graft_dict_free(d);
    }
}

/* What was begun in order and goes on elsewhere is checked as a whole. */
static void a_leap_checks_the_rest(void **state)
{
    fixture *f = *state;
    write_file(f, 0, COUNT);
    for (int damaged = 0; damaged < 2; damaged++) {
        if (damaged)
            damage(f, 300);
        graft_dict *d;
        graft_tensor *t = open_tensor(f, GRAFT_VERIFY_USE, true, &d);
        graft__chunks c;
        assert_true(graft__chunks_begin(&c, f->g, t));
        assert_non_null(graft__chunks_at(&c, 0, STEP));
        const float *got = graft__chunks_at(&c, COUNT / 2, STEP);
        if (damaged) {
            assert_null(got);
            assert_int_equal(graft_error_fault(f->g), GRAFT_FAULT_CHECKSUM);
            graft_clear_error(f->g);
        } else {
            assert_true(is_right(got, COUNT / 2, STEP));
        }
        graft__chunks_end(&c);
        graft_dict_free(d);
    }
}

static void a_file_cut_short_is_an_error(void **state)
{
    fixture *f = *state;
    for (int verify = 0; verify < 2; verify++) {
        write_file(f, 1, COUNT);
        graft_dict *d;
        graft_tensor *t = open_tensor(f, verify ? GRAFT_VERIFY_USE : GRAFT_VERIFY_NEVER, true, &d);
        assert_int_equal(truncate(f->path, 8192), 0);
        graft__chunks c;
        assert_true(graft__chunks_begin(&c, f->g, t));
        assert_non_null(graft__chunks_at(&c, 0, STEP));
        assert_null(graft__chunks_at(&c, STEP, 5 * STEP));
        assert_int_equal(graft_error_fault(f->g), GRAFT_FAULT_TRUNCATED);
        graft_clear_error(f->g);
        graft__chunks_end(&c);
        graft_dict_free(d);
    }
}

/* Written to, the memory counts; the file is left as it was, and so are copies made before. */
static void what_was_written_to_is_read_from_memory(void **state)
{
    fixture *f = *state;
    for (int kind = 0; kind < KINDS; kind++) {
        write_file(f, kind, COUNT);
        graft_dict *d;
        open_tensor(f, kind ? GRAFT_VERIFY_USE : GRAFT_VERIFY_NEVER, true, &d);
        graft_tensor *t = graft_dict_tensor(d, "x");
        graft_tensor *before = graft__result(graft__tensor_snapshot(t, f->g));
        ((float *)graft_data_mut(t))[7] = -1;
        graft__chunks c;
        assert_true(graft__chunks_begin(&c, f->g, t));
        const float *got = graft__chunks_at(&c, 0, 10);
        assert_true(got[7] == -1 && got[8] == value_at(8));
        graft__chunks_end(&c);
        assert_true(graft__chunks_begin(&c, f->g, before));
        assert_true(is_right(graft__chunks_at(&c, 0, 10), 0, 10));
        graft__chunks_end(&c);

        graft_dict *again; /* unshared: the mapping itself is written to */
        t = open_tensor(f, kind ? GRAFT_VERIFY_USE : GRAFT_VERIFY_NEVER, true, &again);
        t = graft_dict_tensor(again, "x");
        ((float *)graft_data_mut(t))[7] = -2;
        assert_true(graft__chunks_begin(&c, f->g, t));
        got = graft__chunks_at(&c, 0, 10);
        assert_true(got[7] == -2 && got[8] == value_at(8));
        graft__chunks_end(&c);
        graft_dict_free(again);
        graft_dict_free(d);
    }
}

static long resident(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long size = 0, pages = 0;
    if (!file || fscanf(file, "%ld %ld", &size, &pages) != 2)
        pages = 0;
    if (file)
        fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

static void what_was_read_does_not_stay(void **state)
{
    fixture *f = *state;
    const int64_t count = 12000000;
    if (resident() == 0)
        skip();
    for (int kind = 0; kind < KINDS; kind++) {
        write_file(f, kind, count);
        for (int verify = 0; verify < 2; verify++) {
            graft_dict *d;
            graft_tensor *t =
                open_tensor(f, verify ? GRAFT_VERIFY_USE : GRAFT_VERIFY_NEVER, true, &d);
            const long before = resident();
            graft__chunks c;
            assert_true(graft__chunks_begin(&c, f->g, t));
            const int64_t step = graft__chunks_step(t);
            for (int64_t at = 0; at < count; at += step)
                assert_non_null(graft__chunks_at(&c, at, count - at < step ? count - at : step));
            assert_true(resident() - before < 4 << 20);
            graft__chunks_end(&c);
            graft_dict_free(d);
        }
    }
}

/* With few descriptors left none is kept, and the mapping is read. */
static void without_descriptors_the_mapping_is_read(void **state)
{
    fixture *f = *state;
    write_file(f, 0, COUNT);
    struct rlimit most, few;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &most), 0);
    few = most;
    few.rlim_cur = 8;
    graft_dict *d;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    graft_tensor *t = NULL;
    int taken[8], n = 0;
    while (n < 8 && (taken[n] = dup(0)) >= 0 && taken[n] < 6)
        n++;
    if (n < 8 && taken[n] >= 0)
        close(taken[n]);
    t = open_tensor(f, GRAFT_VERIFY_USE, true, &d);
    for (int i = 0; i < n; i++)
        close(taken[i]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &most), 0);
    assert_false(graft__storage_can_read(t->storage));
    graft__chunks c;
    assert_true(graft__chunks_begin(&c, f->g, t));
    assert_true(is_right(graft__chunks_at(&c, STEP, STEP), STEP, STEP));
    assert_null(c.buffer);
    graft__chunks_end(&c);
    graft_dict_free(d);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_check)
    const struct CMUnitTest tests[] = {
        TEST(files_are_read_in_and_out_of_order),
        TEST(damage_is_seen_on_the_way),
        TEST(a_leap_checks_the_rest),
        TEST(a_file_cut_short_is_an_error),
        TEST(what_was_written_to_is_read_from_memory),
        TEST(what_was_read_does_not_stay),
        TEST(without_descriptors_the_mapping_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
