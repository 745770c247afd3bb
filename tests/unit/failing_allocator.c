#include "failing_allocator.h"

#include "test.h"

/* In front of each block, `align` bytes or a multiple. */
typedef struct header {
    size_t size;
    void *block; /* what free() wants */
} header;

static void *failing_alloc(void *user, size_t size, size_t align)
{
    failing_allocator *a = user;
    a->calls++;
    if (a->fail_at && (a->calls == a->fail_at || (a->keeps_on && a->calls > a->fail_at))) {
        a->failed = true;
        return NULL;
    }
    size_t front = (sizeof(header) + align - 1) / align * align;
    void *block = aligned_alloc(align, (front + size + align - 1) / align * align);
    if (!block)
        return NULL;
    memset(block, 0xA5, front + size); /* nobody may count on zeros */
    header *h = (header *)((char *)block + front) - 1;
    h->size = size;
    h->block = block;
    a->live_blocks++;
    a->live_bytes += size;
    return (char *)block + front;
}

static void failing_free(void *user, void *p, size_t size)
{
    failing_allocator *a = user;
    header *h = (header *)p - 1;
    a->wrong_sizes += h->size != size;
    a->live_blocks--;
    a->live_bytes -= h->size;
    free(h->block);
}

graft_allocator failing_allocator_of(failing_allocator *a)
{
    return (graft_allocator){.alloc = failing_alloc, .free = failing_free, .user = a};
}

graft_ctx *failing_allocator_open(failing_allocator *a)
{
    graft_options o = graft_options_defaults();
    o.allocator = failing_allocator_of(a);
    o.threads = 1;
    o.cache_limit = 0;
    return graft_open(&o);
}

static void sweep(void (*body)(void *user, failing_allocator *a), void *user, bool keeps_on)
{
    for (uint64_t n = 1;; n++) {
        failing_allocator a = {.fail_at = n, .keeps_on = keeps_on};
        body(user, &a);
        if (a.live_blocks || a.live_bytes || a.wrong_sizes)
            fail_msg("with allocation %llu failing: %zu blocks of %zu bytes are left, %llu were "
                     "freed with a wrong size",
                     (unsigned long long)n, a.live_blocks, a.live_bytes,
                     (unsigned long long)a.wrong_sizes);
        if (!a.failed)
            return;
    }
}

void failing_allocator_sweep(void (*body)(void *user, failing_allocator *a), void *user)
{
    sweep(body, user, false);
    sweep(body, user, true);
}
