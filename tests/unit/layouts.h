/* Views of a matrix for tests of kernels that walk memory in several ways. */
#ifndef TESTS_UNIT_LAYOUTS_H
#define TESTS_UNIT_LAYOUTS_H

#include "graft/graft.h"

enum { LAYOUTS = 4 };

/* The matrix in C order, turned, and the first half of its columns and of its rows. */
static inline graft_tensor *view_of(graft_tensor *t, int layout)
{
    const graft_shape shape = graft_tensor_shape(t);
    switch (layout) {
    case 0:
        return t;
    case 1:
        return graft_transpose(t, 0, 1);
    case 2:
        return graft_narrow(t, 1, 0, (shape.size[1] + 1) / 2);
    default:
        return graft_narrow(t, 0, 0, (shape.size[0] + 1) / 2);
    }
}

#endif
