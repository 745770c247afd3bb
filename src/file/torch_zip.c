/* torch.save's ZIP form, and torch.jit.save's, which is told by its constants.pkl. */
#include "file/torch.h"

#include <string.h>

#include "base/text.h"

static bool matches(const graft__source *s)
{
    static const char preview[] = "PYTORCH1";
    if (s->size >= 8 && memcmp(s->bytes, preview, 8) == 0)
        return true;
    if (s->size < 30 || memcmp(s->bytes, "PK\3\4", 4) != 0)
        return false;
    const uint64_t length = graft__le16(s->bytes + 26);
    const char *name = (const char *)s->bytes + 30;
    const bool is_npz =
        length >= 4 && length <= s->size - 30 && memcmp(name + length - 4, ".npy", 4) == 0;
    return !is_npz;
}

/* ---- The root folder ---- */

static bool ends_in(const graft__zip_member *m, const char *end)
{
    const size_t length = strlen(end);
    return m->name_length >= length && memcmp(m->name + m->name_length - length, end, length) == 0;
}

/* PyTorch's rule is that of the first member; what others wrote may begin with anything. */
static graft_status find_root(graft__torch_archive *a)
{
    static const char pickle[] = "data.pkl";
    const size_t length = sizeof pickle - 1;
    const graft__zip *z = &a->zip;
    if (z->count > 0) {
        const char *name = z->member[0].name;
        const char *slash = memchr(name, '/', z->member[0].name_length);
        a->root = name;
        a->root_length = slash ? (size_t)(slash - name) + 1 : 0;
        const graft__zip_member *m;
        const graft_status status = graft__torch_archive_find(a, pickle, &m);
        if (status != GRAFT_OK || m)
            return status;
    }
    for (size_t i = 0; i < z->count; i++) {
        const graft__zip_member *m = &z->member[i];
        if (!ends_in(m, pickle) ||
            (m->name_length > length && m->name[m->name_length - length - 1] != '/'))
            continue;
        a->root = m->name;
        a->root_length = m->name_length - length;
        return GRAFT_OK;
    }
    return graft__fault(a->r, GRAFT_FAULT_MEMBER_MISSING, -1,
                        "a ZIP archive of %zu members without data.pkl: nothing that torch.save "
                        "wrote",
                        z->count);
}

graft_status graft__torch_archive_find(graft__torch_archive *a, const char *name,
                                       const graft__zip_member **out)
{
    graft__text text;
    graft__text_init(&text, a->r->g);
    graft__text_addn(&text, a->root, a->root_length);
    graft__text_add(&text, name);
    const bool failed = text.failed;
    *out = failed ? NULL : graft__zip_find(&a->zip, text.data, text.length);
    graft__text_free(&text);
    return failed ? graft__fail_memory(a->r->g, a->root_length + strlen(name), a->r->op) : GRAFT_OK;
}

/* ---- What the file says about itself ---- */

/* Reads a small member into the metadata; does nothing if it is not there. */
static graft_status tell(graft__torch_archive *a, const char *member, const char *key)
{
    const graft__zip_member *m;
    graft_status status = graft__torch_archive_find(a, member, &m);
    if (status != GRAFT_OK || !m)
        return status;
    graft__zip_bytes bytes;
    a->r->member = member;
    status = graft__zip_read(a->r, m, &bytes);
    if (status != GRAFT_OK)
        return status;
    if (bytes.size > 4096)
        status = graft__fault(a->r, GRAFT_FAULT_UNSUPPORTED, -1, "%zu bytes: expected a few",
                              bytes.size);
    else if (!graft__torch_tell(a->r, key, (const char *)bytes.bytes, bytes.size))
        status = graft_error_status(a->r->g);
    graft__zip_release(a->r->g, &bytes);
    if (status == GRAFT_OK)
        a->r->member = NULL;
    return status;
}

static const char *told(const graft__torch_archive *a, const char *key)
{
    const int64_t i = graft_dict_find(a->r->metadata, key);
    return i < 0 ? NULL : graft_dict_string_at(a->r->metadata, i);
}

static graft_status check_version(graft__torch_archive *a)
{
    const char *version = told(a, "version");
    if (!version)
        return GRAFT_OK;
    const size_t length = strlen(version);
    const bool is_number = length > 0 && strspn(version, "0123456789") == length;
    if (is_number && version[0] != '0' && (length == 1 || strcmp(version, "10") == 0))
        return GRAFT_OK;
    return graft__fault(a->r, GRAFT_FAULT_UNSUPPORTED, -1, "version %.20s: expected 1 to 10",
                        version);
}

static bool machine_is_little(void)
{
    const uint16_t one = 1;
    unsigned char first;
    memcpy(&first, &one, 1);
    return first == 1;
}

static graft_status check_byteorder(graft__torch_archive *a)
{
    const char *order = told(a, "byteorder");
    const bool little = !order || strcmp(order, "little") == 0;
    a->swap = little != machine_is_little();
    if (little || strcmp(order, "big") == 0)
        return GRAFT_OK;
    return graft__fault(a->r, GRAFT_FAULT_UNSUPPORTED, -1,
                        "byteorder %.20s: expected little or big", order);
}

/* Whether the work goes on in spite of an error: for salvage, if it is about the file. */
static bool pass_over_fault(graft__reading *r)
{
    if (!r->lenient || graft_error_fault(r->g) == GRAFT_FAULT_NONE)
        return false;
    graft_clear_error(r->g);
    r->member = NULL;
    return true;
}

static graft_status read_about(graft__torch_archive *a)
{
    static const char *const members[][2] = {
        {"version", "version"},
        {".data/version", "version"},
        {"byteorder", "byteorder"},
        {".format_version", "format_version"},
        {".storage_alignment", "storage_alignment"},
        {".data/serialization_id", "serialization_id"},
    };
    const size_t length = a->root_length > 0 ? a->root_length - 1 : 0;
    if (!graft__torch_tell(a->r, "root", a->root, length))
        return graft_error_status(a->r->g);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const graft_status status = tell(a, members[i][0], members[i][1]);
        if (status != GRAFT_OK && !pass_over_fault(a->r))
            return status;
    }
    const graft_status status = check_version(a);
    return status == GRAFT_OK ? check_byteorder(a) : status;
}

/* ---- Storages ---- */

/* The storage of the member `path`, which is below the root; m: NULL if there is none. */
static graft__storage *storage_of(graft__torch_archive *a, const graft__torch_wanted *w,
                                  const char *path, const graft__zip_member *m)
{
    if (a->r->lenient && (!m || m->size != w->bytes))
        return graft__lost_storage(a->r, w->bytes, path + a->root_length);
    if (!m) {
        graft__fault(a->r, GRAFT_FAULT_MEMBER_MISSING, a->r->pickle_offset,
                     "storage %s: there is no member %s", w->key, path);
        return NULL;
    }
    if (m->size != w->bytes) {
        graft__fault(a->r, GRAFT_FAULT_STORAGE, a->r->pickle_offset,
                     "storage %s of %lld elements of %s: its member has %llu bytes: expected %llu",
                     w->key, (long long)w->numel, w->type->name, (unsigned long long)m->size,
                     (unsigned long long)w->bytes);
        return NULL;
    }
    graft__piece piece = graft__zip_piece(m, m->name + a->root_length);
    piece.member_length = m->name_length - (uint32_t)a->root_length;
    piece.folder = (uint32_t)a->root_length;
    piece.align = GRAFT__TORCH_ALIGN;
    piece.swap = a->swap ? graft__torch_swap(w->type->dtype) : 0;
    return graft__piece_storage(a->r, &piece);
}

static graft__storage *make_storage(void *user, const graft__torch_wanted *w)
{
    graft__torch_archive *a = user;
    const size_t folder = strlen(a->folder), key = strlen(w->key);
    const size_t length = a->root_length + folder + 1 + key;
    char usual[256];
    char *path = length < sizeof usual ? usual : graft__alloc(a->r->g, length + 1);
    if (!path) {
        graft__fail_memory(a->r->g, length + 1, a->r->op);
        return NULL;
    }
    memcpy(path, a->root, a->root_length);
    memcpy(path + a->root_length, a->folder, folder);
    path[a->root_length + folder] = '/';
    memcpy(path + length - key, w->key, key + 1);
    graft__storage *s = storage_of(a, w, path, graft__zip_find(&a->zip, path, length));
    if (path != usual)
        graft__free(a->r->g, path, length + 1);
    return s;
}

/* ---- Reading ---- */

graft_status graft__torch_archive_value(graft__torch_archive *a, const char *pickle,
                                        const char *folder, graft__value *out)
{
    const graft__zip_member *m;
    graft_status status = graft__torch_archive_find(a, pickle, &m);
    if (status == GRAFT_OK && !m)
        status = graft__fault(a->r, GRAFT_FAULT_MEMBER_MISSING, -1, "there is no %s", pickle);
    if (status != GRAFT_OK)
        return status;
    graft__zip_bytes bytes;
    a->r->member = pickle;
    status = graft__zip_read(a->r, m, &bytes);
    if (status != GRAFT_OK)
        return status;
    a->folder = folder;
    if (graft__torch_storages_open(&a->storages, a->r, make_storage, a)) {
        const graft__pickle_host host = {&a->storages, graft__torch_persistent};
        size_t at = 0;
        status = graft__pickle_read(a->r, &host, bytes.bytes, bytes.size, &at, out);
        graft__torch_storages_close(&a->storages);
    } else {
        status = GRAFT_ERR_MEMORY;
    }
    graft__zip_release(a->r->g, &bytes);
    if (status == GRAFT_OK)
        a->r->member = NULL;
    return status;
}

static graft_dict *read_archive(graft__torch_archive *a)
{
    graft__value value;
    const graft__zip_member *script;
    if (find_root(a) != GRAFT_OK || read_about(a) != GRAFT_OK ||
        graft__torch_archive_find(a, "constants.pkl", &script) != GRAFT_OK)
        return NULL;
    if (script)
        a->r->format = GRAFT_FORMAT_TORCHSCRIPT;
    if (graft__torch_archive_value(a, "data.pkl", "data", &value) != GRAFT_OK)
        return NULL;
    graft_dict *root = graft__torch_root(a->r, &value);
    if (root && script && graft__torch_script_constants(a, root) != GRAFT_OK) {
        graft__dict_unref(root);
        return NULL;
    }
    return root;
}

/* Opens the archive. Where the file is mapped a local header costs a page of it, and is looked at
 * when its member is used; not where all is to be verified, or saved. */
static graft_status open_zip(graft__reading *r, graft__zip *zip)
{
    const bool all = r->options.verify == GRAFT_VERIFY_OPEN || r->lenient;
    return r->source->mapped && !all ? graft__zip_open_lazily(r, zip) : graft__zip_open(r, zip);
}

static graft_dict *read_zip(graft__reading *r)
{
    if (r->source->size >= 2 && memcmp(r->source->bytes, "PY", 2) == 0) {
        graft__fault(r, GRAFT_FAULT_UNSUPPORTED, 0,
                     "a file of a preview of PyTorch 1.0 (PYTORCH1), which nothing reads any more");
        return NULL;
    }
    graft__torch_archive a = {.r = r};
    if (open_zip(r, &a.zip) != GRAFT_OK &&
        !(pass_over_fault(r) && graft__zip_scan(r, &a.zip, NULL) == GRAFT_OK))
        return NULL;
    graft_dict *root = read_archive(&a);
    graft__zip_close(&a.zip);
    return root;
}

const graft__format graft__format_pt = {GRAFT_FORMAT_PT, matches, read_zip};
