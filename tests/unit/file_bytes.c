#include "file_bytes.h"

void put_bytes(file_bytes *f, const void *bytes, size_t size)
{
    assert_true(size <= sizeof f->data - f->size);
    if (size > 0)
        memcpy(f->data + f->size, bytes, size);
    f->size += size;
}

void put_text(file_bytes *f, const char *text)
{
    put_bytes(f, text, strlen(text));
}

void put_number(file_bytes *f, uint64_t number, unsigned width)
{
    for (unsigned i = 0; i < width; i++)
        put_bytes(f, &(unsigned char){(unsigned char)(number >> 8 * i)}, 1);
}

void put_floats(file_bytes *f, const float *x, size_t count)
{
    put_bytes(f, x, count * sizeof *x);
}

/* From a block of exactly its size, so that a read beyond the end is seen. */
static graft_checkpoint *open_exactly(graft_ctx *g, const unsigned char *bytes, size_t size,
                                      graft_verify verify)
{
    graft_read_options o = graft_read_defaults();
    o.verify = verify;
    unsigned char *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    graft_checkpoint *c = graft_checkpoint_open_memory(g, copy, size, &o);
    free(copy);
    return c;
}

graft_checkpoint *open_bytes(graft_ctx *g, const file_bytes *f)
{
    graft_checkpoint *c = open_exactly(g, f->data, f->size, GRAFT_VERIFY_USE);
    assert_no_error(g);
    assert_non_null(c);
    return c;
}

void assert_bytes_fault(graft_ctx *g, const file_bytes *f, graft_fault fault, int64_t offset,
                        const char *words)
{
    graft_checkpoint *c = open_exactly(g, f->data, f->size, GRAFT_VERIFY_USE);
    if (c)
        fail_msg("it opened; expected %s: %s", graft_fault_name(fault), words);
    if (graft_error_fault(g) != fault || graft_error_offset(g) != offset ||
        !strstr(graft_error(g), words))
        fail_msg("got '%s', offset %lld; expected %s, offset %lld, '%s'", graft_error(g),
                 (long long)graft_error_offset(g), graft_fault_name(fault), (long long)offset,
                 words);
    assert_int_equal(graft_error_status(g), GRAFT_ERR_FORMAT);
    graft_clear_error(g);
}

/* Adds up all bytes of all tensors, so that each is read. */
static unsigned read_all(const graft_dict *d)
{
    unsigned sum = 0;
    for (int64_t i = 0; i < graft_dict_len(d); i++) {
        graft_tensor_info info;
        const graft_dict *inside = graft_dict_dict_at(d, i);
        if (inside)
            sum += read_all(inside);
        if (!graft_dict_tensor_info(d, i, &info))
            continue;
        const graft_tensor *t = graft_dict_tensor_at(d, i);
        const unsigned char *bytes = t ? graft_data(t) : NULL;
        for (uint64_t k = 0; bytes && k < info.bytes; k++)
            sum += bytes[k];
    }
    return sum;
}

void truncate_everywhere(const file_bytes *f, size_t shortest)
{
    graft_ctx *g = test_open();
    for (size_t size = 0; size < shortest; size++) {
        if (open_exactly(g, f->data, size, GRAFT_VERIFY_OPEN))
            fail_msg("it opened, cut to %zu of %zu bytes", size, f->size);
        if (graft_error_status(g) != GRAFT_ERR_FORMAT || graft_error_fault(g) == GRAFT_FAULT_NONE)
            fail_msg("cut to %zu: %s", size, graft_error(g));
        graft_clear_error(g);
    }
    graft_close(g);
}

void flip_everywhere(const file_bytes *f)
{
    graft_ctx *g = test_open();
    unsigned char *bytes = malloc(f->size);
    assert_non_null(bytes);
    memcpy(bytes, f->data, f->size);
    size_t step = test_quick() ? 7 : 1;
    for (size_t bit = 0; bit < f->size * 8; bit += step) {
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        graft_checkpoint *c = open_exactly(g, bytes, f->size, GRAFT_VERIFY_USE);
        if (c)
            read_all(graft_checkpoint_root(c));
        else if (graft_error_status(g) != GRAFT_ERR_FORMAT ||
                 graft_error_fault(g) == GRAFT_FAULT_NONE)
            fail_msg("bit %zu: %s", bit, graft_error(g));
        graft_checkpoint_free(c);
        graft_clear_error(g);
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    free(bytes);
    graft_close(g);
}

static void open_once(void *user, failing_allocator *a)
{
    const file_bytes *f = user;
    graft_ctx *g = failing_allocator_open(a);
    if (!g)
        return;
    graft_checkpoint *c = graft_checkpoint_open_memory(g, f->data, f->size, NULL);
    if (c)
        read_all(graft_checkpoint_root(c));
    if (!c || graft_error(g))
        assert_int_equal(graft_error_status(g), GRAFT_ERR_MEMORY);
    graft_checkpoint_free(c);
    graft_close(g);
}

void fail_everywhere(const file_bytes *f)
{
    failing_allocator_sweep(open_once, (void *)(uintptr_t)f);
}
