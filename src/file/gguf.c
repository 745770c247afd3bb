/* GGUF, the file of ggml's models: key-values, tensor infos, data. */
#include "file/gguf_values.h"
#include "tensor/dtype.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ggml's numbers of types. Missing: 4, 5, 31 to 33 and 36 to 38, which ggml had and dropped. */
static const struct {
    bool known;
    unsigned char dtype;
} types[] = {
    [0] = {true, GRAFT_F32},     [1] = {true, GRAFT_F16},      [2] = {true, GRAFT_Q4_0},
    [3] = {true, GRAFT_Q4_1},    [6] = {true, GRAFT_Q5_0},     [7] = {true, GRAFT_Q5_1},
    [8] = {true, GRAFT_Q8_0},    [9] = {true, GRAFT_Q8_1},     [10] = {true, GRAFT_Q2_K},
    [11] = {true, GRAFT_Q3_K},   [12] = {true, GRAFT_Q4_K},    [13] = {true, GRAFT_Q5_K},
    [14] = {true, GRAFT_Q6_K},   [15] = {true, GRAFT_Q8_K},    [16] = {true, GRAFT_IQ2_XXS},
    [17] = {true, GRAFT_IQ2_XS}, [18] = {true, GRAFT_IQ3_XXS}, [19] = {true, GRAFT_IQ1_S},
    [20] = {true, GRAFT_IQ4_NL}, [21] = {true, GRAFT_IQ3_S},   [22] = {true, GRAFT_IQ2_S},
    [23] = {true, GRAFT_IQ4_XS}, [24] = {true, GRAFT_I8},      [25] = {true, GRAFT_I16},
    [26] = {true, GRAFT_I32},    [27] = {true, GRAFT_I64},     [28] = {true, GRAFT_F64},
    [29] = {true, GRAFT_IQ1_M},  [30] = {true, GRAFT_BF16},    [34] = {true, GRAFT_TQ1_0},
    [35] = {true, GRAFT_TQ2_0},  [39] = {true, GRAFT_MXFP4}};

enum { TYPES = sizeof types / sizeof *types };

typedef struct info {
    graft__name name;
    graft_dtype dtype;
    int ndim;
    int64_t size[GRAFT_MAX_DIMS]; /* outermost first, as everywhere but in the file */
    int64_t place;                /* of the offset in the file, for errors */
    uint64_t offset, bytes;       /* offset: from the beginning of the data */
} info;

static bool matches(const graft__source *s)
{
    return s->size >= 4 && memcmp(s->bytes, "GGUF", 4) == 0;
}

static graft_status read_dtype(graft__gguf *f, const graft__name *name, graft_dtype *out)
{
    uint32_t type = 0;
    graft_status status = graft__gguf_u32(f, "the type of a tensor", &type);
    if (status != GRAFT_OK)
        return status;
    if (type < TYPES && types[type].known) {
        *out = types[type].dtype;
        return GRAFT_OK;
    }
    return graft__fault(f->r, type < TYPES ? GRAFT_FAULT_UNSUPPORTED : GRAFT_FAULT_DTYPE,
                        (int64_t)f->at - 4,
                        type < TYPES ? "%.*s: ggml's type %" PRIu32 ", which ggml has dropped"
                                     : "%.*s: no type of ggml has the number %" PRIu32,
                        GRAFT__NAME(name), type);
}

static graft_status read_sizes(graft__gguf *f, info *t)
{
    uint32_t ndim = 0;
    graft_status status = graft__gguf_u32(f, "a number of dimensions", &ndim);
    if (status != GRAFT_OK)
        return status;
    if (ndim > GRAFT_MAX_DIMS)
        return graft__fault(f->r, GRAFT_FAULT_SHAPE, (int64_t)f->at - 4,
                            "%.*s: %" PRIu32 " dimensions: expected at most %d",
                            GRAFT__NAME(&t->name), ndim, GRAFT_MAX_DIMS);
    t->ndim = (int)ndim;
    for (int i = t->ndim - 1; i >= 0; i--) {
        uint64_t size = 0;
        status = graft__gguf_u64(f, "a size", &size);
        if (status != GRAFT_OK)
            return status;
        if (size > INT64_MAX)
            return graft__fault(f->r, GRAFT_FAULT_OVERFLOW, (int64_t)f->at - 8,
                                "%.*s: a size of %" PRIu64, GRAFT__NAME(&t->name), size);
        t->size[i] = (int64_t)size;
    }
    return GRAFT_OK;
}

static graft_status read_info(graft__gguf *f, info *t)
{
    graft_status status = graft__gguf_name(f, "the name of a tensor", &t->name);
    if (status == GRAFT_OK)
        status = graft__check_name(f->r, "tensor", &t->name);
    if (status == GRAFT_OK)
        status = read_sizes(f, t);
    if (status == GRAFT_OK)
        status = read_dtype(f, &t->name, &t->dtype);
    if (status == GRAFT_OK)
        status = graft__gguf_u64(f, "the offset of a tensor", &t->offset);
    if (status != GRAFT_OK)
        return status;
    t->place = (int64_t)f->at - 8;
    int64_t block = 1;
    graft_dtype_block(t->dtype, &block, NULL);
    if (block > 1 && (t->ndim == 0 || t->size[t->ndim - 1] % block != 0))
        return graft__fault(f->r, GRAFT_FAULT_SHAPE, t->name.offset,
                            "%.*s: rows of %lld elements are no whole blocks of %lld, as %s has",
                            GRAFT__NAME(&t->name), t->ndim ? (long long)t->size[t->ndim - 1] : 1LL,
                            (long long)block, graft_dtype_name(t->dtype));
    return graft__check_tensor(f->r, &t->name, t->dtype, t->ndim, t->size, &t->bytes);
}

/* ---- Where the tensors lie ---- */

static int by_offset(const void *a, const void *b)
{
    const info *const *x = a, *const *y = b;
    if ((*x)->offset != (*y)->offset)
        return (*x)->offset < (*y)->offset ? -1 : 1;
    return ((*x)->place > (*y)->place) - ((*x)->place < (*y)->place);
}

static graft_status check_overlap(graft__reading *r, const info *t, size_t count)
{
    size_t bytes = count * sizeof(info *), used = 0; /* less than the infos take */
    if (!graft__charge(r, bytes))
        return graft_error_status(r->g);
    const info **sorted = graft__alloc(r->g, bytes);
    if (!sorted)
        return graft__fail_memory(r->g, bytes, r->op);
    for (size_t i = 0; i < count; i++)
        if (t[i].bytes > 0)
            sorted[used++] = &t[i];
    qsort(sorted, used, sizeof *sorted, by_offset);
    graft_status status = GRAFT_OK;
    for (size_t i = 1; i < used && status == GRAFT_OK; i++)
        if (sorted[i]->offset - sorted[i - 1]->offset < sorted[i - 1]->bytes)
            status =
                graft__fault(r, GRAFT_FAULT_GGUF, sorted[i]->place, "%.*s begins inside of %.*s",
                             GRAFT__NAME(&sorted[i]->name), GRAFT__NAME(&sorted[i - 1]->name));
    graft__free(r->g, sorted, bytes);
    return status;
}

static graft_status check_place(const graft__gguf *f, const info *t, uint64_t data,
                                uint32_t alignment)
{
    if (t->offset % alignment != 0)
        return graft__fault(f->r, GRAFT_FAULT_GGUF, t->place,
                            "%.*s: an offset of %" PRIu64 ": expected a multiple of %" PRIu32,
                            GRAFT__NAME(&t->name), t->offset, alignment);
    uint64_t rest = f->size - data;
    if (t->offset > rest || t->bytes > rest - t->offset)
        return graft__fault(f->r, GRAFT_FAULT_TRUNCATED, t->place,
                            "%.*s: %" PRIu64 " bytes at %" PRIu64 ", where the data has %" PRIu64,
                            GRAFT__NAME(&t->name), t->bytes, t->offset, rest);
    return GRAFT_OK;
}

static graft_status put_tensor(graft__reading *r, graft_dict *root, const info *t, uint64_t data)
{
    int64_t block = 1;
    graft_dtype_block(t->dtype, &block, NULL);
    size_t width = graft_dtype_size(t->dtype);
    const graft__piece piece = {.offset = data + t->offset,
                                .stored = t->bytes,
                                .size = t->bytes,
                                .align = block > 1 ? 1 : (uint32_t)width};
    graft_tensor *tensor = graft__piece_tensor(r, &piece, t->dtype, t->ndim, t->size, NULL);
    return tensor ? graft__put_named(r, root, "tensor", &t->name, graft__tensor_value(tensor))
                  : graft_error_status(r->g);
}

static graft_status read_tensors(graft__gguf *f, graft_dict *root, info *t, size_t count,
                                 uint32_t alignment)
{
    graft_status status = GRAFT_OK;
    for (size_t i = 0; i < count && status == GRAFT_OK; i++)
        status = read_info(f, &t[i]);
    if (status != GRAFT_OK)
        return status;
    uint64_t data = f->at, over = data % alignment;
    data += over ? alignment - over : 0;
    if (count == 0)
        return GRAFT_OK;
    if (data > f->size)
        return graft__fault(f->r, GRAFT_FAULT_TRUNCATED, (int64_t)f->size,
                            "ends before the data, at %" PRIu64, data);
    for (size_t i = 0; i < count && status == GRAFT_OK; i++)
        status = check_place(f, &t[i], data, alignment);
    if (status == GRAFT_OK)
        status = check_overlap(f->r, t, count);
    for (size_t i = 0; i < count && status == GRAFT_OK; i++)
        status = put_tensor(f->r, root, &t[i], data);
    return status;
}

/* The infos are all read before the data can be found. */
static graft_status read_infos(graft__gguf *f, graft_dict *root, uint64_t count, uint32_t alignment)
{
    uint64_t least = 8 + 1 + 4 + 4 + 8; /* bytes of an info of a 0-d tensor */
    if (count > (f->size - f->at) / least)
        return graft__fault(f->r, GRAFT_FAULT_TRUNCATED, 8,
                            "%" PRIu64 " tensors, where %" PRIu64 " bytes are left of the file",
                            count, f->size - f->at);
    size_t bytes = 0;
    if (!graft__mul_size((size_t)count, sizeof(info), &bytes))
        return graft__fail_memory(f->r->g, SIZE_MAX, f->r->op);
    if (!graft__charge(f->r, bytes))
        return graft_error_status(f->r->g);
    info *t = graft__alloc(f->r->g, bytes);
    if (!t)
        return graft__fail_memory(f->r->g, bytes, f->r->op);
    graft_status status = read_tensors(f, root, t, (size_t)count, alignment);
    graft__free(f->r->g, t, bytes);
    return status;
}

static graft_status read_magic(graft__gguf *f)
{
    uint32_t magic = 0;
    graft_status status = graft__gguf_u32(f, "the mark", &magic);
    if (status != GRAFT_OK || magic == graft__le32((const unsigned char *)"GGUF"))
        return status;
    return graft__fault(f->r, GRAFT_FAULT_GGUF, 0, "no GGUF file: expected GGUF");
}

static graft_status read_version(graft__gguf *f)
{
    uint32_t version = 0;
    graft_status status = read_magic(f);
    if (status == GRAFT_OK)
        status = graft__gguf_u32(f, "the version", &version);
    if (status != GRAFT_OK)
        return status;
    if (version == 2 || version == 3)
        return graft__put_own(f->r, f->r->metadata, "GGUF.version", graft__int_value(version));
    return graft__fault(f->r, GRAFT_FAULT_UNSUPPORTED, 4,
                        version != 0 && (version & 0xFFFF) == 0
                            ? "a big-endian file (version %" PRIu32 " read as little-endian)"
                            : "GGUF version %" PRIu32 ": expected 2 or 3",
                        version);
}

static graft_status read_file(graft__gguf *f, graft_dict *root)
{
    uint64_t tensors = 0, keys = 0;
    uint32_t alignment = 32;
    graft_status status = read_version(f);
    if (status == GRAFT_OK)
        status = graft__gguf_u64(f, "the number of tensors", &tensors);
    if (status == GRAFT_OK)
        status = graft__gguf_u64(f, "the number of keys", &keys);
    for (uint64_t i = 0; i < keys && status == GRAFT_OK; i++)
        status = graft__gguf_key_value(f, &alignment);
    return status == GRAFT_OK ? read_infos(f, root, tensors, alignment) : status;
}

static graft_dict *read_gguf(graft__reading *r)
{
    graft__gguf f = {.r = r, .bytes = r->source->bytes, .size = r->source->size};
    graft_dict *root = graft__dict_new(r->g);
    if (root && read_file(&f, root) == GRAFT_OK)
        return root;
    graft__dict_unref(root);
    return NULL;
}

const graft__format graft__format_gguf = {GRAFT_FORMAT_GGUF, matches, read_gguf};
