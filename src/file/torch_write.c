/* The archive: the members that PyTorch 1.13 reads, with those of 2.x that it passes over. The same
 * dict gives the same bytes, under whatever name: the root is always "archive". */
#include "file/torch_write.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "file/elements.h"
#include "file/zip.h"

enum { ALIGN = 64 };

typedef struct archive {
    graft__torch_out out;
    graft__zip_writer *zip;
    uint64_t hash[2]; /* of sizes and checksums so far */
} archive;

static graft_status end_member(archive *a, uint64_t size)
{
    const graft_status status = graft__zip_end(a->zip);
    if (status != GRAFT_OK)
        return status;
    const uint64_t facts[2] = {size, graft__zip_crc(a->zip)};
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < 2; k++) {
            a->hash[k] = (a->hash[k] ^ facts[i]) * 0x9E3779B97F4A7C15;
            a->hash[k] ^= a->hash[k] >> 32;
        }
    return GRAFT_OK;
}

static graft_status put_text(archive *a, const char *name, const char *text)
{
    const size_t size = strlen(text);
    graft_status status = graft__zip_begin(a->zip, name, size, ALIGN);
    if (status == GRAFT_OK)
        status = graft__zip_write(a->zip, text, size);
    return status == GRAFT_OK ? end_member(a, size) : status;
}

static graft_status sink(void *user, const void *bytes, size_t size)
{
    return graft__zip_write(((archive *)user)->zip, bytes, size);
}

/* Its size has to be known before it is written, so it is made twice. */
static graft_status put_pickle(archive *a)
{
    uint64_t size, again;
    graft_status status = graft__torch_pickle(&a->out, NULL, NULL, &size);
    if (status == GRAFT_OK)
        status = graft__zip_begin(a->zip, "archive/data.pkl", size, ALIGN);
    if (status == GRAFT_OK)
        status = graft__torch_pickle(&a->out, sink, a, &again);
    return status == GRAFT_OK ? end_member(a, size) : status;
}

static graft_status write_part(void *user, const void *bytes, size_t size)
{
    archive *a = user;
    const graft_status status = graft__zip_write(a->zip, bytes, size);
    return status == GRAFT_OK ? graft__written(a->out.w, size) : status;
}

static graft_status put_storage(archive *a, size_t number)
{
    graft__writing *w = a->out.w;
    const graft__torch_span *s = &a->out.span[number];
    const uint64_t size = s->end - s->begin;
    char name[48];
    snprintf(name, sizeof name, "archive/data/%zu", number);
    graft_status status = graft__zip_begin(a->zip, name, size, w->options.alignment);
    if (status == GRAFT_OK)
        status = graft__each_storage_part(w->g, s->storage, s->begin, s->end, write_part, a);
    return status == GRAFT_OK ? end_member(a, size) : status;
}

static graft_status put_members(archive *a)
{
    const bool big = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
    graft_status status = put_pickle(a);
    if (status == GRAFT_OK)
        status = put_text(a, "archive/byteorder", big ? "big" : "little");
    for (size_t i = 0; i < a->out.count && status == GRAFT_OK; i++)
        status = put_storage(a, i);
    if (status == GRAFT_OK)
        status = put_text(a, "archive/version", "3\n");
    if (status != GRAFT_OK)
        return status;
    char id[48];
    snprintf(id, sizeof id, "%020" PRIu64 "%020" PRIu64, a->hash[0], a->hash[1]);
    return put_text(a, "archive/.data/serialization_id", id);
}

static graft_status put_archive(archive *a, graft__save *save)
{
    graft__writing *w = a->out.w;
    a->zip = graft__zip_writer_new(w->g, w->op, save);
    if (!a->zip)
        return graft_error_status(w->g);
    const graft_status status = put_members(a);
    if (status == GRAFT_OK)
        return graft__zip_finish(a->zip);
    graft__zip_writer_free(a->zip);
    return status;
}

static graft_status put_file(archive *a)
{
    graft__writing *w = a->out.w;
    graft_status status = graft__written(w, 0);
    if (status != GRAFT_OK)
        return status;
    graft__save *save = graft__save_begin(w->g, w->op, w->path);
    if (!save)
        return graft_error_status(w->g);
    status = put_archive(a, save);
    if (status != GRAFT_OK) {
        graft__save_abort(save);
        return status;
    }
    w->report.files = 1;
    w->report.bytes = graft__save_offset(save);
    return graft__save_commit(save, w->options.sync);
}

/* A dict with the one key "" is how a value alone is read. */
static const graft__value *root_of(graft__torch_out *o)
{
    const graft_dict *d = o->w->dict;
    o->as_root = (graft__value){.kind = d->container, .dict = (graft_dict *)d};
    if (d->container == GRAFT_VALUE_DICT && !d->class_name && !d->attributes && d->count == 1 &&
        d->entry[0].key.kind == GRAFT_VALUE_STRING && d->entry[0].key.text.length == 0)
        return &d->entry[0].value;
    return &o->as_root;
}

graft_status graft__write_pt(graft__writing *w)
{
    archive a = {.out = {.w = w}, .hash = {1, 2}};
    graft__map_init(&a.out.spans, w->g);
    a.out.root = root_of(&a.out);
    graft_status status = graft__torch_see(&a.out);
    if (status == GRAFT_OK)
        status = put_file(&a);
    graft__map_free(&a.out.spans);
    graft__free(w->g, a.out.span, a.out.capacity * sizeof *a.out.span);
    return status;
}
