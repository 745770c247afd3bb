/* Values that are computed when they are wanted.
 *
 * A promise may outlive the nodes, their sources and the context, and be kept on another thread by
 * another context. So it has a copy of the tree in one block of the allocator's, and of each source
 * the buffer, which is shared copy-on-write. */
#include <string.h>

#include "base/ctx.h"
#include "copy/node_make.h"
#include "kernel/copy.h"

/* Where a source's elements lie. */
typedef struct held {
    graft__buffer *buffer; /* NULL: the node is no source */
    int64_t offset;
    int64_t stride[GRAFT_MAX_DIMS];
    graft_shape shape; /* as stored: of a quantized record not the node's */
} held;

typedef struct promise {
    graft__supply supply; /* first: it is the promise */
    graft_allocator allocator;
    size_t block_size;
    graft__buffer *result; /* once it has been fetched */
    size_t count;
    held *held;
    graft__node node[]; /* the root last; input[] points into it. Behind them: held */
} promise;

/* ---- Letting go: on any thread ---- */

static void promise_free(promise *p)
{
    for (size_t i = 0; i < p->count; i++) {
        graft__buffer_unref(NULL, p->held[i].buffer);
        graft__losses_unref(p->node[i].losses);
    }
    graft__buffer_unref(NULL, p->result);
    pthread_mutex_destroy(&p->supply.lock);
    const graft_allocator a = p->allocator;
    a.free(a.user, p, p->block_size);
}

static void promise_release(void *supply, void *data)
{
    (void)data;
    promise_free(supply);
}

/* ---- Computing ---- */

/* A tensor of g's over what is held; its bytes may wait. */
static graft_tensor *held_tensor(void *user, const graft__node *source, graft_ctx *g)
{
    const promise *const p = user;
    const held *const h = &p->held[source - p->node];
    const graft__storage storage = {.buffer = h->buffer};
    return graft__tensor_over(graft__storage_share(&storage, g), source->dtype, h->shape.ndim,
                              h->shape.size, h->stride, h->offset);
}

static graft_tensor *held_value(void *user, const graft__node *source, graft_ctx *g)
{
    graft_tensor *t = held_tensor(user, source, g);
    if (t && graft__storage_ready(t->storage, g))
        return t;
    graft__tensor_unref(t);
    return NULL;
}

/* The value as memory of its own: whoever has the promised storage writes to it in place. */
static graft_tensor *own_value(const promise *p, graft_ctx *g)
{
    const graft__node_values values = {held_value, (void *)(uintptr_t)p, 0};
    graft_tensor *t = graft__node_evaluate(&p->node[p->count - 1], g, &values);
    if (!t || (graft__covers_storage(t) && !graft__storage_is_shared(t->storage) &&
               t->storage->refs == 1))
        return t;
    graft_tensor *own = graft__tensor_carried(g, "plan", t->ndim, t->size, t->dtype);
    if (own) {
        const graft__array to = graft__fresh(own), from = graft__read(t);
        graft__copy(g->pool, &to, &from);
    }
    graft__tensor_unref(t);
    return own;
}

static void *promise_fetch(graft__supply *s, graft_ctx *g)
{
    promise *const p = (promise *)s;
    graft_tensor *t = own_value(p, g);
    if (!t)
        return NULL;
    p->result = graft__storage_orphan(t->storage);
    graft__tensor_unref(t);
    for (size_t i = 0; i < p->count; i++) { /* they are not needed any more */
        graft__buffer_unref(NULL, p->held[i].buffer);
        p->held[i].buffer = NULL;
    }
    return p->result->data;
}

static bool promise_read(graft__supply *s, graft_ctx *g, uint64_t begin, void *out, size_t size)
{
    promise *const p = (promise *)s;
    const graft__node_values values = {held_tensor, p, 0};
    return graft__node_read(&p->node[p->count - 1], g, &values, begin, out, size);
}

/* ---- Promising ---- */

static size_t count_nodes(const graft__node *n)
{
    size_t count = 1;
    for (int i = 0; i < n->inputs; i++)
        count += count_nodes(n->input[i]);
    return count;
}

/* Appends the tree below n, its root last. The copies hold nothing but buffers and losses. */
static bool add_nodes(promise *p, graft_ctx *g, const graft__node *n)
{
    graft__node copy = *n;
    for (int i = 0; i < n->inputs; i++) {
        if (!add_nodes(p, g, n->input[i]))
            return false;
        copy.input[i] = &p->node[p->count - 1];
    }
    copy.dict = NULL;
    copy.initial = NULL;
    copy.ctx = NULL;
    held h = {.buffer = NULL};
    if (!n->step) {
        const graft_tensor *const t = graft__node_stored(n);
        h.buffer = graft__storage_hold(t->storage, g);
        if (!h.buffer)
            return false;
        h.shape = graft_shape_of(t->ndim, t->size);
        h.offset = t->offset;
        memcpy(h.stride, t->stride, sizeof h.stride);
    }
    if (n->losses)
        atomic_fetch_add_explicit(&n->losses->refs, 1, memory_order_relaxed);
    p->held[p->count] = h;
    p->node[p->count++] = copy;
    return true;
}

static promise *promise_new(graft__node *n, graft_ctx *g)
{
    const size_t count = count_nodes(n); /* at most GRAFT__NODE_STEPS */
    const size_t size = sizeof(promise) + count * (sizeof(graft__node) + sizeof(held));
    promise *p = graft__alloc_apart(g, size);
    if (!p) {
        graft__fail_memory(g, size, "plan");
        return NULL;
    }
    *p = (promise){
        .supply = {.fetch = promise_fetch,
                   .release = promise_release,
                   .read = graft__node_is_piecewise(n) ? promise_read : NULL},
        .allocator = g->arena.allocator,
        .block_size = size,
        .held = (held *)(void *)(p->node + count),
    };
    pthread_mutex_init(&p->supply.lock, NULL);
    if (add_nodes(p, g, n))
        return p;
    promise_free(p);
    return NULL;
}

/* The source that n is with nothing changed but its shape, and which can be shared as it is, bytes
 * that wait and all: NULL else. */
static const graft_tensor *plain_source(const graft__node *n)
{
    while (n->step == &graft__reshape_step)
        n = n->input[0];
    const graft_tensor *const t = n->step ? NULL : graft__node_stored(n);
    return t && graft__covers_storage(t) && !graft__storage_is_on_loan(t->storage) ? t : NULL;
}

graft_tensor *graft__node_promise(graft__node *n, graft_ctx *g)
{
    if (!n || !graft__node_has_value(n, g))
        return NULL;
    const graft_tensor *const plain = plain_source(n);
    graft__storage *s = NULL;
    if (plain) {
        s = graft__storage_share(plain->storage, g);
    } else {
        size_t bytes = 0;
        const graft_shape *const shape = &n->shape;
        promise *p = NULL;
        if (graft__check_carried(g, "plan", shape->ndim, shape->size, n->dtype, &bytes) >= 0)
            p = promise_new(n, g);
        s = p ? graft__storage_promise(g, bytes, &p->supply) : NULL;
        if (p && !s)
            promise_free(p);
    }
    return graft__tensor_over(s, n->dtype, n->shape.ndim, n->shape.size, NULL, 0);
}
