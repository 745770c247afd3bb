/* How two state dicts differ. */
#ifndef CLI_DEMO_COMPARE_H
#define CLI_DEMO_COMPARE_H

#include "graft/graft.h"

typedef struct demo_diff {
    long long tensors, equal, shared; /* equal: bit for bit; shared: in the same memory */
    long long values, differing;
    double largest; /* |a - b| */
} demo_diff;

/* Compares the f32 tensors of two dicts of the same names. What can't be compared counts as
 * differing. */
void demo_compare(const graft_dict *a, const graft_dict *b, demo_diff *out);

#endif
