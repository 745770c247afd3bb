#include <inttypes.h>

#include "base/sort.h"
#include "file/safetensors.h"

/* ---- Offsets and shapes ---- */

static bool before(const void *user, uint32_t a, uint32_t b)
{
    const graft__safetensor *t = user;
    return t[a].begin != t[b].begin ? t[a].begin < t[b].begin : t[a].end < t[b].end;
}

/* Fills s->order. */
static graft_status sort(graft__reading *r, graft__safetensors *s)
{
    if (s->count == 0)
        return GRAFT_OK;
    const size_t bytes = s->count * sizeof *s->order; /* fewer than the header's */
    s->order = graft__alloc(r->g, bytes);
    uint32_t *scratch = graft__alloc(r->g, bytes);
    if (s->order && scratch) {
        for (size_t i = 0; i < s->count; i++)
            s->order[i] = (uint32_t)i;
        graft__sort(s->order, scratch, s->count, before, s->tensor);
    }
    graft__free(r->g, scratch, bytes);
    return s->order && scratch ? GRAFT_OK : graft__fail_memory(r->g, bytes, r->op);
}

static const char *name_of(const graft__safetensors *s, size_t i)
{
    return s->dict->entry[i].key.text.data;
}

/* Its elements and bits; false if they do not fit 64 bits. */
static bool count_bits(const graft__safetensor *t, uint64_t *bits)
{
    uint64_t n = 1;
    for (int d = 0; d < t->ndim; d++) {
        if (t->size[d] && n > UINT64_MAX / t->size[d])
            return false;
        n *= t->size[d];
    }
    const uint32_t width = graft__safetensors_dtype_at(t->rank)->bits;
    if (n > UINT64_MAX / width)
        return false;
    *bits = n * width;
    return true;
}

static graft_status check_tensor(graft__reading *r, const graft__safetensors *s, size_t i,
                                 uint64_t begin)
{
    const graft__safetensor *t = &s->tensor[i];
    const int64_t at = (int64_t)t->at;
    const char *name = name_of(s, i);
    if (t->begin != begin || t->end < t->begin)
        return graft__fault(r, GRAFT_FAULT_INVALID_OFFSET, at,
                            "'%s' has the bytes %" PRIu64 " to %" PRIu64
                            " of the data: expected it to begin at %" PRIu64
                            ", where the one before ends",
                            name, t->begin, t->end, begin);
    uint64_t bits;
    if (!count_bits(t, &bits))
        return graft__fault(r, GRAFT_FAULT_VALIDATION_OVERFLOW, at,
                            "the size of '%s' does not fit 64 bits", name);
    if (bits % 8 != 0)
        return graft__fault(r, GRAFT_FAULT_MISALIGNED_SLICE, at,
                            "'%s' has %" PRIu64 " bits, which are no whole bytes", name, bits);
    if (t->end - t->begin != bits / 8)
        return graft__fault(r, GRAFT_FAULT_TENSOR_INVALID_INFO, at,
                            "'%s' has %" PRIu64 " bytes: its shape and dtype (%s) take %" PRIu64,
                            name, t->end - t->begin, graft__safetensors_dtype_at(t->rank)->name,
                            bits / 8);
    return GRAFT_OK;
}

graft_status graft__safetensors_check(graft__reading *r, graft__safetensors *s)
{
    graft_status status = sort(r, s);
    uint64_t end = 0;
    for (size_t k = 0; k < s->count && status == GRAFT_OK; k++) {
        status = check_tensor(r, s, s->order[k], end);
        end = s->tensor[s->order[k]].end;
    }
    s->data_size = end;
    return status;
}

/* ---- Tensors ---- */

/* The sizes as graft has them: those that hold no elements may be too large for it. */
static bool shape_of(graft__reading *r, const graft__safetensors *s, size_t i, int64_t *size)
{
    const graft__safetensor *t = &s->tensor[i];
    for (int d = 0; d < t->ndim; d++)
        size[d] = t->size[d] > INT64_MAX ? -1 : (int64_t)t->size[d];
    if (graft__shape_numel(t->ndim, size) >= 0)
        return true;
    graft__fault(r, GRAFT_FAULT_SHAPE, (int64_t)t->at, "'%s' has sizes that graft can't hold",
                 name_of(s, i));
    return false;
}

graft_tensor *graft__safetensors_tensor(graft__reading *r, const graft__safetensors *s, size_t i,
                                        const unsigned char *sha256)
{
    const graft__safetensor *t = &s->tensor[i];
    int64_t size[GRAFT_MAX_DIMS];
    if (!shape_of(r, s, i, size))
        return NULL;
    const graft_dtype dtype = graft__safetensors_dtype_at(t->rank)->dtype;
    if (t->end > r->source->size - s->data)
        return graft__tensor_over(graft__lost_storage(r, t->end - t->begin, name_of(s, i)), dtype,
                                  t->ndim, size, NULL, 0);
    const size_t width = graft_dtype_size(dtype);
    const graft__piece piece = {
        .offset = s->data + t->begin,
        .stored = t->end - t->begin,
        .size = t->end - t->begin,
        .align = width == 0  ? 1
                 : width < 8 ? (uint32_t)width
                             : 8,
        .member = name_of(s, i),
        .sha256 = sha256,
    };
    graft__storage *storage = graft__piece_storage(r, &piece);
    return graft__tensor_over(storage, dtype, t->ndim, size, NULL, 0);
}

static graft_status read_tensors(graft__reading *r, graft__safetensors *s)
{
    graft_status status = graft__safetensors_check(r, s);
    if (status != GRAFT_OK)
        return status;
    const uint64_t there = r->source->size - s->data;
    if (s->data_size != there && !r->lenient)
        return graft__fault(r, GRAFT_FAULT_METADATA_INCOMPLETE_BUFFER,
                            (int64_t)(s->data + (s->data_size < there ? s->data_size : there)),
                            "%" PRIu64 " bytes of data: the header speaks of %" PRIu64, there,
                            s->data_size);
    unsigned char *hashes;
    status = graft__safetensors_hashes(r, s, &hashes);
    for (size_t i = 0; i < s->count && status == GRAFT_OK; i++) {
        graft_tensor *t =
            graft__safetensors_tensor(r, s, i, hashes ? hashes + i * GRAFT__SHA256_SIZE : NULL);
        if (t)
            s->dict->entry[i].value = graft__tensor_value(t);
        else
            status = graft_error_status(r->g);
    }
    graft__free(r->g, hashes, hashes ? s->count * GRAFT__SHA256_SIZE : 0);
    return status;
}

static bool matches(const graft__source *source)
{
    return graft__safetensors_matches(source->bytes, source->size);
}

static graft_dict *read_file(graft__reading *r)
{
    graft__safetensors s;
    if (graft__safetensors_parse(r, &s) != GRAFT_OK)
        return NULL;
    graft_dict *d = NULL;
    if (read_tensors(r, &s) == GRAFT_OK) {
        d = s.dict;
        s.dict = NULL;
    }
    graft__safetensors_free(&s);
    return d;
}

const graft__format graft__format_safetensors = {GRAFT_FORMAT_SAFETENSORS, matches, read_file};
