/* The context's insides. */
#ifndef GRAFT__BASE_CTX_H
#define GRAFT__BASE_CTX_H

#include "base/alloc.h"
#include "base/error.h"
#include "base/object.h"
#include "base/pool.h"
#include "base/random.h"

struct graft_ctx {
    graft__arena arena;
    graft__error error;
    graft__random random;
    uint64_t secret; /* of hashes: odd, and another one in each context */
    graft__pool *pool;
    int threads;

    /* The scope stack: all scopes' objects in one array; marks are where each scope begins. Slots
     * of objects that left early are NULL. */
    graft__object **slots;
    size_t slot_count, slot_capacity;
    size_t *marks;
    size_t mark_count, mark_capacity;

    graft__object kept; /* head of the ring of objects that live until they are freed */

    /* The tape (ops/tape.h): the newest recorded operation, how many regions forbid recording, and,
     * during backward, how many operations hold a gradient and wait for their turn. */
    struct graft__taped *tape;
    int no_grad;
    int64_t waiting;
};

/* Ends the innermost scope, of which there must be one. */
void graft__scope_end(graft_ctx *g);

/* Makes room for one more handle on the scope stack; false, with the error set, without memory. */
bool graft__scope_grow(graft_ctx *g);

#endif
