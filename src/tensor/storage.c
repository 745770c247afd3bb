#include "tensor/storage.h"

#include "kernel/copy.h"

enum { HEADER = (sizeof(graft__buffer) + GRAFT__ALIGN - 1) / GRAFT__ALIGN * GRAFT__ALIGN };

/* ---- Buffers: header and data in one block ---- */

static graft__buffer *buffer_new(graft_ctx *g, size_t bytes)
{
    size_t block = 0;
    graft__buffer *b =
        graft__add_size(bytes, HEADER, &block) ? graft__alloc_single(g, block) : NULL;
    if (!b) {
        graft__fail_memory(g, bytes, "tensor");
        return NULL;
    }
    *b = (graft__buffer){
        .data = (char *)b + HEADER,
        .size = bytes,
        .home = g,
        .allocator = g->arena.allocator,
        .block_size = block,
    };
    atomic_init(&b->refs, 1);
    atomic_init(&b->supply, NULL);
    return b;
}

static bool same_allocator(const graft_allocator *a, const graft_allocator *b)
{
    return a->alloc == b->alloc && a->free == b->free && a->user == b->user;
}

static void release_supply(void *user, void *data)
{
    graft__supply *supply = user;
    supply->release(supply, data);
}

void graft__buffer_unref(graft_ctx *g, graft__buffer *b)
{
    if (!b || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
        return;
    graft__supply *waiting = atomic_load_explicit(&b->supply, memory_order_acquire);
    graft__supply *supply = b->release == release_supply ? b->release_user : waiting;
    if (supply)
        supply->leaving = g;
    graft_allocator allocator = b->allocator;
    size_t size = b->block_size;
    const graft_ctx *home = b->home;
    if (waiting)
        waiting->release(waiting, NULL);
    else if (b->release)
        b->release(b->release_user, b->data == (char *)b + HEADER ? NULL : b->data);
    if (size == 0) /* it is gone with what was released */
        return;
    /* Another context's block was never counted here. The allocators are compared too, as home may
     * have been closed and its address be that of a new context. */
    if (g && home == g && same_allocator(&allocator, &g->arena.allocator))
        graft__free_single(g, b, size);
    else
        allocator.free(allocator.user, b, graft__arena_block_size(size));
}

/* ---- Storages ---- */

/* A storage over a buffer, whose reference it takes over (also on failure). */
static graft__storage *storage_over(graft_ctx *g, graft__buffer *b)
{
    if (!b)
        return NULL;
    graft__storage *s = graft__alloc(g, sizeof *s);
    if (!s) {
        graft__fail_memory(g, sizeof *s, "tensor");
        graft__buffer_unref(g, b);
        return NULL;
    }
    *s = (graft__storage){.refs = 1, .ctx = g, .buffer = b};
    return s;
}

graft__storage *graft__storage_new(graft_ctx *g, size_t bytes)
{
    return storage_over(g, buffer_new(g, bytes));
}

graft__storage *graft__storage_borrow(graft_ctx *g, void *data, size_t bytes,
                                      void (*release)(void *user, void *data), void *user)
{
    graft__buffer *b = buffer_new(g, 0);
    graft__storage *s = storage_over(g, b);
    if (!s)
        return NULL;
    if (data) /* an empty tensor over NULL has an address all the same: arithmetic may follow */
        b->data = data;
    b->size = bytes;
    b->release = release;
    b->release_user = user;
    return s;
}

graft__storage *graft__storage_supplied(graft_ctx *g, void *data, size_t bytes,
                                        void (*release)(void *user, void *data), void *user)
{
    graft__storage *s = graft__storage_borrow(g, data, bytes, release, user);
    if (s)
        s->buffer->supplied = true;
    return s;
}

/* A buffer in room of whoever supplies the bytes. */
static graft__buffer *buffer_in(graft__buffer *room, void *data, size_t bytes)
{
    *room = (graft__buffer){.data = data, .size = bytes, .supplied = true};
    atomic_init(&room->refs, 1);
    atomic_init(&room->supply, NULL);
    return room;
}

graft__storage *graft__storage_supplied_in(graft_ctx *g, graft__buffer *room, void *data,
                                           size_t bytes, void (*release)(void *user, void *data),
                                           void *user)
{
    graft__storage *s = storage_over(g, buffer_in(room, data, bytes));
    if (!s)
        return NULL;
    room->release = release;
    room->release_user = user;
    return s;
}

graft__storage *graft__storage_promise_in(graft_ctx *g, graft__buffer *room, size_t bytes,
                                          graft__supply *supply)
{
    graft__storage *s = storage_over(g, buffer_in(room, NULL, bytes));
    if (s)
        atomic_store_explicit(&room->supply, supply, memory_order_release);
    return s;
}

graft__storage *graft__storage_promise(graft_ctx *g, size_t bytes, graft__supply *supply)
{
    graft__storage *s = graft__storage_supplied(g, NULL, bytes, NULL, NULL);
    if (s)
        atomic_store_explicit(&s->buffer->supply, supply, memory_order_release);
    return s;
}

/* Contexts of several threads may share the buffer: the first fetches, the others wait. The supply
 * lives as long as the buffer, which each of them holds. */
bool graft__storage_fetch(graft__storage *s, graft_ctx *g)
{
    graft__buffer *b = s->buffer;
    graft__supply *supply = atomic_load_explicit(&b->supply, memory_order_acquire);
    if (!supply)
        return true;
    pthread_mutex_lock(&supply->lock);
    bool ready = !atomic_load_explicit(&b->supply, memory_order_acquire);
    if (!ready) {
        void *data = supply->fetch(supply, g);
        if (data) {
            b->data = data;
            b->origin = supply->origin;
            b->release = release_supply;
            b->release_user = supply;
            atomic_store_explicit(&b->supply, NULL, memory_order_release);
            ready = true;
        }
    }
    pthread_mutex_unlock(&supply->lock);
    return ready;
}

bool graft__storage_can_read(const graft__storage *s)
{
    const graft__supply *supply = atomic_load_explicit(&s->buffer->supply, memory_order_acquire);
    return supply ? supply->read != NULL : s->buffer->origin != NULL;
}

graft__read_result graft__storage_read(graft__storage *s, graft_ctx *g, uint64_t begin, void *out,
                                       size_t size)
{
    graft__buffer *b = s->buffer;
    graft__supply *supply = atomic_load_explicit(&b->supply, memory_order_acquire);
    if (supply && supply->read) {
        pthread_mutex_lock(&supply->lock);
        graft__read_result result = GRAFT__READ_NOT; /* another fetched it */
        if (atomic_load_explicit(&b->supply, memory_order_acquire))
            result = supply->read(supply, g, begin, out, size) ? GRAFT__READ : GRAFT__READ_FAILED;
        pthread_mutex_unlock(&supply->lock);
        return result;
    }
    if (supply || !b->origin)
        return GRAFT__READ_NOT;
    return b->origin->read(b->origin, g, (const char *)b->data + begin, out, size)
               ? GRAFT__READ
               : GRAFT__READ_FAILED;
}

void *graft__storage_lend(graft__storage *s, graft_ctx *g, graft__supply **from)
{
    graft__buffer *b = s->buffer;
    graft__supply *supply = atomic_load_explicit(&b->supply, memory_order_acquire);
    *from = NULL;
    if (!supply || !supply->take_back)
        return NULL;
    void *data = NULL;
    pthread_mutex_lock(&supply->lock);
    if (atomic_load_explicit(&b->supply, memory_order_acquire)) {
        data = supply->fetch(supply, g);
        *from = supply;
    }
    pthread_mutex_unlock(&supply->lock);
    return data;
}

graft__storage *graft__storage_share(const graft__storage *s, graft_ctx *g)
{
    atomic_fetch_add_explicit(&s->buffer->refs, 1, memory_order_relaxed);
    return storage_over(g, s->buffer);
}

graft__buffer *graft__storage_orphan(graft__storage *s)
{
    graft__buffer *b = s->buffer;
    if (b->home == s->ctx)
        s->ctx->arena.stats.in_use -= graft__arena_block_size(b->block_size);
    b->home = NULL;
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

graft__buffer *graft__storage_hold(const graft__storage *s, graft_ctx *g)
{
    if (!graft__storage_is_on_loan(s)) {
        atomic_fetch_add_explicit(&s->buffer->refs, 1, memory_order_relaxed);
        return s->buffer;
    }
    graft__storage *own = graft__storage_share(s, g);
    graft__buffer *b =
        own && graft__storage_separate(own, true) ? graft__storage_orphan(own) : NULL;
    graft__storage_unref(own);
    return b;
}

graft__storage *graft__storage_ref(graft__storage *s)
{
    s->refs++;
    return s;
}

void graft__storage_unref(graft__storage *s)
{
    if (!s || --s->refs > 0)
        return;
    graft__buffer_unref(s->ctx, s->buffer);
    graft__free(s->ctx, s, sizeof *s);
}

bool graft__storage_is_shared(const graft__storage *s)
{
    /* Acquire: whoever let go of the buffer before has finished reading it. */
    return atomic_load_explicit(&s->buffer->refs, memory_order_acquire) > 1;
}

bool graft__storage_separate(graft__storage *s, bool keep)
{
    if (graft__storage_is_shared(s)) {
        graft__buffer *own = buffer_new(s->ctx, s->buffer->size);
        if (!own)
            return false;
        if (keep)
            graft__copy_bytes(s->ctx->pool, own->data, s->buffer->data, own->size);
        graft__buffer_unref(s->ctx, s->buffer);
        s->buffer = own;
    }
    s->buffer->origin = NULL; /* the memory counts now, not the file */
    s->version++;
    return true;
}

bool graft__storage_renew(graft__storage *s, graft__buffer **old)
{
    *old = NULL;
    if (graft__storage_is_shared(s)) {
        graft__buffer *own = buffer_new(s->ctx, s->buffer->size);
        if (!own)
            return false;
        *old = s->buffer;
        s->buffer = own;
    }
    s->buffer->origin = NULL;
    s->version++;
    return true;
}

bool graft__storage_is_borrowed(const graft__storage *s)
{
    return s->buffer->data != (char *)s->buffer + HEADER && !s->buffer->supplied;
}

bool graft__storage_is_on_loan(const graft__storage *s)
{
    return graft__storage_is_borrowed(s) && !s->buffer->release;
}

void graft__storage_assign(graft__storage *dst, const graft__storage *src)
{
    graft__buffer *from = src->buffer, *to = dst->buffer;
    dst->version++;
    if (from == to)
        return;
    if (graft__storage_is_borrowed(dst) && !graft__storage_is_shared(dst)) {
        graft__copy_bytes(dst->ctx->pool, to->data, from->data, to->size);
        return;
    }
    atomic_fetch_add_explicit(&from->refs, 1, memory_order_relaxed);
    dst->buffer = from;
    graft__buffer_unref(dst->ctx, to);
}
