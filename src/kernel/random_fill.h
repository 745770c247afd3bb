/* Random numbers into any floating array, as PyTorch fills a tensor of these strides. */
#ifndef GRAFT__KERNEL_RANDOM_FILL_H
#define GRAFT__KERNEL_RANDOM_FILL_H

#include "base/random.h"
#include "kernel/array.h"

/* torch.Tensor.uniform_(from, to) and normal_(mean, std). */
void graft__fill_uniform(graft__random *r, const graft__array *dst, double from, double to);
void graft__fill_normal(graft__random *r, const graft__array *dst, double mean, double std);

#endif
