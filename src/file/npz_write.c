/* Writing npz: an npy of each tensor, as numpy.savez has them, stored and aligned. */
#include <string.h>

#include "file/elements.h"
#include "file/npy.h"
#include "file/tensor_list.h"
#include "file/writing.h"
#include "file/zip_parts.h"

enum { ALIGN = 64 };

/* What the parts of the writer share. */
typedef struct npz {
    graft__writing *w;
    graft__text begin; /* of errors */
    graft__tensor_list list;
    graft__text name; /* of the member that is written */
    graft__zip_writer *zip;
} npz;

/* The name of the member of tensor i, valid until the next; NULL with the error set. */
static const char *member_name(npz *z, size_t i)
{
    graft__text_cut(&z->name, 0);
    graft__text_addn(&z->name, graft__listed_name(&z->list, i), z->list.item[i].length);
    graft__text_add(&z->name, ".npy");
    if (!z->name.failed)
        return z->name.data;
    graft__fail_memory(z->w->g, z->list.item[i].length, z->w->op);
    return NULL;
}

static graft_status check_tensor(npz *z, size_t i)
{
    const graft_tensor *t = z->list.item[i].tensor;
    const char *shown = graft__listed_name(&z->list, i), *name = member_name(z, i);
    if (!name)
        return GRAFT_ERR_MEMORY;
    const char *bad = z->list.item[i].length == 0 ? "an empty name"
                      : z->name.length > 0xFFFF   ? "a name of more than 65,531 bytes"
                                                  : graft__zip_name_fault(name, z->name.length);
    if (bad)
        return graft__fail(z->w->g, GRAFT_ERR_NAME, "%s: '%.200s': %s, which an npz can't have",
                           z->begin.data, shown, bad);
    if (!graft__npy_has(t->dtype))
        return graft__fail(z->w->g, GRAFT_ERR_DTYPE,
                           "%s: %.200s: numpy has no %s: expected another dtype (graft_to), or "
                           "another format",
                           z->begin.data, shown, graft_dtype_name(t->dtype));
    z->w->total += graft__element_bytes(t);
    return GRAFT_OK;
}

static graft_status write_part(void *user, const void *bytes, size_t size)
{
    npz *z = user;
    graft_status status = graft__zip_write(z->zip, bytes, size);
    return status == GRAFT_OK ? graft__written(z->w, size) : status;
}

static graft_status write_tensor(npz *z, size_t i)
{
    const char *name = member_name(z, i);
    const graft_tensor *t = z->list.item[i].tensor;
    if (!name)
        return graft_error_status(z->w->g);
    char header[GRAFT__NPY_HEADER];
    size_t size = graft__npy_make_header(t, header);
    graft_status status = graft__zip_begin(z->zip, name, size + graft__element_bytes(t), ALIGN);
    if (status == GRAFT_OK)
        status = graft__zip_write(z->zip, header, size);
    if (status == GRAFT_OK)
        status = graft__each_part(z->w->g, t, write_part, z);
    if (status == GRAFT_OK)
        status = graft__zip_end(z->zip);
    z->w->report.tensors++;
    z->w->report.storages++;
    return status;
}

static graft_status write_members(npz *z, graft__save *save)
{
    z->zip = graft__zip_writer_new(z->w->g, z->w->op, save);
    if (!z->zip)
        return graft_error_status(z->w->g);
    graft_status status = GRAFT_OK;
    for (size_t i = 0; i < z->list.count && status == GRAFT_OK; i++)
        status = write_tensor(z, i);
    if (status == GRAFT_OK)
        return graft__zip_finish(z->zip);
    graft__zip_writer_free(z->zip);
    return status;
}

static graft_status write_file(npz *z)
{
    graft__save *save = graft__save_begin(z->w->g, z->w->op, z->w->path);
    if (!save)
        return graft_error_status(z->w->g);
    graft_status status = write_members(z, save);
    if (status != GRAFT_OK) {
        graft__save_abort(save);
        return status;
    }
    z->w->report.files = 1;
    z->w->report.bytes = graft__save_offset(save);
    return graft__save_commit(save, z->w->options.sync);
}

graft_status graft__write_npz(graft__writing *w)
{
    npz z = {.w = w};
    graft__text_init(&z.begin, w->g);
    graft__text_init(&z.name, w->g);
    graft__text_addf(&z.begin, "%s: %s", w->op, w->path);
    graft_status status = z.begin.failed ? graft__fail_memory(w->g, strlen(w->path), w->op)
                                         : graft__tensor_list_of(w->dict, z.begin.data, &z.list);
    if (status == GRAFT_OK) {
        status = graft__tensor_list_sort(&z.list, z.begin.data);
        for (size_t i = 0; i < z.list.count && status == GRAFT_OK; i++)
            status = check_tensor(&z, i);
        if (status == GRAFT_OK)
            status = write_file(&z);
        graft__tensor_list_free(&z.list);
    }
    graft__text_free(&z.begin);
    graft__text_free(&z.name);
    return status;
}
