/* The tape: recorded operations in the order they were made, and how gradients flow back along it.
 *
 * An operation checks, computes its result and, if graft__should_record says so, records a node: an
 * edge for each input and what its backward needs. Backward walks the tape from the newest node to
 * the oldest; every consumer of a result is newer than the operation that made it, so that a node's
 * gradient is whole when its turn comes. */
#ifndef GRAFT__OPS_TAPE_H
#define GRAFT__OPS_TAPE_H

#include "graft/autograd.h"
#include "tensor/tensor.h"

typedef struct graft__taped graft__taped;

typedef struct graft__op {
    const char *name; /* as errors call it: "matmul" */

    /* Given the gradient of the result (the result's shape and dtype, any strides), hands each
     * input that graft__wants its share with graft__give or graft__give_into. Runs in a scope of
     * its own, with recording off. */
    graft_status (*backward)(graft__taped *node, graft_tensor *grad);
} graft__op;

/* Where an input's gradient goes: to the operation that made it, to a leaf, or nowhere. */
typedef struct graft__edge {
    graft__taped *node;
    graft_tensor *leaf;
} graft__edge;

typedef struct graft__saved {
    graft_tensor *tensor;
    uint32_t version;
    bool changed; /* let go of because it was changed: graft__forget_saved */
} graft__saved;

struct graft__taped {
    graft_ctx *ctx;
    const graft__op *op;
    uint32_t refs;
    uint16_t inputs, saves;      /* sizes of the arrays behind the node */
    bool released;               /* backward has been through and let go of what was saved */
    graft__taped *newer, *older; /* neighbours on the tape */
    graft_tensor *grad;          /* gradient of the result so far, while backward runs */
    size_t block_size;
    graft__edge *edge;
    graft__saved *saved;
    void *attr; /* what else backward needs: plain data, zeroed at first */
};

/* Whether an operation on these inputs (NULL ones are skipped) is to be recorded. */
bool graft__should_record(graft_tensor *const *input, int n);

/* Records that op made y out of the inputs (NULL ones get no edge): y gets a history. NULL, with
 * the error set, if there is no memory; y then has no history. attr_size bytes of attr. */
graft__taped *graft__record(const graft__op *op, graft_tensor *y, graft_tensor *const *input, int n,
                            int saves, size_t attr_size);

/* Saves t (an input, the result itself, or another tensor) in slot i for backward. false, with the
 * error set, if there is no memory. */
bool graft__save(graft__taped *node, int i, graft_tensor *t);

/* Whether something was saved in slot i. */
static inline bool graft__has_saved(const graft__taped *node, int i)
{
    return node->saved[i].tensor || node->saved[i].changed;
}

/* Has every operation let go of t, which is about to change and to get another history: none can
 * use what it saved any more, and one that is itself in that history would hold what holds it. */
void graft__forget_saved(graft_tensor *t);

/* What an operation does when its recording failed or succeeded: y goes to the scope if ok, else it
 * is dropped and NULL comes back. Borrows nothing: y's reference is used up. */
graft_tensor *graft__finish(graft_tensor *y, bool ok);

/* ---- Within backward ---- */

/* What was saved in slot i, borrowed; NULL, with an error that names the operation, if it was
 * changed in place since. */
graft_tensor *graft__load(graft__taped *node, int i);

/* Whether input i needs a gradient: a leaf may have been frozen since. Backward is only called
 * where one does. */
bool graft__wants(const graft__taped *node, int i);

/* Adds grad (in the input's shape and dtype) to the gradient of input i. Borrows grad; what only
 * the scope holds is taken as it is, without a copy. */
graft_status graft__give(graft__taped *node, int i, graft_tensor *grad);

/* For backwards that can write or accumulate straight into the gradient (matrix products, sums over
 * a batch): *out is the contiguous memory of that shape and dtype, *beta is 0 (write) or 1 (add to
 * what is there). The caller then must write; it counts as given. */
graft_status graft__give_into(graft__taped *node, int i, int ndim, const int64_t *size,
                              graft_dtype dtype, double *beta, graft__array *out);

/* ---- For tensors that go ---- */

graft__taped *graft__taped_ref(graft__taped *node);

/* A chain of any length is freed without recursion. NULL is ignored. */
void graft__taped_unref(graft__taped *node);

#endif
