#include <inttypes.h>
#include <stdlib.h>

#include "cli/check.h"
#include "cli/say.h"
#include "cli/signal.h"
#include "cli/sizes.h"

/* ---- Values ---- */

/* NaN and infinity are of these dtypes only. */
static bool can_be_wrong(graft_dtype dtype)
{
    return graft_dtype_is_floating(dtype) ||
           (dtype >= GRAFT_F8_E4M3FN && dtype <= GRAFT_F8_E5M2FNUZ);
}

/* Of any dtype: its bytes are read, and so its checksum verified. */
static int read_elements(cli_call *call, const graft_dict *all, int64_t i)
{
    char hash[GRAFT_HASH_TEXT];
    if (graft_tensor_hash(all, i, hash) == GRAFT_OK)
        return CLI_OK;
    if (graft_error_status(call->g) != GRAFT_ERR_ARGUMENT)
        return CLI_TROUBLE;
    graft_clear_error(call->g); /* a build that can't hash */
    return graft_dict_tensor_at(all, i) ? CLI_OK : CLI_TROUBLE;
}

static int look_at(cli_call *call, const graft_dict *all, int64_t i, const graft_tensor_info *info,
                   findings *f)
{
    graft_tensor_stats s;
    char count[SIZE_TEXT], of[SIZE_TEXT];
    if (!can_be_wrong(info->dtype))
        return read_elements(call, all, i);
    if (graft_dict_stats(all, i, &s) != GRAFT_OK)
        return CLI_TROUBLE;
    const char *name = graft_dict_key(all, i);
    if (s.nans > 0)
        find(f, FINDING_NAN, name, "%s of %s elements are NaN", count_text((uint64_t)s.nans, count),
             count_text((uint64_t)s.elements, of));
    if (s.infinities > 0)
        find(f, FINDING_INFINITE, name, "%s of %s elements are infinite",
             count_text((uint64_t)s.infinities, count), count_text((uint64_t)s.elements, of));
    return CLI_OK;
}

int check_values(cli_call *call, const char *path, const graft_dict *all, findings *f)
{
    for (int64_t i = 0; i < graft_dict_len(all) && !signal_caught(); i++) {
        graft_tensor_info info;
        if (!graft_dict_tensor_info(all, i, &info) || look_at(call, all, i, &info, f) == CLI_OK)
            continue;
        if (graft_error_status(call->g) != GRAFT_ERR_FORMAT)
            return say_file_error(call, path);
        find(f, FINDING_DAMAGED, graft_dict_key(all, i), "%s", graft_error(call->g));
        graft_clear_error(call->g);
    }
    return CLI_OK;
}

/* ---- Storages ---- */

/* Where a tensor lies in its storage, in bytes. */
typedef struct extent {
    const void *storage;
    uint64_t begin, end, storage_bytes;
    int64_t tensor; /* in the dict */
} extent;

static int order(const void *a, const void *b)
{
    const extent *x = a, *y = b;
    if (x->storage != y->storage)
        return (uintptr_t)x->storage < (uintptr_t)y->storage ? -1 : 1;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1;
    return x->tensor < y->tensor ? -1 : x->tensor > y->tensor;
}

/* A tensor has been checked against its storage when it was read, so nothing overflows here. */
static bool extent_of(const graft_dict *all, int64_t i, extent *out)
{
    graft_tensor_info t;
    if (!graft_dict_tensor_info(all, i, &t) || !t.storage)
        return false;
    const uint64_t size = graft_dtype_size(t.dtype);
    *out = (extent){.storage = t.storage, .storage_bytes = t.storage_bytes, .tensor = i};
    if (size == 0) { /* in blocks: always all of it */
        out->end = t.storage_bytes;
        return true;
    }
    out->begin = (uint64_t)t.storage_offset * size;
    out->end = out->begin + (t.bytes > 0 ? size : 0);
    for (int d = 0; d < t.shape.ndim && t.bytes > 0; d++)
        out->end += (uint64_t)(t.shape.size[d] - 1) * (uint64_t)t.stride[d] * size;
    return true;
}

static void find_waste(const cli_call *call, uint64_t bytes, const char *name, findings *f)
{
    const check_options *o = call->options;
    char size[SIZE_TEXT];
    if (bytes > o->waste)
        find(f, FINDING_WASTE, name, "%s of its storage are shown by no tensor",
             size_text(bytes, size));
}

/* Extents of one storage, in order of where they begin. */
static void look_at_storage(const cli_call *call, const graft_dict *all, const extent *e,
                            size_t count, findings *f)
{
    uint64_t seen = 0, shown = 0;
    const extent *last = NULL;
    for (size_t i = 0; i < count; i++) {
        const uint64_t begin = e[i].begin > seen ? e[i].begin : seen;
        const bool same = last && e[i].begin == last->begin && e[i].end == last->end;
        if (last && !same && e[i].begin < seen && e[i].end > e[i].begin)
            find(f, FINDING_OVERLAP, graft_dict_key(all, e[i].tensor),
                 "it shares some of its elements with %s", graft_dict_key(all, last->tensor));
        if (e[i].end > begin)
            shown += e[i].end - begin;
        if (!last || e[i].end > seen)
            last = &e[i];
        seen = e[i].end > seen ? e[i].end : seen;
    }
    if (count > 0 && e[0].storage_bytes > shown)
        find_waste(call, e[0].storage_bytes - shown, graft_dict_key(all, e[0].tensor), f);
}

int check_storages(cli_call *call, const graft_dict *all, findings *f)
{
    const int64_t tensors = graft_dict_len(all);
    extent *e = calloc((size_t)tensors + 1, sizeof *e);
    if (!e)
        return say_trouble(call, "out of memory");
    size_t count = 0;
    for (int64_t i = 0; i < tensors; i++)
        count += extent_of(all, i, &e[count]);
    qsort(e, count, sizeof *e, order);
    for (size_t begin = 0, end = 0; begin < count; begin = end) {
        while (end < count && e[end].storage == e[begin].storage)
            end++;
        look_at_storage(call, all, e + begin, end - begin, f);
    }
    free(e);
    return CLI_OK;
}
