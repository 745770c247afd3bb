/* torch.save's first form: a tar of three members, in which tensors go by number. */
#include "file/torch.h"

#include <string.h>

enum { BLOCK = 512 };

/* ---- The archive ---- */

typedef struct part {
    const char *name;
    const unsigned char *bytes; /* NULL: it is not there */
    size_t size;
} part;

/* Octal digits, with spaces before and a space or 0 behind; false if it is no such thing. */
static bool octal(const unsigned char *field, size_t size, uint64_t *out)
{
    size_t i = 0;
    while (i < size && field[i] == ' ')
        i++;
    const size_t first = i;
    uint64_t value = 0;
    for (; i < size && field[i] >= '0' && field[i] <= '7'; i++)
        value = value << 3 | (uint64_t)(field[i] - '0'); /* 12 digits at most */
    *out = value;
    return i > first && (i == size || field[i] == ' ' || field[i] == 0);
}

/* Sizes beyond 8 GiB are 8 bytes big-endian behind a mark. */
static bool member_size(const unsigned char *header, uint64_t *out)
{
    const unsigned char *field = header + 124;
    if (field[0] != 0x80)
        return octal(field, 12, out);
    *out = 0;
    for (int i = 4; i < 12; i++)
        *out = *out << 8 | field[i];
    return field[1] == 0 && field[2] == 0 && field[3] == 0;
}

static bool is_header(const unsigned char *header)
{
    uint64_t wanted, sum = 0;
    for (size_t i = 0; i < BLOCK; i++)
        sum += i >= 148 && i < 156 ? ' ' : header[i];
    return header[0] != 0 && octal(header + 148, 8, &wanted) && wanted == sum;
}

static bool matches(const graft__source *s)
{
    return s->size >= BLOCK && is_header(s->bytes);
}

static graft_status find_parts(graft__reading *r, part *parts, size_t count)
{
    const graft__source *s = r->source;
    uint64_t at = 0;
    while (s->size - at >= BLOCK && s->bytes[at] != 0) {
        const unsigned char *header = s->bytes + at;
        uint64_t size;
        if (!is_header(header) || !member_size(header, &size))
            return graft__fault(r, GRAFT_FAULT_TAR, (int64_t)at, "a tar header that is none");
        at += BLOCK;
        if (size > s->size - at)
            return graft__fault(r, GRAFT_FAULT_TRUNCATED, (int64_t)at,
                                "the file ends within a member of %llu bytes",
                                (unsigned long long)size);
        const bool is_file = header[156] == '0' || header[156] == 0;
        for (size_t i = 0; i < count && is_file; i++)
            if (strncmp((const char *)header, parts[i].name, 100) == 0) {
                parts[i].bytes = s->bytes + at;
                parts[i].size = (size_t)size;
            }
        at += size;
        const uint64_t rest = (BLOCK - size % BLOCK) % BLOCK;
        at += rest < s->size - at ? rest : s->size - at;
    }
    for (size_t i = 0; i < count; i++)
        if (!parts[i].bytes)
            return graft__fault(r, GRAFT_FAULT_MEMBER_MISSING, -1,
                                "a tar archive without %s: nothing that torch.save wrote",
                                parts[i].name);
    return GRAFT_OK;
}

/* ---- Storages and tensors by their numbers ---- */

typedef struct tar {
    graft__reading *r;
    const part *part; /* that is being read */
    size_t at;
    graft_dict *objects; /* INT -> TENSOR: storages (1-d) and tensors */
} tar;

static void enter(tar *t, const part *p)
{
    t->part = p;
    t->at = 0;
    t->r->member = p->name;
}

static graft_status next_pickle(tar *t, const graft__pickle_host *host, graft__value *out)
{
    return graft__pickle_read(t->r, host, t->part->bytes, t->part->size, &t->at, out);
}

static graft_status truncated(const tar *t)
{
    return graft__fault(t->r, GRAFT_FAULT_TRUNCATED, (int64_t)t->at, "the member ends here");
}

static graft_status next_count(tar *t, int64_t *out)
{
    graft__value v;
    const graft_status status = next_pickle(t, NULL, &v);
    if (status != GRAFT_OK)
        return status;
    const bool is_count = v.kind == GRAFT_VALUE_INT && v.integer >= 0;
    *out = is_count ? v.integer : 0;
    graft__value_drop(t->r->g, &v);
    return is_count ? GRAFT_OK
                    : graft__fault(t->r, GRAFT_FAULT_PICKLE_VALUE, 0, "the count is none");
}

/* A tuple of n parts; the caller's. */
static graft_status next_tuple(tar *t, size_t n, graft__value *out)
{
    const int64_t at = (int64_t)t->at;
    const graft_status status = next_pickle(t, NULL, out);
    if (status != GRAFT_OK)
        return status;
    if ((out->kind == GRAFT_VALUE_TUPLE || out->kind == GRAFT_VALUE_LIST) && out->dict->count == n)
        return GRAFT_OK;
    graft__value_drop(t->r->g, out);
    return graft__fault(t->r, GRAFT_FAULT_PICKLE_VALUE, at, "expected a tuple of %zu", n);
}

static graft_tensor *find(const tar *t, const graft__value *number)
{
    if (number->kind != GRAFT_VALUE_INT)
        return NULL;
    const graft__key key = graft__int_key(number->integer);
    const int64_t i = graft__dict_find_key(t->objects, &key);
    return i < 0 ? NULL : t->objects->entry[i].value.tensor;
}

/* Takes made over. */
static graft_status keep(tar *t, const graft__value *number, graft_tensor *made)
{
    if (number->kind != GRAFT_VALUE_INT || find(t, number)) {
        graft__tensor_unref(made);
        return graft__fault(t->r, GRAFT_FAULT_STORAGE, (int64_t)t->at,
                            "the key of a storage or tensor is %s",
                            number->kind == GRAFT_VALUE_INT ? "there twice" : "no integer");
    }
    if (!graft__charge(t->r, 1024)) {
        graft__tensor_unref(made);
        return graft_error_status(t->r->g);
    }
    return graft__dict_append(t->objects, t->r->op, graft__int_value(number->integer),
                              graft__tensor_value(made));
}

/* The bytes behind the pickle of a storage: its length, its elements. */
static graft_status storage_bytes(tar *t, graft_dtype dtype, graft_tensor **out)
{
    const part *p = t->part;
    const uint64_t width = graft_dtype_size(dtype);
    if (p->size - t->at < 8)
        return truncated(t);
    const uint64_t numel = graft__le64(p->bytes + t->at);
    t->at += 8;
    if (numel > (p->size - t->at) / width)
        return truncated(t);
    const graft__piece piece = {
        .offset = (uint64_t)(p->bytes - t->r->source->bytes) + t->at,
        .stored = numel * width,
        .size = numel * width,
        .align = GRAFT__TORCH_ALIGN,
        .member = p->name,
    };
    const int64_t size = (int64_t)numel;
    graft__storage *s = graft__piece_storage(t->r, &piece);
    *out = s ? graft__tensor_over(s, dtype, 1, &size, NULL, 0) : NULL;
    if (!*out)
        return graft_error_status(t->r->g);
    t->at += (size_t)piece.size;
    return GRAFT_OK;
}

/* (key, location, class) */
static graft_status read_storage(tar *t)
{
    graft__value id;
    graft_tensor *made = NULL;
    graft_status status = next_tuple(t, 3, &id);
    if (status != GRAFT_OK)
        return status;
    const graft__torch_class *type = graft__torch_class_of(&id.dict->entry[2].value);
    if (type)
        status = storage_bytes(t, type->dtype, &made);
    else
        status = graft__fault(t->r, GRAFT_FAULT_DTYPE, (int64_t)t->at,
                              "a storage of a class that is none");
    if (status == GRAFT_OK)
        status = keep(t, &id.dict->entry[0].value, made);
    graft__value_drop(t->r->g, &id);
    return status;
}

/* (key, key of the whole, offset, numel) */
static graft_status read_view(tar *t, const graft__value *v)
{
    if (v->kind != GRAFT_VALUE_TUPLE || v->dict->count != 4)
        return graft__fault(t->r, GRAFT_FAULT_PICKLE_VALUE, (int64_t)t->at,
                            "a view of a storage that is no tuple of 4");
    const graft__entry *e = v->dict->entry;
    const graft_tensor *root = find(t, &e[1].value);
    if (!root || e[2].value.kind != GRAFT_VALUE_INT || e[3].value.kind != GRAFT_VALUE_INT)
        return graft__fault(t->r, GRAFT_FAULT_STORAGE, (int64_t)t->at,
                            "a view of a storage that is not there");
    const graft__torch_place at = {
        .dtype = root->dtype,
        .offset = e[2].value.integer,
        .size = graft_shape1(e[3].value.integer),
        .stride = graft_shape1(1),
    };
    graft_tensor *made = NULL;
    const graft_status status = graft__torch_tensor(t->r, "a view of a storage", root, &at, &made);
    return status == GRAFT_OK ? keep(t, &e[0].value, made) : status;
}

static graft_status read_storages(tar *t)
{
    int64_t count = 0;
    graft__value views;
    graft_status status = next_count(t, &count);
    for (int64_t i = 0; i < count && status == GRAFT_OK; i++)
        status = read_storage(t);
    if (status == GRAFT_OK)
        status = next_pickle(t, NULL, &views);
    if (status != GRAFT_OK)
        return status;
    if (views.kind != GRAFT_VALUE_LIST && views.kind != GRAFT_VALUE_TUPLE)
        status = graft__fault(t->r, GRAFT_FAULT_PICKLE_VALUE, (int64_t)t->at,
                              "the views of storages are no list");
    for (size_t i = 0; status == GRAFT_OK && i < views.dict->count; i++)
        status = read_view(t, &views.dict->entry[i].value);
    graft__value_drop(t->r->g, &views);
    return status;
}

/* The numbers behind the pickle of a tensor: ndim in 8 bytes of which the upper 4 do not count,
 * sizes, strides, offset. */
static graft_status read_place(tar *t, graft__torch_place *at)
{
    const part *p = t->part;
    if (p->size - t->at < 8)
        return truncated(t);
    const uint32_t ndim = graft__le32(p->bytes + t->at);
    if (ndim > GRAFT_MAX_DIMS)
        return graft__fault(t->r, GRAFT_FAULT_SHAPE, (int64_t)t->at,
                            "a tensor of %u dimensions: expected at most %d", (unsigned)ndim,
                            GRAFT_MAX_DIMS);
    t->at += 8;
    if ((p->size - t->at) / 8 < 2 * ndim + 1)
        return truncated(t);
    const unsigned char *numbers = p->bytes + t->at;
    at->size.ndim = at->stride.ndim = (int)ndim;
    for (uint32_t i = 0; i < ndim; i++) {
        at->size.size[i] = (int64_t)graft__le64(numbers + 8 * i);
        at->stride.size[i] = (int64_t)graft__le64(numbers + 8 * (ndim + i));
    }
    at->offset = (int64_t)graft__le64(numbers + 8 * 2 * ndim);
    t->at += 8 * (2 * ndim + 1);
    return GRAFT_OK;
}

/* (key, key of the storage, class) */
static graft_status read_tensor(tar *t)
{
    graft__value id;
    graft_tensor *made = NULL;
    graft_status status = next_tuple(t, 3, &id);
    if (status != GRAFT_OK)
        return status;
    const graft_tensor *storage = find(t, &id.dict->entry[1].value);
    graft__torch_place at;
    t->r->pickle_offset = (int64_t)t->at;
    if (!storage || storage->ndim != 1)
        status = graft__fault(t->r, GRAFT_FAULT_STORAGE, (int64_t)t->at,
                              "a tensor of a storage that is not there");
    if (status == GRAFT_OK)
        status = read_place(t, &at);
    if (status == GRAFT_OK) {
        at.dtype = storage->dtype;
        status = graft__torch_tensor(t->r, "a tensor", storage, &at, &made);
    }
    if (status == GRAFT_OK)
        status = keep(t, &id.dict->entry[0].value, made);
    graft__value_drop(t->r->g, &id);
    return status;
}

static graft_status read_tensors(tar *t)
{
    int64_t count = 0;
    graft_status status = next_count(t, &count);
    for (int64_t i = 0; i < count && status == GRAFT_OK; i++)
        status = read_tensor(t);
    return status;
}

/* ---- The pickle ---- */

/* A number, also as text; or (class, file, source), which is the class. */
static graft_status persistent(graft__pickle *p, void *user, const graft__value *id,
                               graft__value *out)
{
    (void)p;
    const tar *t = user;
    graft__value number = *id;
    if (id->kind == GRAFT_VALUE_TUPLE && id->dict->count > 0)
        return graft__value_copy(t->r->g, t->r->op, &id->dict->entry[0].value, out)
                   ? GRAFT_OK
                   : GRAFT_ERR_MEMORY;
    if (id->kind == GRAFT_VALUE_STRING && id->text.length > 0 && id->text.length < 19) {
        number = graft__int_value(0);
        for (size_t i = 0; i < id->text.length; i++) {
            const char digit = id->text.data[i];
            if (digit < '0' || digit > '9')
                number.kind = GRAFT_VALUE_NONE;
            else
                number.integer = number.integer * 10 + (digit - '0');
        }
    }
    graft_tensor *found = find(t, &number);
    if (!found)
        return graft__fault(t->r, GRAFT_FAULT_STORAGE, t->r->pickle_offset,
                            "a persistent id of no tensor and no storage");
    *out = graft__tensor_value(graft__tensor_ref(found));
    return GRAFT_OK;
}

static graft_dict *read_tar(graft__reading *r)
{
    part parts[] = {{"storages", NULL, 0}, {"tensors", NULL, 0}, {"pickle", NULL, 0}};
    graft__value value;
    if (find_parts(r, parts, 3) != GRAFT_OK)
        return NULL;
    tar t = {.r = r, .objects = graft__dict_new(r->g)};
    if (!t.objects)
        return NULL;
    enter(&t, &parts[0]);
    graft_status status = read_storages(&t);
    if (status == GRAFT_OK) {
        enter(&t, &parts[1]);
        status = read_tensors(&t);
    }
    if (status == GRAFT_OK) {
        const graft__pickle_host host = {&t, persistent};
        enter(&t, &parts[2]);
        status = next_pickle(&t, &host, &value);
    }
    graft__dict_unref(t.objects);
    if (status != GRAFT_OK)
        return NULL;
    r->member = NULL;
    return graft__torch_root(r, &value);
}

const graft__format graft__format_pt_tar = {GRAFT_FORMAT_PT_TAR, matches, read_tar};
