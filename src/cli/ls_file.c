/* Reading the names of a file: which tensors are tied or share a storage, and their order. */
#include <stdlib.h>
#include <string.h>

#include "cli/dtype.h"
#include "cli/ls.h"
#include "cli/say.h"

/* ---- Storages ---- */

static int compare_uint(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

/* By storage, place, and all that makes elements the same; then by the order of the file. */
static int compare_place(const ls_entry *x, const ls_entry *y)
{
    const graft_tensor_info *const a = &x->info, *const b = &y->info;
    int c = compare_uint((uintptr_t)a->storage, (uintptr_t)b->storage);
    if (!c)
        c = compare_uint((uint64_t)a->storage_offset, (uint64_t)b->storage_offset);
    if (!c)
        c = compare_uint(a->dtype, b->dtype);
    if (!c)
        c = compare_uint((uint64_t)a->shape.ndim, (uint64_t)b->shape.ndim);
    const size_t ndim = (size_t)a->shape.ndim;
    if (!c)
        c = memcmp(a->shape.size, b->shape.size, ndim * sizeof *a->shape.size);
    return c ? c : memcmp(a->stride, b->stride, ndim * sizeof *a->stride);
}

static int compare_entries(const void *a, const void *b)
{
    const ls_entry *const x = *(ls_entry *const *)a, *const y = *(ls_entry *const *)b;
    const int c = compare_place(x, y);
    return c ? c : compare_uint((uint64_t)x->index, (uint64_t)y->index);
}

/* Bytes from the first element to behind the last, where the elements lie as strides say. */
static uint64_t extent(const graft_tensor_info *t)
{
    const uint64_t size = graft_dtype_size(t->dtype);
    uint64_t last = 0;
    if (size == 0 || t->bytes == 0) /* blocks are contiguous */
        return t->bytes;
    for (int i = 0; i < t->shape.ndim; i++)
        last += (uint64_t)(t->shape.size[i] - 1) * (uint64_t)t->stride[i];
    return (last + 1) * size;
}

static uint64_t place(const graft_tensor_info *t)
{
    return (uint64_t)t->storage_offset * graft_dtype_size(t->dtype);
}

/* One storage: `run` has its entries by their place. */
static void see_storage(ls_file *f, ls_entry **run, size_t count)
{
    uint64_t covered = 0, end = 0;
    int64_t first = run[0]->index;
    for (size_t i = 0; i < count; i++) {
        const uint64_t from = place(&run[i]->info), to = from + extent(&run[i]->info);
        if (run[i]->index < first)
            first = run[i]->index;
        covered += to > end ? to - (from > end ? from : end) : 0;
        end = to > end ? to : end;
        if (i > 0 && compare_place(run[i - 1], run[i]) == 0)
            run[i]->same = run[i - 1]->same >= 0 ? run[i - 1]->same : run[i - 1]->index;
    }
    for (size_t i = 0; i < count; i++)
        run[i]->shares = run[i]->index == first ? LS_NONE : first;
    const uint64_t all = run[0]->info.storage_bytes;
    f->wasted += all > covered ? all - covered : 0;
}

static bool see_storages(ls_file *f)
{
    ls_entry **const sorted = malloc((f->count + 1) * sizeof *sorted);
    if (!sorted)
        return false;
    for (size_t i = 0; i < f->count; i++)
        sorted[i] = &f->entries[i];
    qsort(sorted, f->count, sizeof *sorted, compare_entries);
    for (size_t begin = 0, end; begin < f->count; begin = end) {
        const void *const storage = sorted[begin]->info.storage;
        for (end = begin + 1; end < f->count && sorted[end]->info.storage == storage;)
            end++;
        see_storage(f, sorted + begin, end - begin);
    }
    free(sorted);
    int64_t storages = 0;
    for (size_t i = 0; i < f->count; i++) {
        ls_entry *const e = &f->entries[i];
        e->storage = e->shares == LS_NONE ? storages++ : f->entries[e->shares].storage;
    }
    return true;
}

/* ---- Opening ---- */

static bool read_entries(cli_call *call, ls_file *f)
{
    f->count = (size_t)graft_dict_len(f->flat);
    f->entries = calloc(f->count + 1, sizeof *f->entries);
    f->listed = calloc(f->count + 1, sizeof *f->listed);
    for (size_t i = 0; f->entries && i < f->count; i++) {
        ls_entry *const e = &f->entries[i];
        e->name = graft_dict_key(f->flat, (int64_t)i);
        e->index = (int64_t)i;
        e->same = e->shares = LS_NONE;
        graft_dict_tensor_info(f->flat, (int64_t)i, &e->info);
    }
    if (f->entries && f->listed && see_storages(f))
        return true;
    say(call, "%s: out of memory", open_name(f->path));
    return false;
}

bool ls_file_open(cli_call *call, const char *path, ls_file *f)
{
    if (!open_file(call, path, NULL, &f->file)) {
        ls_find_fault(call, f);
        open_tell(call, path);
        return false;
    }
    const ls_options *const o = call->options;
    graft_dict *const root = o->all ? graft_checkpoint_root(f->file.c) : open_root(f->file.c);
    f->flat = graft_dict_keep(graft_dict_flatten(root)); /* --all: as it lies in the file */
    if (!f->flat) {
        ls_find_fault(call, f);
        open_tell(call, path);
        return false;
    }
    return read_entries(call, f);
}

void ls_file_close(ls_file *f)
{
    for (size_t i = 0; i < f->finding_count; i++)
        free(f->findings[i].message);
    free(f->entries);
    free(f->listed);
    graft_dict_free(f->flat);
    open_close(&f->file);
}

/* ---- Order ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Runs of digits are compared as numbers. */
static int compare_names(const char *a, const char *b)
{
    while (*a && *b) {
        if (is_digit(*a) && is_digit(*b)) {
            while (*a == '0' && is_digit(a[1]))
                a++;
            while (*b == '0' && is_digit(b[1]))
                b++;
            const size_t n = strspn(a, "0123456789"), m = strspn(b, "0123456789");
            const int c = n != m ? (n < m ? -1 : 1) : memcmp(a, b, n);
            if (c)
                return c;
            a += n;
            b += m;
        } else if (*a != *b) {
            return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
        } else {
            a++;
            b++;
        }
    }
    return *a ? 1 : *b ? -1 : 0;
}

static int compare_shapes(const graft_shape *a, const graft_shape *b)
{
    if (a->ndim != b->ndim)
        return a->ndim < b->ndim ? -1 : 1;
    for (int i = 0; i < a->ndim; i++)
        if (a->size[i] != b->size[i])
            return a->size[i] < b->size[i] ? -1 : 1;
    return 0;
}

typedef struct sorting {
    const ls_entry *entries;
    const ls_options *options;
} sorting;

static int compare_listed(const void *a, const void *b, void *user)
{
    const sorting *const s = user;
    const ls_entry *const x = &s->entries[*(const size_t *)a], *const y =
                                                                   &s->entries[*(const size_t *)b];
    const ls_order by = (ls_order)s->options->sort;
    int c = by == LS_BY_NAME    ? compare_names(x->name, y->name)
            : by == LS_BY_SIZE  ? compare_uint(y->info.bytes, x->info.bytes)
            : by == LS_BY_SHAPE ? compare_shapes(&x->info.shape, &y->info.shape)
                                : 0;
    if (!c)
        c = compare_uint((uint64_t)x->index, (uint64_t)y->index);
    return s->options->reverse ? -c : c;
}

/* All names are, if no globs say which. */
static bool is_listed(const cli_texts *globs, const char *name)
{
    bool listed = globs->count == 0;
    for (size_t i = 0; i < globs->count && !listed; i++)
        listed = graft_glob(globs->at[i], name);
    return listed;
}

bool ls_file_list(cli_call *call, ls_file *f)
{
    const ls_options *const o = call->options;
    for (size_t i = 0; i < f->count; i++)
        if ((f->entries[i].listed = is_listed(&o->names, f->entries[i].name)))
            f->listed[f->listed_count++] = i;
    sorting s = {f->entries, o};
    qsort_r(f->listed, f->listed_count, sizeof *f->listed, compare_listed, &s);
    if (o->names.count && f->listed_count == 0 && f->count)
        say_note(call, "%s: no name matches", open_name(f->path));
    return true;
}

ls_totals ls_count(const ls_file *f)
{
    ls_totals t = {.names = f->listed_count};
    for (size_t i = 0; i < f->listed_count; i++) {
        const ls_entry *const e = &f->entries[f->listed[i]];
        /* A tie whose first name is not listed counts. */
        const bool tied = e->same != LS_NONE && f->entries[e->same].listed;
        t.tied += tied;
        t.elements += tied ? 0 : (uint64_t)shape_elements(&e->info.shape);
        t.bytes += tied ? 0 : e->info.bytes;
    }
    return t;
}

const char *ls_name(const ls_entry *e)
{
    return *e->name ? e->name : "\"\"";
}
