/* Names of tensors in modules, counted. */
#ifndef GRAFT__NN_REGISTER_H
#define GRAFT__NN_REGISTER_H

#include "tensor/tensor.h"

/* Takes the reference of the scope or context that owns t, or adds one, and counts a name. */
void graft__tensor_take_name(graft_tensor *t);

/* Gives up a reference that graft__tensor_take_name took. */
void graft__tensor_release_name(graft_tensor *t);

#endif
