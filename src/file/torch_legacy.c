/* torch.save's form before 1.6: pickles in a row, and behind them the storages. */
#include "file/torch.h"

#include <string.h>

static const char magic[] = "119547037146038801333356"; /* 0x1950a86a20f9469cfc6c */

/* The magic number is a pickle too, of whatever protocol the caller asked for. */
static bool matches(const graft__source *s)
{
    static const unsigned char binary[] = {0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46,
                                           0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};
    const unsigned char *p = s->bytes;
    uint64_t at = 0;
    if (s->size >= 2 && p[0] == 0x80) /* PROTO */
        at = 2;
    if (at > 0 && s->size >= at + 9 && p[at] == 0x95) /* FRAME */
        at += 9;
    if (s->size - at >= sizeof binary && memcmp(p + at, binary, sizeof binary) == 0)
        return true;
    return s->size - at >= sizeof magic && p[at] == 'L' &&
           memcmp(p + at + 1, magic, sizeof magic - 1) == 0;
}

/* The object is read before it is known where the bytes of its storages are: until then they stand
 * on a supply that has none. */
typedef struct legacy {
    graft__reading *r;
    size_t at;
    graft__supply nothing;
    graft__torch_storages storages;
} legacy;

static void *fetch_nothing(graft__supply *s, graft_ctx *g)
{
    (void)s;
    graft__fail(g, GRAFT_ERR_STATE,
                "load: the elements of a storage are asked for while the "
                "pickle before it is being read");
    return NULL;
}

static void release_nothing(void *supply, void *data)
{
    (void)supply;
    (void)data;
}

static graft__storage *make_storage(void *user, const graft__torch_wanted *w)
{
    legacy *l = user;
    return graft__storage_promise(l->r->g, (size_t)w->bytes, &l->nothing);
}

static bool is_empty_handed(const legacy *l, const graft__storage *s)
{
    return atomic_load_explicit(&s->buffer->supply, memory_order_acquire) == &l->nothing;
}

/* ---- The data behind the pickles ---- */

static bool fits_in_file(const legacy *l, uint64_t size)
{
    return size <= l->r->source->size - l->at;
}

/* The bytes of a storage are where l stands. */
static graft_status fill(legacy *l, const char *key, const graft__torch_made *t)
{
    graft__reading *r = l->r;
    if (!fits_in_file(l, 8))
        return graft__fault(r, GRAFT_FAULT_TRUNCATED, (int64_t)l->at,
                            "the file ends before storage %s", key);
    const uint64_t numel = graft__le64(r->source->bytes + l->at);
    if (numel != (uint64_t)t->numel)
        return graft__fault(r, GRAFT_FAULT_STORAGE, (int64_t)l->at,
                            "storage %s has %llu elements here and %lld in the pickle", key,
                            (unsigned long long)numel, (long long)t->numel);
    l->at += 8;
    const uint64_t width = graft_dtype_size(t->dtype), bytes = numel * width;
    if (!fits_in_file(l, bytes))
        return graft__fault(r, GRAFT_FAULT_TRUNCATED, (int64_t)l->at,
                            "the file ends within storage %s, %llu of its %llu bytes are there",
                            key, (unsigned long long)(r->source->size - l->at),
                            (unsigned long long)bytes);
    const graft__piece piece = {
        .offset = l->at,
        .stored = bytes,
        .size = bytes,
        .align = GRAFT__TORCH_ALIGN,
        .member = NULL,
    };
    graft__storage *s = graft__piece_storage(r, &piece);
    if (!s)
        return graft_error_status(r->g);
    graft__buffer *filled = s->buffer;
    s->buffer = t->storage->buffer;
    t->storage->buffer = filled;
    graft__storage_unref(s);
    l->at += (size_t)bytes;
    return GRAFT_OK;
}

static graft_status fill_by_keys(legacy *l, const graft_dict *keys)
{
    graft__reading *r = l->r;
    for (size_t i = 0; i < keys->count; i++) {
        const graft__value *key = &keys->entry[i].value;
        if (!graft__is_text(key->kind))
            return graft__fault(r, GRAFT_FAULT_STORAGE, (int64_t)l->at,
                                "the key of a storage is no text");
        const graft__key wanted = {.text = key->text.data, .length = key->text.length};
        const graft__torch_made *made = graft__torch_storage_find(&l->storages, &wanted);
        if (!made)
            return graft__fault(r, GRAFT_FAULT_STORAGE, (int64_t)l->at,
                                "storage %s is in the list of keys and not in the pickle",
                                key->text.data);
        if (!is_empty_handed(l, made->storage))
            return graft__fault(r, GRAFT_FAULT_DUPLICATE, (int64_t)l->at,
                                "storage %s is twice in the list of keys", key->text.data);
        const graft_status status = fill(l, key->text.data, made);
        if (status != GRAFT_OK)
            return status;
    }
    for (size_t i = 0; i < l->storages.count; i++)
        if (is_empty_handed(l, l->storages.made[i].storage))
            return graft__fault(r, GRAFT_FAULT_STORAGE, (int64_t)l->at,
                                "storage %s is in the pickle and not in the list of keys",
                                l->storages.by_key->entry[i].key.text.data);
    return GRAFT_OK;
}

/* ---- The pickles ---- */

static graft_status next_pickle(legacy *l, const graft__pickle_host *host, graft__value *out)
{
    return graft__pickle_read(l->r, host, l->r->source->bytes, (size_t)l->r->source->size, &l->at,
                              out);
}

/* Magic number, version and what the writer's machine was like, by which PyTorch does not go
 * either: the elements are little-endian whatever it says. */
static graft_status read_head(legacy *l)
{
    graft__reading *r = l->r;
    graft__value v;
    graft_status status = next_pickle(l, NULL, &v);
    if (status != GRAFT_OK)
        return status;
    if (v.kind != GRAFT_VALUE_BIG_INT || strcmp(v.text.data, magic) != 0)
        status = graft__fault(r, GRAFT_FAULT_PICKLE_VALUE, 0, "the magic number is another one");
    graft__value_drop(r->g, &v);
    size_t at = l->at;
    if (status == GRAFT_OK)
        status = next_pickle(l, NULL, &v);
    if (status != GRAFT_OK)
        return status;
    if (v.kind != GRAFT_VALUE_INT || v.integer != 1001)
        status = graft__fault(r, GRAFT_FAULT_UNSUPPORTED, (int64_t)at,
                              "a protocol version other than 1001");
    graft__value_drop(r->g, &v);
    if (status == GRAFT_OK && !graft__torch_tell(r, "protocol_version", "1001", 4))
        status = graft_error_status(r->g);
    if (status == GRAFT_OK)
        status = next_pickle(l, NULL, &v);
    if (status == GRAFT_OK)
        graft__value_drop(r->g, &v);
    return status;
}

static graft_status read_data(legacy *l)
{
    graft__value keys;
    const size_t at = l->at;
    graft_status status = next_pickle(l, NULL, &keys);
    if (status != GRAFT_OK)
        return status;
    if (keys.kind == GRAFT_VALUE_LIST || keys.kind == GRAFT_VALUE_TUPLE)
        status = fill_by_keys(l, keys.dict);
    else
        status = graft__fault(l->r, GRAFT_FAULT_PICKLE_VALUE, (int64_t)at,
                              "what is behind the object is no list of the keys of storages");
    graft__value_drop(l->r->g, &keys);
    return status;
}

static graft_dict *read_legacy(graft__reading *r)
{
    legacy l = {.r = r, .nothing = {.fetch = fetch_nothing, .release = release_nothing}};
    graft__value value = {.kind = GRAFT_VALUE_NONE};
    if (read_head(&l) != GRAFT_OK || !graft__torch_storages_open(&l.storages, r, make_storage, &l))
        return NULL;
    pthread_mutex_init(&l.nothing.lock, NULL);
    const graft__pickle_host host = {&l.storages, graft__torch_persistent};
    graft_status status = next_pickle(&l, &host, &value);
    if (status == GRAFT_OK)
        status = read_data(&l);
    if (status != GRAFT_OK)
        graft__value_drop(r->g, &value);
    graft__torch_storages_close(&l.storages);
    pthread_mutex_destroy(&l.nothing.lock);
    return status == GRAFT_OK ? graft__torch_root(r, &value) : NULL;
}

const graft__format graft__format_pt_legacy = {GRAFT_FORMAT_PT_LEGACY, matches, read_legacy};
