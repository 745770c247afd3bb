/* Dicts, models and optimizer states made of the bytes of an input: small, and of all that rules
 * and plans can meet. */
#ifndef TESTS_FUZZ_MADE_H
#define TESTS_FUZZ_MADE_H

#include "fuzz.h"
#include "graft/graft.h"

typedef struct made_bytes {
    const uint8_t *at, *end;
} made_bytes;

/* A number below n; 0 where the input is at its end. */
unsigned made_number(made_bytes *b, unsigned n);

/* Up to 8 values: tensors of any dtype and up to 3 dimensions, ties and views, records of quantized
 * tensors, nested dicts, and some that are no tensors. NULL without memory. Tensors belong to the
 * scope; free it with graft_dict_free. */
graft_dict *made_dict(graft_ctx *g, made_bytes *b);

/* The same names and shapes as those of `like`, and other values. */
graft_dict *made_sibling(graft_ctx *g, made_bytes *b, const graft_dict *like);

/* Up to 4 Linear layers, of which two may be one. Belongs to the caller. */
graft_module *made_module(graft_ctx *g, made_bytes *b);

/* What torch.optim might have saved for such a model, or something like it. */
graft_dict *made_optimizer_state(graft_ctx *g, made_bytes *b, const graft_module *m);

#endif
