/* What the files of node.h share: making nodes, and computing them. */
#ifndef GRAFT__COPY_NODE_MAKE_H
#define GRAFT__COPY_NODE_MAKE_H

#include "copy/node.h"

enum {
    GRAFT__NODE_INPUTS = sizeof((graft__node *)0)->input / sizeof(graft__node *),
    GRAFT__NODE_STEPS = 1000 /* in a tree: how deep one goes, and how often a shared one runs */
};

/* ---- Making: a maker takes a node on its input, fills it in and hands it to _made ---- */

/* A node with the dtype and shape of `in`, which it holds. NULL, with the error set, if in is (no
 * new error then), if it is a quantized record or of a dtype in blocks and the step doesn't take
 * those, or without memory. */
enum { GRAFT__TAKES_BLOCKS = 1, GRAFT__TAKES_QUANTISED = 2 };
graft__node *graft__node_on(graft__node *in, const char *name, const graft__step *step, int takes);

/* Another input, held. false, with the error set and n gone, if it is too much. */
bool graft__node_add(graft__node *n, const char *name, graft__node *in);

/* A source that is the tensor, held. */
graft__node *graft__node_constant(graft_tensor *t);

/* Sets the error "name: verb: ..." and lets go of n; NULL. */
graft__node *graft__node_refuse(graft__node *n, const char *name, graft_status status,
                                const char *format, ...) __attribute__((format(printf, 4, 5)));

/* dim of the first input counted from the front; -1, with the error set and n gone, if there is
 * none. `extra` 1: one behind the last is one too. */
int graft__node_dim(graft__node *n, const char *name, int dim, int extra);

/* n, if its shape and dtype can be had; else NULL with the error set and n gone. */
graft__node *graft__node_made(graft__node *n, const char *name);

/* Whether n->dtype is one of the floating ones that steps can do sums in; false with the error set
 * and n gone. */
bool graft__node_sums(graft__node *n, const char *name);

/* Whether n->dim and n->groups take whole rows of a dtype in blocks, or the dtype is none such;
 * else the error is set and n gone. */
bool graft__rows_are_blocks(graft__node *n, const char *name);

/* "rows 2 to 4", "dim 1 from 0 to 9" */
void graft__describe_range(graft__text *out, int dim, int64_t start, int64_t end);

/* A cast like that one of `in`, whose reference it takes; NULL gives NULL. Steps that take a part
 * of a cast are carried out before it: each part then knows what it has lost itself. */
graft__node *graft__node_cast_after(graft__node *in, const char *name, const graft__node *cast);
extern const graft__step graft__cast_step;

/* ---- Running ---- */

/* The tensor of a source's elements as they are stored; its bytes may wait. */
graft_tensor *graft__node_stored(const graft__node *source);

/* false, with the error set, for a quantized record. */
bool graft__node_has_value(const graft__node *n, graft_ctx *g);

extern const graft__step graft__reshape_step, graft__slice_step, graft__fuse_step, graft__part_step;

/* Where the values of sources come from: with a reference of ours; NULL, with or without an error:
 * there is none. */
typedef struct graft__node_values {
    graft__moment_of *of;
    void *user;
    int moment;
} graft__node_values;

graft_tensor *graft__node_evaluate(const graft__node *n, graft_ctx *g,
                                   const graft__node_values *values);

/* A new tensor for n's result, of that dtype. */
graft_tensor *graft__node_result(const graft__node *n, graft_ctx *g, graft_dtype dtype);

/* Elements start to start + length - 1 of dim. */
graft__array graft__array_part(const graft__array *a, int dim, int64_t start, int64_t length);

/* All elements of the array are 0: of any dtype that is not in blocks. */
void graft__array_zero(graft_ctx *g, const graft__array *a);

/* t (whose reference it takes) with its elements in C order; NULL in gives NULL out. */
graft_tensor *graft__node_packed(graft_ctx *g, graft_tensor *t);

/* Whether the value can be read a piece at a time, and bytes begin to begin + size - 1 of it;
 * values' tensors may wait. false with the error set. */
bool graft__node_is_piecewise(const graft__node *n);
bool graft__node_read(const graft__node *n, graft_ctx *g, const graft__node_values *values,
                      uint64_t begin, void *out, size_t size);

void graft__losses_unref(graft__losses *l); /* NULL is ignored */

#endif
