#include "test.h"

#include "failing_allocator.h"
#include "tensor/chunks.h"

/* ---- A storage that is promised: byte i is i * 7 + i / 251 ---- */

typedef struct promise {
    graft__supply base;
    size_t size;
    unsigned char *bytes; /* fetched */
    size_t read;          /* bytes, so far */
    size_t largest;       /* of one read */
    int fetched, released;
    bool fails;
} promise;

static unsigned char byte_at(size_t i)
{
    return (unsigned char)(i * 7 + i / 251);
}

static void *fetch(graft__supply *base, graft_ctx *g)
{
    promise *p = (promise *)base;
    p->fetched++;
    p->bytes = p->fails ? NULL : malloc(p->size);
    if (!p->bytes) {
        graft__fail(g, GRAFT_ERR_IO, "the promise is broken");
        return NULL;
    }
    for (size_t i = 0; i < p->size; i++)
        p->bytes[i] = byte_at(i);
    return p->bytes;
}

static bool read_bytes(graft__supply *base, graft_ctx *g, uint64_t begin, void *out, size_t size)
{
    promise *p = (promise *)base;
    if (p->fails || begin > p->size || size > p->size - begin) {
        graft__fail(g, GRAFT_ERR_IO, "the promise is broken");
        return false;
    }
    for (size_t i = 0; i < size; i++)
        ((unsigned char *)out)[i] = byte_at((size_t)begin + i);
    p->read += size;
    p->largest = size > p->largest ? size : p->largest;
    return true;
}

static void release(void *supply, void *data)
{
    promise *p = supply;
    p->released++;
    free(data);
    pthread_mutex_destroy(&p->base.lock);
}

static graft__storage *promised(graft_ctx *g, promise *p, size_t size, bool reads)
{
    *p = (promise){.base = {.fetch = fetch, .release = release}, .size = size};
    p->base.read = reads ? read_bytes : NULL;
    pthread_mutex_init(&p->base.lock, NULL);
    return graft__storage_promise(g, size, &p->base);
}

/* ---- Comparing ---- */

/* That the chunks of `step` elements, in order, are those that a copy of the tensor has. */
static void assert_chunks(graft_ctx *g, const graft_tensor *t, const unsigned char *expected,
                          int64_t step)
{
    graft__chunks c;
    const size_t width = graft_dtype_size(t->dtype);
    assert_true(graft__chunks_begin(&c, g, t));
    for (int64_t at = 0; at < t->numel; at += step) {
        const int64_t n = t->numel - at < step ? t->numel - at : step;
        const void *bytes = graft__chunks_at(&c, at, n);
        assert_non_null(bytes);
        assert_int_equal((uintptr_t)bytes % (width < 8 ? width : 8), 0);
        assert_memory_equal(bytes, expected + (size_t)at * width, (size_t)n * width);
    }
    assert_non_null(graft__chunks_at(&c, t->numel, 0));
    graft__chunks_end(&c);
    assert_no_error(g);
}

/* The bytes of t's elements in C order, one by one. */
static unsigned char *bytes_of(const graft_tensor *t)
{
    const size_t width = graft_dtype_size(t->dtype);
    unsigned char *out = malloc((size_t)t->numel * width + 1);
    assert_non_null(out);
    for (int64_t i = 0; i < t->numel; i++) {
        int64_t rest = i, at = t->offset;
        for (int d = t->ndim - 1; d >= 0; d--) {
            at += rest % t->size[d] * t->stride[d];
            rest /= t->size[d];
        }
        for (size_t k = 0; k < width; k++)
            out[(size_t)i * width + k] = byte_at((size_t)at * width + k);
    }
    return out;
}

typedef struct layout {
    int ndim;
    int64_t size[GRAFT_MAX_DIMS], stride[GRAFT_MAX_DIMS];
    int64_t offset;
} layout;

static const layout layouts[] = {
    {2, {30, 40}, {40, 1}, 0},               /* contiguous */
    {2, {30, 40}, {40, 1}, 17},              /* not from the start on */
    {2, {30, 7}, {40, 1}, 3},                /* columns of a matrix */
    {2, {40, 30}, {1, 40}, 0},               /* transposed */
    {3, {5, 30, 40}, {0, 40, 1}, 0},         /* repeated */
    {3, {4, 5, 6}, {300, 60, 7}, 11},        /* gaps everywhere */
    {4, {2, 3, 4, 5}, {500, 1, 60, 6}, 2},   /* turned, with gaps */
    {4, {3, 1, 4, 5}, {100, 999, 20, 4}, 0}, /* a size of 1 with any stride */
    {1, {600}, {2}, 1},                      /* every second */
    {0, {0}, {0}, 5},                        /* 0-d */
    {3, {4, 0, 6}, {6, 6, 1}, 0},            /* empty */
    {2, {1, 40}, {1, 1}, 7},                 /* a row */
    {3, {3, 20, 10}, {400, 10, 1}, 0},       /* long rows with gaps */
    {8, {1, 2, 1, 3, 1, 2, 1, 4}, {9, 70, 9, 20, 9, 9, 9, 2}, 3},
};

static const graft_dtype dtypes[] = {GRAFT_F32, GRAFT_BF16, GRAFT_I8,
                                     GRAFT_F64, GRAFT_C128, GRAFT_F8_E4M3FN};

static void check_layout(graft_ctx *g, const layout *l, graft_dtype dtype, int kind)
{
    promise p;
    const size_t width = graft_dtype_size(dtype), bytes = 2048 * width;
    graft__storage *s = promised(g, &p, bytes, kind == 2);
    if (kind == 0)
        assert_true(graft__storage_ready(s, g));
    graft_tensor *t = graft__tensor_over(s, dtype, l->ndim, l->size, l->stride, l->offset);
    assert_non_null(t);
    unsigned char *expected = bytes_of(t);
    for (int64_t step = 1; step <= 1300; step = step * 3 + 1)
        assert_chunks(g, t, expected, step);
    assert_chunks(g, t, expected, graft__chunks_step(t));
    free(expected);
    graft__tensor_unref(t);
    assert_int_equal(p.released, 1);
}

static void chunks_are_the_elements_in_order(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
        for (size_t k = 0; k < sizeof dtypes / sizeof *dtypes; k++)
            for (int kind = 0; kind < 3; kind++)
                check_layout(g, &layouts[i], dtypes[k], kind);
    graft_close(g);
}

static void what_lies_in_memory_is_pointed_to(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *t = graft_zeros(g, graft_shape2(6, 8), GRAFT_F32);
    graft_tensor *columns = graft_narrow(t, 1, 2, 4);
    const float *data = graft_data(t);
    graft__chunks c;
    assert_true(graft__chunks_begin(&c, g, t));
    assert_ptr_equal(graft__chunks_at(&c, 5, 20), data + 5);
    graft__chunks_end(&c);
    assert_true(graft__chunks_begin(&c, g, columns));
    assert_ptr_equal(graft__chunks_at(&c, 4, 4), data + 8 + 2); /* one row */
    assert_ptr_equal(graft__chunks_at(&c, 9, 2), data + 16 + 3);
    assert_null(c.buffer);
    const void *gathered = graft__chunks_at(&c, 3, 2);
    assert_ptr_equal(gathered, c.buffer);
    graft__chunks_end(&c);
    graft_close(g);
}

static void a_promise_that_reads_is_never_fetched(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    promise p;
    const int64_t size[] = {1 << 20}, stride[] = {1};
    graft_tensor *t =
        graft__tensor_over(promised(g, &p, (size_t)8 << 20, true), GRAFT_F32, 1, size, stride, 100);
    graft__chunks c;
    assert_true(graft__chunks_begin(&c, g, t));
    const int64_t step = graft__chunks_step(t);
    assert_int_equal(step * 4, GRAFT__CHUNK);
    for (int64_t at = 0; at < t->numel; at += step) {
        const unsigned char *bytes = graft__chunks_at(&c, at, step);
        assert_non_null(bytes);
        assert_int_equal(bytes[0], byte_at((size_t)(100 + at) * 4));
    }
    graft__chunks_end(&c);
    assert_int_equal(p.fetched, 0);
    assert_int_equal(p.read, 4 << 20);
    graft__tensor_unref(t);
    graft_close(g);
}

/* Half of each row: gaps are read too, but never more than a few chunks at once. */
static void columns_of_a_promise_are_read_in_bounded_memory(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    promise p;
    const int64_t size[] = {8, 1 << 17}, stride[] = {1 << 18, 1};
    graft_tensor *t =
        graft__tensor_over(promised(g, &p, (size_t)8 << 20, true), GRAFT_F32, 2, size, stride, 0);
    unsigned char *expected = bytes_of(t);
    assert_chunks(g, t, expected, 100000);
    free(expected);
    assert_int_equal(p.fetched, 0);
    assert_true(p.read <= (size_t)9 << 20 && p.largest <= 4 * GRAFT__CHUNK);
    graft__tensor_unref(t);

    /* What lies across the storage would be read many times: it is fetched once. */
    const int64_t wide[] = {1 << 10, 1 << 10}, across[] = {1, 1 << 10};
    t = graft__tensor_over(promised(g, &p, (size_t)4 << 20, true), GRAFT_F32, 2, wide, across, 0);
    expected = bytes_of(t);
    assert_chunks(g, t, expected, 65536);
    free(expected);
    assert_int_equal(p.fetched, 1);
    assert_int_equal(p.read, 0);
    graft__tensor_unref(t);
    graft_close(g);
}

static void blocks_come_whole(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    promise p;
    const int64_t size[] = {3, 64};
    graft_tensor *t =
        graft__tensor_over(promised(g, &p, 6 * 18, true), GRAFT_Q4_0, 2, size, NULL, 0);
    graft__chunks c;
    assert_true(graft__chunks_begin(&c, g, t));
    assert_int_equal(graft__chunks_step(t), GRAFT__CHUNK / 18 * 32);
    const unsigned char *bytes = graft__chunks_at(&c, 32, 64);
    assert_non_null(bytes);
    for (size_t i = 0; i < 36; i++)
        assert_int_equal(bytes[i], byte_at(18 + i));
    assert_null(graft__chunks_at(&c, 16, 32));
    assert_error(g, GRAFT_ERR_ARGUMENT,
                 "32 elements of q4_0 from element 16 on: expected whole blocks of 32");
    graft__chunks_end(&c);
    graft__tensor_unref(t);
    graft_close(g);
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    graft_ctx *g = test_open();
    graft_tensor *t = graft_zeros(g, graft_shape1(10), GRAFT_F32);
    graft__chunks c;
    assert_true(graft__chunks_begin(&c, g, t));
    static const int64_t wrong[][2] = {{-1, 2}, {0, 11}, {11, 0}, {5, -1}, {5, INT64_MAX}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_null(graft__chunks_at(&c, wrong[i][0], wrong[i][1]));
        assert_error_has(g, GRAFT_ERR_ARGUMENT, "of a tensor that has 10");
    }
    graft__chunks_end(&c);
    for (int reads = 0; reads < 2; reads++) {
        promise p;
        const int64_t size[] = {4, 4}, stride[] = {8, 1};
        t = graft__tensor_over(promised(g, &p, 128, reads), GRAFT_F32, 2, size, stride, 0);
        p.fails = true;
        assert_true(graft__chunks_begin(&c, g, t));
        assert_null(graft__chunks_at(&c, 0, 3));
        assert_error(g, GRAFT_ERR_IO, "the promise is broken");
        assert_null(graft__chunks_at(&c, 0, 9));
        assert_error(g, GRAFT_ERR_IO, "the promise is broken");
        p.fails = false; /* it may be tried again */
        const unsigned char *bytes = graft__chunks_at(&c, 0, 9);
        assert_non_null(bytes);
        assert_int_equal(bytes[4 * 4], byte_at(32));
        graft__chunks_end(&c);
        graft__tensor_unref(t);
    }
    graft_close(g);
}

static void read_without_memory(void *user, failing_allocator *a)
{
    (void)user;
    graft_ctx *g = failing_allocator_open(a);
    if (!g)
        return;
    static promise p; /* its storage may not come about */
    const int64_t size[] = {16, 16}, stride[] = {32, 1};
    graft__storage *s = promised(g, &p, 2048, true);
    graft_tensor *t = s ? graft__tensor_over(s, GRAFT_F32, 2, size, stride, 0) : NULL;
    if (t) {
        graft__chunks c;
        if (graft__chunks_begin(&c, g, t)) {
            assert_true(graft__chunks_at(&c, 0, 100) || a->failed);
            assert_true(graft__chunks_at(&c, 100, 156) || a->failed);
        }
        graft__chunks_end(&c);
    }
    assert_true(t || a->failed);
    assert_true(!graft_error(g) || graft_error_status(g) == GRAFT_ERR_MEMORY);
    graft__tensor_unref(t);
    graft_close(g);
}

static void lack_of_memory_leaves_nothing(void **state)
{
    (void)state;
    failing_allocator_sweep(read_without_memory, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_are_the_elements_in_order),
        cmocka_unit_test(what_lies_in_memory_is_pointed_to),
        cmocka_unit_test(a_promise_that_reads_is_never_fetched),
        cmocka_unit_test(columns_of_a_promise_are_read_in_bounded_memory),
        cmocka_unit_test(blocks_come_whole),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(lack_of_memory_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
