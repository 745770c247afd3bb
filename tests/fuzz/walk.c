/* Looking at all that a reader gave. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

enum { READ_LIMIT = 1 << 20, PATHS_LIMIT = 50, DEPTH_LIMIT = 1100 };

static unsigned sink; /* what is read must be used, or it is not read */

static void touch(const void *bytes, size_t size)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < size; i++)
        sink += p[i];
}

/* ---- Tensors ---- */

/* That the first and the last element lie within the storage. */
static void check_place(const graft_tensor_info *info)
{
    __int128 first = info->storage_offset, last = info->storage_offset;
    const size_t width = graft_dtype_size(info->dtype);
    if (info->shape.ndim < 0 || info->shape.ndim > GRAFT_MAX_DIMS)
        fuzz_die("a tensor of %d dimensions", info->shape.ndim);
    if (!graft_dtype_block(info->dtype, &(int64_t){0}, &(size_t){0}))
        fuzz_die("a tensor of dtype %d", (int)info->dtype);
    bool empty = false;
    for (int d = 0; d < info->shape.ndim; d++) {
        const int64_t size = info->shape.size[d];
        if (size < 0)
            fuzz_die("a dimension of %lld", (long long)size);
        empty = empty || size == 0;
        const __int128 span = (__int128)(size - 1) * info->stride[d];
        *(span < 0 ? &first : &last) += span;
    }
    if (empty)
        return;
    if (width == 0 ? info->bytes > info->storage_bytes
                   : first < 0 || (last + 1) * (__int128)width > (__int128)info->storage_bytes)
        fuzz_die("a tensor that leaves its storage of %llu bytes",
                 (unsigned long long)info->storage_bytes);
}

static void check_same(const graft_tensor *t, const graft_tensor_info *info)
{
    const graft_shape shape = graft_tensor_shape(t);
    bool same = graft_tensor_dtype(t) == info->dtype && shape.ndim == info->shape.ndim &&
                graft_storage_offset(t) == info->storage_offset;
    for (int d = 0; same && d < shape.ndim; d++)
        same = shape.size[d] == info->shape.size[d] && graft_stride(t, d) == info->stride[d];
    if (!same)
        fuzz_die("a tensor is not what its description says");
}

static void read_elements(fuzz_run *f, const graft_tensor *t, const graft_tensor_info *info)
{
    if (info->bytes > READ_LIMIT) { /* the elements of a small file, repeated by strides of 0 */
        touch(graft_data(t), graft_dtype_size(info->dtype));
        return;
    }
    void *out = malloc((size_t)info->bytes + 1);
    if (!out)
        fuzz_die("no memory for the elements");
    if (graft_copy_out(t, out, (size_t)info->bytes, info->dtype) == GRAFT_OK)
        touch(out, (size_t)info->bytes);
    else
        fuzz_expect_none(f, "copy_out");
    free(out);
}

static void look_at_tensor(fuzz_run *f, const graft_dict *d, int64_t i)
{
    graft_tensor_info info;
    if (!graft_dict_tensor_info(d, i, &info))
        fuzz_die("a tensor without a description");
    check_place(&info);
    const graft_tensor *t = graft_dict_tensor_at(d, i);
    if (!t) {
        fuzz_expect_fault(f, "a tensor");
        return;
    }
    check_same(t, &info);
    read_elements(f, t, &info);
}

/* ---- Values ---- */

static void look_below(fuzz_run *f, const graft_dict *d, int depth);

static void look_at(fuzz_run *f, const graft_dict *d, int64_t i, int depth)
{
    const char *key = graft_dict_key(d, i);
    size_t size = 0;
    double real, imaginary;
    int64_t number;
    if (key)
        touch(key, strlen(key));
    else
        fuzz_expect_none(f, "a key");
    (void)graft_dict_key_kind(d, i);
    (void)graft_dict_key_is_int(d, i, &number);
    switch (graft_dict_kind(d, i)) {
    case GRAFT_VALUE_TENSOR:
        look_at_tensor(f, d, i);
        break;
    case GRAFT_VALUE_STRING:
    case GRAFT_VALUE_BYTES:
    case GRAFT_VALUE_BIG_INT:
        touch(graft_dict_bytes_at(d, i, &size), size);
        if (graft_dict_string_at(d, i))
            touch(graft_dict_string_at(d, i), strlen(graft_dict_string_at(d, i)));
        break;
    case GRAFT_VALUE_COMPLEX:
        if (!graft_dict_complex_at(d, i, &real, &imaginary))
            fuzz_die("a complex number that is none");
        break;
    case GRAFT_VALUE_DICT:
    case GRAFT_VALUE_LIST:
    case GRAFT_VALUE_TUPLE:
    case GRAFT_VALUE_SET:
    case GRAFT_VALUE_RECORD:
        if (!graft_dict_dict_at(d, i))
            fuzz_die("a container that is none");
        look_below(f, graft_dict_dict_at(d, i), depth + 1);
        break;
    default:
        (void)graft_dict_bool_at(d, i);
        (void)graft_dict_int_at(d, i);
        (void)graft_dict_float_at(d, i);
    }
}

static void look_below(fuzz_run *f, const graft_dict *d, int depth)
{
    if (depth > DEPTH_LIMIT)
        fuzz_die("nested deeper than max_depth");
    if (graft_dict_container(d) == GRAFT_VALUE_NONE)
        fuzz_die("a container of no kind");
    if (graft_dict_class(d))
        touch(graft_dict_class(d), strlen(graft_dict_class(d)));
    for (int64_t i = 0; i < graft_dict_len(d) && f->values_left > 0; i++) {
        f->values_left--;
        look_at(f, d, i, depth);
    }
    const graft_dict *const more[] = {graft_dict_attributes(d), graft_dict_args(d)};
    for (int i = 0; i < 2 && f->values_left > 0; i++) {
        if (!more[i])
            continue;
        f->values_left--;
        look_below(f, more[i], depth + 1);
    }
}

/* ---- Paths ---- */

/* Paths of the flat dict are looked for: those with keys that are neither strings nor integers, and
 * very deep ones, are not found. */
static void look_for_paths(fuzz_run *f, const graft_dict *d)
{
    graft_scope_begin(f->g);
    const graft_dict *flat = graft_dict_flatten(d);
    if (!flat) {
        const graft_status status = graft_error_status(f->g);
        if (status != GRAFT_ERR_NAME && !(f->failed && status == GRAFT_ERR_MEMORY))
            fuzz_die("flatten: %s", graft_error(f->g) ? graft_error(f->g) : "no error");
        graft_clear_error(f->g);
    }
    const int64_t count = graft_dict_len(flat);
    for (int64_t i = 0; i < count && i < PATHS_LIMIT; i++) {
        const char *path = graft_dict_key(flat, i);
        if (!path || (!graft_dict_tensor(d, path) && graft_error(f->g)))
            fuzz_expect_fault(f, "a tensor by its path");
    }
    graft_scope_end(f->g);
}

void fuzz_walk(fuzz_run *f, const graft_dict *d)
{
    look_below(f, d, 0);
    if (graft_dict_container(d) != GRAFT_VALUE_NONE)
        look_for_paths(f, d);
}
