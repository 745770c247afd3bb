#include "file/inflate_prefix.h"
#include "file/npy.h"
#include "file/zip.h"

#include <string.h>

static const char extension[] = ".npy";

static bool ends_in_npy(const char *name, uint64_t length)
{
    return length >= 4 && memcmp(name + length - 4, extension, 4) == 0;
}

/* What tells an npz from the archives of PyTorch: the name of its first member. An archive without
 * members is what numpy.savez writes without arrays. */
static bool matches(const graft__source *s)
{
    if (s->size < 22 || memcmp(s->bytes, "PK", 2) != 0)
        return false;
    if (memcmp(s->bytes + 2, "\5\6", 2) == 0)
        return true;
    if (memcmp(s->bytes + 2, "\3\4", 2) != 0 || s->size < 30)
        return false;
    uint64_t length = graft__le16(s->bytes + 26);
    return length <= s->size - 30 && ends_in_npy((const char *)s->bytes + 30, length);
}

/* The header of a deflated member: as many of its bytes as the header has are inflated. */
static graft_status read_deflated(graft__reading *r, const graft__zip_member *m, graft__npy *npy)
{
    unsigned char start[GRAFT__NPY_START];
    const unsigned char *deflated = r->source->bytes + m->offset;
    uint64_t have = m->size < sizeof start ? m->size : sizeof start;
    if (!graft__inflate_prefix(deflated, m->stored, start, have))
        return graft__fault(r, GRAFT_FAULT_ZIP_INFLATE, (int64_t)m->offset,
                            "deflated data that is none");
    uint64_t end = graft__npy_header_end(start, have);
    if (end == 0 || end > m->size)
        return graft__npy_header(r, start, have, m->size, npy); /* which says what is wrong */
    if (!graft__charge(r, end))
        return graft_error_status(r->g);
    unsigned char *header = graft__alloc(r->g, (size_t)end);
    if (!header)
        return graft__fail_memory(r->g, (size_t)end, r->op);
    graft_status status = graft__inflate_prefix(deflated, m->stored, header, end)
                              ? graft__npy_header(r, header, end, m->size, npy)
                              : graft__fault(r, GRAFT_FAULT_ZIP_INFLATE, (int64_t)m->offset,
                                             "deflated data that is none");
    graft__free(r->g, header, (size_t)end);
    return status;
}

/* name: of the member, 0-terminated. */
static graft_status read_member(graft__reading *r, graft_dict *root, const graft__zip_member *m,
                                const char *name)
{
    graft__npy npy;
    graft_status status =
        m->deflated ? read_deflated(r, m, &npy)
                    : graft__npy_header(r, r->source->bytes + m->offset, m->size, m->size, &npy);
    if (status != GRAFT_OK)
        return status;
    graft__piece piece = graft__zip_piece(m, name);
    piece.skip = npy.data;
    piece.size = npy.bytes;
    piece.swap = npy.swap;
    piece.align = npy.align;
    graft_tensor *t = graft__piece_tensor(r, &piece, npy.dtype, npy.ndim, npy.size, npy.stride);
    if (!t)
        return graft_error_status(r->g);
    const graft__name key = {.text = name, .length = m->name_length - 4, .offset = -1};
    return graft__put_named(r, root, "array", &key, graft__tensor_value(t));
}

static graft_status read_named(graft__reading *r, graft_dict *root, const graft__zip_member *m)
{
    const graft__name name = {
        .text = m->name, .length = m->name_length, .offset = (int64_t)m->header};
    if (m->size == 0 && m->name_length > 0 && m->name[m->name_length - 1] == '/')
        return GRAFT_OK; /* a folder */
    graft_status status = graft__check_name(r, "member", &name);
    if (status != GRAFT_OK)
        return status;
    if (!ends_in_npy(m->name, m->name_length))
        return graft__fault(r, GRAFT_FAULT_UNSUPPORTED, (int64_t)m->header,
                            "a member '%.*s': expected names that end in .npy", GRAFT__NAME(&name));
    size_t size = (size_t)m->name_length + 1;
    char *text = graft__alloc(r->g, size);
    if (!text)
        return graft__fail_memory(r->g, size, r->op);
    memcpy(text, m->name, m->name_length);
    text[m->name_length] = 0;
    r->member = text;
    status = read_member(r, root, m, text);
    r->member = NULL;
    graft__free(r->g, text, size);
    return status;
}

static graft_dict *read_npz(graft__reading *r)
{
    graft__zip zip;
    if (graft__zip_open(r, &zip) != GRAFT_OK)
        return NULL;
    graft_dict *root = graft__dict_new(r->g);
    graft_status status = root ? GRAFT_OK : GRAFT_ERR_MEMORY;
    for (size_t i = 0; i < zip.count && status == GRAFT_OK; i++)
        status = read_named(r, root, &zip.member[i]);
    graft__zip_close(&zip);
    if (status == GRAFT_OK)
        return root;
    graft__dict_unref(root);
    return NULL;
}

const graft__format graft__format_npz = {GRAFT_FORMAT_NPZ, matches, read_npz};
